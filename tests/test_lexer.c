#include "said.h"
#include "tests.h"

#include "grammar/recipe.h"
#include "syntax/ast.h"
#include "syntax/lexer.h"
#include "syntax/literal.h"

#include <stdlib.h>
#include <string.h>

START_TEST(tokens_are_told_apart) {
    static const struct {
        const char *text;
        int kind;
    } cases[] = {
        {"name", T_NAME},       {"_a1", T_NAME},
        {"`a b`", T_NAME},      {"ifx", T_NAME},
        {"if", T_IF},           {"12", T_INT},
        {"1.5", T_FLOAT},       {"1e5", T_FLOAT},
        {"1.5E-3", T_FLOAT},    {"\"a\\\"b\"", T_STRING},
        {"..", T_DOTDOT},       {"->", T_ARROW},
        {"==", T_EQ},           {"=", T_EQUALS},
        {"<=", T_LE},           {"!=", T_NE},
        {"# c", TOKEN_COMMENT}, {"\r\n", T_NEWLINE},
        {"\r", T_NEWLINE},      {"\n", T_NEWLINE},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Lexer lexer = lexer_open(text_from(cases[i].text), 0, DIALECT_RECIPE);
        Token token = lexer_next(&lexer);
        ck_assert_msg(token.kind == cases[i].kind && token.problem == PROBLEM_NONE, "%s",
                      cases[i].text);
        ck_assert_uint_eq(token.end, strlen(cases[i].text));
        ck_assert_int_eq(lexer_next(&lexer).kind, TOKEN_END);
        ck_assert_int_eq(lexer_next(&lexer).kind, TOKEN_END);
    }
}
END_TEST

START_TEST(ranges_are_no_numbers) {
    Lexer lexer = lexer_open(TEXT("0..1.5..x"), 0, DIALECT_RECIPE);
    static const int kinds[] = {T_INT, T_DOTDOT, T_FLOAT, T_DOTDOT, T_NAME, TOKEN_END};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        ck_assert_int_eq(lexer_next(&lexer).kind, kinds[i]);
}
END_TEST

START_TEST(every_problem_is_named) {
    static const SaidCase cases[] = {
        {"x = a $ b", "1:7 unexpected character '$'"},
        {"x = é + 1",
         "1:5 unexpected 'é': other than ASCII only in strings, comments and backticks"},
        {"x = “a”", "1:5 '“' does not quote a string // write \""},
        {"x = a − b", "1:7 '−' is a dash // write -"},
        {"x = a + b", "1:6 an invisible character that is no space // write a plain space"},
        {"x = a + \\\n b", "1:9 unexpected '\\' // a statement goes on after an operator or a "
                           "comma, and inside brackets"},
        {"x = \"abc", "1:5 this string is not closed on its line // write \\n for a line end"},
        {"x = \"abc\\", "1:5 this string is not closed on its line // write \\n for a line end"},
        {"x = 'abc'", "1:5 strings stand in double quotes // write \"…\""},
        {"x = `abc", "1:5 this name is not closed on its line // a ` is missing"},
        {"x = ``", "1:5 an empty name"},
        {"x = .5", "1:5 malformed number '.5' // a decimal point has digits on both sides"},
        {"x = 1.", "1:5 malformed number '1.' // a decimal point has digits on both sides"},
        {"x = 1_000", "1:5 malformed number '1_000'"},
        {"x = 2x", "1:5 malformed number '2x'"},
        {"x = 0x1F", "1:5 malformed number '0x1F'"},
        {"x = 1e5e", "1:5 malformed number '1e5e'"},
        {"x = 1.5.2", "1:8 malformed number '.2' // a decimal point has digits on both sides"},
        {"// a", "1:1 unexpected '//' // comments begin with #"},
        {"x = a // b", "1:7 unexpected '//' // comments begin with #"},
        {"x = a ** b", "1:7 no operator '**' // powers are written a ^ b"},
        {"x = a && b", "1:7 no operator '&&' // write 'and'"},
        {"x = a & b", "1:7 no operator '&' // write 'and'"},
        {"x = a || b", "1:7 no operator '||' // write 'or'"},
        {"x = !a", "1:5 no operator '!' // write 'not'"},
        {"x = a <> b", "1:7 no operator '<>' // write !="},
        {"x += 1", "1:3 no operator '+=': values never change // bind a new name"},
        {"x := 1", "1:3 unexpected ':=' // write ="},
        {"def f(x) => x", "1:10 unexpected '=>' // write = or ->"},
        {"x = y[0...2]", "1:8 unexpected '...' // a range is written a..b"},
        {"x = a % b", "1:7 no operator '%'"},
        {"x = a @ b", "1:7 no operator '@'"},
        {"f(a; b)", "1:4 unexpected ';' inside brackets"},
        {"x = \"a\\qb\"",
         "1:7 unknown escape // escapes are \\\" \\\\ \\n \\t \\r \\u{…}; a backslash is \\\\"},
        {"x = \"\\u{110000}\"", "1:6 no character has this number"},
        {"x = \"\\u{0}\"", "1:6 no character has this number"},
        {"x = \"\\u{}\"", "1:6 a character is written \\u{1F600}, by its number"},
        {"x = \"\\u41\"", "1:6 a character is written \\u{1F600}, by its number"},
        {"x = \"\\u{d800}\"", "1:6 no character has this number"},
    };
    CHECK_SAID(cases);
}
END_TEST

