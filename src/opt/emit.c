/* From instances to passes: which sinks share one, what is held to save time, in what order values
 * are computed, and in which registers. */
#include "opt/instance.h"
#include "program/whole.h"

#include <assert.h>
#include <string.h>

/* The sinks of one level and context. */
typedef struct PassDraft {
    uint32_t level, context;
    VECTOR(uint32_t) sinks;
} PassDraft;

/* One step of a pass: an instance to be computed, or a sink to be fed. */
typedef struct Step {
    uint32_t instance;
    uint32_t sink; /* SINK_NONE: none */
} Step;
enum { SINK_NONE = UINT32_MAX };
typedef VECTOR(Step) Steps;

/* A value on the way to its operands: which is next. */
typedef struct Frame {
    uint32_t instance;
    uint32_t next;
} Frame;

typedef struct Emission {
    Fusion *fusion;
    VECTOR(PassDraft) drafts;
    /* By instance. */
    uint32_t *stamp;    /* the walk that saw it last */
    uint32_t *first;    /* the draft that computed it first, or DRAFT_NONE */
    uint32_t *last_use; /* of its register, as a step */
    uint32_t *reg;
    bool *coded; /* uniform code was written */
    uint32_t walk;
    uint64_t held; /* bytes of buffers that only save time */

    VECTOR(Frame) open;
    Steps steps;
    VECTOR(uint32_t) free_registers[2]; /* by level: element, row */
    uint32_t n_registers[2];

    /* Of the pass being written. */
    VECTOR(TileInstr) code;
    VECTOR(Access) accesses;
    VECTOR(Reduction) reductions;
    VECTOR(Selection) selections;
    VECTOR(RandomStream) randoms;
    VECTOR(Product) products;
    VECTOR(UniformInstr) uniforms;
    VECTOR(uint32_t) results, origins;
    VECTOR(size_t) noted; /* by origin: the last pass that has it, counted from 1 */
    VECTOR(PassGuard) guards;
    bool rows; /* it has row-level registers */

    VECTOR(Pass) passes;
    VECTOR(double) constants;
    uint32_t n_uniforms;
} Emission;
enum { DRAFT_NONE = UINT32_MAX };

static Instance *instance_at(const Emission *emission, uint32_t id) {
    return &emission->fusion->instances.items[id];
}

static const Value *value_of(const Emission *emission, uint32_t id) {
    return program_value(emission->fusion->program, instance_at(emission, id)->value);
}

static const Sink *sink_at(const Emission *emission, uint32_t id) {
    return &emission->fusion->sinks.items[id];
}

/* --- Which sinks share a pass --- */

typedef struct SinkOrder {
    uint32_t level, context, sink;
} SinkOrder;

static int compare_numbers(uint32_t a, uint32_t b) {
    return a < b ? -1 : a > b;
}

static int compare_sinks(const void *left, const void *right) {
    const SinkOrder *a = left, *b = right;
    if (a->level != b->level)
        return compare_numbers(a->level, b->level);
    if (a->context != b->context)
        return compare_numbers(a->context, b->context);
    return compare_numbers(a->sink, b->sink);
}

static void draft_passes(Emission *emission) {
    size_t n = emission->fusion->sinks.count;
    SinkOrder *order = memory_grow(NULL, memory_size(n + 1, sizeof *order));
    for (size_t i = 0; i < n; i++) {
        const Sink *sink = sink_at(emission, (uint32_t)i);
        order[i] = (SinkOrder){sink->level, sink->context, (uint32_t)i};
    }
    qsort(order, n, sizeof *order, compare_sinks);
    for (size_t i = 0; i < n; i++) {
        PassDraft *last =
            emission->drafts.count > 0 ? &emission->drafts.items[emission->drafts.count - 1] : NULL;
        bool whole = sink_at(emission, order[i].sink)->kind == SINK_WHOLE;
        if (last == NULL || whole || last->level != order[i].level ||
            last->context != order[i].context)
            vector_push(&emission->drafts,
                        (PassDraft){.level = order[i].level, .context = order[i].context});
        vector_push(&emission->drafts.items[emission->drafts.count - 1].sinks, order[i].sink);
    }
    free(order);
}

