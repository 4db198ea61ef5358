#include "whole/matrix.h"

#include "base/arena.h"

#include <assert.h>
#include <limits.h>
#include <math.h>
#include <string.h>

static size_t smaller(size_t a, size_t b) {
    return a < b ? a : b;
}

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* ---- views and elementwise work */

bool matrix_fits(size_t rows, size_t columns) {
    return smaller(rows, columns) <= MATRIX_LIMIT && larger(rows, columns) <= INT_MAX / 2;
}

Matrix matrix_view(double *data, size_t rows, size_t columns) {
    return (Matrix){.data = data, .rows = rows, .columns = columns, .stride = columns};
}

Matrix matrix_take(Workspace *workspace, size_t rows, size_t columns) {
    size_t count = memory_size(rows, columns);
    return matrix_view(workspace_array(workspace, double, count), rows, columns);
}

size_t matrix_bytes(size_t rows, size_t columns) {
    return workspace_bytes(memory_size(rows, columns), sizeof(double));
}

static size_t numbers_bytes(size_t count) {
    return workspace_bytes(count, sizeof(double));
}

static double *row_of(Matrix matrix, size_t row) {
    return matrix.data + row * matrix.stride;
}

Matrix matrix_block(Matrix matrix, size_t row, size_t column, size_t rows, size_t columns) {
    assert(row + rows <= matrix.rows && column + columns <= matrix.columns);
    return (Matrix){row_of(matrix, row) + column, rows, columns, matrix.stride};
}

void matrix_load(Matrix to, const void *values, Compute compute) {
    for (size_t i = 0; i < to.rows; i++)
        for (size_t j = 0; j < to.columns; j++)
            row_of(to, i)[j] = real_get(values, i * to.columns + j, compute);
}

void matrix_store(void *values, Matrix from, Compute compute) {
    for (size_t i = 0; i < from.rows; i++)
        for (size_t j = 0; j < from.columns; j++)
            real_set(values, i * from.columns + j, row_of(from, i)[j], compute);
}

static bool same_size(Matrix a, Matrix b) {
    return a.rows == b.rows && a.columns == b.columns;
}

void matrix_copy(Matrix to, Matrix from) {
    assert(same_size(to, from));
    for (size_t i = 0; i < to.rows; i++)
        memmove(row_of(to, i), row_of(from, i), to.columns * sizeof(double));
}

/* In squares that stay in the first cache. */
void matrix_transpose(Matrix to, Matrix from) {
    enum { SQUARE = 32 };
    assert(to.rows == from.columns && to.columns == from.rows);
    for (size_t top = 0; top < from.rows; top += SQUARE)
        for (size_t left = 0; left < from.columns; left += SQUARE)
            for (size_t i = top; i < smaller(top + SQUARE, from.rows); i++)
                for (size_t j = left; j < smaller(left + SQUARE, from.columns); j++)
                    row_of(to, j)[i] = row_of(from, i)[j];
}

void matrix_zero(Matrix matrix) {
    for (size_t i = 0; i < matrix.rows; i++)
        memset(row_of(matrix, i), 0, matrix.columns * sizeof(double));
}

void matrix_identity(Matrix matrix) {
    matrix_zero(matrix);
    for (size_t i = 0; i < smaller(matrix.rows, matrix.columns); i++)
        row_of(matrix, i)[i] = 1;
}

void matrix_add(Matrix to, double factor, Matrix from) {
    assert(same_size(to, from));
    for (size_t i = 0; i < to.rows; i++)
        for (size_t j = 0; j < to.columns; j++)
            row_of(to, i)[j] += factor * row_of(from, i)[j];
}

void matrix_scale(Matrix matrix, double factor) {
    for (size_t i = 0; i < matrix.rows; i++)
        for (size_t j = 0; j < matrix.columns; j++)
            row_of(matrix, i)[j] *= factor;
}

