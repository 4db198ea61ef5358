/* Conversions: which rule makes a key of the target, and from which keys of the source.
 *
 * A pattern holds placeholders, `{name}`, each of which matches a run of characters: `{i}`-like
 * names of one letter digits only, others anything. The same placeholder in a rule's sources stands
 * for what it matched. */
#ifndef SOLVE_CONVERSION_H
#define SOLVE_CONVERSION_H

#include "recipe/method.h"

/* A key of an operand that a rule reads. */
typedef struct ConversionSource {
    const Ast *reference; /* the x["…"] of the rule */
    uint32_t parameter;
    Text key;
} ConversionSource;

typedef struct ConversionRule {
    const Ast *rule;           /* AST_RULE */
    ConversionSource *sources; /* in order of appearance */
    uint32_t n_sources;
} ConversionRule;

/* The first rule of a conversion whose pattern matches KEY; false where it has none. */
bool conversion_find(Arena *arena, const Method *method, Text key, ConversionRule *rule);

#endif
