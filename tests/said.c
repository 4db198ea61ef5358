#include "said.h"

#include "syntax/parse.h"

#include <check.h>
#include <stdlib.h>

static void add_message(Builder *out, const Diags *diags, const Diag *diag) {
    uint32_t line = 0, column = 0;
    if (diag->span.source)
        source_position(diags_find(diags, diag->span.source), diag->span.begin, &line, &column);
    builder_format(out, "%s%s%u:%u %.*s", out->size ? "\n" : "",
                   diag->severity == SEVERITY_NOTE ? "note " : "", line, column,
                   TEXT_ARG(diag->message));
    if (diag->hint.size)
        builder_format(out, " // %.*s", TEXT_ARG(diag->hint));
}

char *said_about(Text text) {
    Arena arena = {0};
    Diags *diags = diags_new();
    uint32_t source = diags_source(diags, TEXT("t"), text);
    if (source_dialect(text) == DIALECT_RECIPE)
        parse_recipe(&arena, diags, source);
    else
        parse_instructions(&arena, diags, source);
    Builder out = {0};
    for (size_t i = 0; i < diags_count(diags); i++)
        add_message(&out, diags, diags_at(diags, i));
    builder_char(&out, '\0');
    diags_free(diags);
    arena_free(&arena);
    return out.data;
}

void check_said(const char *text, const char *expected) {
    char *said = said_about(text_from(text));
    ck_assert_msg(text_equal(text_from(said), text_from(expected)),
                  "%s\nsaid:     %s\nexpected: %s", text, said, expected);
    free(said);
}
