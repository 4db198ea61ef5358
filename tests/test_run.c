#include "run.h"
#include "tests.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

START_TEST(streams_and_status_are_captured) {
    Run run = run_shell(&(RunOptions){.input = "words"}, "cat; echo wrong >&2; exit 3");
    ck_assert_int_eq(run.status, 3);
    ck_assert_str_eq(run.output, "words");
    ck_assert_str_eq(run.error, "wrong\n");
    run_free(&run);
}
END_TEST

START_TEST(slow_commands_are_killed) {
    Run run = run_shell(&(RunOptions){.seconds = 0.05}, "sleep 30");
    ck_assert(run.timed_out);
    ck_assert_int_eq(run.status, 128 + SIGKILL);
    ck_assert(run.seconds < 10);
    run_free(&run);
}
END_TEST

START_TEST(scratch_folders_come_and_go) {
    char *folder = scratch_open();
    char *copy = strdup(folder);
    write_model(folder, "a.safetensors", (TestTensor[]){{"k", 2, 1}}, 1);
    ck_assert(path_exists(folder, "a.safetensors"));
    ck_assert_uint_eq(count_entries(folder), 1);
    scratch_close(folder);
    ck_assert(!path_exists(copy, ""));
    free(copy);
}
END_TEST

START_TEST(the_environment_can_be_set) {
    RunOptions options = {.environment = (const char *const[]){"WORD", "said", "HOME", "", NULL}};
    Run run = run_shell(&options, "echo $WORD${HOME-unset}");
    ck_assert_str_eq(run.output, "saidunset\n");
    run_free(&run);
}
END_TEST

Suite *run_suite(void) {
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_add_test(tests, streams_and_status_are_captured);
    tcase_add_test(tests, slow_commands_are_killed);
    tcase_add_test(tests, scratch_folders_come_and_go);
    tcase_add_test(tests, the_environment_can_be_set);
    suite_add_tcase(suite, tests);
    return suite;
}
