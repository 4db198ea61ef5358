/* Matrix products of small rank: any part of one, in every build, against fused steps in order. */
#include "test_kernel.h"
#include "tests.h"

#include <math.h>
#include <string.h>

enum {
    MOST = 4096,      /* elements of a factor, and of a product */
    PACKED = 1 << 18, /* bytes of a factor that is packed */
};

typedef struct Case {
    uint64_t rows, columns, inner;
    bool left_transposed, right_transposed;
} Case;

static const Case cases[] = {
    {1, 1, 1, false, false},  {13, 33, 5, false, false},  {14, 32, 7, true, false},
    {20, 17, 3, false, true}, {16, 200, 16, true, true},  {100, 31, 1, false, false},
    {3, 16, 256, true, true}, {8, 15, 256, false, false}, {6, 512, 2, false, false},
    {7, 585, 3, false, true}, {29, 65, 60, false, false}, {2, 2048, 1, false, false},
    {64, 64, 64, true, true}, {4096, 1, 1, false, false},
};
enum { CASES = sizeof cases / sizeof *cases };

static Factors factors_of(const Case *of, const void *left, const void *right) {
    return (Factors){
        .left = left,
        .right = right,
        .columns = of->columns,
        .inner = of->inner,
        .left_steps = {of->left_transposed ? 1 : of->inner, of->left_transposed ? of->rows : 1},
        .right_steps = {of->right_transposed ? 1 : of->columns,
                        of->right_transposed ? of->inner : 1},
    };
}

/* Element AT, each step rounded once to the compute type. */
static double element(Compute compute, const Factors *factors, uint64_t at) {
    uint64_t row = at / factors->columns, column = at % factors->columns;
    double sum = 0;
    for (uint64_t k = 0; k < factors->inner; k++) {
        double a = real_get(compute, factors->left,
                            row * factors->left_steps[0] + k * factors->left_steps[1]);
        double b = real_get(compute, factors->right,
                            k * factors->right_steps[0] + column * factors->right_steps[1]);
        sum = compute == COMPUTE_F32 ? fmaf((float)a, (float)b, (float)sum) : fma(a, b, sum);
    }
    return sum;
}

typedef struct Buffers {
    Guarded left, right, packed, result, expected;
} Buffers;

/* The packed factor lies at the end of its pages: bytes that were not promised can't be written. */
static void check_part(Compute compute, Factors *factors, const Buffers *buffers, uint64_t first,
                       size_t n) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size(compute);
    for (size_t build = 0; build < count; build++) {
        void *result = guarded_at(&buffers->result, n * size, build % 2 == 0);
        const KernelTable *table = builds[build]->table[compute];
        uint64_t bytes = table->packed_bytes(factors->columns, factors->inner);
        ck_assert_uint_le(bytes, product_packed_most(factors->columns, factors->inner));
        void *packed = guarded_at(&buffers->packed, bytes, true);
        table->pack(packed, factors);
        factors->packed = packed;
        table->product(result, factors, first, n);
        for (size_t i = 0; i < n; i++)
            CHECK(same_number(real_get(compute, result, i),
                              real_get(compute, buffers->expected.pages, first + i)),
                  "%s: element %zu of %zu from %llu", builds[build]->name.data, i, n,
                  (unsigned long long)first);
    }
}

static void check_case(Compute compute, const Case *of, const Buffers *buffers, uint64_t *state) {
    size_t size = real_size(compute), total = of->rows * of->columns;
    void *left = guarded_at(&buffers->left, of->rows * of->inner * size, true);
    void *right = guarded_at(&buffers->right, of->inner * of->columns * size, true);
    Factors factors = factors_of(of, left, right);
    for (size_t i = 0; i < of->rows * of->inner; i++)
        real_set(compute, left, i, (double)(int64_t)test_random(state) * 0x1p-62);
    for (size_t i = 0; i < of->inner * of->columns; i++)
        real_set(compute, right, i, (double)(int64_t)test_random(state) * 0x1p-62);
    for (size_t i = 0; i < total; i++)
        real_set(compute, buffers->expected.pages, i, element(compute, &factors, i));
    check_part(compute, &factors, buffers, 0, total);
    for (int i = 0; i < 40; i++) {
        uint64_t first = test_random(state) % total;
        check_part(compute, &factors, buffers, first, test_random(state) % (total - first + 1));
    }
}

