/* mecha_diff: where two models differ, and how much. */
#include "diff.h"

#include "exec/compare.h"
#include "info.h"
#include "tensor/scales.h"

#include <math.h>
#include <string.h>

double diff_cosine(const DiffSums *sums) {
    return (sums->a + sums->b - sums->difference) / (2 * sqrt(sums->a) * sqrt(sums->b));
}

double diff_relative(const DiffSums *sums) {
    return sums->difference == 0 ? 0 : sqrt(sums->difference / sums->a);
}

double diff_share(const DiffSums *sums) {
    return sums->elements > 0 ? sums->changed / (double)sums->elements : 0;
}

/* ---- keys ---- */

static void add_key(struct Diff *diff, Text name, const Tensor *a, const Tensor *b) {
    bool both = a != NULL && b != NULL;
    DiffKey key = {.name = name, .a = a, .b = b};
    key.shapes = both && !shape_equal(&a->shape, &b->shape);
    key.dtypes = both && a->dtype != b->dtype;
    diff->n_only_a += b == NULL;
    diff->n_only_b += a == NULL;
    diff->n_shapes += key.shapes;
    diff->n_dtypes += key.dtypes;
    diff->keys[diff->n_keys++] = key;
}

/* Scales belong to their weights. */
static const Tensor *find_key(const Model *model, Text name) {
    const Tensor *tensor = model_find(model, name);
    return tensor != NULL && tensor->is_scale ? NULL : tensor;
}

static void pair_keys(Arena *arena, struct Diff *diff) {
    diff->keys = arena_array(arena, DiffKey, diff->a->n_tensors + diff->b->n_tensors + 1);
    for (uint32_t i = 0; i < diff->a->n_tensors; i++) {
        const Tensor *a = &diff->a->tensors[i];
        if (a->is_scale)
            continue;
        add_key(diff, a->name, a, find_key(diff->b, a->name));
    }
    for (uint32_t i = 0; i < diff->b->n_tensors; i++) {
        const Tensor *b = &diff->b->tensors[i];
        if (!b->is_scale && find_key(diff->a, b->name) == NULL)
            add_key(diff, b->name, NULL, b);
    }
}

/* ---- figures ---- */

static bool same_data(const Tensor *a, const Tensor *b) {
    return a->dtype == b->dtype && a->bytes == b->bytes && memcmp(a->data, b->data, a->bytes) == 0;
}

/* What holds NaN in the same places, and else the same, does not differ. */
static bool same_bytes(const DiffKey *key) {
    const Tensor *a = key->a->scale, *b = key->b->scale;
    return same_data(key->a, key->b) &&
           (a == NULL || b == NULL ? a == b : shape_equal(&a->shape, &b->shape) && same_data(a, b));
}

static double sum_lanes(const double *lanes) {
    double sum = 0;
    for (int i = 0; i < COMPARE_LANES; i++)
        sum += lanes[i];
    return sum;
}

/* What overflows or is no number where both hold the same is no difference. */
static void read_sums(DiffKey *key, const Comparison *found) {
    key->sums = (DiffSums){.a = sum_lanes(found->a),
                           .b = sum_lanes(found->b),
                           .difference = sum_lanes(found->difference),
                           .most = found->most,
                           .changed = (double)found->changed,
                           .elements = key->a->count,
                           .keys = 1};
    if (isnan(key->sums.difference))
        key->sums.most = NAN;
    if (isnan(key->sums.difference) && same_bytes(key))
        key->sums.difference = key->sums.most = key->sums.changed = 0;
    key->sums.keys_changed = key->sums.changed > 0;
}

static void add_sums(DiffSums *to, const DiffSums *sums) {
    to->a += sums->a;
    to->b += sums->b;
    to->difference += sums->difference;
    to->most = isnan(sums->most) || sums->most > to->most ? sums->most : to->most;
    to->changed += sums->changed;
    to->elements += sums->elements;
    to->keys += sums->keys;
    to->keys_changed += sums->keys_changed;
}

/* Keys that both have, in as many elements, of dtypes that are numbers; or that hold the same. */
static bool is_comparable(const DiffKey *key) {
    return key->a != NULL && key->b != NULL && key->a->count == key->b->count &&
           ((tensor_computes(key->a) && tensor_computes(key->b)) || same_bytes(key));
}

