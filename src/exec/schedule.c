#include "exec/schedule.h"

#include "base/map.h"
#include "base/vector.h"
#include "exec/dtypes.h"
#include "exec/evaluate.h"
#include "opt/rewrite.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static const DType unwanted = (DType)(DTYPE_COUNT + 1);

/* Keys that have one program. */
typedef struct Class {
    uint32_t group;
    KeyLeaves leaves;          /* of its first key */
    bool exact;                /* serves only keys of the same shapes */
    const Assumption *refuted; /* what does not hold for its keys */
    uint32_t n_refuted;
    Assumption *checked; /* what its passes check, in order */
    uint32_t n_checked;
    const DType *stored; /* by output of the group: see wishes_of */
    const PassList *passes;
    uint64_t identity; /* of the program */
    LowerRoot
        *roots; /* by output of the group; those present are the roots of the passes, in order */
} Class;

/* The outputs of one domain: computed together, key by key. */
typedef struct Group {
    uint32_t domain;
    uint32_t *outputs;
    uint32_t n_outputs;
    Region *region;
} Group;

/* A leaf that is treated as absent because it holds no finite values. */
typedef struct Excluded {
    NodeId node;
    Text key;
} Excluded;

/* What a program took for granted, wrongly for one key. */
typedef struct Refuted {
    Text key;
    uint32_t group;
    Assumption assumption;
} Refuted;

struct Schedule {
    Arena *arena;
    Diags *diags;
    const Solved *solved;
    ScheduleOptions options;
    OutputDTypes *dtypes; /* by output */
    Group *groups;
    uint32_t n_groups;
    VECTOR(Class) classes;
    HashIndex class_index;
    VECTOR(Task) tasks;
    VECTOR(KeyTask) keys; /* Task.origin numbers these */
    VECTOR(Excluded) excluded;
    VECTOR(Refuted) refuted;
    bool *loses_scales;             /* by output: that was said */
    VECTOR(OutputTensor) * tensors; /* by output */
    Output *outputs;
    Arena scratch;    /* while a key is looked at */
    uint64_t largest; /* elements of the largest tensor */
    uint64_t identity;
    uint64_t dropped;
};

/* ---- groups ---- */

static Group *find_group(Schedule *schedule, uint32_t domain) {
    for (uint32_t i = 0; i < schedule->n_groups; i++)
        if (schedule->groups[i].domain == domain)
            return &schedule->groups[i];
    Group *group = &schedule->groups[schedule->n_groups++];
    group->domain = domain;
    group->outputs = arena_array(schedule->arena, uint32_t, schedule->solved->recipe->n_outputs);
    return group;
}

static void make_groups(Schedule *schedule) {
    const Recipe *recipe = schedule->solved->recipe;
    schedule->groups = arena_array(schedule->arena, Group, recipe->n_outputs);
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        Group *group = find_group(schedule, schedule->solved->domain_of[recipe->outputs[i].node]);
        group->outputs[group->n_outputs++] = i;
    }
    for (uint32_t g = 0; g < schedule->n_groups; g++) {
        Group *group = &schedule->groups[g];
        NodeId *roots = arena_array(schedule->arena, NodeId, group->n_outputs);
        for (uint32_t i = 0; i < group->n_outputs; i++)
            roots[i] = recipe->outputs[group->outputs[i]].node;
        group->region = region_new(schedule->arena, schedule->solved, roots, group->n_outputs);
    }
}

/* ---- classes ---- */

typedef struct WantedClass {
    uint32_t group;
    const KeyLeaves *leaves;
    const DType *stored;
    const Assumption *refuted;
    uint32_t n_refuted;
} WantedClass;

static bool same_assumptions(const Class *class, const WantedClass *want) {
    bool same = class->n_refuted == want->n_refuted;
    for (uint32_t i = 0; same && i < want->n_refuted; i++)
        same = assumption_equal(&class->refuted[i], &want->refuted[i]);
    return same;
}

