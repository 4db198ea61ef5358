#include "program/program.h"

#include "base/vector.h"

#include <assert.h>
#include <math.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct Program {
    Shape key;
    bool has_key, asked;
    VECTOR(Value) values;
    VECTOR(uint32_t) origins; /* by value */
    uint32_t origin;
    VECTOR(ValueId) operands;
    VECTOR(uint64_t) extras;
    VECTOR(Shape) shapes;
    HashIndex value_index, shape_index;
};

/* A value that may be there already. */
typedef struct Candidate {
    Value value; /* first_operand and extra are unset */
    const ValueId *operands;
    const uint64_t *extras;
} Candidate;

Program *program_new(Arena *arena, const Shape *key) {
    Program *program = arena_new(arena, Program);
    program->has_key = key != NULL;
    program->asked = key == NULL;
    if (key != NULL)
        program->key = *key;
    Shape scalar = SHAPE_SCALAR;
    program_shape(program, &scalar);
    /* Without a key, number 1 is taken all the same and found by nobody. */
    vector_push(&program->shapes, program->key);
    return program;
}

void program_set_origin(Program *program, uint32_t origin) {
    program->origin = origin;
}

uint32_t program_origin(const Program *program, ValueId id) {
    return program->origins.items[id];
}

Program *program_like(Arena *arena, const Program *model) {
    Program *program = program_new(arena, model->has_key ? &model->key : NULL);
    program->asked = model->asked;
    for (size_t i = program->shapes.count; i < model->shapes.count; i++)
        program_shape(program, &model->shapes.items[i]);
    return program;
}

void program_reserve(Program *program, size_t values) {
    vector_reserve(&program->values, values);
    vector_reserve(&program->origins, values);
    vector_reserve(&program->operands, values);
    index_reserve(&program->value_index, values);
}

void program_free(Program *program) {
    vector_free(&program->values);
    vector_free(&program->origins);
    vector_free(&program->operands);
    vector_free(&program->extras);
    vector_free(&program->shapes);
    index_free(&program->value_index);
    index_free(&program->shape_index);
}

static bool same_shape(const void *context, const void *wanted, uint32_t item) {
    return shape_equal(&((const Program *)context)->shapes.items[item], wanted);
}

ShapeId program_shape(Program *program, const Shape *shape) {
    if (program->has_key && shape->rank > 0 && shape_equal(&program->key, shape))
        return SHAPE_ID_KEY;
    uint64_t hash = XXH3_64bits(shape->dims, shape->rank * sizeof shape->dims[0]);
    uint32_t found = index_find(&program->shape_index, hash, same_shape, program, shape);
    if (found != INDEX_NONE)
        return found;
    index_add(&program->shape_index, hash, (uint32_t)program->shapes.count);
    vector_push(&program->shapes, *shape);
    return (ShapeId)(program->shapes.count - 1);
}

const Shape *program_dims(Program *program, ShapeId shape) {
    assert(shape < program->shapes.count);
    if (shape == SHAPE_ID_KEY)
        program->asked = true;
    return &program->shapes.items[shape];
}

bool program_asked(const Program *program) {
    return program->asked;
}

const Shape *program_peek(const Program *program, ShapeId shape) {
    assert(shape < program->shapes.count);
    return shape == SHAPE_ID_KEY && !program->asked ? NULL : &program->shapes.items[shape];
}

uint32_t program_shapes(const Program *program) {
    return (uint32_t)program->shapes.count;
}

static bool broadcast_dims(Program *program, ShapeId a, ShapeId b, ShapeId *out) {
    Shape both;
    if (!shape_broadcast(program_dims(program, a), program_dims(program, b), &both))
        return false;
    *out = program_shape(program, &both);
    return true;
}

/* Shapes that go together without a look at them, as most do. */
static inline bool broadcast(Program *program, ShapeId a, ShapeId b, ShapeId *out) {
    *out = a == SHAPE_ID_SCALAR ? b : a;
    return a == b || a == SHAPE_ID_SCALAR || b == SHAPE_ID_SCALAR ||
           broadcast_dims(program, a, b, out);
}

bool program_broadcast(Program *program, ShapeId a, ShapeId b, ShapeId *out) {
    return broadcast(program, a, b, out);
}

