/* The functions of the tensor language: what bodies of methods are made of, besides operators.
 *
 * Each row of the table has the signature (whose names are its keywords too, and whose `= null` are
 * left out freely) and one line of description; the elementwise ones come from kernel/op.def. */
#include "program/term.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { PARAMETER_LIMIT = 8 };

/* A call of a builtin while it is worked on. */
typedef struct Call {
    Lower *lower;
    const Ast *ast;
    Text name;
    Term arguments[PARAMETER_LIMIT]; /* by place in the signature; null where left out */
    const Ast *given[PARAMETER_LIMIT];
    uint32_t n_arguments; /* the number given, where the signature is variadic */
    const Term *rest;     /* of a variadic one: all arguments */
} Call;

static Span argument_span(const Call *call, uint32_t i) {
    return call->given[i] != NULL ? call->given[i]->span : call->ast->span;
}

static Term wants(const Call *call, uint32_t i, const char *what) {
    return lower_error(call->lower, argument_span(call, i), "'%.*s' takes %s here",
                       TEXT_ARG(call->name), what);
}

/* ---- reading arguments ---- */

static bool get_number(const Call *call, uint32_t i, double fallback, double *number) {
    *number = fallback;
    if (call->arguments[i].kind == TERM_NULL)
        return true;
    *number = call->arguments[i].number;
    if (call->arguments[i].kind == TERM_NUMBER)
        return true;
    wants(call, i, "a number that is known before evaluation");
    return false;
}

/* A dimension of a tensor, negative ones from the end. */
static bool get_axis(const Call *call, uint32_t i, uint32_t rank, int *axis) {
    double number;
    if (!get_number(call, i, 0, &number))
        return false;
    if (number < 0)
        number += rank;
    *axis = (int)number;
    if (number >= 0 && number < rank && number == trunc(number))
        return true;
    wants(call, i, "one of the tensor's dimensions");
    return false;
}

static bool get_value(const Call *call, uint32_t i) {
    if (term_is_value(call->arguments[i]))
        return true;
    wants(call, i, "a tensor");
    return false;
}

/* A list of whole numbers, or one. */
static bool get_dims(const Call *call, uint32_t i, Shape *shape) {
    Term term = call->arguments[i];
    const Term *items = term.kind == TERM_LIST ? term.items : &call->arguments[i];
    uint32_t n = term.kind == TERM_LIST ? term.n_items : 1;
    *shape = (Shape){.rank = n};
    for (uint32_t k = 0; n <= SHAPE_LIMIT && k < n; k++) {
        bool whole = items[k].kind == TERM_NUMBER && items[k].number == trunc(items[k].number);
        if (!whole || items[k].number < -1) {
            wants(call, i, "whole numbers");
            return false;
        }
        shape->dims[k] = (uint64_t)(int64_t)items[k].number;
    }
    if (n > SHAPE_LIMIT)
        wants(call, i, "a shape of fewer dimensions");
    return n <= SHAPE_LIMIT;
}

static Term map1(Lower *lower, OpCode op, Term a, Span span) {
    return lower_map(lower, op, (Term[]){a, a, a}, span);
}

static Term map2(Lower *lower, OpCode op, Term a, Term b, Span span) {
    return lower_map(lower, op, (Term[]){a, b, b}, span);
}

/* ---- reductions ---- */

/* The shape without a dimension, which a reduction leaves with extent 1. */
static Term drop_axis(Lower *lower, ValueId value, int axis) {
    Shape shape = *program_dims(lower->program, program_value(lower->program, value)->shape);
    for (uint32_t i = (uint32_t)axis; i + 1 < shape.rank; i++)
        shape.dims[i] = shape.dims[i + 1];
    shape.dims[--shape.rank] = 0;
    return term_tensor(
        program_reshape(lower->program, value, program_shape(lower->program, &shape)));
}

/* A reduction of argument 0 (and SECOND), whole or along the axis that argument AXIS says; KEEP
 * leaves that dimension as 1. */
