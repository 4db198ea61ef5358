/* mecha recipe: what a model was made with. */
#include "cli/cli.h"

int command_recipe(Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    Builder recipe = {0};
    bool found = mecha_carried(engine, arguments->operands.items[0], &recipe);
    if (recipe.size > 0 && recipe.data[recipe.size - 1] != '\n')
        builder_char(&recipe, '\n');
    print_result(&recipe);
    return close_engine(engine, arguments, found ? STATUS_DONE : STATUS_FAULT);
}
