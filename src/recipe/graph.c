#include "recipe/graph.h"

#include "base/map.h"
#include "base/vector.h"

#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

struct Graph {
    Arena *arena;
    VECTOR(Node) nodes;
    VECTOR(NodeId) operands;
    HashIndex index;
};

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

uint32_t graph_count(const Graph *graph) {
    return (uint32_t)graph->nodes.count;
}

const Node *graph_node(const Graph *graph, NodeId id) {
    return &graph->nodes.items[id];
}

const NodeId *graph_operands(const Graph *graph, NodeId id) {
    return &graph->operands.items[graph->nodes.items[id].first_operand];
}

/* A node that may not exist yet, with its operands. */
typedef struct Wanted {
    const Node *node;
    const NodeId *operands;
} Wanted;

static uint64_t hash_text(uint64_t seed, Text text) {
    return XXH3_64bits_withSeed(text.data, text.size, seed);
}

static uint64_t hash_node(const Node *node, const NodeId *operands) {
    struct {
        uint32_t kind, op, number_kind, spaces, n_operands, unused;
        uint64_t number;
        const Method *method;
    } fixed = {node->kind, node->op, node->number_kind, node->spaces, node->n_operands,
               0,          0,        node->method};
    memcpy(&fixed.number, &node->number, sizeof fixed.number);
    uint64_t hash = XXH3_64bits(&fixed, sizeof fixed);
    hash = hash_text(hash, node->text);
    hash = hash_text(hash, node->config);
    for (uint32_t i = 0; node->entries != NULL && i < node->n_operands; i++)
        hash = hash_text(hash_text(hash, node->entries[i].first), node->entries[i].last);
    return XXH3_64bits_withSeed(operands, node->n_operands * sizeof *operands, hash);
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
        a->spaces != b->spaces || a->n_operands != b->n_operands || a->method != b->method ||
        memcmp(&a->number, &b->number, sizeof a->number) != 0 || !text_equal(a->text, b->text) ||
        !text_equal(a->config, b->config) || (a->entries == NULL) != (b->entries == NULL))
        return false;
    if (a->entries != NULL && !same_entries(a->entries, b->entries, a->n_operands))
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
