#include "program/lower.h"

#include "program/term.h"
#include "solve/conversion.h"

#include <stdarg.h>
#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

/* The nodes that are evaluated under one key: those that the roots reach without crossing a
 * conversion. */
struct Region {
    Arena *arena;
    const Solved *solved;
    const NodeId *roots;
    uint32_t n_roots;
    NodeId *nodes; /* operands before users */
    uint32_t n_nodes;
    NodeId *leaves; /* those of them whose value depends on the key by itself */
    uint32_t n_leaves;
    struct Region ***models; /* by place in `leaves`: what a conversion converts; else NULL */
    struct Region **numbers; /* by place in `leaves`: its operands that are numbers and words */
    uint32_t depth;          /* of conversions around it */
};

enum {
    CONVERSION_LIMIT = 64, /* conversions of conversions */
    FEW_PARAMETERS = 8,    /* that need no memory of their own */
    FEW_LEAVES = 16        /* as many as most keys have at most */
};

const Term term_poison = {.kind = TERM_POISON};
const Term term_absent = {.kind = TERM_ABSENT};
const Term term_null = {.kind = TERM_NULL};

Term term_number(double number, NumberKind kind) {
    return (Term){.kind = TERM_NUMBER, .number = number, .number_kind = kind};
}

Term term_bool(bool truth) {
    return term_number(truth, NUMBER_BOOL);
}

Term term_string(Text text) {
    return (Term){.kind = TERM_STRING, .text = text};
}

Term term_tensor(ValueId value) {
    return (Term){.kind = TERM_TENSOR, .value = value, .cast = DTYPE_NONE};
}

Term term_list(Lower *lower, const Term *items, uint32_t n) {
    return (Term){.kind = TERM_LIST,
                  .items = arena_copy(lower->arena, items, n * sizeof *items),
                  .n_items = n};
}

static Span call_span(const Lower *lower) {
    return lower->call != NODE_NONE ? graph_node(lower->solved->recipe->graph, lower->call)->span
                                    : SPAN_NONE;
}

static bool same_place(Span a, Span b) {
    return a.source == b.source && a.begin == b.begin;
}

/* Whether there was a mistake at SPAN already; if CALL is a place, of that call. */
static bool is_said(const Lower *lower, Span span, Span call) {
    for (size_t i = 0; i < diags_count(lower->diags); i++) {
        const Diag *diag = diags_at(lower->diags, i);
        if (diag->severity != SEVERITY_ERROR || !same_place(diag->span, span))
            continue;
        const Diag *next = i + 1 < diags_count(lower->diags) ? diags_at(lower->diags, i + 1) : NULL;
        if (call.source == 0 || (next != NULL && same_place(next->span, call)))
            return true;
    }
    return false;
}

static Term complain(Lower *lower, Span span, Text message, Text hint) {
    Span call = call_span(lower);
    bool apart = call.source != 0 && !same_place(call, span);
    if (is_said(lower, span, apart ? call : SPAN_NONE)) {
        diag_drop(lower->diags);
        return term_poison;
    }
    diag_error(lower->diags, span, "%.*s", TEXT_ARG(message));
    if (hint.size > 0)
        diag_hint(lower->diags, "%.*s", TEXT_ARG(hint));
    if (apart)
        diag_note(lower->diags, call, "called here, for the key '%.*s'",
                  TEXT_ARG(text_printable(lower->arena, lower->key)));
    lower_note_shapes(lower);
    return term_poison;
}

Term lower_error(Lower *lower, Span span, const char *format, ...) {
    Builder message = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&message, format, arguments);
    va_end(arguments);
    complain(lower, span, builder_view(&message), TEXT(""));
    builder_free(&message);
    return term_poison;
}

Term lower_refuse(Lower *lower, Span span, Text message, Text hint) {
    Builder whole = {0};
    builder_format(&whole, "%.*s, at the key '%.*s'", TEXT_ARG(message),
                   TEXT_ARG(text_printable(lower->arena, lower->key)));
    complain(lower, lower->call != NODE_NONE ? call_span(lower) : span, builder_view(&whole), hint);
    builder_free(&whole);
    return term_poison;
}

