/* What a run that can be resumed leaves when it is interrupted: `OUT.partial`, and beside it
 * `OUT.partial.journal`, which tells which of its tensors are finished.
 *
 *     mecha journal 1\n    16 bytes
 *     what is being made   8 bytes: the identity of recipe, inputs, options and layout
 *     tensor, hash         8 bytes each, as often as there are finished ones
 *
 * All numbers little-endian. Nothing in it is believed: a tensor counts as finished where its bytes
 * have the hash that stands there, and an entry that was cut off counts for nothing. */
#ifndef TENSOR_JOURNAL_H
#define TENSOR_JOURNAL_H

#include "base/text.h"

#include <stdbool.h>

typedef struct JournalEntry {
    uint64_t tensor, hash;
} JournalEntry;

typedef struct Journal {
    int file; /* -1: there is none */
    JournalEntry *entries;
    size_t n_entries; /* of the run before */
} Journal;

typedef enum JournalState {
    JOURNAL_NEW,       /* there was none, or an empty one */
    JOURNAL_CONTINUED, /* of the same */
    JOURNAL_OTHER,     /* of something else; it is begun anew */
    JOURNAL_FOREIGN,   /* the file is no journal */
    JOURNAL_FAILED     /* errno says why */
} JournalState;

/* Opens the journal at PATH for what has IDENTITY. */
JournalState journal_open(Journal *journal, const char *path, uint64_t identity);
void journal_close(Journal *journal);

/* Forgets all entries. False and errno on failure. */
bool journal_restart(Journal *journal, uint64_t identity);

/* Notes a finished tensor; from any thread. False where it cannot. */
bool journal_add(const Journal *journal, uint64_t tensor, uint64_t hash);

/* Whether a file is a journal. */
bool journal_is_one(const char *path);

/* The hash of SIZE bytes at OFFSET of FILE. False where they cannot be read. */
bool journal_hash(int file, uint64_t offset, uint64_t size, uint64_t *hash);

#endif
