#include "syntax/tree.h"

#include "grammar/recipe.h"
#include "syntax/literal.h"

AstList list_empty(void) {
    return (AstList){0};
}

AstList list_add(Parser *parser, AstList list, Ast *item) {
    enum { LEAST = 4 };
    bool full = list.count == 0 || (list.count >= LEAST && (list.count & (list.count - 1)) == 0);
    if (full) {
        uint32_t room = list.count == 0 ? LEAST : list.count * 2;
        Ast **items = arena_array(parser->trees, Ast *, room);
        for (uint32_t i = 0; i < list.count; i++)
            items[i] = list.items[i];
        list.items = items;
    }
    list.items[list.count++] = item;
    return list;
}

Ast *list_last(AstList list) {
    return list.count > 0 ? list.items[list.count - 1] : NULL;
}

Span token_span(const Parser *parser, Token token) {
    return layout_span(&parser->layout, token);
}

static Span open_close(const Parser *parser, Token open, Token close) {
    return span_join(token_span(parser, open), token_span(parser, close));
}

Ast *node_new(Parser *parser, AstKind kind, Span span) {
    Ast *node = arena_new(parser->trees, Ast);
    node->kind = kind;
    node->span = span;
    node->depth = 1;
    return node;
}

static void deepen(Ast *node, const Ast *child) {
    if (child && child->depth >= node->depth)
        node->depth = child->depth + 1;
}

/* The left side of a chain is no deeper than the chain. */
static void deepen_left(Ast *node, const Ast *left) {
    bool chain = node->kind == AST_BINARY && left && left->kind == AST_BINARY;
    if (chain)
        node->depth = left->depth;
    else
        deepen(node, left);
}

Ast *node_finish(Parser *parser, Ast *node, AstList items) {
    deepen_left(node, node->a);
    deepen(node, node->b);
    deepen(node, node->c);
    node->items = items.items;
    node->n_items = items.count;
    for (uint32_t i = 0; i < items.count; i++)
        deepen(node, items.items[i]);
    if (node->depth <= NESTING_LIMIT)
        return node;
    complain_nesting(parser);
    return node_new(parser, AST_ERROR, node->span);
}

/* NODE without items. */
static Ast *finish(Parser *parser, Ast *node) {
    return node_finish(parser, node, list_empty());
}

static Text name_text(Parser *parser, Token token) {
    Text text = layout_text(&parser->layout, token);
    if (text.size > 0 && text.data[0] == '`') {
        size_t quotes = 1 + (text.size > 1 && text.data[text.size - 1] == '`');
        text = (Text){text.data + 1, text.size - quotes};
    }
    if (text.size > NAME_LIMIT)
        diag_error(parser->diags, token_span(parser, token),
                   "a name of %zu bytes: %d are the limit", text.size, NAME_LIMIT);
    return text;
}

void node_name(Parser *parser, Ast *node, Token name) {
    node->text = name_text(parser, name);
    node->name_span = token_span(parser, name);
}

Ast *tree_null(Parser *parser, Token token) {
    return node_new(parser, AST_NULL, token_span(parser, token));
}

Ast *tree_bool(Parser *parser, Token token, bool value) {
    Ast *node = node_new(parser, AST_BOOL, token_span(parser, token));
    node->number = node->integer = value;
    return node;
}

Ast *tree_int(Parser *parser, Token token) {
    Ast *node = node_new(parser, AST_INT, token_span(parser, token));
    node->text = layout_text(&parser->layout, token);
    node->number = literal_number(node->text);
    if (!literal_integer(node->text, &node->integer)) {
        diag_error(parser->diags, node->span, "this integer exceeds 64 bits");
        diag_hint(parser->diags, "with a point or an exponent it is a float");
    }
    return node;
}

Ast *tree_float(Parser *parser, Token token) {
    Ast *node = node_new(parser, AST_FLOAT, token_span(parser, token));
    node->text = layout_text(&parser->layout, token);
    node->number = literal_number(node->text);
    return node;
}

Ast *tree_string(Parser *parser, Token token) {
    Ast *node = node_new(parser, AST_STRING, token_span(parser, token));
    Text written = layout_text(&parser->layout, token);
    node->text = literal_string(parser->arena, parser->diags, node->span, written);
    return node;
}

/* What Python calls null, true and false. */
static Ast *translate(Parser *parser, Ast *name) {
    static const struct {
        Text from, to;
        AstKind kind;
        int value;
    } words[] = {
        {TEXT("None"), TEXT("null"), AST_NULL, 0},
        {TEXT("True"), TEXT("true"), AST_BOOL, 1},
        {TEXT("False"), TEXT("false"), AST_BOOL, 0},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!text_equal(name->text, words[i].from))
            continue;
        diag_error(parser->diags, name->span, "unknown name '%s'", words[i].from.data);
        diag_hint(parser->diags, "write %s", words[i].to.data);
        name->kind = words[i].kind;
        name->number = name->integer = words[i].value;
        name->text = TEXT("");
    }
    return name;
}

/* Words of Python are names like others here. */
Ast *tree_block_name(Parser *parser, Token token) {
    Ast *node = node_new(parser, AST_NAME, token_span(parser, token));
    node_name(parser, node, token);
    return node;
}

Ast *tree_name(Parser *parser, Token token) {
    Ast *node = tree_block_name(parser, token);
    bool quoted = node->text.size != node->span.end - node->span.begin;
    bool capital = node->text.size > 0 && (node->text.data[0] == 'N' || node->text.data[0] == 'T' ||
                                           node->text.data[0] == 'F');
    return capital && !quoted ? translate(parser, node) : node;
}

