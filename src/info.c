/* mecha_info: what a model holds, told from its header. */
#include "info.h"
#include "base/glob.h"

#include <stdlib.h>
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
        if (model->tensors[i].is_scale)
            continue;
        const char *dot = memchr(name.data, '.', name.size);
        name.size = dot && groups.count < PREFIXES ? (size_t)(dot - name.data) : 0;
        group_add(&groups, name, model->tensors[i].bytes);
    }
    return groups;
}

/* Tensors that the config does not know are a group of their own, without a name. */
static Groups group_by_component(const Model *model, const InfoFit *fit) {
    Groups groups = {0};
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        bool known = fit->keys[i] != INDEX_NONE;
        if (model->tensors[i].is_scale)
            continue;
        group_add(&groups, known ? fit->config->keys[fit->keys[i]].component : TEXT(""),
                  model->tensors[i].bytes);
    }
    return groups;
}

/* Weights that have to be multiplied by something. */
static uint32_t count_scaled(const Model *model) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < model->n_tensors; i++)
        n += model->tensors[i].scale != NULL;
    return n;
}

static bool is_missing(const InfoFit *fit, KeyId key) {
    return !fit->there[key] && !fit->config->keys[key].optional;
}

static bool is_wanted(const char *glob, const Tensor *tensor) {
    return !glob || glob_matches(text_from(glob), tensor->name);
}

/* --- In words. */

/* A few names of many. */
typedef struct Sample {
    Builder names;
    uint32_t count;
} Sample;

static void sample_add(Sample *sample, Text name) {
    if (sample->count++ >= 3)
        return;
    builder_add(&sample->names, sample->count > 1 ? TEXT(", ") : TEXT(""));
    builder_printable(&sample->names, name);
}

static void add_sample(Builder *out, const char *title, Sample *sample) {
    if (sample->count > 0)
        builder_format(out, "  %-10s  %u key%s: %.*s", title, sample->count,
                       sample->count == 1 ? "" : "s", TEXT_ARG(builder_view(&sample->names)));
    if (sample->count > 3)
        builder_add(out, TEXT(", ..."));
    builder_add(out, sample->count > 0 ? TEXT("\n") : TEXT(""));
    builder_free(&sample->names);
}

/* Whole components by their names, other keys by some of theirs. */
static void add_missing(Builder *out, const InfoFit *fit) {
    Sample keys = {0};
    for (uint32_t i = 0; i < fit->config->n_components; i++) {
        Text component = fit->config->components[i];
        bool there = info_has_component(fit, component), missing = false;
        for (KeyId key = 0; key < fit->config->n_keys; key++) {
            if (!is_missing(fit, key) || !text_equal(fit->config->keys[key].component, component))
                continue;
            missing = true;
            if (there)
                sample_add(&keys, fit->config->keys[key].name);
        }
        if (missing && !there)
            builder_format(out, "  %-10s  all of %.*s\n", "missing", TEXT_ARG(component));
    }
    add_sample(out, "missing", &keys);
}

static void add_unknown(Builder *out, const Model *model, const InfoFit *fit) {
    Sample keys = {0};
    for (uint32_t i = 0; i < model->n_tensors; i++)
        if (fit->keys[i] == INDEX_NONE && !model->tensors[i].is_scale)
            sample_add(&keys, model->tensors[i].name);
    add_sample(out, "unknown", &keys);
}

/* Modules of one kind are a line. */
static void add_modules(Builder *out, InfoModules modules) {
    bool first = true;
    for (size_t i = 0; i < modules.count; i++) {
        uint32_t before = 0, count = 0;
        for (size_t k = 0; k < modules.count; k++)
            if (info_module_alike(&modules.items[i], &modules.items[k]))
                k < i ? before++ : count++;
        if (before > 0)
            continue;
        Builder words = {0};
        info_module_words(&modules.items[i], &words);
        builder_format(out, "  %-10s  %-30s  %u\n", first ? "modules" : "", words.data, count);
        builder_free(&words);
        first = false;
    }
}

static void add_module_list(Builder *out, InfoModules modules, const char *glob) {
    for (size_t i = 0; i < modules.count; i++) {
        if (glob != NULL && !glob_matches(text_from(glob), modules.items[i].target))
            continue;
        builder_format(out, "  %.*s  ", TEXT_ARG(modules.items[i].target));
        info_module_words(&modules.items[i], out);
        builder_char(out, '\n');
    }
}

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

static void add_fit(Builder *out, const Model *model, const InfoFit *fit) {
    add_groups(out, "components", group_by_component(model, fit));
    if (!config_is_network(fit->config))
        add_missing(out, fit);
    add_unknown(out, model, fit);
}

