/* How a reduction takes in one element, and how its lanes become one value: the same expressions
 * for the loops of every build and for accumulators. */
#ifndef KERNEL_FOLD_H
#define KERNEL_FOLD_H

#include "kernel/functions.h"
#include "kernel/kernel.h"

#include <math.h>

/* KIND(enum, value of nothing, next value of TOTAL with the elements a and b) */
#define REDUCE_KINDS(KIND)                                                                         \
    KIND(SUM, 0, total + a)                                                                        \
    KIND(MIN, INFINITY, a >= total ? total : (total == total ? a : total))                         \
    KIND(MAX, -INFINITY, a <= total ? total : (total == total ? a : total))                        \
    KIND(ANY, 0, a != 0 ? 1 : total)                                                               \
    KIND(DOT, 0, total + a * b)

/* fold_X of two totals is fold_X(total, other, 1). */
#define KIND(id, nothing, next)                                                                    \
    INLINE double fold_##id(double total, double a, double b) {                                    \
        (void)b;                                                                                   \
        return next;                                                                               \
    }                                                                                              \
    INLINE void lanes_clear_##id(double *lanes) {                                                  \
        for (int lane = 0; lane < REDUCE_LANES; lane++)                                            \
            lanes[lane] = nothing;                                                                 \
    }                                                                                              \
    INLINE double lanes_result_##id(const double *lanes) {                                         \
        double tree[REDUCE_LANES / 2];                                                             \
        for (int lane = 0; lane < REDUCE_LANES / 2; lane++)                                        \
            tree[lane] = fold_##id(lanes[lane], lanes[lane + REDUCE_LANES / 2], 1);                \
        for (int width = REDUCE_LANES / 4; width > 0; width /= 2)                                  \
            for (int lane = 0; lane < width; lane++)                                               \
                tree[lane] = fold_##id(tree[lane], tree[lane + width], 1);                         \
        return tree[0];                                                                            \
    }
REDUCE_KINDS(KIND)
#undef KIND

#endif