void matrix_scale_rows(Matrix matrix, const double *factors) {
    for (size_t i = 0; i < matrix.rows; i++)
        matrix_scale(matrix_block(matrix, i, 0, 1, matrix.columns), factors[i]);
}

void matrix_scale_columns(Matrix matrix, const double *factors) {
    for (size_t i = 0; i < matrix.rows; i++)
        for (size_t j = 0; j < matrix.columns; j++)
            row_of(matrix, i)[j] *= factors[j];
}

bool matrix_finite(Matrix matrix) {
    double sum = 0; /* of zeros, and of the NaN that 0 times anything else is */
    for (size_t i = 0; i < matrix.rows; i++)
        for (size_t j = 0; j < matrix.columns; j++)
            sum += 0 * row_of(matrix, i)[j];
    return sum == 0;
}

double matrix_norm(Matrix matrix) {
    double squares = 0;
    for (size_t i = 0; i < matrix.rows; i++)
        for (size_t j = 0; j < matrix.columns; j++)
            squares += row_of(matrix, i)[j] * row_of(matrix, i)[j];
    return sqrt(squares);
}

double matrix_distance(Matrix a, Matrix b) {
    assert(same_size(a, b));
    double squares = 0;
    for (size_t i = 0; i < a.rows; i++)
        for (size_t j = 0; j < a.columns; j++) {
            double difference = row_of(a, i)[j] - row_of(b, i)[j];
            squares += difference * difference;
        }
    return sqrt(squares);
}

double matrix_norm_rows(Matrix matrix) {
    double largest = 0;
    for (size_t i = 0; i < matrix.rows; i++) {
        double sum = 0;
        for (size_t j = 0; j < matrix.columns; j++)
            sum += fabs(row_of(matrix, i)[j]);
        largest = fmax(largest, sum);
    }
    return largest;
}

/* Columns are summed a few at a time, to read along the rows. */
double matrix_norm_columns(Matrix matrix) {
    enum { FEW = 64 };
    double largest = 0;
    for (size_t left = 0; left < matrix.columns; left += FEW) {
        double sums[FEW] = {0};
        size_t n = smaller(FEW, matrix.columns - left);
        for (size_t i = 0; i < matrix.rows; i++)
            for (size_t j = 0; j < n; j++)
                sums[j] += fabs(row_of(matrix, i)[left + j]);
        for (size_t j = 0; j < n; j++)
            largest = fmax(largest, sums[j]);
    }
    return largest;
}

/* ---- products and factorizations
 *
 * LAPACK is column-major: to it, the memory of a row-major A is the matrix A^T. So products are
 * handed over in reverse, (A B)^T = B^T A^T, QR of A becomes LQ of A^T, and U and V change places.
 */

void matrix_multiply(Matrix out, double scale, Matrix a, Transpose op_a, Matrix b, Transpose op_b,
                     double keep) {
    size_t inner = op_a == PLAIN ? a.columns : a.rows;
    assert(out.rows == (op_a == PLAIN ? a.rows : a.columns));
    assert(out.columns == (op_b == PLAIN ? b.columns : b.rows));
    assert(inner == (op_b == PLAIN ? b.rows : b.columns));
    if (inner == 0 && keep == 0)
        matrix_zero(out);
    if (out.rows == 0 || out.columns == 0 || inner == 0)
        return;
    lapack_gemm(op_b, op_a, (int)out.columns, (int)out.rows, (int)inner, scale, b.data,
                (int)b.stride, a.data, (int)a.stride, keep, out.data, (int)out.stride);
}

enum { BLOCK = 64 }; /* columns that LAPACK's blocked algorithms handle at once, at most */

/* Scratch for blocks of as many columns as can be counted. */
static size_t block_work(size_t columns) {
    return smaller(BLOCK * columns, INT_MAX);
}

static bool is_tall(size_t rows, size_t columns) {
    return rows >= columns;
}

