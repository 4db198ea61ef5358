/* run --record-hashes and recipe --verify: whether the inputs of a result are what they were. */
#include "mecha.h"
#include "run.h"
#include "tests.h"

#include "exec/content.h"

#include <stdlib.h>
#include <string.h>

static char *folder;

/* Several blocks each, and a few elements more. */
enum { LARGE = 100003, MIDDLE = 40000 };

static void write_models(float first) {
    const TestTensor a[] = {{"x.large", LARGE, 1}, {"x.small", 3, 2}, {"y", MIDDLE, first}};
    const TestTensor b[] = {
        {"y", MIDDLE, 5}, {"x.large", LARGE, 4}, {"x.small", 3, 7}, {"z", 9, 1}};
    write_model(folder, "a.safetensors", a, 3);
    write_model(folder, "b.safetensors", b, 4);
}

static void set_up(void) {
    folder = scratch_open();
    write_models(8);
    write_text(folder, "plan.mecha",
               "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n"
               "slerp(a, b, 0.3) | b\n");
    write_text(folder, "part.mecha", "model(\"a.safetensors\")[\"x.*\"]\n");
}

static void tear_down(void) {
    scratch_close(folder);
}

static void script(const char *words, int status, const char *output, const char *error) {
    RunOptions options = {.folder = folder};
    Run run = run_shell(&options, words);
    ck_assert_msg(run.status == status && strcmp(run.output, output) == 0 &&
                      strcmp(run.error, error) == 0,
                  "%s\nstatus %d\n%s\n%s", words, run.status, run.output, run.error);
    run_free(&run);
}

#define RECORD "\"$MECHA\" run -q --record-hashes "
#define VERIFY "\"$MECHA\" recipe --verify "

START_TEST(inputs_are_what_they_were) {
    script(RECORD "plan.mecha -o out.safetensors", 0, "", "");
    script(VERIFY "out.safetensors", 0, "same        a.safetensors\nsame        b.safetensors\n",
           "");
    script(
        "mkdir moved && mv a.safetensors moved/ && " VERIFY
        "out.safetensors --models-dir moved --json",
        0,
        "{\"inputs\": [{\"path\": \"a.safetensors\", \"state\": \"same\", \"found\": "
        "\"moved/a.safetensors\"}, {\"path\": \"b.safetensors\", \"state\": \"same\", \"found\": "
        "\"b.safetensors\"}], \"same\": true}\n",
        "");
}
END_TEST

START_TEST(what_changed_is_told) {
    script(RECORD "plan.mecha -o out.safetensors", 0, "", "");
    write_models(9);
    script(VERIFY "out.safetensors", 1, "different   a.safetensors\nsame        b.safetensors\n",
           "");
    script("rm b.safetensors; echo no model > a.safetensors; " VERIFY "out.safetensors", 1,
           "unreadable  a.safetensors\nmissing     b.safetensors\n",
           "mecha: error: a.safetensors: is no safetensors file but a text that begins with \"no "
           "model\\x0a\"\n");
}
END_TEST

START_TEST(what_was_not_read_may_change) {
    script(RECORD "part.mecha -o part.safetensors", 0, "", "");
    write_models(9);
    script(VERIFY "part.safetensors", 0, "same        a.safetensors\n", "");
    script("printf '\\1' | dd of=a.safetensors bs=1 seek=500 conv=notrunc 2> /dev/null; " VERIFY
           "part.safetensors",
           1, "different   a.safetensors\n", "");
}
END_TEST

START_TEST(threads_and_shards_change_nothing) {
    script(RECORD "plan.mecha -o one.safetensors -j1", 0, "", "");
    script(RECORD "plan.mecha -o three.safetensors -j3 --memory 1M", 0, "", "");
    script("cmp one.safetensors three.safetensors", 0, "", "");
    script(RECORD "plan.mecha -o shards/ --shard-size 300K", 0, "", "");
    script("cd shards && ls *.safetensors | wc -l && for f in *.safetensors; do " VERIFY
           "$f --models-dir ..; done && cd .. && " VERIFY "shards",
           0,
           "2\n"
           "same        a.safetensors (../a.safetensors)\nsame        b.safetensors "
           "(../b.safetensors)\n"
           "same        a.safetensors (../a.safetensors)\nsame        b.safetensors "
           "(../b.safetensors)\n"
           "same        a.safetensors\nsame        b.safetensors\n",
           "");
}
END_TEST

/* However far the first run comes, what it finished is read again by the second. */
START_TEST(resumed_runs_record_everything) {
    script(RECORD "plan.mecha -o whole.safetensors", 0, "", "");
    script("for s in 0.001 0.005 0.01 0.02 0.04; do timeout -s KILL $s " RECORD
           "plan.mecha -o out.safetensors -j1 --resume 2> /dev/null; done; " RECORD
           "plan.mecha -o out.safetensors --resume && cmp whole.safetensors out.safetensors",
           0, "", "");
}
END_TEST

/* What takes the place of a tensor that holds a NaN is read, too. */
START_TEST(fallbacks_count) {
    script("printf '\\377\\377\\377\\377' | dd of=a.safetensors bs=1 seek=700 conv=notrunc 2> "
           "/dev/null; "
           "\"$MECHA\" run -q --record-hashes plan.mecha -o out.safetensors 2> /dev/null; " VERIFY
           "out.safetensors && \"$MECHA\" info out.safetensors --json | grep -o 'read[^,]*'",
           0,
           "same        a.safetensors\nsame        b.safetensors\n"
           "read\\\": \\\"e\\\"\nread\\\": \\\"f\\\"\n",
           "");
}
END_TEST

