#include "tests.h"

#include "whole/fourier.h"
#include "whole/random.h"

#include <math.h>
#include <stdlib.h>

enum { MANY = 4096 };

static const Shape shapes[] = {
    {1, {1}},       {1, {2}},       {1, {7}},          {1, {64}},         {1, {105}},
    {1, {101}},     {1, {997}},     {1, {2 * 211}},    {2, {1, 1}},       {2, {1, 9}},
    {2, {9, 1}},    {2, {6, 8}},    {2, {13, 21}},     {2, {3, 103}},     {2, {107, 3}},
    {3, {4, 5, 6}}, {3, {2, 1, 3}}, {4, {8, 4, 3, 3}}, {4, {1, 1, 1, 2}}, {5, {2, 3, 2, 3, 2}},
};
enum { N_SHAPES = sizeof shapes / sizeof *shapes };

static Workspace scratch;
static float values[MANY], back[MANY];
static Complex spectrum[MANY];

static void open_scratch(void) {
    TorchRandom random;
    torch_random_init(&random, 1);
    torch_normal(&random, values, MANY, COMPUTE_F32);
}

static void forward(const Shape *shape) {
    ck_assert(fourier_fits(shape) && fourier_count(shape) <= MANY);
    ck_assert(workspace_init(&scratch, fourier_bytes(shape)));
    fourier_forward(spectrum, values, shape, &scratch);
    ck_assert_uint_eq(scratch.peak, fourier_bytes(shape));
    workspace_free(&scratch);
}

static void inverse(const Shape *shape) {
    ck_assert(workspace_init(&scratch, fourier_bytes(shape)));
    fourier_inverse(back, spectrum, shape, &scratch);
    workspace_free(&scratch);
}

/* The index along every dimension of the element at OFFSET, dimensions being as in DIMS. */
static void indices_of(size_t offset, const uint64_t *dims, uint32_t rank, size_t *indices) {
    for (uint32_t i = rank; i-- > 0; offset /= dims[i])
        indices[i] = offset % dims[i];
}

/* The definition: the sum of values[x] exp(-2 pi i sum of k x / n over the dimensions). */
static void define(const Shape *shape, const size_t *k, double *re, double *im) {
    *re = *im = 0;
    for (size_t x = 0; x < shape_count(shape); x++) {
        size_t at[SHAPE_LIMIT];
        double turns = 0;
        indices_of(x, shape->dims, shape->rank, at);
        for (uint32_t i = 0; i < shape->rank; i++)
            turns += (double)(k[i] * at[i] % shape->dims[i]) / (double)shape->dims[i];
        *re += values[x] * cos(-2 * 3.14159265358979323846 * turns);
        *im += values[x] * sin(-2 * 3.14159265358979323846 * turns);
    }
}

START_TEST(spectra_are_sums) {
    const Shape *shape = &shapes[_i];
    Shape half = *shape;
    half.dims[half.rank - 1] = half.dims[half.rank - 1] / 2 + 1;
    forward(shape);
    ck_assert_uint_eq(fourier_count(shape), shape_count(&half));
    double tolerance = 2e-6 * sqrt((double)shape_count(shape));
    for (size_t offset = 0; offset < shape_count(&half); offset++) {
        size_t k[SHAPE_LIMIT];
        double re, im;
        indices_of(offset, half.dims, half.rank, k);
        define(shape, k, &re, &im);
        ck_assert_double_eq_tol(spectrum[offset].re, re, tolerance);
        ck_assert_double_eq_tol(spectrum[offset].im, im, tolerance);
    }
}
END_TEST

START_TEST(inverses_come_back) {
    const Shape *shape = &shapes[_i];
    forward(shape);
    inverse(shape);
    for (size_t i = 0; i < shape_count(shape); i++)
        ck_assert_double_eq_tol(back[i], values[i], 5e-6);
}
END_TEST

/* One wave a row, with imaginary parts where no real signal has any: they do not count. */
START_TEST(imaginary_parts_of_the_ends_are_ignored) {
    const Shape shape = {2, {2, 4}};
    for (size_t i = 0; i < 6; i++)
        spectrum[i] = (Complex){0, 0};
    spectrum[0] = (Complex){8, 5};
    spectrum[2] = (Complex){0, 7};
    spectrum[4] = (Complex){0, 0};
    inverse(&shape);
    for (size_t i = 0; i < 8; i++)
        ck_assert_double_eq_tol(back[i], 1, 1e-6);
}
END_TEST

/* A prime length takes no longer than its neighbours: term by term this would be 10^12 products. */
START_TEST(long_primes_are_quick) {
    const Shape shape = {1, {1000003}};
    size_t n = shape_count(&shape);
    float *wave = malloc(n * sizeof *wave);
    Complex *out = malloc(fourier_count(&shape) * sizeof *out);
    ck_assert(wave && out && workspace_init(&scratch, fourier_bytes(&shape)));
    for (size_t i = 0; i < n; i++)
        wave[i] = (float)cos(2 * 3.14159265358979323846 * (double)(i * 1234 % n) / (double)n);
    fourier_forward(out, wave, &shape, &scratch);
    for (size_t k = 0; k < fourier_count(&shape); k++)
        ck_assert_double_eq_tol(out[k].re / (double)n, k == 1234 ? 0.5 : 0, 1e-6);
    fourier_inverse(wave, out, &shape, &scratch);
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol(
            wave[i], cos(2 * 3.14159265358979323846 * (double)(i * 1234 % n) / (double)n), 2e-5);
    workspace_free(&scratch);
    free(wave);
    free(out);
}
END_TEST

START_TEST(shapes_that_have_no_spectrum) {
    ck_assert(!fourier_fits(&SHAPE_SCALAR));
    ck_assert(!fourier_fits(&(Shape){2, {3, 0}}));
    ck_assert(!fourier_fits(&(Shape){1, {(uint64_t)FOURIER_LIMIT + 1}}));
    ck_assert(fourier_fits(&(Shape){1, {FOURIER_LIMIT}}));
}
END_TEST

Suite *whole_fourier_suite(void) {
    Suite *suite = suite_create("whole_fourier");
    TCase *tests = tcase_create("fourier");
    tcase_add_checked_fixture(tests, open_scratch, NULL);
    tcase_set_timeout(tests, 30);
    tcase_add_loop_test(tests, spectra_are_sums, 0, N_SHAPES);
    tcase_add_loop_test(tests, inverses_come_back, 0, N_SHAPES);
    tcase_add_test(tests, imaginary_parts_of_the_ends_are_ignored);
    tcase_add_test(tests, long_primes_are_quick);
    tcase_add_test(tests, shapes_that_have_no_spectrum);
    suite_add_tcase(suite, tests);
    return suite;
}
