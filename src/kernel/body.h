/* Every loop for one compute type; included by kernel/build.h once with REAL_BITS 32 and once with
 * 64. What differs is here at the top.
 *
 * A tile written may be one of those read, element for element: `ivdep` says that no iteration
 * depends on another, so that gcc vectorises without comparing addresses first. */
#if REAL_BITS == 32
#define NAME(name)     name##_f32
#define real           float
#define bits_t         uint32_t
#define masks_t        int32_t /* what a comparison of vectors of `real` has for elements */
#define real_bits      f32_bits
#define real_from_bits f32_from_bits
#define MANTISSA       23
#define BIAS           127
#define NAN_BITS       0x7fc00000u
#define SIGN_BIT       0x80000000u
#define INTEGRAL       0x1p23f /* from here on every number is an integer */
#define LARGEST        0x1.fffffep127f
#define absolute       __builtin_fabsf
#define with_sign      __builtin_copysignf
#define square_root    __builtin_sqrtf
#define power          function_pow_of_floats
#define fused          __builtin_fmaf
#else
#define NAME(name)     name##_f64
#define real           double
#define bits_t         uint64_t
#define masks_t        int64_t
#define real_bits      f64_bits
#define real_from_bits f64_from_bits
#define MANTISSA       52
#define BIAS           1023
#define NAN_BITS       0x7ff8000000000000u
#define SIGN_BIT       0x8000000000000000u
#define INTEGRAL       0x1p52
#define LARGEST        0x1.fffffffffffffp1023
#define absolute       __builtin_fabs
#define with_sign      __builtin_copysign
#define square_root    __builtin_sqrt
#define power          function_pow
#define fused          __builtin_fma
#endif

#define EACH_ELEMENT _Pragma("GCC ivdep")

/* Elementwise operations */

/* Adding and taking away a power of two rounds half to even, on any CPU. */
INLINE real NAME(round)(real x) {
    real size = absolute(x);
    real near = (size + INTEGRAL) - INTEGRAL;
    return with_sign(size < INTEGRAL ? near : size, x);
}

INLINE real NAME(floor)(real x) {
    real near = NAME(round)(x);
    return with_sign(near > x ? near - 1 : near, x);
}

INLINE real NAME(ceil)(real x) {
    real near = NAME(round)(x);
    return with_sign(near < x ? near + 1 : near, x);
}

INLINE real NAME(trunc)(real x) {
    return with_sign(NAME(floor)(absolute(x)), x);
}

/* From the nearer end, so that both ends are exact. */
INLINE real NAME(lerp)(real a, real b, real c) {
    real way = b - a;
    real from_a = a + c * way, from_b = b - way * (1 - c);
    return absolute(c) < (real)0.5 ? from_a : from_b;
}

#define FUNCTION(id, value)                                                                        \
    INLINE real NAME(apply_##id)(real a, real b, real c) {                                         \
        (void)a, (void)b, (void)c;                                                                 \
        return value;                                                                              \
    }
#define TRUTH(condition) ((condition) ? (real)1 : (real)0)

FUNCTION(ADD, a + b)
FUNCTION(SUB, a - b)
FUNCTION(MUL, a *b)
FUNCTION(DIV, a / b)
FUNCTION(NEG, -a)
FUNCTION(ABS, absolute(a))
FUNCTION(SIGN, a > 0 ? 1 : a < 0 ? -1 : a + 0)
FUNCTION(MIN, (a < b) | (a != a) ? a : b)
FUNCTION(MAX, (a > b) | (a != a) ? a : b)
FUNCTION(SQRT, square_root(a))
FUNCTION(FLOOR, NAME(floor)(a))
FUNCTION(CEIL, NAME(ceil)(a))
FUNCTION(ROUND, NAME(round)(a))
FUNCTION(TRUNC, NAME(trunc)(a))
FUNCTION(EXP, (real)function_exp(a))
FUNCTION(LOG, (real)function_log(a))
FUNCTION(POW, (real)power(a, b))
FUNCTION(SIN, (real)function_sin(a))
FUNCTION(COS, (real)function_cos(a))
FUNCTION(TAN, (real)function_tan(a))
FUNCTION(ASIN, (real)function_asin(a))
FUNCTION(ACOS, (real)function_acos(a))
FUNCTION(ATAN, (real)function_atan(a))
FUNCTION(ATAN2, (real)function_atan2(a, b))
FUNCTION(TANH, (real)function_tanh(a))
FUNCTION(EQ, TRUTH(a == b))
FUNCTION(NE, TRUTH(a != b))
FUNCTION(LT, TRUTH(a < b))
FUNCTION(LE, TRUTH(a <= b))
FUNCTION(AND, TRUTH((a != 0) & (b != 0)))
FUNCTION(OR, TRUTH((a != 0) | (b != 0)))
FUNCTION(NOT, TRUTH(a == 0))
FUNCTION(ISNAN, TRUTH(a != a))
FUNCTION(ISFINITE, TRUTH(absolute(a) <= LARGEST))
FUNCTION(WHERE, a != 0 ? b : c)
FUNCTION(LERP, NAME(lerp)(a, b, c))
FUNCTION(ADDMUL, a + b * c)
FUNCTION(DISTANCE, absolute(a - b))
FUNCTION(THRESHOLD, absolute(a) >= b ? a : 0)
FUNCTION(FINITE_OR, absolute(a) <= LARGEST ? a : b)

