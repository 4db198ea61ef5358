/* The command line, sizes, and the words of the progress line. */
#include "cli/cli.h"
#include "cli/progress.h"
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

/* Parses the words for `mecha run`. */
static bool parse(Arguments *arguments, const char *const *words) {
    int count = 0;
    while (words[count])
        count++;
    return options_parse(arguments, command_named("run"), (char **)words, count);
}

#define PARSE(arguments, ...) parse((arguments), (const char *const[]){__VA_ARGS__, NULL})

START_TEST(values_stand_behind_in_several_ways) {
    Arguments arguments = {0};
    ck_assert(PARSE(&arguments, "-o", "a", "plan", "--dtype=bf16", "-j3", "--memory", "1K"));
    ck_assert_str_eq(arguments.engine.output, "a");
    ck_assert_str_eq(arguments.engine.dtype, "bf16");
    ck_assert_uint_eq(arguments.engine.threads, 3);
    ck_assert_uint_eq(arguments.engine.memory, 1024);
    ck_assert_uint_eq(arguments.operands.count, 1);
    ck_assert_str_eq(arguments.operands.items[0], "plan");
    options_free(&arguments);
}
END_TEST

START_TEST(flags_are_set_and_taken_back) {
    Arguments arguments = {0};
    ck_assert(PARSE(&arguments, "--strict", "--no-sync", "-qv", "plan", "--no-strict"));
    ck_assert(!arguments.engine.strict);
    ck_assert(arguments.engine.no_sync);
    ck_assert(arguments.quiet && arguments.verbose);
    options_free(&arguments);
    ck_assert(PARSE(&arguments, "--no-sync", "--sync", "--strict", "plan"));
    ck_assert(!arguments.engine.no_sync);
    ck_assert(arguments.engine.strict);
    options_free(&arguments);
}
END_TEST

static void expect_setting(const Arguments *arguments, size_t i, const char *name,
                           const char *value) {
    ck_assert_uint_lt(i, arguments->engine.n_settings);
    ck_assert_str_eq(arguments->engine.settings[i].name, name);
    ck_assert_pstr_eq(arguments->engine.settings[i].value, value);
}

START_TEST(other_options_are_parameters_of_the_recipe) {
    Arguments arguments = {0};
    ck_assert(PARSE(&arguments, "plan", "--strength", "0.4", "--weight=-0.3", "--shift", "-2",
                    "--flag", "--no-other", "-o", "out", "--set", "dtype=x=y"));
    ck_assert_uint_eq(arguments.engine.n_settings, 6);
    expect_setting(&arguments, 0, "strength", "0.4");
    expect_setting(&arguments, 1, "weight", "-0.3");
    expect_setting(&arguments, 2, "shift", "-2");
    expect_setting(&arguments, 3, "flag", NULL);
    expect_setting(&arguments, 4, "no-other", NULL);
    expect_setting(&arguments, 5, "dtype", "x=y");
    ck_assert_str_eq(arguments.engine.output, "out");
    options_free(&arguments);
}
END_TEST

START_TEST(two_dashes_end_the_options) {
    Arguments arguments = {0};
    ck_assert(PARSE(&arguments, "-q", "--", "-o"));
    ck_assert_str_eq(arguments.operands.items[0], "-o");
    ck_assert_ptr_null(arguments.engine.output);
    options_free(&arguments);
    ck_assert(PARSE(&arguments, "-"));
    ck_assert_str_eq(arguments.operands.items[0], "-");
    options_free(&arguments);
}
END_TEST

START_TEST(folders_add_up_and_choices_are_checked) {
    Arguments arguments = {0};
    ck_assert(PARSE(&arguments, "plan", "--models-dir", "a", "--models-dir=b", "--metadata", "none",
                    "--compute", "f64"));
    ck_assert_uint_eq(arguments.engine.n_models_dirs, 2);
    ck_assert_str_eq(arguments.engine.models_dirs[1], "b");
    ck_assert(arguments.engine.no_metadata);
    options_free(&arguments);
}
END_TEST