START_TEST(without_a_record) {
    script("\"$MECHA\" run -q plan.mecha -o out.safetensors && " VERIFY "out.safetensors", 1, "",
           "mecha: error: 'out.safetensors' does not tell what its inputs held\n"
           "      = 'mecha run --record-hashes' writes that into a result\n");
    script(
        "echo 'save model(\"a.safetensors\") to \"m.safetensors\", metadata = { \"mecha_inputs\": "
        "\"none\" }' > m.mecha; \"$MECHA\" run -q m.mecha; " VERIFY "m.safetensors",
        1, "",
        "mecha: error: what 'm.safetensors' says of its inputs in 'mecha_inputs' is not as mecha "
        "0.1.0 writes it\n");
    script(RECORD "plan.mecha -o out.safetensors --metadata none", 2, "",
           "mecha: --record-hashes writes into the metadata, which '--metadata none' leaves out\n"
           "usage: mecha run PLAN [-o OUT] [options] [--PARAM VALUE ...]\n");
    script("\"$MECHA\" recipe out.safetensors --json", 2, "",
           "mecha: --json goes with --verify\nusage: mecha recipe FILE [--verify [--json]]\n");
}
END_TEST

/* Methods that read in all the ways there are: what their tiles take is what a plain reading finds.
 */
START_TEST(every_way_of_reading_takes_the_same) {
    static const char *const expressions[] = {
        "a",
        "weighted_sum(a, b, 0.5)",
        "a + ties_sum(b - a, a - b, k = 0.3)",
        "rotate(a, b)",
        "tensor_sum(a, b, width = 0.4, offset = 0.1)",
        "crossover(a, b, alpha = 0.5, tilt = 0.2)",
        "a + (b - a)[\\\"*attn*\\\"] | a",
        "n_average(a, b)",
    };
    RunOptions options = {.folder = folder};
    Run run =
        run_shell(&options, "${MECHA%/*}/make-models --kind tiny --seed 1 a.safetensors && "
                            "${MECHA%/*}/make-models --kind tiny --base 1 --seed 2 b.safetensors");
    ck_assert_msg(run.status == 0, "%s", run.error);
    run_free(&run);
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        char words[1024];
        snprintf(words, sizeof words,
                 "echo 'a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")' > e.mecha; "
                 "echo \"%s\" >> e.mecha; " RECORD "e.mecha -o e.safetensors -j3 && " VERIFY
                 "e.safetensors | grep -c same",
                 expressions[i]);
        script(words, 0, i == 0 ? "1\n" : "2\n", "");
    }
}
END_TEST

/* The scheme is part of the format: this is what another program computes for it. */
START_TEST(content_is_as_documented) {
    unsigned char data[CONTENT_BLOCK + 5];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i % 251);
    Tensor tensor = {.name = TEXT("x"),
                     .dtype = DTYPE_U8,
                     .shape = {.rank = 1, .dims = {sizeof data}},
                     .count = sizeof data,
                     .bytes = sizeof data,
                     .data = data};
    Builder digits = {0};
    ck_assert_uint_eq(content_blocks(&tensor), 2);
    Content content = {0, 0};
    content_add_name(&content, kernels_best()->hash, &tensor);
    content_add_blocks(&content, kernels_best()->hash, &tensor, content_name(&tensor), 0, 2);
    content_print(&digits, content);
    builder_char(&digits, '\0');
    ck_assert_str_eq(digits.data, "d28f8c4b3836e091a608be39b3eb9fbd");
    builder_free(&digits);
}
END_TEST

static int interrupted;

static void interrupt(void *context, const MechaProgress *progress) {
    (void)context;
    interrupted = progress->keys_done == progress->keys;
}

/* All keys are made, and the part of the inputs is still to be read that they did not need. */
START_TEST(an_interrupt_after_the_evaluation_counts) {
    char *output = path_in(folder, "out.safetensors"), *plan = path_in(folder, "part.mecha");
    interrupted = 0;
    MechaOptions options = {.output = output,
                            .threads = 2,
                            .record_hashes = true,
                            .progress = interrupt,
                            .interrupted = &interrupted};
    Engine *engine = mecha_open(&options);
    ck_assert(mecha_load_file(engine, plan) && mecha_prepare(engine));
    ck_assert(!mecha_run(engine));
    ck_assert_uint_eq(diags_count(mecha_diags(engine)), 1);
    ck_assert_str_eq(diags_at(mecha_diags(engine), 0)->message.data,
                     "interrupted: nothing was changed");
    mecha_close(engine);
    ck_assert(!path_exists(folder, "out.safetensors"));
    free(output);
    free(plan);
}
END_TEST

Suite *record_suite(void) {
    Suite *suite = suite_create("record");
    TCase *cases = tcase_create("record");
    tcase_set_timeout(cases, 60);
    setenv("MECHA", mecha_binary(), 1);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, inputs_are_what_they_were);
    tcase_add_test(cases, what_changed_is_told);
    tcase_add_test(cases, what_was_not_read_may_change);
    tcase_add_test(cases, threads_and_shards_change_nothing);
    tcase_add_test(cases, resumed_runs_record_everything);
    tcase_add_test(cases, fallbacks_count);
    tcase_add_test(cases, without_a_record);
    tcase_add_test(cases, every_way_of_reading_takes_the_same);
    tcase_add_test(cases, content_is_as_documented);
    tcase_add_test(cases, an_interrupt_after_the_evaluation_counts);
    suite_add_tcase(suite, cases);
    return suite;
}