const Value *program_value(const Program *program, ValueId id) {
    assert(id < program->values.count);
    return &program->values.items[id];
}

ValueId program_operand(const Program *program, const Value *value, uint32_t i) {
    assert(i < value->n_operands);
    return program->operands.items[value->first_operand + i];
}

uint32_t program_count(const Program *program) {
    return (uint32_t)program->values.count;
}

static bool has_extras(uint8_t kind) {
    return kind == VALUE_PERMUTE || kind == VALUE_SLICE || kind == VALUE_WHOLE;
}

uint64_t program_extra(const Program *program, const Value *value, uint32_t i) {
    assert(has_extras(value->kind) && i < value->slot);
    return program->extras.items[value->extra + i];
}

double program_parameter(const Program *program, const Value *value, uint32_t i) {
    uint64_t bits = program_extra(program, value, i);
    double parameter;
    memcpy(&parameter, &bits, sizeof parameter);
    return parameter;
}

/* --- The only place where values are made --- */

/* The number of a constant, a count: whatever the union holds that is no place in the extras. */
static uint64_t payload(const Value *value) {
    return has_extras(value->kind) ? 0 : value->k;
}

static uint64_t hash_candidate(const Candidate *wanted) {
    enum { FEW = 3 };
    const Value *value = &wanted->value;
    struct {
        uint64_t payload;
        uint32_t kinds, shape, slot, n_operands;
        ValueId operands[FEW + 1];
    } fixed = {payload(value),
               value->kind | (uint32_t)value->op << 8 | (uint32_t)value->dtype << 16 |
                   (uint32_t)(uint8_t)value->axis << 24,
               value->shape,
               value->slot,
               value->n_operands,
               {0}};
    bool few = value->n_operands <= FEW;
    for (uint32_t i = 0; few && i < value->n_operands; i++)
        fixed.operands[i] = wanted->operands[i];
    uint64_t hash = XXH3_64bits(&fixed, sizeof fixed);
    if (!few)
        hash = XXH3_64bits_withSeed(wanted->operands, value->n_operands * sizeof(ValueId), hash);
    if (has_extras(value->kind))
        hash = XXH3_64bits_withSeed(wanted->extras, value->slot * sizeof(uint64_t), hash);
    return hash;
}

static bool same_value(const void *context, const void *candidate, uint32_t item) {
    const Program *program = context;
    const Candidate *wanted = candidate;
    const Value *a = &program->values.items[item], *b = &wanted->value;
    return a->kind == b->kind && a->op == b->op && a->dtype == b->dtype && a->axis == b->axis &&
           a->shape == b->shape && a->slot == b->slot && a->n_operands == b->n_operands &&
           payload(a) == payload(b) &&
           (a->n_operands == 0 || memcmp(&program->operands.items[a->first_operand],
                                         wanted->operands, a->n_operands * sizeof(ValueId)) == 0) &&
           (!has_extras(a->kind) || a->slot == 0 ||
            memcmp(&program->extras.items[a->extra], wanted->extras, a->slot * sizeof(uint64_t)) ==
                0);
}

static ValueId value_make(Program *program, Value value, const ValueId *operands,
                          const uint64_t *extras) {
    Candidate candidate = {value, operands, extras};
    uint64_t hash = hash_candidate(&candidate);
    uint32_t found = index_find(&program->value_index, hash, same_value, program, &candidate);
    if (found != INDEX_NONE)
        return found;
    value.first_operand = (uint32_t)program->operands.count;
    for (uint32_t i = 0; i < value.n_operands; i++)
        vector_push(&program->operands, operands[i]);
    if (has_extras(value.kind)) {
        value.extra = (uint32_t)program->extras.count;
        for (uint32_t i = 0; i < value.slot; i++)
            vector_push(&program->extras, extras[i]);
    }
    index_add(&program->value_index, hash, (uint32_t)program->values.count);
    vector_push(&program->values, value);
    vector_push(&program->origins, program->origin);
    return (ValueId)(program->values.count - 1);
}

static ValueId make_unary(Program *program, Value value, ValueId operand) {
    value.n_operands = 1;
    return value_make(program, value, &operand, NULL);
}

