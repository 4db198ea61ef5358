// The instruction list: one instruction a line. Each action is one call (src/syntax/rows.h).

%name InstructionParser
%token_prefix I_
%token_type {Token}
%extra_argument {Rows *rows}
%start_symbol list
%stack_size 64

%include {
#include "syntax/rows.h"

/* The generated code checks and traces itself, which costs time. */
#define NDEBUG
#include <assert.h>
}

// A command is a word like others where an argument is expected.
%fallback WORD VERSION MODEL DICT LITERAL MERGE.

%syntax_error { rows_unexpected(rows, TOKEN); }

list ::= lines.

lines ::= .
lines ::= lines NEWLINE.
lines ::= lines line NEWLINE.
lines ::= lines error NEWLINE.            { rows_lost(rows); yypParser->yyerrcnt = -1; }

line ::= VERSION(C) arguments.            { rows_version(rows, C); }
line ::= MODEL(C) arguments.              { rows_add(rows, INSTRUCTION_MODEL, C); }
line ::= DICT(C) arguments.               { rows_add(rows, INSTRUCTION_DICT, C); }
line ::= LITERAL(C) arguments.            { rows_add(rows, INSTRUCTION_LITERAL, C); }
line ::= MERGE(C) arguments.              { rows_add(rows, INSTRUCTION_MERGE, C); }
line ::= WORD(C) arguments.               { rows_unknown(rows, C); }

arguments ::= .
arguments ::= arguments value.
arguments ::= arguments KEY(K) value.     { rows_name(rows, K); }

value ::= NULL(T).                        { rows_value(rows, ARG_NULL, T); }
value ::= TRUE(T).                        { rows_value(rows, ARG_BOOL, T); }
value ::= FALSE(T).                       { rows_value(rows, ARG_BOOL, T); }
value ::= INT(T).                         { rows_value(rows, ARG_INT, T); }
value ::= FLOAT(T).                       { rows_value(rows, ARG_FLOAT, T); }
value ::= STRING(T).                      { rows_value(rows, ARG_STRING, T); }
value ::= REFERENCE(T).                   { rows_value(rows, ARG_REFERENCE, T); }
value ::= WORD(T).                        { rows_word(rows, T); }
