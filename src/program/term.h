/* What an expression of a method's body stands for while a program is lowered: numbers, words and
 * lists that are known now, and tensors that will be computed. (Inside program/: the interpreter of
 * bodies and its functions.) */
#ifndef PROGRAM_TERM_H
#define PROGRAM_TERM_H

#include "base/vector.h"
#include "program/lower.h"
#include "solve/conversion.h"

typedef enum TermKind {
    TERM_POISON, /* a mistake, reported already */
    TERM_ABSENT, /* an input lacks this key */
    TERM_NULL,
    TERM_NUMBER,
    TERM_STRING,
    TERM_TENSOR,
    TERM_LIST,
} TermKind;

/* (Large recipes have one for each node, and bodies hand them around: these are packed.) */
typedef struct Term {
    TermKind kind;
    NumberKind number_kind; /* of a number */
    union {
        double number;
        Text text; /* of a string */
        struct {
            ValueId value;
            DType cast; /* of a tensor that was just cast: its dtype; else DTYPE_NONE */
        };
        struct {
            const struct Term *items;
            uint32_t n_items;
        };
    };
} Term;

typedef struct Local {
    Text name;
    Term term;
} Local;

typedef struct Lower {
    Arena *arena;
    Diags *diags;
    const Solved *solved;
    Program *program;
    Compute compute;
    Text key;
    const KeyLeaves *leaves;
    VECTOR(Local) locals;
    size_t frame;               /* where the locals of the body at hand begin */
    const Scope *scope;         /* of the body at hand */
    NodeId call;                /* the node that is being lowered */
    const ConversionRule *rule; /* being applied, or NULL */
    const Term *sources;        /* the values of the keys that it reads */
    uint32_t depth;             /* of bodies calling methods */
    uint64_t steps;             /* expressions evaluated so far, with those called and repeated */
    uint64_t steps_limit;
    bool precise; /* something asked for f64 */
    VECTOR(Assumption) assumptions;
    const Assumption *refuted; /* those that have turned out to be wrong */
    uint32_t n_refuted;
} Lower;

Term term_number(double number, NumberKind kind);
Term term_bool(bool truth);
Term term_string(Text text);
Term term_tensor(ValueId value);
Term term_list(Lower *lower, const Term *items, uint32_t n);
extern const Term term_poison, term_absent, term_null;

/* Reports a mistake in a body: at SPAN, with the call site as a note, and the shapes that meet
 * there. Once for each place and call, however many keys make it. */
Term lower_error(Lower *lower, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reports what a body refuses, with a hint if there is one: at the call site, or at SPAN where
 * there is none. */
Term lower_refuse(Lower *lower, Span span, Text message, Text hint);

/* Notes what the tensors that reach the call at hand look like. */
void lower_note_shapes(Lower *lower);
/* What to do where the models that meet in the call have different numbers of rows, or of columns,
 * and differ in nothing else; else an empty text. */
Text lower_hint_unequal(Lower *lower);

/* The shape of a number or tensor. */
const Shape *term_dims(Lower *lower, Term term);
ShapeId term_shape(Lower *lower, Term term);
/* The value of a number or tensor in the program. */
ValueId term_value(Lower *lower, Term term);
bool term_is_value(Term term);
/* Whether it is a number that is known before evaluation. */
bool term_is_known(Term term);

/* TERM, or poison after an error where it has more elements than any tensor may. */
Term term_bounded(Lower *lower, Term term, Span span);

/* op over numbers and tensors, which broadcast; numbers alone give a number. */
Term lower_map(Lower *lower, OpCode op, const Term *terms, Span span);

/* A binary or unary (B unused) operator of the language. */
Term lower_operator(Lower *lower, AstOp op, Term a, Term b, Span span);

/* The value of an expression of a body. */
Term lower_expression(Lower *lower, const Ast *ast);
/* x[…], and x["…"] of what a conversion converts. */
Term lower_index(Lower *lower, const Ast *ast);
/* x.shape, x.rank */
Term lower_member(Lower *lower, const Ast *ast);
/* A call of a function of the tensor language; false where it has none of that name. */
bool lower_builtin(Lower *lower, const Ast *call, Text name, Term *out);
/* A rule of a conversion that NODE calls, with the values of the keys that it names, and of the
 * operands that are no models. */
Term lower_rule(Lower *lower, const Node *node, const ConversionRule *rule, const Term *sources,
                const Term *numbers);
/* The body of METHOD with these arguments by parameter. */
Term lower_method(Lower *lower, const Method *method, const Term *arguments, Span span);
#endif
