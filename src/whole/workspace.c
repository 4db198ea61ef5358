#include "whole/workspace.h"

#include "base/arena.h"

#include <assert.h>
#include <stdlib.h>

size_t workspace_bytes(size_t count, size_t size) {
    size_t bytes = memory_size(count, size);
    return (bytes + WORKSPACE_ALIGNMENT - 1) / WORKSPACE_ALIGNMENT * WORKSPACE_ALIGNMENT;
}

bool workspace_init(Workspace *workspace, size_t bytes) {
    size_t size = workspace_bytes(bytes ? bytes : 1, 1);
    *workspace = (Workspace){.data = aligned_alloc(WORKSPACE_ALIGNMENT, size), .size = size};
    return workspace->data != NULL;
}

void workspace_free(Workspace *workspace) {
    free(workspace->data);
    *workspace = (Workspace){0};
}

void *workspace_take(Workspace *workspace, size_t count, size_t size) {
    size_t bytes = workspace_bytes(count, size);
    if (bytes > workspace->size - workspace->used) {
        assert(!"an operation takes more scratch than it told");
        abort();
    }
    void *block = workspace->data + workspace->used;
    workspace->used += bytes;
    if (workspace->peak < workspace->used)
        workspace->peak = workspace->used;
    return block;
}
