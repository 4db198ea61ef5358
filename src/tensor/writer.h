/* Writing a `.safetensors` file whose whole layout is known before its first byte.
 *
 * The header is exact from the start; data are written to a temporary file beside the target, in
 * parallel, at final offsets; then fsync, rename, fsync of the directory. Until the rename the old
 * file is intact, and whatever happens the temporary file is removed (after SIGKILL: by the next
 * run to the same output). */
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
    bool dropped;    /* set before writer_finish: the key got no value and leaves the file */
} OutputTensor;

typedef struct WriterOptions {
    bool force;   /* replace a file that is no safetensors file, or one that is an input */
    bool no_sync; /* leave out the two fsyncs */
    const MetadataEntry *metadata; /* written in this order */
    size_t n_metadata;
    const Model *const *inputs; /* an output that is one of them needs force */
    size_t n_inputs;
} WriterOptions;

typedef struct Writer Writer;

/* Everything that can be refused before the evaluation is refused here, by one diag_error at SPAN:
 * no such folder, not writable, a device, FIFO or folder, a foreign file without force, too little
 * space. Sets offset and bytes of TENSORS, which are laid out in the order given, each aligned to 8
 * bytes by the sizes before it where possible (largest alignment first within the header only; data
 * order = array order), and which must stay valid until writer_finish. NULL on failure. */
Writer *writer_open(Text path, OutputTensor *tensors, size_t n_tensors,
                    const WriterOptions *options, Diags *diags, Span span);

/* Writes SIZE bytes at a file OFFSET; from any thread. False on failure, and the writer remembers
 * errno. */
bool writer_write(Writer *writer, uint64_t offset, const void *data, size_t size);

/* Closes the file up over dropped tensors, syncs, renames. False (after a diag_error) on failure;
 * the old file is then intact. Frees the writer in every case. */
bool writer_finish(Writer *writer, Diags *diags, Span span);

/* Removes the temporary file and frees the writer. */
void writer_abandon(Writer *writer);

/* Removes the temporary files of all open writers; async-signal-safe, for signal handlers. */
void writer_remove_temporaries(void);

#endif
