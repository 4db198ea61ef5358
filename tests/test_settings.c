/* The settings beside a network: patterns over names of modules, and what strangers write there. */
#include "base/text.h"
#include "run.h"
#include "tensor/module_pattern.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- patterns ---- */

/* As `re.match(rf"(.*\.)?({pattern})$", module)` says in Python. */
static const struct {
    const char *pattern, *module;
    bool matches;
} patterns[] = {
    {"q_proj", "q_proj", true},
    {"q_proj", "layers.0.q_proj", true},
    {"q_proj", "layers.0.xq_proj", false},
    {"q_proj", "layers.0.q_proj.x", false},
    {"0.q_proj", "layers.0.q_proj", true},
    {"0.q_proj", "layers.10.q_proj", false},
    {"layers.0.q_proj", "layers.0.q_proj", true},
    {"layers.0", "layers.0.q_proj", false},
    {"^q_proj", "q_proj", true},
    {"^q_proj", "layers.q_proj", false},
    {"^layers.*", "layers.q_proj", true},
    {"q_proj$", "layers.q_proj", true},
    {"q$_proj", "q_proj", false},
    {"a|b.c", "x.b.c", true},
    {"a|b.c", "x.a.c", false},
    {"a|b|c", "x.c", true},
    {"|a", "", true},
    {"", "a.", true},
    {"", "a", false},
    {"layers\\.(0|1)\\..*", "model.layers.1.mlp.up", true},
    {"layers\\.(0|1)\\..*", "model.layers.2.mlp.up", false},
    {"layers\\.(?:0|1)", "layers.0", true},
    {"layers\\.0", "layersx0", false},
    {"layers.0", "layersx0", true},
    {"layers\\.\\d+", "layers.123", true},
    {"layers\\.\\d+", "layers.12d", false},
    {"\\D\\S\\W", "ab.", true},
    {"\\D\\S\\W", "1b.", false},
    {"\\w\\w\\s", "_\xc3\xa9 ", true},
    {"[0-3]", "layers.3", true},
    {"[0-3]", "layers.4", false},
    {"[^0-3]", "layers.4", true},
    {"[^0-3]", "layers.3", false},
    {"[]a]", "]", true},
    {"[\\d\\]-]", "-", true},
    {"[a-]", "-", true},
    {"[\\D]", "1", false},
    {"a.c",
     "a\xc3\xa9"
     "c",
     true},
    {"a[\xc3\xa0-\xc3\xb0]c",
     "a\xc3\xa9"
     "c",
     true},
    {"a.c", "a\nc", false},
    {"ab*", "a", true},
    {"ab*", "abbb", true},
    {"ab+", "a", false},
    {"ab+?", "abb", true},
    {"ab?", "abb", false},
    {"(ab)*c", "ababc", true},
    {"(a*)*b", "aaab", true},
    {"(|a)+", "aa", true},
    {"a{2}", "aa", true},
    {"a{2}", "aaa", false},
    {"a{2,}", "aaaaa", true},
    {"a{2,}", "a", false},
    {"a{,2}", "aa", true},
    {"a{,2}", "aaa", false},
    {"a{,}", "aaa", true},
    {"a{1,3}b", "aaab", true},
    {"a{1,3}b", "aaaab", false},
    {"(a|b){3}", "aba", true},
    {"(a|b){3}", "ab", false},
    {"xa{0}", "x", true},
    {"xa{0}", "xa", false},
    {"a{", "a{", true},
    {"a{x}", "a{x}", true},
    {"a{}", "a{}", true},
    {"(((((((((a)))))))))", "a", true},
};

START_TEST(patterns_are_for_ends_of_names) {
    ModulePattern *pattern = module_pattern_make(text_from(patterns[_i].pattern));
    ck_assert_msg(pattern != NULL, "%s", patterns[_i].pattern);
    for (int again = 0; again < 2; again++)
        ck_assert_msg(module_pattern_matches(pattern, text_from(patterns[_i].module)) ==
                          patterns[_i].matches,
                      "'%s' for '%s'", patterns[_i].pattern, patterns[_i].module);
    module_pattern_free(pattern);
}
END_TEST

