/* The passes of a plan in the recipe's terms: what each computes, for which line, what it holds and
 * why; and of the recipe what is shared, and what needs no computing. Classes of keys about which
 * the same is to be said are told together. */
#include "explain.h"

#include "base/file.h"
#include "base/vector.h"

#include <stdlib.h>

enum { TERMS_SHOWN = 12, MODELS_SHOWN = 6, RESULTS_TOLD = 100 };

/* ---- terms ---- */

static const char *operator_word(AstOp op) {
    static const char *const words[] = {
        [AST_ADD] = "+",   [AST_SUB] = "-", [AST_MUL] = "*",   [AST_DIV] = "/",
        [AST_POW] = "^",   [AST_NEG] = "-", [AST_EQ] = "==",   [AST_NE] = "!=",
        [AST_LT] = "<",    [AST_LE] = "<=", [AST_GT] = ">",    [AST_GE] = ">=",
        [AST_AND] = "and", [AST_OR] = "or", [AST_NOT] = "not", [AST_FALLBACK] = "|"};
    return words[op];
}

static void add_word(const Node *node, Builder *out) {
    switch (node->kind) {
    case NODE_CALL:
        builder_add(out, node->method->name);
        break;
    case NODE_OPERATOR:
        builder_format(out, "'%s'", operator_word(node->op));
        break;
    case NODE_MODEL:
        builder_printable(out, path_name(node->text));
        break;
    case NODE_KEEP:
        builder_add(out, TEXT("[…]"));
        break;
    case NODE_COMPONENT:
        builder_format(out, ".%.*s", TEXT_ARG(node->text));
        break;
    case NODE_CONVERT:
        builder_add(out, TEXT("as"));
        break;
    case NODE_MAP:
        builder_add(out, TEXT("a map"));
        break;
    default:
        builder_add(out, TEXT("a constant"));
    }
}

/* The recipe's own name of a node, or an empty text. */
static Text name_of(const Engine *engine, NodeId id) {
    const Recipe *recipe = engine->recipe;
    for (uint32_t i = 0; i < recipe->n_names; i++)
        if (recipe->names[i].node == id)
            return recipe->names[i].name;
    return TEXT("");
}

static uint32_t line_of(const Engine *engine, NodeId id) {
    Span span = graph_node(engine->recipe->graph, id)->span;
    uint32_t line = 0, column;
    if (span.source > 0)
        source_position(diags_find(engine->diags, span.source), span.begin, &line, &column);
    return line;
}

/* `merged = slerp (line 14)` */
static void add_term(const Engine *engine, NodeId id, Builder *out) {
    Text name = name_of(engine, id);
    if (name.size > 0)
        builder_format(out, "%.*s = ", TEXT_ARG(name));
    add_word(graph_node(engine->recipe->graph, id), out);
    builder_format(out, " (line %u)", line_of(engine, id));
}

static void add_json_term(const Engine *engine, NodeId id, Builder *out) {
    Text name = name_of(engine, id);
    Builder word = {0};
    add_word(graph_node(engine->recipe->graph, id), &word);
    builder_add(out, TEXT("\"term\": "));
    builder_json(out, builder_view(&word));
    builder_add(out, TEXT(", \"name\": "));
    if (name.size > 0)
        builder_json(out, name);
    else
        builder_add(out, TEXT("null"));
    builder_format(out, ", \"line\": %u", line_of(engine, id));
    builder_free(&word);
}

/* ---- what a pass does ---- */

typedef struct Telling {
    Engine *engine;
    const ScheduleClass *class;
    const PassList *list;
    unsigned char *computed; /* by node: it is a part of some pass */
} Telling;

/* Lists of words: what stands in front of the next one. */
static void begin_item(Builder *out, uint32_t i, const char *first) {
    builder_add(out, i == 0 ? text_from(first) : TEXT(", "));
}

static void add_rest(Builder *out, uint32_t shown, uint32_t all) {
    if (shown < all)
        builder_format(out, " and %u more", all - shown);
}

