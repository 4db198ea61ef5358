/* Patterns of keys in conversions. (Inside solve/.)
 *
 * A pattern holds wildcards, `{name}`, each of which matches a run of characters: names of one
 * letter match numbers, others anything. Filled in, a wildcard stands for what it matched, written
 * as its format says (`{name:underscored}`), or for a variable of the loops around the rule. */
#ifndef SOLVE_PATTERN_H
#define SOLVE_PATTERN_H

#include "solve/structure.h"

enum { WILDCARDS_OF_PATTERN = 8 };

typedef struct Wildcard {
    Text name, match;
    Text format, written; /* how it was written last */
} Wildcard;

typedef struct Match {
    Wildcard items[WILDCARDS_OF_PATTERN];
    uint32_t count;
} Match;

typedef struct Variables {
    const Variable *items; /* the innermost last */
    uint32_t count;
} Variables;

/* What keys of one kind look like: how they begin and end, and whether a dot may stand between. */
typedef struct KeyForm {
    Text begin, end;
    bool dotless;
    uint64_t last, mask; /* of END: text_last, and which bytes of it are there */
} KeyForm;

bool key_has_all_of_form(Text key, const KeyForm *form);

/* Most keys end otherwise. */
static inline bool key_has_form(Text key, const KeyForm *form) {
    return ((text_last(key) ^ form->last) & form->mask) == 0 && key_has_all_of_form(key, form);
}

/* Matches a pattern from its left end, trying shorter runs first; to begin with, MATCH is empty. */
bool pattern_match(Text pattern, Text key, Match *match);

/* A pattern with its wildcards replaced. Those that neither are variables nor were matched stay
 * where MATCH is NULL, and are nothing otherwise. */
Text pattern_fill(Arena *arena, const Variables *variables, Text pattern, Match *match);

/* A pattern with its variables replaced for good. False where that cannot be: what a variable has
 * wildcards for would be written otherwise than it says. */
bool pattern_settle(Arena *arena, const Variables *variables, Text pattern, Text *settled);

/* What all keys look like that a pattern may stand for. */
KeyForm pattern_form(Arena *arena, const Variables *variables, Text pattern);

/* The part of a pattern in front of its first wildcard. */
Text pattern_begin(Text pattern);

/* Whether a pattern writes a wildcard otherwise than as it matches. */
bool pattern_writes_otherwise(Text pattern);

/* The value of a variable as patterns have it. */
Text pattern_variable(Arena *arena, const Variable *variable);

#endif
