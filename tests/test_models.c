/* The models that the demo and the benchmark merge: real keys and shapes. */
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static Run in_build(const char *script) {
    const char *build = getenv("BUILD");
    const char *const environment[] = {"BUILD", build ? build : "build", NULL};
    RunOptions options = {.environment = environment};
    return run_shell(&options, script);
}

static void expect_output(const char *script, const char *expected) {
    Run run = in_build(script);
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output, expected);
    run_free(&run);
}

/* Counts and checksums of the published networks' keys with their shapes. */
START_TEST(architectures_have_the_known_keys) {
    expect_output("$BUILD/make-models --kind sd15 --list | LC_ALL=C sort | cksum",
                  "4201124370 82996\n");
    expect_output("$BUILD/make-models --kind sd15 --list | wc -l", "1143\n");
    expect_output("$BUILD/make-models --kind sdxl-unet --list | LC_ALL=C sort | cksum",
                  "2500371439 138937\n");
    expect_output("$BUILD/make-models --kind sdxl-unet --list | wc -l", "1680\n");
    expect_output("$BUILD/make-models --kind sdxl --list | LC_ALL=C sort | cksum",
                  "1956565679 202169\n");
    expect_output("$BUILD/make-models --kind sdxl --list | wc -l", "2515\n");
}
END_TEST

START_TEST(weights_depend_on_the_seed_alone) {
    char *folder = scratch_open();
    const char *build = getenv("BUILD");
    char *command = path_in(build ? build : "build", "make-models");
    char *program = realpath(command, NULL);
    Run run = run_command(
        &(RunOptions){.folder = folder},
        (const char *const[]){
            "/bin/sh", "-c",
            "\"$0\" --seed 1 --threads 1 a && \"$0\" --seed 1 --threads 3 b && cmp a b || echo "
            "threads; \"$0\" --seed 2 c; cmp -s a c && echo seeds; \"$0\" --seed 2 --base 1 d; "
            "cmp -s c d && echo base; \"$0\" --seed 1 --hollow e; cmp -n 1000 a e; "
            "[ $(wc -c < a) = $(wc -c < e) ] || echo size; tail -c 1000 e | tr -d '\\0'",
            program, NULL});
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output, "");
    run_free(&run);
    free(command);
    free(program);
    scratch_close(folder);
}
END_TEST

START_TEST(wrong_usage_is_refused) {
    Run run = in_build("$BUILD/make-models --kind unknown x; echo $?; $BUILD/make-models; echo $?");
    ck_assert_str_eq(run.output, "2\n2\n");
    ck_assert_ptr_nonnull(strstr(run.error, "usage: make-models"));
    run_free(&run);
}
END_TEST

Suite *models_suite(void) {
    Suite *suite = suite_create("models");
    TCase *tests = tcase_create("models");
    tcase_add_test(tests, architectures_have_the_known_keys);
    tcase_add_test(tests, weights_depend_on_the_seed_alone);
    tcase_add_test(tests, wrong_usage_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