/* ---- regions ---- */

static bool is_conversion(const Node *node) {
    return node->kind == NODE_CALL && node->method->rules != NULL;
}

static bool tells_components_apart(const Node *node) {
    return node->kind == NODE_CALL && node->method->asks_component;
}

static bool is_key_leaf(const Node *node) {
    return node->kind == NODE_MODEL || node->kind == NODE_MAP || node->kind == NODE_KEEP ||
           node->kind == NODE_COMPONENT || is_conversion(node) || tells_components_apart(node);
}

/* Finds what roots reach; shared by a region and those of its conversions. */
typedef struct Explorer {
    Arena *arena;
    const Solved *solved;
    uint32_t *seen; /* by node: the last exploration that met it */
    uint32_t exploration;
    VECTOR(NodeId) pending;
} Explorer;

static int by_number(const void *a, const void *b) {
    NodeId x = *(const NodeId *)a, y = *(const NodeId *)b;
    return (x > y) - (x < y);
}

/* Puts what was met into order: mostly it lies close together, and is read off. */
static void sort_pending(Explorer *explorer) {
    NodeId low = INDEX_NONE, high = 0;
    for (size_t i = 0; i < explorer->pending.count; i++) {
        NodeId id = explorer->pending.items[i];
        low = id < low ? id : low;
        high = id > high ? id : high;
    }
    if (explorer->pending.count < (high - low) / 8) {
        vector_sort(&explorer->pending, by_number);
        return;
    }
    size_t n = 0;
    for (NodeId id = low; n < explorer->pending.count; id++)
        if (explorer->seen[id] == explorer->exploration)
            explorer->pending.items[n++] = id;
}

static void meet(Explorer *explorer, NodeId id) {
    if (explorer->seen[id] == explorer->exploration)
        return;
    explorer->seen[id] = explorer->exploration;
    vector_push(&explorer->pending, id);
}

/* What the region's roots reach, operands before users. A conversion is reached, what it converts
 * is not. */
static void find_nodes(Explorer *explorer, Region *region) {
    const Graph *graph = explorer->solved->recipe->graph;
    explorer->exploration++;
    explorer->pending.count = 0;
    for (uint32_t i = 0; i < region->n_roots; i++)
        meet(explorer, region->roots[i]);
    for (size_t at = 0; at < explorer->pending.count; at++) {
        NodeId id = explorer->pending.items[at];
        const Node *node = graph_node(graph, id);
        for (uint32_t i = 0; i < node->n_operands && !is_conversion(node); i++)
            meet(explorer, graph_operands(graph, id)[i]);
    }
    sort_pending(explorer);
    region->n_nodes = (uint32_t)explorer->pending.count;
    region->nodes =
        arena_copy(explorer->arena, explorer->pending.items, region->n_nodes * sizeof(NodeId));
}

static Region *explore(Explorer *explorer, const NodeId *roots, uint32_t n_roots, uint32_t depth);

/* The models that a conversion converts go by keys of their own, and so do its other operands. */
static void explore_conversion(Explorer *explorer, Region *region, uint32_t at) {
    const Graph *graph = explorer->solved->recipe->graph;
    const Node *node = graph_node(graph, region->leaves[at]);
    const NodeId *operands = graph_operands(graph, region->leaves[at]);
    region->models[at] = arena_array(explorer->arena, Region *, node->n_operands + 1);
    NodeId *numbers = arena_array(explorer->arena, NodeId, node->n_operands + 1);
    uint32_t n_models = 0, n_numbers = 0;
    for (uint32_t i = 0; i < node->n_operands; i++)
        if (conversion_converts(node->method, i))
            region->models[at][n_models++] = explore(explorer, &operands[i], 1, region->depth + 1);
        else
            numbers[n_numbers++] = operands[i];
    if (n_numbers > 0)
        region->numbers[at] = explore(explorer, numbers, n_numbers, region->depth + 1);
}

