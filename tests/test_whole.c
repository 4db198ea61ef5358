#include "tests.h"

#include "whole/orthogonal.h"
#include "whole/random.h"
#include "whole/stiefel.h"

#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* Scratch for everything a test does, matrices included: it is checked that operations leave it as
 * they found it and take what they told. */
static Workspace pool;

static void open_pool(void) {
    const char *failure = lapack_open();
    ck_assert_msg(failure == NULL, "%s", failure);
    ck_assert(workspace_init(&pool, 64 << 20));
}

static void close_pool(void) {
    workspace_free(&pool);
}

static Matrix fresh(size_t rows, size_t columns) {
    Matrix matrix = matrix_take(&pool, rows, columns);
    for (size_t i = 0; i < rows * columns; i++)
        matrix.data[i] = NAN; /* what an operation leaves unset shows */
    return matrix;
}

static Matrix noise(size_t rows, size_t columns, uint64_t seed) {
    Matrix matrix = fresh(rows, columns);
    TorchRandom random;
    torch_random_init(&random, seed);
    torch_normal(&random, matrix.data, rows * columns, COMPUTE_F64);
    return matrix;
}

static Matrix identity(size_t n) {
    Matrix matrix = fresh(n, n);
    matrix_identity(matrix);
    return matrix;
}

static Matrix zeros(size_t rows, size_t columns) {
    Matrix matrix = fresh(rows, columns);
    matrix_zero(matrix);
    return matrix;
}

static Matrix product(Matrix a, Transpose op_a, Matrix b, Transpose op_b) {
    Matrix out = fresh(op_a == PLAIN ? a.rows : a.columns, op_b == PLAIN ? b.columns : b.rows);
    matrix_multiply(out, 1, a, op_a, b, op_b, 0);
    return out;
}

static double at(Matrix matrix, size_t i, size_t j) {
    return matrix.data[i * matrix.stride + j];
}

static void check_close(Matrix got, Matrix expected, double tolerance) {
    ck_assert(got.rows == expected.rows && got.columns == expected.columns);
    double distance = matrix_distance(got, expected);
    ck_assert_msg(distance <= tolerance, "%g apart, more than %g", distance, tolerance);
}

static void check_orthonormal_columns(Matrix q, double tolerance) {
    check_close(product(q, TRANSPOSED, q, PLAIN), identity(q.columns), tolerance);
}

static void check_orthonormal(Matrix q, double tolerance) {
    if (q.rows >= q.columns)
        check_orthonormal_columns(q, tolerance);
    else
        check_close(product(q, PLAIN, q, TRANSPOSED), identity(q.rows), tolerance);
}

/* Runs CALL, which must end in EXPECTED, on a workspace of exactly BYTES. */
#define RUN(expected, bytes, call)                                                                 \
    do {                                                                                           \
        Workspace workspace_;                                                                      \
        Workspace *scratch = &workspace_;                                                          \
        ck_assert(workspace_init(scratch, (bytes)));                                               \
        ck_assert_int_eq((call), (expected));                                                      \
        workspace_free(scratch);                                                                   \
    } while (0)

static Matrix rotation_of(size_t n, uint64_t seed) {
    Matrix q = fresh(n, n), r = fresh(n, n), a = noise(n, n, seed);
    int sign = 1;
    RUN(STATUS_OK, matrix_qr_bytes(n, n), matrix_qr(q, r, a, scratch));
    RUN(STATUS_OK, matrix_orientation_bytes(n), matrix_orientation(&sign, q, scratch));
    for (size_t i = 0; i < n && sign < 0; i++)
        q.data[i * n] *= -1;
    return q;
}

static const size_t sizes[][2] = {{1, 1}, {1, 7}, {7, 1}, {5, 5},   {40, 13}, {13, 40},
                                  {0, 4}, {4, 0}, {0, 0}, {65, 64}, {100, 3}, {3, 100}};
enum { N_SIZES = sizeof sizes / sizeof *sizes };

/* ---- products */

static void check_product(Matrix a, Transpose op_a, Matrix b, Transpose op_b) {
    Matrix got = product(a, op_a, b, op_b);
    size_t inner = op_a == PLAIN ? a.columns : a.rows;
    for (size_t i = 0; i < got.rows; i++)
        for (size_t j = 0; j < got.columns; j++) {
            double sum = 0;
            for (size_t k = 0; k < inner; k++)
                sum += (op_a == PLAIN ? at(a, i, k) : at(a, k, i)) *
                       (op_b == PLAIN ? at(b, k, j) : at(b, j, k));
            ck_assert_double_eq_tol(at(got, i, j), sum, 1e-12);
        }
}

