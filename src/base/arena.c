#include "base/arena.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Chunks are a share of what the arena has, as their ends may stay unused; they are cleared a
 * window at a time, as far as they are used. (More than a window at once the C library clears with
 * string instructions, which take half as long again.) */
enum {
    WINDOW = 2 * 1024,
    CHUNK_SHARE = 8,
    SMALLEST_CHUNK = 64 * 1024,
    LARGEST_CHUNK = 4 << 20,
    LARGE_OBJECT = SMALLEST_CHUNK / 4,
    ALIGNMENT = 16 /* of every object */
};

/* A page fault costs as much as clearing many pages, and a merge's graphs take thousands of pages:
 * the heap is made of huge ones, where the system has them, and larger blocks have their own. */
enum { HUGE_PAGE = 2 << 20, HEAP = 32 * HUGE_PAGE, LARGE_BLOCK = 2 * HUGE_PAGE };

struct ArenaChunk {
    ArenaChunk *older;
    size_t size, total; /* of the data; with those of the older ones */
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

/* The heap's first pages are taken at once, from a whole huge page on: one that is partly touched
 * already stays small. */
void memory_prepare(void) {
    if (sbrk((intptr_t)(-(uintptr_t)sbrk(0) % HUGE_PAGE)) == (void *)-1)
        return;
    mallopt(M_ARENA_MAX, 1); /* what one thread frees, another takes */
    mallopt(M_TOP_PAD, HEAP);
    mallopt(M_TRIM_THRESHOLD, 2 * HEAP);
    mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK);
    char *begin = sbrk(0);
    void *volatile block = malloc(HUGE_PAGE / 2); /* volatile: it is made */
    free(block);
    advise_huge(begin, (size_t)((char *)sbrk(0) - begin));
}

void memory_trim(void) {
    malloc_trim(0);
}

void *memory_try(size_t size) {
    void *data = malloc(size > 0 ? size : 1);
    if (data != NULL && size >= LARGE_BLOCK)
        advise_huge(data, size);
    return data;
}

void *memory_grow(void *data, size_t size) {
    void *grown = realloc(data, size);
    if (grown == NULL && size > 0)
        memory_exhausted();
    if (size >= LARGE_BLOCK)
        advise_huge(grown, size);
    return grown;
}

void *memory_zeroed(size_t size) {
    void *data = calloc(1, size);
    if (data == NULL && size > 0)
        memory_exhausted();
    if (size >= LARGE_BLOCK)
        advise_huge(data, size);
    return data;
}

static ArenaChunk *chunk_init(ArenaChunk *chunk, size_t size, ArenaChunk *older) {
    chunk->older = older;
    chunk->size = size;
    chunk->total = size + (older == NULL ? 0 : older->total);
    return chunk;
}

/* The chunk in which small objects are placed next; at least SIZE bytes. */
static ArenaChunk *chunk_next(size_t size, ArenaChunk *older) {
    size_t room = older == NULL ? 0 : older->total / CHUNK_SHARE;
    room = room < SMALLEST_CHUNK ? SMALLEST_CHUNK : room < LARGEST_CHUNK ? room : LARGEST_CHUNK;
    size = size > room ? size : room;
    return chunk_init(memory_grow(NULL, sizeof(ArenaChunk) + size), size, older);
}

/* Clears as much of the newest chunk as SIZE bytes take, or of a new one. */
static void open_window(Arena *arena, size_t size) {
    if (arena->chunk == NULL ||
        (size_t)(arena->chunk->data + arena->chunk->size - arena->next) < size) {
        arena->chunk = chunk_next(size, arena->chunk);
        arena->next = arena->end = arena->chunk->data;
    }
    size_t left = (size_t)(arena->chunk->data + arena->chunk->size - arena->end);
    size_t missing = size - (size_t)(arena->end - arena->next);
    size_t window = missing > WINDOW ? missing : WINDOW;
    window = window < left ? window : left;
    memset(arena->end, 0, window);
    arena->end += window;
}

void *arena_alloc(Arena *arena, size_t size) {
    if (size > SIZE_MAX / 2)
        memory_exhausted();
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > LARGE_OBJECT && arena->chunk != NULL) {
        /* A large object gets a chunk of its own, behind the one that still has room. */
        ArenaChunk *own = memory_zeroed(sizeof(ArenaChunk) + size);
        arena->chunk->older = chunk_init(own, size, arena->chunk->older);
        return own->data;
    }
    if (arena->chunk == NULL || (size_t)(arena->end - arena->next) < size)
        open_window(arena, size);
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

void arena_join(Arena *arena, Arena *from) {
    if (arena->chunk == NULL || from->chunk == NULL) {
        *arena = arena->chunk == NULL ? *from : *arena;
    } else {
        ArenaChunk *oldest = from->chunk;
        while (oldest->older != NULL)
            oldest = oldest->older;
        oldest->older = arena->chunk->older;
        arena->chunk->older = from->chunk;
    }
    *from = (Arena){0};
}

void arena_reset(Arena *arena) {
    ArenaChunk *kept = arena->chunk;
    if (kept == NULL)
        return;
    Arena rest = {.chunk = kept->older};
    arena_free(&rest);
    chunk_init(kept, kept->size, NULL);
    size_t used = (size_t)(arena->next - kept->data);
    if (used <= WINDOW)
        memset(kept->data, 0, used); /* what follows is still cleared */
    else
        arena->end = kept->data;
    arena->next = kept->data;
}
