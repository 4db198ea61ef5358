#include "tensor/journal.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

enum { MAGIC_SIZE = 16, START = MAGIC_SIZE + 8, ENTRY_SIZE = 16, HASH_STEP = 1 << 20 };

static const char magic[MAGIC_SIZE] = "mecha journal 1\n";

static uint64_t read_number(const unsigned char *bytes) {
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void write_number(unsigned char *bytes, uint64_t number) {
    for (int i = 0; i < 8; i++)
        bytes[i] = (unsigned char)(number >> (8 * i));
}

static bool is_magic(int file) {
    char found[MAGIC_SIZE];
    return file_read_at(file, found, sizeof found, 0) == MAGIC_SIZE &&
           memcmp(found, magic, sizeof found) == 0;
}

bool journal_is_one(const char *path) {
    struct stat status;
    int file = file_open_regular(path, &status);
    bool is_one = file >= 0 && is_magic(file);
    if (file >= 0)
        close(file);
    return is_one;
}

bool journal_restart(Journal *journal, uint64_t identity) {
    unsigned char start[START];
    memcpy(start, magic, MAGIC_SIZE);
    write_number(start + MAGIC_SIZE, identity);
    journal->n_entries = 0;
    return ftruncate(journal->file, 0) == 0 && file_write_at(journal->file, start, START, 0);
}

static bool read_entries(Journal *journal, uint64_t size) {
    size_t n = (size_t)(size - START) / ENTRY_SIZE;
    unsigned char *bytes = memory_grow(NULL, memory_size(n + 1, ENTRY_SIZE));
    journal->entries = memory_grow(NULL, memory_size(n + 1, sizeof *journal->entries));
    ssize_t got = file_read_at(journal->file, bytes, n * ENTRY_SIZE, START);
    for (size_t i = 0; got > 0 && i < (size_t)got / ENTRY_SIZE; i++)
        journal->entries[journal->n_entries++] = (JournalEntry){
            read_number(bytes + i * ENTRY_SIZE), read_number(bytes + i * ENTRY_SIZE + 8)};
    free(bytes);
    return got >= 0;
}

/* What stands in the open file. */
static JournalState look(Journal *journal, uint64_t identity) {
    struct stat status;
    unsigned char made[8];
    if (fstat(journal->file, &status) != 0)
        return JOURNAL_FAILED;
    if (status.st_size == 0)
        return JOURNAL_NEW;
    if (!S_ISREG(status.st_mode) || !is_magic(journal->file))
        return JOURNAL_FOREIGN;
    if (file_read_at(journal->file, made, sizeof made, MAGIC_SIZE) != sizeof made ||
        read_number(made) != identity)
        return JOURNAL_OTHER;
    return read_entries(journal, (uint64_t)status.st_size) ? JOURNAL_CONTINUED : JOURNAL_FAILED;
}

/* An entry that was cut off leaves no gap. */
static bool cut_to_entries(const Journal *journal) {
    return ftruncate(journal->file, (off_t)(START + journal->n_entries * ENTRY_SIZE)) == 0;
}

JournalState journal_open(Journal *journal, const char *path, uint64_t identity) {
    *journal = (Journal){.file = file_open(path, O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW, 0600)};
    if (journal->file < 0)
        return JOURNAL_FAILED;
    JournalState state = look(journal, identity);
    bool ready = state == JOURNAL_CONTINUED ? cut_to_entries(journal)
                 : state == JOURNAL_NEW || state == JOURNAL_OTHER
                     ? journal_restart(journal, identity)
                     : true;
    return ready ? state : JOURNAL_FAILED;
}

void journal_close(Journal *journal) {
    if (journal->file >= 0)
        close(journal->file);
    free(journal->entries);
    *journal = (Journal){.file = -1};
}

/* One write to the end of the file: entries of several threads do not mix. */
bool journal_add(const Journal *journal, uint64_t tensor, uint64_t hash) {
    unsigned char entry[ENTRY_SIZE];
    write_number(entry, tensor);
    write_number(entry + 8, hash);
    return write(journal->file, entry, sizeof entry) == sizeof entry;
}

bool journal_hash(int file, uint64_t offset, uint64_t size, uint64_t *hash) {
    XXH3_state_t *state = XXH3_createState();
    char *step = malloc(HASH_STEP);
    bool good = state != NULL && step != NULL && XXH3_64bits_reset(state) == XXH_OK;
    while (good && size > 0) {
        size_t n = size < HASH_STEP ? (size_t)size : HASH_STEP;
        good = file_read_at(file, step, n, offset) == (ssize_t)n;
        if (good)
            XXH3_64bits_update(state, step, n);
        offset += n;
        size -= n;
    }
    if (good)
        *hash = XXH3_64bits_digest(state);
    free(step);
    XXH3_freeState(state);
    return good;
}