/* --- What is known of values --- */

static const Value *value_at(const Program *program, ValueId id) {
    return &program->values.items[id];
}

static ValueId operand_of(const Program *program, ValueId id, uint32_t i) {
    return program_operand(program, value_at(program, id), i);
}

static ShapeId shape_of(const Program *program, ValueId id) {
    return value_at(program, id)->shape;
}

static bool is_kind(const Program *program, ValueId id, ValueKind kind) {
    return value_at(program, id)->kind == kind;
}

static bool is_map(const Program *program, ValueId id, OpCode op) {
    return is_kind(program, id, VALUE_MAP) && value_at(program, id)->op == op;
}

/* The [] value that ID is everywhere, or ID itself. */
static ValueId unstretched(const Program *program, ValueId id) {
    if (!is_kind(program, id, VALUE_STRETCH))
        return id;
    ValueId operand = operand_of(program, id, 0);
    return shape_of(program, operand) == SHAPE_ID_SCALAR ? operand : id;
}

static bool is_uniform(const Program *program, ValueId id) {
    return shape_of(program, unstretched(program, id)) == SHAPE_ID_SCALAR;
}

/* Whether the shape is known, without asking, to have COUNT elements. */
static bool has_count(const Program *program, ShapeId shape, uint64_t count) {
    const Shape *dims = program_peek(program, shape);
    return dims != NULL && shape_count(dims) == count;
}

bool program_known(const Program *program, ValueId id, double *number) {
    id = unstretched(program, id);
    if (!is_kind(program, id, VALUE_CONST))
        return false;
    *number = value_at(program, id)->number;
    return true;
}

static bool is_number(const Program *program, ValueId id, double number) {
    double known;
    return program_known(program, id, &known) && known == number;
}

/* --- Leaves --- */

ValueId program_const(Program *program, double number) {
    return value_make(program, (Value){.kind = VALUE_CONST, .number = number}, NULL, NULL);
}

ValueId program_leaf(Program *program, uint32_t slot, DType dtype, ShapeId shape) {
    Value value = {.kind = VALUE_LEAF, .dtype = (uint8_t)dtype, .shape = shape, .slot = slot};
    return value_make(program, value, NULL, NULL);
}

ValueId program_index(Program *program, ShapeId shape, int axis) {
    const Shape *dims = program_dims(program, shape);
    assert(axis >= 0 && (uint32_t)axis < dims->rank);
    if (dims->dims[axis] <= 1)
        return program_stretch(program, program_const(program, 0), shape);
    Value value = {.kind = VALUE_INDEX, .axis = (int8_t)axis, .shape = shape};
    return value_make(program, value, NULL, NULL);
}

ValueId program_random(Program *program, ShapeId shape, double seed, uint32_t stream) {
    Value value = {.kind = VALUE_RANDOM, .shape = shape, .number = seed, .slot = stream};
    return value_make(program, value, NULL, NULL);
}

/* --- Elementwise --- */

static ValueId map1(Program *program, OpCode op, ValueId a) {
    return program_map(program, op, (ValueId[3]){a});
}

static ValueId map2(Program *program, OpCode op, ValueId a, ValueId b) {
    return program_map(program, op, (ValueId[3]){a, b});
}

static bool is_idempotent(OpCode op) {
    return op == OP_ABS || op == OP_SIGN || op == OP_FLOOR || op == OP_CEIL || op == OP_ROUND ||
           op == OP_TRUNC;
}

static ValueId simpler_unary(Program *program, OpCode op, ValueId a) {
    if (!is_kind(program, a, VALUE_MAP))
        return VALUE_NONE;
    OpCode inner = value_at(program, a)->op;
    ValueId x = operand_of(program, a, 0);
    if (op == OP_NEG && inner == OP_NEG)
        return x;
    if (op == OP_NEG && inner == OP_SUB)
        return map2(program, OP_SUB, operand_of(program, a, 1), x);
    if (op == OP_ABS && inner == OP_NEG)
        return map1(program, OP_ABS, x);
    if (op == OP_NOT && (inner == OP_EQ || inner == OP_NE))
        return map2(program, inner == OP_EQ ? OP_NE : OP_EQ, x, operand_of(program, a, 1));
    return op == inner && is_idempotent(op) ? a : VALUE_NONE;
}

