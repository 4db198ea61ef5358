/* Shapes that do not go together: which tensors have them, and what to do about it where they
 * differ in their rows alone, as the embeddings of language models with unequal vocabularies do. */
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

/* ---- rows ---- */

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

static bool differ_in_rows_alone(Shape a, Shape b) {
    a.dims[0] = b.dims[0];
    return shape_equal(&a, &b);
}

/* The factors of networks have other rows where their ranks differ, and none that are tokens. */
static bool has_tokens(const Lower *lower, const Leaf *leaf) {
    const Config *config = lower->solved->domains[lower->solved->domain_of[leaf->node]].config;
    return config == NULL || !config_is_network(config);
}

/* The models' own tensors under the key, of what reaches the call; 0 where some of them differ in
 * more than their rows, or none do. */
static uint32_t find_unequal(const Lower *lower, const Leaf **found) {
    const bool *reached = reached_by_call(lower);
    uint32_t n = 0;
    bool unequal = false;
    for (uint32_t i = 0; i < lower->leaves->count; i++) {
        const Leaf *leaf = &lower->leaves->items[i];
        if (!reached[i] || leaf->tensor->is_scale || !text_equal(leaf->key, lower->key))
            continue;
        found[n++] = leaf;
        if (!has_tokens(lower, leaf) ||
            !differ_in_rows_alone(found[0]->tensor->shape, leaf->tensor->shape))
            return 0;
        unequal |= found[0]->tensor->shape.dims[0] != leaf->tensor->shape.dims[0];
    }
    return unequal ? n : 0;
}

static uint64_t rows_of(const Leaf *leaf) {
    return leaf->tensor->shape.dims[0];
}

/* `common(b, a) for b`: of every model that has other rows than LIKE. */
static void add_calls(const Lower *lower, Text name, const Leaf *const *found, uint32_t n,
                      const Leaf *like, Builder *out) {
    Text other = model_text(lower, like->node);
    uint32_t shown = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (rows_of(found[i]) == rows_of(like) || shown == SHAPES_SHOWN)
            continue;
        Text model = model_text(lower, found[i]->node);
        builder_format(out, "%s%.*s(%.*s, %.*s) in place of %.*s", shown > 0 ? ", " : "",
                       TEXT_ARG(name), TEXT_ARG(model), TEXT_ARG(other), TEXT_ARG(model));
        shown++;
    }
}

Text lower_hint_rows(Lower *lower) {
    const Leaf **found = arena_array(lower->arena, const Leaf *, lower->leaves->count + 1);
    uint32_t n = lower->solved->recipe->is_list ? 0 : find_unequal(lower, found);
    if (n == 0)
        return TEXT("");
    const Leaf *least = found[0], *most = found[0];
    for (uint32_t i = 0; i < n; i++) {
        least = rows_of(found[i]) < rows_of(least) ? found[i] : least;
        most = rows_of(found[i]) > rows_of(most) ? found[i] : most;
    }
    Builder hint = {0};
    builder_add(&hint,
                TEXT("only the numbers of rows (tokens of a vocabulary?) differ; keep the rows "
                     "that all have: "));
    add_calls(lower, recommended(lower, TEXT("rows_that_all_have")), found, n, least, &hint);
    builder_add(&hint, TEXT("; or add those that are lacking: "));
    add_calls(lower, recommended(lower, TEXT("rows_that_some_has")), found, n, most, &hint);
    Text text = text_copy(lower->arena, builder_view(&hint));
    builder_free(&hint);
    return text;
}
