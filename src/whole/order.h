/* Sorting whole tensors: permutations that sort, ranks, and values picked by index.
 *
 * The order is that of numbers with NaN last; -0 equals +0, and equal values keep their order.
 * Indices have 32 bits, so a tensor has at most ORDER_LIMIT elements. Time is linear. */
#ifndef WHOLE_ORDER_H
#define WHOLE_ORDER_H

#include "whole/real.h"
#include "whole/workspace.h"

#include <stdint.h>

#define ORDER_LIMIT ((size_t)UINT32_MAX)

/* What each of the functions below takes from the workspace for N elements. */
size_t order_bytes(size_t n);

/* order[i] is the index of the element that comes i-th. */
void order_argsort(uint32_t *order, const void *values, size_t n, Compute compute, Workspace *);

/* The values in order. OUT may not be VALUES. */
void order_sort(void *out, const void *values, size_t n, Compute compute, Workspace *);

/* ranks[i] is the place of element i, from 0: the inverse of order_argsort. */
void order_rank(uint32_t *ranks, const void *values, size_t n, Compute compute, Workspace *);

/* The value that comes K-th, from 0; K is below N. */
double order_pick(const void *values, size_t n, size_t k, Compute compute, Workspace *);

/* out[i] = values[index[i]] */
void order_gather(void *out, const void *values, const uint32_t *index, size_t n, Compute compute);

/* inverse[permutation[i]] = i */
void order_invert(uint32_t *inverse, const uint32_t *permutation, size_t n);

#endif
