/* Indexes, slices and members in method bodies. */
#include "program/term.h"

#include <math.h>

/* A bound of a slice along a dimension, negative ones from the end; DEFAULT where it is left out.
 */
static bool slice_bound(Lower *lower, const Ast *ast, uint64_t extent, uint64_t fallback,
                        uint64_t *bound) {
    *bound = fallback;
    if (ast == NULL)
        return true;
    Term term = lower_expression(lower, ast);
    if (!term_is_known(term) || term.number != trunc(term.number)) {
        if (term.kind != TERM_POISON && term.kind != TERM_ABSENT)
            lower_error(lower, ast->span,
                        "a bound of a slice is a whole number, known before evaluation");
        return false;
    }
    double at = term.number < 0 ? term.number + (double)extent : term.number;
    *bound = at < 0 ? 0 : at > (double)extent ? extent : (uint64_t)at;
    return true;
}

static Term index_list(Lower *lower, const Ast *ast, Term list) {
    const Ast *index = ast->items[0];
    if (ast->n_items != 1)
        return lower_error(lower, ast->span, "a list has one index");
    if (index->kind == AST_RANGE) {
        uint64_t begin, end;
        if (!slice_bound(lower, index->a, list.n_items, 0, &begin) ||
            !slice_bound(lower, index->b, list.n_items, list.n_items, &end))
            return term_poison;
        return term_list(lower, list.items + begin, end > begin ? (uint32_t)(end - begin) : 0);
    }
    Term at = lower_expression(lower, index);
    if (at.kind == TERM_POISON || at.kind == TERM_ABSENT)
        return at;
    double place = at.number < 0 ? at.number + list.n_items : at.number;
    if (!term_is_known(at) || !(place >= 0 && place < list.n_items) || place != trunc(place))
        return lower_error(lower, index->span, "a list of %u is indexed from 0 to %d", list.n_items,
                           (int)list.n_items - 1);
    return list.items[(uint32_t)place];
}

/* One index of a tensor: a range keeps the dimension, a number takes it away. */
static bool index_dimension(Lower *lower, const Ast *index, uint64_t extent, uint64_t *begin,
                            uint64_t *length, bool *kept) {
    *kept = index->kind == AST_RANGE;
    if (*kept) {
        uint64_t end;
        if (!slice_bound(lower, index->a, extent, 0, begin) ||
            !slice_bound(lower, index->b, extent, extent, &end))
            return false;
        *length = end > *begin ? end - *begin : 0;
        return true;
    }
    Term at = lower_expression(lower, index);
    double place = at.number < 0 ? at.number + (double)extent : at.number;
    *length = 1;
    if (term_is_known(at) && place >= 0 && place < (double)extent && place == trunc(place)) {
        *begin = (uint64_t)place;
        return true;
    }
    if (at.kind != TERM_POISON && at.kind != TERM_ABSENT)
        lower_error(lower, index->span, "this dimension is indexed from 0 to %lld",
                    (long long)extent - 1);
    return false;
}

static Term index_tensor(Lower *lower, const Ast *ast, Term tensor) {
    Shape dims = *term_dims(lower, tensor), sliced = dims, shape = {0};
    uint64_t begin[SHAPE_LIMIT] = {0};
    if (ast->n_items > dims.rank)
        return lower_error(lower, ast->span, "a tensor with %u dimension%s has no more indexes",
                           dims.rank, dims.rank == 1 ? "" : "s");
    for (uint32_t i = 0; i < dims.rank; i++) {
        bool kept = true;
        if (i < ast->n_items &&
            !index_dimension(lower, ast->items[i], dims.dims[i], &begin[i], &sliced.dims[i], &kept))
            return term_poison;
        if (kept)
            shape.dims[shape.rank++] = sliced.dims[i];
    }
    ValueId slice =
        program_slice(lower->program, tensor.value, begin, program_shape(lower->program, &sliced));
    return term_tensor(
        program_reshape(lower->program, slice, program_shape(lower->program, &shape)));
}

/* In a rule of a conversion, x["key"] is the value of a key of the source. */
static const Term *find_source(const Lower *lower, const Ast *ast) {
    for (uint32_t i = 0; lower->rule != NULL && i < lower->rule->n_sources; i++)
        if (lower->rule->sources[i].reference == ast)
            return &lower->sources[i];
    return NULL;
}

Term lower_index(Lower *lower, const Ast *ast) {
    const Term *source = find_source(lower, ast);
    if (source != NULL)
        return *source;
    Term subject = lower_expression(lower, ast->a);
    switch (subject.kind) {
    case TERM_POISON:
    case TERM_ABSENT:
        return subject;
    case TERM_LIST:
        return index_list(lower, ast, subject);
    case TERM_TENSOR:
        return index_tensor(lower, ast, subject);
    default:
        return lower_error(lower, ast->span, "only lists and tensors have indexes");
    }
}

Term lower_member(Lower *lower, const Ast *ast) {
    Term subject = lower_expression(lower, ast->a);
    if (subject.kind == TERM_POISON || subject.kind == TERM_ABSENT)
        return subject;
    if (!term_is_value(subject))
        return lower_error(lower, ast->span, "only tensors have members: x.shape, x.rank");
    const Shape *dims = term_dims(lower, subject);
    if (text_equal(ast->text, TEXT("rank")))
        return term_number(dims->rank, NUMBER_INT);
    if (text_equal(ast->text, TEXT("shape"))) {
        Term items[SHAPE_LIMIT];
        for (uint32_t i = 0; i < dims->rank; i++)
            items[i] = term_number((double)dims->dims[i], NUMBER_INT);
        return term_list(lower, items, dims->rank);
    }
    lower_error(lower, ast->name_span, "a tensor has no '%.*s'", TEXT_ARG(ast->text));
    diag_hint(lower->diags, "x.shape and x.rank are known");
    return term_poison;
}
