/* A file as written: the tree of the recipe language, and the rows of an instruction list.
 *
 * Everything lives in the Arena given to the parser; spans lead back to the source. */
#ifndef SYNTAX_AST_H
#define SYNTAX_AST_H

#include "base/arena.h"
#include "base/text.h"
#include "diag/diag.h"

#include <stdbool.h>

typedef enum AstKind {
    /* expressions */
    AST_NULL,
    AST_BOOL,     /* number: 0 or 1 */
    AST_INT,      /* number, and integer */
    AST_FLOAT,    /* number */
    AST_STRING,   /* text, decoded */
    AST_NAME,     /* text */
    AST_LIST,     /* items */
    AST_MAP,      /* items: AST_ENTRY */
    AST_ENTRY,    /* a: pattern (AST_STRING glob, AST_NAME block, AST_RANGE of names); b: value */
    AST_RANGE,    /* a .. b; either may be NULL in an index (x[1..]) */
    AST_CALL,     /* a: callee (an AST_NAME, or an AST_MEMBER of an import); items: AST_ARGUMENT */
    AST_ARGUMENT, /* text: its name, empty when positional; a: value */
    AST_INDEX,    /* a[items] */
    AST_MEMBER,   /* a.text */
    AST_AS,       /* a as b (AST_STRING) */
    AST_UNARY,    /* op, a */
    AST_BINARY,   /* a op b; long chains lean to the left, and are walked in a loop down `a` */
    AST_IF,       /* if a then b else c */
    AST_FOR,      /* [a for text in b if c]: a list; c may be NULL */
    AST_REPEAT, /* repeat a with items (AST_BIND: state = start) b: AST_BLOCK of bindings whose last
                   statement is AST_NEXT; its value is the list of the final state, or the one state
                 */
    AST_BLOCK, /* items: statements, the last one an expression (its value), AST_NEXT in a repeat */
    AST_NEXT,  /* next items (one expression per state) until a (may be NULL) */
    /* statements */
    AST_BIND,   /* text = a */
    AST_PARAM,  /* param text: b (AST_TYPE) = a in c (AST_RANGE or AST_LIST) "doc" */
    AST_DEF,    /* def text(items: AST_FORMAL) = a (an expression or AST_BLOCK) */
    AST_METHOD, /* method text(items: AST_FORMAL) -> b (AST_TYPE) a: AST_BLOCK */
    AST_FORMAL, /* text: its name; variadic; b: AST_TYPE or NULL; a: default or NULL */
    AST_TYPE, /* text: `weight`, `delta`, `param`, `S`, `float`, `int`, `bool`, `str`, …; optional
                 (`int?`); items: alternatives (`weight | delta`), a: config (AST_STRING) after
                 `as`, or NULL */
    AST_IMPORT,     /* import a (AST_STRING) as text */
    AST_SAVE,       /* save a to b, items: AST_ARGUMENT options */
    AST_CONFIG,     /* config a (AST_STRING) { items } */
    AST_CONVERSION, /* conversion text from a to b (…) { items: AST_RULE } ; see docs/language.md */
    AST_RULE,       /* a (AST_STRING pattern or AST_LIST of them) = b */
    AST_FILE,       /* items: statements */
    AST_ERROR       /* what could not be parsed; said already */
} AstKind;

typedef enum AstOp {
    AST_ADD,
    AST_SUB,
    AST_MUL,
    AST_DIV,
    AST_POW,
    AST_NEG,
    AST_EQ,
    AST_NE,
    AST_LT,
    AST_LE,
    AST_GT,
    AST_GE,
    AST_AND,
    AST_OR,
    AST_NOT,
    AST_FALLBACK /* | */
} AstOp;

typedef struct Ast Ast;
struct Ast {
    AstKind kind;
    AstOp op;
    bool variadic, optional;
    Span span;      /* all of it */
    Span name_span; /* of `text`, where it is a name */
    Text text;      /* name, decoded string; of numbers: as written */
    Text doc; /* the comment lines right above a method or def, without `#`; the doc string of a
                 param */
    double number;
    int64_t integer;
    Ast *a, *b, *c;
    Ast **items;
    uint32_t n_items;
};

enum {
    NESTING_LIMIT = 200
}; /* of expressions in a source; left-leaning operator chains do not count */

#endif