static int by_number(const void *a, const void *b) {
    NodeId x = *(const NodeId *)a, y = *(const NodeId *)b;
    return x < y ? -1 : x > y;
}

/* The inputs whose tensors a pass loads, each once, in the order of the recipe. */
static uint32_t list_inputs(const Telling *telling, const Pass *pass, NodeId *found) {
    const KeyLeaves *leaves = telling->class->leaves;
    uint32_t n = 0;
    for (uint32_t i = 0; i < pass->n_accesses + (pass->kind == PASS_COPY); i++) {
        bool copy = i == pass->n_accesses;
        if (!copy && pass->accesses[i].kind != PLACE_LEAF)
            continue;
        NodeId node = leaves->items[copy ? pass->copy_leaf : pass->accesses[i].index].node;
        uint32_t k = 0;
        while (k < n && found[k] != node)
            k++;
        found[k] = node;
        n += k == n;
    }
    if (n > 0)
        qsort(found, n, sizeof *found, by_number);
    return n;
}

static void tell_inputs(const Telling *telling, const Pass *pass, Builder *out) {
    NodeId *inputs = arena_array(&telling->engine->arena, NodeId, pass->n_accesses + 1);
    uint32_t n = list_inputs(telling, pass, inputs);
    uint32_t shown = n > MODELS_SHOWN + 1 ? MODELS_SHOWN : n;
    const char *first = pass->kind == PASS_COPY ? "copies from " : "reads ";
    for (uint32_t i = 0; i < shown; i++) {
        begin_item(out, i, first);
        add_word(graph_node(telling->engine->recipe->graph, inputs[i]), out);
    }
    add_rest(out, shown, n);
    if (n == 0)
        builder_add(out, pass->kind == PASS_WHOLE ? TEXT("holds tensors as a whole")
                                                  : TEXT("reads no model"));
    if (pass->n_guards > 0)
        builder_add(out, TEXT("; only if a condition asks for it"));
    builder_char(out, '\n');
}

/* Words that are said once, with how often they were meant. */
typedef struct Tally {
    Text words[TERMS_SHOWN];
    uint32_t counts[TERMS_SHOWN];
    uint32_t n, others;
} Tally;

static void tally_add(Arena *arena, Tally *tally, Builder *words) {
    uint32_t i = 0;
    while (i < tally->n && !text_equal(tally->words[i], builder_view(words)))
        i++;
    if (i == TERMS_SHOWN) {
        tally->others++;
    } else {
        if (i == tally->n)
            tally->words[tally->n++] = text_copy(arena, builder_view(words));
        tally->counts[i]++;
    }
    builder_free(words);
}

static void tally_tell(const Tally *tally, const char *first, const char *between, Builder *out) {
    for (uint32_t i = 0; i < tally->n; i++) {
        builder_add(out, text_from(i == 0 ? first : between));
        if (tally->counts[i] > 1)
            builder_format(out, "%u × ", tally->counts[i]);
        builder_add(out, tally->words[i]);
    }
    if (tally->others > 0)
        builder_format(out, "%s%u more", between, tally->others);
    builder_add(out, tally->n > 0 ? TEXT("\n") : TEXT(""));
}

static void tell_terms(const Telling *telling, const Pass *pass, Builder *out) {
    Tally tally = {0};
    for (uint32_t i = 0; i < pass->n_origins; i++) {
        Builder words = {0};
        if (pass->origins[i] == 0)
            continue;
        add_term(telling->engine, pass->origins[i] - 1, &words);
        tally_add(&telling->engine->arena, &tally, &words);
    }
    tally_tell(&tally, "          computes ", ", ", out);
}

