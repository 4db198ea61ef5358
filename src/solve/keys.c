/* Which keys every node has, and so every output.
 *
 * Key sets are shared: there are few different ones, however many nodes. Unions and intersections
 * of two sets are remembered. */
#include "solve/keys.h"

#include "base/glob.h"
#include "base/vector.h"
#include "solve/conversion.h"

#include <string.h>
#include <xxhash.h>

/* ---- the keys of a domain ---- */

static void add_model_keys(const Solved *solved, NodeId id, Domain *domain) {
    const Model *model = solved->models[id];
    for (uint32_t i = 0; i < model->n_tensors; i++)
        if (!model->tensors[i].is_setting && !model->tensors[i].is_scale)
            names_add(&domain->index, model->tensors[i].name);
}

static void add_map_keys(const Node *node, Domain *domain) {
    for (uint32_t i = 0; i < node->n_operands; i++)
        if (node->entries[i].kind == ENTRY_KEY)
            names_add(&domain->index, node->entries[i].first);
}

/* Of a network's config, keys come into being where a model has them, or a conversion makes them.
 */
static void meet_config_keys(const Solved *solved, NodeId id, const Domain *domain) {
    const Node *node = graph_node(solved->recipe->graph, id);
    const Model *model = solved->models[id];
    bool network = config_is_network(domain->config);
    if (network && model != NULL)
        config_tensors(solved->configs, domain->config, model);
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->n_operands; i++)
        if (node->entries[i].kind == ENTRY_KEY)
            config_find(domain->config, node->entries[i].first);
    if (node->kind == NODE_CALL && node->method->rules != NULL)
        config_complete(solved->configs, domain->config);
}

static void add_node_keys(Solved *solved, NodeId id) {
    const Node *node = graph_node(solved->recipe->graph, id);
    Domain *domain = &solved->domains[solved->domain_of[id]];
    bool is_map = node->kind == NODE_MAP;
    domain->has_inputs |= solved->models[id] != NULL || is_map;
    if (domain->config != NULL)
        meet_config_keys(solved, id, domain);
    else if (solved->models[id] != NULL)
        add_model_keys(solved, id, domain);
    else if (is_map)
        add_map_keys(node, domain);
}

static void list_config_keys(Arena *arena, Domain *domain) {
    domain->has_inputs = true;
    domain->n_keys = domain->config->n_keys;
    domain->keys = arena_array(arena, Text, domain->n_keys + 1);
    for (KeyId key = 0; key < domain->n_keys; key++)
        domain->keys[key] = domain->config->keys[key].name;
}

static void collect_keys(Arena *arena, Solved *solved) {
    for (NodeId id = 0; id < graph_count(solved->recipe->graph); id++)
        if (solved->reached[id])
            add_node_keys(solved, id);
    tied_add_heads(solved);
    for (uint32_t i = 0; i < solved->n_domains; i++) {
        Domain *domain = &solved->domains[i];
        if (domain->config != NULL) {
            list_config_keys(arena, domain);
            continue;
        }
        if (domain->index.count == 0 && !domain->has_inputs)
            names_add(&domain->index, TEXT("key"));
        domain->keys = domain->index.texts;
        domain->n_keys = (uint32_t)domain->index.count;
    }
}

KeyId domain_key(const Domain *domain, Text name) {
    if (domain->config == NULL)
        return names_find(&domain->index, name);
    KeyId key = config_met(domain->config, name);
    return key < domain->n_keys ? key : INDEX_NONE;
}

/* ---- sets ---- */

static bool same_set(const void *context, const void *wanted, uint32_t item) {
    const KeySolver *solver = context;
    return memcmp(solver->sets.items[item], wanted, solver->n_words * sizeof(uint64_t)) == 0;
}

