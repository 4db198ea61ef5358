#include "syntax/parse.h"

#include "grammar/instructions.h"
#include "grammar/recipe.h"
#include "syntax/literal.h"
#include "syntax/rows.h"
#include "syntax/tree.h"

#include <stdlib.h>
#include <string.h>

void *RecipeParserAlloc(void *(*allocate)(size_t));
void RecipeParser(void *grammar, int kind, Token token, Parser *parser);
void RecipeParserFree(void *grammar, void (*release)(void *));
void *InstructionParserAlloc(void *(*allocate)(size_t));
void InstructionParser(void *grammar, int kind, Token token, Rows *rows);
void InstructionParserFree(void *grammar, void (*release)(void *));

static void *allocate(size_t size) {
    return memory_grow(NULL, size);
}

static uint32_t line_end(Text text, uint32_t at) {
    while (at < text.size && text.data[at] != '\n' && text.data[at] != '\r')
        at++;
    return at;
}

uint32_t lexer_preamble(Text text) {
    uint32_t at = text_starts(text, TEXT("\xef\xbb\xbf")) ? 3 : 0;
    Text rest = {text.data + at, text.size - at};
    return text_starts(rest, TEXT("#!")) ? line_end(text, at) : at;
}

static bool is_space(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* Where something else than blank lines and comments begins. */
static uint32_t skip_blank(Text text, uint32_t at) {
    while (at < text.size && (is_space(text.data[at]) || text.data[at] == '#'))
        at = text.data[at] == '#' ? line_end(text, at) : at + 1;
    return at;
}

Dialect source_dialect(Text text) {
    uint32_t at = skip_blank(text, lexer_preamble(text));
    Text rest = {text.data + at, text.size - at};
    if (!text_starts(rest, TEXT("version")))
        return DIALECT_RECIPE;
    uint32_t next = at + 7, end = line_end(text, next);
    while (next < end && is_space(text.data[next]))
        next++;
    bool ends = next == end || text.data[next] == '#';
    bool number = next < end && next > at + 7 && text.data[next] >= '0' && text.data[next] <= '9';
    return ends || number ? DIALECT_INSTRUCTIONS : DIALECT_RECIPE;
}

/* What no source may be, whatever its dialect. */
static bool check_source(Diags *diags, uint32_t source, Text text) {
    if (text.size > SOURCE_LIMIT) {
        diag_error(diags, (Span){source, 0, 0}, "a source of %zu bytes: %d are the limit",
                   text.size, SOURCE_LIMIT);
        return false;
    }
    const char *nul = memchr(text.data, '\0', text.size);
    if (nul) {
        uint32_t at = (uint32_t)(nul - text.data);
        diag_error(diags, (Span){source, at, at + 1}, "a NUL byte: this is no text file");
        return false;
    }
    size_t valid = utf8_valid(text);
    if (valid == text.size)
        return true;
    uint32_t at = (uint32_t)valid;
    diag_error(diags, (Span){source, at, at + 1}, "this is no UTF-8 text: byte 0x%02x is malformed",
               (unsigned char)text.data[at]);
    return false;
}

/* Behind a name and a colon, as YAML begins but no statement; AT where there is none. */
static uint32_t skip_yaml_key(Text text, uint32_t at) {
    uint32_t end = at;
    while (end < text.size &&
           ((text.data[end] >= 'a' && text.data[end] <= 'z') || text.data[end] == '_'))
        end++;
    return end > at && end < text.size && text.data[end] == ':' ? end + 1 : at;
}

/* A configuration of mergekit is said to be one, instead of all that it is not; then true. */
static bool refuse_mergekit(Diags *diags, uint32_t source, Text text) {
    uint32_t at = skip_blank(text, lexer_preamble(text));
    if (text_starts((Text){text.data + at, text.size - at}, TEXT("---")))
        at = skip_blank(text, line_end(text, at));
    if (skip_yaml_key(text, at) == at)
        return false;
    for (; at < text.size; at = skip_blank(text, line_end(text, at))) {
        uint32_t end = skip_yaml_key(text, at);
        if (!text_equal((Text){text.data + at, end - at}, TEXT("merge_method:")))
            continue;
        diag_error(diags, (Span){source, at, end - 1},
                   "this is a configuration of mergekit, not a recipe");
        diag_hint(diags, "'mecha help mergekit' tells how a recipe says it");
        return true;
    }
    return false;
}

/* The line `mecha 1` before all statements; anything else is left to the grammar. */
static void read_version(Parser *parser) {
    Layout *layout = &parser->layout;
    const Token *tokens = layout->tokens.items;
    size_t at = 0;
    while (tokens[at].kind == TOKEN_COMMENT || tokens[at].kind == T_NEWLINE)
        at++;
    if (tokens[at].kind != T_NAME || !text_equal(layout_text(layout, tokens[at]), TEXT("mecha")) ||
        (tokens[at + 1].kind != T_INT && tokens[at + 1].kind != T_FLOAT))
        return;
    Text version = layout_text(layout, tokens[at + 1]);
    parser->version = 1;
    layout->at = at + 2;
    if (!text_equal(version, TEXT("1")))
        diag_error(parser->diags, token_span(parser, tokens[at + 1]),
                   "this recipe is for version %.*s of the language; here is version 1",
                   TEXT_ARG(version));
}

/* What is left of a statement that is lost anyway goes with it, the block that it opens too. */
static void skip_block(Layout *layout) {
    size_t depth = layout->open.count;
    while (layout->open.count >= depth && layout_next(layout).kind != TOKEN_END)
        continue;
}

/* Feeds one token; false after the last. */
static bool advance(Parser *parser, void *grammar) {
    Token token = layout_next(&parser->layout);
    if (parser->layout.stopped)
        return false;
    RecipeParser(grammar, token.kind, token, parser);
    parser->previous = token;
    if (parser->first.kind == TOKEN_END)
        parser->first = token;
    if (parser->recovering && token.kind == T_BLOCK_OPEN)
        skip_block(&parser->layout);
    if (token.kind == T_NEWLINE || token.kind == T_BLOCK_OPEN)
        parser->first = (Token){0};
    if (token.kind == T_NEWLINE)
        parser->layout.silent = parser->recovering = false;
    return token.kind != TOKEN_END && !parser->stopped;
}

static void parse(Parser *parser) {
    void *grammar = RecipeParserAlloc(allocate);
    while (advance(parser, grammar))
        continue;
    RecipeParserFree(grammar, free);
}

Ast *parse_recipe_apart(Arena *arena, Arena *trees, Diags *diags, uint32_t source) {
    Text text = diags_find(diags, source)->text;
    Parser parser = {.arena = arena, .trees = trees, .diags = diags};
    parser.layout = (Layout){.diags = diags, .source = source, .text = text};
    if (check_source(diags, source, text) && !refuse_mergekit(diags, source, text)) {
        parser.layout = layout_open(diags, source, text);
        read_version(&parser);
        parse(&parser);
    }
    if (parser.file == NULL)
        tree_file(&parser, list_empty());
    layout_close(&parser.layout);
    return parser.file;
}

Ast *parse_recipe(Arena *arena, Diags *diags, uint32_t source) {
    return parse_recipe_apart(arena, arena, diags, source);
}

static void report_token(Rows *rows, Token token) {
    Span span = {rows->source, token.begin, token.end};
    rows->silent = rows->failed = true;
    if (token.problem == PROBLEM_UNCLOSED_STRING)
        diag_error(rows->diags, span, "this string is not closed on its line");
    else
        diag_error(rows->diags, span, "a backslash with nothing behind it");
}

static void parse_rows(Rows *rows, Lexer *lexer) {
    void *grammar = InstructionParserAlloc(allocate);
    bool at_line_start = true;
    Token token;
    do {
        token = lexer_next(lexer);
        if (token.problem != PROBLEM_NONE && !rows->silent)
            report_token(rows, token);
        if (token.kind == TOKEN_COMMENT)
            continue;
        if (token.kind == TOKEN_END)
            InstructionParser(grammar, I_NEWLINE, (Token){I_NEWLINE, 0, token.begin, token.end},
                              rows);
        if (at_line_start)
            rows->command = token.kind;
        at_line_start = token.kind == I_NEWLINE;
        InstructionParser(grammar, token.kind, token, rows);
        if (token.kind == I_NEWLINE)
            rows->silent = false;
    } while (token.kind != TOKEN_END);
    InstructionParserFree(grammar, free);
}

static InstructionList finish_rows(Rows *rows) {
    InstructionList list = {.count = (uint32_t)rows->instructions.count, .failed = rows->failed};
    list.items = arena_copy(rows->arena, rows->instructions.items,
                            memory_size(list.count, sizeof(Instruction)));
    vector_free(&rows->instructions);
    vector_free(&rows->arguments);
    return list;
}

InstructionList parse_instructions(Arena *arena, Diags *diags, uint32_t source) {
    Text text = diags_find(diags, source)->text;
    if (!check_source(diags, source, text))
        return (InstructionList){.failed = true};
    Rows rows = {.arena = arena, .diags = diags, .source = source, .text = text};
    Lexer lexer = lexer_open(text, lexer_preamble(text), DIALECT_INSTRUCTIONS);
    parse_rows(&rows, &lexer);
    if (rows.instructions.count == 0 && !rows.failed) {
        uint32_t end = (uint32_t)text.size;
        diag_error(diags, (Span){source, end, end}, "an instruction list without instructions");
        rows.failed = true;
    }
    return finish_rows(&rows);
}
