#include "base/map.h"

#include <stdlib.h>

static void place(HashIndex *index, IndexSlot slot) {
    size_t mask = index->capacity - 1;
    size_t at = slot.tag & mask;
    while (index->slots[at].item != 0)
        at = (at + 1) & mask;
    index->slots[at] = slot;
}

static void set_capacity(HashIndex *index, size_t capacity) {
    HashIndex old = *index;
    index->capacity = capacity;
    index->slots = memory_zeroed(memory_size(index->capacity, sizeof *index->slots));
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].item != 0)
            place(index, old.slots[i]);
    free(old.slots);
}

void index_reserve(HashIndex *index, size_t count) {
    size_t capacity = index->capacity < 16 ? 16 : index->capacity;
    while (count > capacity / 4 * 3)
        capacity *= 2;
    if (capacity != index->capacity)
        set_capacity(index, capacity);
}

void index_add(HashIndex *index, uint64_t hash, uint32_t item) {
    index_reserve(index, index->count + 1);
    place(index, (IndexSlot){(uint32_t)hash, item + 1});
    index->count++;
}

void index_free(HashIndex *index) {
    free(index->slots);
    *index = (HashIndex){0};
}

static bool same_name(const void *context, const void *wanted, uint32_t item) {
    return text_equal(((const Names *)context)->texts[item], *(const Text *)wanted);
}

uint32_t names_find(const Names *names, Text text) {
    return index_find(&names->index, text_hash(text), same_name, names, &text);
}

uint32_t names_add(Names *names, Text text) {
    uint32_t found = names_find(names, text);
    if (found != INDEX_NONE)
        return found;
    if (names->count == names->capacity) {
        names->capacity = names->capacity == 0 ? 16 : names->capacity * 2;
        names->texts =
            memory_grow(names->texts, memory_size(names->capacity, sizeof *names->texts));
    }
    names->texts[names->count] = text_copy(names->arena, text);
    index_add(&names->index, text_hash(text), (uint32_t)names->count);
    return (uint32_t)names->count++;
}

void names_free(Names *names) {
    free(names->texts);
    index_free(&names->index);
    *names = (Names){0};
}
