#include "tests.h"

#include "whole/order.h"
#include "whole/random.h"

#include <math.h>
#include <string.h>

/* ---- random: numbers that the other programs' own interpreters print */

static void check_near(const float *got, const double *expected, size_t n) {
    for (size_t i = 0; i < n; i++)
        ck_assert_double_eq_tol(got[i], expected[i], 6e-5);
}

START_TEST(torch_draws_the_twister) {
    TorchRandom random;
    torch_random_init(&random, 5489);
    const uint32_t expected[] = {3499211612u, 581869302u, 3890346734u, 3586334585u, 545404204u};
    for (size_t i = 0; i < 5; i++)
        ck_assert_uint_eq(torch_random_draw(&random), expected[i]);
    for (size_t i = 5; i < 9999; i++)
        torch_random_draw(&random);
    ck_assert_uint_eq(torch_random_draw(&random), 4123659995u); /* the C++ standard names it */
}
END_TEST

START_TEST(torch_seeds_keep_their_low_half) {
    TorchRandom a, b, c;
    torch_random_init(&a, 5);
    torch_random_init(&b, 5 + (7ull << 32));
    ck_assert_uint_eq(torch_random_draw64(&a), torch_random_draw64(&b));
    torch_random_init(&b, (uint64_t)-1);
    torch_random_init(&c, UINT32_MAX);
    ck_assert_uint_eq(torch_random_draw(&b), torch_random_draw(&c));
}
END_TEST

/* The elements of a mask as numbers. */
static void read_mask(float *out, const uint32_t *mask, size_t n) {
    kernels_best()->table[COMPUTE_F32]->mask(out, mask, 0, n);
}

static Chances floats(const float *p, size_t step) {
    return (Chances){p, step, COMPUTE_F32, COMPUTE_F32};
}

START_TEST(torch_masks_compare_24_bits) {
    /* The uniform numbers of seed 0 begin 0.4963 0.7682 0.0885 0.1320 0.3074. */
    TorchRandom random;
    torch_random_init(&random, 0);
    float p[5] = {0.4962f, 0.7683f, 0.0884f, 0.1321f, 0.3074f}, mask[5];
    uint32_t words[MASK_WORDS];
    Chances each = floats(p, 1);
    torch_bernoulli(&random, words, &each, 4);
    read_mask(mask, words, 4);
    const float expected[] = {0, 1, 0, 1};
    ck_assert(memcmp(mask, expected, sizeof expected) == 0);
    torch_random_init(&random, 0);
    float half = 0.5f;
    Chances one = floats(&half, 0);
    torch_bernoulli(&random, words, &one, 5);
    read_mask(mask, words, 5);
    const float below_half[] = {1, 0, 1, 1, 1};
    ck_assert(memcmp(mask, below_half, sizeof below_half) == 0);
}
END_TEST

START_TEST(torch_masks_in_f64_take_two_draws) {
    TorchRandom random, raw;
    torch_random_init(&random, 3);
    torch_random_init(&raw, 3);
    double p = 0.3;
    float mask[300];
    uint32_t words[2 * MASK_WORDS];
    Chances chances = {&p, 0, COMPUTE_F64, COMPUTE_F64};
    torch_bernoulli(&random, words, &chances, 300);
    read_mask(mask, words, 300);
    for (size_t i = 0; i < 300; i++) {
        uint64_t high = torch_random_draw(&raw), low = torch_random_draw(&raw);
        double u = (double)((high << 32 | low) & 0x1fffffffffffffull) / 9007199254740992.0;
        ck_assert_double_eq(mask[i], u < p);
    }
}
END_TEST

START_TEST(torch_chances_of_0_and_1_are_certain) {
    TorchRandom random;
    torch_random_init(&random, 1);
    float p[2] = {0, 1}, mask[2];
    uint32_t words[MASK_WORDS];
    Chances chances = floats(p, 1);
    for (int i = 0; i < 1000; i++) {
        torch_bernoulli(&random, words, &chances, 2);
        read_mask(mask, words, 2);
        ck_assert(mask[0] == 0 && mask[1] == 1);
    }
}
END_TEST

