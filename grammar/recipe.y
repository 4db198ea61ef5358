// The recipe language. Each action is one call to a constructor (src/syntax/tree.h).
//
// The layout (src/syntax/layout.h) prepares the tokens: NEWLINE ends every statement, the last of a block too; MAP_OPEN begins
// a map literal, BLOCK_OPEN a block; keywords that stand where only a name can are NAMEs.

%name RecipeParser
%token_prefix T_
%token_type {Token}
%extra_argument {Parser *parser}
%default_type {Ast *}
%start_symbol file
%stack_size 10000

%include {
#include "syntax/tree.h"

/* The generated code checks and traces itself, which costs time. */
#define NDEBUG
#include <assert.h>
}

// Keywords that may be names wherever they mean nothing else, then those that may not.
%token PARAM DEF METHOD IMPORT SAVE CONFIG CONVERSION TEMPLATE COMPONENT OPTIONAL ALIAS BLOCK DTYPE DOTS NEXT UNTIL TO FROM WITH.
%token REPEAT IF THEN ELSE FOR IN AS AND OR NOT TRUE FALSE NULL.
%fallback NAME PARAM DEF METHOD IMPORT SAVE CONFIG CONVERSION TEMPLATE COMPONENT OPTIONAL ALIAS BLOCK DTYPE DOTS NEXT UNTIL TO FROM WITH.

%nonassoc IF ELSE.
%left     PIPE.
%left     OR.
%left     AND.
%right    NOT.
%left     EQ NE LT LE GT GE.
%left     PLUS MINUS.
%left     STAR SLASH.
%right    NEGATE.
%right    CARET.
%left     LP LB DOT AS.

%syntax_error {
    bool expected[YYNTOKEN];
    for (int i = 0; i < YYNTOKEN; i++)
        expected[i] = yy_find_shift_action((YYCODETYPE)i, yypParser->yytos->stateno) != YY_ERROR_ACTION;
    complain(parser, TOKEN, expected);
}
%stack_overflow { complain_nesting(parser); }

file ::= statements(L).                                   { tree_file(parser, L); }

// Statements
%type statements {AstList}
statements(L) ::= .                                       { L = list_empty(); }
statements(L) ::= statements(K) statement(S) NEWLINE.     { L = list_add(parser, K, S); }
statements(L) ::= statements(K) error NEWLINE(N).         { L = list_add(parser, K, tree_error(parser, N)); yypParser->yyerrcnt = -1; }

statement(S) ::= expr(S).
statement(S) ::= expr(A) EQUALS expr(V).                  { S = tree_binding(parser, A, V); }
statement(S) ::= PARAM(K) NAME(N) COLON type(T) default(D) range_in(R) doc(C). { S = tree_param(parser, K, N, T, D, R, C); }
statement(S) ::= DEF(K) NAME(N) LP formals(F) RP EQUALS expr(E). { S = tree_def(parser, K, N, F, E); }
statement(S) ::= DEF(K) NAME(N) LP formals(F) RP block(B). { S = tree_def(parser, K, N, F, B); }
statement(S) ::= METHOD(K) NAME(N) LP formals(F) RP ARROW type(T) block(B). { S = tree_method(parser, K, N, F, T, B); }
statement(S) ::= IMPORT(K) STRING(P) AS NAME(N).          { S = tree_import(parser, K, P, N); }
statement(S) ::= SAVE(K) expr(E) saved_to(P) options(O).  { S = tree_save(parser, K, E, P, O); }
statement(S) ::= NEXT(K) exprs(L) until(U).               { S = tree_next(parser, K, L, U); }
statement(S) ::= CONFIG(K) STRING(N) body(B).             { S = tree_config(parser, K, N, list_empty(), B); }
statement(S) ::= CONFIG(K) STRING(N) attributes(A) body(B). { S = tree_config(parser, K, N, A, B); }
statement(S) ::= CONVERSION(K) FROM STRING(A) TO STRING(B) LP formals(F) RP result(R) body(C). { S = tree_conversion(parser, K, K, A, B, F, R, C); }
statement(S) ::= CONVERSION(K) NAME(N) FROM STRING(A) TO STRING(B) LP formals(F) RP result(R) body(C). { S = tree_conversion(parser, K, N, A, B, F, R, C); }
statement(S) ::= template(S).

