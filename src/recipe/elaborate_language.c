/* What the recipe language itself provides: models, conversions, lists, and arithmetic on numbers.
 */
#include "recipe/elaborate.h"

#include "kernel/kernel.h"

#include <math.h>

/* ---- what the language itself provides ---- */

static const Ast *call_argument(const Ast *ast, Text name, uint32_t position) {
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (ast->items[i]->text.size == 0 ? i == position : text_equal(ast->items[i]->text, name))
            return ast->items[i];
    return NULL;
}

/* A string argument of model(); empty where it is not given or null. */
bool language_text(const Frame *frame, const Ast *argument, Text *out) {
    *out = TEXT("");
    if (argument == NULL)
        return true;
    NodeId id = elaborate_node(frame, argument->a);
    if (id == NODE_NONE)
        return false;
    const Node *node = node_of(frame, id);
    if (node->kind == NODE_STRING)
        *out = node->text;
    else if (node->kind != NODE_NULL)
        diag_error(frame->elaborator->diags, argument->a->span, "a string is wanted here");
    return node->kind == NODE_STRING || node->kind == NODE_NULL;
}

bool language_word(const Frame *frame, const Ast *argument, Text *out) {
    bool bare = argument != NULL && argument->a->kind == AST_NAME &&
                frame_find(frame->environment, argument->a->text) == NULL;
    if (!bare)
        return language_text(frame, argument, out);
    Text name = argument->a->text;
    *out = TEXT("");
    diag_error(frame->elaborator->diags, argument->a->span, "unknown name '%.*s'", TEXT_ARG(name));
    diag_hint(frame->elaborator->diags, "in quotes it is a string: \"%.*s\"", TEXT_ARG(name));
    return false;
}

bool language_config(const Frame *frame, Text name, Span span) {
    const ConfigQuestions *configs = frame->elaborator->options->configs;
    return configs->is_known(configs->context, name, span);
}

bool language_space(const Frame *frame, Text name, Span span, SpaceSet *spaces) {
    int space = library_find_space(frame->elaborator->recipe->library, name);
    if (space >= 0) {
        *spaces = SPACE_SET(space);
        return true;
    }
    diag_error(frame->elaborator->diags, span, "unknown merge space '%.*s'", TEXT_ARG(name));
    Text names[] = {TEXT("weight"), TEXT("delta"), TEXT("param")};
    Text nearest = nearest_name(name, names, 3);
    diag_hint(frame->elaborator->diags,
              nearest.size > 0 ? "did you mean '%.*s'?" : "weight, delta or param",
              TEXT_ARG(nearest));
    return false;
}

/* The arguments of model and literal behind their first: what the keys are of, and the space. */
static bool read_hints(const Frame *frame, const Ast *ast, Text *config, SpaceSet *spaces) {
    const Ast *config_argument = call_argument(ast, TEXT("config"), 1);
    const Ast *space_argument = call_argument(ast, TEXT("space"), 2);
    Text space;
    if (!language_word(frame, config_argument, config) ||
        !language_word(frame, space_argument, &space) ||
        (config->size > 0 && !language_config(frame, *config, config_argument->a->span)))
        return false;
    return space.size == 0 || language_space(frame, space, space_argument->a->span, spaces);
}

/* model(path, config = null, space = "weight") */
static Item call_model(const Frame *frame, const Ast *ast) {
    static const char *const known[] = {"path", "config", "space"};
    for (uint32_t i = 0; i < ast->n_items; i++) {
        bool fits = ast->items[i]->text.size == 0 ? i < 3 : false;
        for (size_t k = 0; k < 3; k++)
            fits |= text_equal(ast->items[i]->text, text_from(known[k]));
        if (!fits) {
            diag_error(frame->elaborator->diags, ast->items[i]->span,
                       "'model' has no such parameter");
            diag_hint(frame->elaborator->diags, "model(path, config = null, space = \"weight\")");
            return poison;
        }
    }
    Text path, config;
    SpaceSet spaces = SPACE_SET(SPACE_WEIGHT);
    if (!language_text(frame, call_argument(ast, TEXT("path"), 0), &path) ||
        !read_hints(frame, ast, &config, &spaces))
        return poison;
    if (path.size == 0) {
        diag_error(frame->elaborator->diags, ast->span,
                   "'model' needs the path of a file or folder");
        return poison;
    }
    return item_of(build_model(frame->elaborator->build, path, config, spaces, ast->span));
}

