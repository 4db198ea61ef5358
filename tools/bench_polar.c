/* Compares routes to the orthogonal polar factor of A^T B, for pairs of matrices of the shapes that
 * Stable Diffusion has: processor seconds (the best of some runs), and how far factor and rotated A
 * are from those of the SVD. Its table is in docs/performance.md.
 *
 *     bench_polar [largest side, default 1280] [runs, default 3] */
#include "whole/orthogonal.h"
#include "whole/random.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef Status Route(Matrix out, Matrix a, Workspace *workspace);

/* ---- routes: A has at least as many rows as columns */

static Status by_svd(Matrix out, Matrix a, Workspace *workspace) {
    Matrix u = matrix_take(workspace, a.rows, a.columns);
    Matrix vt = matrix_take(workspace, a.columns, a.columns);
    double *s = workspace_array(workspace, double, a.columns);
    Status status = matrix_svd(u, s, vt, a, workspace);
    matrix_multiply(out, 1, u, PLAIN, vt, PLAIN, 0);
    return status;
}

/* A (A^T A)^-1/2, without care for small singular values. */
static Status by_gram(Matrix out, Matrix a, Workspace *workspace) {
    size_t n = a.columns;
    Matrix v = matrix_take(workspace, n, n), u = matrix_take(workspace, a.rows, n);
    double *values = workspace_array(workspace, double, n);
    matrix_multiply(v, 1, a, TRANSPOSED, a, PLAIN, 0);
    Status status = matrix_eigen(values, v, v, workspace);
    for (size_t i = 0; i < n; i++)
        values[i] = 1 / sqrt(fmax(values[i], 1e-300));
    matrix_multiply(u, 1, a, PLAIN, v, TRANSPOSED, 0);
    matrix_scale_columns(u, values);
    matrix_multiply(out, 1, u, PLAIN, v, PLAIN, 0);
    return status;
}

/* Makes the largest singular value at most 1. */
static void scale_down(Matrix x) {
    matrix_scale(x, 1 / sqrt(matrix_norm_rows(x) * matrix_norm_columns(x)));
}

/* X <- X (3 - X^T X) / 2 */
static Status by_newton_schulz(Matrix x, Matrix a, Workspace *workspace) {
    size_t n = a.columns;
    Matrix gram = matrix_take(workspace, n, n), next = matrix_take(workspace, a.rows, n);
    Matrix identity = matrix_take(workspace, n, n);
    matrix_identity(identity);
    matrix_copy(x, a);
    scale_down(x);
    for (int step = 0; step < 100; step++) {
        matrix_multiply(gram, 1, x, TRANSPOSED, x, PLAIN, 0);
        if (matrix_distance(gram, identity) < 1e-8)
            return STATUS_OK;
        matrix_copy(next, x);
        matrix_multiply(next, -0.5, x, PLAIN, gram, PLAIN, 1.5);
        matrix_copy(x, next);
    }
    return STATUS_NOT_CONVERGED;
}

/* X <- (z X + X^-T / z) / 2, z from the norms of X and its inverse until the steps are small. */
static Status newton(Matrix x, Workspace *workspace) {
    Matrix inverse = matrix_take(workspace, x.rows, x.rows);
    Matrix next = matrix_take(workspace, x.rows, x.rows);
    double moved = 1;
    for (int step = 0; step < 40 && moved > 1e-9; step++) {
        Status status = matrix_inverse(inverse, x, workspace);
        if (status != STATUS_OK)
            return status;
        double size = matrix_norm_rows(x) * matrix_norm_columns(x);
        double other = matrix_norm_rows(inverse) * matrix_norm_columns(inverse);
        double z = moved < 0.01 ? 1 : sqrt(sqrt(other / size));
        matrix_transpose(next, inverse);
        matrix_scale(next, 0.5 / z);
        matrix_add(next, z / 2, x);
        moved = matrix_distance(next, x) / matrix_norm(next);
        matrix_copy(x, next);
    }
    return STATUS_OK;
}

