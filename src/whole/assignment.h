/* The linear assignment problem: which column goes to which row, each once, so that the sum of the
 * chosen scores is the largest. By shortest augmenting paths (Crouse 2016,
 * doi:10.1109/TAES.2016.140952), in time of order n^3 at worst. */
#ifndef WHOLE_ASSIGNMENT_H
#define WHOLE_ASSIGNMENT_H

#include "whole/matrix.h"

#include <stdint.h>

/* COLUMNS[i] becomes the column of row i of a square matrix. */
Status assignment_solve(uint32_t *columns, Matrix scores, Workspace *workspace);
size_t assignment_bytes(size_t n);

#endif