START_TEST(any_part_of_a_product_is_the_same) {
    Compute compute = (Compute)_i;
    size_t bytes = MOST * real_size(compute);
    uint64_t state = 1;
    Buffers buffers = {guarded_open(bytes), guarded_open(bytes), guarded_open(PACKED),
                       guarded_open(bytes), guarded_open(bytes)};
    for (int i = 0; i < CASES; i++)
        check_case(compute, &cases[i], &buffers, &state);
    guarded_close(&buffers.left);
    guarded_close(&buffers.right);
    guarded_close(&buffers.packed);
    guarded_close(&buffers.result);
    guarded_close(&buffers.expected);
}
END_TEST

/* Products of two that are half a last bit of numbers at least 2^EXPONENT and less than twice that,
 * or a little more or less. */
static void set_ties(Compute compute, void *left, void *right, size_t n, int exponent,
                     uint64_t *state) {
    int digits = compute == COMPUTE_F32 ? 24 : 53, least = compute == COMPUTE_F32 ? -149 : -1074;
    int half = exponent - digits < least - 1 ? least - 1 : exponent - digits, other = half / 2;
    for (size_t i = 0; i < n; i++) {
        double number = ldexp(1 + (double)(test_random(state) >> 12) * 0x1p-52, exponent);
        double a = (int64_t)test_random(state) < 0 ? -1 : 1, b = a * number < 0 ? -1 : 1;
        a += a * (double)(test_random(state) % 5 - 2.0) * ldexp(1, 1 - digits);
        b += b * (double)(test_random(state) % 5 - 2.0) * ldexp(1, 1 - digits);
        real_set(compute, left, 2 * i, test_random(state) % 2 ? number : -number);
        real_set(compute, left, 2 * i + 1, ldexp(a, other));
        real_set(compute, right, i, 1);
        real_set(compute, right, n + i, ldexp(b, half - other));
    }
}

static void set_any(Compute compute, void *left, void *right, size_t n, uint64_t *state) {
    for (size_t i = 0; i < 2 * n; i++)
        real_set(compute, left, i, test_number(state));
    for (size_t i = 0; i < n; i++) {
        real_set(compute, right, i, i % 2 ? 1 : test_number(state));
        real_set(compute, right, n + i, test_number(state));
    }
}

/* What a step makes of ties, of numbers that become too small or too large, of infinities and NaN.
 */
START_TEST(steps_are_rounded_once) {
    enum { ROUNDS = 3000 };
    Compute compute = (Compute)_i;
    Case of = {.rows = 24, .columns = 24, .inner = 2};
    int least = compute == COMPUTE_F32 ? -149 : -1074, range = compute == COMPUTE_F32 ? 277 : 2098;
    size_t bytes = 24 * 24 * real_size(compute);
    uint64_t state = 1;
    Buffers buffers = {guarded_open(bytes), guarded_open(bytes), guarded_open(PACKED),
                       guarded_open(bytes), guarded_open(bytes)};
    void *left = buffers.left.pages, *right = buffers.right.pages;
    Factors factors = factors_of(&of, left, right);
    for (int i = 0; i < ROUNDS; i++) {
        if (i % 2 == 0)
            set_ties(compute, left, right, 24, least + i / 2 % range, &state);
        else
            set_any(compute, left, right, 24, &state);
        for (size_t at = 0; at < 24 * 24; at++)
            real_set(compute, buffers.expected.pages, at, element(compute, &factors, at));
        check_part(compute, &factors, &buffers, 0, 24 * 24);
    }
    guarded_close(&buffers.left);
    guarded_close(&buffers.right);
    guarded_close(&buffers.packed);
    guarded_close(&buffers.result);
    guarded_close(&buffers.expected);
}
END_TEST

Suite *kernel_product_suite(void) {
    Suite *suite = suite_create("kernel_product");
    TCase *tests = tcase_create("kernel_product");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, any_part_of_a_product_is_the_same, 0, 2);
    tcase_add_loop_test(tests, steps_are_rounded_once, 0, 2);
    suite_add_tcase(suite, tests);
    return suite;
}
