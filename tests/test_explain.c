/* mecha explain: the plan in the recipe's terms. */
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "a.safetensors", (TestTensor[]){{"x.0", 3, 1}, {"x.1", 5, 2}}, 2);
    write_model(folder, "b.safetensors", (TestTensor[]){{"x.0", 3, 5}, {"x.1", 5, 3}}, 2);
}

static void tear_down(void) {
    scratch_close(folder);
}

static Run explain(const char *recipe, const char *option) {
    RunOptions options = {.folder = folder};
    write_text(folder, "plan.mecha", recipe);
    return option == NULL ? run_mecha(&options, "explain", "plan.mecha")
                          : run_mecha(&options, "explain", "plan.mecha", option);
}

#define MODELS "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n"

static void expect_plan(const char *recipe, const char *part) {
    Run run = explain(recipe, NULL);
    ck_assert_msg(run.status == 0 && strstr(run.output, part) != NULL, "%s\n%s", run.output,
                  run.error);
    run_free(&run);
}

START_TEST(passes_are_told_in_the_recipe_s_terms) {
    expect_plan(MODELS "near = weighted_sum(a, b, 0.25)\nslerp(near, b, 0.5)\n",
                "\n2 keys, 64 B to read: like x.0\n"
                "  pass 1  reads a.safetensors, b.safetensors\n"
                "          computes near = weighted_sum (line 3), slerp (line 4)\n"
                "          finds 3 dot products for slerp (line 4)\n"
                "  pass 2  reads a.safetensors, b.safetensors\n"
                "          computes near = weighted_sum (line 3), slerp (line 4)\n");
    expect_plan(MODELS "a\n", "  pass 1  copies from a.safetensors\n");
    expect_plan(MODELS "a + 0.5 * ((b - a) + (b - a) * 0.5)\n", "computes ");
}
END_TEST

START_TEST(what_is_shared_and_what_is_not_needed) {
    expect_plan(MODELS "near = weighted_sum(a, b, 0.25)\nsave near | b to \"o\"\n"
                       "save slerp(near, b, 0.5) to \"p\"\n",
                "\nshared          near = weighted_sum (line 3) used 2 times\n"
                "folded away     '|' (line 4)\n\n");
}
END_TEST

START_TEST(dtypes_are_told_where_they_differ) {
    expect_plan(MODELS "save (a + b) / 2 to \"o\", dtype = { \"x.1\": bf16, \"*\": auto }\n",
                "\noutput          o: 2 keys, 22 B: bf16 10 B, f32 12 B\n");
    expect_plan(MODELS "save a to \"o\", dtype = bf16\n", "\noutput          o: 2 keys, 16 B\n");
}
END_TEST

START_TEST(the_code_is_there_for_those_who_ask) {
    Run run = explain(MODELS "weighted_sum(a, b, 0.25)\n", "--verbose");
    ck_assert_ptr_nonnull(strstr(run.output, "\n2 keys like x.0\n"));
    ck_assert_ptr_nonnull(strstr(run.output, "    r0 = load leaf 0 f32\n"));
    run_free(&run);
}
END_TEST

Suite *explain_suite(void) {
    Suite *suite = suite_create("explain");
    TCase *cases = tcase_create("explain");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, passes_are_told_in_the_recipe_s_terms);
    tcase_add_test(cases, what_is_shared_and_what_is_not_needed);
    tcase_add_test(cases, dtypes_are_told_where_they_differ);
    tcase_add_test(cases, the_code_is_there_for_those_who_ask);
    suite_add_tcase(suite, cases);
    return suite;
}