/* literal({ "key": value, … }, config = null, space = null): these keys, each with its value */
static Item call_literal(const Frame *frame, const Ast *ast) {
    Diags *diags = frame->elaborator->diags;
    const Ast *map = ast->n_items > 0 && ast->n_items <= 3 ? ast->items[0]->a : NULL;
    bool keys = map != NULL && ast->items[0]->text.size == 0 && map->kind == AST_MAP;
    for (uint32_t i = 0; keys && i < map->n_items; i++)
        keys = map->items[i]->a->kind == AST_STRING;
    if (!keys) {
        diag_error(diags, ast->span, "'literal' takes a map of keys");
        diag_hint(diags, "literal({ \"key\": 0.5 }, config = null, space = null)");
        return poison;
    }
    Text config;
    SpaceSet spaces = 0;
    MapEntry *entries = arena_array(frame->elaborator->arena, MapEntry, map->n_items + 1);
    NodeId *values = arena_array(frame->elaborator->arena, NodeId, map->n_items + 1);
    for (uint32_t i = 0; i < map->n_items; i++) {
        const Ast *key = map->items[i]->a;
        entries[i] = (MapEntry){ENTRY_KEY, key->text, TEXT(""), key->span};
        values[i] = elaborate_node(frame, map->items[i]->b);
    }
    if (!read_hints(frame, ast, &config, &spaces))
        return poison;
    return item_of(build_map(frame->elaborator->build, entries, values, map->n_items, config,
                             spaces, ast->span));
}

static Item call_length(const Frame *frame, const Ast *ast) {
    Item list = ast->n_items == 1 ? elaborate_expression(frame, ast->items[0]->a) : poison;
    if (list.kind == ITEM_LIST)
        return item_of(build_number(frame->elaborator->build, list.n_items, NUMBER_INT, ast->span));
    if (ast->n_items != 1 || list.kind != ITEM_POISON)
        diag_error(frame->elaborator->diags, ast->span, "'len' takes a list");
    return poison;
}

/* The sum of a list, as the operators would add it. */
static Item call_sum(const Frame *frame, const Ast *ast) {
    Item list = ast->n_items == 1 ? elaborate_expression(frame, ast->items[0]->a) : poison;
    if (ast->n_items != 1 || (list.kind != ITEM_LIST && list.kind != ITEM_POISON)) {
        diag_error(frame->elaborator->diags, ast->span, "'sum' takes a list");
        return poison;
    }
    if (list.kind == ITEM_POISON)
        return poison;
    if (list.n_items == 0)
        return item_of(build_number(frame->elaborator->build, 0, NUMBER_INT, ast->span));
    NodeId total = item_node(frame, list.items[0], ast->span);
    for (uint32_t i = 1; i < list.n_items && total != NODE_NONE; i++)
        total = build_operator(frame->elaborator->build, AST_ADD, total,
                               item_node(frame, list.items[i], ast->span), ast->span);
    return item_of(total);
}

static bool number_argument(const Frame *frame, const Ast *argument, double *number) {
    NodeId id = elaborate_node(frame, argument->a);
    if (id == NODE_NONE)
        return false;
    *number = node_of(frame, id)->number;
    if (node_of(frame, id)->kind == NODE_NUMBER)
        return true;
    diag_error(frame->elaborator->diags, argument->a->span, "a number is wanted here");
    return false;
}

/* range(n) or range(from, to): whole numbers, the end left out. */
static Item call_range(const Frame *frame, const Ast *ast) {
    double bounds[2] = {0, 0};
    if (ast->n_items < 1 || ast->n_items > 2) {
        diag_error(frame->elaborator->diags, ast->span,
                   "'range' takes a count, or a first number and an end");
        return poison;
    }
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (!number_argument(frame, ast->items[i], &bounds[ast->n_items == 1 ? 1 : i]))
            return poison;
    if (!frame_may_list(frame, ast->span, bounds[1] - bounds[0]))
        return poison;
    ItemVector items = {0};
    for (uint32_t i = 0; i < bounds[1] - bounds[0]; i++) /* not by adding: doubles may be sparse */
        vector_push(&items, item_of(build_number(frame->elaborator->build, bounds[0] + i,
                                                 NUMBER_INT, ast->span)));
    return item_list(frame->elaborator, &items);
}