static Term reduce(Call *call, ReduceKind kind, Term operand, Term second, uint32_t axis_at) {
    Lower *lower = call->lower;
    bool whole = call->arguments[axis_at].kind == TERM_NULL;
    int axis = -1;
    if (!whole && !get_axis(call, axis_at, term_dims(lower, operand)->rank, &axis))
        return term_poison;
    ValueId value =
        program_reduce(lower->program, kind, term_value(lower, operand),
                       kind == REDUCE_DOT ? term_value(lower, second) : VALUE_NONE, axis);
    Term keep = call->arguments[axis_at + 1];
    if (whole || (keep.kind == TERM_NUMBER && keep.number != 0))
        return term_tensor(value);
    return drop_axis(lower, value, axis);
}

static Term fold_list(Call *call, OpCode op, Term list, double empty) {
    Term total = list.n_items > 0 ? list.items[0] : term_number(empty, NUMBER_INT);
    for (uint32_t i = 1; i < list.n_items; i++)
        total = map2(call->lower, op, total, list.items[i], call->ast->span);
    return total;
}

static Term call_sum(Call *call) {
    if (call->arguments[0].kind == TERM_LIST)
        return fold_list(call, OP_ADD, call->arguments[0], 0);
    return get_value(call, 0) ? reduce(call, REDUCE_SUM, call->arguments[0], term_null, 1)
                              : term_poison;
}

/* The number of elements that a reduction joins into one. */
static Term extent_of(Call *call, uint32_t axis_at) {
    const Shape *dims = term_dims(call->lower, call->arguments[0]);
    int axis;
    if (call->arguments[axis_at].kind == TERM_NULL)
        return term_number((double)shape_count(dims), NUMBER_INT);
    return get_axis(call, axis_at, dims->rank, &axis)
               ? term_number((double)dims->dims[axis], NUMBER_INT)
               : term_poison;
}

static Term call_mean(Call *call) {
    if (call->arguments[0].kind == TERM_LIST)
        return map2(call->lower, OP_DIV, fold_list(call, OP_ADD, call->arguments[0], 0),
                    term_number(call->arguments[0].n_items, NUMBER_INT), call->ast->span);
    Term total = call_sum(call);
    return total.kind == TERM_POISON
               ? total
               : map2(call->lower, OP_DIV, total, extent_of(call, 1), call->ast->span);
}

static Term call_dot(Call *call) {
    Lower *lower = call->lower;
    if (!get_value(call, 0) || !get_value(call, 1))
        return term_poison;
    ShapeId shape;
    if (!program_broadcast(lower->program, term_shape(lower, call->arguments[0]),
                           term_shape(lower, call->arguments[1]), &shape))
        return map2(lower, OP_MUL, call->arguments[0], call->arguments[1], call->ast->span);
    Term operands[2];
    for (uint32_t i = 0; i < 2; i++)
        operands[i] = term_tensor(
            program_stretch(lower->program, term_value(lower, call->arguments[i]), shape));
    return reduce(call, REDUCE_DOT, operands[0], operands[1], 2);
}

static Term call_norm(Call *call) {
    if (!get_value(call, 0))
        return term_poison;
    Term squares = reduce(call, REDUCE_DOT, call->arguments[0], call->arguments[0], 1);
    return map1(call->lower, OP_SQRT, squares, call->ast->span);
}

/* min and max: of a list, of several values, or over a tensor. */
static Term extreme(Call *call, ReduceKind kind, OpCode op) {
    if (call->n_arguments > 1) {
        Term list = {.kind = TERM_LIST, .items = call->rest, .n_items = call->n_arguments};
        return fold_list(call, op, list, 0);
    }
    Term only = call->n_arguments == 1 ? call->rest[0] : term_null;
    if (only.kind == TERM_LIST && only.n_items > 0)
        return fold_list(call, op, only, 0);
    if (!term_is_value(only))
        return lower_error(call->lower, call->ast->span,
                           "'%.*s' takes values, a list of them, or a tensor",
                           TEXT_ARG(call->name));
    return term_tensor(
        program_reduce(call->lower->program, kind, term_value(call->lower, only), VALUE_NONE, -1));
}

static Term call_min(Call *call) {
    return extreme(call, REDUCE_MIN, OP_MIN);
}

