#include "exec/whole_call.h"

#include "whole/assignment.h"
#include "whole/fourier.h"
#include "whole/order.h"
#include "whole/orthogonal.h"
#include "whole/random.h"
#include "whole/stiefel.h"

#include <math.h>
#include <stdlib.h>

static const Text nothing_wrong = {"", 0};

/* Those before the Fourier transforms are linear algebra. */
Text whole_open(WholeOp op) {
    const char *wrong = op < WHOLE_RFFTN ? lapack_open() : NULL;
    return wrong == NULL ? nothing_wrong : text_from(wrong);
}

/* What a primitive sees of its call. */
typedef struct Operands {
    const WholeCall *call;
    const WholeBuffers *buffers;
    Compute compute;
    Workspace *workspace;
} Operands;

static const Shape *input_shape(const Operands *operands, uint32_t i) {
    return operands->buffers->shapes[operands->call->inputs[i]];
}

/* Contiguous elements in the compute type, as outputs are that are no masks. */
static const void *input_data(const Operands *operands, uint32_t i) {
    return operands->buffers->data[operands->call->inputs[i]];
}

/* NULL where nobody needs it. */
static void *output_data(const Operands *operands, uint32_t i) {
    const WholeCall *call = operands->call;
    if (i >= call->n_outputs || call->outputs[i] == UINT32_MAX)
        return NULL;
    return operands->buffers->data[call->outputs[i]];
}

static size_t output_count(const Operands *operands, uint32_t i) {
    return output_data(operands, i) == NULL
               ? 0
               : shape_count(operands->buffers->shapes[operands->call->outputs[i]]);
}

/* 0 where it is left out. */
static size_t whole_parameter(const Operands *operands, uint32_t i) {
    return i < operands->call->n_parameters ? (size_t)operands->call->parameters[i] : 0;
}

/* ---- matrices ---- */

/* In f64 the buffer itself, else a copy. */
static Matrix input_matrix(const Operands *operands, uint32_t i) {
    const Shape *shape = input_shape(operands, i);
    size_t rows = shape->dims[0], columns = shape->dims[1];
    if (operands->compute == COMPUTE_F64)
        return matrix_view(operands->buffers->data[operands->call->inputs[i]], rows, columns);
    Matrix matrix = matrix_take(operands->workspace, rows, columns);
    matrix_load(matrix, input_data(operands, i), operands->compute);
    return matrix;
}

static bool stores_directly(const Operands *operands, uint32_t i) {
    return operands->compute == COMPUTE_F64 && output_data(operands, i) != NULL;
}

static Matrix output_matrix(const Operands *operands, uint32_t i, size_t rows, size_t columns) {
    return stores_directly(operands, i) ? matrix_view(output_data(operands, i), rows, columns)
                                        : matrix_take(operands->workspace, rows, columns);
}

static void store_output(const Operands *operands, uint32_t i, Matrix matrix) {
    if (output_data(operands, i) != NULL && !stores_directly(operands, i))
        matrix_store(output_data(operands, i), matrix, operands->compute);
}

static void store_numbers(const Operands *operands, uint32_t i, const double *numbers, size_t n) {
    for (size_t k = 0; k < n && output_data(operands, i) != NULL; k++)
        real_set(output_data(operands, i), k, numbers[k], operands->compute);
}

/* What is not finite has no decomposition: all of it is NaN, as what is computed from it will be.
 */
