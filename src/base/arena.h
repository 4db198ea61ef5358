/* Memory that is freed all at once.
 *
 * One arena per compile holds tokens, trees, graphs and plans, so error paths free nothing.
 * Running out of memory here ends the program in one place (memory_exhausted): these are small
 * allocations; large buffers are planned and refused politely elsewhere. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stddef.h>

typedef struct ArenaChunk ArenaChunk;

typedef struct Arena {
    ArenaChunk *chunk; /* newest first */
    char *next, *end;  /* what is free in it, and cleared */
} Arena;

/* A zeroed Arena is an empty one. */
void arena_free(Arena *arena);

/* What is in FROM goes over to ARENA, and stays where it is. */
void arena_join(Arena *arena, Arena *from);

/* Empties the arena and keeps some of its memory, for what comes next. */
void arena_reset(Arena *arena);

/* Zeroed memory, aligned for any object; never NULL. */
void *arena_alloc(Arena *arena, size_t size);

/* A copy of SIZE bytes. */
void *arena_copy(Arena *arena, const void *data, size_t size);

#define arena_new(arena, type) ((type *)arena_alloc((arena), sizeof(type)))
#define arena_array(arena, type, count)                                                            \
    ((type *)arena_alloc((arena), memory_size((count), sizeof(type))))

/* COUNT * SIZE, or the end of the program where that overflows. */
size_t memory_size(size_t count, size_t size);

/* Has the process's heap made of huge pages; before anything else. */
void memory_prepare(void);

/* Gives back what was freed, before something that lasts. */
void memory_trim(void);

/* malloc for what is large and may be missing: NULL if it is. */
void *memory_try(size_t size);
/* realloc that does not return NULL for a size above 0. */
void *memory_grow(void *data, size_t size);
/* Zeroed memory, to be freed or grown. */
void *memory_zeroed(size_t size);

/* Says that memory ran out, and exits with status 1. */
_Noreturn void memory_exhausted(void);

#endif
