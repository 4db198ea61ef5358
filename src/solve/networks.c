/* The account of networks: a key of a LoRA that changes nothing is most often one that was meant
 * to.
 *
 * Which keys of a node are wanted is told from the outputs backwards: what a node has and is
 * wanted, it wants of its operands; a conversion wants what its rules read. */
#include "solve/conversion.h"
#include "solve/keys.h"

typedef struct Account {
    KeySolver *solvers; /* by domain */
    Arena *arena;
    Solved *solved;
    const Graph *graph;
    const SetId *sets; /* by node: the keys that it has */
    uint64_t **wanted; /* by node; NULL: none */
} Account;

static KeySolver *solver_of(const Account *account, NodeId id) {
    return &account->solvers[account->solved->domain_of[id]];
}

static bool has(const Account *account, NodeId id, KeyId key) {
    return keys_have(keys_set(solver_of(account, id), account->sets[id]), key);
}

static bool is_wanted(const Account *account, NodeId id, KeyId key) {
    return account->wanted[id] != NULL && (account->wanted[id][key / 64] >> (key % 64) & 1);
}

static void want(Account *account, NodeId id, KeyId key) {
    if (account->wanted[id] == NULL)
        account->wanted[id] =
            arena_array(account->arena, uint64_t, solver_of(account, id)->n_words + 1);
    account->wanted[id][key / 64] |= UINT64_C(1) << (key % 64);
}

static void want_all(Account *account, NodeId id) {
    for (KeyId key = 0; key < solver_of(account, id)->domain->n_keys; key++)
        if (has(account, id, key))
            want(account, id, key);
}

/* ---- from users to operands ---- */

static void want_sources(Account *account, NodeId id) {
    const NodeId *operands = graph_operands(account->graph, id);
    for (KeyId key = 0; key < solver_of(account, id)->domain->n_keys; key++) {
        const ConversionRule *rule =
            is_wanted(account, id, key) ? account->solved->conversions[id].rules[key] : NULL;
        for (uint32_t i = 0; rule != NULL && i < rule->n_sources; i++) {
            const ConversionSource *source = &rule->sources[i];
            if (source->id != INDEX_NONE)
                want(account, operands[source->parameter], source->id);
        }
    }
}

/* What the recipe itself leaves out of a network was not meant to change anything. */
static bool is_left_out(const Account *account, NodeId id, KeyId key) {
    const Node *node = graph_node(account->graph, id);
    const Config *config = solver_of(account, id)->domain->config;
    return (node->kind == NODE_KEEP || node->kind == NODE_COMPONENT) && config != NULL &&
           config_is_network(config) && !has(account, id, key);
}

static void want_operand(Account *account, NodeId id, NodeId operand) {
    if (account->solved->domain_of[operand] != account->solved->domain_of[id])
        return;
    for (KeyId key = 0; key < solver_of(account, id)->domain->n_keys; key++)
        if (has(account, operand, key) &&
            (is_wanted(account, id, key) || is_left_out(account, id, key)))
            want(account, operand, key);
}

static void find_wanted(Account *account) {
    const Solved *solved = account->solved;
    for (uint32_t i = 0; i < solved->recipe->n_outputs; i++)
        want_all(account, solved->recipe->outputs[i].node);
    for (NodeId id = graph_count(account->graph); id-- > 0;) {
        if (!solved->reached[id])
            continue;
        if (solved->conversions[id].rules != NULL)
            want_sources(account, id);
        else
            for (uint32_t i = 0; i < graph_node(account->graph, id)->n_operands; i++)
                want_operand(account, id, graph_operands(account->graph, id)[i]);
    }
}

/* ---- what is left ---- */

static bool is_network_model(const Account *account, NodeId id) {
    const Config *config = solver_of(account, id)->domain->config;
    return account->solved->reached[id] && account->solved->models[id] != NULL && config != NULL &&
           config_is_network(config);
}

/* Marks the tensors of a model that its nodes are wanted for; one file may be several nodes. */
static void mark_used(const Account *account, const Model *model, bool *used) {
    for (NodeId id = 0; id < graph_count(account->graph); id++) {
        if (account->solved->models[id] != model || !account->solved->reached[id])
            continue;
        const Domain *domain = solver_of(account, id)->domain;
        for (KeyId key = 0; key < domain->n_keys; key++) {
            const Tensor *tensor =
                is_wanted(account, id, key) ? account->solved->tensors[id][key] : NULL;
            if (tensor != NULL)
                used[tensor - model->tensors] = true;
        }
    }
}

