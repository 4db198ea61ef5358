/* Configs, templates and conversions: structure, not values. */
#include "syntax/tree.h"

#include "grammar/recipe.h"

static Ast *declare(Parser *parser, AstKind kind, Token keyword, const Ast *body) {
    Ast *node = node_new(parser, kind, span_join(token_span(parser, keyword), body->span));
    node->doc = doc_above(parser, keyword.begin);
    return node;
}

/* What is wrong with an item where keys are described, or NULL. */
static const char *misplaced_in_config(AstKind kind) {
    return kind == AST_RULE ? "rules stand in conversions only" : NULL;
}

static const char *misplaced_in_conversion(AstKind kind) {
    switch (kind) {
    case AST_BIND:
    case AST_RULE:
    case AST_EACH:
    case AST_WHEN:
    case AST_BLOCK:
    case AST_CALL:
    case AST_TEMPLATE:
    case AST_ERROR:
        return NULL;
    default:
        return "a conversion holds rules: \"key\" = expression";
    }
}

/* Looks at all items below BODY; those of templates are looked at with the template. */
static void check_items(Parser *parser, const Ast *body, const char *(*misplaced)(AstKind)) {
    for (uint32_t i = 0; i < body->n_items; i++) {
        const Ast *item = body->items[i];
        const char *message = misplaced(item->kind);
        if (message)
            diag_error(parser->diags, item->span, "%s", message);
        else if (item->kind != AST_TEMPLATE && item->b && item->b->kind == AST_BLOCK)
            check_items(parser, item->b, misplaced);
        if (item->kind == AST_WHEN && item->c) {
            Ast *otherwise = item->c;
            Ast alone = {.items = &otherwise, .n_items = 1};
            check_items(parser, otherwise->kind == AST_BLOCK ? otherwise : &alone, misplaced);
        }
    }
}

Ast *tree_config(Parser *parser, Token keyword, Token name, AstList attributes, Ast *body) {
    Ast *node = declare(parser, AST_CONFIG, keyword, body);
    check_items(parser, body, misplaced_in_config);
    node->a = tree_string(parser, name);
    node->b = body;
    return node_finish(parser, node, attributes);
}

Ast *tree_template(Parser *parser, Token keyword, Token name, AstList formals, Ast *body) {
    Ast *node = declare(parser, AST_TEMPLATE, keyword, body);
    node_name(parser, node, name);
    node->b = body;
    return node_finish(parser, node, formals);
}

Ast *tree_conversion(Parser *parser, Token keyword, Token name, Token from, Token to,
                     AstList formals, Ast *type, Ast *body) {
    Ast *node = declare(parser, AST_CONVERSION, keyword, body);
    check_items(parser, body, misplaced_in_conversion);
    if (name.begin != keyword.begin)
        node_name(parser, node, name);
    node->a = tree_string(parser, from);
    node->b = tree_string(parser, to);
    node->b->b = type;
    node->c = body;
    return node_finish(parser, node, formals);
}

Ast *tree_body(Parser *parser, Token open, AstList items, Token close) {
    Span span = span_join(token_span(parser, open), token_span(parser, close));
    return node_finish(parser, node_new(parser, AST_BLOCK, span), items);
}

/* A lone string is a key of which nothing more is said. */
Ast *tree_item(Parser *parser, Ast *expression) {
    if (expression->kind == AST_CALL || expression->kind == AST_ERROR)
        return expression;
    if (expression->kind == AST_STRING && !expression->grouped) {
        Ast *node = node_new(parser, AST_KEY, expression->span);
        node->a = expression;
        return node_finish(parser, node, list_empty());
    }
    diag_error(parser->diags, expression->span,
               "expected a key, a binding or a template's name with its arguments");
    return node_new(parser, AST_ERROR, expression->span);
}

static Ast *dtype_attribute(Parser *parser, const Ast *name) {
    Ast *node = node_new(parser, AST_ATTRIBUTE, name->span);
    node->text = TEXT("dtype");
    node->a = node_new(parser, AST_STRING, name->span);
    node->a->text = name->text;
    return node_finish(parser, node, list_empty());
}