size_t matrix_qr_bytes(size_t rows, size_t columns) {
    size_t copy = is_tall(rows, columns) ? 0 : matrix_bytes(rows, columns);
    return copy + numbers_bytes(smaller(rows, columns)) + numbers_bytes(block_work(columns));
}

/* Turns around the rows of R with a negative diagonal, and the columns of Q that go with them. */
static void make_diagonal_positive(Matrix q, Matrix r) {
    for (size_t i = 0; i < r.rows; i++) {
        if (row_of(r, i)[i] >= 0)
            continue;
        matrix_scale(matrix_block(r, i, 0, 1, r.columns), -1);
        matrix_scale(matrix_block(q, 0, i, q.rows, 1), -1);
    }
}

static void copy_upper_triangle(Matrix to, Matrix from) {
    for (size_t i = 0; i < to.rows; i++)
        for (size_t j = 0; j < to.columns; j++)
            row_of(to, i)[j] = j < i ? 0 : row_of(from, i)[j];
}

Status matrix_qr(Matrix q, Matrix r, Matrix a, Workspace *workspace) {
    size_t k = smaller(a.rows, a.columns), mark = workspace->used;
    int rows = (int)a.rows, columns = (int)a.columns, n_work = (int)block_work(a.columns);
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    if (k == 0)
        return STATUS_OK;
    Matrix factors = is_tall(a.rows, a.columns) ? q : matrix_take(workspace, a.rows, a.columns);
    double *tau = workspace_array(workspace, double, k);
    double *work = workspace_array(workspace, double, (size_t)n_work);
    matrix_copy(factors, a);
    lapack_gelqf(columns, rows, factors.data, (int)factors.stride, tau, work, n_work);
    copy_upper_triangle(r, matrix_block(factors, 0, 0, k, a.columns));
    lapack_orglq((int)k, rows, (int)k, factors.data, (int)factors.stride, tau, work, n_work);
    matrix_copy(q, matrix_block(factors, 0, 0, a.rows, k));
    make_diagonal_positive(q, r);
    workspace->used = mark;
    return STATUS_OK;
}

size_t matrix_complete_bytes(size_t n, size_t known) {
    return matrix_bytes(n, known) + numbers_bytes(n) + numbers_bytes(block_work(n));
}

/* The reflectors that make the known columns triangular, applied to the rest of the identity. */
void matrix_complete(Matrix a, size_t known, Workspace *workspace) {
    size_t mark = workspace->used;
    int n = (int)a.rows, ld = (int)a.stride, n_work = (int)block_work(a.rows);
    Matrix columns = matrix_take(workspace, a.rows, known);
    double *tau = workspace_array(workspace, double, a.rows);
    double *work = workspace_array(workspace, double, (size_t)n_work);
    assert(a.rows == a.columns && known <= a.columns);
    if (n > 0) {
        matrix_copy(columns, matrix_block(a, 0, 0, a.rows, known));
        lapack_gelqf((int)known, n, a.data, ld, tau, work, n_work);
        lapack_orglq(n, n, (int)known, a.data, ld, tau, work, n_work);
        matrix_copy(matrix_block(a, 0, 0, a.rows, known), columns);
    }
    workspace->used = mark;
}

/* Enough for both algorithms of matrix_svd to work in blocks. */
static size_t svd_work(size_t rows, size_t columns) {
    size_t k = smaller(rows, columns);
    return larger(4 * k * k + (3 * BLOCK + 7) * k, 3 * k + larger(rows, columns));
}

size_t matrix_svd_bytes(size_t rows, size_t columns) {
    size_t k = smaller(rows, columns);
    return matrix_bytes(rows, columns) + numbers_bytes(svd_work(rows, columns)) +
           workspace_bytes(8 * k, sizeof(int));
}

