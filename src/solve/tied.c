/* Tied weights: a language model whose head is its embeddings, and so no tensor of its file.
 *
 * Where such a model meets one that has a head, or a network that changes the head, its embeddings
 * are its head; a result of tied models alone has none. */
#include "solve/conversion.h"
#include "solve/keys.h"

/* The rows of the library's list. */
static const Ast *read_pairs(const Solved *solved) {
    return library_find(solved->recipe->library, DEFINITION_FUNCTION, TEXT("tied_weights"))
        ->syntax->a;
}

/* Whether the models of a network's domain have something for the weight KEY. */
static bool has_network_for(const Solved *solved, uint32_t domain, Text key) {
    const Config *config = solved->domains[domain].config;
    NetworkName name;
    for (NodeId id = 0; id < graph_count(solved->recipe->graph); id++) {
        const Model *model = solved->domain_of[id] == domain ? solved->models[id] : NULL;
        for (uint32_t i = 0; model != NULL && i < model->n_tensors; i++)
            if (config_network_name(config, model->tensors[i].name, &name) &&
                text_starts(key, name.module) &&
                text_equal((Text){key.data + name.module.size, key.size - name.module.size},
                           TEXT(".weight")))
                return true;
    }
    return false;
}

static bool names_key(const Domain *domain, const Ast *key) {
    return names_find(&domain->index, key->text) != INDEX_NONE;
}

/* For the operand of a conversion into a domain. */
static void add_head(const Solved *solved, Domain *domain, uint32_t operand) {
    const Ast *pairs = read_pairs(solved);
    const Config *config = solved->domains[operand].config;
    if (config == NULL || !config_is_network(config))
        return;
    for (uint32_t i = 0; i < pairs->n_items; i++) {
        const Ast *pair = pairs->items[i];
        if (!names_key(domain, pair->items[0]) && names_key(domain, pair->items[1]) &&
            has_network_for(solved, operand, pair->items[0]->text))
            names_add(&domain->index, pair->items[0]->text);
    }
}

void tied_add_heads(Solved *solved) {
    const Graph *graph = solved->recipe->graph;
    for (NodeId id = 0; id < graph_count(graph); id++) {
        const Node *node = graph_node(graph, id);
        Domain *domain = &solved->domains[solved->domain_of[id]];
        bool converts = solved->reached[id] && node->kind == NODE_CALL &&
                        node->method->rules != NULL && domain->config == NULL;
        for (uint32_t i = 0; converts && i < node->n_operands; i++)
            add_head(solved, domain, solved->domain_of[graph_operands(graph, id)[i]]);
    }
}

static const Ast *find_pair(const Solved *solved, const Domain *domain) {
    const Ast *pairs = read_pairs(solved);
    for (uint32_t i = 0; i < pairs->n_items; i++)
        if (names_key(domain, pairs->items[i]->items[0]) &&
            names_key(domain, pairs->items[i]->items[1]))
            return pairs->items[i];
    return NULL;
}

static TiedModel look_at(const Model *model, const Domain *domain) {
    Tie said = tie_read(model->folder);
    bool has_head = model_find(model, domain->head) != NULL;
    bool has_embeddings = model_find(model, domain->embeddings) != NULL;
    bool own = has_head && (said != TIE_TIED || !has_embeddings);
    bool is_tied = has_embeddings && !own && said != TIE_UNTIED;
    return (TiedModel){.has_head = own,
                       .is_tied = is_tied,
                       .lacks_head = has_embeddings && !has_head && said == TIE_UNTIED,
                       .spare_head = has_head && is_tied};
}

void tied_find(Arena *arena, Solved *solved) {
    uint32_t n = graph_count(solved->recipe->graph);
    solved->tied = arena_array(arena, TiedModel, n + 1);
    for (uint32_t i = 0; i < solved->n_domains; i++) {
        Domain *domain = &solved->domains[i];
        const Ast *pair = domain->config == NULL ? find_pair(solved, domain) : NULL;
        if (pair == NULL)
            continue;
        domain->head = pair->items[0]->text;
        domain->embeddings = pair->items[1]->text;
    }
    for (NodeId id = 0; id < n; id++) {
        const Domain *domain = &solved->domains[solved->domain_of[id]];
        if (solved->reached[id] && solved->models[id] != NULL && domain->head.size > 0)
            solved->tied[id] = look_at(solved->models[id], domain);
    }
}

SetId tied_keys(KeySolver *solver, NodeId id, SetId set) {
    if (!solver->solved->tied[id].is_tied)
        return set;
    uint64_t *bits = arena_array(solver->arena, uint64_t, solver->n_words + 1);
    KeyId head = domain_key(solver->domain, solver->domain->head);
    bits[head / 64] |= (uint64_t)1 << (head % 64);
    solver->solved->tensors[id][head] = solved_tensor(solver->solved, id, solver->domain->head);
    return keys_combine(solver, set, keys_number(solver, bits), false);
}