/* `"p.": linear(2, 3)` is short for `"p." { linear(2, 3) }`. */
static Ast *prefix_of_call(Parser *parser, Ast *key, Ast *call, AstList attributes) {
    Ast *body = node_new(parser, AST_BLOCK, call->span);
    Ast *node = node_new(parser, AST_PREFIX, span_join(key->span, call->span));
    node->a = key;
    node->b = node_finish(parser, body, list_add(parser, list_empty(), call));
    return node_finish(parser, node, attributes);
}

/* A dtype with a shape looks like an index: `int64[1, 77]`. */
static bool is_typed_shape(const Ast *type) {
    return type->kind == AST_INDEX && type->a->kind == AST_NAME;
}

static Ast *shape_of_index(Parser *parser, const Ast *index) {
    Ast *shape = node_new(parser, AST_LIST, index->span);
    shape->span.begin = index->a->span.end;
    AstList sizes = list_empty();
    for (uint32_t i = 0; i < index->n_items; i++)
        sizes = list_add(parser, sizes, index->items[i]);
    return node_finish(parser, shape, sizes);
}

static Ast *complain_key_type(Parser *parser, const Ast *type) {
    if (type->kind != AST_ERROR)
        diag_error(
            parser->diags, type->span,
            "expected a shape, a dtype, both (int64[1, 77]) or a template with its arguments");
    return node_new(parser, AST_ERROR, type->span);
}

Ast *tree_key(Parser *parser, Token key, Ast *type, AstList attributes) {
    Ast *node = node_new(parser, AST_KEY, token_span(parser, key));
    node->a = tree_string(parser, key);
    if (type && type->kind == AST_CALL)
        return prefix_of_call(parser, node->a, type, attributes);
    if (type && type->kind == AST_NAME)
        attributes = list_add(parser, attributes, dtype_attribute(parser, type));
    else if (type && is_typed_shape(type)) {
        attributes = list_add(parser, attributes, dtype_attribute(parser, type->a));
        node->b = shape_of_index(parser, type);
    } else if (type && type->kind == AST_LIST)
        node->b = type;
    else if (type)
        return complain_key_type(parser, type);
    Span last = attributes.count > 0 ? list_last(attributes)->span : node->span;
    node->span = span_join(node->span, type ? span_join(type->span, last) : last);
    return node_finish(parser, node, attributes);
}

Ast *tree_prefix(Parser *parser, Token prefix, AstList attributes, Ast *body) {
    Ast *node = node_new(parser, AST_PREFIX, span_join(token_span(parser, prefix), body->span));
    node->a = tree_string(parser, prefix);
    node->b = body;
    return node_finish(parser, node, attributes);
}

Ast *tree_component(Parser *parser, Token keyword, Token name, AstList attributes, Ast *body) {
    Ast *node = declare(parser, AST_COMPONENT, keyword, body);
    node_name(parser, node, name);
    node->b = body;
    return node_finish(parser, node, attributes);
}

Ast *tree_each(Parser *parser, Token keyword, Token name, Ast *list, Ast *body) {
    Ast *node = declare(parser, AST_EACH, keyword, body);
    node_name(parser, node, name);
    node->a = list;
    node->b = body;
    return node_finish(parser, node, list_empty());
}

Ast *tree_when(Parser *parser, Token keyword, Ast *condition, Ast *yes, Ast *no) {
    Ast *node = declare(parser, AST_WHEN, keyword, no ? no : yes);
    node->a = condition;
    node->b = yes;
    node->c = no;
    return node_finish(parser, node, list_empty());
}

Ast *tree_attribute(Parser *parser, Token keyword, const Token *value) {
    Ast *node = node_new(parser, AST_ATTRIBUTE, token_span(parser, keyword));
    node->text = layout_text(&parser->layout, keyword);
    node->name_span = node->span;
    if (value) {
        node->a = tree_string(parser, *value);
        node->span = span_join(node->span, node->a->span);
    }
    return node_finish(parser, node, list_empty());
}
