/* Writes one result of a solved recipe in the recipe language, made whole: it stands by itself.
 *
 * Imports are inlined and parameters bound; the methods, configs and conversions that it uses and
 * the standard library lacks come first, then a binding for what is used more than once or has a
 * name, and last the result with all options that change its bytes. What is written makes the same
 * graph when it is read: nodes come in the same order, so writing it once more gives the same text.
 */
#ifndef SOLVE_SPELL_H
#define SOLVE_SPELL_H

#include "solve/solve.h"

/* What the last line says besides the result; empty or false: nothing. */
typedef struct SpellOptions {
    Text dtype, space, compute;
    bool keep_non_finite, allow_unused;
} SpellOptions;

void spell_recipe(const Solved *solved, const RecipeOutput *output, const SpellOptions *options,
                  Builder *out);

#endif
