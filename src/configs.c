/* mecha_configs and mecha_config: the architectures, in words and as JSON. */
#include "engine.h"
#include "solve/conversion.h"

#include <stdlib.h>
#include <string.h>

/* Keys that have something in common. */
typedef struct KeyCount {
    uint32_t keys, optional;
    uint64_t bytes;
    bool unsized; /* not all of them say how large they are */
} KeyCount;

static bool key_bytes(const ConfigKey *key, uint64_t *bytes) {
    return key->shape != NULL && key->dtype != DTYPE_NONE &&
           dtype_bytes(key->dtype, shape_count(key->shape), bytes);
}

static Text key_component(const ConfigKey *key) {
    return key->component;
}

static Text key_block(const ConfigKey *key) {
    return key->block;
}

/* Counts all keys, or those of which PART says NAME. */
typedef struct Counter {
    KeyCount count;
    Text (*part)(const ConfigKey *key);
    Text name;
} Counter;

static void count_key(void *context, const ConfigKey *key) {
    Counter *counter = context;
    if (counter->part != NULL && !text_equal(counter->part(key), counter->name))
        return;
    counter->count.keys++;
    counter->count.optional += key->optional;
    uint64_t bytes = 0;
    counter->count.unsized |= !key_bytes(key, &bytes);
    counter->count.bytes += bytes;
}

static KeyCount count_keys(const Config *config, Text (*part)(const ConfigKey *key), Text name) {
    Counter counter = {.part = part, .name = name};
    config_visit(config, count_key, &counter);
    return counter.count;
}

static int by_name(const void *a, const void *b) {
    return text_compare((*(const Definition *const *)a)->name,
                        (*(const Definition *const *)b)->name);
}

/* In order of their names. */
static const Definition *const *list_definitions(Engine *engine, size_t *count) {
    const Definition *const *all = library_list(engine->library, AST_CONFIG, count);
    const Definition **sorted = arena_copy(&engine->arena, all, *count * sizeof *all);
    qsort(sorted, *count, sizeof *sorted, by_name);
    return sorted;
}

static const Definition *find_definition(Engine *engine, Text name) {
    size_t count;
    const Definition *const *all = list_definitions(engine, &count);
    for (size_t i = 0; i < count; i++)
        if (text_equal(all[i]->name, name))
            return all[i];
    return NULL;
}

static Text one_line(Text doc) {
    const char *end = doc.size ? memchr(doc.data, '\n', doc.size) : NULL;
    return end ? (Text){doc.data, (size_t)(end - doc.data)} : doc;
}

static const Config *find_config(Engine *engine, Text name) {
    const Config *config = configs_find(engine_configs(engine), name);
    if (config == NULL)
        configs_unknown(engine_configs(engine), name, SPAN_NONE);
    return config;
}

/* --- In words. */

static void add_count(Builder *out, KeyCount count) {
    builder_format(out, "%u key%s", count.keys, count.keys == 1 ? "" : "s");
    if (count.optional == count.keys && count.keys > 0)
        builder_add(out, TEXT(", all optional"));
    else if (count.optional > 0)
        builder_format(out, ", %u optional", count.optional);
    if (!count.unsized) {
        builder_add(out, TEXT(", "));
        builder_bytes(out, count.bytes);
    }
    builder_char(out, '\n');
}

static void add_parts(Builder *out, const Config *config, const Text *names, uint32_t n,
                      Text (*part)(const ConfigKey *key), const char *title) {
    for (uint32_t i = 0; i < n; i++) {
        if (title != NULL)
            builder_format(out, "  %-12s  ", i == 0 ? title : "");
        builder_format(out, "%-12.*s  ", TEXT_ARG(names[i]));
        add_count(out, count_keys(config, part, names[i]));
    }
}

