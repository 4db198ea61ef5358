/* What tensors hold, as one number of fixed width: whether a model is still the one that a result
 * was made from. It tells accidents, not attacks: XXH3 is no cryptographic hash.
 *
 * A tensor is cut into blocks of CONTENT_BLOCK bytes, the last one shorter. With N the XXH3-64 of
 * the tensor's name and H the XXH3-128 of block number I, the block counts as the XXH3-128 of the
 * four little-endian 64-bit numbers H.low, H.high, N, I. The tensor itself counts as the XXH3-128
 * of its name, a NUL, and its dtype and shape in words ("F16 [320, 4]"). The content of a set of
 * tensors is the sum of all these, low and high half each modulo 2^64: so blocks may be hashed in
 * any order, by any thread, and nothing need be kept. */
#ifndef EXEC_CONTENT_H
#define EXEC_CONTENT_H

#include "kernel/kernel.h"
#include "tensor/reader.h"

enum { CONTENT_BLOCK = 1 << 13, CONTENT_DIGITS = 32 };

typedef struct Content {
    uint64_t low, high;
} Content;

static inline void content_add(Content *sum, Content part) {
    sum->low += part.low;
    sum->high += part.high;
}

uint64_t content_blocks(const Tensor *tensor);
uint64_t content_name(const Tensor *tensor); /* N */
/* Adds blocks BEGIN to END, without the tensor itself, whose content_name is NAME. HASH is that of
 * a build of the kernels; all give the same. */
void content_add_blocks(Content *sum, HashLoop *hash, const Tensor *tensor, uint64_t name,
                        uint64_t begin, uint64_t end);
/* Adds the tensor itself, without its blocks. */
void content_add_name(Content *sum, HashLoop *hash, const Tensor *tensor);

/* All of some tensors, read by several threads. Stops where *INTERRUPTED (which may be NULL)
 * becomes non-zero; the sum is worthless then. */
Content content_of_tensors(const Tensor *const *tensors, size_t count, unsigned threads,
                           const volatile int *interrupted);

/* CONTENT_DIGITS hexadecimal digits, the high half first. */
void content_print(Builder *out, Content content);

#endif
