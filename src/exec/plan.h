/* A plan: everything that is going to happen, known before the first byte is written.
 *
 * A task is one key (or one group of keys that are computed together): its passes, and the tensors
 * bound to its leaves and outputs. Made by the library's face (mecha.c) from lowered and optimised
 * programs; run by exec/evaluate.h. */
#ifndef EXEC_PLAN_H
#define EXEC_PLAN_H

#include "program/pass.h"
#include "tensor/output.h"
#include "tensor/reader.h"

typedef struct TaskOutput {
    uint32_t output; /* in Plan.outputs */
    uint32_t tensor; /* in Output.tensors */
} TaskOutput;

typedef struct Task {
    const PassList *passes;
    const Shape *shape;          /* of SHAPE_ID_KEY where passes->any_shape */
    const Tensor *const *leaves; /* by slot; in a reader's map: pages are given back
                                    (model_done_with), which private memory would not survive */
    const TaskOutput *outputs;   /* by root */
    uint64_t key;    /* identifies the key, for random draws: XXH3 of its name, unseeded */
    uint32_t origin; /* the caller's number for it */
} Task;

/* A file or folder to be written. */
typedef struct Output {
    OutputFiles *files;
    OutputTensor *tensors;
    uint32_t n_tensors;
} Output;

typedef struct Plan {
    const Task *tasks;
    uint32_t n_tasks;
    Output *outputs;
    uint32_t n_outputs;
} Plan;

#endif
