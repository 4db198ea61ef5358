/* Files beside the merged weights of a folder, which get their names together: all of them are
 * written, under temporary names, before the first is renamed. */
#ifndef TENSOR_STAGED_H
#define TENSOR_STAGED_H

#include "base/vector.h"
#include "tensor/refuse.h"
#include "tensor/temporary.h"

typedef struct StagedFile {
    Temporary *temporary;
    Text path; /* of the caller's arena */
} StagedFile;

typedef VECTOR(StagedFile) StagedFiles;

/* Writes CONTENT for PATH. False after a message. */
bool staged_add(StagedFiles *files, Text path, Text content, bool no_sync, const Refusal *refusal);

/* The same with the content of the file FROM, which may be large. */
bool staged_copy(StagedFiles *files, Text path, Text from, bool no_sync, const Refusal *refusal);

/* Gives all of them their names. False after a message; the rest keeps its temporary names. */
bool staged_rename(StagedFiles *files, const Refusal *refusal);

/* Removes those that were not renamed. */
void staged_free(StagedFiles *files);

/* Makes the names in a folder last. False after a message. */
bool staged_synchronise(Text folder, const Refusal *refusal);

#endif