static Term call_max(Call *call) {
    return extreme(call, REDUCE_MAX, OP_MAX);
}

static Term call_any(Call *call) {
    return get_value(call, 0) ? reduce(call, REDUCE_ANY, call->arguments[0], term_null, 1)
                              : term_poison;
}

static Term call_all(Call *call) {
    if (!get_value(call, 0))
        return term_poison;
    Term none = map1(call->lower, OP_NOT, call->arguments[0], call->ast->span);
    return map1(call->lower, OP_NOT, reduce(call, REDUCE_ANY, none, term_null, 1), call->ast->span);
}

static Term call_kth_value(Call *call) {
    double k;
    if (!get_value(call, 0) || !get_number(call, 1, 1, &k))
        return term_poison;
    uint64_t count = shape_count(term_dims(call->lower, call->arguments[0]));
    if (!(k >= 1 && k <= (double)count) || k != trunc(k))
        return wants(call, 1, "a place from 1 to the number of elements");
    return term_tensor(program_kth(call->lower->program,
                                   term_value(call->lower, call->arguments[0]), (uint64_t)k));
}

/* ---- questions ---- */

static Term call_numel(Call *call) {
    if (!get_value(call, 0))
        return term_poison;
    return term_number((double)shape_count(term_dims(call->lower, call->arguments[0])), NUMBER_INT);
}

static Term call_len(Call *call) {
    if (call->arguments[0].kind != TERM_LIST)
        return wants(call, 0, "a list");
    return term_number(call->arguments[0].n_items, NUMBER_INT);
}

static Term call_known(Call *call) {
    return term_bool(call->arguments[0].kind == TERM_NUMBER);
}

/* Equal, or both finite and |a - b| <= max(relative * max(|a|, |b|), absolute) */
static Term call_isclose(Call *call) {
    Lower *lower = call->lower;
    Span span = call->ast->span;
    Term a = call->arguments[0], b = call->arguments[1];
    Term relative =
        call->arguments[2].kind == TERM_NULL ? term_number(1e-9, NUMBER_FLOAT) : call->arguments[2];
    Term absolute =
        call->arguments[3].kind == TERM_NULL ? term_number(0, NUMBER_FLOAT) : call->arguments[3];
    Term larger =
        map2(lower, OP_MAX, map1(lower, OP_ABS, a, span), map1(lower, OP_ABS, b, span), span);
    Term bound = map2(lower, OP_MAX, map2(lower, OP_MUL, relative, larger, span), absolute, span);
    Term distance = map1(lower, OP_ABS, map2(lower, OP_SUB, a, b, span), span);
    Term near = map2(lower, OP_AND, map2(lower, OP_LE, distance, bound, span),
                     map1(lower, OP_ISFINITE, larger, span), span);
    return map2(lower, OP_OR, map2(lower, OP_EQ, a, b, span), near, span);
}

static Term call_range(Call *call) {
    double from, to;
    if (!get_number(call, 0, 0, &from) || !get_number(call, 1, 0, &to))
        return term_poison;
    if (call->arguments[1].kind == TERM_NULL) {
        to = from;
        from = 0;
    }
    if (!(to - from <= 100000))
        return wants(call, 0, "no more than 100000 items");
    VECTOR(Term) items = {0};
    for (double at = from; at < to; at++)
        vector_push(&items, term_number(at, NUMBER_INT));
    Term list = term_list(call->lower, items.items, (uint32_t)items.count);
    vector_free(&items);
    return list;
}

static Term call_int(Call *call) {
    Term term = map1(call->lower, OP_TRUNC, call->arguments[0], call->ast->span);
    return term;
}

static Term call_error(Call *call) {
    if (call->arguments[0].kind != TERM_STRING)
        return wants(call, 0, "a string");
    return lower_error(call->lower, call->ast->span, "%.*s", TEXT_ARG(call->arguments[0].text));
}

static Term call_absent(Call *call) {
    (void)call;
    return term_absent;
}

static Term call_compute_dtype(Call *call) {
    return term_string(call->lower->compute == COMPUTE_F64 ? TEXT("float64") : TEXT("float32"));
}