static Status by_newton(Matrix out, Matrix a, Workspace *workspace) {
    size_t n = a.columns;
    Matrix q = matrix_take(workspace, a.rows, n), r = matrix_take(workspace, n, n);
    if (a.rows == n) {
        matrix_copy(out, a);
        return newton(out, workspace);
    }
    Status status = matrix_qr(q, r, a, workspace);
    if (status == STATUS_OK)
        status = newton(r, workspace);
    matrix_multiply(out, 1, q, PLAIN, r, PLAIN, 0);
    return status;
}

/* QR-based dynamically weighted Halley iteration (Nakatsukasa, Bai and Gygi 2010), from a lower
 * bound of 1e-16 for the smallest singular value; its later steps by solving with 1 + c X^T X. */
static Status by_qdwh(Matrix x, Matrix a, Workspace *workspace) {
    size_t m = a.rows, n = a.columns;
    Matrix stack = matrix_take(workspace, m + n, n), r = matrix_take(workspace, n, n);
    Matrix turned = matrix_take(workspace, n, m), sides = matrix_take(workspace, m, n);
    Matrix top = matrix_block(stack, 0, 0, m, n), below = matrix_block(stack, m, 0, n, n);
    Status status = STATUS_OK;
    matrix_copy(x, a);
    scale_down(x);
    for (double least = 1e-16; fabs(1 - least) > 1e-9 && status == STATUS_OK;) {
        double square = least * least, d = cbrt(4 * (1 - square) / (square * square));
        double root = sqrt(1 + d);
        double p = root + 0.5 * sqrt(8 - 4 * d + 8 * (2 - square) / (square * root));
        double q = (p - 1) * (p - 1) / 4, c = p + q - 1;
        least = fmin(1, least * (p + q * square) / (1 + c * square));
        if (c > 100) {
            matrix_copy(top, x);
            matrix_scale(top, sqrt(c));
            matrix_identity(below);
            status = matrix_qr(stack, r, stack, workspace);
            matrix_multiply(x, (p - q / c) / sqrt(c), top, PLAIN, below, TRANSPOSED, q / c);
        } else {
            matrix_identity(r);
            matrix_multiply(r, c, x, TRANSPOSED, x, PLAIN, 1);
            matrix_transpose(turned, x);
            status = matrix_solve(turned, r, workspace);
            matrix_transpose(sides, turned);
            matrix_scale(x, q / c);
            matrix_add(x, p - q / c, sides);
        }
    }
    return status;
}

static const struct {
    const char *name;
    Route *route;
} routes[] = {{"SVD", by_svd},
              {"QDWH", by_qdwh},
              {"Newton-Schulz", by_newton_schulz},
              {"scaled Newton", by_newton},
              {"Gram", by_gram},
              {"orthogonal_polar", orthogonal_polar}};

/* ---- inputs */

typedef enum Kind {
    NEAR,    /* B is A with a tenth of noise */
    CENTRED, /* so, less the mean of the rows: A^T B lacks a rank where A is square */
    DECAYING /* so, with a spectrum that falls off */
} Kind;

static const struct {
    size_t rows, columns;
    Kind kind;
} cases[] = {
    {320, 320, NEAR},       {320, 320, CENTRED},  {640, 640, CENTRED},    {1280, 1280, CENTRED},
    {1280, 1280, DECAYING}, {2560, 320, CENTRED}, {10240, 1280, CENTRED}, {320, 768, CENTRED},
    {320, 2880, CENTRED},   {640, 2560, CENTRED}, {1280, 2880, CENTRED},
};

static Matrix take_noise(size_t rows, size_t columns, uint64_t seed, Workspace *workspace) {
    Matrix matrix = matrix_take(workspace, rows, columns);
    TorchRandom random;
    torch_random_init(&random, seed);
    torch_normal(&random, matrix.data, rows * columns, COMPUTE_F64);
    return matrix;
}

static void centre(Matrix a) {
    for (size_t j = 0; j < a.columns; j++) {
        double sum = 0;
        for (size_t i = 0; i < a.rows; i++)
            sum += a.data[i * a.stride + j];
        for (size_t i = 0; i < a.rows; i++)
            a.data[i * a.stride + j] -= sum / (double)a.rows;
    }
}

