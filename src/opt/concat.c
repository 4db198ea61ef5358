/* Arithmetic on what is concatenated.
 *
 * Needs: nothing. Promises: no MAP, QUANTISE or whole REDUCE (KTH excepted) has a CONCAT as an
 * operand, and no PERMUTE or SLICE is of one: they are taken to its parts, so that nothing is
 * written down only to be joined. Each part then is a domain of its own. */
#include "opt/rewrite.h"

#include "base/vector.h"

#include <assert.h>

static const Value *value_in(const Rewriting *rewriting, ValueId id) {
    return program_value(rewriting->to, id);
}

static bool is_concat(const Rewriting *rewriting, ValueId id) {
    return value_in(rewriting, id)->kind == VALUE_CONCAT;
}

static uint64_t extent_of(Rewriting *rewriting, ValueId id, int axis) {
    return program_dims(rewriting->to, value_in(rewriting, id)->shape)->dims[axis];
}

/* A concatenation along another axis: each part from BEGIN on. SHAPE is that of the result. */
static ValueId narrowed_across(Rewriting *rewriting, ValueId id, int axis, uint64_t begin,
                               ShapeId shape) {
    Program *to = rewriting->to;
    const Value concat = *value_in(rewriting, id);
    uint64_t begins[SHAPE_LIMIT] = {0};
    begins[axis] = begin;
    VECTOR(ValueId) parts = {0};
    for (uint32_t i = 0; i < concat.n_operands; i++) {
        ValueId part = program_operand(to, &concat, i);
        Shape narrow = *program_dims(to, value_in(rewriting, part)->shape);
        narrow.dims[axis] = program_dims(to, shape)->dims[axis];
        vector_push(&parts, program_slice(to, part, begins, program_shape(to, &narrow)));
    }
    ValueId result = program_concat(to, parts.items, (uint32_t)parts.count, concat.axis, shape);
    vector_free(&parts);
    return result;
}

/* Elements [begin, begin + extent) of a value along an axis; of a concatenation, the parts that lie
 * there. */
static ValueId narrowed(Rewriting *rewriting, ValueId id, int axis, uint64_t begin,
                        uint64_t extent) {
    Program *to = rewriting->to;
    const Value *value = value_in(rewriting, id);
    if (value->shape == SHAPE_ID_SCALAR)
        return id;
    Shape shape = *program_dims(to, value->shape);
    uint64_t begins[SHAPE_LIMIT] = {0};
    begins[axis] = begin;
    shape.dims[axis] = extent;
    ShapeId narrow = program_shape(to, &shape);
    if (value->kind != VALUE_CONCAT)
        return program_slice(to, id, begins, narrow);
    if (value->axis != axis)
        return narrowed_across(rewriting, id, axis, begin, narrow);
    VECTOR(ValueId) parts = {0};
    uint64_t at = 0, end = begin + extent;
    for (uint32_t i = 0; i < value_in(rewriting, id)->n_operands; i++) {
        ValueId part = program_operand(to, value_in(rewriting, id), i);
        uint64_t own = extent_of(rewriting, part, axis);
        uint64_t low = at > begin ? at : begin, high = at + own < end ? at + own : end;
        if (low < high) {
            shape.dims[axis] = high - low;
            begins[axis] = low - at;
            vector_push(&parts, program_slice(to, part, begins, program_shape(to, &shape)));
        }
        at += own;
    }
    ValueId result = program_concat(to, parts.items, (uint32_t)parts.count, axis, narrow);
    vector_free(&parts);
    return result;
}

/* One elementwise value of operands that need not be those of the original. */
static ValueId elementwise(Rewriting *rewriting, const Value *value, const ValueId *operands) {
    return value->kind == VALUE_MAP ? program_map(rewriting->to, value->op, operands)
                                    : program_quantise(rewriting->to, operands[0], value->dtype);
}

/* What has more parts stays together. */
enum { CONCAT_PARTS_LIMIT = 1024 };

/* A MAP or QUANTISE, part by part of its first operand that is a CONCAT. The parts of the others
 * may be CONCATs in turn, so this goes on with them until none is. */
