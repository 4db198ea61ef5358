/* Expressions of the recipe language: trees become nodes and lists of them. */
#include "recipe/elaborate.h"

#include <assert.h>
#include <math.h>

/* ---- lists ---- */

Item item_list(Elaborator *elaborator, ItemVector *items) {
    Item list = {.kind = ITEM_LIST, .node = NODE_NONE, .n_items = (uint32_t)items->count};
    list.items = arena_copy(elaborator->arena, items->items, items->count * sizeof *items->items);
    vector_free(items);
    return list;
}

static Item evaluate_list(const Frame *frame, const Ast *ast) {
    ItemVector items = {0};
    for (uint32_t i = 0; i < ast->n_items; i++)
        vector_push(&items, elaborate_expression(frame, ast->items[i]));
    return item_list(frame->elaborator, &items);
}

/* A truth value that is known while the recipe is read. */
static bool evaluate_condition(const Frame *frame, const Ast *ast, bool *truth) {
    NodeId id = elaborate_node(frame, ast);
    if (id == NODE_NONE)
        return false;
    const Node *node = node_of(frame, id);
    *truth = node->kind == NODE_NUMBER && node->number != 0;
    if (node->kind == NODE_NUMBER)
        return true;
    diag_error(frame->elaborator->diags, ast->span, "a condition is a number or a truth value");
    diag_hint(frame->elaborator->diags, "what depends on a model's values is for merge methods");
    return false;
}

static Item evaluate_comprehension(const Frame *frame, const Ast *ast) {
    Item source = elaborate_expression(frame, ast->b);
    if (source.kind == ITEM_POISON)
        return poison;
    if (source.kind != ITEM_LIST) {
        diag_error(frame->elaborator->diags, ast->b->span, "'for … in' goes over a list");
        return poison;
    }
    ItemVector items = {0};
    bool failed = false;
    for (uint32_t i = 0; i < source.n_items && !failed; i++) {
        Frame inner = *frame;
        inner.environment = environment_new(frame->elaborator, frame->environment);
        frame_bind(&inner, ast->text, ast->name_span, source.items[i]);
        bool wanted = true;
        failed = ast->c != NULL && !evaluate_condition(&inner, ast->c, &wanted);
        failed = failed || !frame_spend(frame, ast->span, 1);
        if (wanted && !failed)
            vector_push(&items, elaborate_expression(&inner, ast->a));
    }
    Item list = item_list(frame->elaborator, &items);
    return failed ? poison : list;
}

/* ---- maps ---- */

MapEntry elaborate_pattern(const Ast *pattern) {
    MapEntry entry = {.first = pattern->text, .span = pattern->span};
    entry.kind = pattern->kind == AST_STRING ? ENTRY_GLOB : ENTRY_BLOCK;
    if (pattern->kind == AST_RANGE) {
        entry.kind = ENTRY_RANGE;
        entry.first = pattern->a->text;
        entry.last = pattern->b->text;
    }
    return entry;
}

static Item evaluate_map(const Frame *frame, const Ast *ast) {
    MapEntry *entries = arena_array(frame->elaborator->arena, MapEntry, ast->n_items + 1);
    NodeId *values = arena_array(frame->elaborator->arena, NodeId, ast->n_items + 1);
    bool failed = false;
    for (uint32_t i = 0; i < ast->n_items; i++) {
        entries[i] = elaborate_pattern(ast->items[i]->a);
        values[i] = elaborate_node(frame, ast->items[i]->b);
        failed |= values[i] == NODE_NONE;
    }
    if (failed)
        return poison;
    return item_of(
        build_map(frame->elaborator->build, entries, values, ast->n_items, TEXT(""), 0, ast->span));
}

/* ---- operators ---- */

NodeId item_node(const Frame *frame, Item item, Span span) {
    if (item.kind == ITEM_LIST) {
        diag_error(frame->elaborator->diags, span, "a list cannot be used here");
        diag_hint(frame->elaborator->diags,
                  "index it: x[0], or give it to a method that takes several models");
    } else if (item.kind == ITEM_MODULE) {
        diag_error(frame->elaborator->diags, span, "an import cannot be used here");
        diag_hint(frame->elaborator->diags, "name what is wanted of it: m.name");
    }
    return item.kind == ITEM_NODE ? item.node : NODE_NONE;
}

