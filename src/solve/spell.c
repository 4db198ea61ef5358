#include "solve/spell.h"

#include "solve/spell_definitions.h"
#include "syntax/format.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* How tightly an expression holds together, by its outermost operator. */
typedef enum Level {
    LEVEL_FALLBACK,
    LEVEL_OR,
    LEVEL_AND,
    LEVEL_NOT,
    LEVEL_COMPARISON,
    LEVEL_SUM,
    LEVEL_PRODUCT,
    LEVEL_SIGN,
    LEVEL_POWER,
    LEVEL_NAME, /* names, calls, brackets */
} Level;

/* What stands for a node. */
typedef struct Spelling {
    Text text; /* an expression, or the name that it is bound to */
    Level level;
    uint32_t depth; /* of the expression */
    bool bound;
} Spelling;

typedef struct Speller {
    const Solved *solved;
    const Graph *graph;
    const unsigned char *reached;
    SpelledDefinitions definitions;
    NodeId root;
    uint32_t n_models, n_steps; /* that were given names */
    Text *names;                /* by node: as the recipe calls it, or empty */
    uint32_t *uses;             /* by node */
    Spelling *spellings;        /* by node */
    VECTOR(NodeId) pending;     /* to be written within what uses them, in order */
    Builder line;               /* the expression at hand */
    Builder *out;
    Arena arena;
} Speller;

/* Expressions beyond these get a name. */
enum { DEPTH_LIMIT = 3, TEXT_LIMIT = 70 };

/* ---- constants ---- */

static void spell_string(Builder *out, Text text) {
    builder_char(out, '"');
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (c == '"' || c == '\\')
            builder_format(out, "\\%c", c);
        else if ((unsigned char)c < ' ' || c == 127)
            builder_format(out, "\\u{%x}", (unsigned)(unsigned char)c);
        else
            builder_char(out, c);
    }
    builder_char(out, '"');
}

static void spell_number(Builder *out, const Node *node) {
    if (node->number_kind == NUMBER_BOOL)
        builder_add(out, node->number != 0 ? TEXT("true") : TEXT("false"));
    else if (node->number_kind == NUMBER_INT)
        builder_format(out, "%.0f", node->number);
    else if (isnan(node->number))
        builder_add(out, TEXT("(1e999 - 1e999)"));
    else if (isinf(node->number))
        builder_add(out, node->number > 0 ? TEXT("1e999") : TEXT("-1e999"));
    else
        builder_number(out, node->number);
}

static bool is_constant(const Node *node) {
    return node->kind == NODE_NUMBER || node->kind == NODE_STRING || node->kind == NODE_NULL;
}

/* A constant by itself; false where the node is none. */
static bool spell_constant(Builder *out, const Node *node) {
    if (node->kind == NODE_NUMBER)
        spell_number(out, node);
    else if (node->kind == NODE_STRING)
        spell_string(out, node->text);
    else if (node->kind == NODE_NULL)
        builder_add(out, TEXT("null"));
    return is_constant(node);
}

/* ---- operands ---- */

static Level level_of(const Speller *speller, NodeId id) {
    const Node *node = graph_node(speller->graph, id);
    if (is_constant(node))
        return node->kind == NODE_NUMBER && signbit(node->number) ? LEVEL_SIGN : LEVEL_NAME;
    return speller->spellings[id].bound ? LEVEL_NAME : speller->spellings[id].level;
}

/* An operand, within parentheses where it holds together less than LEAST. */
static void spell_operand(Speller *speller, NodeId id, Level least) {
    bool loose = level_of(speller, id) < least;
    builder_add(&speller->line, loose ? TEXT("(") : TEXT(""));
    if (!spell_constant(&speller->line, graph_node(speller->graph, id)))
        builder_add(&speller->line, speller->spellings[id].text);
    builder_add(&speller->line, loose ? TEXT(")") : TEXT(""));
}

/* ---- bindings ---- */

static Text name_for(Speller *speller, NodeId id) {
    bool model = graph_node(speller->graph, id)->kind == NODE_MODEL;
    Text name = speller->names[id];
    if (name.size == 0)
        name = text_format(&speller->arena, model ? "model_%u" : "step_%u",
                           model ? ++speller->n_models : ++speller->n_steps);
    return definitions_take(&speller->definitions, name);
}

