/* Strided views: which element of a tensor belongs to which index of a shape. */
#ifndef OPT_VIEW_H
#define OPT_VIEW_H

#include "program/program.h"

typedef struct View {
    uint64_t offset; /* in elements */
    uint32_t rank;
    uint64_t dims[SHAPE_LIMIT];
    int64_t strides[SHAPE_LIMIT]; /* 0 where stretched */
} View;

/* All elements in row-major order. */
View view_all(const Shape *shape);
/* The view of a RESHAPE, PERMUTE, SLICE or STRETCH to SHAPE of what VIEW shows. False, VIEW
 * unchanged, where one offset and strides cannot say it. */
bool view_apply(View *view, const Program *program, const Value *value, const Shape *shape);
bool view_reshape(View *view, const Shape *shape);
/* The part of extent EXTENT from BEGIN on along an axis. */
void view_narrow(View *view, uint32_t axis, uint64_t begin, uint64_t extent);
/* Neighbouring dimensions that are one run become one, those of extent 1 go. */
void view_merge(View *view);
/* Whether the view, merged, is one run of neighbours. */
bool view_contiguous(const View *merged);

bool is_view(const Value *value);

#endif
