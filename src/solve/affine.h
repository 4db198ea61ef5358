/* Recipes without operators: affine combinations said with methods, patterns as keys.
 *
 * (1 - m) * a + m * b becomes a + m * (b - a); 0.3 * a + 0.7 * b a blend; (a + b + c) / 3 an
 * average. */
#ifndef SOLVE_AFFINE_H
#define SOLVE_AFFINE_H

#include "solve/solve.h"

/* The node that says what NODE says with models, maps of keys, constants and calls alone. NODE_NONE
 * where that cannot be said; *CULPRIT is then the node that has no equivalent. Adds to the recipe's
 * graph. */
NodeId affine_rewrite(Arena *arena, const Solved *solved, NodeId node, NodeId *culprit);

#endif
