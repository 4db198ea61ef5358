#include "whole/orthogonal.h"

#include "whole/random.h"

#include <assert.h>
#include <math.h>

/* ---- polar factor */

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

/* Singular values below this share of the largest are taken from their own, projected matrix: the
 * Gram matrix holds squares, in which they drown. */
static const double small_share = 1e-4;

/* How many of them are worth that. */
static size_t small_limit(size_t n) {
    return n / 4 + 1;
}

static size_t svd_route_bytes(size_t rows, size_t columns) {
    size_t k = smaller(rows, columns);
    return matrix_bytes(rows, k) + matrix_bytes(k, columns) + matrix_bytes(k, 1) +
           matrix_svd_bytes(rows, columns);
}

static size_t gram_route_bytes(size_t m, size_t n) {
    size_t k = smaller(small_limit(n), n);
    size_t few = matrix_bytes(m, k) + larger(matrix_bytes(n, k), svd_route_bytes(m, k));
    return matrix_bytes(m, n) + matrix_bytes(n, n) + matrix_bytes(n, 1) +
           larger(matrix_eigen_bytes(n), few);
}

size_t orthogonal_polar_bytes(size_t rows, size_t columns) {
    size_t m = larger(rows, columns), n = smaller(rows, columns);
    size_t tall = rows < columns ? 2 * matrix_bytes(m, n) : 0;
    return tall + larger(svd_route_bytes(m, n), gram_route_bytes(m, n));
}

static Status polar_by_svd(Matrix out, Matrix a, Workspace *workspace) {
    size_t k = smaller(a.rows, a.columns), mark = workspace->used;
    Matrix u = matrix_take(workspace, a.rows, k), vt = matrix_take(workspace, k, a.columns);
    double *s = workspace_array(workspace, double, k);
    Status status = matrix_svd(u, s, vt, a, workspace);
    if (status == STATUS_OK)
        matrix_multiply(out, 1, u, PLAIN, vt, PLAIN, 0);
    workspace->used = mark;
    return status;
}

/* x -= u u^T x, until nothing of U's space is left in it though U is not quite orthonormal. */
static void project_out(Matrix x, Matrix u, Workspace *workspace) {
    size_t mark = workspace->used;
    Matrix inner = matrix_take(workspace, u.columns, x.columns);
    for (int round = 0; round < 3; round++) {
        matrix_multiply(inner, 1, u, TRANSPOSED, x, PLAIN, 0);
        matrix_multiply(x, -1, u, PLAIN, inner, PLAIN, 1);
    }
    workspace->used = mark;
}

/* For the few singular values that are small next to LARGEST: the polar factor, as OUT, of the part
 * of A V^T (V's rows belong to them) beside U, the space of all others. Noise far below what
 * rounding did to A already gives directions to those that are 0. */
static Status polar_of_rest(Matrix out, Matrix a, Matrix v, Matrix u, double largest,
                            Workspace *workspace) {
    size_t mark = workspace->used;
    Matrix rest = matrix_take(workspace, out.rows, out.columns);
    TorchRandom random;
    torch_random_init(&random, 0);
    torch_normal(&random, rest.data, rest.rows * rest.columns, COMPUTE_F64);
    matrix_multiply(rest, 1, a, PLAIN, v, TRANSPOSED, 1e-17 * largest);
    project_out(rest, u, workspace);
    Status status = polar_by_svd(out, rest, workspace);
    workspace->used = mark;
    return status;
}

/* A^T A = V^T diag(values) V gives U = A V^T diag(values)^-1/2. */
static void divide_by_roots(Matrix u, const double *values) {
    for (size_t j = 0; j < u.columns; j++)
        matrix_scale(matrix_block(u, 0, j, u.rows, 1), 1 / sqrt(values[j]));
}

static size_t count_small(const double *values, size_t n) {
    size_t count = 0;
    while (count < n && values[count] < small_share * small_share * values[n - 1])
        count++;
    return count;
}

/* STATUS_NOT_CONVERGED: another route must be taken. */
static Status polar_by_gram(Matrix out, Matrix a, Workspace *workspace) {
    size_t m = a.rows, n = a.columns;
    Matrix v = matrix_take(workspace, n, n), u = matrix_take(workspace, m, n);
    double *values = workspace_array(workspace, double, n);
    matrix_multiply(v, 1, a, TRANSPOSED, a, PLAIN, 0);
    if (matrix_eigen(values, v, v, workspace) != STATUS_OK)
        return STATUS_NOT_CONVERGED;
    size_t k = count_small(values, n);
    if (!(values[n - 1] > 1e-200) || k >= small_limit(n))
        return STATUS_NOT_CONVERGED;
    Matrix great = matrix_block(u, 0, k, m, n - k), small = matrix_block(u, 0, 0, m, k);
    matrix_multiply(great, 1, a, PLAIN, matrix_block(v, k, 0, n - k, n), TRANSPOSED, 0);
    divide_by_roots(great, values + k);
    if (k > 0) {
        Status status = polar_of_rest(small, a, matrix_block(v, 0, 0, k, n), great,
                                      sqrt(values[n - 1]), workspace);
        if (status != STATUS_OK)
            return status;
    }
    matrix_multiply(out, 1, u, PLAIN, v, PLAIN, 0);
    return STATUS_OK;
}

