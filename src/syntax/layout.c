#include "syntax/layout.h"

#include "grammar/recipe.h"
#include "syntax/ast.h"

bool is_soft_keyword(uint16_t kind) {
    return kind >= T_PARAM && kind <= T_WITH;
}

bool is_hard_keyword(uint16_t kind) {
    return kind >= T_REPEAT && kind <= T_NULL;
}

bool ends_operand(uint16_t kind) {
    switch (kind) {
    case T_NAME:
    case T_INT:
    case T_FLOAT:
    case T_STRING:
    case T_TRUE:
    case T_FALSE:
    case T_NULL:
    case T_RP:
    case T_RB:
    case T_MAP_CLOSE:
    case T_BLOCK_CLOSE:
    case T_QUESTION:
        return true;
    default:
        return is_soft_keyword(kind);
    }
}

enum { BYTES_PER_TOKEN = 3 /* of dense text */ };

Layout layout_open(Diags *diags, uint32_t source, Text text) {
    Layout layout = {.diags = diags, .source = source, .text = text};
    Lexer lexer = lexer_open(text, lexer_preamble(text), DIALECT_RECIPE);
    vector_reserve(&layout.tokens, text.size / BYTES_PER_TOKEN + 1);
    Token token;
    do {
        token = lexer_next(&lexer);
        vector_push(&layout.tokens, token);
    } while (token.kind != TOKEN_END);
    return layout;
}

void layout_close(Layout *layout) {
    vector_free(&layout->tokens);
    vector_free(&layout->open);
}

/* One message a statement. */
static bool may_report(Layout *layout) {
    bool first = !layout->silent;
    layout->silent = true;
    return first;
}

static void report_problem(Layout *layout, Token token) {
    static const struct {
        const char *message, *hint;
    } problems[] = {
        [PROBLEM_NONE] = {NULL, NULL},
#define PROBLEM(name, message, hint) [PROBLEM_##name] = {message, hint},
#include "syntax/problem.def"
#undef PROBLEM
    };
    if (!may_report(layout))
        return;
    Builder shown = {0};
    builder_printable(&shown, layout_text(layout, token));
    diag_error(layout->diags, layout_span(layout, token), problems[token.problem].message,
               TEXT_ARG(shown));
    builder_free(&shown);
    if (problems[token.problem].hint)
        diag_hint(layout->diags, "%s", problems[token.problem].hint);
}

static bool is_skipped(uint16_t kind) {
    return kind == TOKEN_COMMENT || kind == T_NEWLINE || kind == TOKEN_BREAK;
}

/* The first token at or after AT that is neither comment nor newline. */
static Token significant(const Layout *layout, size_t at) {
    while (is_skipped(layout->tokens.items[at].kind))
        at++;
    return layout->tokens.items[at];
}

static Token following(const Layout *layout) {
    size_t last = layout->tokens.count - 1;
    return layout->tokens.items[layout->at < last ? layout->at + 1 : last];
}

static uint16_t innermost(const Layout *layout) {
    return layout->open.count ? layout->open.items[layout->open.count - 1].closer : T_BLOCK_CLOSE;
}

static bool at_statement_start(const Layout *layout) {
    uint16_t last = layout->last.kind;
    return last == TOKEN_END || last == T_NEWLINE || last == T_BLOCK_OPEN;
}

static bool begins_line(const Layout *layout, Token token) {
    char before = token.begin == 0 ? '\n' : layout->text.data[token.begin - 1];
    return before == '\n' || before == '\r';
}

static bool is_declaration(const Layout *layout) {
    uint16_t next;
    switch (layout->tokens.items[layout->at].kind) {
    case T_DEF:
    case T_METHOD:
    case T_PARAM:
    case T_IMPORT:
    case T_SAVE:
    case T_CONFIG:
    case T_CONVERSION:
        next = following(layout).kind;
        return next == T_NAME || next == T_STRING || next == T_FROM;
    default:
        return false;
    }
}

static const char *closer_name(uint16_t closer) {
    return closer == T_RP ? ")" : closer == T_RB ? "]" : "}";
}

static const char *opener_name(uint16_t closer) {
    return closer == T_RP ? "(" : closer == T_RB ? "[" : "{";
}

static Open pop(Layout *layout) {
    return layout->open.items[--layout->open.count];
}