/* The instruction that ends in the I-th result of a pass. */
static const TileInstr *result_instr(const Pass *pass, uint32_t i) {
    uint32_t k = 0;
    for (uint32_t at = 0; at < pass->n_code; at++) {
        uint8_t op = pass->code[at].op;
        bool ends =
            op == TILE_STORE || op == TILE_REDUCE || op == TILE_COLUMN_REDUCE || op == TILE_SELECT;
        if (ends && k++ == i)
            return &pass->code[at];
    }
    return NULL;
}

/* What a result is called, alone and of several. */
static const char *result_word(const TileInstr *instr, bool several) {
    static const char *const reductions[REDUCE_KIND_COUNT][2] = {
        [REDUCE_SUM] = {"a sum", "sums"},
        [REDUCE_MIN] = {"a minimum", "minima"},
        [REDUCE_MAX] = {"a maximum", "maxima"},
        [REDUCE_ANY] = {"a condition", "conditions"},
        [REDUCE_DOT] = {"a dot product", "dot products"}};
    if (instr->op == TILE_SELECT)
        return several ? "k-th values" : "a k-th value";
    return reductions[instr->detail][several];
}

/* The result that is called as result I is, from AT on. */
static uint32_t next_alike(const Pass *pass, uint32_t i, uint32_t at) {
    const TileInstr *wanted = result_instr(pass, i), *instr;
    for (; at < pass->n_results; at++)
        if (pass->results[at] == pass->results[i] && (instr = result_instr(pass, at)) != NULL &&
            instr->op == wanted->op && instr->detail == wanted->detail)
            return at;
    return UINT32_MAX;
}

static void tell_reduction(const Telling *telling, const Pass *pass, uint32_t i, Builder *out) {
    uint32_t count = 0;
    for (uint32_t at = i; at != UINT32_MAX; at = next_alike(pass, i, at + 1))
        count++;
    if (count > 1)
        builder_format(out, "%u ", count);
    builder_format(out, "%s for ", result_word(result_instr(pass, i), count > 1));
    if (pass->results[i] > 0)
        add_term(telling->engine, pass->results[i] - 1, out);
}

/* What of all elements is known afterwards. */
static void tell_reductions(const Telling *telling, const Pass *pass, Builder *out) {
    uint32_t n = 0, most = pass->n_results < RESULTS_TOLD ? pass->n_results : RESULTS_TOLD;
    for (uint32_t i = 0; pass->kind == PASS_TILES && i < most; i++) {
        const TileInstr *instr = result_instr(pass, i);
        if (instr == NULL || instr->op == TILE_STORE || next_alike(pass, i, 0) < i ||
            n++ >= TERMS_SHOWN)
            continue;
        begin_item(out, n - 1, "          finds ");
        tell_reduction(telling, pass, i, out);
    }
    add_rest(out, n < TERMS_SHOWN ? n : TERMS_SHOWN, n);
    builder_add(out, n > 0 ? TEXT("\n") : TEXT(""));
}

/* The primitive that a buffer is an operand of (or a result, where MADE), or NULL. */
static const WholeCall *call_with(const PassList *list, uint32_t buffer, bool made) {
    for (uint32_t p = 0; p < list->n_passes; p++) {
        const WholeCall *call = &list->passes[p].whole;
        uint32_t n = made ? call->n_outputs : call->n_inputs;
        for (uint32_t i = 0; list->passes[p].kind == PASS_WHOLE && i < n; i++)
            if ((made ? call->outputs : call->inputs)[i] == buffer)
                return call;
    }
    return NULL;
}

static bool is_factor(const PassList *list, uint32_t buffer) {
    for (uint32_t p = 0; p < list->n_passes; p++)
        for (uint32_t i = 0; i < list->passes[p].n_products; i++)
            if (list->passes[p].products[i].left == buffer ||
                list->passes[p].products[i].right == buffer)
                return true;
    return false;
}

