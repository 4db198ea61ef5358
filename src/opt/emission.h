/* What emit.c, emit_hold.c and emit_code.c share while instances become passes. (Inside opt/.) */
#ifndef OPT_EMISSION_H
#define OPT_EMISSION_H

#include "opt/instance.h"

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

static inline Instance *instance_at(const Emission *emission, uint32_t id) {
    return &emission->fusion->instances.items[id];
}

static inline const Value *instance_value(const Emission *emission, uint32_t id) {
    return program_value(emission->fusion->program, instance_at(emission, id)->value);
}

static inline const Sink *sink_at(const Emission *emission, uint32_t id) {
    return &emission->fusion->sinks.items[id];
}

static inline bool is_held_for(const Emission *emission, uint32_t id, const PassDraft *draft) {
    const Instance *instance = instance_at(emission, id);
    return instance->buffer != BUFFER_NONE && instance->ready <= draft->level;
}

/* Whether an instance is computed in the tiles of its pass. */
static inline bool is_tile(const Emission *emission, uint32_t id) {
    return instance_at(emission, id)->context >= CONTEXT_DOMAINS;
}

static inline bool is_source(const Emission *emission, uint32_t id, const PassDraft *draft) {
    uint8_t kind = instance_at(emission, id)->kind;
    return kind == INSTANCE_LOAD || kind == INSTANCE_FETCH || kind == INSTANCE_COORDINATE ||
           kind == INSTANCE_RANDOM || is_held_for(emission, id, draft);
}

/* Holds what the draft of that number computes in buffers, where computing it again would cost
 * more. */
void emission_hold(Emission *emission, uint32_t draft);

void emission_number_uniforms(Emission *emission);
/* The slot of a uniform, after the code that computes it. */
uint32_t emission_uniform(Emission *emission, uint32_t id);
/* Notes what a pass computes a part of. */
uint32_t emission_note_origin(Emission *emission, ValueId value);
/* The pass being written uses a buffer. */
void emission_touch_buffer(Emission *emission, uint32_t buffer);
/* Writes the code of the steps; what registers it takes is added to those of the code before. */
void emission_write_steps(Emission *emission, const PassDraft *draft, bool again);

#endif
