/* mecha compile: a recipe as an instruction list. */
#include "cli/cli.h"

int command_compile(Arguments *arguments) {
    const char *path = arguments->engine.output;
    arguments->engine.output = NULL;
    Engine *engine = mecha_open(&arguments->engine);
    Builder list = {0};
    int status = load_recipe(engine, arguments);
    if (status == STATUS_DONE && !(mecha_prepare(engine) && mecha_compile(engine, &list)))
        status = STATUS_FAULT;
    if (status == STATUS_DONE && path && !replace_file(path, builder_view(&list)))
        status = STATUS_FAULT;
    if (status == STATUS_DONE && !path)
        print_result(&list);
    else
        builder_free(&list);
    return close_engine(engine, arguments, status);
}
