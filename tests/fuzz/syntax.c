/* The targets that read texts which people write. */
#include "fuzz.h"

#include "syntax/dump.h"
#include "syntax/format.h"
#include "syntax/parse.h"

#include <stdio.h>
#include <stdlib.h>

void fuzz_require(bool holds, const char *what, Text text) {
    if (holds)
        return;
    fprintf(stderr, "%s:\n%.*s\n", what, TEXT_ARG(text));
    abort();
}

/* Everything that was said can be shown. */
static void check_messages(const Diags *diags, Text text) {
    for (size_t i = 0; i < diags_count(diags); i++) {
        Span span = diags_at(diags, i)->span;
        const Source *source = diags_find(diags, span.source);
        fuzz_require(source == NULL || (span.begin <= span.end && span.end <= source->text.size),
                     "a message about a place outside of the text", text);
    }
    char *shown = NULL;
    size_t size;
    FILE *stream = open_memstream(&shown, &size);
    diags_print(diags, stream, (DiagStyle){.colour = true});
    diags_print(diags, stream, (DiagStyle){.json = true});
    fclose(stream);
    free(shown);
}

void fuzz_recipe(Text text) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Ast *file = parse_recipe(&arena, diags, diags_source(diags, TEXT("recipe"), text));
    Builder dumped = {0};
    ast_dump(file, &dumped);
    fuzz_require(ast_equal(file, file), "a tree that differs from itself", text);
    check_messages(diags, text);
    builder_free(&dumped);
    diags_free(diags);
    arena_free(&arena);
}

static void check_reference(const InstructionArgument *argument, uint32_t at, Text text) {
    fuzz_require(argument->kind != ARG_REFERENCE || argument->reference < at,
                 "a reference to what is no earlier instruction", text);
}

void fuzz_instructions(Text text) {
    Arena arena = {0};
    Diags *diags = diags_new();
    InstructionList list =
        parse_instructions(&arena, diags, diags_source(diags, TEXT("list"), text));
    fuzz_require(list.failed == diag_failed(diags), "a failure that nothing was said about", text);
    for (uint32_t i = 0; i < list.count && !list.failed; i++)
        for (uint32_t k = 0; k < list.items[i].n_arguments; k++)
            check_reference(&list.items[i].arguments[k], i, text);
    check_messages(diags, text);
    diags_free(diags);
    arena_free(&arena);
}

/* ---- layout ---- */

static bool same_argument(const InstructionArgument *left, const InstructionArgument *right) {
    bool same_number = left->number == right->number ||
                       (left->number != left->number && right->number != right->number);
    bool same_text = left->kind != ARG_STRING || text_equal(left->text, right->text);
    return text_equal(left->name, right->name) && left->kind == right->kind && same_number &&
           left->integer == right->integer && left->reference == right->reference && same_text;
}

static bool same_instruction(const Instruction *left, const Instruction *right) {
    bool same = left->command == right->command && left->n_arguments == right->n_arguments;
    for (uint32_t i = 0; same && i < left->n_arguments; i++)
        same = same_argument(&left->arguments[i], &right->arguments[i]);
    return same;
}

static bool same_list(const InstructionList *left, const InstructionList *right) {
    bool same = left->count == right->count;
    for (uint32_t i = 0; same && i < left->count; i++)
        same = same_instruction(&left->items[i], &right->items[i]);
    return same;
}

static bool says_the_same(Text before, Text after) {
    Arena arena = {0};
    Diags *diags = diags_new();
    uint32_t left = diags_source(diags, TEXT("before"), before);
    uint32_t right = diags_source(diags, TEXT("after"), after);
    bool same = source_dialect(before) == source_dialect(after);
    if (same && source_dialect(before) == DIALECT_RECIPE) {
        Ast *tree = parse_recipe(&arena, diags, left);
        same = ast_equal(tree, parse_recipe(&arena, diags, right));
    } else if (same) {
        InstructionList list = parse_instructions(&arena, diags, left);
        InstructionList again = parse_instructions(&arena, diags, right);
        same = same_list(&list, &again);
    }
    same = same && !diag_failed(diags);
    diags_free(diags);
    arena_free(&arena);
    return same;
}

static bool is_well_formed(Text text) {
    Arena arena = {0};
    Diags *diags = diags_new();
    uint32_t source = diags_source(diags, TEXT("text"), text);
    if (source_dialect(text) == DIALECT_RECIPE)
        parse_recipe(&arena, diags, source);
    else
        parse_instructions(&arena, diags, source);
    bool well_formed = !diag_failed(diags);
    diags_free(diags);
    arena_free(&arena);
    return well_formed;
}

/* Whether it could be laid out, as OUT. */
static bool lay_out(Text text, Builder *out) {
    Diags *diags = diags_new();
    bool ok = format_recipe(diags, diags_source(diags, TEXT("text"), text), out);
    fuzz_require(ok == !diag_failed(diags), "a failure that nothing was said about", text);
    diags_free(diags);
    return ok;
}

void fuzz_format(Text text) {
    Builder once = {0}, twice = {0};
    bool ok = lay_out(text, &once);
    fuzz_require(ok == is_well_formed(text), "layout fails where reading does not, or the reverse",
                 text);
    if (ok) {
        Text canonical = builder_view(&once);
        fuzz_require(says_the_same(text, canonical), "layout changes what is said", text);
        fuzz_require(lay_out(canonical, &twice), "what was laid out cannot be", text);
        fuzz_require(text_equal(canonical, builder_view(&twice)), "layout is not at rest", text);
    }
    builder_free(&once);
    builder_free(&twice);
}