/* Through the Gram matrix: of the routes that were measured, the fastest at every size that has the
 * accuracy (docs/performance.md). By SVD where too much of the spectrum is small. */
static Status polar_of_tall(Matrix out, Matrix a, Workspace *workspace) {
    size_t mark = workspace->used;
    Status status = polar_by_gram(out, a, workspace);
    workspace->used = mark;
    return status == STATUS_NOT_CONVERGED ? polar_by_svd(out, a, workspace) : status;
}

Status orthogonal_polar(Matrix out, Matrix a, Workspace *workspace) {
    size_t mark = workspace->used;
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    if (a.rows == 0 || a.columns == 0)
        return STATUS_OK;
    if (a.rows >= a.columns)
        return polar_of_tall(out, a, workspace);
    Matrix tall = matrix_take(workspace, a.columns, a.rows);
    Matrix factor = matrix_take(workspace, a.columns, a.rows);
    matrix_transpose(tall, a);
    Status status = polar_of_tall(factor, tall, workspace);
    if (status == STATUS_OK)
        matrix_transpose(out, factor);
    workspace->used = mark;
    return status;
}

/* ---- real functions
 *
 * With S = (Q + Q^T) / 2 and K = (Q - Q^T) / 2, a rotation by an angle t is S = cos t, K = sin t
 * times a quarter turn. So the matrix that turns every plane of Q by f(t) instead is
 * cos f(t) + K sin f(t) / sin t, where both factors are functions of S alone: a symmetric
 * eigenproblem gives them, and as they are smooth, clusters of angles do no harm. Only near half
 * turns, where sin t vanishes, must the planes be told apart; there the real Schur form of Q,
 * restricted to the few eigenvectors of S that take part, does it. */

/* What becomes of a rotation by ANGLE: EVEN on the diagonal, ODD beside it. */
typedef struct Turn {
    double even, odd;
} Turn;

typedef Turn TurnFunction(double angle, double exponent);

static Turn turn_power(double angle, double exponent) {
    return (Turn){cos(exponent * angle), sin(exponent * angle)};
}

static Turn turn_logarithm(double angle, double exponent) {
    return (Turn){0, exponent * angle};
}

/* The eigenvalues of S below this belong to half turns, or nearly. */
static const double half_turn = -1 + 1e-6;
/* Eigenvalues this near are not torn apart: both of a plane, and clusters. */
static const double cluster = 1e-8;

static size_t count_half_turns(const double *cosines, size_t n) {
    size_t count = 0;
    while (count < n && (cosines[count] < half_turn ||
                         (count > 0 && cosines[count] - cosines[count - 1] < cluster)))
        count++;
    return count;
}

static void symmetric_part(Matrix out, Matrix q) {
    matrix_transpose(out, q);
    matrix_add(out, 1, q);
    matrix_scale(out, 0.5);
}

/* rows[i] = even v + odd / sin t K v for eigenvector v, row i of V; ROWS comes as V Q^T, and
 * K v = Q v - cos t v. */
static void turn_rows(Matrix rows, Matrix v, const double *cosines, TurnFunction *function,
                      double exponent) {
    const double least = 1e-9; /* here the limit for angle 0 is reached to all digits */
    for (size_t i = 0; i < rows.rows; i++) {
        double c = cosines[i], angle = fmax(acos(fmin(c, 1)), least);
        Turn turn = function(angle, exponent);
        double odd = turn.odd / sin(angle);
        matrix_scale(matrix_block(rows, i, 0, 1, rows.columns), odd);
        matrix_add(matrix_block(rows, i, 0, 1, rows.columns), turn.even - odd * c,
                   matrix_block(v, i, 0, 1, v.columns));
    }
}

static void set_plane(Matrix f, size_t i, size_t j, Turn turn) {
    f.data[i * f.stride + i] = f.data[j * f.stride + j] = turn.even;
    f.data[i * f.stride + j] = turn.odd;
    f.data[j * f.stride + i] = -turn.odd;
}

