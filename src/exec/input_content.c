#include "exec/input_content.h"

#include "base/vector.h"

#include <assert.h>
#include <stdlib.h>

typedef enum State { STATE_UNREAD, STATE_NOTED, STATE_GIVEN, STATE_TAKEN } State;

/* A model, with what of it was taken so far. */
typedef struct Part {
    const Model *model;
    unsigned char *states; /* by tensor */
    Content sum;
} Part;

/* A tensor that belongs to a task. */
typedef struct Given {
    const Tensor *tensor;
    uint32_t part;         /* whose it is */
    uint64_t name, blocks; /* of the tensor: content_name, content_blocks */
} Given;

struct InputContent {
    Arena *arena;
    HashLoop *hash;
    Part *parts; /* in the order of the models */
    uint32_t n_parts;
    Part **sorted; /* by the address of their tensors */
    /* of the plan that runs */
    Given *given;
    uint32_t *first; /* by task, and one more: in GIVEN */
};

static int by_address(const void *a, const void *b) {
    const Tensor *x = (*(Part *const *)a)->model->tensors, *y = (*(Part *const *)b)->model->tensors;
    return x < y ? -1 : x > y;
}

InputContent *input_content_new(Arena *arena, const Model *const *models, uint32_t n_models) {
    InputContent *content = arena_new(arena, InputContent);
    content->arena = arena;
    content->hash = kernels_best()->hash;
    content->n_parts = n_models;
    content->parts = arena_array(arena, Part, n_models + 1);
    content->sorted = arena_array(arena, Part *, n_models + 1);
    for (uint32_t i = 0; i < n_models; i++) {
        content->parts[i].model = models[i];
        content->parts[i].states = arena_array(arena, unsigned char, models[i]->n_tensors + 1);
        content->sorted[i] = &content->parts[i];
    }
    qsort(content->sorted, n_models, sizeof *content->sorted, by_address);
    return content;
}

/* The model that a tensor stands in. */
static Part *part_of(const InputContent *content, const Tensor *tensor) {
    uint32_t low = 0, high = content->n_parts;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (tensor < content->sorted[middle]->model->tensors)
            high = middle;
        else
            low = middle;
    }
    return content->sorted[low];
}

static unsigned char *state_of(const Part *part, const Tensor *tensor) {
    assert(tensor >= part->model->tensors &&
           tensor < part->model->tensors + part->model->n_tensors);
    return &part->states[tensor - part->model->tensors];
}

static void note_task(InputContent *content, const Task *task) {
    for (uint32_t i = 0; i < task->passes->n_leaves; i++) {
        const Tensor *tensor = task->leaves[i];
        unsigned char *state = tensor != NULL ? state_of(part_of(content, tensor), tensor) : NULL;
        if (state != NULL && *state == STATE_UNREAD)
            *state = STATE_NOTED;
    }
}

void input_content_note(InputContent *content, const Plan *plan) {
    for (uint32_t i = 0; i < plan->n_tasks; i++)
        note_task(content, &plan->tasks[i]);
}

/* Gives a task its leaves that no other has; returns where the next task's begin. */
static uint32_t give(InputContent *content, const Task *task, uint32_t next) {
    for (uint32_t i = 0; i < task->passes->n_leaves; i++) {
        const Tensor *tensor = task->leaves[i];
        Part *part = tensor != NULL ? part_of(content, tensor) : NULL;
        if (part == NULL || *state_of(part, tensor) != STATE_NOTED)
            continue;
        *state_of(part, tensor) = STATE_GIVEN;
        content->given[next++] = (Given){tensor, (uint32_t)(part - content->parts),
                                         content_name(tensor), content_blocks(tensor)};
    }
    return next;
}

void input_content_begin(InputContent *content, const Plan *plan) {
    size_t n_leaves = 0;
    for (uint32_t i = 0; i < plan->n_tasks; i++)
        n_leaves += plan->tasks[i].passes->n_leaves;
    input_content_note(content, plan);
    content->given = arena_array(content->arena, Given, n_leaves + 1);
    content->first = arena_array(content->arena, uint32_t, plan->n_tasks + 1);
    for (uint32_t i = 0; i < plan->n_tasks; i++)
        content->first[i + 1] = give(content, &plan->tasks[i], content->first[i]);
}

void input_content_end(InputContent *content) {
    for (uint32_t i = 0; i < content->n_parts; i++)
        for (uint32_t k = 0; k < content->parts[i].model->n_tensors; k++)
            if (content->parts[i].states[k] == STATE_GIVEN)
                content->parts[i].states[k] = STATE_TAKEN;
}

Content *input_content_sums(const InputContent *content) {
    return calloc(content->n_parts + 1, sizeof(Content));
}

void input_content_add(InputContent *content, const Content *sums) {
    for (uint32_t i = 0; i < content->n_parts; i++)
        content_add(&content->parts[i].sum, sums[i]);
}

/* Where unit I of N begins in a tensor of so many blocks. */
static uint64_t block_at(uint64_t blocks, uint64_t i, uint64_t n) {
    return (uint64_t)((unsigned __int128)blocks * i / n);
}

void input_content_take(const InputContent *content, Content *sums, uint32_t task, uint64_t begin,
                        uint64_t end, uint64_t n) {
    uint64_t blocks = 0, from = 0, to = 0; /* most leaves of a task have as many */
    for (uint32_t i = content->first[task]; i < content->first[task + 1]; i++) {
        const Given *given = &content->given[i];
        if (given->blocks != blocks) {
            blocks = given->blocks;
            from = block_at(blocks, begin, n);
            to = block_at(blocks, end, n);
        }
        Content *sum = &sums[given->part];
        if (begin == 0)
            content_add_name(sum, content->hash, given->tensor);
        if (from < to)
            content_add_blocks(sum, content->hash, given->tensor, given->name, from, to);
    }
}

static void read_rest(InputContent *content, Part *part, unsigned threads,
                      const volatile int *interrupted) {
    const Tensor **tensors =
        arena_array(content->arena, const Tensor *, part->model->n_tensors + 1);
    size_t count = 0;
    for (uint32_t i = 0; i < part->model->n_tensors; i++)
        if (part->states[i] == STATE_NOTED) {
            part->states[i] = STATE_TAKEN;
            tensors[count++] = &part->model->tensors[i];
        }
    if (count > 0)
        content_add(&part->sum, content_of_tensors(tensors, count, threads, interrupted));
}

void input_content_rest(InputContent *content, unsigned threads, const volatile int *interrupted) {
    for (uint32_t i = 0; i < content->n_parts; i++)
        read_rest(content, &content->parts[i], threads, interrupted);
}

bool input_content_reads(const InputContent *content, uint32_t model, uint32_t tensor) {
    return content->parts[model].states[tensor] != STATE_UNREAD;
}

Content input_content_of(const InputContent *content, uint32_t model) {
    return content->parts[model].sum;
}
