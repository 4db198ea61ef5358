#include "exec/dtypes.h"

bool dtypes_wanted(Diags *diags, Span span, Text name, DType *dtype) {
    *dtype = DTYPE_NONE;
    if (name.size == 0 || text_equal(name, TEXT("auto")))
        return true;
    *dtype = dtype_from_name(name);
    if (*dtype != DTYPE_NONE && dtype_info[*dtype].computes)
        return true;
    if (*dtype != DTYPE_NONE) {
        diag_error(diags, span, "'%.*s' is a dtype that is only passed through", TEXT_ARG(name));
        diag_hint(diags, "with the dtype 'auto', what nothing changes stays as it is");
        return false;
    }
    size_t count;
    const Text *names = dtype_names(&count);
    Text nearest = nearest_name(name, names, count);
    diag_error(diags, span, "unknown dtype '%.*s'", TEXT_ARG(name));
    if (nearest.size > 0)
        diag_hint(diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return false;
}

bool dtypes_of_output(Arena *arena, Diags *diags, const RecipeOutput *output, DType otherwise,
                      OutputDTypes *dtypes) {
    *dtypes = (OutputDTypes){.all = otherwise};
    if (output->dtypes.count == 0)
        return output->dtype.size == 0 ||
               dtypes_wanted(diags, output->dtype_span, output->dtype, &dtypes->all);
    DType *by_entry = arena_array(arena, DType, output->dtypes.count);
    bool ok = true;
    for (uint32_t i = 0; i < output->dtypes.count; i++)
        ok &= dtypes_wanted(diags, output->dtypes.spans[i], output->dtypes.dtypes[i], &by_entry[i]);
    dtypes->by_entry = by_entry;
    return ok;
}

/* ---- what passes compute with ---- */

static bool is_known(const Leaf *leaf) {
    return leaf->tensor == NULL || dtype_info[leaf->tensor->dtype].computes;
}

static const Leaf *odd_uniform(const KeyLeaves *leaves, const UniformInstr *code, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (code[i].op == UNIFORM_LEAF && !is_known(&leaves->items[code[i].src[0]]))
            return &leaves->items[code[i].src[0]];
    return NULL;
}

static const Leaf *odd_access(const KeyLeaves *leaves, const Pass *pass) {
    for (uint32_t i = 0; i < pass->n_accesses; i++)
        if (pass->accesses[i].kind == PLACE_LEAF &&
            !is_known(&leaves->items[pass->accesses[i].index]))
            return &leaves->items[pass->accesses[i].index];
    return NULL;
}

/* A leaf that no loop can load and one should, or NULL. */
static const Leaf *odd_leaf(const KeyLeaves *leaves, const PassList *passes) {
    const Leaf *odd = odd_uniform(leaves, passes->ending, passes->n_ending);
    for (uint32_t i = 0; i < passes->n_passes && odd == NULL; i++) {
        odd = odd_access(leaves, &passes->passes[i]);
        if (odd == NULL)
            odd = odd_uniform(leaves, passes->passes[i].uniforms, passes->passes[i].n_uniforms);
    }
    return odd;
}

/* The dtype that no loop can store and one should, or DTYPE_NONE. */
static DType odd_result(const PassList *passes) {
    for (uint32_t i = 0; i < passes->n_passes; i++)
        for (uint32_t k = 0; k < passes->passes[i].n_accesses; k++) {
            const Access *access = &passes->passes[i].accesses[k];
            if (access->kind == PLACE_OUTPUT && !dtype_info[access->dtype].computes)
                return access->dtype;
        }
    return DTYPE_NONE;
}

bool dtypes_check(Diags *diags, const Solved *solved, Text key, const KeyLeaves *leaves,
                  const PassList *passes) {
    const Leaf *leaf = odd_leaf(leaves, passes);
    DType result = odd_result(passes);
    if (leaf == NULL && result == DTYPE_NONE)
        return true;
    Arena scratch = {0};
    if (leaf != NULL)
        diag_error(diags, graph_node(solved->recipe->graph, leaf->node)->span,
                   "'%.*s' of %.*s is %.*s, a dtype that is only passed through",
                   TEXT_ARG(text_printable(&scratch, leaf->key)),
                   TEXT_ARG(text_printable(&scratch, solved->models[leaf->node]->path)),
                   TEXT_ARG(dtype_info[leaf->tensor->dtype].file_name));
    else
        diag_error(diags, SPAN_NONE,
                   "'%.*s' would be stored as %.*s, a dtype that is only passed through",
                   TEXT_ARG(text_printable(&scratch, key)), TEXT_ARG(dtype_info[result].file_name));
    diag_hint(diags, leaf != NULL ? "nothing can be computed with it; convert the model first"
                                  : "name another: dtype = \"bf16\"");
    arena_free(&scratch);
    return false;
}

bool dtypes_lose_scale(const KeyLeaves *leaves, DType stored) {
    bool lose = false;
    if (stored != DTYPE_F8_E4M3 && stored != DTYPE_F8_E5M2)
        return false;
    for (uint32_t i = 0; i < leaves->count; i++)
        lose |= leaves->items[i].scaled;
    return lose;
}

void dtypes_warn_scale(Diags *diags, const RecipeOutput *output, Text key, DType stored) {
    Arena scratch = {0};
    diag_warning(diags, output->dtype_span,
                 "'%.*s' has a scale in an input, and is written as plain %.*s without one: small "
                 "values are lost",
                 TEXT_ARG(text_printable(&scratch, key)), TEXT_ARG(dtype_info[stored].name));
    diag_hint(diags, "bf16 keeps them");
    arena_free(&scratch);
}
