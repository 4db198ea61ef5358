/* The words for what the grammar does not take: what was expected, what stands there, and, for the
 * slips that people make, what to write instead. */
#include "syntax/tree.h"

#include "grammar/recipe.h"

enum { SHOWN_LIMIT = 4 }; /* tokens named in `expected a, b or c` */

/* How a message names a token; tokens without words are not worth naming. */
static const char *const words[] = {
    [T_NAME] = "a name",     [T_STRING] = "a string",
    [T_COMMA] = "','",       [T_COLON] = "':'",
    [T_RP] = "')'",          [T_RB] = "']'",
    [T_MAP_CLOSE] = "'}'",   [T_BLOCK_OPEN] = "'{'",
    [T_BLOCK_CLOSE] = "'}'", [T_LP] = "'('",
    [T_EQUALS] = "'='",      [T_ARROW] = "'->' and a type",
    [T_DOTDOT] = "'..'",     [T_THEN] = "'then'",
    [T_ELSE] = "'else'",     [T_IN] = "'in'",
    [T_FOR] = "'for'",       [T_AS] = "'as' and a name",
    [T_TO] = "'to'",         [T_FROM] = "'from'",
    [T_WITH] = "'with'",     [T_NEWLINE] = "the end of the statement",
};

enum { N_WORDS = sizeof words / sizeof *words };

static bool is_word(uint16_t kind) {
    return kind == T_NAME || is_soft_keyword(kind) || is_hard_keyword(kind);
}

static bool token_is(const Parser *parser, Token token, const char *text) {
    return token.end > token.begin &&
           text_equal(layout_text(&parser->layout, token), text_from(text));
}

/* Where an expression may begin, one may begin with a number; where one has just ended, `+` can
 * follow. */
static bool expects_operand(const bool *expected) {
    return expected[T_FLOAT];
}

static bool expects_operator(const bool *expected) {
    return expected[T_PLUS];
}

/* What an expression can begin or go on with is not named one by one; soft keywords are expected
 * wherever a name is. */
static bool is_shown(int kind, const bool *expected) {
    if (kind >= N_WORDS || words[kind] == NULL || !expected[kind])
        return false;
    if (is_soft_keyword((uint16_t)kind) && expected[T_NAME])
        return false;
    if (expects_operand(expected))
        return kind == T_RP || kind == T_RB || kind == T_MAP_CLOSE;
    if (expects_operator(expected))
        return kind != T_LP && kind != T_AS && kind != T_EQUALS;
    return true;
}

static void add_expected(Builder *out, const bool *expected) {
    const char *shown[SHOWN_LIMIT];
    int n = 0;
    if (expects_operand(expected))
        shown[n++] = "an expression";
    bool type = !expects_operand(expected) && expected[T_NAME] && expected[T_LB];
    for (int kind = 1; kind < N_WORDS && n < SHOWN_LIMIT; kind++)
        if (is_shown(kind, expected))
            shown[n++] = type && kind == T_NAME ? "a type" : words[kind];
    for (int i = 0; i < n; i++) {
        builder_add(out, i == 0 ? TEXT("expected ") : i + 1 < n ? TEXT(", ") : TEXT(" or "));
        builder_add(out, text_from(shown[i]));
    }
    builder_add(out, n > 0 ? TEXT(", found ") : TEXT("unexpected "));
}

static void add_found(Builder *out, const Parser *parser, Token found) {
    Text text = layout_text(&parser->layout, found);
    if (found.kind == T_NEWLINE && (text.size == 0 || text.data[0] != ';')) {
        bool closes =
            found.begin < parser->layout.text.size && parser->layout.text.data[found.begin] == '}';
        bool end = found.begin >= parser->layout.text.size;
        builder_add(out, closes ? TEXT("'}'")
                         : end  ? TEXT("the end of the file")
                                : TEXT("the end of the line"));
        return;
    }
    if (found.kind == T_STRING)
        return builder_add(out, TEXT("a string"));
    if (is_hard_keyword(found.kind))
        builder_add(out, TEXT("the keyword "));
    builder_char(out, '\'');
    builder_printable(out, text);
    builder_char(out, '\'');
}

static bool is_binary(uint16_t kind) {
    switch (kind) {
    case T_PLUS:
    case T_STAR:
    case T_SLASH:
    case T_CARET:
    case T_PIPE:
    case T_EQ:
    case T_NE:
    case T_LT:
    case T_LE:
    case T_GT:
    case T_GE:
    case T_AND:
    case T_OR:
    case T_DOT:
        return true;
    default:
        return false;
    }
}

/* What other languages say, and this one says otherwise. */
static const char *foreign_hint(const Parser *parser, Token found, const bool *expected) {
    Token first = parser->first, previous = parser->previous;
    if (token_is(parser, found, "elif") || token_is(parser, previous, "elif"))
        return "write else if";
    if (token_is(parser, previous, "lambda"))
        return "a function has a name: def f(x) = …";
    if (token_is(parser, previous, "return"))
        return "the last expression of a block is its value";
    if (token_is(parser, first, "while") || found.kind == T_FOR)
        return "lists are made with [f(x) for x in list], loops with 'repeat'";
    if (found.kind == T_COLON && first.kind != T_NAME && first.kind != T_STRING)
        return first.kind == T_IF || previous.kind == T_ELSE ? "write if … then … else …"
                                                             : "a body stands within { }";
    if (first.kind == T_NAME && previous.begin == first.begin && found.kind == T_STRING &&
        (token_is(parser, first, "model") || token_is(parser, first, "merge")))
        return "an instruction list begins with the line 'version 0.1.0'";
    if (found.kind == T_QUESTION ||
        (found.kind == T_IF && (expected[T_NEWLINE] || expected[T_COMMA])))
        return "write if … then … else …";
    if (found.kind == T_STAR && expects_operand(expected) && expected[T_RP])
        return "a list can be given as it is, without '*'";
    if (first.kind == T_FROM && parser->previous.begin == first.begin)
        return "write import \"file.mecha\" as name";
    return NULL;
}

