/* Runs plans: workers over (task, range of tiles), within a memory budget; identical bytes for any
 * number of threads.
 *
 * Threads pull chunks of the earliest task that has some, so that inputs are read in the order of
 * the plan; passes of one task follow each other, passes of different tasks overlap. What can fail
 * or allocate happens when a task is admitted; within a pass only the write can fail. Sums over
 * chunks are combined in the order of the chunks. */
#ifndef EXEC_EVALUATE_H
#define EXEC_EVALUATE_H

#include "exec/plan.h"

typedef struct EvaluateOptions {
    const Kernels *kernels;
    unsigned threads; /* at least 1; fewer run where the system gives no more */
    uint64_t memory;  /* bytes for buffers and scratch; a task that needs more by itself was refused
                         before (task_memory) */
    uint64_t native_least; /* tensors of so many elements are worth machine code (exec/native.h) */
    bool check_finite;     /* report leaves that hold NaN or infinities */
    const volatile int *interrupted; /* may be NULL */
    void (*progress)(void *context, uint64_t tasks_done, uint64_t bytes_done);
    void *progress_context;
    /* Called by any thread for every task that is complete and needs not be done again; may be
     * NULL. */
    void (*finished)(void *context, const Task *task);
    void *finished_context;
    struct InputContent *content; /* taken of what is read (exec/input_content.h); may be NULL */
} EvaluateOptions;

/* A leaf that turned out to hold NaN or an infinity, or (from the number of leaves on) a check that
 * failed: what its task wrote is worthless, and has to be done again without it. */
typedef struct NonFinite {
    uint32_t task; /* index in the plan */
    uint32_t slot;
} NonFinite;

typedef enum EvaluateStatus {
    EVALUATE_DONE,
    EVALUATE_WRITE_FAILED,
    EVALUATE_INTERRUPTED,
    EVALUATE_FAILED
} EvaluateStatus;

typedef struct EvaluateResult {
    EvaluateStatus status;
    NonFinite *hits; /* malloc'ed, in order of task and slot; the caller frees */
    size_t n_hits;
    uint64_t bytes_read, bytes_written;
    Text failure; /* EVALUATE_FAILED: what a whole-tensor primitive said; a static text */
    Text failed_key;
} EvaluateResult;

EvaluateResult evaluate(const Plan *plan, const EvaluateOptions *options);

/* Bytes that the task holds at most while it runs, besides a fixed amount per thread. */
uint64_t task_memory(const Task *task);
/* Bytes that one thread holds for registers and output blocks, for passes like those of the plan.
 */
uint64_t worker_memory(const Plan *plan);

#endif
