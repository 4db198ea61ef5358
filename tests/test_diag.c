#include "tests.h"

#include "diag/diag.h"

#include <stdlib.h>

static char *printed(const Diags *diags, DiagStyle style) {
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    diags_print(diags, stream, style);
    fclose(stream);
    return text;
}

START_TEST(messages_show_line_and_caret) {
    Diags *diags = diags_new();
    uint32_t source = diags_source(diags, TEXT("a.mecha"), TEXT("one\nmerge alpah=0.3\nlast"));
    diag_error(diags, (Span){source, 10, 15}, "no parameter '%s'", "alpah");
    diag_hint(diags, "did you mean 'alpha'?");
    char *text = printed(diags, (DiagStyle){0});
    ck_assert_str_eq(text, "a.mecha:2:7: error: no parameter 'alpah'\n"
                           "    2 | merge alpah=0.3\n"
                           "      |       ^^^^^ did you mean 'alpha'?\n");
    free(text);
    text = printed(diags, (DiagStyle){.json = true});
    ck_assert_str_eq(
        text, "[\n  {\"severity\": \"error\", \"message\": \"no parameter 'alpah'\", \"hint\": "
              "\"did you mean 'alpha'?\", \"file\": \"a.mecha\", \"line\": 2, \"column\": 7, "
              "\"end_line\": 2, \"end_column\": 12}\n]\n");
    free(text);
    diags_free(diags);
}
END_TEST

START_TEST(parts_of_a_source_have_names_and_lines_of_their_own) {
    Diags *diags = diags_new();
    SourcePart parts[] = {{TEXT("a.mecha"), 1, TEXT("x = 1\n\ny = 2")},
                          {TEXT("<session>"), 7, TEXT("z = w\n# end\n")},
                          {TEXT("<session>"), 12, TEXT("v")}};
    uint32_t source = diags_source_of(diags, parts, 3);
    ck_assert(
        text_equal(diags_find(diags, source)->text, TEXT("x = 1\n\ny = 2\nz = w\n# end\nv\n")));
    diag_error(diags, (Span){source, 7, 8}, "first");
    diag_error(diags, (Span){source, 17, 18}, "second");
    diag_error(diags, (Span){source, 25, 26}, "third");
    char *text = printed(diags, (DiagStyle){0});
    ck_assert_str_eq(text, "a.mecha:3:1: error: first\n    3 | y = 2\n      | ^\n"
                           "<session>:7:5: error: second\n    7 | z = w\n      |     ^\n"
                           "<session>:12:1: error: third\n   12 | v\n      | ^\n");
    free(text);
    diags_free(diags);
}
END_TEST

START_TEST(hints_belong_to_the_error_before_the_notes) {
    Diags *diags = diags_new();
    diag_error(diags, SPAN_NONE, "wrong");
    diag_note(diags, SPAN_NONE, "here");
    diag_hint(diags, "right");
    ck_assert(text_equal(diags_at(diags, 0)->hint, TEXT("right")));
    ck_assert_uint_eq(diags_at(diags, 1)->hint.size, 0);
    diags_free(diags);
}
END_TEST

START_TEST(many_errors_are_cut) {
    Diags *diags = diags_new();
    for (int i = 0; i < DIAG_ERROR_LIMIT + 7; i++) {
        diag_error(diags, SPAN_NONE, "error %d", i);
        diag_note(diags, SPAN_NONE, "note %d", i);
    }
    ck_assert_uint_eq(diag_errors(diags), DIAG_ERROR_LIMIT + 7);
    ck_assert_uint_eq(diags_count(diags), 2 * DIAG_ERROR_LIMIT);
    diags_free(diags);
}
END_TEST

START_TEST(nearest_name_forgives_small_slips_only) {
    Text names[] = {TEXT("weighted_sum"), TEXT("slerp"), TEXT("n_average")};
    ck_assert(text_equal(nearest_name(TEXT("weigthed_sum"), names, 3), TEXT("weighted_sum")));
    ck_assert(text_equal(nearest_name(TEXT("slrep"), names, 3), TEXT("slerp")));
    ck_assert_uint_eq(nearest_name(TEXT("rotate_all"), names, 3).size, 0);
}
END_TEST

Suite *diag_suite(void) {
    Suite *suite = suite_create("diag");
    TCase *tests = tcase_create("diag");
    tcase_add_test(tests, messages_show_line_and_caret);
    tcase_add_test(tests, parts_of_a_source_have_names_and_lines_of_their_own);
    tcase_add_test(tests, hints_belong_to_the_error_before_the_notes);
    tcase_add_test(tests, many_errors_are_cut);
    tcase_add_test(tests, nearest_name_forgives_small_slips_only);
    suite_add_tcase(suite, tests);
    return suite;
}