static Region *explore(Explorer *explorer, const NodeId *roots, uint32_t n_roots, uint32_t depth) {
    const Graph *graph = explorer->solved->recipe->graph;
    Region *region = arena_new(explorer->arena, Region);
    *region = (Region){
        .arena = explorer->arena, .solved = explorer->solved, .n_roots = n_roots, .depth = depth};
    region->roots = arena_copy(explorer->arena, roots, n_roots * sizeof *roots);
    find_nodes(explorer, region);
    region->leaves = arena_array(explorer->arena, NodeId, region->n_nodes + 1);
    for (uint32_t i = 0; i < region->n_nodes; i++)
        if (is_key_leaf(graph_node(graph, region->nodes[i])))
            region->leaves[region->n_leaves++] = region->nodes[i];
    region->models = arena_array(explorer->arena, Region **, region->n_leaves + 1);
    region->numbers = arena_array(explorer->arena, Region *, region->n_leaves + 1);
    for (uint32_t i = 0; i < region->n_leaves; i++)
        if (is_conversion(graph_node(graph, region->leaves[i])) && depth < CONVERSION_LIMIT)
            explore_conversion(explorer, region, i);
    return region;
}

Region *region_new(Arena *arena, const Solved *solved, const NodeId *roots, uint32_t n_roots) {
    Explorer explorer = {.arena = arena,
                         .solved = solved,
                         .seen =
                             arena_array(arena, uint32_t, graph_count(solved->recipe->graph) + 1)};
    Region *region = explore(&explorer, roots, n_roots, 0);
    vector_free(&explorer.pending);
    return region;
}

/* ---- the leaves of a key ---- */

/* What is collected for one key. */
typedef struct Collector {
    Arena *arena;
    bool (*lacks)(void *context, const Leaf *leaf);
    void *context;
    VECTOR(Leaf) leaves;
    uint64_t hash;
} Collector;

static void hash_bytes(Collector *collector, const void *data, size_t size) {
    collector->hash = XXH3_64bits_withSeed(data, size, collector->hash);
}

static void hash_number(Collector *collector, uint64_t number) {
    hash_bytes(collector, &number, sizeof number);
}

static void collect_tensor(Collector *collector, Leaf leaf) {
    if (leaf.tensor != NULL && collector->lacks != NULL &&
        collector->lacks(collector->context, &leaf))
        leaf.tensor = NULL;
    hash_number(collector, leaf.tensor == NULL ? DTYPE_NONE : leaf.tensor->dtype);
    vector_push(&collector->leaves, leaf);
}

/* Behind a weight that has one stands its scale. */
static void collect_model(Collector *collector, const Solved *solved, NodeId id, Key key) {
    const Tensor *tensor = solved_tensor_at(solved, id, key);
    const Tensor *scale = tensor != NULL ? tensor->scale : NULL;
    collect_tensor(collector,
                   (Leaf){.node = id, .key = key.name, .tensor = tensor, .scaled = scale != NULL});
    if (scale != NULL)
        collect_tensor(collector, (Leaf){.node = id, .key = scale->name, .tensor = scale});
}

static const ConfigKey *config_key(const Solved *solved, NodeId id, Key key) {
    const Config *config = solved->domains[solved->domain_of[id]].config;
    KeyId at = config != NULL ? solved_key_id(solved, id, key) : INDEX_NONE;
    return at != INDEX_NONE ? &config->keys[at] : NULL;
}

static void hash_shape(Collector *collector, const ConfigKey *key) {
    if (key != NULL && key->shape != NULL)
        hash_bytes(collector, key->shape->dims, key->shape->rank * sizeof *key->shape->dims);
}

