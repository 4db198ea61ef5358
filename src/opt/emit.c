/* From instances to passes: which sinks share one, and in what order values are computed. */
#include "opt/emission.h"
#include "program/whole.h"

#include <string.h>

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
        PassGuard needed = {emission_uniform(emission, guard.instance), guard.when};
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
    emission_write_steps(emission, draft, false);
    keep_code(emission, &pass.code, &pass.n_code);
    if (emission->selections.count > 0) {
        walk_draft(emission, draft, true);
        emission_write_steps(emission, draft, true);
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
        emission_touch_buffer(emission, part->buffer);
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
        emission_touch_buffer(emission, input->buffer);
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
    vector_push(&emission->results, emission_note_origin(emission, sink->value));
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
        slots[i] = emission_uniform(emission, fusion->checks.items[i]);
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
    emission_number_uniforms(&emission);
    draft_passes(&emission);
    for (uint32_t i = 0; i < emission.drafts.count; i++)
        emission_hold(&emission, i);
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
