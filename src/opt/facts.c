/* What is known of values before they become instances: how many elements they have, what they are
 * views of, and what rows they have. */
#include "opt/instance.h"

#include <assert.h>

static uint64_t count_of(const Fusion *fusion, ShapeId shape) {
    const Shape *dims = program_peek(fusion->program, shape);
    return dims == NULL ? COUNT_OF_KEY : shape_count(dims);
}

Context fusion_columns(const Fusion *fusion, const Value *reduction) {
    ShapeId domain = value_of(fusion, program_operand(fusion->program, reduction, 0))->shape;
    const Shape *dims = program_peek(fusion->program, domain);
    Context columns = {.domain = domain, .count = shape_count(dims), .outer = 1, .inner = 1};
    for (uint32_t i = 0; i < dims->rank; i++) {
        if ((int)i < reduction->axis)
            columns.outer *= dims->dims[i];
        if ((int)i > reduction->axis)
            columns.inner *= dims->dims[i];
    }
    columns.extent = dims->dims[reduction->axis];
    return columns;
}

static bool is_computed(const Value *value) {
    return value->kind == VALUE_MAP || value->kind == VALUE_QUANTISE ||
           (value->kind == VALUE_REDUCE && value->axis >= 0);
}

static bool all_strided(const Fusion *fusion, ValueId id, View *view) {
    const Facts *operand = &fusion->facts[operand_of(fusion, id, 0)];
    const Value *value = value_of(fusion, id);
    const Shape *shape = program_peek(fusion->program, value->shape);
    *view = operand->view != NULL
                ? *operand->view
                : view_all(program_peek(fusion->program, value_of(fusion, operand->base)->shape));
    return view_apply(view, fusion->program, value, shape);
}

/* The base of a view and how it is seen; a view that cannot be said as one strided access of its
 * operand's base is one of its operand, which then is held. */
static void find_base(Fusion *fusion, ValueId id) {
    Facts *facts = &fusion->facts[id];
    ValueId operand = operand_of(fusion, id, 0);
    View view;
    if (all_strided(fusion, id, &view)) {
        facts->base = fusion->facts[operand].base;
    } else {
        facts->base = operand;
        view = view_all(program_peek(fusion->program, value_of(fusion, operand)->shape));
        bool fits = view_apply(&view, fusion->program, value_of(fusion, id),
                               program_peek(fusion->program, value_of(fusion, id)->shape));
        assert(fits);
        (void)fits;
    }
    facts->view = arena_copy(fusion->arena, &view, sizeof view);
}

/* Whether a view repeats each element of its base in a row. */
static void find_expansion(Fusion *fusion, ValueId id) {
    Facts *facts = &fusion->facts[id];
    const Facts *base = &fusion->facts[facts->base];
    View merged = *facts->view;
    view_merge(&merged);
    if (merged.rank != 2 || merged.offset != 0 || merged.strides[0] != 1 ||
        merged.strides[1] != 0 || merged.dims[0] != base->count || merged.dims[1] > ROW_LIMIT)
        return;
    uint64_t length = merged.dims[1];
    const Value *value = value_of(fusion, facts->base);
    if (base->row_own == length ||
        (base->row_own == 0 && is_computed(value) && value->kind != VALUE_REDUCE))
        facts->row_inner = facts->expands = length;
}

static void inherit_rows(Facts *facts, const Facts *operand) {
    if (facts->row_own == 0) {
        facts->row_own = operand->row_own;
        facts->row_domain = operand->row_domain;
    }
    if (facts->row_inner == 0)
        facts->row_inner = operand->row_inner;
}

static void find_facts(Fusion *fusion, ValueId id) {
    const Value *value = value_of(fusion, id);
    Facts *facts = &fusion->facts[id];
    *facts = (Facts){.count = count_of(fusion, value->shape), .base = id};
    if (facts->count == 0)
        return;
    if (value->kind == VALUE_MAP || value->kind == VALUE_QUANTISE || value->kind == VALUE_RESHAPE)
        for (uint32_t i = 0; i < value->n_operands; i++)
            inherit_rows(facts, &fusion->facts[program_operand(fusion->program, value, i)]);
    /* What is the same everywhere needs no place. */
    if (is_view(value) && fusion->facts[program_operand(fusion->program, value, 0)].count > 1)
        find_base(fusion, id);
    if (facts->view != NULL && value->kind != VALUE_RESHAPE)
        find_expansion(fusion, id);
    if (value->kind == VALUE_REDUCE && value->axis >= 0) {
        Context columns = fusion_columns(fusion, value);
        if (columns.inner == 1 && columns.extent <= ROW_LIMIT) {
            facts->row_own = columns.extent;
            facts->row_domain = columns.domain;
        }
    }
}

uint64_t fusion_rows(const Fusion *fusion, uint64_t count) {
    for (size_t i = 0; i < fusion->rows.count; i++)
        if (fusion->rows.items[i].count == count)
            return fusion->rows.items[i].row_length;
    return 0;
}

static void note_rows(Fusion *fusion, ValueId id) {
    const Facts *facts = &fusion->facts[id];
    Context rows = {.count = facts->count, .row_length = facts->expands};
    if (value_of(fusion, id)->kind == VALUE_REDUCE && facts->row_own > 0)
        rows = (Context){.count = facts->count * facts->row_own, .row_length = facts->row_own};
    if (rows.row_length > 0 && fusion_rows(fusion, rows.count) == 0)
        vector_push(&fusion->rows, rows);
}

void fusion_init(Fusion *fusion, const RootSpec *roots, uint32_t n_roots) {
    uint32_t count = program_count(fusion->program);
    fusion->facts = memory_grow(NULL, memory_size((size_t)count + 1, sizeof *fusion->facts));
    bool *reached = mark_reached(fusion->program, roots, n_roots);
    for (ValueId id = 0; id < count; id++) {
        find_facts(fusion, id);
        if (reached[id])
            note_rows(fusion, id);
    }
    free(reached);
    for (int i = 0; i < CONTEXT_DOMAINS; i++)
        vector_push(&fusion->contexts, (Context){0});
}

void fusion_free(Fusion *fusion) {
    free(fusion->facts);
    vector_free(&fusion->contexts);
    vector_free(&fusion->rows);
    vector_free(&fusion->instances);
    vector_free(&fusion->operands);
    index_free(&fusion->index);
    vector_free(&fusion->sinks);
    vector_free(&fusion->copies);
    vector_free(&fusion->checks);
    vector_free(&fusion->buffers);
}
