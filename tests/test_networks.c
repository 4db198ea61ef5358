/* Networks in models of real structure. */
#include "base/file.h"
#include "base/vector.h"
#include "known_configs.h"
#include "mecha.h"
#include "run.h"
#include "tensor/reader.h"
#include "tensor/writer.h"
#include "tests.h"

#include <check.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Runs SCRIPT in a new folder, where $BUILD and $MECHA are absolute; what it prints has to be
 * OUTPUT, and nothing may be said. */
static void expect_script(const char *script, const char *output) {
    char *folder = scratch_open();
    const char *build = getenv("BUILD");
    char *tools = realpath(build != NULL ? build : "build", NULL);
    const char *const environment[] = {"BUILD", tools, "MECHA", mecha_binary(), NULL};
    RunOptions options = {.folder = folder, .environment = environment};
    Run run = run_shell(&options, script);
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output, output);
    run_free(&run);
    free(tools);
    scratch_close(folder);
}

#define MAKE_LORA                                                                                  \
    "\"$BUILD/make-models\" --kind sd15 --only '*.input_blocks.1.*' base.safetensors && "          \
    "\"$BUILD/make-models\" --kind sd15 --lora 12 --only '*_down_blocks_0_attentions_0_*' "        \
    "lora.safetensors && printf '%s\\n' "                                                          \
    "'base = model(\"base.safetensors\", config = \"sd1-ldm\")' "                                  \
    "'lora = model(\"lora.safetensors\", config = \"sd1-kohya_kohya_lora\")' "                     \
    "'base + 0.8 * (lora as \"sd1-ldm\") | base' > plan.mecha && "

/* The product of a LoRA's halves is made tile by tile: neither how many threads share them nor the
 * instruction set may show. */
START_TEST(a_lora_gives_the_same_bytes_however_it_is_computed) {
    expect_script(MAKE_LORA "for how in '-j 1' '-j 3' '-j 2 --memory 8M'; do "
                            "  \"$MECHA\" run -q plan.mecha $how -o out.safetensors && "
                            "  cksum < out.safetensors >> sums; done; "
                            "MECHA_KERNELS=base \"$MECHA\" run -q plan.mecha -o out.safetensors && "
                            "cksum < out.safetensors >> sums; sort -u sums | wc -l; wc -l < sums",
                  "1\n4\n");
}
END_TEST

/* It is for the transformer of the block: what stands before that is copied, bit for bit. */
START_TEST(what_a_lora_does_not_touch_is_copied) {
    expect_script(MAKE_LORA
                  "\"$MECHA\" run -q plan.mecha -o out.safetensors && "
                  "for part in '*.input_blocks.1.0.*' '*.norm*' '*.to_q.weight'; do "
                  "  for file in base out; do "
                  "    echo \"model(\\\"$file.safetensors\\\", config = \\\"sd1-ldm\\\")"
                  "[\\\"$part\\\"]\" > part.mecha; "
                  "    \"$MECHA\" run -q part.mecha --metadata none -o part-$file.safetensors; "
                  "  done; cmp -s part-base.safetensors part-out.safetensors && echo same; done",
                  "same\nsame\n");
}
END_TEST

/* --- What tests/networks/generate.py has computed. */

#define CASES "tests/networks"

/* The first line of a case: the architecture, the key, its shape, and whether the weight matters.
 */
typedef struct Expected {
    FILE *file;
    char config[40], key[120], shape[60], how[20];
} Expected;

static Expected expected_open(const char *name) {
    char path[300];
    Expected expected;
    snprintf(path, sizeof path, CASES "/%s.txt", name);
    expected.file = fopen(path, "r");
    ck_assert_ptr_nonnull(expected.file);
    ck_assert_int_eq(fscanf(expected.file, "%39s %119s %59s %19s", expected.config, expected.key,
                            expected.shape, expected.how),
                     4);
    return expected;
}

