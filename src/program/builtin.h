/* The functions of the tensor language: what bodies of methods are made of, besides operators.
 * Inside program/: builtin.c finds them by name and binds their arguments; builtin_*.c are they, by
 * topic; builtin.def is the table. */
#ifndef PROGRAM_BUILTIN_H
#define PROGRAM_BUILTIN_H

#include "program/term.h"

enum { PARAMETER_LIMIT = 8 };

/* A call of a builtin while it is worked on. */
typedef struct Call {
    Lower *lower;
    const Ast *ast;
    Text name;
    Term arguments[PARAMETER_LIMIT]; /* by place in the signature; null where left out */
    const Ast *given[PARAMETER_LIMIT];
    uint32_t n_arguments; /* the number given, where the signature is variadic */
    const Term *rest;     /* of a variadic one: all arguments */
} Call;

#define BUILTIN(signature, types, function, doc) Term builtin_##function(Call *call);
#include "program/builtin.def"
#undef BUILTIN

/* The error that argument I should have been what FORMAT says; returns poison. */
Term argument_wants(const Call *call, uint32_t i, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reading arguments: each returns false after an error. */

/* A number that is known now; FALLBACK where it is left out. */
bool argument_number(const Call *call, uint32_t i, double fallback, double *number);
/* A dimension of a tensor, negative ones from the end. */
bool argument_axis(const Call *call, uint32_t i, uint32_t rank, int *axis);
/* A number or tensor. */
bool argument_value(const Call *call, uint32_t i);
/* A list of whole numbers, or one; -1 is UINT64_MAX. */
bool argument_dims(const Call *call, uint32_t i, Shape *shape);

/* A shape of a tensor that could be, or a tensor of it. */
bool argument_shape(const Call *call, uint32_t i, Shape *shape);

Term map1(Lower *lower, OpCode op, Term a, Span span);
Term map2(Lower *lower, OpCode op, Term a, Term b, Span span);

#endif
