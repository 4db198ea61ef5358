#include "opt/instance.h"

#include <assert.h>
#include <string.h>

/* --- Contexts --- */

/* The context like WANTED; EXACT: of that very shape, for the coordinates in it. */
static uint32_t context_find(Fusion *fusion, Context wanted, bool exact) {
    for (size_t i = CONTEXT_DOMAINS; i < fusion->contexts.count; i++) {
        const Context *context = &fusion->contexts.items[i];
        if (context->count == wanted.count && context->row_length == wanted.row_length &&
            context->outer == wanted.outer && context->extent == wanted.extent &&
            context->inner == wanted.inner && (!exact || context->domain == wanted.domain))
            return (uint32_t)i;
    }
    vector_push(&fusion->contexts, wanted);
    return (uint32_t)(fusion->contexts.count - 1);
}

/* Where each element of a value is computed to be reduced or selected. */
static uint32_t element_context(Fusion *fusion, ValueId id) {
    const Facts *facts = &fusion->facts[id];
    const Value *value = value_of(fusion, id);
    uint64_t rows = facts->row_inner > 0 ? facts->row_inner : fusion_rows(fusion, facts->count);
    Context wanted = {.count = facts->count, .domain = value->shape, .row_length = rows};
    return context_find(fusion, wanted, value->kind == VALUE_INDEX);
}

/* Where a value is computed to be stored: beside the rows that it is made from, if it is. */
static uint32_t store_context(Fusion *fusion, ValueId id) {
    const Facts *facts = &fusion->facts[id];
    if (facts->row_own == 0)
        return element_context(fusion, id);
    Context wanted = {.count = facts->count * facts->row_own,
                      .domain = facts->row_domain,
                      .row_length = facts->row_own};
    return context_find(fusion, wanted, false);
}

static uint32_t column_context(Fusion *fusion, const Value *reduction) {
    return context_find(fusion, fusion_columns(fusion, reduction), false);
}

/* --- What an instance needs --- */

typedef struct Request {
    ValueId value;
    uint32_t context;
} Request;
typedef VECTOR(Request) Requests;

/* An instance before it is made: its kind, and what it needs, in the order of its operands. */
typedef struct Draft {
    InstanceKind kind;
    bool row;
    Requests needs;
} Draft;

/* A part of something concatenated, and its place there. */
typedef struct Piece {
    ValueId value;
    View place;
} Piece;
typedef VECTOR(Piece) Pieces;

static bool is_splat(const Fusion *fusion, ValueId id) {
    const Value *value = value_of(fusion, id);
    return value->kind == VALUE_STRETCH && fusion->facts[operand_of(fusion, id, 0)].count == 1;
}

/* The request for a value as an operand in a context: what is the same everywhere is uniform. */
static Request request_in(const Fusion *fusion, ValueId id, uint32_t context) {
    if (fusion->facts[id].count == 1)
        return (Request){id, CONTEXT_UNIFORM};
    if (is_splat(fusion, id))
        return (Request){operand_of(fusion, id, 0), CONTEXT_UNIFORM};
    return (Request){id, context};
}

static void need(Fusion *fusion, Draft *draft, ValueId id, uint32_t context) {
    vector_push(&draft->needs, request_in(fusion, id, context));
}

static void need_operands(Fusion *fusion, Draft *draft, ValueId id, uint32_t context) {
    const Value *value = value_of(fusion, id);
    for (uint32_t i = 0; i < value->n_operands; i++)
        need(fusion, draft, program_operand(fusion->program, value, i), context);
}

static void draft_fetch(Draft *draft, ValueId base) {
    draft->kind = INSTANCE_FETCH;
    vector_push(&draft->needs, (Request){base, CONTEXT_BUFFER});
}

/* Elements of a product that lie side by side are made where they are loaded; else it is held. */
static void draft_product(Fusion *fusion, Draft *draft, ValueId base, const View *view) {
    bool in_order = true;
    if (view != NULL) {
        View merged = *view;
        view_merge(&merged);
        in_order = view_contiguous(&merged);
    }
    if (draft->row || !in_order || !product_streams(fusion->program, base)) {
        draft_fetch(draft, base);
        return;
    }
    ValueId whole = operand_of(fusion, base, 0);
    draft->kind = INSTANCE_PRODUCT;
    for (uint32_t i = 0; i < 2; i++)
        vector_push(&draft->needs, (Request){operand_of(fusion, whole, i), CONTEXT_BUFFER});
}

