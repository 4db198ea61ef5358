/* Statements, and what holds in a list of them. */
#include "syntax/tree.h"

#include "grammar/recipe.h"
#include "syntax/literal.h"

#include <string.h>

static bool is_end_of_line(char c) {
    return c == '\n' || c == '\r';
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/* The text of the line that ends before END, which is just behind a line end, without blanks around
 * it; END moves to its beginning. */
static Text line_before(Text text, uint32_t *end) {
    uint32_t to = *end - 1;
    if (to > 0 && text.data[to] == '\n' && text.data[to - 1] == '\r')
        to--;
    const char *before = memrchr(text.data, '\n', to);
    uint32_t from = before != NULL ? (uint32_t)(before - text.data) + 1 : 0;
    before = memrchr(text.data + from, '\r', to - from);
    from = before != NULL ? (uint32_t)(before - text.data) + 1 : from;
    *end = from;
    while (from < to && is_blank(text.data[from]))
        from++;
    while (from < to && is_blank(text.data[to - 1]))
        to--;
    return (Text){text.data + from, to - from};
}

static Text without_hash(Text line) {
    size_t skip = 1 + (line.size > 1 && line.data[1] == ' ');
    return (Text){line.data + skip, line.size - skip};
}

static bool is_comment(Text line, uint32_t begin) {
    bool shebang = begin == 0 && line.size > 1 && line.data[1] == '!';
    return line.size > 0 && line.data[0] == '#' && !shebang;
}

/* The beginning of the line that a place is on, or UINT32_MAX where something else stands before
 * the place. */
static uint32_t line_begin(Text text, uint32_t begin) {
    while (begin > 0 && is_blank(text.data[begin - 1]))
        begin--;
    return begin == 0 || is_end_of_line(text.data[begin - 1]) ? begin : UINT32_MAX;
}

Text doc_above(Parser *parser, uint32_t begin) {
    Text text = parser->layout.text;
    uint32_t bottom = line_begin(text, begin), top = bottom;
    if (bottom == UINT32_MAX)
        return TEXT("");
    for (uint32_t above = top; above > 0;) {
        Text line = line_before(text, &above);
        if (!is_comment(line, above))
            break;
        top = above;
    }
    if (top == bottom)
        return TEXT("");
    char *out = arena_alloc(parser->arena, bottom - top + 1);
    size_t size = 0;
    for (uint32_t at = top; at < bottom;) {
        uint32_t end = at;
        while (!is_end_of_line(text.data[end]))
            end++;
        end += text.data[end] == '\r' && end + 1 < bottom && text.data[end + 1] == '\n' ? 2 : 1;
        uint32_t from = end;
        Text line = without_hash(line_before(text, &from));
        for (size_t i = 0; i < line.size; i++)
            out[size++] = line.data[i];
        out[size++] = '\n';
        at = end;
    }
    if (size > 0)
        out[--size] = '\0';
    return (Text){out, size};
}

Ast *tree_error(Parser *parser, Token newline) {
    Span span = token_span(parser, parser->first.kind == 0 ? newline : parser->first);
    return node_new(parser, AST_ERROR, span_join(span, token_span(parser, newline)));
}

static Ast *statement_new(Parser *parser, AstKind kind, Token keyword, Token last) {
    Span span = span_join(token_span(parser, keyword), token_span(parser, last));
    Ast *node = node_new(parser, kind, span);
    node->doc = doc_above(parser, keyword.begin);
    return node;
}

static Ast *finish(Parser *parser, Ast *node, AstList items) {
    const Ast *parts[] = {node->a, node->b, node->c, list_last(items)};
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if (parts[i] && parts[i]->span.end > node->span.end)
            node->span.end = parts[i]->span.end;
    return node_finish(parser, node, items);
}

static bool is_pattern(const Ast *target) {
    if (target->kind != AST_LIST || target->n_items == 0)
        return target->kind == AST_STRING;
    for (uint32_t i = 0; i < target->n_items; i++)
        if (target->items[i]->kind != AST_STRING)
            return false;
    return true;
}

static Ast *complain_target(Parser *parser, Ast *target) {
    if (target->kind == AST_ERROR)
        return target;
    diag_error(parser->diags, target->span, "a name is expected before '='");
    if (target->kind == AST_CALL)
        diag_hint(parser->diags, "a function is defined with 'def'");
    else if (target->kind == AST_INDEX || target->kind == AST_MEMBER)
        diag_hint(parser->diags, "values never change: make a new one");
    return node_new(parser, AST_ERROR, target->span);
}

Ast *tree_binding(Parser *parser, Ast *target, Ast *value) {
    bool name = target->kind == AST_NAME && !target->grouped;
    if (!name && !is_pattern(target))
        return complain_target(parser, target);
    Ast *node = node_new(parser, name ? AST_BIND : AST_RULE, span_join(target->span, value->span));
    node->text = name ? target->text : TEXT("");
    node->name_span = name ? target->name_span : SPAN_NONE;
    node->doc = doc_above(parser, target->span.begin);
    node->a = name ? value : target;
    node->b = name ? NULL : value;
    return finish(parser, node, list_empty());
}

Ast *tree_state(Parser *parser, Token name, Ast *value) {
    Ast *node = statement_new(parser, AST_BIND, name, name);
    node->doc = TEXT("");
    node_name(parser, node, name);
    node->a = value;
    return finish(parser, node, list_empty());
}

static bool is_scalar(const Ast *node) {
    return node->kind == AST_NULL || node->kind == AST_BOOL || node->kind == AST_INT ||
           node->kind == AST_FLOAT || node->kind == AST_STRING;
}

Ast *tree_param(Parser *parser, Token keyword, Token name, Ast *type, Ast *value, Ast *range,
                Ast *doc) {
    Ast *node = statement_new(parser, AST_PARAM, keyword, name);
    if (range && is_scalar(range)) {
        diag_error(parser->diags, range->span, "expected a range or a list after 'in'");
        diag_hint(parser->diags, "write 0..1 or [\"a\", \"b\"]");
    }
    node_name(parser, node, name);
    node->a = value;
    node->b = type;
    node->c = range;
    node->doc = doc ? doc->text : TEXT("");
    node = finish(parser, node, list_empty());
    if (doc)
        node->span = span_join(node->span, doc->span);
    return node;
}

static void complain_next(Parser *parser, const Ast *next) {
    diag_error(parser->diags, next->span, "'next' outside of a 'repeat'");
}

static bool is_next(const Ast *block) {
    return block->kind == AST_BLOCK && block->n_items > 0 &&
           block->items[block->n_items - 1]->kind == AST_NEXT;
}

static bool is_expression(const Ast *node) {
    return node->kind <= AST_REPEAT;
}

static const char *declaration_name(AstKind kind) {
    switch (kind) {
    case AST_PARAM:
        return "param";
    case AST_DEF:
        return "def";
    case AST_METHOD:
        return "method";
    case AST_IMPORT:
        return "import";
    case AST_SAVE:
        return "save";
    case AST_CONFIG:
        return "config";
    case AST_TEMPLATE:
        return "template";
    case AST_CONVERSION:
        return "conversion";
    default:
        return NULL;
    }
}

/* A block ends in its value, or consists of rules. */
static bool has_value(const Ast *block) {
    if (block->n_items == 0)
        return false;
    const Ast *last = block->items[block->n_items - 1];
    return is_expression(last) || last->kind == AST_RULE || last->kind == AST_ERROR ||
           declaration_name(last->kind);
}

static bool is_closed(const Parser *parser, const Ast *block) {
    return parser->layout.text.data[block->span.end - 1] == '}';
}

/* The body of a def or method: a value, not the next round of a loop. */
static void check_body(Parser *parser, const Ast *body) {
    if (is_next(body))
        complain_next(parser, body->items[body->n_items - 1]);
    else if (body->kind == AST_BLOCK && !has_value(body) && is_closed(parser, body)) {
        Span close = {body->span.source, body->span.end - 1, body->span.end};
        diag_error(parser->diags, close, "this block has no value");
        diag_hint(parser->diags, "its last statement must be an expression");
    }
}

Ast *tree_def(Parser *parser, Token keyword, Token name, AstList formals, Ast *body) {
    Ast *node = statement_new(parser, AST_DEF, keyword, name);
    node_name(parser, node, name);
    check_body(parser, body);
    node->a = body;
    return finish(parser, node, formals);
}

Ast *tree_method(Parser *parser, Token keyword, Token name, AstList formals, Ast *type, Ast *body) {
    Ast *node = statement_new(parser, AST_METHOD, keyword, name);
    node_name(parser, node, name);
    check_body(parser, body);
    node->a = body;
    node->b = type;
    return finish(parser, node, formals);
}

Ast *tree_formal(Parser *parser, const Token *star, Token name, Ast *type, Ast *value) {
    Ast *node = node_new(parser, AST_FORMAL, token_span(parser, name));
    node_name(parser, node, name);
    if (star)
        node->span = span_join(token_span(parser, *star), node->span);
    node->variadic = star != NULL;
    node->a = value;
    node->b = type;
    return finish(parser, node, list_empty());
}

Ast *tree_import(Parser *parser, Token keyword, Token path, Token name) {
    Ast *node = statement_new(parser, AST_IMPORT, keyword, name);
    node_name(parser, node, name);
    node->a = tree_string(parser, path);
    return finish(parser, node, list_empty());
}

Ast *tree_save(Parser *parser, Token keyword, Ast *value, Ast *path, AstList options) {
    Ast *node = statement_new(parser, AST_SAVE, keyword, keyword);
    node->a = value;
    node->b = path;
    return finish(parser, node, options);
}

Ast *tree_next(Parser *parser, Token keyword, AstList values, Ast *until) {
    Ast *node = statement_new(parser, AST_NEXT, keyword, keyword);
    node->a = until;
    return finish(parser, node, values);
}

/* `x = a` and `- b` on the next line look like one statement and are two. */
static bool looks_continued(const Parser *parser, const Ast *before, const Ast *statement) {
    Text text = parser->layout.text;
    if ((before->kind != AST_BIND && !is_expression(before)) || !is_expression(statement) ||
        text.data[statement->span.begin] != '-')
        return false;
    for (uint32_t i = before->span.end; i < statement->span.begin; i++)
        if (is_end_of_line(text.data[i]))
            return true;
    return false;
}

static void complain_unused(Parser *parser, const Ast *statement) {
    diag_error(parser->diags, statement->span,
               "this value is not used; give it a name, or make it the last statement");
    if (statement->kind == AST_BINARY && statement->op == AST_EQ)
        diag_hint(parser->diags, "'==' compares, '=' binds");
}

static void complain_continued(Parser *parser, const Ast *statement) {
    Span minus = {statement->span.source, statement->span.begin, statement->span.begin + 1};
    diag_error(parser->diags, minus, "a line that begins with '-' does not continue the one above");
    diag_hint(parser->diags, "put the '-' at the end of that line; a value of its own is (-x)");
}

/* Values that are lost, wherever statements follow each other. */
static void check_values(Parser *parser, AstList statements) {
    bool continued = false;
    for (uint32_t i = 0; i < statements.count; i++) {
        const Ast *statement = statements.items[i];
        const Ast *next = i + 1 < statements.count ? statements.items[i + 1] : NULL;
        bool continues = next && looks_continued(parser, statement, next);
        bool lost = next && next->kind != AST_ERROR && !continues;
        if (continued)
            complain_continued(parser, statement);
        else if (is_expression(statement) && lost)
            complain_unused(parser, statement);
        else if (statement->kind == AST_NEXT && lost)
            diag_error(parser->diags, statement->span,
                       "'next' is the last statement of its 'repeat'");
        continued = continues;
    }
}

void tree_file(Parser *parser, AstList statements) {
    uint32_t size = (uint32_t)parser->layout.text.size;
    Ast *node = node_new(parser, AST_FILE, (Span){parser->layout.source, 0, size});
    check_values(parser, statements);
    for (uint32_t i = 0; i < statements.count; i++)
        if (statements.items[i]->kind == AST_NEXT)
            complain_next(parser, statements.items[i]);
    node->integer = parser->version;
    parser->file = node_finish(parser, node, statements);
}

Ast *tree_block(Parser *parser, Token open, AstList statements, Token close) {
    Span span = span_join(token_span(parser, open), token_span(parser, close));
    for (uint32_t i = 0; i < statements.count; i++) {
        const Ast *statement = statements.items[i];
        const char *name = declaration_name(statement->kind);
        if (name)
            diag_error(parser->diags, statement->span, "'%s' stands outside of blocks only", name);
    }
    check_values(parser, statements);
    return node_finish(parser, node_new(parser, AST_BLOCK, span), statements);
}

static bool has_next(const Ast *block) {
    for (uint32_t i = 0; i < block->n_items; i++)
        if (block->items[i]->kind == AST_NEXT)
            return true;
    return false;
}

/* A round ends with as many values as there are states. */
static void check_rounds(Parser *parser, AstList states, const Ast *block) {
    const Ast *last = block->n_items > 0 ? block->items[block->n_items - 1] : block;
    if (last->kind == AST_ERROR || !is_closed(parser, block) || has_next(block) != is_next(block))
        return;
    if (last->kind != AST_NEXT)
        diag_error(parser->diags, last->span,
                   "a 'repeat' ends with 'next' and the values of the next round");
    else if (last->n_items != states.count)
        diag_error(parser->diags, last->span, "%u state%s and %u next value%s", states.count,
                   states.count == 1 ? "" : "s", last->n_items, last->n_items == 1 ? "" : "s");
}

Ast *tree_repeat(Parser *parser, Token keyword, Ast *times, AstList states, Ast *block) {
    Span span = span_join(token_span(parser, keyword), block->span);
    Ast *node = node_new(parser, AST_REPEAT, span);
    check_rounds(parser, states, block);
    node->a = times;
    node->b = block;
    return node_finish(parser, node, states);
}
