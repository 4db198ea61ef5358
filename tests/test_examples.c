/* Every recipe of docs/examples/ runs, on small models of the structure of real ones. */
#include "tests.h"

#include "base/text.h"
#include "mecha.h"
#include "run.h"
#include "scratch.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The models that the examples name: a base and fine-tunes of it. */
static const struct {
    const char *name;
    const char *seed;
} example_models[] = {{"base", "1"},   {"target", "2"},  {"tune-a", "3"},      {"tune-b", "4"},
                      {"tune-c", "5"}, {"painter", "6"}, {"photographer", "7"}};

static void make_models(void) {
    const char *build = getenv("BUILD");
    char tool[256];
    snprintf(tool, sizeof tool, "%s/make-models", build != NULL ? build : "build");
    for (size_t i = 0; i < sizeof example_models / sizeof *example_models; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s.safetensors", example_models[i].name);
        bool base = i == 0;
        const char *fine_tune[] = {tool,
                                   "--kind",
                                   "tiny",
                                   "--base",
                                   "1",
                                   "--seed",
                                   example_models[i].seed,
                                   scratch_path(name),
                                   NULL};
        const char *plain[] = {tool, "--kind", "tiny", "--seed", "1", scratch_path(name), NULL};
        Run run = run_command(NULL, base ? plain : fine_tune);
        ck_assert_int_eq(run.status, 0);
        run_free(&run);
    }
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
    Engine *engine = mecha_open(&options);
    bool ok = mecha_load_file(engine, path) && mecha_prepare(engine) && mecha_run(engine);
    if (!ok)
        diags_print(mecha_diags(engine), stderr, (DiagStyle){0});
    ck_assert_msg(ok, "%s", path);
    struct stat status;
    ck_assert_int_eq(stat(text_copy(&arena, mecha_output_path(engine, 0)).data, &status), 0);
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
    ck_assert_uint_ge(n, 8);
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
