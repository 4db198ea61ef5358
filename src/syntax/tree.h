/* What the actions of grammar/recipe.y call: one constructor for each rule. A constructor makes a
 * node and says what the grammar cannot: `a < b < c`, a value that nobody uses, a statement out of
 * place. */
#ifndef SYNTAX_TREE_H
#define SYNTAX_TREE_H

#include "syntax/ast.h"
#include "syntax/layout.h"

typedef struct Parser {
    Arena *arena, *trees; /* for texts, and for nodes */
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

/* Items as a node will have them: there is room for a power of two of them. */
typedef struct AstList {
    Ast **items;
    uint32_t count;
} AstList;

AstList list_empty(void);
AstList list_add(Parser *parser, AstList list, Ast *item);
/* NULL where there is none. */
Ast *list_last(AstList list);

/* Says that FOUND is not what could follow; EXPECTED tells for every token of the grammar whether
 * it could. */
void complain(Parser *parser, Token found, const bool *expected);
void complain_nesting(Parser *parser);

/* For constructors: the place of a token, and a node that FIELDS describe. node_finish takes
 * the items and measures the depth: every node that has children passes through it. */
Span token_span(const Parser *parser, Token token);
Ast *node_new(Parser *parser, AstKind kind, Span span);
Ast *node_finish(Parser *parser, Ast *node, AstList items);
/* Gives NODE the name that a token is. */
void node_name(Parser *parser, Ast *node, Token name);
/* The comment lines right above a place, without their `#`. */
Text doc_above(Parser *parser, uint32_t begin);

void tree_file(Parser *parser, AstList statements);
Ast *tree_error(Parser *parser, Token newline);
Ast *tree_binding(Parser *parser, Ast *target, Ast *value);
Ast *tree_param(Parser *parser, Token keyword, Token name, Ast *type, Ast *value, Ast *range,
                Ast *doc);
Ast *tree_def(Parser *parser, Token keyword, Token name, AstList formals, Ast *body);
Ast *tree_method(Parser *parser, Token keyword, Token name, AstList formals, Ast *type, Ast *body);
Ast *tree_import(Parser *parser, Token keyword, Token path, Token name);
Ast *tree_save(Parser *parser, Token keyword, Ast *value, Ast *path, AstList options);
Ast *tree_next(Parser *parser, Token keyword, AstList values, Ast *until);
Ast *tree_block(Parser *parser, Token open, AstList statements, Token close);
Ast *tree_formal(Parser *parser, const Token *star, Token name, Ast *type, Ast *value);

Ast *tree_type(Parser *parser, AstList alternatives, const Token *config);
Ast *tree_type_name(Parser *parser, Token name);
Ast *tree_type_list(Parser *parser, Token open, Ast *element, Token close);
Ast *tree_type_optional(Parser *parser, Ast *type, Token question);

Ast *tree_null(Parser *parser, Token token);
Ast *tree_bool(Parser *parser, Token token, bool value);
Ast *tree_int(Parser *parser, Token token);
Ast *tree_float(Parser *parser, Token token);
Ast *tree_string(Parser *parser, Token token);
Ast *tree_name(Parser *parser, Token token);
Ast *tree_block_name(Parser *parser, Token token);
Ast *tree_group(Parser *parser, Token open, Ast *inner, Token close);
Ast *tree_list(Parser *parser, Token open, AstList items, Token close);
Ast *tree_map(Parser *parser, Token open, AstList entries, Token close);
Ast *tree_entry(Parser *parser, Ast *pattern, Ast *value);
Ast *tree_for(Parser *parser, Token open, Ast *value, Token name, Ast *list, Ast *condition,
              Token close);
Ast *tree_range(Parser *parser, Ast *from, Token dots, Ast *to);
Ast *tree_call(Parser *parser, Ast *callee, AstList arguments, Token close);
Ast *tree_argument(Parser *parser, const Token *name, Ast *value);
Ast *tree_index(Parser *parser, Ast *value, AstList indices, Token close);
Ast *tree_member(Parser *parser, Ast *value, Token name);
Ast *tree_as(Parser *parser, Ast *value, Token config);
Ast *tree_unary(Parser *parser, AstOp op, Token operator, Ast * value);
Ast *tree_binary(Parser *parser, AstOp op, Ast *left, Ast *right);
Ast *tree_comparison(Parser *parser, AstOp op, Ast *left, Token operator, Ast * right);
Ast *tree_if(Parser *parser, Token keyword, Ast *condition, Ast *yes, Ast *no);
Ast *tree_repeat(Parser *parser, Token keyword, Ast *times, AstList states, Ast *block);
Ast *tree_state(Parser *parser, Token name, Ast *value);

Ast *tree_config(Parser *parser, Token keyword, Token name, AstList attributes, Ast *body);
Ast *tree_template(Parser *parser, Token keyword, Token name, AstList formals, Ast *body);
/* NAME is the keyword where the conversion has none. */
Ast *tree_conversion(Parser *parser, Token keyword, Token name, Token from, Token to,
                     AstList formals, Ast *type, Ast *body);
Ast *tree_body(Parser *parser, Token open, AstList items, Token close);
Ast *tree_item(Parser *parser, Ast *expression);
Ast *tree_key(Parser *parser, Token key, Ast *type, AstList attributes);
Ast *tree_prefix(Parser *parser, Token prefix, AstList attributes, Ast *body);
Ast *tree_component(Parser *parser, Token keyword, Token name, AstList attributes, Ast *body);
Ast *tree_each(Parser *parser, Token keyword, Token name, Ast *list, Ast *body);
Ast *tree_when(Parser *parser, Token keyword, Ast *condition, Ast *yes, Ast *no);
Ast *tree_attribute(Parser *parser, Token keyword, const Token *value);

#endif
