#include "whole/random.h"

#include <assert.h>
#include <math.h>
#include <string.h>

static const double pi = 3.14159265358979323846;

/* ---- torch */

void torch_random_init(TorchRandom *random, uint64_t seed) {
    uint32_t *words = random->words;
    words[0] = (uint32_t)seed;
    for (uint32_t i = 1; i < TWISTER_WORDS; i++)
        words[i] = 1812433253u * (words[i - 1] ^ words[i - 1] >> 30) + i;
    random->next = TWISTER_WORDS;
    random->kernels = kernels_best();
}

static void twist(TorchRandom *random) {
    random->kernels->twist(random->words, random->draws);
    random->next = 0;
}

uint32_t torch_random_draw(TorchRandom *random) {
    if (random->next == TWISTER_WORDS)
        twist(random);
    return random->draws[random->next++];
}

uint64_t torch_random_draw64(TorchRandom *random) {
    uint64_t high = torch_random_draw(random);
    return high << 32 | torch_random_draw(random);
}

/* In [0, 1), with as many bits as the type holds exactly. */
static double torch_uniform(TorchRandom *random, Compute compute) {
    if (compute == COMPUTE_F64)
        return (double)(torch_random_draw64(random) & ((1ull << 53) - 1)) * 0x1p-53;
    return (torch_random_draw(random) & ((1u << 24) - 1)) * 0x1p-24;
}

static void mask_clear(uint32_t *mask, size_t n) {
    memset(mask, 0, mask_words(n) * sizeof *mask);
}

static void mask_set(uint32_t *mask, size_t i, bool value) {
    uint32_t *word = mask + i / MASK_BLOCK * MASK_WORDS + i % MASK_WORDS;
    *word |= (uint32_t)value << i % MASK_BLOCK / MASK_WORDS;
}

/* The next MASK_BLOCK draws; in ROOM where they do not lie side by side. */
static const uint32_t *take_draws(TorchRandom *random, uint32_t room[MASK_BLOCK]) {
    const uint32_t *draws = random->draws + random->next;
    size_t left = TWISTER_WORDS - random->next;
    if (left >= MASK_BLOCK) {
        random->next += MASK_BLOCK;
        return draws;
    }
    memcpy(room, draws, left * sizeof *draws);
    twist(random);
    memcpy(room + left, random->draws, (MASK_BLOCK - left) * sizeof *draws);
    random->next = (uint32_t)(MASK_BLOCK - left);
    return room;
}

/* How many of the 2^24 draws are below CHANCE. */
static uint32_t draws_below(float chance) {
    return chance > 0 ? (uint32_t)ceil(fmin(chance, 1) * 0x1p24) : 0;
}

/* One chance for all, of whole blocks. */
static void mask_blocks(TorchRandom *random, uint32_t *mask, float chance, size_t blocks) {
    uint32_t room[MASK_BLOCK], limit = draws_below(chance);
    for (size_t i = 0; i < blocks; i++)
        random->kernels->mask_below(mask + i * MASK_WORDS, take_draws(random, room), limit);
}

void torch_bernoulli(TorchRandom *random, uint32_t *mask, const Chances *chances, size_t n) {
    size_t i = 0;
    mask_clear(mask, n);
    if (chances->drawn == COMPUTE_F32 && chances->p_step == 0 && n >= MASK_BLOCK) {
        mask_blocks(random, mask, (float)real_get(chances->p, 0, chances->compute), n / MASK_BLOCK);
        i = n - n % MASK_BLOCK;
    }
    for (; i < n; i++) {
        double chance = real_get(chances->p, i * chances->p_step, chances->compute);
        chance = chances->drawn == COMPUTE_F32 ? (double)(float)chance : chance;
        mask_set(mask, i, torch_uniform(random, chances->drawn) < chance);
    }
}

enum { NORMAL_BLOCK = 16 };

/* Turns 16 uniform numbers into 16 normal ones. Functions are taken in f64 and rounded, so that no
 * C library's own rounding shows. */
static void normal_block_float(float *block) {
    const float turn = 2.0f * (float)pi;
    for (size_t j = 0; j < NORMAL_BLOCK / 2; j++) {
        float radius = sqrtf(-2.0f * (float)log(1.0f - block[j]));
        float angle = turn * block[j + NORMAL_BLOCK / 2];
        block[j] = radius * (float)cos(angle);
        block[j + NORMAL_BLOCK / 2] = radius * (float)sin(angle);
    }
}

static void normal_block_double(double *block) {
    for (size_t j = 0; j < NORMAL_BLOCK / 2; j++) {
        double radius = sqrt(-2.0 * log(1.0 - block[j]));
        double angle = 2.0 * pi * block[j + NORMAL_BLOCK / 2];
        block[j] = radius * cos(angle);
        block[j + NORMAL_BLOCK / 2] = radius * sin(angle);
    }
}

static void normal_block(void *out, size_t first, Compute compute) {
    if (compute == COMPUTE_F64)
        normal_block_double((double *)out + first);
    else
        normal_block_float((float *)out + first);
}

static void fill_uniform(TorchRandom *random, void *out, size_t first, size_t n, Compute compute) {
    for (size_t i = first; i < first + n; i++)
        real_set(out, i, torch_uniform(random, compute), compute);
}

/* Every number is drawn first and then transformed in place; a last, partial block is replaced by a
 * whole one over the last 16 places, from new draws. */
