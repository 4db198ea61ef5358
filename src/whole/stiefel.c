#include "whole/stiefel.h"

#include "whole/orthogonal.h"

#include <assert.h>

static size_t larger(size_t a, size_t b) {
    return a > b ? a : b;
}

/* How many directions outside of the frame a geodesic can use. */
static size_t outside(size_t rows, size_t columns) {
    return rows - columns < columns ? rows - columns : columns;
}

/* What of X is not in the space of FRAME: X = FRAME inner + Q outer, with K columns in Q and K rows
 * in OUTER. Q is rows x columns, OUTER columns x columns; the parts beyond K are of no use. */
static Status split(Matrix inner, Matrix q, Matrix outer, Matrix frame, Matrix x,
                    Workspace *workspace) {
    matrix_multiply(inner, 1, frame, TRANSPOSED, x, PLAIN, 0);
    matrix_copy(q, x);
    matrix_multiply(q, -1, frame, PLAIN, inner, PLAIN, 1);
    return matrix_qr(q, outer, q, workspace);
}

/* out = frame m[:p, :p] + q m[p:, :p] */
static void join(Matrix out, Matrix frame, Matrix q, Matrix m) {
    size_t p = frame.columns;
    matrix_multiply(out, 1, frame, PLAIN, matrix_block(m, 0, 0, p, p), PLAIN, 0);
    matrix_multiply(out, 1, q, PLAIN, matrix_block(m, p, 0, q.columns, p), PLAIN, 1);
}

/* ---- exponential */

size_t stiefel_exponential_bytes(size_t rows, size_t columns) {
    size_t n = columns + outside(rows, columns);
    return matrix_bytes(rows, columns) + 2 * matrix_bytes(columns, columns) +
           2 * matrix_bytes(n, n) +
           larger(matrix_qr_bytes(rows, columns), matrix_exponential_bytes(n));
}

static Status run_exponential(Matrix out, Matrix from, Matrix tangent, Workspace *workspace) {
    size_t p = from.columns, k = outside(from.rows, p), n = p + k;
    Matrix q = matrix_take(workspace, from.rows, p);
    Matrix inner = matrix_take(workspace, p, p), outer = matrix_take(workspace, p, p);
    Matrix w = matrix_take(workspace, n, n), m = matrix_take(workspace, n, n);
    Status status = split(inner, q, outer, from, tangent, workspace);
    if (status != STATUS_OK)
        return status;
    Matrix used = matrix_block(outer, 0, 0, k, p), above = matrix_block(w, 0, p, p, k);
    matrix_zero(w);
    matrix_copy(matrix_block(w, 0, 0, p, p), inner);
    matrix_copy(matrix_block(w, p, 0, k, p), used);
    matrix_transpose(above, used);
    matrix_scale(above, -1);
    status = matrix_exponential(m, w, workspace);
    if (status == STATUS_OK)
        join(out, from, matrix_block(q, 0, 0, q.rows, k), m);
    return status;
}

Status stiefel_exponential(Matrix out, Matrix from, Matrix tangent, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(from.rows > from.columns);
    Status status = run_exponential(out, from, tangent, workspace);
    workspace->used = mark;
    return status;
}

/* ---- logarithm */

/* Everything that the iteration works on: TO = from v[:p, :p] + q v[p:, :p], with square orthogonal
 * V; K = q.columns. */
typedef struct Frames {
    size_t p, k;
    Matrix q;            /* rows x k */
    Matrix v, logarithm; /* (p + k) square */
    Matrix s, c, g;      /* k square */
    Matrix wide;         /* (p + k) x k, scratch */
} Frames;

static size_t iteration_bytes(size_t p, size_t k) {
    size_t step = larger(matrix_sylvester_bytes(k), matrix_exponential_bytes(k));
    return larger(larger(matrix_svd_bytes(k, k) + matrix_bytes(k, 1), step),
                  larger(orthogonal_function_bytes(p + k), matrix_orientation_bytes(p + k)));
}

size_t stiefel_logarithm_bytes(size_t rows, size_t columns) {
    size_t k = outside(rows, columns), n = columns + k;
    return 2 * matrix_bytes(rows, columns) + matrix_bytes(columns, columns) +
           2 * matrix_bytes(n, n) + 3 * matrix_bytes(k, k) + matrix_bytes(n, k) +
           larger(larger(matrix_qr_bytes(rows, columns), matrix_complete_bytes(n, columns)),
                  iteration_bytes(columns, k));
}

/* The completion of V is free up to a rotation of its last K columns, and Q up to one of its own;
 * those that make the last block diagonal (Procrustes) start the iteration near its end. */