static void add_key(Builder *out, const ConfigKey *key) {
    builder_format(out, "%.*s", TEXT_ARG(key->name));
    if (key->dtype != DTYPE_NONE)
        builder_format(out, "  %.*s", TEXT_ARG(dtype_info[key->dtype].name));
    if (key->shape != NULL) {
        builder_char(out, ' ');
        shape_print(out, key->shape);
    }
    if (key->component.size > 0)
        builder_format(out, "  component %.*s", TEXT_ARG(key->component));
    if (key->block.size > 0)
        builder_format(out, "  block %.*s", TEXT_ARG(key->block));
    if (key->optional)
        builder_add(out, TEXT("  optional"));
    for (uint32_t i = 0; i < key->n_aliases; i++)
        builder_format(out, "  alias %.*s", TEXT_ARG(key->aliases[i]));
    builder_char(out, '\n');
}

/* The configs that conversions of one model make from this one, or this one from. */
static void add_conversions(Engine *engine, Builder *out, Text name, bool from, const char *title) {
    size_t count;
    bool first = true;
    const Definition *const *all = library_list(engine->library, AST_CONVERSION, &count);
    for (size_t i = 0; i < count; i++) {
        const Method *method = all[i]->method;
        if (!conversion_is_step(method))
            continue;
        Text source = method->parameters[0].config, target = method->config;
        if (!text_equal(from ? source : target, name))
            continue;
        builder_format(out, "  %-12s  %.*s\n", first ? title : "",
                       TEXT_ARG(from ? target : source));
        first = false;
    }
}

static void add_block_names(Builder *out, const Config *config) {
    for (uint32_t i = 0; i < config->n_blocks; i++) {
        if (i % 12 == 0)
            builder_format(out, "%s  %-12s ", i > 0 ? "\n" : "", i == 0 ? "blocks" : "");
        builder_format(out, " %.*s", TEXT_ARG(config->blocks[i]));
    }
    builder_add(out, config->n_blocks > 0 ? TEXT("\n") : TEXT(""));
}

static void add_page(Engine *engine, Builder *out, const Config *config,
                     const Definition *definition) {
    Text doc = one_line(definition->syntax->doc);
    builder_format(out, "%.*s%s%.*s\n", TEXT_ARG(config->name), doc.size ? ": " : "",
                   TEXT_ARG(doc));
    builder_format(out, "  %-12s  ", "keys");
    add_count(out, count_keys(config, NULL, config->name));
    add_parts(out, config, config->components, config->n_components, key_component, "components");
    add_block_names(out, config);
    add_conversions(engine, out, config->name, true, "becomes");
    add_conversions(engine, out, config->name, false, "made from");
    /* Only now: conversions may have brought further sources. */
    const Source *source = diags_find(mecha_diags(engine), definition->span.source);
    builder_format(out, "  %-12s  %.*s\n", "written in", TEXT_ARG(source->name));
}

static void add_lists(Builder *out, const Config *config, MechaConfigParts parts) {
    if (parts.components)
        add_parts(out, config, config->components, config->n_components, key_component, NULL);
    if (parts.blocks)
        add_parts(out, config, config->blocks, config->n_blocks, key_block, NULL);
    for (KeyId key = 0; parts.keys && key < config->n_keys; key++)
        add_key(out, &config->keys[key]);
}

/* --- As JSON: one object, on one line. */

static void add_json_text(Builder *out, const char *name, Text value) {
    builder_format(out, ", \"%s\": ", name);
    if (value.size > 0)
        builder_json(out, value);
    else
        builder_add(out, TEXT("null"));
}

static void add_json_count(Builder *out, KeyCount count) {
    builder_format(out, "\"keys\": %u, \"optional\": %u, \"bytes\": ", count.keys, count.optional);
    if (count.unsized)
        builder_add(out, TEXT("null"));
    else
        builder_format(out, "%llu", (unsigned long long)count.bytes);
}

static void add_json_parts(Builder *out, const char *title, const Config *config, const Text *names,
                           uint32_t n, Text (*part)(const ConfigKey *key)) {
    builder_format(out, ", \"%s\": {", title);
    for (uint32_t i = 0; i < n; i++) {
        builder_add(out, i > 0 ? TEXT(", ") : TEXT(""));
        builder_json(out, names[i]);
        builder_add(out, TEXT(": {"));
        add_json_count(out, count_keys(config, part, names[i]));
        builder_char(out, '}');
    }
    builder_char(out, '}');
}