static void report_unclosed(Layout *layout, Token found) {
    Open *open = &layout->open.items[layout->open.count - 1];
    if (open->reported || !may_report(layout))
        return;
    open->reported = true;
    if (found.kind == TOKEN_END) {
        Token last = layout->last.kind == T_NEWLINE ? layout->before_last : layout->last;
        found.begin = found.end = last.end;
    }
    diag_error(layout->diags, layout_span(layout, found), "missing '%s'%s",
               closer_name(open->closer), found.kind == TOKEN_END ? "" : " before this");
    diag_note(layout->diags, (Span){layout->source, open->begin, open->begin + 1},
              "to close this '%s'", opener_name(open->closer));
}

static Token give(Layout *layout, Token token) {
    layout->before_last = layout->last;
    layout->last = token;
    return token;
}

/* A token that stands nowhere, put in before the one that comes next. */
static Token give_between(Layout *layout, uint16_t kind) {
    uint32_t place = layout->tokens.items[layout->at].begin;
    return give(layout, (Token){kind, PROBLEM_NONE, place, place});
}

/* Closes what is open step by step, one token a call, where nothing can be open any more: at a
 * declaration on the left margin and at the end. */
static bool close_open(Layout *layout, Token found, Token *given) {
    if (layout->open.count == 0)
        return false;
    report_unclosed(layout, found);
    while (layout->open.count && innermost(layout) != T_BLOCK_CLOSE)
        pop(layout);
    if (!at_statement_start(layout)) {
        *given = give_between(layout, T_NEWLINE);
        layout->silent = true;
        return true;
    }
    if (layout->open.count == 0)
        return false;
    pop(layout);
    *given = give_between(layout, T_BLOCK_CLOSE);
    return true;
}

/* Inside brackets, a line that begins a statement after one that could end an expression: the
 * bracket was forgotten. */
static bool is_forgotten(const Layout *layout) {
    if (!ends_operand(layout->last.kind))
        return false;
    size_t at = layout->at;
    while (is_skipped(layout->tokens.items[at].kind))
        at++;
    return layout->tokens.items[at].kind == T_NAME && layout->tokens.items[at + 1].kind == T_EQUALS;
}

/* Whether the newline at hand ends a statement. */
static bool ends_statement(Layout *layout) {
    if (at_statement_start(layout) || !ends_operand(layout->last.kind))
        return false;
    uint16_t next = significant(layout, layout->at).kind;
    return next != T_THEN && next != T_ELSE;
}

static bool newline(Layout *layout) {
    Token *token = &layout->tokens.items[layout->at];
    if (innermost(layout) != T_BLOCK_CLOSE && is_forgotten(layout)) {
        report_unclosed(layout, significant(layout, layout->at));
        while (innermost(layout) != T_BLOCK_CLOSE)
            pop(layout);
        return true;
    }
    bool ends = innermost(layout) == T_BLOCK_CLOSE && ends_statement(layout);
    if (!ends)
        token->kind = TOKEN_BREAK;
    return ends;
}

static bool semicolon(Layout *layout) {
    Token *token = &layout->tokens.items[layout->at];
    if (innermost(layout) != T_BLOCK_CLOSE) {
        token->problem = PROBLEM_SEMICOLON;
        report_problem(layout, *token);
    }
    bool ends = innermost(layout) == T_BLOCK_CLOSE && !at_statement_start(layout);
    token->kind = ends ? T_NEWLINE : TOKEN_BREAK;
    return ends;
}

static void open_bracket(Layout *layout, Token token, uint16_t closer) {
    if (layout->open.count >= NESTING_LIMIT) {
        layout->stopped = true;
        diag_error(layout->diags, layout_span(layout, token),
                   "nested too deep: %d levels are the limit", NESTING_LIMIT);
        return;
    }
    vector_push(&layout->open, (Open){.closer = closer, .begin = token.begin});
}

/* A brace opens a block after what can end an expression, a type or a signature, and after the
 * `else` that follows a block; elsewhere an expression is expected, so it opens a map. */
static uint16_t brace_kind(const Layout *layout) {
    bool after_else = layout->last.kind == T_ELSE && layout->before_last.kind == T_BLOCK_CLOSE;
    return ends_operand(layout->last.kind) || after_else ? T_BLOCK_OPEN : T_MAP_OPEN;
}

static bool matches(uint16_t closer, uint16_t found) {
    return closer == found ||
           (found == TOKEN_UNBRACE && (closer == T_MAP_CLOSE || closer == T_BLOCK_CLOSE));
}

