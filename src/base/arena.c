#include "base/arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Chunks double, up to a few huge pages, so that large recipes cost few page faults. */
enum {
    FIRST_CHUNK = 64 * 1024,
    HUGE_PAGE = 2 << 20,
    LARGEST_CHUNK = 4 * HUGE_PAGE,
    ALIGNMENT = 16
};

struct ArenaChunk {
    ArenaChunk *older;
    size_t size; /* of the data */
    _Alignas(ALIGNMENT) char data[];
};

_Noreturn void memory_exhausted(void) {
    static const char message[] = "mecha: error: out of memory\n";
    ssize_t written = write(STDERR_FILENO, message, sizeof message - 1);
    (void)written;
    quick_exit(1); /* other threads may be at work, in libraries that `exit` would end */
}

size_t memory_size(size_t count, size_t size) {
    size_t product;
    if (__builtin_mul_overflow(count, size, &product))
        memory_exhausted();
    return product;
}

/* What spans huge pages is made of them, where the system has them. */
static void advise_huge(void *data, size_t size) {
    uintptr_t begin = ((uintptr_t)data + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    uintptr_t end = ((uintptr_t)data + size) / HUGE_PAGE * HUGE_PAGE;
    if (begin < end)
        madvise((void *)begin, end - begin, MADV_HUGEPAGE);
}

void *memory_grow(void *data, size_t size) {
    void *grown = realloc(data, size);
    if (grown == NULL && size > 0)
        memory_exhausted();
    advise_huge(grown, size);
    return grown;
}

void *memory_zeroed(size_t size) {
    void *data = calloc(1, size);
    if (data == NULL && size > 0)
        memory_exhausted();
    advise_huge(data, size);
    return data;
}

static ArenaChunk *chunk_new(size_t size, ArenaChunk *older) {
    ArenaChunk *chunk = memory_zeroed(sizeof(ArenaChunk) + size);
    chunk->older = older;
    chunk->size = size;
    return chunk;
}

/* The chunk in which small objects are placed next; at least SIZE bytes. */
static ArenaChunk *chunk_next(size_t size, ArenaChunk *older) {
    size_t room = older == NULL ? FIRST_CHUNK : older->size * 2;
    room = room < LARGEST_CHUNK ? room : LARGEST_CHUNK;
    return chunk_new(size > room ? size : room, older);
}

void *arena_alloc(Arena *arena, size_t size) {
    if (size > SIZE_MAX / 2)
        memory_exhausted();
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > FIRST_CHUNK / 4 && arena->chunk != NULL) {
        /* A large object gets a chunk of its own, behind the one that still has room. */
        arena->chunk->older = chunk_new(size, arena->chunk->older);
        return arena->chunk->older->data;
    }
    if (arena->chunk == NULL || (size_t)(arena->end - arena->next) < size) {
        arena->chunk = chunk_next(size, arena->chunk);
        arena->next = arena->chunk->data;
        arena->end = arena->next + arena->chunk->size;
    }
    void *data = arena->next;
    arena->next += size;
    return data;
}

void *arena_copy(Arena *arena, const void *data, size_t size) {
    void *copy = arena_alloc(arena, size);
    if (size > 0)
        memcpy(copy, data, size);
    return copy;
}

void arena_free(Arena *arena) {
    for (ArenaChunk *chunk = arena->chunk; chunk != NULL;) {
        ArenaChunk *older = chunk->older;
        free(chunk);
        chunk = older;
    }
    *arena = (Arena){0};
}

void arena_reset(Arena *arena) {
    ArenaChunk *kept = arena->chunk;
    if (kept == NULL)
        return;
    Arena rest = {.chunk = kept->older};
    arena_free(&rest);
    kept->older = NULL;
    memset(kept->data, 0, (size_t)(arena->next - kept->data));
    arena->next = kept->data;
}