/* The elementwise functions, on numbers. */
static Item call_number_function(const Frame *frame, const Ast *ast, OpCode op) {
    double values[3] = {0, 0, 0};
    if (ast->n_items != op_info[op].arity) {
        diag_error(frame->elaborator->diags, ast->span, "'%.*s' takes %u number%s",
                   TEXT_ARG(op_info[op].name), op_info[op].arity,
                   op_info[op].arity == 1 ? "" : "s");
        return poison;
    }
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (!number_argument(frame, ast->items[i], &values[i]))
            return poison;
    double value = uniform_op(op, values[0], values[1], values[2]);
    bool whole = op == OP_ROUND || op == OP_FLOOR || op == OP_CEIL || op == OP_TRUNC;
    return item_of(build_number(frame->elaborator->build, value, whole ? NUMBER_INT : NUMBER_FLOAT,
                                ast->span));
}

Item language_convert(const Frame *frame, NodeId operand, Text config, NodeId like, Span span) {
    Elaborator *elaborator = frame->elaborator;
    const ConfigQuestions *configs = elaborator->options->configs;
    SpaceSet spaces;
    if (!build_settle(elaborator->build, operand, &spaces) ||
        !build_demand_model(elaborator->build, operand, "a conversion takes a model, not", span))
        return poison;
    return item_of(
        configs->convert(configs->context, elaborator->recipe, operand, config, like, span));
}

/* convert(x, to): to the config of that name, or to that of another model */
static Item call_convert(const Frame *frame, const Ast *ast) {
    Diags *diags = frame->elaborator->diags;
    const Ast *x = call_argument(ast, TEXT("x"), 0), *to = call_argument(ast, TEXT("to"), 1);
    if (ast->n_items != 2 || x == NULL || to == NULL) {
        diag_error(diags, ast->span, "'convert' takes a model, and a config or another model");
        return poison;
    }
    NodeId operand = elaborate_node(frame, x->a), target = elaborate_node(frame, to->a);
    if (operand == NODE_NONE || target == NODE_NONE)
        return poison;
    if (node_of(frame, target)->kind != NODE_STRING)
        return language_convert(frame, operand, TEXT(""), target, ast->span);
    Text config = node_of(frame, target)->text;
    return language_config(frame, config, to->a->span)
               ? language_convert(frame, operand, config, NODE_NONE, ast->span)
               : poison;
}

/* config(x): the name of its config, or null */
static Item call_config(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    const ConfigQuestions *configs = elaborator->options->configs;
    if (ast->n_items != 1) {
        diag_error(elaborator->diags, ast->span, "'config' takes a model");
        return poison;
    }
    NodeId node = elaborate_node(frame, ast->items[0]->a);
    if (node == NODE_NONE)
        return poison;
    Text name = configs->config(configs->context, elaborator->recipe, node);
    return item_of(name.size > 0 ? build_string(elaborator->build, name, ast->span)
                                 : build_null(elaborator->build, ast->span));
}

static const struct {
    const char *name;
    Item (*call)(const Frame *frame, const Ast *ast);
} language_functions[] = {
    {"model", call_model},   {"literal", call_literal}, {"convert", call_convert},
    {"config", call_config}, {"len", call_length},      {"range", call_range},
    {"sum", call_sum},
};

/* A function of the language itself, called by that name; false where there is none. */
bool language_call(const Frame *frame, const Ast *ast, Text name, Item *out) {
    for (size_t i = 0; i < sizeof language_functions / sizeof *language_functions; i++)
        if (text_equal(name, text_from(language_functions[i].name))) {
            *out = language_functions[i].call(frame, ast);
            return true;
        }
    for (OpCode op = 0; op < OP_COUNT; op++)
        if (text_equal(name, op_info[op].name)) {
            *out = call_number_function(frame, ast, op);
            return true;
        }
    return false;
}
