/* What the tests of the kernels share: buffers between guard pages, and numbers that loops get
 * wrong. */
#ifndef TEST_KERNEL_H
#define TEST_KERNEL_H

#include "kernel/kernel.h"

#include <check.h>

/* As ck_assert_msg, which writes to a file even when all is well: not for millions of elements. */
#define CHECK(condition, ...)                                                                      \
    do {                                                                                           \
        if (!(condition))                                                                          \
            ck_abort_msg(__VA_ARGS__);                                                             \
    } while (0)
#define HOLDS(condition) CHECK(condition, "%s", #condition)

/* Memory whose neighbouring pages may not be touched. */
typedef struct Guarded {
    unsigned char *pages;
    size_t size;
} Guarded;

Guarded guarded_open(size_t size);
void guarded_close(Guarded *guarded);
/* SIZE bytes of it: the last ones, or the first. */
void *guarded_at(const Guarded *guarded, size_t size, bool at_end);

/* A generator for tests: the same numbers in every run. */
uint64_t test_random(uint64_t *state);
/* One of 0, 1, halves, subnormals, the largest, infinities, NaN, or any bits, or a number near 1.
 */
double test_number(uint64_t *state);

/* Elements of either compute type. */
size_t real_size(Compute compute);
void real_set(Compute compute, void *tile, size_t i, double value);
double real_get(Compute compute, const void *tile, size_t i);
void real_fill(Compute compute, void *tile, size_t n, uint64_t *state);
/* The same bits, or both NaN. */
bool reals_equal(Compute compute, const void *a, const void *b, size_t n);
bool same_number(double a, double b);

/* Runs STATEMENT for the lengths at which loops change: 0..70, and around a tile. */
#define FOR_LENGTHS(n) for (size_t n = 0; n <= TEST_LENGTH; n = n == 70 ? TEST_LENGTH - 2 : n + 1)
enum { TEST_LENGTH = 4097 };

#endif
