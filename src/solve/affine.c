#include "solve/affine.h"

#include "base/vector.h"

#include <math.h>
#include <string.h>

enum { PART_LIMIT = 4096 }; /* models of one combination, after multiplying out */

/* A model times a number times coefficients. */
typedef struct Part {
    NodeId model;
    MassTerm factor;
} Part;

typedef VECTOR(Part) PartVector;

typedef struct Rewriter {
    Arena *arena;
    const Solved *solved;
    Build *build;
    Graph *graph;
    NodeId *replaced; /* by node, of the graph as it was */
    uint32_t n_nodes;
} Rewriter;

/* ---- methods by their role ---- */

/* The method that the library's function of that role calls. */
static const Method *role(const Rewriter *rewriter, Text name) {
    const Definition *function =
        library_find(rewriter->solved->recipe->library, DEFINITION_FUNCTION, name);
    if (function == NULL || function->syntax->a->kind != AST_CALL)
        return NULL;
    const Definition *method = library_find(rewriter->solved->recipe->library, DEFINITION_METHOD,
                                            function->syntax->a->a->text);
    return method == NULL ? NULL : method->method;
}

static NodeId call(Rewriter *rewriter, Text name, const NodeId *operands, uint32_t n, Span span) {
    const Method *method = role(rewriter, name);
    Argument arguments[PART_LIMIT];
    if (method == NULL || n > PART_LIMIT)
        return NODE_NONE;
    for (uint32_t i = 0; i < n; i++)
        arguments[i] = (Argument){.span = span, .node = operands[i]};
    return build_call(rewriter->build, method, arguments, n, span);
}

static NodeId number(Rewriter *rewriter, double value, Span span) {
    return build_number(rewriter->build, value, NUMBER_FLOAT, span);
}

/* base + factor * delta */
static NodeId plus(Rewriter *rewriter, NodeId base, NodeId delta, NodeId factor, Span span) {
    return call(rewriter, TEXT("operator_plus"), (NodeId[]){base, delta, factor}, 3, span);
}

/* ---- multiplying out ---- */

static MassTerm multiply(MassTerm a, const MassTerm *b, bool *fits) {
    MassTerm product = {.coefficient = a.coefficient * b->coefficient,
                        .degree = a.degree + b->degree};
    *fits &= product.degree <= MASS_DEGREE;
    uint32_t i = 0, k = 0;
    for (uint32_t at = 0; *fits && at < product.degree; at++) {
        bool first = k == b->degree || (i < a.degree && a.symbols[i] <= b->symbols[k]);
        product.symbols[at] = first ? a.symbols[i++] : b->symbols[k++];
    }
    return product;
}

static bool same_factor(const MassTerm *a, const MassTerm *b) {
    return a->degree == b->degree &&
           memcmp(a->symbols, b->symbols, a->degree * sizeof *a->symbols) == 0;
}

static void add_part(PartVector *parts, Part part) {
    for (size_t i = 0; i < parts->count; i++)
        if (parts->items[i].model == part.model &&
            same_factor(&parts->items[i].factor, &part.factor)) {
            parts->items[i].factor.coefficient += part.factor.coefficient;
            return;
        }
    vector_push(parts, part);
}

/* An operator whose operands have to be multiplied out. */
static bool is_combination(const Rewriter *rewriter, NodeId id) {
    const Node *node = graph_node(rewriter->graph, id);
    return node->kind == NODE_OPERATOR && node->op != AST_FALLBACK;
}

/* Multiplies a part by each term of a coefficient. */
static bool push_terms(PartVector *pending, NodeId model, MassTerm factor, Mass coefficient,
                       bool inverse) {
    bool fits = !coefficient.unknown;
    if (inverse) {
        double divisor;
        fits = fits && mass_constant(coefficient, &divisor) && divisor != 0;
        if (fits)
            factor.coefficient /= divisor;
        vector_push(pending, (Part){model, factor});
        return fits;
    }
    for (uint32_t i = 0; i < coefficient.n_terms && fits; i++)
        vector_push(pending, (Part){model, multiply(factor, &coefficient.terms[i], &fits)});
    return fits;
}

