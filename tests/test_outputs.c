/* What stands in a result's folder beside what is merged: parts and side files of its inputs, and
 * what was there before. */
#include "run.h"
#include "tests.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    setenv("MECHA", mecha_binary(), 1);
}

static void tear_down(void) {
    scratch_close(folder);
}

/* ERROR is part of what is said; empty: nothing is. */
static void expect_script(const char *script, int status, const char *output, const char *error) {
    Run run = run_shell(&(RunOptions){.folder = folder}, script);
    ck_assert_msg(run.status == status && strcmp(run.output, output) == 0 &&
                      (error[0] == '\0' ? run.error[0] == '\0' : strstr(run.error, error) != NULL),
                  "%s\nstatus %d\n%s\n%s", script, run.status, run.output, run.error);
    run_free(&run);
}

static void write_vector(const char *name, const char *key, size_t count) {
    write_model(folder, name, &(TestTensor){key, count, 1}, 1);
}

#define RUN "\"$MECHA\" run --metadata none "

/* ---- parts that no config knows ---- */

#define CONFIG "config \"small\" { component all { \"{unet,vae}.{x,y}.weight\": [2] } }\n"

/* A UNet and an autoencoder, and in `p` two models more: one file, and shards of a variant. */
static void make_pipelines(void) {
    expect_script(
        "mkdir -p p/unet p/vae q/unet q/vae p/checker p/encoder && "
        "echo '{\"unet\": [\"d\", \"U\"], \"vae\": [\"d\", \"V\"]}' > q/model_index.json && "
        "echo '{\"unet\": [\"d\", \"U\"], \"vae\": [\"d\", \"V\"], \"checker\": [\"t\", \"C\"], "
        "\"encoder\": [\"t\", \"E\"]}' > p/model_index.json && "
        "echo '{\"torch_dtype\": \"float32\"}' > p/checker/config.json && "
        "echo '{\"metadata\": {\"total_size\": 8}, \"weight_map\": "
        "{\"a\": \"model.fp16-00001-of-00002.safetensors\", "
        "\"b\": \"model.fp16-00002-of-00002.safetensors\"}}' > "
        "p/encoder/model.safetensors.index.fp16.json",
        0, "", "");
    static const char *const paths[] = {"p/unet", "p/vae", "q/unet", "q/vae"};
    for (size_t i = 0; i < 4; i++) {
        TestTensor tensors[] = {{"x.weight", 2, (float)i}, {"y.weight", 2, 1}};
        char *path = path_in(paths[i], "diffusion_pytorch_model.safetensors");
        write_model(folder, path, tensors, 2);
        free(path);
    }
    write_vector("p/checker/model.safetensors", "head.weight", 50000);
    write_vector("p/encoder/model.fp16-00001-of-00002.safetensors", "a", 1);
    write_vector("p/encoder/model.fp16-00002-of-00002.safetensors", "b", 1);
    write_text(folder, "plan.mecha", CONFIG "(model(\"p\") + model(\"q\")) / 2\n");
}

START_TEST(parts_that_are_not_merged_are_carried) {
    make_pipelines();
    expect_script(RUN "plan.mecha -o out", 0, "",
                  "plan.mecha:2:2: warning: p has parts that 'small' does not know; they are not "
                  "merged: checker, encoder\n");
    expect_script("find out -type f | LC_ALL=C sort && for f in checker/model.safetensors "
                  "checker/config.json model_index.json; do cmp p/$f out/$f; done; "
                  "for i in 1 2; do cmp p/encoder/model.fp16-0000$i* out/encoder/model-0000$i*; "
                  "done; \"$MECHA\" info out | head -1; grep 00 out/encoder/*.json",
                  0,
                  "out/checker/config.json\n"
                  "out/checker/model.safetensors\n"
                  "out/encoder/model-00001-of-00002.safetensors\n"
                  "out/encoder/model-00002-of-00002.safetensors\n"
                  "out/encoder/model.safetensors.index.json\n"
                  "out/model_index.json\n"
                  "out/unet/diffusion_pytorch_model.safetensors\n"
                  "out/vae/diffusion_pytorch_model.safetensors\n"
                  "out: 7 tensors, 195 KiB\n"
                  "    \"a\": \"model-00001-of-00002.safetensors\",\n"
                  "    \"b\": \"model-00002-of-00002.safetensors\"\n",
                  "");
}
END_TEST