static bool same_class(const void *context, const void *wanted, uint32_t item) {
    const Schedule *schedule = context;
    const WantedClass *want = wanted;
    const Class *class = &schedule->classes.items[item];
    return class->group == want->group && same_assumptions(class, want) &&
           memcmp(class->stored, want->stored,
                  schedule->groups[class->group].n_outputs * sizeof *want->stored) == 0 &&
           leaves_equal(schedule->solved, &class->leaves, want->leaves, class->exact);
}

static uint64_t hash_of(uint64_t before, uint64_t next) {
    return XXH3_64bits_withSeed(&next, sizeof next, before);
}

static uint64_t program_identity(const Program *program, const RootSpec *roots, uint32_t n_roots,
                                 Compute compute) {
    Builder text = {0};
    ValueId *values = memory_grow(NULL, memory_size(n_roots + 1, sizeof *values));
    for (uint32_t i = 0; i < n_roots; i++)
        values[i] = roots[i].value;
    program_dump(program, values, n_roots, &text);
    uint64_t identity = XXH3_64bits_withSeed(text.data, text.size, compute);
    for (uint32_t i = 0; i < n_roots; i++)
        identity = hash_of(identity, (uint64_t)roots[i].dtype);
    free(values);
    builder_free(&text);
    return identity;
}

static void optimise_class(Schedule *schedule, Class *class, Program *program,
                           const Lowering *lowering) {
    const Group *group = &schedule->groups[class->group];
    LowerRoot *roots = class->roots;
    uint32_t n_roots = group->n_outputs;
    RootSpec *specs = arena_array(schedule->arena, RootSpec, n_roots + lowering->n_assumptions + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < n_roots; i++) {
        if (!roots[i].present)
            continue;
        DType stored = class->stored[i] != DTYPE_NONE ? class->stored[i] : roots[i].dtype;
        /* Asked for by name a dtype is a cast; integers that are kept round to nearest. */
        ValueId value = stored != roots[i].dtype ? program_quantise(program, roots[i].value, stored)
                                                 : roots[i].value;
        roots[i].dtype = stored;
        specs[n++] = (RootSpec){value, stored};
    }
    class->checked = arena_array(schedule->arena, Assumption, lowering->n_assumptions + 1);
    for (uint32_t i = 0; i < lowering->n_assumptions; i++) {
        if (lowering->assumptions[i].holds == VALUE_NONE)
            continue;
        class->checked[class->n_checked++] = lowering->assumptions[i];
        specs[n++] = (RootSpec){lowering->assumptions[i].holds, DTYPE_NONE};
    }
    if (schedule->options.identify)
        class->identity = program_identity(program, specs, n, lowering->compute);
    OptimiseOptions options = {.compute = lowering->compute,
                               .hold_bytes =
                                   schedule->options.memory / 4 / schedule->options.threads,
                               .key_elements = schedule->largest};
    class->passes = optimise(schedule->arena, program, specs, n, &options);
}

static void warn_of_scales(Schedule *schedule, const Class *class, Text key) {
    const Group *group = &schedule->groups[class->group];
    for (uint32_t i = 0; i < group->n_outputs; i++) {
        uint32_t output = group->outputs[i];
        if (schedule->loses_scales[output] || !class->roots[i].present ||
            !dtypes_lose_scale(&class->leaves, class->stored[i]))
            continue;
        schedule->loses_scales[output] = true;
        dtypes_warn_scale(schedule->diags, &schedule->solved->recipe->outputs[output], key,
                          class->stored[i]);
    }
}

