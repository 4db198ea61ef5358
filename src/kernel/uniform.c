/* What is done to one value, not to tiles. */
#include "kernel/fold.h"
#include "kernel/functions.h"
#include "kernel/kernel.h"

#include <assert.h>

const OpInfo op_info[OP_COUNT] = {
#define OP(id, name, arity, doc) {{name, sizeof name - 1}, arity, {doc, sizeof doc - 1}},
#include "kernel/op.def"
#undef OP
};

extern const Kernels kernels_base;

double uniform_op(OpCode op, double a, double b, double c) {
    double result;
    kernels_base.table[COMPUTE_F64]->map[op][0](&result, &a, &b, &c, 1);
    return result;
}

double uniform_quantise(DType dtype, double value) {
    double result;
    kernels_base.table[COMPUTE_F64]->quantise[dtype](&result, &value, 1);
    return result;
}

Accumulator accumulator_empty(ReduceKind kind) {
    Accumulator accumulator;
    switch (kind) {
#define KIND(id, nothing, next)                                                                    \
    case REDUCE_##id:                                                                              \
        lanes_clear_##id(accumulator.lanes);                                                       \
        return accumulator;
        REDUCE_KINDS(KIND)
#undef KIND
    case REDUCE_KIND_COUNT:
        break;
    }
    assert(!"a kind of reduction");
    return (Accumulator){0};
}

void accumulator_add(ReduceKind kind, Accumulator *a, const Accumulator *b) {
    for (int lane = 0; lane < REDUCE_LANES; lane++)
        a->lanes[lane] = reduce_combine(kind, a->lanes[lane], b->lanes[lane]);
}

double reduce_combine(ReduceKind kind, double a, double b) {
    switch (kind) {
#define KIND(id, nothing, next)                                                                    \
    case REDUCE_##id:                                                                              \
        return fold_##id(a, b, 1);
        REDUCE_KINDS(KIND)
#undef KIND
    case REDUCE_KIND_COUNT:
        break;
    }
    assert(!"a kind of reduction");
    return NAN;
}

double accumulator_result(ReduceKind kind, const Accumulator *accumulator) {
    switch (kind) {
#define KIND(id, nothing, next)                                                                    \
    case REDUCE_##id:                                                                              \
        return lanes_result_##id(accumulator->lanes);
        REDUCE_KINDS(KIND)
#undef KIND
    case REDUCE_KIND_COUNT:
        break;
    }
    assert(!"a kind of reduction");
    return NAN;
}

static uint64_t ordered(uint64_t bits, uint64_t sign) {
    return bits & sign ? ~bits & (sign | (sign - 1)) : bits | sign;
}

static uint64_t unordered(uint64_t key, uint64_t sign) {
    return key & sign ? key ^ sign : ~key & (sign | (sign - 1));
}

uint64_t order_key(Compute compute, double value) {
    double number = isnan(value) ? (double)NAN : value + 0;
    return compute == COMPUTE_F32 ? ordered(f32_bits((float)number), 0x80000000)
                                  : ordered(f64_bits(number), 0x8000000000000000);
}

double order_value(Compute compute, uint64_t key) {
    return compute == COMPUTE_F32 ? (double)f32_from_bits((uint32_t)unordered(key, 0x80000000))
                                  : f64_from_bits(unordered(key, 0x8000000000000000));
}