Ast *tree_group(Parser *parser, Token open, Ast *inner, Token close) {
    inner->grouped = true;
    inner->span = open_close(parser, open, close);
    return inner;
}

Ast *tree_list(Parser *parser, Token open, AstList items, Token close) {
    return node_finish(parser, node_new(parser, AST_LIST, open_close(parser, open, close)), items);
}

Ast *tree_map(Parser *parser, Token open, AstList entries, Token close) {
    return node_finish(parser, node_new(parser, AST_MAP, open_close(parser, open, close)), entries);
}

Ast *tree_entry(Parser *parser, Ast *pattern, Ast *value) {
    Ast *node = node_new(parser, AST_ENTRY, span_join(pattern->span, value->span));
    node->a = pattern;
    node->b = value;
    return finish(parser, node);
}

Ast *tree_for(Parser *parser, Token open, Ast *value, Token name, Ast *list, Ast *condition,
              Token close) {
    Ast *node = node_new(parser, AST_FOR, open_close(parser, open, close));
    node_name(parser, node, name);
    node->a = value;
    node->b = list;
    node->c = condition;
    return finish(parser, node);
}

Ast *tree_range(Parser *parser, Ast *from, Token dots, Ast *to) {
    Span span = token_span(parser, dots);
    span = span_join(from ? from->span : span, to ? to->span : span);
    Ast *node = node_new(parser, AST_RANGE, span);
    node->a = from;
    node->b = to;
    return finish(parser, node);
}

Ast *tree_call(Parser *parser, Ast *callee, AstList arguments, Token close) {
    Ast *node = node_new(parser, AST_CALL, span_join(callee->span, token_span(parser, close)));
    node->a = callee;
    return node_finish(parser, node, arguments);
}

Ast *tree_argument(Parser *parser, const Token *name, Ast *value) {
    Ast *node = node_new(parser, AST_ARGUMENT, value->span);
    if (name) {
        node_name(parser, node, *name);
        node->span = span_join(node->name_span, value->span);
    }
    node->a = value;
    return finish(parser, node);
}

Ast *tree_index(Parser *parser, Ast *value, AstList indices, Token close) {
    Ast *node = node_new(parser, AST_INDEX, span_join(value->span, token_span(parser, close)));
    node->a = value;
    return node_finish(parser, node, indices);
}

Ast *tree_member(Parser *parser, Ast *value, Token name) {
    Ast *node = node_new(parser, AST_MEMBER, span_join(value->span, token_span(parser, name)));
    node_name(parser, node, name);
    node->a = value;
    return finish(parser, node);
}

Ast *tree_as(Parser *parser, Ast *value, Token config) {
    Ast *node = node_new(parser, AST_AS, span_join(value->span, token_span(parser, config)));
    node->a = value;
    node->b = tree_string(parser, config);
    return finish(parser, node);
}

Ast *tree_unary(Parser *parser, AstOp op, Token operator, Ast * value) {
    Ast *node = node_new(parser, AST_UNARY, span_join(token_span(parser, operator), value->span));
    node->op = op;
    node->a = value;
    return finish(parser, node);
}

Ast *tree_binary(Parser *parser, AstOp op, Ast *left, Ast *right) {
    Ast *node = node_new(parser, AST_BINARY, span_join(left->span, right->span));
    node->op = op;
    node->a = left;
    node->b = right;
    return finish(parser, node);
}

static bool is_comparison(const Ast *node) {
    return node->kind == AST_BINARY && node->op >= AST_EQ && node->op <= AST_GE && !node->grouped;
}

Ast *tree_comparison(Parser *parser, AstOp op, Ast *left, Token operator, Ast * right) {
    if (is_comparison(left)) {
        diag_error(parser->diags, token_span(parser, operator), "comparisons do not chain");
        diag_hint(parser->diags, "write a < b and b < c");
    }
    return tree_binary(parser, op, left, right);
}

Ast *tree_if(Parser *parser, Token keyword, Ast *condition, Ast *yes, Ast *no) {
    Ast *node = node_new(parser, AST_IF, span_join(token_span(parser, keyword), no->span));
    node->a = condition;
    node->b = yes;
    node->c = no;
    return finish(parser, node);
}

Ast *tree_type_name(Parser *parser, Token name) {
    Ast *node = node_new(parser, AST_TYPE, token_span(parser, name));
    node_name(parser, node, name);
    return node;
}

Ast *tree_type_list(Parser *parser, Token open, Ast *element, Token close) {
    Ast *node = node_new(parser, AST_TYPE, open_close(parser, open, close));
    node->text = TEXT("list");
    node->name_span = node->span;
    node->c = element;
    return finish(parser, node);
}

Ast *tree_type_optional(Parser *parser, Ast *type, Token question) {
    type->optional = true;
    type->span = span_join(type->span, token_span(parser, question));
    return type;
}

/* One alternative is the type itself; of several, what is optional in one is so in all. */
static Ast *join_alternatives(Parser *parser, AstList alternatives) {
    if (alternatives.count == 1)
        return alternatives.items[0];
    Span span = span_join(alternatives.items[0]->span, list_last(alternatives)->span);
    Ast *node = node_new(parser, AST_TYPE, span);
    for (uint32_t i = 0; i < alternatives.count; i++)
        node->optional |= alternatives.items[i]->optional;
    return node_finish(parser, node, alternatives);
}

Ast *tree_type(Parser *parser, AstList alternatives, const Token *config) {
    Ast *node = join_alternatives(parser, alternatives);
    if (config == NULL)
        return node;
    node->a = tree_string(parser, *config);
    node->span = span_join(node->span, node->a->span);
    return node;
}
