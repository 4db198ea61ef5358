/* Replays the texts of tests/fuzz/corpus-NAME/: what libFuzzer found to be different from each
 * other, and what it found to be wrong once. */
#include "tests.h"

#include "base/file.h"
#include "fuzz/fuzz.h"

#include <dirent.h>
#include <stdio.h>

static void replay_file(const char *path, void (*target)(Text text)) {
    Arena arena = {0};
    Text text;
    int error;
    ck_assert_msg(file_read(&arena, text_from(path), FILE_TEXT_LIMIT, &text, &error), "%s", path);
    target(text);
    arena_free(&arena);
}

static void replay(const char *folder, void (*target)(Text text)) {
    DIR *stream = opendir(folder);
    ck_assert_ptr_nonnull(stream);
    size_t n = 0;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char path[512];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay_file(path, target);
        n++;
    }
    closedir(stream);
    ck_assert_uint_ge(n, 10);
}

START_TEST(recipes_are_read) {
    replay("tests/fuzz/corpus-recipe", fuzz_recipe);
}
END_TEST

START_TEST(instructions_are_read) {
    replay("tests/fuzz/corpus-instructions", fuzz_instructions);
}
END_TEST

START_TEST(layouts_say_the_same) {
    replay("tests/fuzz/corpus-format", fuzz_format);
}
END_TEST

START_TEST(headers_are_read) {
    replay("tests/fuzz/corpus-header", fuzz_header);
}
END_TEST

START_TEST(models_are_read) {
    replay("tests/fuzz/corpus-model", fuzz_model);
}
END_TEST

START_TEST(indexes_are_read) {
    replay("tests/fuzz/corpus-index", fuzz_index);
}
END_TEST

START_TEST(small_models_are_merged) {
    replay("tests/fuzz/corpus-pipeline", fuzz_pipeline);
}
END_TEST

Suite *fuzz_suite(void) {
    Suite *suite = suite_create("fuzz");
    TCase *tests = tcase_create("fuzz");
    tcase_add_test(tests, recipes_are_read);
    tcase_add_test(tests, instructions_are_read);
    tcase_add_test(tests, layouts_say_the_same);
    tcase_add_test(tests, headers_are_read);
    tcase_add_test(tests, models_are_read);
    tcase_add_test(tests, indexes_are_read);
    tcase_add_test(tests, small_models_are_merged);
    suite_add_tcase(suite, tests);
    return suite;
}