/* Of the model that the result is like, and only in a pipeline. */
START_TEST(parts_of_others_are_not_carried) {
    make_pipelines();
    write_text(folder, "plan.mecha", CONFIG "(model(\"q\") + model(\"p\")) / 2\n");
    expect_script(RUN
                  "-q plan.mecha -o out && ls out && " RUN
                  "-q plan.mecha -o out.safetensors && \"$MECHA\" info out.safetensors | head -1",
                  0, "model_index.json\nunet\nvae\nout.safetensors: 4 tensors, 32 B\n", "");
}
END_TEST

/* What cannot be copied ends the run before anything is there. */
START_TEST(what_is_carried_is_written_first) {
    make_pipelines();
    expect_script("(ulimit -f 100 && trap '' XFSZ && " RUN "-q plan.mecha -o out)", 1, "",
                  "out/checker/model.safetensors: can't be written: File too large");
    expect_script("ls -d out 2> /dev/null | wc -l", 0, "0\n", "");
}
END_TEST

/* A pipeline over itself, and over one with other parts. */
START_TEST(carried_parts_are_replaced) {
    make_pipelines();
    expect_script(RUN "-q plan.mecha -o out && cp -r p kept && " RUN
                      "-q plan.mecha -o p --force && diff -r p/checker kept/checker && "
                      "ls p/encoder && diff -r p out",
                  0,
                  "model-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors\n"
                  "model.safetensors.index.json\n",
                  "");
}
END_TEST

/* ---- what was there before ---- */

#define STAYS                                                                                      \
    ", which is of an older model, and nothing of the result takes its place; --force removes it"

START_TEST(older_parts_go_only_by_force) {
    make_pipelines();
    expect_script(RUN "-q plan.mecha -o out", 0, "", "");
    write_text(folder, "plan.mecha", CONFIG "model(\"q\")\n");
    expect_script(RUN "-q plan.mecha -o out", 1, "",
                  "out/checker: holds 'model.safetensors'" STAYS);
    expect_script("ls out/checker out/encoder && " RUN
                  "-q plan.mecha -o out --force && find out/checker out/encoder -type f && "
                  "cmp out/model_index.json q/model_index.json",
                  0,
                  "out/checker:\nconfig.json\nmodel.safetensors\n\nout/encoder:\n"
                  "model-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors\n"
                  "model.safetensors.index.json\nout/checker/config.json\n",
                  "");
}
END_TEST

START_TEST(a_model_in_place_of_a_pipeline_is_alone) {
    make_pipelines();
    write_vector("one.safetensors", "z", 3);
    write_text(folder, "plan.mecha", "model(\"one.safetensors\")\n");
    expect_script(RUN "-q plan.mecha -o q/ --force && find q -type f", 0, "q/model.safetensors\n",
                  "");
}
END_TEST

START_TEST(a_pipeline_in_place_of_a_model_is_alone) {
    make_pipelines();
    expect_script("mkdir out", 0, "", "");
    write_vector("out/model.safetensors", "z", 3);
    write_vector("out/mine.safetensors", "z", 3);
    expect_script(RUN "-q plan.mecha -o out", 1, "", "out: holds 'model.safetensors'" STAYS);
    expect_script(RUN "-q plan.mecha -o out --force && ls out", 0,
                  "checker\nencoder\nmine.safetensors\nmodel_index.json\nunet\nvae\n", "");
}
END_TEST

/* Under the name by which another library looks for them. */
START_TEST(weights_of_another_name_go_only_by_force) {
    write_vector("one.safetensors", "z", 3);
    expect_script("mkdir out", 0, "", "");
    write_vector("out/diffusion_pytorch_model-00001-of-00001.safetensors", "z", 3);
    write_text(folder, "plan.mecha", "model(\"one.safetensors\")\n");
    expect_script(RUN "-q plan.mecha -o out/", 1, "",
                  "out/: holds 'diffusion_pytorch_model-00001-of-00001.safetensors'" STAYS);
    expect_script(RUN "-q plan.mecha -o out/ --force && ls out", 0, "model.safetensors\n", "");
}
END_TEST

/* ---- tokenizers ---- */