static void add_reason(const PassList *list, uint32_t buffer, Builder *out) {
    const WholeCall *user = call_with(list, buffer, false), *maker = call_with(list, buffer, true);
    if (user != NULL)
        builder_format(out, "%.*s needs it as a whole", TEXT_ARG(whole_name(user->op)));
    else if (maker != NULL)
        builder_format(out, "%.*s makes it as a whole", TEXT_ARG(whole_name(maker->op)));
    else if (is_factor(list, buffer))
        builder_add(out, TEXT("a factor of a matrix product"));
    else if (list->buffers[buffer].mask)
        builder_add(out, TEXT("a bit for each element"));
    else
        builder_add(out, TEXT("loading it costs less than computing it again"));
}

static void tell_buffers(const Telling *telling, uint32_t pass, Builder *out) {
    const PassList *list = telling->list;
    Tally tally = {0};
    for (uint32_t b = 0; b < list->n_buffers; b++) {
        Builder words = {0};
        if (list->buffers[b].first_pass != pass)
            continue;
        if (list->buffers[b].origin > 0)
            add_term(telling->engine, list->buffers[b].origin - 1, &words);
        else
            builder_add(&words, TEXT("what it reads"));
        builder_format(&words, " until pass %u: ", list->buffers[b].last_pass + 1);
        add_reason(list, b, &words);
        tally_add(&telling->engine->arena, &tally, &words);
    }
    tally_tell(&tally, "          holds ", "\n          holds ", out);
}

static void tell_pass(const Telling *telling, uint32_t i, Builder *out) {
    const Pass *pass = &telling->list->passes[i];
    builder_format(out, "  pass %-3u", i + 1);
    tell_inputs(telling, pass, out);
    if (pass->kind == PASS_WHOLE)
        builder_format(out, "          calls %.*s\n", TEXT_ARG(whole_name(pass->whole.op)));
    tell_terms(telling, pass, out);
    tell_reductions(telling, pass, out);
    tell_buffers(telling, i, out);
}

/* ---- the same as JSON ---- */

static void json_terms(const Telling *telling, const uint32_t *origins, uint32_t n, Builder *out) {
    bool first = true;
    for (uint32_t i = 0; i < n; i++) {
        if (origins[i] == 0)
            continue;
        builder_add(out, first ? TEXT("{") : TEXT(", {"));
        add_json_term(telling->engine, origins[i] - 1, out);
        builder_char(out, '}');
        first = false;
    }
}

static void json_inputs(const Telling *telling, const Pass *pass, Builder *out) {
    NodeId *inputs = arena_array(&telling->engine->arena, NodeId, pass->n_accesses + 1);
    uint32_t n = list_inputs(telling, pass, inputs);
    for (uint32_t i = 0; i < n; i++) {
        builder_add(out, i > 0 ? TEXT(", ") : TEXT(""));
        builder_json(out, graph_node(telling->engine->recipe->graph, inputs[i])->text);
    }
}

static void json_buffers(const Telling *telling, uint32_t pass, Builder *out) {
    const PassList *list = telling->list;
    bool first = true;
    for (uint32_t b = 0; b < list->n_buffers; b++) {
        if (list->buffers[b].first_pass != pass || list->buffers[b].origin == 0)
            continue;
        Builder reason = {0};
        add_reason(list, b, &reason);
        builder_add(out, first ? TEXT("{") : TEXT(", {"));
        add_json_term(telling->engine, list->buffers[b].origin - 1, out);
        builder_format(out, ", \"until_pass\": %u, \"reason\": ", list->buffers[b].last_pass + 1);
        builder_json(out, builder_view(&reason));
        builder_char(out, '}');
        builder_free(&reason);
        first = false;
    }
}

