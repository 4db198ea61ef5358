/* The code of a pass: instructions for uniforms and tiles, and the registers they take. */
#include "opt/emission.h"

#include <assert.h>
#include <string.h>

/* --- Uniform code --- */

static bool is_coded(const Emission *emission, uint32_t id) {
    uint8_t kind = instance_at(emission, id)->kind;
    return kind == INSTANCE_CONST || kind == INSTANCE_RESULT || emission->coded[id];
}

uint32_t emission_note_origin(Emission *emission, ValueId value) {
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
    const Value *value = instance_value(emission, id);
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
    emission_note_origin(emission, instance->value);
}

uint32_t emission_uniform(Emission *emission, uint32_t id) {
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

void emission_number_uniforms(Emission *emission) {
    uint32_t count = (uint32_t)emission->fusion->instances.count;
    for (uint32_t id = 0; id < count; id++)
        if (instance_at(emission, id)->kind == INSTANCE_CONST) {
            instance_at(emission, id)->slot = (uint32_t)emission->constants.count;
            vector_push(&emission->constants, instance_value(emission, id)->number);
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

void emission_touch_buffer(Emission *emission, uint32_t buffer) {
    BufferInfo *info = &emission->fusion->buffers.items[buffer];
    uint32_t pass = (uint32_t)emission->passes.count;
    info->first_pass = pass < info->first_pass ? pass : info->first_pass;
    info->last_pass = pass > info->last_pass ? pass : info->last_pass;
}

static uint32_t add_access(Emission *emission, const Access *access) {
    if (access->kind == PLACE_BUFFER || access->kind == PLACE_MASK)
        emission_touch_buffer(emission, access->index);
    vector_push(&emission->accesses, *access);
    return (uint32_t)(emission->accesses.count - 1);
}

static void use_operand(Emission *emission, TileInstr *instr, unsigned i, uint32_t operand) {
    if (is_tile(emission, operand)) {
        instr->src[i] = emission->reg[operand];
    } else {
        instr->src[i] = emission_uniform(emission, operand);
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
    emission_touch_buffer(emission, instance_at(emission, held)->buffer);
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
    const Value *value = instance_value(emission, id);
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
    const Value *value = instance_value(emission, id);
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
        emission_note_origin(emission, instance_at(emission, id)->value);
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
        emission_touch_buffer(emission, sink->target);
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
        vector_push(&emission->results, emission_note_origin(emission, sink->value));
}

void emission_write_steps(Emission *emission, const PassDraft *draft, bool again) {
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
