/* The content (exec/content.h) of what a run reads, taken while it is read: each tensor belongs
 * to the first task that has it as a leaf, and whose first sweep takes some blocks of it right
 * behind each tile, while they are in the cache. Each thread sums by itself what it takes.
 * What no task takes, since an earlier run finished its keys, is read at the end. */
#ifndef EXEC_INPUT_CONTENT_H
#define EXEC_INPUT_CONTENT_H

#include "exec/content.h"
#include "exec/plan.h"

typedef struct InputContent InputContent;

/* Of MODELS, whose tensors are the leaves of the plans to come. In ARENA. */
InputContent *input_content_new(Arena *arena, const Model *const *models, uint32_t n_models);

/* Notes that the tensors of a plan are read. */
void input_content_note(InputContent *content, const Plan *plan);
/* Notes them, and gives those that were not taken yet to the tasks of the plan, which runs now. */
void input_content_begin(InputContent *content, const Plan *plan);
/* That plan was run to its end. */
void input_content_end(InputContent *content);

/* Adds the share that units BEGIN to END of N have in the tensors that belong to a task to SUMS,
 * one for each model, which are the calling thread's. */
void input_content_take(const InputContent *content, Content *sums, uint32_t task, uint64_t begin,
                        uint64_t end, uint64_t n);
/* Sums for one thread, all empty; of malloc, NULL where it has none. */
Content *input_content_sums(const InputContent *content);
/* Adds what a thread took; one after the other. */
void input_content_add(InputContent *content, const Content *sums);

/* Reads what was noted but not taken. */
void input_content_rest(InputContent *content, unsigned threads, const volatile int *interrupted);

bool input_content_reads(const InputContent *content, uint32_t model, uint32_t tensor);
/* Of all tensors of a model that are read. */
Content input_content_of(const InputContent *content, uint32_t model);

#endif
