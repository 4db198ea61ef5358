/* A file as written: the tree of the recipe language, and the rows of an instruction list.
 *
 * Everything lives in the Arena given to the parser; spans lead back to the source. */
#ifndef SYNTAX_AST_H
#define SYNTAX_AST_H

#include "base/arena.h"
#include "base/text.h"
#include "diag/diag.h"

#include <stdbool.h>

/* Comments name the fields that a kind uses; all others are zero. */
typedef enum AstKind {
    /* expressions */
    AST_NULL,
    AST_BOOL,   /* number and integer: 0 or 1 */
    AST_INT,    /* number, and integer */
    AST_FLOAT,  /* number */
    AST_STRING, /* text, decoded */
    AST_NAME,   /* text */
    AST_LIST,   /* items */
    AST_MAP,    /* items: AST_ENTRY */
    AST_ENTRY,  /* a: pattern (AST_STRING glob, AST_NAME block, AST_RANGE of names); b: value */
    AST_RANGE,  /* a .. b; either may be NULL in an index (x[1..]), nowhere else */
    AST_CALL,   /* a: callee (any expression: a name, a member of an import); items: AST_ARGUMENT */
    AST_ARGUMENT, /* text: its name, empty when positional; a: value */
    AST_INDEX,    /* a[items]; an item is an expression or an AST_RANGE */
    AST_MEMBER,   /* a.text */
    AST_AS,       /* a as b (AST_STRING) */
    AST_UNARY,    /* op, a */
    AST_BINARY,   /* a op b; long chains lean to the left, and are walked in a loop down `a` */
    AST_IF,       /* if a then b else c */
    AST_FOR,      /* [a for text in b if c]: a list; b may be an AST_RANGE of integers, c NULL */
    AST_REPEAT,   /* repeat a with items (AST_BIND: state = start) b: AST_BLOCK of bindings whose
                     last statement is AST_NEXT; its value is the list of the final states, or the
                     one state */
    AST_BLOCK,    /* items: statements (AST_BIND, AST_RULE), then its value: an expression, or
                     AST_NEXT in a repeat; a block of rules has no value. Of configs, templates and
                     conversions: their items (below) */
    AST_NEXT,     /* next items (one expression per state) until a (may be NULL) */
    /* statements */
    AST_BIND,     /* text = a */
    AST_PARAM,    /* param text: b (AST_TYPE) = a in c (AST_RANGE, AST_LIST or another expression)
                     "doc"; a and c may be NULL */
    AST_DEF,      /* def text(items: AST_FORMAL) = a (an expression or AST_BLOCK) */
    AST_METHOD,   /* method text(items: AST_FORMAL) -> b (AST_TYPE) a: AST_BLOCK */
    AST_FORMAL,   /* text: its name; variadic; b: AST_TYPE or NULL; a: default or NULL */
    AST_TYPE,     /* text: `weight`, `delta`, `param`, `S`, `float`, `int`, `bool`, `str`, …, and
                     `list` with c: the type of its elements, for `[T]`; optional (`int?`); items:
                     alternatives (`weight | delta`, and then no text), a: config (AST_STRING) after
                     `as`, or NULL */
    AST_IMPORT,   /* import a (AST_STRING) as text */
    AST_SAVE,     /* save a to b (may be NULL), items: AST_ARGUMENT options */
    AST_CONFIG,   /* config a (AST_STRING) items: AST_ATTRIBUTE, b: AST_BLOCK of items */
    AST_TEMPLATE, /* template text(items: AST_FORMAL) b: AST_BLOCK of items */
    AST_CONVERSION, /* conversion text from a to b (items: AST_FORMAL) -> b->b c: AST_BLOCK of
                       items; text may be empty; b->b is an AST_TYPE or NULL */
    AST_RULE,       /* a (AST_STRING pattern or AST_LIST of them) = b */
    AST_FILE,       /* items: statements; integer: the version pinned by `mecha 1`, or 0 */
    /* items of configs and templates; those of conversions are AST_BIND, AST_RULE, AST_EACH,
       AST_WHEN. Patterns may hold wildcards: docs/language.md tells which. */
    AST_COMPONENT, /* component text, items: AST_ATTRIBUTE, b: AST_BLOCK */
    AST_PREFIX,    /* a (AST_STRING): what all keys of b (AST_BLOCK) begin with; items:
                      AST_ATTRIBUTE. `"p.": call(…)` is a prefix whose block holds that call */
    AST_KEY,       /* a (AST_STRING): a key, or several; b: shape (AST_LIST) or NULL; items:
                      AST_ATTRIBUTE, a dtype among them */
    AST_EACH,      /* for text in a (AST_RANGE, or a list) b: AST_BLOCK */
    AST_WHEN,      /* if a b: AST_BLOCK else c: AST_BLOCK, AST_WHEN or NULL */
    AST_ATTRIBUTE, /* text: `dtype`, `alias`, `block`, `dots` (a: AST_STRING) or `optional` (no a)
                    */
    AST_ERROR      /* what could not be parsed; said already */
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
    AstKind kind : 8; /* (large recipes have many nodes: these are packed) */
    AstOp op : 8;
    bool variadic : 1, optional : 1;
    bool grouped : 1; /* stands in parentheses, which its span includes */
    uint16_t depth;   /* how deep it nests; at most NESTING_LIMIT */
    uint32_t n_items;
    Span span;      /* all of it */
    Span name_span; /* of `text`, where it is a name */
    Text text;      /* name, decoded string; of numbers: as written */
    union {
        Text doc; /* of statements: the comment lines right above, without `#`; the doc string of a
                     param */
        struct {
            double number;
            int64_t integer;
        }; /* of numbers, and of AST_FILE, which have no doc */
    };
    Ast *a, *b, *c;
    Ast **items;
};

enum {
    NESTING_LIMIT = 200,     /* of brackets, blocks and operators; left-leaning chains of binary
                                operators do not count, so walk those in a loop */
    NAME_LIMIT = 255,        /* bytes of a name */
    SOURCE_LIMIT = 64 << 20, /* bytes of a source */
};

#endif