static ValueId spread(Rewriting *rewriting, const Value *value, const ValueId *operands,
                      unsigned depth) {
    Program *to = rewriting->to;
    uint32_t which = 0;
    while (which < value->n_operands && !is_concat(rewriting, operands[which]))
        which++;
    if (which == value->n_operands || depth == 0)
        return elementwise(rewriting, value, operands);
    const Value concat = *value_in(rewriting, operands[which]);
    if (concat.n_operands > CONCAT_PARTS_LIMIT)
        return elementwise(rewriting, value, operands);
    VECTOR(ValueId) parts = {0};
    uint64_t begin = 0;
    for (uint32_t i = 0; i < concat.n_operands; i++) {
        ValueId own[3];
        uint64_t extent = extent_of(rewriting, program_operand(to, &concat, i), concat.axis);
        for (uint32_t k = 0; k < value->n_operands; k++)
            own[k] = narrowed(rewriting, operands[k], concat.axis, begin, extent);
        own[which] = program_operand(to, &concat, i);
        vector_push(&parts, spread(rewriting, value, own, depth - 1));
        begin += extent;
    }
    /* A part may be the same everywhere; it has its own shape all the same. */
    ValueId result =
        program_concat(to, parts.items, (uint32_t)parts.count, concat.axis, concat.shape);
    vector_free(&parts);
    return result;
}

/* Operands whose concatenations are cut differently, along different axes, and nested. */
enum { SPREAD_DEPTH = 4 };

static ValueId combine(Program *program, ReduceKind kind, ValueId a, ValueId b) {
    OpCode op = kind == REDUCE_MIN   ? OP_MIN
                : kind == REDUCE_MAX ? OP_MAX
                : kind == REDUCE_ANY ? OP_OR
                                     : OP_ADD;
    return program_map(program, op, (ValueId[]){a, b});
}

/* A whole reduction as those of the parts. */
static ValueId reduce_parts(Rewriting *rewriting, const Value *value, ValueId a, ValueId b) {
    Program *to = rewriting->to;
    ValueId concatenated = is_concat(rewriting, a) ? a : b, result = VALUE_NONE;
    const Value concat = *value_in(rewriting, concatenated);
    uint64_t begin = 0;
    for (uint32_t i = 0; i < concat.n_operands; i++) {
        uint64_t extent = extent_of(rewriting, program_operand(to, &concat, i), concat.axis);
        ValueId x = narrowed(rewriting, a, concat.axis, begin, extent);
        ValueId y = value->op == REDUCE_DOT ? narrowed(rewriting, b, concat.axis, begin, extent)
                                            : VALUE_NONE;
        ValueId part = program_reduce(to, value->op, x, y, -1);
        result = i == 0 ? part : combine(to, value->op, result, part);
        begin += extent;
    }
    return result;
}

static ValueId permute_parts(Rewriting *rewriting, const Value *value, ValueId operand) {
    Program *to = rewriting->to;
    const Value concat = *value_in(rewriting, operand);
    uint8_t permutation[SHAPE_LIMIT];
    int axis = 0;
    for (uint32_t i = 0; i < value->slot; i++) {
        permutation[i] = (uint8_t)program_extra(rewriting->from, value, i);
        if (permutation[i] == concat.axis)
            axis = (int)i;
    }
    VECTOR(ValueId) parts = {0};
    for (uint32_t i = 0; i < concat.n_operands; i++)
        vector_push(&parts, program_permute(to, program_operand(to, &concat, i), permutation));
    ValueId result = program_concat(to, parts.items, (uint32_t)parts.count, axis, value->shape);
    vector_free(&parts);
    return result;
}

static ValueId slice_parts(Rewriting *rewriting, const Value *value, ValueId operand) {
    const Shape shape = *program_dims(rewriting->to, value->shape);
    for (uint32_t i = 0; i < shape.rank; i++)
        operand = narrowed(rewriting, operand, (int)i, program_extra(rewriting->from, value, i),
                           shape.dims[i]);
    return operand;
}

ValueId rewrite_concat(Rewriting *rewriting, ValueId id) {
    const Value *value = program_value(rewriting->from, id);
    ValueId operands[3] = {VALUE_NONE, VALUE_NONE, VALUE_NONE};
    bool any = false;
    for (uint32_t i = 0; i < value->n_operands && i < 3; i++) {
        operands[i] = rewritten(rewriting, value, i);
        any |= is_concat(rewriting, operands[i]);
    }
    if (!any)
        return rewrite_copy(rewriting, id);
    switch ((ValueKind)value->kind) {
    case VALUE_MAP:
    case VALUE_QUANTISE:
        return spread(rewriting, value, operands, SPREAD_DEPTH);
    case VALUE_REDUCE:
        return value->axis < 0 ? reduce_parts(rewriting, value, operands[0], operands[1])
                               : rewrite_copy(rewriting, id);
    case VALUE_PERMUTE:
        return permute_parts(rewriting, value, operands[0]);
    case VALUE_SLICE:
        return slice_parts(rewriting, value, operands[0]);
    default:
        return rewrite_copy(rewriting, id);
    }
}
