#include "tensor/settings.h"

#include "base/file.h"
#include "tensor/json_file.h"
#include "tensor/module_pattern.h"

#include <inttypes.h>
#include <string.h>

static const char settings_name[] = "adapter_config.json";

/* What strangers may ask for. A large adapter has a thousand modules of 60 bytes, and two patterns
 * for each in a file of 200 KB. */
enum {
    SETTINGS_LIMIT = 4 << 20, /* bytes of the file */
    MODULE_LIMIT = 4096,      /* bytes of a module's name */
    MODULES_LIMIT = 1 << 28,  /* bytes of all of them */
    WORK_LIMIT = 1 << 30,     /* states of patterns that are looked at, or as much as that: */
    WORK_OF_BYTE = 16,        /* of a setting */
    WORK_OF_LOOK = 8,         /* whether a module is in a list */
};

typedef struct SettingReader {
    Arena *arena;
    const Tensor *tensors;
    size_t n_tensors;
    SettingVector *out;
    Names modules; /* that tensors begin with */
    uint64_t work;
    Refusal refusal;
} SettingReader;

/* Beside a file only where it has the name that goes with it: others may stand there. */
static Text settings_path(Arena *arena, Text path) {
    struct stat status;
    bool folder = stat(path.data, &status) == 0 && S_ISDIR(status.st_mode);
    Text place = folder ? path : path_folder(path);
    bool beside = folder || text_starts(path_name(path), TEXT("adapter_model"));
    Text found = path_join(arena, text_copy(arena, place), text_from(settings_name));
    return beside && stat(found.data, &status) == 0 ? found : TEXT("");
}

static void add_setting(SettingReader *reader, Text name, double number) {
    float *value = arena_new(reader->arena, float);
    *value = (float)number;
    reader->work += WORK_OF_BYTE * (sizeof(Tensor) + sizeof *value + name.size);
    vector_push(reader->out, (Tensor){.name = name,
                                      .dtype = DTYPE_F32,
                                      .shape = SHAPE_SCALAR,
                                      .count = 1,
                                      .bytes = sizeof *value,
                                      .is_setting = true,
                                      .data = (const unsigned char *)value});
}

/* What the names of tensors begin with, up to each of their dots. */
static bool find_modules(SettingReader *reader) {
    uint64_t bytes = 0;
    for (size_t i = 0; i < reader->n_tensors; i++) {
        Text name = reader->tensors[i].name;
        for (size_t at = 0; at < name.size; at++) {
            if (name.data[at] != '.')
                continue;
            bytes += at;
            if (at > MODULE_LIMIT || bytes > MODULES_LIMIT)
                return refuse(&reader->refusal,
                              "can't be read beside tensor '%s': the names of modules are too long",
                              show(name).text);
            names_add(&reader->modules, (Text){name.data, at});
        }
    }
    return true;
}

static bool may_work(SettingReader *reader) {
    return reader->work <= WORK_LIMIT ||
           refuse(&reader->refusal, "says too much about too many modules");
}

static void add_matches(SettingReader *reader, const char *name, ModulePattern *pattern,
                        double number) {
    for (uint32_t i = 0;
         i < reader->modules.count && reader->work + module_pattern_work(pattern) <= WORK_LIMIT;
         i++) {
        Text module = reader->modules.texts[i];
        if (module_pattern_matches(pattern, module))
            add_setting(
                reader,
                text_format(reader->arena, "%s/%s/%.*s", settings_name, name, TEXT_ARG(module)),
                number);
    }
    reader->work += module_pattern_work(pattern);
}

static bool add_pattern(SettingReader *reader, const char *name, const char *written,
                        double number) {
    ModulePattern *pattern = module_pattern_make(text_from(written));
    if (pattern == NULL)
        return refuse(&reader->refusal, "its pattern '%s' in '%s' is not understood",
                      show(text_from(written)).text, show(text_from(name)).text);
    add_matches(reader, name, pattern, number);
    module_pattern_free(pattern);
    return may_work(reader);
}

/* A name stands for a module that it is, or that ends in a dot and it. PEFT, tuners/tuners_utils.py
 * (check_target_module_exists). */
static bool add_modules(SettingReader *reader, const char *name, Text ending) {
    reader->work += WORK_OF_LOOK * (uint64_t)reader->modules.count;
    for (uint32_t i = 0; i < reader->modules.count; i++) {
        Text module = reader->modules.texts[i];
        Text before = {module.data, module.size - ending.size};
        if (text_ends(module, ending) && (before.size == 0 || text_ends(before, TEXT("."))))
            add_setting(
                reader,
                text_format(reader->arena, "%s/%s/%.*s", settings_name, name, TEXT_ARG(module)), 1);
    }
    return may_work(reader);
}

static bool add_value(SettingReader *reader, const char *name, const json_t *value) {
    Text full = text_format(reader->arena, "%s/%s", settings_name, name);
    const char *pattern;
    json_t *number;
    size_t i;
    bool ok = true;
    if (json_is_number(value))
        add_setting(reader, full, json_number_value(value));
    else if (json_is_true(value))
        add_setting(reader, full, 1);
    if (json_is_object(value))
        json_object_foreach((json_t *)value, pattern, number) if (json_is_number(number) && ok) ok =
            add_pattern(reader, name, pattern, json_number_value(number));
    if (json_is_array(value))
        json_array_foreach(value, i, number) if (json_is_string(number) && ok) ok =
            add_modules(reader, name, text_from(json_string_value(number)));
    return ok;
}

static bool add_values(SettingReader *reader, json_t *root) {
    const char *name;
    json_t *value;
    json_object_foreach(root, name, value) if (!add_value(reader, name, value)) return false;
    return true;
}

bool settings_read(Arena *arena, Text path, const Tensor *tensors, size_t n_tensors,
                   SettingVector *out, const Refusal *refusal) {
    Text file = settings_path(arena, path);
    if (file.size == 0)
        return true;
    SettingReader reader = {.arena = arena,
                            .tensors = tensors,
                            .n_tensors = n_tensors,
                            .out = out,
                            .modules.arena = arena,
                            .refusal = *refusal};
    reader.refusal.path = file;
    json_t *root = json_file_load(arena, SETTINGS_LIMIT, "file of settings", &reader.refusal);
    if (root == NULL)
        return false;
    add_setting(&reader, text_from(settings_name), 1);
    bool ok = json_is_object(root) ||
              refuse(&reader.refusal, "is no file of settings: it must be an object");
    ok = ok && find_modules(&reader) && add_values(&reader, root);
    names_free(&reader.modules);
    json_decref(root);
    return ok;
}