SetId keys_number(KeySolver *solver, const uint64_t *bits) {
    size_t size = solver->n_words * sizeof *bits;
    uint64_t hash = XXH3_64bits(bits, size);
    uint32_t found = index_find(&solver->by_content, hash, same_set, solver, bits);
    if (found != INDEX_NONE)
        return found;
    index_add(&solver->by_content, hash, (uint32_t)solver->sets.count);
    vector_push(&solver->sets, arena_copy(solver->arena, bits, size));
    return (SetId)solver->sets.count - 1;
}

static uint64_t *scratch_set(KeySolver *solver) {
    return arena_array(solver->arena, uint64_t, solver->n_words + 1);
}

static bool same_combined(const void *context, const void *wanted, uint32_t item) {
    const Combined *a = &((const KeySolver *)context)->combined.items[item], *b = wanted;
    return a->a == b->a && a->b == b->b && a->both == b->both;
}

SetId keys_combine(KeySolver *solver, SetId a, SetId b, bool both) {
    if (a == b)
        return a;
    if (a == 0 || b == 0)
        return both ? a + b : 0;
    Combined wanted = {.a = a, .b = b, .both = both};
    uint64_t hash = XXH3_64bits((uint32_t[]){a, b, both}, 3 * sizeof(uint32_t));
    uint32_t found = index_find(&solver->by_operands, hash, same_combined, solver, &wanted);
    if (found != INDEX_NONE)
        return solver->combined.items[found].result;
    uint64_t *bits = scratch_set(solver);
    for (size_t i = 0; i < solver->n_words; i++) {
        uint64_t x = solver->sets.items[a][i], y = solver->sets.items[b][i];
        bits[i] = both ? x & y : x | y;
    }
    wanted.result = keys_number(solver, bits);
    index_add(&solver->by_operands, hash, (uint32_t)solver->combined.count);
    vector_push(&solver->combined, wanted);
    return wanted.result;
}

static void set_bit(uint64_t *bits, uint32_t key) {
    bits[key / 64] |= (uint64_t)1 << (key % 64);
}

/* ---- the keys of a node ---- */

static void find_model_keys(KeySolver *solver, const Model *model) {
    uint64_t *bits = scratch_set(solver);
    KeyId *ids = arena_array(solver->arena, KeyId, model->n_tensors + 1);
    const Config *config = solver->domain->config;
    const KeyId *known =
        config != NULL ? config_tensors(solver->solved->configs, config, model) : NULL;
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        ids[i] = known == NULL ? names_find(&solver->domain->index, model->tensors[i].name)
                 : known[i] < solver->domain->n_keys ? known[i]
                                                     : INDEX_NONE;
        if (ids[i] != INDEX_NONE && !model->tensors[i].is_scale)
            set_bit(bits, ids[i]);
    }
    solver->last_ids = ids;
    solver->last_keys = keys_number(solver, bits);
}

static bool same_names(const Model *a, const Model *b) {
    bool same = a->n_tensors == b->n_tensors;
    for (uint32_t i = 0; same && i < a->n_tensors; i++)
        same = text_equal(a->tensors[i].name, b->tensors[i].name) &&
               a->tensors[i].is_scale == b->tensors[i].is_scale;
    return same;
}

/* What a model has under each key; IDS: by tensor. Behind another name of a key there may be two.
 */
static const Tensor **list_tensors(const KeySolver *solver, NodeId id, const KeyId *ids) {
    const Domain *domain = solver->domain;
    const Model *model = solver->solved->models[id];
    const Tensor **tensors = arena_array(solver->arena, const Tensor *, domain->n_keys + 1);
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        const Tensor *tensor = &model->tensors[i];
        if (ids[i] != INDEX_NONE)
            tensors[ids[i]] = text_equal(tensor->name, domain->keys[ids[i]]) && !tensor->is_scale
                                  ? tensor
                                  : solved_tensor(solver->solved, id, domain->keys[ids[i]]);
    }
    return tensors;
}

