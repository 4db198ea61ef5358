/* Stored elements: their bits, aligned to nothing, and what they have in common for all compute
 * types. */
#ifndef KERNEL_STORED_H
#define KERNEL_STORED_H

#include "kernel/functions.h"

/* STORED(dtype, type of its bits, mark, sign): MARK adds to the bits without SIGN what carries into
 * the sign's place from infinity on; 0: always finite. */
#define STORED_TYPES(STORED)                                                                       \
    STORED(BOOL, uint8_t, 0, 0x80)                                                                 \
    STORED(U8, uint8_t, 0, 0x80)                                                                   \
    STORED(I8, int8_t, 0, 0x80)                                                                    \
    STORED(F8_E5M2, uint8_t, 0x04, 0x80)                                                           \
    STORED(F8_E4M3, uint8_t, 0x01, 0x80)                                                           \
    STORED(I16, int16_t, 0, 0x8000)                                                                \
    STORED(U16, uint16_t, 0, 0x8000)                                                               \
    STORED(F16, uint16_t, 0x0400, 0x8000)                                                          \
    STORED(BF16, uint16_t, 0x0080, 0x8000)                                                         \
    STORED(I32, int32_t, 0, 0x80000000)                                                            \
    STORED(U32, uint32_t, 0, 0x80000000)                                                           \
    STORED(F32, uint32_t, 0x00800000, 0x80000000)                                                  \
    STORED(F64, uint64_t, 0x0010000000000000, 0x8000000000000000)                                  \
    STORED(I64, int64_t, 0, 0x8000000000000000)                                                    \
    STORED(U64, uint64_t, 0, 0x8000000000000000)

/* stored_X: an element in a file. mark_X: has its sign's bit set where the element is infinite or
 * NaN; such marks are ORed, and is_marked_X looks at them once a tile. */
#define STORED(id, type, mark, sign)                                                               \
    typedef type __attribute__((aligned(1), may_alias)) stored_##id;                               \
    typedef type marks_##id;                                                                       \
    INLINE marks_##id mark_##id(type x) {                                                          \
        return mark == 0 ? 0 : (marks_##id)((x & (sign - 1)) + mark);                              \
    }                                                                                              \
    INLINE bool is_marked_##id(marks_##id marks) {                                                 \
        return mark != 0 && (marks & sign) != 0;                                                   \
    }
STORED_TYPES(STORED)
#undef STORED

/* A float of few bits as the float it is: its bits are those of a float that is too small by a
 * power of two, subnormals included. */
INLINE float unpack(uint32_t bits, int mantissa, int exponent_bits, uint32_t first_special) {
    int width = 1 + exponent_bits + mantissa, bias = (1 << (exponent_bits - 1)) - 1;
    uint32_t size = bits & ((1u << (width - 1)) - 1);
    uint32_t sign = (bits & (1u << (width - 1))) << (32 - width);
    float scale = f32_from_bits((uint32_t)(254 - bias) << 23);
    uint32_t finite = f32_bits(f32_from_bits(size << (23 - mantissa)) * scale);
    uint32_t special = 0x7f800000 | size << (23 - mantissa);
    uint32_t quiet = size > first_special ? special | 0x00400000 : special;
    return f32_from_bits((size >= first_special ? quiet : finite) | sign);
}

INLINE float value_of_F16(uint16_t x) {
    return unpack(x, 10, 5, 0x7c00);
}
INLINE float value_of_F8_E5M2(uint8_t x) {
    return unpack(x, 2, 5, 0x7c);
}
INLINE float value_of_F8_E4M3(uint8_t x) { /* no infinity; NaN is all ones */
    return unpack(x, 3, 4, 0x7f);
}
INLINE float value_of_BF16(uint16_t x) {
    return f32_from_bits((uint32_t)x << 16);
}
INLINE float value_of_F32(uint32_t x) {
    return f32_from_bits(x);
}
INLINE double value_of_F64(uint64_t x) {
    return f64_from_bits(x);
}
INLINE int value_of_BOOL(uint8_t x) {
    return x != 0;
}
#define VALUE_OF_INTEGER(id, type)                                                                 \
    INLINE type value_of_##id(type x) {                                                            \
        return x;                                                                                  \
    }
VALUE_OF_INTEGER(U8, uint8_t)
VALUE_OF_INTEGER(I8, int8_t)
VALUE_OF_INTEGER(U16, uint16_t)
VALUE_OF_INTEGER(I16, int16_t)
VALUE_OF_INTEGER(U32, uint32_t)
VALUE_OF_INTEGER(I32, int32_t)
VALUE_OF_INTEGER(U64, uint64_t)
VALUE_OF_INTEGER(I64, int64_t)
#undef VALUE_OF_INTEGER

/* The nearest integer to x, half to even, held to LOW..HIGH within 32 bits; 0 for NaN. */
INLINE int64_t integer_within(double x, double low, double high) {
    double number = x == x ? x : 0;
    double limited = number < low ? low : number > high ? high : number;
    return (int64_t)f64_bits(limited + TO_INTEGER);
}

/* Of 64 bits: X is an integer or NaN already. */
INLINE int64_t saturate_I64(double x) {
    double inside = (x >= -0x1p63) & (x < 0x1p63) ? x : 0;
    return x >= 0x1p63 ? INT64_MAX : x < -0x1p63 ? INT64_MIN : (int64_t)inside;
}

INLINE uint64_t saturate_U64(double x) {
    double inside = (x >= 0) & (x < 0x1p64) ? x : 0;
    return x >= 0x1p64 ? UINT64_MAX : (uint64_t)inside;
}

#endif
