/* What must not break the program: long chains, many models, few descriptors, any number of
 * threads. */
#include "base/text.h"
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

enum { CHAIN = 100000, MODELS = 500 };

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    setenv("MECHA", mecha_binary(), 1);
    write_model(folder, "a.safetensors", (TestTensor[]){{"x", 3, 1}, {"y", 70000, -9}}, 2);
    write_model(folder, "b.safetensors", (TestTensor[]){{"x", 3, 5}, {"y", 70000, 8}}, 2);
}

static void tear_down(void) {
    scratch_close(folder);
}

static void expect_quiet(const char *script) {
    RunOptions options = {.folder = folder, .seconds = 200};
    Run run = run_shell(&options, script);
    ck_assert_msg(run.status == 0 && run.error_size == 0, "status %d\n%.2000s", run.status,
                  run.error);
    run_free(&run);
}

static void add_step(Builder *recipe, int step) {
    builder_format(recipe, "merge \"weighted_sum\" &%d &%d 0.%03d\n", step ? step + 1 : 0, step % 2,
                   step % 900 + 1);
}

START_TEST(a_long_chain_needs_no_deep_stack) {
    Builder recipe = {0};
    builder_add(&recipe, TEXT("version 0.1.0\nmodel \"a.safetensors\"\nmodel \"b.safetensors\"\n"));
    for (int i = 0; i < CHAIN; i++)
        add_step(&recipe, i);
    write_file(folder, "chain.mecha", recipe.data, recipe.size);
    write_model(folder, "a.safetensors", &(TestTensor){"x", 3, 1}, 1);
    write_model(folder, "b.safetensors", &(TestTensor){"x", 3, 5}, 1);
    expect_quiet("ulimit -s 256; \"$MECHA\" check chain.mecha &&\n"
                 "\"$MECHA\" run -q chain.mecha -o out.safetensors");
    ck_assert(path_exists(folder, "out.safetensors"));
    builder_free(&recipe);
}
END_TEST

START_TEST(many_models_need_few_descriptors) {
    Builder recipe = {0};
    builder_add(&recipe, TEXT("n_average("));
    for (int i = 0; i < MODELS; i++) {
        Builder name = {0};
        builder_format(&name, "m%d.safetensors", i);
        write_model(folder, name.data, &(TestTensor){"x", 3, (float)i}, 1);
        builder_format(&recipe, "%smodel(\"%s\")", i ? ", " : "", name.data);
        builder_free(&name);
    }
    builder_add(&recipe, TEXT(")\n"));
    write_file(folder, "many.mecha", recipe.data, recipe.size);
    expect_quiet("ulimit -n 64; \"$MECHA\" run -q many.mecha --metadata none -o out.safetensors");
    char *path = path_in(folder, "out.safetensors");
    size_t size;
    char *bytes = read_file(path, &size);
    float average;
    ck_assert_uint_gt(size, 3 * sizeof average);
    memcpy(&average, bytes + size - 3 * sizeof average, sizeof average);
    ck_assert_float_eq(average, (MODELS - 1) / 2.0f);
    free(bytes);
    free(path);
    builder_free(&recipe);
}
END_TEST

/* --- what a recipe may ask for --- */

static void expect_refused(const char *recipe, const char *message) {
    write_text(folder, "plan.mecha", recipe);
    RunOptions options = {.folder = folder, .seconds = 100};
    Run run = run_shell(&options, SANITIZED ? "\"$MECHA\" check plan.mecha"
                                            : "ulimit -v 4000000; \"$MECHA\" check plan.mecha");
    ck_assert_msg(run.status == 1 && strstr(run.error, message) != NULL, "status %d\n%.2000s",
                  run.status, run.error);
    run_free(&run);
}

/* Each calls the one before twice: 2^N in the end. */
static void add_doubling(Builder *recipe, const char *first, const char *format, int n) {
    builder_format(recipe, "%s\n", first);
    for (int i = 1; i <= n; i++)
        builder_format(recipe, format, i, i - 1, i - 1);
}