NodeId elaborate_node(const Frame *frame, const Ast *ast) {
    return item_node(frame, elaborate_expression(frame, ast), ast->span);
}

static Item join_lists(const Frame *frame, Item a, Item b, Span span) {
    ItemVector items = {0};
    if (!frame_may_list(frame, span, (double)a.n_items + b.n_items))
        return poison;
    for (uint32_t i = 0; i < a.n_items; i++)
        vector_push(&items, a.items[i]);
    for (uint32_t i = 0; i < b.n_items; i++)
        vector_push(&items, b.items[i]);
    return item_list(frame->elaborator, &items);
}

/* `and` and `or` look at their right side only if it matters. */
static bool short_cut(const Frame *frame, AstOp op, Item left) {
    if ((op != AST_AND && op != AST_OR) || left.kind != ITEM_NODE)
        return false;
    const Node *node = node_of(frame, left.node);
    return node->kind == NODE_NUMBER && (node->number != 0) == (op == AST_OR);
}

/* The value of a step of a chain, with what stands on its left. */
static Item evaluate_step(const Frame *frame, const Ast *step, Item left) {
    Build *build = frame->elaborator->build;
    if (short_cut(frame, step->op, left))
        return item_of(build_number(build, step->op == AST_OR, NUMBER_BOOL, step->span));
    Item right = elaborate_expression(frame, step->b);
    if (step->op == AST_ADD && left.kind == ITEM_LIST && right.kind == ITEM_LIST)
        return join_lists(frame, left, right, step->span);
    NodeId a = item_node(frame, left, step->a->span), b = item_node(frame, right, step->b->span);
    return item_of(build_operator(build, step->op, a, b, step->span));
}

/* Chains lean to the left and may be long: down the spine, then up again. */
static Item evaluate_binary(const Frame *frame, const Ast *ast) {
    if (ast->a->kind != AST_BINARY)
        return evaluate_step(frame, ast, elaborate_expression(frame, ast->a));
    VECTOR(const Ast *) spine = {0};
    for (; ast->kind == AST_BINARY; ast = ast->a)
        vector_push(&spine, ast);
    Item left = elaborate_expression(frame, ast);
    while (spine.count > 0)
        left = evaluate_step(frame, spine.items[--spine.count], left);
    vector_free(&spine);
    return left;
}

static Item evaluate_if(const Frame *frame, const Ast *ast) {
    bool truth;
    if (!evaluate_condition(frame, ast->a, &truth))
        return poison;
    return elaborate_expression(frame, truth ? ast->b : ast->c);
}

static Item evaluate_index(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    Item subject = elaborate_expression(frame, ast->a);
    if (subject.kind == ITEM_POISON || ast->n_items != 1) {
        if (subject.kind != ITEM_POISON)
            diag_error(elaborator->diags, ast->span, "one index is wanted here");
        return poison;
    }
    NodeId index = elaborate_node(frame, ast->items[0]);
    if (index == NODE_NONE)
        return poison;
    const Node *node = node_of(frame, index);
    if (subject.kind == ITEM_LIST) {
        double at = node->kind == NODE_NUMBER ? node->number : NAN;
        if (at < 0)
            at += subject.n_items;
        if (at >= 0 && at < subject.n_items && at == trunc(at))
            return subject.items[(uint32_t)at];
        if (subject.n_items == 0)
            diag_error(elaborator->diags, ast->items[0]->span, "the list is empty");
        else
            diag_error(elaborator->diags, ast->items[0]->span,
                       "a list of %u is indexed from 0 to %u", subject.n_items,
                       subject.n_items - 1);
        return poison;
    }
    if (node->kind != NODE_STRING) {
        diag_error(elaborator->diags, ast->items[0]->span,
                   "a model is indexed by a \"glob\" over its keys");
        return poison;
    }
    NodeId model = item_node(frame, subject, ast->a->span);
    return item_of(build_keep(elaborator->build, model, node->text, ast->span));
}

