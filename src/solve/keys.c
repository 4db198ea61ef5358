/* Which keys every node of a structural domain has, and so every output.
 *
 * Key sets are shared: there are few different ones, however many nodes. Unions and intersections
 * of two sets are remembered. */
#include "solve/solve.h"

#include "base/vector.h"

#include <string.h>
#include <xxhash.h>

typedef uint32_t SetId; /* in KeySolver.sets; 0 is the set of all keys */

typedef struct Combined {
    SetId a, b;
    bool both; /* the intersection; else the union */
    SetId result;
} Combined;

/* The sets of one domain. */
typedef struct KeySolver {
    Arena *arena;
    Diags *diags;
    Solved *solved;
    const Graph *graph;
    Domain *domain;
    size_t n_words;
    VECTOR(const uint64_t *) sets;
    HashIndex by_content;
    VECTOR(Combined) combined;
    HashIndex by_operands;
} KeySolver;

/* ---- the keys of a domain ---- */

static void add_model_keys(const Solved *solved, NodeId id, Domain *domain) {
    const Model *model = solved->models[id];
    for (uint32_t i = 0; i < model->n_tensors; i++)
        names_add(&domain->index, model->tensors[i].name);
}

static void add_map_keys(const Node *node, Domain *domain) {
    for (uint32_t i = 0; i < node->n_operands; i++)
        if (node->entries[i].kind == ENTRY_KEY)
            names_add(&domain->index, node->entries[i].first);
}

static void collect_keys(Solved *solved) {
    const Graph *graph = solved->recipe->graph;
    for (NodeId id = 0; id < graph_count(graph); id++) {
        if (!solved->reached[id])
            continue;
        Domain *domain = &solved->domains[solved->domain_of[id]];
        bool is_map = graph_node(graph, id)->kind == NODE_MAP;
        domain->has_inputs |= solved->models[id] != NULL || is_map;
        if (solved->models[id] != NULL)
            add_model_keys(solved, id, domain);
        else if (is_map)
            add_map_keys(graph_node(graph, id), domain);
    }
    for (uint32_t i = 0; i < solved->n_domains; i++) {
        Domain *domain = &solved->domains[i];
        if (domain->index.count == 0 && !domain->has_inputs)
            names_add(&domain->index, TEXT("key"));
        domain->keys = domain->index.texts;
        domain->n_keys = (uint32_t)domain->index.count;
    }
}

/* ---- sets ---- */

static bool same_set(const void *context, const void *wanted, uint32_t item) {
    const KeySolver *solver = context;
    return memcmp(solver->sets.items[item], wanted, solver->n_words * sizeof(uint64_t)) == 0;
}

