/* mecha_info: what a model holds, told from its header. */
#include "base/glob.h"
#include "base/vector.h"
#include "mecha.h"
#include "tensor/reader.h"

#include <string.h>

/* Tensors that have something in common: a dtype, or the first part of their names. */
typedef struct Group {
    Text name;
    uint64_t tensors, bytes;
} Group;

typedef VECTOR(Group) Groups;

static void group_add(Groups *groups, Text name, uint64_t bytes) {
    for (size_t i = 0; i < groups->count; i++) {
        Group *group = &groups->items[i];
        if (text_equal(group->name, name)) {
            group->tensors++;
            group->bytes += bytes;
            return;
        }
    }
    vector_push(groups, (Group){name, 1, bytes});
}

static Groups group_by_dtype(const Model *model) {
    Groups groups = {0};
    for (uint32_t i = 0; i < model->n_tensors; i++)
        group_add(&groups, dtype_info[model->tensors[i].dtype].name, model->tensors[i].bytes);
    return groups;
}

/* By what stands before the first dot; names without one are a group of their own, without a
 * name. Beyond a few, what is left is in that group, too: no file makes this slow. */
static Groups group_by_prefix(const Model *model) {
    enum { PREFIXES = 24 };
    Groups groups = {0};
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        Text name = model->tensors[i].name;
        const char *dot = memchr(name.data, '.', name.size);
        name.size = dot && groups.count < PREFIXES ? (size_t)(dot - name.data) : 0;
        group_add(&groups, name, model->tensors[i].bytes);
    }
    return groups;
}

static bool is_wanted(const char *glob, const Tensor *tensor) {
    return !glob || glob_matches(text_from(glob), tensor->name);
}

/* --- In words. */

static void add_groups(Builder *out, const char *title, Groups groups) {
    for (size_t i = 0; i < groups.count; i++) {
        Builder name = {0};
        builder_printable(&name, groups.items[i].name);
        builder_format(out, "  %-10s  %-18.*s  %llu tensor%s, ", i == 0 ? title : "",
                       TEXT_ARG(groups.items[i].name.size ? builder_view(&name) : TEXT("(others)")),
                       (unsigned long long)groups.items[i].tensors,
                       groups.items[i].tensors == 1 ? "" : "s");
        builder_bytes(out, groups.items[i].bytes);
        builder_char(out, '\n');
        builder_free(&name);
    }
    vector_free(&groups);
}

/* A value of several lines, a recipe for instance, stands below its name; not all of a long one. */
static void add_lines(Builder *out, Text value) {
    enum { LINES = 20 };
    for (int line = 0; value.size; line++) {
        const char *end = memchr(value.data, '\n', value.size);
        size_t length = end ? (size_t)(end - value.data) : value.size;
        builder_format(out, "\n  %-14s", "");
        if (line == LINES) {
            builder_add(out, TEXT("..."));
            break;
        }
        builder_printable(out, (Text){value.data, length});
        length += end != NULL;
        value = (Text){value.data + length, value.size - length};
    }
}

static void add_metadata(Builder *out, const Model *model) {
    for (uint32_t i = 0; i < model->n_metadata; i++) {
        Text value = model->metadata[i].value;
        builder_format(out, "  %-10s  ", i == 0 ? "metadata" : "");
        builder_printable(out, model->metadata[i].key);
        builder_add(out, TEXT(" = "));
        if (value.size && memchr(value.data, '\n', value.size))
            add_lines(out, value);
        else
            builder_printable(out, value);
        builder_char(out, '\n');
    }
}

static void add_keys(Builder *out, const Model *model, const char *glob) {
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        const Tensor *tensor = &model->tensors[i];
        if (!is_wanted(glob, tensor))
            continue;
        builder_add(out, TEXT("  "));
        builder_printable(out, tensor->name);
        builder_format(out, "  %.*s ", TEXT_ARG(dtype_info[tensor->dtype].name));
        shape_print(out, &tensor->shape);
        builder_char(out, '\n');
    }
}

static void describe(Builder *out, const Model *model, bool keys, const char *glob) {
    builder_printable(out, model->path);
    builder_format(out, ": %u tensor%s, ", model->n_tensors, model->n_tensors == 1 ? "" : "s");
    builder_bytes(out, model->bytes);
    builder_char(out, '\n');
    add_groups(out, "dtypes", group_by_dtype(model));
    add_groups(out, "parts", group_by_prefix(model));
    add_metadata(out, model);
    if (keys)
        add_keys(out, model, glob);
}

/* --- As JSON: one object, on one line. */

static void add_json_groups(Builder *out, const char *title, Groups groups) {
    builder_format(out, ", \"%s\": {", title);
    for (size_t i = 0; i < groups.count; i++) {
        builder_add(out, i ? TEXT(", ") : TEXT(""));
        builder_json(out, groups.items[i].name);
        builder_format(out, ": {\"tensors\": %llu, \"bytes\": %llu}",
                       (unsigned long long)groups.items[i].tensors,
                       (unsigned long long)groups.items[i].bytes);
    }
    builder_char(out, '}');
    vector_free(&groups);
}

static void add_json_metadata(Builder *out, const Model *model) {
    builder_add(out, TEXT(", \"metadata\": {"));
    for (uint32_t i = 0; i < model->n_metadata; i++) {
        builder_add(out, i ? TEXT(", ") : TEXT(""));
        builder_json(out, model->metadata[i].key);
        builder_add(out, TEXT(": "));
        builder_json(out, model->metadata[i].value);
    }
    builder_char(out, '}');
}

static void add_json_key(Builder *out, const Tensor *tensor) {
    builder_add(out, TEXT("{\"name\": "));
    builder_json(out, tensor->name);
    builder_format(out,
                   ", \"dtype\": \"%.*s\", \"shape\": ", TEXT_ARG(dtype_info[tensor->dtype].name));
    shape_print(out, &tensor->shape);
    builder_format(out, ", \"bytes\": %llu}", (unsigned long long)tensor->bytes);
}

static void add_json_keys(Builder *out, const Model *model, const char *glob) {
    const char *between = "";
    builder_add(out, TEXT(", \"keys\": ["));
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        if (!is_wanted(glob, &model->tensors[i]))
            continue;
        builder_add(out, text_from(between));
        add_json_key(out, &model->tensors[i]);
        between = ", ";
    }
    builder_char(out, ']');
}

static void describe_json(Builder *out, const Model *model, bool keys, const char *glob) {
    builder_add(out, TEXT("{\"path\": "));
    builder_json(out, model->path);
    builder_format(out, ", \"tensors\": %u, \"bytes\": %llu", model->n_tensors,
                   (unsigned long long)model->bytes);
    add_json_groups(out, "dtypes", group_by_dtype(model));
    add_json_groups(out, "parts", group_by_prefix(model));
    add_json_metadata(out, model);
    if (keys)
        add_json_keys(out, model, glob);
    builder_add(out, TEXT("}\n"));
}

bool mecha_info(Engine *engine, const char *path, bool keys, const char *glob, bool json,
                Builder *out) {
    Model *model = model_open(text_from(path), mecha_diags(engine), SPAN_NONE);
    if (!model)
        return false;
    (json ? describe_json : describe)(out, model, keys, glob);
    model_close(model);
    return true;
}