static void add_others(Builder *out, const InfoFit *fit) {
    for (uint32_t i = 0; i < fit->n_others; i++)
        builder_format(out, "  %-10s  %.*s\n", i == 0 ? "or" : "", TEXT_ARG(fit->others[i]->name));
}

static void describe(Builder *out, const Model *model, const InfoFit *fit, InfoModules modules,
                     bool keys, const char *glob) {
    builder_printable(out, model->path);
    builder_format(out, ": %u tensor%s, ", model->n_tensors, model->n_tensors == 1 ? "" : "s");
    builder_bytes(out, model->bytes);
    builder_char(out, '\n');
    if (fit->config != NULL)
        builder_format(out, "  %-10s  %.*s\n", "config", TEXT_ARG(fit->config->name));
    add_others(out, fit);
    add_groups(out, "dtypes", group_by_dtype(model));
    if (model->has_scales)
        builder_format(out, "  %-10s  of %u weights, which are multiplied by them\n", "scales",
                       count_scaled(model));
    if (fit->config != NULL)
        add_fit(out, model, fit);
    else
        add_groups(out, "parts", group_by_prefix(model));
    add_modules(out, modules);
    add_metadata(out, model);
    if (!keys)
        return;
    add_module_list(out, modules, glob);
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

static void add_json_name(Builder *out, Text name, bool *first) {
    builder_add(out, *first ? TEXT("") : TEXT(", "));
    builder_json(out, name);
    *first = false;
}

static void add_json_fit(Builder *out, const Model *model, const InfoFit *fit) {
    bool first = true;
    builder_add(out, TEXT(", \"config\": "));
    if (fit->config == NULL) {
        builder_add(out, TEXT("null"));
        return;
    }
    builder_json(out, fit->config->name);
    if (fit->n_others > 0) {
        builder_add(out, TEXT(", \"others\": ["));
        first = true;
        for (uint32_t i = 0; i < fit->n_others; i++)
            add_json_name(out, fit->others[i]->name, &first);
        builder_char(out, ']');
        first = true;
    }
    add_json_groups(out, "components", group_by_component(model, fit));
    builder_add(out, TEXT(", \"missing\": ["));
    for (KeyId key = 0; key < fit->config->n_keys; key++)
        if (is_missing(fit, key))
            add_json_name(out, fit->config->keys[key].name, &first);
    builder_add(out, TEXT("], \"unknown\": ["));
    first = true;
    for (uint32_t i = 0; i < model->n_tensors; i++)
        if (fit->keys[i] == INDEX_NONE && !model->tensors[i].is_scale)
            add_json_name(out, model->tensors[i].name, &first);
    builder_char(out, ']');
}

static void add_json_modules(Builder *out, InfoModules modules) {
    if (modules.count == 0)
        return;
    builder_add(out, TEXT(", \"modules\": ["));
    for (size_t i = 0; i < modules.count; i++) {
        const InfoModule *module = &modules.items[i];
        builder_add(out, i ? TEXT(", {\"target\": ") : TEXT("{\"target\": "));
        builder_json(out, module->target);
        builder_format(out,
                       ", \"type\": \"%.*s\", \"rank\": %llu, \"alpha\": ", TEXT_ARG(module->type),
                       (unsigned long long)module->rank);
        if (module->has_alpha && module->alpha - module->alpha == 0)
            builder_number(out, module->alpha);
        else
            builder_add(out, TEXT("null"));
        builder_char(out, '}');
    }
    builder_char(out, ']');
}

static void describe_json(Builder *out, const Model *model, const InfoFit *fit, InfoModules modules,
                          bool keys, const char *glob) {
    builder_add(out, TEXT("{\"path\": "));
    builder_json(out, model->path);
    builder_format(out, ", \"tensors\": %u, \"bytes\": %llu", model->n_tensors,
                   (unsigned long long)model->bytes);
    add_json_fit(out, model, fit);
    add_json_groups(out, "dtypes", group_by_dtype(model));
    if (model->has_scales)
        builder_format(out, ", \"scaled\": %u", count_scaled(model));
    add_json_groups(out, "parts", group_by_prefix(model));
    add_json_modules(out, modules);
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
    InfoFit fit = info_fit(engine, model);
    InfoModules modules = {0};
    reader_guard_maps(mecha_remove_temporaries);
    if (fit.config != NULL && config_is_network(fit.config))
        modules = info_modules(engine, fit.config, model);
    (json ? describe_json : describe)(out, model, &fit, modules, keys, glob);
    vector_free(&modules);
    model_close(model);
    return true;
}