/* Models of one recipe mostly have the same names. */
static SetId model_keys(KeySolver *solver, NodeId id) {
    Solved *solved = solver->solved;
    const Model *model = solved->models[id];
    if (solver->last_model == NULL || !same_names(solver->last_model, model))
        find_model_keys(solver, model);
    solver->last_model = model;
    solved->tensors[id] = list_tensors(solver, id, solver->last_ids);
    return tied_keys(solver, id, solver->last_keys);
}

static bool is_constant(const Node *node) {
    return node->kind == NODE_NUMBER || node->kind == NODE_STRING || node->kind == NODE_NULL;
}

static bool has_patterns(const Node *node) {
    return node->n_operands > 0 && node->entries[0].kind != ENTRY_KEY;
}

/* A dict has its own keys, where their values have them; a map of patterns goes with any. */
static SetId map_keys(KeySolver *solver, NodeId id, const SetId *sets) {
    const Node *node = graph_node(solver->graph, id);
    if (has_patterns(node))
        return 0;
    uint64_t *bits = scratch_set(solver);
    for (uint32_t i = 0; i < node->n_operands; i++) {
        NodeId value = graph_operands(solver->graph, id)[i];
        KeyId key = domain_key(solver->domain, node->entries[i].first);
        if (key != INDEX_NONE && (is_constant(graph_node(solver->graph, value)) ||
                                  keys_have(keys_set(solver, sets[value]), key)))
            set_bit(bits, key);
    }
    return keys_number(solver, bits);
}

static SetId kept_keys(KeySolver *solver, const Node *node, SetId operand) {
    uint64_t *bits = scratch_set(solver);
    KeySet set = {solver->sets.items[operand]};
    bool any = false;
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (keys_have(set, key) && glob_matches(node->text, solver->domain->keys[key])) {
            set_bit(bits, key);
            any = true;
        }
    if (!any) {
        diag_error(solver->diags, node->span, "no key matches \"%.*s\"",
                   TEXT_ARG(text_printable(solver->arena, node->text)));
        if (solver->domain->n_keys > 0)
            diag_hint(solver->diags, "a key is, for instance, %.*s",
                      TEXT_ARG(text_printable(solver->arena, solver->domain->keys[0])));
    }
    return keys_number(solver, bits);
}

/* Whether operand I has keys of the node's domain. */
static bool counts(const KeySolver *solver, NodeId id, uint32_t i) {
    NodeId operand = graph_operands(solver->graph, id)[i];
    return !is_constant(graph_node(solver->graph, operand)) &&
           solver->solved->domain_of[operand] == solver->solved->domain_of[id];
}

/* What the operands that share the node's domain have in common. */
static SetId common_keys(KeySolver *solver, NodeId id, const SetId *sets, bool both) {
    const NodeId *operands = graph_operands(solver->graph, id);
    SetId common = 0;
    bool first = true;
    for (uint32_t i = 0; i < graph_node(solver->graph, id)->n_operands; i++) {
        if (!counts(solver, id, i))
            continue;
        common = first ? sets[operands[i]] : keys_combine(solver, common, sets[operands[i]], both);
        first = false;
    }
    return common;
}

static bool same_body(const void *context, const void *wanted, uint32_t item) {
    const BodySet *a = &((const KeySolver *)context)->bodies.items[item], *b = wanted;
    return a->method == b->method && memcmp(a->parameters, b->parameters,
                                            a->method->n_parameters * sizeof *a->parameters) == 0;
}

/* A body is read once for all calls whose operands have the same keys. */
static SetId body_keys(KeySolver *solver, const Method *method, const SetId *parameters) {
    BodySet wanted = {.method = method, .parameters = parameters};
    size_t size = method->n_parameters * sizeof *parameters;
    uint64_t hash = XXH3_64bits_withSeed(parameters, size, (uint64_t)(uintptr_t)method);
    uint32_t found = index_find(&solver->by_body, hash, same_body, solver, &wanted);
    if (found != INDEX_NONE)
        return solver->bodies.items[found].result;
    wanted.parameters = arena_copy(solver->arena, parameters, size);
    wanted.result = keys_of_body(solver, method, parameters);
    index_add(&solver->by_body, hash, (uint32_t)solver->bodies.count);
    vector_push(&solver->bodies, wanted);
    return wanted.result;
}