/* ---- making tensors ---- */

static Term call_full_like(Call *call) {
    Lower *lower = call->lower;
    if (!get_value(call, 0) || !get_value(call, 1))
        return term_poison;
    return term_tensor(program_stretch(lower->program, term_value(lower, call->arguments[1]),
                                       term_shape(lower, call->arguments[0])));
}

static Term call_zeros_like(Call *call) {
    call->arguments[1] = term_number(0, NUMBER_FLOAT);
    return call_full_like(call);
}

static Term call_coordinate(Call *call) {
    int axis;
    if (!get_value(call, 0) ||
        !get_axis(call, 1, term_dims(call->lower, call->arguments[0])->rank, &axis))
        return term_poison;
    return term_tensor(
        program_index(call->lower->program, term_shape(call->lower, call->arguments[0]), axis));
}

/* ---- shapes ---- */

static Term call_reshape(Call *call) {
    Lower *lower = call->lower;
    Shape shape;
    if (!get_value(call, 0) || !get_dims(call, 1, &shape))
        return term_poison;
    uint64_t count = shape_count(term_dims(lower, call->arguments[0])), known = 1;
    int open = -1;
    for (uint32_t i = 0; i < shape.rank; i++)
        if (shape.dims[i] == UINT64_MAX)
            open = (int)i;
        else
            known *= shape.dims[i];
    if (open >= 0 && known > 0 && count % known == 0)
        shape.dims[open] = count / known;
    if ((open >= 0 && shape.dims[open] == UINT64_MAX) || shape_count(&shape) != count)
        return wants(call, 1, "a shape with as many elements");
    return term_tensor(program_reshape(lower->program, term_value(lower, call->arguments[0]),
                                       program_shape(lower->program, &shape)));
}

static Term call_flatten(Call *call) {
    Lower *lower = call->lower;
    double start;
    if (!get_value(call, 0) || !get_number(call, 1, 0, &start))
        return term_poison;
    Shape dims = *term_dims(lower, call->arguments[0]), flat = {0};
    uint64_t product = 1;
    for (uint32_t i = 0; i < dims.rank; i++)
        if (i < start)
            flat.dims[flat.rank++] = dims.dims[i];
        else
            product *= dims.dims[i];
    flat.dims[flat.rank++] = product;
    return term_tensor(program_reshape(lower->program, term_value(lower, call->arguments[0]),
                                       program_shape(lower->program, &flat)));
}

static Term call_permute(Call *call) {
    Lower *lower = call->lower;
    Shape order;
    uint8_t permutation[SHAPE_LIMIT];
    if (!get_value(call, 0) || !get_dims(call, 1, &order))
        return term_poison;
    uint32_t rank = term_dims(lower, call->arguments[0])->rank, seen = 0;
    for (uint32_t i = 0; i < order.rank && order.dims[i] < rank; i++) {
        permutation[i] = (uint8_t)order.dims[i];
        seen |= 1u << order.dims[i];
    }
    if (order.rank != rank || seen != (1u << rank) - 1)
        return wants(call, 1, "each dimension once");
    return term_tensor(
        program_permute(lower->program, term_value(lower, call->arguments[0]), permutation));
}

/* Swaps the last two dimensions, or those named. */
static Term call_transpose(Call *call) {
    Lower *lower = call->lower;
    uint8_t permutation[SHAPE_LIMIT];
    int a, b;
    if (!get_value(call, 0))
        return term_poison;
    uint32_t rank = term_dims(lower, call->arguments[0])->rank;
    for (uint32_t i = 1; i < 3; i++)
        if (call->arguments[i].kind == TERM_NULL)
            call->arguments[i] = term_number(-(double)(3 - i), NUMBER_INT);
    if (!get_axis(call, 1, rank, &a) || !get_axis(call, 2, rank, &b))
        return term_poison;
    for (uint32_t i = 0; i < rank; i++)
        permutation[i] = (uint8_t)(i == (uint32_t)a ? b : i == (uint32_t)b ? a : (int)i);
    return term_tensor(
        program_permute(lower->program, term_value(lower, call->arguments[0]), permutation));
}

