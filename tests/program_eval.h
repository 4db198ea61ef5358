/* Two slow interpreters that must agree: of programs, value by value on whole tensors, and of the
 * passes made from them. All numbers are doubles, whatever the dtype; draws are a test's own. */
#ifndef TESTS_PROGRAM_EVAL_H
#define TESTS_PROGRAM_EVAL_H

#include "program/pass.h"

typedef struct EvalInput {
    const double *const *leaves; /* by slot */
    Shape key;                   /* of SHAPE_ID_KEY where nobody asked */
} EvalInput;

/* All values of a program, by id; each malloc'ed, NULL for a WHOLE. */
double **eval_program(const Program *program, const EvalInput *input);
void eval_free(double **values, size_t n);

/* The outputs, by root. Fails the test where an element of one is not stored exactly once. */
double **eval_passes(const PassList *passes, const EvalInput *input);

uint64_t eval_count(const Shape *shape);

#endif
