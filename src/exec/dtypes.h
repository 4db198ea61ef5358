/* Some dtypes have no loops: their tensors are only passed through, byte for byte. What else is
 * asked of them is an error, and said here. */
#ifndef EXEC_DTYPES_H
#define EXEC_DTYPES_H

#include "program/lower.h"
#include "program/pass.h"
#include "solve/solve.h"

/* The dtype that NAME asks outputs to be stored as; DTYPE_NONE where it is empty or 'auto'. False
 * after an error. */
bool dtypes_wanted(Diags *diags, Span span, Text name, DType *dtype);

/* Whether the passes for KEY compute only with leaves that can be; false after an error. */
bool dtypes_check(Diags *diags, const Solved *solved, Text key, const KeyLeaves *leaves,
                  const PassList *passes);

#endif