/* The list of argument 0 as tensors whose shapes agree, except along AXIS. */
static bool get_parts(Call *call, ValueId *parts, Shape *shape, int axis) {
    Lower *lower = call->lower;
    Term list = call->arguments[0];
    uint64_t extent = 0;
    for (uint32_t i = 0; i < list.n_items; i++) {
        if (!term_is_value(list.items[i])) {
            wants(call, 0, "a list of tensors");
            return false;
        }
        Shape dims = *term_dims(lower, list.items[i]);
        if (i == 0)
            *shape = dims;
        if ((uint32_t)axis < dims.rank) {
            extent += dims.dims[axis];
            dims.dims[axis] = shape->dims[axis];
        }
        if (!shape_equal(&dims, shape)) {
            lower_map(lower, OP_ADD, (Term[]){list.items[0], list.items[i], list.items[i]},
                      call->ast->span);
            lower_error(lower, call->ast->span, "the tensors to be joined have different shapes");
            return false;
        }
        parts[i] = term_value(lower, list.items[i]);
    }
    if ((uint32_t)axis < shape->rank)
        shape->dims[axis] = extent;
    return true;
}

static bool is_list(Call *call) {
    if (call->arguments[0].kind == TERM_LIST && call->arguments[0].n_items > 0)
        return true;
    wants(call, 0, "a list of at least one tensor");
    return false;
}

static Term call_concat(Call *call) {
    Lower *lower = call->lower;
    int axis;
    Shape shape;
    if (!is_list(call))
        return term_poison;
    Term list = call->arguments[0];
    if (!term_is_value(list.items[0]))
        return wants(call, 0, "a list of tensors");
    if (!get_axis(call, 1, term_dims(lower, list.items[0])->rank, &axis))
        return term_poison;
    ValueId *parts = arena_array(lower->arena, ValueId, list.n_items);
    if (!get_parts(call, parts, &shape, axis))
        return term_poison;
    return term_tensor(program_concat(lower->program, parts, list.n_items, axis,
                                      program_shape(lower->program, &shape)));
}

/* Along a new first dimension. */
static Term call_stack(Call *call) {
    Lower *lower = call->lower;
    Shape shape;
    if (!is_list(call))
        return term_poison;
    Term list = call->arguments[0];
    ValueId *parts = arena_array(lower->arena, ValueId, list.n_items);
    if (!get_parts(call, parts, &shape, SHAPE_LIMIT))
        return term_poison;
    if (shape.rank == SHAPE_LIMIT)
        return wants(call, 0, "tensors of fewer dimensions");
    memmove(&shape.dims[1], &shape.dims[0], shape.rank * sizeof *shape.dims);
    shape.dims[0] = 1;
    shape.rank++;
    ShapeId part_shape = program_shape(lower->program, &shape);
    for (uint32_t i = 0; i < list.n_items; i++)
        parts[i] = program_reshape(lower->program, parts[i], part_shape);
    shape.dims[0] = list.n_items;
    return term_tensor(program_concat(lower->program, parts, list.n_items, 0,
                                      program_shape(lower->program, &shape)));
}

/* ---- dtypes ---- */

static Term call_to_dtype(Call *call) {
    Lower *lower = call->lower;
    if (call->arguments[1].kind != TERM_STRING)
        return wants(call, 1, "the name of a dtype");
    Text name = call->arguments[1].text;
    DType dtype = dtype_from_name(name);
    if (dtype == DTYPE_NONE) {
        size_t count;
        const Text *names = dtype_names(&count);
        lower_error(lower, call->ast->span, "unknown dtype '%.*s'",
                    TEXT_ARG(text_printable(lower->arena, name)));
        Text nearest = nearest_name(name, names, count);
        if (nearest.size > 0)
            diag_note(lower->diags, call->ast->span, "did you mean '%.*s'?", TEXT_ARG(nearest));
        return term_poison;
    }
    if (!dtype_info[dtype].computes)
        return lower_error(lower, call->ast->span, "'%.*s' is a dtype that is only passed through",
                           TEXT_ARG(name));
    if (!get_value(call, 0))
        return term_poison;
    Term cast =
        term_tensor(program_quantise(lower->program, term_value(lower, call->arguments[0]), dtype));
    cast.cast = dtype;
    return cast;
}