static void draft_view(Fusion *fusion, Draft *draft, Request request) {
    const Value *value = value_of(fusion, request.value);
    const Facts *facts = &fusion->facts[request.value];
    const Context *context = &fusion->contexts.items[request.context];
    if (value->kind == VALUE_RESHAPE) {
        draft->kind = INSTANCE_SAME;
        need_operands(fusion, draft, request.value, request.context);
    } else if (value_of(fusion, facts->base)->kind == VALUE_LEAF) {
        draft->kind = INSTANCE_LOAD;
    } else if (!draft->row && facts->expands > 0 && facts->expands == context->row_length) {
        draft->kind = INSTANCE_EXPAND;
        vector_push(&draft->needs, (Request){facts->base, request.context});
    } else if (value_of(fusion, facts->base)->kind == VALUE_PART) {
        draft_product(fusion, draft, facts->base, facts->view);
    } else {
        draft_fetch(draft, facts->base);
    }
}

static void draft_reduction(Fusion *fusion, Draft *draft, Request request) {
    const Context *context = &fusion->contexts.items[request.context];
    const Facts *facts = &fusion->facts[request.value];
    if (draft->row && facts->row_own > 0 && facts->row_own == context->row_length) {
        draft->kind = INSTANCE_ROW_REDUCE;
        need_operands(fusion, draft, request.value, request.context);
    } else {
        draft_fetch(draft, request.value);
    }
}

static void draft_tile(Fusion *fusion, Draft *draft, Request request) {
    const Value *value = value_of(fusion, request.value);
    const Context *context = &fusion->contexts.items[request.context];
    draft->row = fusion->facts[request.value].count != context->count;
    switch ((ValueKind)value->kind) {
    case VALUE_LEAF:
        draft->kind = INSTANCE_LOAD;
        break;
    case VALUE_MAP:
    case VALUE_QUANTISE:
        draft->kind = value->kind == VALUE_MAP ? INSTANCE_MAP : INSTANCE_QUANTISE;
        need_operands(fusion, draft, request.value, request.context);
        break;
    case VALUE_REDUCE:
        draft_reduction(fusion, draft, request);
        break;
    case VALUE_INDEX:
    case VALUE_RANDOM:
        draft->kind = value->kind == VALUE_INDEX ? INSTANCE_COORDINATE : INSTANCE_RANDOM;
        if (draft->row || (value->kind == VALUE_INDEX && context->domain != value->shape))
            draft_fetch(draft, request.value);
        break;
    case VALUE_CONCAT:
        draft_fetch(draft, request.value);
        break;
    case VALUE_PART:
        draft_product(fusion, draft, request.value, NULL);
        break;
    default:
        assert(is_view(value));
        draft_view(fusion, draft, request);
    }
}

/* One element that no uniform code can compute: a pass over it reduces it. */
static void draft_result(Fusion *fusion, Draft *draft, ValueId id) {
    const Value *value = value_of(fusion, id);
    draft->kind = INSTANCE_RESULT;
    if ((value->kind == VALUE_REDUCE && value->axis < 0) || value->kind == VALUE_KTH) {
        uint32_t context = element_context(fusion, program_operand(fusion->program, value, 0));
        need_operands(fusion, draft, id, context);
    } else {
        vector_push(&draft->needs, (Request){id, element_context(fusion, id)});
    }
}

static void draft_uniform(Fusion *fusion, Draft *draft, ValueId id) {
    const Value *value = value_of(fusion, id);
    switch ((ValueKind)value->kind) {
    case VALUE_CONST:
        draft->kind = INSTANCE_CONST;
        break;
    case VALUE_LEAF:
        draft->kind = INSTANCE_ONE;
        break;
    case VALUE_MAP:
    case VALUE_QUANTISE:
        draft->kind = value->kind == VALUE_MAP ? INSTANCE_MAP : INSTANCE_QUANTISE;
        need_operands(fusion, draft, id, CONTEXT_UNIFORM);
        break;
    default:
        if (is_view(value) && fusion->facts[operand_of(fusion, id, 0)].count == 1) {
            draft->kind = INSTANCE_SAME;
            need_operands(fusion, draft, id, CONTEXT_UNIFORM);
        } else {
            draft_result(fusion, draft, id);
        }
    }
}

