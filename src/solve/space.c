/* Merge spaces, inferred as sd-mecha does: values of one space variable agree, fixed parameters
 * constrain. */
#include "solve/solve.h"

#include "solve/union.h"

typedef struct SpaceSolver {
    Diags *diags;
    const Recipe *recipe;
    const Graph *graph;
    const unsigned char *reached;
    uint32_t *sets;    /* union-find over nodes */
    SpaceSet *allowed; /* by representative */
} SpaceSolver;

static Text spaces_text(const SpaceSolver *solver, SpaceSet spaces, Builder *out) {
    library_spaces_print(solver->recipe->library, spaces, out);
    return builder_view(out);
}

/* Numbers, strings and null fit wherever their type does; they have no space of their own. */
static bool has_space(const SpaceSolver *solver, NodeId id) {
    NodeKind kind = graph_node(solver->graph, id)->kind;
    return kind != NODE_NUMBER && kind != NODE_STRING && kind != NODE_NULL;
}

static SpaceSet *allowed_of(SpaceSolver *solver, NodeId id) {
    return &solver->allowed[union_find(solver->sets, id)];
}

static void join(SpaceSolver *solver, NodeId a, NodeId b) {
    SpaceSet both = *allowed_of(solver, a) & *allowed_of(solver, b);
    *allowed_of(solver, a) = both;
    *allowed_of(solver, b) = both;
    union_join(solver->sets, a, b);
}

static void report_operand(SpaceSolver *solver, const Node *call, const Parameter *parameter,
                           NodeId operand, SpaceSet wanted) {
    Builder want = {0}, have = {0};
    spaces_text(solver, wanted, &want);
    spaces_text(solver, *allowed_of(solver, operand), &have);
    diag_error(solver->diags, call->span, "'%.*s' of '%.*s' takes a %s, but this is a %s",
               TEXT_ARG(parameter->name), TEXT_ARG(call->method->name), want.data, have.data);
    if (wanted == SPACE_SET(SPACE_DELTA) && *allowed_of(solver, operand) == SPACE_SET(SPACE_WEIGHT))
        diag_hint(solver->diags, "subtract its base from it");
    else if (wanted == SPACE_SET(SPACE_WEIGHT) &&
             *allowed_of(solver, operand) == SPACE_SET(SPACE_DELTA))
        diag_hint(solver->diags, "add it to a base first");
    diag_note(solver->diags, graph_node(solver->graph, operand)->span, "the %s comes from here",
              have.data);
    builder_free(&want);
    builder_free(&have);
}

/* The operands of one space variable agree with each other, and with a result of that variable. */
static void constrain_operand(SpaceSolver *solver, NodeId call, uint32_t p, NodeId operand,
                              NodeId *first) {
    const Node *node = graph_node(solver->graph, call);
    const Parameter *parameter = &node->method->parameters[p];
    SpaceSet wanted = parameter->spaces;
    bool joins = parameter->symbol >= 0;
    if (joins && first[parameter->symbol] != NODE_NONE)
        wanted &= *allowed_of(solver, first[parameter->symbol]);
    if ((*allowed_of(solver, operand) & wanted) == 0) {
        report_operand(solver, node, parameter, operand, wanted);
        return;
    }
    *allowed_of(solver, operand) &= wanted;
    if (!joins)
        return;
    if (first[parameter->symbol] == NODE_NONE)
        first[parameter->symbol] = operand;
    else
        join(solver, operand, first[parameter->symbol]);
}

static void constrain_call(SpaceSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    const Method *method = node->method;
    NodeId first[SPACE_LIMIT];
    for (int i = 0; i < SPACE_LIMIT; i++)
        first[i] = NODE_NONE;
    *allowed_of(solver, id) &= method->spaces;
    if (method->symbol >= 0)
        first[method->symbol] = id;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        NodeId operand = graph_operands(solver->graph, id)[i];
        if (has_space(solver, operand))
            constrain_operand(solver, id, method_operand(method, node->n_operands, i), operand,
                              first);
    }
}

/* What multiplies a model is a param. */
static void constrain_coefficients(SpaceSolver *solver, NodeId id) {
    for (uint32_t i = 0; i < graph_node(solver->graph, id)->n_operands; i++) {
        NodeId operand = graph_operands(solver->graph, id)[i];
        if (has_space(solver, operand) && !build_is_model(solver->recipe->build, operand))
            *allowed_of(solver, operand) &= SPACE_SET(SPACE_PARAM);
    }
}

