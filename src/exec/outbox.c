#include "exec/outbox.h"

enum { ALIGNMENT = 64 };

static void conclude(Outbox *outbox, const Block *block, bool written) {
    outbox->failed |= !written;
    outbox->bytes_written += block->size;
}

void outbox_write(Outbox *outbox, const Block *block) {
    conclude(
        outbox, block,
        output_write(block->output->files, block->tensor, block->begin, block->bytes, block->size));
}

/* False where another thread writes to that file. */
static bool try_write(Outbox *outbox, const Block *block) {
    WriteStatus status = output_try_write(block->output->files, block->tensor, block->begin,
                                          block->bytes, block->size);
    if (status != WRITE_BUSY)
        conclude(outbox, block, status == WRITE_DONE);
    return status != WRITE_BUSY;
}

/* Writes what waits, if need be as soon as it can be. */
static void send_waiting(Outbox *outbox, bool all) {
    unsigned left = 0;
    for (unsigned i = 0; i < outbox->n_waiting; i++) {
        const Block block = outbox->waiting[i];
        if (all)
            outbox_write(outbox, &block);
        else if (!try_write(outbox, &block))
            outbox->waiting[left++] = block;
    }
    outbox->n_waiting = left;
    if (left == 0)
        outbox->used = 0;
}

void outbox_flush(Outbox *outbox) {
    send_waiting(outbox, true);
}

unsigned char *outbox_room(Outbox *outbox, size_t least, size_t *size) {
    if (outbox->size - outbox->used < least)
        outbox_flush(outbox);
    *size = outbox->size - outbox->used;
    return outbox->memory + outbox->used;
}

static void keep(Outbox *outbox, const Block *block) {
    size_t end = (size_t)(block->bytes - outbox->memory) + block->size;
    end = (end + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    outbox->used = end > outbox->used ? end : outbox->used;
    outbox->waiting[outbox->n_waiting++] = *block;
}

void outbox_send(Outbox *outbox, const Block *block) {
    send_waiting(outbox, outbox->n_waiting == OUTBOX_LIMIT);
    if (outbox->prompt)
        outbox_write(outbox, block);
    else if (!try_write(outbox, block))
        keep(outbox, block);
}
