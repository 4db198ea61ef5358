#include "tensor/reader.h"

#include "base/file.h"
#include "base/vector.h"
#include "tensor/header.h"
#include "tensor/layout.h"
#include "tensor/parts.h"
#include "tensor/refuse.h"
#include "tensor/scales.h"
#include "tensor/settings.h"
#include "tensor/shards.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

enum { MAGIC_SIZE = 64 }; /* bytes that tell what a file is */

/* One file, mapped. The records stand in a list that the SIGBUS handler walks. */
typedef struct MappedFile {
    struct MappedFile *next;
    const unsigned char *data;
    size_t size;
    char *header; /* its text, copied: names stay what they were if the file is changed */
    const char *path;
    const char *shown; /* the path, fit for a terminal */
    dev_t device;
    ino_t inode;
    struct timespec written, changed;
} MappedFile;

struct ModelFiles {
    Arena arena;
    VECTOR(MappedFile *) files;
    VECTOR(Tensor) tensors;
    VECTOR(MetadataEntry) metadata;
    HashIndex names;
    ModelParts parts;
};

static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER;
static MappedFile *_Atomic maps;

static void register_map(MappedFile *file) {
    pthread_mutex_lock(&maps_lock);
    file->next = atomic_load(&maps);
    atomic_store(&maps, file);
    pthread_mutex_unlock(&maps_lock);
}

static void forget_map(const MappedFile *file) {
    pthread_mutex_lock(&maps_lock);
    MappedFile *first = atomic_load(&maps);
    if (first == file) {
        atomic_store(&maps, file->next);
    } else {
        while (first != NULL && first->next != file)
            first = first->next;
        if (first != NULL)
            first->next = file->next;
    }
    pthread_mutex_unlock(&maps_lock);
}

/* What people really have under a model's name. */
static const struct {
    Text magic;
    const char *kind;
} foreign_kinds[] = {
#define KIND(magic, kind) {{magic, sizeof magic - 1}, kind},
    KIND("version https://git-lfs",
         "a Git LFS pointer: the model itself was never downloaded (git lfs pull does)")
        KIND("GGUF", "a GGUF model") KIND("ggml", "a GGML model") KIND(
            "PK\3\4",
            "a ZIP archive, as torch.save writes .pt and .ckpt files; convert it to safetensors "
            "first") KIND("PK\5\6", "an empty ZIP archive") KIND("\x89HDF\r\n\x1a\n",
                                                                 "an HDF5 file, as Keras writes")
            KIND("\x93NUMPY", "a NumPy array (.npy)") KIND("\x1f\x8b", "a gzip archive") KIND(
                "\x28\xb5\x2f\xfd", "a Zstandard archive") KIND("\xfd"
                                                                "7zXZ",
                                                                "an XZ archive")
                KIND("7z\xbc\xaf\x27\x1c", "a 7-Zip archive") KIND("Rar!", "a RAR archive") KIND(
                    "\x89PNG", "a PNG image") KIND("\xff\xd8\xff",
                                                   "a JPEG image") KIND("\x7f"
                                                                        "ELF",
                                                                        "a program (ELF)")
                    KIND("<!DOCTYPE", "an HTML page: the download failed, or needed a login")
                        KIND("<!doctype", "an HTML page: the download failed, or needed a login")
                            KIND("<html", "an HTML page: the download failed, or needed a login")
                                KIND("<?xml", "an XML text, perhaps a server's refusal")
#undef KIND
};

static bool is_pickle(Text head) {
    return head.size >= 2 && head.data[0] == '\x80' && head.data[1] >= 2 && head.data[1] <= 5;
}

static bool is_text(Text head) {
    for (size_t i = 0; i < head.size; i++) {
        unsigned char c = (unsigned char)head.data[i];
        if (c >= 0x7F || (c < 0x20 && c != '\t' && c != '\r' && c != '\n'))
            return false;
    }
    return head.size > 0;
}

static bool is_zero(Text head) {
    for (size_t i = 0; i < head.size; i++)
        if (head.data[i] != 0)
            return false;
    return head.size > HEADER_PREFIX;
}

/* Where the framing is wrong and the first bytes tell what the file is instead: says so, and is
 * false. */
