#include "recipe/build.h"

#include "base/vector.h"
#include <math.h>
#include <string.h>

/* What is known of a node for the operators of the recipe language. */
typedef struct NodeInfo {
    bool known;      /* the rest is set */
    bool is_model;   /* a model, with a mass; else a coefficient, with a value */
    Mass mass;       /* the mass, or the value */
    SpaceSet spaces; /* weight, delta or param; 0 for an operator that was not settled yet */
} NodeInfo;

struct Build {
    Arena *arena;
    Graph *graph;
    Library *library;
    Diags *diags;
    Span site;              /* where nodes are said to come from, if not from their own place */
    VECTOR(NodeInfo) infos; /* by node */
    VECTOR(MassCheck) checks;
    VECTOR(const Argument *)
    given; /* of the call that is made, by parameter; of the variadic one: unset */
    VECTOR(NodeId) variadic; /* the values of that one */
    VECTOR(NodeId) operands;
    void (*say)(void *context, NodeId node); /* more of a mass that is wrong, or NULL */
    void *say_context;
};

Build *build_new(Arena *arena, Graph *graph, Library *library, Diags *diags) {
    Build *build = arena_new(arena, Build);
    build->arena = arena;
    build->graph = graph;
    build->library = library;
    build->diags = diags;
    return build;
}

void build_reserve(Build *build, size_t nodes) {
    graph_reserve(build->graph, nodes);
    vector_reserve(&build->infos, nodes);
}

void build_free(Build *build) {
    vector_free(&build->infos);
    vector_free(&build->checks);
    vector_free(&build->given);
    vector_free(&build->variadic);
    vector_free(&build->operands);
}

void build_on_mass(Build *build, void (*say)(void *context, NodeId node), void *context) {
    build->say = say;
    build->say_context = context;
}

Span build_from(Build *build, Span site) {
    Span before = build->site;
    build->site = site;
    return before;
}

/* Finds or makes a node; those that a function of the library makes point at its call. */
static NodeId add_node(Build *build, Node node, const NodeId *operands, uint32_t n_operands) {
    if (build->site.source != 0)
        node.span = build->site;
    return graph_add(build->graph, node, operands, n_operands);
}

static NodeInfo *info_of(Build *build, NodeId node) {
    while (build->infos.count < graph_count(build->graph))
        vector_push(&build->infos, (NodeInfo){0});
    return &build->infos.items[node];
}

static const Node *node_of(const Build *build, NodeId id) {
    return graph_node(build->graph, id);
}

/* ---- leaves ---- */

NodeId build_null(Build *build, Span span) {
    return add_node(build, (Node){.kind = NODE_NULL, .span = span}, NULL, 0);
}

NodeId build_number(Build *build, double number, NumberKind kind, Span span) {
    Node node = {.kind = NODE_NUMBER, .number = number, .number_kind = kind, .span = span};
    return add_node(build, node, NULL, 0);
}

NodeId build_string(Build *build, Text text, Span span) {
    return add_node(build, (Node){.kind = NODE_STRING, .text = text, .span = span}, NULL, 0);
}

NodeId build_model(Build *build, Text path, Text config, SpaceSet spaces, Span span) {
    Node node = {
        .kind = NODE_MODEL, .text = path, .config = config, .spaces = spaces, .span = span};
    return add_node(build, node, NULL, 0);
}

NodeId build_map(Build *build, const MapEntry *entries, const NodeId *values, uint32_t n,
                 Text config, SpaceSet spaces, Span span) {
    for (uint32_t i = 0; i < n; i++)
        if (values[i] == NODE_NONE)
            return NODE_NONE;
    Node node = {.kind = NODE_MAP,
                 .entries = arena_copy(build->arena, entries, n * sizeof *entries),
                 .config = config,
                 .spaces = spaces,
                 .span = span};
    return add_node(build, node, values, n);
}

