/* What has an instruction (AVX2, F16C): included by kernel/body.h for float. It gives the same bits
 * as what is plain. */
#include <immintrin.h>

INLINE size_t load_fast_f32(DType dtype, float *dst, const void *stored, size_t n, bool *finite) {
    const __m128i *from = stored;
    const __m128i size = _mm_set1_epi16(0x7fff), mark = _mm_set1_epi16(0x0400);
    __m128i marks = _mm_setzero_si128();
    size_t whole = dtype == DTYPE_F16 ? n - n % 8 : 0;
    for (size_t i = 0; i < whole; i += 8) {
        __m128i bits = _mm_loadu_si128(from + i / 8);
        marks = _mm_or_si128(marks, _mm_add_epi16(_mm_and_si128(bits, size), mark));
        _mm256_storeu_ps(dst + i, _mm256_cvtph_ps(bits));
    }
    *finite = (_mm_movemask_epi8(marks) & 0xaaaa) == 0;
    return whole;
}

INLINE size_t store_fast_f32(DType dtype, void *stored, const float *src, size_t n) {
    __m128i *to = stored;
    const __m128i size = _mm_set1_epi16(0x7fff), infinity = _mm_set1_epi16(0x7c00);
    size_t whole = dtype == DTYPE_F16 ? n - n % 8 : 0;
    for (size_t i = 0; i < whole; i += 8) {
        __m128i bits = _mm256_cvtps_ph(_mm256_loadu_ps(src + i), _MM_FROUND_TO_NEAREST_INT);
        __m128i is_nan = _mm_cmpgt_epi16(_mm_and_si128(bits, size), infinity);
        __m128i one_nan = _mm_blendv_epi8(bits, _mm_set1_epi16(0x7e00), is_nan);
        _mm_storeu_si128(to + i / 8, one_nan);
    }
    return whole;
}

INLINE bool bracket_any_f32(const masks_f32 *masks) {
    __m256i bits;
    memcpy(&bits, masks, sizeof bits);
    return !_mm256_testz_si256(bits, bits);
}

INLINE size_t bracket_keep_lanes_f32(float *kept, const float *a, float low, float high) {
    __m256 x = _mm256_loadu_ps(a);
    __m256 above = _mm256_cmp_ps(x, _mm256_set1_ps(low), _CMP_GT_OQ);
    __m256 inside = _mm256_and_ps(above, _mm256_cmp_ps(x, _mm256_set1_ps(high), _CMP_LT_OQ));
    size_t n_kept = 0;
    for (unsigned bits = (unsigned)_mm256_movemask_ps(inside); bits != 0; bits &= bits - 1)
        kept[n_kept++] = a[__builtin_ctz(bits)];
    return n_kept;
}
