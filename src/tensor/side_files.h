/* What stands beside the weights in a folder: config, tokenizer, chat template, licence. */
#ifndef TENSOR_SIDE_FILES_H
#define TENSOR_SIDE_FILES_H

#include "base/vector.h"
#include "tensor/refuse.h"
#include "tensor/staged.h"
#include "tensor/tie.h"
#include "tensor/writer.h"

typedef struct SideFiles {
    Arena *arena;
    Text folder;             /* where they are; empty: there is none */
    VECTOR(Text) names;      /* sorted */
    uint64_t rows, rows_now; /* of a vocabulary, if they are others now; else 0 */
    Tie tie;                 /* what the config has to say, if not what it says */
    Text dtype;              /* torch's name of the one that most of the weights have */
} SideFiles;

/* Finds those of the folder; an empty one has none. False after a message. */
bool side_files_find(SideFiles *files, const Refusal *refusal);
/* Says that the folder has a tokenizer for another number of tokens than the result has. */
void side_files_warn_rows(const SideFiles *files, const Refusal *refusal);
/* Says which files of an older model a loader would find beside the new one in FOLDER. */
void side_files_warn_stale(const SideFiles *files, Text folder, const Refusal *refusal);
/* Writes copies of those for FOLDER that it does not hold already, byte for byte; a config says
 * of which dtype the weights are, how many tokens there are, and whether weights are tied. */
bool side_files_stage(const SideFiles *files, Text folder, bool no_sync, StagedFiles *staged,
                      const Refusal *refusal);
void side_files_free(SideFiles *files);

#endif
