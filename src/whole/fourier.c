#include "whole/fourier.h"

#include <assert.h>
#include <kissfft/kiss_fft.h>
#include <math.h>

/* ---- complex transforms of one line */

/* kissfft sums over every prime factor beyond 5 term by term; from here on that is slower than
 * three transforms of twice the length. */
enum { LARGEST_FACTOR = 100 };

typedef struct Line {
    size_t n, padded; /* PADDED: the length of Bluestein's convolution; 0 without */
    kiss_fft_cfg plan;
    Complex *chirp, *filter, *products, *sums;
} Line;

static size_t largest_factor(size_t n) {
    size_t largest = 1;
    for (size_t p = 2; p * p <= n; p++)
        for (; n % p == 0; n /= p)
            largest = p;
    return n > 1 ? n : largest;
}

static size_t padded_length(size_t n) {
    if (largest_factor(n) <= LARGEST_FACTOR)
        return 0;
    return (size_t)kiss_fft_next_fast_size((int)(2 * n - 1));
}

static size_t plan_bytes(size_t n) {
    size_t bytes = 0;
    kiss_fft_alloc((int)n, 0, NULL, &bytes);
    return bytes;
}

static size_t complex_bytes(size_t n) {
    return workspace_bytes(n, sizeof(Complex));
}

static size_t line_bytes(size_t n) {
    size_t padded = padded_length(n);
    size_t plan = workspace_bytes(plan_bytes(padded ? padded : n), 1);
    return plan + (padded ? complex_bytes(n) + 3 * complex_bytes(padded) : 0);
}

static kiss_fft_cfg take_plan(size_t n, Workspace *workspace) {
    size_t bytes = plan_bytes(n);
    return kiss_fft_alloc((int)n, 0, workspace_take(workspace, bytes, 1), &bytes);
}

static void run_plan(kiss_fft_cfg plan, Complex *out, const Complex *in) {
    kiss_fft(plan, (const kiss_fft_cpx *)in, (kiss_fft_cpx *)out);
}

static Complex multiply(Complex a, Complex b) {
    return (Complex){a.re * b.re - a.im * b.im, a.re * b.im + a.im * b.re};
}

static Complex conjugate(Complex a) {
    return (Complex){a.re, -a.im};
}

/* exp(-i pi k^2 / n); the square is reduced in integers, to lose no digit. */
static Complex chirp_at(uint64_t k, uint64_t n) {
    double angle = 3.14159265358979323846 * (double)(k * k % (2 * n)) / (double)n;
    return (Complex){(float)cos(angle), (float)-sin(angle)};
}

/* The transform of what Bluestein convolves with, scaled for the way back. */
static void make_filter(Line *line) {
    for (size_t i = 0; i < line->padded; i++)
        line->products[i] = (Complex){0, 0};
    for (size_t i = 0; i < line->n; i++) {
        Complex value = conjugate(line->chirp[i]);
        line->products[i] = value;
        line->products[(line->padded - i) % line->padded] = value;
    }
    run_plan(line->plan, line->filter, line->products);
    for (size_t i = 0; i < line->padded; i++)
        line->filter[i] = multiply(line->filter[i], (Complex){1 / (float)line->padded, 0});
}

static Line line_make(size_t n, Workspace *workspace) {
    Line line = {.n = n, .padded = padded_length(n)};
    line.plan = take_plan(line.padded ? line.padded : n, workspace);
    if (!line.padded)
        return line;
    line.chirp = workspace_array(workspace, Complex, n);
    line.filter = workspace_array(workspace, Complex, line.padded);
    line.products = workspace_array(workspace, Complex, line.padded);
    line.sums = workspace_array(workspace, Complex, line.padded);
    for (size_t i = 0; i < n; i++)
        line.chirp[i] = chirp_at(i, n);
    make_filter(&line);
    return line;
}

