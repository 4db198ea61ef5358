/* The generators whose draws other programs have made part of a recipe's meaning: torch's on the
 * CPU, and NumPy's default_rng. Given a seed they give the same numbers here.
 *
 * A generator is a value: started for every key, drawn from in order by one thread. */
#ifndef WHOLE_RANDOM_H
#define WHOLE_RANDOM_H

#include "whole/real.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* torch: the Mersenne Twister MT19937 (Matsumoto and Nishimura 1998), 32 bits a draw. */
typedef struct TorchRandom {
    const Kernels *kernels;
    uint32_t words[TWISTER_WORDS], draws[TWISTER_WORDS];
    uint32_t next; /* of the draws */
} TorchRandom;

/* Only the low 32 bits of the seed count; a negative seed is given in two's complement. */
void torch_random_init(TorchRandom *random, uint64_t seed);
uint32_t torch_random_draw(TorchRandom *random);
/* Two draws, the high half first. */
uint64_t torch_random_draw64(TorchRandom *random);

/* Element i of MASK is whether u < p[i * p_step]; COMPUTE is the type of P. Of DRAWN f32, u has 24
 * bits and takes one draw; of f64, 53 bits and two draws. */
typedef struct Chances {
    const void *p;
    size_t p_step; /* 0: p[0] holds for all */
    Compute compute, drawn;
} Chances;
void torch_bernoulli(TorchRandom *random, uint32_t *mask, const Chances *chances, size_t n);

/* N standard normal numbers by the Box-Muller transform, in the blocks and the precision that torch
 * uses for so many. */
void torch_normal(TorchRandom *random, void *out, size_t n, Compute compute);

/* A permutation of 0 .. N-1. Beyond PERMUTATION_LIMIT torch draws otherwise. */
enum { PERMUTATION_LIMIT = 200000000 };
void torch_permutation(TorchRandom *random, uint32_t *out, size_t n);

/* NumPy: PCG64 (O'Neill 2014, XSL-RR 128/64), seeded through SeedSequence. */
typedef struct NumpyRandom {
    unsigned __int128 state, increment;
} NumpyRandom;

void numpy_random_init(NumpyRandom *random, uint64_t seed);
uint64_t numpy_random_draw(NumpyRandom *random);
/* In [0, 1), 53 bits. */
double numpy_random_double(NumpyRandom *random);

/* Element i of MASK is 1 with probability KEEP, else 0: binomial(n=1, p=keep). */
void numpy_binomial(NumpyRandom *random, double keep, uint32_t *mask, size_t n);

/* choice(k, size=n, p=p): out[i] is an index below K, drawn with the probabilities P, which need
 * not sum to exactly 1. CUMULATED is scratch for K numbers. K is at least 1; for f32 at most
 * 2^24, so that every index is a float. */
void numpy_choice(NumpyRandom *random, const double *p, size_t k, double *cumulated, void *out,
                  size_t n, Compute compute);

#endif
