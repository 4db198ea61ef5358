#include "opt/rewrite.h"

#include "base/vector.h"
#include "opt/fuse.h"
#include "program/verify.h"

#include <assert.h>
#include <string.h>

#define KIND(name) (1u << VALUE_##name)
#define OP(name)   (1ull << OP_##name)
_Static_assert(OP_COUNT <= 64, "there is a bit for each");

/* In this order. */
const Rewrite rewrites[REWRITE_COUNT] = {
    {"concat", KIND(CONCAT), 0, rewrite_concat,
     "arithmetic on concatenations becomes concatenations of arithmetic"},
    {"simplify", KIND(REDUCE) | KIND(QUANTISE), OP(POW) | OP(DIV), rewrite_simplify,
     "factors leave sums, sums of products become dot products"},
    {"affine", KIND(MAP), 0, rewrite_affine, "chains of sums and scalings become one weighted sum"},
    {"rows", KIND(REDUCE), 0, rewrite_rows,
     "reductions over very long rows are cut into columns and short rows"},
    {"sink", KIND(PERMUTE) | KIND(SLICE) | KIND(STRETCH), 0, rewrite_sink,
     "views move down to what they are views of"},
    {"combine", 0, OP(WHERE) | OP(ABS), rewrite_combine,
     "operations that often follow each other become one that does both"},
};

ValueId rewritten(const Rewriting *rewriting, const Value *value, uint32_t i) {
    ValueId id = rewriting->values[program_operand(rewriting->from, value, i)];
    assert(id != VALUE_NONE);
    return id;
}

static ValueId copy_view(Rewriting *rewriting, const Value *value) {
    Program *to = rewriting->to;
    ValueId operand = rewritten(rewriting, value, 0);
    uint8_t permutation[SHAPE_LIMIT];
    uint64_t begin[SHAPE_LIMIT];
    switch ((ValueKind)value->kind) {
    case VALUE_RESHAPE:
        return program_reshape(to, operand, value->shape);
    case VALUE_STRETCH:
        return program_stretch(to, operand, value->shape);
    case VALUE_PERMUTE:
        for (uint32_t i = 0; i < value->slot; i++)
            permutation[i] = (uint8_t)program_extra(rewriting->from, value, i);
        return program_permute(to, operand, permutation);
    default:
        for (uint32_t i = 0; i < value->slot; i++)
            begin[i] = program_extra(rewriting->from, value, i);
        return program_slice(to, operand, begin, value->shape);
    }
}

/* Those that have any number of operands. */
static ValueId copy_many(Rewriting *rewriting, const Value *value) {
    size_t n = (size_t)value->n_operands + 1, n_parameters = (size_t)value->slot + 1;
    ValueId *operands = memory_grow(NULL, memory_size(n, sizeof *operands));
    double *parameters = memory_grow(NULL, memory_size(n_parameters, sizeof *parameters));
    for (uint32_t i = 0; i < value->n_operands; i++)
        operands[i] = rewritten(rewriting, value, i);
    ValueId id;
    if (value->kind == VALUE_CONCAT) {
        id = program_concat(rewriting->to, operands, value->n_operands, value->axis, value->shape);
    } else {
        for (uint32_t i = 0; i < value->slot; i++)
            parameters[i] = program_parameter(rewriting->from, value, i);
        id = program_whole(rewriting->to, value->op, operands, value->n_operands, parameters,
                           value->slot);
    }
    free(operands);
    free(parameters);
    return id;
}

ValueId rewrite_copy(Rewriting *rewriting, ValueId id) {
    const Value *value = program_value(rewriting->from, id);
    Program *to = rewriting->to;
    ValueId operands[3] = {VALUE_NONE, VALUE_NONE, VALUE_NONE};
    for (uint32_t i = 0; i < value->n_operands && i < 3; i++)
        operands[i] = rewritten(rewriting, value, i);
    switch ((ValueKind)value->kind) {
    case VALUE_CONST:
        return program_const(to, value->number);
    case VALUE_LEAF:
        return program_leaf(to, value->slot, value->dtype, value->shape);
    case VALUE_MAP:
        return program_map(to, value->op, operands);
    case VALUE_QUANTISE:
        return program_quantise(to, operands[0], value->dtype);
    case VALUE_REDUCE:
        return program_reduce(to, value->op, operands[0], operands[1], value->axis);
    case VALUE_KTH:
        return program_kth(to, operands[0], value->k);
    case VALUE_INDEX:
        return program_index(to, value->shape, value->axis);
    case VALUE_RANDOM:
        return program_random(to, value->shape, value->number, value->slot);
    case VALUE_RESHAPE:
    case VALUE_PERMUTE:
    case VALUE_SLICE:
    case VALUE_STRETCH:
        return copy_view(rewriting, value);
    case VALUE_CONCAT:
    case VALUE_WHOLE:
        return copy_many(rewriting, value);
    case VALUE_PART:
        return program_part(to, operands[0], value->slot, value->shape);
    }
    assert(!"a kind of value");
    return VALUE_NONE;
}

