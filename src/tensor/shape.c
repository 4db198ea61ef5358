#include "tensor/shape.h"

#include <inttypes.h>

uint64_t shape_count(const Shape *shape) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

bool shape_is_possible(const Shape *shape) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < shape->rank; i++)
        if (__builtin_mul_overflow(count, shape->dims[i], &count) || count > SHAPE_ELEMENTS)
            return false;
    return true;
}

bool shape_equal(const Shape *a, const Shape *b) {
    if (a->rank != b->rank)
        return false;
    for (uint32_t i = 0; i < a->rank; i++)
        if (a->dims[i] != b->dims[i])
            return false;
    return true;
}

/* The dimension at place I, counted from the last; 1 where there is none. */
static uint64_t dim_from_last(const Shape *shape, uint32_t i) {
    return i < shape->rank ? shape->dims[shape->rank - 1 - i] : 1;
}

bool shape_broadcast(const Shape *a, const Shape *b, Shape *out) {
    Shape joined = {.rank = a->rank > b->rank ? a->rank : b->rank};
    for (uint32_t i = 0; i < joined.rank; i++) {
        uint64_t x = dim_from_last(a, i), y = dim_from_last(b, i);
        if (x != y && x != 1 && y != 1)
            return false;
        joined.dims[joined.rank - 1 - i] = x == 1 ? y : x;
    }
    *out = joined;
    return true;
}

void shape_print(Builder *builder, const Shape *shape) {
    builder_char(builder, '[');
    for (uint32_t i = 0; i < shape->rank; i++)
        builder_format(builder, "%s%" PRIu64, i == 0 ? "" : ", ", shape->dims[i]);
    builder_char(builder, ']');
}
