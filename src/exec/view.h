/* Reading and writing elements through an Access: which elements of a place a range of a domain
 * means, run by run. */
#ifndef EXEC_VIEW_H
#define EXEC_VIEW_H

#include "program/pass.h"

/* N elements of a place: first, first + stride, first + 2 * stride, … */
typedef struct Run {
    uint64_t first;
    int64_t stride;
    size_t n;
} Run;

/* Where a walk through an access stands. */
typedef struct Walk {
    const Access *access;
    uint64_t place;                 /* of the next element */
    uint64_t position[SHAPE_LIMIT]; /* its coordinates; unused where contiguous */
} Walk;

/* A walk that begins at element INDEX of the domain. */
Walk walk_start(const Access *access, uint64_t index);
/* The longest run of at most MOST elements from where the walk stands; moves behind it. */
Run walk_next(Walk *walk, size_t most);

/* The size in bytes of a stored element of a dtype that computes. */
size_t element_size(DType dtype);

/* Elements begin .. begin + n of the domain, converted from DATA to the compute type of TABLE.
 * Returns whether all are finite. */
bool view_load(const KernelTable *table, size_t compute_size, const Access *access,
               const void *data, uint64_t begin, size_t n, void *dst);

/* The reverse, for a place in the compute type: no conversion. */
void view_store(const Access *access, void *data, uint64_t begin, size_t n, const void *src);

#endif