bool *mark_reached(const Program *program, const RootSpec *roots, uint32_t n_roots) {
    uint32_t count = program_count(program);
    bool *reached = memory_grow(NULL, (size_t)count + 1);
    memset(reached, 0, (size_t)count + 1);
    for (uint32_t i = 0; i < n_roots; i++)
        reached[roots[i].value] = true;
    for (uint32_t id = count; id-- > 0;) {
        const Value *value = program_value(program, id);
        for (uint32_t i = 0; reached[id] && i < value->n_operands; i++)
            reached[program_operand(program, value, i)] = true;
    }
    return reached;
}

Program *rewrite_apply(Arena *arena, const Program *program, const Rewrite *rewrite,
                       RootSpec *roots, uint32_t n_roots, Compute compute) {
    uint32_t count = program_count(program);
    bool *reached = mark_reached(program, roots, n_roots);
    Rewriting rewriting = {.from = program,
                           .to = program_like(arena, program),
                           .values =
                               memory_grow(NULL, memory_size((size_t)count + 1, sizeof(ValueId))),
                           .compute = compute,
                           .reached = reached,
                           .roots = roots,
                           .n_roots = n_roots};
    for (uint32_t id = 0; id < count; id++) {
        program_set_origin(rewriting.to, program_origin(program, id));
        rewriting.values[id] = reached[id] ? rewrite->value(&rewriting, id) : VALUE_NONE;
    }
    for (uint32_t i = 0; i < n_roots; i++) {
        const Value *root = program_value(program, roots[i].value);
        roots[i].value = rewriting.values[roots[i].value];
        assert(program_value(rewriting.to, roots[i].value)->shape == root->shape);
        (void)root;
    }
    free(reached);
    free(rewriting.values);
    arena_free(&rewriting.scratch);
    return rewriting.to;
}

static void assert_program(const Program *program) {
    Builder fault = {0};
    bool good = verify_program(program, &fault);
    assert(good);
    (void)good;
    builder_free(&fault);
}

/* What kinds of values a program has, as Rewrite tells them. */
typedef struct Contents {
    uint32_t kinds;
    uint64_t ops;
} Contents;

static Contents contents_of(const Program *program) {
    Contents contents = {0};
    for (ValueId id = 0; id < program_count(program); id++) {
        const Value *value = program_value(program, id);
        contents.kinds |= 1u << value->kind;
        if (value->kind == VALUE_MAP)
            contents.ops |= 1ull << value->op;
    }
    return contents;
}

/* What was made before the key's dimensions were asked for may be simpler now in any case. */
static bool has_work(const Rewrite *rewrite, const Program *program, Contents contents) {
    return (contents.kinds & rewrite->kinds) != 0 || (contents.ops & rewrite->ops) != 0 ||
           (rewrite->value == rewrite_simplify && program_asked(program));
}

/* Every rewrite that has something to do once, in order; frees PROGRAM, if there is one. CALLERS is
 * what to start from otherwise. */
static Program *rewrite_round(Arena *arena, Program *program, const Program *callers,
                              RootSpec *roots, uint32_t n_roots, Compute compute) {
    Contents contents = contents_of(program == NULL ? callers : program);
    for (size_t i = 0; i < REWRITE_COUNT; i++) {
        const Program *current = program == NULL ? callers : program;
        if (!has_work(&rewrites[i], current, contents))
            continue;
        Program *next = rewrite_apply(arena, current, &rewrites[i], roots, n_roots, compute);
        assert_program(next);
        if (program != NULL)
            program_free(program);
        program = next;
        contents = contents_of(program);
    }
    /* Where none has anything to do, as with no values at all, the first one makes a copy. */
    return program != NULL ? program
                           : rewrite_apply(arena, callers, &rewrites[0], roots, n_roots, compute);
}

PassList *optimise(Arena *arena, const Program *program, const RootSpec *roots, uint32_t n_roots,
                   const OptimiseOptions *options) {
    RootSpec *current = arena_copy(arena, roots, n_roots * sizeof *roots);
    Program *best = NULL;
    bool asked;
    /* Once a rewrite has asked for the key's dimensions, the constructors know more. */
    do {
        asked = program_asked(best == NULL ? program : best);
        best = rewrite_round(arena, best, program, current, n_roots, options->compute);
    } while (program_asked(best) != asked);
    PassList *passes = fuse(arena, best, current, n_roots, options);
    program_free(best);
    return passes;
}