static Status align(Frames *frames, Matrix q, Workspace *workspace) {
    size_t p = frames->p, k = frames->k, mark = workspace->used;
    Matrix last = matrix_block(frames->v, p, p, k, k), below = matrix_block(frames->v, p, 0, k, p);
    Matrix right = matrix_block(frames->v, 0, p, p, k);
    double *sigma = workspace_array(workspace, double, k);
    Status status = matrix_svd(frames->s, sigma, frames->c, last, workspace);
    workspace->used = mark;
    if (status != STATUS_OK)
        return status;
    Matrix scratch = matrix_block(frames->logarithm, 0, 0, k, p);
    matrix_multiply(scratch, 1, frames->s, TRANSPOSED, below, PLAIN, 0);
    matrix_copy(below, scratch);
    scratch = matrix_block(frames->wide, 0, 0, p, k);
    matrix_multiply(scratch, 1, right, PLAIN, frames->c, TRANSPOSED, 0);
    matrix_copy(right, scratch);
    matrix_identity(last);
    matrix_scale_rows(last, sigma);
    matrix_multiply(frames->q, 1, q, PLAIN, frames->s, PLAIN, 0);
    return STATUS_OK;
}

/* Only rotations have a real logarithm. */
static Status make_rotation(Matrix v, Workspace *workspace) {
    int sign = 0;
    Status status = matrix_orientation(&sign, v, workspace);
    if (sign < 0)
        matrix_scale(matrix_block(v, 0, v.columns - 1, v.rows, 1), -1);
    return status;
}

/* Turns the last columns of V so as to shrink the last block C of its logarithm: by e^G, with
 * S G + G S = C and S = B B^T / 12 - 1/2. */
static Status shrink(Frames *frames, Workspace *workspace) {
    size_t p = frames->p, k = frames->k;
    Matrix below = matrix_block(frames->logarithm, p, 0, k, p);
    Matrix turned = matrix_block(frames->v, 0, p, p + k, k);
    matrix_identity(frames->s);
    matrix_multiply(frames->s, 1.0 / 12, below, PLAIN, below, TRANSPOSED, -0.5);
    Status status = matrix_sylvester(frames->g, frames->s, frames->c, workspace);
    if (status == STATUS_OK)
        status = matrix_exponential(frames->s, frames->g, workspace);
    if (status != STATUS_OK)
        return status;
    matrix_multiply(frames->wide, 1, turned, PLAIN, frames->s, PLAIN, 0);
    matrix_copy(turned, frames->wide);
    return STATUS_OK;
}

static Status iterate(Frames *frames, double tolerance, size_t steps, double *residual,
                      Workspace *workspace) {
    size_t p = frames->p, k = frames->k;
    for (size_t step = 1;; step++) {
        Status status = orthogonal_logarithm(frames->logarithm, frames->v, workspace);
        if (status != STATUS_OK)
            return status;
        matrix_copy(frames->c, matrix_block(frames->logarithm, p, p, k, k));
        *residual = matrix_norm(frames->c);
        if (*residual <= tolerance || step >= steps)
            return STATUS_OK;
        status = shrink(frames, workspace);
        if (status != STATUS_OK)
            return status;
    }
}

static Frames take_frames(size_t rows, size_t p, size_t k, Workspace *workspace) {
    return (Frames){.p = p,
                    .k = k,
                    .q = matrix_take(workspace, rows, k),
                    .v = matrix_take(workspace, p + k, p + k),
                    .logarithm = matrix_take(workspace, p + k, p + k),
                    .s = matrix_take(workspace, k, k),
                    .c = matrix_take(workspace, k, k),
                    .g = matrix_take(workspace, k, k),
                    .wide = matrix_take(workspace, p + k, k)};
}

static Status run_logarithm(Matrix tangent, Matrix from, Matrix to, double tolerance, size_t steps,
                            double *residual, Workspace *workspace) {
    size_t p = from.columns, k = outside(from.rows, p);
    Frames frames = take_frames(from.rows, p, k, workspace);
    Matrix q = matrix_take(workspace, from.rows, p), outer = matrix_take(workspace, p, p);
    Status status = split(matrix_block(frames.v, 0, 0, p, p), q, outer, from, to, workspace);
    if (status != STATUS_OK)
        return status;
    matrix_copy(matrix_block(frames.v, p, 0, k, p), matrix_block(outer, 0, 0, k, p));
    matrix_complete(frames.v, p, workspace);
    status = align(&frames, matrix_block(q, 0, 0, q.rows, k), workspace);
    if (status == STATUS_OK)
        status = make_rotation(frames.v, workspace);
    if (status == STATUS_OK)
        status = iterate(&frames, tolerance, steps, residual, workspace);
    if (status == STATUS_OK)
        join(tangent, from, frames.q, frames.logarithm);
    return status;
}

Status stiefel_logarithm(Matrix tangent, Matrix from, Matrix to, double tolerance, size_t steps,
                         double *residual, Workspace *workspace) {
    size_t mark = workspace->used;
    assert(from.rows > from.columns && steps > 0);
    *residual = 0;
    Status status = run_logarithm(tangent, from, to, tolerance, steps, residual, workspace);
    workspace->used = mark;
    return status;
}
