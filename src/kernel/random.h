/* Counter-based random draws: element i of a stream is the output number i of SplitMix64 (Steele,
 * Lea and Flood, "Fast splittable pseudorandom number generators", 2014), whose state is a counter.
 * Seed and key choose where the stream begins. */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "kernel/functions.h"

#define STEP 0x9e3779b97f4a7c15u /* 2^64 over the golden ratio */

INLINE uint64_t mix_bits(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
    x = (x ^ x >> 27) * 0x94d049bb133111eb;
    return x ^ x >> 31;
}

INLINE uint64_t stream_start(uint64_t seed, uint64_t key) {
    return mix_bits(mix_bits(seed + STEP) + key);
}

INLINE uint64_t draw_bits(uint64_t start, uint64_t element) {
    return mix_bits(start + (element + 1) * STEP);
}

/* A number below 2^32 as a double, by way of the bits of 2^52: not every CPU converts it in a
 * vector. */
INLINE double double_of_word(uint64_t word) {
    return f64_from_bits(f64_bits(0x1p52) | word) - 0x1p52;
}

/* The upper 53 bits as a number in [0, 1) */
INLINE double unit_of_bits(uint64_t bits) {
    return double_of_word(bits >> 32) * 0x1p-32 + double_of_word(bits >> 11 & 0x1fffff) * 0x1p-53;
}

/* Box and Muller, of two draws to an element */
INLINE double draw_normal(uint64_t start, uint64_t element) {
    double first = unit_of_bits(draw_bits(start, 2 * element));
    double second = unit_of_bits(draw_bits(start, 2 * element + 1));
    return sqrt(-2 * function_log(1 - first)) * function_cos(2 * PI * second);
}

#endif
