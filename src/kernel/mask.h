/* Masks of one bit an element, and MT19937, by whose draws they are made: loops over words, in
 * whose order both lie, so that every build takes several at once. */
#ifndef KERNEL_MASK_H
#define KERNEL_MASK_H

#include "kernel/functions.h"
#include "kernel/kernel.h"

/* Matsumoto and Nishimura, "Mersenne Twister", 1998 */
INLINE uint32_t twisted(uint32_t upper, uint32_t lower, uint32_t other) {
    uint32_t joined = (upper & 0x80000000u) | (lower & 0x7fffffffu);
    return other ^ joined >> 1 ^ (-(joined & 1) & 0x9908b0dfu);
}

INLINE uint32_t tempered(uint32_t y) {
    y ^= y >> 11;
    y ^= y << 7 & 0x9d2c5680u;
    y ^= y << 15 & 0xefc60000u;
    return y ^ y >> 18;
}

enum { TWISTER_STEP = 397 };

static void twist(uint32_t *restrict words, uint32_t *restrict draws) {
    size_t i = 0;
    for (; i < TWISTER_WORDS - TWISTER_STEP; i++)
        words[i] = twisted(words[i], words[i + 1], words[i + TWISTER_STEP]);
    for (; i < TWISTER_WORDS - 1; i++)
        words[i] = twisted(words[i], words[i + 1], words[i + TWISTER_STEP - TWISTER_WORDS]);
    words[i] = twisted(words[i], words[0], words[TWISTER_STEP - 1]);
    for (i = 0; i < TWISTER_WORDS; i++)
        draws[i] = tempered(words[i]);
}

typedef uint32_t MaskWords __attribute__((vector_size(MASK_WORDS * sizeof(uint32_t))));

/* What is compared last is the highest bit. */
static void mask_below(uint32_t *mask, const uint32_t *draws, uint32_t limit) {
    MaskWords words = {0}, draw;
    for (unsigned bit = 0; bit < 32; bit++) {
        memcpy(&draw, draws + bit * MASK_WORDS, sizeof draw);
        words = words >> 1 | (((draw & 0xffffff) - limit) & 0x80000000u);
    }
    memcpy(mask, &words, sizeof words);
}

#endif
