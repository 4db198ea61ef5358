/* Counter-based random draws: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1,
 * 2, 3", 2011) of the counter (element, key) under the key SEED. An element's draw depends on these
 * three numbers alone. */
#ifndef KERNEL_RANDOM_H
#define KERNEL_RANDOM_H

#include "kernel/functions.h"

/* Two uniform numbers of 53 bits, as multiples of 2^-53. */
typedef struct Draw {
    uint32_t words[4];
} Draw;

INLINE Draw draw_of(uint64_t seed, uint64_t key, uint64_t element) {
    uint32_t a = (uint32_t)element, b = (uint32_t)(element >> 32);
    uint32_t c = (uint32_t)key, d = (uint32_t)(key >> 32);
    uint32_t low_key = (uint32_t)seed, high_key = (uint32_t)(seed >> 32);
    for (int round = 0; round < 10; round++) {
        uint64_t of_a = (uint64_t)a * 0xd2511f53, of_c = (uint64_t)c * 0xcd9e8d57;
        a = (uint32_t)(of_c >> 32) ^ b ^ low_key;
        b = (uint32_t)of_c;
        c = (uint32_t)(of_a >> 32) ^ d ^ high_key;
        d = (uint32_t)of_a;
        low_key += 0x9e3779b9;
        high_key += 0xbb67ae85;
    }
    return (Draw){{a, b, c, d}};
}

/* WORD as a double, by way of the bits of 2^52 + word: not every CPU converts it in a vector. */
INLINE double double_of_word(uint32_t word) {
    return f64_from_bits(f64_bits(0x1p52) | word) - 0x1p52;
}

/* The first or second uniform number of a draw, in [0, 1): all of one word and 21 bits of the next.
 */
INLINE double draw_uniform(Draw draw, int which) {
    double high = double_of_word(draw.words[2 * which]);
    double low = double_of_word(draw.words[2 * which + 1] >> 11);
    return high * 0x1p-32 + low * 0x1p-53;
}

/* Box and Muller */
INLINE double draw_normal(Draw draw) {
    double radius = sqrt(-2 * function_log(1 - draw_uniform(draw, 0)));
    return radius * function_cos(2 * PI * draw_uniform(draw, 1));
}

#endif