static void constrain_node(SpaceSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    SpaceSet own =
        node->kind == NODE_OPERATOR ? build_space(solver->recipe->build, id) : node->spaces;
    if (own != 0)
        *allowed_of(solver, id) &= own;
    if (node->kind == NODE_OPERATOR && node->op != AST_FALLBACK)
        constrain_coefficients(solver, id);
    if (node->kind == NODE_CALL)
        constrain_call(solver, id);
    else if (node->kind == NODE_KEEP || node->kind == NODE_COMPONENT)
        join(solver, id, graph_operands(solver->graph, id)[0]);
    else if (node->kind == NODE_OPERATOR && node->op == AST_FALLBACK)
        for (uint32_t i = 0; i < 2; i++)
            join(solver, id, graph_operands(solver->graph, id)[i]);
    else if (node->kind == NODE_MAP)
        for (uint32_t i = 0; i < node->n_operands; i++)
            if (has_space(solver, graph_operands(solver->graph, id)[i]))
                join(solver, id, graph_operands(solver->graph, id)[i]);
}

/* The space that an output must be in; where any will do, weight is preferred to delta to param. */
static void constrain_output(SpaceSolver *solver, const RecipeOutput *output, SpaceSet wanted) {
    if (output->space.size > 0) {
        int space = library_find_space(solver->recipe->library, output->space);
        wanted = space < 0 ? SPACES_ALL : SPACE_SET(space);
    }
    if (!has_space(solver, output->node))
        return;
    SpaceSet *allowed = allowed_of(solver, output->node);
    if ((*allowed & wanted) == 0) {
        Builder want = {0}, have = {0};
        spaces_text(solver, wanted, &want);
        spaces_text(solver, *allowed, &have);
        diag_error(solver->diags, output->span, "the result is a %s, not a %s", have.data,
                   want.data);
        const char *way =
            *allowed == SPACE_SET(SPACE_DELTA) ? "add it to a base, or write" : "write";
        diag_hint(solver->diags,
                  output->path_span.source != 0 ? "%s it as it is: save …, space = \"%s\""
                                                : "%s it as it is with --space %s",
                  way, have.data);
        builder_free(&want);
        builder_free(&have);
        return;
    }
    *allowed &= wanted;
    for (int space = SPACE_WEIGHT; wanted == SPACES_ALL && space < SPACE_BUILTIN; space++)
        if (*allowed & SPACE_SET(space)) {
            *allowed = SPACE_SET(space);
            return;
        }
}

static void report_ambiguous(SpaceSolver *solver, NodeId id) {
    diag_error(solver->diags, graph_node(solver->graph, id)->span,
               "nothing says whether this is a weight, a delta or a param");
    diag_hint(solver->diags, "say it: merge_space=\"weight\"");
}

bool solve_spaces(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options) {
    size_t errors = diag_errors(diags);
    const Recipe *recipe = solved->recipe;
    uint32_t n = graph_count(recipe->graph);
    SpaceSolver solver = {.diags = diags,
                          .recipe = recipe,
                          .graph = recipe->graph,
                          .reached = solved->reached,
                          .sets = union_new(arena, n),
                          .allowed = arena_array(arena, SpaceSet, n + 1)};
    for (NodeId id = 0; id < n; id++)
        solver.allowed[id] = SPACES_ALL;
    for (NodeId id = 0; id < n; id++)
        if (solved->reached[id])
            constrain_node(&solver, id);
    for (uint32_t i = 0; i < recipe->n_outputs; i++)
        constrain_output(&solver, &recipe->outputs[i], options->space);
    solved->spaces = arena_array(arena, SpaceSet, n + 1);
    for (NodeId id = 0; id < n; id++) {
        solved->spaces[id] = *allowed_of(&solver, id);
        /* What stands between the operands and the result of an affine combination is in no space.
         */
        bool between = graph_node(recipe->graph, id)->kind == NODE_OPERATOR;
        bool undecided = solved->reached[id] && has_space(&solver, id) && !between &&
                         !space_single(solved->spaces[id]);
        if (undecided && diag_errors(diags) == errors)
            report_ambiguous(&solver, id);
    }
    return diag_errors(diags) == errors;
}
