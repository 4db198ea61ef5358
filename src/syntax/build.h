/* What the actions of grammar/recipe.y call: one constructor for each rule. A constructor makes a
 * node and says what the grammar cannot: `a < b < c`, a value that nobody uses, a statement out of
 * place. */
#ifndef SYNTAX_BUILD_H
#define SYNTAX_BUILD_H

#include "syntax/ast.h"
#include "syntax/layout.h"

typedef struct Parser {
    Arena *arena;
    Diags *diags;
    Layout layout;
    bool recovering; /* the grammar discards what is left of this statement */
    bool too_deep;   /* said once */
    bool stopped;    /* the grammar's stack is full */
    Token first;     /* of this statement */
    Token previous;  /* before the one being parsed */
    int64_t version; /* of the line `mecha 1`; 0 without */
    Ast *file;
} Parser;

typedef struct AstList {
    Ast *first, *last;
    uint32_t count;
} AstList;

AstList list_empty(void);
AstList list_add(AstList list, Ast *item);

/* Says that FOUND is not what could follow; EXPECTED tells for every token of the grammar whether
 * it could. */
void complain(Parser *parser, Token found, const bool *expected);
void complain_nesting(Parser *parser);

/* For constructors: the place of a token, and a node that FIELDS describe. node_finish turns items
 * into an array and measures the depth: every node that has children passes through it. */
Span token_span(const Parser *parser, Token token);
Ast *node_new(Parser *parser, AstKind kind, Span span);
Ast *node_finish(Parser *parser, Ast *node, AstList items);
/* Gives NODE the name that a token is. */
void node_name(Parser *parser, Ast *node, Token name);
/* The comment lines right above a place, without their `#`. */
Text doc_above(Parser *parser, uint32_t begin);

void build_file(Parser *parser, AstList statements);
Ast *build_error(Parser *parser, Token newline);
Ast *build_binding(Parser *parser, Ast *target, Ast *value);
Ast *build_param(Parser *parser, Token keyword, Token name, Ast *type, Ast *value, Ast *range,
                 Ast *doc);
Ast *build_def(Parser *parser, Token keyword, Token name, AstList formals, Ast *body);
Ast *build_method(Parser *parser, Token keyword, Token name, AstList formals, Ast *type, Ast *body);
Ast *build_import(Parser *parser, Token keyword, Token path, Token name);
Ast *build_save(Parser *parser, Token keyword, Ast *value, Ast *path, AstList options);
Ast *build_next(Parser *parser, Token keyword, AstList values, Ast *until);
Ast *build_block(Parser *parser, Token open, AstList statements, Token close);
Ast *build_formal(Parser *parser, const Token *star, Token name, Ast *type, Ast *value);

Ast *build_type(Parser *parser, AstList alternatives, const Token *config);
Ast *build_type_name(Parser *parser, Token name);
Ast *build_type_list(Parser *parser, Token open, Ast *element, Token close);
Ast *build_type_optional(Parser *parser, Ast *type, Token question);

Ast *build_null(Parser *parser, Token token);
Ast *build_bool(Parser *parser, Token token, bool value);
Ast *build_int(Parser *parser, Token token);
Ast *build_float(Parser *parser, Token token);
Ast *build_string(Parser *parser, Token token);
Ast *build_name(Parser *parser, Token token);
Ast *build_group(Parser *parser, Token open, Ast *inner, Token close);
Ast *build_list(Parser *parser, Token open, AstList items, Token close);
Ast *build_map(Parser *parser, Token open, AstList entries, Token close);
Ast *build_entry(Parser *parser, Ast *pattern, Ast *value);
Ast *build_for(Parser *parser, Token open, Ast *value, Token name, Ast *list, Ast *condition,
               Token close);
Ast *build_range(Parser *parser, Ast *from, Token dots, Ast *to);
Ast *build_call(Parser *parser, Ast *callee, AstList arguments, Token close);
Ast *build_argument(Parser *parser, const Token *name, Ast *value);
Ast *build_index(Parser *parser, Ast *value, AstList indices, Token close);
Ast *build_member(Parser *parser, Ast *value, Token name);
Ast *build_as(Parser *parser, Ast *value, Token config);
Ast *build_unary(Parser *parser, AstOp op, Token operator, Ast * value);
Ast *build_binary(Parser *parser, AstOp op, Ast *left, Ast *right);
Ast *build_comparison(Parser *parser, AstOp op, Ast *left, Token operator, Ast * right);
Ast *build_if(Parser *parser, Token keyword, Ast *condition, Ast *yes, Ast *no);
Ast *build_repeat(Parser *parser, Token keyword, Ast *times, AstList states, Ast *block);
Ast *build_state(Parser *parser, Token name, Ast *value);

Ast *build_config(Parser *parser, Token keyword, Token name, AstList attributes, Ast *body);
Ast *build_template(Parser *parser, Token keyword, Token name, AstList formals, Ast *body);
/* NAME is the keyword where the conversion has none. */
Ast *build_conversion(Parser *parser, Token keyword, Token name, Token from, Token to,
                      AstList formals, Ast *body);
Ast *build_body(Parser *parser, Token open, AstList items, Token close);
Ast *build_item(Parser *parser, Ast *expression);
Ast *build_key(Parser *parser, Token key, Ast *type, AstList attributes);
Ast *build_prefix(Parser *parser, Token prefix, AstList attributes, Ast *body);
Ast *build_component(Parser *parser, Token keyword, Token name, AstList attributes, Ast *body);
Ast *build_each(Parser *parser, Token keyword, Token name, Ast *list, Ast *body);
Ast *build_when(Parser *parser, Token keyword, Ast *condition, Ast *yes, Ast *no);
Ast *build_attribute(Parser *parser, Token keyword, const Token *value);

#endif