static void make_pair(Matrix a, Matrix b, Kind kind) {
    for (size_t i = 0; kind == DECAYING && i < a.rows; i++)
        matrix_scale(matrix_block(a, i, 0, 1, a.columns), 1 / sqrt((double)i + 1));
    matrix_scale(b, 0.1 * matrix_norm(a) / matrix_norm(b));
    matrix_add(b, 1, a);
    if (kind != NEAR) {
        centre(a);
        centre(b);
    }
}

/* A^T B, or, where they are wide, A^T R^T with B^T = Q R: what rotate takes the factor of. */
static Matrix take_product(Matrix a, Matrix b, Workspace *workspace) {
    bool wide = a.rows < a.columns;
    Matrix product = matrix_take(workspace, a.columns, wide ? a.rows : a.columns);
    if (!wide) {
        matrix_multiply(product, 1, a, TRANSPOSED, b, PLAIN, 0);
        return product;
    }
    Matrix turned = matrix_take(workspace, b.columns, b.rows);
    Matrix r = matrix_take(workspace, b.rows, b.rows);
    matrix_transpose(turned, b);
    matrix_qr(turned, r, turned, workspace);
    matrix_multiply(product, 1, a, TRANSPOSED, r, TRANSPOSED, 0);
    return product;
}

/* ---- the table */

static double seconds(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (double)time.tv_sec + 1e-9 * (double)time.tv_nsec;
}

static double best_time(Route *route, Matrix out, Matrix a, int runs, Workspace *workspace) {
    double best = INFINITY;
    for (int run = 0; run < runs; run++) {
        size_t mark = workspace->used;
        double start = seconds();
        route(out, a, workspace);
        best = fmin(best, seconds() - start);
        workspace->used = mark;
    }
    return best;
}

static void measure(size_t rows, size_t columns, Kind kind, int runs, Workspace *workspace) {
    static const char *const names[] = {"near", "centred", "decaying, centred"};
    size_t mark = workspace->used;
    Matrix a = take_noise(rows, columns, 1, workspace), b = take_noise(rows, columns, 2, workspace);
    make_pair(a, b, kind);
    Matrix product = take_product(a, b, workspace);
    Matrix expected = matrix_take(workspace, product.rows, product.columns);
    Matrix factor = matrix_take(workspace, product.rows, product.columns);
    Matrix rotated = matrix_take(workspace, rows, product.columns);
    Matrix wanted = matrix_take(workspace, rows, product.columns);
    printf("\n%zu x %zu, %s: factor of %zu x %zu\n", rows, columns, names[kind], product.rows,
           product.columns);
    for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
        double time = best_time(routes[i].route, factor, product, runs, workspace);
        matrix_multiply(rotated, 1, a, PLAIN, factor, PLAIN, 0);
        if (i == 0) {
            matrix_copy(expected, factor);
            matrix_copy(wanted, rotated);
        }
        printf("  %-18s %8.3f s   factor %.0e   rotated %.0e\n", routes[i].name, time,
               matrix_distance(factor, expected) / matrix_norm(expected),
               matrix_distance(rotated, wanted) / matrix_norm(wanted));
        fflush(stdout);
    }
    workspace->used = mark;
}

int main(int argc, char **argv) {
    size_t largest = argc > 1 ? (size_t)atol(argv[1]) : 1280;
    int runs = argc > 2 ? atoi(argv[2]) : 3;
    Workspace workspace;
    const char *failure = lapack_open();
    if (failure || !workspace_init(&workspace, (size_t)1 << 30)) {
        fprintf(stderr, "%s\n", failure ? failure : "out of memory");
        return EXIT_FAILURE;
    }
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (cases[i].rows <= largest || cases[i].columns <= largest)
            measure(cases[i].rows, cases[i].columns, cases[i].kind, runs, &workspace);
    workspace_free(&workspace);
    return EXIT_SUCCESS;
}
