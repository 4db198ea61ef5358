/* Inside solve/: the definitions of a recipe's own that one of its results needs, by names that
 * nothing else has. */
#ifndef SOLVE_SPELL_DEFINITIONS_H
#define SOLVE_SPELL_DEFINITIONS_H

#include "base/map.h"
#include "base/vector.h"
#include "solve/solve.h"

typedef struct SpelledDefinition {
    const Definition *definition;
    Text name;
} SpelledDefinition;

typedef struct SpelledDefinitions {
    const Solved *solved;
    Arena *arena;
    VECTOR(SpelledDefinition) items;
    Names taken; /* all names that mean something where the recipe is read */
} SpelledDefinitions;

/* Those that the REACHED nodes of the graph call, and what these call in turn. */
void definitions_collect(SpelledDefinitions *definitions, const unsigned char *reached);
void definitions_free(SpelledDefinitions *definitions);

/* How a call of METHOD is written. */
Text definitions_callee(const SpelledDefinitions *definitions, const Method *method);
/* NAME, or if that is taken, with a number behind; taken from now on. */
Text definitions_take(SpelledDefinitions *definitions, Text name);

/* The definitions, each with the comment above it. */
void definitions_write(const SpelledDefinitions *definitions, Builder *out);

/* A name, within backticks where it needs them. */
void spell_name(Builder *out, Text name);

#endif
