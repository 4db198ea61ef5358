/* A key that an operand of a sum lacks is lacking in the sum. Where that takes mandatory keys from
 * a model, most likely nobody meant it: `base + lora` is just what the network changes. */
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

static bool has_mass(const Losses *losses, NodeId id, double wanted) {
    Build *build = losses->solved->recipe->build;
    double mass;
    return build_is_model(build, id) && mass_constant(build_coefficient(build, id), &mass) &&
           mass == wanted;
}

/* The model of a sum of a model and a difference, if the sum has other keys; else NODE_NONE. */
static NodeId summed_model(const Losses *losses, NodeId id) {
    const Node *node = graph_node(losses->graph, id);
    if (node->kind != NODE_OPERATOR || (node->op != AST_ADD && node->op != AST_SUB))
        return NODE_NONE;
    const NodeId *operands = graph_operands(losses->graph, id);
    for (uint32_t i = 0; i < 2; i++)
        if (losses->sets[operands[i]] != losses->sets[id] && has_mass(losses, operands[i], 1) &&
            has_mass(losses, operands[1 - i], 0))
            return operands[i];
    return NODE_NONE;
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

static void warn_loss(Losses *losses, NodeId id, NodeId model) {
    const KeySolver *solver = solver_of(losses, id);
    const Config *config = solver->domain->config;
    KeySet had = keys_set(solver, losses->sets[model]), has = keys_set(solver, losses->sets[id]),
           filled = keys_set(solver, losses->filled[id]);
    Sample lost = {0};
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (!config->keys[key].optional && keys_have(had, key) && !keys_have(has, key) &&
            !keys_have(filled, key))
            sample_add(&lost, config->keys[key].name);
    if (lost.count > 0) {
        losses->warned = graph_node(losses->graph, id)->span;
        diag_warning(solver->diags, losses->warned, "this loses %u key%s of the model: %s",
                     lost.count, lost.count == 1 ? "" : "s", sample_text(&lost));
        hint_fallback(losses, model);
    }
    builder_free(&lost.text);
}

/* A function of the library stands for one expression, however many it is made of. */
static bool is_warned(const Losses *losses, NodeId id) {
    Span span = graph_node(losses->graph, id)->span, last = losses->warned;
    return span.source == last.source && span.begin == last.begin && span.end == last.end;
}

static bool knows_mandatory_keys(const Solved *solved) {
    bool knows = false;
    for (uint32_t i = 0; i < solved->n_domains; i++)
        knows |= solved->domains[i].config != NULL;
    return knows;
}

void keys_warn_losses(KeySolver *solvers, Solved *solved, const SetId *sets) {
    const Graph *graph = solved->recipe->graph;
    if (!knows_mandatory_keys(solved))
        return;
    Losses losses = {.solvers = solvers, .solved = solved, .graph = graph, .sets = sets};
    losses.filled = arena_array(solvers->arena, SetId, graph_count(graph) + 1);
    find_filled(&losses);
    for (NodeId id = 0; id < graph_count(graph); id++) {
        NodeId model = solved->reached[id] && solver_of(&losses, id)->domain->config != NULL
                           ? summed_model(&losses, id)
                           : NODE_NONE;
        if (model != NODE_NONE && !is_warned(&losses, id) &&
            solved->domain_of[model] == solved->domain_of[id])
            warn_loss(&losses, id, model);
    }
}
