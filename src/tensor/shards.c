#include "tensor/shards.h"

#include "base/file.h"
#include "tensor/json_file.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char shards_index[] = "model.safetensors.index.json";

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

static bool from_index(Shards *shards, Text path, const Refusal *refusal) {
    Refusal inner = *refusal;
    inner.path = shards->index = path;
    json_t *root = json_file_load(shards->files.arena, INDEX_LIMIT, "index of shards", &inner);
    bool read = root != NULL && read_map(shards, path_folder(path), root, &inner);
    json_decref(root);
    return read;
}

/* ---- what a folder holds ---- */

/* What the name of a file says: `STEM.safetensors`, `STEM-00001-of-00003.safetensors`, or
 * `STEM.safetensors.index.json`. A variant is part of the stem: `model.fp16`. */
typedef struct FileName {
    Text name, stem;
    bool is_index;
    unsigned number, total; /* 0: one file */
} FileName;

typedef VECTOR(FileName) FileNames;

/* Whether the text ends in `-00001-of-00003`, which is then cut off. */
static bool cut_number(Text *text, FileName *file) {
    static const char pattern[] = "-00000-of-00000";
    size_t size = sizeof pattern - 1;
    if (text->size < size)
        return false;
    const char *tail = text->data + text->size - size;
    for (size_t i = 0; i < size; i++)
        if (pattern[i] == '0' ? !isdigit((unsigned char)tail[i]) : tail[i] != pattern[i])
            return false;
    file->number = (unsigned)strtoul(tail + 1, NULL, 10);
    file->total = (unsigned)strtoul(tail + 10, NULL, 10);
    text->size -= size;
    return true;
}

/* The variant stands before the numbers, or, as older versions of diffusers have it, behind them.
 */
static Text stem_of(Arena *arena, Text base, FileName *file) {
    if (cut_number(&base, file))
        return base;
    const char *dot = memrchr(base.data, '.', base.size);
    Text before = {base.data, dot == NULL ? 0 : (size_t)(dot - base.data)};
    if (!cut_number(&before, file))
        return base;
    Text variant = {dot, base.size - (size_t)(dot - base.data)};
    return text_format(arena, "%.*s%.*s", TEXT_ARG(before), TEXT_ARG(variant));
}

/* `model.safetensors.index.json` and, of a variant, `model.safetensors.index.fp16.json`. */
static bool parse_index_name(Arena *arena, Text name, FileName *file) {
    static const char middle[] = ".safetensors.index";
    if (!text_ends(name, TEXT(".json")))
        return false;
    const char *at = memmem(name.data, name.size, middle, sizeof middle - 1);
    if (at == NULL)
        return false;
    Text before = {name.data, (size_t)(at - name.data)};
    const char *behind = at + sizeof middle - 1;
    Text variant = {behind, (size_t)(name.data + name.size - 5 - behind)};
    if (behind > name.data + name.size - 5 || (variant.size > 0 && variant.data[0] != '.'))
        return false;
    file->is_index = true;
    file->stem = text_format(arena, "%.*s%.*s", TEXT_ARG(before), TEXT_ARG(variant));
    return true;
}

static bool parse_name(Arena *arena, Text name, FileName *file) {
    *file = (FileName){.name = name};
    if (parse_index_name(arena, name, file))
        return true;
    static const Text end = {".safetensors", 12};
    if (!text_ends(name, end))
        return false;
    file->stem = stem_of(arena, (Text){name.data, name.size - end.size}, file);
    return true;
}

/* Those of one model stand together, an index first. */
static int compare_files(const void *a, const void *b) {
    const FileName *x = a, *y = b;
    int order = text_compare(x->stem, y->stem);
    if (order == 0)
        order = (int)y->is_index - (int)x->is_index;
    return order != 0 ? order : text_compare(x->name, y->name);
}

static bool list_folder(Arena *arena, Text folder, FileNames *files) {
    DIR *stream = opendir(text_copy(arena, folder).data);
    if (stream == NULL)
        return false;
    int error;
    for (const char *entry; (entry = folder_next(stream, &error)) != NULL;) {
        FileName file;
        if (entry[0] != '.' && parse_name(arena, text_copy(arena, text_from(entry)), &file))
            vector_push(files, file);
    }
    closedir(stream);
    vector_sort(files, compare_files);
    errno = error;
    return error == 0;
}

/* The files of one model: those from FIRST on that have its stem. */
typedef struct FileSet {
    const FileName *files;
    size_t count;
} FileSet;

typedef VECTOR(FileSet) FileSets;

static void find_sets(const FileNames *files, FileSets *sets) {
    for (size_t i = 0; i < files->count; i++)
        if (i > 0 && text_equal(files->items[i].stem, files->items[i - 1].stem))
            sets->items[sets->count - 1].count++;
        else
            vector_push(sets, ((FileSet){&files->items[i], 1}));
}

static Text stem_of_set(const FileSet *set) {
    return set->files[0].stem;
}