result(T) ::= .                                           { T = NULL; }
result(T) ::= ARROW type(E).                              { T = E; }

template(S) ::= TEMPLATE(K) NAME(N) LP formals(F) RP body(B). { S = tree_template(parser, K, N, F, B); }

block(B) ::= BLOCK_OPEN(O) statements(L) BLOCK_CLOSE(C).  { B = tree_block(parser, O, L, C); }

default(D) ::= .                                          { D = NULL; }
default(D) ::= EQUALS expr(E).                            { D = E; }
range_in(R) ::= .                                         { R = NULL; }
range_in(R) ::= IN range(E).                              { R = E; }
doc(C) ::= .                                              { C = NULL; }
doc(C) ::= STRING(T).                                     { C = tree_string(parser, T); }
until(U) ::= .                                            { U = NULL; }
until(U) ::= UNTIL expr(E).                               { U = E; }

saved_to(P) ::= .                                         { P = NULL; }
saved_to(P) ::= TO expr(E).                               { P = E; }

%type options {AstList}
options(L) ::= .                                          { L = list_empty(); }
options(L) ::= options(K) COMMA NAME(N) EQUALS expr(E).   { L = list_add(parser, K, tree_argument(parser, &N, E)); }

%type formals {AstList}
%type formals1 {AstList}
formals(L) ::= .                                          { L = list_empty(); }
formals(L) ::= formals1(L).
formals(L) ::= formals1(L) COMMA.
formals1(L) ::= formal(F).                                { L = list_add(parser, list_empty(), F); }
formals1(L) ::= formals1(K) COMMA formal(F).              { L = list_add(parser, K, F); }
formal(F) ::= NAME(N) type_of(T) default(D).              { F = tree_formal(parser, NULL, N, T, D); }
formal(F) ::= STAR(S) NAME(N) type_of(T) default(D).      { F = tree_formal(parser, &S, N, T, D); }

type_of(T) ::= .                                          { T = NULL; }
type_of(T) ::= COLON type(E).                             { T = E; }

// Types
type(T) ::= alternatives(L).                              { T = tree_type(parser, L, NULL); }
type(T) ::= alternatives(L) AS STRING(C).                 { T = tree_type(parser, L, &C); }
%type alternatives {AstList}
alternatives(L) ::= alternative(T).                       { L = list_add(parser, list_empty(), T); }
alternatives(L) ::= alternatives(K) PIPE alternative(T).  { L = list_add(parser, K, T); }
alternative(T) ::= NAME(N).                               { T = tree_type_name(parser, N); }
alternative(T) ::= LB(O) type(E) RB(C).                   { T = tree_type_list(parser, O, E, C); }
alternative(T) ::= alternative(K) QUESTION(Q).            { T = tree_type_optional(parser, K, Q); }

