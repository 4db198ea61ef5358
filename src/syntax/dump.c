#include "syntax/dump.h"

#include "base/vector.h"

static const char *const kind_names[] = {
    [AST_NULL] = "null",
    [AST_BOOL] = "bool",
    [AST_INT] = "int",
    [AST_FLOAT] = "float",
    [AST_STRING] = "string",
    [AST_NAME] = "name",
    [AST_LIST] = "list",
    [AST_MAP] = "map",
    [AST_ENTRY] = "entry",
    [AST_RANGE] = "range",
    [AST_CALL] = "call",
    [AST_ARGUMENT] = "argument",
    [AST_INDEX] = "index",
    [AST_MEMBER] = "member",
    [AST_AS] = "as",
    [AST_UNARY] = "unary",
    [AST_BINARY] = "binary",
    [AST_IF] = "if",
    [AST_FOR] = "for",
    [AST_REPEAT] = "repeat",
    [AST_BLOCK] = "block",
    [AST_NEXT] = "next",
    [AST_BIND] = "bind",
    [AST_PARAM] = "param",
    [AST_DEF] = "def",
    [AST_METHOD] = "method",
    [AST_FORMAL] = "formal",
    [AST_TYPE] = "type",
    [AST_IMPORT] = "import",
    [AST_SAVE] = "save",
    [AST_CONFIG] = "config",
    [AST_TEMPLATE] = "template",
    [AST_CONVERSION] = "conversion",
    [AST_RULE] = "rule",
    [AST_FILE] = "file",
    [AST_COMPONENT] = "component",
    [AST_PREFIX] = "prefix",
    [AST_KEY] = "key",
    [AST_EACH] = "each",
    [AST_WHEN] = "when",
    [AST_ATTRIBUTE] = "attribute",
    [AST_ERROR] = "error",
};

static const char *const op_names[] = {
    [AST_ADD] = "+",   [AST_SUB] = "-", [AST_MUL] = "*",   [AST_DIV] = "/",
    [AST_POW] = "^",   [AST_NEG] = "-", [AST_EQ] = "==",   [AST_NE] = "!=",
    [AST_LT] = "<",    [AST_LE] = "<=", [AST_GT] = ">",    [AST_GE] = ">=",
    [AST_AND] = "and", [AST_OR] = "or", [AST_NOT] = "not", [AST_FALLBACK] = "|",
};

static bool is_chain(const Ast *node) {
    return node->kind == AST_BINARY;
}

/* A chain `a + b - c` is deep to the left: down it goes a list, not the stack. */
static void dump_chain(const Ast *node, Builder *out) {
    VECTOR(const Ast *) chain = {0};
    for (; is_chain(node); node = node->a) {
        builder_format(out, "(%s ", op_names[node->op]);
        vector_push(&chain, node);
    }
    ast_dump(node, out);
    for (size_t i = chain.count; i-- > 0;) {
        builder_char(out, ' ');
        ast_dump(chain.items[i]->b, out);
        builder_char(out, ')');
    }
    vector_free(&chain);
}

static void dump_items(const Ast *node, Builder *out) {
    if (node->n_items == 0 && node->kind != AST_LIST && node->kind != AST_CALL)
        return;
    builder_add(out, TEXT(" ["));
    for (uint32_t i = 0; i < node->n_items; i++) {
        if (i > 0)
            builder_char(out, ' ');
        ast_dump(node->items[i], out);
    }
    builder_char(out, ']');
}

static void dump_children(const Ast *node, Builder *out) {
    const Ast *children[] = {node->a, node->b, node->c};
    int n = node->c ? 3 : node->b ? 2 : node->a ? 1 : 0;
    for (int i = 0; i < n; i++) {
        builder_char(out, ' ');
        if (children[i])
            ast_dump(children[i], out);
        else
            builder_char(out, '_');
    }
}

static void dump_node(const Ast *node, Builder *out) {
    if (node->kind == AST_UNARY)
        builder_format(out, "(%s", op_names[node->op]);
    else if (node->kind == AST_ARGUMENT)
        builder_format(out, "(%.*s=", TEXT_ARG(node->text));
    else {
        builder_format(out, "(%s", kind_names[node->kind]);
        if (node->text.size > 0)
            builder_format(out, " %s%.*s", node->variadic ? "*" : "", TEXT_ARG(node->text));
    }
    if (node->optional)
        builder_char(out, '?');
    dump_children(node, out);
    dump_items(node, out);
    builder_char(out, ')');
}

void ast_dump(const Ast *node, Builder *out) {
    switch (node->kind) {
    case AST_NULL:
        return builder_add(out, TEXT("null"));
    case AST_BOOL:
        return builder_add(out, node->integer ? TEXT("true") : TEXT("false"));
    case AST_INT:
    case AST_FLOAT:
    case AST_NAME:
        return builder_add(out, node->text);
    case AST_STRING:
        return builder_json(out, node->text);
    case AST_BINARY:
        return dump_chain(node, out);
    case AST_ARGUMENT:
        if (node->text.size == 0)
            return ast_dump(node->a, out);
        /* fall through */
    default:
        dump_node(node, out);
    }
}

static bool both_equal(const Ast *left, const Ast *right) {
    return left && right ? ast_equal(left, right) : left == right;
}

/* (Numbers that are no integers are told apart by their text.) */
static bool same_number_or_doc(const Ast *left, const Ast *right) {
    switch (left->kind) {
    case AST_BOOL:
    case AST_INT:
    case AST_FILE:
        return left->integer == right->integer;
    case AST_FLOAT:
        return true;
    default:
        return text_equal(left->doc, right->doc);
    }
}

static bool same_head(const Ast *left, const Ast *right) {
    return left->kind == right->kind && left->op == right->op &&
           left->variadic == right->variadic && left->optional == right->optional &&
           left->grouped == right->grouped && left->n_items == right->n_items &&
           text_equal(left->text, right->text) && same_number_or_doc(left, right);
}

bool ast_equal(const Ast *left, const Ast *right) {
    for (; is_chain(left) && is_chain(right); left = left->a, right = right->a)
        if (!same_head(left, right) || !ast_equal(left->b, right->b))
            return false;
    if (!same_head(left, right) || !both_equal(left->a, right->a) ||
        !both_equal(left->b, right->b) || !both_equal(left->c, right->c))
        return false;
    for (uint32_t i = 0; i < left->n_items; i++)
        if (!ast_equal(left->items[i], right->items[i]))
            return false;
    return true;
}