/* Divide and conquer; should it fail, which is rare and known, the slower QR iteration. */
static Status run_svd(Matrix u, double *s, Matrix vt, Matrix a, Workspace *workspace) {
    Matrix copy = matrix_take(workspace, a.rows, a.columns);
    int rows = (int)a.rows, columns = (int)a.columns, ld = (int)copy.stride;
    int n_work = (int)svd_work(a.rows, a.columns);
    double *work = workspace_array(workspace, double, (size_t)n_work);
    int *integers = workspace_array(workspace, int, 8 * smaller(a.rows, a.columns));
    matrix_copy(copy, a);
    if (lapack_gesdd(columns, rows, copy.data, ld, s, vt.data, (int)vt.stride, u.data,
                     (int)u.stride, work, n_work, integers) == 0)
        return STATUS_OK;
    matrix_copy(copy, a);
    int info = lapack_gesvd(columns, rows, copy.data, ld, s, vt.data, (int)vt.stride, u.data,
                            (int)u.stride, work, n_work);
    return info == 0 ? STATUS_OK : STATUS_NOT_CONVERGED;
}

Status matrix_svd(Matrix u, double *s, Matrix vt, Matrix a, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(matrix_fits(a.rows, a.columns));
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    if (a.rows == 0 || a.columns == 0)
        return STATUS_OK;
    Status status = run_svd(u, s, vt, a, workspace);
    workspace->used = mark;
    return status;
}

static size_t eigen_work(size_t n) {
    return 1 + 6 * n + 2 * n * n;
}

size_t matrix_eigen_bytes(size_t n) {
    return numbers_bytes(eigen_work(n)) + workspace_bytes(3 + 5 * n, sizeof(int));
}

Status matrix_eigen(double *values, Matrix vectors, Matrix a, Workspace *workspace) {
    size_t n = a.rows, mark = workspace->used;
    assert(a.rows == a.columns && matrix_fits(n, n));
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    if (n == 0)
        return STATUS_OK;
    int n_work = (int)eigen_work(n), n_integers = (int)(3 + 5 * n);
    double *work = workspace_array(workspace, double, (size_t)n_work);
    int *integers = workspace_array(workspace, int, (size_t)n_integers);
    matrix_copy(vectors, a);
    int info = lapack_syevd((int)n, vectors.data, (int)vectors.stride, values, work, n_work,
                            integers, n_integers);
    workspace->used = mark;
    return info == 0 ? STATUS_OK : STATUS_NOT_CONVERGED;
}

/* ---- linear systems */

size_t matrix_solve_bytes(size_t n, size_t columns) {
    return matrix_bytes(n, n) + matrix_bytes(columns, n) + workspace_bytes(n, sizeof(int));
}

/* Right-hand sides must be columns to LAPACK, that is, rows of a transposed copy. */
static Status run_solve(Matrix x, Matrix a, Workspace *workspace) {
    Matrix factors = matrix_take(workspace, a.rows, a.rows);
    Matrix sides = matrix_take(workspace, x.columns, x.rows);
    int n = (int)a.rows, *pivots = workspace_array(workspace, int, a.rows);
    matrix_copy(factors, a);
    if (lapack_getrf(n, factors.data, n, pivots) != 0)
        return STATUS_SINGULAR;
    matrix_transpose(sides, x);
    lapack_getrs(TRANSPOSED, n, (int)x.columns, factors.data, n, pivots, sides.data, n);
    matrix_transpose(x, sides);
    return matrix_finite(x) ? STATUS_OK : STATUS_SINGULAR;
}

Status matrix_solve(Matrix x, Matrix a, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(a.rows == a.columns && a.rows == x.rows);
    if (!matrix_finite(a) || !matrix_finite(x))
        return STATUS_NOT_FINITE;
    if (x.rows == 0 || x.columns == 0)
        return STATUS_OK;
    Status status = run_solve(x, a, workspace);
    workspace->used = mark;
    return status;
}

size_t matrix_inverse_bytes(size_t n) {
    return numbers_bytes(BLOCK * n) + workspace_bytes(n, sizeof(int));
}