START_TEST(torch_masks_of_one_chance_are_those_of_many) {
    const float chances[] = {0, 1e-9f, 0.1f, 0.5f, 0.9f, 1, 2, -1, NAN};
    enum { ELEMENTS = 5 * MASK_BLOCK + 77 };
    for (size_t i = 0; i < sizeof chances / sizeof *chances; i++) {
        TorchRandom random, raw;
        uint32_t words[6 * MASK_WORDS];
        float mask[ELEMENTS];
        Chances one = floats(&chances[i], 0);
        torch_random_init(&random, i);
        torch_random_init(&raw, i);
        ck_assert_uint_eq(torch_random_draw(&random), torch_random_draw(&raw));
        torch_bernoulli(&random, words, &one, ELEMENTS);
        read_mask(mask, words, ELEMENTS);
        for (size_t j = 0; j < ELEMENTS; j++) {
            double u = (torch_random_draw(&raw) & 0xffffff) / 16777216.0;
            ck_assert_float_eq(mask[j], u < chances[i]);
        }
        ck_assert_uint_eq(torch_random_draw(&random), torch_random_draw(&raw));
    }
}
END_TEST

START_TEST(torch_draws_few_normal_numbers_in_pairs) {
    TorchRandom random;
    torch_random_init(&random, 0);
    float out[6];
    torch_normal(&random, out, 6, COMPUTE_F32);
    check_near(out, (double[]){1.5410, -0.2934, -2.1788, 0.5684, -1.0845, -1.3986}, 6);
    torch_random_init(&random, 42);
    torch_normal(&random, out, 5, COMPUTE_F32);
    check_near(out, (double[]){0.3367, 0.1288, 0.2345, 0.2303, -1.1229}, 5);
}
END_TEST

START_TEST(torch_draws_many_normal_numbers_in_blocks) {
    TorchRandom random;
    torch_random_init(&random, 0);
    float out[16];
    torch_normal(&random, out, 16, COMPUTE_F32);
    const double expected[] = {-1.1258, -1.1524, -0.2506, -0.4339, 0.8487, 0.6920,
                               -0.3160, -2.1152, 0.3223,  -1.2633, 0.3500, 0.3081,
                               0.1198,  1.2377,  1.1168,  -0.2473};
    check_near(out, expected, 16);
}
END_TEST

START_TEST(torch_draws_the_last_block_again) {
    TorchRandom random;
    float out[37], again[16];
    torch_random_init(&random, 9);
    torch_normal(&random, out, 37, COMPUTE_F32);
    torch_random_init(&random, 9);
    for (size_t i = 0; i < 37; i++)
        torch_random_draw(&random);
    torch_normal(&random, again, 16, COMPUTE_F32);
    ck_assert(memcmp(out + 21, again, sizeof again) == 0);
}
END_TEST

START_TEST(torch_normal_numbers_are_normal) {
    enum { N = 100000 };
    static double out[N];
    TorchRandom random;
    torch_random_init(&random, 12);
    torch_normal(&random, out, N, COMPUTE_F64);
    double sum = 0, squares = 0, fourth = 0;
    for (size_t i = 0; i < N; i++) {
        sum += out[i];
        squares += out[i] * out[i];
        fourth += pow(out[i], 4);
    }
    ck_assert_double_eq_tol(sum / N, 0, 0.02);
    ck_assert_double_eq_tol(squares / N, 1, 0.02);
    ck_assert_double_eq_tol(fourth / N, 3, 0.15);
}
END_TEST

START_TEST(torch_permutes) {
    TorchRandom random;
    uint32_t out[10];
    torch_random_init(&random, 0);
    torch_permutation(&random, out, 10);
    const uint32_t expected[] = {4, 1, 7, 5, 3, 9, 0, 8, 6, 2};
    ck_assert(memcmp(out, expected, sizeof out) == 0);
    torch_permutation(&random, out, 0);
    torch_permutation(&random, out, 1);
    ck_assert_uint_eq(out[0], 0);
}
END_TEST