static ValueId simpler_sum(Program *program, OpCode op, ValueId a, ValueId b) {
    if (is_number(program, b, 0))
        return a;
    if (is_number(program, a, 0))
        return op == OP_ADD ? b : map1(program, OP_NEG, b);
    if (is_map(program, b, OP_NEG))
        return map2(program, op == OP_ADD ? OP_SUB : OP_ADD, a, operand_of(program, b, 0));
    if (op == OP_ADD && is_map(program, a, OP_NEG))
        return map2(program, OP_SUB, b, operand_of(program, a, 0));
    return VALUE_NONE;
}

static ValueId simpler_binary(Program *program, OpCode op, ValueId a, ValueId b) {
    double number;
    switch (op) {
    case OP_ADD:
    case OP_SUB:
        return simpler_sum(program, op, a, b);
    case OP_MUL:
        if (is_number(program, a, 1) || is_number(program, a, -1))
            return is_number(program, a, 1) ? b : map1(program, OP_NEG, b);
        /* fall through */
    case OP_DIV:
        if (is_number(program, b, 1) || is_number(program, b, -1))
            return is_number(program, b, 1) ? a : map1(program, OP_NEG, a);
        return VALUE_NONE;
    case OP_MIN:
    case OP_MAX:
        return a == b ? a : VALUE_NONE;
    case OP_POW:
        if (is_number(program, b, 0) || is_number(program, a, 1))
            return program_const(program, 1);
        return is_number(program, b, 1) ? a : VALUE_NONE;
    case OP_AND:
        return is_number(program, a, 0) || is_number(program, b, 0) ? program_const(program, 0)
                                                                    : VALUE_NONE;
    case OP_OR:
        return (program_known(program, a, &number) && number != 0) ||
                       (program_known(program, b, &number) && number != 0)
                   ? program_const(program, 1)
                   : VALUE_NONE;
    default:
        return VALUE_NONE;
    }
}

static ValueId simpler_ternary(Program *program, OpCode op, ValueId a, ValueId b, ValueId c) {
    double number;
    switch (op) {
    case OP_WHERE:
        if (program_known(program, a, &number))
            return number != 0 ? b : c;
        if (is_map(program, a, OP_NOT))
            return program_map(program, OP_WHERE, (ValueId[]){operand_of(program, a, 0), c, b});
        return b == c ? b : VALUE_NONE;
    case OP_LERP:
        if (a == b || is_number(program, c, 0))
            return a;
        return is_number(program, c, 1) ? b : VALUE_NONE;
    case OP_ADDMUL:
        if (is_number(program, a, 0))
            return map2(program, OP_MUL, b, c);
        if (is_number(program, b, 1))
            return map2(program, OP_ADD, a, c);
        return is_number(program, c, 1) ? map2(program, OP_ADD, a, b) : VALUE_NONE;
    default:
        return VALUE_NONE;
    }
}

/* A value equal to op of the operands for all finite ones, or VALUE_NONE. */
static ValueId simpler(Program *program, OpCode op, const ValueId *operands) {
    double known[3] = {0};
    unsigned n_known = 0, arity = op_info[op].arity;
    for (unsigned i = 0; i < arity; i++)
        n_known += program_known(program, operands[i], &known[i]);
    if (n_known == arity)
        return program_const(program, uniform_op(op, known[0], known[1], known[2]));
    switch (arity) {
    case 1:
        return simpler_unary(program, op, operands[0]);
    case 2:
        return simpler_binary(program, op, operands[0], operands[1]);
    default:
        return simpler_ternary(program, op, operands[0], operands[1], operands[2]);
    }
}

