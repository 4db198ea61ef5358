/* What passes hold for others to save time. */
#include "opt/emission.h"

/* Computing again what a pass has computed before costs at least that many reads of leaves, or that
 * many operations, where holding it in a buffer costs a write and a read. */
enum { HOLD_LEAVES = 4, HOLD_OPERATIONS = 24, HEAVY_OPERATION = 8 };

static unsigned weight_of(const Instance *instance, const Value *value) {
    if (instance->kind == INSTANCE_PRODUCT)
        return HOLD_OPERATIONS;
    if (value->kind != VALUE_MAP)
        return value->kind == VALUE_RANDOM ? HEAVY_OPERATION : 1;
    switch (value->op) {
    case OP_EXP:
    case OP_LOG:
    case OP_POW:
    case OP_SIN:
    case OP_COS:
    case OP_TAN:
    case OP_ASIN:
    case OP_ACOS:
    case OP_ATAN:
    case OP_ATAN2:
    case OP_TANH:
        return HEAVY_OPERATION;
    default:
        return 1;
    }
}

/* Whether computing an instance costs clearly more than loading it; looks no further than that. */
static bool is_expensive(Emission *emission, uint32_t id, const PassDraft *draft) {
    unsigned leaves = 0, operations = 0;
    VECTOR(uint32_t) open = {0}, seen = {0};
    vector_push(&open, id);
    while (open.count > 0 && leaves < HOLD_LEAVES && operations < HOLD_OPERATIONS) {
        uint32_t at = open.items[--open.count];
        bool known = !is_tile(emission, at);
        for (size_t i = 0; i < seen.count && !known; i++)
            known = seen.items[i] == at;
        if (known)
            continue;
        vector_push(&seen, at);
        const Instance *instance = instance_at(emission, at);
        leaves += instance->kind == INSTANCE_LOAD || instance->kind == INSTANCE_FETCH;
        operations +=
            instance->kind != INSTANCE_LOAD ? weight_of(instance, instance_value(emission, at)) : 0;
        for (uint32_t i = 0; !is_source(emission, at, draft) && i < instance->n_operands; i++)
            vector_push(&open, instance_operand(emission->fusion, instance, i));
    }
    vector_free(&open);
    vector_free(&seen);
    return leaves >= HOLD_LEAVES || operations >= HOLD_OPERATIONS;
}

static uint64_t held_bytes(const Emission *emission, uint32_t id) {
    const Fusion *fusion = emission->fusion;
    uint64_t count = fusion->facts[instance_at(emission, id)->value].count;
    uint64_t size = fusion->options->compute == COMPUTE_F64 ? 8 : 4, bytes;
    if (count == COUNT_OF_KEY)
        count = fusion->options->key_elements;
    return count == 0 || __builtin_mul_overflow(count, size, &bytes) ? UINT64_MAX : bytes;
}

/* Has the draft that computed the instance first store it for the later ones. */
static void hold(Emission *emission, uint32_t id) {
    Fusion *fusion = emission->fusion;
    Instance *instance = instance_at(emission, id);
    PassDraft *first = &emission->drafts.items[emission->first[id]];
    DType dtype = compute_dtype(fusion->options->compute);
    emission->held += held_bytes(emission, id);
    instance->buffer = buffer_new(fusion, instance->value);
    instance->ready = first->level + 1;
    vector_push(&first->sinks, (uint32_t)fusion->sinks.count);
    vector_push(&fusion->sinks,
                (Sink){.kind = SINK_STORE,
                       .level = first->level,
                       .context = first->context,
                       .a = id,
                       .b = id,
                       .access = access_new(fusion, PLACE_BUFFER, instance->buffer, dtype, NULL),
                       .value = instance->value,
                       .guard = {GUARD_ALWAYS, false}});
}

/* Whether a later pass had better load an instance than compute it again; if so, it is held. */
static bool hold_if_worth(Emission *emission, uint32_t id, const PassDraft *draft) {
    const Instance *instance = instance_at(emission, id);
    uint32_t first = emission->first[id];
    if (instance->row || is_source(emission, id, draft) || first == DRAFT_NONE ||
        emission->drafts.items[first].level >= draft->level)
        return false;
    uint64_t bytes = held_bytes(emission, id), limit = emission->fusion->options->hold_bytes;
    if (bytes > limit || emission->held > limit - bytes || !is_expensive(emission, id, draft))
        return false;
    hold(emission, id);
    return true;
}

/* Looks at what each pass computes from its sinks down to the leaves: the first things met that an
 * earlier pass has computed are the ones to hold. */
void emission_hold(Emission *emission, uint32_t index) {
    /* A copy: holding adds sinks to drafts. */
    const PassDraft draft = emission->drafts.items[index];
    VECTOR(uint32_t) open = {0};
    emission->walk++;
    for (size_t i = 0; i < draft.sinks.count; i++) {
        const Sink *sink = sink_at(emission, draft.sinks.items[i]);
        if (sink->kind == SINK_WHOLE)
            continue;
        vector_push(&open, sink->a);
        vector_push(&open, sink->b);
    }
    while (open.count > 0) {
        uint32_t id = open.items[--open.count];
        if (!is_tile(emission, id) || emission->stamp[id] == emission->walk)
            continue;
        emission->stamp[id] = emission->walk;
        if (hold_if_worth(emission, id, &draft) || is_source(emission, id, &draft))
            continue;
        if (emission->first[id] == DRAFT_NONE)
            emission->first[id] = index;
        const Instance *instance = instance_at(emission, id);
        for (uint32_t i = 0; i < instance->n_operands; i++)
            vector_push(&open, instance_operand(emission->fusion, instance, i));
    }
    vector_free(&open);
}