/* What a rule makes of a key depends on its variables, and on the key's shape where it asks. */
static void hash_rule(Collector *collector, const Solved *solved, NodeId id, Key key,
                      const ConversionRule *rule) {
    hash_number(collector, (uint64_t)(uintptr_t)rule->rule);
    hash_number(collector, (uint64_t)rule->output);
    for (uint32_t i = 0; i < rule->n_variables; i++)
        if (rule->variables[i].used)
            hash_bytes(collector, rule->variables[i].text.data, rule->variables[i].text.size);
    if (rule->asks_shape)
        hash_shape(collector, config_key(solved, id, key));
}

static void collect(Collector *collector, const Region *region, Key key);

static void collect_conversion(Collector *collector, const Region *region, uint32_t at, Key key) {
    const Solved *solved = region->solved;
    NodeId id = region->leaves[at];
    KeyId made = solved_key_id(solved, id, key);
    const ConversionRule *rule = region->models[at] != NULL && made != INDEX_NONE
                                     ? solved->conversions[id].rules[made]
                                     : NULL;
    if (rule == NULL) {
        hash_number(collector, 0);
        return;
    }
    hash_rule(collector, solved, id, key, rule);
    if (region->numbers[at] != NULL)
        collect(collector, region->numbers[at],
                solved_key(solved, region->numbers[at]->roots[0], rule->sources[0].key));
    for (uint32_t i = 0; i < rule->n_sources; i++) {
        const ConversionSource *source = &rule->sources[i];
        const Region *model = region->models[at][source->model];
        collect(collector, model,
                (Key){source->key, solved->domain_of[model->roots[0]], source->id});
    }
}

static void hash_component(Collector *collector, const ConfigKey *key) {
    if (key != NULL)
        hash_bytes(collector, key->component.data, key->component.size);
}

static void collect(Collector *collector, const Region *region, Key key) {
    const Solved *solved = region->solved;
    for (uint32_t i = 0; i < region->n_leaves; i++) {
        NodeId id = region->leaves[i];
        const Node *node = graph_node(solved->recipe->graph, id);
        if (node->kind == NODE_MODEL)
            collect_model(collector, solved, id, key);
        else if (is_conversion(node))
            collect_conversion(collector, region, i, key);
        else if (node->kind == NODE_CALL)
            hash_component(collector, config_key(solved, id, key));
        else
            hash_number(collector, (uint64_t)solved_entry(solved, id, key));
    }
}

/* It is the same for all of a weight. */
static bool is_one_scale(const Tensor *tensor) {
    return tensor->is_scale && tensor->count == 1;
}

static void find_common_shape(KeyLeaves *leaves) {
    const Tensor *first = NULL;
    leaves->same_shape = true;
    for (uint32_t i = 0; i < leaves->count; i++) {
        const Tensor *tensor = leaves->items[i].tensor;
        if (tensor == NULL || is_one_scale(tensor))
            continue;
        first = first == NULL ? tensor : first;
        leaves->same_shape &= shape_equal(&first->shape, &tensor->shape);
    }
    leaves->same_shape &= first != NULL && first->shape.rank > 0;
    if (leaves->same_shape)
        leaves->shape = first->shape;
}

void region_leaves(const Region *region, Text key, bool (*lacks)(void *context, const Leaf *leaf),
                   void *context, Arena *arena, KeyLeaves *leaves) {
    Collector collector = {.arena = arena, .lacks = lacks, .context = context};
    vector_reserve(&collector.leaves, FEW_LEAVES);
    collect(&collector, region, solved_key(region->solved, region->roots[0], key));
    *leaves = (KeyLeaves){.count = (uint32_t)collector.leaves.count};
    leaves->items =
        arena_copy(arena, collector.leaves.items, leaves->count * sizeof *leaves->items);
    vector_free(&collector.leaves);
    find_common_shape(leaves);
    hash_number(&collector, leaves->same_shape);
    leaves->hash = collector.hash;
}

