/* Which files a model is made of: one `.safetensors` file, the shards that a
 * `*.safetensors.index.json` names, or what a folder holds. Where a folder holds a model in several
 * variants (`model.safetensors`, `model.fp16.safetensors`), `FOLDER@fp16` is one of them.
 *
 * Whatever an index says, nothing outside its folder is named here. */
#ifndef TENSOR_SHARDS_H
#define TENSOR_SHARDS_H

#include "base/map.h"
#include "base/vector.h"
#include "tensor/reader.h"
#include "tensor/refuse.h"

typedef struct Shards {
    Text part;                /* of a pipeline, with which its keys begin; empty: it is none */
    Text asked;               /* the folder that was asked for: of a part, the pipeline's */
    Text folder;              /* where they are; empty: the model is one file */
    Text stem;                /* of their names in a folder: `model`, `model.fp16` */
    Text index;               /* path of what names them, if anything does */
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

/* The same for a part of a pipeline in FOLDER. Where there are several variants, VARIANT (empty:
 * none was asked for) is the one. */
bool shards_find_part(Shards *shards, Text folder, Text variant, const Refusal *refusal);

/* The folder that PATH names, and in *VARIANT what stands behind its last `@`, unless that is part
 * of its name; empty where it is no folder. */
Text shards_folder(Arena *arena, Text path, Text *variant);
/* Whether files called STEM are of that variant. */
bool shards_is_variant(Text stem, Text variant);
/* Whether a file is of a variant of the model whose files are called STEM. */
bool shards_names_variant(Text name, Text stem);
bool path_is_folder(Text path); /* which ends in a NUL */

/* Adds the names of the files in FOLDER of the model whose files are called STEM: the index first,
 * variants last. False and errno where the folder can't be listed. */
bool shards_list(Names *files, Text folder, Text stem);

/* Whether the model takes the tensor NAME from a file. */
bool shards_wanted(const Shards *shards, uint32_t file, Text name);

#endif