/* Whether a view has all elements of its operand in order. */
static bool same_elements(const Fusion *fusion, ValueId id) {
    const Value *value = value_of(fusion, id);
    return value->kind == VALUE_RESHAPE ||
           (value->kind == VALUE_STRETCH && fusion->facts[id].count == 1);
}

/* The pieces of a value, from its first element to its last. */
static void find_pieces(Fusion *fusion, Piece whole, Pieces *pieces) {
    Pieces open = {0};
    vector_push(&open, whole);
    while (open.count > 0) {
        Piece piece = open.items[--open.count];
        const Value *value = value_of(fusion, piece.value);
        ValueId operand = value->n_operands > 0 ? operand_of(fusion, piece.value, 0) : VALUE_NONE;
        if (same_elements(fusion, piece.value) &&
            view_reshape(&piece.place,
                         program_peek(fusion->program, value_of(fusion, operand)->shape))) {
            piece.value = operand;
            vector_push(&open, piece);
            continue;
        }
        if (value->kind != VALUE_CONCAT) {
            vector_push(pieces, piece);
            continue;
        }
        /* Last first, so that the first is the next. */
        uint64_t end = piece.place.dims[value->axis];
        for (uint32_t i = value->n_operands; i-- > 0;) {
            Piece part = {operand_of(fusion, piece.value, i), piece.place};
            const Shape *shape = program_peek(fusion->program, value_of(fusion, part.value)->shape);
            uint64_t extent = shape->dims[value->axis];
            end -= extent;
            view_narrow(&part.place, (uint32_t)value->axis, end, extent);
            vector_push(&open, part);
        }
    }
    vector_free(&open);
}

/* All of a value as it lies in its buffer or output. */
static Piece piece_all(const Fusion *fusion, ValueId id) {
    const Shape *shape = program_peek(fusion->program, value_of(fusion, id)->shape);
    Piece piece = {.value = id};
    if (shape != NULL)
        piece.place = view_all(shape);
    return piece;
}

static void draft_buffer(Fusion *fusion, Draft *draft, ValueId id) {
    const Value *value = value_of(fusion, id);
    draft->kind = INSTANCE_BUFFER;
    if (value->kind == VALUE_WHOLE) {
        draft->kind = INSTANCE_WHOLE;
        for (uint32_t i = 0; i < value->n_operands; i++)
            vector_push(&draft->needs, (Request){operand_of(fusion, id, i), CONTEXT_BUFFER});
    } else if (value->kind == VALUE_PART && !product_streams(fusion->program, id)) {
        vector_push(&draft->needs, (Request){operand_of(fusion, id, 0), CONTEXT_BUFFER});
    } else if (value->kind == VALUE_REDUCE && value->axis >= 0 && fusion->facts[id].row_own == 0) {
        need_operands(fusion, draft, id, column_context(fusion, value));
    } else if (fusion->facts[id].count > 0) {
        Pieces pieces = {0};
        find_pieces(fusion, piece_all(fusion, id), &pieces);
        for (size_t i = 0; i < pieces.count; i++)
            need(fusion, draft, pieces.items[i].value,
                 store_context(fusion, pieces.items[i].value));
        vector_free(&pieces);
    }
}

static void draft_make(Fusion *fusion, Draft *draft, Request request) {
    draft->needs.count = 0;
    draft->row = false;
    if (request.context == CONTEXT_UNIFORM)
        draft_uniform(fusion, draft, request.value);
    else if (request.context == CONTEXT_BUFFER)
        draft_buffer(fusion, draft, request.value);
    else
        draft_tile(fusion, draft, request);
}

/* --- Instances --- */

static uint64_t request_hash(Request request) {
    uint64_t both = (uint64_t)request.context << 32 | request.value;
    both *= 0x9e3779b97f4a7c15u;
    return (both ^ both >> 29) * 0xbf58476d1ce4e5b9u;
}

static bool same_request(const void *context, const void *wanted, uint32_t item) {
    const Instance *instance = &((const Fusion *)context)->instances.items[item];
    const Request *request = wanted;
    return instance->value == request->value && instance->context == request->context;
}

static uint32_t instance_find(const Fusion *fusion, Request request) {
    return index_find(&fusion->index, request_hash(request), same_request, fusion, &request);
}

