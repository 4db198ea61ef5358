#include "solve/convert.h"

#include "base/vector.h"

/* The configs that a node may have, the best first. */
static const Config *const *find_candidates(const Converter *converter, const Recipe *recipe,
                                            NodeId node, uint32_t *count) {
    Solved solved = {.recipe = recipe, .configs = sources_configs(converter->sources)};
    SolveOptions options = {.sources = converter->sources};
    uint32_t n = graph_count(recipe->graph);
    solved.reached = arena_array(converter->arena, unsigned char, n + 1);
    graph_reach(recipe->graph, &node, 1, solved.reached);
    *count = 0;
    if (!solve_inputs(converter->arena, &solved, &options))
        return NULL;
    const Config *const *candidates =
        solve_candidates(converter->arena, converter->diags, &solved, &options, node, count);
    solve_close(&solved);
    return candidates;
}

/* ---- paths ---- */

/* A config that can be reached, and how. */
typedef struct Step {
    Text config;
    const Method *method; /* NULL: where the path begins */
    size_t before;        /* in the steps */
} Step;

/* Whether a conversion turns a model of one config into one of another by itself. */
static bool is_edge(const Method *method) {
    return method->n_parameters == 1 && !method->keys_any && method->config.size > 0 &&
           method->parameters[0].config.size > 0 &&
           !text_equal(method->config, method->parameters[0].config);
}

typedef VECTOR(Step) Steps;

static bool is_reached(const Steps *steps, Text config) {
    for (size_t i = 0; i < steps->count; i++)
        if (text_equal(steps->items[i].config, config))
            return true;
    return false;
}

/* Breadth first, so the first path that arrives is one of the shortest. */
static bool find_path(const Recipe *recipe, Text from, Text to, Steps *steps) {
    size_t count;
    const Definition *const *all = library_list(recipe->library, AST_CONVERSION, &count);
    steps->count = 0;
    vector_push(steps, (Step){.config = from});
    for (size_t at = 0; at < steps->count; at++) {
        if (text_equal(steps->items[at].config, to)) {
            steps->count = at + 1;
            return true;
        }
        for (size_t i = 0; i < count; i++) {
            const Method *method = all[i]->method;
            if (is_edge(method) &&
                text_equal(method->parameters[0].config, steps->items[at].config) &&
                !is_reached(steps, method->config))
                vector_push(steps, (Step){method->config, method, at});
        }
    }
    return false;
}

/* Calls the conversions of a path, whose last step is AT. */
static NodeId call_path(const Recipe *recipe, const Steps *steps, NodeId operand, Span span) {
    VECTOR(const Method *) methods = {0};
    for (size_t at = steps->count - 1; steps->items[at].method != NULL;
         at = steps->items[at].before)
        vector_push(&methods, steps->items[at].method);
    while (methods.count > 0 && operand != NODE_NONE) {
        Argument argument = {.span = span, .node = operand};
        operand = build_call(recipe->build, methods.items[--methods.count], &argument, 1, span);
    }
    vector_free(&methods);
    return operand;
}

/* ---- conversions ---- */

static NodeId report_no_path(const Converter *converter, const Config *const *candidates,
                             uint32_t n, Text target, Span span) {
    if (n == 0) {
        diag_error(converter->diags, span, "nothing tells which architecture this has");
        diag_hint(converter->diags, "say it: model(path, config = \"…\")");
    } else {
        diag_error(converter->diags, span, "there is no conversion from '%.*s' to '%.*s'",
                   TEXT_ARG(candidates[0]->name), TEXT_ARG(target));
    }
    return NODE_NONE;
}

static const Config *find_target(const Converter *converter, const Recipe *recipe, Text name,
                                 NodeId like, Span span) {
    if (like == NODE_NONE) {
        const Config *config = configs_find(sources_configs(converter->sources), name);
        if (config == NULL)
            configs_unknown(sources_configs(converter->sources), name, span);
        return config;
    }
    uint32_t n;
    size_t errors = diag_errors(converter->diags);
    const Config *const *candidates = find_candidates(converter, recipe, like, &n);
    if (n == 0 && diag_errors(converter->diags) == errors)
        report_no_path(converter, NULL, 0, name, graph_node(recipe->graph, like)->span);
    return n > 0 ? candidates[0] : NULL;
}

NodeId convert_node(void *context, const Recipe *recipe, NodeId operand, Text name, NodeId like,
                    Span span) {
    const Converter *converter = context;
    const Config *target = find_target(converter, recipe, name, like, span);
    size_t errors = diag_errors(converter->diags);
    uint32_t n = 0;
    const Config *const *candidates =
        target != NULL ? find_candidates(converter, recipe, operand, &n) : NULL;
    if (target == NULL || diag_errors(converter->diags) > errors)
        return NODE_NONE;
    Steps steps = {0};
    NodeId result = NODE_NONE;
    bool found = false;
    for (uint32_t i = 0; i < n && !found; i++)
        found = find_path(recipe, candidates[i]->name, target->name, &steps);
    if (found)
        result = call_path(recipe, &steps, operand, span);
    vector_free(&steps);
    return found ? result : report_no_path(converter, candidates, n, target->name, span);
}

Text convert_config(void *context, const Recipe *recipe, NodeId node) {
    uint32_t n;
    const Config *const *candidates = find_candidates(context, recipe, node, &n);
    return n > 0 ? candidates[0]->name : TEXT("");
}