static void bind(Speller *speller, NodeId id) {
    Spelling *spelling = &speller->spellings[id];
    Builder name = {0};
    spell_name(&name, name_for(speller, id));
    builder_format(speller->out, "%s = %.*s\n", name.data, TEXT_ARG(spelling->text));
    *spelling = (Spelling){.text = text_copy(&speller->arena, builder_view(&name)), .bound = true};
    builder_free(&name);
}

static void bind_pending(Speller *speller) {
    for (size_t i = 0; i < speller->pending.count; i++)
        bind(speller, speller->pending.items[i]);
    speller->pending.count = 0;
}

/* Operands that are written within their user must be the last ones pending, in this order: then
 * reading the text makes the nodes in the order in which they are now. */
static void settle_operands(Speller *speller, NodeId id) {
    const NodeId *operands = graph_operands(speller->graph, id);
    uint32_t n = 0;
    for (uint32_t i = 0; i < graph_node(speller->graph, id)->n_operands; i++)
        n += !is_constant(graph_node(speller->graph, operands[i])) &&
             !speller->spellings[operands[i]].bound;
    bool fits = n <= speller->pending.count;
    size_t at = speller->pending.count - n;
    for (uint32_t i = 0; fits && i < graph_node(speller->graph, id)->n_operands; i++)
        if (!is_constant(graph_node(speller->graph, operands[i])) &&
            !speller->spellings[operands[i]].bound)
            fits = speller->pending.items[at++] == operands[i];
    if (fits)
        speller->pending.count -= n;
    else
        bind_pending(speller);
}

/* ---- expressions ---- */

static void spell_hints(Speller *speller, Text config, Text space) {
    if (config.size > 0) {
        builder_add(&speller->line, TEXT(", config = "));
        spell_string(&speller->line, config);
    }
    if (space.size > 0) {
        builder_add(&speller->line, TEXT(", space = "));
        spell_string(&speller->line, space);
    }
    builder_char(&speller->line, ')');
}

static Text space_name(const Speller *speller, SpaceSet spaces) {
    for (int space = 0; space < SPACE_LIMIT; space++)
        if (spaces == SPACE_SET(space))
            return library_space_name(speller->solved->recipe->library, space);
    return TEXT("");
}

static Level spell_model(Speller *speller, NodeId id) {
    const Node *node = graph_node(speller->graph, id);
    SpaceSet spaces = speller->solved->spaces[id];
    builder_add(&speller->line, TEXT("model("));
    spell_string(&speller->line, node->text);
    spell_hints(speller, node->config,
                spaces == SPACE_SET(SPACE_WEIGHT) ? TEXT("") : space_name(speller, spaces));
    return LEVEL_NAME;
}

static void spell_entry(Speller *speller, const MapEntry *entry) {
    if (entry->kind == ENTRY_KEY || entry->kind == ENTRY_GLOB)
        spell_string(&speller->line, entry->first);
    else
        spell_name(&speller->line, entry->first);
    if (entry->kind == ENTRY_RANGE) {
        builder_add(&speller->line, TEXT(".."));
        spell_name(&speller->line, entry->last);
    }
    builder_add(&speller->line, TEXT(": "));
}

static Level spell_map(Speller *speller, NodeId id) {
    const Node *node = graph_node(speller->graph, id);
    bool literal = node->n_operands > 0 && node->entries[0].kind == ENTRY_KEY;
    builder_add(&speller->line, literal ? TEXT("literal({ ") : TEXT("{ "));
    for (uint32_t i = 0; i < node->n_operands; i++) {
        builder_add(&speller->line, i > 0 ? TEXT(", ") : TEXT(""));
        spell_entry(speller, &node->entries[i]);
        spell_operand(speller, graph_operands(speller->graph, id)[i], LEVEL_FALLBACK);
    }
    builder_add(&speller->line, TEXT(" }"));
    if (literal)
        spell_hints(speller, node->config, space_name(speller, node->spaces));
    return LEVEL_NAME;
}