/* Whether STEM is a variant of BASE; *VARIANT is then which one. */
static bool is_variant(Text stem, Text base, Text *variant) {
    if (!text_starts(stem, base) || stem.size < base.size + 2 || stem.data[base.size] != '.')
        return false;
    *variant = (Text){stem.data + base.size + 1, stem.size - base.size - 1};
    return memchr(variant->data, '.', variant->size) == NULL;
}

static Text base_of(Text stem) {
    const char *dot = stem.size == 0 ? NULL : memrchr(stem.data, '.', stem.size);
    return dot == NULL ? TEXT("") : (Text){stem.data, (size_t)(dot - stem.data)};
}

/* Whether two sets are the same model but for the variant. */
static bool are_variants(Text a, Text b, Text *variant) {
    Text base = base_of(a);
    return is_variant(b, a, variant) || is_variant(a, b, variant) ||
           (base.size > 0 && is_variant(b, base, variant));
}

/* Whether the set is what `@none` asks for: no variant of another one that is there. */
static bool has_no_variant(const FileSets *sets, const FileSet *set) {
    Text variant;
    for (size_t i = 0; i < sets->count; i++)
        if (is_variant(stem_of_set(set), stem_of_set(&sets->items[i]), &variant))
            return false;
    return true;
}

bool shards_is_variant(Text stem, Text wanted) {
    Text base = base_of(stem), variant;
    return base.size > 0 && is_variant(stem, base, &variant) && text_equal(variant, wanted);
}

static bool has_variant(const FileSets *sets, const FileSet *set, Text wanted) {
    return text_equal(wanted, TEXT("none")) ? has_no_variant(sets, set)
                                            : shards_is_variant(stem_of_set(set), wanted);
}

/* Leaves those of the variant. */
static void keep_variant(FileSets *sets, Text wanted) {
    FileSets kept = {0};
    for (size_t i = 0; i < sets->count; i++)
        if (has_variant(sets, &sets->items[i], wanted))
            vector_push(&kept, sets->items[i]);
    vector_free(sets);
    *sets = kept;
}

static bool refuse_choice(const FileName *a, const FileName *b, const Refusal *refusal) {
    return refuse(refusal, "is a folder of several models, '%s' and '%s' among them: name one",
                  show(a->name).text, show(b->name).text);
}

static bool refuse_variants(const FileSets *sets, Text asked, const Refusal *refusal) {
    Text variant;
    for (size_t i = 1; i < sets->count; i++)
        if (are_variants(stem_of_set(&sets->items[0]), stem_of_set(&sets->items[i]), &variant))
            return refuse(
                refusal, "holds variants of one model, '%s' and '%s': name one, as '%s@%s'%s",
                show(sets->items[0].files->name).text, show(sets->items[i].files->name).text,
                show_path(asked).text, show(variant).text,
                has_no_variant(sets, &sets->items[0]) ? " ('@none': without a variant)" : "");
    return true;
}

/* Of several, the one whose index has the usual name is meant, or the only one with an index. */
static const FileSet *indexed_set(const FileSets *sets) {
    const FileSet *only = NULL;
    size_t n = 0;
    for (size_t i = 0; i < sets->count; i++) {
        if (!sets->items[i].files->is_index)
            continue;
        if (text_equal(sets->items[i].files->name, text_from(shards_index)))
            return &sets->items[i];
        only = &sets->items[i];
        n++;
    }
    return n == 1 ? only : NULL;
}

/* NULL after a message. */
static const FileSet *choose_set(const FileSets *sets, Text asked, const Refusal *refusal) {
    if (sets->count == 1)
        return &sets->items[0];
    if (!refuse_variants(sets, asked, refusal))
        return NULL;
    const FileSet *indexed = indexed_set(sets);
    if (indexed == NULL)
        refuse_choice(sets->items[0].files, sets->items[1].files, refusal);
    return indexed;
}

/* Several files must be one set: the same total, and every number there. */
static bool check_set(const FileSet *set, const Refusal *refusal) {
    unsigned present = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (set->files[i].total != set->files[0].total)
            return refuse_choice(&set->files[0], &set->files[i], refusal);
        present += set->files[i].number == present + 1;
    }
    unsigned total = set->files[0].total;
    if (total == 0 || (present == set->count && present == total))
        return true;
    return refuse(refusal, "the shard '%s-%05u-of-%05u.safetensors' is missing",
                  show(stem_of_set(set)).text, present + 1, total);
}

static bool from_set(Shards *shards, const FileSet *set, const Refusal *refusal) {
    Arena *arena = shards->files.arena;
    shards->stem = stem_of_set(set);
    if (set->files->is_index)
        return from_index(shards, path_join(arena, shards->folder, set->files->name), refusal);
    if (!check_set(set, refusal))
        return false;
    shards->all = true;
    for (size_t i = 0; i < set->count; i++)
        names_add(&shards->files, path_join(arena, shards->folder, set->files[i].name));
    return true;
}

static int compare_texts(const void *a, const void *b) {
    return text_compare(*(const Text *)a, *(const Text *)b);
}

