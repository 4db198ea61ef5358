/* Which files a model is made of: one `.safetensors` file, the shards that a
 * `*.safetensors.index.json` names, or what a folder holds.
 *
 * Whatever an index says, nothing outside its folder is named here. */
#ifndef TENSOR_SHARDS_H
#define TENSOR_SHARDS_H

#include "base/map.h"
#include "base/vector.h"
#include "tensor/refuse.h"

typedef struct Shards {
    Names files;              /* paths */
    bool all;                 /* every tensor of every file belongs to the model; else: */
    Names tensors;            /* those that do, by name */
    VECTOR(uint32_t) file_of; /* in which file each of them is */
} Shards;

extern const char shards_index[]; /* the usual name of an index */

/* Fills SHARDS (whose two Names have an arena) for the model at PATH. False after one diag_error.
 */
bool shards_find(Shards *shards, Text path, const Refusal *refusal);
void shards_free(Shards *shards);

/* Adds the names of the files of a model in FOLDER that is called as folders of shards usually are:
 * the index first. False and errno where the folder can't be listed. */
bool shards_list(Names *files, Text folder);

/* Whether the model takes the tensor NAME from a file. */
bool shards_wanted(const Shards *shards, uint32_t file, Text name);

#endif