START_TEST(functions_that_double_are_stopped) {
    Builder recipe = {0};
    add_doubling(&recipe, "def f0(x) = x + 1", "def f%d(x) = f%d(x) * f%d(x + 1)\n", 60);
    builder_add(&recipe, TEXT("model(\"a.safetensors\") * f60(1)\n"));
    expect_refused(recipe.data, "the recipe expands to more than 5000000 expressions");
    builder_free(&recipe);
}
END_TEST

START_TEST(methods_that_double_are_stopped) {
    Builder recipe = {0};
    add_doubling(&recipe, "method m0(a: S) -> S { a * 2 }",
                 "method m%d(a: S) -> S { m%d(m%d(a)) }\n", 40);
    builder_add(&recipe, TEXT("m40(model(\"a.safetensors\"))\n"));
    expect_refused(recipe.data, "the methods expand to more than 3000000 expressions for one key");
    builder_free(&recipe);
}
END_TEST

START_TEST(lists_that_double_are_stopped) {
    Builder recipe = {0};
    add_doubling(&recipe, "l0 = [1]", "l%d = l%d + l%d\n", 40);
    builder_add(&recipe, TEXT("model(\"a.safetensors\")\n"));
    expect_refused(recipe.data, "a list has 1000000 items at most");
    builder_free(&recipe);
}
END_TEST

START_TEST(lists_that_double_within_methods_are_stopped) {
    Builder recipe = {0};
    add_doubling(&recipe, "method m(a: S) -> S {\nl0 = [1]", "l%d = l%d + l%d\n", 40);
    builder_add(&recipe, TEXT("a\n}\nm(model(\"a.safetensors\"))\n"));
    expect_refused(recipe.data, "the methods expand to more than 3000000 expressions for one key");
    builder_free(&recipe);
}
END_TEST

START_TEST(functions_call_functions_so_deep) {
    Builder recipe = {0};
    builder_add(&recipe, TEXT("def f0(x) = x\n"));
    for (int i = 1; i <= 101; i++)
        builder_format(&recipe, "def f%d(x) = f%d(x)\n", i, i - 1);
    builder_add(&recipe, TEXT("f101(model(\"a.safetensors\"))\n"));
    expect_refused(recipe.data, "functions call functions more than 100 deep");
    builder_free(&recipe);
}
END_TEST

START_TEST(a_rule_chains_so_many_operators) {
    Builder recipe = {0};
    builder_add(&recipe, TEXT("config \"flat\" { \"x\"; \"y\" }\nconfig \"one\" { \"z\" }\n"
                              "conversion from \"flat\" to \"one\" (m) { \"z\" = m[\"x\"]"));
    for (int i = 0; i < 1001; i++)
        builder_add(&recipe, TEXT(" + 1"));
    builder_add(&recipe, TEXT(" }\nmodel(\"a.safetensors\") as \"one\"\n"));
    expect_refused(recipe.data, "a rule chains 1000 operators at most");
    builder_free(&recipe);
}
END_TEST

static const struct {
    const char *recipe, *message;
} immoderate[] = {
    {"config \"flat\" { \"x\"; \"y\" }\nconfig \"one\" { \"z\" }\n"
     "conversion from \"flat\" to \"one\" (m) { for i in 0..256 { for j in 0..257 "
     "{ \"z.{i}.{j}\" = \"x\" } } }\nmodel(\"a.safetensors\") as \"one\"\n",
     "a conversion has 65536 rules at most"},
    {"x = [[a + b for a in range(100000)] for b in range(100000)]\nmodel(\"a.safetensors\")\n",
     "the recipe expands to more than 5000000 expressions"},
    {"x = range(1e9)\nmodel(\"a.safetensors\")\n", "a list has 1000000 items at most"},
    {"method m(a: S) -> S { repeat 10000 with x = a {\n"
     "y = repeat 10000 with z = x { next z * 0.5 }; next y } }\nm(model(\"a.safetensors\"))\n",
     "the methods expand to more than 3000000 expressions for one key"},
    {"method m(a: S) -> S { repeat 10001 with x = a { next x } }\nm(model(\"a.safetensors\"))\n",
     "the count of a repeat is a number up to 10000"},
};

