/* Algebra that pays.
 *
 * Needs: nothing. Promises: no SUM or DOT has an operand that is scaled by a uniform factor; no SUM
 * is over a product. Each changes rounding at most, and towards the exact result: factors are
 * applied once in f64, products are summed before they are rounded. (Where a factor is infinite, or
 * a divisor 0, a NaN may become an infinity or the reverse.) */
#include "opt/rewrite.h"

#include <math.h>
#include <stdlib.h>

enum { EXPONENT_LIMIT = 100 }; /* of a reciprocal that is normal in every compute type */

static bool is_map(const Program *program, ValueId id, OpCode op) {
    const Value *value = program_value(program, id);
    return value->kind == VALUE_MAP && value->op == op;
}

static ValueId operand_of(const Program *program, ValueId id, uint32_t i) {
    return program_operand(program, program_value(program, id), i);
}

static bool is_uniform(const Program *program, ValueId id) {
    return program_value(program, id)->shape == SHAPE_ID_SCALAR;
}

/* What a reduction is multiplied or divided by, outside of it. */
typedef struct Factor {
    OpCode op; /* MUL, DIV or NEG */
    ValueId uniform;
} Factor;

/* Takes one factor off ID; false where there is none. */
static bool take_factor(const Program *program, ValueId *id, Factor *factor) {
    if (is_map(program, *id, OP_NEG)) {
        *factor = (Factor){OP_NEG, VALUE_NONE};
        *id = operand_of(program, *id, 0);
        return true;
    }
    for (uint32_t i = 0; i < 2 && is_map(program, *id, OP_MUL); i++)
        if (is_uniform(program, operand_of(program, *id, i))) {
            *factor = (Factor){OP_MUL, operand_of(program, *id, i)};
            *id = operand_of(program, *id, 1 - i);
            return true;
        }
    if (is_map(program, *id, OP_DIV) && is_uniform(program, operand_of(program, *id, 1))) {
        *factor = (Factor){OP_DIV, operand_of(program, *id, 1)};
        *id = operand_of(program, *id, 0);
        return true;
    }
    return false;
}

static ValueId apply_factor(Program *program, Factor factor, ValueId id) {
    return program_map(program, factor.op, (ValueId[]){id, factor.uniform});
}

/* SUM(x * y) as DOT(x, y), and SUM or DOT of scaled values as the scaled SUM or DOT. One factor at
 * a time goes out; those taken earlier are applied last. */
static ValueId reduce_scaled(Program *program, ReduceKind kind, ValueId a, ValueId b, int axis) {
    Factor factors[64];
    unsigned n = 0;
    bool more = !is_uniform(program, a);
    while (more && n < 64) {
        more = take_factor(program, &a, &factors[n]) ||
               (kind == REDUCE_DOT && take_factor(program, &b, &factors[n]));
        n += more;
        if (!more && kind == REDUCE_SUM && is_map(program, a, OP_MUL)) {
            kind = REDUCE_DOT;
            b = operand_of(program, a, 1);
            a = operand_of(program, a, 0);
            more = true;
        }
    }
    ValueId result = program_reduce(program, kind, a, b, axis);
    while (n > 0)
        result = apply_factor(program, factors[--n], result);
    return result;
}

static ValueId simplify_reduce(Rewriting *rewriting, const Value *value) {
    ValueId a = rewritten(rewriting, value, 0);
    ValueId b = value->n_operands > 1 ? rewritten(rewriting, value, 1) : VALUE_NONE;
    return reduce_scaled(rewriting->to, value->op, a, b, value->axis);
}

/* Powers that are cheaper, and rounded better, said otherwise. */
static ValueId simplify_power(Rewriting *rewriting, const Value *value, ValueId id) {
    Program *to = rewriting->to;
    ValueId x = rewritten(rewriting, value, 0);
    double power;
    if (!program_known(to, rewritten(rewriting, value, 1), &power))
        return rewrite_copy(rewriting, id);
    if (power == 2)
        return program_map(to, OP_MUL, (ValueId[]){x, x});
    if (power == 0.5)
        return program_map(to, OP_SQRT, &x);
    if (power == -1)
        return program_map(to, OP_DIV, (ValueId[]){program_const(to, 1), x});
    return rewrite_copy(rewriting, id);
}

/* Division by a power of two, whose reciprocal is exact, is a multiplication, which is faster. */
static ValueId simplify_division(Rewriting *rewriting, const Value *value, ValueId id) {
    Program *to = rewriting->to;
    double divisor;
    int exponent;
    if (!program_known(to, rewritten(rewriting, value, 1), &divisor) ||
        fabs(frexp(divisor, &exponent)) != 0.5 || abs(exponent) > EXPONENT_LIMIT)
        return rewrite_copy(rewriting, id);
    ValueId factor = program_const(to, 1 / divisor);
    return program_map(to, OP_MUL, (ValueId[]){rewritten(rewriting, value, 0), factor});
}

/* Rounding to the type that everything is computed in, or to a wider one, changes nothing. Uniform
 * values are f64 in any case. */
static bool keeps_all(const Rewriting *rewriting, const Value *value) {
    return value->dtype == DTYPE_F64 ||
           (value->dtype == DTYPE_F32 && rewriting->compute == COMPUTE_F32 &&
            value->shape != SHAPE_ID_SCALAR);
}

ValueId rewrite_simplify(Rewriting *rewriting, ValueId id) {
    const Value *value = program_value(rewriting->from, id);
    if (value->kind == VALUE_REDUCE && (value->op == REDUCE_SUM || value->op == REDUCE_DOT))
        return simplify_reduce(rewriting, value);
    if (value->kind == VALUE_MAP && value->op == OP_POW)
        return simplify_power(rewriting, value, id);
    if (value->kind == VALUE_MAP && value->op == OP_DIV)
        return simplify_division(rewriting, value, id);
    if (value->kind == VALUE_QUANTISE && keeps_all(rewriting, value))
        return rewritten(rewriting, value, 0);
    return rewrite_copy(rewriting, id);
}
