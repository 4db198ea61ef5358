/* What programs need to know of the primitives that hold whole tensors (the table is whole.def). */
#ifndef PROGRAM_WHOLE_H
#define PROGRAM_WHOLE_H

#include "program/program.h"

/* Bytes that a call holds while it runs, besides its operands and results, which are contiguous
 * buffers of the compute type. */
uint64_t whole_scratch(WholeOp op, Compute compute, const Shape *const *inputs, uint32_t n_inputs,
                       const double *parameters, uint32_t n_parameters);

#endif
