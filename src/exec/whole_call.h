/* Calls the primitives that hold whole tensors. */
#ifndef EXEC_WHOLE_CALL_H
#define EXEC_WHOLE_CALL_H

#include "program/pass.h"

/* What a call works on, by buffer. */
typedef struct WholeBuffers {
    const BufferInfo *infos;
    void *const *data;
    const Shape *const *shapes;
    const Kernels *kernels;
    Compute compute;
} WholeBuffers;

/* Loads what the primitive needs; before threads start. Empty, or why that is not to be had. */
Text whole_open(WholeOp op);

/* Empty where all went well, else what the primitive has to say. Both texts are static. */
Text whole_call(const WholeCall *call, const WholeBuffers *buffers);

#endif
