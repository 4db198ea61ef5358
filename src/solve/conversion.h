/* Conversions: which rule makes a key of the target, and from which keys of the source.
 *
 * Loops, conditions and templates around rules are read as those of configs are. */
#ifndef SOLVE_CONVERSION_H
#define SOLVE_CONVERSION_H

#include "recipe/method.h"
#include "solve/pattern.h"

/* What a rule's expression can name besides its operands: variables of loops and wildcards. */
typedef struct RuleVariable {
    Text name;
    bool is_number;
    bool used; /* by the expression, and not only by names of keys; wildcards that are not have no
                  value */
    double number;
    Text text;
} RuleVariable;

/* A key of an operand that a rule reads. */
typedef struct ConversionSource {
    const Ast *reference; /* the x["…"] of the rule; NULL where the rule is a renaming */
    uint32_t parameter;
    uint32_t model; /* its place among the parameters that are models */
    Text key;
    KeyId id; /* its number among the keys of the operand's domain; INDEX_NONE: none of them */
} ConversionSource;

typedef struct ConversionRule {
    const Ast *rule;           /* AST_RULE */
    const Ast *expression;     /* NULL: its one source by another name */
    int output;                /* which item of the expression's list it is; -1: all of it */
    bool asks_shape;           /* the expression asks for the shape that the target has */
    ConversionSource *sources; /* in order of appearance */
    uint32_t n_sources;
    const RuleVariable *variables;
    uint32_t n_variables;
} ConversionRule;

typedef struct Conversion Conversion;

/* Whether parameter P is a model that is converted, and not a number or word. */
bool conversion_converts(const Method *method, uint32_t p);

/* Whether parameter P is the model that what is converted is for: it may be left out, and has the
 * keys of the result. */
bool conversion_takes_base(const Method *method, uint32_t p);

/* Whether a conversion turns a model of one config into one of another by itself, as `as` wants it.
 */
bool conversion_is_step(const Method *method);

/* What the operands have, by parameter. Not owned; asked as long as the conversion is. */
typedef struct ConversionOperands {
    /* The number of a key, or INDEX_NONE; *THERE: whether the operand has it. */
    KeyId (*find)(void *context, uint32_t parameter, Text key, bool *there);
    bool (*has_any)(void *context, uint32_t parameter, const KeyForm *form); /* some such key */
    void *context;
} ConversionOperands;

/* Reads the rules of a conversion; SPACE is the name of the merge space of its result. NULL after
 * errors. */
Conversion *conversion_read(Arena *arena, Diags *diags, Configs *configs, const Method *method,
                            Text space, const ConversionOperands *operands);
void conversion_free(Conversion *conversion); /* what is not in the arena */

/* The rule that makes KEY: of those with the first pattern that matches it, the first whose sources
 * are there, but for those that have a `|` behind them; one of them has to be. NULL where there is
 * none. */
const ConversionRule *conversion_find(Conversion *conversion, Text key);

/* Whether conversion_find may find a rule that reads the model that what is converted is for. */
bool conversion_may_read_base(Conversion *conversion);

#endif