/* Structural keys are those that all operands share, whatever the method would make of the others,
 * as in sd-mecha; with a config, the method decides. Constants have every key. */
static SetId call_keys(KeySolver *solver, NodeId id, const SetId *sets) {
    const Node *node = graph_node(solver->graph, id);
    const Method *method = node->method;
    if (solver->domain->config == NULL)
        return common_keys(solver, id, sets, true);
    SetId *parameters = arena_array(solver->arena, SetId, method->n_parameters + 1);
    for (uint32_t i = 0; i < node->n_operands; i++) {
        uint32_t p = method_operand(method, node->n_operands, i);
        if (counts(solver, id, i))
            parameters[p] = keys_combine(solver, parameters[p],
                                         sets[graph_operands(solver->graph, id)[i]], true);
    }
    return body_keys(solver, method, parameters);
}

/* ---- conversions ---- */

/* What a conversion's operands have. */
typedef struct Operands {
    KeySolver *solvers; /* by domain */
    const Solved *solved;
    const NodeId *operands; /* by parameter */
    const SetId *sets;
} Operands;

/* The domain of an operand and the keys it has; NULL for what may be left out and is. */
static const Domain *operand_keys(const Operands *operands, uint32_t parameter, KeySet *keys) {
    NodeId operand = operands->operands[parameter];
    KeySolver *solver = &operands->solvers[operands->solved->domain_of[operand]];
    *keys = keys_set(solver, operands->sets[operand]);
    return is_constant(graph_node(solver->graph, operand)) ? NULL : solver->domain;
}

static KeyId operand_find(void *context, uint32_t parameter, Text key, bool *there) {
    KeySet keys;
    const Domain *domain = operand_keys(context, parameter, &keys);
    KeyId id = domain != NULL ? domain_key(domain, key) : INDEX_NONE;
    *there = id != INDEX_NONE && keys_have(keys, id);
    return id;
}

static bool operand_has_any(void *context, uint32_t parameter, const KeyForm *form) {
    KeySet keys;
    const Domain *domain = operand_keys(context, parameter, &keys);
    for (KeyId id = 0; domain != NULL && id < domain->n_keys; id++)
        if (keys_have(keys, id) && key_has_form(domain->keys[id], form))
            return true;
    return false;
}

static SetId conversion_keys(KeySolver *solvers, KeySolver *solver, NodeId id, const SetId *sets) {
    Solved *solved = solver->solved;
    const Node *node = graph_node(solver->graph, id);
    uint64_t *bits = scratch_set(solver);
    const ConversionRule **rules =
        arena_array(solver->arena, const ConversionRule *, solver->domain->n_keys + 1);
    Operands operands = {solvers, solved, graph_operands(solver->graph, id), sets};
    ConversionOperands asked = {operand_find, operand_has_any, &operands};
    Builder space = {0};
    library_spaces_print(solved->recipe->library, solved->spaces[id], &space);
    Conversion *conversion = conversion_read(solver->arena, solver->diags, solved->configs,
                                             node->method, builder_view(&space), &asked);
    for (KeyId key = 0; conversion != NULL && key < solver->domain->n_keys; key++) {
        rules[key] = conversion_find(conversion, solver->domain->keys[key]);
        if (rules[key] != NULL)
            set_bit(bits, key);
    }
    if (conversion != NULL)
        conversion_free(conversion);
    builder_free(&space);
    solved->conversions[id] = (RuleTable){rules};
    return keys_number(solver, bits);
}

/* ---- components ---- */

static bool has_component(const Config *config, Text name) {
    for (uint32_t i = 0; i < config->n_components; i++)
        if (text_equal(config->components[i], name))
            return true;
    return false;
}