uint32_t instance_operand(const Fusion *fusion, const Instance *instance, uint32_t i) {
    assert(i < instance->n_operands);
    return fusion->operands.items[instance->first_operand + i];
}

/* The instance that answers a request: never one that only repeats another. */
static uint32_t instance_settled(const Fusion *fusion, Request request) {
    uint32_t id = instance_find(fusion, request);
    assert(id != INDEX_NONE);
    while (fusion->instances.items[id].kind == INSTANCE_SAME)
        id = instance_operand(fusion, &fusion->instances.items[id], 0);
    return id;
}

DType compute_dtype(Compute compute) {
    return compute == COMPUTE_F64 ? DTYPE_F64 : DTYPE_F32;
}

uint32_t buffer_new(Fusion *fusion, ValueId value) {
    vector_push(&fusion->buffers, (BufferInfo){.shape = value_of(fusion, value)->shape,
                                               .first_pass = UINT32_MAX,
                                               .origin = program_origin(fusion->program, value)});
    return (uint32_t)(fusion->buffers.count - 1);
}

Access *access_new(Fusion *fusion, PlaceKind kind, uint32_t index, DType dtype, const View *view) {
    Access *access = arena_new(fusion->arena, Access);
    *access = (Access){.kind = kind, .index = index, .dtype = dtype, .contiguous = view == NULL};
    if (view == NULL)
        return access;
    View merged = *view;
    view_merge(&merged);
    access->offset = merged.offset;
    access->contiguous = view_contiguous(&merged);
    if (!access->contiguous) {
        access->rank = merged.rank;
        memcpy(access->dims, merged.dims, merged.rank * sizeof merged.dims[0]);
        memcpy(access->strides, merged.strides, merged.rank * sizeof merged.strides[0]);
    }
    return access;
}

/* A sink whose level is that of what it needs. */
static uint32_t sink_new(Fusion *fusion, Sink sink) {
    uint32_t a = fusion->instances.items[sink.a].level, b = fusion->instances.items[sink.b].level;
    sink.level = a > b ? a : b;
    vector_push(&fusion->sinks, sink);
    return sink.level;
}

/* Stores a piece; its instance is there. */
static uint32_t sink_store(Fusion *fusion, const Piece *piece, PlaceKind kind, uint32_t index,
                           DType dtype, uint32_t context) {
    bool any = fusion->facts[piece->value].count == COUNT_OF_KEY;
    Request request = request_in(fusion, piece->value, context);
    return sink_new(
        fusion, (Sink){.kind = SINK_STORE,
                       .context = context,
                       .a = instance_settled(fusion, request),
                       .b = instance_settled(fusion, request),
                       .access = access_new(fusion, kind, index, dtype, any ? NULL : &piece->place),
                       .value = piece->value});
}

/* The sinks that fill the buffer of an instance; returns their highest level. */
static uint32_t fill_buffer(Fusion *fusion, const Instance *held) {
    const Value *value = value_of(fusion, held->value);
    DType dtype = compute_dtype(fusion->options->compute);
    uint32_t level = 0;
    if (fusion->facts[held->value].count == 0)
        return 0;
    if (value->kind == VALUE_REDUCE && value->axis >= 0 && fusion->facts[held->value].row_own == 0)
        return sink_new(fusion, (Sink){.kind = SINK_COLUMN,
                                       .context = column_context(fusion, value),
                                       .a = instance_operand(fusion, held, 0),
                                       .b = instance_operand(fusion, held, held->n_operands - 1),
                                       .target = held->buffer,
                                       .value = held->value});
    Pieces pieces = {0};
    find_pieces(fusion, piece_all(fusion, held->value), &pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        uint32_t context = store_context(fusion, pieces.items[i].value);
        uint32_t own =
            sink_store(fusion, &pieces.items[i], PLACE_BUFFER, held->buffer, dtype, context);
        level = own > level ? own : level;
    }
    vector_free(&pieces);
    return level;
}