START_TEST(products_are_sums) {
    for (size_t m = 0; m < 9; m += 4)
        for (size_t k = 0; k < 9; k += 4)
            for (size_t n = 0; n < 9; n += 4) {
                check_product(noise(m, k, 1), PLAIN, noise(k, n, 2), PLAIN);
                check_product(noise(k, m, 1), TRANSPOSED, noise(k, n, 2), PLAIN);
                check_product(noise(m, k, 1), PLAIN, noise(n, k, 2), TRANSPOSED);
                check_product(noise(k, m, 1), TRANSPOSED, noise(n, k, 2), TRANSPOSED);
            }
}
END_TEST

START_TEST(products_work_on_parts) {
    Matrix a = noise(9, 9, 1), out = zeros(6, 6);
    Matrix part = matrix_block(a, 1, 2, 3, 4), other = matrix_block(a, 5, 1, 4, 2);
    matrix_multiply(matrix_block(out, 1, 1, 3, 2), 2, part, PLAIN, other, PLAIN, 0);
    Matrix expected = product(part, PLAIN, other, PLAIN);
    matrix_scale(expected, 2);
    check_close(matrix_block(out, 1, 1, 3, 2), expected, 1e-13);
    ck_assert_double_eq_tol(matrix_norm(out), matrix_norm(expected), 1e-13); /* the rest is 0 */
}
END_TEST

START_TEST(numbers_come_and_go) {
    Matrix a = noise(5, 7, 1), back = fresh(5, 7);
    float stored[35];
    matrix_store(stored, a, COMPUTE_F32);
    matrix_load(back, stored, COMPUTE_F32);
    check_close(back, a, 1e-5);
    ck_assert_double_eq(at(back, 4, 6), (float)at(a, 4, 6));
    Matrix turned = fresh(7, 5);
    matrix_transpose(turned, a);
    ck_assert_double_eq(at(turned, 6, 4), at(a, 4, 6));
}
END_TEST

START_TEST(norms_are_sums) {
    Matrix a = zeros(3, 70);
    a.data[0] = -3;
    a.data[69] = 4;
    a.data[2 * 70 + 69] = -12;
    ck_assert_double_eq(matrix_norm(a), 13);
    ck_assert_double_eq(matrix_norm_rows(a), 12);
    ck_assert_double_eq(matrix_norm_columns(a), 16);
    ck_assert(matrix_finite(a));
    a.data[5] = INFINITY;
    ck_assert(!matrix_finite(a));
}
END_TEST

/* ---- factorizations */

static void check_qr(Matrix a) {
    size_t k = a.rows < a.columns ? a.rows : a.columns;
    Matrix q = fresh(a.rows, k), r = fresh(k, a.columns);
    RUN(STATUS_OK, matrix_qr_bytes(a.rows, a.columns), matrix_qr(q, r, a, scratch));
    check_orthonormal_columns(q, 1e-12);
    check_close(product(q, PLAIN, r, PLAIN), a, 1e-12);
    for (size_t i = 0; i < k; i++) {
        ck_assert(at(r, i, i) >= 0);
        for (size_t j = 0; j < i; j++)
            ck_assert_double_eq(at(r, i, j), 0);
    }
}

START_TEST(qr_is_a_factorization) {
    check_qr(noise(sizes[_i][0], sizes[_i][1], 3));
    check_qr(zeros(sizes[_i][0], sizes[_i][1]));
}
END_TEST

START_TEST(qr_may_work_in_place) {
    Matrix a = noise(9, 4, 3), q = fresh(9, 4), r = fresh(4, 4);
    matrix_copy(q, a);
    RUN(STATUS_OK, matrix_qr_bytes(9, 4), matrix_qr(q, r, q, scratch));
    check_close(product(q, PLAIN, r, PLAIN), a, 1e-13);
}
END_TEST

