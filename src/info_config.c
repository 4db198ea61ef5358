/* What configs tell of a model: how it fits, and what the modules of a network are. */
#include "base/map.h"
#include "info.h"
#include "kernel/kernel.h"
#include "solve/network_types.h"

#include <stdlib.h>
#include <string.h>

/* ---- networks ---- */

/* A module of the file, and the tensors that it has. */
typedef struct ModuleTensors {
    Text name;
    const ConfigKey *target;
    VECTOR(Text) parts;
    VECTOR(const Tensor *) tensors; /* by part */
} ModuleTensors;

typedef VECTOR(ModuleTensors) Modules;

static void add_tensor(Modules *modules, Names *names, const NetworkName *name,
                       const Tensor *tensor) {
    uint32_t at = names_add(names, name->module);
    if (at == modules->count)
        vector_push(modules, (ModuleTensors){.name = name->module, .target = name->target});
    vector_push(&modules->items[at].parts, name->part);
    vector_push(&modules->items[at].tensors, tensor);
}

static Modules collect(Engine *engine, const Config *config, const Model *model) {
    Modules modules = {0};
    Names names = {.arena = &engine->arena};
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        NetworkName name;
        if (!model->tensors[i].is_setting &&
            config_network_name(config, model->tensors[i].name, &name))
            add_tensor(&modules, &names, &name, &model->tensors[i]);
    }
    names_free(&names);
    return modules;
}

static void free_modules(Modules *modules) {
    for (size_t i = 0; i < modules->count; i++) {
        vector_free(&modules->items[i].parts);
        vector_free(&modules->items[i].tensors);
    }
    vector_free(modules);
}

static const Tensor *find_part(const ModuleTensors *module, Text part) {
    for (size_t i = 0; i < module->parts.count; i++)
        if (text_equal(module->parts.items[i], part))
            return module->tensors.items[i];
    return NULL;
}

static bool is_of_type(const ModuleTensors *module, const NetworkType *type) {
    for (uint32_t i = 0; i < type->n_parts; i++)
        if (find_part(module, type->parts[i]) == NULL)
            return false;
    return type->dimensions == 0 ||
           find_part(module, type->parts[0])->shape.rank == type->dimensions;
}

/* `LoRA (Tucker, DoRA)` */
static Text type_words(Arena *arena, const ModuleTensors *module, const NetworkTypes *types,
                       Text name) {
    Builder words = {0};
    bool first = true;
    builder_add(&words, name);
    for (uint32_t i = 0; i < types->n_additions; i++) {
        if (find_part(module, types->additions[i].part) == NULL)
            continue;
        builder_format(&words, "%s%.*s", first ? " (" : ", ", TEXT_ARG(types->additions[i].name));
        first = false;
    }
    builder_add(&words, first ? TEXT("") : TEXT(")"));
    Text text = text_copy(arena, builder_view(&words));
    builder_free(&words);
    return text;
}

static void find_type(Arena *arena, const ModuleTensors *module, const NetworkTypes *types,
                      InfoModule *out) {
    out->type = TEXT("incomplete");
    for (uint32_t i = 0; i < types->n_types; i++) {
        const NetworkType *type = &types->types[i];
        if (!is_of_type(module, type))
            continue;
        const Tensor *factor = find_part(module, type->rank_of);
        out->type = type_words(arena, module, types, type->name);
        out->rank = factor != NULL && factor->shape.rank > 0 ? factor->shape.dims[0] : 0;
        return;
    }
}

static void find_alpha(const ModuleTensors *module, InfoModule *out) {
    const Tensor *alpha = find_part(module, TEXT("alpha"));
    out->has_alpha = alpha != NULL && alpha->count == 1 && dtype_info[alpha->dtype].computes;
    if (out->has_alpha)
        kernels_best()->table[COMPUTE_F64]->load[alpha->dtype](&out->alpha, alpha->data, 1);
}

InfoModules info_modules(Engine *engine, const Config *config, const Model *model) {
    InfoModules found = {0};
    NetworkTypes types = network_types_read(&engine->arena, engine->library);
    Modules modules = collect(engine, config, model);
    for (size_t i = 0; i < modules.count; i++) {
        const ConfigKey *target = modules.items[i].target;
        InfoModule module = {.target = target != NULL ? target->name : modules.items[i].name};
        find_type(&engine->arena, &modules.items[i], &types, &module);
        find_alpha(&modules.items[i], &module);
        vector_push(&found, module);
    }
    free_modules(&modules);
    return found;
}

void info_module_words(const InfoModule *module, Builder *out) {
    builder_add(out, module->type);
    if (module->rank > 0)
        builder_format(out, ", rank %llu", (unsigned long long)module->rank);
    if (module->has_alpha)
        builder_format(out, ", alpha %.6g", module->alpha);
}

bool info_module_alike(const InfoModule *a, const InfoModule *b) {
    return text_equal(a->type, b->type) && a->rank == b->rank && a->has_alpha == b->has_alpha &&
           memcmp(&a->alpha, &b->alpha, sizeof a->alpha) == 0;
}

/* ---- any model ---- */

/* Networks that several configs know all names of go by the model that they are for. */
static void find_others(Engine *engine, const Text *names, uint32_t n, InfoFit *fit) {
    ConfigMatches matches = configs_match(engine_configs(engine), names, n);
    const Config **others = arena_array(&engine->arena, const Config *, matches.count + 1);
    for (uint32_t i = 0; i < matches.count; i++)
        if (matches.items[i].config != fit->config && matches.items[i].unknown == 0)
            others[fit->n_others++] = matches.items[i].config;
    fit->others = others;
}

InfoFit info_fit(Engine *engine, const Model *model) {
    Arena *arena = &engine->arena;
    uint32_t n = model->n_tensors;
    Text *names = arena_array(arena, Text, n + 1);
    InfoFit fit = {.keys = arena_array(arena, KeyId, n + 1)};
    uint32_t n_names = 0;
    for (uint32_t i = 0; i < n; i++)
        if (!model->tensors[i].is_scale)
            names[n_names++] = model->tensors[i].name;
    fit.config = n_names > 0 ? configs_best(engine_configs(engine), names, n_names) : NULL;
    if (fit.config != NULL && config_is_network(fit.config))
        find_others(engine, names, n_names, &fit);
    for (uint32_t i = 0; i < n && fit.config != NULL; i++)
        fit.keys[i] = config_find(fit.config, names[i]);
    if (fit.config == NULL)
        return fit;
    fit.there = arena_array(arena, bool, fit.config->n_keys + 1);
    for (uint32_t i = 0; i < n; i++)
        if (fit.keys[i] != INDEX_NONE)
            fit.there[fit.keys[i]] = true;
    return fit;
}

bool info_has_component(const InfoFit *fit, Text component) {
    for (KeyId key = 0; key < fit->config->n_keys; key++)
        if (fit->there[key] && text_equal(fit->config->keys[key].component, component))
            return true;
    return false;
}
