/* Runs the recipes of tests/recipes/, each of which says in its own comments what it expects.
 *
 *  - `# error: TEXT`: an error on this line, or in the library, whose message holds TEXT, and no
 *    output; `hint`: the same for what stands under the carets; `warning`: a warning on this line;
 *    `note`: a note, on this line or without a place
 *  - `# option: dtype f16`: an option of the run: dtype, space, compute, allow-unused, `output
 * none`, or `set NAME VALUE`
 *  - `# expect: KEY 1 2 3`: the result holds these values under KEY; `# dtype: KEY bf16`: its dtype
 *    there; `# keys: a b c`: it has these keys, in any order; `# absent: KEY`: it lacks KEY
 *
 * The models that they merge are made here (see write_models), or stand in tests/scales. The recipe
 * that a result carries makes the same bytes again. */
#include "tests.h"

#include "again.h"
#include "base/file.h"
#include "base/vector.h"
#include "kernel/kernel.h"
#include "mecha.h"
#include "scratch.h"
#include "tensor/writer.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- the models ---- */

typedef struct TestTensor {
    const char *name;
    Shape shape;
    double values[16];
} TestTensor;

static const struct {
    const char *path;
    TestTensor tensors[6];
} models[] = {
    {"a.safetensors",
     {{"x", {1, {4}}, {1, 2, 3, 4}},
      {"y", {2, {2, 2}}, {1, -1, 2, -2}},
      {"block.0.w", {1, {2}}, {1, 1}},
      {"block.1.w", {1, {2}}, {2, 2}}}},
    {"b.safetensors",
     {{"x", {1, {4}}, {5, 4, 3, 2}},
      {"y", {2, {2, 2}}, {3, 1, 0, -4}},
      {"block.0.w", {1, {2}}, {3, 5}},
      {"block.1.w", {1, {2}}, {4, 8}}}},
    {"base.safetensors",
     {{"x", {1, {4}}, {1, 1, 1, 1}},
      {"y", {2, {2, 2}}, {0, 0, 0, 0}},
      {"block.0.w", {1, {2}}, {0, 0}},
      {"block.1.w", {1, {2}}, {1, 1}}}},
    {"part.safetensors", {{"x", {1, {4}}, {9, 9, 9, 9}}}},
    {"shaped.safetensors", {{"x", {1, {3}}, {9, 9, 9}}, {"y", {2, {2, 2}}, {0, 0, 0, 0}}}},
    {"other.safetensors", {{"z", {1, {1}}, {7}}}},
    {"words2.safetensors", {{"norm", {1, {2}}, {1, 1}}, {"embed", {2, {2, 2}}, {1, 2, 3, 4}}}},
    {"words3.safetensors",
     {{"norm", {1, {2}}, {3, 3}}, {"embed", {2, {3, 2}}, {11, 12, 13, 14, 15, 16}}}},
    {"words4.safetensors",
     {{"norm", {1, {2}}, {5, 5}},
      {"embed", {2, {4, 2}}, {21, 22, 23, 24, 25, 26, 27, 28}},
      {"head", {1, {1}}, {7}}}},
    {"inputs2.safetensors",
     {{"bias", {1, {2}}, {1, 2}}, {"w", {3, {2, 2, 2}}, {1, 2, 3, 4, 5, 6, 7, 8}}}},
    {"inputs3.safetensors",
     {{"bias", {1, {2}}, {5, 6}},
      {"w", {3, {2, 3, 2}}, {11, 12, 13, 14, 15, 16, 21, 22, 23, 24, 25, 26}}}},
    {"xl.safetensors",
     {{"first_stage_model.quant_conv.bias", {1, {8}}, {1, 2, 3, 4, 5, 6, 7, 8}},
      {"model.diffusion_model.input_blocks.0.0.bias", {1, {2}}, {1, 1}},
      {"model.diffusion_model.middle_block.0.in_layers.0.bias", {1, {2}}, {1, 1}},
      {"conditioner.embedders.1.model.text_projection", {2, {2, 2}}, {1, 2, 3, 4}},
      {"conditioner.embedders.1.model.transformer.resblocks.0.attn.in_proj_bias",
       {1, {6}},
       {1, 2, 3, 4, 5, 6}}}},
    {"sd1.safetensors",
     {{"cond_stage_model.transformer.final_layer_norm.bias", {1, {2}}, {1, 1}},
      {"model.diffusion_model.input_blocks.1.1.norm.bias", {1, {2}}, {1, 1}}}},
    {"lora.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lora_up.weight", {4, {4, 1, 1, 1}}, {1, 2, 3, 4}},
      {"lora_first_stage_model_post_quant_conv.lora_down.weight", {4, {1, 4, 1, 1}}, {1, 0, 0, 2}},
      {"lora_first_stage_model_post_quant_conv.alpha", {0}, {0.5}}}},
    {"half.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lora_up.weight", {4, {4, 1, 1, 1}}, {1, 2, 3, 4}},
      {"lora_first_stage_model_post_quant_conv.lora_down.weight", {4, {1, 4, 1, 1}}, {1, 0, 0, 2}},
      {"lora_first_stage_model_quant_conv.lora_up.weight", {4, {8, 1, 1, 1}}, {1}}}},
    {"vae.safetensors",
     {{"first_stage_model.post_quant_conv.weight", {4, {4, 4, 1, 1}}, {1, 1, 1, 1}},
      {"first_stage_model.post_quant_conv.bias", {1, {4}}, {1, 2, 3, 4}}}},
    {"autoencoder.safetensors",
     {{"post_quant_conv.weight", {4, {4, 4, 1, 1}}, {2, 2, 2, 2}},
      {"post_quant_conv.bias", {1, {4}}, {5, 6, 7, 8}}}},
    {"second.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lora_up.weight",
       {4, {4, 2, 1, 1}},
       {1, 0, 0, 1, 0, 0, 0, 0}},
      {"lora_first_stage_model_post_quant_conv.lora_down.weight",
       {4, {2, 4, 1, 1}},
       {1, 2, 3, 4, 0, 1, 0, 0}},
      {"lora_first_stage_model_quant_conv.lora_up.weight", {4, {8, 1, 1, 1}}, {1}},
      {"lora_first_stage_model_quant_conv.lora_down.weight", {4, {1, 8, 1, 1}}, {1}}}},
    {"tucker.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lora_up.weight",
       {4, {4, 2, 1, 1}},
       {1, 0, 0, 1, 2, 1, 1, 3}},
      {"lora_first_stage_model_post_quant_conv.lora_mid.weight", {4, {2, 2, 1, 1}}, {2, 1, 0, 3}},
      {"lora_first_stage_model_post_quant_conv.lora_down.weight",
       {4, {2, 4, 1, 1}},
       {1, 2, 3, 4, 0, 1, 0, 0}},
      {"lora_first_stage_model_post_quant_conv.alpha", {0}, {1}}}},
    {"kronecker.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lokr_w1", {2, {2, 2}}, {1, 2, 3, 4}},
      {"lora_first_stage_model_post_quant_conv.lokr_w2", {4, {2, 2, 1, 1}}, {1, 2, 3, 4}}}},
    {"third.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lora_up.weight", {4, {4, 3, 1, 1}}, {1, 2, 3, 4}},
      {"lora_first_stage_model_post_quant_conv.lora_down.weight", {4, {3, 4, 1, 1}}, {1}}}},
    {"ranks.safetensors",
     {{"lora_first_stage_model_post_quant_conv.lora_up.weight", {4, {4, 1, 1, 1}}, {1, 2, 3, 4}},
      {"lora_first_stage_model_post_quant_conv.lora_down.weight", {4, {2, 4, 1, 1}}, {1}}}},
    {"sd1lora.safetensors",
     {{"lora_unet_up_blocks_3_attentions_0_proj_in.lora_up.weight",
       {4, {4, 1, 1, 1}},
       {1, 2, 3, 4}},
      {"lora_unet_up_blocks_3_attentions_0_proj_in.lora_down.weight", {4, {1, 4, 1, 1}}, {1}}}},
};