static void add_json_key(Builder *out, const ConfigKey *key) {
    builder_add(out, TEXT("{\"name\": "));
    builder_json(out, key->name);
    add_json_text(out, "dtype", key->dtype != DTYPE_NONE ? dtype_info[key->dtype].name : TEXT(""));
    builder_add(out, TEXT(", \"shape\": "));
    if (key->shape != NULL)
        shape_print(out, key->shape);
    else
        builder_add(out, TEXT("null"));
    add_json_text(out, "component", key->component);
    add_json_text(out, "block", key->block);
    builder_format(out, ", \"optional\": %s, \"aliases\": [", key->optional ? "true" : "false");
    for (uint32_t i = 0; i < key->n_aliases; i++) {
        builder_add(out, i > 0 ? TEXT(", ") : TEXT(""));
        builder_json(out, key->aliases[i]);
    }
    builder_add(out, TEXT("]}"));
}

static void add_json_keys(Builder *out, const Config *config) {
    builder_add(out, TEXT(", \"list\": ["));
    for (KeyId key = 0; key < config->n_keys; key++) {
        builder_add(out, key > 0 ? TEXT(", ") : TEXT(""));
        add_json_key(out, &config->keys[key]);
    }
    builder_char(out, ']');
}

static void add_json_config(Builder *out, const Config *config, const Definition *definition,
                            bool keys) {
    builder_add(out, TEXT("{\"name\": "));
    builder_json(out, config->name);
    add_json_text(out, "summary", one_line(definition->syntax->doc));
    builder_add(out, TEXT(", "));
    add_json_count(out, count_keys(config, NULL, config->name));
    add_json_parts(out, "components", config, config->components, config->n_components,
                   key_component);
    add_json_parts(out, "blocks", config, config->blocks, config->n_blocks, key_block);
    if (keys)
        add_json_keys(out, config);
    builder_char(out, '}');
}

/* --- Both. */

static void add_row(Engine *engine, Builder *out, const Definition *definition) {
    const Config *config = find_config(engine, definition->name);
    if (config == NULL)
        return;
    uint32_t keys = count_keys(config, NULL, config->name).keys;
    builder_format(out, "%-37.*s  %5u key%s  %.*s\n", TEXT_ARG(config->name), keys,
                   keys == 1 ? " " : "s", TEXT_ARG(one_line(definition->syntax->doc)));
}

static void add_json_row(Engine *engine, Builder *out, const Definition *definition) {
    const Config *config = find_config(engine, definition->name);
    if (config != NULL)
        add_json_config(out, config, definition, false);
}

void mecha_configs(Engine *engine, bool json, Builder *out) {
    size_t count;
    const Definition *const *all = list_definitions(engine, &count);
    size_t shown = 0;
    builder_add(out, json ? TEXT("[") : TEXT(""));
    for (size_t i = 0; i < count; i++) {
        if (engine->recipe != NULL && library_owns(engine->library, all[i]))
            continue;
        builder_add(out, json && shown++ > 0 ? TEXT(", ") : TEXT(""));
        (json ? add_json_row : add_row)(engine, out, all[i]);
    }
    builder_add(out, json ? TEXT("]\n") : TEXT(""));
}

bool mecha_define(Engine *engine) {
    engine->looks = true;
    engine->recipe = engine_elaborate(engine);
    return engine->recipe != NULL;
}

bool mecha_config(Engine *engine, Text name, MechaConfigParts parts, bool json, Builder *out) {
    const Config *config = find_config(engine, name);
    if (config == NULL)
        return false;
    config_complete(engine_configs(engine), config);
    const Definition *definition = find_definition(engine, config->name);
    if (json)
        add_json_config(out, config, definition, parts.keys);
    else if (parts.components || parts.blocks || parts.keys)
        add_lists(out, config, parts);
    else
        add_page(engine, out, config, definition);
    builder_add(out, json ? TEXT("\n") : TEXT(""));
    return true;
}