static void hint_value(const Elaborator *elaborator, const File *file, Text name) {
    VECTOR(Text) names = {0};
    for (size_t i = 0; i < file->environment.bindings.count; i++)
        vector_push(&names, file->environment.bindings.items[i].name);
    Text nearest = nearest_name(name, names.items, names.count);
    if (nearest.size > 0)
        diag_hint(elaborator->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    vector_free(&names);
}

/* A file's name without quotes: a.safetensors */
static bool names_file(const Frame *frame, const Ast *ast) {
    return ast->a->kind == AST_NAME && text_equal(ast->text, TEXT("safetensors")) &&
           frame_find(frame->environment, ast->a->text) == NULL;
}

static Item evaluate_member(const Frame *frame, const Ast *ast) {
    Item subject = elaborate_expression(frame, ast->a);
    if (subject.kind == ITEM_POISON && names_file(frame, ast))
        diag_hint(frame->elaborator->diags, "a file is read by model(\"%.*s.safetensors\")",
                  TEXT_ARG(ast->a->text));
    if (subject.kind == ITEM_MODULE) {
        const Binding *found = environment_find(&subject.module->environment, ast->text);
        if (found != NULL)
            return found->item;
        diag_error(frame->elaborator->diags, ast->name_span, "'%.*s' has no value '%.*s'",
                   TEXT_ARG(subject.module->path), TEXT_ARG(ast->text));
        hint_value(frame->elaborator, subject.module, ast->text);
        return poison;
    }
    NodeId model = item_node(frame, subject, ast->a->span);
    return item_of(build_component(frame->elaborator->build, model, ast->text, ast->span));
}

static Item evaluate_as(const Frame *frame, const Ast *ast) {
    NodeId operand = elaborate_node(frame, ast->a);
    NodeId name = elaborate_node(frame, ast->b);
    if (operand == NODE_NONE || name == NODE_NONE)
        return poison;
    assert(node_of(frame, name)->kind == NODE_STRING); /* the grammar allows no other */
    Text config = node_of(frame, name)->text;
    return language_config(frame, config, ast->b->span)
               ? language_convert(frame, operand, config, NODE_NONE, ast->span)
               : poison;
}

static Item evaluate_block(const Frame *frame, const Ast *ast) {
    Frame inner = *frame;
    inner.environment = environment_new(frame->elaborator, frame->environment);
    return elaborate_statements(&inner, ast->items, ast->n_items);
}

Item elaborate_expression(const Frame *frame, const Ast *ast) {
    if (!frame_spend(frame, ast->span, 1))
        return poison;
    switch (ast->kind) {
    case AST_NULL:
    case AST_BOOL:
    case AST_INT:
    case AST_FLOAT:
    case AST_STRING:
        return item_of(build_literal(frame->elaborator->build, ast));
    case AST_NAME:
        return elaborate_name(frame, ast);
    case AST_LIST:
        return evaluate_list(frame, ast);
    case AST_FOR:
        return evaluate_comprehension(frame, ast);
    case AST_MAP:
        return evaluate_map(frame, ast);
    case AST_CALL:
        return elaborate_call(frame, ast);
    case AST_INDEX:
        return evaluate_index(frame, ast);
    case AST_MEMBER:
        return evaluate_member(frame, ast);
    case AST_AS:
        return evaluate_as(frame, ast);
    case AST_UNARY:
        return item_of(build_operator(frame->elaborator->build, ast->op,
                                      elaborate_node(frame, ast->a), NODE_NONE, ast->span));
    case AST_BINARY:
        return evaluate_binary(frame, ast);
    case AST_IF:
        return evaluate_if(frame, ast);
    case AST_BLOCK:
        return evaluate_block(frame, ast);
    case AST_ERROR:
        return poison;
    default:
        diag_error(frame->elaborator->diags, ast->span, "this is for the bodies of merge methods");
        return poison;
    }
}
