#include "said.h"
#include "tests.h"

#include "syntax/dump.h"
#include "syntax/format.h"
#include "syntax/parse.h"

#include <stdio.h>
#include <stdlib.h>

/* What fmt makes of a text; to be freed. */
static Builder formatted(Text text) {
    Diags *diags = diags_new();
    Builder out = {0};
    bool ok = format_recipe(diags, diags_source(diags, TEXT("t"), text), &out);
    ck_assert_msg(ok, "%.*s", TEXT_ARG(text));
    diags_free(diags);
    return out;
}

static void check_same_tree(Text left, Text right) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Ast *before = parse_recipe(&arena, diags, diags_source(diags, TEXT("before"), left));
    Ast *after = parse_recipe(&arena, diags, diags_source(diags, TEXT("after"), right));
    ck_assert_msg(ast_equal(before, after), "%.*s\n%.*s", TEXT_ARG(left), TEXT_ARG(right));
    diags_free(diags);
    arena_free(&arena);
}

/* The canonical layout says the same, and is canonical. */
static Builder check_stable(Text text) {
    Builder once = formatted(text), twice = formatted(builder_view(&once));
    ck_assert_msg(text_equal(builder_view(&once), builder_view(&twice)), "%.*s\n%.*s",
                  TEXT_ARG(once), TEXT_ARG(twice));
    if (source_dialect(text) == DIALECT_RECIPE)
        check_same_tree(text, builder_view(&once));
    builder_free(&twice);
    return once;
}

static void check_format(const char *text, const char *expected) {
    Builder out = check_stable(text_from(text));
    builder_char(&out, '\0');
    ck_assert_str_eq(out.data, expected);
    builder_free(&out);
}

#define CHECK_FORMATS(cases)                                                                       \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++)                                   \
    check_format((cases)[i].text, (cases)[i].expected)

START_TEST(spaces_are_canonical) {
    static const SaidCase cases[] = {
        {"x=a+b*-c^-2", "x = a + b * -c ^ -2\n"},
        {"x=[1,2 ,]", "x = [1, 2]\n"},
        {"x={a:1,\"b\":2,}", "x = { a: 1, \"b\": 2 }\n"},
        {"x={ }", "x = {}\n"},
        {"x=y [ 0 ] . vae[1 .. 2,..]", "x = y[0].vae[1..2, ..]\n"},
        {"x=if(a)then[b]else(c)", "x = if (a) then [b] else (c)\n"},
        {"x=not(a)and-b", "x = not (a) and -b\n"},
        {"x=from*n-to[0]|f(-with)", "x = from * n - to[0] | f(-with)\n"},
        {"repeat 3 with a=1{next-a until-b(c)}", "repeat 3 with a = 1 { next -a until -b(c) }\n"},
        {"a=1;b=2", "a = 1\nb = 2\n"},
        {"method m(a:S,*b:weight|delta,n:int ?=null)->S{a}",
         "method m(a: S, *b: weight | delta, n: int? = null) -> S { a }\n"},
        {"def f(x){y=x;y}", "def f(x) { y = x; y }\n"},
        {"x = 1;y = 2;  - x", "x = 1\ny = 2; -x\n"},
        {"param p:float=1 in 0 .. 2  \"doc\"", "param p: float = 1 in 0..2 \"doc\"\n"},
        {"save a|b to \"c\",dtype=\"d\"", "save a | b to \"c\", dtype = \"d\"\n"},
        {"conversion from\"a\"to\"b\"(x){\"c\"=x[\"d\"]}",
         "conversion from \"a\" to \"b\" (x) { \"c\" = x[\"d\"] }\n"},
        {"config \"c\"{for i in 0 .. 2{\"k{i}\" :int8[1,2]optional}}",
         "config \"c\" { for i in 0..2 { \"k{i}\": int8[1, 2] optional } }\n"},
    };
    CHECK_FORMATS(cases);
}
END_TEST

