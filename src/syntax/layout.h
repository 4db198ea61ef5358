/* Where statements end. The layout stands between lexer and parser: it takes out comments and the
 * newlines that end nothing, puts a NEWLINE at the end of every statement (the last of a block
 * too), tells maps from blocks and names from keywords, and sees to it that brackets match, so that
 * the parser never loses its way by a missing one. */
#ifndef SYNTAX_LAYOUT_H
#define SYNTAX_LAYOUT_H

#include "diag/diag.h"
#include "syntax/lexer.h"

/* A bracket that waits for its closing one. */
typedef struct Open {
    uint16_t closer; /* T_RP, T_RB, T_MAP_CLOSE or T_BLOCK_CLOSE */
    bool reported;
    uint32_t begin;
} Open;

typedef struct Layout {
    Diags *diags;
    uint32_t source;
    Text text;
    Tokens tokens; /* all of the source; what the layout finds out is written into their kinds */
    size_t at;
    VECTOR(Open) open;
    Token last, before_last; /* given out */
    bool silent;             /* something is wrong with this statement, and was said */
    bool stopped;            /* nested too deep to go on */
} Layout;

/* Newlines that end no statement, once the layout has passed them. */
enum { TOKEN_BREAK = 1100 };

/* TEXT is that of SOURCE, which is a recipe. */
Layout layout_open(Diags *diags, uint32_t source, Text text);
Token layout_next(Layout *layout);
void layout_close(Layout *layout);

/* The place of a token, and its text. */
static inline Span layout_span(const Layout *layout, Token token) {
    return (Span){layout->source, token.begin, token.end};
}

static inline Text layout_text(const Layout *layout, Token token) {
    return (Text){layout->text.data + token.begin, token.end - token.begin};
}

/* Words that are keywords at the beginning of a statement and names elsewhere (soft), or that are
 * never names (hard). */
bool is_soft_keyword(uint16_t kind);
bool is_hard_keyword(uint16_t kind);

/* Of tokens that can end an expression. */
bool ends_operand(uint16_t kind);

#endif