Status matrix_inverse(Matrix out, Matrix a, Workspace *workspace) {
    size_t mark = workspace->used;
    int n = (int)a.rows, ld = (int)out.stride;
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    if (n == 0)
        return STATUS_OK;
    double *work = workspace_array(workspace, double, BLOCK *a.rows);
    int *pivots = workspace_array(workspace, int, a.rows);
    matrix_copy(out, a);
    bool singular = lapack_getrf(n, out.data, ld, pivots) != 0 ||
                    lapack_getri(n, out.data, ld, pivots, work, BLOCK * n) != 0;
    workspace->used = mark;
    return singular || !matrix_finite(out) ? STATUS_SINGULAR : STATUS_OK;
}

size_t matrix_orientation_bytes(size_t n) {
    return matrix_bytes(n, n) + workspace_bytes(n, sizeof(int));
}

/* Every row that LU moved, and every negative pivot, turns the sign around. */
static int sign_of_factors(Matrix factors, const int *pivots) {
    int sign = 1;
    for (size_t i = 0; i < factors.rows; i++) {
        double pivot = row_of(factors, i)[i];
        sign *= ((size_t)pivots[i] != i + 1) ? -1 : 1;
        sign *= pivot < 0 ? -1 : pivot > 0;
    }
    return sign;
}

Status matrix_orientation(int *sign, Matrix a, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(a.rows == a.columns);
    *sign = 1;
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    if (a.rows == 0)
        return STATUS_OK;
    Matrix factors = matrix_take(workspace, a.rows, a.rows);
    int *pivots = workspace_array(workspace, int, a.rows);
    matrix_copy(factors, a);
    lapack_getrf((int)a.rows, factors.data, (int)a.rows, pivots);
    *sign = sign_of_factors(factors, pivots);
    workspace->used = mark;
    return STATUS_OK;
}

/* ---- functions of matrices */

size_t matrix_power_bytes(size_t n) {
    return 2 * matrix_bytes(n, n) + matrix_inverse_bytes(n);
}

static void swap(Matrix *a, Matrix *b) {
    Matrix was = *a;
    *a = *b;
    *b = was;
}

/* out = base ^ exponent; both BASE and SPARE are scratch. */
static void power_by_squaring(Matrix out, Matrix base, Matrix spare, unsigned long exponent) {
    Matrix result = out;
    matrix_identity(result);
    for (; exponent; exponent >>= 1) {
        if (exponent & 1) {
            matrix_multiply(spare, 1, result, PLAIN, base, PLAIN, 0);
            swap(&result, &spare);
        }
        if (exponent > 1) {
            matrix_multiply(spare, 1, base, PLAIN, base, PLAIN, 0);
            swap(&base, &spare);
        }
    }
    if (result.data != out.data)
        matrix_copy(out, result);
}

Status matrix_power(Matrix out, Matrix a, long exponent, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(a.rows == a.columns);
    Matrix base = matrix_take(workspace, a.rows, a.rows);
    Matrix spare = matrix_take(workspace, a.rows, a.rows);
    Status status = matrix_finite(a) ? STATUS_OK : STATUS_NOT_FINITE;
    unsigned long magnitude = exponent < 0 ? -(unsigned long)exponent : (unsigned long)exponent;
    matrix_copy(base, a);
    if (status == STATUS_OK && exponent < 0)
        status = matrix_inverse(base, a, workspace);
    if (status == STATUS_OK) {
        power_by_squaring(out, base, spare, magnitude);
        status = matrix_finite(out) ? STATUS_OK : STATUS_NOT_FINITE;
    }
    workspace->used = mark;
    return status;
}

/* The coefficients of the Pade approximation of degree 13. */
static const double pade[14] = {64764752532480000,
                                32382376266240000,
                                7771770303897600,
                                1187353796428800,
                                129060195264000,
                                10559470521600,
                                670442572800,
                                33522128640,
                                1323241920,
                                40840800,
                                960960,
                                16380,
                                182,
                                1};