// Expressions
expr(E) ::= NULL(T).                                      { E = tree_null(parser, T); }
expr(E) ::= TRUE(T).                                      { E = tree_bool(parser, T, true); }
expr(E) ::= FALSE(T).                                     { E = tree_bool(parser, T, false); }
expr(E) ::= INT(T).                                       { E = tree_int(parser, T); }
expr(E) ::= FLOAT(T).                                     { E = tree_float(parser, T); }
expr(E) ::= STRING(T).                                    { E = tree_string(parser, T); }
expr(E) ::= NAME(T).                                      { E = tree_name(parser, T); }
expr(E) ::= LP(O) expr(A) RP(C).                          { E = tree_group(parser, O, A, C); }
expr(E) ::= LB(O) RB(C).                                  { E = tree_list(parser, O, list_empty(), C); }
expr(E) ::= LB(O) exprs(L) RB(C).                         { E = tree_list(parser, O, L, C); }
expr(E) ::= LB(O) exprs(L) COMMA RB(C).                   { E = tree_list(parser, O, L, C); }
expr(E) ::= LB(O) expr(A) FOR NAME(N) IN range(B) RB(C).  { E = tree_for(parser, O, A, N, B, NULL, C); }
expr(E) ::= LB(O) expr(A) FOR NAME(N) IN range(B) IF expr(F) RB(C). { E = tree_for(parser, O, A, N, B, F, C); }
expr(E) ::= MAP_OPEN(O) MAP_CLOSE(C).                     { E = tree_map(parser, O, list_empty(), C); }
expr(E) ::= MAP_OPEN(O) entries(L) MAP_CLOSE(C).          { E = tree_map(parser, O, L, C); }
expr(E) ::= MAP_OPEN(O) entries(L) COMMA MAP_CLOSE(C).    { E = tree_map(parser, O, L, C); }
expr(E) ::= expr(A) LP RP(C).                             { E = tree_call(parser, A, list_empty(), C); }
expr(E) ::= expr(A) LP arguments(L) RP(C).                { E = tree_call(parser, A, L, C); }
expr(E) ::= expr(A) LP arguments(L) COMMA RP(C).          { E = tree_call(parser, A, L, C); }
expr(E) ::= expr(A) LB indices(L) RB(C).                  { E = tree_index(parser, A, L, C); }
expr(E) ::= expr(A) DOT NAME(N).                          { E = tree_member(parser, A, N); }
expr(E) ::= expr(A) AS STRING(S).                         { E = tree_as(parser, A, S); }
expr(E) ::= expr(A) CARET expr(B).                        { E = tree_binary(parser, AST_POW, A, B); }
expr(E) ::= MINUS(O) expr(A). [NEGATE]                    { E = tree_unary(parser, AST_NEG, O, A); }
expr(E) ::= expr(A) STAR expr(B).                         { E = tree_binary(parser, AST_MUL, A, B); }
expr(E) ::= expr(A) SLASH expr(B).                        { E = tree_binary(parser, AST_DIV, A, B); }
expr(E) ::= expr(A) PLUS expr(B).                         { E = tree_binary(parser, AST_ADD, A, B); }
expr(E) ::= expr(A) MINUS expr(B).                        { E = tree_binary(parser, AST_SUB, A, B); }
expr(E) ::= expr(A) EQ(O) expr(B).                        { E = tree_comparison(parser, AST_EQ, A, O, B); }
expr(E) ::= expr(A) NE(O) expr(B).                        { E = tree_comparison(parser, AST_NE, A, O, B); }
expr(E) ::= expr(A) LT(O) expr(B).                        { E = tree_comparison(parser, AST_LT, A, O, B); }
expr(E) ::= expr(A) LE(O) expr(B).                        { E = tree_comparison(parser, AST_LE, A, O, B); }
expr(E) ::= expr(A) GT(O) expr(B).                        { E = tree_comparison(parser, AST_GT, A, O, B); }
expr(E) ::= expr(A) GE(O) expr(B).                        { E = tree_comparison(parser, AST_GE, A, O, B); }
expr(E) ::= NOT(O) expr(A).                               { E = tree_unary(parser, AST_NOT, O, A); }
expr(E) ::= expr(A) AND expr(B).                          { E = tree_binary(parser, AST_AND, A, B); }
expr(E) ::= expr(A) OR expr(B).                           { E = tree_binary(parser, AST_OR, A, B); }
expr(E) ::= expr(A) PIPE expr(B).                         { E = tree_binary(parser, AST_FALLBACK, A, B); }
expr(E) ::= IF(K) expr(A) THEN expr(B) ELSE expr(C). [IF] { E = tree_if(parser, K, A, B, C); }
expr(E) ::= REPEAT(K) expr(A) WITH states(L) block(B).    { E = tree_repeat(parser, K, A, L, B); }

%type exprs {AstList}
exprs(L) ::= expr(E).                                     { L = list_add(parser, list_empty(), E); }
exprs(L) ::= exprs(K) COMMA expr(E).                      { L = list_add(parser, K, E); }

range(R) ::= expr(R).
range(R) ::= expr(A) DOTDOT(D) expr(B).                   { R = tree_range(parser, A, D, B); }

%type indices {AstList}
indices(L) ::= index(I).                                  { L = list_add(parser, list_empty(), I); }
indices(L) ::= indices(K) COMMA index(I).                 { L = list_add(parser, K, I); }
index(I) ::= range(I).
index(I) ::= expr(A) DOTDOT(D).                           { I = tree_range(parser, A, D, NULL); }
index(I) ::= DOTDOT(D) expr(B).                           { I = tree_range(parser, NULL, D, B); }
index(I) ::= DOTDOT(D).                                   { I = tree_range(parser, NULL, D, NULL); }