static void json_pass(const Telling *telling, uint32_t i, Builder *out) {
    static const char *const kinds[] = {
        [PASS_TILES] = "tiles", [PASS_COPY] = "copy", [PASS_WHOLE] = "whole"};
    const Pass *pass = &telling->list->passes[i];
    builder_format(out, "%s{\"kind\": \"%s\", \"reads\": [", i > 0 ? ", " : "", kinds[pass->kind]);
    json_inputs(telling, pass, out);
    builder_add(out, TEXT("], \"computes\": ["));
    json_terms(telling, pass->origins, pass->n_origins, out);
    builder_format(out,
                   "], \"reductions\": %u, \"selections\": %u, \"conditional\": %s, \"holds\": [",
                   pass->n_reductions, pass->n_selections, pass->n_guards > 0 ? "true" : "false");
    json_buffers(telling, i, out);
    builder_add(out, TEXT("]}"));
}

/* ---- classes ---- */

/* Classes about which the same is said. */
typedef struct Told {
    Text words;
    const ScheduleClass *first;
    uint32_t n_keys;
    uint64_t bytes, memory;
} Told;

typedef VECTOR(Told) ToldVector;

static void note_computed(const Telling *telling) {
    for (uint32_t p = 0; p < telling->list->n_passes; p++)
        for (uint32_t i = 0; i < telling->list->passes[p].n_origins; i++)
            if (telling->list->passes[p].origins[i] > 0)
                telling->computed[telling->list->passes[p].origins[i] - 1] = 1;
}

static void join(ToldVector *all, Text words, const ScheduleClass *class) {
    size_t i = 0;
    while (i < all->count && !text_equal(all->items[i].words, words))
        i++;
    if (i == all->count)
        vector_push(all, (Told){words, class});
    Told *told = &all->items[i];
    told->n_keys += class->n_keys;
    told->bytes += class->bytes;
    told->memory = class->memory > told->memory ? class->memory : told->memory;
}

static ToldVector tell_classes(Engine *engine, unsigned char *computed,
                               void (*tell)(const Telling *, uint32_t, Builder *)) {
    ToldVector all = {0};
    uint32_t n;
    const ScheduleClass *classes = schedule_classes(engine->schedule, &engine->arena, &n);
    for (uint32_t c = 0; c < n; c++) {
        Telling telling = {engine, &classes[c], classes[c].passes, computed};
        Builder words = {0};
        note_computed(&telling);
        for (uint32_t i = 0; i < classes[c].passes->n_passes; i++)
            tell(&telling, i, &words);
        join(&all, text_copy(&engine->arena, builder_view(&words)), &classes[c]);
        builder_free(&words);
    }
    return all;
}

static void add_told(const Told *told, Builder *out) {
    builder_format(out, "\n%u key%s, ", told->n_keys, told->n_keys == 1 ? "" : "s");
    builder_bytes(out, told->bytes);
    builder_add(out, TEXT(" to read"));
    if (told->memory > 0) {
        builder_add(out, TEXT(", "));
        builder_bytes(out, told->memory);
        builder_add(out, TEXT(" held for one of them"));
    }
    builder_add(out, told->n_keys == 1 ? TEXT(": ") : TEXT(": like "));
    builder_printable(out, told->first->first);
    builder_char(out, '\n');
    builder_add(out, told->words);
}

/* ---- the recipe ---- */

static bool is_work(const Node *node) {
    return node->kind == NODE_CALL || node->kind == NODE_OPERATOR || node->kind == NODE_CONVERT;
}

static uint32_t *count_uses(Engine *engine) {
    const Graph *graph = engine->recipe->graph;
    uint32_t n = graph_count(graph), *uses = arena_array(&engine->arena, uint32_t, n + 1);
    for (NodeId id = 0; id < n; id++)
        for (uint32_t i = 0; engine->solved->reached[id] && i < graph_node(graph, id)->n_operands;
             i++)
            uses[graph_operands(graph, id)[i]]++;
    for (uint32_t i = 0; i < engine->recipe->n_outputs; i++)
        uses[engine->recipe->outputs[i].node]++;
    return uses;
}

typedef struct Remarks {
    const uint32_t *uses;
    const unsigned char *computed;
    bool folded; /* those are asked for; else the shared ones */
} Remarks;

