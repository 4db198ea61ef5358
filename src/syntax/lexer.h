/* Text to tokens. The lexer itself is grammar/lexer.re; it never fails: what is wrong with a token
 * is said in the token. */
#ifndef SYNTAX_LEXER_H
#define SYNTAX_LEXER_H

#include "base/text.h"
#include "base/vector.h"
#include "syntax/parse.h"
#include "syntax/token.h"

typedef struct Lexer {
    const char *begin, *cursor;
    int condition;
} Lexer;

typedef VECTOR(Token) Tokens;

/* TEXT ends in a NUL that its size does not count, and holds no other; OFFSET is where to begin. */
Lexer lexer_open(Text text, uint32_t offset, Dialect dialect);

/* The next token; kind TOKEN_END, again and again, after the last. */
Token lexer_next(Lexer *lexer);

/* Behind a byte order mark and a shebang line. */
uint32_t lexer_preamble(Text text);

#endif
