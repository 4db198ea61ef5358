/* Growable arrays of any type, in malloc'ed memory.
 *
 *     VECTOR(Token) tokens = {0};
 *     vector_push(&tokens, token);
 *     for (size_t i = 0; i < tokens.count; i++) use(tokens.items[i]);
 *     vector_free(&tokens);
 *
 * A pointer to an item is good until the next push. */
#ifndef BASE_VECTOR_H
#define BASE_VECTOR_H

#include "base/arena.h"

#include <stdlib.h>

#define VECTOR(type)                                                                               \
    struct {                                                                                       \
        type *items;                                                                               \
        size_t count, capacity;                                                                    \
    }

/* Room for N more items. */
#define vector_reserve(vector, n)                                                                  \
    do {                                                                                           \
        size_t wanted_ = (vector)->count + (n);                                                    \
        if (wanted_ > (vector)->capacity) {                                                        \
            size_t twice_ = (vector)->capacity * 2;                                                \
            (vector)->capacity = wanted_ > twice_ ? (wanted_ < 8 ? 8 : wanted_) : twice_;          \
            (vector)->items = memory_grow(                                                         \
                (vector)->items, memory_size((vector)->capacity, sizeof *(vector)->items));        \
        }                                                                                          \
    } while (0)

#define vector_push(vector, ...)                                                                   \
    do {                                                                                           \
        vector_reserve((vector), 1);                                                               \
        (vector)->items[(vector)->count++] = (__VA_ARGS__);                                        \
    } while (0)

/* By COMPARE, as qsort does, which takes no NULL. */
#define vector_sort(vector, compare)                                                               \
    do {                                                                                           \
        if ((vector)->count > 1)                                                                   \
            qsort((vector)->items, (vector)->count, sizeof *(vector)->items, compare);             \
    } while (0)

#define vector_free(vector)                                                                        \
    do {                                                                                           \
        free((vector)->items);                                                                     \
        (vector)->items = NULL;                                                                    \
        (vector)->count = (vector)->capacity = 0;                                                  \
    } while (0)

#endif