static bool is_nameless(const Node *node) {
    return node->kind == NODE_CALL && node->method->name.size == 0;
}

/* A parameter after the variadic one is given by name; so are those after one that is left at its
 * default. */
static Level spell_call(Speller *speller, NodeId id) {
    const Node *node = graph_node(speller->graph, id);
    const NodeId *operands = graph_operands(speller->graph, id);
    const Method *method = node->method;
    bool named = false, first = true;
    builder_format(&speller->line, "%.*s(",
                   TEXT_ARG(definitions_callee(&speller->definitions, method)));
    for (uint32_t i = 0; i < node->n_operands; i++) {
        uint32_t p = method_operand(method, node->n_operands, i);
        const Parameter *parameter = &method->parameters[p];
        if (parameter->fallback != NULL &&
            build_is_literal(graph_node(speller->graph, operands[i]), parameter->fallback)) {
            named = true;
            continue;
        }
        builder_add(&speller->line, first ? TEXT("") : TEXT(", "));
        first = false;
        if (named) {
            spell_name(&speller->line, parameter->name);
            builder_add(&speller->line, TEXT(" = "));
        }
        spell_operand(speller, operands[i], LEVEL_FALLBACK);
        named |= parameter->variadic && (i + 1 == node->n_operands ||
                                         method_operand(method, node->n_operands, i + 1) != p);
    }
    builder_char(&speller->line, ')');
    return LEVEL_NAME;
}

static Level spell_operator(Speller *speller, NodeId id) {
    static const struct {
        const char *sign;
        Level level, left, right; /* its own, and the least of its operands */
    } operators[] = {
        [AST_ADD] = {"+", LEVEL_SUM, LEVEL_SUM, LEVEL_PRODUCT},
        [AST_SUB] = {"-", LEVEL_SUM, LEVEL_SUM, LEVEL_PRODUCT},
        [AST_MUL] = {"*", LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_SIGN},
        [AST_DIV] = {"/", LEVEL_PRODUCT, LEVEL_PRODUCT, LEVEL_SIGN},
        [AST_POW] = {"^", LEVEL_POWER, LEVEL_NAME, LEVEL_POWER},
        [AST_NEG] = {"-", LEVEL_SIGN, LEVEL_SIGN, LEVEL_SIGN},
        [AST_EQ] = {"==", LEVEL_COMPARISON, LEVEL_SUM, LEVEL_SUM},
        [AST_NE] = {"!=", LEVEL_COMPARISON, LEVEL_SUM, LEVEL_SUM},
        [AST_LT] = {"<", LEVEL_COMPARISON, LEVEL_SUM, LEVEL_SUM},
        [AST_LE] = {"<=", LEVEL_COMPARISON, LEVEL_SUM, LEVEL_SUM},
        [AST_GT] = {">", LEVEL_COMPARISON, LEVEL_SUM, LEVEL_SUM},
        [AST_GE] = {">=", LEVEL_COMPARISON, LEVEL_SUM, LEVEL_SUM},
        [AST_AND] = {"and", LEVEL_AND, LEVEL_AND, LEVEL_NOT},
        [AST_OR] = {"or", LEVEL_OR, LEVEL_OR, LEVEL_AND},
        [AST_NOT] = {"not", LEVEL_NOT, LEVEL_NOT, LEVEL_NOT},
        [AST_FALLBACK] = {"|", LEVEL_FALLBACK, LEVEL_FALLBACK, LEVEL_OR},
    };
    const Node *node = graph_node(speller->graph, id);
    const NodeId *operands = graph_operands(speller->graph, id);
    if (node->n_operands == 1) {
        builder_format(&speller->line, node->op == AST_NOT ? "%s " : "%s",
                       operators[node->op].sign);
        spell_operand(speller, operands[0], operators[node->op].right);
    } else {
        spell_operand(speller, operands[0], operators[node->op].left);
        builder_format(&speller->line, " %s ", operators[node->op].sign);
        spell_operand(speller, operands[1], operators[node->op].right);
    }
    return operators[node->op].level;
}