START_TEST(comments_and_blank_lines_stay) {
    static const SaidCase cases[] = {
        {"", "\n"},
        {"\n\n# a  \n\n\n\n#b\nx = 1   # c\n", "# a\n\n#b\nx = 1  # c\n"},
        {"#!/usr/bin/env mecha\n\nmecha   1\nx", "#!/usr/bin/env mecha\n\nmecha 1\nx\n"},
        {"def f(x) { # a\n# b\n\n\nx # c\n# d\n}",
         "def f(x) {  # a\n    # b\n\n    x  # c\n    # d\n}\n"},
        {"x = f(a, # a\n# b\nb\n# c\n)", "x = f(\n    a,  # a\n    # b\n    b\n    # c\n)\n"},
        {"x = a + # why\nb", "x = a +  # why\n    b\n"},
        {"x = if a\n# c\nthen b else c", "x = if a\n    # c\n    then b\n    else c\n"},
    };
    CHECK_FORMATS(cases);
}
END_TEST

START_TEST(what_fits_stands_on_one_line) {
    static const SaidCase cases[] = {
        {"x = f(a,\n  b,\n)", "x = f(a, b)\n"},
        {"x = a +\n b", "x = a + b\n"},
        {"x = if a\nthen b else c", "x = if a then b else c\n"},
        {"x = if a then b\nelse c", "x = if a then b\n    else c\n"},
        {"if a then b\n  else if c then d\n    else e", "if a then b\nelse if c then d\nelse e\n"},
        {"def f(a) =\n  a", "def f(a) = a\n"},
        {"def f(a) = if a then b\nelse c", "def f(a) =\n    if a then b\n    else c\n"},
        {"m = {\n\"a\": 1, \"b\": 2}", "m = {\n    \"a\": 1,\n    \"b\": 2\n}\n"},
        {"def f(x) {\nx\n}", "def f(x) {\n    x\n}\n"},
    };
    CHECK_FORMATS(cases);
}
END_TEST

START_TEST(long_lines_are_broken) {
    static const SaidCase cases[] = {
        {"x = weighted_sum(model(\"a_rather_long_file_name.safetensors\"), "
         "model(\"another_long_file_name.safetensors\"), alpha = 0.5)",
         "x = weighted_sum(\n    model(\"a_rather_long_file_name.safetensors\"),\n"
         "    model(\"another_long_file_name.safetensors\"),\n    alpha = 0.5\n)\n"},
        {"merged = first_of_the_models_here + second_of_the_models_here * 0.25 - "
         "third_of_the_models_here * strength | base",
         "merged = first_of_the_models_here + second_of_the_models_here * 0.25 - "
         "third_of_the_models_here *\n    strength | base\n"},
        {"value = if some_condition_that_is_long(x) then the_first_of_two_values(x, y) else "
         "the_second_of_two_values(x, y)",
         "value = if some_condition_that_is_long(x) then the_first_of_two_values(x, y)\n    else "
         "the_second_of_two_values(x, y)\n"},
    };
    CHECK_FORMATS(cases);
}
END_TEST

START_TEST(instruction_lists_become_readable_to_all) {
    static const SaidCase cases[] = {
        {"\n#!c\nversion   0.1.0\n\n\tmodel  \"a b\"  merge_space=None # why\r\n  # own\ndict "
         "a=True\n",
         "#!c\nversion 0.1.0\n# why\nmodel \"a b\" merge_space=null\n# own\ndict a=true"},
    };
    CHECK_FORMATS(cases);
}
END_TEST

START_TEST(sources_with_errors_are_left_alone) {
    Diags *diags = diags_new();
    Builder out = {0};
    ck_assert(!format_recipe(diags, diags_source(diags, TEXT("t"), TEXT("x = = 1")), &out));
    ck_assert_uint_eq(diag_errors(diags), 1);
    ck_assert_uint_eq(out.size, 0);
    diags_free(diags);
}
END_TEST

/* Random recipes: whatever they hold, their layout is stable and says the same. */
typedef struct Random {
    uint64_t state;
    Builder *out;
} Random;

static unsigned draw(Random *random, unsigned n) {
    random->state = random->state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(random->state >> 33) % n;
}

static void add(Random *random, const char *text) {
    builder_add(random->out, text_from(text));
}

static void add_one(Random *random, const char *const *texts, unsigned n) {
    add(random, texts[draw(random, n)]);
}