START_TEST(sources_are_text) {
    char *said = said_about(TEXT("x = \"a\0b\""));
    ck_assert_str_eq(said, "1:7 a NUL byte: this is no text file");
    free(said);
    check_said("x = \"\xff\"", "1:6 this is no UTF-8 text: byte 0xff is malformed");
    check_said("# \xc0\xaf", "1:3 this is no UTF-8 text: byte 0xc0 is malformed");
    check_said("version 0.1.0\nmodel \"\xed\xa0\x80\"",
               "2:8 this is no UTF-8 text: byte 0xed is malformed");
    check_said("version 0.1.0\ndict a=1 \\", "2:10 a backslash with nothing behind it");
    said = said_about(TEXT("version 0.1.0\ndict a=1 \0"));
    ck_assert_str_eq(said, "2:10 a NUL byte: this is no text file");
    free(said);
}
END_TEST

START_TEST(sources_and_names_have_limits) {
    size_t size = (size_t)SOURCE_LIMIT + 1;
    char *text = memory_grow(NULL, size);
    memset(text, ' ', size);
    char *said = said_about((Text){text, size});
    ck_assert_str_eq(said, "1:1 a source of 67108865 bytes: 67108864 are the limit");
    free(said);
    memset(text, 'a', NAME_LIMIT + 1);
    said = said_about((Text){text, NAME_LIMIT});
    ck_assert_str_eq(said, "");
    free(said);
    said = said_about((Text){text, NAME_LIMIT + 1});
    ck_assert_str_eq(said, "1:1 a name of 256 bytes: 255 are the limit");
    free(said);
    free(text);
}
END_TEST

START_TEST(integers_saturate) {
    static const struct {
        const char *text;
        int64_t value;
        bool fits;
    } cases[] = {
        {"0", 0, true},
        {"-1_000", -1000, true},
        {"+00", 0, true},
        {"9223372036854775807", INT64_MAX, true},
        {"9223372036854775808", INT64_MAX, false},
        {"-9223372036854775808", INT64_MIN, true},
        {"-9223372036854775809", INT64_MIN, false},
        {"100000000000000000000000", INT64_MAX, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t value;
        ck_assert(literal_integer(text_from(cases[i].text), &value) == cases[i].fits);
        ck_assert_int_eq(value, cases[i].value);
    }
}
END_TEST

START_TEST(numbers_are_read_as_python_does) {
    ck_assert_double_eq(literal_number(TEXT(".5")), 0.5);
    ck_assert_double_eq(literal_number(TEXT("1_0.2_5e1_0")), 10.25e10);
    ck_assert_double_eq(literal_number(TEXT("1e999")), 1e308 * 10);
    ck_assert_double_eq(literal_number(TEXT("-Infinity")), -1e308 * 10);
    ck_assert(literal_number(TEXT("NaN")) != literal_number(TEXT("NaN")));
    char digits[201];
    memset(digits, '1', 200);
    digits[200] = '\0';
    ck_assert_double_eq(literal_number(text_from(digits)), strtod(digits, NULL));
}
END_TEST

Suite *lexer_suite(void) {
    Suite *suite = suite_create("lexer");
    TCase *tests = tcase_create("lexer");
    tcase_add_test(tests, tokens_are_told_apart);
    tcase_add_test(tests, ranges_are_no_numbers);
    tcase_add_test(tests, every_problem_is_named);
    tcase_add_test(tests, sources_are_text);
    tcase_add_test(tests, sources_and_names_have_limits);
    tcase_add_test(tests, integers_saturate);
    tcase_add_test(tests, numbers_are_read_as_python_does);
    suite_add_tcase(suite, tests);
    return suite;
}