NodeId build_literal(Build *build, const Ast *value) {
    switch (value->kind) {
    case AST_NULL:
        return build_null(build, value->span);
    case AST_BOOL:
        return build_number(build, value->number, NUMBER_BOOL, value->span);
    case AST_INT:
        return build_number(build, value->number, NUMBER_INT, value->span);
    case AST_FLOAT:
        return build_number(build, value->number, NUMBER_FLOAT, value->span);
    case AST_STRING:
        return build_string(build, value->text, value->span);
    case AST_UNARY:
        if (value->op == AST_NEG) {
            NodeId operand = build_literal(build, value->a);
            if (operand != NODE_NONE && node_of(build, operand)->kind == NODE_NUMBER)
                return build_operator(build, AST_NEG, operand, NODE_NONE, value->span);
        }
        return NODE_NONE;
    default:
        return NODE_NONE;
    }
}

bool build_is_literal(const Node *node, const Ast *value) {
    double sign = 1;
    for (; value->kind == AST_UNARY && value->op == AST_NEG; value = value->a)
        sign = -sign;
    switch (value->kind) {
    case AST_NULL:
        return node->kind == NODE_NULL;
    case AST_STRING:
        return node->kind == NODE_STRING && text_equal(node->text, value->text);
    case AST_BOOL:
    case AST_INT:
    case AST_FLOAT:
        return node->kind == NODE_NUMBER && node->number == sign * value->number;
    default:
        return false;
    }
}

/* ---- masses ---- */

static SpaceSet call_spaces(Build *build, NodeId id);

/* A model of a known space has its mass; a coefficient that is computed is a symbol by itself. */
static NodeInfo info_for_spaces(Build *build, NodeId id, SpaceSet spaces) {
    if (spaces == SPACE_SET(SPACE_PARAM))
        return (NodeInfo){.known = true, .mass = mass_symbol(build->arena, id), .spaces = spaces};
    NodeInfo info = {.known = true, .is_model = true, .spaces = spaces};
    if (spaces == SPACE_SET(SPACE_WEIGHT))
        info.mass = mass_number(build->arena, 1);
    else if (spaces != SPACE_SET(SPACE_DELTA))
        info.mass.unknown = true;
    return info;
}

static NodeInfo compute_info(Build *build, NodeId id) {
    const Node *node = node_of(build, id);
    switch (node->kind) {
    case NODE_NUMBER:
        return (NodeInfo){.known = true,
                          .mass = mass_number(build->arena, node->number),
                          .spaces = SPACE_SET(SPACE_PARAM)};
    case NODE_MAP:
        return info_for_spaces(build, id, node->spaces ? node->spaces : SPACE_SET(SPACE_PARAM));
    case NODE_CALL:
        return info_for_spaces(build, id, call_spaces(build, id));
    case NODE_MODEL:
    case NODE_KEEP:
    case NODE_COMPONENT:
    case NODE_CONVERT:
        return info_for_spaces(build, id, node->spaces);
    default:
        return (NodeInfo){.known = true, .mass = {.unknown = true}};
    }
}

static const NodeInfo *infer(Build *build, NodeId id) {
    NodeInfo *info = info_of(build, id);
    if (!info->known) {
        NodeInfo computed = compute_info(build, id);
        info = info_of(build, id);
        *info = computed;
    }
    return info;
}

/* The space of a call's result as far as its operands tell: a space variable takes that of its
 * first operand. */
static SpaceSet call_spaces(Build *build, NodeId id) {
    const Node *node = node_of(build, id);
    const Method *method = node->method;
    if (method->symbol < 0)
        return method->spaces;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        uint32_t p = method_operand(method, node->n_operands, i);
        if (method->parameters[p].symbol != method->symbol)
            continue;
        SpaceSet spaces = infer(build, graph_operands(build->graph, id)[i])->spaces;
        if (spaces != 0)
            return spaces;
    }
    return 0;
}

bool build_is_model(Build *build, NodeId id) {
    return infer(build, id)->is_model;
}

Mass build_coefficient(Build *build, NodeId id) {
    return infer(build, id)->mass;
}

