/* Programs against the passes made from them: random ones of all kinds of values by two slow
 * interpreters, and what particular ones must become. */
#include "tests.h"

#include "base/vector.h"
#include "opt/fuse.h"
#include "program/verify.h"
#include "program_eval.h"
#include "program_read.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* --- Random programs --- */

typedef struct Random {
    uint64_t state;
} Random;

static uint64_t next_random(Random *random) {
    random->state += 0x9e3779b97f4a7c15u;
    uint64_t x = random->state;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint32_t below(Random *random, uint32_t n) {
    return (uint32_t)(next_random(random) % n);
}

enum { LEAVES = 7, LEAF_ELEMENTS = 400 };

typedef struct Generator {
    Random random;
    Arena arena;
    Program *program;
    VECTOR(ValueId) values;
    bool keyed; /* nothing that asks for the key's dimensions */
    double *leaves[LEAVES];
} Generator;

static const Value *value_at(const Generator *generator, ValueId id) {
    return program_value(generator->program, id);
}

static const Shape *shape_at(const Generator *generator, ValueId id) {
    return program_dims(generator->program, value_at(generator, id)->shape);
}

static ValueId any_value(Generator *generator) {
    /* Mostly recent ones, so that programs become deep. */
    uint32_t n = (uint32_t)generator->values.count;
    uint32_t near = n < 12 ? n : 12;
    bool recent = below(&generator->random, 3) > 0;
    return generator->values.items[n - 1 - below(&generator->random, recent ? near : n)];
}

/* Keeps magnitudes bounded, so that one tolerance fits all. */
static ValueId bounded(Generator *generator, ValueId id) {
    return program_map(generator->program, OP_TANH, &id);
}

static ValueId with_shape(Generator *generator, ShapeId shape) {
    for (int i = 0; i < 30; i++) {
        ValueId id = any_value(generator);
        if (value_at(generator, id)->shape == shape)
            return id;
    }
    return VALUE_NONE;
}

static ValueId make_map(Generator *generator) {
    static const OpCode ops[] = {OP_ADD,  OP_SUB,    OP_MUL, OP_MIN,  OP_MAX, OP_NEG, OP_ABS,
                                 OP_LERP, OP_ADDMUL, OP_SIN, OP_TANH, OP_DIV, OP_POW};
    OpCode op = ops[below(&generator->random, sizeof ops / sizeof *ops)];
    ValueId operands[3];
    ShapeId shape = SHAPE_ID_SCALAR;
    for (unsigned i = 0; i < op_info[op].arity; i++) {
        operands[i] = any_value(generator);
        if (!program_broadcast(generator->program, shape, value_at(generator, operands[i])->shape,
                               &shape))
            return VALUE_NONE;
    }
    if (op == OP_DIV || op == OP_POW) {
        double number = (double[]){2, 0.5, 1, 4}[below(&generator->random, 4)];
        operands[0] = program_map(generator->program, OP_ABS, &operands[0]);
        operands[1] = program_const(generator->program, number);
    }
    return bounded(generator, program_map(generator->program, op, operands));
}

static ValueId make_where(Generator *generator) {
    /* The condition is of leaves, so that no rounding decides it. */
    Program *program = generator->program;
    uint32_t slot = below(&generator->random, LEAVES);
    ValueId leaf = generator->values.items[slot];
    ValueId half = program_const(program, 0.25);
    ValueId below_half = program_map(program, OP_LT, (ValueId[]){leaf, half});
    ValueId a = any_value(generator), b = any_value(generator);
    ShapeId shape;
    if (!program_broadcast(program, value_at(generator, a)->shape, value_at(generator, b)->shape,
                           &shape) ||
        !program_broadcast(program, shape, value_at(generator, leaf)->shape, &shape))
        return VALUE_NONE;
    return program_map(program, OP_WHERE, (ValueId[]){below_half, a, b});
}

static ValueId make_reduce(Generator *generator) {
    Program *program = generator->program;
    ValueId a = any_value(generator);
    ReduceKind kind = below(&generator->random, REDUCE_KIND_COUNT);
    ValueId b = kind == REDUCE_DOT ? with_shape(generator, value_at(generator, a)->shape) : a;
    if (kind == REDUCE_ANY && value_at(generator, a)->kind != VALUE_LEAF)
        return VALUE_NONE;
    if (b == VALUE_NONE)
        return VALUE_NONE;
    if (generator->keyed)
        return bounded(generator, program_reduce(program, kind, a, b, -1));
    const Shape *shape = shape_at(generator, a);
    int axis = (int)below(&generator->random, shape->rank + 1) - 1;
    if (below(&generator->random, 2) == 0)
        axis = (int)shape->rank - 1;
    ValueId sum = program_reduce(program, kind, a, b, axis);
    return bounded(generator,
                   program_map(program, OP_MUL, (ValueId[]){sum, program_const(program, 0.125)}));
}

static ValueId make_kth(Generator *generator) {
    ValueId a = any_value(generator);
    if (value_at(generator, a)->shape == SHAPE_ID_SCALAR)
        return VALUE_NONE;
    uint64_t count = generator->keyed ? 3 : eval_count(shape_at(generator, a));
    return program_kth(generator->program, a, 1 + below(&generator->random, (uint32_t)count));
}

static ValueId make_reshape(Generator *generator) {
    ValueId a = any_value(generator);
    Shape shape = *shape_at(generator, a), reshaped = {0};
    uint64_t left = eval_count(&shape);
    for (int try = 0; try < 12 && reshaped.rank < 3; try++) {
        uint64_t extent = 1 + below(&generator->random, 12);
        if (left % extent != 0 || below(&generator->random, 3) == 0)
            continue;
        reshaped.dims[reshaped.rank++] = extent;
        left /= extent;
    }
    reshaped.dims[reshaped.rank++] = left;
    return program_reshape(generator->program, a, program_shape(generator->program, &reshaped));
}

static ValueId make_permute(Generator *generator) {
    ValueId a = any_value(generator);
    uint32_t rank = shape_at(generator, a)->rank;
    uint8_t permutation[SHAPE_LIMIT];
    for (uint32_t i = 0; i < rank; i++) {
        uint32_t k = below(&generator->random, i + 1);
        permutation[i] = permutation[k];
        permutation[k] = (uint8_t)i;
    }
    return program_permute(generator->program, a, permutation);
}

static ValueId make_slice(Generator *generator) {
    ValueId a = any_value(generator);
    Shape shape = *shape_at(generator, a);
    uint64_t begin[SHAPE_LIMIT] = {0};
    for (uint32_t i = 0; i < shape.rank; i++) {
        begin[i] = below(&generator->random, (uint32_t)shape.dims[i]);
        shape.dims[i] = 1 + below(&generator->random, (uint32_t)(shape.dims[i] - begin[i]));
    }
    return program_slice(generator->program, a, begin, program_shape(generator->program, &shape));
}

static ValueId make_stretch(Generator *generator) {
    ValueId a = any_value(generator), b = any_value(generator);
    ShapeId shape;
    Program *program = generator->program;
    if (!program_broadcast(program, value_at(generator, a)->shape, value_at(generator, b)->shape,
                           &shape))
        return VALUE_NONE;
    return program_stretch(program, a, shape);
}

static ValueId make_concat(Generator *generator) {
    ValueId parts[3];
    parts[0] = any_value(generator);
    Shape shape = *shape_at(generator, parts[0]);
    if (shape.rank == 0)
        return VALUE_NONE;
    int axis = (int)below(&generator->random, shape.rank);
    uint32_t n = 2 + below(&generator->random, 2);
    for (uint32_t i = 1; i < n; i++) {
        parts[i] = VALUE_NONE;
        for (int try = 0; try < 20 && parts[i] == VALUE_NONE; try++) {
            ValueId part = any_value(generator);
            Shape like = *shape_at(generator, part);
            if (like.rank != shape.rank)
                continue;
            like.dims[axis] = shape.dims[axis];
            if (memcmp(like.dims, shape.dims, sizeof like.dims) == 0)
                parts[i] = part;
        }
        if (parts[i] == VALUE_NONE)
            parts[i] = parts[0];
    }
    uint64_t extent = 0;
    for (uint32_t i = 0; i < n; i++)
        extent += shape_at(generator, parts[i])->dims[axis];
    shape.dims[axis] = extent;
    return program_concat(generator->program, parts, n, axis,
                          program_shape(generator->program, &shape));
}

static ValueId make_matmul(Generator *generator) {
    ValueId a = any_value(generator), b = any_value(generator);
    Shape left = *shape_at(generator, a), right = *shape_at(generator, b);
    if (left.rank != 2 || right.rank != 2 || left.dims[1] != right.dims[0])
        return VALUE_NONE;
    Shape shape = {.rank = 2, .dims = {left.dims[0], right.dims[1]}};
    ValueId whole = program_whole(generator->program, WHOLE_MATMUL, (ValueId[]){a, b}, 2, NULL, 0);
    ValueId part =
        program_part(generator->program, whole, 0, program_shape(generator->program, &shape));
    return bounded(generator, part);
}

static ValueId make_source(Generator *generator) {
    ShapeId shape = value_at(generator, any_value(generator))->shape;
    uint32_t choice = below(&generator->random, 3);
    if (choice == 0)
        return program_random(generator->program, shape, below(&generator->random, 3), 1);
    if (choice == 1 || generator->keyed)
        return program_const(generator->program, 0.25 * below(&generator->random, 9) - 1);
    uint32_t rank = program_dims(generator->program, shape)->rank;
    if (rank == 0)
        return VALUE_NONE;
    return program_index(generator->program, shape, (int)below(&generator->random, rank));
}

static ValueId make_quantise(Generator *generator) {
    ValueId id = generator->values.items[below(&generator->random, LEAVES)];
    return program_quantise(generator->program, id,
                            below(&generator->random, 2) ? DTYPE_BF16 : DTYPE_I8);
}

static ValueId make_value(Generator *generator) {
    switch (below(&generator->random, generator->keyed ? 10 : 18)) {
    case 0:
        return make_reduce(generator);
    case 1:
        return make_kth(generator);
    case 2:
        return make_where(generator);
    case 3:
        return make_source(generator);
    case 4:
        return make_quantise(generator);
    case 10:
        return make_reduce(generator);
    case 11:
        return make_reshape(generator);
    case 12:
        return make_permute(generator);
    case 13:
        return make_slice(generator);
    case 14:
    case 15:
        return make_stretch(generator);
    case 16:
        return make_concat(generator);
    case 17:
        return make_matmul(generator);
    default:
        return make_map(generator);
    }
}

static const Shape leaf_shapes[LEAVES] = {
    {2, {4, 6}}, {1, {6}}, {2, {4, 1}}, {3, {2, 3, 4}}, {2, {6, 4}}, {1, {1}}, {0, {0}},
};
static const Shape key_shape = {2, {3, 5}};

static void generator_init(Generator *generator, uint64_t seed, bool keyed) {
    *generator = (Generator){.random = {seed}, .keyed = keyed};
    generator->program = program_new(&generator->arena, keyed ? &key_shape : NULL);
    for (uint32_t i = 0; i < LEAVES; i++) {
        static const DType dtypes[] = {DTYPE_F64, DTYPE_F32, DTYPE_BF16, DTYPE_I64};
        ShapeId shape = keyed ? SHAPE_ID_KEY : program_shape(generator->program, &leaf_shapes[i]);
        vector_push(&generator->values, program_leaf(generator->program, i, dtypes[i % 4], shape));
        generator->leaves[i] = memory_grow(NULL, LEAF_ELEMENTS * sizeof(double));
        for (uint32_t k = 0; k < LEAF_ELEMENTS; k++)
            generator->leaves[i][k] = ((double)below(&generator->random, 4000) - 2000) / 1024;
    }
}

static void generator_free(Generator *generator) {
    for (uint32_t i = 0; i < LEAVES; i++)
        free(generator->leaves[i]);
    program_free(generator->program);
    vector_free(&generator->values);
    arena_free(&generator->arena);
}

/* Adds values until there are N more; those too large for a slow test are left out. */
static void generate(Generator *generator, uint32_t n) {
    while (n > 0) {
        ValueId id = make_value(generator);
        if (id == VALUE_NONE)
            continue;
        if (!generator->keyed && eval_count(shape_at(generator, id)) > 300)
            continue;
        vector_push(&generator->values, id);
        n--;
    }
}

/* --- Comparing --- */

static void check_output(uint64_t seed, uint32_t root, const double *found, const double *wanted,
                         uint64_t count) {
    for (uint64_t i = 0; i < count; i++)
        if (!(fabs(found[i] - wanted[i]) <= 1e-9 * (1 + fabs(wanted[i]))))
            ck_abort_msg("program %llu, output %u, element %llu: %.17g instead of %.17g",
                         (unsigned long long)seed, root, (unsigned long long)i, found[i],
                         wanted[i]);
}

static void check_verified(const Generator *generator, const PassList *passes, uint64_t seed,
                           const Shape *key) {
    uint64_t counts[LEAVES];
    Builder fault = {0};
    for (uint32_t i = 0; i < LEAVES; i++)
        counts[i] = generator->keyed ? eval_count(key) : eval_count(&leaf_shapes[i]);
    if (!verify_passes(passes, key, counts, &fault))
        ck_abort_msg("program %llu: %.*s", (unsigned long long)seed,
                     TEXT_ARG(builder_view(&fault)));
    builder_free(&fault);
}

static void check_passes(Generator *generator, uint64_t seed, const RootSpec *roots, uint32_t n,
                         const PassList *passes, const Shape *key) {
    EvalInput input = {.leaves = (const double *const *)generator->leaves, .key = *key};
    check_verified(generator, passes, seed, key);
    double **outputs = eval_passes(passes, &input);
    double **values = eval_program(generator->program, &input);
    for (uint32_t i = 0; i < n; i++) {
        const Shape *shape =
            program_peek(generator->program, value_at(generator, roots[i].value)->shape);
        check_output(seed, i, outputs[i], values[roots[i].value],
                     eval_count(shape != NULL ? shape : key));
    }
    eval_free(outputs, n);
    eval_free(values, program_count(generator->program));
}

/* Whether the passes serve any shape. */
static bool check_random(uint64_t seed, bool keyed) {
    Generator generator;
    RootSpec roots[3];
    generator_init(&generator, seed, keyed);
    generate(&generator, 5 + (uint32_t)(seed % 30));
    uint32_t n = 1 + (uint32_t)(seed % 3), last = (uint32_t)generator.values.count;
    for (uint32_t i = 0; i < n; i++)
        roots[i] = (RootSpec){generator.values.items[last - 1 - i], DTYPE_F64};
    OptimiseOptions options = {
        .compute = COMPUTE_F64, .hold_bytes = seed % 2 ? 1 << 20 : 0, .key_elements = 100};
    PassList *passes = optimise(&generator.arena, generator.program, roots, n, &options);
    check_passes(&generator, seed, roots, n, passes, &key_shape);
    bool any = passes->any_shape;
    if (any)
        check_passes(&generator, seed, roots, n, passes, &(Shape){3, {2, 4, 7}});
    generator_free(&generator);
    return any;
}

START_TEST(random_programs_agree) {
    for (uint64_t seed = (uint64_t)_i * 500; seed < (uint64_t)(_i + 1) * 500; seed++)
        check_random(seed, false);
}
END_TEST

START_TEST(random_programs_of_any_shape_agree) {
    unsigned any = 0;
    for (uint64_t seed = 0; seed < 1000; seed++)
        any += check_random(seed, true);
    /* But for those that sum up what turned out to be the same everywhere. */
    ck_assert_uint_gt(any, 950);
}
END_TEST

/* --- What particular programs become --- */

typedef struct Fused {
    Arena arena;
    ProgramText text;
    PassList *passes;
} Fused;

static Fused fuse_with(const char *source, DType dtype, OptimiseOptions options) {
    Fused fused = {0};
    RootSpec roots[8];
    fused.text = program_read(&fused.arena, source);
    uint32_t n = (uint32_t)fused.text.roots.count;
    ck_assert_uint_le(n, 8);
    for (uint32_t i = 0; i < n; i++)
        roots[i] = (RootSpec){fused.text.roots.items[i], dtype};
    fused.passes = optimise(&fused.arena, fused.text.program, roots, n, &options);
    return fused;
}

static Fused fuse_text(const char *source) {
    return fuse_with(source, DTYPE_F32, (OptimiseOptions){0});
}

static void fused_free(Fused *fused) {
    program_text_free(&fused->text);
    arena_free(&fused->arena);
}

static unsigned count_op(const Pass *pass, TileOp op) {
    unsigned n = 0;
    for (uint32_t i = 0; i < pass->n_code; i++)
        n += pass->code[i].op == op;
    return n;
}

START_TEST(a_chain_of_lerps_is_one_pass_in_two_registers) {
    enum { LENGTH = 100000 };
    Arena arena = {0};
    Shape key = {2, {64, 64}};
    Program *program = program_new(&arena, &key);
    ValueId chain = program_leaf(program, 0, DTYPE_BF16, SHAPE_ID_KEY);
    for (uint32_t i = 1; i <= LENGTH; i++)
        chain = program_map(program, OP_LERP,
                            (ValueId[]){chain, program_leaf(program, i, DTYPE_BF16, SHAPE_ID_KEY),
                                        program_const(program, 1.0 / (i + 1))});
    RootSpec root = {chain, DTYPE_BF16};
    PassList *passes = optimise(&arena, program, &root, 1, &(OptimiseOptions){0});
    ck_assert_uint_eq(passes->n_passes, 1);
    ck_assert(passes->any_shape);
    ck_assert_uint_eq(passes->passes[0].n_registers, 2);
    ck_assert_uint_eq(passes->passes[0].n_code, 2 * LENGTH + 2);
    ck_assert_int_eq(passes->passes[0].order, ORDER_FLAT);
    ck_assert_uint_eq(passes->n_leaves, LENGTH + 1);
    program_free(program);
    arena_free(&arena);
}
END_TEST

START_TEST(sums_nested_either_way_take_few_registers) {
    enum { LENGTH = 500 };
    for (int right = 0; right < 2; right++) {
        Arena arena = {0};
        Shape key = {1, {64}};
        Program *program = program_new(&arena, &key);
        ValueId sum = program_leaf(program, 0, DTYPE_F32, SHAPE_ID_KEY);
        for (uint32_t i = 1; i < LENGTH; i++) {
            ValueId leaf = program_leaf(program, i, DTYPE_F32, SHAPE_ID_KEY);
            sum = program_map(program, OP_ADD, (ValueId[]){right ? leaf : sum, right ? sum : leaf});
        }
        RootSpec root = {sum, DTYPE_F32};
        PassList *passes = optimise(&arena, program, &root, 1, &(OptimiseOptions){0});
        ck_assert_uint_eq(passes->passes[0].n_registers, 2);
        program_free(program);
        arena_free(&arena);
    }
}
END_TEST

START_TEST(what_follows_a_reduction_is_a_second_pass) {
    Fused fused = fuse_text("key [4, 6]\n"
                            "%0 = leaf 0 f32 : key\n"
                            "%1 = leaf 1 f32 : key\n"
                            "%2 = mul %0 %0 : key\n"
                            "%3 = reduce sum %2 : []\n"
                            "%4 = sqrt %3 : []\n"
                            "%5 = reduce dot %0 %1 : []\n"
                            "%6 = div %0 %4 : key\n"
                            "%7 = mul %6 %5 : key\n"
                            "roots %7\n");
    ck_assert_uint_eq(fused.passes->n_passes, 2);
    ck_assert(fused.passes->any_shape);
    const Pass *first = &fused.passes->passes[0], *second = &fused.passes->passes[1];
    ck_assert_uint_eq(count_op(first, TILE_REDUCE), 2);
    ck_assert_uint_eq(count_op(first, TILE_LOAD), 2);
    ck_assert_uint_eq(count_op(first, TILE_MAP), 0);
    ck_assert_uint_eq(second->n_uniforms, 1);
    ck_assert_uint_eq(second->uniforms[0].op, OP_SQRT);
    ck_assert_uint_eq(count_op(second, TILE_LOAD), 1);
    ck_assert_uint_eq(count_op(second, TILE_STORE), 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    fused_free(&fused);
}
END_TEST

/* The cosine of each row of two tensors scales the row, seen as [4, 6] or as [4, 2, 3]. */
START_TEST(rows_are_reduced_and_used_in_one_pass) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 2, 3]\n"
                            "%1 = leaf 1 f32 : [4, 2, 3]\n"
                            "%2 = reshape %0 : [4, 6]\n"
                            "%3 = reshape %1 : [4, 6]\n"
                            "%4 = reduce dot axis 1 %2 %3 : [4, 1]\n"
                            "%5 = reduce dot axis 1 %2 %2 : [4, 1]\n"
                            "%6 = sqrt %5 : [4, 1]\n"
                            "%7 = div %4 %6 : [4, 1]\n"
                            "%8 = reshape %7 : [4, 1, 1]\n"
                            "%9 = stretch %8 : [4, 2, 3]\n"
                            "%10 = mul %0 %9 : [4, 2, 3]\n"
                            "roots %10 %7\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    const Pass *pass = &fused.passes->passes[0];
    ck_assert_int_eq(pass->order, ORDER_ROWS);
    ck_assert_uint_eq(pass->row_length, 6);
    ck_assert_uint_eq(count_op(pass, TILE_LOAD), 2);
    ck_assert_uint_eq(count_op(pass, TILE_ROW_REDUCE), 2);
    ck_assert_uint_eq(count_op(pass, TILE_EXPAND), 1);
    ck_assert_uint_eq(count_op(pass, TILE_STORE), 2);
    fused_free(&fused);
}
END_TEST

