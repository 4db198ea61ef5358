/* Comparing the tensors of two models, in one sweep over both, by several threads. */
#ifndef EXEC_COMPARE_H
#define EXEC_COMPARE_H

#include "kernel/kernel.h"
#include "tensor/reader.h"

/* Two tensors of as many elements, which stand in maps of the reader. Those with a scale count as
 * multiplied by it; it is one that is known. */
typedef struct TensorPair {
    const Tensor *a, *b;
    Comparison found; /* zeros, to be filled in; untouched where a dtype is no number */
} TensorPair;

/* The figures do not depend on the number of threads. False where *INTERRUPTED (which may be NULL)
 * became non-zero. */
bool compare_tensors(TensorPair *pairs, uint32_t n, unsigned threads,
                     const volatile int *interrupted);

#endif