#define OPERAND(mask, place, x) ((mask) >> (place)&1 ? x##_uniform : x[i])
#define UNIFORM(mask, place, x) const real x##_uniform = (mask) >> (place)&1 ? *x : 0
#define MAP(id, arity, mask)                                                                       \
    static void NAME(map_##id##_##mask)(void *to, const void *of_a, const void *of_b,              \
                                        const void *of_c, size_t n) {                              \
        real *dst = to;                                                                            \
        const real *a = of_a, *b = of_b, *c = of_c;                                                \
        UNIFORM(mask, 0, a);                                                                       \
        UNIFORM(mask, 1, b);                                                                       \
        UNIFORM(mask, 2, c);                                                                       \
        EACH_ELEMENT                                                                               \
        for (size_t i = 0; i < n; i++)                                                             \
            dst[i] = NAME(apply_##id)(OPERAND(mask, 0, a), arity > 1 ? OPERAND(mask, 1, b) : 0,    \
                                      arity > 2 ? OPERAND(mask, 2, c) : 0);                        \
    }
#define MAPS_1(id) MAP(id, 1, 0)
#define MAPS_2(id) MAP(id, 2, 0) MAP(id, 2, 1) MAP(id, 2, 2)
#define MAPS_3(id)                                                                                 \
    MAP(id, 3, 0)                                                                                  \
    MAP(id, 3, 1) MAP(id, 3, 2) MAP(id, 3, 3) MAP(id, 3, 4) MAP(id, 3, 5) MAP(id, 3, 6)
#define OP(id, name, arity, doc) MAPS_##arity(id)
#include "kernel/op.def"
#undef OP

/* Conversions */

/* The bits without sign of |x| in a float of few bits, rounded once. What does not fit is encoded
 * as LIMIT, the first power of two or so that is too large. Adding GRID, whose ULP is the smallest
 * subnormal, rounds to a multiple of it and leaves the multiple in the low bits. */
INLINE bits_t NAME(pack)(real x, int mantissa, int bias, real limit) {
    int drop = MANTISSA - mantissa;
    real size = absolute(x) < limit ? absolute(x) : limit;
    bits_t bits = real_bits(size);
    bits_t rounded = bits + (((bits_t)1 << (drop - 1)) - 1) + (bits >> drop & 1);
    bits_t normal = (rounded >> drop) - ((bits_t)(BIAS - bias) << mantissa);
    if (bias == BIAS)
        return normal;
    real grid = real_from_bits((bits_t)(BIAS + MANTISSA + 1 - bias - mantissa) << MANTISSA);
    real smallest = real_from_bits((bits_t)(BIAS + 1 - bias) << MANTISSA);
    bits_t subnormal = real_bits(size + grid) - real_bits(grid);
    return size < smallest ? subnormal : normal;
}

INLINE bits_t NAME(sign_at)(real x, int place) {
    return (real_bits(x) & SIGN_BIT) >> (REAL_BITS - 1 - place);
}

/* Whatever NaN it was, one is stored: which one an operation makes depends on the order that the
 * compiler gave its operands. */