static void check_numpy(uint64_t seed, uint64_t first, uint64_t second, uint64_t third) {
    NumpyRandom random;
    numpy_random_init(&random, seed);
    ck_assert_uint_eq(numpy_random_draw(&random), first);
    ck_assert_uint_eq(numpy_random_draw(&random), second);
    ck_assert_uint_eq(numpy_random_draw(&random), third);
}

START_TEST(numpy_draws_pcg64) {
    check_numpy(0, 0xa30febcfd9c2825f, 0x4510bdf882d9d721, 0xa7d3da94ecde8b8);
    check_numpy(1, 0x8306bdf37922e4ff, 0xf35196bbc152a866, 0x24e7a4f608ec18cd);
    check_numpy(123, 0xaeae9c9903f3e9cd, 0xdc736db97cb6d23, 0x3869812ee8b9ea96);
    check_numpy((1ull << 32) + 5, 0xc6323ec321deb8d1, 0x78814821c73a0583, 0xb22536d8e0ec17c0);
    check_numpy(UINT64_MAX, 0xae163a7a8c47568f, 0xd86659f5f3382359, 0x1e52b195bc2d24a);
    check_numpy(67280421310721, 0xa667899873354a25, 0xf2927a4968483b2d, 0xc2343c1efe4574af);
}
END_TEST

static void check_digits(const float *values, const char *digits) {
    for (size_t i = 0; digits[i]; i++)
        ck_assert_float_eq(values[i], (float)(digits[i] - '0'));
}

static void check_binomial(NumpyRandom *random, double keep, const char *digits) {
    float mask[MASK_BLOCK];
    uint32_t words[MASK_WORDS];
    numpy_binomial(random, keep, words, strlen(digits));
    read_mask(mask, words, strlen(digits));
    check_digits(mask, digits);
}

START_TEST(numpy_masks) {
    NumpyRandom random;
    numpy_random_init(&random, 123);
    check_binomial(&random, 1 - 0.8, "000001101100100010000000");
    check_binomial(&random, 1 - 0.8, "00001011");
    numpy_random_init(&random, 7);
    check_binomial(&random, 0.7, "100110100111111100101111");
    check_binomial(&random, 0, "000");
    check_binomial(&random, 1, "111");
}
END_TEST

START_TEST(numpy_chooses) {
    NumpyRandom random;
    double p[8] = {.3, .1, .1, .1, .1, .1, .1, .1}, cumulated[8];
    float out[24];
    numpy_random_init(&random, 5);
    numpy_choice(&random, p, 8, cumulated, out, 24, COMPUTE_F32);
    check_digits(out, "663001200740276612403060");
    numpy_choice(&random, p, 1, cumulated, out, 24, COMPUTE_F32);
    check_digits(out, "000000000000000000000000");
}
END_TEST

/* ---- order */

enum { MANY = 5000 };

/* Numbers with many repetitions, both zeros, infinities and NaN of both signs. */
static void fill_wild(void *values, size_t n, Compute compute) {
    const double special[] = {0.0, -0.0, INFINITY, -INFINITY, NAN, -NAN, 1e-42, -1e-42, 1, -1};
    TorchRandom random;
    torch_random_init(&random, (uint64_t)n);
    torch_normal(&random, values, n, compute);
    for (size_t i = 0; i < n; i += 3)
        real_set(values, i, special[torch_random_draw(&random) % 10], compute);
}

/* Whether A may stand directly before B in a stable sort. */
static bool in_order(double a, double b, uint32_t index_a, uint32_t index_b) {
    bool a_is_nan = a != a, b_is_nan = b != b;
    if (a_is_nan || b_is_nan)
        return !a_is_nan || (b_is_nan && index_a < index_b);
    return a < b || (a == b && index_a < index_b);
}