/* 2 j k = j^2 + k^2 - (k - j)^2 makes a transform a convolution with a chirp, which transforms of a
 * convenient length do (Bluestein 1970). */
static void run_bluestein(const Line *line, Complex *out, const Complex *in) {
    for (size_t i = 0; i < line->padded; i++)
        line->products[i] = i < line->n ? multiply(in[i], line->chirp[i]) : (Complex){0, 0};
    run_plan(line->plan, line->sums, line->products);
    for (size_t i = 0; i < line->padded; i++)
        line->products[i] = conjugate(multiply(line->sums[i], line->filter[i]));
    run_plan(line->plan, line->sums, line->products);
    for (size_t i = 0; i < line->n; i++)
        out[i] = multiply(conjugate(line->sums[i]), line->chirp[i]);
}

/* OUT may not be IN. */
static void line_run(const Line *line, Complex *out, const Complex *in) {
    if (line->padded)
        run_bluestein(line, out, in);
    else
        run_plan(line->plan, out, in);
}

/* ---- dimensions */

static size_t last_dimension(const Shape *shape) {
    return shape->dims[shape->rank - 1];
}

static size_t half_length(const Shape *shape) {
    return last_dimension(shape) / 2 + 1;
}

static size_t count_rows(const Shape *shape) {
    return shape_count(shape) / last_dimension(shape);
}

bool fourier_fits(const Shape *shape) {
    for (uint32_t i = 0; i < shape->rank; i++)
        if (shape->dims[i] == 0 || shape->dims[i] > FOURIER_LIMIT)
            return false;
    return shape->rank > 0;
}

size_t fourier_count(const Shape *shape) {
    return count_rows(shape) * half_length(shape);
}

enum { SHEAF = 8 }; /* lines across rows that are read together: a cache line of each row */

static size_t across_bytes(size_t n) {
    return line_bytes(n) + complex_bytes(n * SHEAF) + complex_bytes(n);
}

static size_t along_bytes(size_t n) {
    return line_bytes(n) + 2 * complex_bytes(n);
}

size_t fourier_bytes(const Shape *shape) {
    size_t most = along_bytes(last_dimension(shape));
    for (uint32_t i = 0; i + 1 < shape->rank; i++) {
        size_t bytes = shape->dims[i] > 1 ? across_bytes(shape->dims[i]) : 0;
        most = bytes > most ? bytes : most;
    }
    return most;
}

/* The inverse transform is the forward one between two conjugations. */
static Complex maybe_conjugate(Complex a, bool inverse) {
    return inverse ? conjugate(a) : a;
}

/* Transforms WIDTH neighbouring lines, their elements STRIDE apart. */
static void run_sheaf(const Line *line, Complex *first, size_t width, size_t stride, bool inverse,
                      Complex *lines, Complex *out) {
    size_t n = line->n;
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            lines[j * n + i] = maybe_conjugate(first[i * stride + j], inverse);
    for (size_t j = 0; j < width; j++) {
        line_run(line, out, lines + j * n);
        for (size_t i = 0; i < n; i++)
            lines[j * n + i] = out[i];
    }
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < width; j++)
            first[i * stride + j] = maybe_conjugate(lines[j * n + i], inverse);
}

/* Transforms a dimension of N elements, with STRIDE numbers from one to the next, in BLOCKS blocks
 * of N * STRIDE numbers. */
static void run_across(Complex *spectrum, size_t blocks, size_t n, size_t stride, bool inverse,
                       Workspace *workspace) {
    size_t mark = workspace->used;
    Line line = line_make(n, workspace);
    Complex *lines = workspace_array(workspace, Complex, n * SHEAF);
    Complex *out = workspace_array(workspace, Complex, n);
    for (size_t block = 0; block < blocks; block++)
        for (size_t j = 0; j < stride; j += SHEAF) {
            size_t width = stride - j < SHEAF ? stride - j : SHEAF;
            run_sheaf(&line, spectrum + block * n * stride + j, width, stride, inverse, lines, out);
        }
    workspace->used = mark;
}