INLINE uint16_t NAME(to_F16)(real x) {
    bits_t bits = NAME(pack)(x, 10, 15, 0x1p16) | NAME(sign_at)(x, 15);
    return (uint16_t)(x == x ? bits : 0x7e00);
}

INLINE uint16_t NAME(to_BF16)(real x) {
#if REAL_BITS == 32 /* the upper half, with its sign */
    bits_t bits = (real_bits(x) + 0x7fff + (real_bits(x) >> 16 & 1)) >> 16;
#else
    bits_t bits = NAME(pack)(x, 7, 127, 0x1p128) | NAME(sign_at)(x, 15);
#endif
    return (uint16_t)(x == x ? bits : 0x7fc0);
}

INLINE uint8_t NAME(to_F8_E5M2)(real x) {
    bits_t bits = NAME(pack)(x, 2, 15, 0x1p16) | NAME(sign_at)(x, 7);
    return (uint8_t)(x == x ? bits : 0x7e);
}

INLINE uint8_t NAME(to_F8_E4M3)(real x) { /* 480 has the bits of NaN */
    bits_t bits = NAME(pack)(x, 3, 7, 480) | NAME(sign_at)(x, 7);
    return (uint8_t)(x == x ? bits : 0x7f);
}

INLINE uint32_t NAME(to_F32)(real x) {
    return x == x ? f32_bits((float)x) : 0x7fc00000;
}

INLINE uint64_t NAME(to_F64)(real x) {
    return x == x ? f64_bits(x) : 0x7ff8000000000000;
}

INLINE uint8_t NAME(to_BOOL)(real x) {
    return x != 0;
}

INLINE int64_t NAME(to_I64)(real x) {
    return saturate_I64(NAME(round)(x));
}

INLINE uint64_t NAME(to_U64)(real x) {
    return saturate_U64(NAME(round)(x));
}

#define SMALL_INTEGER(id, type, low, high)                                                         \
    INLINE type NAME(to_##id)(real x) {                                                            \
        return (type)integer_within(x, low, high);                                                 \
    }
SMALL_INTEGER(I8, int8_t, -128, 127)
SMALL_INTEGER(U8, uint8_t, 0, 255)
SMALL_INTEGER(I16, int16_t, -32768, 32767)
SMALL_INTEGER(U16, uint16_t, 0, 65535)
SMALL_INTEGER(I32, int32_t, -2147483648.0, 2147483647)
SMALL_INTEGER(U32, uint32_t, 0, 4294967295.0)
#undef SMALL_INTEGER

/* Vectors whose comparisons are masks of -1 and 0. */
#define BRACKET_LANES 8
typedef real NAME(lanes) __attribute__((vector_size(BRACKET_LANES * sizeof(real))));
typedef masks_t NAME(masks) __attribute__((vector_size(BRACKET_LANES * sizeof(real))));

INLINE size_t NAME(bracket_keep)(real *kept, const real *a, size_t n, real low, real high) {
    size_t n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        kept[n_kept] = a[i];
        n_kept += (a[i] > low) & (a[i] < high);
    }
    return n_kept;
}

#if REAL_BITS == 32 && defined __F16C__
#include "kernel/instructions.h"
#else
/* What a build does with instructions of its own. Loads and stores return how many elements they
 * did. */
INLINE size_t NAME(load_fast)(DType dtype, real *dst, const void *stored, size_t n, bool *finite) {
    (void)dtype, (void)dst, (void)stored, (void)n, (void)finite;
    return 0;
}

INLINE size_t NAME(store_fast)(DType dtype, void *stored, const real *src, size_t n) {
    (void)dtype, (void)stored, (void)src, (void)n;
    return 0;
}

INLINE bool NAME(bracket_any)(const NAME(masks) * masks) {
    uint64_t words[sizeof *masks / sizeof(uint64_t)], any = 0;
    memcpy(words, masks, sizeof words);
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        any |= words[i];
    return any != 0;
}

INLINE size_t NAME(bracket_keep_lanes)(real *kept, const real *a, real low, real high) {
    return NAME(bracket_keep)(kept, a, BRACKET_LANES, low, high);
}
#endif

/* Strided loads bring elements together in runs of this many. */
#define RUN 512

