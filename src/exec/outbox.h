/* Bytes on their way into outputs.
 *
 * Systems let one thread at a time write to a file, and whoever comes second spins or sleeps. A
 * thread whose file is being written to keeps what it made, in the memory of its outbox, and
 * computes on; it waits only when there is no room left. */
#ifndef EXEC_OUTBOX_H
#define EXEC_OUTBOX_H

#include "exec/plan.h"

enum {
    OUTBOX_BYTES = 2 << 20, /* of memory, unless blocks need more */
    OUTBOX_LIMIT = 64       /* blocks that wait */
};

/* Bytes that lie side by side in an output and are written together. */
typedef struct Block {
    const Output *output;
    const OutputTensor *tensor;
    uint64_t begin; /* in the file */
    size_t size;
    unsigned char *bytes;
} Block;

/* Of one thread. */
typedef struct Outbox {
    unsigned char *memory;
    size_t size, used; /* bytes of it; blocks that wait are among those used */
    Block waiting[OUTBOX_LIMIT];
    unsigned n_waiting;
    bool prompt;            /* nothing waits: whoever looks into the file finds what was sent */
    uint64_t bytes_written; /* since somebody set it to 0 */
    bool failed;            /* a write did; the writer knows why */
} Outbox;

/* Memory for blocks, at least LEAST bytes, of which there are *SIZE. It is free until one of them
 * waits. */
unsigned char *outbox_room(Outbox *outbox, size_t least, size_t *size);

/* Writes a block, which may wait if its bytes are in the outbox's room. */
void outbox_send(Outbox *outbox, const Block *block);
/* Writes it at once. */
void outbox_write(Outbox *outbox, const Block *block);
/* Writes whatever waits. */
void outbox_flush(Outbox *outbox);

#endif
