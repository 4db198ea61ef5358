#include "solve/convert.h"

#include "base/vector.h"
#include "solve/conversion.h"

/* The configs that a node may have, the best first. */
static const Config *const *find_candidates(const Converter *converter, const Recipe *recipe,
                                            NodeId node, bool all, uint32_t *count) {
    Solved solved = {.recipe = recipe, .configs = sources_configs(converter->sources)};
    SolveOptions options = {.sources = converter->sources};
    uint32_t n = graph_count(recipe->graph);
    solved.reached = arena_array(converter->arena, unsigned char, n + 1);
    graph_reach(recipe->graph, &node, 1, solved.reached);
    *count = 0;
    if (!solve_inputs(converter->arena, &solved, &options))
        return NULL;
    const Config *const *candidates =
        solve_candidates(converter->arena, converter->diags, &solved, &options, node, all, count);
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
            if (conversion_is_step(method) &&
                text_equal(method->parameters[0].config, steps->items[at].config) &&
                !is_reached(steps, method->config))
                vector_push(steps, (Step){method->config, method, at});
        }
    }
    return false;
}

bool convert_leads(const Recipe *recipe, Text from, Text to) {
    Steps steps = {0};
    bool found = find_path(recipe, from, to, &steps);
    vector_free(&steps);
    return found;
}

/* ---- two readings ---- */

/* The namings of the library never differ in what they mean by a name; those of a recipe may. */
static bool has_own_conversion(const Recipe *recipe) {
    size_t count;
    const Definition *const *all = library_list(recipe->library, AST_CONVERSION, &count);
    for (size_t i = 0; i < count; i++)
        if (!library_owns(recipe->library, all[i]))
            return true;
    return false;
}

/* What a name stands for in the base of a network's config; empty where it is no name of a module.
 */
static Text meaning(const Config *config, Text name) {
    NetworkName said;
    bool module = config_network_name(config, name, &said) && said.target != NULL;
    return module ? said.target->name : TEXT("");
}

static bool same_meaning(const Config *a, const Config *b, const Model *model) {
    for (uint32_t i = 0; i < model->n_tensors; i++)
        if (!text_equal(meaning(a, model->tensors[i].name), meaning(b, model->tensors[i].name)))
            return false;
    return true;
}

static const Model *model_of(const Converter *converter, const Recipe *recipe, NodeId operand) {
    const Node *node = graph_node(recipe->graph, operand);
    return node->kind == NODE_MODEL
               ? sources_model(converter->sources, recipe->folder, node->text, node->span)
               : NULL;
}

/* Whether a network could be meant by another config as well, which leads to the target, too, by
 * other keys. Says so. */
static bool is_ambiguous(const Converter *converter, const Recipe *recipe, NodeId operand,
                         const Config *taken, Text target) {
    const Model *model = model_of(converter, recipe, operand);
    if (model == NULL || !config_is_network(taken) || !has_own_conversion(recipe))
        return false;
    uint32_t n;
    const Config *other = NULL;
    const Config *const *candidates = find_candidates(converter, recipe, operand, true, &n);
    Steps steps = {0};
    for (uint32_t i = 0; i < n && other == NULL; i++)
        if (candidates[i] != taken && config_is_network(candidates[i]) &&
            !same_meaning(taken, candidates[i], model) &&
            find_path(recipe, candidates[i]->name, target, &steps))
            other = candidates[i];
    vector_free(&steps);
    if (other == NULL)
        return false;
    Span span = graph_node(recipe->graph, operand)->span;
    diag_error(converter->diags, span, "%.*s may be '%.*s' as well as '%.*s'",
               TEXT_ARG(text_printable(converter->arena, model->path)), TEXT_ARG(taken->name),
               TEXT_ARG(other->name));
    diag_hint(converter->diags, "say which: model(path, config = \"%.*s\")", TEXT_ARG(taken->name));
    return true;
}

/* ---- what a change is for ---- */

/* Which keys a node has, as far as the models tell that it is made of; a base has any. */
typedef struct Presence {
    Configs *configs;
    const Config *config;
    bool *there; /* by key of the config */
    uint32_t n_keys;
} Presence;

static KeyId find_there(void *context, uint32_t parameter, Text key, bool *there) {
    const Presence *presence = context;
    KeyId id = parameter == 0 ? config_met(presence->config, key) : INDEX_NONE;
    *there = parameter > 0 || (id < presence->n_keys && presence->there[id]);
    return id;
}