/* One operator: its operands as further parts. */
static bool open_part(Rewriter *rewriter, PartVector *pending, Part part) {
    const Node *node = graph_node(rewriter->graph, part.model);
    NodeId a = graph_operands(rewriter->graph, part.model)[0];
    NodeId b = graph_operands(rewriter->graph, part.model)[node->n_operands - 1];
    MassTerm minus = part.factor;
    minus.coefficient = -minus.coefficient;
    switch (node->op) {
    case AST_ADD:
    case AST_SUB:
        vector_push(pending, (Part){b, node->op == AST_ADD ? part.factor : minus});
        vector_push(pending, (Part){a, part.factor});
        return true;
    case AST_NEG:
        vector_push(pending, (Part){a, minus});
        return true;
    case AST_MUL:
    case AST_DIV: {
        bool first = build_is_model(rewriter->build, a);
        Mass coefficient = build_coefficient(rewriter->build, first ? b : a);
        return push_terms(pending, first ? a : b, part.factor, coefficient, node->op == AST_DIV);
    }
    default:
        return false;
    }
}

static bool collect(Rewriter *rewriter, NodeId id, PartVector *parts) {
    PartVector pending = {0};
    vector_push(&pending, (Part){id, {.coefficient = 1}});
    bool ok = true;
    while (pending.count > 0 && ok) {
        Part part = pending.items[--pending.count];
        if (is_combination(rewriter, part.model))
            ok = open_part(rewriter, &pending, part);
        else
            add_part(parts, part);
        ok = ok && parts->count + pending.count <= PART_LIMIT;
    }
    vector_free(&pending);
    return ok;
}

/* ---- putting together ---- */

/* Parts with one factor: numbers times models. */
typedef struct Group {
    PartVector weights, deltas;
    MassTerm factor;
} Group;

static bool all_equal(const PartVector *parts) {
    for (size_t i = 1; i < parts->count; i++)
        if (fabs(parts->items[i].factor.coefficient - parts->items[0].factor.coefficient) > 1e-9)
            return false;
    return true;
}

/* Models whose numbers add up to 1. */
static NodeId combine_weights(Rewriter *rewriter, const PartVector *parts, Span span) {
    NodeId first = parts->items[0].model;
    if (parts->count == 1)
        return first;
    if (parts->count == 2)
        return call(rewriter, TEXT("operator_blend"),
                    (NodeId[]){first, parts->items[1].model,
                               number(rewriter, parts->items[1].factor.coefficient, span)},
                    3, span);
    NodeId models[PART_LIMIT];
    if (all_equal(parts)) {
        for (size_t i = 0; i < parts->count; i++)
            models[i] = parts->items[i].model;
        return call(rewriter, TEXT("operator_average"), models, (uint32_t)parts->count, span);
    }
    NodeId result = first;
    for (size_t i = 1; i < parts->count && result != NODE_NONE; i++) {
        NodeId delta = call(rewriter, TEXT("operator_difference"),
                            (NodeId[]){parts->items[i].model, first}, 2, span);
        result = plus(rewriter, result, delta,
                      number(rewriter, parts->items[i].factor.coefficient, span), span);
    }
    return result;
}

/* RESULT (or nothing yet) plus a number times a delta. */
static NodeId add_delta(Rewriter *rewriter, NodeId result, NodeId delta, double factor, Span span) {
    if (delta == NODE_NONE || factor == 0)
        return delta == NODE_NONE ? NODE_NONE : result;
    if (result != NODE_NONE)
        return plus(rewriter, result, delta, number(rewriter, factor, span), span);
    if (factor == 1)
        return delta;
    return call(rewriter, TEXT("operator_times"), (NodeId[]){delta, number(rewriter, factor, span)},
                2, span);
}

/* Models whose numbers add up to 0: differences from one of them. */
static NodeId combine_differences(Rewriter *rewriter, const PartVector *parts, Span span) {
    size_t base = 0;
    while (base + 1 < parts->count && parts->items[base].factor.coefficient >= 0)
        base++;
    NodeId result = NODE_NONE;
    for (size_t i = 0; i < parts->count; i++) {
        if (i == base || parts->items[i].factor.coefficient == 0)
            continue;
        NodeId delta = call(rewriter, TEXT("operator_difference"),
                            (NodeId[]){parts->items[i].model, parts->items[base].model}, 2, span);
        result = add_delta(rewriter, result, delta, parts->items[i].factor.coefficient, span);
    }
    return result;
}