/* A model of the one weight, with the numbers that `base` in generate.py has. */
static void write_base(const Expected *expected, const char *folder) {
    Diags *diags = diags_new();
    OutputTensor tensor = {.name = text_from(expected->key), .dtype = DTYPE_F32};
    for (const char *at = expected->shape; at != NULL; at = strchr(at, 'x')) {
        at += *at == 'x';
        tensor.shape.dims[tensor.shape.rank++] = strtoull(at, NULL, 10);
    }
    char *path = path_in(folder, "base.safetensors");
    WriterOptions options = {.no_sync = true, .force = true};
    Writer *writer = writer_open(text_from(path), &tensor, 1, &options, diags, SPAN_NONE);
    ck_assert_ptr_nonnull(writer);
    for (uint64_t i = 0; i < shape_count(&tensor.shape); i++) {
        float value = (float)((double)(i * 7919 % 1009) - 504) / 1024;
        ck_assert(writer_write(writer, tensor.offset + i * sizeof value, &value, sizeof value));
    }
    ck_assert(writer_finish(writer, diags, SPAN_NONE));
    free(path);
    diags_free(diags);
}

/* The largest of the numbers sets how near the others have to be: terms cancel. */
static void compare(const Expected *expected, const char *name, const Tensor *tensor) {
    const float *values = (const float *)(const void *)tensor->data;
    unsigned long long index;
    double value, most = 0;
    for (uint64_t i = 0; i < tensor->count; i++)
        most = fmax(most, fabs((double)values[i]));
    unsigned n = 0;
    for (; fscanf(expected->file, "%llu %lf", &index, &value) == 2; n++)
        ck_assert_msg(fabs((double)values[index] - value) <= 1e-6 * most,
                      "%s: element %llu is %.9g, not %.9g", name, index, (double)values[index],
                      value);
    ck_assert_uint_gt(n, 1);
}

static void link_case(const char *folder, const char *to, const char *name, const char *ending) {
    char target[600];
    char *networks = realpath(CASES, NULL), *place = path_in(folder, to);
    snprintf(target, sizeof target, "%s/%s.%s", networks, name, ending);
    unlink(place);
    ck_assert_int_eq(symlink(target, place), 0);
    free(place);
    free(networks);
}

/* A folder `adapter` with a network and the settings of a case. */
static void write_adapter(const char *folder, const char *name) {
    char *adapter = path_in(folder, "adapter");
    mkdir(adapter, 0777);
    link_case(adapter, "adapter_model.safetensors", name, "safetensors");
    link_case(adapter, "adapter_config.json", name, "json");
    free(adapter);
}

/* The recipe for what a network changes. */
static void write_plan(const Expected *expected, const char *folder, const char *name, char *plan,
                       size_t size) {
    bool known = strcmp(expected->config, "-") != 0;
    if (strcmp(expected->how, "adapter") == 0) {
        write_base(expected, folder);
        write_adapter(folder, name);
        snprintf(plan, size, "convert(model(\"adapter\"), model(\"base.safetensors\"%s%s%s))\n",
                 known ? ", config = \"" : "", known ? expected->config : "", known ? "\"" : "");
    } else if (strcmp(expected->how, "base") == 0) {
        write_base(expected, folder);
        snprintf(plan, size,
                 "convert(model(\"%s.safetensors\"), model(\"base.safetensors\", config = "
                 "\"%s\"))\n",
                 name, expected->config);
    } else {
        snprintf(plan, size, "model(\"%s.safetensors\") as \"%s\"\n", name, expected->config);
    }
}