static void report_mass(Build *build, NodeId id, Mass mass) {
    Span span = node_of(build, id)->span;
    double number;
    if (!mass_constant(mass, &number)) {
        diag_error(build->diags, span,
                   "cannot prove that this is a model or a difference of models");
        diag_hint(build->diags,
                  "use 'lerp' forms such as (1 - m) * a + m * b, or a merge method such as "
                  "weighted_sum(a, b, m)");
    } else if (number > 0 && number == round(number)) {
        diag_error(build->diags, span, "this adds %.0f whole models", number);
        diag_hint(build->diags,
                  "divide by %.0f for their average, or subtract a base: a + (b - base)", number);
    } else {
        Builder text = {0};
        builder_number(&text, number);
        diag_error(build->diags, span, "the coefficients of the models add up to %s", text.data);
        diag_hint(build->diags, "to 1 for a model, to 0 for a difference of models");
        builder_free(&text);
    }
    if (build->say != NULL)
        build->say(build->say_context, id);
}

/* The value of a mass where each symbol is what VALUE_OF says. */
static double mass_at(Mass mass, double (*value_of)(void *context, NodeId map), void *context) {
    double sum = 0;
    for (uint32_t i = 0; i < mass.n_terms; i++) {
        double product = mass.terms[i].coefficient;
        for (uint32_t k = 0; k < mass.terms[i].degree; k++)
            product *= value_of(context, mass.terms[i].symbols[k]);
        sum += product;
    }
    return sum;
}

static bool is_constant_map(const Build *build, NodeId id) {
    const Node *node = node_of(build, id);
    bool constant = node->kind == NODE_MAP;
    for (uint32_t i = 0; constant && i < node->n_operands; i++)
        constant = node_of(build, graph_operands(build->graph, id)[i])->kind == NODE_NUMBER;
    return constant;
}

static double first_value(void *context, NodeId map) {
    const Build *build = context;
    return node_of(build, graph_operands(build->graph, map)[0])->number;
}

/* A mass over maps of constants is guessed from their first entries, and checked key by key later.
 */
static bool defer_mass(Build *build, NodeId id, Mass mass, double *number) {
    if (mass.unknown)
        return false;
    for (uint32_t i = 0; i < mass.n_terms; i++)
        for (uint32_t k = 0; k < mass.terms[i].degree; k++)
            if (!is_constant_map(build, mass.terms[i].symbols[k]))
                return false;
    *number = round(mass_at(mass, first_value, build));
    vector_push(&build->checks, (MassCheck){id, *number});
    return true;
}

bool build_settle(Build *build, NodeId id, SpaceSet *spaces) {
    const NodeInfo *info = infer(build, id);
    *spaces = info->spaces;
    if (info->spaces != 0 || !info->is_model || node_of(build, id)->kind != NODE_OPERATOR)
        return true;
    double number;
    if (!mass_constant(info->mass, &number) && !defer_mass(build, id, info->mass, &number)) {
        report_mass(build, id, info->mass);
        return false;
    }
    if (number != 0 && number != 1) {
        report_mass(build, id, info->mass);
        return false;
    }
    *spaces = SPACE_SET(number == 1 ? SPACE_WEIGHT : SPACE_DELTA);
    info_of(build, id)->spaces = *spaces;
    return true;
}

bool build_is_settled(Build *build, NodeId id) {
    const NodeInfo *info = infer(build, id);
    double number;
    return info->spaces != 0 || !info->is_model || node_of(build, id)->kind != NODE_OPERATOR ||
           (mass_constant(info->mass, &number) && (number == 0 || number == 1));
}

SpaceSet build_space(const Build *build, NodeId id) {
    bool is_operator = node_of(build, id)->kind == NODE_OPERATOR && id < build->infos.count;
    return is_operator ? build->infos.items[id].spaces : 0;
}

const MassCheck *build_mass_checks(const Build *build, size_t *count) {
    *count = build->checks.count;
    return build->checks.items;
}

double build_mass_at(const Build *build, NodeId id, double (*value_of)(void *context, NodeId map),
                     void *context) {
    return mass_at(build->infos.items[id].mass, value_of, context);
}

/* ---- operators ---- */

