/* Writes a solved recipe as an instruction list that sd-mecha reads. */
#ifndef SOLVE_INSTRUCTIONS_H
#define SOLVE_INSTRUCTIONS_H

#include "solve/solve.h"

/* The list that ends in NODE. False where that cannot be said in it; *CULPRIT is then the node that
 * cannot. */
bool instructions_write(const Solved *solved, NodeId node, Builder *out, NodeId *culprit);

#endif