static void check_svd(Matrix a) {
    size_t k = a.rows < a.columns ? a.rows : a.columns;
    Matrix u = fresh(a.rows, k), s = fresh(1, k), vt = fresh(k, a.columns);
    RUN(STATUS_OK, matrix_svd_bytes(a.rows, a.columns), matrix_svd(u, s.data, vt, a, scratch));
    check_orthonormal_columns(u, 1e-12);
    check_orthonormal(vt, 1e-12);
    for (size_t i = 0; i < k; i++)
        ck_assert(s.data[i] >= 0 && (i == 0 || s.data[i] <= s.data[i - 1]));
    matrix_scale_rows(vt, s.data);
    check_close(product(u, PLAIN, vt, PLAIN), a, 1e-12);
}

static Matrix rank_two(size_t rows, size_t columns) {
    return product(noise(rows, 2, 4), PLAIN, noise(2, columns, 5), PLAIN);
}

START_TEST(svd_is_a_factorization) {
    check_svd(noise(sizes[_i][0], sizes[_i][1], 3));
    check_svd(zeros(sizes[_i][0], sizes[_i][1]));
    check_svd(rank_two(sizes[_i][0], sizes[_i][1]));
}
END_TEST

START_TEST(svd_knows_a_closed_form) {
    Matrix a = zeros(2, 2); /* of [[0, 2], [-3, 0]]: 3 and 2 */
    a.data[1] = 2;
    a.data[2] = -3;
    Matrix u = fresh(2, 2), s = fresh(1, 2), vt = fresh(2, 2);
    RUN(STATUS_OK, matrix_svd_bytes(2, 2), matrix_svd(u, s.data, vt, a, scratch));
    ck_assert_double_eq_tol(s.data[0], 3, 1e-15);
    ck_assert_double_eq_tol(s.data[1], 2, 1e-15);
}
END_TEST

START_TEST(eigenvectors_diagonalise) {
    for (size_t n = 0; n < 60; n += 1 + n) {
        Matrix b = noise(n, n, 6), a = product(b, TRANSPOSED, b, PLAIN);
        Matrix v = fresh(n, n), values = fresh(1, n);
        RUN(STATUS_OK, matrix_eigen_bytes(n), matrix_eigen(values.data, v, a, scratch));
        check_orthonormal(v, 1e-12);
        Matrix scaled = fresh(n, n);
        matrix_copy(scaled, v);
        matrix_scale_rows(scaled, values.data);
        check_close(product(v, TRANSPOSED, scaled, PLAIN), a, 1e-10);
        for (size_t i = 1; i < n; i++)
            ck_assert(values.data[i] >= values.data[i - 1]);
    }
}
END_TEST

START_TEST(completion_is_orthogonal) {
    for (size_t known = 0; known <= 9; known += 3) {
        Matrix q = fresh(9, 9);
        matrix_copy(matrix_block(q, 0, 0, 9, known),
                    matrix_block(rotation_of(9, 3), 0, 0, 9, known));
        Matrix before = fresh(9, known);
        matrix_copy(before, matrix_block(q, 0, 0, 9, known));
        Workspace scratch;
        ck_assert(workspace_init(&scratch, matrix_complete_bytes(9, known)));
        matrix_complete(q, known, &scratch);
        workspace_free(&scratch);
        check_orthonormal(q, 1e-13);
        check_close(matrix_block(q, 0, 0, 9, known), before, 0);
    }
}
END_TEST

/* ---- linear systems and functions */

START_TEST(systems_are_solved) {
    Matrix a = noise(20, 20, 1), b = noise(20, 3, 2), x = fresh(20, 3), inverse = fresh(20, 20);
    matrix_copy(x, b);
    RUN(STATUS_OK, matrix_solve_bytes(20, 3), matrix_solve(x, a, scratch));
    check_close(product(a, PLAIN, x, PLAIN), b, 1e-11);
    RUN(STATUS_OK, matrix_inverse_bytes(20), matrix_inverse(inverse, a, scratch));
    check_close(product(a, PLAIN, inverse, PLAIN), identity(20), 1e-11);
    RUN(STATUS_SINGULAR, matrix_solve_bytes(20, 3), matrix_solve(x, zeros(20, 20), scratch));
    RUN(STATUS_SINGULAR, matrix_inverse_bytes(3),
        matrix_inverse(zeros(3, 3), zeros(3, 3), scratch));
}
END_TEST

static int orientation(Matrix a) {
    int sign = 7;
    RUN(STATUS_OK, matrix_orientation_bytes(a.rows), matrix_orientation(&sign, a, scratch));
    return sign;
}