/* x["glob"], x.component, x as "config" */
static Level spell_view(Speller *speller, NodeId id) {
    const Node *node = graph_node(speller->graph, id);
    spell_operand(speller, graph_operands(speller->graph, id)[0], LEVEL_NAME);
    if (node->kind == NODE_KEEP) {
        builder_char(&speller->line, '[');
        spell_string(&speller->line, node->text);
        builder_char(&speller->line, ']');
    } else if (node->kind == NODE_COMPONENT) {
        builder_char(&speller->line, '.');
        spell_name(&speller->line, node->text);
    } else {
        builder_add(&speller->line, TEXT(" as "));
        spell_string(&speller->line, is_nameless(node) ? node->method->config : node->text);
    }
    return LEVEL_NAME;
}

/* convert(x, base), where the conversion reads the model that x is for. */
static Level spell_conversion(Speller *speller, NodeId id) {
    const NodeId *operands = graph_operands(speller->graph, id);
    if (graph_node(speller->graph, id)->n_operands == 1 ||
        graph_node(speller->graph, operands[1])->kind == NODE_NULL)
        return spell_view(speller, id);
    builder_add(&speller->line, TEXT("convert("));
    spell_operand(speller, operands[0], LEVEL_FALLBACK);
    builder_add(&speller->line, TEXT(", "));
    spell_operand(speller, operands[1], LEVEL_FALLBACK);
    builder_char(&speller->line, ')');
    return LEVEL_NAME;
}

static Level spell_expression(Speller *speller, NodeId id) {
    const Node *node = graph_node(speller->graph, id);
    switch (node->kind) {
    case NODE_MODEL:
        return spell_model(speller, id);
    case NODE_MAP:
        return spell_map(speller, id);
    case NODE_OPERATOR:
        return spell_operator(speller, id);
    case NODE_CALL:
        return is_nameless(node) ? spell_conversion(speller, id) : spell_call(speller, id);
    case NODE_KEEP:
    case NODE_COMPONENT:
    case NODE_CONVERT:
        return spell_view(speller, id);
    default:
        spell_constant(&speller->line, node);
        return level_of(speller, id);
    }
}

/* ---- nodes ---- */

static uint32_t depth_of(const Speller *speller, NodeId id) {
    uint32_t depth = 0;
    for (uint32_t i = 0; i < graph_node(speller->graph, id)->n_operands; i++) {
        const Spelling *operand = &speller->spellings[graph_operands(speller->graph, id)[i]];
        depth = operand->bound || operand->depth < depth ? depth : operand->depth;
    }
    return depth + 1;
}

static bool needs_name(const Speller *speller, NodeId id) {
    const Spelling *spelling = &speller->spellings[id];
    bool large = spelling->depth > DEPTH_LIMIT || spelling->text.size > TEXT_LIMIT;
    return graph_node(speller->graph, id)->kind == NODE_MODEL || speller->uses[id] != 1 ||
           speller->names[id].size > 0 || (large && id != speller->root);
}

static void spell_node(Speller *speller, NodeId id) {
    settle_operands(speller, id);
    speller->line.size = 0;
    Level level = spell_expression(speller, id);
    speller->spellings[id] = (Spelling){
        .text = text_copy(&speller->arena, builder_view(&speller->line)),
        .level = level,
        .depth = depth_of(speller, id),
    };
    if (needs_name(speller, id)) {
        bind_pending(speller);
        bind(speller, id);
    } else {
        vector_push(&speller->pending, id);
    }
}

/* ---- the last line ---- */

static void spell_option(Builder *out, const char *name, Text value) {
    if (value.size == 0)
        return;
    builder_format(out, ", %s = ", name);
    spell_string(out, value);
}

static bool says_something(const SpellOptions *options, const RecipeOutput *output) {
    return options->dtype.size + options->space.size + options->compute.size > 0 ||
           options->keep_non_finite || options->allow_unused || output->n_metadata > 0 ||
           output->dtypes.count > 0;
}

