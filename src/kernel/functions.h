/* The elementary functions in double, without a branch, a table or libm, so that loops over them
 * vectorise and every build gives the same bits. Both compute types use them: float by rounding the
 * double result. Bounds in ULP of double are in op.def; the tests hold them against libm's long
 * double.
 *
 * Polynomials are Taylor's where that converges fast; those of atan and asin are Chebyshev fits to
 * (f(x) / x - 1) / x^2 in x^2 over the reduced range. The reductions are the textbook ones (Cody
 * and Waite, 1980; Dekker's and Knuth's exact sums and products). */
#ifndef KERNEL_FUNCTIONS_H
#define KERNEL_FUNCTIONS_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* A loop with a call in it is no vector loop, and gcc's patience for inlining ends before POW. */
#define INLINE static inline __attribute__((always_inline))

INLINE uint64_t f64_bits(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE double f64_from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

INLINE uint32_t f32_bits(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

INLINE float f32_from_bits(uint32_t bits) {
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

/* Added to |x| < 2^51 it leaves the nearest integer (half to even) in the low bits of the sum,
 * as a two's complement number; taking it away again leaves that integer as a double. */
#define TO_INTEGER 0x1.8p52

INLINE double nearest_integer(double x) {
    return x + TO_INTEGER - TO_INTEGER;
}

/* 2^n for a whole n in -1022..1023 */
INLINE double power_of_two(double n) {
    return f64_from_bits(f64_bits(n + (TO_INTEGER + 1023)) << 52);
}

INLINE double at_most(double x, double limit) { /* NaN stays */
    return x > limit ? limit : x;
}

/* An unevaluated sum, |low| at most half an ULP of high or so. */
typedef struct Pair {
    double high, low;
} Pair;

/* a + b exactly (Knuth) */
INLINE Pair exact_sum(double a, double b) {
    double sum = a + b, of_b = sum - a;
    return (Pair){sum, (a - (sum - of_b)) + (b - of_b)};
}

/* a * b exactly (Dekker), for |a|, |b| < 2^996 */
INLINE Pair exact_product(double a, double b) {
    double a_wide = a * 0x1.0000002p27, b_wide = b * 0x1.0000002p27;
    double a_high = a_wide - (a_wide - a), b_high = b_wide - (b_wide - b);
    double a_low = a - a_high, b_low = b - b_high;
    double product = a * b;
    double rest = (a_high * b_high - product) + a_high * b_low + a_low * b_high;
    return (Pair){product, rest + a_low * b_low};
}

INLINE Pair pair_product(Pair a, Pair b) {
    Pair product = exact_product(a.high, b.high);
    product.low += a.high * b.low + a.low * b.high;
    return product;
}

/* ln 2, the first part short enough for whole multiples up to 2^21 to be exact */
#define LN2_HIGH 0x1.62e42feep-1
#define LN2_LOW  0x1.a39ef35793c76p-33
#define LOG2_E   0x1.71547652b82fep+0

/* x = n ln 2 + r, |r| a little over ln 2 / 2 at most; returns r and its rounding error. */
INLINE Pair exp_reduce(double x, double x_low, double *n) {
    *n = nearest_integer(x * LOG2_E);
    double high = x - *n * LN2_HIGH, low = x_low - *n * LN2_LOW;
    double r = high + low;
    return (Pair){r, (high - r) + low};
}

/* e^r - 1 */
INLINE double exp_of_reduced(Pair reduced) {
    double r = reduced.high, p = 1.0 / 6227020800;
    p = p * r + 1.0 / 479001600;
    p = p * r + 1.0 / 39916800;
    p = p * r + 1.0 / 3628800;
    p = p * r + 1.0 / 362880;
    p = p * r + 1.0 / 40320;
    p = p * r + 1.0 / 5040;
    p = p * r + 1.0 / 720;
    p = p * r + 1.0 / 120;
    p = p * r + 1.0 / 24;
    p = p * r + 1.0 / 6;
    p = p * r + 1.0 / 2;
    return r + (r * r * p + reduced.low);
}

/* e^(x + x_low); the power of two in two steps, so that only the last rounds to a subnormal. */
INLINE double exp_of_pair(double x, double x_low) {
    double limited = at_most(-at_most(-x, 800), 800);
    double n, rest = exp_of_reduced(exp_reduce(limited, limited == x ? x_low : 0, &n));
    double half = nearest_integer(n * 0.5);
    return (1 + rest) * power_of_two(half) * power_of_two(n - half);
}

INLINE double function_exp(double x) {
    return exp_of_pair(x, 0);
}

/* x = m 2^k with m in [sqrt(1/2), sqrt(2)), for positive finite x */
INLINE double split_exponent(double x, double *k) {
    const uint64_t root_half = 0x3fe6a09e667f3bcd, one = 0x3ff0000000000000;
    bool subnormal = x < 0x1p-1022;
    uint64_t shifted = f64_bits(subnormal ? x * 0x1p54 : x) + (one - root_half);
    double exponent = f64_from_bits(shifted >> 52 | f64_bits(0x1p52)) - 0x1p52;
    *k = exponent - (subnormal ? 1023 + 54 : 1023);
    return f64_from_bits((shifted & 0xfffffffffffff) + root_half);
}

/* What a logarithm is where it is not finite: VALUE is the formula's. */
INLINE double log_special(double x, double value) {
    value = x == 0 ? -INFINITY : value;
    value = x < 0 ? NAN : value;
    return x < INFINITY ? value : x;
}

/* With s = f / (2 + f): log(1 + f) = 2 atanh(s) = f - s f + 2 s (s^2 / 3 + s^4 / 5 + ...) */
INLINE double function_log(double x) {
    double k, f = split_exponent(x, &k) - 1;
    double s = f / (2 + f), z = s * s, p = 2.0 / 21;
    p = p * z + 2.0 / 19;
    p = p * z + 2.0 / 17;
    p = p * z + 2.0 / 15;
    p = p * z + 2.0 / 13;
    p = p * z + 2.0 / 11;
    p = p * z + 2.0 / 9;
    p = p * z + 2.0 / 7;
    p = p * z + 2.0 / 5;
    p = p * z + 2.0 / 3;
    double half = 0.5 * f * f;
    double rest = half - (s * (half + p * z) + k * LN2_LOW);
    return log_special(x, k * LN2_HIGH - (rest - f));
}

/* The same series with about 64 good bits, for positive finite x. */
INLINE Pair log_pair(double x) {
    double k, f = split_exponent(x, &k) - 1;
    Pair d = exact_sum(2, f), s = {f / d.high, 0};
    Pair back = exact_product(s.high, d.high);
    s.low = (((f - back.high) - back.low) - s.high * d.low) / d.high;
    Pair z = pair_product(s, s);
    double p = 1.0 / 25;
    p = p * z.high + 1.0 / 23;
    p = p * z.high + 1.0 / 21;
    p = p * z.high + 1.0 / 19;
    p = p * z.high + 1.0 / 17;
    p = p * z.high + 1.0 / 15;
    p = p * z.high + 1.0 / 13;
    p = p * z.high + 1.0 / 11;
    p = p * z.high + 1.0 / 9;
    p = p * z.high + 1.0 / 7;
    p = p * z.high + 1.0 / 5;
    Pair series = exact_sum(1.0 / 3, p * z.high);
    series.low += 0x1.5555555555555p-56; /* what 1.0 / 3 lacks */
    Pair rest = pair_product(pair_product(s, z), series);
    Pair half = exact_sum(s.high, rest.high);
    half.low += s.low + rest.low;
    Pair log = exact_sum(k * LN2_HIGH, 2 * half.high);
    log.low += 2 * half.low + k * LN2_LOW;
    return log;
}

/* |x|^y for finite x but 0; y is held within what saturates the result for every x but 1. */
INLINE double pow_magnitude(double x, double y) {
    y = at_most(-at_most(-y, 0x1p66), 0x1p66);
    Pair log = log_pair(fabs(x));
    Pair product = exact_product(log.high, y);
    product.low += log.low * y;
    double sum = product.high + product.low;
    return exp_of_pair(sum, (product.high - sum) + product.low);
}

INLINE bool is_integer(double x) { /* infinities too */
    double size = fabs(x);
    double nearest = (size + 0x1p52) - 0x1p52;
    return (size >= 0x1p52) | (nearest == size);
}

/* x^y, VALUE being |x|^y where that is not special. */
INLINE double pow_special(double x, double y, double value) {
    bool integer = is_integer(y), odd = integer & !is_integer(y * 0.5);
    double size = fabs(x);
    value = size == 0 ? (y < 0 ? INFINITY : 0) : value;
    value = size == INFINITY ? (y < 0 ? 0 : INFINITY) : value;
    value = (x < 0) & (x > -INFINITY) & !integer ? NAN : value;
    value = odd ? copysign(1, x) * value : value;
    value = (x != x) | (y != y) ? x + y : value;
    return (x == 1) | (y == 0) ? 1 : value;
}

INLINE double function_pow(double x, double y) {
    return pow_special(x, y, pow_magnitude(x, y));
}

/* The same for floats: where the result is one, the logarithm's last bits are far below its own. */
INLINE double function_pow_of_floats(double x, double y) {
    double log = function_log(fabs(x));
    return pow_special(x, y, function_exp(log == 0 ? 0 : y * log));
}

/* pi / 2 in parts; multiples of the first three up to 2^20 are exact. */
#define HALF_PI_1   0x1.921fb544p+0
#define HALF_PI_2   0x1.0b4611a6p-34
#define HALF_PI_3   0x1.3198a2ep-69
#define HALF_PI_4   0x1.b839a252049c1p-104
#define TWO_OVER_PI 0x1.45f306dc9c883p-1

/* x = n pi / 2 + r with |r| a little over pi / 4 at most, and n mod 4. What is beyond the range of
 * TO_INTEGER counts as a multiple of 2 pi. */
INLINE Pair turn_reduce(double x, uint64_t *quadrant) {
    double shifted = x * TWO_OVER_PI + TO_INTEGER, n = shifted - TO_INTEGER;
    Pair second = exact_sum(x - n * HALF_PI_1, -(n * HALF_PI_2));
    Pair third = exact_sum(second.high, -(n * HALF_PI_3));
    double low = (second.low + third.low) - n * HALF_PI_4;
    double r = third.high + low;
    bool lost = fabs(r) > 1;
    *quadrant = f64_bits(shifted);
    return (Pair){lost ? 0 : r, lost ? 0 : (third.high - r) + low};
}

INLINE double sin_of_reduced(Pair reduced) {
    double r = reduced.high, z = r * r, p = 1.0 / 355687428096000;
    p = p * z - 1.0 / 1307674368000;
    p = p * z + 1.0 / 6227020800;
    p = p * z - 1.0 / 39916800;
    p = p * z + 1.0 / 362880;
    p = p * z - 1.0 / 5040;
    p = p * z + 1.0 / 120;
    p = p * z - 1.0 / 6;
    return r + (r * z * p + reduced.low * (1 - 0.5 * z));
}

INLINE double cos_of_reduced(Pair reduced) {
    double r = reduced.high, z = r * r, p = 1.0 / 20922789888000;
    p = p * z - 1.0 / 87178291200;
    p = p * z + 1.0 / 479001600;
    p = p * z - 1.0 / 3628800;
    p = p * z + 1.0 / 40320;
    p = p * z - 1.0 / 720;
    p = p * z + 1.0 / 24;
    double most = 1 - 0.5 * z;
    return most + (((1 - most) - 0.5 * z) + (z * z * p - r * reduced.low));
}

/* A where NUMBER is odd, else B; without a comparison of 64-bit integers, which SSE2 has not. */
INLINE double where_odd(uint64_t number, double a, double b) {
    uint64_t mask = 0 - (number & 1);
    return f64_from_bits((f64_bits(a) & mask) | (f64_bits(b) & ~mask));
}

/* sin(x + quadrants pi / 2) */
INLINE double sine_ahead(double x, uint64_t quadrants) {
    uint64_t quadrant;
    Pair reduced = turn_reduce(x, &quadrant);
    quadrant += quadrants;
    double value = where_odd(quadrant, cos_of_reduced(reduced), sin_of_reduced(reduced));
    return f64_from_bits(f64_bits(value) ^ (quadrant & 2) << 62);
}

INLINE double function_sin(double x) {
    double value = sine_ahead(x, 0);
    return fabs(x) < 0x1p-27 ? x : value;
}

INLINE double function_cos(double x) {
    return sine_ahead(x, 1);
}

INLINE double function_tan(double x) {
    uint64_t quadrant;
    Pair reduced = turn_reduce(x, &quadrant);
    double sine = sin_of_reduced(reduced), cosine = cos_of_reduced(reduced);
    double value = where_odd(quadrant, -cosine, sine) / where_odd(quadrant, sine, cosine);
    return fabs(x) < 0x1p-27 ? x : value;
}

#define HALF_PI        0x1.921fb54442d18p+0
#define HALF_PI_LOW    0x1.1a62633145c07p-54
#define PI             0x1.921fb54442d18p+1
#define PI_LOW         0x1.1a62633145c07p-53
#define QUARTER_PI     0x1.921fb54442d18p-1
#define QUARTER_PI_LOW 0x1.1a62633145c07p-55
#define ATAN_HALF      0x1.dac670561bb4fp-2 /* of 1/2 */
#define ATAN_HALF_LOW  0x1.a2b7f222f65e2p-56
#define ATAN_THREE     0x1.f730bd281f69bp-1 /* of 3/2 */
#define ATAN_THREE_LOW 0x1.007887af0cbbdp-56

/* asin(x) / x - 1 as a function of z = x^2 <= 1/4 */
INLINE double asin_series(double z) {
    double p = 0x1.e529c6fce9bb4p-6;
    p = p * z - 0x1.3b416bb7d9257p-6;
    p = p * z + 0x1.406192d124629p-6;
    p = p * z + 0x1.8f193743418ffp-9;
    p = p * z + 0x1.31622469ce5adp-7;
    p = p * z + 0x1.3b49de7121487p-7;
    p = p * z + 0x1.7b027ee1dd585p-7;
    p = p * z + 0x1.c990ad3d8fdcap-7;
    p = p * z + 0x1.1c4efce23019fp-6;
    p = p * z + 0x1.6e8ba123e494cp-6;
    p = p * z + 0x1.f1c71c7a52ba3p-6;
    p = p * z + 0x1.6db6db6dac1e0p-5;
    p = p * z + 0x1.3333333333388p-4;
    p = p * z + 0x1.5555555555555p-3;
    return p * z;
}

/* sqrt(z), the first part of few enough bits for its square to be exact */
INLINE Pair root_pair(double z) {
    double root = sqrt(z);
    double high = f64_from_bits(f64_bits(root) & 0xffffffff00000000);
    return (Pair){high, root > 0 ? (z - high * high) / (root + high) : 0};
}

/* Above 1/2: pi / 2 - 2 asin(sqrt((1 - x) / 2)). Outside of -1..1 the root is NaN. */
INLINE double function_asin(double x) {
    double size = fabs(x), z = size <= 0.5 ? size * size : (1 - size) * 0.5;
    Pair root = root_pair(z);
    double p = asin_series(z);
    double rest = 2 * sqrt(z) * p - (HALF_PI_LOW - 2 * root.low);
    double large = QUARTER_PI - (rest - (QUARTER_PI - 2 * root.high));
    return copysign(size <= 0.5 ? size + size * p : large, x);
}

INLINE double function_acos(double x) {
    double size = fabs(x), z = size <= 0.5 ? size * size : (1 - size) * 0.5;
    Pair root = root_pair(z);
    double p = asin_series(z), series = sqrt(z) * p;
    double near_one = 2 * (root.high + (series + root.low));
    double near_minus = PI - 2 * (root.high + ((series + root.low) - HALF_PI_LOW));
    double middle = HALF_PI - (x - (HALF_PI_LOW - x * p));
    return size <= 0.5 ? middle : x < 0 ? near_minus : near_one;
}

/* atan(r) / r - 1 as a function of z = r^2, |r| <= 7/16 */
INLINE double atan_series(double z) {
    double p = 0x1.e4167464d3de8p-7;
    p = p * z - 0x1.0f62bba6a2558p-5;
    p = p * z + 0x1.7001816fd063fp-5;
    p = p * z - 0x1.ab59b417b2d3fp-5;
    p = p * z + 0x1.e170800a46210p-5;
    p = p * z - 0x1.110c9ce7b0572p-4;
    p = p * z + 0x1.3b1375ce5bdc6p-4;
    p = p * z - 0x1.745d154c84f7ap-4;
    p = p * z + 0x1.c71c71bd2b8bcp-4;
    p = p * z - 0x1.2492492485503p-3;
    p = p * z + 0x1.99999999998c5p-3;
    p = p * z - 0x1.5555555555555p-2;
    return p * z;
}

/* atan(x) = atan(c) + atan((x - c) / (1 + x c)) with the nearest c of 0, 1/2, 1, 3/2, infinity */
INLINE double atan_of_positive(double x) {
    double c = 0, above = x, below = 1;
    Pair base = {0, 0};
#define FROM(limit, center, start, start_low)                                                      \
    c = x >= limit ? center : c;                                                                   \
    base.high = x >= limit ? start : base.high;                                                    \
    base.low = x >= limit ? start_low : base.low;
    FROM(7.0 / 16, 0.5, ATAN_HALF, ATAN_HALF_LOW)
    FROM(11.0 / 16, 1, QUARTER_PI, QUARTER_PI_LOW)
    FROM(19.0 / 16, 1.5, ATAN_THREE, ATAN_THREE_LOW)
    FROM(39.0 / 16, 0, HALF_PI, HALF_PI_LOW)
#undef FROM
    above = x >= 39.0 / 16 ? -1 : x - c;
    below = x >= 39.0 / 16 ? x : 1 + x * c;
    double r = above / below;
    return base.high + (r + (r * atan_series(r * r) + base.low));
}

INLINE double function_atan(double x) {
    return copysign(atan_of_positive(fabs(x)), x);
}

INLINE double function_atan2(double y, double x) {
    double height = fabs(y), width = fabs(x);
    double slope = height / width;
    slope = height == 0 ? 0 : slope;
    slope = (height == INFINITY) & (width == INFINITY) ? 1 : slope;
    double angle = atan_of_positive(slope);
    angle = copysign(1, x) < 0 ? PI - (angle - PI_LOW) : angle;
    return (x != x) | (y != y) ? x + y : copysign(angle, y);
}

/* tanh(x) = e / (e + 2) with e = e^2x - 1 */
INLINE double function_tanh(double x) {
    double n, rest = exp_of_reduced(exp_reduce(at_most(2 * fabs(x), 50), 0, &n));
    double scale = power_of_two(n);
    double e = scale * rest + (scale - 1);
    return copysign(e / (e + 2), x);
}

#endif
