#include "tensor/models.h"

#include "base/vector.h"

struct Models {
    VECTOR(const Model *) items;
    HashIndex index; /* by path */
};

Models *models_new(void) {
    Models *models = memory_grow(NULL, sizeof *models);
    *models = (Models){0};
    return models;
}

void models_free(Models *models) {
    for (size_t i = 0; i < models->items.count; i++)
        model_close((Model *)models->items.items[i]);
    vector_free(&models->items);
    index_free(&models->index);
    free(models);
}

static void add(Models *models, const Model *model) {
    index_add(&models->index, text_hash(model->path), (uint32_t)models->items.count);
    vector_push(&models->items, model);
}

void models_refresh(Models *models) {
    Models before = *models;
    *models = (Models){0};
    for (size_t i = 0; i < before.items.count; i++)
        if (model_is_current(before.items.items[i]))
            add(models, before.items.items[i]);
        else
            model_close((Model *)before.items.items[i]);
    vector_free(&before.items);
    index_free(&before.index);
}

static bool is_at(const void *context, const void *wanted, uint32_t item) {
    const Models *models = context;
    return text_equal(models->items.items[item]->path, *(const Text *)wanted);
}

const Model *models_open(Models *models, Text path, Diags *diags, Span span) {
    uint32_t found = index_find(&models->index, text_hash(path), is_at, models, &path);
    if (found != INDEX_NONE)
        return models->items.items[found];
    const Model *model = model_open(path, diags, span);
    if (model != NULL)
        add(models, model);
    return model;
}

const Model *const *models_list(const Models *models, size_t *count) {
    *count = models->items.count;
    return models->items.items;
}