static NodeId combine_group(Rewriter *rewriter, const Group *group, Span span) {
    double mass = 0;
    for (size_t i = 0; i < group->weights.count; i++)
        mass += group->weights.items[i].factor.coefficient;
    NodeId result = NODE_NONE;
    if (group->weights.count > 0)
        result = fabs(mass) > 0.5 ? combine_weights(rewriter, &group->weights, span)
                                  : combine_differences(rewriter, &group->weights, span);
    for (size_t i = 0; i < group->deltas.count; i++)
        result = add_delta(rewriter, result, group->deltas.items[i].model,
                           group->deltas.items[i].factor.coefficient, span);
    return result;
}

typedef VECTOR(Group) GroupVector;

static Group *find_group(GroupVector *groups, const MassTerm *factor) {
    for (size_t i = 0; i < groups->count; i++)
        if (same_factor(&groups->items[i].factor, factor))
            return &groups->items[i];
    vector_push(groups, (Group){.factor = *factor});
    return &groups->items[groups->count - 1];
}

/* The part without coefficients first, then each coefficient times its delta. */
static NodeId combine_groups(Rewriter *rewriter, GroupVector *groups, Span span) {
    NodeId result = NODE_NONE;
    for (size_t i = 0; i < groups->count; i++)
        if (groups->items[i].factor.degree == 0)
            result = combine_group(rewriter, &groups->items[i], span);
    for (size_t i = 0; i < groups->count; i++) {
        const Group *group = &groups->items[i];
        if (group->factor.degree == 0)
            continue;
        NodeId delta = combine_group(rewriter, group, span);
        if (group->factor.degree > 1 || delta == NODE_NONE)
            return NODE_NONE;
        NodeId symbol = rewriter->replaced[group->factor.symbols[0]];
        result = result == NODE_NONE
                     ? call(rewriter, TEXT("operator_times"), (NodeId[]){delta, symbol}, 2, span)
                     : plus(rewriter, result, delta, symbol, span);
        if (result == NODE_NONE)
            return NODE_NONE;
    }
    return result;
}

static NodeId rewrite_combination(Rewriter *rewriter, NodeId id) {
    PartVector parts = {0};
    GroupVector groups = {0};
    Span span = graph_node(rewriter->graph, id)->span;
    bool ok = collect(rewriter, id, &parts);
    for (size_t i = 0; i < parts.count && ok; i++) {
        Part part = parts.items[i];
        SpaceSet spaces = rewriter->solved->spaces[part.model];
        ok = spaces == SPACE_SET(SPACE_WEIGHT) || spaces == SPACE_SET(SPACE_DELTA);
        Group *group = find_group(&groups, &part.factor);
        part.model = rewriter->replaced[part.model];
        ok = ok && part.model != NODE_NONE;
        if (spaces == SPACE_SET(SPACE_WEIGHT))
            vector_push(&group->weights, part);
        else
            vector_push(&group->deltas, part);
    }
    NodeId result = ok ? combine_groups(rewriter, &groups, span) : NODE_NONE;
    for (size_t i = 0; i < groups.count; i++) {
        vector_free(&groups.items[i].weights);
        vector_free(&groups.items[i].deltas);
    }
    vector_free(&groups);
    vector_free(&parts);
    return result;
}

/* ---- nodes ---- */

/* A map of patterns with an entry for every key of its domain. */
static NodeId spell_out(Rewriter *rewriter, NodeId id) {
    const Node *node = graph_node(rewriter->graph, id);
    uint32_t number = rewriter->solved->domain_of[id];
    const Domain *domain = &rewriter->solved->domains[number];
    MapEntry *entries = arena_array(rewriter->arena, MapEntry, domain->n_keys + 1);
    NodeId *values = arena_array(rewriter->arena, NodeId, domain->n_keys + 1);
    uint32_t n = 0;
    for (KeyId key = 0; key < domain->n_keys; key++) {
        int entry = solved_entry(rewriter->solved, id, (Key){domain->keys[key], number, key});
        if (entry < 0)
            continue;
        entries[n] = (MapEntry){ENTRY_KEY, domain->keys[key], TEXT(""), node->span};
        values[n++] = rewriter->replaced[graph_operands(rewriter->graph, id)[entry]];
    }
    return build_map(rewriter->build, entries, values, n, node->config, node->spaces, node->span);
}