static bool is_open(const Layout *layout, uint16_t found) {
    for (size_t i = 0; i < layout->open.count; i++)
        if (matches(layout->open.items[i].closer, found))
            return true;
    return false;
}

static bool ignore_bracket(Layout *layout, Token *token) {
    Text text = layout_text(layout, *token);
    if (may_report(layout))
        diag_error(layout->diags, layout_span(layout, *token), "nothing is open that '%.*s' closes",
                   TEXT_ARG(text));
    layout->last.kind = T_RP; /* so that the statement ends with its line */
    token->kind = TOKEN_BREAK;
    return false;
}

/* Makes a closing bracket close what is innermost, or be nothing. Returns whether it is anything.
 */
static bool close_bracket(Layout *layout, Token *token) {
    if (innermost(layout) != T_BLOCK_CLOSE && !matches(innermost(layout), token->kind))
        report_unclosed(layout, *token);
    while (innermost(layout) != T_BLOCK_CLOSE && is_open(layout, token->kind) &&
           !matches(innermost(layout), token->kind))
        pop(layout);
    bool stray = innermost(layout) == T_BLOCK_CLOSE && !matches(T_BLOCK_CLOSE, token->kind);
    if (layout->open.count == 0 || stray)
        return ignore_bracket(layout, token);
    token->kind = innermost(layout);
    return true;
}

/* A keyword is a name after a point, before the `=` of an argument or binding, and before the `:`
 * of a parameter or entry. */
static bool is_name_here(const Layout *layout, Token token) {
    bool soft = is_soft_keyword(token.kind);
    if (!soft && !is_hard_keyword(token.kind))
        return false;
    uint16_t next = following(layout).kind;
    uint16_t inside = innermost(layout);
    bool labelled = inside == T_RP || inside == T_MAP_CLOSE;
    return layout->last.kind == T_DOT || (next == T_EQUALS && (soft || labelled)) ||
           (next == T_COLON && labelled);
}

static Token ordinary(Layout *layout, Token *token) {
    switch (token->kind) {
    case TOKEN_BRACE:
        token->kind = brace_kind(layout);
        open_bracket(layout, *token, token->kind == T_MAP_OPEN ? T_MAP_CLOSE : T_BLOCK_CLOSE);
        break;
    case T_LP:
        open_bracket(layout, *token, T_RP);
        break;
    case T_LB:
        open_bracket(layout, *token, T_RB);
        break;
    default:
        if (is_name_here(layout, *token))
            token->kind = T_NAME;
    }
    layout->at++;
    return give(layout, *token);
}

/* One step: either a token is given out, or something was passed over. */
static bool step(Layout *layout, Token *given) {
    Token *token = &layout->tokens.items[layout->at];
    if (token->problem != PROBLEM_NONE)
        report_problem(layout, *token);
    bool declared = is_declaration(layout) && begins_line(layout, *token);
    if ((declared || token->kind == TOKEN_END) && close_open(layout, *token, given))
        return true;
    bool is_newline = token->kind == T_NEWLINE;
    switch (token->kind) {
    case TOKEN_END:
        *given =
            at_statement_start(layout) ? give(layout, *token) : give_between(layout, T_NEWLINE);
        return true;
    case TOKEN_COMMENT:
    case TOKEN_BREAK:
        layout->at++;
        return false;
    case T_NEWLINE:
    case TOKEN_SEMICOLON:
        if (!(is_newline ? newline(layout) : semicolon(layout))) {
            layout->at++;
            return false;
        }
        *given = give(layout, *token);
        layout->at++;
        return true;
    case T_RP:
    case T_RB:
    case TOKEN_UNBRACE:
        if (!close_bracket(layout, token))
            return false;
        /* fall through */
    case T_MAP_CLOSE:
    case T_BLOCK_CLOSE:
        if (token->kind == T_BLOCK_CLOSE && !at_statement_start(layout)) {
            *given = give_between(layout, T_NEWLINE);
            return true;
        }
        pop(layout);
        layout->at++;
        *given = give(layout, *token);
        return true;
    default:
        if (declared && layout->last.kind == T_BLOCK_CLOSE) {
            *given = give_between(layout, T_NEWLINE);
            return true;
        }
        *given = ordinary(layout, token);
        return true;
    }
}

Token layout_next(Layout *layout) {
    Token given;
    while (!step(layout, &given))
        continue;
    return given;
}
