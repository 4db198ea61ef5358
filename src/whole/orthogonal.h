/* Orthogonal matrices: the one nearest to a matrix, and real functions of one.
 * Memory, errors and preparations are as in matrix.h. */
#ifndef WHOLE_ORTHOGONAL_H
#define WHOLE_ORTHOGONAL_H

#include "whole/matrix.h"

/* The orthogonal polar factor U V^T of A = U S V^T: orthonormal columns, or rows where A is wider
 * than tall; of all such matrices the nearest to A. Where A has not full rank it is one of several,
 * as the singular vectors of 0 are. */
Status orthogonal_polar(Matrix out, Matrix a, Workspace *workspace);
size_t orthogonal_polar_bytes(size_t rows, size_t columns);

/* Orthogonal Q to a real power: rotations by an angle become rotations by EXPONENT times the angle,
 * which is taken from (-pi, pi]. Half turns are taken in pairs, as rotations of a plane; one that
 * is left over (where the determinant is -1) has no real power and is scaled by the real part of
 * its complex one, cos(pi EXPONENT). */
Status orthogonal_power(Matrix out, Matrix q, double exponent, Workspace *workspace);

/* The skew-symmetric logarithm of Q, whose exponential is Q if its determinant is 1. */
Status orthogonal_logarithm(Matrix out, Matrix q, Workspace *workspace);

/* What the two above take. A half turn needs more than a generic matrix; this is for the worst. */
size_t orthogonal_function_bytes(size_t n);

#endif
