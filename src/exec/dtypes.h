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

/* What the tensors of an output are stored as. */
typedef struct OutputDTypes {
    DType all;             /* DTYPE_NONE: as they are */
    const DType *by_entry; /* of the output's map of dtypes; NULL where it has none */
} OutputDTypes;

/* OTHERWISE is for outputs that say nothing themselves. False after an error. */
bool dtypes_of_output(Arena *arena, Diags *diags, const RecipeOutput *output, DType otherwise,
                      OutputDTypes *dtypes);

/* ENTRIES: by key, of the map. */
static inline DType dtypes_of_key(const OutputDTypes *dtypes, const int32_t *entries, KeyId key) {
    return dtypes->by_entry != NULL ? dtypes->by_entry[entries[key]] : dtypes->all;
}

/* Whether the passes for KEY compute only with leaves that can be; false after an error. */
bool dtypes_check(Diags *diags, const Solved *solved, Text key, const KeyLeaves *leaves,
                  const PassList *passes);

/* Whether weights that have scales in an input become plain 8-bit floats, which lose much of them.
 */
bool dtypes_lose_scale(const KeyLeaves *leaves, DType stored);
/* Says so of an output, with KEY for an example. */
void dtypes_warn_scale(Diags *diags, const RecipeOutput *output, Text key, DType stored);

#endif