static SetId component_keys(KeySolver *solver, NodeId id, SetId operand) {
    const Node *node = graph_node(solver->graph, id);
    const Config *config = solver->domain->config;
    Text shown = text_printable(solver->arena, node->text);
    if (config == NULL) {
        diag_error(solver->diags, node->span, "nothing is known of the components of this model");
        diag_hint(solver->diags, "say which architecture it has: model(path, config = \"…\")");
        return operand;
    }
    if (!has_component(config, node->text)) {
        diag_error(solver->diags, node->span, "'%.*s' has no component '%.*s'",
                   TEXT_ARG(config->name), TEXT_ARG(shown));
        Text nearest = nearest_name(node->text, config->components, config->n_components);
        if (nearest.size > 0)
            diag_hint(solver->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
        return operand;
    }
    uint64_t *bits = scratch_set(solver);
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (text_equal(config->keys[key].component, node->text))
            set_bit(bits, key);
    return keys_combine(solver, operand, keys_number(solver, bits), true);
}

/* ---- nodes ---- */

static SetId node_keys(KeySolver *solvers, KeySolver *solver, NodeId id, const SetId *sets) {
    const Node *node = graph_node(solver->graph, id);
    const NodeId *operands = graph_operands(solver->graph, id);
    switch (node->kind) {
    case NODE_MODEL:
        return model_keys(solver, id);
    case NODE_MAP:
        return map_keys(solver, id, sets);
    case NODE_KEEP:
        return kept_keys(solver, node, sets[operands[0]]);
    case NODE_COMPONENT:
        return component_keys(solver, id, sets[operands[0]]);
    case NODE_OPERATOR:
        return common_keys(solver, id, sets, node->op != AST_FALLBACK);
    case NODE_CALL:
        return node->method->rules != NULL ? conversion_keys(solvers, solver, id, sets)
                                           : call_keys(solver, id, sets);
    default:
        return common_keys(solver, id, sets, true);
    }
}

/* What some source of the domain has. */
static void add_source(KeySolver *solver, const Node *node, SetId set, bool *first) {
    bool is_source = node->kind == NODE_MODEL || (node->kind == NODE_MAP && !has_patterns(node)) ||
                     (node->kind == NODE_CALL && node->method->rules != NULL);
    if (!is_source)
        return;
    solver->there = *first ? set : keys_combine(solver, solver->there, set, false);
    *first = false;
}

static void find_sets(KeySolver *solvers, Solved *solved, SetId *sets, Arena *arena) {
    bool *first = arena_array(arena, bool, solved->n_domains + 1);
    for (uint32_t i = 0; i < solved->n_domains; i++)
        first[i] = true;
    for (NodeId id = 0; id < graph_count(solved->recipe->graph); id++) {
        uint32_t domain = solved->domain_of[id];
        if (!solved->reached[id])
            continue;
        sets[id] = node_keys(solvers, &solvers[domain], id, sets);
        add_source(&solvers[domain], graph_node(solved->recipe->graph, id), sets[id],
                   &first[domain]);
    }
}

/* ---- maps ---- */

static void find_glob(const KeySolver *solver, Text glob, int32_t entry, int32_t *found) {
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (found[key] < 0 && glob_matches(glob, solver->domain->keys[key]))
            found[key] = entry;
}

static void find_blocks(const KeySolver *solver, const MapEntry *blocks, int32_t entry,
                        int32_t *found) {
    const Config *config = solver->domain->config;
    if (config == NULL)
        return;
    uint32_t first = config_block(config, blocks->first);
    uint32_t last = blocks->kind == ENTRY_RANGE ? config_block(config, blocks->last) : first;
    for (KeyId key = 0; key < solver->domain->n_keys; key++) {
        uint32_t block =
            found[key] < 0 ? config_block(config, config->keys[key].block) : INDEX_NONE;
        if (block != INDEX_NONE && block >= first && block <= last)
            found[key] = entry;
    }
}

/* The first entry for each key, or -1. A dict of many keys is read off by name. */
static const int32_t *find_entries(const KeySolver *solver, const MapEntry *entries, uint32_t n) {
    uint32_t n_keys = solver->domain->n_keys;
    int32_t *found = arena_array(solver->arena, int32_t, n_keys + 1);
    for (KeyId key = 0; key < n_keys; key++)
        found[key] = -1;
    for (uint32_t i = 0; i < n; i++) {
        if (entries[i].kind == ENTRY_KEY) {
            KeyId key = domain_key(solver->domain, entries[i].first);
            if (key != INDEX_NONE && found[key] < 0)
                found[key] = (int32_t)i;
            continue;
        }
        if (entries[i].kind == ENTRY_GLOB)
            find_glob(solver, entries[i].first, (int32_t)i, found);
        else
            find_blocks(solver, &entries[i], (int32_t)i, found);
    }
    return found;
}

static void check_output(const KeySolver *solver, const RecipeOutput *output, KeySet keys) {
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (keys_have(keys, key))
            return;
    if (solver->domain->n_keys == 0 && solver->domain->has_inputs)
        return; /* an empty model makes an empty model */
    diag_error(solver->diags, output->span, "the models that meet here have no key in common");
}

static void solver_free(KeySolver *solver) {
    vector_free(&solver->sets);
    vector_free(&solver->combined);
    index_free(&solver->by_content);
    index_free(&solver->by_operands);
    vector_free(&solver->bodies);
    index_free(&solver->by_body);
}

static KeySolver *new_solvers(Arena *arena, Diags *diags, Solved *solved,
                              const SolveOptions *options) {
    KeySolver *solvers = arena_array(arena, KeySolver, solved->n_domains + 1);
    for (uint32_t i = 0; i < solved->n_domains; i++) {
        solvers[i] = (KeySolver){.options = options,
                                 .arena = arena,
                                 .diags = diags,
                                 .solved = solved,
                                 .graph = solved->recipe->graph,
                                 .domain = &solved->domains[i],
                                 .n_words = (solved->domains[i].n_keys + 63) / 64};
        vector_push(&solvers[i].sets, NULL);
    }
    return solvers;
}

static void find_all_entries(KeySolver *solvers, Solved *solved) {
    for (NodeId id = 0; id < graph_count(solved->recipe->graph); id++) {
        const Node *node = graph_node(solved->recipe->graph, id);
        if (solved->reached[id] && node->kind == NODE_MAP)
            solved->entries[id] =
                find_entries(&solvers[solved->domain_of[id]], node->entries, node->n_operands);
    }
}

/* What a network's keys are meant by is no part of a result. */
static SetId without_settings(KeySolver *solver, SetId set) {
    const Config *config = solver->domain->config;
    if (config == NULL || !config_is_network(config))
        return set;
    uint64_t *bits = scratch_set(solver);
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (keys_have(keys_set(solver, set), key) && !config->keys[key].is_setting)
            set_bit(bits, key);
    return keys_number(solver, bits);
}

static void keep_outputs(KeySolver *solvers, Solved *solved, const SetId *sets) {
    for (uint32_t i = 0; i < solved->recipe->n_outputs; i++) {
        NodeId node = solved->recipe->outputs[i].node;
        KeySolver *solver = &solvers[solved->domain_of[node]];
        SetId set = tied_output(solver, i, without_settings(solver, sets[node]));
        solved->output_keys[i] = keys_set(solver, set);
        check_output(solver, &solved->recipe->outputs[i], solved->output_keys[i]);
        const DTypeMap *dtypes = &solved->recipe->outputs[i].dtypes;
        if (dtypes->count == 0)
            continue;
        solved->dtypes[i] = find_entries(solver, dtypes->keys, dtypes->count);
        keys_check_dtypes(solver, i);
    }
}

bool solve_keys(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options) {
    size_t errors = diag_errors(diags);
    uint32_t n = graph_count(solved->recipe->graph);
    collect_keys(arena, solved);
    KeySolver *solvers = new_solvers(arena, diags, solved, options);
    SetId *sets = arena_array(arena, SetId, n + 1);
    solved->conversions = arena_array(arena, RuleTable, n + 1);
    solved->tensors = arena_array(arena, const Tensor **, n + 1);
    solved->entries = arena_array(arena, const int32_t *, n + 1);
    solved->output_keys = arena_array(arena, KeySet, solved->recipe->n_outputs + 1);
    solved->dtypes = arena_array(arena, const int32_t *, solved->recipe->n_outputs + 1);
    solved->ties = arena_array(arena, Tie, solved->recipe->n_outputs + 1);
    tied_find(arena, solved);
    find_sets(solvers, solved, sets, arena);
    find_all_entries(solvers, solved);
    if (diag_errors(diags) == errors) {
        keys_check_maps(solvers, solved, sets);
        if (!options->partial) {
            keys_check_networks(solvers, solved, sets);
            keys_warn_losses(solvers, solved, sets);
        }
    }
    if (diag_errors(diags) == errors)
        keep_outputs(solvers, solved, sets);
    for (uint32_t i = 0; i < solved->n_domains; i++)
        solver_free(&solvers[i]);
    return diag_errors(diags) == errors;
}

/* ---- what others ask ---- */

static const Domain *domain_at(const Solved *solved, NodeId node) {
    return &solved->domains[solved->domain_of[node]];
}

Key solved_key(const Solved *solved, NodeId node, Text name) {
    return (Key){name, solved->domain_of[node], domain_key(domain_at(solved, node), name)};
}

KeyId solved_key_id(const Solved *solved, NodeId node, Key key) {
    return solved->domain_of[node] == key.domain ? key.id
                                                 : domain_key(domain_at(solved, node), key.name);
}

const ConfigKey *solved_config_key(const Solved *solved, NodeId node, Text key) {
    const Domain *domain = domain_at(solved, node);
    KeyId id = domain->config != NULL ? domain_key(domain, key) : INDEX_NONE;
    return id != INDEX_NONE ? &domain->config->keys[id] : NULL;
}

const Tensor *solved_tensor_at(const Solved *solved, NodeId node, Key key) {
    KeyId id = solved_key_id(solved, node, key);
    if (id != INDEX_NONE)
        return solved->tensors[node][id];
    const Tensor *tensor = model_find(solved->models[node], key.name);
    return tensor != NULL && tensor->is_scale ? NULL : tensor;
}

const Tensor *solved_tensor(const Solved *solved, NodeId node, Text key) {
    const Tensor *tensor = model_find(solved->models[node], key);
    if (tensor == NULL)
        tensor = tied_tensor(solved, node, key);
    const Domain *domain = domain_at(solved, node);
    KeyId id = tensor == NULL && domain->config != NULL ? domain_key(domain, key) : INDEX_NONE;
    uint32_t n = 0;
    const Text *aliases = id != INDEX_NONE ? config_aliases(domain->config, id, &n) : NULL;
    for (uint32_t i = 0; tensor == NULL && i < n; i++)
        tensor = model_find(solved->models[node], aliases[i]);
    return tensor != NULL && tensor->is_scale ? NULL : tensor;
}

const ConversionRule *solved_rule(const Solved *solved, NodeId node, Text key) {
    KeyId id = domain_key(domain_at(solved, node), key);
    return id != INDEX_NONE ? solved->conversions[node].rules[id] : NULL;
}

int solved_entry(const Solved *solved, NodeId id, Key key) {
    const Node *node = graph_node(solved->recipe->graph, id);
    if (node->kind == NODE_KEEP)
        return glob_matches(node->text, key.name);
    KeyId place = solved_key_id(solved, id, key);
    if (node->kind == NODE_COMPONENT) {
        const Config *config = domain_at(solved, id)->config;
        return place != INDEX_NONE && config != NULL &&
               text_equal(config->keys[place].component, node->text);
    }
    return place != INDEX_NONE ? solved->entries[id][place] : -1;
}