static bool is_remarked(const Engine *engine, const Remarks *remarks, NodeId id) {
    if (!engine->solved->reached[id] || !is_work(graph_node(engine->recipe->graph, id)))
        return false;
    return remarks->folded ? !remarks->computed[id]
                           : remarks->computed[id] && remarks->uses[id] > 1;
}

static void tell_remarks(const Engine *engine, const Remarks *remarks, const char *heading,
                         Builder *out) {
    uint32_t n = 0;
    for (NodeId id = 0; id < graph_count(engine->recipe->graph); id++) {
        if (!is_remarked(engine, remarks, id) || n++ >= TERMS_SHOWN)
            continue;
        begin_item(out, n - 1, heading);
        add_term(engine, id, out);
        if (!remarks->folded)
            builder_format(out, " used %u times", remarks->uses[id]);
    }
    add_rest(out, n < TERMS_SHOWN ? n : TERMS_SHOWN, n);
    builder_add(out, n > 0 ? TEXT("\n") : TEXT(""));
}

static void json_remarks(const Engine *engine, const Remarks *remarks, Builder *out) {
    bool first = true;
    for (NodeId id = 0; id < graph_count(engine->recipe->graph); id++) {
        if (!is_remarked(engine, remarks, id))
            continue;
        builder_add(out, first ? TEXT("{") : TEXT(", {"));
        add_json_term(engine, id, out);
        if (!remarks->folded)
            builder_format(out, ", \"uses\": %u", remarks->uses[id]);
        builder_char(out, '}');
        first = false;
    }
}

/* ---- the whole ---- */

void explain_passes(Engine *engine, Builder *out) {
    uint32_t n = graph_count(engine->recipe->graph);
    Remarks remarks = {.uses = count_uses(engine)};
    unsigned char *computed = arena_array(&engine->arena, unsigned char, n + 1);
    ToldVector all = tell_classes(engine, computed, tell_pass);
    remarks.computed = computed;
    tell_remarks(engine, &remarks, "shared          ", out);
    remarks.folded = true;
    tell_remarks(engine, &remarks, "folded away     ", out);
    for (size_t i = 0; i < all.count; i++)
        add_told(&all.items[i], out);
    vector_free(&all);
}

void explain_json_passes(Engine *engine, Builder *out) {
    uint32_t n = graph_count(engine->recipe->graph);
    Remarks remarks = {.uses = count_uses(engine)};
    unsigned char *computed = arena_array(&engine->arena, unsigned char, n + 1);
    ToldVector all = tell_classes(engine, computed, json_pass);
    remarks.computed = computed;
    builder_add(out, TEXT(", \"shared\": ["));
    json_remarks(engine, &remarks, out);
    builder_add(out, TEXT("], \"folded\": ["));
    remarks.folded = true;
    json_remarks(engine, &remarks, out);
    builder_add(out, TEXT("], \"groups\": ["));
    for (size_t i = 0; i < all.count; i++) {
        const Told *told = &all.items[i];
        builder_format(out, "%s{\"keys\": %u, \"first\": ", i > 0 ? ", " : "", told->n_keys);
        builder_json(out, told->first->first);
        builder_format(out, ", \"bytes_to_read\": %llu, \"memory_of_a_key\": %llu, \"passes\": [",
                       (unsigned long long)told->bytes, (unsigned long long)told->memory);
        builder_add(out, told->words);
        builder_add(out, TEXT("]}"));
    }
    builder_char(out, ']');
    vector_free(&all);
}

void mecha_explain_code(Engine *engine, Builder *out) {
    uint32_t n;
    const ScheduleClass *classes = schedule_classes(engine->schedule, &engine->arena, &n);
    for (uint32_t c = 0; c < n; c++) {
        builder_format(out, "\n%u key%s like ", classes[c].n_keys,
                       classes[c].n_keys == 1 ? "" : "s");
        builder_printable(out, classes[c].first);
        builder_char(out, '\n');
        passes_dump(classes[c].passes, out);
    }
}
