/* What a safetensors header says: which tensors lie where in the data, and the metadata.
 *
 * layout_read checks every rule that the format has for the text of a header and for the places in
 * it; tensor/reader.c finds the header in its file. */
#ifndef TENSOR_LAYOUT_H
#define TENSOR_LAYOUT_H

#include "base/vector.h"
#include "tensor/reader.h"
#include "tensor/refuse.h"

/* Texts are borrowed from the header, or in ARENA where they had escapes. */
typedef struct Layout {
    Arena *arena;
    VECTOR(Tensor) tensors; /* in the order of their data, which is NULL yet */
    VECTOR(MetadataEntry) metadata;
    HashIndex names; /* of the tensors */
} Layout;

/* Reads HEADER, which a NUL follows, into an empty LAYOUT with an arena. DATA_SIZE bytes follow it
 * in the file. False after one diag_error. */
bool layout_read(Layout *layout, Text header, uint64_t data_size, const Refusal *refusal);
void layout_free(Layout *layout);

/* Enters tensors into an index of names. The place of the first whose name is there already, or
 * N_TENSORS. */
uint32_t tensors_index(HashIndex *names, const Tensor *tensors, uint32_t n_tensors);
/* The place of NAME, or INDEX_NONE. */
uint32_t tensors_find(const HashIndex *names, const Tensor *tensors, Text name);

#endif