/* What FOLDER/out.safetensors has to hold then. */
static void run_plan(const char *folder, const char *name, const char *plan) {
    char *path = path_in(folder, "out.safetensors");
    MechaOptions options = {.output = path,
                            .space = "delta",
                            .dtype = "f32",
                            .models_dirs = (const char *const[]){folder, CASES},
                            .n_models_dirs = 2,
                            .threads = 1,
                            .no_sync = true};
    Engine *engine = mecha_open(&options);
    bool ok = mecha_load(engine, TEXT("plan.mecha"), text_from(plan)) && mecha_prepare(engine) &&
              mecha_run(engine);
    if (diags_count(mecha_diags(engine)) > 0)
        diags_print(mecha_diags(engine), stderr, (DiagStyle){0});
    ck_assert_msg(ok && diags_count(mecha_diags(engine)) == 0, "%s", name);
    mecha_close(engine);
    free(path);
}

static void check_network(const char *folder, const char *name) {
    Expected expected = expected_open(name);
    char plan[1000];
    write_plan(&expected, folder, name, plan, sizeof plan);
    run_plan(folder, name, plan);
    char *path = path_in(folder, "out.safetensors");
    Diags *diags = diags_new();
    Model *model = model_open(text_from(path), diags, SPAN_NONE);
    ck_assert_ptr_nonnull(model);
    /* A network for several weights in one changes all of these. */
    unsigned parts = strcmp(expected.how, "part") == 0    ? 4
                     : strcmp(expected.how, "parts") == 0 ? 3
                                                          : 1;
    ck_assert_uint_eq(model->n_tensors, parts);
    const Tensor *tensor = model_find(model, text_from(expected.key));
    ck_assert_msg(tensor != NULL, "%s: no %s", name, expected.key);
    compare(&expected, name, tensor);
    model_close(model);
    diags_free(diags);
    fclose(expected.file);
    free(path);
}

START_TEST(networks_add_what_their_formulas_say) {
    char *folder = scratch_open();
    DIR *stream = opendir(CASES);
    ck_assert_ptr_nonnull(stream);
    unsigned n = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char name[256];
        snprintf(name, sizeof name, "%s", entry->d_name);
        char *end = strstr(name, ".txt");
        if (end == NULL)
            continue;
        *end = '\0';
        check_network(folder, name);
        n++;
    }
    ck_assert_uint_ge(n, 430);
    closedir(stream);
    scratch_close(folder);
}
END_TEST

/* The inner model is what the outer network is for as well as what it is added to. */
START_TEST(networks_on_networks_read_their_models_once) {
    char *folder = scratch_open();
    const char *name = "sd1_small-lora-dora_outputs_lora";
    Expected expected = expected_open(name);
    write_base(&expected, folder);
    char plan[1000];
    snprintf(plan, sizeof plan,
             "base = model(\"base.safetensors\", config = \"%s\")\n"
             "network = model(\"%s.safetensors\")\n"
             "apply(apply(base, network, 0.5), network, 0.8)\n",
             expected.config, name);
    MechaOptions options = {.models_dirs = (const char *const[]){folder, CASES},
                            .n_models_dirs = 2};
    Engine *engine = mecha_open(&options);
    ck_assert(mecha_load(engine, TEXT("plan.mecha"), text_from(plan)) && mecha_prepare(engine));
    Builder words = {0};
    mecha_explain(engine, &words);
    builder_char(&words, '\0');
    ck_assert_msg(strstr(words.data, "base.safetensors: 384 B of 384 B\n") != NULL, "%s",
                  words.data);
    builder_free(&words);
    mecha_close(engine);
    fclose(expected.file);
    scratch_close(folder);
}
END_TEST

/* Runs a plan that fails: what is said has to hold MESSAGE. */
static void expect_refused(const char *text, const char *message) {
    char *folder = scratch_open();
    char *networks = realpath(CASES, NULL);
    write_text(folder, "plan.mecha", text);
    Run run = run_mecha(&(RunOptions){.folder = folder}, "check", "plan.mecha", "--space", "delta",
                        "--models-dir", networks);
    ck_assert_msg(strstr(run.error, message) != NULL, "%s", run.error);
    ck_assert_int_eq(run.status, 1);
    run_free(&run);
    free(networks);
    scratch_close(folder);
}