static const char *const operator_names[] = {
    [AST_ADD] = "+",   [AST_SUB] = "-", [AST_MUL] = "*",   [AST_DIV] = "/",
    [AST_POW] = "^",   [AST_NEG] = "-", [AST_EQ] = "==",   [AST_NE] = "!=",
    [AST_LT] = "<",    [AST_LE] = "<=", [AST_GT] = ">",    [AST_GE] = ">=",
    [AST_AND] = "and", [AST_OR] = "or", [AST_NOT] = "not", [AST_FALLBACK] = "|",
};

static double fold_numbers(AstOp op, double a, double b) {
    switch (op) {
    case AST_ADD:
        return a + b;
    case AST_SUB:
        return a - b;
    case AST_MUL:
        return a * b;
    case AST_DIV:
        return a / b;
    case AST_POW:
        return pow(a, b);
    case AST_NEG:
        return -a;
    case AST_EQ:
        return a == b;
    case AST_NE:
        return a != b;
    case AST_LT:
        return a < b;
    case AST_LE:
        return a <= b;
    case AST_GT:
        return a > b;
    case AST_GE:
        return a >= b;
    case AST_AND:
        return a != 0 && b != 0;
    case AST_OR:
        return a != 0 || b != 0;
    case AST_NOT:
        return a == 0;
    default:
        return NAN;
    }
}

static bool is_truth(AstOp op) {
    return op >= AST_EQ && op <= AST_NOT;
}

/* Whole numbers stay whole under + - * and unary -. */
static NodeId fold_number_nodes(Build *build, AstOp op, const Node *a, const Node *b, Span span) {
    double value = fold_numbers(op, a->number, b->number);
    bool whole = a->number_kind != NUMBER_FLOAT && b->number_kind != NUMBER_FLOAT &&
                 (op == AST_ADD || op == AST_SUB || op == AST_MUL || op == AST_NEG);
    NumberKind kind = is_truth(op) ? NUMBER_BOOL : whole ? NUMBER_INT : NUMBER_FLOAT;
    return build_number(build, value, kind, span);
}

/* Of A or B, a string where something else is wanted is mostly the path of a model. */
static void hint_at_model(Build *build, NodeId a, NodeId b) {
    const Node *node = node_of(build, node_of(build, a)->kind == NODE_STRING ? a : b);
    if (node->kind == NODE_STRING)
        diag_hint(build->diags, "a file is read by model(\"%.*s\")",
                  TEXT_ARG(text_printable(build->arena, node->text)));
}

static NodeId fold_strings(Build *build, AstOp op, NodeId id_a, NodeId id_b, Span span) {
    const Node *a = node_of(build, id_a), *b = node_of(build, id_b);
    if (op == AST_ADD)
        return build_string(
            build, text_format(build->arena, "%.*s%.*s", TEXT_ARG(a->text), TEXT_ARG(b->text)),
            span);
    if (op == AST_EQ || op == AST_NE)
        return build_number(build, text_equal(a->text, b->text) == (op == AST_EQ), NUMBER_BOOL,
                            span);
    diag_error(build->diags, span, "'%s' takes no strings", operator_names[op]);
    hint_at_model(build, id_a, id_b);
    return NODE_NONE;
}

static const char *operand_noun(const Build *build, NodeId id, const NodeInfo *info) {
    const Node *node = node_of(build, id);
    if (node->kind == NODE_STRING)
        return "a string";
    if (node->kind == NODE_NULL)
        return "null";
    if (info->is_model)
        return "a model";
    return node->kind == NODE_NUMBER ? "a number" : "a coefficient";
}

static NodeId refuse_operands(Build *build, AstOp op, NodeId a, NodeId b, Span span) {
    const NodeInfo x = *infer(build, a), y = *infer(build, b);
    diag_error(build->diags, span, "'%s' cannot combine %s and %s", operator_names[op],
               operand_noun(build, a, &x), operand_noun(build, b, &y));
    if (x.is_model && y.is_model)
        diag_hint(build->diags,
                  "products, quotients and comparisons of models are for merge methods");
    else if (x.is_model || y.is_model)
        diag_hint(build->diags,
                  op == AST_POW ? "powers of models are for merge methods"
                                : "coefficients multiply models; only models are added to models");
    hint_at_model(build, a, b);
    return NODE_NONE;
}

