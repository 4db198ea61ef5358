/* Going on where an earlier run was interrupted: what it finished, its outputs' writers know. */
#ifndef EXEC_RESUME_H
#define EXEC_RESUME_H

#include "exec/plan.h"

/* The plan without the tasks all of whose outputs stand in the files. */
const Plan *resume_rest(Arena *arena, const Plan *plan);

/* Notes for later runs that a task of PLAN is complete: for EvaluateOptions.finished. */
void resume_note(void *plan, const Task *task);

#endif
