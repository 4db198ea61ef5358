/* The interpreter of method bodies: reads a body once per class of keys and builds what it says. */
#include "kernel/functions.h"
#include "program/term.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

enum {
    CALL_LIMIT = 50,     /* methods calling methods */
    REPEAT_LIMIT = 10000 /* turns */
};

bool term_is_value(Term term) {
    return term.kind == TERM_NUMBER || term.kind == TERM_TENSOR;
}

ValueId term_value(Lower *lower, Term term) {
    return term.kind == TERM_TENSOR ? term.value : program_const(lower->program, term.number);
}

bool term_is_known(Term term) {
    return term.kind == TERM_NUMBER;
}

ShapeId term_shape(Lower *lower, Term term) {
    return term.kind == TERM_TENSOR ? program_value(lower->program, term.value)->shape
                                    : SHAPE_ID_SCALAR;
}

const Shape *term_dims(Lower *lower, Term term) {
    return program_dims(lower->program, term_shape(lower, term));
}

/* ---- names ---- */

static void push_local(Lower *lower, Text name, Term term) {
    vector_push(&lower->locals, (Local){name, term});
}

static const Local *find_local(const Lower *lower, Text name) {
    for (size_t i = lower->locals.count; i > lower->frame; i--)
        if (text_equal(lower->locals.items[i - 1].name, name))
            return &lower->locals.items[i - 1];
    return NULL;
}

typedef struct Visible {
    VECTOR(Text) names;
} Visible;

static void add_visible(void *context, const BuiltinEntry *entry) {
    vector_push(&((Visible *)context)->names, entry->name);
}