START_TEST(determinants_have_signs) {
    ck_assert_int_eq(orientation(fresh(0, 0)), 1);
    ck_assert_int_eq(orientation(zeros(3, 3)), 0);
    ck_assert_int_eq(orientation(identity(4)), 1);
    Matrix a = identity(4);
    a.data[0] = -2;
    ck_assert_int_eq(orientation(a), -1);
    a.data[5] = -2;
    ck_assert_int_eq(orientation(a), 1);
    Matrix exchange = zeros(3, 3); /* a cycle of three is even, an exchange of two odd */
    exchange.data[1] = exchange.data[5] = exchange.data[6] = 1;
    ck_assert_int_eq(orientation(exchange), 1);
    matrix_zero(exchange);
    exchange.data[1] = exchange.data[3] = exchange.data[8] = 1;
    ck_assert_int_eq(orientation(exchange), -1);
}
END_TEST

static Matrix power(Matrix a, long exponent) {
    Matrix out = fresh(a.rows, a.rows);
    RUN(STATUS_OK, matrix_power_bytes(a.rows), matrix_power(out, a, exponent, scratch));
    return out;
}

START_TEST(powers_are_products) {
    Matrix a = noise(6, 6, 1), expected = identity(6);
    for (long exponent = 0; exponent < 12; exponent++) {
        double size = matrix_norm(expected);
        check_close(power(a, exponent), expected, 1e-12 * size);
        check_close(product(power(a, exponent), PLAIN, power(a, -exponent), PLAIN), identity(6),
                    1e-6);
        expected = product(expected, PLAIN, a, PLAIN);
    }
    RUN(STATUS_SINGULAR, matrix_power_bytes(2),
        matrix_power(zeros(2, 2), zeros(2, 2), -1, scratch));
    check_close(power(zeros(2, 2), 0), identity(2), 0);
}
END_TEST

static Matrix exponential(Matrix a) {
    Matrix out = fresh(a.rows, a.rows);
    RUN(STATUS_OK, matrix_exponential_bytes(a.rows), matrix_exponential(out, a, scratch));
    return out;
}

START_TEST(exponentials) {
    Matrix turn = zeros(2, 2);
    for (double angle = 1e-9; angle < 1000; angle *= 7) {
        turn.data[2] = angle;
        turn.data[1] = -angle;
        Matrix e = exponential(turn);
        ck_assert_double_eq_tol(at(e, 0, 0), cos(angle), 1e-12);
        ck_assert_double_eq_tol(at(e, 1, 0), sin(angle), 1e-12);
        ck_assert_double_eq_tol(at(e, 0, 1), -sin(angle), 1e-12);
    }
    Matrix nilpotent = zeros(3, 3); /* 1 + N + N^2 / 2 */
    nilpotent.data[1] = nilpotent.data[5] = 100;
    ck_assert_double_eq_tol(at(exponential(nilpotent), 0, 2), 5000, 1e-9);
    check_close(exponential(zeros(5, 5)), identity(5), 1e-15);
    check_close(exponential(fresh(0, 0)), fresh(0, 0), 0);
    Matrix a = noise(8, 8, 3), minus = fresh(8, 8);
    matrix_copy(minus, a);
    matrix_scale(minus, -1);
    check_close(product(exponential(a), PLAIN, exponential(minus), PLAIN), identity(8), 1e-9);
    matrix_scale(a, 1e300);
    RUN(STATUS_NOT_FINITE, matrix_exponential_bytes(8), matrix_exponential(minus, a, scratch));
}
END_TEST

START_TEST(sylvester_equations_are_solved) {
    Matrix b = noise(12, 12, 1), s = product(b, TRANSPOSED, b, PLAIN), c = noise(12, 12, 2);
    Matrix x = fresh(12, 12);
    RUN(STATUS_OK, matrix_sylvester_bytes(12), matrix_sylvester(x, s, c, scratch));
    Matrix left = product(s, PLAIN, x, PLAIN);
    matrix_add(left, 1, product(x, PLAIN, s, PLAIN));
    check_close(left, c, 1e-10);
    RUN(STATUS_SINGULAR, matrix_sylvester_bytes(2),
        matrix_sylvester(zeros(2, 2), zeros(2, 2), identity(2), scratch));
}
END_TEST

/* ---- randomized */