static bool seems_safetensors(Text head, const Refusal *refusal) {
    for (size_t i = 0; i < sizeof foreign_kinds / sizeof *foreign_kinds; i++)
        if (text_starts(head, foreign_kinds[i].magic))
            return refuse(refusal, "is no safetensors file but %s", foreign_kinds[i].kind);
    if (is_pickle(head))
        return refuse(refusal,
                      "is no safetensors file but a Python pickle, as old .pt, .ckpt and .bin "
                      "files are; convert it to safetensors first");
    if (is_zero(head))
        return refuse(refusal, "begins with zeros instead of a header (an interrupted download?)");
    if (is_text(head))
        return refuse(refusal, "is no safetensors file but a text that begins with \"%s\"",
                      show(head).text);
    return true;
}

static uint64_t read_little_endian(const unsigned char *bytes) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | bytes[i];
    return value;
}

/* Sets LENGTH, which is 0, to that of the header, from the file's first bytes. False after a
 * message.
 */
static bool header_length(Text head, uint64_t file_size, uint64_t *length, const Refusal *refusal) {
    if (file_size == 0)
        return refuse(refusal, "the file is empty");
    if (head.size >= HEADER_PREFIX)
        *length = read_little_endian((const unsigned char *)head.data);
    bool framed = head.size >= HEADER_PREFIX && *length > 0 && *length <= HEADER_LIMIT &&
                  *length <= file_size - HEADER_PREFIX;
    if (framed)
        return true;
    if (!seems_safetensors(head, refusal))
        return false;
    if (head.size < HEADER_PREFIX)
        return refuse(refusal, "has %zu bytes; a safetensors file has at least %d", head.size,
                      HEADER_PREFIX);
    if (*length == 0)
        return refuse(refusal, "its header is empty; it must be a JSON object");
    if (*length > HEADER_LIMIT)
        return refuse(refusal,
                      "is no safetensors file: the length of its header would be %" PRIu64
                      " bytes; %d are allowed",
                      *length, HEADER_LIMIT);
    return refuse(refusal,
                  "the file is cut short: its header is %" PRIu64 " bytes long and %" PRIu64
                  " follow (an interrupted download?)",
                  *length, file_size - HEADER_PREFIX);
}

/* Reads the header of an open file into memory of its own, with a NUL behind it. */
static bool read_header(int descriptor, MappedFile *file, Text *header, const Refusal *refusal) {
    char head[MAGIC_SIZE];
    ssize_t size = file_read_at(descriptor, head, sizeof head, 0);
    if (size < 0)
        return refuse_errno(refusal, "can't be read", errno);
    uint64_t length = 0;
    if (!header_length((Text){head, (size_t)size}, file->size, &length, refusal))
        return false;
    file->header = malloc(length + 1);
    if (file->header == NULL)
        return refuse_errno(refusal, "its header can't be read", ENOMEM);
    size = file_read_at(descriptor, file->header, length, HEADER_PREFIX);
    if (size < 0)
        return refuse_errno(refusal, "can't be read", errno);
    if ((uint64_t)size < length)
        return refuse(refusal, "became shorter while it was read");
    file->header[length] = '\0';
    *header = (Text){file->header, length};
    return true;
}

static bool map_descriptor(int descriptor, MappedFile *file, const Refusal *refusal) {
    void *data = mmap(NULL, file->size, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data == MAP_FAILED)
        return refuse_errno(refusal, "can't be mapped into memory", errno);
    file->data = data;
    (void)madvise(data, file->size, MADV_SEQUENTIAL); /* a hint, no more */
    register_map(file);
    return true;
}

/* Reads the header and maps the file; no descriptor stays open. */
static bool map_file(MappedFile *file, Text *header, const Refusal *refusal) {
    struct stat status;
    int descriptor = file_open_regular(file->path, &status);
    if (descriptor < 0 && errno == 0)
        return refuse_kind(refusal, status.st_mode);
    if (descriptor < 0)
        return refuse_errno(refusal, "can't be opened", errno);
    file->size = (size_t)status.st_size;
    file->device = status.st_dev;
    file->inode = status.st_ino;
    file->written = status.st_mtim;
    file->changed = status.st_ctim;
    bool mapped =
        read_header(descriptor, file, header, refusal) && map_descriptor(descriptor, file, refusal);
    close(descriptor);
    return mapped;
}

/* A layout of which the model takes everything, and nothing else yet. */
static void adopt(struct ModelFiles *files, Layout *layout) {
    files->tensors.items = layout->tensors.items;
    files->tensors.count = layout->tensors.count;
    files->tensors.capacity = layout->tensors.capacity;
    files->names = layout->names;
    layout->tensors.items = NULL;
    layout->names = (HashIndex){0};
}