/* An output that the group's roots of a key leave out: the key is not among the output's. */
static bool lower_class(Schedule *schedule, Class *class, Text key) {
    const Group *group = &schedule->groups[class->group];
    Program *program =
        program_new(schedule->arena, class->leaves.same_shape ? &class->leaves.shape : NULL);
    class->roots = arena_array(schedule->arena, LowerRoot, group->n_outputs);
    Lowering lowering = {.compute = schedule->options.compute,
                         .roots = class->roots,
                         .refuted = class->refuted,
                         .n_refuted = class->n_refuted};
    bool ok = lower(schedule->arena, schedule->diags, group->region, key, &class->leaves, &lowering,
                    program);
    for (uint32_t i = 0; i < group->n_outputs; i++)
        class->roots[i].present &= class->stored[i] != unwanted;
    if (ok) {
        optimise_class(schedule, class, program, &lowering);
        ok = dtypes_check(schedule->diags, schedule->solved, key, &class->leaves, class->passes);
        warn_of_scales(schedule, class, key);
    }
    class->exact = !ok || !class->passes->any_shape;
    program_free(program);
    return ok;
}

/* What the tensors of a key are stored as, by output of its group; DTYPE_NONE: as they are,
 * unwanted: the key is not among the output's. */
static const DType *wishes_of(Schedule *schedule, const KeyTask *key) {
    const Group *group = &schedule->groups[key->group];
    const Solved *solved = schedule->solved;
    DType *stored = arena_array(schedule->arena, DType, group->n_outputs);
    for (uint32_t i = 0; i < group->n_outputs; i++) {
        uint32_t output = group->outputs[i];
        stored[i] = keys_have(solved->output_keys[output], key->id)
                        ? dtypes_of_key(&schedule->dtypes[output], solved->dtypes[output], key->id)
                        : unwanted;
    }
    return stored;
}

static void find_refuted(Schedule *schedule, const KeyTask *key, WantedClass *wanted) {
    VECTOR(Assumption) found = {0};
    for (size_t i = 0; i < schedule->refuted.count; i++)
        if (schedule->refuted.items[i].group == key->group &&
            text_equal(schedule->refuted.items[i].key, key->key))
            vector_push(&found, schedule->refuted.items[i].assumption);
    wanted->refuted = arena_copy(schedule->arena, found.items, found.count * sizeof *found.items);
    wanted->n_refuted = (uint32_t)found.count;
    vector_free(&found);
}

/* The class of a key by its leaves, made if it is new. */
static const Class *find_class(Schedule *schedule, const KeyTask *key, const KeyLeaves *leaves) {
    const DType *stored = wishes_of(schedule, key);
    WantedClass wanted = {key->group, leaves, stored};
    find_refuted(schedule, key, &wanted);
    uint32_t found =
        index_find(&schedule->class_index, leaves->hash, same_class, schedule, &wanted);
    if (found != INDEX_NONE)
        return &schedule->classes.items[found];
    Class class = {.group = key->group,
                   .leaves = *leaves,
                   .stored = stored,
                   .refuted = wanted.refuted,
                   .n_refuted = wanted.n_refuted};
    class.leaves.items =
        arena_copy(schedule->arena, leaves->items, leaves->count * sizeof *leaves->items);
    leaves_join(&class.leaves);
    lower_class(schedule, &class, key->key);
    index_add(&schedule->class_index, leaves->hash, (uint32_t)schedule->classes.count);
    vector_push(&schedule->classes, class);
    return &schedule->classes.items[schedule->classes.count - 1];
}

/* ---- tasks ---- */

static bool is_excluded(void *context, const Leaf *leaf) {
    const Schedule *schedule = context;
    for (size_t i = 0; i < schedule->excluded.count; i++)
        if (schedule->excluded.items[i].node == leaf->node &&
            text_equal(schedule->excluded.items[i].key, leaf->key))
            return true;
    return false;
}

/* What is the same as a leaf before it is not used in its own place. */
static const Tensor *const *bind_leaves(Schedule *schedule, const KeyLeaves *leaves,
                                        const Class *class) {
    const Tensor **bound = arena_array(schedule->arena, const Tensor *, leaves->count + 1);
    for (uint32_t i = 0; i < leaves->count; i++)
        bound[i] = class->leaves.items[i].before == 0 ? leaves->items[i].tensor : NULL;
    return bound;
}

