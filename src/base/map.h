/* A hash index: from a 64-bit hash to the places (32-bit numbers) of the caller's own array that
 * have it.
 *
 * The caller keeps the items; the index only finds candidates, and asks EQUAL to confirm each. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include "base/text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { INDEX_NONE = UINT32_MAX };

typedef struct IndexSlot {
    uint32_t tag;  /* the lower half of the hash, which says where it belongs */
    uint32_t item; /* its place plus one; 0: free */
} IndexSlot;

/* A zeroed HashIndex is an empty one. */
typedef struct HashIndex {
    IndexSlot *slots;
    size_t capacity, count;
} HashIndex;

typedef bool IndexEqual(const void *context, const void *wanted, uint32_t item);

/* The item with HASH for which EQUAL(context, wanted, item) holds, or INDEX_NONE. (Here, so that a
 * call becomes the loop with its comparison in it.) */
static inline uint32_t index_find(const HashIndex *index, uint64_t hash, IndexEqual *equal,
                                  const void *context, const void *wanted) {
    if (index->count == 0)
        return INDEX_NONE;
    uint32_t tag = (uint32_t)hash;
    size_t mask = index->capacity - 1;
    for (size_t at = tag & mask;; at = (at + 1) & mask) {
        IndexSlot slot = index->slots[at];
        if (slot.item == 0)
            return INDEX_NONE;
        if (slot.tag == tag && equal(context, wanted, slot.item - 1))
            return slot.item - 1;
    }
}

/* Room for COUNT items, so that it need not grow until then. */
void index_reserve(HashIndex *index, size_t count);
/* ITEM must not be there yet. */
void index_add(HashIndex *index, uint64_t hash, uint32_t item);
void index_free(HashIndex *index);

/* Names made unique: every distinct text has one number, 0, 1, 2, … in order of arrival.
 * The texts are copied into the arena. */
typedef struct Names {
    Arena *arena;
    Text *texts;
    size_t count, capacity;
    HashIndex index;
} Names;

uint32_t names_add(Names *names, Text text);
/* INDEX_NONE where the text was never added. */
uint32_t names_find(const Names *names, Text text);
void names_free(Names *names);

#endif