/* What an instance that ends a pass asks of that pass; its level becomes that of its users. */
static void add_sinks(Fusion *fusion, Instance *instance, uint32_t id) {
    const Value *value = value_of(fusion, instance->value);
    if (instance->kind == INSTANCE_BUFFER) {
        instance->buffer = buffer_new(fusion, instance->value);
        if (value->kind != VALUE_PART || product_streams(fusion->program, instance->value))
            instance->level = fill_buffer(fusion, instance);
        instance->level++;
    } else if (instance->kind == INSTANCE_WHOLE) {
        vector_push(&fusion->sinks, (Sink){.kind = SINK_WHOLE,
                                           .level = instance->level,
                                           .target = id,
                                           .value = instance->value});
    } else if (instance->kind == INSTANCE_RESULT) {
        uint32_t a = instance_operand(fusion, instance, 0);
        uint32_t b = instance_operand(fusion, instance, instance->n_operands - 1);
        instance->level =
            1 +
            sink_new(fusion, (Sink){.kind = value->kind == VALUE_KTH ? SINK_SELECT : SINK_REDUCE,
                                    .context = fusion->instances.items[a].context,
                                    .a = a,
                                    .b = b,
                                    .target = id,
                                    .value = instance->value});
    }
}

/* About how many registers it takes: the operand that takes most comes first, while nothing is
 * held; each later one finds those before it in registers. */
static uint16_t registers_needed(const Fusion *fusion, const Instance *instance) {
    unsigned needs[3] = {0}, n = instance->n_operands < 3 ? instance->n_operands : 3, most = 1;
    for (unsigned i = 0; i < n; i++) {
        unsigned own = fusion->instances.items[instance_operand(fusion, instance, i)].need, at = i;
        for (; at > 0 && needs[at - 1] < own; at--)
            needs[at] = needs[at - 1];
        needs[at] = own;
    }
    for (unsigned i = 0; i < n; i++)
        if (needs[i] + i > most)
            most = needs[i] + i;
    return (uint16_t)(most < UINT16_MAX ? most : UINT16_MAX);
}

static void instance_make(Fusion *fusion, Request request, const Draft *draft) {
    uint32_t id = (uint32_t)fusion->instances.count;
    Instance instance = {.kind = (uint8_t)draft->kind,
                         .row = draft->row,
                         .value = request.value,
                         .context = request.context,
                         .first_operand = (uint32_t)fusion->operands.count,
                         .n_operands = (uint32_t)draft->needs.count,
                         .buffer = BUFFER_NONE};
    for (size_t i = 0; i < draft->needs.count; i++) {
        uint32_t operand = instance_settled(fusion, draft->needs.items[i]);
        uint32_t level = fusion->instances.items[operand].level;
        instance.level = level > instance.level ? level : instance.level;
        vector_push(&fusion->operands, operand);
    }
    if (request.context == CONTEXT_UNIFORM || request.context == CONTEXT_BUFFER)
        add_sinks(fusion, &instance, id);
    else
        instance.need = registers_needed(fusion, &instance);
    index_add(&fusion->index, request_hash(request), id);
    vector_push(&fusion->instances, instance);
}

/* The instance of a request, and before it all that it needs. */
static uint32_t instance_get(Fusion *fusion, Request wanted) {
    Requests open = {0};
    Draft draft = {0};
    vector_push(&open, wanted);
    while (open.count > 0) {
        Request request = open.items[open.count - 1];
        if (instance_find(fusion, request) != INDEX_NONE) {
            open.count--;
            continue;
        }
        draft_make(fusion, &draft, request);
        size_t before = open.count;
        for (size_t i = draft.needs.count; i-- > 0;)
            if (instance_find(fusion, draft.needs.items[i]) == INDEX_NONE)
                vector_push(&open, draft.needs.items[i]);
        if (open.count == before) {
            instance_make(fusion, request, &draft);
            open.count--;
        }
    }
    vector_free(&open);
    vector_free(&draft.needs);
    return instance_settled(fusion, wanted);
}

/* --- Outputs --- */

enum { COPY_RUN_LIMIT = 4096 }; /* of one output; what takes more goes through registers */

/* Whether the compute type holds every number of the dtype. */
static bool computes_exactly(DType dtype, Compute compute) {
    const DTypeInfo *info = &dtype_info[dtype];
    if (!info->computes || info->kind == KIND_FLOAT)
        return info->computes && (dtype != DTYPE_F64 || compute == COMPUTE_F64);
    return info->bits <= (compute == COMPUTE_F64 ? 32u : 16u);
}

