/* mecha recipe: what a model was made with, and whether that is still there. */
#include "cli/cli.h"

static const char *const states[] = {
    [MECHA_INPUT_SAME] = "same",
    [MECHA_INPUT_DIFFERENT] = "different",
    [MECHA_INPUT_MISSING] = "missing",
    [MECHA_INPUT_UNREADABLE] = "unreadable",
};

static void print_input(const MechaInput *input, Builder *out) {
    builder_format(out, "%-10s  ", states[input->state]);
    builder_printable(out, input->path);
    if (input->found.size > 0 && !text_equal(input->found, input->path)) {
        builder_add(out, TEXT(" ("));
        builder_printable(out, input->found);
        builder_char(out, ')');
    }
    builder_char(out, '\n');
}

static void print_input_json(const MechaInput *input, bool first, Builder *out) {
    builder_add(out, first ? TEXT("{\"path\": ") : TEXT(", {\"path\": "));
    builder_json(out, input->path);
    builder_format(out, ", \"state\": \"%s\", \"found\": ", states[input->state]);
    if (input->found.size > 0)
        builder_json(out, input->found);
    else
        builder_add(out, TEXT("null"));
    builder_char(out, '}');
}

static bool verify(Engine *engine, const Arguments *arguments) {
    size_t count = 0;
    const MechaInput *inputs = mecha_verify(engine, arguments->operands.items[0], &count);
    bool same = inputs != NULL;
    Builder words = {0};
    if (same && arguments->json)
        builder_add(&words, TEXT("{\"inputs\": ["));
    for (size_t i = 0; i < count; i++) {
        same &= inputs[i].state == MECHA_INPUT_SAME;
        if (arguments->json)
            print_input_json(&inputs[i], i == 0, &words);
        else
            print_input(&inputs[i], &words);
    }
    if (inputs != NULL && arguments->json)
        builder_format(&words, "], \"same\": %s}\n", same ? "true" : "false");
    print_result(&words);
    return same;
}

static bool show(Engine *engine, const char *path) {
    Builder recipe = {0};
    bool found = mecha_carried(engine, path, &recipe);
    if (recipe.size > 0 && recipe.data[recipe.size - 1] != '\n')
        builder_char(&recipe, '\n');
    print_result(&recipe);
    return found;
}

int command_recipe(Arguments *arguments) {
    if (arguments->json && !arguments->verify)
        return usage_error(arguments->command, "--json goes with --verify");
    Engine *engine = mecha_open(&arguments->engine);
    bool good =
        arguments->verify ? verify(engine, arguments) : show(engine, arguments->operands.items[0]);
    return close_engine(engine, arguments, good ? STATUS_DONE : STATUS_FAULT);
}