/* The class of KEY as things stand, and a task without outputs. */
static const Class *make_task(Schedule *schedule, const KeyTask *key, uint32_t origin, Task *task) {
    const Group *group = &schedule->groups[key->group];
    KeyLeaves leaves;
    bool some = schedule->excluded.count > 0;
    region_leaves(group->region, key->key, some ? is_excluded : NULL, schedule, &schedule->scratch,
                  &leaves);
    const Class *class = find_class(schedule, key, &leaves);
    Shape *shape = arena_new(schedule->arena, Shape);
    *shape = leaves.shape;
    *task = (Task){.passes = class->passes,
                   .shape = shape,
                   .leaves = bind_leaves(schedule, &leaves, class),
                   .key = XXH3_64bits(key->key.data, key->key.size),
                   .origin = origin};
    arena_reset(&schedule->scratch);
    return class;
}

static Shape root_shape(const Task *task, uint32_t root) {
    ShapeId id = task->passes->roots[root].shape;
    return id == SHAPE_ID_KEY && task->passes->any_shape ? *task->shape : task->passes->shapes[id];
}

/* Gives a new task's roots their tensors in the outputs. */
static void place_roots(Schedule *schedule, const KeyTask *key, const Class *class, Task *task) {
    const Group *group = &schedule->groups[key->group];
    TaskOutput *outputs = arena_array(schedule->arena, TaskOutput, group->n_outputs);
    uint32_t root = 0;
    for (uint32_t i = 0; i < group->n_outputs; i++) {
        if (!class->roots[i].present)
            continue;
        uint32_t output = group->outputs[i];
        OutputTensor tensor = {
            .name = key->key, .dtype = class->roots[i].dtype, .shape = root_shape(task, root)};
        outputs[root++] = (TaskOutput){output, (uint32_t)schedule->tensors[output].count};
        vector_push(&schedule->tensors[output], tensor);
    }
    task->outputs = outputs;
}

static bool in_some_output(const Schedule *schedule, const Group *group, KeyId key) {
    for (uint32_t i = 0; i < group->n_outputs; i++)
        if (keys_have(schedule->solved->output_keys[group->outputs[i]], key))
            return true;
    return false;
}

static void report_dropped(Schedule *schedule, const KeyTask *key) {
    schedule->dropped++;
    if (schedule->options.strict)
        diag_error(schedule->diags, SPAN_NONE,
                   "the key '%.*s' cannot be computed: an input lacks it",
                   TEXT_ARG(text_printable(schedule->arena, key->key)));
}

/* Which input a tensor is of; most leaves are those of the inputs in order. */
static uint32_t input_of(const Solved *solved, const Tensor *tensor, uint32_t guess) {
    for (uint32_t i = 0; i < solved->n_inputs; i++) {
        uint32_t at = (guess + i) % solved->n_inputs;
        const Model *model = solved->inputs[at];
        if (tensor >= model->tensors && tensor < model->tensors + model->n_tensors)
            return at;
    }
    return UINT32_MAX;
}

static void identify(Schedule *schedule, const Class *class, const Task *task) {
    uint64_t identity = hash_of(hash_of(schedule->identity, class->identity), task->key);
    for (uint32_t i = 0; i < task->passes->n_leaves; i++) {
        const Tensor *leaf = task->leaves[i];
        if (leaf != NULL)
            identity = hash_of(hash_of(identity, input_of(schedule->solved, leaf, i)),
                               XXH3_64bits_withSeed(leaf->name.data, leaf->name.size, i));
    }
    schedule->identity = identity;
}

uint64_t schedule_identity(const Schedule *schedule) {
    uint64_t identity = schedule->identity;
    for (uint32_t i = 0; i < schedule->solved->n_inputs; i++)
        identity = hash_of(identity, model_identity(schedule->solved->inputs[i]));
    return identity;
}