static bool same_leaf(const void *context, const void *wanted, uint32_t item) {
    const Leaf *a = (const Leaf *)context + item, *b = wanted;
    return a->tensor == b->tensor && a->node == b->node;
}

void leaves_join(KeyLeaves *leaves) {
    HashIndex index = {0};
    for (uint32_t i = 0; i < leaves->count; i++) {
        Leaf *leaf = &leaves->items[i];
        if (leaf->tensor == NULL)
            continue;
        uint64_t hash = XXH3_64bits(&leaf->tensor, sizeof leaf->tensor);
        uint32_t found = index_find(&index, hash, same_leaf, leaves->items, leaf);
        leaf->before = found != INDEX_NONE ? found + 1 : 0;
        if (found == INDEX_NONE)
            index_add(&index, hash, i);
    }
    index_free(&index);
}

static bool is_where_expected(const KeyLeaves *leaves, uint32_t i, uint32_t before) {
    return before == 0 || leaves->items[i].tensor == leaves->items[before - 1].tensor;
}

static bool same_setting(const Tensor *a, const Tensor *b) {
    return a->is_setting == b->is_setting &&
           (!a->is_setting || memcmp(a->data, b->data, a->bytes) == 0);
}

bool leaves_equal(const Solved *solved, const KeyLeaves *a, const KeyLeaves *b, bool exact) {
    (void)solved;
    if (a->hash != b->hash || a->count != b->count || a->same_shape != b->same_shape)
        return false;
    for (uint32_t i = 0; i < a->count; i++) {
        const Tensor *x = a->items[i].tensor, *y = b->items[i].tensor;
        if (!is_where_expected(b, i, a->items[i].before))
            return false;
        if (a->items[i].node != b->items[i].node || a->items[i].scaled != b->items[i].scaled ||
            (x == NULL) != (y == NULL))
            return false;
        if (x != NULL && (x->dtype != y->dtype || !same_setting(x, y) ||
                          ((exact || !a->same_shape) && !shape_equal(&x->shape, &y->shape))))
            return false;
    }
    return true;
}

/* ---- values of nodes ---- */

/* The terms of a region's nodes under one key. */
typedef struct Evaluation {
    Lower *lower;
    const Region *region;
    Text key;
    Term *terms; /* by place in region->nodes */
} Evaluation;

/* The term of a node of the region: its nodes are in ascending order, so that as many stand between
 * it and the ends as there are numbers between them, at most. */
static Term *term_of(const Evaluation *evaluation, NodeId id) {
    const NodeId *nodes = evaluation->region->nodes;
    uint32_t last = evaluation->region->n_nodes - 1;
    uint32_t before = id - nodes[0], behind = nodes[last] - id;
    uint32_t low = behind < last ? last - behind : 0;
    uint32_t high = before < last ? before + 1 : last + 1;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (nodes[middle] <= id)
            low = middle;
        else
            high = middle;
    }
    return &evaluation->terms[low];
}

static bool evaluate_region(Lower *lower, const Region *region, Text key, uint32_t *slot,
                            Term *roots);

/* Settings are known now. */
static double setting_value(const Tensor *setting) {
    float value;
    memcpy(&value, setting->data, sizeof value);
    return (double)value;
}

static Term leaf_term(Lower *lower, uint32_t slot) {
    const Leaf *leaf = &lower->leaves->items[slot];
    const Tensor *tensor = leaf->tensor;
    if (tensor == NULL)
        return term_absent;
    if (tensor->is_setting)
        return term_number(setting_value(tensor), NUMBER_FLOAT);
    bool scalar = tensor->shape.rank == 0 || is_one_scale(tensor);
    ShapeId shape = scalar                      ? SHAPE_ID_SCALAR
                    : lower->leaves->same_shape ? SHAPE_ID_KEY
                                                : program_shape(lower->program, &tensor->shape);
    uint32_t used = leaf->before > 0 ? leaf->before - 1 : slot;
    return term_tensor(program_leaf(lower->program, used, tensor->dtype, shape));
}

