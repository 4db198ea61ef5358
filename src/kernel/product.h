/* Matrix products of small rank, for one compute type; included by kernel/body.h.
 *
 * Every element is 0 + a[0] b[0] + a[1] b[1] + … in this order, each step rounded once, whatever is
 * computed beside it: any part of a product can be made by itself, with the same bits. What is done
 * for speed: the right factor is packed into strips of columns, [strip][inner][STRIP], and a few
 * rows go through a strip at once. */

#include "kernel/fused.h"

#define VECTOR_LANES (VECTOR_BYTES / sizeof(NAME(term)))
#define PRODUCT_ROWS 6
#define STRIP        (2 * VECTOR_LANES)

typedef NAME(term) NAME(Strip)[STRIP]; /* of one row */
typedef real NAME(Sums) __attribute__((vector_size(VECTOR_LANES * sizeof(real))));

static const NAME(Strip) * NAME(strip_at)(const Factors *factors, uint64_t column) {
    return (const NAME(Strip) *)factors->packed + column / STRIP * factors->inner;
}

/* strip[k] = row k of the right factor from COLUMN on; 0 behind the last. */
INLINE void NAME(pack_strip)(NAME(Strip) * strip, const Factors *factors, uint64_t column) {
    uint64_t left = factors->columns - column, n = left < STRIP ? left : STRIP;
    const real *from = (const real *)factors->right + column * factors->right_steps[1];
    bool whole = n == STRIP && factors->right_steps[1] == 1;
    for (uint64_t k = 0; k < factors->inner; k++, from += factors->right_steps[0]) {
        if (whole)
            for (uint64_t j = 0; j < STRIP; j++)
                strip[k][j] = from[j];
        else
            for (uint64_t j = 0; j < STRIP; j++)
                strip[k][j] = j < n ? from[j * factors->right_steps[1]] : 0;
    }
}

static uint64_t NAME(packed_bytes)(uint64_t columns, uint64_t inner) {
    return (columns + STRIP - 1) / STRIP * inner * sizeof(NAME(Strip));
}

static void NAME(pack_factor)(void *packed, const Factors *factors) {
    NAME(Strip) *strips = packed;
    for (uint64_t column = 0; column < factors->columns; column += STRIP)
        NAME(pack_strip)(strips + column / STRIP * factors->inner, factors, column);
}

/* Terms hold numbers of the compute type: nothing is rounded. */
INLINE void NAME(store_sums)(real *to, NAME(vector) terms) {
    NAME(Sums) sums = __builtin_convertvector(terms, NAME(Sums));
    memcpy(to, &sums, sizeof sums);
}

/* Rows of the left factor, from FROM on, times the strip; N of them, which is a constant. Only
 * where all loops over rows are unrolled are the sums in registers. */
INLINE void NAME(multiply_strip)(real *to, uint64_t to_step, const real *from,
                                 const uint64_t steps[2], const NAME(Strip) * strip, uint64_t inner,
                                 unsigned n) {
    NAME(vector) sums[PRODUCT_ROWS][2];
#pragma GCC unroll 6
    for (unsigned i = 0; i < n; i++)
        sums[i][0] = sums[i][1] = (NAME(vector)){0};
#pragma GCC unroll 4
    for (uint64_t k = 0; k < inner; k++, from += steps[1]) {
        NAME(vector) low, high;
        memcpy(&low, strip[k], sizeof low);
        memcpy(&high, strip[k] + VECTOR_LANES, sizeof high);
#pragma GCC unroll 6
        for (unsigned i = 0; i < n; i++) {
            NAME(term) factor = from[i * steps[0]];
            sums[i][0] = NAME(multiply_add)(factor, low, sums[i][0]);
            sums[i][1] = NAME(multiply_add)(factor, high, sums[i][1]);
        }
    }
#pragma GCC unroll 6
    for (unsigned i = 0; i < n; i++, to += to_step) {
        NAME(store_sums)(to, sums[i][0]);
        NAME(store_sums)(to + VECTOR_LANES, sums[i][1]);
    }
}

/* What a call has to make, of which one strip is at hand. */
typedef struct NAME(Product) {
    const Factors *factors;
    real *dst;
    uint64_t first, end;
    const NAME(Strip) * strip;
} NAME(Product);

static void NAME(multiply_rows)(const NAME(Product) * product, real *to, uint64_t to_step,
                                uint64_t row, unsigned n) {
    const Factors *factors = product->factors;
    const real *from = (const real *)factors->left + row * factors->left_steps[0];
#define ROWS(n)                                                                                    \
    case n:                                                                                        \
        NAME(multiply_strip)                                                                       \
        (to, to_step, from, factors->left_steps, product->strip, factors->inner, n);               \
        break
    switch (n) {
        ROWS(1);
        ROWS(2);
        ROWS(3);
        ROWS(4);
        ROWS(5);
        ROWS(6);
    }
#undef ROWS
}

/* What is wanted of a row of the strip, which is element AT of the product. */
static void NAME(keep_part)(const NAME(Product) * product, uint64_t column, uint64_t at,
                            const real *part) {
    uint64_t left = product->factors->columns - column, end = at + (left < STRIP ? left : STRIP);
    uint64_t begin = at > product->first ? at : product->first;
    end = end < product->end ? end : product->end;
    if (begin < end)
        memcpy(product->dst + (begin - product->first), part + (begin - at),
               (end - begin) * sizeof(real));
}

/* N rows of the strip, of which the first and the last may be wanted in part. */
static void NAME(product_rows)(const NAME(Product) * product, uint64_t column, uint64_t row,
                               unsigned n) {
    uint64_t columns = product->factors->columns, at = row * columns + column;
    if (column + STRIP <= columns && at >= product->first &&
        at + (n - 1) * columns + STRIP <= product->end) {
        NAME(multiply_rows)(product, product->dst + (at - product->first), columns, row, n);
        return;
    }
    real parts[PRODUCT_ROWS][STRIP];
    NAME(multiply_rows)(product, parts[0], STRIP, row, n);
    for (unsigned i = 0; i < n; i++)
        NAME(keep_part)(product, column, at + i * columns, parts[i]);
}

/* How many of so many rows go through a strip next. Few take as long as some more of them, since
 * each step waits for the one before: so the last ones are halved rather than left. */
static unsigned NAME(next_rows)(uint64_t left) {
    if (left <= PRODUCT_ROWS)
        return (unsigned)left;
    return left < 2 * PRODUCT_ROWS ? (unsigned)(left + 1) / 2 : PRODUCT_ROWS;
}

/* A strip takes the rows that have any of it. */
static void NAME(product)(void *to, const Factors *factors, uint64_t first, size_t n) {
    if (n == 0)
        return;
    NAME(Product) product;
    product.factors = factors;
    product.dst = to;
    product.first = first;
    product.end = first + n;
    uint64_t columns = factors->columns, last = first + n - 1;
    for (uint64_t column = 0; column < columns; column += STRIP) {
        uint64_t row = first / columns + (column + STRIP <= first % columns);
        uint64_t end = last / columns + (column <= last % columns);
        product.strip = NAME(strip_at)(factors, column);
        while (row < end) {
            unsigned rows = NAME(next_rows)(end - row);
            NAME(product_rows)(&product, column, row, rows);
            row += rows;
        }
    }
}

#undef VECTOR_BYTES
#undef VECTOR_LANES
#undef PRODUCT_ROWS
#undef STRIP
