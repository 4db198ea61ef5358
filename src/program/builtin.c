#include "program/builtin.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

static Span argument_span(const Call *call, uint32_t i) {
    return call->given[i] != NULL ? call->given[i]->span : call->ast->span;
}

Term argument_wants(const Call *call, uint32_t i, const char *format, ...) {
    Builder what = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&what, format, arguments);
    va_end(arguments);
    Term poison = lower_error(call->lower, argument_span(call, i), "'%.*s' takes %s here",
                              TEXT_ARG(call->name), what.data);
    builder_free(&what);
    return poison;
}

/* ---- reading arguments ---- */

bool argument_number(const Call *call, uint32_t i, double fallback, double *number) {
    *number = fallback;
    if (call->arguments[i].kind == TERM_NULL)
        return true;
    *number = call->arguments[i].number;
    if (call->arguments[i].kind == TERM_NUMBER)
        return true;
    argument_wants(call, i, "a number that is known before evaluation");
    return false;
}

/* A dimension of a tensor, negative ones from the end. */
bool argument_axis(const Call *call, uint32_t i, uint32_t rank, int *axis) {
    double number;
    if (!argument_number(call, i, 0, &number))
        return false;
    if (number < 0)
        number += rank;
    bool fits = number >= 0 && number < rank && number == trunc(number);
    *axis = fits ? (int)number : 0;
    if (!fits)
        argument_wants(call, i, "one of the tensor's dimensions");
    return fits;
}

bool argument_value(const Call *call, uint32_t i) {
    if (term_is_value(call->arguments[i]))
        return true;
    argument_wants(call, i, "a tensor");
    return false;
}

/* A list of whole numbers, or one. */
bool argument_dims(const Call *call, uint32_t i, Shape *shape) {
    Term term = call->arguments[i];
    const Term *items = term.kind == TERM_LIST ? term.items : &call->arguments[i];
    uint32_t n = term.kind == TERM_LIST ? term.n_items : 1;
    *shape = (Shape){.rank = n};
    for (uint32_t k = 0; n <= SHAPE_LIMIT && k < n; k++) {
        double number = items[k].kind == TERM_NUMBER ? items[k].number : NAN;
        if (number != trunc(number) || number < -1) {
            argument_wants(call, i, "whole numbers");
            return false;
        }
        shape->dims[k] = (uint64_t)(int64_t)fmin(number, (double)SHAPE_ELEMENTS + 1);
    }
    if (n > SHAPE_LIMIT)
        argument_wants(call, i, "a shape of fewer dimensions");
    return n <= SHAPE_LIMIT;
}

bool argument_shape(const Call *call, uint32_t i, Shape *shape) {
    if (call->arguments[i].kind != TERM_LIST) {
        bool ok = argument_value(call, i);
        if (ok)
            *shape = *term_dims(call->lower, call->arguments[i]);
        return ok;
    }
    if (!argument_dims(call, i, shape))
        return false;
    if (!shape_is_possible(shape))
        argument_wants(call, i, "a shape that a tensor could have");
    return shape_is_possible(shape);
}

Term map1(Lower *lower, OpCode op, Term a, Span span) {
    return lower_map(lower, op, (Term[]){a, a, a}, span);
}

Term map2(Lower *lower, OpCode op, Term a, Term b, Span span) {
    return lower_map(lower, op, (Term[]){a, b, b}, span);
}

/* ---- the table ---- */

typedef struct Builtin {
    const char *signature, *types;
    Term (*call)(Call *call);
    const char *doc;
} Builtin;

static const Builtin builtins[] = {
#define BUILTIN(signature, types, function, doc) {signature, types, builtin_##function, doc},
#include "program/builtin.def"
#undef BUILTIN
};

enum { N_BUILTINS = sizeof builtins / sizeof *builtins };

static Text signature_name(const char *signature) {
    return (Text){signature, strcspn(signature, "(")};
}

/* The names of a signature's parameters; whether it is variadic; how many must be given. */
typedef struct Formals {
    Text names[PARAMETER_LIMIT];
    uint32_t count, required;
    bool variadic;
} Formals;

static Formals read_formals(const char *signature) {
    Formals formals = {0};
    const char *at = strchr(signature, '(') + 1;
    while (*at != ')') {
        formals.variadic |= *at == '*';
        at += *at == '*';
        size_t length = strcspn(at, ",= )");
        formals.names[formals.count++] = (Text){at, length};
        at += length;
        size_t rest = strcspn(at, ",)");
        if (memchr(at, '=', rest) == NULL)
            formals.required = formals.count;
        at += rest;
        at += strspn(at, ", ");
    }
    return formals;
}

/* Where each name is, and what its signature says: read once. */
static struct {
    Formals formals[N_BUILTINS];
    Names names; /* of the builtins, then of the elementwise operations that no builtin hides */
    OpCode ops[N_BUILTINS + OP_COUNT];
    Arena arena;
} directory;

static void read_directory(void) {
    directory.names.arena = &directory.arena;
    for (uint32_t i = 0; i < N_BUILTINS; i++) {
        directory.formals[i] = read_formals(builtins[i].signature);
        names_add(&directory.names, signature_name(builtins[i].signature));
    }
    for (OpCode op = 0; op < OP_COUNT; op++) {
        uint32_t place = names_add(&directory.names, op_info[op].name);
        directory.ops[place] = op;
    }
}

