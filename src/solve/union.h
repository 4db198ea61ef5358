/* Sets of nodes that are known to agree: union by the smaller id, found with path halving. */
#ifndef SOLVE_UNION_H
#define SOLVE_UNION_H

#include "base/arena.h"

#include <stdint.h>

static inline uint32_t *union_new(Arena *arena, uint32_t count) {
    uint32_t *parents = arena_array(arena, uint32_t, count + 1);
    for (uint32_t i = 0; i < count; i++)
        parents[i] = i;
    return parents;
}

static inline uint32_t union_find(uint32_t *parents, uint32_t item) {
    while (parents[item] != item) {
        parents[item] = parents[parents[item]];
        item = parents[item];
    }
    return item;
}

/* Joins two sets; the result is named by the smaller of both names. */
static inline uint32_t union_join(uint32_t *parents, uint32_t a, uint32_t b) {
    a = union_find(parents, a);
    b = union_find(parents, b);
    uint32_t root = a < b ? a : b;
    parents[a] = parents[b] = root;
    return root;
}

#endif