/* --- What a pass computes, in order --- */

static bool is_held_for(const Emission *emission, uint32_t id, const PassDraft *draft) {
    const Instance *instance = instance_at(emission, id);
    return instance->buffer != BUFFER_NONE && instance->ready <= draft->level;
}

/* Whether an instance is computed in the tiles of its pass. */
static bool is_tile(const Emission *emission, uint32_t id) {
    return instance_at(emission, id)->context >= CONTEXT_DOMAINS;
}

static bool is_source(const Emission *emission, uint32_t id, const PassDraft *draft) {
    uint8_t kind = instance_at(emission, id)->kind;
    return kind == INSTANCE_LOAD || kind == INSTANCE_FETCH || kind == INSTANCE_COORDINATE ||
           kind == INSTANCE_RANDOM || is_held_for(emission, id, draft);
}

/* The i-th operand to be computed: what needs most registers comes first. */
static uint32_t operand_by_need(const Emission *emission, uint32_t id, uint32_t i) {
    const Instance *instance = instance_at(emission, id);
    uint32_t order[3], n = 0;
    for (uint32_t k = 0; k < instance->n_operands; k++) {
        uint32_t operand = instance_operand(emission->fusion, instance, k), at = n++;
        uint16_t need = instance_at(emission, operand)->need;
        for (; at > 0 && instance_at(emission, order[at - 1])->need < need; at--)
            order[at] = order[at - 1];
        order[at] = operand;
    }
    return order[i];
}

/* Appends the steps that compute an instance and what it needs of this walk's pass. */
static void walk_instance(Emission *emission, uint32_t id, const PassDraft *draft) {
    if (!is_tile(emission, id) || emission->stamp[id] == emission->walk)
        return;
    emission->stamp[id] = emission->walk;
    vector_push(&emission->open, (Frame){id, 0});
    while (emission->open.count > 0) {
        Frame *frame = &emission->open.items[emission->open.count - 1];
        const Instance *instance = instance_at(emission, frame->instance);
        if (is_source(emission, frame->instance, draft) || frame->next == instance->n_operands) {
            vector_push(&emission->steps, (Step){frame->instance, SINK_NONE});
            emission->open.count--;
            continue;
        }
        uint32_t operand = operand_by_need(emission, frame->instance, frame->next++);
        if (!is_tile(emission, operand) || emission->stamp[operand] == emission->walk)
            continue;
        emission->stamp[operand] = emission->walk;
        vector_push(&emission->open, (Frame){operand, 0});
    }
}

/* The steps of a pass; each sink is fed as soon as its operands are there. */
static void walk_draft(Emission *emission, const PassDraft *draft, bool selections_only) {
    emission->walk++;
    emission->steps.count = 0;
    for (size_t i = 0; i < draft->sinks.count; i++) {
        const Sink *sink = sink_at(emission, draft->sinks.items[i]);
        if (sink->kind == SINK_WHOLE || (selections_only && sink->kind != SINK_SELECT))
            continue;
        walk_instance(emission, sink->a, draft);
        walk_instance(emission, sink->b, draft);
        vector_push(&emission->steps, (Step){sink->a, draft->sinks.items[i]});
    }
}

