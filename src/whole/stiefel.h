/* Geodesics between frames: matrices with orthonormal columns, taller than wide, under the
 * canonical metric (Zimmermann 2017, arXiv:1604.05054; Zimmermann and Hueper 2022,
 * arXiv:2103.12046). Memory, errors and preparations are as in matrix.h. */
#ifndef WHOLE_STIEFEL_H
#define WHOLE_STIEFEL_H

#include "whole/matrix.h"

/* The tangent at FROM of the geodesic that is at TO after time 1; all are rows x columns, rows >
 * columns. Iterates until the part of the logarithm that must vanish is at most TOLERANCE, or
 * STEPS (at least 1) times; RESIDUAL is what is left of it. Frames that are far apart may not
 * converge. */
Status stiefel_logarithm(Matrix tangent, Matrix from, Matrix to, double tolerance, size_t steps,
                         double *residual, Workspace *workspace);
size_t stiefel_logarithm_bytes(size_t rows, size_t columns);

/* Where the geodesic from FROM along TANGENT is at time 1. */
Status stiefel_exponential(Matrix out, Matrix from, Matrix tangent, Workspace *workspace);
size_t stiefel_exponential_bytes(size_t rows, size_t columns);

#endif
