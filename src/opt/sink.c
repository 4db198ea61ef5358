/* Views move down.
 *
 * Needs: nothing. Promises: nothing that fusion could not do without. A PERMUTE, SLICE or STRETCH
 * of something elementwise becomes something elementwise of views of its operands, down to leaves
 * and what is held in a buffer anyway, so that no pass is spent on writing down what is only looked
 * at in another order. A RESHAPE costs nothing where it stands, and goes along where another view
 * moves through it.
 *
 * A view stays where one of the operands could not be seen through it by one strided access, and
 * where sinking would compute or read more than it saves. */
#include "opt/rewrite.h"

#include "base/vector.h"
#include "opt/view.h"

#include <string.h>

enum {
    STRETCH_OPERATIONS = 8, /* that are done again for every copy */
    STRETCH_LEAVES = 4,     /* that are read again */
    PERMUTE_LEAVES = 4,     /* that are read out of order, which is slow */
};
/* Values that all views of a program together may be moved through: views beneath views beneath
 * views stay linear. */
#define SINK_WORK_LIMIT (1u << 22)

/* A view on the way down: perhaps a RESHAPE first, then the view itself. */
typedef struct Sinking {
    Rewriting *rewriting;
    const Value *view; /* of rewriting->from */
    bool reshaped;
    ShapeId reshape;        /* the shape that values have between the two */
    VECTOR(ValueId) inside; /* elementwise values, in ascending order once all are found */
    VECTOR(ValueId) moved;  /* what stands for them */
    VECTOR(ValueId) edge;   /* what they are made of; [] values are left out */
} Sinking;

static const Value *value_in(const Sinking *sinking, ValueId id) {
    return program_value(sinking->rewriting->to, id);
}

static bool is_elementwise(const Value *value) {
    return value->kind == VALUE_MAP || value->kind == VALUE_QUANTISE;
}

static const Shape *dims_of(const Sinking *sinking, ShapeId shape) {
    return program_dims(sinking->rewriting->to, shape);
}

/* --- Finding --- */

/* Marks seen values by bits of `seen`, which has one for each value of the program. */
static void find_inside(Sinking *sinking, ValueId top) {
    Program *to = sinking->rewriting->to;
    VECTOR(ValueId) open = {0};
    bool *seen = memory_grow(NULL, (size_t)top + 1);
    memset(seen, 0, (size_t)top + 1);
    vector_push(&open, top);
    seen[top] = true;
    while (open.count > 0) {
        ValueId id = open.items[--open.count];
        const Value *value = value_in(sinking, id);
        if (!is_elementwise(value)) {
            vector_push(&sinking->edge, id);
            continue;
        }
        vector_push(&sinking->inside, id);
        for (uint32_t i = 0; i < value->n_operands; i++) {
            ValueId operand = program_operand(to, value, i);
            if (!seen[operand] && value_in(sinking, operand)->shape != SHAPE_ID_SCALAR)
                vector_push(&open, operand);
            seen[operand] = true;
        }
    }
    free(seen);
    vector_free(&open);
}

static int compare_ids(const void *a, const void *b) {
    ValueId x = *(const ValueId *)a, y = *(const ValueId *)b;
    return x < y ? -1 : x > y;
}

/* --- Deciding --- */

/* The value that a chain of views starts at, and how it is seen there; false where the chain is
 * more than one strided access already. */
static bool find_view(const Sinking *sinking, ValueId id, ValueId *base, View *view) {
    const Program *to = sinking->rewriting->to;
    VECTOR(ValueId) chain = {0};
    while (is_view(value_in(sinking, id))) {
        vector_push(&chain, id);
        id = program_operand(to, value_in(sinking, id), 0);
    }
    *base = id;
    *view = view_all(dims_of(sinking, value_in(sinking, id)->shape));
    bool strided = true;
    while (strided && chain.count > 0) {
        const Value *value = value_in(sinking, chain.items[--chain.count]);
        strided = view_apply(view, to, value, dims_of(sinking, value->shape));
    }
    vector_free(&chain);
    return strided;
}

static bool edge_fits(const Sinking *sinking, ValueId id) {
    ValueId base;
    View view;
    if (!find_view(sinking, id, &base, &view))
        return false;
    uint8_t kind = value_in(sinking, base)->kind;
    bool held = kind == VALUE_REDUCE || kind == VALUE_PART || kind == VALUE_CONCAT;
    if (kind != VALUE_LEAF && (!held || sinking->view->kind == VALUE_STRETCH))
        return false;
    if (sinking->reshaped && !view_reshape(&view, dims_of(sinking, sinking->reshape)))
        return false;
    return view_apply(&view, sinking->rewriting->from, sinking->view,
                      dims_of(sinking, sinking->view->shape));
}

