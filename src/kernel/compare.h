/* Comparing two tensors, for one compute type; included by kernel/body.h. All figures come of one
 * look at each pair of elements, in fixed lanes: vectors of four, which are no wider in f64 than a
 * register, and two of them at once. */
typedef real NAME(four) __attribute__((vector_size(4 * sizeof(real))));
typedef masks_t NAME(four_masks) __attribute__((vector_size(4 * sizeof(real))));
typedef double NAME(four_wide) __attribute__((vector_size(4 * sizeof(double))));

typedef struct NAME(Comparing) {
    NAME(four_wide) a, b, difference;
    NAME(four) most;
    NAME(four_masks) changed; /* -1 for each */
} NAME(Comparing);

INLINE void NAME(compare_four)(NAME(Comparing) * to, const real *a, const real *b) {
    NAME(four) x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    NAME(four) d = y - x;
    NAME(four_masks) negative = d < 0;
    NAME(four)
    size = (NAME(four))(((NAME(four_masks)) - d & negative) | ((NAME(four_masks))d & ~negative));
    NAME(four_masks) larger = size > to->most;
    to->most =
        (NAME(four))(((NAME(four_masks))size & larger) | ((NAME(four_masks))to->most & ~larger));
    to->changed += d != 0;
    NAME(four_wide) wx = __builtin_convertvector(x, NAME(four_wide));
    NAME(four_wide) wy = __builtin_convertvector(y, NAME(four_wide));
    NAME(four_wide) wd = __builtin_convertvector(d, NAME(four_wide));
    to->a += wx * wx;
    to->b += wy * wy;
    to->difference += wd * wd;
}

INLINE void NAME(compare_begin)(NAME(Comparing) * to, const Comparison *sums, int first) {
    *to = (NAME(Comparing)){0};
    memcpy(&to->a, sums->a + first, sizeof to->a);
    memcpy(&to->b, sums->b + first, sizeof to->b);
    memcpy(&to->difference, sums->difference + first, sizeof to->difference);
}

INLINE void NAME(compare_end)(const NAME(Comparing) * from, Comparison *sums, int first) {
    memcpy(sums->a + first, &from->a, sizeof from->a);
    memcpy(sums->b + first, &from->b, sizeof from->b);
    memcpy(sums->difference + first, &from->difference, sizeof from->difference);
    for (int lane = 0; lane < 4; lane++) {
        sums->changed -= (uint64_t)(int64_t)from->changed[lane];
        sums->most = from->most[lane] > sums->most ? (double)from->most[lane] : sums->most;
    }
}

static void NAME(compare)(Comparison *sums, const void *of_a, const void *of_b, size_t n) {
    const real *a = of_a, *b = of_b;
    NAME(Comparing) low, high;
    NAME(compare_begin)(&low, sums, 0);
    NAME(compare_begin)(&high, sums, 4);
    size_t whole = n - n % COMPARE_LANES;
    for (size_t i = 0; i < whole; i += COMPARE_LANES) {
        NAME(compare_four)(&low, a + i, b + i);
        NAME(compare_four)(&high, a + i + 4, b + i + 4);
    }
    if (whole < n) { /* zeros change nothing */
        real last[2][COMPARE_LANES] = {{0}};
        memcpy(last[0], a + whole, (n - whole) * sizeof *a);
        memcpy(last[1], b + whole, (n - whole) * sizeof *b);
        NAME(compare_four)(&low, last[0], last[1]);
        NAME(compare_four)(&high, last[0] + 4, last[1] + 4);
    }
    NAME(compare_end)(&low, sums, 0);
    NAME(compare_end)(&high, sums, 4);
}
