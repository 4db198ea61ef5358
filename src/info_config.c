/* What configs tell of a model: how it fits, and what the modules of a network are. */
#include "base/map.h"
#include "info.h"
#include "kernel/kernel.h"

#include <stdlib.h>
#include <string.h>

/* ---- networks ---- */

/* The tensors that a module may have. */
typedef enum Part {
    UP,
    DOWN,
    MID,
    ALPHA,
    W1,
    W1_A,
    W1_B,
    W2,
    W2_A,
    W2_B,
    T2,
    H1_A,
    H1_B,
    H2_A,
    H2_B,
    H1_T,
    H2_T,
    DIFF,
    PARTS
} Part;

static const char *const part_names[PARTS] = {
    [UP] = "lora_up.weight",   [DOWN] = "lora_down.weight",
    [MID] = "lora_mid.weight", [ALPHA] = "alpha",
    [W1] = "lokr_w1",          [W1_A] = "lokr_w1_a",
    [W1_B] = "lokr_w1_b",      [W2] = "lokr_w2",
    [W2_A] = "lokr_w2_a",      [W2_B] = "lokr_w2_b",
    [T2] = "lokr_t2",          [H1_A] = "hada_w1_a",
    [H1_B] = "hada_w1_b",      [H2_A] = "hada_w2_a",
    [H2_B] = "hada_w2_b",      [H1_T] = "hada_t1",
    [H2_T] = "hada_t2",        [DIFF] = "diff",
};

typedef struct ModuleTensors {
    const ConfigKey *target;
    const Tensor *parts[PARTS];
} ModuleTensors;

typedef VECTOR(ModuleTensors) Modules;

static void add_tensor(Modules *modules, Names *names, const NetworkName *name,
                       const Tensor *tensor) {
    uint32_t at = names_add(names, name->module);
    if (at == modules->count)
        vector_push(modules, (ModuleTensors){.target = name->target});
    for (int part = 0; part < PARTS; part++)
        if (text_equal(name->part, text_from(part_names[part])))
            modules->items[at].parts[part] = tensor;
}

static Modules collect(Engine *engine, const Config *config, const Model *model) {
    Modules modules = {0};
    Names names = {.arena = &engine->arena};
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        NetworkName name;
        if (config_network_name(config, model->tensors[i].name, &name))
            add_tensor(&modules, &names, &name, &model->tensors[i]);
    }
    names_free(&names);
    return modules;
}

static uint64_t first_dimension(const Tensor *tensor) {
    return tensor != NULL && tensor->shape.rank > 0 ? tensor->shape.dims[0] : 0;
}

/* A factor is there as it is, or as two halves. */
static bool has_factor(const ModuleTensors *module, Part whole) {
    const Tensor *const *parts = module->parts;
    return parts[whole] != NULL || (parts[whole + 1] != NULL && parts[whole + 2] != NULL);
}

static void find_type(const ModuleTensors *module, InfoModule *out) {
    const Tensor *const *parts = module->parts;
    out->type = "incomplete";
    if (parts[UP] != NULL && parts[DOWN] != NULL) {
        out->type = parts[MID] != NULL ? "LoRA (Tucker)" : "LoRA";
        out->rank = first_dimension(parts[DOWN]);
    } else if (has_factor(module, W1) && has_factor(module, W2)) {
        out->type = parts[T2] != NULL ? "LoKr (Tucker)" : "LoKr";
        out->rank = first_dimension(parts[W1] == NULL ? parts[W1_B] : parts[W2_B]);
    } else if (parts[H1_A] != NULL && parts[H1_B] != NULL && parts[H2_A] != NULL &&
               parts[H2_B] != NULL) {
        out->type = parts[H1_T] != NULL ? "LoHa (Tucker)" : "LoHa";
        out->rank = first_dimension(parts[H1_B]);
    } else if (parts[DIFF] != NULL) {
        out->type = "difference";
    }
}

static void find_alpha(const ModuleTensors *module, InfoModule *out) {
    const Tensor *alpha = module->parts[ALPHA];
    out->has_alpha = alpha != NULL && alpha->count == 1 && dtype_info[alpha->dtype].computes;
    if (out->has_alpha)
        kernels_best()->table[COMPUTE_F64]->load[alpha->dtype](&out->alpha, alpha->data, 1);
}

InfoModules info_modules(Engine *engine, const Config *config, const Model *model) {
    InfoModules found = {0};
    Modules modules = collect(engine, config, model);
    for (size_t i = 0; i < modules.count; i++) {
        InfoModule module = {.target = modules.items[i].target};
        find_type(&modules.items[i], &module);
        find_alpha(&modules.items[i], &module);
        vector_push(&found, module);
    }
    vector_free(&modules);
    return found;
}

void info_module_words(const InfoModule *module, Builder *out) {
    builder_format(out, "%s", module->type);
    if (module->rank > 0)
        builder_format(out, ", rank %llu", (unsigned long long)module->rank);
    if (module->has_alpha)
        builder_format(out, ", alpha %.6g", module->alpha);
}

bool info_module_alike(const InfoModule *a, const InfoModule *b) {
    return strcmp(a->type, b->type) == 0 && a->rank == b->rank && a->has_alpha == b->has_alpha &&
           memcmp(&a->alpha, &b->alpha, sizeof a->alpha) == 0;
}

/* ---- any model ---- */

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
    for (uint32_t i = 0; i < n && fit.config != NULL; i++)
        fit.keys[i] = config_find(engine_configs(engine), fit.config, names[i]);
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
