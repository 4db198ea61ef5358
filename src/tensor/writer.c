#include "tensor/writer.h"

#include "base/file.h"
#include "tensor/header.h"
#include "tensor/journal.h"
#include "tensor/refuse.h"
#include "tensor/temporary.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statfs.h>
#include <sys/statvfs.h>
#include <unistd.h>
#include <xxhash.h>

enum { ALIGNMENT = 8, LINKS_LIMIT = 40, MOVE_STEP = 1 << 20 };

struct Writer {
    Arena arena;
    Text path;    /* as asked for */
    char *target; /* the file that is replaced: links in PATH are followed */
    Temporary *temporary;
    unsigned char *memory; /* in place of a file; NULL where there is one */
    OutputTensor *tensors;
    size_t n_tensors;
    MetadataEntry *metadata;
    size_t n_metadata;
    size_t header_size; /* the prefix included: where the data begin */
    uint64_t size;      /* of the whole file */
    bool no_sync;
    bool complete;     /* but for its name */
    _Atomic int error; /* of the first write that failed */
    atomic_uint n_writing;
    bool resume;
    Journal journal;
    bool *done; /* by tensor: an earlier run finished it */
};

static void add_number(Builder *builder, uint64_t number) {
    char digits[20];
    size_t at = sizeof digits;
    do
        digits[--at] = (char)('0' + number % 10);
    while ((number /= 10) > 0);
    builder_add(builder, (Text){digits + at, sizeof digits - at});
}

static void add_metadata(Builder *header, const MetadataEntry *metadata, size_t n_metadata) {
    builder_add(header, TEXT("\"__metadata__\":{"));
    for (size_t i = 0; i < n_metadata; i++) {
        if (i > 0)
            builder_char(header, ',');
        builder_json(header, metadata[i].key);
        builder_char(header, ':');
        builder_json(header, metadata[i].value);
    }
    builder_char(header, '}');
}

Text writer_name(const OutputTensor *tensor) {
    return (Text){tensor->name.data + tensor->before, tensor->name.size - tensor->before};
}

static void add_tensor(Builder *header, const OutputTensor *tensor, uint64_t begin) {
    builder_json(header, writer_name(tensor));
    builder_add(header, TEXT(":{\"dtype\":\""));
    builder_add(header, dtype_info[tensor->dtype].file_name);
    builder_add(header, TEXT("\",\"shape\":["));
    for (uint32_t i = 0; i < tensor->shape.rank; i++) {
        if (i > 0)
            builder_char(header, ',');
        add_number(header, tensor->shape.dims[i]);
    }
    builder_add(header, TEXT("],\"data_offsets\":["));
    add_number(header, begin);
    builder_char(header, ',');
    add_number(header, begin + tensor->bytes);
    builder_add(header, TEXT("]}"));
}

/* The text of the header, without its length and the spaces behind it. */
static void add_header(Builder *header, const OutputTensor *tensors, size_t n_tensors,
                       const MetadataEntry *metadata, size_t n_metadata) {
    uint64_t offset = 0;
    builder_char(header, '{');
    if (n_metadata > 0)
        add_metadata(header, metadata, n_metadata);
    for (size_t i = 0; i < n_tensors; i++) {
        if (tensors[i].dropped)
            continue;
        if (header->size > 1)
            builder_char(header, ',');
        add_tensor(header, &tensors[i], offset);
        offset += tensors[i].bytes;
    }
    builder_char(header, '}');
}

uint64_t output_tensor_bytes(const OutputTensor *tensor) {
    uint64_t bytes = 0;
    bool whole = dtype_bytes(tensor->dtype, shape_count(&tensor->shape), &bytes);
    assert(whole);
    (void)whole;
    return bytes;
}

/* Sets where each tensor lies, and is where the last one ends. */
static uint64_t place_tensors(OutputTensor *tensors, size_t n_tensors, uint64_t start) {
    for (size_t i = 0; i < n_tensors; i++) {
        tensors[i].offset = start;
        if (!tensors[i].dropped)
            start += tensors[i].bytes;
    }
    return start;
}

