/* Whole tensors as the evaluator holds them: contiguous, row-major, float or double after the
 * compute type of the merge. */
#ifndef WHOLE_REAL_H
#define WHOLE_REAL_H

#include "kernel/kernel.h"

static inline double real_get(const void *data, size_t i, Compute compute) {
    return compute == COMPUTE_F64 ? ((const double *)data)[i] : ((const float *)data)[i];
}

/* Rounds to nearest even. */
static inline void real_set(void *data, size_t i, double value, Compute compute) {
    if (compute == COMPUTE_F64)
        ((double *)data)[i] = value;
    else
        ((float *)data)[i] = (float)value;
}

#endif