static Term unknown(Lower *lower, Text name, Span span) {
    Visible visible = {0};
    for (size_t i = lower->frame; i < lower->locals.count; i++)
        vector_push(&visible.names, lower->locals.items[i].name);
    lower_builtins(add_visible, &visible);
    Text nearest = nearest_name(name, visible.names.items, visible.names.count);
    lower_error(lower, span, "unknown name '%.*s'", TEXT_ARG(name));
    if (nearest.size > 0)
        diag_hint(lower->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    vector_free(&visible.names);
    return term_poison;
}

/* ---- elementwise operations ---- */

static const char *shape_text(Lower *lower, Term term, Builder *out) {
    shape_print(out, term_dims(lower, term));
    return out->data;
}

static Term shapes_differ(Lower *lower, Term a, Term b, Span span) {
    Builder x = {0}, y = {0};
    Text message = text_format(lower->arena, "tensors of the shapes %s and %s do not go together",
                               shape_text(lower, a, &x), shape_text(lower, b, &y));
    Text hint = lower_hint_unequal(lower);
    if (hint.size > 0)
        lower_refuse(lower, span, message, hint);
    else
        lower_error(lower, span, "%.*s", TEXT_ARG(message));
    builder_free(&x);
    builder_free(&y);
    return term_poison;
}

Term term_bounded(Lower *lower, Term term, Span span) {
    const Shape *shape =
        term.kind == TERM_TENSOR ? program_peek(lower->program, term_shape(lower, term)) : NULL;
    if (shape == NULL || shape_is_possible(shape))
        return term;
    Builder text = {0};
    lower_error(lower, span, "a tensor of shape %s would have more than %" PRIu64 " elements",
                shape_text(lower, term, &text), SHAPE_ELEMENTS);
    builder_free(&text);
    return term_poison;
}

/* The common failure of operands: a mistake before a missing key before nothing. */
static bool spoiled(const Term *terms, uint32_t n, Term *out) {
    *out = term_null;
    for (uint32_t i = 0; i < n; i++)
        if (terms[i].kind == TERM_POISON ||
            (terms[i].kind == TERM_ABSENT && out->kind != TERM_POISON))
            *out = terms[i];
    return out->kind != TERM_NULL;
}

/* Known numbers decide about shapes, where the last bit of a logarithm may matter: it is rounded as
 * well as can be, where loops over tensors are content with a bound. */
static double fold_number(OpCode op, double a, double b, double c) {
    if (op != OP_LOG || !(a > 0 && a < INFINITY))
        return uniform_op(op, a, b, c);
    Pair exact = log_pair(a);
    return exact.high + exact.low;
}

static Term fold_map(OpCode op, const Term *terms) {
    uint32_t n = op_info[op].arity;
    double value =
        fold_number(op, terms[0].number, n > 1 ? terms[1].number : 0, n > 2 ? terms[2].number : 0);
    bool truth = (op >= OP_EQ && op <= OP_LE) || (op >= OP_AND && op <= OP_ISFINITE);
    bool whole = op == OP_ADD || op == OP_SUB || op == OP_MUL || op == OP_NEG || op == OP_ABS ||
                 op == OP_MIN || op == OP_MAX || op == OP_SIGN;
    for (uint32_t i = 0; i < n; i++)
        whole &= terms[i].number_kind != NUMBER_FLOAT;
    whole |= op >= OP_FLOOR && op <= OP_TRUNC;
    return term_number(value, truth ? NUMBER_BOOL : whole ? NUMBER_INT : NUMBER_FLOAT);
}

Term lower_map(Lower *lower, OpCode op, const Term *terms, Span span) {
    uint32_t n = op_info[op].arity;
    Term failure;
    if (spoiled(terms, n, &failure))
        return failure;
    bool numbers = true;
    for (uint32_t i = 0; i < n; i++) {
        numbers &= terms[i].kind == TERM_NUMBER;
        if (!term_is_value(terms[i]))
            return lower_error(lower, span, "'%.*s' takes numbers and tensors",
                               TEXT_ARG(op_info[op].name));
    }
    if (numbers)
        return fold_map(op, terms);
    ValueId operands[3];
    ShapeId shape = SHAPE_ID_SCALAR;
    for (uint32_t i = 0; i < n; i++) {
        if (!program_broadcast(lower->program, shape, term_shape(lower, terms[i]), &shape))
            return shapes_differ(lower, terms[0], terms[i], span);
        operands[i] = term_value(lower, terms[i]);
    }
    return term_bounded(lower, term_tensor(program_map(lower->program, op, operands)), span);
}

/* ---- operators ---- */

/* Counts STEPS. False when the bodies ask for too much, and a message the first time. */
static bool spend(Lower *lower, Span span, uint64_t steps) {
    bool before = lower->steps <= lower->steps_limit;
    lower->steps += steps;
    bool enough = lower->steps <= lower->steps_limit;
    if (before && !enough)
        lower_error(lower, span,
                    "the methods expand to more than %" PRIu64 " expressions for one key",
                    lower->steps_limit);
    return enough;
}

/* Joining is as many steps as there are items: lists that double cannot do so for ever. */
static Term join_lists(Lower *lower, Term a, Term b, Span span) {
    if (!spend(lower, span, (uint64_t)a.n_items + b.n_items))
        return term_poison;
    Term *items = arena_array(lower->arena, Term, a.n_items + b.n_items + 1);
    for (uint32_t i = 0; i < a.n_items; i++)
        items[i] = a.items[i];
    for (uint32_t i = 0; i < b.n_items; i++)
        items[a.n_items + i] = b.items[i];
    return (Term){.kind = TERM_LIST, .items = items, .n_items = a.n_items + b.n_items};
}

static bool same_term(Term a, Term b) {
    if (a.kind != b.kind)
        return false;
    switch (a.kind) {
    case TERM_NUMBER:
        return a.number == b.number;
    case TERM_STRING:
        return text_equal(a.text, b.text);
    case TERM_LIST:
        for (uint32_t i = 0; a.n_items == b.n_items && i < a.n_items; i++)
            if (!same_term(a.items[i], b.items[i]))
                return false;
        return a.n_items == b.n_items;
    default:
        return a.kind == TERM_NULL;
    }
}

/* == and != compare words, lists and null as a whole. */
static bool compares_whole(Term a, Term b) {
    return !(term_is_value(a) && term_is_value(b)) && a.kind > TERM_ABSENT && b.kind > TERM_ABSENT;
}

static Term binary(Lower *lower, const Ast *ast, Term a, Term b) {
    if (ast->op == AST_ADD && a.kind == TERM_LIST && b.kind == TERM_LIST)
        return join_lists(lower, a, b, ast->span);
    if ((ast->op == AST_EQ || ast->op == AST_NE) && compares_whole(a, b))
        return term_bool(same_term(a, b) == (ast->op == AST_EQ));
    return lower_operator(lower, ast->op, a, b, ast->span);
}

/* Whether the left side decides: `and`, `or` and `|` then do not look at the right one. */
static bool decides(AstOp op, Term left) {
    if (op == AST_AND || op == AST_OR)
        return term_is_known(left) && (left.number != 0) == (op == AST_OR);
    return op == AST_FALLBACK && left.kind != TERM_ABSENT;
}

/* The value of a step of a chain, with what stands on its left. */
static Term lower_step(Lower *lower, const Ast *step, Term left) {
    if (!decides(step->op, left))
        return binary(lower, step, left, lower_expression(lower, step->b));
    return step->op == AST_FALLBACK ? left : term_bool(step->op == AST_OR);
}

/* Long chains lean to the left: down the spine, then up again. */
static Term lower_binary(Lower *lower, const Ast *ast) {
    if (ast->a->kind != AST_BINARY)
        return lower_step(lower, ast, lower_expression(lower, ast->a));
    VECTOR(const Ast *) spine = {0};
    for (; ast->kind == AST_BINARY; ast = ast->a)
        vector_push(&spine, ast);
    Term left = lower_expression(lower, ast);
    while (spine.count > 0)
        left = lower_step(lower, spine.items[--spine.count], left);
    vector_free(&spine);
    return left;
}

/* A where the condition holds, else B; item by item of lists. */
static Term choose(Lower *lower, Term condition, Term a, Term b, Span span) {
    if (a.kind != TERM_LIST || b.kind != TERM_LIST || a.n_items != b.n_items)
        return lower_map(lower, OP_WHERE, (Term[]){condition, a, b}, span);
    Term *items = arena_array(lower->arena, Term, a.n_items + 1);
    for (uint32_t i = 0; i < a.n_items; i++)
        items[i] = choose(lower, condition, a.items[i], b.items[i], span);
    return (Term){.kind = TERM_LIST, .items = items, .n_items = a.n_items};
}

/* The value of a term of one element, as one of shape []. */
static ValueId single_value(Lower *lower, Term term) {
    return program_reshape(lower->program, term_value(lower, term), SHAPE_ID_SCALAR);
}

/* One branch lacks the key: whether it has a value depends on the condition, and so on what only
 * the evaluation sees. The branch that is there is taken for granted, until it turns out wrong. */
static Term assume(Lower *lower, const Ast *ast, Term condition, Term yes, Term no) {
    bool truth = no.kind == TERM_ABSENT;
    Assumption assumption = {.call = lower->call, .place = ast};
    for (size_t i = 0; i < lower->assumptions.count; i++)
        assumption.occurrence += lower->assumptions.items[i].call == lower->call &&
                                 lower->assumptions.items[i].place == ast;
    Term holds =
        truth ? condition
              : lower_map(lower, OP_NOT, (Term[]){condition, condition, condition}, ast->span);
    bool refuted = false;
    for (uint32_t i = 0; i < lower->n_refuted; i++)
        refuted |= assumption_equal(&lower->refuted[i], &assumption);
    assumption.holds = refuted ? VALUE_NONE : single_value(lower, holds);
    vector_push(&lower->assumptions, assumption);
    return refuted ? term_absent : truth ? yes : no;
}

/* A condition that is known chooses a branch; one that is a single value of a tensor, later,
 * between both. */
static Term lower_if(Lower *lower, const Ast *ast) {
    Term condition = lower_expression(lower, ast->a);
    if (condition.kind == TERM_POISON || condition.kind == TERM_ABSENT)
        return condition;
    if (term_is_known(condition))
        return lower_expression(lower, condition.number != 0 ? ast->b : ast->c);
    if (condition.kind != TERM_TENSOR)
        return lower_error(lower, ast->a->span, "a condition is a number or a truth value");
    if (term_shape(lower, condition) != SHAPE_ID_SCALAR &&
        shape_count(term_dims(lower, condition)) != 1) {
        Term failed =
            lower_error(lower, ast->a->span, "a condition is one value, not a tensor of them");
        diag_hint(lower->diags,
                  "where(condition, a, b) chooses element by element; any(…) and all(…) make one");
        return failed;
    }
    Term yes = lower_expression(lower, ast->b), no = lower_expression(lower, ast->c);
    if ((yes.kind == TERM_ABSENT) != (no.kind == TERM_ABSENT) && yes.kind != TERM_POISON &&
        no.kind != TERM_POISON)
        return assume(lower, ast, condition, yes, no);
    return choose(lower, condition, yes, no, ast->span);
}

/* ---- lists ---- */

static Term lower_list(Lower *lower, const Ast *ast) {
    Term *items = arena_array(lower->arena, Term, ast->n_items + 1);
    for (uint32_t i = 0; i < ast->n_items; i++)
        items[i] = lower_expression(lower, ast->items[i]);
    return (Term){.kind = TERM_LIST, .items = items, .n_items = ast->n_items};
}

static Term lower_comprehension(Lower *lower, const Ast *ast) {
    Term source = lower_expression(lower, ast->b);
    if (source.kind == TERM_POISON || source.kind == TERM_ABSENT)
        return source;
    if (source.kind != TERM_LIST)
        return lower_error(lower, ast->b->span, "'for … in' goes over a list");
    VECTOR(Term) items = {0};
    for (uint32_t i = 0; i < source.n_items && lower->steps <= lower->steps_limit; i++) {
        size_t locals = lower->locals.count;
        push_local(lower, ast->text, source.items[i]);
        Term wanted = ast->c != NULL ? lower_expression(lower, ast->c) : term_bool(true);
        if (!term_is_known(wanted) && wanted.kind != TERM_POISON)
            wanted = lower_error(lower, ast->c->span,
                                 "what a list holds must be known before evaluation");
        if (wanted.kind == TERM_POISON || wanted.number != 0)
            vector_push(&items,
                        wanted.kind == TERM_POISON ? wanted : lower_expression(lower, ast->a));
        lower->locals.count = locals;
    }
    Term list = term_list(lower, items.items, (uint32_t)items.count);
    vector_free(&items);
    return list;
}

/* ---- calls ---- */

static Term lower_block(Lower *lower, const Ast *block);

/* Runs BODY with the bindings pushed since FRAME as its only ones. */
static Term run_body(Lower *lower, const Ast *body, const Scope *scope, size_t frame, Span span) {
    if (lower->depth == CALL_LIMIT)
        return lower_error(lower, span, "methods call methods more than %d deep", CALL_LIMIT);
    Lower outer = *lower;
    lower->frame = frame;
    lower->scope = scope;
    lower->depth++;
    Term result = lower_expression(lower, body);
    lower->frame = outer.frame;
    lower->scope = outer.scope;
    lower->depth = outer.depth;
    lower->locals.count = frame;
    return result;
}

/* Numbers, words and truth values are what the signature says, where they are known. */
static bool fits_type(Lower *lower, const Method *method, uint32_t p, Term term, Span span) {
    const Parameter *parameter = &method->parameters[p];
    bool scalar = parameter->type != PARAMETER_TENSOR;
    bool string = parameter->type == PARAMETER_STRING;
    bool wrong =
        (term.kind == TERM_STRING) != string && (term.kind == TERM_STRING || term_is_value(term));
    wrong |= term.kind == TERM_NULL && !parameter->optional;
    wrong |= scalar && term.kind == TERM_TENSOR && shape_count(term_dims(lower, term)) != 1;
    if (wrong)
        lower_error(lower, span, "'%.*s' of '%.*s' cannot be this value", TEXT_ARG(parameter->name),
                    TEXT_ARG(method->name));
    return !wrong;
}

/* A number that stands for a tensor is a scalar of f32, whatever the compute type, as in sd-mecha.
 */
static Term as_parameter(const Parameter *parameter, Term term) {
    if (parameter->type == PARAMETER_TENSOR && term.kind == TERM_NUMBER)
        term.number = (float)term.number;
    return term;
}

Term lower_method(Lower *lower, const Method *method, const Term *arguments, Span span) {
    size_t frame = lower->locals.count;
    for (uint32_t p = 0; p < method->n_parameters; p++) {
        if (arguments[p].kind == TERM_POISON || !fits_type(lower, method, p, arguments[p], span)) {
            lower->locals.count = frame;
            return term_poison;
        }
        push_local(lower, method->parameters[p].name,
                   as_parameter(&method->parameters[p], arguments[p]));
    }
    return run_body(lower, method->body, method->scope, frame, span);
}

typedef VECTOR(Term) TermVector;

/* The arguments of a call in a body, by the formals of what it calls. */
static bool bind_call(Lower *lower, const Ast *call, const Definition *callee, Term *arguments) {
    const Ast *syntax = callee->syntax;
    bool *given = arena_array(lower->arena, bool, syntax->n_items + 1);
    TermVector variadic = {0};
    bool ok = true;
    for (uint32_t i = 0, position = 0; i < call->n_items && ok; i++) {
        const Ast *argument = call->items[i];
        uint32_t p = 0;
        while (p < syntax->n_items &&
               !(argument->text.size > 0 ? text_equal(syntax->items[p]->text, argument->text)
                                         : p == position || syntax->items[p]->variadic))
            p++;
        position += argument->text.size == 0;
        Term value = lower_expression(lower, argument->a);
        if (p == syntax->n_items || (given[p] && !syntax->items[p]->variadic)) {
            lower_error(lower, argument->span, "'%.*s' does not take this argument",
                        TEXT_ARG(callee->name));
            ok = false;
        } else if (syntax->items[p]->variadic && value.kind == TERM_LIST) {
            for (uint32_t k = 0; k < value.n_items; k++)
                vector_push(&variadic, value.items[k]);
        } else if (syntax->items[p]->variadic) {
            vector_push(&variadic, value);
        } else {
            arguments[p] = value;
            given[p] = true;
        }
    }
    for (uint32_t p = 0; p < syntax->n_items && ok; p++) {
        const Ast *formal = syntax->items[p];
        if (formal->variadic) {
            arguments[p] = term_list(lower, variadic.items, (uint32_t)variadic.count);
        } else if (!given[p] && formal->a == NULL) {
            lower_error(lower, call->span, "'%.*s' needs a value for '%.*s'",
                        TEXT_ARG(callee->name), TEXT_ARG(formal->text));
            ok = false;
        } else if (!given[p]) {
            arguments[p] = lower_expression(lower, formal->a);
        }
    }
    vector_free(&variadic);
    return ok;
}

static Term call_definition(Lower *lower, const Ast *call, const Definition *callee) {
    Term *arguments = arena_array(lower->arena, Term, callee->syntax->n_items + 1);
    if (!bind_call(lower, call, callee, arguments))
        return term_poison;
    if (callee->kind == DEFINITION_METHOD && callee->method->rules != NULL)
        return lower_error(lower, call->span,
                           "a conversion cannot be called in the body of a method");
    if (callee->kind == DEFINITION_METHOD)
        return lower_method(lower, callee->method, arguments, call->span);
    size_t frame = lower->locals.count;
    for (uint32_t p = 0; p < callee->syntax->n_items; p++)
        push_local(lower, callee->syntax->items[p]->text, arguments[p]);
    return run_body(lower, callee->syntax->a, callee->scope, frame, call->span);
}

static Term lower_call(Lower *lower, const Ast *ast) {
    if (ast->a->kind != AST_NAME)
        return lower_error(lower, ast->a->span, "only functions and methods can be called");
    Text name = ast->a->text;
    Term result;
    if (lower_builtin(lower, ast, name, &result))
        return result;
    const Definition *callee = scope_find(lower->scope, DEFINITION_FUNCTION, name);
    if (callee == NULL)
        callee = scope_find(lower->scope, DEFINITION_METHOD, name);
    return callee != NULL ? call_definition(lower, ast, callee)
                          : unknown(lower, name, ast->a->span);
}

/* ---- loops ---- */

/* One turn: the block's bindings, then the next state. DONE is whether (0 or 1, or a value later)
 * it is the last. */
static bool run_turn(Lower *lower, const Ast *block, Term *next, uint32_t n_state, Term *done) {
    const Ast *last = block->items[block->n_items - 1];
    for (uint32_t i = 0; i + 1 < block->n_items; i++) {
        const Ast *statement = block->items[i];
        push_local(lower, statement->text, lower_expression(lower, statement->a));
    }
    assert(last->kind == AST_NEXT && last->n_items == n_state); /* the parser saw to that */
    for (uint32_t i = 0; i < n_state; i++)
        next[i] = lower_expression(lower, last->items[i]);
    *done = last->a != NULL ? lower_expression(lower, last->a) : term_bool(false);
    return done->kind != TERM_POISON;
}

/* repeat COUNT with state = start, … { …; next state', … until condition }
 * Turns are laid out one after the other; what happens after the condition has become true is not
 * kept. */
static Term lower_repeat(Lower *lower, const Ast *ast) {
    Term count = lower_expression(lower, ast->a);
    uint32_t n = ast->n_items;
    if (!term_is_known(count) || !(count.number <= REPEAT_LIMIT))
        return lower_error(lower, ast->a->span,
                           "the count of a repeat is a number up to %d, known before evaluation",
                           REPEAT_LIMIT);
    Term *state = arena_array(lower->arena, Term, n + 1),
         *next = arena_array(lower->arena, Term, n + 1);
    for (uint32_t i = 0; i < n; i++)
        state[i] = lower_expression(lower, ast->items[i]->a);
    Term finished = term_bool(false);
    for (double turn = 0; turn < count.number && lower->steps <= lower->steps_limit; turn++) {
        size_t locals = lower->locals.count;
        for (uint32_t i = 0; i < n; i++)
            push_local(lower, ast->items[i]->text, state[i]);
        Term done;
        bool ok = run_turn(lower, ast->b, next, n, &done);
        lower->locals.count = locals;
        if (!ok)
            return term_poison;
        for (uint32_t i = 0; i < n; i++)
            state[i] = term_is_known(finished)
                           ? next[i]
                           : choose(lower, finished, state[i], next[i], ast->span);
        finished = lower_map(lower, OP_OR, (Term[]){finished, done, done}, ast->span);
        if (term_is_known(finished) && finished.number != 0)
            break;
    }
    return n == 1 ? state[0] : term_list(lower, state, n);
}

/* ---- expressions ---- */

static Term lower_block(Lower *lower, const Ast *block) {
    size_t locals = lower->locals.count;
    Term result = term_null;
    for (uint32_t i = 0; i < block->n_items; i++) {
        const Ast *statement = block->items[i];
        if (statement->kind == AST_BIND)
            push_local(lower, statement->text, lower_expression(lower, statement->a));
        else
            result = lower_expression(lower, statement);
    }
    lower->locals.count = locals;
    return result;
}

static Term lower_name(Lower *lower, const Ast *ast) {
    const Local *local = find_local(lower, ast->text);
    return local != NULL ? local->term : unknown(lower, ast->text, ast->span);
}

Term lower_expression(Lower *lower, const Ast *ast) {
    if (!spend(lower, ast->span, 1))
        return term_poison;
    switch (ast->kind) {
    case AST_NULL:
        return term_null;
    case AST_BOOL:
        return term_number(ast->number, NUMBER_BOOL);
    case AST_INT:
        return term_number(ast->number, NUMBER_INT);
    case AST_FLOAT:
        return term_number(ast->number, NUMBER_FLOAT);
    case AST_STRING:
        return term_string(ast->text);
    case AST_NAME:
        return lower_name(lower, ast);
    case AST_LIST:
        return lower_list(lower, ast);
    case AST_FOR:
        return lower_comprehension(lower, ast);
    case AST_CALL:
        return lower_call(lower, ast);
    case AST_INDEX:
        return lower_index(lower, ast);
    case AST_MEMBER:
        return lower_member(lower, ast);
    case AST_UNARY: {
        Term operand = lower_expression(lower, ast->a);
        return lower_operator(lower, ast->op, operand, operand, ast->span);
    }
    case AST_BINARY:
        return lower_binary(lower, ast);
    case AST_IF:
        return lower_if(lower, ast);
    case AST_BLOCK:
        return lower_block(lower, ast);
    case AST_REPEAT:
        return lower_repeat(lower, ast);
    case AST_ERROR:
        return term_poison;
    default:
        return lower_error(lower, ast->span, "this has no meaning in the body of a method");
    }
}

/* In a rule, operands that are no models go by their names, and so do wildcards. */
static void push_rule_names(Lower *lower, const Method *method, const ConversionRule *rule,
                            const Term *numbers) {
    for (uint32_t p = 0; p < method->n_parameters; p++)
        if (!conversion_converts(method, p))
            push_local(lower, method->parameters[p].name, *numbers++);
    for (uint32_t i = 0; i < rule->n_variables; i++)
        push_local(lower, rule->variables[i].name,
                   rule->variables[i].is_number ? term_number(rule->variables[i].number, NUMBER_INT)
                                                : term_string(rule->variables[i].text));
}

/* The item of a rule's list that is for the key at hand. */
static Term rule_output(Lower *lower, const ConversionRule *rule, Term result) {
    if (rule->output < 0 || result.kind == TERM_POISON || result.kind == TERM_ABSENT)
        return result;
    if (result.kind == TERM_LIST && result.n_items == rule->rule->a->n_items)
        return result.items[rule->output];
    return lower_error(lower, rule->expression->span,
                       "this is a list of %u values, one for each key", rule->rule->a->n_items);
}

Term lower_rule(Lower *lower, const Node *node, const ConversionRule *rule, const Term *sources,
                const Term *numbers) {
    if (rule->expression == NULL)
        return sources[0];
    Lower outer = *lower;
    size_t frame = lower->locals.count;
    lower->rule = rule;
    lower->sources = sources;
    push_rule_names(lower, node->method, rule, numbers);
    Term result = run_body(lower, rule->expression, node->method->scope, frame, rule->rule->span);
    lower->rule = outer.rule;
    lower->sources = outer.sources;
    return rule_output(lower, rule, result);
}