static void schedule_key(Schedule *schedule, uint32_t g, KeyId id) {
    const Domain *domain = &schedule->solved->domains[schedule->groups[g].domain];
    KeyTask key = {.key = domain->keys[id], .group = g, .id = id};
    Task task;
    const Class *class = make_task(schedule, &key, (uint32_t)schedule->keys.count, &task);
    if (class->passes == NULL)
        return; /* reported */
    if (class->passes->n_roots == 0) {
        report_dropped(schedule, &key);
        return;
    }
    place_roots(schedule, &key, class, &task);
    if (schedule->options.identify)
        identify(schedule, class, &task);
    vector_push(&schedule->keys, key);
    vector_push(&schedule->tasks, task);
}

static void find_largest(Schedule *schedule) {
    for (uint32_t i = 0; i < schedule->solved->n_inputs; i++)
        for (uint32_t k = 0; k < schedule->solved->inputs[i]->n_tensors; k++)
            if (schedule->solved->inputs[i]->tensors[k].count > schedule->largest)
                schedule->largest = schedule->solved->inputs[i]->tensors[k].count;
}

/* A task that holds more than the budget cannot be run. */
static void check_memory(Schedule *schedule) {
    for (size_t i = 0; i < schedule->tasks.count; i++) {
        const Task *task = &schedule->tasks.items[i];
        uint64_t needed = task_memory(task);
        if (needed <= schedule->options.memory)
            continue;
        Builder have = {0}, want = {0};
        builder_bytes(&want, needed);
        builder_bytes(&have, schedule->options.memory);
        diag_error(
            schedule->diags, SPAN_NONE, "'%.*s' needs %s of memory, and --memory allows %s",
            TEXT_ARG(text_printable(schedule->arena, schedule->keys.items[task->origin].key)),
            want.data, have.data);
        builder_free(&have);
        builder_free(&want);
    }
}

static void finish_outputs(Schedule *schedule) {
    uint32_t n = schedule->solved->recipe->n_outputs;
    schedule->outputs = arena_array(schedule->arena, Output, n);
    for (uint32_t i = 0; i < n; i++) {
        vector_reserve(&schedule->tensors[i], 1); /* none is an array, too */
        schedule->outputs[i] = (Output){.tensors = schedule->tensors[i].items,
                                        .n_tensors = (uint32_t)schedule->tensors[i].count};
    }
}

static bool find_dtypes(Schedule *schedule) {
    const Recipe *recipe = schedule->solved->recipe;
    schedule->dtypes = arena_array(schedule->arena, OutputDTypes, recipe->n_outputs + 1);
    schedule->loses_scales = arena_array(schedule->arena, bool, recipe->n_outputs + 1);
    bool ok = true;
    for (uint32_t i = 0; i < recipe->n_outputs; i++)
        ok &= dtypes_of_output(schedule->arena, schedule->diags, &recipe->outputs[i],
                               schedule->options.dtype, &schedule->dtypes[i]);
    return ok;
}

Schedule *schedule_new(Arena *arena, Diags *diags, const Solved *solved,
                       const ScheduleOptions *options) {
    size_t errors = diag_errors(diags);
    Schedule *schedule = arena_new(arena, Schedule);
    *schedule = (Schedule){.arena = arena, .diags = diags, .solved = solved, .options = *options};
    schedule->tensors = arena_alloc(arena, solved->recipe->n_outputs * sizeof *schedule->tensors);
    if (find_dtypes(schedule)) {
        find_largest(schedule);
        make_groups(schedule);
        for (uint32_t g = 0; g < schedule->n_groups; g++)
            for (KeyId key = 0; key < solved->domains[schedule->groups[g].domain].n_keys; key++)
                if (in_some_output(schedule, &schedule->groups[g], key))
                    schedule_key(schedule, g, key);
        finish_outputs(schedule);
        check_memory(schedule);
    }
    if (diag_errors(diags) == errors)
        return schedule;
    schedule_free(schedule);
    return NULL;
}

