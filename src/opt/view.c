#include "opt/view.h"

#include <assert.h>

bool is_view(const Value *value) {
    return value->kind == VALUE_RESHAPE || value->kind == VALUE_PERMUTE ||
           value->kind == VALUE_SLICE || value->kind == VALUE_STRETCH;
}

static void set_row_major(View *view, const Shape *shape) {
    int64_t stride = 1;
    view->rank = shape->rank;
    for (uint32_t i = shape->rank; i-- > 0;) {
        view->dims[i] = shape->dims[i];
        view->strides[i] = stride;
        stride *= (int64_t)shape->dims[i];
    }
}

View view_all(const Shape *shape) {
    View view = {0};
    set_row_major(&view, shape);
    return view;
}

void view_merge(View *view) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < view->rank; i++) {
        uint64_t extent = view->dims[i];
        int64_t stride = view->strides[i];
        if (extent == 1)
            continue;
        if (kept > 0 && view->strides[kept - 1] == stride * (int64_t)extent) {
            view->dims[kept - 1] *= extent;
            view->strides[kept - 1] = stride;
            continue;
        }
        view->dims[kept] = extent;
        view->strides[kept++] = stride;
    }
    view->rank = kept;
}

bool view_contiguous(const View *merged) {
    return merged->rank == 0 || (merged->rank == 1 && merged->strides[0] == 1);
}

/* Cuts each run of the merged view into dimensions of SHAPE; every dimension must lie in one run.
 */
bool view_reshape(View *view, const Shape *shape) {
    View merged = *view, shaped = {.offset = view->offset, .rank = shape->rank};
    view_merge(&merged);
    if (view_contiguous(&merged)) {
        set_row_major(&shaped, shape);
        *view = shaped;
        return true;
    }
    uint32_t run = merged.rank;
    uint64_t left = 1; /* of the run, that no dimension took yet */
    int64_t stride = 0;
    for (uint32_t i = shape->rank; i-- > 0;) {
        uint64_t extent = shape->dims[i];
        if (left == 1 && extent != 1) {
            if (run == 0)
                return false;
            left = merged.dims[--run];
            stride = merged.strides[run];
        }
        if (extent == 0 || left % extent != 0)
            return false;
        shaped.dims[i] = extent;
        shaped.strides[i] = stride;
        stride *= (int64_t)extent;
        left /= extent;
    }
    *view = shaped;
    return true;
}

void view_narrow(View *view, uint32_t axis, uint64_t begin, uint64_t extent) {
    view->offset += begin * (uint64_t)view->strides[axis];
    view->dims[axis] = extent;
}

static void view_permute(View *view, const Program *program, const Value *value) {
    View moved = *view;
    for (uint32_t i = 0; i < view->rank; i++) {
        uint64_t from = program_extra(program, value, i);
        moved.dims[i] = view->dims[from];
        moved.strides[i] = view->strides[from];
    }
    *view = moved;
}

static void view_stretch(View *view, const Shape *shape) {
    View stretched = {.offset = view->offset, .rank = shape->rank};
    uint32_t lead = shape->rank - view->rank;
    for (uint32_t i = 0; i < shape->rank; i++) {
        bool same = i >= lead && view->dims[i - lead] == shape->dims[i];
        stretched.dims[i] = shape->dims[i];
        stretched.strides[i] = same ? view->strides[i - lead] : 0;
    }
    *view = stretched;
}

bool view_apply(View *view, const Program *program, const Value *value, const Shape *shape) {
    switch ((ValueKind)value->kind) {
    case VALUE_RESHAPE:
        return view_reshape(view, shape);
    case VALUE_PERMUTE:
        view_permute(view, program, value);
        return true;
    case VALUE_SLICE:
        for (uint32_t i = 0; i < view->rank; i++)
            view_narrow(view, i, program_extra(program, value, i), shape->dims[i]);
        return true;
    case VALUE_STRETCH:
        view_stretch(view, shape);
        return true;
    default:
        assert(!"a view");
        return false;
    }
}
