#include "program_random.h"

#include <stdlib.h>
#include <string.h>

static uint64_t next_random(Generator *generator) {
    generator->state += 0x9e3779b97f4a7c15u;
    uint64_t x = generator->state;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static uint32_t below(Generator *generator, uint32_t n) {
    return (uint32_t)(next_random(generator) % n);
}

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
    bool recent = below(generator, 3) > 0;
    return generator->values.items[n - 1 - below(generator, recent ? near : n)];
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
    OpCode op = ops[below(generator, sizeof ops / sizeof *ops)];
    ValueId operands[3];
    ShapeId shape = SHAPE_ID_SCALAR;
    for (unsigned i = 0; i < op_info[op].arity; i++) {
        operands[i] = any_value(generator);
        if (!program_broadcast(generator->program, shape, value_at(generator, operands[i])->shape,
                               &shape))
            return VALUE_NONE;
    }
    if (op == OP_DIV || op == OP_POW) {
        double number = (double[]){2, 0.5, 1, 4}[below(generator, 4)];
        operands[0] = program_map(generator->program, OP_ABS, &operands[0]);
        operands[1] = program_const(generator->program, number);
    }
    return bounded(generator, program_map(generator->program, op, operands));
}

static ValueId make_where(Generator *generator) {
    /* The condition is of leaves, so that no rounding decides it. */
    Program *program = generator->program;
    uint32_t slot = below(generator, LEAVES);
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
    ReduceKind kind = below(generator, REDUCE_KIND_COUNT);
    ValueId b = kind == REDUCE_DOT ? with_shape(generator, value_at(generator, a)->shape) : a;
    if (kind == REDUCE_ANY && value_at(generator, a)->kind != VALUE_LEAF)
        return VALUE_NONE;
    if (b == VALUE_NONE)
        return VALUE_NONE;
    if (generator->keyed)
        return bounded(generator, program_reduce(program, kind, a, b, -1));
    const Shape *shape = shape_at(generator, a);
    int axis = (int)below(generator, shape->rank + 1) - 1;
    if (below(generator, 2) == 0)
        axis = (int)shape->rank - 1;
    ValueId sum = program_reduce(program, kind, a, b, axis);
    return bounded(generator,
                   program_map(program, OP_MUL, (ValueId[]){sum, program_const(program, 0.125)}));
}

static ValueId make_kth(Generator *generator) {
    ValueId a = any_value(generator);
    if (value_at(generator, a)->shape == SHAPE_ID_SCALAR)
        return VALUE_NONE;
    uint64_t count = generator->keyed ? 3 : shape_count(shape_at(generator, a));
    return program_kth(generator->program, a, 1 + below(generator, (uint32_t)count));
}

static ValueId make_reshape(Generator *generator) {
    ValueId a = any_value(generator);
    Shape shape = *shape_at(generator, a), reshaped = {0};
    uint64_t left = shape_count(&shape);
    for (int try = 0; try < 12 && reshaped.rank < 3; try++) {
        uint64_t extent = 1 + below(generator, 12);
        if (left % extent != 0 || below(generator, 3) == 0)
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
        uint32_t k = below(generator, i + 1);
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
        begin[i] = below(generator, (uint32_t)shape.dims[i]);
        shape.dims[i] = 1 + below(generator, (uint32_t)(shape.dims[i] - begin[i]));
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
    int axis = (int)below(generator, shape.rank);
    uint32_t n = 2 + below(generator, 2);
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
    uint32_t choice = below(generator, 3);
    if (choice == 0 && !generator->draws)
        return VALUE_NONE;
    if (choice == 0)
        return program_random(generator->program, shape, below(generator, 3), 1);
    if (choice == 1 || generator->keyed)
        return program_const(generator->program, 0.25 * below(generator, 9) - 1);
    uint32_t rank = program_dims(generator->program, shape)->rank;
    if (rank == 0)
        return VALUE_NONE;
    return program_index(generator->program, shape, (int)below(generator, rank));
}

static ValueId make_quantise(Generator *generator) {
    ValueId id = generator->values.items[below(generator, LEAVES)];
    return program_quantise(generator->program, id, below(generator, 2) ? DTYPE_BF16 : DTYPE_I8);
}

static ValueId make_value(Generator *generator) {
    switch (below(generator, generator->keyed ? 10 : 18)) {
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

const Shape random_leaf_shapes[LEAVES] = {
    {2, {4, 6}}, {1, {6}}, {2, {4, 1}}, {3, {2, 3, 4}}, {2, {6, 4}}, {1, {1}}, {0, {0}},
};
const DType random_leaf_dtypes[LEAVES] = {DTYPE_F64, DTYPE_F32, DTYPE_BF16, DTYPE_I64,
                                          DTYPE_F64, DTYPE_F16, DTYPE_F32};
const Shape random_key = {2, {3, 5}};

/* Numbers from -2 to 2, rounded to what the dtype holds. */
static void fill_leaf(Generator *generator, uint32_t slot) {
    const KernelTable *table = kernels_best()->table[COMPUTE_F64];
    DType dtype = random_leaf_dtypes[slot];
    double *numbers = memory_grow(NULL, LEAF_ELEMENTS * sizeof *numbers);
    generator->stored[slot] = memory_grow(NULL, LEAF_ELEMENTS * sizeof *numbers);
    for (uint32_t i = 0; i < LEAF_ELEMENTS; i++)
        numbers[i] = ((double)below(generator, 4000) - 2000) / 1024;
    table->store[dtype](generator->stored[slot], numbers, LEAF_ELEMENTS);
    table->load[dtype](numbers, generator->stored[slot], LEAF_ELEMENTS);
    generator->leaves[slot] = numbers;
}

void generator_init(Generator *generator, uint64_t seed, bool keyed, bool draws) {
    *generator = (Generator){.state = seed, .keyed = keyed, .draws = draws};
    generator->program = program_new(&generator->arena, keyed ? &random_key : NULL);
    for (uint32_t i = 0; i < LEAVES; i++) {
        ShapeId shape =
            keyed ? SHAPE_ID_KEY : program_shape(generator->program, &random_leaf_shapes[i]);
        vector_push(&generator->values,
                    program_leaf(generator->program, i, random_leaf_dtypes[i], shape));
        fill_leaf(generator, i);
    }
}

void generator_free(Generator *generator) {
    for (uint32_t i = 0; i < LEAVES; i++) {
        free(generator->leaves[i]);
        free(generator->stored[i]);
    }
    program_free(generator->program);
    vector_free(&generator->values);
    arena_free(&generator->arena);
}

/* Those too large for a slow test are left out. */
void generate(Generator *generator, uint32_t n) {
    while (n > 0) {
        ValueId id = make_value(generator);
        if (id == VALUE_NONE)
            continue;
        if (!generator->keyed && shape_count(shape_at(generator, id)) > 300)
            continue;
        vector_push(&generator->values, id);
        n--;
    }
}
