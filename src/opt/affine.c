/* Long chains of sums and scalings become one weighted sum.
 *
 * Needs: simplify, which leaves powers and roundings that do nothing out. Promises: no value that
 * something else than such a chain needs is further from the values it is made of than a weighted
 * sum of them. Changes rounding, and towards the exact result: factors are multiplied in f64.
 * (What is taken away again, or has the factor 0, is gone even where it is infinite.) */
#include "opt/rewrite.h"

#include "base/arena.h"

#include <math.h>
#include <string.h>

enum {
    TERM_LIMIT = 8,
    SAVED_LEAST = 4 /* operations: short chains keep the rounding that they spell out */
};

typedef struct AffineTerm {
    ValueId value; /* of `from` */
    double factor;
} AffineTerm;

/* A sum of terms that no two have the same value. */
typedef struct AffineForm {
    uint32_t n;
    uint32_t depth; /* operations one after the other that it replaces */
    AffineTerm terms[TERM_LIMIT];
} AffineForm;

typedef struct Affine {
    const AffineForm **forms; /* by value of `from`, with no more terms than it has; NULL where it
                                 is none of ours */
    bool *inner;              /* by value of `from`: only weighted sums need it */
    bool *replaced;           /* by value of `from`: its form takes its place */
} Affine;

/* What an operation adds up: its operands times these. */
typedef struct Weights {
    uint32_t n;
    uint32_t operands[3];
    double factors[3];
} Weights;

static bool known(const Program *program, const Value *value, uint32_t i, double *number) {
    return program_known(program, program_operand(program, value, i), number) && isfinite(*number);
}

/* False where the operation is no weighted sum of its operands. */
static bool weights_of(const Program *program, const Value *value, Weights *weights) {
    double x;
    if (value->kind != VALUE_MAP || value->shape == SHAPE_ID_SCALAR)
        return false;
    switch ((OpCode)value->op) {
    case OP_ADD:
        *weights = (Weights){2, {0, 1}, {1, 1}};
        return true;
    case OP_SUB:
        *weights = (Weights){2, {0, 1}, {1, -1}};
        return true;
    case OP_NEG:
        *weights = (Weights){1, {0}, {-1}};
        return true;
    case OP_MUL:
        for (uint32_t i = 0; i < 2; i++)
            if (known(program, value, i, &x)) {
                *weights = (Weights){1, {1 - i}, {x}};
                return true;
            }
        return false;
    case OP_DIV:
        *weights = (Weights){1, {0}, {known(program, value, 1, &x) ? 1 / x : NAN}};
        return isfinite(weights->factors[0]);
    case OP_LERP:
        if (!known(program, value, 2, &x))
            return false;
        *weights = (Weights){2, {0, 1}, {1 - x, x}};
        return true;
    case OP_ADDMUL:
        for (uint32_t i = 1; i < 3; i++)
            if (known(program, value, i, &x)) {
                *weights = (Weights){2, {0, 3 - i}, {1, x}};
                return true;
            }
        return false;
    default:
        return false;
    }
}

static bool add_term(AffineForm *form, AffineTerm term) {
    for (uint32_t i = 0; i < form->n; i++)
        if (form->terms[i].value == term.value) {
            form->terms[i].factor += term.factor;
            return true;
        }
    if (form->n == TERM_LIMIT)
        return false;
    form->terms[form->n++] = term;
    return true;
}

/* Operand I with all that it is a sum of, where it is only a step on the way. */
static bool add_operand(const Affine *affine, ValueId operand, double factor, AffineForm *form) {
    const AffineForm *inner = affine->forms[operand];
    if (!affine->inner[operand] || inner == NULL)
        return add_term(form, (AffineTerm){operand, factor});
    for (uint32_t j = 0; j < inner->n; j++) {
        AffineTerm term = {inner->terms[j].value, inner->terms[j].factor * factor};
        if (!isfinite(term.factor) || !add_term(form, term))
            return false;
    }
    form->depth = form->depth > inner->depth + 1 ? form->depth : inner->depth + 1;
    return true;
}

static AffineForm form_of(const Affine *affine, const Program *from, const Value *value,
                          const Weights *weights) {
    AffineForm form = {.depth = 1};
    bool fits = true;
    for (uint32_t i = 0; i < weights->n && fits; i++)
        fits = add_operand(affine, program_operand(from, value, weights->operands[i]),
                           weights->factors[i], &form);
    if (fits)
        return form;
    form = (AffineForm){.depth = 1};
    for (uint32_t i = 0; i < weights->n; i++)
        add_term(&form, (AffineTerm){program_operand(from, value, weights->operands[i]),
                                     weights->factors[i]});
    return form;
}

