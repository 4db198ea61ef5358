#include "tensor/parts.h"

#include "base/file.h"
#include "tensor/json_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

const char parts_index[] = "model_index.json";

enum { INDEX_LIMIT = 1 << 20 };

/* `"unet": ["diffusers", "UNet2DConditionModel"]`; `[null, null]` says that there is none, and what
 * is no list is a setting. */
static bool names_part(const json_t *value) {
    return json_is_array(value) && json_array_size(value) == 2 &&
           json_is_string(json_array_get(value, 1));
}

static json_t *load_index(Arena *arena, const Refusal *refusal) {
    json_t *root = json_file_load(arena, INDEX_LIMIT, "list of parts", refusal);
    if (root != NULL && !json_is_object(root))
        refuse(refusal, "is no list of parts: it must be an object");
    if (json_is_object(root))
        return root;
    json_decref(root);
    return NULL;
}

/* What weights and their config are called; whether the folder has such a file. */
static bool holds(Arena *arena, Text folder, const char *end, bool whole) {
    DIR *stream = opendir(text_copy(arena, folder).data);
    bool found = false;
    int error;
    for (const char *entry; stream != NULL && (entry = folder_next(stream, &error)) != NULL;) {
        Text name = text_from(entry);
        found |= whole ? text_equal(name, text_from(end)) : text_ends(name, text_from(end));
    }
    if (stream != NULL)
        closedir(stream);
    return found;
}

static bool has_weights(Arena *arena, Text folder) {
    return holds(arena, folder, ".safetensors", false) ||
           holds(arena, folder, ".safetensors.index.json", false);
}

static bool is_plain(Text name) {
    return name.size > 0 && name.data[0] != '.' && memchr(name.data, '/', name.size) == NULL &&
           memchr(name.data, '.', name.size) == NULL;
}

/* A tokenizer or scheduler has no weights, and no `config.json`. */
static bool add_part(Arena *arena, Text folder, Text name, ModelParts *parts,
                     const Refusal *refusal) {
    if (!is_plain(name))
        return refuse(refusal, "names a part '%s', which is no plain name of a folder",
                      show(name).text);
    Text path = path_join(arena, folder, text_copy(arena, name));
    if (!path_is_folder(path))
        return refuse(refusal, "names the part '%s', and there is no such folder beside it",
                      show(name).text);
    ModelPart part = {.name = text_copy(arena, name), .folder = path};
    part.has_weights = has_weights(arena, path);
    if (!part.has_weights && holds(arena, path, "config.json", true))
        return refuse(refusal, "names the part '%s', whose folder holds no .safetensors file%s",
                      show(name).text,
                      holds(arena, path, ".bin", false)
                          ? " but pickled weights (.bin); convert them to safetensors first"
                          : "");
    vector_push(parts, part);
    return true;
}

static int compare_parts(const void *a, const void *b) {
    return text_compare(((const ModelPart *)a)->name, ((const ModelPart *)b)->name);
}

static bool add_parts(Arena *arena, Text folder, ModelParts *parts, const Refusal *refusal) {
    json_t *root = load_index(arena, refusal);
    const char *name;
    json_t *value;
    bool added = root != NULL, weights = false;
    json_object_foreach(root, name, value) added =
        added && (!names_part(value) || add_part(arena, folder, text_from(name), parts, refusal));
    json_decref(root);
    for (size_t i = 0; i < parts->count; i++)
        weights |= parts->items[i].has_weights;
    vector_sort(parts, compare_parts);
    return added && (weights || refuse(refusal, "names no part that holds a model"));
}

bool parts_find(Arena *arena, Text path, ModelParts *parts, Text *folder, Text *variant,
                const Refusal *refusal) {
    *folder = *variant = TEXT("");
    if (memchr(path.data, '\0', path.size) != NULL)
        return true; /* shards_find says that it can't be */
    *folder = shards_folder(arena, path, variant);
    if (folder->size == 0)
        return true;
    Refusal inner = *refusal;
    inner.path = path_join(arena, *folder, text_from(parts_index));
    struct stat status;
    return stat(inner.path.data, &status) != 0 || add_parts(arena, *folder, parts, &inner);
}

void parts_named(Arena *arena, Text text, Names *names) {
    json_t *root = json_loadb(text.data, text.size, 0, NULL);
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value) if (names_part(value) && is_plain(text_from(name)))
        names_add(names, text_copy(arena, text_from(name)));
    json_decref(root);
}

Text parts_index_without(Arena *arena, Text text, bool (*is_there)(const void *context, Text part),
                         const void *context) {
    json_t *root = json_loadb(text.data, text.size, 0, NULL);
    const char *name;
    json_t *value;
    bool changed = false;
    json_object_foreach(root, name, value) {
        if (!names_part(value) || is_there(context, text_from(name)))
            continue;
        json_array_set_new(value, 0, json_null());
        json_array_set_new(value, 1, json_null());
        changed = true;
    }
    char *dumped = changed ? json_dumps(root, JSON_INDENT(2)) : NULL;
    Text result = dumped == NULL ? text : text_format(arena, "%s\n", dumped);
    free(dumped);
    json_decref(root);
    return result;
}
