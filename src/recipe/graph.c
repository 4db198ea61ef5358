#include "recipe/graph.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

Graph *graph_new(Arena *arena) {
    Graph *graph = arena_new(arena, Graph);
    graph->arena = arena;
    return graph;
}

void graph_reserve(Graph *graph, size_t nodes) {
    vector_reserve(&graph->nodes, nodes);
    vector_reserve(&graph->operands, nodes);
    index_reserve(&graph->index, nodes);
}

void graph_free(Graph *graph) {
    vector_free(&graph->nodes);
    vector_free(&graph->operands);
    index_free(&graph->index);
}

/* A node that may not exist yet, with its operands. */
typedef struct Wanted {
    const Node *node;
    const NodeId *operands;
} Wanted;

static uint64_t hash_text(uint64_t seed, Text text) {
    return XXH3_64bits_withSeed(text.data, text.size, seed);
}

/* The number or the method; entries are compared by what they say. */
static uint64_t payload(const Node *node) {
    uint64_t bits = 0;
    if (node->kind == NODE_CALL)
        bits = (uint64_t)(uintptr_t)node->method;
    else if (node->kind != NODE_MAP)
        memcpy(&bits, &node->number, sizeof bits);
    return bits;
}

static uint64_t hash_node(const Node *node, const NodeId *operands) {
    enum { FEW = 3 };
    struct {
        uint64_t payload;
        uint32_t kinds, spaces, n_operands;
        NodeId operands[FEW];
    } fixed = {payload(node),
               (uint32_t)node->kind | (uint32_t)node->op << 8 | (uint32_t)node->number_kind << 16,
               node->spaces,
               node->n_operands,
               {0}};
    bool few = node->n_operands <= FEW;
    for (uint32_t i = 0; few && i < node->n_operands; i++)
        fixed.operands[i] = operands[i];
    uint64_t hash = XXH3_64bits(&fixed, sizeof fixed);
    if (!few)
        hash = XXH3_64bits_withSeed(operands, node->n_operands * sizeof *operands, hash);
    if (node->text.size > 0)
        hash = hash_text(hash, node->text);
    if (node->config.size > 0)
        hash = hash_text(hash, node->config);
    for (uint32_t i = 0; node->kind == NODE_MAP && i < node->n_operands; i++)
        hash = hash_text(hash_text(hash, node->entries[i].first), node->entries[i].last);
    return hash;
}

static bool same_entries(const MapEntry *a, const MapEntry *b, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        if (a[i].kind != b[i].kind || !text_equal(a[i].first, b[i].first) ||
            !text_equal(a[i].last, b[i].last))
            return false;
    return true;
}

static bool same_node(const void *context, const void *wanted, uint32_t item) {
    const Graph *graph = context;
    const Wanted *want = wanted;
    const Node *a = want->node, *b = &graph->nodes.items[item];
    if (a->kind != b->kind || a->op != b->op || a->number_kind != b->number_kind ||
        a->spaces != b->spaces || a->n_operands != b->n_operands || payload(a) != payload(b) ||
        !text_equal(a->text, b->text) || !text_equal(a->config, b->config))
        return false;
    if (a->kind == NODE_MAP && !same_entries(a->entries, b->entries, a->n_operands))
        return false;
    return a->n_operands == 0 || memcmp(want->operands, &graph->operands.items[b->first_operand],
                                        a->n_operands * sizeof(NodeId)) == 0;
}

NodeId graph_add(Graph *graph, Node node, const NodeId *operands, uint32_t n_operands) {
    node.n_operands = n_operands;
    uint64_t hash = hash_node(&node, operands);
    Wanted wanted = {&node, operands};
    uint32_t found = index_find(&graph->index, hash, same_node, graph, &wanted);
    if (found != INDEX_NONE)
        return found;
    node.first_operand = (uint32_t)graph->operands.count;
    vector_reserve(&graph->operands, n_operands + 1);
    if (n_operands > 0)
        memcpy(graph->operands.items + graph->operands.count, operands,
               n_operands * sizeof *operands);
    graph->operands.count += n_operands;
    index_add(&graph->index, hash, (uint32_t)graph->nodes.count);
    vector_push(&graph->nodes, node);
    return (NodeId)graph->nodes.count - 1;
}

void graph_reach(const Graph *graph, const NodeId *roots, uint32_t n_roots,
                 unsigned char *reached) {
    for (uint32_t i = 0; i < n_roots; i++)
        reached[roots[i]] = 1;
    for (NodeId id = graph_count(graph); id-- > 0;)
        for (uint32_t i = 0; reached[id] && i < graph_node(graph, id)->n_operands; i++)
            reached[graph_operands(graph, id)[i]] = 1;
}