START_TEST(what_a_recipe_asks_for_is_bounded) {
    expect_refused(immoderate[_i].recipe, immoderate[_i].message);
}
END_TEST

/* Known only when the tensors are: the file that stood there stands. */
START_TEST(what_cannot_be_computed_is_named) {
    write_text(folder, "plan.mecha",
               "method m(a: S) -> S { a + sum(inverse(a[0..1] * zeros_like(full([1, 1], 1)))) }\n"
               "m(model(\"a.safetensors\")[\"x\"])\n");
    RunOptions options = {.folder = folder, .seconds = 100};
    Run run = run_shell(&options, "\"$MECHA\" run plan.mecha -o out.safetensors");
    const char *message =
        "error: the key 'x' cannot be computed: the system has no unique solution";
    ck_assert_msg(run.status == 1 && strstr(run.error, message) != NULL, "status %d\n%.2000s",
                  run.status, run.error);
    ck_assert(!path_exists(folder, "out.safetensors"));
    run_free(&run);
}
END_TEST

/* --- dtypes without loops --- */

/* A model of one tensor of eight elements, all bits zero. */
static void write_odd(const char *name, const char *dtype, unsigned bytes) {
    Builder file = {0};
    builder_format(&file, "{\"x\":{\"dtype\":\"%s\",\"shape\":[8],\"data_offsets\":[0,%u]}}", dtype,
                   bytes);
    size_t length = file.size;
    Builder whole = {0};
    for (int i = 0; i < 8; i++)
        builder_char(&whole, (char)(length >> (8 * i)));
    builder_add(&whole, builder_view(&file));
    for (unsigned i = 0; i < bytes; i++)
        builder_char(&whole, 0);
    write_file(folder, name, whole.data, whole.size);
    builder_free(&whole);
    builder_free(&file);
}

static const struct {
    const char *dtype;
    unsigned bytes;
} odd_dtypes[] = {{"F8_E8M0", 8}, {"F8_E4M3FNUZ", 8}, {"F4", 4}, {"F6_E2M3", 6}, {"C64", 64}};

static const struct {
    const char *recipe;
    int status;
} odd_recipes[] = {
    {"a\n", 0},
    {"method m(a: S) -> S { reshape(a, [2, 4]) }\nm(a)\n", 0},
    {"a * 0.5 + a * 0.5\n", 1},
    {"method m(a: S) -> S { a + 1 }\nm(a)\n", 1},
    {"method m(a: S) -> S { sort(a) }\nm(a)\n", 1},
    {"method m(a: S) -> S { full([2], sum(a)) }\nm(a)\n", 1},
    {"method m(a: S) -> S { a[0] * 2 }\nm(a)\n", 1},
};

START_TEST(odd_dtypes_are_passed_through_or_refused) {
    write_odd("odd.safetensors", odd_dtypes[_i].dtype, odd_dtypes[_i].bytes);
    Builder message = {0};
    builder_format(&message,
                   "error: 'x' of odd.safetensors is %s, a dtype that is only passed through",
                   odd_dtypes[_i].dtype);
    for (size_t i = 0; i < sizeof odd_recipes / sizeof *odd_recipes; i++) {
        Builder recipe = {0};
        builder_format(&recipe, "a = model(\"odd.safetensors\")\n%s", odd_recipes[i].recipe);
        write_text(folder, "plan.mecha", recipe.data);
        RunOptions options = {.folder = folder, .seconds = 100};
        Run run =
            run_shell(&options, "\"$MECHA\" run -q plan.mecha --space any -o out.safetensors");
        bool said = odd_recipes[i].status == 0 || strstr(run.error, message.data) != NULL;
        ck_assert_msg(run.status == odd_recipes[i].status && said, "status %d\n%.2000s", run.status,
                      run.error);
        run_free(&run);
        builder_free(&recipe);
    }
    builder_free(&message);
}
END_TEST

