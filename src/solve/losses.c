/* A key that one of several models lacks is lacking in what is made of them. Where that takes
 * mandatory keys from a model, most likely nobody meant it: `base + lora` is just what the network
 * changes, and the average of a checkpoint and a UNet is a UNet. */
#include "solve/keys.h"

#include "recipe/build.h"
#include "solve/sample.h"

typedef struct Losses {
    KeySolver *solvers; /* by domain */
    const Solved *solved;
    const Graph *graph;
    const SetId *sets; /* by node */
    SetId *filled;     /* by node: keys that there is a value for in the end, whether it has them or
                        * not; what is converted or selected from is thought to be enough */
    bool *told;        /* by node: of its losses */
    Span warned;
} Losses;

static KeySolver *solver_of(const Losses *losses, NodeId id) {
    return &losses->solvers[losses->solved->domain_of[id]];
}

static bool selects(const Node *node) {
    return node->kind == NODE_KEEP || node->kind == NODE_COMPONENT;
}

/* Users come after what they use: what holds for them is known. */
static void fill_operands(const Losses *losses, NodeId user) {
    const Node *node = graph_node(losses->graph, user);
    KeySolver *solver = solver_of(losses, user);
    SetId kept = keys_combine(solver, losses->sets[user], losses->filled[user], false);
    for (uint32_t i = 0; i < node->n_operands && !selects(node); i++) {
        NodeId operand = graph_operands(losses->graph, user)[i];
        if (losses->solved->domain_of[operand] == losses->solved->domain_of[user])
            losses->filled[operand] = keys_combine(solver, losses->filled[operand], kept, true);
    }
}

static void find_filled(const Losses *losses) {
    const Recipe *recipe = losses->solved->recipe;
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        NodeId node = recipe->outputs[i].node;
        losses->filled[node] =
            keys_combine(solver_of(losses, node), losses->filled[node], losses->sets[node], true);
    }
    for (NodeId id = graph_count(losses->graph); id-- > 0;)
        if (losses->solved->reached[id])
            fill_operands(losses, id);
}

/* A model, or what may be one: no difference of models. */
static bool is_weight(const Losses *losses, NodeId id) {
    Build *build = losses->solved->recipe->build;
    double mass;
    return build_is_model(build, id) &&
           !(mass_constant(build_coefficient(build, id), &mass) && mass == 0);
}

static bool is_met(const Losses *losses, NodeId user, NodeId operand) {
    return losses->solved->domain_of[operand] == losses->solved->domain_of[user] &&
           build_is_model(losses->solved->recipe->build, operand);
}

/* Whether a node makes a model of several, and has not the keys of all of them. */
static bool may_lose(const Losses *losses, NodeId id) {
    const Node *node = graph_node(losses->graph, id);
    bool joins = node->kind == NODE_CALL ||
                 (node->kind == NODE_OPERATOR && (node->op == AST_ADD || node->op == AST_SUB));
    bool other = false;
    for (uint32_t i = 0; joins && i < node->n_operands; i++) {
        NodeId operand = graph_operands(losses->graph, id)[i];
        other |= losses->sets[operand] != losses->sets[id] && is_met(losses, id, operand);
    }
    return other && is_weight(losses, id);
}

/* What stands for a model, without its coefficient. */
static NodeId without_factors(const Losses *losses, NodeId id) {
    const Node *node = graph_node(losses->graph, id);
    while (node->kind == NODE_OPERATOR && (node->op == AST_MUL || node->op == AST_DIV)) {
        const NodeId *operands = graph_operands(losses->graph, id);
        id = operands[build_is_model(losses->solved->recipe->build, operands[0]) ? 0 : 1];
        node = graph_node(losses->graph, id);
    }
    return id;
}

/* A part of a model that was asked for: what it lacks is meant to be left out. */
static bool is_selected(const Losses *losses, NodeId id) {
    return is_weight(losses, id) && selects(graph_node(losses->graph, without_factors(losses, id)));
}

