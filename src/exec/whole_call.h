/* Calls the primitives that hold whole tensors. */
#ifndef EXEC_WHOLE_CALL_H
#define EXEC_WHOLE_CALL_H

#include "program/pass.h"

/* What a call works on, by buffer: contiguous elements in the compute type. */
typedef struct WholeBuffers {
    void *const *data;
    const Shape *const *shapes;
    Compute compute;
} WholeBuffers;

/* Loads what the primitive needs; before threads start. Empty, or why that is not to be had. */
Text whole_open(WholeOp op);

/* Empty where all went well, else what the primitive has to say. Both texts are static. */
Text whole_call(const WholeCall *call, const WholeBuffers *buffers);

#endif