/* Numbers for each output in a shape that goes with the weight. */
static ValueId stretched_scale(Lower *lower, Term scale, const Tensor *weight) {
    Shape shape = {.rank = weight->shape.rank};
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = i == 0 ? weight->shape.dims[0] : 1;
    return program_reshape(lower->program, scale.value, program_shape(lower->program, &shape));
}

/* What a model holds: where a scale stands behind a weight, both are multiplied. */
static Term model_term(Lower *lower, NodeId id, uint32_t *slot) {
    const Leaf *weight = &lower->leaves->items[*slot];
    Term operands[3] = {leaf_term(lower, (*slot)++), term_absent, term_absent};
    if (!weight->scaled)
        return operands[0];
    const Tensor *scale = weight[1].tensor;
    operands[1] = leaf_term(lower, (*slot)++);
    if (weight->tensor == NULL || scale == NULL)
        return term_absent;
    program_set_origin(lower->program, id + 1);
    if (!is_one_scale(scale))
        operands[1] = term_tensor(stretched_scale(lower, operands[1], weight->tensor));
    return lower_map(lower, OP_MUL, operands, graph_node(lower->solved->recipe->graph, id)->span);
}

static Term conversion_term(Evaluation *evaluation, uint32_t at, uint32_t *slot) {
    Lower *lower = evaluation->lower;
    const Region *region = evaluation->region;
    NodeId id = region->leaves[at];
    const Node *node = graph_node(lower->solved->recipe->graph, id);
    if (region->models[at] == NULL)
        return lower_error(lower, node->span, "more than %d conversions of conversions",
                           CONVERSION_LIMIT);
    const ConversionRule *rule = solved_rule(lower->solved, id, evaluation->key);
    if (rule == NULL)
        return term_absent;
    Term *sources = arena_array(lower->arena, Term, rule->n_sources + 1);
    Term *numbers = arena_array(lower->arena, Term, node->n_operands + 1);
    if (region->numbers[at] != NULL &&
        !evaluate_region(lower, region->numbers[at], rule->sources[0].key, slot, numbers))
        return term_poison;
    for (uint32_t i = 0; i < rule->n_sources; i++)
        if (!evaluate_region(lower, region->models[at][rule->sources[i].model],
                             rule->sources[i].key, slot, &sources[i]))
            return term_poison;
    NodeId call = lower->call;
    lower->call = id;
    program_set_origin(lower->program, id + 1);
    Term result = lower_rule(lower, node, rule, sources, numbers);
    lower->call = call;
    return result;
}

static Term constant_term(const Node *node) {
    switch (node->kind) {
    case NODE_NUMBER:
        return term_number(node->number, node->number_kind);
    case NODE_STRING:
        return term_string(node->text);
    default:
        return term_null;
    }
}

static const OpCode operator_ops[] = {
    [AST_ADD] = OP_ADD, [AST_SUB] = OP_SUB, [AST_MUL] = OP_MUL, [AST_DIV] = OP_DIV,
    [AST_POW] = OP_POW, [AST_NEG] = OP_NEG, [AST_EQ] = OP_EQ,   [AST_NE] = OP_NE,
    [AST_LT] = OP_LT,   [AST_LE] = OP_LE,   [AST_GT] = OP_LT,   [AST_GE] = OP_LE,
    [AST_AND] = OP_AND, [AST_OR] = OP_OR,   [AST_NOT] = OP_NOT,
};

Term lower_operator(Lower *lower, AstOp op, Term a, Term b, Span span) {
    if (op == AST_FALLBACK)
        return a.kind == TERM_ABSENT ? b : a;
    bool swapped = op == AST_GT || op == AST_GE;
    Term operands[3] = {swapped ? b : a, swapped ? a : b, a};
    return lower_map(lower, operator_ops[op], operands, span);
}

