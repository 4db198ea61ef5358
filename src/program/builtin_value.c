/* The functions of the tensor language that reduce tensors, ask about them, and make them. */
#include "program/builtin.h"

#include <math.h>

enum { RANGE_LIMIT = 100000 /* items of a list that a body counts out */ };

/* ---- reductions ---- */

/* The shape without a dimension, which a reduction leaves with extent 1. */
static Term drop_axis(Lower *lower, ValueId value, int axis) {
    Shape shape = *program_dims(lower->program, program_value(lower->program, value)->shape);
    for (uint32_t i = (uint32_t)axis; i + 1 < shape.rank; i++)
        shape.dims[i] = shape.dims[i + 1];
    shape.dims[--shape.rank] = 0;
    return term_tensor(
        program_reshape(lower->program, value, program_shape(lower->program, &shape)));
}

/* A reduction of argument 0 (and SECOND), whole or along the axis that argument AXIS says; KEEP
 * leaves that dimension as 1. */
static Term reduce(Call *call, ReduceKind kind, Term operand, Term second, uint32_t axis_at) {
    Lower *lower = call->lower;
    bool whole = call->arguments[axis_at].kind == TERM_NULL;
    int axis = -1;
    if (!whole && !argument_axis(call, axis_at, term_dims(lower, operand)->rank, &axis))
        return term_poison;
    ValueId value =
        program_reduce(lower->program, kind, term_value(lower, operand),
                       kind == REDUCE_DOT ? term_value(lower, second) : VALUE_NONE, axis);
    Term keep = call->arguments[axis_at + 1];
    if (whole || (keep.kind == TERM_NUMBER && keep.number != 0))
        return term_tensor(value);
    return drop_axis(lower, value, axis);
}

static Term fold_list(Call *call, OpCode op, Term list, double empty) {
    Term total = list.n_items > 0 ? list.items[0] : term_number(empty, NUMBER_INT);
    for (uint32_t i = 1; i < list.n_items; i++)
        total = map2(call->lower, op, total, list.items[i], call->ast->span);
    return total;
}

Term builtin_sum(Call *call) {
    if (call->arguments[0].kind == TERM_LIST)
        return fold_list(call, OP_ADD, call->arguments[0], 0);
    return argument_value(call, 0) ? reduce(call, REDUCE_SUM, call->arguments[0], term_null, 1)
                                   : term_poison;
}

/* The number of elements that a reduction joins into one. */
static Term extent_of(Call *call, uint32_t axis_at) {
    const Shape *dims = term_dims(call->lower, call->arguments[0]);
    int axis;
    if (call->arguments[axis_at].kind == TERM_NULL)
        return term_number((double)shape_count(dims), NUMBER_INT);
    return argument_axis(call, axis_at, dims->rank, &axis)
               ? term_number((double)dims->dims[axis], NUMBER_INT)
               : term_poison;
}

Term builtin_mean(Call *call) {
    if (call->arguments[0].kind == TERM_LIST)
        return map2(call->lower, OP_DIV, fold_list(call, OP_ADD, call->arguments[0], 0),
                    term_number(call->arguments[0].n_items, NUMBER_INT), call->ast->span);
    Term total = builtin_sum(call);
    return total.kind == TERM_POISON
               ? total
               : map2(call->lower, OP_DIV, total, extent_of(call, 1), call->ast->span);
}

Term builtin_dot(Call *call) {
    Lower *lower = call->lower;
    if (!argument_value(call, 0) || !argument_value(call, 1))
        return term_poison;
    ShapeId shape;
    if (!program_broadcast(lower->program, term_shape(lower, call->arguments[0]),
                           term_shape(lower, call->arguments[1]), &shape))
        return map2(lower, OP_MUL, call->arguments[0], call->arguments[1], call->ast->span);
    Term operands[2];
    for (uint32_t i = 0; i < 2; i++)
        operands[i] = term_tensor(
            program_stretch(lower->program, term_value(lower, call->arguments[i]), shape));
    return reduce(call, REDUCE_DOT, operands[0], operands[1], 2);
}

Term builtin_norm(Call *call) {
    if (!argument_value(call, 0))
        return term_poison;
    Term squares = reduce(call, REDUCE_DOT, call->arguments[0], call->arguments[0], 1);
    return map1(call->lower, OP_SQRT, squares, call->ast->span);
}

/* min and max: of a list, of several values, or over a tensor. */
static Term extreme(Call *call, ReduceKind kind, OpCode op) {
    if (call->n_arguments > 1) {
        Term list = {.kind = TERM_LIST, .items = call->rest, .n_items = call->n_arguments};
        return fold_list(call, op, list, 0);
    }
    Term only = call->n_arguments == 1 ? call->rest[0] : term_null;
    if (only.kind == TERM_LIST && only.n_items > 0)
        return fold_list(call, op, only, 0);
    if (!term_is_value(only))
        return lower_error(call->lower, call->ast->span,
                           "'%.*s' takes values, a list of them, or a tensor",
                           TEXT_ARG(call->name));
    return term_tensor(
        program_reduce(call->lower->program, kind, term_value(call->lower, only), VALUE_NONE, -1));
}

Term builtin_min(Call *call) {
    return extreme(call, REDUCE_MIN, OP_MIN);
}

Term builtin_max(Call *call) {
    return extreme(call, REDUCE_MAX, OP_MAX);
}

Term builtin_any(Call *call) {
    return argument_value(call, 0) ? reduce(call, REDUCE_ANY, call->arguments[0], term_null, 1)
                                   : term_poison;
}

Term builtin_all(Call *call) {
    if (!argument_value(call, 0))
        return term_poison;
    Term none = map1(call->lower, OP_NOT, call->arguments[0], call->ast->span);
    return map1(call->lower, OP_NOT, reduce(call, REDUCE_ANY, none, term_null, 1), call->ast->span);
}