uint64_t writer_layout(OutputTensor *tensors, size_t n_tensors, const MetadataEntry *metadata,
                       size_t n_metadata, size_t *header_size) {
    for (size_t i = 0; i < n_tensors; i++)
        tensors[i].bytes = output_tensor_bytes(&tensors[i]);
    Builder header = {0};
    add_header(&header, tensors, n_tensors, metadata, n_metadata);
    *header_size = HEADER_PREFIX + (header.size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    builder_free(&header);
    return place_tensors(tensors, n_tensors, *header_size);
}

static bool write_header(Writer *writer) {
    Builder header = {0};
    builder_add(&header, TEXT("\0\0\0\0\0\0\0\0"));
    Builder text = {0};
    add_header(&text, writer->tensors, writer->n_tensors, writer->metadata, writer->n_metadata);
    builder_add(&header, builder_view(&text));
    builder_free(&text);
    assert(header.size <= writer->header_size);
    while (header.size < writer->header_size)
        builder_char(&header, ' ');
    for (int i = 0; i < HEADER_PREFIX; i++)
        header.data[i] = (char)((uint64_t)(writer->header_size - HEADER_PREFIX) >> (8 * i));
    bool written = file_write_at(writer->temporary->file, header.data, header.size, 0);
    builder_free(&header);
    return written;
}

/* The path with links in its last component followed, also where nothing stands at their end. NULL
 * after a message. */
static char *follow_links(Arena *arena, Text path, const Refusal *refusal) {
    Text target = text_copy(arena, path);
    char buffer[4096];
    for (int i = 0; i < LINKS_LIMIT; i++) {
        ssize_t size = readlink(target.data, buffer, sizeof buffer);
        if (size < 0)
            return (char *)target.data;
        Text link = {buffer, (size_t)size};
        target = path_join(arena, path_folder(target), link);
    }
    refuse_errno(refusal, "can't be written", ELOOP);
    return NULL;
}

static bool may_begin_header(unsigned char first) {
    return first == '{' || first == ' ' || first == '\t' || first == '\r' || first == '\n';
}

/* Whether what stands at the target begins like a model, or is empty: no loss if replaced. */
static bool check_content(const char *path, const Refusal *refusal) {
    struct stat status;
    unsigned char head[HEADER_PREFIX + 1];
    int file = file_open_regular(path, &status);
    ssize_t n = file < 0 ? -1 : file_read_at(file, head, sizeof head, 0);
    int error = errno;
    if (file >= 0)
        close(file);
    if (n < 0)
        return refuse_errno(refusal, "exists and can't be read", error);
    uint64_t length = 0, size = (uint64_t)status.st_size;
    for (int i = HEADER_PREFIX - 1; i >= 0 && n == sizeof head; i--)
        length = length << 8 | head[i];
    return n == 0 ||
           (length > 0 && length <= HEADER_LIMIT && length <= size - HEADER_PREFIX &&
            may_begin_header(head[HEADER_PREFIX])) ||
           refuse(refusal, "exists and is no safetensors file; --force replaces it");
}

static bool is_input(const char *path, const WriterOptions *options) {
    for (size_t i = 0; i < options->n_inputs; i++)
        if (model_is_file(options->inputs[i], path))
            return true;
    return false;
}

/* Whether the file that stands at the target may be replaced. */
static bool may_replace(const char *target, const struct stat *status, const WriterOptions *options,
                        const Refusal *refusal) {
    if (!S_ISREG(status->st_mode))
        return refuse_kind(refusal, status->st_mode);
    if (access(target, W_OK) != 0 && (errno != EACCES || !options->force))
        return refuse_errno(refusal, "can't be replaced", errno);
    if (options->force)
        return true;
    if (is_input(target, options))
        return refuse(refusal, "is an input of this run; --force replaces it when all is done");
    return check_content(target, refusal);
}

/* Looks at what stands there, also at the end of a link that will be replaced; OLD is zeroed where
 * nothing does. */
static bool check_target(Writer *writer, const WriterOptions *options, struct stat *old,
                         const Refusal *refusal) {
    Text name = path_name(text_from(writer->target));
    if (name.size == 0)
        return refuse(refusal, "names a folder, no file");
    *old = (struct stat){0};
    if (stat(writer->target, old) == 0)
        return may_replace(writer->target, old, options, refusal);
    *old = (struct stat){0};
    return errno == ENOENT || refuse_errno(refusal, "can't be written", errno);
}

/* The new file gets the owner and the mode of the old one, as far as that is allowed: only the
 * superuser may give files away, and not every file system has modes. */
static void keep_mode(int file, const struct stat *old) {
    int refused = fchown(file, old->st_uid, old->st_gid);
    refused |= fchmod(file, old->st_mode & 0777);
    (void)refused;
}

/* What an earlier run took is there already. */
static uint64_t taken(const Writer *writer) {
    struct stat status;
    return fstat(writer->temporary->file, &status) == 0 ? (uint64_t)status.st_blocks * 512 : 0;
}

static bool check_space(const Writer *writer, const Refusal *refusal) {
    struct statvfs space;
    if (fstatvfs(writer->temporary->file, &space) != 0 || space.f_blocks == 0)
        return true; /* a file system that does not tell: writing will */
    uint64_t free_bytes = (uint64_t)space.f_bavail * space.f_frsize + taken(writer);
    if (free_bytes >= writer->size)
        return true;
    Builder text = {0};
    builder_bytes(&text, writer->size);
    builder_add(&text, TEXT(" and "));
    builder_bytes(&text, free_bytes);
    refuse(refusal, "too little space: it needs %s are free", text.data);
    builder_free(&text);
    return false;
}

static bool set_size(int file, uint64_t size) {
    int result;
    do
        result = ftruncate(file, (off_t)size);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* The space of a file in memory is not reserved: that would touch all of it here, by one thread,
 * and running out of it is told just as well by a write. */
static bool reserves_cheaply(int file) {
    struct statfs kind;
    return fstatfs(file, &kind) == 0 && kind.f_type != TMPFS_MAGIC && kind.f_type != RAMFS_MAGIC;
}

static bool means_no_room(int error) {
    return error == ENOSPC || error == EDQUOT || error == EFBIG || error == EIO;
}

/* Takes the space now, where the file system can, and sets the size: what a run left that was
 * interrupted may be larger. */
static bool reserve(int file, uint64_t size) {
    if (reserves_cheaply(file)) {
        int result;
        do
            result = fallocate(file, 0, 0, (off_t)size);
        while (result != 0 && errno == EINTR);
        if (result != 0 && means_no_room(errno))
            return false;
    }
    return set_size(file, size);
}

static bool open_temporary(Writer *writer, const struct stat *old, const Refusal *refusal) {
    mode_t mode = old->st_mode == 0 ? 0666 : 0600;
    writer->temporary = temporary_open(text_from(writer->target), mode);
    if (writer->temporary == NULL)
        return refuse_errno(refusal, "can't be written", errno);
    if (old->st_mode != 0)
        keep_mode(writer->temporary->file, old);
    return true;
}

/* ---- going on from an earlier run ---- */

/* Of all that decides where which bytes of the file go. */
static uint64_t whole_identity(const Writer *writer, uint64_t identity) {
    for (size_t i = 0; i < writer->n_tensors; i++) {
        const OutputTensor *tensor = &writer->tensors[i];
        uint64_t parts[4] = {identity, (uint64_t)tensor->dtype, tensor->offset, tensor->bytes};
        identity = XXH3_64bits_withSeed(tensor->name.data, tensor->name.size,
                                        XXH3_64bits(parts, sizeof parts));
    }
    return identity;
}

/* Only what has the hash that the journal says is believed. */
static void find_done(Writer *writer) {
    for (size_t i = 0; i < writer->journal.n_entries; i++) {
        const JournalEntry *entry = &writer->journal.entries[i];
        uint64_t hash;
        if (entry->tensor >= writer->n_tensors || writer->done[entry->tensor])
            continue;
        const OutputTensor *tensor = &writer->tensors[entry->tensor];
        writer->done[entry->tensor] =
            journal_hash(writer->temporary->file, tensor->offset, tensor->bytes, &hash) &&
            hash == entry->hash;
    }
}

static bool is_empty(int file) {
    struct stat status;
    return fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size == 0;
}

/* What is no work of ours stays: SUFFIX tells which of the two files. */
static bool refuse_foreign(Writer *writer, const char *suffix, const Refusal *refusal) {
    bool made = is_empty(writer->temporary->file);
    writer->temporary->partial = false;
    atomic_store(&writer->temporary->kept, !made);
    return refuse(refusal, "'%s%s' stands in the way, and is no unfinished output",
                  show_path(path_name(refusal->path)).text, suffix);
}

static bool refuse_journal(Writer *writer, const Refusal *refusal) {
    int error = errno;
    writer->temporary->partial = false;
    atomic_store(&writer->temporary->kept, !is_empty(writer->temporary->file));
    return refuse_errno(refusal, "its journal can't be written", error);
}

static bool open_journal(Writer *writer, uint64_t identity, const Refusal *refusal) {
    Temporary *partial = writer->temporary;
    if (!is_empty(partial->file) && !journal_is_one(partial->journal))
        return refuse_foreign(writer, ".partial", refusal);
    JournalState state =
        journal_open(&writer->journal, partial->journal, whole_identity(writer, identity));
    if (state == JOURNAL_FAILED)
        return refuse_journal(writer, refusal);
    if (state == JOURNAL_FOREIGN)
        return refuse_foreign(writer, ".partial.journal", refusal);
    if (state == JOURNAL_OTHER)
        diag_warning(
            refusal->diags, refusal->span,
            "%s: the recipe, an input or an option has changed since this was interrupted; "
            "it is made from the start",
            show_path(refusal->path).text);
    writer->done = arena_array(&writer->arena, bool, writer->n_tensors + 1);
    if (state == JOURNAL_CONTINUED)
        find_done(writer);
    atomic_store(&partial->kept, state == JOURNAL_CONTINUED && writer->journal.n_entries > 0);
    return true;
}

static bool open_partial(Writer *writer, const WriterOptions *options, const struct stat *old,
                         const Refusal *refusal) {
    writer->temporary =
        temporary_open_partial(text_from(writer->target), old->st_mode == 0 ? 0666 : 0600);
    if (writer->temporary == NULL && errno == EWOULDBLOCK)
        return refuse(refusal, "another run is writing it");
    if (writer->temporary == NULL)
        return refuse_errno(refusal, "can't be written", errno);
    if (!open_journal(writer, options->identity, refusal))
        return false;
    if (old->st_mode != 0)
        keep_mode(writer->temporary->file, old);
    return true;
}

bool writer_has(const Writer *writer, const OutputTensor *tensor) {
    return writer->resume && writer->done[tensor - writer->tensors];
}

/* A journal that cannot be written costs time later, no more. */
void writer_finished(Writer *writer, const OutputTensor *tensor) {
    uint64_t hash;
    if (writer->resume &&
        journal_hash(writer->temporary->file, tensor->offset, tensor->bytes, &hash) &&
        journal_add(&writer->journal, (uint64_t)(tensor - writer->tensors), hash))
        atomic_store(&writer->temporary->kept, true);
}

/* ---- opening ---- */

static bool has_size(int file, uint64_t size) {
    struct stat status;
    return fstat(file, &status) == 0 && (uint64_t)status.st_size == size;
}

static bool prepare(Writer *writer, const WriterOptions *options, const Refusal *refusal) {
    writer->size = writer_layout(writer->tensors, writer->n_tensors, writer->metadata,
                                 writer->n_metadata, &writer->header_size);
    if (writer->header_size - HEADER_PREFIX > HEADER_LIMIT)
        return refuse(refusal, "its header would be %zu bytes long; the format allows %d",
                      writer->header_size - HEADER_PREFIX, HEADER_LIMIT);
    writer->target = options->replace_link ? (char *)text_copy(&writer->arena, writer->path).data
                                           : follow_links(&writer->arena, writer->path, refusal);
    struct stat old = {0};
    if (writer->target == NULL || !check_target(writer, options, &old, refusal) ||
        !(writer->resume ? open_partial(writer, options, &old, refusal)
                         : open_temporary(writer, &old, refusal)))
        return false;
    if (writer->resume && has_size(writer->temporary->file, writer->size))
        return true; /* its space was taken by the run before */
    if (!check_space(writer, refusal))
        return false;
    return reserve(writer->temporary->file, writer->size) ||
           refuse_errno(refusal, "can't be written", errno);
}

Writer *writer_open(Text path, OutputTensor *tensors, size_t n_tensors,
                    const WriterOptions *options, Diags *diags, Span span) {
    Refusal refusal = {diags, span, path};
    if (path.size == 0 || memchr(path.data, '\0', path.size) != NULL) {
        refuse(&refusal, "is no name for a file");
        return NULL;
    }
    Writer *writer = memory_grow(NULL, sizeof *writer);
    *writer = (Writer){.tensors = tensors,
                       .n_tensors = n_tensors,
                       .n_metadata = options->n_metadata,
                       .no_sync = options->no_sync,
                       .resume = options->resume,
                       .journal = {.file = -1}};
    writer->path = text_copy(&writer->arena, path);
    writer->metadata = arena_copy(&writer->arena, options->metadata,
                                  options->n_metadata * sizeof *options->metadata);
    if (prepare(writer, options, &refusal))
        return writer;
    writer_abandon(writer);
    return NULL;
}

Writer *writer_open_memory(OutputTensor *tensors, size_t n_tensors) {
    Writer *writer = memory_grow(NULL, sizeof *writer);
    *writer = (Writer){.tensors = tensors, .n_tensors = n_tensors, .journal = {.file = -1}};
    writer->size = writer_layout(tensors, n_tensors, NULL, 0, &writer->header_size);
    writer->memory = malloc(writer->size);
    if (writer->memory != NULL)
        return writer;
    writer_abandon(writer);
    return NULL;
}

const void *writer_memory(const Writer *writer, const OutputTensor *tensor) {
    return writer->memory + tensor->offset;
}

void writer_patch_metadata(Writer *writer, size_t index, Text value) {
    assert(index < writer->n_metadata);
    writer->metadata[index].value = text_copy(&writer->arena, value);
}

/* Bytes that the system can't reach stand in an input that became shorter, or whose disk fails: who
 * looks at them is told which (reader.c), and the run ends. */
static void look_at(const volatile unsigned char *data, size_t size) {
    for (size_t i = 0; i < size; i++)
        (void)data[i];
}

static bool write_bytes(Writer *writer, uint64_t offset, const void *data, size_t size) {
    if (writer->memory != NULL) {
        memcpy(writer->memory + offset, data, size);
        return true;
    }
    if (file_write_at(writer->temporary->file, data, size, offset))
        return true;
    int none = 0, error = errno;
    if (error == EFAULT)
        look_at(data, size);
    atomic_compare_exchange_strong(&writer->error, &none, error);
    return false;
}

bool writer_write(Writer *writer, uint64_t offset, const void *data, size_t size) {
    atomic_fetch_add(&writer->n_writing, 1);
    bool written = write_bytes(writer, offset, data, size);
    atomic_fetch_sub(&writer->n_writing, 1);
    return written;
}

WriteStatus writer_try_write(Writer *writer, uint64_t offset, const void *data, size_t size) {
    unsigned none = 0;
    if (!atomic_compare_exchange_strong(&writer->n_writing, &none, 1))
        return WRITE_BUSY;
    bool written = write_bytes(writer, offset, data, size);
    atomic_fetch_sub(&writer->n_writing, 1);
    return written ? WRITE_DONE : WRITE_FAILED;
}

bool writer_is_busy(const Writer *writer) {
    return atomic_load_explicit(&writer->n_writing, memory_order_relaxed) > 0;
}

bool writer_check(const Writer *writer, Diags *diags, Span span) {
    Refusal refusal = {diags, span, writer->path};
    int error = atomic_load(&writer->error);
    return error == 0 || refuse_errno(&refusal, "can't be written", error);
}

/* Moves bytes down within the file. */
static bool move_down(int file, uint64_t to, uint64_t from, uint64_t size, void *buffer) {
    while (size > 0) {
        size_t step = size < MOVE_STEP ? size : MOVE_STEP;
        ssize_t n = file_read_at(file, buffer, step, from);
        if (n >= 0 && (size_t)n < step)
            errno = EIO;
        if (n != (ssize_t)step || !file_write_at(file, buffer, step, to))
            return false;
        to += step;
        from += step;
        size -= step;
    }
    return true;
}

/* Closes the file up over what was dropped. */
static bool close_up(Writer *writer) {
    void *buffer = NULL;
    uint64_t end = writer->header_size;
    bool moved = true;
    for (size_t i = 0; i < writer->n_tensors && moved; i++) {
        OutputTensor *tensor = &writer->tensors[i];
        if (tensor->dropped)
            continue;
        if (tensor->offset != end) {
            if (buffer == NULL)
                buffer = memory_grow(NULL, MOVE_STEP);
            moved = move_down(writer->temporary->file, end, tensor->offset, tensor->bytes, buffer);
        }
        tensor->offset = end;
        end += tensor->bytes;
    }
    free(buffer);
    bool shorter = end != writer->size;
    writer->size = end;
    return moved && (!shorter || set_size(writer->temporary->file, end));
}

static bool synchronise(int file) {
    int result;
    do
        result = fsync(file);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* Some file systems tell of failed writes only when a descriptor is closed. The lock stays with the
 * other one. */
static bool close_reports_nothing(int file) {
    int copy = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return copy < 0 || close(copy) == 0 || errno == EINTR;
}

/* Everything up to the rename. */
static bool complete(Writer *writer) {
    int file = writer->temporary->file;
    errno = atomic_load(&writer->error);
    if (errno != 0)
        return false;
    writer->complete =
        writer->complete || (close_up(writer) && write_header(writer) &&
                             (writer->no_sync || synchronise(file)) && close_reports_nothing(file));
    return writer->complete;
}

bool writer_complete(Writer *writer, Diags *diags, Span span) {
    Refusal refusal = {diags, span, writer->path};
    return complete(writer) || refuse_errno(&refusal, "can't be written", errno);
}

/* Makes the new name last. Where folders can't be opened or synchronised, nothing more can be done.
 */
static bool synchronise_folder(Writer *writer) {
    Text folder = path_folder(text_from(writer->target));
    int file = file_open(text_copy(&writer->arena, folder).data, O_RDONLY | O_DIRECTORY, 0);
    if (file < 0)
        return errno == EACCES;
    bool done = synchronise(file) || errno == EINVAL;
    int error = errno;
    close(file);
    errno = error;
    return done;
}

static bool give_name(Writer *writer, const Refusal *refusal) {
    bool done = complete(writer) && temporary_rename(writer->temporary, writer->target);
    int error = errno;
    temporary_close(writer->temporary); /* there may be no other descriptor for the folder */
    writer->temporary = NULL;
    return done || refuse_errno(refusal, "can't be written", error);
}

bool writer_finish(Writer *writer, Diags *diags, Span span) {
    Refusal refusal = {diags, span, writer->path};
    bool done = give_name(writer, &refusal);
    if (done && !writer->no_sync && !synchronise_folder(writer))
        done = refuse_errno(&refusal, "was written, but may not outlast a power cut", errno);
    if (done && !writer->resume)
        temporary_discard_partial(text_from(writer->target));
    writer_abandon(writer);
    return done;
}

bool writer_rename(Writer *writer, Diags *diags, Span span) {
    Refusal refusal = {diags, span, writer->path};
    bool done = give_name(writer, &refusal);
    writer_abandon(writer);
    return done;
}

void writer_abandon(Writer *writer) {
    if (writer == NULL)
        return;
    if (writer->temporary != NULL)
        temporary_close(writer->temporary);
    free(writer->memory);
    journal_close(&writer->journal);
    arena_free(&writer->arena);
    free(writer);
}

bool writer_changed_files(void) {
    return temporaries_renamed();
}

bool writer_remove_temporaries(void) {
    return temporaries_remove();
}