ValueId program_map(Program *program, OpCode op, const ValueId *operands) {
    unsigned arity = op_info[op].arity;
    ValueId own[3];
    ShapeId shape = SHAPE_ID_SCALAR, inner = SHAPE_ID_SCALAR;
    for (unsigned i = 0; i < arity; i++) {
        own[i] = unstretched(program, operands[i]);
        bool fits = broadcast(program, shape, shape_of(program, operands[i]), &shape) &&
                    broadcast(program, inner, shape_of(program, own[i]), &inner);
        assert(fits);
        (void)fits;
    }
    for (unsigned i = 0; i < arity; i++)
        if (shape_of(program, own[i]) != SHAPE_ID_SCALAR && shape_of(program, own[i]) != inner) {
            own[i] = program_stretch(program, own[i], inner);
            own[i] = unstretched(program, own[i]);
        }
    ValueId found = simpler(program, op, own);
    if (found != VALUE_NONE)
        return program_stretch(program, found, shape);
    Value value = {.kind = VALUE_MAP, .op = (uint8_t)op, .shape = SHAPE_ID_SCALAR};
    for (unsigned i = 0; i < arity; i++)
        if (shape_of(program, own[i]) != SHAPE_ID_SCALAR)
            value.shape = inner;
    value.n_operands = arity;
    return program_stretch(program, value_make(program, value, own, NULL), shape);
}

static double quantised(double number, DType dtype) {
    double rounded;
    kernels_best()->table[COMPUTE_F64]->quantise[dtype](&rounded, &number, 1);
    return rounded;
}

ValueId program_quantise(Program *program, ValueId operand, DType dtype) {
    ValueId inner = unstretched(program, operand);
    ShapeId shape = shape_of(program, operand);
    double number;
    if (program_known(program, inner, &number))
        return program_stretch(program, program_const(program, quantised(number, dtype)), shape);
    const Value *value = value_at(program, inner);
    if ((value->kind == VALUE_QUANTISE || value->kind == VALUE_LEAF) && value->dtype == dtype)
        return operand;
    Value rounded = {.kind = VALUE_QUANTISE, .dtype = (uint8_t)dtype, .shape = value->shape};
    return program_stretch(program, make_unary(program, rounded, inner), shape);
}

/* --- Reductions --- */

static ValueId reduce_make(Program *program, ReduceKind kind, ValueId a, ValueId b, int axis,
                           ShapeId shape) {
    Value value = {.kind = VALUE_REDUCE,
                   .op = (uint8_t)kind,
                   .axis = (int8_t)axis,
                   .shape = shape,
                   .n_operands = kind == REDUCE_DOT ? 2 : 1};
    return value_make(program, value, (ValueId[]){a, b}, NULL);
}

/* The reduction of COUNT elements that are all U. */
static ValueId reduce_uniform(Program *program, ReduceKind kind, ValueId u, ValueId second,
                              uint64_t count) {
    switch (kind) {
    case REDUCE_SUM:
        return map2(program, OP_MUL, u, program_const(program, (double)count));
    case REDUCE_DOT:
        return map2(program, OP_MUL, map2(program, OP_MUL, u, second),
                    program_const(program, (double)count));
    case REDUCE_ANY:
        return map2(program, OP_NE, u, program_const(program, 0));
    default:
        return u;
    }
}

static ValueId empty_reduction(Program *program, ReduceKind kind) {
    Accumulator empty = accumulator_empty(kind);
    return program_const(program, accumulator_result(kind, &empty));
}

static bool needs_count(ReduceKind kind) {
    return kind == REDUCE_SUM || kind == REDUCE_DOT;
}

/* The value beneath views that only rearrange all of its elements. */
static ValueId unordered(const Program *program, ValueId id) {
    while (is_kind(program, id, VALUE_RESHAPE) || is_kind(program, id, VALUE_PERMUTE))
        id = operand_of(program, id, 0);
    return id;
}

static ValueId reduce_all(Program *program, ReduceKind kind, ValueId a, ValueId b) {
    ShapeId shape = shape_of(program, a);
    if (has_count(program, shape, 0))
        return empty_reduction(program, kind);
    if (is_uniform(program, a)) {
        uint64_t count = needs_count(kind) ? shape_count(program_dims(program, shape)) : 1;
        return reduce_uniform(program, kind, unstretched(program, a),
                              kind == REDUCE_DOT ? unstretched(program, b) : VALUE_NONE, count);
    }
    if (has_count(program, shape, 1)) {
        ValueId x = program_reshape(program, a, SHAPE_ID_SCALAR);
        ValueId y = kind == REDUCE_DOT ? program_reshape(program, b, SHAPE_ID_SCALAR) : VALUE_NONE;
        return reduce_uniform(program, kind, x, y, 1);
    }
    if (kind != REDUCE_DOT)
        a = unordered(program, a);
    return reduce_make(program, kind, a, b, -1, SHAPE_ID_SCALAR);
}

