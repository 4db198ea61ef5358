#include "tensor/shards.h"

#include "base/file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

const char shards_index[] = "model.safetensors.index.json";

/* Bytes of an index. Parsed, a hostile one takes thirty times that. */
enum { INDEX_LIMIT = 16 << 20 };

void shards_free(Shards *shards) {
    names_free(&shards->files);
    names_free(&shards->tensors);
    vector_free(&shards->file_of);
}

bool shards_wanted(const Shards *shards, uint32_t file, Text name) {
    if (shards->all)
        return true;
    uint32_t tensor = names_find(&shards->tensors, name);
    return tensor != INDEX_NONE && shards->file_of.items[tensor] == file;
}

/* Reads the index file. NULL after a message. */
static json_t *load_index(Arena *arena, Text path, const Refusal *refusal) {
    Text text;
    int error;
    if (!file_read(arena, path, INDEX_LIMIT, &text, &error)) {
        if (error == EFBIG)
            refuse(refusal, "is too large for an index of shards: %d bytes are allowed",
                   INDEX_LIMIT);
        else
            refuse_errno(refusal, "can't be read", error);
        return NULL;
    }
    json_error_t problem;
    json_t *root = json_loadb(text.data, text.size, JSON_REJECT_DUPLICATES, &problem);
    if (root == NULL)
        refuse(refusal, "is no well-formed index of shards: %s (line %d)",
               show(text_from(problem.text)).text, problem.line);
    return root;
}

/* A name in the folder, and nothing that leads out of it. */
static bool is_plain_name(Text name) {
    return name.size > 0 && !text_equal(name, TEXT(".")) && !text_equal(name, TEXT("..")) &&
           memchr(name.data, '/', name.size) == NULL &&
           memchr(name.data, '\\', name.size) == NULL && memchr(name.data, '\0', name.size) == NULL;
}

static bool add_entry(Shards *shards, Text folder, Text tensor, const json_t *file,
                      const Refusal *refusal) {
    if (!json_is_string(file))
        return refuse(refusal, "weight_map must give tensor '%s' the name of a file",
                      show(tensor).text);
    Text name = {json_string_value(file), json_string_length(file)};
    if (!is_plain_name(name))
        return refuse(refusal,
                      "weight_map puts tensor '%s' into '%s', which is no plain file name; shards "
                      "stand beside their index",
                      show(tensor).text, show(name).text);
    uint32_t shard = names_add(&shards->files, path_join(shards->files.arena, folder, name));
    names_add(&shards->tensors, tensor);
    vector_push(&shards->file_of, shard);
    return true;
}

static bool read_map(Shards *shards, Text folder, json_t *root, const Refusal *refusal) {
    json_t *map = json_object_get(root, "weight_map");
    if (!json_is_object(map))
        return refuse(
            refusal, "is no index of shards: it must be an object with a 'weight_map' that is one");
    const char *tensor;
    json_t *file;
    json_object_foreach(map, tensor, file) {
        if (!add_entry(shards, folder, text_from(tensor), file, refusal))
            return false;
    }
    return true;
}

/* PATH ends in a NUL. */
static bool is_regular(Text path, const Refusal *refusal) {
    struct stat status;
    if (stat(path.data, &status) != 0)
        return refuse_errno(refusal, "can't be opened", errno);
    return S_ISREG(status.st_mode) || refuse_kind(refusal, status.st_mode);
}

static bool from_index(Shards *shards, Text path, const Refusal *refusal) {
    if (!is_regular(path, refusal))
        return false;
    json_t *root = load_index(shards->files.arena, path, refusal);
    bool read = root != NULL && read_map(shards, path_folder(path), root, refusal);
    json_decref(root);
    return read;
}

/* `stem-00001-of-00003.safetensors` */
typedef struct SetName {
    Text stem;
    unsigned number, total;
} SetName;

static bool parse_set_name(Text name, SetName *parsed) {
    static const char pattern[] = "-00000-of-00000.safetensors";
    size_t size = sizeof pattern - 1;
    if (name.size < size)
        return false;
    const char *tail = name.data + name.size - size;
    for (size_t i = 0; i < size; i++)
        if (pattern[i] == '0' ? !isdigit((unsigned char)tail[i]) : tail[i] != pattern[i])
            return false;
    *parsed = (SetName){{name.data, name.size - size},
                        (unsigned)strtoul(tail + 1, NULL, 10),
                        (unsigned)strtoul(tail + 10, NULL, 10)};
    return true;
}

typedef VECTOR(Text) TextList;

static int compare_texts(const void *a, const void *b) {
    return text_compare(*(const Text *)a, *(const Text *)b);
}

/* The names in a folder that end in SUFFIX, sorted. */
static bool list_folder(Arena *arena, Text folder, Text suffix, TextList *names) {
    DIR *stream = opendir(text_copy(arena, folder).data);
    if (stream == NULL)
        return false;
    int error;
    for (const char *entry; (entry = folder_next(stream, &error)) != NULL;) {
        Text name = text_from(entry);
        if (text_ends(name, suffix) && name.data[0] != '.')
            vector_push(names, text_copy(arena, name));
    }
    closedir(stream);
    vector_sort(names, compare_texts);
    errno = error;
    return error == 0;
}

