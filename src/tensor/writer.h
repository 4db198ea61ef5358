/* Writing a `.safetensors` file whose whole layout is known before its first byte.
 *
 * Data are written to a temporary file beside the target, in parallel, at final offsets; then the
 * header, fsync, rename, fsync of the folder. Until the rename the old file is intact, and whatever
 * happens the temporary file is removed (after SIGKILL: by the next run to the same output). */
#ifndef TENSOR_WRITER_H
#define TENSOR_WRITER_H

#include "diag/diag.h"
#include "tensor/reader.h"

typedef struct OutputTensor {
    Text name;
    DType dtype;
    Shape shape;
    uint64_t offset; /* from the start of the file; set by writer_layout */
    uint64_t bytes;  /* set by writer_layout */
    uint32_t file;   /* of several, which one; set by output_open */
    uint32_t before; /* bytes of the name that stand for its folder; the file leaves them out */
    bool dropped;    /* set before writer_finish: the key got no value and leaves the file */
} OutputTensor;

/* By its dtype and shape. */
uint64_t output_tensor_bytes(const OutputTensor *tensor);

/* What a tensor is called in its file. */
Text writer_name(const OutputTensor *tensor);

typedef struct WriterOptions {
    bool force;        /* replace a file that is no safetensors file, or one that is an input */
    bool no_sync;      /* leave out the two fsyncs */
    bool replace_link; /* what stands there as a link goes, not the file at its end */
    const MetadataEntry *metadata; /* written in this order */
    size_t n_metadata;
    const Model *const *inputs; /* an output that is one of them needs force */
    size_t n_inputs;
    bool resume;       /* go on from what an interrupted run left, and leave it if interrupted */
    uint64_t identity; /* of all that decides what bytes the file gets, its layout aside */
} WriterOptions;

typedef struct Writer Writer;

/* Sets offset and bytes of TENSORS, which are laid out in the order given, without holes. The size
 * of the whole file; *HEADER_SIZE is where its data begin, a multiple of 8. (The format allows no
 * holes, so what is aligned behind that depends on the order alone.) */
uint64_t writer_layout(OutputTensor *tensors, size_t n_tensors, const MetadataEntry *metadata,
                       size_t n_metadata, size_t *header_size);

/* Everything that can be refused before the evaluation is refused here, by one diag_error at SPAN:
 * no such folder, not writable, a device, FIFO or folder, a foreign file without force, too little
 * space. Lays out TENSORS, which must stay valid until writer_finish. NULL on failure. */
Writer *writer_open(Text path, OutputTensor *tensors, size_t n_tensors,
                    const WriterOptions *options, Diags *diags, Span span);

/* A writer whose file is memory, to be looked at and abandoned; NULL where there is not as much. */
Writer *writer_open_memory(OutputTensor *tensors, size_t n_tensors);
/* The bytes of one of its tensors. */
const void *writer_memory(const Writer *writer, const OutputTensor *tensor);

/* Gives the metadata entry at INDEX another VALUE, which as JSON is no longer than the one that
 * writer_open was given: a hash that is known only at the end. */
void writer_patch_metadata(Writer *writer, size_t index, Text value);

/* Writes SIZE bytes at a file OFFSET; from any thread. False on failure, and the writer remembers
 * errno. */
bool writer_write(Writer *writer, uint64_t offset, const void *data, size_t size);

/* The same, unless another thread is about to write: file systems let one at a time do so. */
typedef enum WriteStatus { WRITE_DONE, WRITE_BUSY, WRITE_FAILED } WriteStatus;
WriteStatus writer_try_write(Writer *writer, uint64_t offset, const void *data, size_t size);
/* Whether another thread is about to write. */
bool writer_is_busy(const Writer *writer);

/* False after a diag_error where a write failed. */
bool writer_check(const Writer *writer, Diags *diags, Span span);

/* What writer_finish does up to the rename, for those that get their names together. False (after a
 * diag_error) on failure; writer_finish or writer_abandon comes after it in every case. */
bool writer_complete(Writer *writer, Diags *diags, Span span);

/* With `resume`: whether the tensor stands in the file as an earlier run finished it. */
bool writer_has(const Writer *writer, const OutputTensor *tensor);
/* Notes that all of a tensor was written; from any thread. */
void writer_finished(Writer *writer, const OutputTensor *tensor);

/* Closes the file up over dropped tensors, syncs, renames. False (after a diag_error) on failure:
 * the old file is then intact, unless the message says that the new one stands and only the sync of
 * its folder failed. Frees the writer in every case. */
bool writer_finish(Writer *writer, Diags *diags, Span span);

/* The same without the sync of the folder, for those that get their names together. */
bool writer_rename(Writer *writer, Diags *diags, Span span);

/* Removes the temporary file, unless a later run can go on from it, and frees the writer. */
void writer_abandon(Writer *writer);

/* Removes the temporary files of all open writers but those from which a later run can go on;
 * whether there are such. Async-signal-safe, for signal handlers. */
bool writer_remove_temporaries(void);

/* Whether any file was replaced or made by now. Async-signal-safe. */
bool writer_changed_files(void);

#endif