static void spell_dtypes(Speller *speller, const DTypeMap *map) {
    if (map->count == 0)
        return;
    speller->line.size = 0;
    for (uint32_t i = 0; i < map->count; i++) {
        builder_add(&speller->line, i > 0 ? TEXT(", ") : TEXT(""));
        spell_entry(speller, &map->keys[i]);
        spell_string(&speller->line, map->dtypes[i]);
    }
    builder_format(speller->out, ", dtype = { %.*s }", TEXT_ARG(builder_view(&speller->line)));
}

static void spell_metadata(Builder *out, const RecipeOutput *output) {
    if (output->n_metadata == 0)
        return;
    builder_add(out, TEXT(", metadata = { "));
    for (uint32_t i = 0; i < output->n_metadata; i++) {
        builder_add(out, i > 0 ? TEXT(", ") : TEXT(""));
        spell_string(out, output->metadata[i].key);
        builder_add(out, TEXT(": "));
        spell_string(out, output->metadata[i].value);
    }
    builder_add(out, TEXT(" }"));
}

static void spell_result(Speller *speller, const RecipeOutput *output,
                         const SpellOptions *options) {
    speller->line.size = 0;
    spell_operand(speller, output->node, LEVEL_FALLBACK);
    bool save = says_something(options, output);
    builder_format(speller->out, "%s%.*s", save ? "save " : "",
                   TEXT_ARG(builder_view(&speller->line)));
    spell_option(speller->out, "dtype", options->dtype);
    spell_dtypes(speller, &output->dtypes);
    spell_option(speller->out, "space", options->space);
    spell_option(speller->out, "compute", options->compute);
    builder_add(speller->out,
                options->keep_non_finite ? TEXT(", keep_non_finite = true") : TEXT(""));
    builder_add(speller->out, options->allow_unused ? TEXT(", allow_unused = true") : TEXT(""));
    spell_metadata(speller->out, output);
    builder_char(speller->out, '\n');
}

/* ---- all of it ---- */

static void count_uses(Speller *speller) {
    speller->uses[speller->root] = 1;
    for (NodeId id = 0; id < graph_count(speller->graph); id++)
        for (uint32_t i = 0; speller->reached[id] && i < graph_node(speller->graph, id)->n_operands;
             i++)
            speller->uses[graph_operands(speller->graph, id)[i]]++;
}

static void find_names(Speller *speller) {
    const Recipe *recipe = speller->solved->recipe;
    for (uint32_t i = recipe->n_names; i > 0; i--)
        speller->names[recipe->names[i - 1].node] = recipe->names[i - 1].name;
}

/* Laid out as `mecha fmt` would. */
static void write_formatted(const Builder *text, Builder *out) {
    Diags *diags = diags_new();
    bool good = format_recipe(diags, diags_source(diags, TEXT("recipe"), builder_view(text)), out);
    if (!good)
        builder_add(out, builder_view(text));
    diags_free(diags);
}

void spell_recipe(const Solved *solved, const RecipeOutput *output, const SpellOptions *options,
                  Builder *out) {
    uint32_t n = graph_count(solved->recipe->graph) + 1;
    Builder text = {0};
    Speller speller = {
        .solved = solved, .graph = solved->recipe->graph, .root = output->node, .out = &text};
    unsigned char *reached = arena_array(&speller.arena, unsigned char, n);
    graph_reach(speller.graph, &speller.root, 1, reached);
    speller.reached = reached;
    speller.names = arena_array(&speller.arena, Text, n);
    speller.uses = arena_array(&speller.arena, uint32_t, n);
    speller.spellings = arena_array(&speller.arena, Spelling, n);
    speller.definitions = (SpelledDefinitions){.solved = solved, .arena = &speller.arena};
    find_names(&speller);
    count_uses(&speller);
    definitions_collect(&speller.definitions, reached);
    builder_add(&text, TEXT("mecha 1\n\n"));
    definitions_write(&speller.definitions, &text);
    for (NodeId id = 0; id < graph_count(speller.graph); id++)
        if (reached[id] && !is_constant(graph_node(speller.graph, id)))
            spell_node(&speller, id);
    spell_result(&speller, output, options);
    write_formatted(&text, out);
    definitions_free(&speller.definitions);
    vector_free(&speller.pending);
    builder_free(&speller.line);
    builder_free(&text);
    arena_free(&speller.arena);
}
