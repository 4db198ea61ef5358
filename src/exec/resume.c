#include "exec/resume.h"

static const OutputTensor *tensor_of(const Plan *plan, TaskOutput place) {
    return &plan->outputs[place.output].tensors[place.tensor];
}

static bool is_finished(const Plan *plan, const Task *task) {
    for (uint32_t i = 0; i < task->passes->n_roots; i++) {
        TaskOutput place = task->outputs[i];
        if (!output_has(plan->outputs[place.output].files, tensor_of(plan, place)))
            return false;
    }
    return true;
}

const Plan *resume_rest(Arena *arena, const Plan *plan) {
    Plan *rest = arena_new(arena, Plan);
    Task *tasks = arena_array(arena, Task, plan->n_tasks + 1);
    *rest = *plan;
    rest->n_tasks = 0;
    rest->tasks = tasks;
    for (uint32_t i = 0; i < plan->n_tasks; i++)
        if (!is_finished(plan, &plan->tasks[i]))
            tasks[rest->n_tasks++] = plan->tasks[i];
    return rest;
}

void resume_note(void *plan, const Task *task) {
    const Plan *whole = plan;
    for (uint32_t i = 0; i < task->passes->n_roots; i++)
        output_finished(whole->outputs[task->outputs[i].output].files,
                        tensor_of(whole, task->outputs[i]));
}
