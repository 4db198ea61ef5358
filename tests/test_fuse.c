/* Programs against the passes made from them: random ones of all kinds of values by two slow
 * interpreters, and what particular ones must become. */
#include "tests.h"

#include "base/vector.h"
#include "opt/fuse.h"
#include "program/verify.h"
#include "program_eval.h"

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

Suite *fuse_suite(void) {
    Suite *suite = suite_create("fuse");
    TCase *tests = tcase_create("fuse");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, random_programs_agree, 0, 4);
    tcase_add_test(tests, random_programs_of_any_shape_agree);
    suite_add_tcase(suite, tests);
    return suite;
}
