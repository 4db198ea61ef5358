/* What the actions of grammar/instructions.y call: they gather the arguments of a line, and check
 * them when its command is known. */
#ifndef SYNTAX_ROWS_H
#define SYNTAX_ROWS_H

#include "base/map.h"
#include "syntax/lexer.h"

typedef struct Rows {
    Arena *arena;
    Diags *diags;
    uint32_t source;
    Text text;
    VECTOR(Instruction) instructions;
    VECTOR(InstructionArgument) arguments; /* of the line at hand */
    bool versioned;                        /* the version line was there, or its absence was said */
    bool failed;                           /* something was said */
    bool silent;                           /* about this line */
    uint16_t command;                      /* the first token of this line */
} Rows;

void rows_unexpected(Rows *rows, Token found);
/* Lines that are no instructions still count, so that references to others stay right. */
void rows_lost(Rows *rows);
void rows_unknown(Rows *rows, Token command);
void rows_version(Rows *rows, Token command);
void rows_add(Rows *rows, int command, Token name);

void rows_value(Rows *rows, int kind, Token token);
/* A word that is no value as it stands: with its backslashes taken away it may be one. */
void rows_word(Rows *rows, Token token);
/* Names the last argument. */
void rows_name(Rows *rows, Token key);

#endif
