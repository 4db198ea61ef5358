#include "opt/fuse.h"

#include "opt/instance.h"

PassList *fuse(Arena *arena, Program *program, const RootSpec *roots, uint32_t n_roots,
               const OptimiseOptions *options) {
    Fusion fusion = {.arena = arena, .program = program, .options = options};
    fusion_init(&fusion, roots, n_roots);
    for (uint32_t i = 0; i < n_roots; i++)
        fusion_root(&fusion, i, roots[i]);
    PassList *passes = emit_passes(&fusion, roots, n_roots);
    fusion_free(&fusion);
    return passes;
}