static void check_low_rank(size_t rows, size_t columns, size_t rank, size_t iterations) {
    size_t k = rows < columns ? rows : columns;
    Matrix a = rank_two(rows, columns), start = noise(k, rank, 9);
    Matrix u = fresh(rows, rank), s = fresh(1, rank), vt = fresh(rank, columns);
    RUN(STATUS_OK, matrix_svd_low_rank_bytes(rows, columns, rank),
        matrix_svd_low_rank(u, s.data, vt, a, start, iterations, scratch));
    matrix_scale_rows(vt, s.data);
    Matrix got = product(u, PLAIN, vt, PLAIN);
    if (rank >= 2)
        check_close(got, a, 1e-11);
    else if (rank == 0)
        check_close(got, zeros(rows, columns), 0);
}

START_TEST(low_rank_is_found) {
    for (size_t rank = 0; rank < 4; rank++)
        for (size_t iterations = 0; iterations < 3; iterations++) {
            check_low_rank(30, 12, rank, iterations);
            check_low_rank(12, 30, rank, iterations);
            check_low_rank(9, 9, rank, iterations);
        }
}
END_TEST

START_TEST(low_rank_nears_the_svd) {
    Matrix a = noise(30, 20, 1), u = fresh(30, 20), s = fresh(1, 20), vt = fresh(20, 20);
    RUN(STATUS_OK, matrix_svd_bytes(30, 20), matrix_svd(u, s.data, vt, a, scratch));
    Matrix few_u = fresh(30, 4), few_s = fresh(1, 4), few_vt = fresh(4, 20);
    RUN(STATUS_OK, matrix_svd_low_rank_bytes(30, 20, 4),
        matrix_svd_low_rank(few_u, few_s.data, few_vt, a, noise(20, 4, 2), 300, scratch));
    for (size_t i = 0; i < 4; i++)
        ck_assert_double_eq_tol(few_s.data[i], s.data[i], 1e-9);
    check_orthonormal_columns(few_u, 1e-12);
}
END_TEST

/* ---- orthogonal matrices */

static Matrix polar(Matrix a) {
    Matrix out = fresh(a.rows, a.columns);
    RUN(STATUS_OK, orthogonal_polar_bytes(a.rows, a.columns), orthogonal_polar(out, a, scratch));
    return out;
}

/* U V^T from the singular value decomposition itself. */
static Matrix plain_polar(Matrix a) {
    size_t k = a.rows < a.columns ? a.rows : a.columns;
    Matrix u = fresh(a.rows, k), s = fresh(1, k), vt = fresh(k, a.columns);
    RUN(STATUS_OK, matrix_svd_bytes(a.rows, a.columns), matrix_svd(u, s.data, vt, a, scratch));
    return product(u, PLAIN, vt, PLAIN);
}

START_TEST(polar_factors_are_those_of_the_svd) {
    Matrix a = noise(sizes[_i][0], sizes[_i][1], 3);
    check_close(polar(a), plain_polar(a), 1e-9);
}
END_TEST

/* The polar factor makes a symmetric A^T Q (or A Q^T) of A, however many of them there are. */
static void check_polar(Matrix a) {
    Matrix q = polar(a);
    check_orthonormal(q, 1e-7);
    bool tall = a.rows >= a.columns;
    Matrix h = product(a, tall ? TRANSPOSED : PLAIN, q, tall ? PLAIN : TRANSPOSED);
    Matrix turned = fresh(h.columns, h.rows);
    matrix_transpose(turned, h);
    check_close(h, turned, 1e-7 * matrix_norm(a));
}

START_TEST(polar_factors_of_deficient_matrices) {
    size_t rows = sizes[_i][0], columns = sizes[_i][1];
    check_polar(zeros(rows, columns));
    check_polar(rank_two(rows, columns));
    Matrix a = noise(rows, columns, 2);
    if (rows && columns)
        matrix_zero(matrix_block(a, 0, 0, 1, columns));
    check_polar(a);
    matrix_scale(a, 1e-160);
    check_polar(a);
    matrix_scale(a, 1e300);
    check_polar(a);
}
END_TEST

