/* Shapes that do not go together: which tensors have them, and what to do about it where they
 * differ in their rows alone, as the embeddings of language models with unequal vocabularies do, or
 * in their columns, as the first layers of models with other inputs. */
#include "program/term.h"

enum {
    SHAPES_SHOWN = 6,  /* of tensors, beside a mistake */
    SOURCE_SHOWN = 60, /* bytes of a model without a name */
};

static bool *reached_by_call(const Lower *lower) {
    const Graph *graph = lower->solved->recipe->graph;
    unsigned char *reached = arena_array(lower->arena, unsigned char, graph_count(graph) + 1);
    bool *leaves = arena_array(lower->arena, bool, lower->leaves->count + 1);
    if (lower->call == NODE_NONE)
        return leaves;
    graph_reach(graph, &lower->call, 1, reached);
    for (uint32_t i = 0; i < lower->leaves->count; i++) {
        const Leaf *leaf = &lower->leaves->items[i];
        leaves[i] = leaf->tensor != NULL && reached[leaf->node] && leaf->tensor->shape.rank > 0;
    }
    return leaves;
}

void lower_note_shapes(Lower *lower) {
    const bool *reached = reached_by_call(lower);
    uint32_t n = 0;
    for (uint32_t i = 0; i < lower->leaves->count && n < SHAPES_SHOWN; i++) {
        const Leaf *leaf = &lower->leaves->items[i];
        if (!reached[i])
            continue;
        n++;
        Builder note = {0};
        builder_add(&note, TEXT("'"));
        builder_printable(&note, leaf->tensor->name);
        builder_format(&note, "' is ");
        shape_print(&note, &leaf->tensor->shape);
        builder_add(&note, TEXT(" here"));
        diag_note(lower->diags, graph_node(lower->solved->recipe->graph, leaf->node)->span, "%s",
                  note.data);
        builder_free(&note);
    }
}

/* ---- rows, columns ---- */

enum { ROWS, COLUMNS }; /* dimensions */

/* What the library's function of that role calls. */
static Text recommended(const Lower *lower, Text role) {
    const Definition *function =
        library_find(lower->solved->recipe->library, DEFINITION_FUNCTION, role);
    return function->syntax->a->a->text;
}

/* What stands for a model in the recipe: its name, or else its source. */
static Text model_text(const Lower *lower, NodeId node) {
    const Recipe *recipe = lower->solved->recipe;
    for (uint32_t i = 0; i < recipe->n_names; i++)
        if (recipe->names[i].node == node)
            return recipe->names[i].name;
    Span span = graph_node(recipe->graph, node)->span;
    if (span.end - span.begin > SOURCE_SHOWN)
        return TEXT("that model");
    Text text = diags_find(lower->diags, span.source)->text;
    return text_printable(lower->arena, (Text){text.data + span.begin, span.end - span.begin});
}

static bool differ_in_one(Shape a, Shape b, uint32_t dimension) {
    a.dims[dimension] = b.dims[dimension];
    return shape_equal(&a, &b);
}

/* The factors of networks have other rows and columns where their ranks differ. */
static bool is_no_network(const Lower *lower, NodeId node) {
    const Config *config = lower->solved->domains[lower->solved->domain_of[node]].config;
    return config == NULL || !config_is_network(config);
}

/* A model's own tensor under the key at hand. */
typedef struct Own {
    NodeId node;
    const Tensor *tensor;
} Own;

/* The models of whatever is made of the call at hand have what it has, too: they will meet. */
static unsigned char *reached_by_users(const Lower *lower) {
    const Recipe *recipe = lower->solved->recipe;
    uint32_t n = graph_count(recipe->graph);
    unsigned char *reached = arena_array(lower->arena, unsigned char, n + 1);
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        NodeId root = recipe->outputs[i].node;
        unsigned char *by_output = arena_array(lower->arena, unsigned char, n + 1);
        graph_reach(recipe->graph, &root, 1, by_output);
        for (NodeId id = 0; id < n && by_output[lower->call]; id++)
            reached[id] |= by_output[id];
    }
    return reached;
}

/* The models' own tensors under the key; 0 where some of them differ in more than that dimension,
 * or none do. */