static bool refuse_choice(const TextList *names, const Refusal *refusal) {
    return refuse(refusal, "is a folder of several models, '%s' and '%s' among them: name one",
                  show(names->items[0]).text, show(names->items[1]).text);
}

/* Several files must be one set: the same stem and total, and every number there. */
static bool check_set(const TextList *names, const Refusal *refusal) {
    SetName first = {0}, name;
    unsigned present = 0;
    for (size_t i = 0; i < names->count; i++) {
        if (!parse_set_name(names->items[i], &name))
            return refuse_choice(names, refusal);
        if (i == 0)
            first = name;
        if (name.total != first.total || !text_equal(name.stem, first.stem))
            return refuse_choice(names, refusal);
        present += name.number == present + 1;
    }
    if (present == names->count && present == first.total)
        return true;
    return refuse(refusal, "the shard '%s-%05u-of-%05u.safetensors' is missing",
                  show(first.stem).text, present + 1, first.total);
}

/* The first folder in a folder, by name, that holds a model; or an empty text. */
static Text find_part(Arena *arena, Text folder) {
    TextList names = {0}, files = {0};
    Text part = TEXT("");
    list_folder(arena, folder, TEXT(""), &names);
    for (size_t i = 0; i < names.count && part.size == 0; i++) {
        Text path = path_join(arena, folder, names.items[i]);
        if (list_folder(arena, path, TEXT(".safetensors"), &files) && files.count > 0)
            part = path;
    }
    vector_free(&names);
    vector_free(&files);
    return part;
}

static bool refuse_empty(Arena *arena, Text folder, const Refusal *refusal) {
    Text part = find_part(arena, folder);
    if (part.size == 0)
        return refuse(refusal, "is a folder that holds no .safetensors file");
    return refuse(refusal, "is a folder of parts, each a model of its own: name one, as '%s'",
                  show_path(part).text);
}

static bool from_set(Shards *shards, Text folder, const TextList *names, const Refusal *refusal) {
    if (names->count == 0)
        return refuse_empty(shards->files.arena, folder, refusal);
    if (names->count > 1 && !check_set(names, refusal))
        return false;
    shards->all = true;
    for (size_t i = 0; i < names->count; i++)
        names_add(&shards->files, path_join(shards->files.arena, folder, names->items[i]));
    return true;
}

/* Of several index files the one with the usual name is meant. */
static Text choose_index(const TextList *names) {
    for (size_t i = 0; i < names->count; i++)
        if (text_equal(names->items[i], text_from(shards_index)))
            return names->items[i];
    return names->count == 1 ? names->items[0] : TEXT("");
}

static bool from_listing(Shards *shards, Text folder, const TextList *indexes,
                         const TextList *files, const Refusal *refusal) {
    if (indexes->count == 0)
        return from_set(shards, folder, files, refusal);
    Text index = choose_index(indexes);
    if (index.size == 0)
        return refuse_choice(indexes, refusal);
    Refusal inner = *refusal;
    inner.path = path_join(shards->files.arena, folder, index);
    return from_index(shards, inner.path, &inner);
}

static bool from_folder(Shards *shards, Text folder, const Refusal *refusal) {
    Arena *arena = shards->files.arena;
    TextList indexes = {0}, files = {0};
    bool found;
    if (!list_folder(arena, folder, TEXT(".safetensors.index.json"), &indexes) ||
        !list_folder(arena, folder, TEXT(".safetensors"), &files))
        found = refuse_errno(refusal, "can't be listed", errno);
    else
        found = from_listing(shards, folder, &indexes, &files, refusal);
    vector_free(&indexes);
    vector_free(&files);
    return found;
}

bool shards_list(Names *files, Text folder) {
    TextList names = {0};
    bool listed = list_folder(files->arena, folder, TEXT(".safetensors"), &names);
    struct stat status;
    if (stat(path_join(files->arena, folder, text_from(shards_index)).data, &status) == 0)
        names_add(files, text_from(shards_index));
    for (size_t i = 0; i < names.count; i++) {
        SetName set = {.stem = TEXT("")};
        bool shard = parse_set_name(names.items[i], &set) && text_equal(set.stem, TEXT("model"));
        if (shard || text_equal(names.items[i], TEXT("model.safetensors")))
            names_add(files, names.items[i]);
    }
    vector_free(&names);
    return listed;
}

bool shards_find(Shards *shards, Text path, const Refusal *refusal) {
    if (memchr(path.data, '\0', path.size) != NULL)
        return refuse(refusal, "a path can't hold a NUL byte");
    Text terminated = text_copy(shards->files.arena, path);
    struct stat status;
    if (stat(terminated.data, &status) == 0 && S_ISDIR(status.st_mode))
        return from_folder(shards, terminated, refusal);
    if (text_ends(path, TEXT(".json")))
        return from_index(shards, terminated, refusal);
    shards->all = true;
    names_add(&shards->files, terminated);
    return true;
}