Term builtin_kth_value(Call *call) {
    double k;
    if (!argument_value(call, 0) || !argument_number(call, 1, 1, &k))
        return term_poison;
    uint64_t count = shape_count(term_dims(call->lower, call->arguments[0]));
    if (!(k >= 1 && k <= (double)count) || k != trunc(k))
        return argument_wants(call, 1, "a place from 1 to the number of elements");
    return term_tensor(program_kth(call->lower->program,
                                   term_value(call->lower, call->arguments[0]), (uint64_t)k));
}

/* ---- questions ---- */

Term builtin_numel(Call *call) {
    if (!argument_value(call, 0))
        return term_poison;
    return term_number((double)shape_count(term_dims(call->lower, call->arguments[0])), NUMBER_INT);
}

Term builtin_len(Call *call) {
    if (call->arguments[0].kind != TERM_LIST)
        return argument_wants(call, 0, "a list");
    return term_number(call->arguments[0].n_items, NUMBER_INT);
}

Term builtin_known(Call *call) {
    return term_bool(call->arguments[0].kind == TERM_NUMBER);
}

static bool close_numbers(double a, double b, double relative, double absolute) {
    double larger = fmax(fabs(a), fabs(b));
    return a == b || (isfinite(larger) && fabs(a - b) <= fmax(relative * larger, absolute));
}

/* Equal, or both finite and |a - b| <= max(relative * max(|a|, |b|), absolute) */
Term builtin_isclose(Call *call) {
    Lower *lower = call->lower;
    Span span = call->ast->span;
    Term a = call->arguments[0], b = call->arguments[1];
    Term relative =
        call->arguments[2].kind == TERM_NULL ? term_number(1e-9, NUMBER_FLOAT) : call->arguments[2];
    Term absolute =
        call->arguments[3].kind == TERM_NULL ? term_number(0, NUMBER_FLOAT) : call->arguments[3];
    if (a.kind == TERM_NUMBER && b.kind == TERM_NUMBER && relative.kind == TERM_NUMBER &&
        absolute.kind == TERM_NUMBER)
        return term_bool(close_numbers(a.number, b.number, relative.number, absolute.number));
    Term larger =
        map2(lower, OP_MAX, map1(lower, OP_ABS, a, span), map1(lower, OP_ABS, b, span), span);
    Term bound = map2(lower, OP_MAX, map2(lower, OP_MUL, relative, larger, span), absolute, span);
    Term distance = map1(lower, OP_ABS, map2(lower, OP_SUB, a, b, span), span);
    Term near = map2(lower, OP_AND, map2(lower, OP_LE, distance, bound, span),
                     map1(lower, OP_ISFINITE, larger, span), span);
    return map2(lower, OP_OR, map2(lower, OP_EQ, a, b, span), near, span);
}

Term builtin_range(Call *call) {
    double from, to;
    if (!argument_number(call, 0, 0, &from) || !argument_number(call, 1, 0, &to))
        return term_poison;
    if (call->arguments[1].kind == TERM_NULL) {
        to = from;
        from = 0;
    }
    if (!(to - from <= RANGE_LIMIT))
        return argument_wants(call, 0, "no more than %d items", RANGE_LIMIT);
    VECTOR(Term) items = {0};
    for (uint32_t i = 0; i < to - from; i++) /* from + 1 may be from, where doubles are sparse */
        vector_push(&items, term_number(from + i, NUMBER_INT));
    Term list = term_list(call->lower, items.items, (uint32_t)items.count);
    vector_free(&items);
    return list;
}

Term builtin_int(Call *call) {
    Term term = map1(call->lower, OP_TRUNC, call->arguments[0], call->ast->span);
    return term;
}

Term builtin_error(Call *call) {
    if (call->arguments[0].kind != TERM_STRING)
        return argument_wants(call, 0, "a string");
    return lower_refuse(call->lower, call->ast->span, call->arguments[0].text,
                        lower_hint_unequal(call->lower));
}

Term builtin_absent(Call *call) {
    (void)call;
    return term_absent;
}

Term builtin_compute_dtype(Call *call) {
    return term_string(call->lower->compute == COMPUTE_F64 ? TEXT("float64") : TEXT("float32"));
}

/* ---- making tensors ---- */

Term builtin_full(Call *call) {
    Program *program = call->lower->program;
    Shape shape;
    if (!argument_shape(call, 0, &shape) || !argument_value(call, 1))
        return term_poison;
    if (shape_count(term_dims(call->lower, call->arguments[1])) != 1)
        return argument_wants(call, 1, "one value");
    ValueId value =
        program_reshape(program, term_value(call->lower, call->arguments[1]), SHAPE_ID_SCALAR);
    return term_tensor(program_stretch(program, value, program_shape(program, &shape)));
}

Term builtin_full_like(Call *call) {
    Lower *lower = call->lower;
    if (!argument_value(call, 0) || !argument_value(call, 1))
        return term_poison;
    return term_tensor(program_stretch(lower->program, term_value(lower, call->arguments[1]),
                                       term_shape(lower, call->arguments[0])));
}

Term builtin_zeros_like(Call *call) {
    call->arguments[1] = term_number(0, NUMBER_FLOAT);
    return builtin_full_like(call);
}

Term builtin_coordinate(Call *call) {
    int axis;
    if (!argument_value(call, 0) ||
        !argument_axis(call, 1, term_dims(call->lower, call->arguments[0])->rank, &axis))
        return term_poison;
    return term_tensor(
        program_index(call->lower->program, term_shape(call->lower, call->arguments[0]), axis));
}
