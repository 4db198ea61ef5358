/* Every recipe of docs/examples/ runs, on small models of the structure of real ones. */
#include "tests.h"

#include "again.h"
#include "base/text.h"
#include "mecha.h"
#include "run.h"
#include "scratch.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The models that the examples name: a base and fine-tunes of it. */
static const char *const example_models[] = {
    "base",    "target",  "tune-a",  "tune-b",  "tune-c",  "painter", "photographer",
    "style-1", "style-2", "style-3", "style-4", "style-5", "style-6"};

/* Networks fit models of full size only, so these are a few keys of one. */
static const char *const example_networks[] = {"style-lora", "person-lora", "detail-lora"};

static const char *const network_words[] = {
    "--kind", "sd15", "--lora", "4", "--only", "*_down_blocks_0_attentions_0_*_attn2_*"};
static const char *const network_base[] = {"--kind", "sd15", "--only",
                                           "*.input_blocks.1.1.transformer_blocks.0.*"};
static const char *const fine_tune[] = {"--kind", "tiny", "--base", "1"};
static const char *const plain[] = {"--kind", "tiny"};

static void make_model(const char *name, size_t seed, const char *const *words, size_t n_words) {
    const char *command[16], *build = getenv("BUILD");
    char tool[256], file[64], digits[16];
    snprintf(tool, sizeof tool, "%s/make-models", build != NULL ? build : "build");
    snprintf(file, sizeof file, "%s.safetensors", name);
    snprintf(digits, sizeof digits, "%zu", seed);
    size_t n = 0;
    command[n++] = tool;
    for (size_t i = 0; i < n_words; i++)
        command[n++] = words[i];
    command[n++] = "--seed";
    command[n++] = digits;
    command[n++] = scratch_path(file);
    command[n] = NULL;
    Run run = run_command(NULL, command);
    ck_assert_int_eq(run.status, 0);
    run_free(&run);
}

#define COUNT(array) (sizeof(array) / sizeof *(array))

static void make_models(void) {
    make_model("base", 1, plain, COUNT(plain));
    for (size_t i = 1; i < COUNT(example_models); i++)
        make_model(example_models[i], i + 1, fine_tune, COUNT(fine_tune));
    make_model("v1-5", 1, network_base, COUNT(network_base));
    for (size_t i = 0; i < COUNT(example_networks); i++)
        make_model(example_networks[i], i + 1, network_words, COUNT(network_words));
}

/* Examples are laid out as mecha fmt does. */
static void check_layout(Engine *engine, const char *path) {
    Source source = *mecha_source(engine); /* formatting adds one, and they move */
    Builder out = {0};
    ck_assert(mecha_format(engine, source.name, source.text, &out));
    ck_assert_msg(text_equal(builder_view(&out), source.text), "%s", path);
    builder_free(&out);
}

static void remember(void *context, const MechaProgress *progress) {
    *(MechaProgress *)context = *progress;
}

/* Runs an example where its outputs land in the scratch folder. */
static void run_example(const char *path, char *name) {
    Arena arena = {0};
    MechaSetting settings[] = {{"first", "tune-a.safetensors"}, {"second", "tune-b.safetensors"}};
    const char *folder = scratch_path("");
    bool is_template = strcmp(name, "template.mecha") == 0;
    MechaOptions options = {.models_dirs = &folder,
                            .n_models_dirs = 1,
                            .settings = settings,
                            .n_settings = is_template ? 2 : 0,
                            .threads = 2,
                            .no_sync = true,
                            .force = true};
    MechaProgress last = {0};
    options.progress = remember;
    options.progress_context = &last;
    Engine *engine = mecha_open(&options);
    bool ok = mecha_load_file(engine, path) && mecha_prepare(engine) && mecha_run(engine);
    if (!ok)
        diags_print(mecha_diags(engine), stderr, (DiagStyle){0});
    ck_assert_msg(ok, "%s", path);
    ck_assert_uint_gt(last.bytes, 0);
    ck_assert_uint_eq(last.bytes_done, last.bytes);
    ck_assert_uint_eq(last.keys_done, last.keys);
    check_layout(engine, path);
    for (uint32_t i = 0; i < mecha_summary(engine).n_outputs; i++)
        check_again(text_copy(&arena, mecha_output_path(engine, i)).data);
    mecha_close(engine);
    arena_free(&arena);
}

/* A file without a result of its own is a library, which others import. */
static bool is_library(const char *name) {
    return strncmp(name, "my_", 3) == 0;
}

START_TEST(examples_run) {
    char *here = getcwd(NULL, 0);
    make_models();
    ck_assert_int_eq(chdir(scratch_path("")), 0);
    char folder[4096];
    snprintf(folder, sizeof folder, "%s/docs/examples", here);
    DIR *stream = opendir(folder);
    ck_assert_ptr_nonnull(stream);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char path[8192];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        if (!text_ends(text_from(entry->d_name), TEXT(".mecha")) || is_library(entry->d_name))
            continue;
        run_example(path, entry->d_name);
        n++;
    }
    closedir(stream);
    ck_assert_uint_ge(n, 12);
    ck_assert_int_eq(chdir(here), 0);
    free(here);
}
END_TEST

Suite *examples_suite(void) {
    Suite *suite = suite_create("examples");
    TCase *tests = tcase_create("examples");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, scratch_make, scratch_remove);
    tcase_add_test(tests, examples_run);
    suite_add_tcase(suite, tests);
    return suite;
}