/* out = p[0] I + p[2] A2 + p[4] A4 + p[6] A6 + A6 (p[8] A2 + p[10] A4 + p[12] A6) */
static void even_polynomial(Matrix out, Matrix spare, const double *p, const Matrix powers[3]) {
    matrix_zero(spare);
    matrix_identity(out);
    matrix_scale(out, p[0]);
    for (size_t i = 0; i < 3; i++) {
        matrix_add(out, p[2 + 2 * i], powers[i]);
        matrix_add(spare, p[8 + 2 * i], powers[i]);
    }
    matrix_multiply(out, 1, powers[2], PLAIN, spare, PLAIN, 1);
}

size_t matrix_exponential_bytes(size_t n) {
    return 6 * matrix_bytes(n, n) + matrix_solve_bytes(n, n);
}

/* e^A = (V - U)^-1 (V + U), with U the odd and V the even terms; A is small. */
static Status approximate_exponential(Matrix out, Matrix a, Workspace *workspace) {
    size_t n = a.rows;
    Matrix even = matrix_take(workspace, n, n), spare = matrix_take(workspace, n, n);
    Matrix powers[3];
    for (size_t i = 0; i < 3; i++) {
        powers[i] = matrix_take(workspace, n, n);
        matrix_multiply(powers[i], 1, i ? powers[i - 1] : a, PLAIN, i ? powers[0] : a, PLAIN, 0);
    }
    even_polynomial(even, spare, pade + 1, powers);
    matrix_multiply(out, 1, a, PLAIN, even, PLAIN, 0);
    even_polynomial(even, spare, pade, powers);
    matrix_copy(spare, even);
    matrix_add(spare, -1, out);
    matrix_add(out, 1, even);
    return matrix_solve(out, spare, workspace);
}

Status matrix_exponential(Matrix out, Matrix a, Workspace *workspace) {
    const double largest = 5.371920351148152; /* norm up to which the approximation is exact */
    size_t n = a.rows, mark = workspace->used;
    assert(a.rows == a.columns);
    if (!matrix_finite(a))
        return STATUS_NOT_FINITE;
    double norm = matrix_norm_columns(a);
    int halvings = norm > largest ? (int)ceil(log2(norm / largest)) : 0;
    Matrix scaled = matrix_take(workspace, n, n);
    matrix_copy(scaled, a);
    matrix_scale(scaled, ldexp(1, -halvings));
    Status status =
        isfinite(norm) ? approximate_exponential(out, scaled, workspace) : STATUS_NOT_FINITE;
    for (; halvings > 0 && status == STATUS_OK; halvings--) {
        matrix_multiply(scaled, 1, out, PLAIN, out, PLAIN, 0);
        matrix_copy(out, scaled);
    }
    workspace->used = mark;
    return status == STATUS_OK && !matrix_finite(out) ? STATUS_NOT_FINITE : status;
}

size_t matrix_sylvester_bytes(size_t n) {
    return 2 * matrix_bytes(n, n) + numbers_bytes(n) + matrix_eigen_bytes(n);
}

/* In the basis where S is diagonal, element (i, j) of X is that of C over values[i] + values[j]. */
static Status run_sylvester(Matrix x, Matrix s, Matrix c, Workspace *workspace) {
    size_t n = s.rows;
    Matrix v = matrix_take(workspace, n, n), spare = matrix_take(workspace, n, n);
    double *values = workspace_array(workspace, double, n);
    Status status = matrix_eigen(values, v, s, workspace);
    if (status != STATUS_OK)
        return status;
    matrix_multiply(spare, 1, v, PLAIN, c, PLAIN, 0);
    matrix_multiply(x, 1, spare, PLAIN, v, TRANSPOSED, 0);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < n; j++)
            row_of(x, i)[j] /= values[i] + values[j];
    matrix_multiply(spare, 1, v, TRANSPOSED, x, PLAIN, 0);
    matrix_multiply(x, 1, spare, PLAIN, v, PLAIN, 0);
    return matrix_finite(x) ? STATUS_OK : STATUS_SINGULAR;
}