/* Whether some conversion reads this key of a node's domain. */
static bool *find_read(const Account *account, NodeId model) {
    const Solved *solved = account->solved;
    const Domain *domain = solver_of(account, model)->domain;
    bool *read = arena_array(account->arena, bool, domain->n_keys + 1);
    for (NodeId id = 0; id < graph_count(account->graph); id++) {
        const ConversionRule **rules = solved->reached[id] ? solved->conversions[id].rules : NULL;
        for (KeyId key = 0; rules != NULL && key < solver_of(account, id)->domain->n_keys; key++)
            for (uint32_t i = 0; rules[key] != NULL && i < rules[key]->n_sources; i++) {
                KeyId source = domain_key(domain, rules[key]->sources[i].key);
                if (source != INDEX_NONE)
                    read[source] = true;
            }
    }
    return read;
}

/* Keys of a network that change nothing, and why. */
typedef struct Unused {
    Builder names; /* the first few */
    uint32_t count;
    uint32_t parted;   /* of them, those whose counterparts are missing */
    uint32_t unwanted; /* those for keys that the result lacks */
} Unused;

static void add_unused(Unused *unused, const Account *account, NodeId node, const bool *read,
                       Text name) {
    KeyId key = domain_key(solver_of(account, node)->domain, name);
    unused->parted += key != INDEX_NONE && !read[key];
    unused->unwanted += key != INDEX_NONE && read[key];
    if (unused->count++ >= 3)
        return;
    builder_add(&unused->names, unused->count > 1 ? TEXT(", ") : TEXT(""));
    builder_printable(&unused->names, name);
}

static void report_unused(const Account *account, NodeId node, const Unused *unused) {
    const KeySolver *solver = solver_of(account, node);
    Span span = graph_node(account->graph, node)->span;
    Text path = text_printable(account->arena, account->solved->models[node]->path);
    /* sd-mecha merges what it finds; its recipes run here as they do there. */
    if (solver->options->allow_unused || account->solved->recipe->is_list) {
        account->solved->has_unused = true;
        diag_warning(solver->diags, span, "%.*s has keys that change nothing: %s", TEXT_ARG(path),
                     unused->names.data);
        return;
    }
    diag_error(solver->diags, span, "%.*s has keys that change nothing: %s", TEXT_ARG(path),
               unused->names.data);
    diag_hint(solver->diags, "--allow-unused leaves them out");
    if (unused->parted > 0)
        diag_note(solver->diags, SPAN_NONE,
                  "'%.*s' knows %u of them, but what belongs to them is missing or there twice",
                  TEXT_ARG(solver->domain->config->name), unused->parted);
    if (unused->unwanted > 0)
        diag_note(solver->diags, SPAN_NONE, "%u of them are for keys that the result does not have",
                  unused->unwanted);
}

static void check_model(const Account *account, NodeId node) {
    const Model *model = account->solved->models[node];
    bool *used = arena_array(account->arena, bool, model->n_tensors + 1);
    mark_used(account, model, used);
    const bool *read = NULL;
    Unused unused = {0};
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        if (used[i] || model->tensors[i].is_setting || model->tensors[i].is_scale)
            continue;
        if (read == NULL)
            read = find_read(account, node);
        add_unused(&unused, account, node, read, model->tensors[i].name);
    }
    if (unused.count > 3)
        builder_format(&unused.names, " and %u more", unused.count - 3);
    if (unused.count > 0)
        report_unused(account, node, &unused);
    builder_free(&unused.names);
}

static bool is_first(const Account *account, NodeId node) {
    for (NodeId id = 0; id < node; id++)
        if (account->solved->models[id] == account->solved->models[node] &&
            is_network_model(account, id))
            return false;
    return true;
}

void keys_check_networks(KeySolver *solvers, Solved *solved, const SetId *sets) {
    Account account = {.solvers = solvers,
                       .arena = solvers->arena,
                       .solved = solved,
                       .graph = solved->recipe->graph,
                       .sets = sets};
    for (NodeId id = 0; id < graph_count(account.graph); id++) {
        if (!is_network_model(&account, id) || !is_first(&account, id))
            continue;
        if (account.wanted == NULL) {
            account.wanted = arena_array(account.arena, uint64_t *, graph_count(account.graph) + 1);
            find_wanted(&account);
        }
        check_model(&account, id);
    }
}
