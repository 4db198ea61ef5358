/* Operations that often follow each other become one that does both, to the same bit.
 *
 * Needs: all other rewrites, which would not know the results. Promises: no ABS of a difference, no
 * WHERE that keeps what is large enough or finite. */
#include "opt/rewrite.h"

#include <math.h>

static const Value *map_of(const Program *program, ValueId id, OpCode op) {
    const Value *value = program_value(program, id);
    return value->kind == VALUE_MAP && value->op == op ? value : NULL;
}

static bool is_zero(const Program *program, ValueId id) {
    double number;
    return program_known(program, id, &number) && number == 0 && !signbit(number);
}

/* OP of values of `from`. */
static ValueId pair(Rewriting *rewriting, OpCode op, ValueId a, ValueId b) {
    return program_map(rewriting->to, op, (ValueId[]){rewriting->values[a], rewriting->values[b]});
}

/* where(bound <= |x|, x, 0) and where(isfinite(x), x, other) */
static ValueId combine_choice(Rewriting *rewriting, const Value *value) {
    const Program *from = rewriting->from;
    ValueId condition = program_operand(from, value, 0), x = program_operand(from, value, 1);
    ValueId other = program_operand(from, value, 2);
    const Value *finite = map_of(from, condition, OP_ISFINITE);
    if (finite != NULL && program_operand(from, finite, 0) == x)
        return pair(rewriting, OP_FINITE_OR, x, other);
    const Value *above = map_of(from, condition, OP_LE);
    if (above == NULL || !is_zero(from, other))
        return VALUE_NONE;
    const Value *size = map_of(from, program_operand(from, above, 1), OP_ABS);
    if (size != NULL && program_operand(from, size, 0) == x)
        return pair(rewriting, OP_THRESHOLD, x, program_operand(from, above, 0));
    return VALUE_NONE;
}

/* |a - b| */
static ValueId combine_size(Rewriting *rewriting, const Value *value) {
    const Program *from = rewriting->from;
    const Value *difference = map_of(from, program_operand(from, value, 0), OP_SUB);
    if (difference == NULL)
        return VALUE_NONE;
    return pair(rewriting, OP_DISTANCE, program_operand(from, difference, 0),
                program_operand(from, difference, 1));
}

ValueId rewrite_combine(Rewriting *rewriting, ValueId id) {
    const Value *value = program_value(rewriting->from, id);
    ValueId combined = VALUE_NONE;
    if (value->kind == VALUE_MAP && value->op == OP_WHERE)
        combined = combine_choice(rewriting, value);
    else if (value->kind == VALUE_MAP && value->op == OP_ABS)
        combined = combine_size(rewriting, value);
    return combined != VALUE_NONE ? combined : rewrite_copy(rewriting, id);
}