START_TEST(what_depends_on_the_base_asks_for_it) {
    expect_refused(
        "model(\"sd1_small-lora-oft.safetensors\") as \"sd1-ldm\"\n",
        "plan.mecha:1:1: error: what this network changes depends on the model that it is "
        "for\n");
    expect_refused("model(\"sd1_small-lora-dora_inputs_lora.safetensors\") as \"sd1-ldm\"\n",
                   "name that model: convert(network, model), or apply(model, network, strength)");
}
END_TEST

/* A folder with the base and the adapter of a case, where SCRIPT is run. */
static void expect_with_adapter(const char *name, const char *script, const char *output) {
    char *folder = scratch_open();
    Expected expected = expected_open(name);
    const char *const environment[] = {"MECHA", mecha_binary(), NULL};
    write_base(&expected, folder);
    write_adapter(folder, name);
    write_text(folder, "plan.mecha",
               "apply(model(\"base.safetensors\"), model(\"adapter\"), 0.5)\n");
    RunOptions options = {.folder = folder, .environment = environment};
    Run run = run_shell(&options, script);
    ck_assert_str_eq(run.output, output);
    run_free(&run);
    fclose(expected.file);
    scratch_close(folder);
}

START_TEST(a_result_tells_which_model_a_network_was_for) {
    expect_with_adapter("peft-dora",
                        "\"$MECHA\" run -q plan.mecha -o a.safetensors && "
                        "\"$MECHA\" run -q a.safetensors -o b.safetensors && "
                        "cmp a.safetensors b.safetensors && \"$MECHA\" recipe a.safetensors",
                        "mecha 1\n\nmodel_1 = model(\"base.safetensors\")\n"
                        "model_2 = model(\"adapter\")\n"
                        "model_1 + 0.5 * convert(model_2, model_1) | model_1\n");
}
END_TEST

START_TEST(an_adapter_has_its_settings_beside_it) {
    expect_with_adapter(
        "peft-lora",
        "rm adapter/adapter_config.json; \"$MECHA\" check plan.mecha 2>&1 | head -1; "
        "echo '{' > adapter/adapter_config.json; "
        "\"$MECHA\" check plan.mecha 2>&1 | grep -c error; "
        "\"$MECHA\" check plan.mecha 2>&1 | head -1 | cut -c1-76; "
        "echo '{\"alpha_pattern\": {\"(\": 1}}' > adapter/adapter_config.json; "
        "\"$MECHA\" check plan.mecha 2>&1 | head -1",
        "plan.mecha:1:1: error: nothing says by what this network is scaled: its "
        "adapter_config.json is not beside it, at the key "
        "'model.layers.0.self_attn.q_proj.weight'\n"
        "1\n"
        "plan.mecha:1:34: error: adapter/adapter_config.json: is no well-formed file \n"
        "plan.mecha:1:34: error: adapter/adapter_config.json: its pattern '(' in "
        "'alpha_pattern' is not understood\n");
}
END_TEST