%type arguments {AstList}
arguments(L) ::= argument(A).                             { L = list_add(parser, list_empty(), A); }
arguments(L) ::= arguments(K) COMMA argument(A).          { L = list_add(parser, K, A); }
argument(A) ::= expr(E).                                  { A = tree_argument(parser, NULL, E); }
argument(A) ::= NAME(N) EQUALS expr(E).                   { A = tree_argument(parser, &N, E); }

%type entries {AstList}
entries(L) ::= entry(E).                                  { L = list_add(parser, list_empty(), E); }
entries(L) ::= entries(K) COMMA entry(E).                 { L = list_add(parser, K, E); }
entry(E) ::= pattern(P) COLON expr(V).                    { E = tree_entry(parser, P, V); }
pattern(P) ::= STRING(S).                                 { P = tree_string(parser, S); }
pattern(P) ::= block_name(P).
pattern(P) ::= block_name(A) DOTDOT(D) block_name(B).     { P = tree_range(parser, A, D, B); }
block_name(N) ::= NAME(T).                                { N = tree_block_name(parser, T); }

%type states {AstList}
states(L) ::= state(S).                                   { L = list_add(parser, list_empty(), S); }
states(L) ::= states(K) COMMA state(S).                   { L = list_add(parser, K, S); }
state(S) ::= NAME(N) EQUALS expr(E).                      { S = tree_state(parser, N, E); }

// Items of configs, templates and conversions
body(B) ::= BLOCK_OPEN(O) items(L) BLOCK_CLOSE(C).        { B = tree_body(parser, O, L, C); }

%type items {AstList}
items(L) ::= .                                            { L = list_empty(); }
items(L) ::= items(K) item(I) NEWLINE.                    { L = list_add(parser, K, I); }
items(L) ::= items(K) error NEWLINE(N).                   { L = list_add(parser, K, tree_error(parser, N)); yypParser->yyerrcnt = -1; }

item(I) ::= expr(E).                                      { I = tree_item(parser, E); }
item(I) ::= expr(A) EQUALS expr(V).                       { I = tree_binding(parser, A, V); }
item(I) ::= STRING(S) COLON expr(E).                      { I = tree_key(parser, S, E, list_empty()); }
item(I) ::= STRING(S) COLON expr(E) attributes(A).        { I = tree_key(parser, S, E, A); }
item(I) ::= STRING(S) attributes(A).                      { I = tree_key(parser, S, NULL, A); }
item(I) ::= STRING(S) body(B).                            { I = tree_prefix(parser, S, list_empty(), B); }
item(I) ::= STRING(S) attributes(A) body(B).              { I = tree_prefix(parser, S, A, B); }
item(I) ::= COMPONENT(K) NAME(N) body(B).                 { I = tree_component(parser, K, N, list_empty(), B); }
item(I) ::= COMPONENT(K) NAME(N) attributes(A) body(B).   { I = tree_component(parser, K, N, A, B); }
item(I) ::= FOR(K) NAME(N) IN range(R) body(B).           { I = tree_each(parser, K, N, R, B); }
item(I) ::= when(I).
item(I) ::= template(I).

when(W) ::= IF(K) expr(C) body(B).                        { W = tree_when(parser, K, C, B, NULL); }
when(W) ::= IF(K) expr(C) body(B) ELSE body(E).           { W = tree_when(parser, K, C, B, E); }
when(W) ::= IF(K) expr(C) body(B) ELSE when(E).           { W = tree_when(parser, K, C, B, E); }

%type attributes {AstList}
attributes(L) ::= attribute(A).                           { L = list_add(parser, list_empty(), A); }
attributes(L) ::= attributes(K) attribute(A).             { L = list_add(parser, K, A); }
attribute(A) ::= OPTIONAL(K).                             { A = tree_attribute(parser, K, NULL); }
attribute(A) ::= ALIAS(K) STRING(V).                      { A = tree_attribute(parser, K, &V); }
attribute(A) ::= BLOCK(K) STRING(V).                      { A = tree_attribute(parser, K, &V); }
attribute(A) ::= DTYPE(K) STRING(V).                      { A = tree_attribute(parser, K, &V); }
attribute(A) ::= DOTS(K) STRING(V).                       { A = tree_attribute(parser, K, &V); }