/* The key of a tensor of the model: those of a pipeline begin with the part. */
static Text key_of(struct ModelFiles *files, const Shards *shards, Text name) {
    return shards->part.size == 0
               ? name
               : text_format(&files->arena, "%.*s.%.*s", TEXT_ARG(shards->part), TEXT_ARG(name));
}

/* An index and its shards that disagree are of two models, or of a download of half of one. */
static bool refuse_unwanted(const Shards *shards, Text name, const Refusal *refusal) {
    uint32_t tensor = names_find(&shards->tensors, name);
    if (tensor == INDEX_NONE)
        return refuse(refusal, "holds the tensor '%s', which the index of the shards does not name",
                      show(name).text);
    Text shard = shards->files.texts[shards->file_of.items[tensor]];
    return refuse(refusal, "holds the tensor '%s', which the index of the shards puts into '%s'",
                  show(name).text, show(path_name(shard)).text);
}

/* Adds the tensors of one shard. */
static bool append(struct ModelFiles *files, const Layout *layout, const Shards *shards,
                   uint32_t file, const Refusal *refusal) {
    for (size_t i = 0; i < layout->tensors.count; i++) {
        const Tensor *tensor = &layout->tensors.items[i];
        if (!shards_wanted(shards, file, tensor->name))
            return refuse_unwanted(shards, tensor->name, refusal);
        Tensor added = *tensor;
        added.name = key_of(files, shards, tensor->name);
        if (tensors_find(&files->names, files->tensors.items, added.name) != INDEX_NONE)
            return refuse(refusal, "tensor '%s' is in another shard as well",
                          show(tensor->name).text);
        index_add(&files->names, text_hash(added.name), (uint32_t)files->tensors.count);
        vector_push(&files->tensors, added);
    }
    return true;
}

static void place_tensors(Layout *layout, const MappedFile *file, size_t header_size) {
    for (size_t i = 0; i < layout->tensors.count; i++) {
        Tensor *tensor = &layout->tensors.items[i];
        tensor->data = file->data + HEADER_PREFIX + header_size + tensor->offset;
    }
}

/* The metadata of a sharded model is that of the first shard that has any. */
static void take_metadata(struct ModelFiles *files, const Layout *layout) {
    if (files->metadata.count > 0)
        return;
    for (size_t i = 0; i < layout->metadata.count; i++)
        vector_push(&files->metadata, layout->metadata.items[i]);
}

static bool add_file(struct ModelFiles *files, const Shards *shards, uint32_t number,
                     const Refusal *refusal) {
    MappedFile *file = arena_new(&files->arena, MappedFile);
    vector_push(&files->files, file);
    file->path = refusal->path.data;
    file->shown = text_copy(&files->arena, text_from(show_path(refusal->path).text)).data;
    Text header = TEXT("");
    if (!map_file(file, &header, refusal))
        return false;
    Layout layout = {.arena = &files->arena};
    bool added = layout_read(&layout, header, file->size - HEADER_PREFIX - header.size, refusal);
    if (added) {
        place_tensors(&layout, file, header.size);
        take_metadata(files, &layout);
        if (shards->all && files->tensors.count == 0 && shards->part.size == 0)
            adopt(files, &layout);
        else
            added = append(files, &layout, shards, number, refusal);
    }
    layout_free(&layout);
    return added;
}

/* Every tensor that the index names must be in the shard that it names. FIRST: the tensors before.
 */
static bool check_index(struct ModelFiles *files, const Shards *shards, size_t first,
                        const Refusal *refusal) {
    if (shards->all || files->tensors.count - first == shards->tensors.count)
        return true;
    uint32_t i = 0;
    while (tensors_find(&files->names, files->tensors.items,
                        key_of(files, shards, shards->tensors.texts[i])) != INDEX_NONE)
        i++;
    Text shard = shards->files.texts[shards->file_of.items[i]];
    return refuse(refusal, "tensor '%s' is not in the shard '%s', into which the index puts it",
                  show(shards->tensors.texts[i]).text, show(path_name(shard)).text);
}

/* Shards that an index names, or links to them, may not have been downloaded. */
static bool is_there(const Shards *shards, uint32_t file, const Refusal *refusal) {
    struct stat status;
    Text path = shards->files.texts[file];
    if (shards->all || stat(path.data, &status) == 0 || errno != ENOENT)
        return true; /* or opening it tells what is wrong */
    return refuse(refusal, "the shard '%s' %s", show(path_name(path)).text,
                  lstat(path.data, &status) == 0 ? "is a link to a file that is not there"
                                                 : "is missing; the index names it");
}