static bool has_patterns(const Node *node) {
    for (uint32_t i = 0; i < node->n_operands; i++)
        if (node->entries[i].kind != ENTRY_KEY)
            return true;
    return false;
}

/* The same node of replaced operands. */
static NodeId rebuild(Rewriter *rewriter, NodeId id) {
    Node node = *graph_node(rewriter->graph, id);
    NodeId *operands = arena_array(rewriter->arena, NodeId, node.n_operands + 1);
    for (uint32_t i = 0; i < node.n_operands; i++) {
        operands[i] = rewriter->replaced[graph_operands(rewriter->graph, id)[i]];
        if (operands[i] == NODE_NONE)
            return NODE_NONE;
    }
    return graph_add(rewriter->graph, node, operands, node.n_operands);
}

/* `|` fills missing keys in every config, the method only in a known one. */
static NodeId rewrite_fill(Rewriter *rewriter, NodeId id) {
    const Domain *domain = &rewriter->solved->domains[rewriter->solved->domain_of[id]];
    NodeId operands[2];
    for (uint32_t i = 0; i < 2; i++) {
        operands[i] = rewriter->replaced[graph_operands(rewriter->graph, id)[i]];
        if (operands[i] == NODE_NONE)
            return NODE_NONE;
    }
    if (domain->config == NULL)
        return NODE_NONE;
    return call(rewriter, TEXT("operator_fill"), operands, 2,
                graph_node(rewriter->graph, id)->span);
}

static NodeId rewrite_component(Rewriter *rewriter, NodeId id) {
    const Node *node = graph_node(rewriter->graph, id);
    NodeId whole = rewriter->replaced[graph_operands(rewriter->graph, id)[0]];
    if (whole == NODE_NONE)
        return NODE_NONE;
    Span span = node->span;
    NodeId name = build_string(rewriter->build, node->text, span);
    return call(rewriter, TEXT("operator_component"), (NodeId[]){whole, name}, 2, span);
}

static NodeId rewrite_node(Rewriter *rewriter, NodeId id) {
    const Node *node = graph_node(rewriter->graph, id);
    switch (node->kind) {
    case NODE_MAP:
        return has_patterns(node) ? spell_out(rewriter, id) : rebuild(rewriter, id);
    case NODE_CALL:
        return rebuild(rewriter, id);
    case NODE_OPERATOR:
        if (node->op == AST_FALLBACK)
            return rewrite_fill(rewriter, id);
        /* What is neither a model nor a difference only stands inside of a larger combination. */
        return build_space(rewriter->build, id) != 0 ? rewrite_combination(rewriter, id)
                                                     : NODE_NONE;
    case NODE_COMPONENT:
        return rewrite_component(rewriter, id);
    case NODE_KEEP:
    case NODE_CONVERT:
        return NODE_NONE;
    default:
        return id;
    }
}

/* The node that could not be said, in front of those that only lack it. */
static NodeId find_culprit(const Rewriter *rewriter, NodeId node) {
    for (;;) {
        NodeId next = NODE_NONE;
        for (uint32_t i = 0; i < graph_node(rewriter->graph, node)->n_operands && next == NODE_NONE;
             i++) {
            NodeId operand = graph_operands(rewriter->graph, node)[i];
            bool combination =
                is_combination(rewriter, operand) && build_space(rewriter->build, operand) == 0;
            if (rewriter->replaced[operand] == NODE_NONE && !combination)
                next = operand;
        }
        if (next == NODE_NONE)
            return node;
        node = next;
    }
}

NodeId affine_rewrite(Arena *arena, const Solved *solved, NodeId node, NodeId *culprit) {
    Rewriter rewriter = {.arena = arena,
                         .solved = solved,
                         .build = solved->recipe->build,
                         .graph = solved->recipe->graph,
                         .n_nodes = graph_count(solved->recipe->graph)};
    rewriter.replaced = arena_array(arena, NodeId, rewriter.n_nodes + 1);
    unsigned char *reached = arena_array(arena, unsigned char, rewriter.n_nodes + 1);
    graph_reach(rewriter.graph, &node, 1, reached);
    for (NodeId id = 0; id <= node; id++)
        rewriter.replaced[id] = reached[id] ? rewrite_node(&rewriter, id) : NODE_NONE;
    if (rewriter.replaced[node] == NODE_NONE)
        *culprit = find_culprit(&rewriter, node);
    return rewriter.replaced[node];
}