static bool is_any_there(void *context, uint32_t parameter, const KeyForm *form) {
    const Presence *presence = context;
    bool found = parameter > 0;
    for (KeyId key = 0; key < presence->n_keys && !found; key++)
        found = presence->there[key] && key_has_form(presence->config->keys[key].name, form);
    return found;
}

static void find_presence(const Converter *converter, const Recipe *recipe, NodeId node,
                          Presence *presence) {
    Solved solved = {.recipe = recipe, .configs = presence->configs};
    SolveOptions options = {.sources = converter->sources};
    uint32_t n = graph_count(recipe->graph);
    solved.reached = arena_array(converter->arena, unsigned char, n + 1);
    graph_reach(recipe->graph, &node, 1, solved.reached);
    if (!solve_inputs(converter->arena, &solved, &options))
        return;
    /* The keys of a network come into being as they are met. */
    for (uint32_t i = 0; i < solved.n_inputs; i++)
        config_tensors(presence->configs, presence->config, solved.inputs[i]);
    presence->n_keys = presence->config->n_keys;
    presence->there = arena_array(converter->arena, bool, presence->n_keys + 1);
    for (uint32_t i = 0; i < solved.n_inputs; i++) {
        const KeyId *keys = config_tensors(presence->configs, presence->config, solved.inputs[i]);
        for (uint32_t t = 0; t < solved.inputs[i]->n_tensors; t++)
            if (keys[t] != INDEX_NONE)
                presence->there[keys[t]] = true;
    }
    solve_close(&solved);
}

/* Whether a conversion reads the model that the node is for, to make what its models have. */
static bool needs_base(const Converter *converter, const Recipe *recipe, const Method *method,
                       NodeId node) {
    Configs *configs = sources_configs(converter->sources);
    Presence presence = {.configs = configs,
                         .config = configs_find(configs, method->parameters[0].config)};
    const Config *target = configs_find(configs, method->config);
    ConversionOperands operands = {find_there, is_any_there, &presence};
    Conversion *conversion = conversion_read(converter->arena, converter->diags, configs, method,
                                             TEXT("delta"), &operands);
    bool needs = false;
    if (conversion != NULL && presence.config != NULL && target != NULL)
        find_presence(converter, recipe, node, &presence);
    bool may = presence.there != NULL && conversion_may_read_base(conversion);
    for (KeyId key = 0; may && key < target->n_keys && !needs; key++) {
        const ConversionRule *rule = conversion_find(conversion, target->keys[key].name);
        for (uint32_t i = 0; rule != NULL && i < rule->n_sources; i++)
            needs |= rule->sources[i].parameter > 0;
    }
    if (conversion != NULL)
        conversion_free(conversion);
    return needs;
}

static NodeId report_no_base(const Converter *converter, Span span) {
    diag_error(converter->diags, span,
               "what this network changes depends on the model that it is for");
    diag_hint(converter->diags, "name that model: convert(network, model), or apply(model, "
                                "network, strength)");
    return NODE_NONE;
}

/* The model that the first step is for, as the step wants it: LIKE, in the config of the result.
 * False where there has to be one, and is none. */
static bool find_base(Converter *converter, const Recipe *recipe, const Method *method,
                      NodeId operand, NodeId like, Span span, Argument *base) {
    *base = (Argument){.span = span, .node = NODE_NONE};
    if (method->n_parameters == 1 || !needs_base(converter, recipe, method, operand))
        return true;
    if (like == NODE_NONE)
        base->node = report_no_base(converter, span);
    else
        base->node = convert_node(converter, recipe, like, method->config, NODE_NONE, span);
    return base->node != NODE_NONE;
}

