/* Which nodes share their keys, and what keys those are: a model config's, or the structural ones.
 *
 * Nodes that meet in an operation are of one domain, except across parameters that name a config of
 * their own, and across conversions. */
#include "solve/solve.h"

#include "solve/union.h"

typedef struct ConfigSolver {
    Arena *arena;
    Diags *diags;
    Solved *solved;
    const Graph *graph;
    uint32_t *sets; /* union-find over nodes */
} ConfigSolver;

static bool is_constant(const ConfigSolver *solver, NodeId id) {
    NodeKind kind = graph_node(solver->graph, id)->kind;
    return kind == NODE_NUMBER || kind == NODE_STRING || kind == NODE_NULL;
}

/* Whether operand I of a node has the keys of the node's result. */
static bool shares_keys(const Node *node, uint32_t i) {
    if (node->kind == NODE_CONVERT)
        return false;
    if (node->kind != NODE_CALL)
        return true;
    const Method *method = node->method;
    return method->rules == NULL &&
           method->parameters[method_operand(method, node->n_operands, i)].config.size == 0;
}

static void join_operands(ConfigSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    for (uint32_t i = 0; i < node->n_operands; i++) {
        NodeId operand = graph_operands(solver->graph, id)[i];
        if (!is_constant(solver, operand) && shares_keys(node, i))
            union_join(solver->sets, id, operand);
    }
}

/* Outputs of one domain are computed together; so are those whose keys are structural. */
static void number_domains(ConfigSolver *solver) {
    Solved *solved = solver->solved;
    uint32_t n = graph_count(solver->graph);
    solved->domain_of = arena_array(solver->arena, uint32_t, n + 1);
    uint32_t *numbers = arena_array(solver->arena, uint32_t, n + 1);
    for (NodeId id = 0; id < n; id++) {
        uint32_t set = union_find(solver->sets, id);
        if (set == id)
            numbers[id] = solved->reached[id] ? solved->n_domains++ : 0;
        solved->domain_of[id] = numbers[set];
    }
    solved->domains = arena_array(solver->arena, Domain, solved->n_domains + 1);
    for (uint32_t i = 0; i < solved->n_domains; i++)
        solved->domains[i].index.arena = solver->arena;
}

/* A config that a model or dict is said to have must exist. */
static void check_hint(const ConfigSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    const Scope *scope = solver->solved->recipe->scope;
    if (node->config.size == 0 || scope_find(scope, DEFINITION_CONFIG, node->config) != NULL)
        return;
    diag_error(solver->diags, node->span, "unknown model config '%.*s'",
               TEXT_ARG(text_printable(solver->arena, node->config)));
    Text nearest = scope_nearest(scope, DEFINITION_CONFIG, node->config);
    if (nearest.size > 0)
        diag_hint(solver->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
}

bool solve_configs(Arena *arena, Diags *diags, Solved *solved) {
    size_t errors = diag_errors(diags);
    uint32_t n = graph_count(solved->recipe->graph);
    ConfigSolver solver = {.arena = arena,
                           .diags = diags,
                           .solved = solved,
                           .graph = solved->recipe->graph,
                           .sets = union_new(arena, n)};
    /* A set's name is its smallest node; whether that one is reached must speak for all, so
     * unreached ones stay apart. */
    for (NodeId id = 0; id < n; id++)
        if (solved->reached[id]) {
            check_hint(&solver, id);
            join_operands(&solver, id);
        }
    number_domains(&solver);
    return diag_errors(diags) == errors;
}