static bool is_worth(const Sinking *sinking) {
    if (sinking->view->kind == VALUE_STRETCH)
        return sinking->inside.count <= STRETCH_OPERATIONS && sinking->edge.count <= STRETCH_LEAVES;
    return sinking->view->kind != VALUE_PERMUTE || sinking->edge.count <= PERMUTE_LEAVES;
}

static bool may_sink(const Sinking *sinking) {
    if (!is_worth(sinking))
        return false;
    for (size_t i = 0; i < sinking->edge.count; i++)
        if (!edge_fits(sinking, sinking->edge.items[i]))
            return false;
    return true;
}

/* --- Moving --- */

static ValueId view_of(Sinking *sinking, ValueId id) {
    Program *to = sinking->rewriting->to;
    const Program *from = sinking->rewriting->from;
    const Value *view = sinking->view;
    if (sinking->reshaped)
        id = program_reshape(to, id, sinking->reshape);
    uint8_t permutation[SHAPE_LIMIT];
    uint64_t begin[SHAPE_LIMIT];
    for (uint32_t i = 0; view->kind != VALUE_STRETCH && i < view->slot; i++) {
        begin[i] = program_extra(from, view, i);
        permutation[i] = (uint8_t)begin[i];
    }
    if (view->kind == VALUE_PERMUTE)
        return program_permute(to, id, permutation);
    return view->kind == VALUE_SLICE ? program_slice(to, id, begin, view->shape)
                                     : program_stretch(to, id, view->shape);
}

/* What stands for an operand of something inside. */
static ValueId moved_operand(Sinking *sinking, ValueId id) {
    const Value *value = value_in(sinking, id);
    if (value->shape == SHAPE_ID_SCALAR)
        return id;
    if (!is_elementwise(value))
        return view_of(sinking, id);
    const ValueId *found =
        bsearch(&id, sinking->inside.items, sinking->inside.count, sizeof id, compare_ids);
    return sinking->moved.items[found - sinking->inside.items];
}

static ValueId move_value(Sinking *sinking, ValueId id) {
    Program *to = sinking->rewriting->to;
    const Value value = *value_in(sinking, id);
    ValueId operands[3] = {0};
    for (uint32_t i = 0; i < value.n_operands; i++)
        operands[i] = moved_operand(sinking, program_operand(to, &value, i));
    return value.kind == VALUE_MAP ? program_map(to, value.op, operands)
                                   : program_quantise(to, operands[0], value.dtype);
}

static ValueId sink(Sinking *sinking, ValueId top, ValueId id) {
    Rewriting *rewriting = sinking->rewriting;
    find_inside(sinking, top);
    rewriting->work += sinking->inside.count;
    if (rewriting->work > SINK_WORK_LIMIT || !may_sink(sinking))
        return rewrite_copy(rewriting, id);
    vector_sort(&sinking->inside, compare_ids);
    for (size_t i = 0; i < sinking->inside.count; i++)
        vector_push(&sinking->moved, move_value(sinking, sinking->inside.items[i]));
    return sinking->moved.items[sinking->moved.count - 1];
}

ValueId rewrite_sink(Rewriting *rewriting, ValueId id) {
    Sinking sinking = {.rewriting = rewriting, .view = program_value(rewriting->from, id)};
    if (!is_view(sinking.view) || sinking.view->kind == VALUE_RESHAPE)
        return rewrite_copy(rewriting, id);
    ValueId top = rewritten(rewriting, sinking.view, 0);
    if (value_in(&sinking, top)->kind == VALUE_RESHAPE) {
        sinking.reshaped = true;
        sinking.reshape = value_in(&sinking, top)->shape;
        top = program_operand(rewriting->to, value_in(&sinking, top), 0);
    }
    const Value *value = value_in(&sinking, top);
    if (!is_elementwise(value) || value->shape == SHAPE_ID_SCALAR ||
        shape_count(dims_of(&sinking, value->shape)) == 0)
        return rewrite_copy(rewriting, id);
    ValueId result = sink(&sinking, top, id);
    vector_free(&sinking.inside);
    vector_free(&sinking.moved);
    vector_free(&sinking.edge);
    return result;
}