/* The number of a set by its content, which is copied if it is new. */
static SetId set_number(KeySolver *solver, const uint64_t *bits) {
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

static SetId combine(KeySolver *solver, SetId a, SetId b, bool both) {
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
    wanted.result = set_number(solver, bits);
    index_add(&solver->by_operands, hash, (uint32_t)solver->combined.count);
    vector_push(&solver->combined, wanted);
    return wanted.result;
}

static void set_bit(uint64_t *bits, uint32_t key) {
    bits[key / 64] |= (uint64_t)1 << (key % 64);
}

/* ---- the keys of a node ---- */

static SetId model_keys(KeySolver *solver, const Model *model) {
    uint64_t *bits = scratch_set(solver);
    for (uint32_t i = 0; i < model->n_tensors; i++)
        set_bit(bits, names_find(&solver->domain->index, model->tensors[i].name));
    return set_number(solver, bits);
}

/* A dict has its own keys; a map of patterns goes with any. */
static SetId map_keys(KeySolver *solver, const Node *node) {
    if (node->n_operands > 0 && node->entries[0].kind != ENTRY_KEY)
        return 0;
    uint64_t *bits = scratch_set(solver);
    for (uint32_t i = 0; i < node->n_operands; i++)
        set_bit(bits, names_find(&solver->domain->index, node->entries[i].first));
    return set_number(solver, bits);
}

static SetId kept_keys(KeySolver *solver, const Node *node, SetId operand) {
    uint64_t *bits = scratch_set(solver);
    KeySet set = {solver->sets.items[operand]};
    bool any = false;
    for (KeyId key = 0; key < solver->domain->n_keys; key++)
        if (keys_have(set, key) && glob_match(node->text, solver->domain->keys[key])) {
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
    return set_number(solver, bits);
}

/* What the operands that share the node's domain have in common. */
static SetId common_keys(KeySolver *solver, NodeId id, const SetId *sets, bool both) {
    const Node *node = graph_node(solver->graph, id);
    const NodeId *operands = graph_operands(solver->graph, id);
    const uint32_t *domain_of = solver->solved->domain_of;
    SetId common = 0;
    bool first = true;
    for (uint32_t i = 0; i < node->n_operands; i++) {
        NodeKind kind = graph_node(solver->graph, operands[i])->kind;
        bool constant = kind == NODE_NUMBER || kind == NODE_STRING || kind == NODE_NULL;
        if (constant || domain_of[operands[i]] != domain_of[id])
            continue;
        common = first ? sets[operands[i]] : combine(solver, common, sets[operands[i]], both);
        first = false;
    }
    return common;
}

static SetId node_keys(KeySolver *solver, NodeId id, const SetId *sets) {
    const Node *node = graph_node(solver->graph, id);
    switch (node->kind) {
    case NODE_MODEL:
        return model_keys(solver, solver->solved->models[id]);
    case NODE_MAP:
        return map_keys(solver, node);
    case NODE_KEEP:
        return kept_keys(solver, node, sets[graph_operands(solver->graph, id)[0]]);
    case NODE_OPERATOR:
        return common_keys(solver, id, sets, node->op != AST_FALLBACK);
    default:
        return common_keys(solver, id, sets, true);
    }
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
}

static KeySolver *new_solvers(Arena *arena, Diags *diags, Solved *solved) {
    KeySolver *solvers = arena_array(arena, KeySolver, solved->n_domains + 1);
    for (uint32_t i = 0; i < solved->n_domains; i++) {
        solvers[i] = (KeySolver){.arena = arena,
                                 .diags = diags,
                                 .solved = solved,
                                 .graph = solved->recipe->graph,
                                 .domain = &solved->domains[i],
                                 .n_words = (solved->domains[i].n_keys + 63) / 64};
        vector_push(&solvers[i].sets, NULL);
    }
    return solvers;
}

bool solve_keys(Arena *arena, Diags *diags, Solved *solved) {
    size_t errors = diag_errors(diags);
    const Recipe *recipe = solved->recipe;
    collect_keys(solved);
    KeySolver *solvers = new_solvers(arena, diags, solved);
    SetId *sets = arena_array(arena, SetId, graph_count(recipe->graph) + 1);
    for (NodeId id = 0; id < graph_count(recipe->graph); id++)
        if (solved->reached[id])
            sets[id] = node_keys(&solvers[solved->domain_of[id]], id, sets);
    solved->output_keys = arena_array(arena, KeySet, recipe->n_outputs + 1);
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        NodeId node = recipe->outputs[i].node;
        KeySolver *solver = &solvers[solved->domain_of[node]];
        solved->output_keys[i] = (KeySet){solver->sets.items[sets[node]]};
        check_output(solver, &recipe->outputs[i], solved->output_keys[i]);
    }
    for (uint32_t i = 0; i < solved->n_domains; i++)
        solver_free(&solvers[i]);
    return diag_errors(diags) == errors;
}

const Tensor *solved_tensor(const Solved *solved, NodeId node, Text key) {
    return model_find(solved->models[node], key);
}

static int map_entry(const Node *node, Text key) {
    for (uint32_t i = 0; i < node->n_operands; i++) {
        const MapEntry *entry = &node->entries[i];
        if (entry->kind == ENTRY_KEY ? text_equal(entry->first, key)
                                     : entry->kind == ENTRY_GLOB && glob_match(entry->first, key))
            return (int)i;
    }
    return -1;
}

int solved_entry(const Solved *solved, NodeId id, Text key) {
    const Node *node = graph_node(solved->recipe->graph, id);
    return node->kind == NODE_MAP ? map_entry(node, key) : glob_match(node->text, key);
}

bool glob_match(Text glob, Text key) {
    size_t g = 0, k = 0, star = SIZE_MAX, resume = 0;
    while (k < key.size) {
        bool escaped = g + 1 < glob.size && glob.data[g] == '\\';
        if (g < glob.size && glob.data[g] == '*') {
            star = g++;
            resume = k;
        } else if (g < glob.size &&
                   (escaped ? glob.data[g + 1] == key.data[k]
                            : glob.data[g] == '?' || glob.data[g] == key.data[k])) {
            g += escaped ? 2 : 1;
            k++;
        } else if (star != SIZE_MAX) {
            g = star + 1;
            k = ++resume;
        } else {
            return false;
        }
    }
    while (g < glob.size && glob.data[g] == '*')
        g++;
    return g == glob.size;
}