static void write_model(const char *path, const TestTensor *tensors) {
    Diags *diags = diags_new();
    OutputTensor outputs[6];
    size_t n = 0;
    for (; n < 6 && tensors[n].name != NULL; n++)
        outputs[n] = (OutputTensor){
            .name = text_from(tensors[n].name), .dtype = DTYPE_F32, .shape = tensors[n].shape};
    WriterOptions options = {.no_sync = true};
    Writer *writer = writer_open(text_from(path), outputs, n, &options, diags, SPAN_NONE);
    ck_assert_ptr_nonnull(writer);
    for (size_t i = 0; i < n; i++) {
        float values[16];
        uint64_t count = shape_count(&tensors[i].shape);
        for (size_t k = 0; k < count; k++)
            values[k] = (float)tensors[i].values[k];
        ck_assert(writer_write(writer, outputs[i].offset, values, count * sizeof *values));
    }
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    diags_free(diags);
}

/* What tests/scales/generate.py made. */
static void link_models(const char *folder) {
    DIR *stream = opendir(folder);
    ck_assert_ptr_nonnull(stream);
    char *place = realpath(folder, NULL);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (text_ends(text_from(entry->d_name), TEXT(".safetensors"))) {
            char *path;
            ck_assert(asprintf(&path, "%s/%s", place, entry->d_name) > 0);
            ck_assert_int_eq(symlink(path, scratch_path(entry->d_name)), 0);
            free(path);
        }
    closedir(stream);
    free(place);
}

