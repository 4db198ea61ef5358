/* Very long rows.
 *
 * Needs: nothing. Promises: no REDUCE over an axis with nothing behind it has an extent above
 * ROW_LIMIT. A row of n elements is seen as n / ROW_PIECE pieces, which are reduced to one first,
 * column by column; what is left over at the end is a row of its own. */
#include "opt/rewrite.h"

enum { ROW_PIECE = 4096 };

static ValueId reshaped(Program *program, ValueId id, const uint64_t *dims, uint32_t rank) {
    Shape shape = {.rank = rank};
    for (uint32_t i = 0; i < rank; i++)
        shape.dims[i] = dims[i];
    return program_reshape(program, id, program_shape(program, &shape));
}

static ValueId columns(Program *program, ValueId id, uint64_t rows, uint64_t begin, uint64_t end) {
    Shape shape = {.rank = 2, .dims = {rows, end - begin}};
    return program_slice(program, id, (uint64_t[]){0, begin}, program_shape(program, &shape));
}

static ValueId combined(Program *program, ReduceKind kind, ValueId a, ValueId b) {
    OpCode op = kind == REDUCE_MIN   ? OP_MIN
                : kind == REDUCE_MAX ? OP_MAX
                : kind == REDUCE_ANY ? OP_OR
                                     : OP_ADD;
    return program_map(program, op, (ValueId[]){a, b});
}

/* The part [0, end) of each row, END being a multiple of ROW_PIECE, in its pieces. */
static ValueId pieces_of(Program *program, ValueId id, uint64_t rows, uint64_t end) {
    uint64_t dims[3] = {rows, end / ROW_PIECE, ROW_PIECE};
    return reshaped(program, columns(program, id, rows, 0, end), dims, 3);
}

static ValueId reduce_long(Program *program, ReduceKind kind, const ValueId *operands,
                           uint64_t rows, uint64_t extent) {
    ValueId flat[2] = {VALUE_NONE, VALUE_NONE}, main[2] = {VALUE_NONE, VALUE_NONE};
    uint64_t end = extent - extent % ROW_PIECE;
    unsigned n = kind == REDUCE_DOT ? 2 : 1;
    for (unsigned i = 0; i < n; i++) {
        flat[i] = reshaped(program, operands[i], (uint64_t[]){rows, extent}, 2);
        main[i] = pieces_of(program, flat[i], rows, end);
    }
    ValueId piece = program_reduce(program, kind, main[0], main[1], 1);
    piece = reshaped(program, piece, (uint64_t[]){rows, ROW_PIECE}, 2);
    ReduceKind again = kind == REDUCE_DOT ? REDUCE_SUM : kind;
    ValueId result = program_reduce(program, again, piece, VALUE_NONE, 1);
    if (end == extent)
        return result;
    for (unsigned i = 0; i < n; i++)
        flat[i] = columns(program, flat[i], rows, end, extent);
    return combined(program, kind, result, program_reduce(program, kind, flat[0], flat[1], 1));
}

ValueId rewrite_rows(Rewriting *rewriting, ValueId id) {
    const Value *value = program_value(rewriting->from, id);
    if (value->kind != VALUE_REDUCE || value->axis < 0)
        return rewrite_copy(rewriting, id);
    ValueId operands[2] = {rewritten(rewriting, value, 0), VALUE_NONE};
    if (value->op == REDUCE_DOT)
        operands[1] = rewritten(rewriting, value, 1);
    Program *to = rewriting->to;
    const Shape *shape = program_dims(to, program_value(to, operands[0])->shape);
    uint64_t extent = shape->dims[value->axis], inner = 1;
    for (uint32_t i = (uint32_t)value->axis + 1; i < shape->rank; i++)
        inner *= shape->dims[i];
    if (inner != 1 || extent <= ROW_LIMIT)
        return rewrite_copy(rewriting, id);
    uint64_t rows = shape_count(shape) / extent;
    return program_reshape(to, reduce_long(to, value->op, operands, rows, extent), value->shape);
}
