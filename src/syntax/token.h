/* What the lexer finds: a kind (T_… of recipes, I_… of instruction lists) and a place. */
#ifndef SYNTAX_TOKEN_H
#define SYNTAX_TOKEN_H

#include <stdint.h>

/* What can be wrong with a single token; problem.def has the words. */
typedef enum Problem {
    PROBLEM_NONE,
#define PROBLEM(name, message, hint) PROBLEM_##name,
#include "syntax/problem.def"
#undef PROBLEM
} Problem;

/* Kinds that no grammar sees: the layout takes them out. */
enum { TOKEN_END = 0, TOKEN_COMMENT = 1000, TOKEN_BRACE, TOKEN_UNBRACE, TOKEN_SEMICOLON };

typedef struct Token {
    uint16_t kind; /* of a token with a problem: what was probably meant */
    uint16_t problem;
    uint32_t begin, end;
} Token;

#endif