static void write_models(void) {
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        write_model(scratch_path(models[i].path), models[i].tensors);
    link_models("tests/scales");
}

/* ---- what a recipe expects ---- */

typedef struct Expectation {
    char *kind, *rest; /* within `text` */
    uint32_t line;
} Expectation;

typedef struct Recipe {
    char *path;
    char *text;
    VECTOR(Expectation) expectations;
} TestRecipe;

static const char *const kinds[] = {"note",   "error", "hint", "warning", "option",
                                    "expect", "dtype", "keys", "absent"};

/* The kind of a comment, or -1. */
static int comment_kind(const char *comment) {
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        size_t length = strlen(kinds[i]);
        if (strncmp(comment, kinds[i], length) == 0 && comment[length] == ':')
            return (int)i;
    }
    return -1;
}

/* Copies of the comments; the recipe's own text stays whole. */
static void read_expectations(TestRecipe *recipe) {
    char *copy = strdup(recipe->text), *rest = copy;
    uint32_t line = 0;
    for (char *at; (at = strsep(&rest, "\n")) != NULL;) {
        line++;
        for (char *mark = strstr(at, "# "); mark != NULL; mark = strstr(mark + 2, "# ")) {
            int kind = comment_kind(mark + 2);
            if (kind < 0)
                continue;
            char *words = mark + 2 + strlen(kinds[kind]) + 1;
            char *end = strstr(words, " # ");
            size_t length = end == NULL ? strlen(words) : (size_t)(end - words);
            vector_push(&recipe->expectations, (Expectation){(char *)kinds[kind],
                                                             strndup(words + strspn(words, " "),
                                                                     length - strspn(words, " ")),
                                                             line});
        }
    }
    free(copy);
}

static bool is_kind(const Expectation *expectation, const char *kind) {
    return strcmp(expectation->kind, kind) == 0;
}

/* ---- messages ---- */

