/* One task at work: its uniforms, its buffers, and the sweep that is open.
 *
 * One thread opens the sweeps of a task, one after the other (job_next); any thread runs chunks of
 * the open one (job_run). */
#ifndef EXEC_JOB_H
#define EXEC_JOB_H

#include "base/vector.h"
#include "exec/evaluate.h"
#include "exec/tile.h"

typedef enum JobStep { JOB_SWEEP, JOB_COMPLETE, JOB_FAILED } JobStep;

typedef struct Job {
    /* For the scheduler. */
    uint32_t number;   /* of the task in the plan */
    uint64_t n_chunks; /* of the open sweep */
    uint64_t next_chunk, chunks_left;
    struct Job *next;

    struct InputContent *content;
    bool content_due; /* it was not taken of the leaves yet */

    Frame frame; /* what the threads share */
    NativeCache *natives;
    uint64_t native_least;
    uint32_t pass;
    bool open;     /* a pass is */
    bool left_out; /* it is, by its guards */
    TileCode code; /* of the open sweep */
    Text failure;  /* after JOB_FAILED; a static text */

    VECTOR(double) uniforms;
    VECTOR(unsigned char) uniform_tiles;
    VECTOR(void *) buffers;
    VECTOR(void *) packed; /* by product of the pass at hand: its right factor */
    VECTOR(const Shape *) buffer_shapes;
    VECTOR(Accumulator) partials;
    VECTOR(Selector) selectors;
    VECTOR(double) kept; /* what selections keep, in either compute type */
    VECTOR(_Atomic uint64_t) bins;
    VECTOR(atomic_bool) non_finite;
} Job;

void job_init(Job *job, const Plan *plan, const EvaluateOptions *options, NativeCache *natives);
void job_free(Job *job);

/* Takes up a task; whatever it had before is given up. */
void job_begin(Job *job, uint32_t number);
/* Concludes the sweep that was open, if one was, and opens the next. MACHINE is for samples. */
JobStep job_next(Job *job, Machine *machine);
/* Runs a chunk of the open sweep. */
EvaluateStatus job_run(Job *job, Machine *machine, uint64_t chunk);

/* Whether a chunk of the open sweep would do nothing but wait: it copies into a file that is being
 * written to. */
bool job_is_held_up(const Job *job);

/* Chunks of a task's pass, known before it runs. */
uint64_t pass_chunks(const Task *task, const Pass *pass);

#endif
