#include "program/whole.h"

#include "whole/matrix.h"

static uint64_t last_dim(const Shape *shape, uint32_t from_end) {
    return shape->rank < from_end ? 1 : shape->dims[shape->rank - from_end];
}

/* Both operands and the product, in f64. */
static uint64_t matmul_scratch(const Shape *a, const Shape *b) {
    uint64_t rows = last_dim(a, 2), inner = last_dim(a, 1), columns = last_dim(b, 1);
    return matrix_bytes(rows, inner) + matrix_bytes(inner, columns) + matrix_bytes(rows, columns);
}

uint64_t whole_scratch(WholeOp op, Compute compute, const Shape *const *inputs, uint32_t n_inputs,
                       const double *parameters, uint32_t n_parameters) {
    (void)compute, (void)n_inputs, (void)parameters, (void)n_parameters;
    switch (op) {
    case WHOLE_MATMUL:
        return matmul_scratch(inputs[0], inputs[1]);
    case WHOLE_COUNT:
        break;
    }
    return 0;
}
