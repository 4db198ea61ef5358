/* The recipe that a model carries in its metadata: it makes the model again. */
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static char *folder; /* of the test that runs */

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "a.safetensors", (TestTensor[]){{"x", 3, 1}, {"y", 500, 8}}, 2);
    write_model(folder, "b.safetensors", (TestTensor[]){{"x", 3, 5}, {"y", 500, 0}}, 2);
    write_text(folder, "blend.mecha",
               "param part: float = 0.25\n"
               "a = model(\"a.safetensors\")\n"
               "weighted_sum(a, model(\"b.safetensors\"), part)\n");
    setenv("MECHA", mecha_binary(), 1);
}

static void tear_down(void) {
    scratch_close(folder);
}

/* A shell script in the folder, in which $MECHA is the program. */
static void expect_script(const char *words, int status, const char *output, const char *error) {
    Run run = run_shell(&(RunOptions){.folder = folder}, words);
    ck_assert_msg(run.status == status && strcmp(run.output, output) == 0 &&
                      strstr(run.error, error) != NULL,
                  "%s\nstatus %d\n%s\n%s", words, run.status, run.output, run.error);
    run_free(&run);
}

START_TEST(it_is_whole) {
    expect_script("\"$MECHA\" run -q blend.mecha -o out.safetensors --part 0.5 --dtype bf16 "
                  "--compute f64 --keep-non-finite --fallback b.safetensors &&\n"
                  "\"$MECHA\" recipe out.safetensors",
                  0,
                  "mecha 1\n"
                  "\n"
                  "a = model(\"a.safetensors\")\n"
                  "model_1 = model(\"b.safetensors\")\n"
                  "save weighted_sum(a, model_1) | model_1, dtype = \"bf16\", compute = \"f64\", "
                  "keep_non_finite = "
                  "true\n",
                  "");
    expect_script(
        "\"$MECHA\" recipe out.safetensors | \"$MECHA\" run -q - -o again.safetensors &&\n"
        "cmp out.safetensors again.safetensors &&\n"
        "\"$MECHA\" run -q out.safetensors -o again.safetensors &&\n"
        "cmp out.safetensors again.safetensors",
        0, "", "");
}
END_TEST

START_TEST(nothing_is_carried_without_metadata) {
    expect_script("\"$MECHA\" run -q blend.mecha -o out.safetensors --metadata none &&\n"
                  "\"$MECHA\" recipe out.safetensors",
                  1, "", "error: 'out.safetensors' carries no recipe in its metadata");
    expect_script("\"$MECHA\" run out.safetensors -o again.safetensors", 1, "",
                  "error: 'out.safetensors' carries no recipe in its metadata");
}
END_TEST

/* Of what sd-mecha wrote, the instruction list is all there is. */
START_TEST(instruction_lists_do) {
    expect_script("printf '%s\\n' 'save model(\"a.safetensors\") to \"listed.safetensors\", "
                  "metadata = { \"mecha_recipe\": \"version 0.1.0\\nmodel \\\"a.safetensors\\\"\\n"
                  "model \\\"b.safetensors\\\"\\nmerge \\\"subtract\\\" &0 &1\" }' > list.mecha\n"
                  "\"$MECHA\" run -q list.mecha --metadata none &&\n"
                  "\"$MECHA\" recipe listed.safetensors",
                  0,
                  "version 0.1.0\nmodel \"a.safetensors\"\nmodel \"b.safetensors\"\n"
                  "merge \"subtract\" &0 &1\n",
                  "");
    expect_script("\"$MECHA\" run -q listed.safetensors --space delta -o out.safetensors &&\n"
                  "\"$MECHA\" recipe out.safetensors",
                  0,
                  "mecha 1\n"
                  "\n"
                  "model_1 = model(\"a.safetensors\")\n"
                  "model_2 = model(\"b.safetensors\")\n"
                  "save subtract(model_1, model_2), space = \"delta\"\n",
                  "");
}
END_TEST

/* Each result carries what it is made of, and has the dtype of its own inputs. */
START_TEST(each_result_has_its_own) {
    expect_script(
        "echo 'model(\"b.safetensors\")' | \"$MECHA\" run -q - --dtype f16 -o h.safetensors\n"
        "cat > two.mecha <<.\n"
        "a = model(\"a.safetensors\")\n"
        "h = model(\"h.safetensors\")\n"
        "save (a + h) / 2 to \"first.safetensors\"\n"
        "save (h + 2 * h[\"*\"]) / 3 to \"second.safetensors\"\n"
        ".\n"
        "\"$MECHA\" run -q two.mecha && \"$MECHA\" recipe second.safetensors &&\n"
        "\"$MECHA\" run -q second.safetensors -o again.safetensors &&\n"
        "cmp second.safetensors again.safetensors",
        0,
        "mecha 1\n"
        "\n"
        "h = model(\"h.safetensors\")\n"
        "(h + 2 * h[\"*\"]) / 3\n",
        "");
}
END_TEST

START_TEST(a_result_without_a_file_is_named) {
    expect_script("echo 'save model(\"a.safetensors\"), dtype = \"f16\"' > plan.mecha\n"
                  "\"$MECHA\" run plan.mecha",
                  1, "", "error: nothing says where to write the result");
    expect_script("\"$MECHA\" run -q plan.mecha -o out.safetensors && ls out.safetensors", 0,
                  "out.safetensors\n", "");
}
END_TEST

Suite *carried_suite(void) {
    Suite *suite = suite_create("carried");
    TCase *tests = tcase_create("carried");
    tcase_set_timeout(tests, 60);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_is_whole);
    tcase_add_test(tests, nothing_is_carried_without_metadata);
    tcase_add_test(tests, instruction_lists_do);
    tcase_add_test(tests, each_result_has_its_own);
    tcase_add_test(tests, a_result_without_a_file_is_named);
    suite_add_tcase(suite, tests);
    return suite;
}
