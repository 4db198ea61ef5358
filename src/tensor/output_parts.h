/* The folders that a result is written to: one, or those of a pipeline's parts.
 *
 * A result in a folder follows one of its inputs that is a folder. Is that a pipeline
 * (tensor/parts.h) and are the keys of the result those of parts, then it becomes one, too. */
#ifndef TENSOR_OUTPUT_PARTS_H
#define TENSOR_OUTPUT_PARTS_H

#include "base/vector.h"
#include "tensor/side_files.h"
#include "tensor/writer.h"

/* Loaders know two names of weights: transformers' and diffusers'. */
enum { OUTPUT_STEMS = 2 };
extern const char *const output_stems[];

typedef struct OutputPart {
    Text name;   /* of a pipeline's part; empty: the folder itself, which is the first part */
    Text folder; /* where it is written */
    Text stem;   /* of its files */
    uint32_t n_files;
    uint32_t n_tensors;
    const ModelPart *carried; /* whose weights it gets as they are; NULL: those of the result */
    Temporary *made;          /* the folder, if it was not there */
    VECTOR(Text) old;         /* paths of the model that it held */
    Text before;              /* what its keys begin with, and its files leave out */
    SideFiles side_files;
    StagedFiles staged; /* copies of them */
} OutputPart;

typedef struct OutputParts {
    Arena *arena;
    VECTOR(OutputPart) items; /* the folder itself first */
    VECTOR(OutputPart) gone;  /* what else of an older model was there */
    const Text *apart;        /* parts that the result can have nothing of, by name */
    size_t n_apart;
    const Model *like; /* whose layout it is; NULL: of none */
    bool is_pipeline;
} OutputParts;

/* The input that a result in a folder follows, of those that are one: the first that has keys of
 * the result and as many rows (tokens), else the first that has keys of it, else the first. NULL
 * where none is. */
const Model *output_parts_like(const Model *const *inputs, size_t n_inputs,
                               const OutputTensor *tensors, size_t n_tensors);

/* Fills PARTS (which has an arena, and says what is apart) for a result in FOLDER. False after a
 * message. */
bool output_parts_choose(OutputParts *parts, Text folder, const OutputTensor *tensors,
                         size_t n_tensors, const Model *const *inputs, size_t n_inputs,
                         const Refusal *refusal);
/* Of what it owns; the items themselves stay. */
void output_parts_free(OutputParts *parts);

/* Whether a part of that name is written. */
bool output_parts_have(const OutputParts *parts, Text name);
/* The name of one of a part's files, and the path of its index. */
Text output_part_file(Arena *arena, const OutputPart *part, uint32_t number);
Text output_part_index(Arena *arena, const OutputPart *part);

/* Which part a tensor goes to. */
uint32_t output_parts_of(const OutputParts *parts, const OutputTensor *tensor);

/* Makes the folders that are not there. */
bool output_parts_open(OutputParts *parts, const Refusal *refusal);
/* Notes which files of older models will go. With FORCE those of inputs may, and those that nothing
 * takes the place of. */
bool output_parts_find_old(OutputParts *parts, const WriterOptions *options,
                           const Refusal *refusal);

/* Copies the weights of parts that are carried over, under temporary names. */
bool output_parts_stage_carried(OutputParts *parts, bool no_sync, StagedFiles *indexes,
                                const Refusal *refusal);
/* Writes what stands beside the weights, under temporary names. */
bool output_parts_stage_side_files(OutputParts *parts, bool no_sync, const Refusal *refusal);
/* Writes so what makes the folder a pipeline, where it is one. */
bool output_parts_stage_index(const OutputParts *parts, bool no_sync, StagedFiles *staged,
                              const Refusal *refusal);

/* From now on the folders stay. Of the old files those go by which a model is found: indexes, and
 * weights in one file. */
bool output_parts_hide_old(OutputParts *parts, const Refusal *refusal);
/* Removes the other ones. */
bool output_parts_remove_old(const OutputParts *parts, const Refusal *refusal);
/* Gives the side files their names. */
bool output_parts_put_side_files(OutputParts *parts, const Refusal *refusal);
/* Makes all names last. */
bool output_parts_synchronise(const OutputParts *parts, const Refusal *refusal);
/* Removes what runs that did not end left of files for the folders. */
void output_parts_sweep(const OutputParts *parts);
void output_parts_discard_partials(const OutputParts *parts);

/* Removes the folders that were made, if nothing is in them. */
void output_parts_abandon(const OutputParts *parts);

#endif