START_TEST(columns_are_reduced_into_a_buffer) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 6, 5]\n"
                            "%1 = reduce max axis 1 %0 : [4, 1, 5]\n"
                            "%2 = stretch %1 : [4, 6, 5]\n"
                            "%3 = sub %0 %2 : [4, 6, 5]\n"
                            "roots %3\n");
    ck_assert_uint_eq(fused.passes->n_passes, 2);
    ck_assert_uint_eq(fused.passes->n_buffers, 1);
    const Pass *first = &fused.passes->passes[0];
    ck_assert_int_eq(first->order, ORDER_COLUMNS);
    ck_assert_uint_eq(first->outer, 4);
    ck_assert_uint_eq(first->extent, 6);
    ck_assert_uint_eq(first->inner, 5);
    ck_assert_uint_eq(fused.passes->buffers[0].first_pass, 0);
    ck_assert_uint_eq(fused.passes->buffers[0].last_pass, 1);
    fused_free(&fused);
}
END_TEST

START_TEST(what_no_arithmetic_touches_is_copied) {
    Fused fused = fuse_with("key [4, 6]\n%0 = leaf 3 bf16 : key\nroots %0\n", DTYPE_BF16,
                            (OptimiseOptions){0});
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert(fused.passes->any_shape);
    ck_assert_int_eq(fused.passes->passes[0].kind, PASS_COPY);
    ck_assert_uint_eq(fused.passes->passes[0].copy_leaf, 3);
    ck_assert(fused.passes->passes[0].copy_bytes == UINT64_MAX);
    fused_free(&fused);
    /* Another dtype is arithmetic. */
    fused = fuse_text("key [4, 6]\n%0 = leaf 3 bf16 : key\nroots %0\n");
    ck_assert_int_eq(fused.passes->passes[0].kind, PASS_TILES);
    fused_free(&fused);
}
END_TEST