/* The mass (or value) of an operator's result; false where the operands do not go together. */
static bool combine(Build *build, AstOp op, NodeId id_a, NodeId id_b, NodeInfo *out) {
    Arena *arena = build->arena;
    NodeInfo a = *infer(build, id_a), b = id_b == NODE_NONE ? a : *infer(build, id_b);
    *out = (NodeInfo){.known = true, .is_model = a.is_model || b.is_model};
    switch (op) {
    case AST_ADD:
    case AST_SUB:
        out->mass = mass_add(arena, a.mass, b.mass, op == AST_ADD ? 1 : -1);
        return a.is_model == b.is_model;
    case AST_NEG:
        out->mass = mass_multiply(arena, a.mass, mass_number(arena, -1));
        return true;
    case AST_MUL:
        out->mass = mass_multiply(arena, a.mass, b.mass);
        return !(a.is_model && b.is_model);
    case AST_DIV: {
        double divisor;
        if (mass_constant(b.mass, &divisor) && divisor != 0)
            out->mass = mass_multiply(arena, a.mass, mass_number(arena, 1 / divisor));
        else
            out->mass.unknown = true;
        return !b.is_model;
    }
    default:
        out->mass.unknown = true;
        return !a.is_model && !b.is_model;
    }
}

static bool is_value(const Build *build, NodeId id) {
    NodeKind kind = node_of(build, id)->kind;
    return kind != NODE_STRING && kind != NODE_NULL;
}

static NodeId build_fallback(Build *build, NodeId a, NodeId b, Span span) {
    SpaceSet x, y;
    if (!build_settle(build, a, &x) || !build_settle(build, b, &y))
        return NODE_NONE;
    if (!is_value(build, a) || !is_value(build, b) || (x != 0 && y != 0 && x != y)) {
        diag_error(build->diags, span,
                   "'|' fills the missing keys of a model from another of the same kind");
        hint_at_model(build, a, b);
        return NODE_NONE;
    }
    Node node = {.kind = NODE_OPERATOR, .op = AST_FALLBACK, .span = span};
    NodeId id = add_node(build, node, (NodeId[]){a, b}, 2);
    NodeInfo info = *infer(build, a);
    if (x == SPACE_SET(SPACE_PARAM))
        info.mass = mass_symbol(build->arena, id);
    info.spaces = x;
    *info_of(build, id) = info;
    return id;
}

NodeId build_operator(Build *build, AstOp op, NodeId a, NodeId b, Span span) {
    bool unary = op == AST_NEG || op == AST_NOT;
    if (a == NODE_NONE || (b == NODE_NONE && !unary))
        return NODE_NONE;
    const Node *x = node_of(build, a), *y = node_of(build, unary ? a : b);
    if (x->kind == NODE_NUMBER && y->kind == NODE_NUMBER)
        return fold_number_nodes(build, op, x, y, span);
    if (x->kind == NODE_STRING && y->kind == NODE_STRING)
        return fold_strings(build, op, a, unary ? a : b, span);
    if ((x->kind == NODE_NULL || y->kind == NODE_NULL) && (op == AST_EQ || op == AST_NE))
        return build_number(build, (x->kind == y->kind) == (op == AST_EQ), NUMBER_BOOL, span);
    if (op == AST_FALLBACK)
        return build_fallback(build, a, b, span);
    NodeInfo info;
    if (!is_value(build, a) || (!unary && !is_value(build, b)) || !combine(build, op, a, b, &info))
        return refuse_operands(build, op, a, unary ? a : b, span);
    Node node = {.kind = NODE_OPERATOR, .op = op, .span = span};
    NodeId id = add_node(build, node, (NodeId[]){a, b}, unary ? 1 : 2);
    if (!info.is_model) {
        info.spaces = SPACE_SET(SPACE_PARAM);
        if (info.mass.unknown)
            info.mass = mass_symbol(build->arena, id);
    }
    *info_of(build, id) = info;
    return id;
}

