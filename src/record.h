/* What a result records of its inputs (`run --record-hashes`): which tensors of each were read, and
 * what they held. Its metadata get an entry of fixed width before the run, which is filled in at
 * the end:
 *
 *     {"block": 8192, "inputs": [{"path": "a.safetensors", "tensors": 6, "read": "f4",
 *                                 "content": "…"}]}
 *
 * `path` is as the recipe has it. Of the tensors in the order of their names (bytewise), `read` has
 * a bit each, the first one highest, in hexadecimal digits; `content` is that of those read, as in
 * exec/content.h. */
#ifndef RECORD_H
#define RECORD_H

#include "engine.h"

/* Begins to record, if the options ask for it, before the outputs are opened. */
void record_begin(Engine *engine);
/* The entry, of the width that it will have. Nothing, with data NULL, where none is wanted. */
MetadataEntry record_entry(Engine *engine);
/* Fills it in for output I, as its metadata's entry at INDEX. */
void record_fill(Engine *engine, uint32_t i, size_t index);
/* All that was not read by the run itself is. False after an interrupt. */
bool record_finish(Engine *engine);

#endif