static bool add_files(struct ModelFiles *files, const Shards *shards, const Refusal *refusal) {
    size_t first = files->tensors.count;
    for (uint32_t i = 0; i < shards->files.count; i++) {
        Refusal inner = *refusal;
        inner.path = shards->files.texts[i];
        if (!is_there(shards, i, refusal) || !add_file(files, shards, i, &inner))
            return false;
    }
    return check_index(files, shards, first, refusal);
}

static bool add_settings(struct ModelFiles *files, const Refusal *refusal) {
    SettingVector settings = {0};
    bool read = settings_read(&files->arena, text_copy(&files->arena, refusal->path),
                              files->tensors.items, files->tensors.count, &settings, refusal);
    for (size_t i = 0; i < settings.count && read; i++) {
        if (tensors_find(&files->names, files->tensors.items, settings.items[i].name) != INDEX_NONE)
            continue;
        index_add(&files->names, text_hash(settings.items[i].name), (uint32_t)files->tensors.count);
        vector_push(&files->tensors, settings.items[i]);
    }
    vector_free(&settings);
    return read;
}

static bool add_shards(struct ModelFiles *files, Model *model, const Refusal *refusal) {
    Shards shards = {.files.arena = &files->arena, .tensors.arena = &files->arena};
    bool added = shards_find(&shards, refusal->path, refusal) && add_files(files, &shards, refusal);
    model->folder = shards.folder;
    model->stem = shards.stem;
    shards_free(&shards);
    return added && add_settings(files, refusal);
}

static const Text *copy_texts(Arena *arena, const Names *names) {
    Text *texts = arena_array(arena, Text, names->count + 1);
    for (size_t i = 0; i < names->count; i++)
        texts[i] = names->texts[i];
    return texts;
}

static bool add_part(struct ModelFiles *files, ModelPart *part, Text pipeline, Text variant,
                     const Refusal *refusal) {
    if (!part->has_weights)
        return true;
    Shards shards = {.part = part->name,
                     .asked = pipeline,
                     .files.arena = &files->arena,
                     .tensors.arena = &files->arena};
    Refusal inner = *refusal;
    inner.path = part->folder;
    bool added = shards_find_part(&shards, part->folder, variant, &inner) &&
                 add_files(files, &shards, &inner);
    part->stem = shards.stem;
    part->index = shards.index;
    part->n_files = (uint32_t)shards.files.count;
    part->files = copy_texts(&files->arena, &shards.files);
    shards_free(&shards);
    return added;
}

static bool add_parts(struct ModelFiles *files, Text pipeline, Text variant,
                      const Refusal *refusal) {
    bool found = variant.size == 0 || text_equal(variant, TEXT("none"));
    for (size_t i = 0; i < files->parts.count; i++) {
        if (!add_part(files, &files->parts.items[i], pipeline, variant, refusal))
            return false;
        found |= shards_is_variant(files->parts.items[i].stem, variant);
    }
    return found || refuse(refusal, "no part of it has a variant '%s'", show(variant).text);
}

static bool find_and_add(struct ModelFiles *files, Model *model, const Refusal *refusal) {
    Text variant;
    if (!parts_find(&files->arena, refusal->path, &files->parts, &model->folder, &variant, refusal))
        return false;
    return files->parts.count > 0 ? add_parts(files, model->folder, variant, refusal)
                                  : add_shards(files, model, refusal);
}

Model *model_open(Text path, Diags *diags, Span span) {
    Model *model = memory_grow(NULL, sizeof *model);
    struct ModelFiles *files = memory_grow(NULL, sizeof *files);
    *files = (struct ModelFiles){0};
    *model = (Model){.path = text_copy(&files->arena, path), .files = files};
    if (!find_and_add(files, model, &(Refusal){diags, span, path})) {
        model_close(model);
        return NULL;
    }
    model->has_scales = scales_link(&files->names, files->tensors.items, files->tensors.count);
    model->parts = files->parts.items;
    model->n_parts = (uint32_t)files->parts.count;
    model->tensors = files->tensors.items;
    model->n_tensors = (uint32_t)files->tensors.count;
    model->metadata = files->metadata.items;
    model->n_metadata = (uint32_t)files->metadata.count;
    for (uint32_t i = 0; i < model->n_tensors; i++)
        model->bytes += model->tensors[i].bytes;
    return model;
}

static void unmap_file(MappedFile *file) {
    if (file->data != NULL) {
        forget_map(file);
        munmap((void *)file->data, file->size);
    }
    free(file->header);
}

