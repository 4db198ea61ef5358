/* Scratch memory of the operations that hold whole tensors: a stack in one block.
 *
 * What an operation will take is told in advance by its *_bytes function, so that the plan knows
 * the memory before the first byte is written. The caller makes one Workspace for the largest of
 * the operations that it will run and hands it to each; an operation leaves it as it found it. */
#ifndef WHOLE_WORKSPACE_H
#define WHOLE_WORKSPACE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct Workspace {
    char *data;
    size_t size, used;
    size_t peak; /* the most that was ever in use */
} Workspace;

enum { WORKSPACE_ALIGNMENT = 64 };

/* False where the machine has no such memory. */
bool workspace_init(Workspace *workspace, size_t bytes);
void workspace_free(Workspace *workspace);

/* COUNT objects of SIZE bytes, not zeroed. More than the block holds is a mistake in a *_bytes
 * function, and ends the program. */
void *workspace_take(Workspace *workspace, size_t count, size_t size);

/* What workspace_take takes. */
size_t workspace_bytes(size_t count, size_t size);

#define workspace_array(workspace, type, count)                                                    \
    ((type *)workspace_take((workspace), (count), sizeof(type)))

#endif
