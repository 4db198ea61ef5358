#include "tests.h"

#include "base/glob.h"
#include "base/map.h"
#include "base/text.h"
#include "base/vector.h"

#include <string.h>

static bool is_filled(const char *block, size_t size, char value) {
    for (size_t i = 0; i < size; i++)
        if (block[i] != value)
            return false;
    return true;
}

static void fill_arena(Arena *arena, char *blocks[], unsigned n, char mark) {
    for (unsigned i = 0; i < n; i++) {
        blocks[i] = arena_alloc(arena, 50000);
        memset(blocks[i], mark, 50000);
    }
}

START_TEST(a_joined_arena_keeps_what_was_in_both) {
    for (unsigned n = 0; n <= 4; n += 2)
        for (unsigned m = 0; m <= 4; m += 2) {
            Arena arena = {0}, from = {0};
            char *first[4], *second[4], *third[4];
            fill_arena(&arena, first, n, 1);
            fill_arena(&from, second, m, 2);
            arena_join(&arena, &from);
            ck_assert_ptr_null(from.chunk);
            fill_arena(&arena, third, 4, 3);
            for (unsigned k = 0; k < n; k++)
                ck_assert(is_filled(first[k], 50000, 1));
            for (unsigned k = 0; k < m; k++)
                ck_assert(is_filled(second[k], 50000, 2));
            arena_free(&arena);
        }
}
END_TEST

START_TEST(arena_memory_is_zeroed_and_apart) {
    Arena arena = {0};
    char *blocks[300];
    for (size_t i = 0; i < 300; i++) {
        size_t size = i * 977 % 40000;
        blocks[i] = arena_alloc(&arena, size);
        ck_assert(is_filled(blocks[i], size, 0));
        memset(blocks[i], (int)i, size);
    }
    for (size_t i = 0; i < 300; i++)
        ck_assert(is_filled(blocks[i], i * 977 % 40000, (char)i));
    arena_free(&arena);
}
END_TEST

static void check_number(double value, const char *expected) {
    Builder builder = {0};
    builder_number(&builder, value);
    ck_assert_str_eq(builder.data, expected);
    builder_free(&builder);
}

START_TEST(numbers_print_shortest) {
    check_number(0.1, "0.1");
    check_number(1e-6, "1e-06");
    check_number(10, "10.0");
    check_number(123456789, "123456789.0");
    check_number(1.0 / 3, "0.3333333333333333");
    check_number(-0.0, "-0.0");
    check_number(1e300, "1e+300");
}
END_TEST

START_TEST(printable_escapes_control_and_broken_bytes) {
    Builder builder = {0};
    builder_printable(&builder, TEXT("a\x1b[31m\xff \xc3\xa9\xc2\x9b"));
    ck_assert_str_eq(builder.data, "a\\x1b[31m\\xff \xc3\xa9\\xc2\\x9b");
    builder_free(&builder);
}
END_TEST

START_TEST(names_are_unique) {
    Arena arena = {0};
    Names names = {.arena = &arena};
    for (int round = 0; round < 2; round++)
        for (uint32_t i = 0; i < 5000; i++)
            ck_assert_uint_eq(names_add(&names, text_format(&arena, "key.%u", i)), i);
    ck_assert_uint_eq(names_find(&names, TEXT("absent")), INDEX_NONE);
    ck_assert_uint_eq(names.count, 5000);
    names_free(&names);
    arena_free(&arena);
}
END_TEST

START_TEST(globs_match_whole_names) {
    static const struct {
        const char *pattern, *text;
        bool matches;
    } rows[] = {
        {"", "", true},           {"", "a", false},           {"*", "", true},
        {"*", "a.b.c", true},     {"a", "a", true},           {"a", "ab", false},
        {"a*", "a.b", true},      {"*b", "a.b", true},        {"*b", "a.bc", false},
        {"a*c*e", "abcde", true}, {"a*c*e", "abcd", false},   {"*.attn2.*", "x.attn2.y", true},
        {"\\*", "*", true},       {"\\*", "a", false},        {"a\\", "a\\", true},
        {"*aab", "aaaab", true},  {"a**b", "ab", true},       {"\\a*", "abc", true},
        {"a.?.*", "a.1.b", true}, {"a.?.*", "a.10.b", false}, {"?", "", false},
        {"*?b", "aab", true},     {"?", "\u00e9", true},      {"\\?", "a", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ck_assert_msg(glob_matches(text_from(rows[i].pattern), text_from(rows[i].text)) ==
                          rows[i].matches,
                      "'%s' and '%s'", rows[i].pattern, rows[i].text);
}
END_TEST

Suite *base_suite(void) {
    Suite *suite = suite_create("base");
    TCase *tests = tcase_create("base");
    tcase_add_test(tests, arena_memory_is_zeroed_and_apart);
    tcase_add_test(tests, a_joined_arena_keeps_what_was_in_both);
    tcase_add_test(tests, numbers_print_shortest);
    tcase_add_test(tests, printable_escapes_control_and_broken_bytes);
    tcase_add_test(tests, names_are_unique);
    tcase_add_test(tests, globs_match_whole_names);
    suite_add_tcase(suite, tests);
    return suite;
}
