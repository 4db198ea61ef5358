/* From what holds for which key to a plan: classes of keys, their passes, the tensors of every
 * output.
 *
 * Keys of one class share a program and its passes, so compile time follows the number of classes.
 */
#ifndef EXEC_SCHEDULE_H
#define EXEC_SCHEDULE_H

#include "exec/evaluate.h"
#include "program/lower.h"

typedef struct ScheduleOptions {
    Compute compute;
    DType dtype;     /* of outputs that say none themselves; DTYPE_NONE: auto */
    uint64_t memory; /* bytes that may be held */
    unsigned threads;
    bool strict;   /* an output's key that cannot be computed is an error */
    bool identify; /* see schedule_identity */
} ScheduleOptions;

/* One key of outputs that are computed together. */
typedef struct KeyTask {
    Text key;
    uint32_t group;
    KeyId id; /* in the group's domain */
} KeyTask;

typedef struct Schedule Schedule;

/* NULL after errors. */
Schedule *schedule_new(Arena *arena, Diags *diags, const Solved *solved,
                       const ScheduleOptions *options);
void schedule_free(Schedule *schedule); /* what is not in the arena */

/* The plan; its outputs have no writers yet. */
Plan *schedule_plan(Schedule *schedule);

/* Of the programs of all keys and of the inputs, as far as the file system tells that these
 * changed: what decides which values come out. Asked for by `identify`. */
uint64_t schedule_identity(const Schedule *schedule);

/* A plan for what has to be done again without the leaves that turned out to hold no finite values,
 * or without what was taken for granted (both told by task and slot of the last plan). Outputs'
 * tensors that lose their value are dropped, those that change their shape are changed. NULL where
 * nothing is left to be done. Warns, once a tensor. *FAILED after errors. */
Plan *schedule_again(Schedule *schedule, const Plan *last, const NonFinite *hits, size_t n_hits,
                     bool *failed);

/* Numbers for `explain` and the summary. */
typedef struct ScheduleFigures {
    uint32_t n_classes;
    uint64_t bytes_to_read, bytes_to_write;
    uint64_t peak_memory;
} ScheduleFigures;
ScheduleFigures schedule_figures(const Schedule *schedule);

/* Keys that have one program, for `explain`. Those that some key has, in order of appearance. */
typedef struct ScheduleClass {
    const PassList *passes;
    const KeyLeaves *leaves; /* of its first key */
    const Shape *shape;      /* likewise: of SHAPE_ID_KEY */
    Text first;              /* that key */
    uint32_t n_keys;
    uint64_t bytes;  /* to read, for all of them */
    uint64_t memory; /* that a key holds at most */
} ScheduleClass;
const ScheduleClass *schedule_classes(const Schedule *schedule, Arena *arena, uint32_t *count);

/* The inputs that share nothing with the result, by config or keys, are named by the solver; these
 * are keys that the outputs lost because no operation could compute them. */
uint64_t schedule_dropped(const Schedule *schedule);

#endif