START_TEST(slices_and_joints_are_copied_in_place) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [6, 5]\n"
                            "%1 = slice 2,0 %0 : [3, 5]\n"
                            "%2 = leaf 1 f32 : [10]\n"
                            "%3 = reshape %2 : [2, 5]\n"
                            "%4 = concat axis 0 %1 %3 : [5, 5]\n"
                            "roots %4\n");
    ck_assert_uint_eq(fused.passes->n_passes, 2);
    const Pass *first = &fused.passes->passes[0], *second = &fused.passes->passes[1];
    ck_assert_int_eq(first->kind, PASS_COPY);
    ck_assert_int_eq(second->kind, PASS_COPY);
    ck_assert_uint_eq(first->copy_from, 40);
    ck_assert_uint_eq(first->copy_to, 0);
    ck_assert_uint_eq(first->copy_bytes, 60);
    ck_assert_uint_eq(second->copy_to, 60);
    ck_assert_uint_eq(second->copy_bytes, 40);
    fused_free(&fused);
}
END_TEST

/* f32 cannot hold every i64: runs of bytes are copied, one for each run. */
START_TEST(what_the_compute_type_cannot_hold_is_copied_in_runs) {
    static const char source[] = "%0 = leaf 0 i64 : [3, 2, 4]\n"
                                 "%1 = permute 1,0,2 %0 : [2, 3, 4]\n"
                                 "roots %1\n";
    Fused fused = fuse_with(source, DTYPE_I64, (OptimiseOptions){0});
    ck_assert_uint_eq(fused.passes->n_passes, 6);
    ck_assert_uint_eq(fused.passes->passes[1].copy_from, 64);
    ck_assert_uint_eq(fused.passes->passes[1].copy_to, 32);
    ck_assert_uint_eq(fused.passes->passes[1].copy_bytes, 32);
    fused_free(&fused);
    fused = fuse_text("%0 = leaf 0 f32 : [3, 2, 4]\n"
                      "%1 = permute 1,0,2 %0 : [2, 3, 4]\n"
                      "roots %1\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_int_eq(fused.passes->passes[0].kind, PASS_TILES);
    fused_free(&fused);
}
END_TEST

START_TEST(storing_rounds_by_itself) {
    Fused fused = fuse_with("key [4]\n"
                            "%0 = leaf 0 f32 : key\n"
                            "%1 = sqrt %0 : key\n"
                            "%2 = quantise bf16 %1 : key\n"
                            "roots %2\n",
                            DTYPE_BF16, (OptimiseOptions){0});
    ck_assert_uint_eq(count_op(&fused.passes->passes[0], TILE_QUANTISE), 0);
    fused_free(&fused);
}
END_TEST

/* The mean of many leaves is needed before and after its own maximum. */
static Fused fuse_centred(uint32_t leaves, uint64_t hold_bytes) {
    Builder source = {0};
    builder_format(&source, "key [8, 8]\n%%0 = leaf 0 f32 : key\n");
    for (uint32_t i = 1; i < leaves; i++)
        builder_format(&source, "%%%u = leaf %u f32 : key\n%%%u = add %%%u %%%u : key\n", 2 * i - 1,
                       i, 2 * i, 2 * i - 2, 2 * i - 1);
    uint32_t sum = 2 * leaves - 2;
    builder_format(&source, "%%%u = reduce max %%%u : []\n%%%u = sub %%%u %%%u : key\nroots %%%u\n",
                   sum + 1, sum, sum + 2, sum, sum + 1, sum + 2);
    builder_char(&source, '\0');
    Fused fused = fuse_with(source.data, DTYPE_F32,
                            (OptimiseOptions){.hold_bytes = hold_bytes, .key_elements = 64});
    builder_free(&source);
    return fused;
}

START_TEST(what_is_dear_to_compute_is_held) {
    Fused fused = fuse_centred(20, 64 * 4);
    ck_assert_uint_eq(fused.passes->n_buffers, 1);
    ck_assert_uint_eq(count_op(&fused.passes->passes[1], TILE_LOAD), 1);
    fused_free(&fused);
    fused = fuse_centred(20, 64 * 4 - 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    ck_assert_uint_eq(count_op(&fused.passes->passes[1], TILE_LOAD), 20);
    fused_free(&fused);
    fused = fuse_centred(2, 1 << 20);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    fused_free(&fused);
}
END_TEST

/* Each step needs a reduction of the one before: with buffers the code stays linear. */
START_TEST(chains_of_reductions_stay_linear) {
    enum { LENGTH = 2000 };
    Arena arena = {0};
    Shape key = {1, {64}};
    Program *program = program_new(&arena, &key);
    ValueId chain = program_leaf(program, 0, DTYPE_F32, SHAPE_ID_KEY);
    for (int i = 0; i < LENGTH; i++) {
        ValueId peak = program_reduce(program, REDUCE_MAX, chain, VALUE_NONE, -1);
        chain = program_map(program, OP_SUB, (ValueId[]){chain, peak});
        chain = program_map(program, OP_ABS, &chain);
    }
    RootSpec root = {chain, DTYPE_F32};
    OptimiseOptions options = {.hold_bytes = 1 << 30, .key_elements = 64};
    PassList *passes = optimise(&arena, program, &root, 1, &options);
    ck_assert_uint_eq(passes->n_passes, LENGTH + 1);
    uint64_t code = 0;
    for (uint32_t i = 0; i < passes->n_passes; i++)
        code += passes->passes[i].n_code;
    ck_assert_uint_lt(code, 40 * LENGTH);
    program_free(program);
    arena_free(&arena);
}
END_TEST

START_TEST(a_selection_is_repeated_without_the_rest) {
    Fused fused = fuse_text("key [8]\n"
                            "%0 = leaf 0 f32 : key\n"
                            "%1 = leaf 1 f32 : key\n"
                            "%2 = abs %0 : key\n"
                            "%3 = kth 4 %2 : []\n"
                            "%4 = reduce max %1 : []\n"
                            "roots %3 %4\n");
    const Pass *pass = &fused.passes->passes[0];
    ck_assert_uint_eq(pass->n_selections, 1);
    ck_assert_uint_eq(pass->n_code, 5);
    ck_assert_uint_eq(pass->n_again, 3);
    fused_free(&fused);
}
END_TEST

START_TEST(whole_primitives_stand_between_passes) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 6]\n"
                            "%1 = leaf 1 f32 : [6, 3]\n"
                            "%2 = whole matmul %0 %1\n"
                            "%3 = part 0 %2 : [4, 3]\n"
                            "%4 = neg %3 : [4, 3]\n"
                            "roots %4\n");
    ck_assert_uint_eq(fused.passes->n_passes, 4);
    ck_assert_int_eq(fused.passes->passes[2].kind, PASS_WHOLE);
    ck_assert_uint_eq(fused.passes->n_buffers, 3);
    ck_assert_uint_eq(fused.passes->buffers[0].last_pass, 2);
    fused_free(&fused);
}
END_TEST