static void check_order(size_t n, Compute compute) {
    static double values[MANY], sorted[MANY], gathered[MANY];
    static uint32_t order[MANY], ranks[MANY], inverse[MANY];
    Workspace workspace;
    ck_assert(workspace_init(&workspace, order_bytes(n)));
    fill_wild(values, n, compute);
    order_argsort(order, values, n, compute, &workspace);
    for (size_t i = 1; i < n; i++)
        ck_assert(in_order(real_get(values, order[i - 1], compute),
                           real_get(values, order[i], compute), order[i - 1], order[i]));
    order_sort(sorted, values, n, compute, &workspace);
    order_gather(gathered, values, order, n, compute);
    size_t size = compute == COMPUTE_F64 ? sizeof(double) : sizeof(float);
    ck_assert(memcmp(sorted, gathered, n * size) == 0);
    order_rank(ranks, values, n, compute, &workspace);
    order_invert(inverse, order, n);
    ck_assert(memcmp(ranks, inverse, n * sizeof *ranks) == 0);
    for (size_t k = 0; k < n; k += 777) {
        double picked = order_pick(values, n, k, compute, &workspace);
        ck_assert(memcmp(&picked, &(double){real_get(sorted, k, compute)}, sizeof picked) == 0);
    }
    ck_assert_uint_eq(workspace.used, 0);
    ck_assert_uint_eq(workspace.peak, order_bytes(n));
    workspace_free(&workspace);
}

START_TEST(order_is_stable_with_nan_last) {
    const size_t sizes[] = {0, 1, 2, 3, 100, MANY};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        check_order(sizes[i], COMPUTE_F32);
        check_order(sizes[i], COMPUTE_F64);
    }
}
END_TEST

START_TEST(order_tells_close_doubles_apart) {
    double values[] = {1 + 0x1p-50, 1, 1 + 0x1p-52, -1, -1 - 0x1p-52, 1};
    uint32_t order[6];
    Workspace workspace;
    ck_assert(workspace_init(&workspace, order_bytes(6)));
    order_argsort(order, values, 6, COMPUTE_F64, &workspace);
    ck_assert(memcmp(order, (uint32_t[]){4, 3, 1, 5, 2, 0}, sizeof order) == 0);
    workspace_free(&workspace);
}
END_TEST

START_TEST(order_keeps_equal_values_in_place) {
    float values[100] = {0};
    uint32_t ranks[100];
    Workspace workspace;
    ck_assert(workspace_init(&workspace, order_bytes(100)));
    for (size_t i = 0; i < 100; i++)
        values[i] = i % 2 ? 0.0f : -0.0f;
    order_rank(ranks, values, 100, COMPUTE_F32, &workspace);
    for (uint32_t i = 0; i < 100; i++)
        ck_assert_uint_eq(ranks[i], i);
    workspace_free(&workspace);
}
END_TEST

Suite *whole_draws_suite(void) {
    Suite *suite = suite_create("whole_draws");
    TCase *random = tcase_create("random");
    tcase_add_test(random, torch_draws_the_twister);
    tcase_add_test(random, torch_seeds_keep_their_low_half);
    tcase_add_test(random, torch_masks_compare_24_bits);
    tcase_add_test(random, torch_masks_in_f64_take_two_draws);
    tcase_add_test(random, torch_chances_of_0_and_1_are_certain);
    tcase_add_test(random, torch_masks_of_one_chance_are_those_of_many);
    tcase_add_test(random, torch_draws_few_normal_numbers_in_pairs);
    tcase_add_test(random, torch_draws_many_normal_numbers_in_blocks);
    tcase_add_test(random, torch_draws_the_last_block_again);
    tcase_add_test(random, torch_normal_numbers_are_normal);
    tcase_add_test(random, torch_permutes);
    tcase_add_test(random, numpy_draws_pcg64);
    tcase_add_test(random, numpy_masks);
    tcase_add_test(random, numpy_chooses);
    suite_add_tcase(suite, random);
    TCase *order = tcase_create("order");
    tcase_add_test(order, order_is_stable_with_nan_last);
    tcase_add_test(order, order_tells_close_doubles_apart);
    tcase_add_test(order, order_keeps_equal_values_in_place);
    suite_add_tcase(suite, order);
    return suite;
}
