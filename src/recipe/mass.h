/* Polynomials over parameter nodes: the masses of models, and the values of coefficients, as far as
 * they are known. */
#ifndef RECIPE_MASS_H
#define RECIPE_MASS_H

#include "recipe/graph.h"

enum { MASS_DEGREE = 6, MASS_TERMS = 256 }; /* limits: beyond them nothing is proved */

typedef struct MassTerm {
    double coefficient;
    uint32_t degree;
    NodeId symbols[MASS_DEGREE]; /* in ascending order */
} MassTerm;

typedef struct Mass {
    const MassTerm *terms; /* in a fixed order, without zeros */
    uint32_t n_terms;
    bool unknown; /* too large to say */
} Mass;

Mass mass_number(Arena *arena, double number);
Mass mass_symbol(Arena *arena, NodeId symbol);
Mass mass_add(Arena *arena, Mass a, Mass b, double sign);
Mass mass_multiply(Arena *arena, Mass a, Mass b);
/* Whether it is a number (within 1e-6 of its scale for the terms that should cancel), and which. */
bool mass_constant(Mass mass, double *number);

#endif
