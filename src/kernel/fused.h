/* multiply_add(factor, row, sum) is sum + factor * row, rounded once, for one compute type;
 * included by kernel/product.h.
 *
 * Where the instruction set has no such instruction, the same bits are made with others. Factors
 * and sums are of the type `term`, which holds numbers of the compute type. */

/* A register of the instruction set that the build is for. */
#if defined __AVX512F__
#define VECTOR_BYTES 64
#elif defined __AVX__
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

#if defined __AVX512F__ || defined __FMA__
#include <immintrin.h>

#if defined __AVX512F__ && REAL_BITS == 32
#define FUSED(factor, row, sum) _mm512_fmadd_ps(_mm512_set1_ps(factor), row, sum)
#elif defined __AVX512F__
#define FUSED(factor, row, sum) _mm512_fmadd_pd(_mm512_set1_pd(factor), row, sum)
#elif REAL_BITS == 32
#define FUSED(factor, row, sum) _mm256_fmadd_ps(_mm256_set1_ps(factor), row, sum)
#else
#define FUSED(factor, row, sum) _mm256_fmadd_pd(_mm256_set1_pd(factor), row, sum)
#endif
typedef real NAME(term);
typedef real NAME(vector) __attribute__((vector_size(VECTOR_BYTES)));
INLINE NAME(vector) NAME(multiply_add)(real factor, NAME(vector) row, NAME(vector) sum) {
    return FUSED(factor, row, sum);
}
#undef FUSED

#elif REAL_BITS == 32 && !defined __FP_FAST_FMAF
/* Numbers are held as double, where products are exact. The sum of two is rounded to odd: towards
 * zero, with a last bit that says whether anything was lost, so that rounding it to float is as
 * rounding the sum itself (Boldo, Melquiond: Emulation of FMA and correctly rounded sums, 2008).
 * Infinities and NaN have an error that is NaN, and stay. */
typedef double term_f32;
typedef double vector_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef uint64_t vector_bits_f32 __attribute__((vector_size(VECTOR_BYTES)));
typedef float rounded_f32 __attribute__((vector_size(VECTOR_BYTES / 2)));

INLINE vector_f32 multiply_add_f32(double factor, vector_f32 row, vector_f32 sum) {
    vector_f32 product = factor * row, total = product + sum, part = total - product;
    vector_f32 error = (product - (total - part)) + (sum - part);
    vector_bits_f32 inexact = (vector_bits_f32)((error < 0) | (error > 0));
    vector_bits_f32 beyond = ((vector_bits_f32)error ^ (vector_bits_f32)total) & inexact;
    vector_bits_f32 odd = ((vector_bits_f32)total - (beyond >> 63)) | inexact >> 63;
    return __builtin_convertvector(__builtin_convertvector((vector_f32)odd, rounded_f32),
                                   vector_f32);
}

#else
typedef real NAME(term);
typedef real NAME(vector) __attribute__((vector_size(VECTOR_BYTES)));
INLINE NAME(vector) NAME(multiply_add)(real factor, NAME(vector) row, NAME(vector) sum) {
    for (unsigned i = 0; i < VECTOR_BYTES / sizeof(real); i++)
        sum[i] = fused(factor, row[i], sum[i]);
    return sum;
}
#endif