START_TEST(views_need_no_buffers) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [4, 6]\n"
                            "%1 = leaf 1 f32 : [4, 1]\n"
                            "%2 = neg %1 : [4, 1]\n"
                            "%3 = stretch %2 : [4, 6]\n"
                            "%4 = add %0 %3 : [4, 6]\n"
                            "%5 = permute 1,0 %4 : [6, 4]\n"
                            "%6 = slice 1,1 %5 : [3, 2]\n"
                            "roots %6\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_uint_eq(fused.passes->n_buffers, 0);
    fused_free(&fused);
}
END_TEST

/* A row that no register holds is reduced all the same, and rightly. */
START_TEST(long_rows_are_cut) {
    enum { ROWS = 2, EXTENT = 40000 };
    Fused fused = fuse_with("%0 = leaf 0 f64 : [2, 40000]\n"
                            "%1 = reduce sum axis 1 %0 : [2, 1]\n"
                            "%2 = stretch %1 : [2, 40000]\n"
                            "%3 = add %0 %2 : [2, 40000]\n"
                            "%4 = reduce dot axis 1 %3 %0 : [2, 1]\n"
                            "roots %3 %4\n",
                            DTYPE_F64, (OptimiseOptions){.compute = COMPUTE_F64});
    double *leaf = memory_grow(NULL, ROWS * EXTENT * sizeof *leaf);
    for (int i = 0; i < ROWS * EXTENT; i++)
        leaf[i] = (i * 37 % 101 - 50) / 64.0;
    EvalInput input = {.leaves = (const double *const[]){leaf}};
    double **found = eval_passes(fused.passes, &input);
    double **wanted = eval_program(fused.text.program, &input);
    check_output(0, 0, found[0], wanted[fused.text.roots.items[0]], ROWS * EXTENT);
    check_output(0, 1, found[1], wanted[fused.text.roots.items[1]], ROWS);
    eval_free(found, 2);
    eval_free(wanted, program_count(fused.text.program));
    free(leaf);
    fused_free(&fused);
}
END_TEST

