#include "tensor/settings.h"

#include "base/file.h"

#include <jansson.h>
#include <regex.h>
#include <string.h>

static const char settings_name[] = "adapter_config.json";

typedef struct SettingReader {
    Arena *arena;
    const Tensor *tensors;
    size_t n_tensors;
    SettingVector *out;
    Names modules; /* that tensors begin with */
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
    vector_push(reader->out, (Tensor){.name = name,
                                      .dtype = DTYPE_F32,
                                      .shape = SHAPE_SCALAR,
                                      .count = 1,
                                      .bytes = sizeof *value,
                                      .is_setting = true,
                                      .data = (const unsigned char *)value});
}

/* What the names of tensors begin with, up to each of their dots. */
static void find_modules(SettingReader *reader) {
    for (size_t i = 0; i < reader->n_tensors; i++)
        for (size_t at = 0; at < reader->tensors[i].name.size; at++)
            if (reader->tensors[i].name.data[at] == '.')
                names_add(&reader->modules, (Text){reader->tensors[i].name.data, at});
}

/* A pattern is for a module whose name is it, or ends in a dot and it. PEFT, utils/other.py
 * (get_pattern_key). */
static bool add_pattern(SettingReader *reader, const char *name, const char *pattern,
                        double number) {
    regex_t regex;
    Text whole = text_format(reader->arena, "(^|\\.)(%s)$", pattern);
    if (regcomp(&regex, whole.data, REG_EXTENDED | REG_NOSUB) != 0)
        return refuse(&reader->refusal, "its pattern '%s' in '%s' is not understood", pattern,
                      name);
    for (uint32_t i = 0; i < reader->modules.count; i++) {
        Text module = text_copy(reader->arena, reader->modules.texts[i]);
        if (regexec(&regex, module.data, 0, NULL, 0) == 0)
            add_setting(
                reader,
                text_format(reader->arena, "%s/%s/%.*s", settings_name, name, TEXT_ARG(module)),
                number);
    }
    regfree(&regex);
    return true;
}

/* A name stands for a module that it is, or that ends in a dot and it. PEFT, tuners/tuners_utils.py
 * (check_target_module_exists). */
static void add_modules(SettingReader *reader, const char *name, Text ending) {
    for (uint32_t i = 0; i < reader->modules.count; i++) {
        Text module = reader->modules.texts[i];
        Text before = {module.data, module.size - ending.size};
        if (text_ends(module, ending) && (before.size == 0 || text_ends(before, TEXT("."))))
            add_setting(
                reader,
                text_format(reader->arena, "%s/%s/%.*s", settings_name, name, TEXT_ARG(module)), 1);
    }
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
        json_array_foreach(value, i, number) if (json_is_string(number))
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
    json_error_t error;
    json_t *root = json_load_file(file.data, JSON_REJECT_DUPLICATES, &error);
    if (!json_is_object(root)) {
        json_decref(root);
        return refuse(&reader.refusal, "is no JSON object: %s",
                      root == NULL ? error.text : "something else is there");
    }
    find_modules(&reader);
    add_setting(&reader, text_from(settings_name), 1);
    bool ok = add_values(&reader, root);
    names_free(&reader.modules);
    json_decref(root);
    return ok;
}