static void normal_many(TorchRandom *random, void *out, size_t n, Compute compute) {
    fill_uniform(random, out, 0, n, compute);
    for (size_t i = 0; i + NORMAL_BLOCK <= n; i += NORMAL_BLOCK)
        normal_block(out, i, compute);
    if (n % NORMAL_BLOCK) {
        fill_uniform(random, out, n - NORMAL_BLOCK, NORMAL_BLOCK, compute);
        normal_block(out, n - NORMAL_BLOCK, compute);
    }
}

/* Pairs in f64, whatever the compute type. */
static void normal_few(TorchRandom *random, void *out, size_t n, Compute compute) {
    for (size_t i = 0; i < n; i += 2) {
        double angle = 2.0 * pi * torch_uniform(random, COMPUTE_F64);
        double radius = sqrt(-2.0 * log1p(-torch_uniform(random, COMPUTE_F64)));
        real_set(out, i, radius * cos(angle), compute);
        if (i + 1 < n)
            real_set(out, i + 1, radius * sin(angle), compute);
    }
}

void torch_normal(TorchRandom *random, void *out, size_t n, Compute compute) {
    if (n >= NORMAL_BLOCK)
        normal_many(random, out, n, compute);
    else
        normal_few(random, out, n, compute);
}

void torch_permutation(TorchRandom *random, uint32_t *out, size_t n) {
    assert(n <= PERMUTATION_LIMIT);
    for (size_t i = 0; i < n; i++)
        out[i] = (uint32_t)i;
    for (size_t i = 0; i + 1 < n; i++) {
        size_t other = i + torch_random_draw(random) % (n - i);
        uint32_t taken = out[i];
        out[i] = out[other];
        out[other] = taken;
    }
}

/* ---- NumPy */

enum { POOL_WORDS = 4 };

static uint32_t scramble(uint32_t value, uint32_t *factor, uint32_t step) {
    value ^= *factor;
    *factor *= step;
    value *= *factor;
    return value ^ value >> 16;
}

/* SeedSequence's pool for a seed of at most two words. */
static void mix_seed(uint32_t pool[POOL_WORDS], uint64_t seed) {
    const uint32_t words[POOL_WORDS] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    uint32_t factor = 0x43b0d7e5u;
    for (size_t i = 0; i < POOL_WORDS; i++)
        pool[i] = scramble(words[i], &factor, 0x931e8875u);
    for (size_t from = 0; from < POOL_WORDS; from++)
        for (size_t to = 0; to < POOL_WORDS; to++)
            if (from != to) {
                uint32_t other = scramble(pool[from], &factor, 0x931e8875u);
                uint32_t mixed = 0xca01f9ddu * pool[to] - 0x4973f715u * other;
                pool[to] = mixed ^ mixed >> 16;
            }
}

static void pcg_step(NumpyRandom *random) {
    const unsigned __int128 multiplier =
        (unsigned __int128)0x2360ed051fc65da4u << 64 | 0x4385df649fccf645u;
    random->state = random->state * multiplier + random->increment;
}

void numpy_random_init(NumpyRandom *random, uint64_t seed) {
    uint32_t pool[POOL_WORDS], factor = 0x8b51f9ddu;
    uint64_t words[4] = {0};
    mix_seed(pool, seed);
    for (size_t i = 0; i < 8; i++) {
        uint64_t half = scramble(pool[i % POOL_WORDS], &factor, 0x58f38dedu);
        words[i / 2] |= half << 32 * (i % 2);
    }
    unsigned __int128 stream = (unsigned __int128)words[2] << 64 | words[3];
    *random = (NumpyRandom){.state = 0, .increment = stream << 1 | 1};
    pcg_step(random);
    random->state += (unsigned __int128)words[0] << 64 | words[1];
    pcg_step(random);
}

uint64_t numpy_random_draw(NumpyRandom *random) {
    pcg_step(random);
    uint64_t folded = (uint64_t)(random->state >> 64) ^ (uint64_t)random->state;
    unsigned rotation = (unsigned)(random->state >> 122);
    return folded >> rotation | folded << (-rotation & 63);
}

double numpy_random_double(NumpyRandom *random) {
    return (double)(numpy_random_draw(random) >> 11) * 0x1p-53;
}

void numpy_binomial(NumpyRandom *random, double keep, uint32_t *mask, size_t n) {
    mask_clear(mask, n);
    for (size_t i = 0; i < n; i++) {
        double u = numpy_random_double(random);
        mask_set(mask, i, keep <= 0.5 ? u > 1 - keep : u <= keep);
    }
}

/* The first index whose sum exceeds U. */
static size_t find_above(const double *sums, size_t n, double u) {
    size_t low = 0, high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sums[middle] > u)
            high = middle;
        else
            low = middle + 1;
    }
    return low < n ? low : n - 1;
}

void numpy_choice(NumpyRandom *random, const double *p, size_t k, double *cumulated, void *out,
                  size_t n, Compute compute) {
    assert(k > 0);
    double sum = 0;
    for (size_t i = 0; i < k; i++)
        cumulated[i] = sum += p[i];
    for (size_t i = 0; i < k; i++)
        cumulated[i] /= sum;
    for (size_t i = 0; i < n; i++)
        real_set(out, i, (double)find_above(cumulated, k, numpy_random_double(random)), compute);
}
