/* The parts of a model: one, or those of a pipeline.
 *
 * A pipeline is a folder as diffusers writes it: `model_index.json` names its parts, and each is a
 * folder. Those that hold weights are models of their own; together they are one, in which the keys
 * of a part begin with its name and a dot: `unet.conv_in.weight`. */
#ifndef TENSOR_PARTS_H
#define TENSOR_PARTS_H

#include "base/vector.h"
#include "tensor/refuse.h"
#include "tensor/shards.h"

extern const char parts_index[]; /* `model_index.json` */

typedef VECTOR(ModelPart) ModelParts;

/* Adds the parts of the pipeline at PATH (a folder, perhaps with `@VARIANT`); none where there is
 * no pipeline. Sets *FOLDER and *VARIANT in any case, as shards_folder. False after one diag_error.
 */
bool parts_find(Arena *arena, Text path, ModelParts *parts, Text *folder, Text *variant,
                const Refusal *refusal);

/* The names of the parts in the text of a `model_index.json`; of none if that is not well-formed.
 */
void parts_named(Arena *arena, Text text, Names *names);

/* The text of `model_index.json`, in which parts for which IS_THERE is false are none: `[null,
 * null]`, as diffusers says it. Needs a text that parts_find has read. */
Text parts_index_without(Arena *arena, Text text, bool (*is_there)(const void *context, Text part),
                         const void *context);

#endif