/* Singular values of every size, the smallest a rounding error. */
static Matrix badly_conditioned(size_t m, size_t n, double least) {
    Matrix u = fresh(m, n), r = fresh(n, n), v = rotation_of(n, 8), s = fresh(1, n);
    RUN(STATUS_OK, matrix_qr_bytes(m, n), matrix_qr(u, r, noise(m, n, 7), scratch));
    for (size_t i = 0; i < n; i++)
        s.data[i] = pow(least, pow((double)i / (double)(n - 1), 6));
    matrix_scale_rows(v, s.data);
    return product(u, PLAIN, v, PLAIN);
}

START_TEST(polar_factors_of_badly_conditioned_matrices) {
    for (double least = 1e-2; least > 1e-9; least /= 100)
        for (size_t m = 60; m < 80; m += 10) {
            Matrix a = badly_conditioned(m, 60, least);
            check_close(polar(a), plain_polar(a), 1e-6);
        }
    check_polar(badly_conditioned(60, 60, 1e-15));
    check_polar(badly_conditioned(90, 60, 1e-15));
}
END_TEST

static Matrix turned(Matrix q, double exponent) {
    Matrix out = fresh(q.rows, q.rows);
    RUN(STATUS_OK, orthogonal_function_bytes(q.rows), orthogonal_power(out, q, exponent, scratch));
    return out;
}

static Matrix logarithm(Matrix q) {
    Matrix out = fresh(q.rows, q.rows);
    RUN(STATUS_OK, orthogonal_function_bytes(q.rows), orthogonal_logarithm(out, q, scratch));
    return out;
}

static void check_functions(Matrix q, double tolerance) {
    check_close(turned(q, 0), identity(q.rows), tolerance);
    check_close(turned(q, 1), q, tolerance);
    check_close(exponential(logarithm(q)), q, tolerance);
    for (double t = -1.5; t < 2; t += 0.8) {
        check_orthonormal(turned(q, t), tolerance);
        check_close(product(turned(q, t), PLAIN, turned(q, 0.3), PLAIN), turned(q, t + 0.3),
                    tolerance);
        Matrix scaled = logarithm(q);
        matrix_scale(scaled, t);
        check_close(exponential(scaled), turned(q, t), 10 * tolerance);
    }
}

START_TEST(rotations_have_powers_and_logarithms) {
    for (size_t n = 0; n < 50; n += 1 + n / 2)
        check_functions(rotation_of(n, n), 1e-9);
}
END_TEST

static Matrix planes(const double *angles, size_t n) {
    Matrix q = identity(2 * n);
    for (size_t i = 0; i < n; i++) {
        Matrix plane = matrix_block(q, 2 * i, 2 * i, 2, 2);
        plane.data[0] = plane.data[plane.stride + 1] = cos(angles[i]);
        plane.data[plane.stride] = sin(angles[i]);
        plane.data[1] = -sin(angles[i]);
    }
    return q;
}

START_TEST(planes_turn_by_a_share_of_their_angle) {
    const double angles[] = {0, 1e-9, 1e-3, -1, 2, 2, 3.14, -3.1415}, half = 0.5;
    double halved[8];
    for (size_t i = 0; i < 8; i++)
        halved[i] = half * angles[i];
    check_close(turned(planes(angles, 8), half), planes(halved, 8), 1e-9);
    Matrix l = logarithm(planes(angles, 8));
    for (size_t i = 0; i < 8; i++)
        ck_assert_double_eq_tol(at(l, 2 * i + 1, 2 * i), angles[i], 1e-9);
    check_functions(planes(angles, 8), 1e-8);
}
END_TEST

START_TEST(hidden_planes_turn_too) {
    const double angles[] = {3.14159, 3.14159265358979, -3.1415, 3.14, 0, 1e-7, 3.0, 3.0};
    Matrix q = planes(angles, 8), basis = rotation_of(16, 3);
    Matrix hidden = product(product(basis, PLAIN, q, PLAIN), PLAIN, basis, TRANSPOSED);
    check_functions(hidden, 1e-7);
}
END_TEST

START_TEST(half_turns_pair_up) {
    Matrix q = identity(4);
    matrix_scale(q, -1);
    check_functions(q, 1e-12);
    Matrix odd = identity(3); /* one is left over: the real part of a complex power */
    odd.data[0] = -1;
    Matrix third = turned(odd, 1.0 / 3);
    ck_assert_double_eq_tol(at(third, 0, 0), 0.5, 1e-12);
    ck_assert_double_eq_tol(at(third, 1, 1), 1, 1e-12);
}
END_TEST

/* ---- frames */

