/* Shapes of tensors: up to SHAPE_LIMIT dimensions, row-major. */
#ifndef TENSOR_SHAPE_H
#define TENSOR_SHAPE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum { SHAPE_LIMIT = 16 }; /* dimensions of a tensor */

typedef struct Shape {
    uint32_t rank;
    uint64_t dims[SHAPE_LIMIT]; /* those from rank on are 0 */
} Shape;

/* Elements of a tensor that a recipe may make: sums of sizes in bytes stay far from overflow. */
#define SHAPE_ELEMENTS ((uint64_t)1 << 40)

#define SHAPE_SCALAR ((Shape){0})

/* The number of elements; 1 for a scalar. The readers made sure that it fits. */
uint64_t shape_count(const Shape *shape);
/* Whether a recipe may make a tensor of it. */
bool shape_is_possible(const Shape *shape);
bool shape_equal(const Shape *a, const Shape *b);
/* NumPy's rule: aligned at the last dimension, 1 stretches. False where they do not fit. */
bool shape_broadcast(const Shape *a, const Shape *b, Shape *out);
/* `[320, 4, 3, 3]` */
void shape_print(Builder *builder, const Shape *shape);

#endif