/* The arguments of a call by parameter; the variadic one is a list. */
static Term call_term(Evaluation *evaluation, NodeId id) {
    Lower *lower = evaluation->lower;
    const Graph *graph = lower->solved->recipe->graph;
    const Node *node = graph_node(graph, id);
    const Method *method = node->method;
    const NodeId *operands = graph_operands(graph, id);
    Term few[FEW_PARAMETERS];
    Term *arguments = method->n_parameters <= FEW_PARAMETERS
                          ? few
                          : arena_array(lower->arena, Term, method->n_parameters);
    uint32_t at = 0;
    for (uint32_t p = 0; p < method->n_parameters; p++) {
        if (!method->parameters[p].variadic) {
            arguments[p] = *term_of(evaluation, operands[at++]);
            continue;
        }
        uint32_t n = node->n_operands - (method->n_parameters - 1);
        Term *items = arena_array(lower->arena, Term, n + 1);
        for (uint32_t i = 0; i < n; i++)
            items[i] = *term_of(evaluation, operands[at++]);
        arguments[p] = (Term){.kind = TERM_LIST, .items = items, .n_items = n};
    }
    lower->call = id;
    return lower_method(lower, method, arguments, node->span);
}

static Term map_term(const Evaluation *evaluation, NodeId id) {
    const Solved *solved = evaluation->region->solved;
    int entry = solved_entry(solved, id, solved_key(solved, id, evaluation->key));
    return entry < 0 ? term_absent
                     : *term_of(evaluation, graph_operands(solved->recipe->graph, id)[entry]);
}

static Term node_term(Evaluation *evaluation, NodeId id) {
    const Solved *solved = evaluation->region->solved;
    const Graph *graph = solved->recipe->graph;
    const Node *node = graph_node(graph, id);
    const NodeId *operands = graph_operands(graph, id);
    program_set_origin(evaluation->lower->program, id + 1);
    switch (node->kind) {
    case NODE_CALL:
        return call_term(evaluation, id);
    case NODE_OPERATOR:
        evaluation->lower->call = id;
        return lower_operator(evaluation->lower, node->op, *term_of(evaluation, operands[0]),
                              *term_of(evaluation, operands[node->n_operands - 1]), node->span);
    case NODE_MAP:
        return map_term(evaluation, id);
    case NODE_KEEP:
    case NODE_COMPONENT:
        return solved_entry(solved, id, solved_key(solved, id, evaluation->key))
                   ? *term_of(evaluation, operands[0])
                   : term_absent;
    default:
        return constant_term(node);
    }
}

/* A mistake in one node must not be repeated by all that use it: methods hand poison on. */
static bool evaluate_region(Lower *lower, const Region *region, Text key, uint32_t *slot,
                            Term *roots) {
    const Graph *graph = region->solved->recipe->graph;
    Text outer_key = lower->key;
    lower->key = key;
    Evaluation evaluation = {.lower = lower, .region = region, .key = key};
    evaluation.terms = memory_grow(NULL, memory_size(region->n_nodes + 1, sizeof(Term)));
    for (uint32_t i = 0; i < region->n_leaves; i++) {
        const Node *node = graph_node(graph, region->leaves[i]);
        if (node->kind == NODE_MODEL)
            *term_of(&evaluation, region->leaves[i]) = model_term(lower, region->leaves[i], slot);
        else if (is_conversion(node))
            *term_of(&evaluation, region->leaves[i]) = conversion_term(&evaluation, i, slot);
    }
    for (uint32_t i = 0; i < region->n_nodes; i++) {
        const Node *node = graph_node(graph, region->nodes[i]);
        if (node->kind != NODE_MODEL && !is_conversion(node))
            evaluation.terms[i] = node_term(&evaluation, region->nodes[i]);
    }
    bool ok = true;
    for (uint32_t i = 0; i < region->n_roots; i++) {
        roots[i] = *term_of(&evaluation, region->roots[i]);
        ok &= roots[i].kind != TERM_POISON;
    }
    free(evaluation.terms);
    lower->key = outer_key;
    return ok;
}

/* ---- roots ---- */