static ValueId reduce_axis(Program *program, ReduceKind kind, ValueId a, ValueId b, int axis) {
    const Shape *dims = program_dims(program, shape_of(program, a));
    assert((uint32_t)axis < dims->rank);
    uint64_t extent = dims->dims[axis], count = shape_count(dims);
    Shape reduced = *dims;
    reduced.dims[axis] = 1;
    ShapeId shape = program_shape(program, &reduced);
    if (extent == 0)
        return program_stretch(program, empty_reduction(program, kind), shape);
    bool uniform = is_uniform(program, a) && (kind != REDUCE_DOT || is_uniform(program, b));
    if (extent == 1 || uniform)
        return program_stretch(
            program,
            reduce_uniform(program, kind, unstretched(program, a),
                           kind == REDUCE_DOT ? unstretched(program, b) : VALUE_NONE, extent),
            shape);
    if (count == extent)
        return program_stretch(program, reduce_all(program, kind, a, b), shape);
    return reduce_make(program, kind, a, b, axis, shape);
}

ValueId program_reduce(Program *program, ReduceKind kind, ValueId operand, ValueId second,
                       int axis) {
    assert(kind != REDUCE_DOT || shape_of(program, operand) == shape_of(program, second));
    if (kind == REDUCE_DOT && second < operand) {
        ValueId first = operand;
        operand = second;
        second = first;
    }
    if (kind == REDUCE_DOT && is_uniform(program, operand) != is_uniform(program, second)) {
        bool first = is_uniform(program, operand);
        ValueId factor = unstretched(program, first ? operand : second);
        ValueId sum =
            program_reduce(program, REDUCE_SUM, first ? second : operand, VALUE_NONE, axis);
        return map2(program, OP_MUL, factor, sum);
    }
    return axis < 0 ? reduce_all(program, kind, operand, second)
                    : reduce_axis(program, kind, operand, second, axis);
}

ValueId program_kth(Program *program, ValueId operand, uint64_t k) {
    if (is_uniform(program, operand))
        return unstretched(program, operand);
    if (has_count(program, shape_of(program, operand), 1))
        return program_reshape(program, operand, SHAPE_ID_SCALAR);
    return make_unary(program, (Value){.kind = VALUE_KTH, .k = k}, unordered(program, operand));
}

/* --- Views --- */

ValueId program_reshape(Program *program, ValueId operand, ShapeId shape) {
    if (shape_of(program, operand) == shape)
        return operand;
    if (is_uniform(program, operand))
        return program_stretch(program, unstretched(program, operand), shape);
    const Value *value = value_at(program, operand);
    if (value->kind == VALUE_RESHAPE)
        return program_reshape(program, program_operand(program, value, 0), shape);
    if (value->kind == VALUE_RANDOM)
        return program_random(program, shape, value->number, value->slot);
    return make_unary(program, (Value){.kind = VALUE_RESHAPE, .shape = shape}, operand);
}

/* Whether the dimensions that have more than one element keep their order. */
static bool permutation_keeps_order(const Shape *dims, const uint64_t *permutation) {
    uint64_t last = 0;
    for (uint32_t i = 0; i < dims->rank; i++) {
        if (dims->dims[permutation[i]] == 1)
            continue;
        if (permutation[i] < last)
            return false;
        last = permutation[i];
    }
    return true;
}

ValueId program_permute(Program *program, ValueId operand, const uint8_t *permutation) {
    const Shape dims = *program_dims(program, shape_of(program, operand));
    Shape moved = {.rank = dims.rank};
    uint64_t extras[SHAPE_LIMIT] = {0};
    for (uint32_t i = 0; i < dims.rank; i++) {
        assert(permutation[i] < dims.rank);
        extras[i] = permutation[i];
        moved.dims[i] = dims.dims[permutation[i]];
    }
    ShapeId shape = program_shape(program, &moved);
    if (is_uniform(program, operand) || permutation_keeps_order(&dims, extras))
        return program_reshape(program, operand, shape);
    const Value *value = value_at(program, operand);
    if (value->kind == VALUE_PERMUTE) {
        uint8_t both[SHAPE_LIMIT] = {0};
        for (uint32_t i = 0; i < dims.rank; i++)
            both[i] = (uint8_t)program_extra(program, value, permutation[i]);
        return program_permute(program, program_operand(program, value, 0), both);
    }
    Value permuted = {.kind = VALUE_PERMUTE, .shape = shape, .n_operands = 1, .slot = dims.rank};
    return value_make(program, permuted, &operand, extras);
}