static bool compare_keys(Engine *engine, struct Diff *diff) {
    TensorPair *pairs = arena_array(&engine->arena, TensorPair, diff->n_keys + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < diff->n_keys; i++)
        if (is_comparable(&diff->keys[i]))
            pairs[n++] = (TensorPair){diff->keys[i].a, diff->keys[i].b, {{0}}};
    if (!compare_tensors(pairs, n, engine_threads(engine), engine->options->interrupted)) {
        diag_error(engine->diags, SPAN_NONE, "interrupted");
        return false;
    }
    for (uint32_t i = 0, k = 0; i < diff->n_keys; i++)
        if (is_comparable(&diff->keys[i])) {
            read_sums(&diff->keys[i], &pairs[k++].found);
            add_sums(&diff->all, &diff->keys[i].sums);
        }
    return true;
}

/* ---- groups ---- */

/* Without a config, names tell: a component is what stands before the first dot, a block goes as
 * far as the first number. */
static Text first_part(Text name) {
    const char *dot = memchr(name.data, '.', name.size);
    return dot != NULL ? (Text){name.data, (size_t)(dot - name.data)} : TEXT("");
}

static Text numbered_part(Text name) {
    for (size_t i = 0; i < name.size; i++) {
        size_t end = i;
        while (end < name.size && name.data[end] >= '0' && name.data[end] <= '9')
            end++;
        bool begins = i == 0 || name.data[i - 1] == '.' || name.data[i - 1] == '_';
        if (end > i && begins && (end == name.size || name.data[end] == '.'))
            return (Text){name.data, end};
    }
    return TEXT("");
}

static DiffGroup *find_group(DiffGroups *groups, Text component, Text block) {
    for (size_t i = 0; i < groups->count; i++)
        if (text_equal(groups->items[i].component, component) &&
            text_equal(groups->items[i].block, block))
            return &groups->items[i];
    vector_push(groups, (DiffGroup){.component = component, .block = block});
    return &groups->items[groups->count - 1];
}

static void group_key(struct Diff *diff, const DiffKey *key) {
    KeyId id = INDEX_NONE;
    if (diff->config != NULL)
        id = config_find(diff->config, key->name);
    const ConfigKey *known = id != INDEX_NONE ? &diff->config->keys[id] : NULL;
    Text component = known != NULL ? known->component : first_part(key->name);
    Text block = known != NULL && known->block.size > 0 ? known->block : numbered_part(key->name);
    add_sums(&find_group(&diff->components, component, TEXT(""))->sums, &key->sums);
    if (block.size > 0)
        add_sums(&find_group(&diff->blocks, component, block)->sums, &key->sums);
}

static const Config *common_config(Engine *engine, const struct Diff *diff) {
    const Config *a = info_fit(engine, diff->a).config;
    return a != NULL && info_fit(engine, diff->b).config == a ? a : NULL;
}

/* ---- the face ---- */

static bool differ(const struct Diff *diff) {
    return diff->n_only_a + diff->n_only_b + diff->n_shapes + diff->n_dtypes > 0 ||
           diff->all.keys_changed > 0;
}

bool mecha_diff(Engine *engine, const char *a, const char *b, bool *different) {
    struct Diff *diff = engine->diff = arena_new(&engine->arena, struct Diff);
    reader_guard_maps(mecha_remove_temporaries);
    diff->a = sources_model(engine->sources, engine->folder, text_from(a), SPAN_NONE);
    diff->b = sources_model(engine->sources, engine->folder, text_from(b), SPAN_NONE);
    if (diff->a == NULL || diff->b == NULL)
        return false;
    pair_keys(&engine->arena, diff);
    if (!compare_keys(engine, diff))
        return false;
    diff->config = common_config(engine, diff);
    for (uint32_t i = 0; i < diff->n_keys; i++)
        if (diff->keys[i].sums.keys > 0)
            group_key(diff, &diff->keys[i]);
    *different = differ(diff);
    return true;
}

void diff_free(struct Diff *diff) {
    vector_free(&diff->components);
    vector_free(&diff->blocks);
}