bool build_demand_model(Build *build, NodeId id, const char *why, Span span) {
    if (is_value(build, id) && node_of(build, id)->kind != NODE_NUMBER)
        return true;
    diag_error(build->diags, span, "%s %s", why, operand_noun(build, id, infer(build, id)));
    hint_at_model(build, id, id);
    return false;
}

/* ---- views of models ---- */

static NodeId build_view(Build *build, NodeKind kind, NodeId operand, Text text, Span span) {
    SpaceSet spaces;
    if (operand == NODE_NONE || !build_settle(build, operand, &spaces))
        return NODE_NONE;
    if (!build_demand_model(build, operand, "this is for models, not for", span))
        return NODE_NONE;
    Node node = {.kind = kind, .text = text, .spaces = spaces, .span = span};
    return add_node(build, node, &operand, 1);
}

NodeId build_keep(Build *build, NodeId operand, Text glob, Span span) {
    return build_view(build, NODE_KEEP, operand, glob, span);
}

NodeId build_component(Build *build, NodeId operand, Text component, Span span) {
    return build_view(build, NODE_COMPONENT, operand, component, span);
}

NodeId build_convert(Build *build, NodeId operand, Text config, Span span) {
    return build_view(build, NODE_CONVERT, operand, config, span);
}

/* ---- calls ---- */

static const char *type_noun(ParameterType type) {
    static const char *const nouns[] = {[PARAMETER_TENSOR] = "a model or a number",
                                        [PARAMETER_FLOAT] = "a number",
                                        [PARAMETER_INT] = "a whole number",
                                        [PARAMETER_BOOL] = "true or false",
                                        [PARAMETER_STRING] = "a string"};
    return nouns[type];
}

static bool number_fits(ParameterType type, const Node *node) {
    if (type == PARAMETER_STRING)
        return false;
    return type != PARAMETER_INT || node->number == trunc(node->number) || isnan(node->number);
}

/* Whether a node can be the argument of a parameter, as far as that shows before the keys are
 * known. */
static bool argument_fits(const Parameter *parameter, const Node *node) {
    switch (node->kind) {
    case NODE_NULL:
        return parameter->optional;
    case NODE_NUMBER:
        return number_fits(parameter->type, node);
    case NODE_STRING:
        return parameter->type == PARAMETER_STRING;
    default:
        return true;
    }
}

/* The binding of a call while it is made. */
typedef struct Binding {
    Build *build;
    const Method *method;
    Span span;
    bool failed;
} Binding;

static void bind_value(Binding *binding, const Parameter *parameter, const Argument *argument) {
    Build *build = binding->build;
    SpaceSet spaces;
    if (argument->node == NODE_NONE || !build_settle(build, argument->node, &spaces)) {
        binding->failed = true;
        return;
    }
    if (!argument_fits(parameter, node_of(build, argument->node))) {
        binding->failed = true;
        diag_error(build->diags, argument->span, "'%.*s' of '%.*s' takes %s%s",
                   TEXT_ARG(parameter->name), TEXT_ARG(binding->method->name),
                   type_noun(parameter->type), parameter->optional ? ", or null" : "");
        if (parameter->type == PARAMETER_TENSOR)
            hint_at_model(build, argument->node, argument->node);
    }
}

