/* Results that are folders of shards, and models that are. */
#include "run.h"
#include "tests.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static void set_up(void) {
    static const TestTensor tensors[] = {
        {"a", 100, 1}, {"b", 300, 2}, {"c", 100, 3}, {"d", 10, 4}, {"e", 1, 5}};
    folder = scratch_open();
    write_model(folder, "whole.safetensors", tensors, 5);
    write_text(folder, "plan.mecha", "model(\"whole.safetensors\")\n");
}

static void tear_down(void) {
    scratch_close(folder);
}

static Run in_folder(const char *script) {
    const char *build = getenv("BUILD");
    char *made = path_in(build != NULL ? build : "build", "make-models");
    char *make = realpath(made, NULL);
    const char *const environment[] = {"MECHA", mecha_binary(), "MAKE", make, NULL};
    RunOptions options = {.folder = folder, .environment = environment};
    Run run = run_shell(&options, script);
    free(made);
    free(make);
    return run;
}

static void expect_script(const char *script, const char *output) {
    Run run = in_folder(script);
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output, output);
    run_free(&run);
}

static void expect_error(const char *script, const char *phrase) {
    Run run = in_folder(script);
    ck_assert_msg(strstr(run.error, phrase) != NULL, "'%s' lacks '%s'", run.error, phrase);
    ck_assert_int_eq(run.status, 1);
    run_free(&run);
}

#define RUN    "\"$MECHA\" run -q plan.mecha --metadata none "
#define SHARDS RUN "-o out --shard-size 800 && "

START_TEST(results_are_split_in_order) {
    expect_script(SHARDS "ls out && cat out/model.safetensors.index.json",
                  "model-00001-of-00003.safetensors\n"
                  "model-00002-of-00003.safetensors\n"
                  "model-00003-of-00003.safetensors\n"
                  "model.safetensors.index.json\n"
                  "{\n"
                  "  \"metadata\": {\n"
                  "    \"total_size\": 2044\n"
                  "  },\n"
                  "  \"weight_map\": {\n"
                  "    \"a\": \"model-00001-of-00003.safetensors\",\n"
                  "    \"b\": \"model-00002-of-00003.safetensors\",\n"
                  "    \"c\": \"model-00003-of-00003.safetensors\",\n"
                  "    \"d\": \"model-00003-of-00003.safetensors\",\n"
                  "    \"e\": \"model-00003-of-00003.safetensors\"\n"
                  "  }\n"
                  "}\n");
}
END_TEST

START_TEST(shards_are_read_as_what_they_were) {
    expect_script(SHARDS "for model in whole.safetensors out out/model.safetensors.index.json; do "
                         "echo \"model(\\\"$model\\\")\" > again.mecha && "
                         "\"$MECHA\" run -q again.mecha -o again.safetensors --metadata none && "
                         "cksum < again.safetensors; done | sort -u | wc -l",
                  "1\n");
}
END_TEST

/* As download caches have them: names in one folder, bytes in another. */
START_TEST(shards_may_be_links) {
    expect_script(SHARDS
                  "mkdir cache && cd out && for file in *; do mv $file ../cache/blob-$file && "
                  "ln -s ../cache/blob-$file $file; done && cd .. && "
                  "echo 'model(\"out\")' > plan.mecha && " RUN "-o again.safetensors && "
                  "echo 'model(\"whole.safetensors\")' > plan.mecha && " RUN
                  "-o first.safetensors && cmp again.safetensors first.safetensors",
                  "");
}
END_TEST

START_TEST(one_file_in_a_folder_needs_no_index) {
    expect_script(RUN "-o out/ && ls out && " RUN "-o big --shard-size 1G && ls big",
                  "model.safetensors\nmodel.safetensors\n");
}
END_TEST

START_TEST(a_save_says_how_large_shards_are) {
    write_text(folder, "plan.mecha",
               "save model(\"whole.safetensors\") to \"out\", shard_size = \"1.7KB\"\n");
    expect_script(RUN "&& ls out | wc -l", "3\n");
}
END_TEST

/* The dtype of the weights becomes that of the result; the rest is kept, letter for letter. */
START_TEST(what_stands_beside_the_weights_is_carried) {
    expect_script(SHARDS
                  "printf '{\"eps\": 1e-05, \"torch_dtype\" : \"float32\", \"dtype\": \"auto\"}' > "
                  "out/config.json && echo '{}' > out/tokenizer.json && echo MIT > out/LICENSE && "
                  "echo mine > out/notes.txt && echo 'model(\"out\")' > plan.mecha && " RUN
                  "-o next --shard-size 800 --dtype bf16 && ls next && cat next/config.json",
                  "LICENSE\nconfig.json\nmodel-00001-of-00002.safetensors\n"
                  "model-00002-of-00002.safetensors\nmodel.safetensors.index.json\ntokenizer.json\n"
                  "{\"eps\": 1e-05, \"torch_dtype\" : \"bfloat16\", \"dtype\": \"auto\"}");
}
END_TEST

