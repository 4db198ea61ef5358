/* Which nodes share their keys, and what keys those are: a model config's, or the structural ones.
 *
 * Nodes that meet in an operation are of one domain, except across parameters that name a config of
 * their own, and across conversions. The config of a domain is the one that it is said to have, or
 * the one that explains the keys of all its models best, as in sd-mecha: those that know a tenth of
 * a model's keys are its candidates, candidates are intersected, the lowest average share of
 * unknown keys wins, and ties go to the last in alphabetical order. */
#include "solve/solve.h"

#include "base/vector.h"
#include "solve/conversion.h"
#include "solve/convert.h"
#include "solve/sample.h"
#include "solve/union.h"

#include <stdlib.h>

typedef struct Candidate {
    const Config *config;
    double unknown; /* sum over the sources */
} Candidate;

/* What is known of a domain's config while nodes are looked at. */
typedef struct Choice {
    const Config *said; /* by a hint, a parameter or a conversion */
    NodeId said_by;
    const Config *perfect;        /* knows all keys of all sources; NULL: none does */
    uint32_t n_perfect;           /* sources that were asked for it */
    VECTOR(Candidate) candidates; /* in descending order of names */
    uint32_t n_sources;           /* that were intersected */
    NodeId first;                 /* of them */
    const Config *first_best;
    bool warned;
} Choice;

typedef struct ConfigSolver {
    Arena *arena;
    Diags *diags;
    Solved *solved;
    const SolveOptions *options;
    const Graph *graph;
    uint32_t *sets;  /* union-find over nodes */
    Choice *choices; /* by domain */
    NodeId constant; /* the first one */
    bool quiet;      /* warnings are for another time */
    bool all;        /* configs that fit are looked for although one knows everything */
} ConfigSolver;

static bool is_constant(const ConfigSolver *solver, NodeId id) {
    NodeKind kind = graph_node(solver->graph, id)->kind;
    return kind == NODE_NUMBER || kind == NODE_STRING || kind == NODE_NULL;
}

/* ---- domains ---- */

/* Whether operand I of a node has the keys of the node's result. */
static bool shares_keys(const Node *node, uint32_t i) {
    if (node->kind == NODE_CONVERT)
        return false;
    if (node->kind != NODE_CALL)
        return true;
    const Method *method = node->method;
    uint32_t p = method_operand(method, node->n_operands, i);
    return method->parameters[p].config.size == 0 &&
           (method->rules == NULL || conversion_takes_base(method, p));
}

/* Constants go with every key, and have none of their own: one domain for all of them. */
static void join_constant(ConfigSolver *solver, NodeId id) {
    if (solver->constant == NODE_NONE)
        solver->constant = id;
    union_join(solver->sets, solver->constant, id);
}