static Matrix frame(size_t rows, size_t columns, uint64_t seed) {
    Matrix q = fresh(rows, columns), r = fresh(columns, columns);
    RUN(STATUS_OK, matrix_qr_bytes(rows, columns),
        matrix_qr(q, r, noise(rows, columns, seed), scratch));
    return q;
}

static Matrix frame_along(Matrix from, Matrix tangent) {
    Matrix out = fresh(from.rows, from.columns);
    RUN(STATUS_OK, stiefel_exponential_bytes(from.rows, from.columns),
        stiefel_exponential(out, from, tangent, scratch));
    return out;
}

/* A tangent of length about LENGTH at FROM: U A + (1 - U U^T) B with skew A. */
static Matrix tangent_at(Matrix from, double length) {
    Matrix b = noise(from.rows, from.columns, 77), inner = product(from, TRANSPOSED, b, PLAIN);
    Matrix symmetric = fresh(from.columns, from.columns);
    matrix_transpose(symmetric, inner);
    matrix_add(symmetric, 1, inner);
    matrix_multiply(b, -0.5, from, PLAIN, symmetric, PLAIN, 1);
    matrix_scale(b, length / matrix_norm(b));
    return b;
}

static void check_geodesic(size_t rows, size_t columns, double length) {
    Matrix from = frame(rows, columns, 1), tangent = tangent_at(from, length);
    Matrix to = frame_along(from, tangent), found = fresh(rows, columns);
    check_orthonormal_columns(to, 1e-12);
    double residual = -1;
    RUN(STATUS_OK, stiefel_logarithm_bytes(rows, columns),
        stiefel_logarithm(found, from, to, 1e-10, 100, &residual, scratch));
    ck_assert(residual >= 0 && residual <= 1e-10);
    check_close(found, tangent, 1e-8);
    check_close(frame_along(from, found), to, 1e-8);
}

START_TEST(geodesics_go_there_and_back) {
    check_geodesic(20, 4, 1);
    check_geodesic(20, 4, 0.01);
    check_geodesic(9, 6, 1); /* fewer directions outside than columns */
    check_geodesic(8, 7, 0.5);
    check_geodesic(2, 1, 1);
    check_geodesic(30, 15, 1.5);
}
END_TEST

START_TEST(geodesics_of_length_0) {
    Matrix from = frame(12, 5, 1), found = fresh(12, 5);
    double residual = -1;
    RUN(STATUS_OK, stiefel_logarithm_bytes(12, 5),
        stiefel_logarithm(found, from, from, 1e-10, 100, &residual, scratch));
    check_close(found, zeros(12, 5), 1e-10);
    check_close(frame_along(from, zeros(12, 5)), from, 1e-12);
}
END_TEST

START_TEST(geodesics_end_when_told) {
    Matrix from = frame(12, 5, 1), to = frame(12, 5, 2), found = fresh(12, 5);
    double residual = 0;
    RUN(STATUS_OK, stiefel_logarithm_bytes(12, 5),
        stiefel_logarithm(found, from, to, 0, 2, &residual, scratch));
    ck_assert(residual > 0 && matrix_finite(found));
}
END_TEST

/* ---- bad input */