/* What is in a cache belongs to others, too. */
START_TEST(links_are_replaced) {
    expect_script(SHARDS "mkdir cache && cd out && for file in *.safetensors; do mv $file ../cache "
                         "&& ln -s ../cache/$file $file; done && cd .. && cp -r cache kept && " RUN
                         "-o out --shard-size 800 --dtype f16 && ls out && find out -type l && "
                         "diff -r cache kept && " RUN
                         "-o whole/ && mv whole/model.safetensors cache && "
                         "ln -s ../cache/model.safetensors whole && cp cache/* kept && " RUN
                         "-o whole/ --dtype f16 && find whole -type l && diff -r cache kept",
                  "model-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors\n"
                  "model.safetensors.index.json\n");
}
END_TEST

/* Only then can one file take the place of another in one step. */
START_TEST(what_is_the_same_is_not_written_again) {
    expect_script("mkdir in && cp whole.safetensors in/model.safetensors && echo 1 > "
                  "in/tokenizer.json && echo 'model(\"in\")' > plan.mecha && " RUN
                  "-o out/ && touch -d 2001-01-01 out/tokenizer.json && " RUN
                  "-o out/ && date -r out/tokenizer.json +%Y && echo 2 > in/tokenizer.json && " RUN
                  "-o out/ && cat out/tokenizer.json",
                  "2001\n2\n");
}
END_TEST

/* Three language models as transformers writes them, against the same merge of single files. */
#define MODELS                                                                                     \
    "for seed in 1 2 3; do make='--kind lm-tiny --dtype bf16 --base 1 --seed '$seed && "           \
    "\"$MAKE\" $make --shards 4 m$seed && \"$MAKE\" $make f$seed.safetensors; done && "            \
    "ties='m1 + ties_sum(m2 - m1, m3 - m1, k = 0.2)' && for kind in m:: f:.safetensors:; do for "  \
    "i in "                                                                                        \
    "1 2 3; do echo \"m$i = model(\\\"${kind%%:*}$i$(echo $kind | cut -d: -f2)\\\")\"; done > "    \
    "${kind%%:*}.mecha; done && echo \"save $ties to \\\"out\\\", shard_size = \\\"100KB\\\"\" "   \
    ">> "                                                                                          \
    "m.mecha && echo \"$ties\" >> f.mecha && \"$MECHA\" run -q m.mecha && "                        \
    "\"$MECHA\" run -q f.mecha -o whole.safetensors && "

START_TEST(a_language_model_is_merged_in_shards) {
    expect_script(MODELS "\"$MECHA\" diff out whole.safetensors | grep '^changed' && ls out",
                  "changed   0 of 30 keys in both\n"
                  "config.json\ngeneration_config.json\n"
                  "model-00001-of-00005.safetensors\nmodel-00002-of-00005.safetensors\n"
                  "model-00003-of-00005.safetensors\nmodel-00004-of-00005.safetensors\n"
                  "model-00005-of-00005.safetensors\nmodel.safetensors.index.json\n"
                  "special_tokens_map.json\ntokenizer.json\ntokenizer_config.json\n");
    /* The index has the keys in the order of the model's, and the same bytes in all. */
    expect_script("keys() { grep model-0 $1/*.index.json | sed 's/: .*//'; } && keys m1 > a && "
                  "keys out > b && cmp a b && wc -l < b && grep -h total_size */*.index.json | "
                  "sort -u && find out -size +99k | wc -l && for file in m1/*.json; do "
                  "cmp $file out/${file#m1/} > /dev/null || echo $file; done",
                  "30\n    \"total_size\": 408448\n0\nm1/model.safetensors.index.json\n");
    expect_script(
        "\"$MECHA\" run -q m.mecha --dtype f16 && diff m1/config.json out/config.json",
        "11c11\n<   \"torch_dtype\": \"bfloat16\"\n---\n>   \"torch_dtype\": \"float16\"\n");
}
END_TEST

/* The old one has more shards, which belong to nothing then. */
START_TEST(a_model_in_the_folder_is_replaced) {
    expect_script(SHARDS "echo mine > out/notes.txt && " RUN
                         "-o out --shard-size 1600 && ls out && " RUN "-o out/ && ls out",
                  "model-00001-of-00002.safetensors\nmodel-00002-of-00002.safetensors\n"
                  "model.safetensors.index.json\nnotes.txt\n"
                  "model.safetensors\nnotes.txt\n");
}
END_TEST