void schedule_free(Schedule *schedule) {
    for (uint32_t i = 0; i < schedule->solved->recipe->n_outputs; i++)
        vector_free(&schedule->tensors[i]);
    vector_free(&schedule->classes);
    vector_free(&schedule->tasks);
    vector_free(&schedule->keys);
    vector_free(&schedule->excluded);
    vector_free(&schedule->refuted);
    index_free(&schedule->class_index);
    arena_free(&schedule->scratch);
}

Plan *schedule_plan(Schedule *schedule) {
    Plan *plan = arena_new(schedule->arena, Plan);
    *plan = (Plan){.tasks = schedule->tasks.items,
                   .n_tasks = (uint32_t)schedule->tasks.count,
                   .outputs = schedule->outputs,
                   .n_outputs = schedule->solved->recipe->n_outputs};
    return plan;
}

/* ---- once more, without what is not finite ---- */

static void exclude(Schedule *schedule, const Plan *last, const NonFinite *hit) {
    const KeyTask *key = &schedule->keys.items[last->tasks[hit->task].origin];
    const Group *group = &schedule->groups[key->group];
    Arena scratch = {0};
    KeyLeaves leaves;
    region_leaves(group->region, key->key, schedule->excluded.count > 0 ? is_excluded : NULL,
                  schedule, &scratch, &leaves);
    const Leaf *leaf = &leaves.items[hit->slot];
    const Model *model = schedule->solved->models[leaf->node];
    vector_push(&schedule->excluded, (Excluded){leaf->node, text_copy(schedule->arena, leaf->key)});
    diag_warning(schedule->diags, SPAN_NONE,
                 "'%.*s' of %.*s holds NaN or infinities, and counts as missing",
                 TEXT_ARG(text_printable(schedule->arena, leaf->key)),
                 TEXT_ARG(text_printable(schedule->arena, model->path)));
    arena_free(&scratch);
}

static void refute(Schedule *schedule, const KeyTask *key, const Assumption *assumption) {
    vector_push(&schedule->refuted, (Refuted){key->key, key->group, *assumption});
}

/* What a key lost: its tensor leaves the file. */
static void drop_tensor(Schedule *schedule, OutputTensor *tensor) {
    tensor->dropped = true;
    schedule->dropped++;
    Text shown = text_printable(schedule->arena, tensor->name);
    if (schedule->options.strict)
        diag_error(schedule->diags, SPAN_NONE, "the key '%.*s' has no finite value",
                   TEXT_ARG(shown));
    else
        diag_warning(schedule->diags, SPAN_NONE,
                     "the key '%.*s' has no finite value, and is left out", TEXT_ARG(shown));
}

/* Fits the new roots of a key into the places that were planned for it. */
static bool replace_roots(Schedule *schedule, const Task *old, const Class *old_class,
                          const Class *class, Task *task) {
    const Group *group = &schedule->groups[class->group];
    TaskOutput *outputs = arena_array(schedule->arena, TaskOutput, group->n_outputs);
    uint32_t old_root = 0, root = 0;
    bool some = false;
    for (uint32_t i = 0; i < group->n_outputs; i++) {
        if (!old_class->roots[i].present)
            continue;
        TaskOutput place = old->outputs[old_root++];
        OutputTensor *tensor = &schedule->outputs[place.output].tensors[place.tensor];
        bool present = class->passes != NULL && class->roots[i].present;
        OutputTensor fitted = *tensor;
        if (present) {
            fitted.shape = root_shape(task, root);
            fitted.dtype = class->roots[i].dtype;
            fitted.bytes = output_tensor_bytes(&fitted);
        }
        if (!present || fitted.bytes > tensor->bytes) {
            drop_tensor(schedule, tensor);
        } else {
            *tensor = fitted;
            some = true;
        }
        if (present)
            outputs[root++] = place;
    }
    task->outputs = outputs;
    return some;
}

