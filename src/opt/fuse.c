#include "opt/fuse.h"

#include "opt/instance.h"

PassList *fuse(Arena *arena, Program *program, const RootSpec *roots, uint32_t n_roots,
               const OptimiseOptions *options) {
    Fusion fusion = {.arena = arena, .program = program, .options = options};
    fusion_init(&fusion, roots, n_roots);
    uint32_t n_outputs = 0;
    for (; n_outputs < n_roots && roots[n_outputs].dtype != DTYPE_NONE; n_outputs++)
        fusion_root(&fusion, n_outputs, roots[n_outputs]);
    for (uint32_t i = n_outputs; i < n_roots; i++)
        fusion_check(&fusion, roots[i].value);
    find_guards(&fusion);
    find_masks(&fusion);
    PassList *passes = emit_passes(&fusion, roots, n_outputs);
    fusion_free(&fusion);
    return passes;
}