START_TEST(sizes_have_units) {
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{"0", 0},           {"17", 17},
                {"17b", 17},        {"500M", 500 << 20},
                {"2G", 2ull << 30}, {"1.5GiB", 3ull << 29},
                {"10kB", 10000},    {"1TB", 1000000000000},
                {"0.5k", 512}};
    static const char *const bad[] = {"",    "M",   "-1",  "1X",   "1.2.3G", "1 G",
                                      "1GG", "1iB", "nan", "0x10", "1e3",    "99999999999T"};
    uint64_t size;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        ck_assert_msg(parse_size(good[i].text, &size), "%s", good[i].text);
        ck_assert_uint_eq(size, good[i].size);
    }
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!parse_size(bad[i], &size), "%s", bad[i]);
}
END_TEST

static void expect_words(ProgressLine line, MechaProgress progress, int width,
                         const char *expected) {
    Builder words = {0};
    progress_words(&line, &progress, width, &words);
    builder_char(&words, '\0');
    ck_assert_str_eq(words.data, expected);
    builder_free(&words);
}

START_TEST(progress_tells_keys_rate_and_time) {
    MechaProgress progress = {
        .keys_done = 412, .keys = 1143, .bytes_done = 3000000000, .bytes = 6000000000};
    expect_words((ProgressLine){.rate = 1.25e9}, progress, 100,
                 " 50 %  412 of 1143 keys, 3.00 GB of 6.00 GB  1.25 GB/s  3 s left");
    expect_words((ProgressLine){.rate = 3e7}, progress, 100,
                 " 50 %  412 of 1143 keys, 3.00 GB of 6.00 GB  30.0 MB/s  1:40 min left");
    expect_words((ProgressLine){.rate = 4e5}, progress, 100,
                 " 50 %  412 of 1143 keys, 3.00 GB of 6.00 GB  400 kB/s  2:05 h left");
    expect_words((ProgressLine){0}, progress, 100, " 50 %  412 of 1143 keys, 3.00 GB of 6.00 GB");
    expect_words((ProgressLine){.rate = 1e9}, progress, 10, " 50 %  412");
    expect_words((ProgressLine){0}, (MechaProgress){.keys = 1}, 100,
                 "  0 %  0 of 1 keys, 0 bytes of 0 bytes");
}
END_TEST

START_TEST(amounts_have_three_digits) {
    static const struct {
        double bytes;
        const char *words;
    } rows[] = {{0, "0 bytes"},      {999, "999 bytes"},  {1000, "1.00 kB"},
                {999600, "1.00 MB"}, {45.6e6, "45.6 MB"}, {2132651502, "2.13 GB"}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        Builder words = {0};
        builder_decimal(&words, rows[i].bytes);
        ck_assert(text_equal(builder_view(&words), text_from(rows[i].words)));
        builder_free(&words);
    }
}
END_TEST

START_TEST(files_are_replaced_as_a_whole) {
    char *folder = scratch_open();
    write_text(folder, "a", "old");
    char *path = path_in(folder, "a");
    ck_assert(replace_file(path, TEXT("new words")));
    char *text = read_file(path, NULL);
    ck_assert_str_eq(text, "new words");
    ck_assert_uint_eq(count_entries(folder), 1);
    free(text);
    free(path);
    scratch_close(folder);
}
END_TEST

Suite *cli_options_suite(void) {
    Suite *suite = suite_create("cli_options");
    TCase *tests = tcase_create("options");
    tcase_add_test(tests, values_stand_behind_in_several_ways);
    tcase_add_test(tests, flags_are_set_and_taken_back);
    tcase_add_test(tests, other_options_are_parameters_of_the_recipe);
    tcase_add_test(tests, two_dashes_end_the_options);
    tcase_add_test(tests, folders_add_up_and_choices_are_checked);
    tcase_add_test(tests, sizes_have_units);
    tcase_add_test(tests, progress_tells_keys_rate_and_time);
    tcase_add_test(tests, amounts_have_three_digits);
    tcase_add_test(tests, files_are_replaced_as_a_whole);
    suite_add_tcase(suite, tests);
    return suite;
}
