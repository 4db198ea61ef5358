/* The functions of the tensor language that change shapes and dtypes. */
#include "program/builtin.h"

#include <string.h>

/* ---- shapes ---- */

Term builtin_reshape(Call *call) {
    Lower *lower = call->lower;
    Shape shape;
    if (!argument_value(call, 0) || !argument_dims(call, 1, &shape))
        return term_poison;
    uint64_t count = shape_count(term_dims(lower, call->arguments[0])), known = 1;
    int open = -1;
    for (uint32_t i = 0; i < shape.rank; i++)
        if (shape.dims[i] != UINT64_MAX)
            known *= shape.dims[i];
        else if (open >= 0)
            return argument_wants(call, 1, "no more than one -1");
        else
            open = (int)i;
    if (open >= 0 && known > 0 && count % known == 0)
        shape.dims[open] = count / known;
    if ((open >= 0 && shape.dims[open] == UINT64_MAX) || shape_count(&shape) != count)
        return argument_wants(call, 1, "a shape with as many elements");
    return term_tensor(program_reshape(lower->program, term_value(lower, call->arguments[0]),
                                       program_shape(lower->program, &shape)));
}

Term builtin_flatten(Call *call) {
    Lower *lower = call->lower;
    double start;
    if (!argument_value(call, 0) || !argument_number(call, 1, 0, &start))
        return term_poison;
    Shape dims = *term_dims(lower, call->arguments[0]), flat = {0};
    uint64_t product = 1;
    for (uint32_t i = 0; i < dims.rank; i++)
        if (i < start)
            flat.dims[flat.rank++] = dims.dims[i];
        else
            product *= dims.dims[i];
    if (flat.rank == SHAPE_LIMIT)
        return argument_wants(call, 1, "one of the tensor's dimensions");
    flat.dims[flat.rank++] = product;
    return term_tensor(program_reshape(lower->program, term_value(lower, call->arguments[0]),
                                       program_shape(lower->program, &flat)));
}

Term builtin_permute(Call *call) {
    Lower *lower = call->lower;
    Shape order;
    uint8_t permutation[SHAPE_LIMIT];
    if (!argument_value(call, 0) || !argument_dims(call, 1, &order))
        return term_poison;
    uint32_t rank = term_dims(lower, call->arguments[0])->rank, seen = 0;
    for (uint32_t i = 0; i < order.rank && order.dims[i] < rank; i++) {
        permutation[i] = (uint8_t)order.dims[i];
        seen |= 1u << order.dims[i];
    }
    if (order.rank != rank || seen != (1u << rank) - 1)
        return argument_wants(call, 1, "each dimension once");
    return term_tensor(
        program_permute(lower->program, term_value(lower, call->arguments[0]), permutation));
}

/* Swaps the last two dimensions, or those named. */
Term builtin_transpose(Call *call) {
    Lower *lower = call->lower;
    uint8_t permutation[SHAPE_LIMIT];
    int a, b;
    if (!argument_value(call, 0))
        return term_poison;
    uint32_t rank = term_dims(lower, call->arguments[0])->rank;
    for (uint32_t i = 1; i < 3; i++)
        if (call->arguments[i].kind == TERM_NULL)
            call->arguments[i] = term_number(-(double)(3 - i), NUMBER_INT);
    if (!argument_axis(call, 1, rank, &a) || !argument_axis(call, 2, rank, &b))
        return term_poison;
    for (uint32_t i = 0; i < rank; i++)
        permutation[i] = (uint8_t)(i == (uint32_t)a ? b : i == (uint32_t)b ? a : (int)i);
    return term_tensor(
        program_permute(lower->program, term_value(lower, call->arguments[0]), permutation));
}