static Status spread_nan(const Operands *operands) {
    for (uint32_t i = 0; i < operands->call->n_outputs; i++)
        for (size_t k = 0; k < output_count(operands, i); k++)
            real_set(output_data(operands, i), k, NAN, operands->compute);
    return STATUS_OK;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static Status call_matmul(const Operands *operands) {
    Transpose op_a = whole_parameter(operands, 0) ? TRANSPOSED : PLAIN;
    Transpose op_b = whole_parameter(operands, 1) ? TRANSPOSED : PLAIN;
    Matrix a = input_matrix(operands, 0), b = input_matrix(operands, 1);
    Matrix product = output_matrix(operands, 0, op_a == PLAIN ? a.rows : a.columns,
                                   op_b == PLAIN ? b.columns : b.rows);
    matrix_multiply(product, 1, a, op_a, b, op_b, 0);
    store_output(operands, 0, product);
    return STATUS_OK;
}

static Status call_qr(const Operands *operands) {
    Matrix a = input_matrix(operands, 0);
    size_t k = smaller(a.rows, a.columns);
    Matrix q = output_matrix(operands, 0, a.rows, k), r = output_matrix(operands, 1, k, a.columns);
    Status status = matrix_qr(q, r, a, operands->workspace);
    store_output(operands, 0, q);
    store_output(operands, 1, r);
    return status;
}

static Status call_svd(const Operands *operands) {
    Matrix a = input_matrix(operands, 0);
    size_t k = smaller(a.rows, a.columns);
    Matrix u = output_matrix(operands, 0, a.rows, k);
    double *s = workspace_array(operands->workspace, double, k);
    Matrix vt = output_matrix(operands, 2, k, a.columns);
    Status status = matrix_svd(u, s, vt, a, operands->workspace);
    store_output(operands, 0, u);
    store_numbers(operands, 1, s, status == STATUS_OK ? k : 0);
    store_output(operands, 2, vt);
    return status;
}

static Status call_eigen(const Operands *operands) {
    Matrix a = input_matrix(operands, 0);
    double *values = workspace_array(operands->workspace, double, a.rows);
    Matrix vectors = output_matrix(operands, 1, a.rows, a.rows);
    Status status = matrix_eigen(values, vectors, a, operands->workspace);
    store_numbers(operands, 0, values, status == STATUS_OK ? a.rows : 0);
    store_output(operands, 1, vectors);
    return status;
}

static Status call_orientation(const Operands *operands) {
    int sign = 0;
    Status status = matrix_orientation(&sign, input_matrix(operands, 0), operands->workspace);
    double number = sign;
    store_numbers(operands, 0, &number, status == STATUS_OK ? 1 : 0);
    return status;
}

static Status call_solve(const Operands *operands) {
    Matrix a = input_matrix(operands, 0), b = input_matrix(operands, 1);
    Matrix x = output_matrix(operands, 0, b.rows, b.columns);
    matrix_copy(x, b);
    Status status = matrix_solve(x, a, operands->workspace);
    store_output(operands, 0, x);
    return status;
}

static Status map_matrix(WholeOp op, Matrix out, Matrix a, const double *parameters,
                         Workspace *workspace) {
    switch (op) {
    case WHOLE_POLAR:
        return orthogonal_polar(out, a, workspace);
    case WHOLE_INVERSE:
        return matrix_inverse(out, a, workspace);
    case WHOLE_MATRIX_POWER:
        return matrix_power(out, a, (long)parameters[0], workspace);
    case WHOLE_MATRIX_EXP:
        return matrix_exponential(out, a, workspace);
    case WHOLE_ROTATION_POWER:
        return orthogonal_power(out, a, parameters[0], workspace);
    default:
        return orthogonal_logarithm(out, a, workspace);
    }
}

/* From a matrix to one of the same size. */
static Status call_map(const Operands *operands) {
    Matrix a = input_matrix(operands, 0), out = output_matrix(operands, 0, a.rows, a.columns);
    Status status =
        map_matrix(operands->call->op, out, a, operands->call->parameters, operands->workspace);
    store_output(operands, 0, out);
    return status;
}

static Status call_frame(const Operands *operands) {
    const double *parameters = operands->call->parameters;
    Matrix from = input_matrix(operands, 0), second = input_matrix(operands, 1);
    Matrix out = output_matrix(operands, 0, from.rows, from.columns);
    double residual;
    Status status = operands->call->op == WHOLE_FRAME_LOG
                        ? stiefel_logarithm(out, from, second, parameters[0], (size_t)parameters[1],
                                            &residual, operands->workspace)
                        : stiefel_exponential(out, from, second, operands->workspace);
    store_output(operands, 0, out);
    return status;
}

/* ---- Fourier transforms ---- */

static Complex *take_spectrum(const Operands *operands, const Shape *shape) {
    return workspace_array(operands->workspace, Complex, fourier_count(shape));
}

static Status call_rfftn(const Operands *operands) {
    const Shape *shape = input_shape(operands, 0);
    const float *values = input_data(operands, 0);
    size_t n = shape_count(shape), count = fourier_count(shape);
    if (operands->compute == COMPUTE_F64) {
        float *rounded = workspace_array(operands->workspace, float, n);
        for (size_t i = 0; i < n; i++)
            rounded[i] = (float)real_get(input_data(operands, 0), i, COMPUTE_F64);
        values = rounded;
    }
    Complex *spectrum = take_spectrum(operands, shape);
    fourier_forward(spectrum, values, shape, operands->workspace);
    void *real = output_data(operands, 0), *imaginary = output_data(operands, 1);
    for (size_t i = 0; i < count; i++) {
        if (real != NULL)
            real_set(real, i, spectrum[i].re, operands->compute);
        if (imaginary != NULL)
            real_set(imaginary, i, spectrum[i].im, operands->compute);
    }
    return STATUS_OK;
}

static Status call_irfftn(const Operands *operands) {
    Shape shape = *input_shape(operands, 0);
    shape.dims[shape.rank - 1] = whole_parameter(operands, 0);
    size_t n = shape_count(&shape), count = fourier_count(&shape);
    Complex *spectrum = take_spectrum(operands, &shape);
    for (size_t i = 0; i < count; i++)
        spectrum[i] = (Complex){(float)real_get(input_data(operands, 0), i, operands->compute),
                                (float)real_get(input_data(operands, 1), i, operands->compute)};
    float *values = operands->compute == COMPUTE_F32
                        ? output_data(operands, 0)
                        : workspace_array(operands->workspace, float, n);
    fourier_inverse(values, spectrum, &shape, operands->workspace);
    for (size_t i = 0; i < n && operands->compute == COMPUTE_F64; i++)
        real_set(output_data(operands, 0), i, values[i], COMPUTE_F64);
    return STATUS_OK;
}

/* ---- order ---- */

static Status store_indices(const Operands *operands, const uint32_t *indices, size_t n) {
    for (size_t i = 0; i < n; i++)
        real_set(output_data(operands, 0), i, indices[i], operands->compute);
    return STATUS_OK;
}

static Status call_order(const Operands *operands) {
    size_t n = shape_count(input_shape(operands, 0));
    const void *values = input_data(operands, 0);
    if (operands->call->op == WHOLE_SORT) {
        order_sort(output_data(operands, 0), values, n, operands->compute, operands->workspace);
        return STATUS_OK;
    }
    uint32_t *indices = workspace_array(operands->workspace, uint32_t, n);
    if (operands->call->op == WHOLE_RANK)
        order_rank(indices, values, n, operands->compute, operands->workspace);
    else
        order_argsort(indices, values, n, operands->compute, operands->workspace);
    return store_indices(operands, indices, n);
}

/* What lies outside is NaN. */
static Status call_gather(const Operands *operands) {
    size_t n = shape_count(input_shape(operands, 0)), count = shape_count(input_shape(operands, 1));
    for (size_t i = 0; i < count; i++) {
        double index = real_get(input_data(operands, 1), i, operands->compute);
        double value = index >= 0 && index < (double)n
                           ? real_get(input_data(operands, 0), (size_t)index, operands->compute)
                           : NAN;
        real_set(output_data(operands, 0), i, value, operands->compute);
    }
    return STATUS_OK;
}

static Status call_assignment(const Operands *operands) {
    Matrix scores = input_matrix(operands, 0);
    uint32_t *columns = workspace_array(operands->workspace, uint32_t, scores.rows);
    Status status = assignment_solve(columns, scores, operands->workspace);
    return status == STATUS_OK ? store_indices(operands, columns, scores.rows) : status;
}

/* ---- draws ---- */

static uint64_t seed_parameter(const Operands *operands) {
    double seed = operands->call->parameters[0];
    return seed < 0 ? (uint64_t)(int64_t)seed : (uint64_t)seed;
}

static TorchRandom torch_start(const Operands *operands) {
    TorchRandom random;
    torch_random_init(&random, seed_parameter(operands));
    return random;
}

static Compute drawn_type(const Operands *operands) {
    return whole_parameter(operands, 1) != 0 ? COMPUTE_F64 : COMPUTE_F32;
}

/* Where a mask is drawn to. It is drawn even where nobody needs it, because those after it go on
 * where it ends; and in words first where it is needed as numbers. */
static uint32_t *open_mask(const Operands *operands, uint32_t i, size_t n) {
    const WholeCall *call = operands->call;
    bool as_mask =
        output_data(operands, i) != NULL && operands->buffers->infos[call->outputs[i]].mask;
    return as_mask ? output_data(operands, i)
                   : workspace_array(operands->workspace, uint32_t, mask_words(n));
}

static void close_mask(const Operands *operands, uint32_t i, uint32_t *mask, size_t n) {
    void *output = output_data(operands, i);
    if (output != NULL && output != mask)
        operands->buffers->kernels->table[operands->compute]->mask(output, mask, 0, n);
}

static void torch_mask(const Operands *operands, TorchRandom *random, uint32_t i, size_t n) {
    bool one = shape_count(input_shape(operands, i)) == 1;
    Chances chances = {input_data(operands, i), one ? 0 : 1, operands->compute,
                       drawn_type(operands)};
    uint32_t *mask = open_mask(operands, i, n);
    torch_bernoulli(random, mask, &chances, n);
    close_mask(operands, i, mask, n);
}

static Status call_torch_bernoulli(const Operands *operands) {
    TorchRandom random = torch_start(operands);
    size_t mark = operands->workspace->used;
    for (uint32_t i = 0; i < operands->call->n_inputs; i++) {
        torch_mask(operands, &random, i, whole_parameter(operands, 2 + i));
        operands->workspace->used = mark;
    }
    return STATUS_OK;
}

static Status call_torch_normal(const Operands *operands) {
    TorchRandom random = torch_start(operands);
    Compute drawn = drawn_type(operands);
    size_t n = whole_parameter(operands, 2);
    bool same = drawn == operands->compute;
    void *numbers =
        same ? output_data(operands, 0) : workspace_array(operands->workspace, double, n);
    torch_normal(&random, numbers, n, drawn);
    for (size_t i = 0; i < n && !same; i++)
        real_set(output_data(operands, 0), i, real_get(numbers, i, drawn), operands->compute);
    return STATUS_OK;
}

static Status call_torch_permutation(const Operands *operands) {
    TorchRandom random = torch_start(operands);
    size_t n = whole_parameter(operands, 1);
    uint32_t *indices = workspace_array(operands->workspace, uint32_t, n);
    torch_permutation(&random, indices, n);
    return store_indices(operands, indices, n);
}

static Status call_numpy_binomial(const Operands *operands) {
    NumpyRandom random;
    numpy_random_init(&random, seed_parameter(operands));
    size_t n = whole_parameter(operands, 3), mark = operands->workspace->used;
    for (uint32_t i = 0; i < whole_parameter(operands, 2); i++) {
        uint32_t *mask = open_mask(operands, i, n);
        numpy_binomial(&random, operands->call->parameters[1], mask, n);
        close_mask(operands, i, mask, n);
        operands->workspace->used = mark;
    }
    return STATUS_OK;
}

static Status call_numpy_choice(const Operands *operands) {
    NumpyRandom random;
    numpy_random_init(&random, seed_parameter(operands));
    size_t k = whole_parameter(operands, 1);
    double *cumulated = workspace_array(operands->workspace, double, k);
    numpy_choice(&random, operands->call->parameters + 2, k, cumulated, output_data(operands, 0),
                 output_count(operands, 0), operands->compute);
    return STATUS_OK;
}

/* ---- calls ---- */

typedef Status WholeFunction(const Operands *operands);

static WholeFunction *const functions[WHOLE_COUNT] = {
    [WHOLE_MATMUL] = call_matmul,
    [WHOLE_QR] = call_qr,
    [WHOLE_SVD] = call_svd,
    [WHOLE_EIGEN] = call_eigen,
    [WHOLE_POLAR] = call_map,
    [WHOLE_ORIENTATION] = call_orientation,
    [WHOLE_INVERSE] = call_map,
    [WHOLE_SOLVE] = call_solve,
    [WHOLE_ASSIGNMENT] = call_assignment,
    [WHOLE_MATRIX_POWER] = call_map,
    [WHOLE_MATRIX_EXP] = call_map,
    [WHOLE_ROTATION_POWER] = call_map,
    [WHOLE_ROTATION_LOG] = call_map,
    [WHOLE_FRAME_LOG] = call_frame,
    [WHOLE_FRAME_EXP] = call_frame,
    [WHOLE_RFFTN] = call_rfftn,
    [WHOLE_IRFFTN] = call_irfftn,
    [WHOLE_SORT] = call_order,
    [WHOLE_ARGSORT] = call_order,
    [WHOLE_RANK] = call_order,
    [WHOLE_GATHER] = call_gather,
    [WHOLE_TORCH_BERNOULLI] = call_torch_bernoulli,
    [WHOLE_TORCH_NORMAL] = call_torch_normal,
    [WHOLE_TORCH_PERMUTATION] = call_torch_permutation,
    [WHOLE_NUMPY_BINOMIAL] = call_numpy_binomial,
    [WHOLE_NUMPY_CHOICE] = call_numpy_choice,
};

Text whole_call(const WholeCall *call, const WholeBuffers *buffers) {
    Workspace workspace;
    if (!workspace_init(&workspace, call->scratch))
        return TEXT("not enough memory");
    Operands operands = {call, buffers, buffers->compute, &workspace};
    Status status = functions[call->op](&operands);
    if (status == STATUS_NOT_FINITE)
        status = spread_nan(&operands);
    workspace_free(&workspace);
    return status == STATUS_OK ? nothing_wrong : text_from(status_text(status));
}
