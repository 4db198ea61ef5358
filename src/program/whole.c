#include "program/whole.h"

#include "whole/assignment.h"
#include "whole/fourier.h"
#include "whole/order.h"
#include "whole/orthogonal.h"
#include "whole/stiefel.h"

typedef struct Asked {
    Compute compute;
    const Shape *const *inputs;
    uint32_t n_inputs;
    const double *parameters;
    uint32_t n_parameters;
} Asked;

typedef struct Size {
    size_t rows, columns;
} Size;

static Size size_of(const Asked *asked, uint32_t i) {
    const Shape *shape = asked->inputs[i];
    return (Size){shape->dims[0], shape->dims[1]};
}

/* Operands are views of their buffers in f64, copies in f32. */
static uint64_t operands_bytes(const Asked *asked) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < asked->n_inputs && asked->compute == COMPUTE_F32; i++)
        bytes += matrix_bytes(size_of(asked, i).rows, size_of(asked, i).columns);
    return bytes;
}

/* The results of the decompositions, whether anybody needs them or not. */
static uint64_t thin_bytes(Size a) {
    size_t k = a.rows < a.columns ? a.rows : a.columns;
    return matrix_bytes(a.rows, k) + workspace_bytes(k, sizeof(double)) +
           matrix_bytes(k, a.columns);
}

static uint64_t matmul_bytes(const Asked *asked) {
    Size a = size_of(asked, 0), b = size_of(asked, 1);
    bool transposed_a = asked->n_parameters > 0 && asked->parameters[0] != 0;
    bool transposed_b = asked->n_parameters > 1 && asked->parameters[1] != 0;
    return matrix_bytes(transposed_a ? a.columns : a.rows, transposed_b ? b.rows : b.columns);
}

static uint64_t matrix_scratch(WholeOp op, const Asked *asked) {
    Size a = size_of(asked, 0);
    switch (op) {
    case WHOLE_MATMUL:
        return matmul_bytes(asked);
    case WHOLE_QR:
        return thin_bytes(a) + matrix_qr_bytes(a.rows, a.columns);
    case WHOLE_SVD:
        return thin_bytes(a) + matrix_svd_bytes(a.rows, a.columns);
    case WHOLE_EIGEN:
        return thin_bytes(a) + matrix_eigen_bytes(a.rows);
    case WHOLE_POLAR:
        return matrix_bytes(a.rows, a.columns) + orthogonal_polar_bytes(a.rows, a.columns);
    case WHOLE_ORIENTATION:
        return matrix_orientation_bytes(a.rows);
    case WHOLE_INVERSE:
        return matrix_bytes(a.rows, a.rows) + matrix_inverse_bytes(a.rows);
    case WHOLE_SOLVE:
        return matrix_bytes(a.rows, size_of(asked, 1).columns) +
               matrix_solve_bytes(a.rows, size_of(asked, 1).columns);
    case WHOLE_ASSIGNMENT:
        return workspace_bytes(a.rows, sizeof(uint32_t)) + assignment_bytes(a.rows);
    case WHOLE_MATRIX_POWER:
        return matrix_bytes(a.rows, a.rows) + matrix_power_bytes(a.rows);
    case WHOLE_MATRIX_EXP:
        return matrix_bytes(a.rows, a.rows) + matrix_exponential_bytes(a.rows);
    case WHOLE_ROTATION_POWER:
    case WHOLE_ROTATION_LOG:
        return matrix_bytes(a.rows, a.rows) + orthogonal_function_bytes(a.rows);
    case WHOLE_FRAME_LOG:
        return matrix_bytes(a.rows, a.columns) + stiefel_logarithm_bytes(a.rows, a.columns);
    case WHOLE_FRAME_EXP:
        return matrix_bytes(a.rows, a.columns) + stiefel_exponential_bytes(a.rows, a.columns);
    default:
        return 0;
    }
}

static Shape fourier_shape(const Asked *asked, WholeOp op) {
    Shape shape = *asked->inputs[0];
    if (op == WHOLE_IRFFTN)
        shape.dims[shape.rank - 1] = (uint64_t)asked->parameters[0];
    return shape;
}

/* The spectrum; and, as transforms are made in f32, the values too where the program's are not. */
static uint64_t fourier_scratch(const Asked *asked, WholeOp op) {
    Shape shape = fourier_shape(asked, op);
    uint64_t values = asked->compute == COMPUTE_F64 ? shape_count(&shape) : 0;
    return fourier_bytes(&shape) + workspace_bytes(fourier_count(&shape), sizeof(Complex)) +
           workspace_bytes(values, sizeof(float));
}

/* The largest of the masks whose elements the parameters BEGIN to END count. */
static uint64_t mask_bytes(const Asked *asked, uint32_t begin, uint32_t end) {
    uint64_t most = 0;
    for (uint32_t i = begin; i < end; i++)
        most = asked->parameters[i] > (double)most ? (uint64_t)asked->parameters[i] : most;
    return workspace_bytes(mask_words(most), sizeof(uint32_t));
}

static uint64_t draws_scratch(WholeOp op, const Asked *asked) {
    switch (op) {
    case WHOLE_TORCH_NORMAL: /* drawn in one type, stored in another */
        return (asked->parameters[1] != 0) == (asked->compute == COMPUTE_F64)
                   ? 0
                   : workspace_bytes((size_t)asked->parameters[2], sizeof(double));
    case WHOLE_TORCH_PERMUTATION:
        return workspace_bytes((size_t)asked->parameters[1], sizeof(uint32_t));
    case WHOLE_TORCH_BERNOULLI:
        return mask_bytes(asked, 2, 2 + asked->n_inputs);
    case WHOLE_NUMPY_BINOMIAL:
        return mask_bytes(asked, 3, 4);
    case WHOLE_NUMPY_CHOICE:
        return workspace_bytes((size_t)asked->parameters[1], sizeof(double));
    default:
        return 0;
    }
}

uint64_t whole_scratch(WholeOp op, Compute compute, const Shape *const *inputs, uint32_t n_inputs,
                       const double *parameters, uint32_t n_parameters) {
    Asked asked = {compute, inputs, n_inputs, parameters, n_parameters};
    if (op < WHOLE_RFFTN)
        return operands_bytes(&asked) + matrix_scratch(op, &asked);
    if (op < WHOLE_SORT)
        return fourier_scratch(&asked, op);
    if (op >= WHOLE_TORCH_BERNOULLI)
        return draws_scratch(op, &asked);
    size_t n = shape_count(inputs[0]);
    return op == WHOLE_GATHER ? 0 : order_bytes(n) + workspace_bytes(n, sizeof(uint32_t));
}