static bool diag_matches(const Diags *diags, const Diag *diag, const Expectation *expectation) {
    const Source *source = diags_find(diags, diag->span.source);
    uint32_t line = 0, column;
    if (source != NULL && !text_starts(source->name, TEXT("<stdlib>")))
        source_position(source, diag->span.begin, &line, &column);
    bool hint = is_kind(expectation, "hint");
    Severity severity = is_kind(expectation, "warning") ? SEVERITY_WARNING
                        : is_kind(expectation, "note")  ? SEVERITY_NOTE
                                                        : SEVERITY_ERROR;
    Text text = hint ? diag->hint : diag->message;
    return (hint || diag->severity == severity) && (line == expectation->line || line == 0) &&
           memmem(text.data, text.size, expectation->rest, strlen(expectation->rest)) != NULL;
}

static void check_messages(const TestRecipe *recipe, const Diags *diags) {
    size_t n_errors = 0;
    for (size_t i = 0; i < recipe->expectations.count; i++) {
        const Expectation *expectation = &recipe->expectations.items[i];
        if (!is_kind(expectation, "error") && !is_kind(expectation, "hint") &&
            !is_kind(expectation, "warning") && !is_kind(expectation, "note"))
            continue;
        n_errors += is_kind(expectation, "error");
        bool found = false;
        for (size_t k = 0; k < diags_count(diags) && !found; k++)
            found = diag_matches(diags, diags_at(diags, k), expectation);
        if (!found)
            diags_print(diags, stderr, (DiagStyle){0});
        ck_assert_msg(found, "%s:%u: no %s with \"%s\"", recipe->path, expectation->line,
                      expectation->kind, expectation->rest);
    }
    if (n_errors != diag_errors(diags))
        diags_print(diags, stderr, (DiagStyle){0});
    ck_assert_msg(n_errors == diag_errors(diags), "%s: %zu errors, expected %zu", recipe->path,
                  diag_errors(diags), n_errors);
}

/* ---- results ---- */

static void check_values(const TestRecipe *recipe, const Model *result, char *words) {
    char *name = strsep(&words, " ");
    const Tensor *tensor = model_find(result, text_from(name));
    ck_assert_msg(tensor != NULL, "%s: the result has no '%s'", recipe->path, name);
    double *values = malloc((tensor->count + 1) * sizeof *values);
    kernels_best()->table[COMPUTE_F64]->load[tensor->dtype](values, tensor->data, tensor->count);
    uint64_t i = 0;
    for (char *word; (word = strsep(&words, " ")) != NULL;) {
        if (*word == '\0')
            continue;
        double wanted = strtod(word, NULL);
        ck_assert_msg(i < tensor->count && fabs(values[i] - wanted) <= 2e-6 * fmax(1, fabs(wanted)),
                      "%s: '%s'[%d] is %.9g, expected %.9g", recipe->path, name, (int)i,
                      i < tensor->count ? values[i] : NAN, wanted);
        i++;
    }
    ck_assert_msg(i == tensor->count, "%s: '%s' has %d values", recipe->path, name,
                  (int)tensor->count);
    free(values);
}

static void check_keys(const TestRecipe *recipe, const Model *result, char *words) {
    uint32_t n = 0;
    for (char *word; (word = strsep(&words, " ")) != NULL;) {
        if (*word == '\0')
            continue;
        ck_assert_msg(model_find(result, text_from(word)) != NULL, "%s: no key '%s'", recipe->path,
                      word);
        n++;
    }
    ck_assert_msg(n == result->n_tensors, "%s: the result has %u keys", recipe->path,
                  result->n_tensors);
}

static void check_result(const TestRecipe *recipe, const Model *result) {
    for (size_t i = 0; i < recipe->expectations.count; i++) {
        const Expectation *expectation = &recipe->expectations.items[i];
        if (is_kind(expectation, "expect"))
            check_values(recipe, result, expectation->rest);
        else if (is_kind(expectation, "keys"))
            check_keys(recipe, result, expectation->rest);
        else if (is_kind(expectation, "absent"))
            ck_assert_msg(model_find(result, text_from(expectation->rest)) == NULL,
                          "%s: '%s' is there", recipe->path, expectation->rest);
        else if (is_kind(expectation, "dtype")) {
            char *words = expectation->rest, *name = strsep(&words, " ");
            const Tensor *tensor = model_find(result, text_from(name));
            ck_assert_msg(tensor != NULL && tensor->dtype == dtype_from_name(text_from(words)),
                          "%s: '%s' is no %s", recipe->path, name, words);
        }
    }
}

