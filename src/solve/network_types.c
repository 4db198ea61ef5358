#include "solve/network_types.h"

/* The rows of a list that the library has under a name. */
static const Ast *read_rows(Library *library, Text name) {
    return library_find(library, DEFINITION_FUNCTION, name)->syntax->a;
}

static Text word_at(const Ast *row, uint32_t i) {
    return i < row->n_items && row->items[i]->kind == AST_STRING ? row->items[i]->text : TEXT("");
}

static NetworkType read_type(Arena *arena, const Ast *row) {
    const Ast *parts = row->items[1];
    Text *names = arena_array(arena, Text, parts->n_items + 1);
    for (uint32_t i = 0; i < parts->n_items; i++)
        names[i] = word_at(parts, i);
    return (NetworkType){.name = word_at(row, 0),
                         .parts = names,
                         .n_parts = parts->n_items,
                         .rank_of = word_at(row, 2),
                         .dimensions = row->n_items > 3 ? (uint32_t)row->items[3]->number : 0};
}

NetworkTypes network_types_read(Arena *arena, Library *library) {
    const Ast *rows = read_rows(library, TEXT("network_types"));
    const Ast *others = read_rows(library, TEXT("network_additions"));
    NetworkType *types = arena_array(arena, NetworkType, rows->n_items + 1);
    NetworkAddition *additions = arena_array(arena, NetworkAddition, others->n_items + 1);
    for (uint32_t i = 0; i < rows->n_items; i++)
        types[i] = read_type(arena, rows->items[i]);
    for (uint32_t i = 0; i < others->n_items; i++)
        additions[i] =
            (NetworkAddition){word_at(others->items[i], 0), word_at(others->items[i], 1)};
    return (NetworkTypes){types, rows->n_items, additions, others->n_items};
}