static ValueId add_up(const Rewriting *rewriting, const AffineForm *form) {
    Program *program = rewriting->to;
    ValueId sum = VALUE_NONE;
    for (uint32_t i = 0; i < form->n; i++) {
        if (form->terms[i].factor == 0)
            continue;
        ValueId x = rewriting->values[form->terms[i].value];
        ValueId factor = program_const(program, form->terms[i].factor);
        if (sum == VALUE_NONE)
            sum = program_map(program, OP_MUL, (ValueId[]){x, factor});
        else if (form->terms[i].factor == 1)
            sum = program_map(program, OP_ADD, (ValueId[]){sum, x});
        else
            sum = program_map(program, OP_ADDMUL, (ValueId[]){sum, x, factor});
    }
    return sum;
}

/* Values are marked from their users, which come after them. */
static void mark_inner(const Rewriting *rewriting, Affine *affine) {
    const Program *from = rewriting->from;
    uint32_t count = program_count(from);
    memset(affine->inner, true, count);
    for (uint32_t i = 0; i < rewriting->n_roots; i++)
        affine->inner[rewriting->roots[i].value] = false;
    for (ValueId id = 0; id < count; id++) {
        const Value *value = program_value(from, id);
        bool sums = weights_of(from, value, &(Weights){0});
        for (uint32_t i = 0; rewriting->reached[id] && !sums && i < value->n_operands; i++)
            affine->inner[program_operand(from, value, i)] = false;
    }
}

/* What cancels out may have been all that had the shape of the sum. */
static bool has_shape(const Program *program, const AffineForm *form, ShapeId shape) {
    bool whole = false;
    for (uint32_t i = 0; i < form->n; i++)
        whole |= form->terms[i].factor != 0 &&
                 program_value(program, form->terms[i].value)->shape == shape;
    return whole;
}

static const AffineForm *keep_form(Arena *arena, const AffineForm *form) {
    return arena_copy(arena, form, offsetof(AffineForm, terms) + form->n * sizeof *form->terms);
}

static void find_forms(Rewriting *rewriting, Affine *affine) {
    for (ValueId id = 0; id < program_count(rewriting->from); id++) {
        const Value *value = program_value(rewriting->from, id);
        Weights weights;
        if (!rewriting->reached[id] || !weights_of(rewriting->from, value, &weights))
            continue;
        AffineForm form = form_of(affine, rewriting->from, value, &weights);
        affine->forms[id] = keep_form(&rewriting->scratch, &form);
        affine->replaced[id] = !affine->inner[id] && form.depth >= form.n + SAVED_LEAST &&
                               has_shape(rewriting->from, &form, value->shape);
    }
}

/* The steps of a chain are not needed any more. */
static void take_back(Rewriting *rewriting, const Affine *affine) {
    bool *reached = rewriting->reached;
    uint32_t count = program_count(rewriting->from);
    memset(reached, false, count);
    for (uint32_t i = 0; i < rewriting->n_roots; i++)
        reached[rewriting->roots[i].value] = true;
    for (ValueId id = count; id-- > 0;) {
        const Value *value = program_value(rewriting->from, id);
        const AffineForm *form = affine->forms[id];
        for (uint32_t i = 0; reached[id] && affine->replaced[id] && i < form->n; i++)
            reached[form->terms[i].value] |= form->terms[i].factor != 0;
        for (uint32_t i = 0; reached[id] && !affine->replaced[id] && i < value->n_operands; i++)
            reached[program_operand(rewriting->from, value, i)] = true;
    }
}

static void affine_begin(Rewriting *rewriting) {
    Affine *affine = arena_new(&rewriting->scratch, Affine);
    uint32_t count = program_count(rewriting->from);
    affine->forms = arena_array(&rewriting->scratch, const AffineForm *, count);
    affine->inner = arena_array(&rewriting->scratch, bool, count);
    affine->replaced = arena_array(&rewriting->scratch, bool, count);
    rewriting->state = affine;
    mark_inner(rewriting, affine);
    find_forms(rewriting, affine);
    take_back(rewriting, affine);
}

/* A weighted sum takes an operation for each of its terms. */
ValueId rewrite_affine(Rewriting *rewriting, ValueId id) {
    if (rewriting->state == NULL)
        affine_begin(rewriting);
    const Affine *affine = rewriting->state;
    return affine->replaced[id] ? add_up(rewriting, affine->forms[id])
                                : rewrite_copy(rewriting, id);
}
