/* What a result is written to: one file, or a folder of shards.
 *
 * A folder holds `model-00001-of-00004.safetensors`, …, `model.safetensors.index.json`, and what
 * stands beside an input: config, tokenizer, licence. All of them are complete before the first
 * gets its name; before that goes what makes the folder look like one of an older model, and the
 * new index comes last. So whenever the program ends, a loader finds the old model, the new one, or
 * none. */
#ifndef TENSOR_OUTPUT_H
#define TENSOR_OUTPUT_H

#include "tensor/tie.h"
#include "tensor/writer.h"

typedef struct OutputFilesOptions {
    WriterOptions file;  /* of each file */
    uint64_t shard_size; /* bytes of tensors in a file, unless one alone is larger; 0: one file */
    Tie tie;             /* what a config beside it has to say, if not what it says */
    const Model *const *sources; /* the inputs that it is made of */
    size_t n_sources;
    const Text *apart; /* parts of them that it can have nothing of, by name */
    size_t n_apart;
} OutputFilesOptions;

typedef struct OutputFiles OutputFiles;

/* As writer_open; a PATH that ends in a slash, or a shard size, asks for a folder, and so does a
 * name without a dot where an input is a folder, unless a file has it. Sets the file of
 * each of TENSORS, too. */
OutputFiles *output_open(Text path, OutputTensor *tensors, size_t n_tensors,
                         const OutputFilesOptions *options, Diags *diags, Span span);

/* As writer_open_memory and writer_memory. */
OutputFiles *output_open_memory(OutputTensor *tensors, size_t n_tensors);
const void *output_memory(const OutputFiles *output, const OutputTensor *tensor);

/* As writer_write, writer_try_write and writer_is_busy, for the file of a tensor. */
bool output_write(OutputFiles *output, const OutputTensor *tensor, uint64_t offset,
                  const void *data, size_t size);
WriteStatus output_try_write(OutputFiles *output, const OutputTensor *tensor, uint64_t offset,
                             const void *data, size_t size);
bool output_is_busy(const OutputFiles *output, const OutputTensor *tensor);

/* As writer_patch_metadata, of every file. */
void output_patch_metadata(OutputFiles *output, size_t index, Text value);

/* As writer_check. */
bool output_check(const OutputFiles *output, Diags *diags, Span span);

/* As writer_has and writer_finished. */
bool output_has(const OutputFiles *output, const OutputTensor *tensor);
void output_finished(OutputFiles *output, const OutputTensor *tensor);

/* As writer_finish, for all that belongs to it. */
bool output_finish(OutputFiles *output, Diags *diags, Span span);

/* Removes what was written; a folder too, if it was made for this and nothing else is in it. NULL
 * is left alone. */
void output_abandon(OutputFiles *output);

#endif