/* The keys that all models have which meet in a node, but for parts of them. */
static SetId keys_of_all(const Losses *losses, NodeId id) {
    const Node *node = graph_node(losses->graph, id);
    SetId all = 0;
    bool first = true;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        NodeId operand = graph_operands(losses->graph, id)[i];
        if (!is_met(losses, id, operand) || is_selected(losses, operand))
            continue;
        all = first ? losses->sets[operand]
                    : keys_combine(solver_of(losses, id), all, losses->sets[operand], true);
        first = false;
    }
    return all;
}

static void hint_fallback(const Losses *losses, NodeId model) {
    const Recipe *recipe = losses->solved->recipe;
    for (uint32_t i = 0; i < recipe->n_names; i++)
        if (recipe->names[i].node == model) {
            diag_hint(losses->solvers->diags, "add `| %.*s` to keep them",
                      TEXT_ARG(recipe->names[i].name));
            return;
        }
    diag_hint(losses->solvers->diags, "add `| ` and the model to keep them");
}

/* Warns of what node ID has not of a model, since another that meets it has not. */
static bool warn_loss(Losses *losses, NodeId id, NodeId model, KeySet all) {
    const KeySolver *solver = solver_of(losses, id);
    const Domain *domain = solver->domain;
    KeySet had = keys_set(solver, losses->sets[model]), has = keys_set(solver, losses->sets[id]),
           filled = keys_set(solver, losses->filled[id]);
    Sample lost = {0};
    for (KeyId key = 0; key < domain->n_keys; key++)
        if (keys_have(had, key) && !keys_have(all, key) && !keys_have(has, key) &&
            !keys_have(filled, key) &&
            (domain->config == NULL || !domain->config->keys[key].optional))
            sample_add(&lost, domain->keys[key]);
    bool loses = lost.count > 0;
    if (loses) {
        losses->warned = graph_node(losses->graph, id)->span;
        diag_warning(solver->diags, losses->warned, "this loses %u key%s of the model: %s",
                     lost.count, lost.count == 1 ? "" : "s", sample_text(&lost));
        hint_fallback(losses, without_factors(losses, model));
    }
    builder_free(&lost.text);
    return loses;
}

/* Of one model it is told once. */
static void warn_losses(Losses *losses, NodeId id) {
    const Node *node = graph_node(losses->graph, id);
    KeySet all = keys_set(solver_of(losses, id), keys_of_all(losses, id));
    bool told = false;
    for (uint32_t i = 0; i < node->n_operands && !told; i++) {
        NodeId operand = graph_operands(losses->graph, id)[i];
        told = losses->sets[operand] != losses->sets[id] && is_met(losses, id, operand) &&
               is_weight(losses, operand) && !losses->told[operand] &&
               warn_loss(losses, id, operand, all);
        losses->told[operand] |= told;
    }
}

/* A function of the library stands for one expression, however many it is made of. */
static bool is_warned(const Losses *losses, NodeId id) {
    Span span = graph_node(losses->graph, id)->span, last = losses->warned;
    return span.source == last.source && span.begin == last.begin && span.end == last.end;
}

void keys_warn_losses(KeySolver *solvers, Solved *solved, const SetId *sets) {
    const Graph *graph = solved->recipe->graph;
    Losses losses = {.solvers = solvers, .solved = solved, .graph = graph, .sets = sets};
    for (NodeId id = 0; id < graph_count(graph); id++) {
        if (!solved->reached[id] || !may_lose(&losses, id) || is_warned(&losses, id))
            continue;
        if (losses.filled == NULL) {
            losses.filled = arena_array(solvers->arena, SetId, graph_count(graph) + 1);
            losses.told = arena_array(solvers->arena, bool, graph_count(graph) + 1);
            find_filled(&losses);
        }
        warn_losses(&losses, id);
    }
}