Status matrix_sylvester(Matrix x, Matrix s, Matrix c, Workspace *workspace) {
    size_t mark = workspace->used;
    if (!matrix_finite(c))
        return STATUS_NOT_FINITE;
    Status status = run_sylvester(x, s, c, workspace);
    workspace->used = mark;
    return status;
}

/* ---- randomized decomposition */

static size_t rows_of(Matrix a, Transpose op) {
    return op == PLAIN ? a.rows : a.columns;
}

size_t matrix_range_bytes(size_t rows, size_t columns, size_t rank) {
    size_t orthonormalise = larger(matrix_qr_bytes(rows, rank), matrix_qr_bytes(columns, rank));
    return matrix_bytes(larger(rows, columns), rank) + matrix_bytes(rank, rank) + orthonormalise;
}

Status matrix_range(Matrix q, Matrix a, Transpose op, Matrix start, size_t iterations,
                    Workspace *workspace) {
    Transpose back = op == PLAIN ? TRANSPOSED : PLAIN;
    size_t rank = start.columns, mark = workspace->used;
    Matrix other = matrix_view(workspace_array(workspace, double, rank *larger(a.rows, a.columns)),
                               rows_of(a, back), rank);
    Matrix r = matrix_take(workspace, rank, rank);
    matrix_multiply(q, 1, a, op, start, PLAIN, 0);
    Status status = matrix_qr(q, r, q, workspace);
    for (size_t i = 0; i < iterations && status == STATUS_OK; i++) {
        matrix_multiply(other, 1, a, back, q, PLAIN, 0);
        status = matrix_qr(other, r, other, workspace);
        if (status != STATUS_OK)
            break;
        matrix_multiply(q, 1, a, op, other, PLAIN, 0);
        status = matrix_qr(q, r, q, workspace);
    }
    workspace->used = mark;
    return status;
}

size_t matrix_svd_low_rank_bytes(size_t rows, size_t columns, size_t rank) {
    size_t k = smaller(rows, columns);
    return matrix_bytes(larger(rows, columns), rank) + 2 * matrix_bytes(rank, k) +
           matrix_bytes(rank, rank) +
           larger(matrix_range_bytes(rows, columns, rank), matrix_svd_bytes(rank, k));
}

/* With a basis Q of A's columns, A is nearly Q (Q^T A), and the bracket is small; a wide A is
 * treated as its transpose, which exchanges U and V. */
Status matrix_svd_low_rank(Matrix u, double *s, Matrix vt, Matrix a, Matrix start,
                           size_t iterations, Workspace *workspace) {
    Transpose op = is_tall(a.rows, a.columns) ? PLAIN : TRANSPOSED;
    size_t k = smaller(a.rows, a.columns), rank = start.columns, mark = workspace->used;
    assert(start.rows == k && rank <= k);
    Matrix q = matrix_take(workspace, larger(a.rows, a.columns), rank);
    Matrix small = matrix_take(workspace, rank, k), small_vt = matrix_take(workspace, rank, k);
    Matrix small_u = matrix_take(workspace, rank, rank);
    Status status = matrix_range(q, a, op, start, iterations, workspace);
    if (status == STATUS_OK) {
        matrix_multiply(small, 1, q, TRANSPOSED, a, op, 0);
        status = matrix_svd(small_u, s, small_vt, small, workspace);
    }
    if (status == STATUS_OK && op == PLAIN) {
        matrix_multiply(u, 1, q, PLAIN, small_u, PLAIN, 0);
        matrix_copy(vt, small_vt);
    } else if (status == STATUS_OK) {
        matrix_transpose(u, small_vt);
        matrix_multiply(vt, 1, small_u, TRANSPOSED, q, TRANSPOSED, 0);
    }
    workspace->used = mark;
    return status;
}
