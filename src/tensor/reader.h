/* Reading models: `.safetensors` files, mapped read-only. (Shards and directories: tensor/shards.h)
 *
 * Every header is validated against the whole format before any tensor is touched, by a strict
 * scanner (tensor/header.re) of our own: its rules are narrower than JSON's in places and wider
 * than the libraries' in others. The descriptor is closed as soon as the file is mapped, so
 * hundreds of inputs work with few descriptors. Tensor data are borrowed views into the map, never
 * copied, and aligned to nothing. */
#ifndef TENSOR_READER_H
#define TENSOR_READER_H

#include "base/map.h"
#include "diag/diag.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

typedef struct Tensor {
    Text name; /* decoded; any code points */
    DType dtype;
    Shape shape;
    uint64_t count; /* elements */
    uint64_t bytes;
    uint64_t offset;           /* from the start of its file's data */
    const unsigned char *data; /* in the map; not NULL even where bytes is 0 */
    bool is_setting; /* of what stands beside the weights (settings.h); its data are in memory */
    bool is_scale;   /* it belongs to a weight (scales.h), and is no key */
    const struct Tensor *scale; /* what it has to be multiplied by (scales.h); NULL: nothing */
} Tensor;

typedef struct MetadataEntry {
    Text key, value;
} MetadataEntry;

/* A part of a pipeline (tensor/parts.h). */
typedef struct ModelPart {
    Text name;
    Text folder;
    Text stem;         /* of its files: `diffusion_pytorch_model` */
    Text index;        /* path of what names them, if anything does */
    const Text *files; /* their paths */
    uint32_t n_files;
    bool has_weights; /* or it is a tokenizer, a scheduler */
} ModelPart;

/* One model: the tensors of a file, or of all shards of a sharded model, or of all parts of a
 * pipeline, in the order of their data. */
typedef struct Model {
    Text path;              /* as opened */
    Text folder;            /* where its files are; empty: it is one file, among others perhaps */
    Text stem;              /* of their names, where the folder was asked for: `model` */
    const ModelPart *parts; /* none: it is no pipeline */
    uint32_t n_parts;
    Tensor *tensors;
    uint32_t n_tensors;
    MetadataEntry *metadata;
    uint32_t n_metadata;
    uint64_t bytes;           /* of tensor data */
    bool has_scales;          /* some tensor has a scale */
    struct ModelFiles *files; /* private to the reader: maps and the index of names */
} Model;

/* Opens and validates; NULL after one diag_error at SPAN that names the file and says what is wrong
 * with it and, where the bytes tell, what it is instead (a pickle, GGUF, an HTML page, an
 * interrupted download). The Model and all its texts live in malloc'ed memory and the map, until
 * model_close. */
Model *model_open(Text path, Diags *diags, Span span);
void model_close(Model *model);

/* The tensor of that name, or NULL. */
const Tensor *model_find(const Model *model, Text name);

/* The value of a metadata entry, or an empty text with data == NULL. */
Text model_metadata(const Model *model, Text key);

/* Advice for the kernel about the bytes [begin, end) of a tensor: they will be read soon; they are
 * done with. */
void model_will_need(const Tensor *tensor, uint64_t begin, uint64_t end);
void model_done_with(const Tensor *tensor, uint64_t begin, uint64_t end);

/* Whether PATH names the same file (device and inode) as one of the model's. */
bool model_is_file(const Model *model, const char *path);

/* Whether its files are still those that stand at their paths, unchanged. */
bool model_is_current(const Model *model);

/* A number that changes when one of the model's files does, as far as the file system tells. */
uint64_t model_identity(const Model *model);

/* Installs the SIGBUS handler that turns a file shrinking under its map into a message that names
 * the file, calls CLEAN_UP (async-signal-safe), and exits with status 1. */
void reader_guard_maps(bool (*clean_up)(void));

#endif