ValueId program_slice(Program *program, ValueId operand, const uint64_t *begin, ShapeId shape) {
    if (shape_of(program, operand) == shape)
        return operand;
    if (is_uniform(program, operand))
        return program_stretch(program, unstretched(program, operand), shape);
    uint32_t rank = program_dims(program, shape)->rank;
    program_dims(program, shape_of(program, operand));
    const Value *value = value_at(program, operand);
    uint64_t extras[SHAPE_LIMIT] = {0};
    bool sliced = value->kind == VALUE_SLICE;
    for (uint32_t i = 0; i < rank; i++)
        extras[i] = begin[i] + (sliced ? program_extra(program, value, i) : 0);
    if (sliced)
        return program_slice(program, program_operand(program, value, 0), extras, shape);
    Value slice = {.kind = VALUE_SLICE, .shape = shape, .n_operands = 1, .slot = rank};
    return value_make(program, slice, &operand, extras);
}

ValueId program_stretch(Program *program, ValueId operand, ShapeId shape) {
    ShapeId from = shape_of(program, operand);
    if (from == shape)
        return operand;
    Value stretched = {.kind = VALUE_STRETCH, .shape = shape};
    if (from == SHAPE_ID_SCALAR)
        return make_unary(program, stretched, operand);
    if (is_kind(program, operand, VALUE_STRETCH))
        return program_stretch(program, operand_of(program, operand, 0), shape);
    uint64_t count = shape_count(program_dims(program, from));
    if (count == shape_count(program_dims(program, shape)))
        return program_reshape(program, operand, shape);
    if (count == 1)
        return program_stretch(program, program_reshape(program, operand, SHAPE_ID_SCALAR), shape);
    return make_unary(program, stretched, operand);
}

ValueId program_concat(Program *program, const ValueId *operands, uint32_t n, int axis,
                       ShapeId shape) {
    /* Parts without elements leave no trace. */
    ValueId *parts = memory_grow(NULL, memory_size(n + 1, sizeof *parts));
    uint32_t n_parts = 0;
    program_dims(program, shape);
    for (uint32_t i = 0; i < n; i++)
        if (program_dims(program, shape_of(program, operands[i]))->dims[axis] > 0)
            parts[n_parts++] = operands[i];
    Value value = {
        .kind = VALUE_CONCAT, .axis = (int8_t)axis, .shape = shape, .n_operands = n_parts};
    ValueId result;
    if (n_parts == 0)
        result = program_stretch(program, program_const(program, 0), shape);
    else if (n_parts == 1)
        result = parts[0];
    else
        result = value_make(program, value, parts, NULL);
    free(parts);
    return result;
}

/* --- Primitives that hold whole tensors --- */

ValueId program_whole(Program *program, WholeOp op, const ValueId *operands, uint32_t n,
                      const double *parameters, uint32_t n_parameters) {
    for (uint32_t i = 0; i < n; i++)
        program_dims(program, shape_of(program, operands[i]));
    Value value = {.kind = VALUE_WHOLE, .op = (uint8_t)op, .n_operands = n, .slot = n_parameters};
    uint64_t *bits = memory_grow(NULL, memory_size(n_parameters + 1, sizeof *bits));
    if (n_parameters > 0)
        memcpy(bits, parameters, n_parameters * sizeof *bits);
    ValueId whole = value_make(program, value, operands, bits);
    free(bits);
    return whole;
}

ValueId program_part(Program *program, ValueId whole, uint32_t part, ShapeId shape) {
    return make_unary(program, (Value){.kind = VALUE_PART, .shape = shape, .slot = part}, whole);
}