START_TEST(nan_is_an_error_at_once) {
    Matrix a = noise(6, 6, 1), o = fresh(6, 6), p = fresh(6, 6), s = fresh(1, 6);
    a.data[16] = _i ? INFINITY : NAN;
    double residual;
    int sign;
    Workspace *w = &pool;
    ck_assert_int_eq(matrix_qr(o, p, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_svd(o, s.data, p, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_eigen(s.data, o, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_solve(o, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_inverse(o, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_orientation(&sign, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_power(o, a, 3, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_exponential(o, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_sylvester(o, a, identity(6), w), STATUS_NOT_FINITE);
    ck_assert_int_eq(matrix_svd_low_rank(matrix_block(o, 0, 0, 6, 2), s.data,
                                         matrix_block(p, 0, 0, 2, 6), a, noise(6, 2, 1), 2, w),
                     STATUS_NOT_FINITE);
    ck_assert_int_eq(orthogonal_polar(o, a, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(orthogonal_power(o, a, 0.5, w), STATUS_NOT_FINITE);
    ck_assert_int_eq(orthogonal_logarithm(o, a, w), STATUS_NOT_FINITE);
    Matrix narrow = matrix_block(a, 0, 0, 6, 6 - 1), out = matrix_block(o, 0, 0, 6, 6 - 1);
    ck_assert_int_eq(stiefel_logarithm(out, narrow, narrow, 1e-8, 9, &residual, w),
                     STATUS_NOT_FINITE);
    ck_assert_int_eq(stiefel_exponential(out, narrow, narrow, w), STATUS_NOT_FINITE);
}
END_TEST

/* ---- threads */

enum { THREADS = 4, SIDE = 150 };

static void *factor_noise(void *out) {
    Workspace workspace;
    size_t bytes = matrix_bytes(SIDE, SIDE) + orthogonal_polar_bytes(SIDE, SIDE);
    if (!workspace_init(&workspace, bytes))
        return NULL;
    Matrix a = matrix_take(&workspace, SIDE, SIDE);
    TorchRandom random;
    torch_random_init(&random, 1);
    torch_normal(&random, a.data, SIDE * SIDE, COMPUTE_F64);
    Status status = orthogonal_polar(matrix_view(out, SIDE, SIDE), a, &workspace);
    workspace_free(&workspace);
    return status == STATUS_OK ? out : NULL;
}

START_TEST(threads_get_the_same_bits) {
    pthread_t threads[THREADS];
    double *factors[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        factors[i] = malloc(SIDE * SIDE * sizeof(double));
        ck_assert(pthread_create(&threads[i], NULL, factor_noise, factors[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *done;
        ck_assert(pthread_join(threads[i], &done) == 0 && done != NULL);
        ck_assert(memcmp(factors[0], factors[i], SIDE * SIDE * sizeof(double)) == 0);
    }
    for (size_t i = 0; i < THREADS; i++)
        free(factors[i]);
}
END_TEST

START_TEST(sizes_have_limits) {
    ck_assert(matrix_fits(49408, 5120));
    ck_assert(matrix_fits(1, 100000000));
    ck_assert(!matrix_fits(MATRIX_LIMIT + 1, MATRIX_LIMIT + 1));
    ck_assert(!matrix_fits(1, (size_t)1 << 31));
}
END_TEST

Suite *whole_suite(void) {
    Suite *suite = suite_create("whole");
    TCase *tests = tcase_create("matrix");
    tcase_add_checked_fixture(tests, open_pool, close_pool);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, products_are_sums);
    tcase_add_test(tests, products_work_on_parts);
    tcase_add_test(tests, numbers_come_and_go);
    tcase_add_test(tests, norms_are_sums);
    tcase_add_loop_test(tests, qr_is_a_factorization, 0, N_SIZES);
    tcase_add_test(tests, qr_may_work_in_place);
    tcase_add_loop_test(tests, svd_is_a_factorization, 0, N_SIZES);
    tcase_add_test(tests, svd_knows_a_closed_form);
    tcase_add_test(tests, eigenvectors_diagonalise);
    tcase_add_test(tests, completion_is_orthogonal);
    tcase_add_test(tests, systems_are_solved);
    tcase_add_test(tests, determinants_have_signs);
    tcase_add_test(tests, powers_are_products);
    tcase_add_test(tests, exponentials);
    tcase_add_test(tests, sylvester_equations_are_solved);
    tcase_add_test(tests, low_rank_is_found);
    tcase_add_test(tests, low_rank_nears_the_svd);
    tcase_add_loop_test(tests, polar_factors_are_those_of_the_svd, 0, N_SIZES);
    tcase_add_loop_test(tests, polar_factors_of_deficient_matrices, 0, N_SIZES);
    tcase_add_test(tests, polar_factors_of_badly_conditioned_matrices);
    tcase_add_test(tests, rotations_have_powers_and_logarithms);
    tcase_add_test(tests, planes_turn_by_a_share_of_their_angle);
    tcase_add_test(tests, hidden_planes_turn_too);
    tcase_add_test(tests, half_turns_pair_up);
    tcase_add_test(tests, geodesics_go_there_and_back);
    tcase_add_test(tests, geodesics_of_length_0);
    tcase_add_test(tests, geodesics_end_when_told);
    tcase_add_loop_test(tests, nan_is_an_error_at_once, 0, 2);
    tcase_add_test(tests, threads_get_the_same_bits);
    tcase_add_test(tests, sizes_have_limits);
    suite_add_tcase(suite, tests);
    return suite;
}