#define CONVERSIONS(id, type, mark, sign)                                                          \
    static bool NAME(load_##id)(void *to, const void *from, size_t n) {                            \
        real *restrict dst = to;                                                                   \
        const stored_##id *restrict stored = from;                                                 \
        marks_##id marks = 0;                                                                      \
        bool finite = true;                                                                        \
        for (size_t i = NAME(load_fast)(DTYPE_##id, dst, stored, n, &finite); i < n; i++) {        \
            marks |= mark_##id(stored[i]);                                                         \
            dst[i] = (real)value_of_##id(stored[i]);                                               \
        }                                                                                          \
        return finite & !is_marked_##id(marks);                                                    \
    }                                                                                              \
    static bool NAME(load_strided_##id)(void *to, const void *from, ptrdiff_t stride, size_t n) {  \
        real *dst = to;                                                                            \
        const stored_##id *stored = from;                                                          \
        type run[RUN];                                                                             \
        bool finite = true;                                                                        \
        for (size_t done = 0; done < n; done += RUN) {                                             \
            size_t count = n - done < RUN ? n - done : RUN;                                        \
            for (size_t i = 0; i < count; i++)                                                     \
                run[i] = stored[(ptrdiff_t)(done + i) * stride];                                   \
            finite &= NAME(load_##id)(dst + done, run, count);                                     \
        }                                                                                          \
        return finite;                                                                             \
    }                                                                                              \
    static void NAME(store_##id)(void *to, const void *from, size_t n) {                           \
        stored_##id *restrict stored = to;                                                         \
        const real *restrict src = from;                                                           \
        for (size_t i = NAME(store_fast)(DTYPE_##id, stored, src, n); i < n; i++)                  \
            stored[i] = NAME(to_##id)(src[i]);                                                     \
    }                                                                                              \
    static void NAME(quantise_##id)(void *to, const void *from, size_t n) {                        \
        real *dst = to;                                                                            \
        const real *a = from;                                                                      \
        /* gcc 12 makes a truncation of an integer and back, which keeps -0: there must be none.   \
         */                                                                                        \
        const bool truncates = mark == 0 && DTYPE_##id != DTYPE_BOOL;                              \
        EACH_ELEMENT                                                                               \
        for (size_t i = 0; i < n; i++)                                                             \
            dst[i] = (real)value_of_##id(NAME(to_##id)(truncates ? NAME(trunc)(a[i]) + 0 : a[i])); \
    }
STORED_TYPES(CONVERSIONS)

/* Reductions */

/* So many short rows are done at once. Those of convolutions are 1 or 3 wide: constants, which gcc
 * makes vectors for. */
#define SHORT_ROWS   16
#define COMMON_WIDTH 3

/* Rows shorter than the lanes, lane by lane: element i of each goes to its lane i. A lane with
 * nothing in it changes no other, so the tree leaves those out. */
#define REDUCE_SHORT_ROWS(id, nothing, next)                                                       \
    INLINE void NAME(reduce_row_group_##id)(real * dst, const real *a, const real *b, size_t rows, \
                                            size_t length) {                                       \
        double lanes[REDUCE_LANES][SHORT_ROWS];                                                    \
        for (size_t i = 0; i < length; i++)                                                        \
            for (size_t row = 0; row < rows; row++)                                                \
                lanes[i][row] = fold_##id(nothing, a[row * length + i], b[row * length + i]);      \
        for (size_t width = REDUCE_LANES / 2; width > 0; width /= 2)                               \
            for (size_t i = 0; i < width && i + width < length; i++)                               \
                for (size_t row = 0; row < rows; row++)                                            \
                    lanes[i][row] = fold_##id(lanes[i][row], lanes[i + width][row], 1);            \
        for (size_t row = 0; row < rows; row++)                                                    \
            dst[row] = (real)lanes[0][row];                                                        \
    }                                                                                              \
    static void NAME(reduce_short_rows_##id)(real * dst, const real *a, const real *b,             \
                                             size_t rows, size_t length) {                         \
        if (rows == SHORT_ROWS && length == COMMON_WIDTH)                                          \
            NAME(reduce_row_group_##id)(dst, a, b, SHORT_ROWS, COMMON_WIDTH);                      \
        else if (rows == SHORT_ROWS && length == 1)                                                \
            NAME(reduce_row_group_##id)(dst, a, b, SHORT_ROWS, 1);                                 \
        else                                                                                       \
            NAME(reduce_row_group_##id)(dst, a, b, rows, length);                                  \
    }
REDUCE_KINDS(REDUCE_SHORT_ROWS)

#define REDUCTION(id, nothing, next)                                                               \
    INLINE void NAME(fold_into_##id)(double *lanes, const real *a, const real *b, size_t n) {      \
        size_t whole = n - n % REDUCE_LANES;                                                       \
        for (size_t i = 0; i < whole; i += REDUCE_LANES)                                           \
            for (int lane = 0; lane < REDUCE_LANES; lane++)                                        \
                lanes[lane] = fold_##id(lanes[lane], a[i + lane], b[i + lane]);                    \
        for (size_t i = whole; i < n; i++)                                                         \
            lanes[i - whole] = fold_##id(lanes[i - whole], a[i], b[i]);                            \
    }                                                                                              \
    static void NAME(reduce_##id)(Accumulator * accumulator, const void *of_a, const void *of_b,   \
                                  size_t n) {                                                      \
        double lanes[REDUCE_LANES];                                                                \
        memcpy(lanes, accumulator->lanes, sizeof lanes);                                           \
        NAME(fold_into_##id)(lanes, of_a, REDUCE_##id == REDUCE_DOT ? of_b : of_a, n);             \
        memcpy(accumulator->lanes, lanes, sizeof lanes);                                           \
    }                                                                                              \
    static void NAME(reduce_rows_##id)(void *to, const void *of_a, const void *of_b, size_t rows,  \
                                       size_t length) {                                            \
        real *dst = to;                                                                            \
        const real *a = of_a, *b = REDUCE_##id == REDUCE_DOT ? of_b : of_a;                        \
        size_t row = 0;                                                                            \
        for (size_t few; length % REDUCE_LANES == length && length && row < rows; row += few) {    \
            few = rows - row < SHORT_ROWS ? rows - row : SHORT_ROWS;                               \
            const real *of_row = a + row * length, *with = b + row * length;                       \
            NAME(reduce_short_rows_##id)(dst + row, of_row, with, few, length);                    \
        }                                                                                          \
        for (; row < rows; row++) {                                                                \
            double lanes[REDUCE_LANES];                                                            \
            lanes_clear_##id(lanes);                                                               \
            NAME(fold_into_##id)(lanes, a + row * length, b + row * length, length);               \
            dst[row] = (real)lanes_result_##id(lanes);                                             \
        }                                                                                          \
    }                                                                                              \
    static void NAME(reduce_columns_##id)(double *accumulators, const void *of_a,                  \
                                          const void *of_b, size_t n) {                            \
        const real *a = of_a, *b = REDUCE_##id == REDUCE_DOT ? of_b : of_a;                        \
        EACH_ELEMENT                                                                               \
        for (size_t i = 0; i < n; i++)                                                             \
            accumulators[i] = fold_##id(accumulators[i], a[i], b[i]);                              \
    }
REDUCE_KINDS(REDUCTION)

INLINE void NAME(expand_rows)(real *restrict dst, const real *restrict src, size_t rows,
                              size_t length) {
    for (size_t row = 0; row < rows; row++)
        for (size_t i = 0; i < length; i++)
            dst[row * length + i] = src[row];
}

static void NAME(expand)(void *to, const void *from, size_t rows, size_t length) {
    if (length == COMMON_WIDTH)
        NAME(expand_rows)(to, from, rows, COMMON_WIDTH);
    else if (length == 1)
        NAME(expand_rows)(to, from, rows, 1);
    else
        NAME(expand_rows)(to, from, rows, length);
}

/* Selection */

/* -0 is made 0 by the addition, and all NaN one. */
INLINE bits_t NAME(ordered_key)(real x) {
    bits_t bits = x == x ? real_bits(x + 0) : NAN_BITS;
    return bits & SIGN_BIT ? ~bits : bits | SIGN_BIT;
}

static void NAME(histogram)(uint32_t *counts, const void *of, size_t n, uint64_t prefix,
                            unsigned shift, unsigned bits) {
    const real *a = of;
    const bits_t mask = ((bits_t)1 << bits) - 1;
    const bool all = shift + bits >= REAL_BITS;
    const unsigned above = all ? 0 : shift + bits;
    for (size_t done = 0; done < n; done += RUN) {
        size_t count = n - done < RUN ? n - done : RUN, kept = 0;
        bits_t keys[RUN];
        for (size_t i = 0; i < count; i++)
            keys[i] = NAME(ordered_key)(a[done + i]);
        if (!all) {
            for (size_t i = 0; i < count; i++) {
                keys[kept] = keys[i];
                kept += keys[i] >> above == prefix;
            }
            count = kept;
        }
        for (size_t i = 0; i < count; i++)
            counts[keys[i] >> shift & mask]++;
    }
}

INLINE uint64_t NAME(bracket_total)(const NAME(masks) * masks) {
    uint64_t total = 0;
    for (size_t i = 0; i < BRACKET_LANES; i++)
        total -= (uint64_t)(int64_t)(*masks)[i];
    return total;
}

/* What is between the two, or one of them, is rare: the groups that hold some are listed without a
 * branch, as it could not be foreseen, and only they are looked at element by element. */
static size_t NAME(bracket)(uint64_t counts[4], void *to, const void *of, size_t n, double lowest,
                            double highest) {
    const real *a = of, low = (real)lowest, high = (real)highest;
    NAME(masks) below = {0}, is_low = {0}, is_high = {0};
    real *kept = to;
    size_t i = 0;
    while (i + BRACKET_LANES <= n) {
        size_t begin = i, end = n - i < RUN ? n : i + RUN, n_found = 0;
        uint16_t found[RUN / BRACKET_LANES];
        for (; i + BRACKET_LANES <= end; i += BRACKET_LANES) {
            NAME(lanes) x;
            memcpy(&x, a + i, sizeof x);
            NAME(masks) x_below = x < low, inside = (x <= high) & ~x_below;
            below += x_below;
            found[n_found] = (uint16_t)(i - begin);
            n_found += NAME(bracket_any)(&inside);
        }
        for (size_t j = 0; j < n_found; j++) {
            const real *group = a + begin + found[j];
            NAME(lanes) x;
            memcpy(&x, group, sizeof x);
            is_low += x == low;
            is_high += x == high;
            kept += NAME(bracket_keep_lanes)(kept, group, low, high);
        }
    }
    uint64_t n_below = NAME(bracket_total)(&below), n_low = NAME(bracket_total)(&is_low);
    uint64_t n_high = NAME(bracket_total)(&is_high);
    for (size_t j = i; j < n; j++) {
        n_below += a[j] < low;
        n_low += a[j] == low;
        n_high += a[j] == high;
    }
    kept += NAME(bracket_keep)(kept, a + i, n - i, low, high);
    uint64_t n_between = (uint64_t)(kept - (real *)to);
    counts[0] += n_below;
    counts[1] += n_below + n_low;
    counts[2] += low < high ? n_below + n_low + n_between : n_below;
    counts[3] += low < high ? n_below + n_low + n_between + n_high : n_below + n_low;
    return n_between;
}

/* Made from nothing */

/* Counted in 32 bits, which all CPUs convert to floating point, from a base in double. */
static void NAME(iota)(void *to, double start, size_t n) {
    real *dst = to;
    for (size_t done = 0; done < n; done += RUN) {
        int32_t count = (int32_t)(n - done < RUN ? n - done : RUN);
        double before = (double)done;
        for (int32_t i = 0; i < count; i++)
            dst[done + i] = (real)(start + (before + i));
    }
}

/* In float the draw rounded down to 24 bits, so that it stays below 1. */
static void NAME(mask_block)(real *restrict dst, const uint32_t *restrict words) {
    for (unsigned bit = 0; bit < 32; bit++)
        for (unsigned i = 0; i < MASK_WORDS; i++)
            dst[bit * MASK_WORDS + i] = (real)(int32_t)(words[i] >> bit & 1);
}

static void NAME(mask)(void *to, const uint32_t *mask, uint64_t first, size_t n) {
    real *dst = to, block[MASK_BLOCK];
    for (size_t done = 0; done < n;) {
        const uint32_t *words = mask + (first + done) / MASK_BLOCK * MASK_WORDS;
        size_t begin = (first + done) % MASK_BLOCK, left = n - done;
        size_t part = MASK_BLOCK - begin < left ? MASK_BLOCK - begin : left;
        NAME(mask_block)(part == MASK_BLOCK ? dst + done : block, words);
        if (part < MASK_BLOCK)
            memcpy(dst + done, block + begin, part * sizeof(real));
        done += part;
    }
}

static void NAME(uniform)(void *to, uint64_t seed, uint64_t key, uint64_t first, size_t n) {
    real *dst = to;
    const uint64_t start = stream_start(seed, key);
    for (size_t i = 0; i < n; i++) {
        uint64_t bits = draw_bits(start, first + i);
        dst[i] = REAL_BITS == 32 ? (real)(int32_t)(bits >> 40) * (real)0x1p-24
                                 : (real)unit_of_bits(bits);
    }
}

static void NAME(normal)(void *to, uint64_t seed, uint64_t key, uint64_t first, size_t n) {
    real *dst = to;
    const uint64_t start = stream_start(seed, key);
    for (size_t i = 0; i < n; i++)
        dst[i] = (real)draw_normal(start, first + i);
}

#include "kernel/compare.h"
#include "kernel/product.h"

#define LOOPS_1(id)                                                                                \
    { NAME(map_##id##_0) }
#define LOOPS_2(id)                                                                                \
    { NAME(map_##id##_0), NAME(map_##id##_1), NAME(map_##id##_2) }
#define LOOPS_3(id)                                                                                \
    {                                                                                              \
        NAME(map_##id##_0), NAME(map_##id##_1), NAME(map_##id##_2), NAME(map_##id##_3),            \
            NAME(map_##id##_4), NAME(map_##id##_5), NAME(map_##id##_6)                             \
    }
#define OP(id, name, arity, doc)           [OP_##id] = LOOPS_##arity(id),
#define LOAD(id, type, mark, sign)         [DTYPE_##id] = NAME(load_##id),
#define LOAD_STRIDED(id, type, mark, sign) [DTYPE_##id] = NAME(load_strided_##id),
#define STORE(id, type, mark, sign)        [DTYPE_##id] = NAME(store_##id),
#define QUANTISE(id, type, mark, sign)     [DTYPE_##id] = NAME(quantise_##id),
#define REDUCE(id, nothing, next)          [REDUCE_##id] = NAME(reduce_##id),
#define REDUCE_ROWS(id, nothing, next)     [REDUCE_##id] = NAME(reduce_rows_##id),
#define REDUCE_COLUMNS(id, nothing, next)  [REDUCE_##id] = NAME(reduce_columns_##id),

static const KernelTable NAME(table) = {
    .map =
        {
#include "kernel/op.def"
        },
    .load = {STORED_TYPES(LOAD)},
    .load_strided = {STORED_TYPES(LOAD_STRIDED)},
    .store = {STORED_TYPES(STORE)},
    .quantise = {STORED_TYPES(QUANTISE)},
    .reduce = {REDUCE_KINDS(REDUCE)},
    .reduce_rows = {REDUCE_KINDS(REDUCE_ROWS)},
    .reduce_columns = {REDUCE_KINDS(REDUCE_COLUMNS)},
    .expand = NAME(expand),
    .histogram = NAME(histogram),
    .bracket = NAME(bracket),
    .iota = NAME(iota),
    .packed_bytes = NAME(packed_bytes),
    .pack = NAME(pack_factor),
    .product = NAME(product),
    .compare = NAME(compare),
    .uniform = NAME(uniform),
    .mask = NAME(mask),
    .normal = NAME(normal),
};

#undef OP
#undef LOAD
#undef LOAD_STRIDED
#undef STORE
#undef QUANTISE
#undef REDUCE
#undef REDUCE_ROWS
#undef REDUCE_COLUMNS
#undef LOOPS_1
#undef LOOPS_2
#undef LOOPS_3
#undef MAPS_1
#undef MAPS_2
#undef MAPS_3
#undef MAP
#undef UNIFORM
#undef OPERAND
#undef TRUTH
#undef FUNCTION
#undef RUN
#undef BRACKET_LANES
#undef SHORT_ROWS
#undef REDUCTION
#undef CONVERSIONS
#undef EACH_ELEMENT
#undef REDUCE_SHORT_ROWS
#undef NAME
#undef real
#undef bits_t
#undef masks_t
#undef real_bits
#undef real_from_bits
#undef MANTISSA
#undef BIAS
#undef NAN_BITS
#undef SIGN_BIT
#undef INTEGRAL
#undef LARGEST
#undef absolute
#undef with_sign
#undef square_root
#undef power
#undef fused
#undef REAL_BITS
