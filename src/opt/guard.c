/* Which sinks need not be fed: what they make matters only while a uniform is 0, or is not. */
#include "opt/instance.h"

#include <stdlib.h>

enum { GUARD_NEVER = GUARD_ALWAYS - 1 }; /* no use is known yet */

static Guard join_guards(Guard a, Guard b) {
    if (a.instance == GUARD_NEVER)
        return b;
    if (b.instance == GUARD_NEVER || (a.instance == b.instance && a.when == b.when))
        return a;
    return (Guard){GUARD_ALWAYS, false};
}

/* Whether the i-th operand of an instance matters only for one outcome of its first. */
static bool depends_on_first(const Fusion *fusion, const Instance *instance, uint32_t i,
                             bool *when) {
    if (instance->kind != INSTANCE_MAP || i == 0)
        return false;
    uint8_t op = program_value(fusion->program, instance->value)->op;
    const Instance *first = &fusion->instances.items[instance_operand(fusion, instance, 0)];
    *when = op == OP_AND || (op == OP_WHERE && i == 1);
    return (op == OP_WHERE || op == OP_AND || op == OP_OR) && first->context == CONTEXT_UNIFORM &&
           first->kind != INSTANCE_CONST;
}

/* When an operand matters: both its own condition and the user's hold, and either will do; the one
 * that is known first serves more passes. */
static Guard operand_guard(const Fusion *fusion, const Instance *instance, Guard user, uint32_t i) {
    bool when;
    if (!depends_on_first(fusion, instance, i, &when))
        return user;
    Guard own = {instance_operand(fusion, instance, 0), when};
    const Instance *instances = fusion->instances.items;
    bool earlier = user.instance != GUARD_ALWAYS &&
                   instances[user.instance].level <= instances[own.instance].level;
    return earlier ? user : own;
}

static void note_need(Guard *needs, uint32_t id, Guard guard) {
    needs[id] = join_guards(needs[id], guard);
}

/* Instances stand after their operands: from the last to the first, each knows all of its users. */
static Guard *find_needs(const Fusion *fusion) {
    size_t n = fusion->instances.count;
    const Guard always = {GUARD_ALWAYS, false};
    Guard *needs = memory_grow(NULL, memory_size(n + 1, sizeof *needs));
    for (size_t id = 0; id < n; id++)
        needs[id] = (Guard){GUARD_NEVER, false};
    for (size_t i = 0; i < fusion->sinks.count; i++) {
        const Sink *sink = &fusion->sinks.items[i];
        if (sink->kind == SINK_STORE && sink->access->kind == PLACE_OUTPUT)
            note_need(needs, sink->a, always);
    }
    for (size_t i = 0; i < fusion->checks.count; i++)
        note_need(needs, fusion->checks.items[i], always);
    for (size_t id = n; id-- > 0;) {
        const Instance *instance = &fusion->instances.items[id];
        for (uint32_t i = 0; needs[id].instance != GUARD_NEVER && i < instance->n_operands; i++)
            note_need(needs, instance_operand(fusion, instance, i),
                      operand_guard(fusion, instance, needs[id], i));
    }
    return needs;
}

/* The instance that holds each buffer. */
static uint32_t *find_holders(const Fusion *fusion) {
    uint32_t *holders = memory_grow(NULL, memory_size(fusion->buffers.count + 1, sizeof *holders));
    for (uint32_t id = 0; id < fusion->instances.count; id++)
        if (fusion->instances.items[id].kind == INSTANCE_BUFFER)
            holders[fusion->instances.items[id].buffer] = id;
    return holders;
}

static Guard sink_guard(const Fusion *fusion, const Sink *sink, const Guard *needs,
                        const uint32_t *holders) {
    uint32_t target = sink->target;
    if (sink->kind == SINK_STORE && sink->access->kind == PLACE_OUTPUT)
        return (Guard){GUARD_ALWAYS, false};
    if (sink->kind == SINK_STORE)
        target = holders[sink->access->index];
    else if (sink->kind == SINK_COLUMN)
        target = holders[sink->target];
    Guard guard = needs[target];
    bool known = guard.instance < GUARD_NEVER &&
                 fusion->instances.items[guard.instance].level <= sink->level;
    return known ? guard : (Guard){GUARD_ALWAYS, false};
}

void find_guards(Fusion *fusion) {
    Guard *needs = find_needs(fusion);
    uint32_t *holders = find_holders(fusion);
    for (size_t i = 0; i < fusion->sinks.count; i++) {
        Sink *sink = &fusion->sinks.items[i];
        sink->guard = sink_guard(fusion, sink, needs, holders);
    }
    free(needs);
    free(holders);
}