START_TEST(tensors_without_elements_make_no_passes) {
    Fused fused = fuse_text("%0 = leaf 0 f32 : [3, 0]\n"
                            "%1 = leaf 1 f32 : [3, 0]\n"
                            "%2 = add %0 %1 : [3, 0]\n"
                            "%3 = reduce sum axis 1 %2 : [3, 1]\n"
                            "%4 = permute 1,0 %2 : [0, 3]\n"
                            "roots %2 %3 %4\n");
    ck_assert_uint_eq(fused.passes->n_passes, 1);
    ck_assert_uint_eq(fused.passes->passes[0].n_code, 1);
    ck_assert_int_eq(fused.passes->passes[0].code[0].op, TILE_STORE);
    fused_free(&fused);
}
END_TEST

Suite *fuse_suite(void) {
    Suite *suite = suite_create("fuse");
    TCase *tests = tcase_create("fuse");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, random_programs_agree, 0, 4);
    tcase_add_test(tests, random_programs_of_any_shape_agree);
    tcase_add_test(tests, a_chain_of_lerps_is_one_pass_in_two_registers);
    tcase_add_test(tests, sums_nested_either_way_take_few_registers);
    tcase_add_test(tests, what_follows_a_reduction_is_a_second_pass);
    tcase_add_test(tests, rows_are_reduced_and_used_in_one_pass);
    tcase_add_test(tests, columns_are_reduced_into_a_buffer);
    tcase_add_test(tests, what_no_arithmetic_touches_is_copied);
    tcase_add_test(tests, slices_and_joints_are_copied_in_place);
    tcase_add_test(tests, what_the_compute_type_cannot_hold_is_copied_in_runs);
    tcase_add_test(tests, storing_rounds_by_itself);
    tcase_add_test(tests, what_is_dear_to_compute_is_held);
    tcase_add_test(tests, chains_of_reductions_stay_linear);
    tcase_add_test(tests, a_selection_is_repeated_without_the_rest);
    tcase_add_test(tests, whole_primitives_stand_between_passes);
    tcase_add_test(tests, views_need_no_buffers);
    tcase_add_test(tests, long_rows_are_cut);
    tcase_add_test(tests, tensors_without_elements_make_no_passes);
    suite_add_tcase(suite, tests);
    return suite;
}