/* ---- running ---- */

static void read_options(const TestRecipe *recipe, MechaOptions *options, MechaSetting *settings) {
    options->settings = settings;
    for (size_t i = 0; i < recipe->expectations.count; i++) {
        if (!is_kind(&recipe->expectations.items[i], "option"))
            continue;
        char *words = recipe->expectations.items[i].rest, *name = strsep(&words, " ");
        if (strcmp(name, "dtype") == 0)
            options->dtype = words;
        else if (strcmp(name, "space") == 0)
            options->space = words;
        else if (strcmp(name, "output") == 0)
            options->output = NULL;
        else if (strcmp(name, "compute") == 0)
            options->compute = words;
        else if (strcmp(name, "allow-unused") == 0)
            options->allow_unused = true;
        else if (strcmp(name, "set") == 0) {
            settings[options->n_settings].name = strsep(&words, " ");
            settings[options->n_settings++].value = words;
        } else
            ck_abort_msg("%s: unknown option '%s'", recipe->path, name);
    }
}

static void run_recipe(const char *name) {
    TestRecipe recipe = {0};
    Arena arena = {0};
    Text text;
    int error;
    ck_assert(asprintf(&recipe.path, "tests/recipes/%s", name) > 0);
    ck_assert(file_read(&arena, text_from(recipe.path), FILE_TEXT_LIMIT, &text, &error));
    recipe.text = (char *)text.data;
    read_expectations(&recipe);
    const char *output = scratch_path("out.safetensors"), *folder = scratch_path("");
    unlink(output);
    MechaSetting settings[8];
    MechaOptions options = {.output = output,
                            .models_dirs = &folder,
                            .n_models_dirs = 1,
                            .threads = 2,
                            .no_sync = true};
    read_options(&recipe, &options, settings);
    Engine *engine = mecha_open(&options);
    bool ok = mecha_load_file(engine, recipe.path) && mecha_prepare(engine) && mecha_run(engine);
    check_messages(&recipe, mecha_diags(engine));
    ck_assert_msg(ok != diag_failed(mecha_diags(engine)), "%s", recipe.path);
    ck_assert_msg(ok == (access(output, F_OK) == 0), "%s: output %s", recipe.path,
                  ok ? "missing" : "left");
    if (ok) {
        Model *result = model_open(text_from(output), mecha_diags(engine), SPAN_NONE);
        ck_assert_ptr_nonnull(result);
        check_result(&recipe, result);
        model_close(result);
        check_again(output);
    }
    mecha_close(engine);
    for (size_t i = 0; i < recipe.expectations.count; i++)
        free(recipe.expectations.items[i].rest);
    vector_free(&recipe.expectations);
    free(recipe.path);
    arena_free(&arena);
}

START_TEST(recipes_do_what_they_say) {
    write_models();
    DIR *stream = opendir("tests/recipes");
    ck_assert_ptr_nonnull(stream);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (text_ends(text_from(entry->d_name), TEXT(".mecha")) && entry->d_name[0] != '_') {
            run_recipe(entry->d_name);
            n++;
        }
    closedir(stream);
    ck_assert_uint_gt(n, 0);
}
END_TEST

Suite *recipes_suite(void) {
    Suite *suite = suite_create("recipes");
    TCase *tests = tcase_create("recipes");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, scratch_make, scratch_remove);
    tcase_add_test(tests, recipes_do_what_they_say);
    suite_add_tcase(suite, tests);
    return suite;
}
