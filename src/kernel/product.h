/* Matrix products of small rank, for one compute type; included by kernel/body.h.
 *
 * Every element is 0 + a[0] b[0] + a[1] b[1] + … in this order, whatever is computed beside it: any
 * part of a product can be made by itself, with the same bits. What is done for speed: a strip of
 * columns is brought together first, and a few rows go through it at once. */

/* A register of the instruction set that the build is for. */
#if defined __AVX512F__
#define VECTOR_BYTES 64
#elif defined __AVX__
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif
typedef real NAME(vector) __attribute__((vector_size(VECTOR_BYTES)));
#define PRODUCT_ROWS  6
#define PRODUCT_LANES (VECTOR_BYTES / sizeof(real))
#define STRIP         (2 * PRODUCT_LANES)

/* strip[k] = row k of the right factor from COLUMN on; 0 behind the last. */
INLINE void NAME(take_strip)(real (*strip)[STRIP], const Factors *factors, uint64_t column) {
    uint64_t left = factors->columns - column, n = left < STRIP ? left : STRIP;
    const real *from = (const real *)factors->right + column * factors->right_steps[1];
    bool whole = n == STRIP && factors->right_steps[1] == 1;
    for (uint64_t k = 0; k < factors->inner; k++, from += factors->right_steps[0]) {
        if (whole)
            memcpy(strip[k], from, sizeof strip[k]);
        else
            for (uint64_t j = 0; j < STRIP; j++)
                strip[k][j] = j < n ? from[j * factors->right_steps[1]] : 0;
    }
}

/* to[i] = row i of the left factor times the strip; N of them, which is a constant. */
INLINE void NAME(multiply_strip)(real *to[], const real *rows[], uint64_t step,
                                 real (*strip)[STRIP], uint64_t inner, unsigned n) {
    NAME(vector) sums[PRODUCT_ROWS][2];
    for (unsigned i = 0; i < n; i++)
        sums[i][0] = sums[i][1] = (NAME(vector)){0};
    for (uint64_t k = 0; k < inner; k++) {
        NAME(vector) low, high;
        memcpy(&low, strip[k], sizeof low);
        memcpy(&high, strip[k] + PRODUCT_LANES, sizeof high);
        for (unsigned i = 0; i < n; i++) {
            real factor = rows[i][k * step];
            sums[i][0] += factor * low;
            sums[i][1] += factor * high;
        }
    }
    for (unsigned i = 0; i < n; i++)
        memcpy(to[i], sums[i], sizeof sums[i]);
}

/* What a call has to make, of which one strip is at hand. */
typedef struct NAME(Product) {
    const Factors *factors;
    real *dst;
    uint64_t first, end;
    real strip[PRODUCT_LIMIT][STRIP] __attribute__((aligned(VECTOR_BYTES)));
} NAME(Product);

/* A row of which a part is wanted. */
static void NAME(product_part)(NAME(Product) * product, uint64_t column, uint64_t row) {
    const Factors *factors = product->factors;
    real part[STRIP], *to = part;
    const real *from = (const real *)factors->left + row * factors->left_steps[0];
    NAME(multiply_strip)(&to, &from, factors->left_steps[1], product->strip, factors->inner, 1);
    uint64_t width = factors->columns - column < STRIP ? factors->columns - column : STRIP;
    uint64_t at = row * factors->columns + column;
    for (uint64_t i = 0; i < width; i++)
        if (at + i >= product->first && at + i < product->end)
            product->dst[at + i - product->first] = part[i];
}

/* N rows whose strips are wanted as a whole. */
INLINE void NAME(product_rows)(NAME(Product) * product, uint64_t column, uint64_t row, unsigned n) {
    const Factors *factors = product->factors;
    const real *from[PRODUCT_ROWS];
    real *to[PRODUCT_ROWS];
    for (unsigned i = 0; i < n; i++) {
        from[i] = (const real *)factors->left + (row + i) * factors->left_steps[0];
        to[i] = product->dst + ((row + i) * factors->columns + column - product->first);
    }
    NAME(multiply_strip)(to, from, factors->left_steps[1], product->strip, factors->inner, n);
}

/* Rows BEGIN .. END of the strip: only the first and the last may be wanted in part. */
static void NAME(product_strip)(NAME(Product) * product, uint64_t column, uint64_t begin,
                                uint64_t end) {
    uint64_t columns = product->factors->columns, row = begin;
    bool whole = column + STRIP <= columns;
    NAME(take_strip)(product->strip, product->factors, column);
    if (begin * columns + column < product->first)
        NAME(product_part)(product, column, row++);
    for (; whole && row + PRODUCT_ROWS < end; row += PRODUCT_ROWS)
        NAME(product_rows)(product, column, row, PRODUCT_ROWS);
    for (; whole && row + 1 < end; row++)
        NAME(product_rows)(product, column, row, 1);
    for (; row < end; row++)
        NAME(product_part)(product, column, row);
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
        uint64_t begin = first / columns + (column + STRIP <= first % columns);
        uint64_t end = last / columns + (column <= last % columns);
        if (begin < end)
            NAME(product_strip)(&product, column, begin, end);
    }
}

#undef VECTOR_BYTES
#undef PRODUCT_ROWS
#undef PRODUCT_LANES
#undef STRIP
