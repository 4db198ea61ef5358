/* mecha diff: what differs, and how much. */
#include "mecha.h"
#include "run.h"
#include "tests.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "a.safetensors",
                (TestTensor[]){{"body.0.x", 3, 1}, {"body.1.x", 2, 3}, {"head.y", 4, 8}}, 3);
    write_model(
        folder, "b.safetensors",
        (TestTensor[]){{"body.0.x", 3, 1}, {"body.1.x", 2, 4}, {"head.y", 5, 8}, {"new", 1, 0}}, 4);
}

static void tear_down(void) {
    scratch_close(folder);
}

static Run diff(const char *a, const char *b, const char *option) {
    RunOptions options = {.folder = folder};
    return option != NULL ? run_mecha(&options, "diff", a, b, option)
                          : run_mecha(&options, "diff", a, b);
}

START_TEST(models_that_differ) {
    Run run = diff("a.safetensors", "b.safetensors", NULL);
    ck_assert_int_eq(run.status, 1);
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(
        run.output,
        "A         a.safetensors: 3 keys, 36 B\n"
        "B         b.safetensors: 4 keys, 44 B\n"
        "changed   1 of 2 keys in both, 40.0 % of their elements; relative is |B - A| / |A|\n"
        "\nonly in B: 1 key\n  new\n"
        "\nof other shapes or dtypes:\n  head.y  f32 [4] -> f32 [5]\n"
        "\n  component     cosine   relative        max   changed\n"
        "  body        0.993217     0.2265          1    40.0 %\n"
        "\n  body          cosine   relative        max   changed\n"
        "  body.0      1.000000          0          0     0.0 %  ··········\n"
        "  body.1      0.999512     0.2828          1   100.0 %  ██████████\n");
    run_free(&run);
}
END_TEST

/* tests/scales holds weights in 8-bit floats with scales of every form. */
START_TEST(scaled_weights_are_what_they_stand_for) {
    char *models = realpath("tests/scales", NULL);
    const char *const environment[] = {"MECHA", mecha_binary(), "MECHA_MODELS", models, NULL};
    RunOptions options = {.folder = folder, .environment = environment};
    Run run = run_shell(
        &options,
        "echo 'save model(\"scaled.safetensors\"), dtype = f32' > plan.mecha && "
        "\"$MECHA\" run -q plan.mecha -o plain.safetensors && "
        "for b in plain.safetensors \"$MECHA_MODELS/scaled.safetensors\"; do "
        "\"$MECHA\" diff \"$MECHA_MODELS/scaled.safetensors\" $b | grep -e changed -e only; "
        "done; \"$MECHA\" info \"$MECHA_MODELS/scaled.safetensors\" | grep 'of 5'; "
        "\"$MECHA\" info --json \"$MECHA_MODELS/scaled.safetensors\" | grep -o '.scaled.: 5'");
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output, "changed   0 of 7 keys in both\n"
                                 "changed   0 of 7 keys in both\n"
                                 "  scales      of 5 weights, which are multiplied by them\n"
                                 "\"scaled\": 5\n");
    run_free(&run);
    free(models);
}
END_TEST

/* Their squares are none of f32. */
START_TEST(sizes_beyond_f32) {
    write_model(
        folder, "p.safetensors",
        (TestTensor[]){{"large.0.x", 3, 2e25F}, {"small.0.x", 1, 2e-25F}, {"near.0.x", 3, 1}}, 3);
    write_model(
        folder, "q.safetensors",
        (TestTensor[]){{"large.0.x", 3, 1e25F}, {"small.0.x", 1, 3e-25F}, {"near.0.x", 3, 1}}, 3);
    Run run = diff("p.safetensors", "q.safetensors", NULL);
    const char *table = strstr(run.output, "  large");
    ck_assert_pstr_eq(table, "  large       1.000000        0.5      1e+25   100.0 %\n"
                             "  small       1.000000        0.5      1e-25   100.0 %\n"
                             "  near        1.000000          0          0     0.0 %\n"
                             "  all         1.000000        0.5      1e+25    57.1 %\n");
    run_free(&run);
}
END_TEST