static void expect_not_understood(Text written) {
    ModulePattern *pattern = module_pattern_make(written);
    ck_assert_msg(pattern == NULL, "%.100s", written.data);
}

START_TEST(what_is_no_pattern_is_not_understood) {
    static const char *const wrong[] = {
        "(",     ")",     "a)|(b", "[",   "[]",  "[a",     "[b-a]", "[a-\\d]", "\\",     "a\\",
        "*",     "+a",    "(?)",   "(?",  "a**", "a+*",    "a{2}*", "a{2}{3}", "{2}",    "a{3,2}",
        "(?=a)", "(?!a)", "(?P<",  "\\1", "\\b", "(a)\\1", "(?i)a", "a???",    "(?<=a)", "[\\",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        expect_not_understood(text_from(wrong[i]));
}
END_TEST

static Text repeated(Builder *builder, const char *begin, const char *middle, const char *end,
                     int n) {
    builder->size = 0;
    for (int i = 0; i < n; i++)
        builder_format(builder, "%s", begin);
    builder_format(builder, "%s", middle);
    for (int i = 0; i < n; i++)
        builder_format(builder, "%s", end);
    return builder_view(builder);
}

START_TEST(patterns_have_limits) {
    Builder builder = {0};
    ModulePattern *deep =
        module_pattern_make(repeated(&builder, "(", "a", ")", MODULE_PATTERN_NESTING));
    ck_assert_ptr_nonnull(deep);
    module_pattern_free(deep);
    expect_not_understood(repeated(&builder, "(", "a", ")", MODULE_PATTERN_NESTING + 1));
    expect_not_understood(repeated(&builder, "(", "a", ")", 100000));
    expect_not_understood(repeated(&builder, "(", "a{100}", "){100}", 20));
    expect_not_understood(repeated(&builder, "(", "a{100}", "){0}{100}", 20));
    expect_not_understood(repeated(&builder, "((", "a{100}", "){0}){100}", 10));
    expect_not_understood(repeated(&builder, "a", "", "", MODULE_PATTERN_STEPS));
    expect_not_understood(TEXT("a{4096}"));
    expect_not_understood(TEXT("a{99999999999999999999}"));
    builder_free(&builder);
}
END_TEST

/* Where others try one way after the other, of which there are 2^N. */
START_TEST(matching_takes_the_product_of_the_sizes) {
    Builder builder = {0};
    ModulePattern *pattern = module_pattern_make(repeated(&builder, "(x*)*", "", "", 100));
    uint64_t made = module_pattern_work(pattern);
    Text name = repeated(&builder, "x", "y", "", 1000);
    ck_assert(!module_pattern_matches(pattern, name));
    ck_assert_uint_le(module_pattern_work(pattern), made + (made + 1) * (name.size + 1));
    ck_assert_uint_gt(module_pattern_work(pattern), made + name.size);
    module_pattern_free(pattern);
    builder_free(&builder);
}
END_TEST

/* ---- files from strangers ---- */

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    setenv("MECHA", mecha_binary(), 1);
}

static void tear_down(void) {
    scratch_close(folder);
}

static void write_network(void) {
    write_model(folder, "adapter_model.safetensors",
                (TestTensor[]){{"a.b.q.lora_A.weight", 1, 1}, {"a.b.q.lora_B.weight", 1, 1}}, 2);
}

static void expect_said(const char *message) {
    RunOptions options = {.folder = folder, .seconds = 60};
    Run run = run_shell(&options, "\"$MECHA\" info adapter_model.safetensors");
    ck_assert_msg(run.status == 1 && strstr(run.error, message) != NULL, "status %d\n%.2000s",
                  run.status, run.error);
    run_free(&run);
}

static void expect_refused(Text settings, const char *message) {
    write_file(folder, "adapter_config.json", settings.data, settings.size);
    expect_said(message);
}

START_TEST(settings_are_a_regular_file_of_an_object) {
    write_network();
    expect_refused(TEXT("[]"), "adapter_config.json: is no file of settings: it must be an object");
    expect_refused(TEXT("{\"r\":1,\"r\":2}"), "is no well-formed file of settings: duplicate");
    expect_refused(TEXT("{\"a\\u0000\":1}"), "is no well-formed file of settings");
    char *path = path_in(folder, "adapter_config.json");
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_said("adapter_config.json: is a FIFO, no regular file");
    free(path);
}
END_TEST