static void join_operands(ConfigSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    if (is_constant(solver, id))
        join_constant(solver, id);
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

/* ---- configs that are said ---- */

static void say(ConfigSolver *solver, NodeId id, Text name, NodeId by) {
    if (name.size == 0)
        return;
    Choice *choice = &solver->choices[solver->solved->domain_of[id]];
    Span span = graph_node(solver->graph, by)->span;
    const Config *config = configs_find(solver->solved->configs, name);
    if (config == NULL) {
        configs_unknown(solver->solved->configs, name, span);
    } else if (choice->said == NULL) {
        choice->said = config;
        choice->said_by = by;
    } else if (choice->said != config) {
        diag_error(solver->diags, span, "keys of '%.*s' meet keys of '%.*s' here",
                   TEXT_ARG(config->name), TEXT_ARG(choice->said->name));
        diag_hint(solver->diags, "convert one of them: x as \"%.*s\"", TEXT_ARG(config->name));
        diag_note(solver->diags, graph_node(solver->graph, choice->said_by)->span,
                  "'%.*s' is wanted here", TEXT_ARG(choice->said->name));
    }
}

static void find_said(ConfigSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    say(solver, id, node->config, id);
    if (node->kind != NODE_CALL)
        return;
    say(solver, id, node->method->config, id);
    for (uint32_t i = 0; i < node->n_operands; i++) {
        NodeId operand = graph_operands(solver->graph, id)[i];
        if (!is_constant(solver, operand) && !shares_keys(node, i))
            say(solver, operand,
                node->method->parameters[method_operand(node->method, node->n_operands, i)].config,
                id);
    }
}

/* ---- configs that fit ---- */

static Text source_name(const ConfigSolver *solver, NodeId id) {
    const Model *model = solver->solved->models[id];
    return model != NULL ? text_printable(solver->arena, model->path) : TEXT("this map");
}

/* The names of a model's tensors, or of the entries of a map of keys that hold no recipes. */
static const Text *source_names(const ConfigSolver *solver, NodeId id, uint32_t *n) {
    const Node *node = graph_node(solver->graph, id);
    const Model *model = solver->solved->models[id];
    uint32_t limit = model != NULL ? model->n_tensors : node->n_operands;
    Text *names = arena_array(solver->arena, Text, limit + 1);
    *n = 0;
    for (uint32_t i = 0; i < limit; i++)
        if (model != NULL && !model->tensors[i].is_scale)
            names[(*n)++] = model->tensors[i].name;
        else if (model == NULL && is_constant(solver, graph_operands(solver->graph, id)[i]))
            names[(*n)++] = node->entries[i].first;
    return names;
}

/* Which names of a source a config does not know, and which of its own keys the source lacks. */
static void compare_keys(ConfigSolver *solver, NodeId id, const Config *config, Sample *extra,
                         Sample *missing) {
    uint32_t n;
    const Text *names = source_names(solver, id, &n);
    bool *there = arena_array(solver->arena, bool, config->n_keys + n + 1);
    for (uint32_t i = 0; i < n; i++) {
        KeyId key = config_find(config, names[i]);
        if (key == INDEX_NONE)
            sample_add(extra, names[i]);
        else
            there[key] = true;
    }
    for (KeyId key = 0; key < config->n_keys; key++)
        if (!there[key] && !config->keys[key].optional)
            sample_add(missing, config->keys[key].name);
}

static void report_mismatch(ConfigSolver *solver, NodeId id, const Choice *choice,
                            ConfigMatches matches) {
    Sample extra = {0}, missing = {0};
    compare_keys(solver, id, choice->said, &extra, &missing);
    diag_error(solver->diags, graph_node(solver->graph, id)->span, "%.*s is no '%.*s'",
               TEXT_ARG(source_name(solver, id)), TEXT_ARG(choice->said->name));
    if (matches.count > 0)
        diag_hint(solver->diags, "it looks like '%.*s'", TEXT_ARG(matches.items[0].config->name));
    if (choice->said_by != id)
        diag_note(solver->diags, graph_node(solver->graph, choice->said_by)->span,
                  "'%.*s' is wanted here", TEXT_ARG(choice->said->name));
    if (extra.count > 0)
        diag_note(solver->diags, SPAN_NONE, "unknown keys: %s", sample_text(&extra));
    if (missing.count > 0)
        diag_note(solver->diags, SPAN_NONE, "missing keys: %s", sample_text(&missing));
    builder_free(&extra.text);
    builder_free(&missing.text);
}

static const ConfigMatch *find_match(ConfigMatches matches, const Config *config) {
    for (uint32_t i = 0; i < matches.count; i++)
        if (matches.items[i].config == config)
            return &matches.items[i];
    return NULL;
}

static const Config *best_match(ConfigMatches matches) {
    const ConfigMatch *best = NULL;
    for (uint32_t i = 0; i < matches.count; i++)
        if (best == NULL || matches.items[i].unknown < best->unknown)
            best = &matches.items[i];
    return best != NULL ? best->config : NULL;
}

/* How one of two models of different configs gets the keys of the other. */
static void hint_at_way(const ConfigSolver *solver, NodeId a, const Config *of_a, NodeId b,
                        const Config *of_b) {
    const Recipe *recipe = solver->solved->recipe;
    bool forth = convert_leads(recipe, of_a->name, of_b->name);
    if (config_is_network(of_a) != config_is_network(of_b))
        diag_hint(solver->diags, "apply(model, network, strength) adds a network to a model");
    else if (forth || convert_leads(recipe, of_b->name, of_a->name))
        diag_hint(solver->diags, "as \"%.*s\" gives %.*s the keys of the other",
                  TEXT_ARG((forth ? of_b : of_a)->name),
                  TEXT_ARG(source_name(solver, forth ? a : b)));
}

/* Inputs of different architectures have few keys in common, which is rarely what was meant. */
static void warn_apart(ConfigSolver *solver, Choice *choice, NodeId id, const Config *best) {
    if (solver->quiet || choice->warned || best == choice->first_best)
        return;
    NodeId other = choice->first;
    choice->warned = true;
    if (best != NULL && choice->first_best != NULL) {
        diag_warning(
            solver->diags, graph_node(solver->graph, id)->span,
            "%.*s looks like '%.*s', but %.*s like '%.*s': only their common keys are merged",
            TEXT_ARG(source_name(solver, id)), TEXT_ARG(best->name),
            TEXT_ARG(source_name(solver, other)), TEXT_ARG(choice->first_best->name));
        hint_at_way(solver, id, best, other, choice->first_best);
    } else if (solver->solved->models[id] != NULL && solver->solved->models[other] != NULL) {
        NodeId unknown = best == NULL ? id : other;
        diag_warning(solver->diags, graph_node(solver->graph, unknown)->span,
                     "%.*s looks like nothing that is known, but %.*s like '%.*s': only their "
                     "common keys are merged",
                     TEXT_ARG(source_name(solver, unknown)),
                     TEXT_ARG(source_name(solver, best == NULL ? other : id)),
                     TEXT_ARG((best == NULL ? choice->first_best : best)->name));
    }
}

static void intersect(ConfigSolver *solver, Choice *choice, NodeId id, ConfigMatches matches) {
    const Config *best = best_match(matches);
    if (choice->n_sources++ == 0) {
        choice->first = id;
        choice->first_best = best;
        for (uint32_t i = 0; i < matches.count; i++)
            vector_push(&choice->candidates,
                        (Candidate){matches.items[i].config, matches.items[i].unknown});
        return;
    }
    size_t kept = 0;
    for (size_t i = 0; i < choice->candidates.count; i++) {
        Candidate candidate = choice->candidates.items[i];
        const ConfigMatch *match = find_match(matches, candidate.config);
        if (match == NULL)
            continue;
        candidate.unknown += match->unknown;
        choice->candidates.items[kept++] = candidate;
    }
    choice->candidates.count = kept;
    if (kept == 0)
        warn_apart(solver, choice, id, best);
}

/* A map of keys says by itself which it has; one of patterns goes with any. */
static bool is_source(const ConfigSolver *solver, NodeId id) {
    const Node *node = graph_node(solver->graph, id);
    return solver->solved->models[id] != NULL ||
           (node->kind == NODE_MAP && node->n_operands > 0 && node->entries[0].kind == ENTRY_KEY);
}

/* Where one config knows every key of every source, no other needs to be looked at. */
static void match_perfectly(ConfigSolver *solver, NodeId id) {
    Choice *choice = &solver->choices[solver->solved->domain_of[id]];
    if (!is_source(solver, id) || choice->said != NULL)
        return;
    uint32_t n;
    const Text *names = source_names(solver, id, &n);
    const Config *perfect = configs_perfect(solver->solved->configs, names, n);
    choice->perfect = choice->n_perfect++ == 0 || choice->perfect == perfect ? perfect : NULL;
}

static void match_source(ConfigSolver *solver, NodeId id) {
    Choice *choice = &solver->choices[solver->solved->domain_of[id]];
    if (!is_source(solver, id) || (choice->perfect != NULL && !solver->all))
        return;
    uint32_t n;
    const Text *names = source_names(solver, id, &n);
    if (choice->said == NULL)
        intersect(solver, choice, id, configs_match(solver->solved->configs, names, n));
    else if (n > 0 && !config_fits(choice->said, names, n))
        report_mismatch(solver, id, choice, configs_match(solver->solved->configs, names, n));
}

static void choose(ConfigSolver *solver, uint32_t domain) {
    Choice *choice = &solver->choices[domain];
    const Candidate *best = NULL;
    for (size_t i = 0; i < choice->candidates.count; i++)
        if (best == NULL || choice->candidates.items[i].unknown < best->unknown)
            best = &choice->candidates.items[i];
    const Config *matched = best != NULL ? best->config : choice->perfect;
    solver->solved->domains[domain].config = choice->said != NULL ? choice->said : matched;
    vector_free(&choice->candidates);
}

/* ---- models against their config ---- */

static bool is_of_part(Text name, Text part) {
    return text_starts(name, part) && name.size > part.size && name.data[part.size] == '.';
}

static bool has_part(const Config *config, Text part) {
    for (KeyId key = 0; key < config->n_keys; key++)
        if (is_of_part(config->keys[key].name, part))
            return true;
    return false;
}

/* The parts of a pipeline that are none of its config's. */
static void find_apart(const Model *model, const Config *config, Names *apart) {
    for (uint32_t i = 0; model != NULL && config != NULL && i < model->n_parts; i++)
        if (model->parts[i].has_weights && !has_part(config, model->parts[i].name))
            names_add(apart, model->parts[i].name);
}

void solved_apart(const Solved *solved, uint32_t output, Names *apart) {
    NodeId node = solved->recipe->outputs[output].node;
    for (uint32_t i = 0; i < solved->n_inputs; i++)
        find_apart(solved->inputs[i], solved->domains[solved->domain_of[node]].config, apart);
}

static bool is_of_any(Text name, const Names *parts) {
    for (size_t i = 0; i < parts->count; i++)
        if (is_of_part(name, parts->texts[i]))
            return true;
    return false;
}

static void warn_apart_parts(ConfigSolver *solver, NodeId id, const Config *config,
                             const Names *apart) {
    Sample names = {0};
    for (size_t i = 0; i < apart->count; i++)
        sample_add(&names, apart->texts[i]);
    if (names.count > 0) {
        diag_warning(solver->diags, graph_node(solver->graph, id)->span,
                     "%.*s has parts that '%.*s' does not know; they are not merged: %s",
                     TEXT_ARG(source_name(solver, id)), TEXT_ARG(config->name),
                     sample_text(&names));
        diag_hint(solver->diags, "a pipeline gets them as its first model has them");
    }
    builder_free(&names.text);
}

/* The names of a source that a config does not know. */
static const Text *unknown_names(const ConfigSolver *solver, NodeId id, const Config *config,
                                 uint32_t *n) {
    Configs *configs = solver->solved->configs;
    const Model *model = solver->solved->models[id];
    const KeyId *keys = model != NULL ? config_tensors(configs, config, model) : NULL;
    uint32_t limit;
    const Text *names = source_names(solver, id, &limit);
    Text *unknown = arena_array(solver->arena, Text, limit + 1);
    *n = 0;
    for (uint32_t i = 0; keys != NULL && i < model->n_tensors; i++)
        if (keys[i] == INDEX_NONE && !model->tensors[i].is_scale)
            unknown[(*n)++] = model->tensors[i].name;
    for (uint32_t i = 0; keys == NULL && i < limit; i++)
        if (config_find(config, names[i]) == INDEX_NONE)
            unknown[(*n)++] = names[i];
    return unknown;
}

static void warn_unknown_keys(ConfigSolver *solver, NodeId id, const Config *config) {
    if (solver->choices[solver->solved->domain_of[id]].perfect == config)
        return;
    Sample extra = {0};
    Names apart = {.arena = solver->arena};
    find_apart(solver->solved->models[id], config, &apart);
    uint32_t n;
    const Text *names = unknown_names(solver, id, config, &n);
    for (uint32_t i = 0; i < n; i++)
        if (!is_of_any(names[i], &apart))
            sample_add(&extra, names[i]);
    if (extra.count > 0)
        diag_warning(solver->diags, graph_node(solver->graph, id)->span,
                     "%.*s has keys that '%.*s' does not know; they are left out: %s",
                     TEXT_ARG(source_name(solver, id)), TEXT_ARG(config->name),
                     sample_text(&extra));
    warn_apart_parts(solver, id, config, &apart);
    builder_free(&extra.text);
    names_free(&apart);
}

static bool has_key(const ConfigSolver *solver, NodeId id, const ConfigKey *key) {
    if (solver->solved->models[id] != NULL)
        return solved_tensor(solver->solved, id, key->name) != NULL;
    const Node *node = graph_node(solver->graph, id);
    for (uint32_t i = 0; i < node->n_operands; i++)
        if (text_equal(node->entries[i].first, key->name))
            return true;
    return false;
}

static void check_mandatory_keys(ConfigSolver *solver, NodeId id, const Config *config) {
    Sample missing = {0};
    for (KeyId key = 0; key < config->n_keys; key++)
        if (!config->keys[key].optional && !has_key(solver, id, &config->keys[key]))
            sample_add(&missing, config->keys[key].name);
    if (missing.count > 0)
        diag_error(solver->diags, graph_node(solver->graph, id)->span,
                   "%.*s lacks keys of '%.*s': %s", TEXT_ARG(source_name(solver, id)),
                   TEXT_ARG(config->name), sample_text(&missing));
    builder_free(&missing.text);
}

static void check_source(ConfigSolver *solver, NodeId id) {
    const Config *config = solver->solved->domains[solver->solved->domain_of[id]].config;
    if (config == NULL || !is_source(solver, id))
        return;
    /* Of a network, what changes nothing is counted with the conversion that uses it. */
    if (!config_is_network(config))
        warn_unknown_keys(solver, id, config);
    if (solver->options->strict)
        check_mandatory_keys(solver, id, config);
}

/* ---- all of it ---- */

static void each_node(ConfigSolver *solver, void (*visit)(ConfigSolver *solver, NodeId id)) {
    for (NodeId id = 0; id < graph_count(solver->graph); id++)
        if (solver->solved->reached[id])
            visit(solver, id);
}

/* Domains, and what their nodes say and know. False after errors. */
static bool find_choices(ConfigSolver *solver) {
    size_t errors = diag_errors(solver->diags);
    solver->graph = solver->solved->recipe->graph;
    solver->sets = union_new(solver->arena, graph_count(solver->graph));
    solver->constant = NODE_NONE;
    /* A set's name is its smallest node; whether that one is reached must speak for all, so
     * unreached ones stay apart. */
    each_node(solver, join_operands);
    number_domains(solver);
    solver->choices = arena_array(solver->arena, Choice, solver->solved->n_domains + 1);
    each_node(solver, find_said);
    if (diag_errors(solver->diags) == errors && !solver->options->structural) {
        each_node(solver, match_perfectly);
        each_node(solver, match_source);
    }
    return diag_errors(solver->diags) == errors;
}

bool solve_configs(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options) {
    size_t errors = diag_errors(diags);
    ConfigSolver solver = {.arena = arena, .diags = diags, .solved = solved, .options = options};
    bool ok = find_choices(&solver);
    for (uint32_t i = 0; i < solved->n_domains; i++)
        choose(&solver, i);
    if (ok)
        each_node(&solver, check_source);
    return diag_errors(diags) == errors;
}

static int by_unknown(const void *a, const void *b) {
    const Candidate *x = a, *y = b;
    if (x->unknown != y->unknown)
        return x->unknown < y->unknown ? -1 : 1;
    return text_compare(y->config->name, x->config->name);
}

const Config *const *solve_candidates(Arena *arena, Diags *diags, Solved *solved,
                                      const SolveOptions *options, NodeId node, bool all,
                                      uint32_t *count) {
    ConfigSolver solver = {.arena = arena,
                           .diags = diags,
                           .solved = solved,
                           .options = options,
                           .quiet = true,
                           .all = all};
    *count = 0;
    bool ok = find_choices(&solver);
    Choice *choice = &solver.choices[solved->domain_of[node]];
    const Config **configs = arena_array(arena, const Config *, choice->candidates.count + 1);
    vector_sort(&choice->candidates, by_unknown);
    const Config *known = choice->said != NULL ? choice->said : all ? NULL : choice->perfect;
    if (ok && known != NULL)
        configs[(*count)++] = known;
    for (size_t i = 0; ok && known == NULL && i < choice->candidates.count; i++)
        configs[(*count)++] = choice->candidates.items[i].config;
    for (uint32_t i = 0; i < solved->n_domains; i++)
        vector_free(&solver.choices[i].candidates);
    return configs;
}