/* The function of a real Schur form T (column-major) of a transposed orthogonal matrix, as F. */
static void turn_blocks(Matrix f, Matrix t, TurnFunction *function, double exponent) {
    const double pi = 3.14159265358979323846;
    size_t n = f.rows, alone = n; /* a half turn that waits for another */
    matrix_zero(f);
    for (size_t i = 0; i < n; i++) {
        const double *column = t.data + i * t.stride, *next = column + t.stride;
        if (i + 1 < n && column[i + 1] != 0) {
            double angle = atan2((column[i + 1] - next[i]) / 2, (column[i] + next[i + 1]) / 2);
            set_plane(f, i, i + 1, function(angle, exponent));
            i++;
        } else if (column[i] > 0) {
            f.data[i * f.stride + i] = function(0, exponent).even;
        } else if (alone == n) {
            f.data[i * f.stride + i] = function(pi, exponent).even;
            alone = i;
        } else {
            set_plane(f, alone, i, function(pi, exponent));
            alone = n;
        }
    }
}

enum { SCHUR_WORK = 64 }; /* numbers of scratch for each row */

/* Adds the function on the space that the rows of V span, with V.rows x V.columns scratch. */
static Status add_half_turns(Matrix out, Matrix q, Matrix v, Matrix scratch, TurnFunction *function,
                             double exponent, Workspace *workspace) {
    size_t k = v.rows;
    Matrix t = matrix_take(workspace, k, k), z = matrix_take(workspace, k, k);
    Matrix f = matrix_take(workspace, k, k), turned = matrix_take(workspace, k, v.columns);
    double *real = workspace_array(workspace, double, 2 * k);
    double *work = workspace_array(workspace, double, SCHUR_WORK *k);
    matrix_multiply(scratch, 1, v, PLAIN, q, PLAIN, 0);
    matrix_multiply(t, 1, scratch, PLAIN, v, TRANSPOSED, 0);
    if (lapack_gees((int)k, t.data, (int)k, real, real + k, z.data, (int)k, work,
                    (int)(SCHUR_WORK * k)) != 0)
        return STATUS_NOT_CONVERGED;
    turn_blocks(f, t, function, exponent);
    matrix_multiply(scratch, 1, z, PLAIN, v, PLAIN, 0);
    matrix_multiply(turned, 1, f, PLAIN, scratch, PLAIN, 0);
    matrix_multiply(out, 1, scratch, TRANSPOSED, turned, PLAIN, 1);
    return STATUS_OK;
}

size_t orthogonal_function_bytes(size_t n) {
    size_t half_turns = 4 * matrix_bytes(n, n) + matrix_bytes(2 * n, 1) +
                        workspace_bytes(SCHUR_WORK * n, sizeof(double));
    return 2 * matrix_bytes(n, n) + matrix_bytes(n, 1) + larger(matrix_eigen_bytes(n), half_turns);
}

static Status run_function(Matrix out, Matrix q, TurnFunction *function, double exponent,
                           Workspace *workspace) {
    size_t n = q.rows;
    Matrix v = matrix_take(workspace, n, n), rows = matrix_take(workspace, n, n);
    double *cosines = workspace_array(workspace, double, n);
    symmetric_part(v, q);
    Status status = matrix_eigen(cosines, v, v, workspace);
    if (status != STATUS_OK)
        return status;
    size_t k = count_half_turns(cosines, n);
    Matrix others = matrix_block(v, k, 0, n - k, n);
    Matrix turned = matrix_block(rows, k, 0, n - k, n);
    matrix_multiply(turned, 1, others, PLAIN, q, TRANSPOSED, 0);
    turn_rows(turned, others, cosines + k, function, exponent);
    matrix_multiply(out, 1, turned, TRANSPOSED, others, PLAIN, 0);
    if (k == 0)
        return STATUS_OK;
    return add_half_turns(out, q, matrix_block(v, 0, 0, k, n), matrix_block(rows, 0, 0, k, n),
                          function, exponent, workspace);
}

Status orthogonal_power(Matrix out, Matrix q, double exponent, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(q.rows == q.columns);
    Status status = run_function(out, q, turn_power, exponent, workspace);
    workspace->used = mark;
    return status;
}

/* Rounding is not skew-symmetric; the logarithm is. */
static void make_skew(Matrix matrix) {
    for (size_t i = 0; i < matrix.rows; i++)
        for (size_t j = 0; j <= i; j++) {
            double *below = &matrix.data[i * matrix.stride + j];
            double *above = &matrix.data[j * matrix.stride + i];
            double mean = (*below - *above) / 2;
            *above = -mean;
            *below = mean;
        }
}

Status orthogonal_logarithm(Matrix out, Matrix q, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(q.rows == q.columns);
    Status status = run_function(out, q, turn_logarithm, 1, workspace);
    make_skew(out);
    workspace->used = mark;
    return status;
}
