/* The recipe graph: what is merged with what, as a hash-consed DAG.
 *
 * Nodes are immutable, named by a 32-bit id, and kept in one array with operands before users, so
 * array order replaces recursion everywhere. The constructors fold what is known and then return
 * the existing node if an equal one is there: a node is found by the XXH3 of its kind, attributes
 * and operands, and confirmed by comparing them. */
#ifndef RECIPE_GRAPH_H
#define RECIPE_GRAPH_H

#include "base/map.h"
#include "base/vector.h"
#include "recipe/method.h"

typedef uint32_t NodeId;
enum { NODE_NONE = UINT32_MAX };

typedef enum NodeKind {
    NODE_NULL,
    NODE_NUMBER, /* number; `integer`/`boolean` say how it was written */
    NODE_STRING, /* text */
    NODE_MODEL,  /* text: the path; config; spaces: given, or 0 */
    NODE_MAP,    /* operands: values; names: their keys or patterns; config; spaces: given, or 0 */
    NODE_CALL, /* method, operands: in the order of the parameters, the variadic one's in its place
                */
    NODE_OPERATOR,  /* op, operands; of the recipe language, checked by mass */
    NODE_KEEP,      /* operand, text: a glob over key names */
    NODE_COMPONENT, /* operand, text: a component */
    NODE_CONVERT,   /* operand, text: the config that is wanted */
} NodeKind;

typedef enum NumberKind { NUMBER_FLOAT, NUMBER_INT, NUMBER_BOOL } NumberKind;

/* How an entry of a map says which keys it is for. */
typedef enum EntryKind { ENTRY_KEY, ENTRY_GLOB, ENTRY_BLOCK, ENTRY_RANGE } EntryKind;
typedef struct MapEntry {
    EntryKind kind;
    Text first, last; /* the key, glob or block; `last` of a range of blocks */
    Span span;
} MapEntry;

/* (Large recipes have many nodes: these are packed.) */
typedef struct Node {
    NodeKind kind : 8;
    AstOp op : 8;
    NumberKind number_kind : 8;
    uint32_t first_operand, n_operands;
    SpaceSet spaces; /* those that the node itself fixes; 0: to be inferred */
    union {
        double number;           /* NUMBER */
        const Method *method;    /* CALL */
        const MapEntry *entries; /* MAP: n_operands of them */
    };
    Text text;
    Text config;
    Span span;
} Node;

/* Read by the functions below alone. */
typedef struct Graph {
    Arena *arena;
    VECTOR(Node) nodes;
    VECTOR(NodeId) operands;
    HashIndex index;
} Graph;

Graph *graph_new(Arena *arena);
void graph_free(Graph *graph); /* what is not in the arena */

/* What build_reserve does for the nodes. */
void graph_reserve(Graph *graph, size_t nodes);

static inline uint32_t graph_count(const Graph *graph) {
    return (uint32_t)graph->nodes.count;
}

static inline const Node *graph_node(const Graph *graph, NodeId id) {
    return &graph->nodes.items[id];
}

static inline const NodeId *graph_operands(const Graph *graph, NodeId id) {
    return &graph->operands.items[graph->nodes.items[id].first_operand];
}

/* Finds or makes a node. The span of the first occurrence is kept. OPERANDS exist already. */
NodeId graph_add(Graph *graph, Node node, const NodeId *operands, uint32_t n_operands);

/* Marks the nodes that ROOTS reach: reached[id] for all ids; the caller gives graph_count bytes,
 * zeroed. */
void graph_reach(const Graph *graph, const NodeId *roots, uint32_t n_roots, unsigned char *reached);

#endif