/* What PEFT's own types need to know stands in their settings, and it is asked for. */
START_TEST(adapters_say_what_they_need) {
    static const struct {
        const char *name, *message;
    } cases[] = {
        {"peft-oft_5_terms", "nothing says how this network turns weights"},
        {"peft-oft_first", "nothing says how this network turns weights"},
        {"peft-ia3_convolution", "nothing says whether this network is for inputs or outputs"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char output[300];
        snprintf(output, sizeof output, "%s: its adapter_config.json is not beside it\n",
                 cases[i].message);
        expect_with_adapter(cases[i].name,
                            "rm adapter/adapter_config.json; \"$MECHA\" check plan.mecha 2>&1 | "
                            "head -1 | sed 's/.*error: //; s/, at the key.*//'",
                            output);
    }
    static const char *const shapes[] = {"peft-ia3", "peft-oft_first", "peft-oft_5_terms",
                                         "peft-boft"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        expect_with_adapter(shapes[i],
                            "cat > other.mecha <<'END'\n"
                            "method grown(a: S) -> S { concat([a, a, a]) }\n"
                            "method wider(a: S) -> S { concat([a, a, a], 1) }\n"
                            "x = model(\"base.safetensors\")\n"
                            "save apply(grown(wider(x)), model(\"adapter\")) to \"o\"\n"
                            "END\n"
                            "\"$MECHA\" check other.mecha 2>&1 | grep -o 'this network is for a "
                            "weight of another shape' | sort -u",
                            "this network is for a weight of another shape\n");
}
END_TEST

/* --- A network for all of Flux, in a Flux of small dimensions. */

static KnownConfigs library;

/* Dimensions at a 64th, so that parts keep their proportions. */
static Shape small_shape(const ConfigKey *key) {
    Shape shape = *key->shape;
    for (uint32_t i = 0; i < shape.rank; i++)
        shape.dims[i] = shape.dims[i] < 64 ? shape.dims[i] : shape.dims[i] / 64;
    return shape;
}

typedef struct Constant {
    OutputTensor tensor;
    float value;
} Constant;

typedef VECTOR(Constant) Constants;

static void add_constant(Constants *all, Text name, Shape shape, float value) {
    Constant constant = {{.name = name, .dtype = DTYPE_F32, .shape = shape}, value};
    vector_push(all, constant);
}

/* Writes tensors each of which has one value everywhere. */
static void write_constants(Constants *all, const char *folder, const char *name) {
    OutputTensor *tensors = arena_array(&library.arena, OutputTensor, all->count);
    char *path = path_in(folder, name);
    for (size_t i = 0; i < all->count; i++)
        tensors[i] = all->items[i].tensor;
    Writer *writer = writer_open(text_from(path), tensors, all->count,
                                 &(WriterOptions){.no_sync = true}, library.diags, SPAN_NONE);
    ck_assert_ptr_nonnull(writer);
    for (size_t i = 0; i < all->count; i++) {
        uint64_t count = shape_count(&tensors[i].shape);
        float *values = malloc(count * sizeof *values);
        for (uint64_t k = 0; k < count; k++)
            values[k] = all->items[i].value;
        ck_assert(writer_write(writer, tensors[i].offset, values, count * sizeof *values));
        free(values);
    }
    ck_assert(writer_finish(writer, library.diags, SPAN_NONE));
    vector_free(all);
    free(path);
}

static void write_flux(const char *folder) {
    const Config *flux = configs_find(library.configs, TEXT("flux-flux"));
    Constants all = {0};
    for (KeyId key = 0; key < flux->n_keys; key++)
        if (text_equal(flux->keys[key].component, TEXT("diffuser")))
            add_constant(&all, flux->keys[key].name, small_shape(&flux->keys[key]), 1);
    write_constants(&all, folder, "base.safetensors");
}

/* What a part adds: other than the parts beside it. */
static float part_value(Text module) {
    return text_ends(module, TEXT("to_k")) ? 2 : text_ends(module, TEXT("proj_mlp")) ? 3 : 1;
}

/* Two halves of rank 2 for each matrix of the blocks, as AI-Toolkit names them. */
static uint32_t write_flux_network(const char *folder) {
    const Config *flux = configs_find(library.configs, TEXT("flux-diffusers"));
    Constants all = {0};
    for (KeyId key = 0; key < flux->n_keys; key++) {
        Text name = flux->keys[key].name;
        if (!text_ends(name, TEXT(".weight")) || flux->keys[key].shape->rank != 2 ||
            memmem(name.data, name.size, "transformer_blocks.", 19) == NULL)
            continue;
        Shape shape = small_shape(&flux->keys[key]), up = shape, down = shape;
        Text module = {name.data, name.size - TEXT(".weight").size};
        up.dims[1] = down.dims[0] = 2;
        add_constant(&all, text_format(&library.arena, "%.*s.lora_B.weight", TEXT_ARG(module)), up,
                     part_value(module));
        add_constant(&all, text_format(&library.arena, "%.*s.lora_A.weight", TEXT_ARG(module)),
                     down, 0.5F);
    }
    uint32_t modules = (uint32_t)all.count / 2;
    write_constants(&all, folder, "lora.safetensors");
    return modules;
}

/* Query, key, value and MLP are one matrix: what stands in its rows, by 48th parts of them. */
static void expect_rows(const Tensor *tensor) {
    static const float added[] = {1, 2, 1, 3, 3, 3, 3};
    const float *values = (const float *)(const void *)tensor->data;
    for (uint64_t i = 0; i < tensor->count; i++)
        ck_assert(values[i] == 1 + added[i * 7 / tensor->count]);
}

START_TEST(every_module_of_flux_finds_its_rows) {
    char *folder = scratch_open();
    known_configs_open(&library);
    write_flux(folder);
    ck_assert_uint_eq(write_flux_network(folder), 494);
    write_text(folder, "plan.mecha",
               "apply(model(\"base.safetensors\"), model(\"lora.safetensors\"))\n");
    Run run = run_mecha(&(RunOptions){.folder = folder}, "run", "-q", "plan.mecha", "-o",
                        "out.safetensors");
    ck_assert_str_eq(run.error, "");
    run_free(&run);
    char *path = path_in(folder, "out.safetensors");
    Model *model = model_open(text_from(path), library.diags, SPAN_NONE);
    uint32_t changed = 0;
    for (uint32_t i = 0; i < model->n_tensors; i++)
        changed += *(const float *)(const void *)model->tensors[i].data != 1;
    ck_assert_uint_eq(changed, 19 * 10 + 38 * 3);
    expect_rows(model_find(model, TEXT("model.diffusion_model.single_blocks.37.linear1.weight")));
    model_close(model);
    free(path);
    known_configs_close(&library);
    scratch_close(folder);
}
END_TEST

/* Whatever the architecture is: what a join or a lower rank is of tells. */
START_TEST(networks_of_transformers_are_joined_and_truncated) {
    char *networks = realpath(CASES, NULL);
    char script[4000];
    snprintf(script, sizeof script,
             "echo 'join_loras(model(\"%s/flux-lora-lora.safetensors\"), "
             "model(\"%s/flux-lora-lora_without_alpha.safetensors\"))' > join.mecha && "
             "echo 'truncate_lora(model(\"%s/sd3-lora-lora.safetensors\"), 1)' > cut.mecha && "
             "for plan in join cut; do \"$MECHA\" run -q $plan.mecha -o out.safetensors && "
             "\"$MECHA\" info out.safetensors | grep -o 'LoRA, rank.*  '; done | tr -s ' '",
             networks, networks, networks);
    expect_script(script, "LoRA, rank 3, alpha 3 \nLoRA, rank 1, alpha 1 \n");
    free(networks);
}
END_TEST

Suite *networks_suite(void) {
    Suite *suite = suite_create("networks");
    TCase *tests = tcase_create("networks");
    tcase_set_timeout(tests, 300);
    tcase_add_test(tests, a_lora_gives_the_same_bytes_however_it_is_computed);
    tcase_add_test(tests, what_a_lora_does_not_touch_is_copied);
    tcase_add_test(tests, networks_add_what_their_formulas_say);
    tcase_add_test(tests, networks_on_networks_read_their_models_once);
    tcase_add_test(tests, what_depends_on_the_base_asks_for_it);
    tcase_add_test(tests, every_module_of_flux_finds_its_rows);
    tcase_add_test(tests, networks_of_transformers_are_joined_and_truncated);
    tcase_add_test(tests, a_result_tells_which_model_a_network_was_for);
    tcase_add_test(tests, an_adapter_has_its_settings_beside_it);
    tcase_add_test(tests, adapters_say_what_they_need);
    suite_add_tcase(suite, tests);
    return suite;
}