/* A model with so many tokens, and how its tokenizer calls them. */
static void make_language(const char *name, size_t tokens) {
    char script[400];
    (void)snprintf(script, sizeof script,
                   "mkdir %s && echo '{\"vocab_size\": %zu, \"name\": \"%s\"}' > %s/config.json && "
                   "echo %s > %s/tokenizer.json",
                   name, tokens, name, name, name, name);
    expect_script(script, 0, "", "");
    char *path = path_in(name, "model.safetensors");
    TestTensor tensors[] = {{"embed", tokens, 1}, {"norm", 2, (float)tokens}};
    write_model(folder, path, tensors, 2);
    free(path);
}

static void expect_tokenizer(const char *recipe, const char *output, const char *warning) {
    write_text(folder, "plan.mecha", recipe);
    expect_script("rm -rf out; " RUN "plan.mecha -o out/ 2> said || cat said; "
                  "grep -h warning said >&2; cat out/tokenizer.json out/config.json",
                  0, output, warning);
}

START_TEST(the_tokenizer_is_of_a_model_with_as_many_tokens) {
    make_language("few", 2);
    make_language("many", 3);
    expect_tokenizer("pad(model(\"few\"), model(\"many\"))\n",
                     "many\n{\"vocab_size\": 3, \"name\": \"many\"}\n", "");
    expect_tokenizer("common(model(\"many\"), model(\"few\"))\n",
                     "few\n{\"vocab_size\": 2, \"name\": \"few\"}\n", "");
    expect_tokenizer("pad(model(\"few\"), model(\"many/model.safetensors\"))\n",
                     "few\n{\"vocab_size\": 3, \"name\": \"few\"}\n",
                     "warning: the tokenizer is that of 'few', for 2 tokens, and the result has 3: "
                     "no input that is a folder has as many\n");
}
END_TEST

/* A network, or what another result is made of, tells nothing of this one. */
START_TEST(side_files_are_those_of_a_model_of_the_result) {
    make_language("few", 2);
    make_language("many", 3);
    expect_script("mkdir lora && echo lora > lora/tokenizer.json", 0, "", "");
    write_vector("lora/adapter_model.safetensors", "other", 2);
    write_text(folder, "plan.mecha",
               "save model(\"lora\") to \"a/\"\nsave model(\"few\") to \"b/\"\n"
               "save model(\"many\") to \"c/\"\n"
               "save (model(\"lora\") | model(\"many\"))[\"*m*\"] to \"d/\"\n");
    expect_script(RUN "-q plan.mecha && cat a/tok* b/tok* c/tok* d/tok*", 0,
                  "lora\nfew\nmany\nmany\n", "");
}
END_TEST

START_TEST(an_older_tokenizer_that_stays_is_named) {
    make_language("few", 2);
    write_text(folder, "plan.mecha", "model(\"few\")\n");
    expect_script(RUN "-q plan.mecha -o out && echo > out/vocab.txt && echo > out/LICENSE && "
                      "echo > out/notes.txt && " RUN "plan.mecha -o out && ls out",
                  0,
                  "LICENSE\nconfig.json\nmodel.safetensors\nnotes.txt\ntokenizer.json\nvocab.txt\n",
                  "warning: out: loaders will find what was there before and 'few' has not: "
                  "vocab.txt\n");
}
END_TEST

Suite *outputs_suite(void) {
    Suite *suite = suite_create("outputs");
    TCase *tests = tcase_create("outputs");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, parts_that_are_not_merged_are_carried);
    tcase_add_test(tests, parts_of_others_are_not_carried);
    tcase_add_test(tests, what_is_carried_is_written_first);
    tcase_add_test(tests, carried_parts_are_replaced);
    tcase_add_test(tests, older_parts_go_only_by_force);
    tcase_add_test(tests, a_model_in_place_of_a_pipeline_is_alone);
    tcase_add_test(tests, a_pipeline_in_place_of_a_model_is_alone);
    tcase_add_test(tests, weights_of_another_name_go_only_by_force);
    tcase_add_test(tests, the_tokenizer_is_of_a_model_with_as_many_tokens);
    tcase_add_test(tests, side_files_are_those_of_a_model_of_the_result);
    tcase_add_test(tests, an_older_tokenizer_that_stays_is_named);
    suite_add_tcase(suite, tests);
    return suite;
}