/* The place of a name in the directory; INDEX_NONE where there is none. */
static uint32_t find_name(Text name) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, read_directory);
    return names_find(&directory.names, name);
}

static int find_formal(const Formals *formals, Text name) {
    for (uint32_t i = 0; i < formals->count; i++)
        if (text_equal(formals->names[i], name))
            return (int)i;
    return -1;
}

/* Evaluates the arguments into their places. A missing key or a mistake among them is the result
 * (in FAILURE). */
static bool bind_arguments(Call *call, const Builtin *builtin, Term *failure) {
    const Formals *formals = &directory.formals[builtin - builtins];
    Lower *lower = call->lower;
    Term *rest = formals->variadic ? arena_array(lower->arena, Term, call->ast->n_items + 1) : NULL;
    *failure = term_null;
    for (uint32_t i = 0, position = 0; i < call->ast->n_items; i++) {
        const Ast *argument = call->ast->items[i];
        int at = argument->text.size > 0 ? find_formal(formals, argument->text) : (int)position++;
        if (at < 0 || (!formals->variadic && (uint32_t)at >= formals->count)) {
            *failure = lower_error(lower, argument->span, "'%.*s' does not take this argument",
                                   TEXT_ARG(call->name));
            diag_hint(lower->diags, "%s", builtin->signature);
            return false;
        }
        Term term = lower_expression(lower, argument->a);
        if (term.kind == TERM_POISON || (term.kind == TERM_ABSENT && failure->kind != TERM_POISON))
            *failure = term;
        if (rest != NULL)
            rest[i] = term;
        if ((uint32_t)at < PARAMETER_LIMIT) {
            call->arguments[at] = term;
            call->given[at] = argument->a;
        }
    }
    call->rest = rest;
    call->n_arguments = call->ast->n_items;
    for (uint32_t i = 0; i < formals->required && failure->kind == TERM_NULL; i++)
        if (call->given[i] == NULL) {
            *failure = lower_error(lower, call->ast->span, "'%.*s' needs a value for '%.*s'",
                                   TEXT_ARG(call->name), TEXT_ARG(formals->names[i]));
            diag_hint(lower->diags, "%s", builtin->signature);
        }
    return failure->kind == TERM_NULL;
}

static bool find_list_failure(Term list, Term *failure) {
    for (uint32_t i = 0; list.kind == TERM_LIST && i < list.n_items; i++)
        if (list.items[i].kind == TERM_POISON || list.items[i].kind == TERM_ABSENT) {
            *failure = list.items[i];
            return true;
        }
    return false;
}

static Term call_builtin(Lower *lower, const Ast *ast, Text name, const Builtin *builtin) {
    Call call = {.lower = lower, .ast = ast, .name = name};
    Term failure;
    for (uint32_t i = 0; i < PARAMETER_LIMIT; i++)
        call.arguments[i].kind = TERM_NULL;
    if (!bind_arguments(&call, builtin, &failure) || find_list_failure(call.arguments[0], &failure))
        return failure;
    return builtin->call(&call);
}

static Term call_elementwise(Lower *lower, const Ast *ast, OpCode op) {
    Term terms[3];
    if (ast->n_items != op_info[op].arity)
        return lower_error(lower, ast->span, "'%.*s' takes %u argument%s",
                           TEXT_ARG(op_info[op].name), op_info[op].arity,
                           op_info[op].arity == 1 ? "" : "s");
    for (uint32_t i = 0; i < ast->n_items; i++)
        terms[i] = lower_expression(lower, ast->items[i]->a);
    return lower_map(lower, op, terms, ast->span);
}

bool lower_builtin(Lower *lower, const Ast *call, Text name, Term *out) {
    uint32_t place = find_name(name);
    if (place == INDEX_NONE)
        return false;
    *out = place < N_BUILTINS
               ? term_bounded(lower, call_builtin(lower, call, name, &builtins[place]), call->span)
               : call_elementwise(lower, call, directory.ops[place]);
    return true;
}

void lower_builtins(void (*each)(void *context, const BuiltinEntry *entry), void *context) {
    static const char *const operands[] = {"()", "(a)", "(a, b)", "(a, b, c)"};
    static const char *const types[] = {"→ […]", "[…] → […]", "[…], […] → […]",
                                        "[…], […], […] → […]"};
    for (uint32_t i = 0; i < N_BUILTINS; i++) {
        Text name = signature_name(builtins[i].signature);
        each(context, &(BuiltinEntry){.name = name,
                                      .parameters = text_from(builtins[i].signature + name.size),
                                      .types = text_from(builtins[i].types),
                                      .doc = text_from(builtins[i].doc)});
    }
    for (OpCode op = 0; op < OP_COUNT; op++)
        each(context, &(BuiltinEntry){.name = op_info[op].name,
                                      .parameters = text_from(operands[op_info[op].arity]),
                                      .types = text_from(types[op_info[op].arity]),
                                      .doc = op_info[op].doc});
}
