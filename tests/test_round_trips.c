/* Every pair of configs that has conversions both ways: a model there and back is the same, byte by
 * byte, but for what the other config has no place for. */
#include "tests.h"

#include "known_configs.h"
#include "mecha.h"
#include "scratch.h"
#include "tensor/writer.h"

#include <stdlib.h>
#include <string.h>

static KnownConfigs library;

/* Of the keys of a model of the first config, how many come back from the second. */
static const struct {
    const char *there, *back;
    uint32_t n_keys;
} pairs[] = {
    {"sd1-kohya", "sd1-ldm", 1130},
    {"sd1-ldm", "sd1-kohya", 1130},
    {"sdxl-kohya", "sdxl-sgm", 2642},
    {"sdxl-sgm", "sdxl-kohya", 2514},
    {"sdxl-kohya_but_diffusers", "sdxl-sgm", 2642},
    {"sdxl-sgm", "sdxl-kohya_but_diffusers", 2514},
    {"sdxl-diffusers_unet_only", "sdxl-sgm", 1680},
    {"sdxl-sgm", "sdxl-diffusers_unet_only", 1680},
    {"sd3-kohya", "sd3-comfyui", 1424},
    {"sd3-comfyui", "sd3-kohya", 1424},
    {"flux-kohya", "flux-flux", 1195},
    {"flux-flux", "flux-kohya", 1195},
    {"sd1-diffusers", "sd1-kohya", 1130},
    {"sd1-kohya", "sd1-diffusers", 1130},
    {"sdxl-diffusers", "sdxl-kohya_but_diffusers", 2642},
    {"sdxl-kohya_but_diffusers", "sdxl-diffusers", 2642},
    {"sd3-diffusers", "sd3-comfyui", 1860},
    {"sd3-comfyui", "sd3-diffusers", 1668},
    {"flux-diffusers", "flux-flux", 1819},
    {"flux-flux", "flux-diffusers", 1439},
};
enum { PAIRS = sizeof pairs / sizeof *pairs };

START_TEST(no_pair_is_forgotten) {
    known_configs_open(&library);
    size_t count, found = 0;
    const Definition *const *all = library_list(library.library, AST_CONVERSION, &count);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < count; k++) {
            Text from = all[i]->method->parameters[0].config, to = all[i]->method->config;
            found += known_conversion_is(all[i], from, to) && known_conversion_is(all[k], to, from);
        }
    ck_assert_uint_eq(found, PAIRS);
    known_configs_close(&library);
}
END_TEST

/* Dimensions at a 64th, so that parts keep their proportions. */
static Shape small_shape(const ConfigKey *key) {
    Shape shape = key->shape != NULL ? *key->shape : SHAPE_SCALAR;
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 64 ? shape.dims[i] : shape.dims[i] / 64;
    return shape;
}

/* Any finite numbers. */
static void fill(uint16_t *halves, uint64_t count, uint32_t *state) {
    for (uint64_t i = 0; i < count; i++) {
        *state = *state * 1664525 + 1013904223;
        halves[i] = (uint16_t)(*state >> 16) & 0xbbff;
    }
}

static void write_config(const Config *config, const char *path) {
    OutputTensor *tensors = arena_array(&library.arena, OutputTensor, config->n_keys + 1);
    for (KeyId key = 0; key < config->n_keys; key++)
        tensors[key] = (OutputTensor){.name = config->keys[key].name,
                                      .dtype = DTYPE_F16,
                                      .shape = small_shape(&config->keys[key])};
    WriterOptions options = {.no_sync = true};
    Writer *writer =
        writer_open(text_from(path), tensors, config->n_keys, &options, library.diags, SPAN_NONE);
    ck_assert_ptr_nonnull(writer);
    uint32_t state = 1;
    for (KeyId key = 0; key < config->n_keys; key++) {
        uint64_t count = shape_count(&tensors[key].shape);
        uint16_t *halves = malloc(count * sizeof *halves + 1);
        fill(halves, count, &state);
        ck_assert(writer_write(writer, tensors[key].offset, halves, count * sizeof *halves));
        free(halves);
    }
    ck_assert(writer_finish(writer, library.diags, SPAN_NONE));
}

static void run(const char *recipe, const char *output) {
    Engine *engine = mecha_open(&(MechaOptions){.output = output, .threads = 2, .no_sync = true});
    bool ok = mecha_load(engine, TEXT("recipe"), text_from(recipe)) && mecha_prepare(engine) &&
              mecha_run(engine);
    if (!ok)
        diags_print(mecha_diags(engine), stderr, (DiagStyle){0});
    ck_assert(ok);
    mecha_close(engine);
}

static void expect_same(const Model *before, const Model *after, uint32_t n_keys) {
    for (uint32_t i = 0; i < after->n_tensors; i++) {
        const Tensor *tensor = &after->tensors[i], *source = model_find(before, tensor->name);
        ck_assert_msg(source != NULL && tensor->dtype == source->dtype &&
                          shape_equal(&tensor->shape, &source->shape) &&
                          memcmp(tensor->data, source->data, tensor->bytes) == 0,
                      "%.*s came back another", TEXT_ARG(tensor->name));
    }
    ck_assert_uint_eq(after->n_tensors, n_keys);
}

START_TEST(there_and_back_is_the_same) {
    known_configs_open(&library);
    const Config *config = configs_find(library.configs, text_from(pairs[_i].there));
    ck_assert_ptr_nonnull(config);
    const char *first = scratch_path("first.safetensors");
    const char *there = scratch_path("there.safetensors");
    const char *back = scratch_path("back.safetensors");
    write_config(config, first);
    run(text_format(&library.arena, "model(\"%s\", config = \"%s\") as \"%s\"", first,
                    pairs[_i].there, pairs[_i].back)
            .data,
        there);
    run(text_format(&library.arena, "model(\"%s\", config = \"%s\") as \"%s\"", there,
                    pairs[_i].back, pairs[_i].there)
            .data,
        back);
    Model *before = model_open(text_from(first), library.diags, SPAN_NONE);
    Model *after = model_open(text_from(back), library.diags, SPAN_NONE);
    ck_assert(before != NULL && after != NULL);
    expect_same(before, after, pairs[_i].n_keys);
    model_close(before);
    model_close(after);
    known_configs_close(&library);
}
END_TEST

Suite *round_trips_suite(void) {
    Suite *suite = suite_create("round_trips");
    TCase *tests = tcase_create("round_trips");
    tcase_add_checked_fixture(tests, scratch_make, scratch_remove);
    tcase_add_test(tests, no_pair_is_forgotten);
    tcase_add_loop_test(tests, there_and_back_is_the_same, 0, PAIRS);
    suite_add_tcase(suite, tests);
    return suite;
}
