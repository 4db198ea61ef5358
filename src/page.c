/* A recipe's own page: what it says of itself, and the parameters that it takes. */
#include "mecha.h"

#include "syntax/parse.h"

/* The comment that a recipe begins with, without shebang and `#`. */
static void print_opening(Text text, Builder *out) {
    size_t at = 0;
    while (at < text.size && text.data[at] == '#') {
        size_t end = at;
        while (end < text.size && text.data[end] != '\n')
            end++;
        Text line = {text.data + at + 1, end - at - 1};
        if (!text_starts(line, TEXT("!"))) {
            builder_add(out, line.size > 0 && line.data[0] == ' '
                                 ? (Text){line.data + 1, line.size - 1}
                                 : line);
            builder_char(out, '\n');
        }
        at = end + 1;
    }
}

static Text source_slice(const Source *source, Span span) {
    return (Text){source->text.data + span.begin, span.end - span.begin};
}

static void print_parameter(const Source *source, const Ast *parameter, Builder *out) {
    Text type = parameter->b != NULL ? parameter->b->text : TEXT("float");
    Builder left = {0};
    builder_format(&left, "--%.*s %.*s", TEXT_ARG(parameter->text), TEXT_ARG(type));
    builder_format(out, "  %-24s  %.*s", left.data, TEXT_ARG(parameter->doc));
    const char *separator = parameter->doc.size > 0 ? " (" : "(";
    if (parameter->c != NULL) {
        builder_format(out, "%sin %.*s", separator,
                       TEXT_ARG(source_slice(source, parameter->c->span)));
        separator = ", ";
    }
    if (parameter->a != NULL)
        builder_format(out, "%sdefault %.*s", separator,
                       TEXT_ARG(source_slice(source, parameter->a->span)));
    else
        builder_format(out, "%srequired", separator);
    builder_add(out, TEXT(")\n"));
    builder_free(&left);
}

void mecha_page(Engine *engine, Builder *out) {
    const Source *recipe = mecha_source(engine);
    Diags *aside = diags_new();
    Arena arena = {0};
    uint32_t source = diags_source(aside, recipe->name, recipe->text);
    builder_format(out, "usage: mecha %.*s [-o OUT] [options] [--PARAM VALUE ...]\n\n",
                   TEXT_ARG(recipe->name));
    print_opening(recipe->text, out);
    if (source_dialect(recipe->text) == DIALECT_RECIPE) {
        const Ast *file = parse_recipe(&arena, aside, source);
        bool any = false;
        for (uint32_t i = 0; i < file->n_items; i++) {
            if (file->items[i]->kind != AST_PARAM)
                continue;
            builder_add(out, any ? TEXT("") : TEXT("\nparameters:\n"));
            print_parameter(recipe, file->items[i], out);
            any = true;
        }
        builder_add(out, any ? TEXT("") : TEXT("\nThe recipe takes no parameters.\n"));
    }
    builder_add(out, TEXT("\n'mecha run --help' lists the options.\n"));
    arena_free(&arena);
    diags_free(aside);
}