static void bind_named(Binding *binding, const Argument *argument) {
    Build *build = binding->build;
    const Method *method = binding->method;
    int p = method_parameter(method, argument->name);
    if (p >= 0 && !method->parameters[p].variadic) {
        bind_value(binding, &method->parameters[p], argument);
        build->given.items[p] = argument;
        return;
    }
    binding->failed = true;
    if (p >= 0) {
        diag_error(build->diags, argument->name_span,
                   "'%.*s' takes its values by position, not by name", TEXT_ARG(argument->name));
        return;
    }
    diag_error(build->diags, argument->name_span, "'%.*s' has no parameter '%.*s'",
               TEXT_ARG(method->name), TEXT_ARG(argument->name));
    Text *names = arena_array(build->arena, Text, method->n_parameters);
    for (uint32_t i = 0; i < method->n_parameters; i++)
        names[i] = method->parameters[i].name;
    Text nearest = nearest_name(argument->name, names, method->n_parameters);
    if (nearest.size > 0)
        diag_hint(build->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    else
        diag_hint(build->diags, "see: mecha methods %.*s", TEXT_ARG(method->name));
}

static void bind_positional(Binding *binding, const Argument *argument, uint32_t position) {
    const Method *method = binding->method;
    uint32_t p = 0;
    while (p < method->n_parameters && p < position && !method->parameters[p].variadic)
        p++;
    if (p == method->n_parameters) {
        if (!binding->failed)
            diag_error(binding->build->diags, argument->span,
                       "'%.*s' takes %u argument%s by position", TEXT_ARG(method->name),
                       method->n_parameters, method->n_parameters == 1 ? "" : "s");
        binding->failed = true;
        return;
    }
    bind_value(binding, &method->parameters[p], argument);
    if (method->parameters[p].variadic)
        vector_push(&binding->build->variadic, argument->node);
    else
        binding->build->given.items[p] = argument;
}

static void check_twice(Binding *binding, const Argument *arguments, uint32_t n) {
    uint32_t position = 0;
    for (uint32_t i = 0; i < n; i++)
        position += arguments[i].name.size == 0;
    for (uint32_t i = 0; i < n; i++) {
        int p =
            arguments[i].name.size == 0 ? -1 : method_parameter(binding->method, arguments[i].name);
        bool before_variadic = true;
        for (int k = 0; k < p; k++)
            before_variadic &= !binding->method->parameters[k].variadic;
        if (p >= 0 && (uint32_t)p < position && before_variadic) {
            diag_error(binding->build->diags, arguments[i].name_span, "'%.*s' is given twice",
                       TEXT_ARG(arguments[i].name));
            diag_hint(binding->build->diags, "it is argument %d by position already", p + 1);
            binding->failed = true;
        }
    }
}

/* The operand of parameter P: what was given, or its default. */
static NodeId bound_operand(Binding *binding, uint32_t p) {
    const Parameter *parameter = &binding->method->parameters[p];
    const Argument *given = binding->build->given.items[p];
    if (given != NULL)
        return given->node;
    if (parameter->fallback != NULL)
        return build_literal(binding->build, parameter->fallback);
    if (!binding->failed) {
        Builder signature = {0};
        method_signature(binding->method, &signature);
        diag_error(binding->build->diags, binding->span, "'%.*s' needs a value for '%.*s'",
                   TEXT_ARG(binding->method->name), TEXT_ARG(parameter->name));
        diag_hint(binding->build->diags, "%s", signature.data);
        builder_free(&signature);
    }
    binding->failed = true;
    return NODE_NONE;
}

NodeId build_call(Build *build, const Method *method, const Argument *arguments,
                  uint32_t n_arguments, Span span) {
    Binding binding = {.build = build, .method = method, .span = span};
    build->given.count = build->variadic.count = build->operands.count = 0;
    for (uint32_t p = 0; p < method->n_parameters; p++)
        vector_push(&build->given, NULL);
    check_twice(&binding, arguments, n_arguments);
    for (uint32_t i = 0, position = 0; i < n_arguments; i++)
        if (arguments[i].name.size > 0)
            bind_named(&binding, &arguments[i]);
        else
            bind_positional(&binding, &arguments[i], position++);
    for (uint32_t p = 0; p < method->n_parameters; p++)
        if (!method->parameters[p].variadic)
            vector_push(&build->operands, bound_operand(&binding, p));
        else
            for (size_t i = 0; i < build->variadic.count; i++)
                vector_push(&build->operands, build->variadic.items[i]);
    if (binding.failed)
        return NODE_NONE;
    return add_node(build, (Node){.kind = NODE_CALL, .method = method, .span = span},
                    build->operands.items, (uint32_t)build->operands.count);
}
