/* Merge methods and functions as the library knows them: signatures, and bodies as trees.
 *
 * A method is a per-key tensor function; lowering (program/lower.h) reads its body once per class
 * of keys. A conversion is a method whose output keys have other names than its inputs': a list of
 * rules. */
#ifndef RECIPE_METHOD_H
#define RECIPE_METHOD_H

#include "recipe/space.h"
#include "syntax/ast.h"

typedef enum ParameterType {
    PARAMETER_TENSOR, /* a value per key, in one of `spaces` */
    PARAMETER_FLOAT,  /* the rest: one number, word or truth value, known before evaluation */
    PARAMETER_INT,
    PARAMETER_BOOL,
    PARAMETER_STRING,
} ParameterType;

typedef struct Parameter {
    Text name;
    Span span;
    ParameterType type;
    SpaceSet spaces;     /* those allowed */
    int symbol;          /* parameters (and a result) of one symbol are in one space; -1: none */
    bool variadic;       /* takes the remaining positional arguments */
    bool optional;       /* null is a value of it */
    const Ast *fallback; /* its default, or NULL where one must be given */
    Text config;         /* of its keys; empty: the config of the result */
} Parameter;

typedef struct Method {
    Text name;
    Span span; /* of the name */
    Text doc;
    Parameter *parameters;
    uint32_t n_parameters;
    SpaceSet spaces; /* of the result */
    int symbol;
    Text config;               /* of the result's keys; empty: that of its inputs */
    const Ast *body;           /* AST_BLOCK; NULL for a conversion */
    const Ast *rules;          /* AST_CONVERSION, or NULL */
    const struct Scope *scope; /* where names in the body are looked up */
    const Ast *syntax;         /* the whole definition, for messages and `mecha methods` */
    bool keys_any;             /* a conversion to every config */
    bool asks_component;       /* its body asks of which component a key is: in_component(…) */
} Method;

/* The parameter that operand I of a call with N_OPERANDS operands belongs to. */
uint32_t method_operand(const Method *method, uint32_t n_operands, uint32_t i);

/* The index of the parameter of that name, or -1. */
int method_parameter(const Method *method, Text name);

/* `weighted_sum(a: S, b: S, alpha: param = 0.5) -> S` */
void method_signature(const Method *method, Builder *out);
/* The same of a definition's tree: AST_METHOD, AST_DEF or AST_CONVERSION. */
void syntax_signature(const Ast *syntax, Builder *out);

#endif