Plan *schedule_again(Schedule *schedule, const Plan *last, const NonFinite *hits, size_t n_hits,
                     bool *failed) {
    size_t errors = diag_errors(schedule->diags);
    Task *tasks = arena_array(schedule->arena, Task, n_hits + 1);
    uint32_t n_tasks = 0;
    for (size_t i = 0; i < n_hits;) {
        const Task *old = &last->tasks[hits[i].task];
        const KeyTask *key = &schedule->keys.items[old->origin];
        Task again;
        Class before = *make_task(schedule, key, old->origin, &again);
        size_t next = i;
        while (next < n_hits && hits[next].task == hits[i].task)
            next++;
        /* Slots are those of the leaves before anything of this key is excluded, so the last goes
         * first. */
        for (size_t k = i; k < next; k++)
            if (hits[k].slot < old->passes->n_leaves)
                exclude(schedule, last, &hits[k]);
            else
                refute(schedule, key, &before.checked[hits[k].slot - old->passes->n_leaves]);
        Class after = *make_task(schedule, key, old->origin, &again);
        if (replace_roots(schedule, old, &before, &after, &again))
            tasks[n_tasks++] = again;
        i = next;
    }
    *failed = diag_errors(schedule->diags) > errors;
    if (n_tasks == 0)
        return NULL;
    Plan *plan = arena_new(schedule->arena, Plan);
    *plan = (Plan){.tasks = tasks,
                   .n_tasks = n_tasks,
                   .outputs = schedule->outputs,
                   .n_outputs = schedule->solved->recipe->n_outputs};
    return plan;
}

/* ---- figures ---- */

ScheduleFigures schedule_figures(const Schedule *schedule) {
    ScheduleFigures figures = {.n_classes = (uint32_t)schedule->classes.count};
    for (size_t i = 0; i < schedule->tasks.count; i++) {
        const Task *task = &schedule->tasks.items[i];
        for (uint32_t k = 0; k < task->passes->n_leaves; k++)
            figures.bytes_to_read += task->leaves[k] != NULL ? task->leaves[k]->bytes : 0;
        uint64_t memory = task_memory(task);
        figures.peak_memory = memory > figures.peak_memory ? memory : figures.peak_memory;
    }
    for (uint32_t i = 0; i < schedule->solved->recipe->n_outputs; i++)
        for (size_t k = 0; k < schedule->tensors[i].count; k++)
            figures.bytes_to_write += output_tensor_bytes(&schedule->tensors[i].items[k]);
    return figures;
}

uint64_t schedule_dropped(const Schedule *schedule) {
    return schedule->dropped;
}

static uint64_t leaf_bytes(const Task *task) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < task->passes->n_leaves; i++)
        bytes += task->leaves[i] != NULL ? task->leaves[i]->bytes : 0;
    return bytes;
}

static void count_task(const Schedule *schedule, const Task *task, ScheduleClass *class) {
    if (class->n_keys++ == 0) {
        class->first = schedule->keys.items[task->origin].key;
        class->shape = task->shape;
    }
    class->bytes += leaf_bytes(task);
    uint64_t memory = task_memory(task);
    class->memory = memory > class->memory ? memory : class->memory;
}

const ScheduleClass *schedule_classes(const Schedule *schedule, Arena *arena, uint32_t *count) {
    size_t n = schedule->classes.count;
    ScheduleClass *classes = arena_array(arena, ScheduleClass, n + 1);
    *count = 0;
    for (size_t c = 0; c < n; c++) {
        const Class *class = &schedule->classes.items[c];
        ScheduleClass told = {.passes = class->passes, .leaves = &class->leaves};
        for (size_t i = 0; i < schedule->tasks.count; i++)
            if (schedule->tasks.items[i].passes == class->passes)
                count_task(schedule, &schedule->tasks.items[i], &told);
        if (told.n_keys > 0)
            classes[(*count)++] = told;
    }
    return classes;
}
