/* Comparing two tensors, for one compute type; included by kernel/body.h. All figures come of one
 * look at each pair of elements, in fixed lanes: vectors of 32 bytes. A few squares of a lane are
 * added in the compute type before their sum goes into one in f64, for widening each of them costs
 * more than all the rest. */
enum { NAME(COMPARE_WIDTH) = 32 / sizeof(real), NAME(COMPARE_BLOCK) = 4 * NAME(COMPARE_WIDTH) };
typedef real NAME(pairs) __attribute__((vector_size(32)));
typedef masks_t NAME(pair_masks) __attribute__((vector_size(32)));
typedef double NAME(pair_sums) __attribute__((vector_size(COMPARE_LANES * sizeof(double))));

typedef struct NAME(Comparing) {
    NAME(pair_sums) a, b, difference;
    NAME(pairs) most;
    NAME(pair_masks) changed; /* -1 for each */
} NAME(Comparing);

INLINE void NAME(add_squares)(NAME(pair_sums) * to, const NAME(pairs) * x) {
#if REAL_BITS == 32
    typedef real half __attribute__((vector_size(16)));
    half low, high;
    memcpy(&low, x, sizeof low);
    memcpy(&high, (const char *)x + sizeof low, sizeof high);
    *to += __builtin_convertvector(low + high, NAME(pair_sums));
#else
    *to += *x;
#endif
}

INLINE void NAME(compare_block)(NAME(Comparing) * to, const real *a, const real *b) {
    NAME(pairs) of_a = {0}, of_b = {0}, of_difference = {0};
    for (int i = 0; i < NAME(COMPARE_BLOCK); i += NAME(COMPARE_WIDTH)) {
        NAME(pairs) x, y;
        memcpy(&x, a + i, sizeof x);
        memcpy(&y, b + i, sizeof y);
        NAME(pairs) d = y - x;
        NAME(pair_masks) size = (NAME(pair_masks))d & ~SIGN_BIT;
        NAME(pair_masks) larger = (NAME(pairs))size > to->most;
        to->most = (NAME(pairs))((size & larger) | ((NAME(pair_masks))to->most & ~larger));
        to->changed += d != 0;
        of_a += x * x;
        of_b += y * y;
        of_difference += d * d;
    }
    NAME(add_squares)(&to->a, &of_a);
    NAME(add_squares)(&to->b, &of_b);
    NAME(add_squares)(&to->difference, &of_difference);
}

static void NAME(compare)(Comparison *sums, const void *of_a, const void *of_b, size_t n) {
    const real *a = of_a, *b = of_b;
    NAME(Comparing) found = {.most = {0}};
    memcpy(&found.a, sums->a, sizeof found.a);
    memcpy(&found.b, sums->b, sizeof found.b);
    memcpy(&found.difference, sums->difference, sizeof found.difference);
    size_t whole = n - n % NAME(COMPARE_BLOCK);
    for (size_t i = 0; i < whole; i += NAME(COMPARE_BLOCK))
        NAME(compare_block)(&found, a + i, b + i);
    if (whole < n) { /* zeros change nothing */
        real last[2][NAME(COMPARE_BLOCK)] = {{0}};
        memcpy(last[0], a + whole, (n - whole) * sizeof *a);
        memcpy(last[1], b + whole, (n - whole) * sizeof *b);
        NAME(compare_block)(&found, last[0], last[1]);
    }
    memcpy(sums->a, &found.a, sizeof found.a);
    memcpy(sums->b, &found.b, sizeof found.b);
    memcpy(sums->difference, &found.difference, sizeof found.difference);
    for (int i = 0; i < NAME(COMPARE_WIDTH); i++) {
        sums->changed -= (uint64_t)(int64_t)found.changed[i];
        sums->most = found.most[i] > sums->most ? (double)found.most[i] : sums->most;
    }
}