void model_close(Model *model) {
    if (model == NULL)
        return;
    struct ModelFiles *files = model->files;
    for (size_t i = 0; i < files->files.count; i++)
        unmap_file(files->files.items[i]);
    vector_free(&files->files);
    vector_free(&files->tensors);
    vector_free(&files->metadata);
    vector_free(&files->parts);
    index_free(&files->names);
    arena_free(&files->arena);
    free(files);
    free(model);
}

const Tensor *model_find(const Model *model, Text name) {
    uint32_t found = tensors_find(&model->files->names, model->tensors, name);
    return found == INDEX_NONE ? NULL : &model->tensors[found];
}

/* The last one of that key, as the reference reader has it. */
Text model_metadata(const Model *model, Text key) {
    for (uint32_t i = model->n_metadata; i-- > 0;)
        if (text_equal(model->metadata[i].key, key))
            return model->metadata[i].value;
    return (Text){NULL, 0};
}

/* Advice about all pages that hold a byte of the range. */
static void advise(const Tensor *tensor, uint64_t begin, uint64_t end, int advice) {
    if (begin >= end || tensor->is_setting)
        return;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    uintptr_t from = ((uintptr_t)tensor->data + begin) / page * page;
    (void)madvise((void *)from, (uintptr_t)tensor->data + end - from, advice);
}

void model_will_need(const Tensor *tensor, uint64_t begin, uint64_t end) {
    advise(tensor, begin, end, MADV_WILLNEED);
}

/* A neighbour's bytes on the first or last page are only fetched again. */
void model_done_with(const Tensor *tensor, uint64_t begin, uint64_t end) {
    advise(tensor, begin, end, MADV_DONTNEED);
}

static bool is_current(const MappedFile *file) {
    struct stat now;
    return stat(file->path, &now) == 0 && now.st_dev == file->device && now.st_ino == file->inode &&
           (size_t)now.st_size == file->size && now.st_mtim.tv_sec == file->written.tv_sec &&
           now.st_mtim.tv_nsec == file->written.tv_nsec;
}

bool model_is_current(const Model *model) {
    for (size_t i = 0; i < model->files->files.count; i++)
        if (!is_current(model->files->files.items[i]))
            return false;
    return true;
}

bool model_is_file(const Model *model, const char *path) {
    struct stat status;
    if (stat(path, &status) != 0)
        return false;
    for (size_t i = 0; i < model->files->files.count; i++) {
        const MappedFile *file = model->files->files.items[i];
        if (file->device == status.st_dev && file->inode == status.st_ino)
            return true;
    }
    return false;
}

uint64_t model_identity(const Model *model) {
    uint64_t identity = model->files->files.count;
    for (size_t i = 0; i < model->files->files.count; i++) {
        const MappedFile *file = model->files->files.items[i];
        uint64_t parts[8] = {identity,
                             file->size,
                             (uint64_t)file->device,
                             (uint64_t)file->inode,
                             (uint64_t)file->written.tv_sec,
                             (uint64_t)file->written.tv_nsec,
                             (uint64_t)file->changed.tv_sec,
                             (uint64_t)file->changed.tv_nsec};
        identity = XXH3_64bits(parts, sizeof parts);
    }
    return identity;
}

static bool (*clean_up_after_fault)(void);

static void put(const char *text) {
    ssize_t written = write(STDERR_FILENO, text, strlen(text));
    (void)written;
}

static const MappedFile *map_of(const unsigned char *address) {
    const MappedFile *file = atomic_load(&maps);
    while (file != NULL && !(address >= file->data && address < file->data + file->size))
        file = file->next;
    return file;
}

/* A page of a map could not be had. Only async-signal-safe calls from here on. */
static void on_bus_error(int signal_number, siginfo_t *info, void *context) {
    (void)context;
    static atomic_flag entered = ATOMIC_FLAG_INIT;
    const MappedFile *file = map_of(info->si_addr);
    if (file == NULL) {
        signal(signal_number, SIG_DFL); /* no map of ours: returning faults again, for good */
        return;
    }
    while (atomic_flag_test_and_set(&entered))
        pause(); /* another thread is about to end the process */
    put("mecha: error: ");
    put(file->shown);
    put(": can't be read any more: it became shorter, or its disk failed\n");
    if (clean_up_after_fault != NULL)
        clean_up_after_fault();
    _exit(1);
}

void reader_guard_maps(bool (*clean_up)(void)) {
    clean_up_after_fault = clean_up;
    struct sigaction action = {.sa_sigaction = on_bus_error, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGBUS, &action, NULL);
}