START_TEST(an_input_is_replaced_only_by_force) {
    expect_error(SHARDS "echo 'model(\"out\")' > plan.mecha && " RUN "-o out --shard-size 100",
                 "out: holds 'model-00001-of-00003.safetensors', an input of this run; --force "
                 "replaces the model there when all is done");
    expect_script("ls out | wc -l && " RUN "-o out --shard-size 400 --force && ls out | wc -l",
                  "4\n5\n");
}
END_TEST

START_TEST(a_name_without_ending_is_a_folder_as_the_input_is) {
    expect_script(RUN "-o plain && wc -l < plain | wc -l && " SHARDS
                      "echo 'model(\"out\")' > plan.mecha && " RUN "-o next && ls next && " RUN
                      "-o next && " RUN "-o next.safetensors && " RUN "-o plain && ls -d next* pl*",
                  "1\nmodel.safetensors\nnext\nnext.safetensors\nplain\nplan.mecha\n");
    expect_script("test -f plain && test -f next.safetensors && cmp plain next.safetensors", "");
}
END_TEST

/* They would be taken for variants of the new one. */
START_TEST(variants_of_an_older_model_go_only_by_force) {
    expect_error("mkdir out && cp whole.safetensors out/model.fp16.safetensors && " RUN "-o out/",
                 "out/: holds 'model.fp16.safetensors', a variant of an older model; --force "
                 "replaces all of them");
    expect_script("ls out && " RUN "-o out/ --force && ls out",
                  "model.fp16.safetensors\nmodel.safetensors\n");
}
END_TEST

START_TEST(a_folder_that_was_not_finished_is_not_there) {
    expect_error("ln -s /dev/full out && " RUN "-o out --shard-size 100", "is no folder");
    expect_error("ln -s nowhere link && " RUN "-o link --shard-size 100",
                 "link: can't be written: No such file or directory");
    expect_error("mkdir kept && ulimit -f 1 && trap '' XFSZ && " RUN "-o kept --shard-size 1200 ; "
                 "status=$?; ls kept; exit $status",
                 "can't be written: File too large");
    expect_script("ls kept | wc -l", "0\n");
    expect_error("(ulimit -f 1 && trap '' XFSZ && " RUN "-o new --shard-size 1200)",
                 "can't be written: File too large");
    expect_script("ls -d new 2> /dev/null | wc -l", "0\n");
}
END_TEST

START_TEST(shards_are_opened_or_named) {
    write_text(folder, "model.safetensors.index.json",
               "{\"weight_map\": {\"x\": \"loop.safetensors\"}}");
    write_text(folder, "plan.mecha", "model(\"model.safetensors.index.json\")\n");
    expect_error("ln -s loop.safetensors loop.safetensors && " RUN "-o out.safetensors",
                 "loop.safetensors: can't be opened: Too many levels of symbolic links");
}
END_TEST

START_TEST(what_makes_no_sense_is_refused) {
    expect_error(RUN "-o out.safetensors --shard-size 100",
                 "out.safetensors: is the name of a file, and shards go into a folder: name one");
    expect_error(RUN "-o no/such --shard-size 100", "no/such: can't be made: No such file");
    write_text(folder, "plan.mecha",
               "save model(\"whole.safetensors\") to \"out\", shard_size = \"much\"\n");
    expect_error(RUN, "shard_size is a size, as \"500MB\" or \"2G\"");
    write_text(folder, "plan.mecha",
               "save model(\"whole.safetensors\") to \"out\", shards = \"1G\"\n");
    expect_error(RUN, "'save' has no option 'shards'");
}
END_TEST

Suite *shards_suite(void) {
    Suite *suite = suite_create("shards");
    TCase *tests = tcase_create("shards");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, results_are_split_in_order);
    tcase_add_test(tests, shards_are_read_as_what_they_were);
    tcase_add_test(tests, shards_may_be_links);
    tcase_add_test(tests, one_file_in_a_folder_needs_no_index);
    tcase_add_test(tests, a_save_says_how_large_shards_are);
    tcase_add_test(tests, what_stands_beside_the_weights_is_carried);
    tcase_add_test(tests, a_language_model_is_merged_in_shards);
    tcase_add_test(tests, links_are_replaced);
    tcase_add_test(tests, what_is_the_same_is_not_written_again);
    tcase_add_test(tests, a_model_in_the_folder_is_replaced);
    tcase_add_test(tests, an_input_is_replaced_only_by_force);
    tcase_add_test(tests, a_name_without_ending_is_a_folder_as_the_input_is);
    tcase_add_test(tests, variants_of_an_older_model_go_only_by_force);
    tcase_add_test(tests, a_folder_that_was_not_finished_is_not_there);
    tcase_add_test(tests, shards_are_opened_or_named);
    tcase_add_test(tests, what_makes_no_sense_is_refused);
    suite_add_tcase(suite, tests);
    return suite;
}