/* The first folder in a folder, by name, that holds a model; or an empty text. */
static Text find_part(Arena *arena, Text folder) {
    DIR *stream = opendir(text_copy(arena, folder).data);
    VECTOR(Text) names = {0};
    Text part = TEXT("");
    int error;
    for (const char *entry; stream != NULL && (entry = folder_next(stream, &error)) != NULL;)
        if (entry[0] != '.')
            vector_push(&names, text_copy(arena, text_from(entry)));
    if (stream != NULL)
        closedir(stream);
    vector_sort(&names, compare_texts);
    for (size_t i = 0; i < names.count && part.size == 0; i++) {
        FileNames files = {0};
        Text path = path_join(arena, folder, names.items[i]);
        if (list_folder(arena, path, &files) && files.count > 0)
            part = path;
        vector_free(&files);
    }
    vector_free(&names);
    return part;
}

static bool refuse_empty(Arena *arena, Text folder, const Refusal *refusal) {
    Text part = find_part(arena, folder);
    if (part.size == 0)
        return refuse(refusal, "is a folder that holds no .safetensors file");
    return refuse(refusal, "is a folder of parts, each a model of its own: name one, as '%s'",
                  show_path(part).text);
}

/* A part of a pipeline need not have the variant that others have. */
static bool from_sets(Shards *shards, FileSets *sets, Text variant, bool is_part,
                      const Refusal *refusal) {
    if (sets->count == 0)
        return refuse_empty(shards->files.arena, shards->folder, refusal);
    if (variant.size > 0 && (sets->count > 1 || !is_part))
        keep_variant(sets, variant);
    if (sets->count == 0)
        return refuse(refusal, "holds no variant '%s'", show(variant).text);
    const FileSet *set = choose_set(sets, shards->asked, refusal);
    return set != NULL && from_set(shards, set, refusal);
}

static bool from_folder(Shards *shards, Text variant, bool is_part, const Refusal *refusal) {
    FileNames files = {0};
    FileSets sets = {0};
    bool found;
    if (!list_folder(shards->files.arena, shards->folder, &files)) {
        found = refuse_errno(refusal, "can't be listed", errno);
    } else {
        find_sets(&files, &sets);
        found = from_sets(shards, &sets, variant, is_part, refusal);
    }
    vector_free(&sets);
    vector_free(&files);
    return found;
}

bool shards_names_variant(Text name, Text stem) {
    Arena arena = {0};
    FileName file;
    Text variant;
    bool names = parse_name(&arena, name, &file) && is_variant(file.stem, stem, &variant);
    arena_free(&arena);
    return names;
}

bool shards_list(Names *files, Text folder, Text stem) {
    FileNames names = {0};
    bool listed = list_folder(files->arena, folder, &names);
    Text variant;
    for (size_t i = 0; i < names.count; i++)
        if (text_equal(names.items[i].stem, stem))
            names_add(files, names.items[i].name);
    for (size_t i = 0; i < names.count; i++)
        if (is_variant(names.items[i].stem, stem, &variant))
            names_add(files, names.items[i].name);
    vector_free(&names);
    return listed;
}

bool path_is_folder(Text path) {
    struct stat status;
    return stat(path.data, &status) == 0 && S_ISDIR(status.st_mode);
}

Text shards_folder(Arena *arena, Text path, Text *variant) {
    Text folder = text_copy(arena, path);
    struct stat status;
    *variant = TEXT("");
    const char *at = memrchr(path.data, '@', path.size);
    if (stat(folder.data, &status) == 0)
        return S_ISDIR(status.st_mode) ? folder : TEXT("");
    if (at == NULL || at == path.data || at + 1 == path.data + path.size)
        return TEXT("");
    folder = text_copy(arena, (Text){path.data, (size_t)(at - path.data)});
    *variant = text_copy(arena, (Text){at + 1, (size_t)(path.data + path.size - at - 1)});
    return path_is_folder(folder) ? folder : TEXT("");
}

bool shards_find_part(Shards *shards, Text folder, Text variant, const Refusal *refusal) {
    if (shards->asked.size == 0)
        shards->asked = folder;
    shards->folder = text_copy(shards->files.arena, folder);
    return from_folder(shards, variant, true, refusal);
}

bool shards_find(Shards *shards, Text path, const Refusal *refusal) {
    if (memchr(path.data, '\0', path.size) != NULL)
        return refuse(refusal, "a path can't hold a NUL byte");
    Arena *arena = shards->files.arena;
    Text terminated = text_copy(arena, path), variant;
    shards->folder = shards_folder(arena, terminated, &variant);
    shards->asked = shards->folder;
    if (shards->folder.size > 0)
        return from_folder(shards, variant, false, refusal);
    if (text_ends(path, TEXT(".json"))) {
        shards->folder = text_copy(arena, path_folder(terminated));
        return from_index(shards, terminated, refusal);
    }
    shards->all = true;
    names_add(&shards->files, terminated);
    return true;
}