/* Elements of four bits, the first three of which end in the middle of a byte. */
START_TEST(half_a_byte_is_not_copied) {
    write_odd("odd.safetensors", "F4", 4);
    expect_refused("method m(a: S) -> S { a[0..3] }\nm(model(\"odd.safetensors\"))\n",
                   "'x' of odd.safetensors is F4, a dtype that is only passed through");
}
END_TEST

START_TEST(odd_dtypes_are_none_to_store) {
    expect_refused("save model(\"a.safetensors\") to \"out.safetensors\", dtype = \"f4\"\n",
                   "plan.mecha:1:59: error: 'f4' is a dtype that is only passed through");
    write_odd("odd.safetensors", "C64", 64);
    expect_refused("method m(a: S, b: S) -> S { full_like(a, 1) }\n"
                   "m(model(\"odd.safetensors\"), model(\"odd.safetensors\"))\n",
                   "'x' would be stored as C64, a dtype that is only passed through");
}
END_TEST

/* --- threads and memory --- */

static const char *const recipes[] = {
    "weighted_sum(a, b, alpha = 0.3)",
    "slerp(a, b, alpha = 0.3)",
    "a + ties_sum(b - a, 0.5 * (b - a), k = 0.3)",
};

START_TEST(threads_do_not_change_a_byte) {
    Builder recipe = {0};
    builder_format(&recipe, "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n%s\n",
                   recipes[_i]);
    write_text(folder, "plan.mecha", recipe.data);
    expect_quiet("for j in 1 2 7; do \"$MECHA\" run -q plan.mecha -j $j -o $j.safetensors; done\n"
                 "cmp 1.safetensors 2.safetensors >&2; cmp 1.safetensors 7.safetensors >&2");
    builder_free(&recipe);
}
END_TEST

START_TEST(memory_limits_do_not_change_a_byte) {
    write_text(folder, "plan.mecha",
               "ties_sum(model(\"a.safetensors\") - model(\"b.safetensors\"), "
               "model(\"a.safetensors\") - model(\"b.safetensors\"))\n");
    expect_quiet("\"$MECHA\" run -q plan.mecha --space delta -o 1.safetensors\n"
                 "\"$MECHA\" run -q plan.mecha --space delta --memory 16M -o 2.safetensors\n"
                 "cmp 1.safetensors 2.safetensors >&2");
}
END_TEST

Suite *limits_suite(void) {
    Suite *suite = suite_create("limits");
    TCase *tests = tcase_create("limits");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_long_chain_needs_no_deep_stack);
    tcase_add_test(tests, many_models_need_few_descriptors);
    tcase_add_test(tests, functions_that_double_are_stopped);
    tcase_add_test(tests, functions_call_functions_so_deep);
    tcase_add_test(tests, a_rule_chains_so_many_operators);
    tcase_add_test(tests, methods_that_double_are_stopped);
    tcase_add_test(tests, lists_that_double_are_stopped);
    tcase_add_test(tests, lists_that_double_within_methods_are_stopped);
    tcase_add_loop_test(tests, what_a_recipe_asks_for_is_bounded, 0,
                        sizeof immoderate / sizeof *immoderate);
    tcase_add_test(tests, what_cannot_be_computed_is_named);
    tcase_add_loop_test(tests, odd_dtypes_are_passed_through_or_refused, 0,
                        sizeof odd_dtypes / sizeof *odd_dtypes);
    tcase_add_test(tests, half_a_byte_is_not_copied);
    tcase_add_test(tests, odd_dtypes_are_none_to_store);
    tcase_add_loop_test(tests, threads_do_not_change_a_byte, 0, sizeof recipes / sizeof *recipes);
    tcase_add_test(tests, memory_limits_do_not_change_a_byte);
    suite_add_tcase(suite, tests);
    return suite;
}