/* --- What is held to save time --- */

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
            instance->kind != INSTANCE_LOAD ? weight_of(instance, value_of(emission, at)) : 0;
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
static void choose_held(Emission *emission, uint32_t index) {
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

/* --- Uniform code --- */

static bool is_coded(const Emission *emission, uint32_t id) {
    uint8_t kind = instance_at(emission, id)->kind;
    return kind == INSTANCE_CONST || kind == INSTANCE_RESULT || emission->coded[id];
}

/* Notes what a pass computes a part of. */
static uint32_t note_origin(Emission *emission, ValueId value) {
    uint32_t origin = program_origin(emission->fusion->program, value);
    size_t pass = emission->passes.count + 1;
    while (emission->noted.count <= origin)
        vector_push(&emission->noted, 0);
    if (emission->noted.items[origin] != pass)
        vector_push(&emission->origins, origin);
    emission->noted.items[origin] = pass;
    return origin;
}

static void write_uniform(Emission *emission, uint32_t id) {
    const Instance *instance = instance_at(emission, id);
    const Value *value = value_of(emission, id);
    UniformInstr instr = {.op = value->op, .dst = instance->slot};
    for (uint32_t i = 0; i < instance->n_operands; i++)
        instr.src[i] = instance_at(emission, instance_operand(emission->fusion, instance, i))->slot;
    if (instance->kind == INSTANCE_ONE) {
        instr.op = UNIFORM_LEAF;
        instr.src[0] = value->slot;
    } else if (instance->kind == INSTANCE_QUANTISE) {
        instr.op = UNIFORM_QUANTISE;
        instr.src[1] = value->dtype;
    }
    vector_push(&emission->uniforms, instr);
    note_origin(emission, instance->value);
}

/* The slot of a uniform, after the code that computes it. */
static uint32_t uniform_slot(Emission *emission, uint32_t id) {
    if (!is_coded(emission, id))
        vector_push(&emission->open, (Frame){id, 0});
    while (emission->open.count > 0) {
        Frame *frame = &emission->open.items[emission->open.count - 1];
        const Instance *instance = instance_at(emission, frame->instance);
        if (is_coded(emission, frame->instance)) {
            emission->open.count--;
        } else if (frame->next < instance->n_operands) {
            uint32_t operand = instance_operand(emission->fusion, instance, frame->next++);
            if (!is_coded(emission, operand))
                vector_push(&emission->open, (Frame){operand, 0});
        } else {
            write_uniform(emission, frame->instance);
            emission->coded[frame->instance] = true;
            emission->open.count--;
        }
    }
    return instance_at(emission, id)->slot;
}

static void number_uniforms(Emission *emission) {
    uint32_t count = (uint32_t)emission->fusion->instances.count;
    for (uint32_t id = 0; id < count; id++)
        if (instance_at(emission, id)->kind == INSTANCE_CONST) {
            instance_at(emission, id)->slot = (uint32_t)emission->constants.count;
            vector_push(&emission->constants, value_of(emission, id)->number);
        }
    emission->n_uniforms = (uint32_t)emission->constants.count;
    for (uint32_t id = 0; id < count; id++) {
        Instance *instance = instance_at(emission, id);
        if (instance->context == CONTEXT_UNIFORM && instance->kind != INSTANCE_CONST &&
            instance->kind != INSTANCE_SAME)
            instance->slot = emission->n_uniforms++;
    }
}

/* --- Registers --- */

static uint32_t take_register(Emission *emission, bool row) {
    if (emission->free_registers[row].count > 0)
        return emission->free_registers[row].items[--emission->free_registers[row].count];
    return emission->n_registers[row]++;
}

static void note_use(Emission *emission, uint32_t id, uint32_t step) {
    if (is_tile(emission, id))
        emission->last_use[id] = step;
}

static void find_last_uses(Emission *emission, const PassDraft *draft) {
    for (uint32_t step = 0; step < emission->steps.count; step++) {
        Step now = emission->steps.items[step];
        const Instance *instance = instance_at(emission, now.instance);
        if (now.sink != SINK_NONE) {
            note_use(emission, sink_at(emission, now.sink)->a, step);
            note_use(emission, sink_at(emission, now.sink)->b, step);
        } else if (!is_source(emission, now.instance, draft)) {
            for (uint32_t i = 0; i < instance->n_operands; i++)
                note_use(emission, instance_operand(emission->fusion, instance, i), step);
        }
    }
}

/* Frees the register of an operand whose last use this is. Asked twice for the same, frees once. */
static void drop_register(Emission *emission, uint32_t id, uint32_t step) {
    if (!is_tile(emission, id) || emission->last_use[id] != step)
        return;
    bool row = instance_at(emission, id)->row;
    vector_push(&emission->free_registers[row], emission->reg[id]);
    emission->last_use[id] = UINT32_MAX;
}

/* --- Instructions --- */

static void touch_buffer(Emission *emission, uint32_t buffer) {
    BufferInfo *info = &emission->fusion->buffers.items[buffer];
    uint32_t pass = (uint32_t)emission->passes.count;
    info->first_pass = pass < info->first_pass ? pass : info->first_pass;
    info->last_pass = pass > info->last_pass ? pass : info->last_pass;
}

static uint32_t add_access(Emission *emission, const Access *access) {
    if (access->kind == PLACE_BUFFER || access->kind == PLACE_MASK)
        touch_buffer(emission, access->index);
    vector_push(&emission->accesses, *access);
    return (uint32_t)(emission->accesses.count - 1);
}

static void use_operand(Emission *emission, TileInstr *instr, unsigned i, uint32_t operand) {
    if (is_tile(emission, operand)) {
        instr->src[i] = emission->reg[operand];
    } else {
        instr->src[i] = uniform_slot(emission, operand);
        instr->uniform |= (uint8_t)(1u << i);
    }
}

static uint64_t seed_bits(double seed) {
    uint64_t bits;
    memcpy(&bits, &seed, sizeof bits);
    return seed >= -0x1p63 && seed < 0x1p63 ? (uint64_t)(int64_t)seed : bits;
}

static uint32_t factor_buffer(Emission *emission, const Instance *instance, uint32_t i) {
    uint32_t held = instance_operand(emission->fusion, instance, i);
    touch_buffer(emission, instance_at(emission, held)->buffer);
    return instance_at(emission, held)->buffer;
}

static uint32_t add_product(Emission *emission, uint32_t id) {
    const Fusion *fusion = emission->fusion;
    const Instance *instance = instance_at(emission, id);
    vector_push(&emission->products,
                product_of(fusion->program, fusion->facts[instance->value].base,
                           factor_buffer(emission, instance, 0),
                           factor_buffer(emission, instance, 1)));
    return (uint32_t)(emission->products.count - 1);
}

/* Where an instance that is loaded lies. */
static const Access *source_access(Emission *emission, uint32_t id, const PassDraft *draft) {
    Fusion *fusion = emission->fusion;
    const Instance *instance = instance_at(emission, id);
    const Facts *facts = &fusion->facts[instance->value];
    DType computed = compute_dtype(fusion->options->compute);
    if (is_held_for(emission, id, draft))
        return access_new(fusion, PLACE_BUFFER, instance->buffer, computed, NULL);
    if (instance->kind == INSTANCE_LOAD) {
        const Value *leaf = program_value(fusion->program, facts->base);
        return access_new(fusion, PLACE_LEAF, leaf->slot, leaf->dtype, facts->view);
    }
    if (instance->kind == INSTANCE_PRODUCT)
        return access_new(fusion, PLACE_PRODUCT, add_product(emission, id), computed, facts->view);
    const Instance *held = instance_at(emission, instance_operand(fusion, instance, 0));
    const View *view = held->value == instance->value ? NULL : facts->view;
    PlaceKind place = fusion->buffers.items[held->buffer].mask ? PLACE_MASK : PLACE_BUFFER;
    return access_new(fusion, place, held->buffer, computed, view);
}

static void write_source(Emission *emission, uint32_t id, const PassDraft *draft,
                         TileInstr *instr) {
    const Instance *instance = instance_at(emission, id);
    const Value *value = value_of(emission, id);
    if (instance->kind == INSTANCE_COORDINATE) {
        instr->op = TILE_COORDINATE;
        instr->detail = (uint8_t)value->axis;
    } else if (instance->kind == INSTANCE_RANDOM) {
        instr->op = TILE_RANDOM;
        instr->index = (uint32_t)emission->randoms.count;
        vector_push(&emission->randoms, (RandomStream){seed_bits(value->number), value->slot});
    } else {
        instr->op = TILE_LOAD;
        instr->index = add_access(emission, source_access(emission, id, draft));
    }
}

static void write_computed(Emission *emission, uint32_t id, uint32_t step, TileInstr *instr) {
    const Instance *instance = instance_at(emission, id);
    const Value *value = value_of(emission, id);
    switch ((InstanceKind)instance->kind) {
    case INSTANCE_MAP:
        instr->op = TILE_MAP;
        instr->detail = value->op;
        break;
    case INSTANCE_QUANTISE:
        instr->op = TILE_QUANTISE;
        instr->detail = value->dtype;
        break;
    case INSTANCE_ROW_REDUCE:
        instr->op = TILE_ROW_REDUCE;
        instr->detail = value->op;
        break;
    default:
        assert(instance->kind == INSTANCE_EXPAND);
        instr->op = TILE_EXPAND;
    }
    for (uint32_t i = 0; i < instance->n_operands; i++)
        use_operand(emission, instr, i, instance_operand(emission->fusion, instance, i));
    /* The result may take the place of an operand. */
    for (uint32_t i = 0; i < instance->n_operands; i++)
        drop_register(emission, instance_operand(emission->fusion, instance, i), step);
}

static void write_instance(Emission *emission, uint32_t step, const PassDraft *draft) {
    uint32_t id = emission->steps.items[step].instance;
    bool row = instance_at(emission, id)->row;
    TileInstr instr = {0};
    if (is_source(emission, id, draft) || instance_at(emission, id)->kind == INSTANCE_PRODUCT)
        write_source(emission, id, draft, &instr);
    else
        write_computed(emission, id, step, &instr);
    if (instance_at(emission, id)->kind == INSTANCE_PRODUCT || !is_source(emission, id, draft))
        note_origin(emission, instance_at(emission, id)->value);
    bool between = instr.op == TILE_ROW_REDUCE || instr.op == TILE_EXPAND;
    instr.row = row && !between;
    instr.dst = emission->reg[id] = take_register(emission, row);
    emission->rows |= row;
    vector_push(&emission->code, instr);
}

/* The number of the selection that feeds a uniform; a new one unless the pass is repeated. */
static uint32_t selection_of(Emission *emission, const Sink *sink, const Value *value, bool again) {
    uint32_t uniform = instance_at(emission, sink->target)->slot, i = 0;
    if (!again) {
        vector_push(&emission->selections, (Selection){value->k, uniform});
        return (uint32_t)(emission->selections.count - 1);
    }
    while (emission->selections.items[i].uniform != uniform)
        i++;
    return i;
}

/* One element that is no reduction comes out of a pass as a sum over it. */
static ReduceKind reduction_kind(const Value *value) {
    return value->kind == VALUE_REDUCE ? value->op : REDUCE_SUM;
}

static void write_reduction(Emission *emission, const Sink *sink, const Value *value,
                            TileInstr *instr) {
    Reduction reduction = {.kind = reduction_kind(value)};
    instr->op = sink->kind == SINK_COLUMN ? TILE_COLUMN_REDUCE : TILE_REDUCE;
    instr->detail = (uint8_t)reduction.kind;
    instr->index = (uint32_t)emission->reductions.count;
    if (sink->kind == SINK_COLUMN) {
        reduction.buffer = sink->target;
        touch_buffer(emission, sink->target);
    } else {
        reduction.uniform = instance_at(emission, sink->target)->slot;
    }
    if (reduction.kind == REDUCE_DOT)
        use_operand(emission, instr, 1, sink->b);
    vector_push(&emission->reductions, reduction);
}

static void write_sink(Emission *emission, uint32_t step, bool again) {
    const Sink *sink = sink_at(emission, emission->steps.items[step].sink);
    const Value *value = program_value(emission->fusion->program, sink->value);
    TileInstr instr = {0};
    use_operand(emission, &instr, 0, sink->a);
    if (sink->kind == SINK_STORE) {
        instr.op = TILE_STORE;
        instr.row = is_tile(emission, sink->a) && instance_at(emission, sink->a)->row;
        instr.index = add_access(emission, sink->access);
    } else if (sink->kind == SINK_SELECT) {
        instr.op = TILE_SELECT;
        instr.index = selection_of(emission, sink, value, again);
    } else {
        write_reduction(emission, sink, value, &instr);
    }
    drop_register(emission, sink->a, step);
    drop_register(emission, sink->b, step);
    vector_push(&emission->code, instr);
    if (!again)
        vector_push(&emission->results, note_origin(emission, sink->value));
}

/* Writes the code of the steps; what registers it takes is added to those of the code before. */
static void write_steps(Emission *emission, const PassDraft *draft, bool again) {
    for (int level = 0; level < 2; level++) {
        emission->free_registers[level].count = 0;
        for (uint32_t i = emission->n_registers[level]; i-- > 0;)
            vector_push(&emission->free_registers[level], i);
    }
    find_last_uses(emission, draft);
    for (uint32_t step = 0; step < emission->steps.count; step++)
        if (emission->steps.items[step].sink == SINK_NONE)
            write_instance(emission, step, draft);
        else
            write_sink(emission, step, again);
}

/* --- Passes --- */

#define KEEP(arena, vector)                                                                        \
    arena_copy((arena), (vector).items, (vector).count * sizeof *(vector).items)

static void keep_code(Emission *emission, const TileInstr **code, uint32_t *n_code) {
    *code = KEEP(emission->fusion->arena, emission->code);
    *n_code = (uint32_t)emission->code.count;
    emission->code.count = 0;
}

static void start_pass(Emission *emission) {
    emission->code.count = emission->accesses.count = emission->reductions.count = 0;
    emission->selections.count = emission->randoms.count = emission->uniforms.count = 0;
    emission->products.count = 0;
    emission->results.count = emission->origins.count = emission->guards.count = 0;
    emission->n_registers[0] = emission->n_registers[1] = 0;
    emission->rows = false;
}

/* Moves what was collected for a pass into it. */
static void finish_pass(Emission *emission, Pass *pass) {
    Arena *arena = emission->fusion->arena;
    pass->uniforms = KEEP(arena, emission->uniforms);
    pass->n_uniforms = (uint32_t)emission->uniforms.count;
    pass->accesses = KEEP(arena, emission->accesses);
    pass->n_accesses = (uint32_t)emission->accesses.count;
    pass->reductions = KEEP(arena, emission->reductions);
    pass->n_reductions = (uint32_t)emission->reductions.count;
    pass->selections = KEEP(arena, emission->selections);
    pass->n_selections = (uint32_t)emission->selections.count;
    pass->randoms = KEEP(arena, emission->randoms);
    pass->n_randoms = (uint32_t)emission->randoms.count;
    pass->products = KEEP(arena, emission->products);
    pass->n_products = (uint32_t)emission->products.count;
    pass->results = KEEP(arena, emission->results);
    pass->n_results = (uint32_t)emission->results.count;
    pass->origins = KEEP(arena, emission->origins);
    pass->n_origins = (uint32_t)emission->origins.count;
    pass->guards = KEEP(arena, emission->guards);
    pass->n_guards = (uint32_t)emission->guards.count;
    pass->n_registers = emission->n_registers[0];
    pass->n_row_registers = emission->n_registers[1];
    vector_push(&emission->passes, *pass);
}

/* A pass may be left out if each of its sinks says when. */
static void write_guards(Emission *emission, const PassDraft *draft) {
    for (size_t i = 0; i < draft->sinks.count; i++)
        if (sink_at(emission, draft->sinks.items[i])->guard.instance == GUARD_ALWAYS)
            return;
    for (size_t i = 0; i < draft->sinks.count; i++) {
        Guard guard = sink_at(emission, draft->sinks.items[i])->guard;
        PassGuard needed = {uniform_slot(emission, guard.instance), guard.when};
        bool there = false;
        for (size_t k = 0; k < emission->guards.count; k++)
            there |= emission->guards.items[k].uniform == needed.uniform &&
                     emission->guards.items[k].when == needed.when;
        if (!there)
            vector_push(&emission->guards, needed);
    }
}

static void emit_tiles(Emission *emission, const PassDraft *draft) {
    const Context *context = &emission->fusion->contexts.items[draft->context];
    Pass pass = {.kind = PASS_TILES, .domain = context->domain};
    start_pass(emission);
    write_guards(emission, draft);
    walk_draft(emission, draft, false);
    write_steps(emission, draft, false);
    keep_code(emission, &pass.code, &pass.n_code);
    if (emission->selections.count > 0) {
        walk_draft(emission, draft, true);
        write_steps(emission, draft, true);
        keep_code(emission, &pass.again, &pass.n_again);
    }
    if (context->extent > 0) {
        pass.order = ORDER_COLUMNS;
        pass.outer = context->outer;
        pass.extent = context->extent;
        pass.inner = context->inner;
    } else if (emission->rows) {
        pass.order = ORDER_ROWS;
        pass.row_length = context->row_length;
    }
    finish_pass(emission, &pass);
}

/* The buffers of the parts of a primitive, by their numbers. */
static void find_parts(Emission *emission, uint32_t whole, WholeCall *call) {
    const Fusion *fusion = emission->fusion;
    VECTOR(uint32_t) buffers = {0};
    for (size_t id = 0; id < fusion->instances.count; id++) {
        const Instance *part = &fusion->instances.items[id];
        const Value *value = program_value(fusion->program, part->value);
        if (part->kind != INSTANCE_BUFFER || value->kind != VALUE_PART ||
            instance_operand(fusion, part, 0) != whole)
            continue;
        while (buffers.count <= value->slot)
            vector_push(&buffers, UINT32_MAX);
        buffers.items[value->slot] = part->buffer;
        touch_buffer(emission, part->buffer);
    }
    call->outputs = KEEP(fusion->arena, buffers);
    call->n_outputs = (uint32_t)buffers.count;
    vector_free(&buffers);
}

static void emit_whole(Emission *emission, const PassDraft *draft) {
    const Sink *sink = sink_at(emission, draft->sinks.items[0]);
    Fusion *fusion = emission->fusion;
    const Instance *instance = instance_at(emission, sink->target);
    const Value *value = program_value(fusion->program, sink->value);
    uint32_t n = instance->n_operands;
    uint32_t *inputs = arena_array(fusion->arena, uint32_t, n);
    const Shape **shapes = arena_array(fusion->arena, const Shape *, n);
    double *parameters = arena_array(fusion->arena, double, value->slot);
    start_pass(emission);
    write_guards(emission, draft);
    for (uint32_t i = 0; i < n; i++) {
        const Instance *input = instance_at(emission, instance_operand(fusion, instance, i));
        inputs[i] = input->buffer;
        shapes[i] =
            program_peek(fusion->program, program_value(fusion->program, input->value)->shape);
        touch_buffer(emission, input->buffer);
    }
    for (uint32_t i = 0; i < value->slot; i++)
        parameters[i] = program_parameter(fusion->program, value, i);
    Pass pass = {.kind = PASS_WHOLE,
                 .whole = {.op = value->op,
                           .n_inputs = n,
                           .inputs = inputs,
                           .parameters = parameters,
                           .n_parameters = value->slot}};
    pass.whole.scratch =
        whole_scratch(value->op, fusion->options->compute, shapes, n, parameters, value->slot);
    find_parts(emission, sink->target, &pass.whole);
    vector_push(&emission->results, note_origin(emission, sink->value));
    finish_pass(emission, &pass);
}

static void emit_copy(Emission *emission, const CopyRun *run) {
    Pass pass = {.kind = PASS_COPY,
                 .copy_leaf = run->leaf,
                 .copy_output = run->output,
                 .copy_from = run->from,
                 .copy_to = run->to,
                 .copy_bytes = run->bytes};
    start_pass(emission);
    finish_pass(emission, &pass);
}

static uint32_t count_leaves(const Program *program) {
    uint32_t n = 0;
    for (uint32_t id = 0; id < program_count(program); id++) {
        const Value *value = program_value(program, id);
        if (value->kind == VALUE_LEAF && value->slot >= n)
            n = value->slot + 1;
    }
    return n;
}

static const Shape *list_shapes(const Fusion *fusion) {
    uint32_t n = program_shapes(fusion->program);
    Shape *shapes = arena_array(fusion->arena, Shape, n);
    for (uint32_t i = 0; i < n; i++)
        if (program_peek(fusion->program, i) != NULL)
            shapes[i] = *program_peek(fusion->program, i);
    return shapes;
}

/* What the checks still need after the last pass. */
static void emit_checks(Emission *emission, PassList *list) {
    const Fusion *fusion = emission->fusion;
    uint32_t n = (uint32_t)fusion->checks.count;
    uint32_t *slots = arena_array(fusion->arena, uint32_t, n);
    start_pass(emission);
    for (uint32_t i = 0; i < n; i++)
        slots[i] = uniform_slot(emission, fusion->checks.items[i]);
    list->checks = slots;
    list->n_checks = n;
    list->ending = KEEP(fusion->arena, emission->uniforms);
    list->n_ending = (uint32_t)emission->uniforms.count;
}

static PassList *list_passes(const Emission *emission, const RootSpec *roots, uint32_t n_roots) {
    const Fusion *fusion = emission->fusion;
    Arena *arena = fusion->arena;
    PassList *list = arena_new(arena, PassList);
    RootInfo *infos = arena_array(arena, RootInfo, n_roots);
    for (uint32_t i = 0; i < n_roots; i++)
        infos[i] = (RootInfo){roots[i].value, program_value(fusion->program, roots[i].value)->shape,
                              roots[i].dtype};
    list->passes = KEEP(arena, emission->passes);
    list->n_passes = (uint32_t)emission->passes.count;
    list->buffers = KEEP(arena, fusion->buffers);
    list->n_buffers = (uint32_t)fusion->buffers.count;
    list->constants = KEEP(arena, emission->constants);
    list->n_constants = (uint32_t)emission->constants.count;
    list->n_uniforms = emission->n_uniforms;
    list->shapes = list_shapes(fusion);
    list->n_shapes = program_shapes(fusion->program);
    list->n_leaves = count_leaves(fusion->program);
    list->any_shape = !program_asked(fusion->program);
    list->roots = infos;
    list->n_roots = n_roots;
    list->compute = fusion->options->compute;
    return list;
}

static void emission_init(Emission *emission, Fusion *fusion) {
    size_t n = fusion->instances.count + 1;
    *emission = (Emission){.fusion = fusion};
    emission->stamp = memory_grow(NULL, memory_size(n, sizeof(uint32_t)));
    emission->first = memory_grow(NULL, memory_size(n, sizeof(uint32_t)));
    emission->last_use = memory_grow(NULL, memory_size(n, sizeof(uint32_t)));
    emission->reg = memory_grow(NULL, memory_size(n, sizeof(uint32_t)));
    emission->coded = memory_grow(NULL, n);
    memset(emission->stamp, 0, n * sizeof(uint32_t));
    memset(emission->first, 0xff, n * sizeof(uint32_t));
    memset(emission->coded, 0, n);
}

static void emission_free(Emission *emission) {
    for (size_t i = 0; i < emission->drafts.count; i++)
        vector_free(&emission->drafts.items[i].sinks);
    vector_free(&emission->drafts);
    free(emission->stamp);
    free(emission->first);
    free(emission->last_use);
    free(emission->reg);
    free(emission->coded);
    vector_free(&emission->open);
    vector_free(&emission->steps);
    vector_free(&emission->free_registers[0]);
    vector_free(&emission->free_registers[1]);
    vector_free(&emission->code);
    vector_free(&emission->accesses);
    vector_free(&emission->reductions);
    vector_free(&emission->selections);
    vector_free(&emission->randoms);
    vector_free(&emission->products);
    vector_free(&emission->uniforms);
    vector_free(&emission->results);
    vector_free(&emission->origins);
    vector_free(&emission->noted);
    vector_free(&emission->guards);
    vector_free(&emission->passes);
    vector_free(&emission->constants);
}

PassList *emit_passes(Fusion *fusion, const RootSpec *roots, uint32_t n_roots) {
    Emission emission;
    emission_init(&emission, fusion);
    number_uniforms(&emission);
    draft_passes(&emission);
    for (uint32_t i = 0; i < emission.drafts.count; i++)
        choose_held(&emission, i);
    for (size_t i = 0; i < fusion->copies.count; i++)
        emit_copy(&emission, &fusion->copies.items[i]);
    for (size_t i = 0; i < emission.drafts.count; i++) {
        const PassDraft *draft = &emission.drafts.items[i];
        const Sink *first = &fusion->sinks.items[draft->sinks.items[0]];
        if (first->kind == SINK_WHOLE)
            emit_whole(&emission, draft);
        else
            emit_tiles(&emission, draft);
    }
    PassList *list = list_passes(&emission, roots, n_roots);
    emit_checks(&emission, list);
    emission_free(&emission);
    return list;
}