/* The list of argument 0 as tensors whose shapes agree, except along AXIS. */
static bool get_parts(Call *call, ValueId *parts, Shape *shape, int axis) {
    Lower *lower = call->lower;
    Term list = call->arguments[0];
    uint64_t extent = 0;
    for (uint32_t i = 0; i < list.n_items; i++) {
        if (!term_is_value(list.items[i])) {
            argument_wants(call, 0, "a list of tensors");
            return false;
        }
        Shape dims = *term_dims(lower, list.items[i]);
        if (i == 0)
            *shape = dims;
        if ((uint32_t)axis < dims.rank) {
            extent += dims.dims[axis];
            dims.dims[axis] = shape->dims[axis];
        }
        if (!shape_equal(&dims, shape)) {
            Term sum =
                lower_map(lower, OP_ADD, (Term[]){list.items[0], list.items[i], list.items[i]},
                          call->ast->span);
            if (sum.kind != TERM_POISON)
                lower_error(lower, call->ast->span,
                            "the tensors to be joined have different shapes");
            return false;
        }
        parts[i] = term_value(lower, list.items[i]);
    }
    if ((uint32_t)axis < shape->rank)
        shape->dims[axis] = extent;
    return true;
}

static bool is_list(Call *call) {
    if (call->arguments[0].kind == TERM_LIST && call->arguments[0].n_items > 0)
        return true;
    argument_wants(call, 0, "a list of at least one tensor");
    return false;
}

Term builtin_concat(Call *call) {
    Lower *lower = call->lower;
    int axis;
    Shape shape;
    if (!is_list(call))
        return term_poison;
    Term list = call->arguments[0];
    if (!term_is_value(list.items[0]))
        return argument_wants(call, 0, "a list of tensors");
    if (!argument_axis(call, 1, term_dims(lower, list.items[0])->rank, &axis))
        return term_poison;
    ValueId *parts = arena_array(lower->arena, ValueId, list.n_items);
    if (!get_parts(call, parts, &shape, axis))
        return term_poison;
    return term_tensor(program_concat(lower->program, parts, list.n_items, axis,
                                      program_shape(lower->program, &shape)));
}

/* Along a new first dimension. */
Term builtin_stack(Call *call) {
    Lower *lower = call->lower;
    Shape shape;
    if (!is_list(call))
        return term_poison;
    Term list = call->arguments[0];
    ValueId *parts = arena_array(lower->arena, ValueId, list.n_items);
    if (!get_parts(call, parts, &shape, SHAPE_LIMIT))
        return term_poison;
    if (shape.rank == SHAPE_LIMIT)
        return argument_wants(call, 0, "tensors of fewer dimensions");
    memmove(&shape.dims[1], &shape.dims[0], shape.rank * sizeof *shape.dims);
    shape.dims[0] = 1;
    shape.rank++;
    ShapeId part_shape = program_shape(lower->program, &shape);
    for (uint32_t i = 0; i < list.n_items; i++)
        parts[i] = program_reshape(lower->program, parts[i], part_shape);
    shape.dims[0] = list.n_items;
    return term_tensor(program_concat(lower->program, parts, list.n_items, 0,
                                      program_shape(lower->program, &shape)));
}

/* ---- dtypes ---- */

Term builtin_to_dtype(Call *call) {
    Lower *lower = call->lower;
    if (call->arguments[1].kind != TERM_STRING)
        return argument_wants(call, 1, "the name of a dtype");
    Text name = call->arguments[1].text;
    DType dtype = dtype_from_name(name);
    if (dtype == DTYPE_NONE) {
        size_t count;
        const Text *names = dtype_names(&count);
        lower_error(lower, call->ast->span, "unknown dtype '%.*s'",
                    TEXT_ARG(text_printable(lower->arena, name)));
        Text nearest = nearest_name(name, names, count);
        if (nearest.size > 0)
            diag_note(lower->diags, call->ast->span, "did you mean '%.*s'?", TEXT_ARG(nearest));
        return term_poison;
    }
    if (!dtype_info[dtype].computes)
        return lower_error(lower, call->ast->span, "'%.*s' is a dtype that is only passed through",
                           TEXT_ARG(name));
    if (!argument_value(call, 0))
        return term_poison;
    Term cast =
        term_tensor(program_quantise(lower->program, term_value(lower, call->arguments[0]), dtype));
    cast.cast = dtype;
    return cast;
}
