/* OpenBLAS, loaded when first needed.
 *
 * A recipe that decomposes nothing must not pay for the library's start, so it is not linked but
 * opened by lapack_open, always with one thread: parallelism is over keys, and the bytes of a
 * result may not depend on the number of threads.
 *
 * Hides Fortran's calling convention. Matrices are LAPACK's: column-major, LD apart. The return
 * value is LAPACK's INFO: 0 is success. Only files in whole/ and the tools that measure them call
 * these; everybody else wants matrix.h. */
#ifndef WHOLE_LAPACK_H
#define WHOLE_LAPACK_H

#include <stddef.h>

/* Loads the library, once; NULL, or why it could not be had. To be called before threads start
 * (it sets an environment variable) and before any function of matrix.h that computes. */
const char *lapack_open(void);

typedef enum Transpose { PLAIN = 'N', TRANSPOSED = 'T' } Transpose;

/* C (m x n) = scale op(A) op(B) + keep C, with an inner dimension of K. */
void lapack_gemm(Transpose op_a, Transpose op_b, int m, int n, int k, double scale, const double *a,
                 int ld_a, const double *b, int ld_b, double keep, double *c, int ld_c);

/* A = L Q in place (Q as reflectors and TAU), and those reflectors as the ROWS first rows of Q. */
int lapack_gelqf(int rows, int columns, double *a, int ld, double *tau, double *work, int n_work);
int lapack_orglq(int rows, int columns, int reflectors, double *a, int ld, const double *tau,
                 double *work, int n_work);

/* A = U diag(S) VT, thin; A is destroyed. */
int lapack_gesdd(int rows, int columns, double *a, int ld, double *s, double *u, int ld_u,
                 double *vt, int ld_vt, double *work, int n_work, int *integers);
int lapack_gesvd(int rows, int columns, double *a, int ld, double *s, double *u, int ld_u,
                 double *vt, int ld_vt, double *work, int n_work);

/* Symmetric A: ascending eigenvalues, eigenvectors in the columns of A. */
int lapack_syevd(int n, double *a, int ld, double *values, double *work, int n_work, int *integers,
                 int n_integers);

/* Real Schur form: A becomes T with A = Z T Z^T. */
int lapack_gees(int n, double *a, int ld, double *real, double *imaginary, double *z, int ld_z,
                double *work, int n_work);

int lapack_getrf(int n, double *a, int ld, int *pivots);
int lapack_getri(int n, double *a, int ld, const int *pivots, double *work, int n_work);
/* Solves A X = B, or A^T X = B, with the factors of getrf. */
int lapack_getrs(Transpose op, int n, int columns, const double *factors, int ld, const int *pivots,
                 double *b, int ld_b);

#endif
