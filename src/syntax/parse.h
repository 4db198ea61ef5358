/* From text to tree: drives the lexer (grammar/lexer.re) and the Lemon grammars. */
#ifndef SYNTAX_PARSE_H
#define SYNTAX_PARSE_H

#include "syntax/ast.h"

typedef enum Dialect { DIALECT_RECIPE, DIALECT_INSTRUCTIONS } Dialect;

/* Instructions start with `version` and a number (after a shebang line, blank lines and comments);
 * all else is a recipe. */
Dialect source_dialect(Text text);

/* A whole recipe: AST_FILE. Mistakes are reported, all of them in one run, and leave AST_ERROR
 * nodes; never NULL. */
Ast *parse_recipe(Arena *arena, Diags *diags, uint32_t source);
/* The same, whose nodes are in TREES, and may be freed before the texts that they hold. */
Ast *parse_recipe_apart(Arena *arena, Arena *trees, Diags *diags, uint32_t source);

/* An instruction list. */
typedef struct Instruction Instruction;

/* One value of an instruction's argument list. */
typedef struct InstructionArgument {
    Text name; /* empty when positional */
    Span span, name_span;
    enum { ARG_NULL, ARG_BOOL, ARG_INT, ARG_FLOAT, ARG_STRING, ARG_REFERENCE } kind;
    double number;      /* of bool, int and float */
    int64_t integer;    /* of bool and int (saturated) */
    uint32_t reference; /* checked: an earlier instruction */
    Text text;          /* decoded string */
} InstructionArgument;

struct Instruction {
    enum { INSTRUCTION_MODEL, INSTRUCTION_DICT, INSTRUCTION_LITERAL, INSTRUCTION_MERGE } command;
    Span span, command_span;
    InstructionArgument *arguments;
    uint32_t n_arguments;
};

typedef struct InstructionList {
    Instruction *items;
    uint32_t count;
    bool failed; /* something was reported */
} InstructionList;

InstructionList parse_instructions(Arena *arena, Diags *diags, uint32_t source);

#endif