/* False where elements of less than a byte begin or end in the middle of one. */
static bool add_copy(Fusion *fusion, const Value *leaf, uint32_t output, uint64_t from, uint64_t to,
                     uint64_t count) {
    CopyRun run = {.leaf = leaf->slot, .output = output};
    if (!dtype_bytes(leaf->dtype, from, &run.from) || !dtype_bytes(leaf->dtype, to, &run.to) ||
        !dtype_bytes(leaf->dtype, count, &run.bytes))
        return false;
    vector_push(&fusion->copies, run);
    return true;
}

/* Splits dimensions of two views of the same elements until both have the same. */
static bool views_match(View *a, View *b, const Shape *shape) {
    return view_reshape(a, shape) && view_reshape(b, shape);
}

/* Copies FROM, a view of the leaf, to the place TO, run by run of what lies together in both. */
static bool copy_runs(Fusion *fusion, const Value *leaf, uint32_t output, View from, View to,
                      const Shape *shape) {
    uint64_t run = 1, runs = 1, at[SHAPE_LIMIT] = {0};
    if (!views_match(&from, &to, shape))
        return false;
    uint32_t outer = shape->rank;
    while (outer > 0 && (shape->dims[outer - 1] == 1 || (from.strides[outer - 1] == (int64_t)run &&
                                                         to.strides[outer - 1] == (int64_t)run)))
        run *= shape->dims[--outer];
    for (uint32_t i = 0; i < outer; i++)
        runs *= shape->dims[i];
    if (runs > 1 &&
        (runs > COPY_RUN_LIMIT || computes_exactly(leaf->dtype, fusion->options->compute)))
        return false;
    size_t before = fusion->copies.count;
    for (uint64_t i = 0; i < runs; i++) {
        uint64_t source = from.offset, target = to.offset;
        for (uint32_t axis = 0; axis < outer; axis++) {
            source += at[axis] * (uint64_t)from.strides[axis];
            target += at[axis] * (uint64_t)to.strides[axis];
        }
        if (!add_copy(fusion, leaf, output, source, target, run)) {
            fusion->copies.count = before;
            return false;
        }
        for (uint32_t axis = outer; axis-- > 0 && ++at[axis] == shape->dims[axis];)
            at[axis] = 0;
    }
    return true;
}

/* A piece that no arithmetic touches is copied as bytes. */
static bool copy_piece(Fusion *fusion, const Piece *piece, uint32_t output, DType dtype) {
    const Facts *facts = &fusion->facts[piece->value];
    const Value *leaf = value_of(fusion, facts->base), *value = value_of(fusion, piece->value);
    if (leaf->kind != VALUE_LEAF || leaf->dtype != dtype || (value != leaf && facts->view == NULL))
        return false;
    if (facts->count == COUNT_OF_KEY) {
        vector_push(&fusion->copies,
                    (CopyRun){.leaf = leaf->slot, .output = output, .bytes = UINT64_MAX});
        return true;
    }
    const Shape *shape = program_peek(fusion->program, value->shape);
    View from = facts->view != NULL ? *facts->view : view_all(shape);
    return copy_runs(fusion, leaf, output, from, piece->place, shape);
}

/* Rounding to the dtype that the value is stored as is what storing does. */
static ValueId unrounded(const Fusion *fusion, ValueId id, DType dtype) {
    const Value *value = value_of(fusion, id);
    bool same = value->kind == VALUE_QUANTISE && value->dtype == dtype &&
                dtype_info[dtype].kind == KIND_FLOAT;
    return same ? operand_of(fusion, id, 0) : id;
}

void fusion_root(Fusion *fusion, uint32_t output, RootSpec root) {
    Pieces pieces = {0};
    if (fusion->facts[root.value].count > 0)
        find_pieces(fusion, piece_all(fusion, root.value), &pieces);
    for (size_t i = 0; i < pieces.count; i++) {
        Piece *piece = &pieces.items[i];
        piece->value = unrounded(fusion, piece->value, root.dtype);
        if (copy_piece(fusion, piece, output, root.dtype))
            continue;
        uint32_t context = store_context(fusion, piece->value);
        instance_get(fusion, request_in(fusion, piece->value, context));
        sink_store(fusion, piece, PLACE_OUTPUT, output, root.dtype, context);
    }
    vector_free(&pieces);
}

void fusion_check(Fusion *fusion, ValueId value) {
    vector_push(&fusion->checks, instance_get(fusion, (Request){value, CONTEXT_UNIFORM}));
}
