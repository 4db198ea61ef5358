/* Linear algebra on dense real matrices: row-major, in f64, one thread, by LAPACK.
 *
 * lapack_open (whole/lapack.h) comes first. The caller owns all memory: results go to matrices that
 * it brings, scratch comes from a Workspace, and *_bytes tells how much an operation on a matrix of
 * that size takes. An output may not overlap an input, unless a function says so. A matrix may have
 * no rows or no columns. Sizes must pass matrix_fits.
 *
 * What can fail returns a Status, and leaves the outputs in no particular state when it does. */
#ifndef WHOLE_MATRIX_H
#define WHOLE_MATRIX_H

#include "whole/lapack.h"
#include "whole/real.h"
#include "whole/status.h"
#include "whole/workspace.h"

#include <stdbool.h>
#include <stddef.h>

typedef struct Matrix {
    double *data;
    size_t rows, columns;
    size_t stride; /* from a row to the next; at least `columns` */
} Matrix;

enum { MATRIX_LIMIT = 20000 }; /* of the smaller side: LAPACK counts its scratch in 32 bits */

/* Whether the operations here can work on a matrix of that size. */
bool matrix_fits(size_t rows, size_t columns);

Matrix matrix_view(double *data, size_t rows, size_t columns);
Matrix matrix_take(Workspace *workspace, size_t rows, size_t columns);
size_t matrix_bytes(size_t rows, size_t columns); /* of matrix_take */
/* The part that begins at (ROW, COLUMN), sharing its numbers. */
Matrix matrix_block(Matrix matrix, size_t row, size_t column, size_t rows, size_t columns);

void matrix_load(Matrix to, const void *values, Compute compute);
void matrix_store(void *values, Matrix from, Compute compute);
void matrix_copy(Matrix to, Matrix from);
void matrix_transpose(Matrix to, Matrix from);
void matrix_zero(Matrix matrix);
void matrix_identity(Matrix matrix);
/* to += factor * from */
void matrix_add(Matrix to, double factor, Matrix from);
void matrix_scale(Matrix matrix, double factor);
/* row i *= factors[i], column i *= factors[i] */
void matrix_scale_rows(Matrix matrix, const double *factors);
void matrix_scale_columns(Matrix matrix, const double *factors);

bool matrix_finite(Matrix matrix);
double matrix_norm(Matrix matrix);          /* Frobenius */
double matrix_norm_rows(Matrix matrix);     /* the largest sum of absolute values of a row */
double matrix_norm_columns(Matrix matrix);  /* and of a column  */
double matrix_distance(Matrix a, Matrix b); /* Frobenius norm of the difference */

/* out = scale op(a) op(b) + keep out. With keep 0, what OUT held does not matter. */
void matrix_multiply(Matrix out, double scale, Matrix a, Transpose op_a, Matrix b, Transpose op_b,
                     double keep);

/* A = Q R with k = min(rows, columns): Q rows x k with orthonormal columns, R k x columns upper
 * triangular with a diagonal that is not negative, which makes them unique where A has full rank.
 * Q may be A where A is tall or square. */
Status matrix_qr(Matrix q, Matrix r, Matrix a, Workspace *workspace);
size_t matrix_qr_bytes(size_t rows, size_t columns);

/* The first KNOWN columns of square A are orthonormal: fills the rest with an orthonormal basis of
 * what they leave. */
void matrix_complete(Matrix a, size_t known, Workspace *workspace);
size_t matrix_complete_bytes(size_t n, size_t known);

/* A = U diag(S) VT with k = min(rows, columns): U rows x k, S descending, VT k x columns. */
Status matrix_svd(Matrix u, double *s, Matrix vt, Matrix a, Workspace *workspace);
size_t matrix_svd_bytes(size_t rows, size_t columns);

/* Symmetric A (its upper triangle is read): A = V^T diag(values) V, values ascending; row i of
 * VECTORS belongs to values[i]. VECTORS may be A. */
Status matrix_eigen(double *values, Matrix vectors, Matrix a, Workspace *workspace);
size_t matrix_eigen_bytes(size_t n);

/* Square A: solves A X = B, where X comes as B. */
Status matrix_solve(Matrix x, Matrix a, Workspace *workspace);
size_t matrix_solve_bytes(size_t n, size_t columns);

/* Square A. OUT may be A. */
Status matrix_inverse(Matrix out, Matrix a, Workspace *workspace);
size_t matrix_inverse_bytes(size_t n);

/* The sign of the determinant of square A: -1, 0 or 1, by LU. 1 for the empty matrix. */
Status matrix_orientation(int *sign, Matrix a, Workspace *workspace);
size_t matrix_orientation_bytes(size_t n);

/* Square A to a whole power, by squaring; negative ones through the inverse. */
Status matrix_power(Matrix out, Matrix a, long exponent, Workspace *workspace);
size_t matrix_power_bytes(size_t n);

/* e to the square A: Pade approximation of degree 13 with scaling and squaring (Higham 2005). */
Status matrix_exponential(Matrix out, Matrix a, Workspace *workspace);
size_t matrix_exponential_bytes(size_t n);

/* S X + X S = C for symmetric S, in the eigenbasis of S. */
Status matrix_sylvester(Matrix x, Matrix s, Matrix c, Workspace *workspace);
size_t matrix_sylvester_bytes(size_t n);

/* An orthonormal basis of nearly the space that op(A) maps to most strongly: subspace iteration
 * from the matrix START (columns of op(A) x rank), orthonormalised at every half step (Halko,
 * Martinsson and Tropp 2011, algorithm 4.4). Q is rows of op(A) x rank, rank <= both sides of A. */
Status matrix_range(Matrix q, Matrix a, Transpose op, Matrix start, size_t iterations,
                    Workspace *workspace);
size_t matrix_range_bytes(size_t rows, size_t columns, size_t rank);

/* The singular value decomposition of A's projection on such a basis, of its columns, or of its
 * rows where A is wider than tall: U rows x rank, VT rank x columns. START is min(rows, columns) x
 * rank. */
Status matrix_svd_low_rank(Matrix u, double *s, Matrix vt, Matrix a, Matrix start,
                           size_t iterations, Workspace *workspace);
size_t matrix_svd_low_rank_bytes(size_t rows, size_t columns, size_t rank);

#endif