static uint32_t find_unequal(const Lower *lower, uint32_t dimension, Own *found) {
    const Solved *solved = lower->solved;
    const unsigned char *reached = reached_by_users(lower);
    uint32_t n = 0;
    bool unequal = false;
    for (NodeId id = 0; id < graph_count(solved->recipe->graph); id++) {
        bool meets = reached[id] && solved->models[id] != NULL &&
                     solved->domain_of[id] == solved->domain_of[lower->call];
        const Tensor *tensor = meets ? solved_tensor(solved, id, lower->key) : NULL;
        if (tensor == NULL || tensor->shape.rank == 0)
            continue;
        found[n++] = (Own){id, tensor};
        if (tensor->shape.rank <= dimension || !is_no_network(lower, id) ||
            !differ_in_one(found[0].tensor->shape, tensor->shape, dimension))
            return 0;
        unequal |= found[0].tensor->shape.dims[dimension] != tensor->shape.dims[dimension];
    }
    return unequal ? n : 0;
}

static uint64_t extent(const Own *own, uint32_t dimension) {
    return own->tensor->shape.dims[dimension];
}

static const Own *find_extreme(const Own *found, uint32_t n, uint32_t dimension, bool most) {
    const Own *best = found;
    for (const Own *own = found; own < found + n; own++)
        if (most ? extent(own, dimension) > extent(best, dimension)
                 : extent(own, dimension) < extent(best, dimension))
            best = own;
    return best;
}

/* `common(b, a) for b`: of every model that has other rows than LIKE. */
static void add_calls(const Lower *lower, Text name, const Own *found, uint32_t n, const Own *like,
                      Builder *out) {
    Text other = model_text(lower, like->node);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (extent(&found[i], ROWS) == extent(like, ROWS) || shown == SHAPES_SHOWN)
            continue;
        Text model = model_text(lower, found[i].node);
        builder_format(out, "%s%.*s(%.*s, %.*s) in place of %.*s", shown > 0 ? ", " : "",
                       TEXT_ARG(name), TEXT_ARG(model), TEXT_ARG(other), TEXT_ARG(model));
        shown++;
    }
}

static void hint_rows(const Lower *lower, const Own *found, uint32_t n, Builder *hint) {
    builder_add(hint,
                TEXT("only the numbers of rows (tokens of a vocabulary?) differ; keep the rows "
                     "that all have: "));
    add_calls(lower, recommended(lower, TEXT("rows_that_all_have")), found, n,
              find_extreme(found, n, ROWS, false), hint);
    builder_add(hint, TEXT("; or add those that are lacking: "));
    add_calls(lower, recommended(lower, TEXT("rows_that_some_has")), found, n,
              find_extreme(found, n, ROWS, true), hint);
}

static void hint_columns(const Lower *lower, const Own *found, uint32_t n, Builder *hint) {
    Text name = recommended(lower, TEXT("columns_of_another"));
    Text model = model_text(lower, find_extreme(found, n, COLUMNS, true)->node);
    builder_format(hint,
                   "only the numbers of columns (inputs of a layer) differ: %.*s(x, %.*s) gives a "
                   "difference x as many as %.*s has",
                   TEXT_ARG(name), TEXT_ARG(model), TEXT_ARG(model));
}

Text lower_hint_unequal(Lower *lower) {
    static void (*const add_hint[])(const Lower *, const Own *, uint32_t,
                                    Builder *) = {[ROWS] = hint_rows, [COLUMNS] = hint_columns};
    const Recipe *recipe = lower->solved->recipe;
    if (recipe->is_list || lower->call == NODE_NONE)
        return TEXT("");
    Own *found = arena_array(lower->arena, Own, graph_count(recipe->graph) + 1);
    Builder hint = {0};
    for (uint32_t dimension = ROWS; dimension <= COLUMNS && hint.size == 0; dimension++) {
        uint32_t n = find_unequal(lower, dimension, found);
        if (n > 0)
            add_hint[dimension](lower, found, n, &hint);
    }
    Text text = text_copy(lower->arena, builder_view(&hint));
    builder_free(&hint);
    return text;
}