/* Calls the conversions of a path, whose last step is AT. */
static NodeId call_path(Converter *converter, const Recipe *recipe, const Steps *steps,
                        NodeId operand, NodeId like, Span span) {
    VECTOR(const Method *) methods = {0};
    for (size_t at = steps->count - 1; steps->items[at].method != NULL;
         at = steps->items[at].before)
        vector_push(&methods, steps->items[at].method);
    while (methods.count > 0 && operand != NODE_NONE) {
        const Method *method = methods.items[--methods.count];
        Argument arguments[2] = {{.span = span, .node = operand}};
        if (find_base(converter, recipe, method, operand, like, span, &arguments[1]))
            operand = build_call(recipe->build, method, arguments,
                                 arguments[1].node != NODE_NONE ? 2 : 1, span);
        else
            operand = NODE_NONE;
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
    const Config *const *candidates = find_candidates(converter, recipe, like, false, &n);
    return n > 0 && diag_errors(converter->diags) == errors ? candidates[0] : NULL;
}

/* The conversion from a config to the keys of any model, which it is given, or NULL. */
static const Method *find_general(const Recipe *recipe, Text config) {
    size_t count;
    const Definition *const *all = library_list(recipe->library, AST_CONVERSION, &count);
    for (size_t i = 0; i < count; i++) {
        const Method *method = all[i]->method;
        if (method->keys_any && method->n_parameters == 2 && conversion_takes_base(method, 1) &&
            text_equal(method->parameters[0].config, config))
            return method;
    }
    return NULL;
}

/* OPERAND for a model for whose architecture there are no networks of its kind: names of modules
 * are made from its keys. NODE_NONE where its config is none that this is for. */
static NodeId convert_for_any(const Recipe *recipe, NodeId operand, const Config *const *candidates,
                              uint32_t n, NodeId like, Span span) {
    for (uint32_t i = 0; i < n && like != NODE_NONE; i++) {
        const Method *method = find_general(recipe, candidates[i]->name);
        Argument arguments[] = {{.span = span, .node = operand}, {.span = span, .node = like}};
        if (method != NULL)
            return build_call(recipe->build, method, arguments, 2, span);
    }
    return NODE_NONE;
}

/* The same for a model whose architecture is not known. */
static NodeId convert_for_unknown(const Converter *converter, const Recipe *recipe, NodeId operand,
                                  NodeId like, Span span) {
    uint32_t n;
    size_t errors = diag_errors(converter->diags);
    const Config *const *candidates = find_candidates(converter, recipe, operand, true, &n);
    NodeId result = convert_for_any(recipe, operand, candidates, n, like, span);
    if (result == NODE_NONE && diag_errors(converter->diags) == errors)
        report_no_path(converter, NULL, 0, TEXT(""), graph_node(recipe->graph, like)->span);
    return result;
}

NodeId convert_node(void *context, const Recipe *recipe, NodeId operand, Text name, NodeId like,
                    Span span) {
    Converter *converter = context;
    size_t errors = diag_errors(converter->diags);
    const Config *target = find_target(converter, recipe, name, like, span);
    if (target == NULL)
        return diag_errors(converter->diags) > errors
                   ? NODE_NONE
                   : convert_for_unknown(converter, recipe, operand, like, span);
    uint32_t n = 0;
    const Config *const *candidates = NULL;
    Steps steps = {0};
    bool found = false;
    const Config *taken = NULL;
    /* Of the configs that know everything, the first choice may not be the one that leads there. */
    for (int all = 0; all < 2 && !found; all++) {
        candidates = find_candidates(converter, recipe, operand, all, &n);
        if (diag_errors(converter->diags) > errors)
            break;
        for (uint32_t i = 0; i < n && !found; i++) {
            taken = candidates[i];
            found = find_path(recipe, taken->name, target->name, &steps);
        }
    }
    if (found && is_ambiguous(converter, recipe, operand, taken, target->name)) {
        vector_free(&steps);
        return NODE_NONE;
    }
    NodeId result = NODE_NONE;
    if (found)
        result = call_path(converter, recipe, &steps, operand, like, span);
    else if (diag_errors(converter->diags) == errors)
        result = convert_for_any(recipe, operand, candidates, n, like, span);
    if (result == NODE_NONE && diag_errors(converter->diags) == errors)
        report_no_path(converter, candidates, n, target->name, span);
    vector_free(&steps);
    return result;
}

Text convert_config(void *context, const Recipe *recipe, NodeId node) {
    uint32_t n;
    const Config *const *candidates = find_candidates(context, recipe, node, false, &n);
    return n > 0 ? candidates[0]->name : TEXT("");
}

Text convert_network(void *context, const Recipe *recipe, NodeId node) {
    uint32_t n;
    const Config *const *candidates = find_candidates(context, recipe, node, false, &n);
    return n > 0 && config_is_network(candidates[0]) ? candidates[0]->name : TEXT("");
}

bool convert_is_known(void *context, Text config, Span span) {
    Configs *configs = sources_configs(((const Converter *)context)->sources);
    if (configs_has(configs, config))
        return true;
    configs_unknown(configs, config, span);
    return false;
}