START_TEST(settings_have_a_limit) {
    Builder settings = {0};
    write_network();
    expect_refused(repeated(&settings, " ", "{}", "", 4 << 20),
                   "is too large: 4194304 bytes are allowed");
    builder_free(&settings);
}
END_TEST

START_TEST(patterns_that_are_not_understood_are_named) {
    Builder settings = {0};
    write_network();
    expect_refused(TEXT("{\"rank_pattern\":{\"a\\\\1\":1}}"),
                   "its pattern 'a\\1' in 'rank_pattern' is not understood");
    builder_format(&settings, "{\"alpha_pattern\":{\"");
    for (int i = 0; i < 100000; i++)
        builder_char(&settings, '(');
    builder_format(&settings, "\":1}}");
    expect_refused(builder_view(&settings), "in 'alpha_pattern' is not understood");
    builder_free(&settings);
}
END_TEST

START_TEST(names_of_modules_have_a_limit) {
    Builder name = {0};
    write_text(folder, "adapter_config.json", "{}");
    repeated(&name, ".", "x", "", 4097);
    write_model(folder, "adapter_model.safetensors", &(TestTensor){name.data, 1, 1}, 1);
    RunOptions options = {.folder = folder};
    Run run = run_shell(&options, "\"$MECHA\" info adapter_model.safetensors");
    ck_assert_int_eq(run.status, 0);
    run_free(&run);
    repeated(&name, ".", "x", "", 4098);
    write_model(folder, "adapter_model.safetensors", &(TestTensor){name.data, 1, 1}, 1);
    expect_said("the names of modules are too long");
    builder_free(&name);
}
END_TEST

/* BEFORE and N times EACH. */
static void add_many(Builder *settings, const char *before, const char *each, int n) {
    settings->size = 0;
    builder_format(settings, "%s", before);
    for (int i = 0; i < n; i++)
        builder_format(settings, each, i ? "," : "", i);
}

START_TEST(work_for_settings_has_a_limit) {
    enum { MODULES = 2000 };
    static TestTensor tensors[MODULES];
    Builder names[MODULES] = {0}, settings = {0};
    for (int i = 0; i < MODULES; i++) {
        builder_format(&names[i], "%d.weight", i);
        tensors[i] = (TestTensor){names[i].data, 1, 1};
    }
    write_model(folder, "adapter_model.safetensors", tensors, MODULES);
    add_many(&settings, "{\"rank_pattern\":{", "%s\".*(%d)?\":1", 20000);
    builder_format(&settings, "}}");
    expect_refused(builder_view(&settings), "says too much about too many modules");
    add_many(&settings, "{\"modules\":[", "%s\"x\"", 70000);
    builder_format(&settings, "]}");
    expect_refused(builder_view(&settings), "says too much about too many modules");
    for (int i = 0; i < MODULES; i++)
        builder_free(&names[i]);
    builder_free(&settings);
}
END_TEST

Suite *settings_suite(void) {
    Suite *suite = suite_create("settings");
    TCase *tests = tcase_create("patterns");
    tcase_add_loop_test(tests, patterns_are_for_ends_of_names, 0,
                        sizeof patterns / sizeof *patterns);
    tcase_add_test(tests, what_is_no_pattern_is_not_understood);
    tcase_add_test(tests, patterns_have_limits);
    tcase_add_test(tests, matching_takes_the_product_of_the_sizes);
    suite_add_tcase(suite, tests);
    TCase *files = tcase_create("files");
    tcase_add_checked_fixture(files, set_up, tear_down);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, settings_are_a_regular_file_of_an_object);
    tcase_add_test(files, settings_have_a_limit);
    tcase_add_test(files, patterns_that_are_not_understood_are_named);
    tcase_add_test(files, names_of_modules_have_a_limit);
    tcase_add_test(files, work_for_settings_has_a_limit);
    suite_add_tcase(suite, files);
    return suite;
}