/* Every dimension but the last. */
static void run_dimensions(Complex *spectrum, const Shape *shape, bool inverse,
                           Workspace *workspace) {
    size_t blocks = 1, stride = fourier_count(shape);
    for (uint32_t i = 0; i + 1 < shape->rank; i++) {
        size_t n = shape->dims[i];
        stride /= n;
        if (n > 1)
            run_across(spectrum, blocks, n, stride, inverse, workspace);
        blocks *= n;
    }
}

/* ---- the last dimension: two real lines make one complex one */

/* B may be NULL. */
static void join_reals(Complex *joined, const float *a, const float *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        joined[i] = (Complex){a[i], b ? b[i] : 0};
}

/* The spectra of the real and the imaginary part of what JOINED is the spectrum of. */
static void separate(Complex *a, Complex *b, const Complex *joined, size_t n) {
    for (size_t k = 0; k <= n / 2; k++) {
        Complex here = joined[k], mirrored = conjugate(joined[(n - k) % n]);
        a[k] = (Complex){(here.re + mirrored.re) / 2, (here.im + mirrored.im) / 2};
        if (b)
            b[k] = (Complex){(here.im - mirrored.im) / 2, (mirrored.re - here.re) / 2};
    }
}

/* The inverse of separate, conjugated for the way back. */
static void join_halves(Complex *joined, const Complex *a, const Complex *b, size_t n) {
    for (size_t k = 0; k <= n / 2; k++) {
        Complex first = a[k], second = b ? b[k] : (Complex){0, 0};
        if (k == 0 || 2 * k == n)
            first.im = second.im = 0;
        joined[k] = (Complex){first.re - second.im, -first.im - second.re};
        if (k > 0 && 2 * k != n)
            joined[n - k] = (Complex){first.re + second.im, first.im - second.re};
    }
}

static void split_reals(float *a, float *b, const Complex *joined, size_t n, float scale) {
    for (size_t i = 0; i < n; i++) {
        a[i] = joined[i].re * scale;
        if (b)
            b[i] = -joined[i].im * scale;
    }
}

void fourier_forward(Complex *spectrum, const float *values, const Shape *shape,
                     Workspace *workspace) {
    assert(fourier_fits(shape));
    size_t mark = workspace->used, rows = count_rows(shape);
    size_t n = last_dimension(shape), half = half_length(shape);
    Line line = line_make(n, workspace);
    Complex *joined = workspace_array(workspace, Complex, n);
    Complex *out = workspace_array(workspace, Complex, n);
    for (size_t row = 0; row < rows; row += 2) {
        bool both = row + 1 < rows;
        join_reals(joined, values + row * n, both ? values + (row + 1) * n : NULL, n);
        line_run(&line, out, joined);
        separate(spectrum + row * half, both ? spectrum + (row + 1) * half : NULL, out, n);
    }
    workspace->used = mark;
    run_dimensions(spectrum, shape, false, workspace);
}

void fourier_inverse(float *values, Complex *spectrum, const Shape *shape, Workspace *workspace) {
    assert(fourier_fits(shape));
    run_dimensions(spectrum, shape, true, workspace);
    size_t mark = workspace->used, rows = count_rows(shape);
    size_t n = last_dimension(shape), half = half_length(shape);
    float scale = (float)(1 / (double)shape_count(shape));
    Line line = line_make(n, workspace);
    Complex *joined = workspace_array(workspace, Complex, n);
    Complex *out = workspace_array(workspace, Complex, n);
    for (size_t row = 0; row < rows; row += 2) {
        bool both = row + 1 < rows;
        join_halves(joined, spectrum + row * half, both ? spectrum + (row + 1) * half : NULL, n);
        line_run(&line, out, joined);
        split_reals(values + row * n, both ? values + (row + 1) * n : NULL, out, n, scale);
    }
    workspace->used = mark;
}