static void add_gap(Random *random) {
    static const char *const gaps[] = {"", "", "\n", "  # c\n", "\n\n\n# own\n  "};
    add_one(random, gaps, 5);
}

static void add_expression(Random *random, unsigned depth);

static void add_sequence(Random *random, const char *open, const char *close, const char *label,
                         unsigned depth) {
    add(random, open);
    for (unsigned i = 0, n = 1 + draw(random, 4); i < n; i++) {
        add_gap(random);
        add(random, draw(random, 2) || *label == '{' ? label + (*label == '{') : "");
        add_expression(random, depth);
        add(random, i + 1 < n || draw(random, 3) == 0 ? "," : "");
    }
    add_gap(random);
    add(random, close);
}

static void add_atom(Random *random) {
    static const char *const atoms[] = {"1",     "2.5e-3", "\"s # t\"",     "true", "merged_model",
                                        "alpha", "to",     "`an odd name`", "null", "x.vae[0..1]"};
    add_one(random, atoms, 10);
}

static void add_repeat(Random *random, unsigned depth) {
    add(random, "repeat 3 with w = 1 {");
    add_gap(random);
    add(random, "m = ");
    add_expression(random, depth);
    add(random, draw(random, 2) ? ";" : "\n\n\n");
    add(random, "next m }");
}

static void add_expression(Random *random, unsigned depth) {
    static const char *const operators[] = {" + ", "-", " *\n ", "/", "^ # why\n", " and ", "|"};
    switch (depth == 0 ? 0 : draw(random, 10)) {
    case 1:
    case 2:
        add_expression(random, depth - 1);
        add_one(random, operators, 7);
        return add_expression(random, depth - 1);
    case 3:
        add(random, "(");
        add_gap(random);
        add_expression(random, depth - 1);
        add_gap(random);
        return add(random, ")");
    case 4:
    case 5:
        return add_sequence(random, "some_method(", ")", "k = ", depth - 1);
    case 6:
        return add_sequence(random, "[", "]", "", depth - 1);
    case 7:
        return add_sequence(random, "{", "}", "{IN00..IN03: ", depth - 1);
    case 8:
        add(random, "if -a then\n");
        add_expression(random, depth - 1);
        add(random, "\n# or\nelse ");
        return add_expression(random, depth - 1);
    case 9:
        return add_repeat(random, depth - 1);
    default:
        add_atom(random);
    }
}

static void add_statement(Random *random, unsigned i) {
    static const char *const heads[] = {"def f%u(a, b = 1) = ", "x%u = ", "x%u=",
                                        "method m%u(a: S, *b: weight | delta) -> S { y = a; "};
    unsigned head = draw(random, 4);
    builder_format(random->out, heads[head], i);
    add_expression(random, 4);
    add(random, head == 3 ? "}" : "");
    add(random, draw(random, 2) ? "\n" : "  # behind\n\n\n");
}

START_TEST(any_layout_is_stable) {
    unsigned checked = 0;
    for (unsigned seed = 1; seed <= 600; seed++) {
        Builder text = {0};
        Random random = {seed * 7919u, &text};
        for (unsigned i = 0, n = 1 + draw(&random, 6); i < n; i++)
            add_statement(&random, i);
        char *said = said_about(builder_view(&text));
        if (*said == '\0') {
            Builder out = check_stable(builder_view(&text));
            builder_free(&out);
            checked++;
        }
        free(said);
        builder_free(&text);
    }
    ck_assert_uint_gt(checked, 300);
}
END_TEST

Suite *format_suite(void) {
    Suite *suite = suite_create("format");
    TCase *tests = tcase_create("format");
    tcase_add_test(tests, spaces_are_canonical);
    tcase_add_test(tests, comments_and_blank_lines_stay);
    tcase_add_test(tests, what_fits_stands_on_one_line);
    tcase_add_test(tests, long_lines_are_broken);
    tcase_add_test(tests, instruction_lists_become_readable_to_all);
    tcase_add_test(tests, sources_with_errors_are_left_alone);
    tcase_add_test(tests, any_layout_is_stable);
    suite_add_tcase(suite, tests);
    return suite;
}
