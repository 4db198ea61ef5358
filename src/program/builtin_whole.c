/* The functions of the tensor language that hold whole tensors (program/whole.h), and draws. */
#include "program/builtin.h"

#include "whole/fourier.h"
#include "whole/matrix.h"
#include "whole/order.h"
#include "whole/random.h"

#include <math.h>

enum {
    POWER_LIMIT = 1000000,       /* of a matrix, either way */
    FRAME_STEPS_LIMIT = 1000000, /* towards a logarithm */
    MASKS_LIMIT = 100000         /* of one draw */
};

/* ---- operands and results ---- */

static Shape shape1(uint64_t n) {
    return (Shape){.rank = 1, .dims = {n}};
}

static Shape shape2(uint64_t rows, uint64_t columns) {
    return (Shape){.rank = 2, .dims = {rows, columns}};
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

/* A part of a primitive, or zeros where it has no elements. */
static Term part_of(Call *call, ValueId whole, uint32_t part, Shape shape) {
    Program *program = call->lower->program;
    ShapeId id = program_shape(program, &shape);
    return term_tensor(shape_count(&shape) == 0
                           ? program_stretch(program, program_const(program, 0), id)
                           : program_part(program, whole, part, id));
}

/* A primitive with one result. */
static Term call_whole(Call *call, WholeOp op, const ValueId *operands, uint32_t n, Shape result,
                       const double *parameters, uint32_t n_parameters) {
    ValueId whole = program_whole(call->lower->program, op, operands, n, parameters, n_parameters);
    return part_of(call, whole, 0, result);
}

static bool argument_matrix(const Call *call, uint32_t i, Shape *shape) {
    if (!argument_value(call, i))
        return false;
    *shape = *term_dims(call->lower, call->arguments[i]);
    if (shape->rank == 2 && matrix_fits(shape->dims[0], shape->dims[1]))
        return true;
    argument_wants(call, i,
                   shape->rank == 2 ? "a matrix whose smaller side is no larger than 20000"
                                    : "a matrix (a tensor with two dimensions)");
    return false;
}

static bool argument_square(const Call *call, uint32_t i, Shape *shape) {
    if (!argument_matrix(call, i, shape))
        return false;
    if (shape->dims[0] == shape->dims[1])
        return true;
    argument_wants(call, i, "a square matrix");
    return false;
}

static ValueId argument_id(const Call *call, uint32_t i) {
    return term_value(call->lower, call->arguments[i]);
}

/* ---- products and decompositions ---- */

/* What a transposition transposes, which a product need not carry out. */
static ValueId untransposed(const Program *program, ValueId id, bool *transposed) {
    const Value *value = program_value(program, id);
    *transposed =
        value->kind == VALUE_PERMUTE && value->slot == 2 && program_extra(program, value, 0) == 1;
    return *transposed ? program_operand(program, value, 0) : id;
}

Term builtin_matmul(Call *call) {
    Program *program = call->lower->program;
    Shape a, b;
    if (!argument_matrix(call, 0, &a) || !argument_matrix(call, 1, &b))
        return term_poison;
    if (a.dims[1] != b.dims[0])
        return argument_wants(call, 1, "a matrix with as many rows as the first has columns");
    Shape product = shape2(a.dims[0], b.dims[1]);
    if (!matrix_fits(product.dims[0], product.dims[1]))
        return argument_wants(call, 0, "a matrix whose product is not that large");
    if (a.dims[1] == 0)
        return term_tensor(
            program_stretch(program, program_const(program, 0), program_shape(program, &product)));
    bool transposed[2];
    ValueId operands[2];
    for (uint32_t i = 0; i < 2; i++)
        operands[i] = untransposed(program, argument_id(call, i), &transposed[i]);
    return call_whole(call, WHOLE_MATMUL, operands, 2, product,
                      (double[]){transposed[0], transposed[1]}, 2);
}

/* A primitive with one operand. */
static ValueId whole_of(Call *call, WholeOp op) {
    ValueId operand = argument_id(call, 0);
    return program_whole(call->lower->program, op, &operand, 1, NULL, 0);
}

Term builtin_qr(Call *call) {
    Shape a;
    if (!argument_matrix(call, 0, &a))
        return term_poison;
    uint64_t k = smaller(a.dims[0], a.dims[1]);
    ValueId whole = whole_of(call, WHOLE_QR);
    Term parts[] = {part_of(call, whole, 0, shape2(a.dims[0], k)),
                    part_of(call, whole, 1, shape2(k, a.dims[1]))};
    return term_list(call->lower, parts, 2);
}

Term builtin_svd(Call *call) {
    Shape a;
    if (!argument_matrix(call, 0, &a))
        return term_poison;
    uint64_t k = smaller(a.dims[0], a.dims[1]);
    ValueId whole = whole_of(call, WHOLE_SVD);
    Term parts[] = {part_of(call, whole, 0, shape2(a.dims[0], k)),
                    part_of(call, whole, 1, shape1(k)),
                    part_of(call, whole, 2, shape2(k, a.dims[1]))};
    return term_list(call->lower, parts, 3);
}

Term builtin_eigen(Call *call) {
    Shape a;
    if (!argument_square(call, 0, &a))
        return term_poison;
    ValueId whole = whole_of(call, WHOLE_EIGEN);
    Term parts[] = {part_of(call, whole, 0, shape1(a.dims[0])), part_of(call, whole, 1, a)};
    return term_list(call->lower, parts, 2);
}

Term builtin_polar(Call *call) {
    Shape a;
    return argument_matrix(call, 0, &a) ? part_of(call, whole_of(call, WHOLE_POLAR), 0, a)
                                        : term_poison;
}

Term builtin_orientation(Call *call) {
    Shape a;
    if (!argument_square(call, 0, &a))
        return term_poison;
    if (a.dims[0] == 0)
        return term_number(1, NUMBER_INT);
    return part_of(call, whole_of(call, WHOLE_ORIENTATION), 0, (Shape){0});
}

/* ---- functions of square matrices ---- */

static Term map_square(Call *call, WholeOp op) {
    Shape a;
    return argument_square(call, 0, &a) ? part_of(call, whole_of(call, op), 0, a) : term_poison;
}

/* One with a number as its second argument. */
static Term raise_square(Call *call, WholeOp op, double exponent) {
    Shape a;
    if (!argument_square(call, 0, &a))
        return term_poison;
    ValueId operand = argument_id(call, 0);
    return call_whole(call, op, &operand, 1, a, &exponent, 1);
}

Term builtin_inverse(Call *call) {
    return map_square(call, WHOLE_INVERSE);
}

Term builtin_matrix_exp(Call *call) {
    return map_square(call, WHOLE_MATRIX_EXP);
}

Term builtin_rotation_log(Call *call) {
    return map_square(call, WHOLE_ROTATION_LOG);
}

Term builtin_solve(Call *call) {
    Shape a, b;
    if (!argument_square(call, 0, &a) || !argument_matrix(call, 1, &b))
        return term_poison;
    if (a.dims[0] != b.dims[0])
        return argument_wants(call, 1, "a matrix with as many rows as the first");
    ValueId operands[] = {argument_id(call, 0), argument_id(call, 1)};
    return call_whole(call, WHOLE_SOLVE, operands, 2, b, NULL, 0);
}

Term builtin_assignment(Call *call) {
    Shape a;
    return argument_square(call, 0, &a)
               ? part_of(call, whole_of(call, WHOLE_ASSIGNMENT), 0, shape1(a.dims[0]))
               : term_poison;
}

Term builtin_matrix_power(Call *call) {
    double exponent;
    if (!argument_number(call, 1, 1, &exponent))
        return term_poison;
    if (exponent != trunc(exponent) || fabs(exponent) > POWER_LIMIT)
        return argument_wants(call, 1, "a whole number from -%d to %d", POWER_LIMIT, POWER_LIMIT);
    return raise_square(call, WHOLE_MATRIX_POWER, exponent);
}

Term builtin_rotation_power(Call *call) {
    double exponent;
    if (!argument_number(call, 1, 1, &exponent))
        return term_poison;
    if (!isfinite(exponent))
        return argument_wants(call, 1, "a finite number");
    return raise_square(call, WHOLE_ROTATION_POWER, exponent);
}

/* ---- frames ---- */

static bool argument_frames(Call *call, Shape *shape) {
    Shape second;
    if (!argument_matrix(call, 0, shape) || !argument_matrix(call, 1, &second))
        return false;
    bool fits = shape_equal(shape, &second) && shape->dims[0] > shape->dims[1];
    if (!fits)
        argument_wants(call, 1, "two matrices of one shape, taller than wide,");
    return fits;
}

Term builtin_frame_log(Call *call) {
    Shape shape;
    double parameters[2];
    if (!argument_frames(call, &shape) || !argument_number(call, 2, 1e-8, &parameters[0]) ||
        !argument_number(call, 3, 100, &parameters[1]))
        return term_poison;
    if (!(parameters[1] >= 1 && parameters[1] <= FRAME_STEPS_LIMIT))
        return argument_wants(call, 3, "a number of steps from 1 to %d", FRAME_STEPS_LIMIT);
    ValueId operands[] = {argument_id(call, 0), argument_id(call, 1)};
    return call_whole(call, WHOLE_FRAME_LOG, operands, 2, shape, parameters, 2);
}

Term builtin_frame_exp(Call *call) {
    Shape shape;
    if (!argument_frames(call, &shape))
        return term_poison;
    ValueId operands[] = {argument_id(call, 0), argument_id(call, 1)};
    return call_whole(call, WHOLE_FRAME_EXP, operands, 2, shape, NULL, 0);
}

/* ---- Fourier transforms ---- */

Term builtin_rfftn(Call *call) {
    if (!argument_value(call, 0))
        return term_poison;
    Shape shape = *term_dims(call->lower, call->arguments[0]);
    if (!fourier_fits(&shape))
        return argument_wants(call, 0, "a tensor with dimensions, none of them empty,");
    shape.dims[shape.rank - 1] = shape.dims[shape.rank - 1] / 2 + 1;
    ValueId whole = whole_of(call, WHOLE_RFFTN);
    Term parts[] = {part_of(call, whole, 0, shape), part_of(call, whole, 1, shape)};
    return term_list(call->lower, parts, 2);
}

Term builtin_irfftn(Call *call) {
    double n;
    if (!argument_value(call, 0) || !argument_value(call, 1) || !argument_number(call, 2, 1, &n))
        return term_poison;
    Shape shape = *term_dims(call->lower, call->arguments[0]);
    if (!shape_equal(&shape, term_dims(call->lower, call->arguments[1])))
        return argument_wants(call, 1, "a tensor of the shape of the first");
    uint64_t half = shape.rank > 0 ? shape.dims[shape.rank - 1] : 0;
    if (shape.rank > 0 && n >= 1 && n <= FOURIER_LIMIT && n == trunc(n))
        shape.dims[shape.rank - 1] = (uint64_t)n;
    if (!fourier_fits(&shape) || shape.dims[shape.rank - 1] / 2 + 1 != half)
        return argument_wants(call, 2, "a last dimension n whose spectrum has n / 2 + 1 numbers");
    ValueId operands[] = {argument_id(call, 0), argument_id(call, 1)};
    return call_whole(call, WHOLE_IRFFTN, operands, 2, shape, &n, 1);
}

/* ---- order ---- */

/* Every index up to this is a number of f32. */
#define INDEX_LIMIT ((uint64_t)1 << 24)

static void need_indices(Call *call, uint64_t n) {
    call->lower->precise |= n > INDEX_LIMIT;
}

static Term order_all(Call *call, WholeOp op) {
    if (!argument_value(call, 0))
        return term_poison;
    Shape shape = *term_dims(call->lower, call->arguments[0]);
    uint64_t n = shape_count(&shape);
    if (n > ORDER_LIMIT)
        return argument_wants(call, 0, "a tensor of at most 4294967295 elements");
    if (op != WHOLE_SORT)
        need_indices(call, n);
    return part_of(call, whole_of(call, op), 0, shape);
}

Term builtin_sort(Call *call) {
    return order_all(call, WHOLE_SORT);
}

Term builtin_argsort(Call *call) {
    return order_all(call, WHOLE_ARGSORT);
}

Term builtin_rank(Call *call) {
    return order_all(call, WHOLE_RANK);
}

Term builtin_gather(Call *call) {
    if (!argument_value(call, 0) || !argument_value(call, 1))
        return term_poison;
    need_indices(call, shape_count(term_dims(call->lower, call->arguments[0])));
    ValueId operands[] = {argument_id(call, 0), argument_id(call, 1)};
    return call_whole(call, WHOLE_GATHER, operands, 2, *term_dims(call->lower, call->arguments[1]),
                      NULL, 0);
}

/* ---- draws ---- */

static bool argument_seed(const Call *call, uint32_t i, double least, double *seed) {
    if (!argument_number(call, i, 0, seed))
        return false;
    if (*seed == trunc(*seed) && *seed >= least && *seed < 0x1p63)
        return true;
    argument_wants(call, i, least < 0 ? "a whole number" : "a whole number, not negative,");
    return false;
}

Term builtin_random(Call *call) {
    Program *program = call->lower->program;
    double seed, stream;
    Shape shape;
    if (!argument_seed(call, 1, -0x1p63, &seed) || !argument_seed(call, 2, 0, &stream))
        return term_poison;
    Term like = call->arguments[0];
    if (like.kind == TERM_TENSOR)
        return term_tensor(program_random(program, term_shape(call->lower, like), seed,
                                          (uint32_t)(uint64_t)stream));
    if (!argument_shape(call, 0, &shape))
        return term_poison;
    return term_tensor(
        program_random(program, program_shape(program, &shape), seed, (uint32_t)(uint64_t)stream));
}

Term builtin_precise(Call *call) {
    call->lower->precise = true;
    return call->arguments[0];
}

/* What is the same everywhere need not be held for every element. */
static ValueId unstretched(const Program *program, ValueId id) {
    const Value *value = program_value(program, id);
    if (value->kind != VALUE_STRETCH)
        return id;
    ValueId operand = program_operand(program, value, 0);
    return program_value(program, operand)->shape == SHAPE_ID_SCALAR ? operand : id;
}

/* Draws of another shape are another call, even where they are as many: a part has one shape. */
static uint32_t put_shape(double *parameters, uint32_t n, const Shape *shape) {
    parameters[n++] = shape->rank;
    for (uint32_t i = 0; i < shape->rank; i++)
        parameters[n++] = (double)shape->dims[i];
    return n;
}

Term builtin_torch_bernoulli(Call *call) {
    Lower *lower = call->lower;
    Term list = call->arguments[0];
    if (list.kind != TERM_LIST)
        return argument_wants(call, 0, "a list of tensors");
    ValueId *operands = arena_array(lower->arena, ValueId, list.n_items + 1);
    double *parameters =
        arena_array(lower->arena, double, 2 + (size_t)list.n_items * (2 + SHAPE_LIMIT));
    Term *masks = arena_array(lower->arena, Term, list.n_items + 1);
    if (!argument_seed(call, 1, -0x1p63, &parameters[0]))
        return term_poison;
    parameters[1] = lower->compute == COMPUTE_F64;
    for (uint32_t i = 0; i < list.n_items; i++) {
        if (!term_is_value(list.items[i]))
            return argument_wants(call, 0, "a list of tensors");
        operands[i] = unstretched(lower->program, term_value(lower, list.items[i]));
        parameters[2 + i] = (double)shape_count(term_dims(lower, list.items[i]));
    }
    uint32_t n = 2 + list.n_items;
    for (uint32_t i = 0; i < list.n_items; i++)
        n = put_shape(parameters, n, term_dims(lower, list.items[i]));
    ValueId whole =
        program_whole(lower->program, WHOLE_TORCH_BERNOULLI, operands, list.n_items, parameters, n);
    for (uint32_t i = 0; i < list.n_items; i++)
        masks[i] = part_of(call, whole, i, *term_dims(lower, list.items[i]));
    return term_list(lower, masks, list.n_items);
}

Term builtin_torch_normal(Call *call) {
    Shape shape;
    double parameters[4 + SHAPE_LIMIT] = {0, call->lower->compute == COMPUTE_F64};
    if (!argument_shape(call, 0, &shape) || !argument_seed(call, 1, -0x1p63, &parameters[0]))
        return term_poison;
    parameters[2] = (double)shape_count(&shape);
    return call_whole(call, WHOLE_TORCH_NORMAL, NULL, 0, shape, parameters,
                      put_shape(parameters, 3, &shape));
}

Term builtin_torch_permutation(Call *call) {
    double n, parameters[2];
    if (!argument_number(call, 0, 0, &n) || !argument_seed(call, 1, -0x1p63, &parameters[0]))
        return term_poison;
    if (!(n >= 0 && n <= PERMUTATION_LIMIT && n == trunc(n)))
        return argument_wants(call, 0, "a whole number from 0 to 200000000");
    need_indices(call, (uint64_t)n);
    parameters[1] = n;
    return call_whole(call, WHOLE_TORCH_PERMUTATION, NULL, 0, shape1((uint64_t)n), parameters, 2);
}

Term builtin_numpy_binomial(Call *call) {
    Lower *lower = call->lower;
    Shape shape;
    double parameters[5 + SHAPE_LIMIT], n;
    if (!argument_shape(call, 0, &shape) || !argument_number(call, 1, 1, &parameters[1]) ||
        !argument_seed(call, 2, 0, &parameters[0]) || !argument_number(call, 3, 1, &n))
        return term_poison;
    if (!(parameters[1] >= 0 && parameters[1] <= 1))
        return argument_wants(call, 1, "a probability, from 0 to 1,");
    if (!(n >= 0 && n <= MASKS_LIMIT && n == trunc(n)))
        return argument_wants(call, 3, "a number of masks from 0 to %d", MASKS_LIMIT);
    parameters[2] = n;
    parameters[3] = (double)shape_count(&shape);
    ValueId whole = program_whole(lower->program, WHOLE_NUMPY_BINOMIAL, NULL, 0, parameters,
                                  put_shape(parameters, 4, &shape));
    Term *masks = arena_array(lower->arena, Term, (uint32_t)n + 1);
    for (uint32_t i = 0; i < n; i++)
        masks[i] = part_of(call, whole, i, shape);
    return term_list(lower, masks, (uint32_t)n);
}

Term builtin_numpy_choice(Call *call) {
    Lower *lower = call->lower;
    Term list = call->arguments[1];
    Shape shape;
    if (list.kind != TERM_LIST || list.n_items == 0 || list.n_items > INDEX_LIMIT)
        return argument_wants(call, 1, "a list of probabilities");
    double *parameters = arena_array(lower->arena, double, list.n_items + 3 + SHAPE_LIMIT);
    if (!argument_shape(call, 0, &shape) || !argument_seed(call, 2, 0, &parameters[0]))
        return term_poison;
    parameters[1] = list.n_items;
    for (uint32_t i = 0; i < list.n_items; i++) {
        if (list.items[i].kind != TERM_NUMBER || !(list.items[i].number >= 0))
            return argument_wants(call, 1, "probabilities: known numbers that are not negative,");
        parameters[2 + i] = list.items[i].number;
    }
    return call_whole(call, WHOLE_NUMPY_CHOICE, NULL, 0, shape, parameters,
                      put_shape(parameters, 2 + list.n_items, &shape));
}