/* ---- the table ---- */

typedef struct Builtin {
    const char *signature;
    Term (*call)(Call *call);
    const char *doc;
} Builtin;

static const Builtin builtins[] = {
    {"sum(x, axis = null, keep = false)", call_sum, "sum of a list, of a tensor, or along an axis"},
    {"mean(x, axis = null, keep = false)", call_mean,
     "average of a list, of a tensor, or along an axis"},
    {"norm(x, axis = null, keep = false)", call_norm, "square root of the sum of squares"},
    {"dot(a, b, axis = null, keep = false)", call_dot, "sum of a * b"},
    {"min(*x)", call_min, "the smallest: of several values, of a list, or of a tensor's elements"},
    {"max(*x)", call_max, "the largest: of several values, of a list, or of a tensor's elements"},
    {"any(x, axis = null, keep = false)", call_any, "1 where some element is not 0"},
    {"all(x, axis = null, keep = false)", call_all, "1 where no element is 0"},
    {"kth_value(x, k)", call_kth_value, "the k-th smallest element, counted from 1"},
    {"numel(x)", call_numel, "number of elements"},
    {"len(list)", call_len, "number of items"},
    {"known(x)", call_known, "whether x is a number before evaluation"},
    {"isclose(a, b, relative = null, absolute = null)", call_isclose,
     "|a - b| <= max(relative * max(|a|, |b|), absolute); relative is 1e-9, absolute 0 unless "
     "given"},
    {"range(from, to = null)", call_range,
     "whole numbers from `from` (or 0) up to the end, which is left out"},
    {"int(x)", call_int, "integer part, towards zero"},
    {"error(message)", call_error, "refuses the recipe with this message"},
    {"absent()", call_absent, "the missing key: what has it as a value has none"},
    {"compute_dtype()", call_compute_dtype, "the dtype of the arithmetic, float32 or float64"},
    {"full_like(x, value)", call_full_like, "a tensor of x's shape that is value everywhere"},
    {"zeros_like(x)", call_zeros_like, "a tensor of x's shape that is 0 everywhere"},
    {"coordinate(x, axis)", call_coordinate,
     "a tensor of x's shape that counts 0, 1, … along axis"},
    {"reshape(x, shape)", call_reshape, "the same elements, row-major; one dimension may be -1"},
    {"flatten(x, start = null)", call_flatten, "joins the dimensions from start on into one"},
    {"permute(x, order)", call_permute, "dimension i of the result is dimension order[i] of x"},
    {"transpose(x, a = null, b = null)", call_transpose,
     "swaps two dimensions, the last two unless named"},
    {"concat(list, axis = 0)", call_concat, "the tensors one after the other along axis"},
    {"stack(list)", call_stack, "the tensors along a new first dimension"},
    {"to_dtype(x, dtype)", call_to_dtype,
     "x rounded to a dtype: floats to nearest even, integers towards zero"},
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
    Term *rest = arena_array(lower->arena, Term, call->ast->n_items + 1);
    *failure = term_null;
    for (uint32_t i = 0; i < PARAMETER_LIMIT; i++)
        call->arguments[i] = term_null;
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
    *out = place < N_BUILTINS ? call_builtin(lower, call, name, &builtins[place])
                              : call_elementwise(lower, call, directory.ops[place]);
    return true;
}

void lower_builtins(void (*each)(void *context, Text name, Text parameters, Text doc),
                    void *context) {
    static const char *const operands[] = {"()", "(a)", "(a, b)", "(a, b, c)"};
    for (uint32_t i = 0; i < N_BUILTINS; i++) {
        Text name = signature_name(builtins[i].signature);
        each(context, name, text_from(builtins[i].signature + name.size),
             text_from(builtins[i].doc));
    }
    for (OpCode op = 0; op < OP_COUNT; op++)
        each(context, op_info[op].name, text_from(operands[op_info[op].arity]), op_info[op].doc);
}