static const char *grammar_hint(const Parser *parser, Token found, const bool *expected) {
    Token first = parser->first, previous = parser->previous;
    bool begins = first.kind == TOKEN_END;
    if (begins && is_binary(found.kind))
        return "a statement goes on after an operator at the end of the line, not before one";
    if (found.kind == T_EQUALS && (expects_operator(expected) || expected[T_NEWLINE]))
        return "'==' compares, '=' binds";
    if (found.kind == T_NEWLINE && expected[T_ELSE])
        return "'if' makes a value, so it needs an 'else'";
    if (first.kind == T_METHOD && expected[T_ARROW])
        return "a method says what it returns: -> S";
    if (first.kind == T_DEF && found.kind == T_ARROW)
        return "only methods say what they return";
    if (first.kind == T_PARAM && expected[T_COLON])
        return "a parameter says its type: param x: float";
    if (previous.kind == T_AS && expected[T_STRING])
        return "a config's name stands within \"…\"";
    if (expected[T_WITH] && expects_operator(expected))
        return "write repeat 100 with x = start { … }";
    if (found.kind == T_EQUALS && is_hard_keyword(previous.kind))
        return "a name that is a keyword stands within backticks";
    if (first.kind == T_IMPORT)
        return "write import \"file.mecha\" as name";
    if (first.kind == T_SAVE && (expected[T_TO] || found.kind == T_STRING || previous.kind == T_TO))
        return "write save value to \"file.safetensors\"";
    if (found.kind == T_PLUS && expects_operand(expected))
        return "numbers have no '+' before them";
    if (expected[T_COMMA] && ends_operand(found.kind) && found.kind != T_RP && found.kind != T_RB &&
        ends_operand(previous.kind))
        return "is a ',' missing before this?";
    return NULL;
}

/* A name that is nearly a keyword that could stand there. */
static bool hint_keyword(Parser *parser, Token written, const bool *expected) {
    static const struct {
        uint16_t kind;
        Text text;
    } keywords[] = {
        {T_PARAM, TEXT("param")},         {T_DEF, TEXT("def")},
        {T_METHOD, TEXT("method")},       {T_IMPORT, TEXT("import")},
        {T_SAVE, TEXT("save")},           {T_CONFIG, TEXT("config")},
        {T_TEMPLATE, TEXT("template")},   {T_CONVERSION, TEXT("conversion")},
        {T_REPEAT, TEXT("repeat")},       {T_NEXT, TEXT("next")},
        {T_THEN, TEXT("then")},           {T_ELSE, TEXT("else")},
        {T_WITH, TEXT("with")},           {T_FOR, TEXT("for")},
        {T_UNTIL, TEXT("until")},         {T_FROM, TEXT("from")},
        {T_COMPONENT, TEXT("component")}, {T_OPTIONAL, TEXT("optional")},
        {T_ALIAS, TEXT("alias")},         {T_BLOCK, TEXT("block")},
    };
    enum { N_KEYWORDS = sizeof keywords / sizeof *keywords };
    Text candidates[N_KEYWORDS];
    size_t n = 0;
    for (size_t i = 0; i < N_KEYWORDS; i++)
        if (expected == NULL ? i < 10 : expected[keywords[i].kind])
            candidates[n++] = keywords[i].text;
    Text text = layout_text(&parser->layout, written);
    Text nearest = nearest_name(text, candidates, n);
    if (nearest.size == 0 || text_equal(nearest, text))
        return false;
    diag_hint(parser->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return true;
}

static void add_hint(Parser *parser, Token found, const bool *expected) {
    const char *hint = foreign_hint(parser, found, expected);
    if (hint) {
        diag_hint(parser->diags, "%s", hint);
        return;
    }
    if (found.kind == T_NAME && hint_keyword(parser, found, expected))
        return;
    bool second = parser->previous.begin == parser->first.begin;
    if (second && parser->first.kind == T_NAME && (is_word(found.kind) || found.kind == T_STRING) &&
        hint_keyword(parser, parser->first, NULL))
        return;
    hint = grammar_hint(parser, found, expected);
    if (hint)
        diag_hint(parser->diags, "%s", hint);
    else if (is_hard_keyword(found.kind) && expected[T_NAME] && !expects_operator(expected))
        diag_hint(parser->diags, "a name that is a keyword stands within backticks");
}

void complain(Parser *parser, Token found, const bool *expected) {
    parser->recovering = true;
    if (parser->layout.silent)
        return;
    parser->layout.silent = true;
    Builder message = {0};
    add_expected(&message, expected);
    add_found(&message, parser, found);
    if (found.begin >= parser->layout.text.size)
        found.begin = found.end = parser->previous.end;
    diag_error(parser->diags, token_span(parser, found), "%.*s", TEXT_ARG(message));
    add_hint(parser, found, expected);
    builder_free(&message);
}

void complain_nesting(Parser *parser) {
    parser->layout.silent = true;
    if (!parser->too_deep)
        diag_error(parser->diags, token_span(parser, parser->previous),
                   "nested too deep: %d levels are the limit", NESTING_LIMIT);
    parser->too_deep = true;
}