/* Under `auto` an output keeps the dtype of the key in the first of its inputs that provides it,
 * unless it was cast. A weight in 8 bits with a scale is none of those bits without it: what is
 * made of one is bf16, as what computes with such weights makes of them. */
static DType natural_dtype(const Lower *lower, NodeId root, Term term) {
    const Graph *graph = lower->solved->recipe->graph;
    if (term.kind == TERM_TENSOR && term.cast != DTYPE_NONE)
        return term.cast;
    unsigned char *reached = arena_array(lower->arena, unsigned char, graph_count(graph));
    graph_reach(graph, &root, 1, reached);
    for (uint32_t i = 0; i < lower->leaves->count; i++) {
        const Leaf *leaf = &lower->leaves->items[i];
        if (leaf->tensor != NULL && reached[leaf->node])
            return leaf->tensor->scale != NULL ? DTYPE_BF16 : leaf->tensor->dtype;
    }
    return DTYPE_F32;
}

/* A leaf that passes through keeps its own dtype. */
static DType root_dtype(const Lower *lower, NodeId root, Term term) {
    const Value *value =
        term.kind == TERM_TENSOR ? program_value(lower->program, term.value) : NULL;
    bool leaf = value != NULL && value->kind == VALUE_LEAF && term.cast == DTYPE_NONE;
    return leaf ? (DType)value->dtype : natural_dtype(lower, root, term);
}

static bool lower_root(Lower *lower, Term term, LowerRoot *root) {
    root->present = term.kind == TERM_TENSOR || term.kind == TERM_NUMBER;
    if (term.kind == TERM_ABSENT)
        return true;
    if (!root->present) {
        diag_error(lower->diags, graph_node(lower->solved->recipe->graph, root->node)->span,
                   "the result for '%.*s' is no tensor",
                   TEXT_ARG(text_printable(lower->arena, lower->key)));
        return false;
    }
    root->dtype = root_dtype(lower, root->node, term);
    root->value = term_value(lower, term);
    return true;
}

bool assumption_equal(const Assumption *a, const Assumption *b) {
    return a->call == b->call && a->place == b->place && a->occurrence == b->occurrence;
}

/* Small recipes may call large methods, and large ones may be as large as they are. */
static uint64_t steps_limit(const Region *region) {
    enum { LEAST = 3000000, OF_A_NODE = 32 };
    uint64_t limit = (uint64_t)region->n_nodes * OF_A_NODE;
    return limit > LEAST ? limit : LEAST;
}

bool lower(Arena *arena, Diags *diags, const Region *region, Text key, const KeyLeaves *leaves,
           Lowering *lowering, Program *program) {
    size_t errors = diag_errors(diags);
    Lower state = {.arena = arena,
                   .diags = diags,
                   .solved = region->solved,
                   .program = program,
                   .compute = lowering->compute,
                   .refuted = lowering->refuted,
                   .n_refuted = lowering->n_refuted,
                   .steps_limit = steps_limit(region),
                   .key = key,
                   .leaves = leaves,
                   .call = NODE_NONE};
    Term *terms = arena_array(arena, Term, region->n_roots + 1);
    uint32_t slot = 0;
    program_reserve(program, region->n_nodes + region->n_nodes / 4);
    bool ok = evaluate_region(&state, region, key, &slot, terms);
    for (uint32_t i = 0; i < region->n_roots; i++) {
        lowering->roots[i] = (LowerRoot){.node = region->roots[i]};
        ok = ok && lower_root(&state, terms[i], &lowering->roots[i]);
    }
    lowering->assumptions =
        arena_copy(arena, state.assumptions.items, state.assumptions.count * sizeof(Assumption));
    lowering->n_assumptions = (uint32_t)state.assumptions.count;
    vector_free(&state.assumptions);
    vector_free(&state.locals);
    if (state.precise)
        lowering->compute = COMPUTE_F64;
    return ok && diag_errors(diags) == errors;
}