/* Large enough for several threads, and for a tail behind the last lanes. */
START_TEST(figures_are_those_of_every_build) {
    write_model(folder, "p.safetensors", (TestTensor[]){{"x", 3000003, 1}, {"y", 13, 5}}, 2);
    write_model(folder, "q.safetensors", (TestTensor[]){{"x", 3000003, 2}, {"y", 13, 5}}, 2);
    RunOptions options = {.folder = folder};
    Run run =
        run_shell(&options, "for k in base avx2 avx512; do MECHA_KERNELS=$k \"$MECHA\" diff "
                            "p.safetensors q.safetensors --json > $k.json; done; \"$MECHA\" diff "
                            "p.safetensors q.safetensors --json -j1 > one.json;\n"
                            "cmp base.json avx2.json && cmp base.json avx512.json && cmp "
                            "base.json one.json && \"$MECHA\" diff p.safetensors "
                            "q.safetensors | sed -n 3p");
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output,
                     "changed   1 of 2 keys in both, 100.0 % of their elements; relative is "
                     "|B - A| / |A|\n");
    run_free(&run);
}
END_TEST

START_TEST(models_that_do_not) {
    Run run = diff("a.safetensors", "a.safetensors", NULL);
    ck_assert_int_eq(run.status, 0);
    ck_assert_str_eq(run.output, "A         a.safetensors: 3 keys, 36 B\n"
                                 "B         a.safetensors: 3 keys, 36 B\n"
                                 "changed   0 of 3 keys in both\n");
    run_free(&run);
    run = diff("a.safetensors", "c.safetensors", NULL);
    ck_assert_int_eq(run.status, 1);
    ck_assert_str_eq(run.error, "mecha: error: there is no file 'c.safetensors'\n"
                                "      = did you mean 'a.safetensors'?\n");
    run_free(&run);
}
END_TEST

START_TEST(as_json) {
    Run run = diff("a.safetensors", "b.safetensors", "--json");
    json_t *found = json_loads(run.output, 0, NULL);
    ck_assert_ptr_nonnull(found);
    ck_assert_int_eq(json_integer_value(json_object_get(found, "only_b")), 1);
    ck_assert_int_eq(json_integer_value(json_object_get(found, "shapes")), 1);
    json_t *block = json_array_get(json_object_get(found, "blocks"), 1);
    ck_assert_str_eq(json_string_value(json_object_get(block, "block")), "body.1");
    ck_assert_double_eq_tol(json_real_value(json_object_get(block, "relative")), 0.2828427, 1e-6);
    ck_assert_uint_eq(json_array_size(json_object_get(found, "keys")), 3);
    json_decref(found);
    run_free(&run);
}
END_TEST

START_TEST(as_a_page) {
    Run run = diff("a.safetensors", "b.safetensors", "--html=page.html");
    char *path = path_in(folder, "page.html"), *page = read_file(path, NULL);
    ck_assert_ptr_nonnull(page);
    ck_assert_ptr_nonnull(strstr(page, "<title>body.1: relative 0.2828, cosine 0.999512</title>"));
    ck_assert_ptr_nonnull(strstr(page, "<li><code>new</code> only in B, f32 [1]"));
    ck_assert_ptr_nonnull(strstr(page, "<h2>Keys that changed</h2>\n<table>"));
    ck_assert_ptr_nonnull(strstr(page, "<tr><td><code>body.1.x</code><td>0.999512<td>0.2828"));
    ck_assert_ptr_nonnull(strstr(page, "Each block below shows its <i>relative</i> change"));
    ck_assert_ptr_null(strstr(page, "src="));
    free(path);
    free(page);
    run_free(&run);
}
END_TEST

/* As the library's caller asks; the program itself ends. */
START_TEST(it_can_be_interrupted) {
    int interrupted = 1;
    Engine *engine = mecha_open(&(MechaOptions){.threads = 2, .interrupted = &interrupted});
    char *a = path_in(folder, "a.safetensors"), *b = path_in(folder, "b.safetensors");
    bool different;
    ck_assert(!mecha_diff(engine, a, b, &different));
    ck_assert_uint_eq(diags_count(mecha_diags(engine)), 1);
    ck_assert_str_eq(diags_at(mecha_diags(engine), 0)->message.data, "interrupted");
    mecha_close(engine);
    free(a);
    free(b);
}
END_TEST

Suite *diff_suite(void) {
    Suite *suite = suite_create("diff");
    TCase *cases = tcase_create("diff");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, models_that_differ);
    setenv("MECHA", mecha_binary(), 1);
    tcase_add_test(cases, figures_are_those_of_every_build);
    tcase_add_test(cases, sizes_beyond_f32);
    tcase_add_test(cases, scaled_weights_are_what_they_stand_for);
    tcase_add_test(cases, models_that_do_not);
    tcase_add_test(cases, as_json);
    tcase_add_test(cases, as_a_page);
    tcase_add_test(cases, it_can_be_interrupted);
    suite_add_tcase(suite, cases);
    return suite;
}