const Tensor *tied_tensor(const Solved *solved, NodeId node, Text key) {
    const Domain *domain = &solved->domains[solved->domain_of[node]];
    bool tied = solved->tied != NULL && solved->tied[node].is_tied && text_equal(key, domain->head);
    return tied ? model_find(solved->models[node], domain->embeddings) : NULL;
}

/* ---- outputs ---- */

/* Whether a network changes the head, which then is no longer what the embeddings are. */
static bool changes_head(const Solved *solved, const Domain *domain, NodeId id) {
    const ConversionRule **rules = solved->conversions[id].rules;
    return rules != NULL && rules[domain_key(domain, domain->head)] != NULL;
}

/* Whether a dict names the head. */
static bool names_head(const Domain *domain, const Node *node) {
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->n_operands; i++)
        if (node->entries[i].kind == ENTRY_KEY && text_equal(node->entries[i].first, domain->head))
            return true;
    return false;
}

/* What the models that an output is made of have, any of them. */
static TiedModel find_models(KeySolver *solver, NodeId node, NodeId *lacking, NodeId *spare) {
    const Solved *solved = solver->solved;
    uint32_t n = graph_count(solver->graph);
    unsigned char *reached = arena_array(solver->arena, unsigned char, n + 1);
    TiedModel any = {0};
    graph_reach(solver->graph, &node, 1, reached);
    for (NodeId id = 0; id <= node; id++) {
        if (!reached[id] || solved->domain_of[id] != solved->domain_of[node])
            continue;
        const Node *made = graph_node(solver->graph, id);
        any.has_head |= solved->tied[id].has_head || names_head(solver->domain, made) ||
                        changes_head(solved, solver->domain, id);
        any.is_tied |= solved->tied[id].is_tied;
        any.selects |= made->kind == NODE_KEEP;
        if (solved->tied[id].lacks_head)
            *lacking = id;
        if (solved->tied[id].spare_head)
            *spare = id;
    }
    return any;
}

static void warn_lacking(KeySolver *solver, NodeId lacking) {
    const Domain *domain = solver->domain;
    diag_warning(
        solver->diags, graph_node(solver->graph, lacking)->span,
        "this model has no '%.*s', and its config.json says that its weights are not tied: "
        "a result of it lacks the head",
        TEXT_ARG(domain->head));
    diag_hint(solver->diags, "`| ` and another model fill it");
}

static void warn_spare(KeySolver *solver, NodeId spare) {
    const Domain *domain = solver->domain;
    diag_warning(solver->diags, graph_node(solver->graph, spare)->span,
                 "'%.*s' is left out: config.json says that '%.*s' stands for it",
                 TEXT_ARG(domain->head), TEXT_ARG(domain->embeddings));
    diag_hint(solver->diags, "where it is a head of its own, tie_word_embeddings is false");
}

static SetId without_key(KeySolver *solver, KeySet keys, KeyId left_out) {
    uint64_t *bits = arena_array(solver->arena, uint64_t, solver->n_words + 1);
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (key != left_out && keys_have(keys, key))
            bits[key / 64] |= (uint64_t)1 << (key % 64);
    return keys_number(solver, bits);
}

/* What the config of a result has to say that has embeddings. */
static Tie tie_of(TiedModel any, bool has_head, bool is_lacking) {
    if (!any.has_head || (!has_head && is_lacking))
        return TIE_UNSAID;
    if (!has_head)
        return TIE_TIED;
    return any.is_tied ? TIE_UNTIED : TIE_UNSAID;
}

SetId tied_output(KeySolver *solver, uint32_t output, SetId set) {
    const Domain *domain = solver->domain;
    KeySet keys = keys_set(solver, set);
    if (domain->head.size == 0 || solver->options->partial ||
        !keys_have(keys, domain_key(domain, domain->embeddings)))
        return set;
    KeyId head = domain_key(domain, domain->head);
    bool has_head = keys_have(keys, head);
    NodeId lacking = NODE_NONE, spare = NODE_NONE;
    NodeId node = solver->solved->recipe->outputs[output].node;
    TiedModel any = find_models(solver, node, &lacking, &spare);
    solver->solved->ties[output] = tie_of(any, has_head, lacking != NODE_NONE);
    if (any.has_head && !has_head && lacking != NODE_NONE && !any.selects)
        warn_lacking(solver, lacking);
    if (any.has_head || !has_head)
        return set;
    if (spare != NODE_NONE)
        warn_spare(solver, spare);
    return without_key(solver, keys, head);
}
