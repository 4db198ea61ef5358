/* The REPL at a terminal and through a pipe. */
#include "run.h"
#include "terminal.h"
#include "tests.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "first.safetensors", (TestTensor[]){{"body.x", 3, 1}, {"body.y", 50, 8}},
                2);
    write_model(folder, "second.safetensors", (TestTensor[]){{"body.x", 3, 5}, {"body.y", 50, 0}},
                2);
}

static void tear_down(void) {
    scratch_close(folder);
}

/* ---- through a pipe ---- */

static Run piped(const char *input) {
    RunOptions options = {.folder = folder, .input = input};
    return run_mecha(&options, "repl");
}

static void expect_piped(const char *input, int status, const char *output, const char *error) {
    Run run = piped(input);
    ck_assert_msg(run.status == status && strcmp(run.output, output) == 0 &&
                      strcmp(run.error, error) == 0,
                  "%s\nstatus %d\n%s\n%s", input, run.status, run.output, run.error);
    run_free(&run);
}

#define MODELS "a = model(\"first.safetensors\")\nb = model(\"second.safetensors\")\n"

START_TEST(expressions_are_shown) {
    expect_piped(MODELS "a\n", 0, "weight, no known config: 2 keys, f32, 212 B\n", "");
    expect_piped(MODELS "(a + b) / 2\n", 0, "weight, no known config: 2 keys, f32, 212 B\n", "");
    expect_piped(MODELS "a - b\n", 0, "delta, no known config: 2 keys, f32, 212 B\n", "");
    expect_piped(":keys 3\n", 1, "", "mecha: error: only models have keys\n");
    expect_piped("0.5\n3\ntrue\nnull\n\"it\"\n", 0, "0.5\n3\ntrue\nnull\n\"it\"\n", "");
    expect_piped(MODELS "[a, b - a]\n", 0,
                 "a list of 2\n"
                 "  [0] weight, no known config: 2 keys, f32, 212 B\n"
                 "  [1] delta, no known config: 2 keys, f32, 212 B\n",
                 "");
    expect_piped(MODELS ":type b - a\n:keys a *.x\n:keys (a + b) / 2\n", 0,
                 "delta, no known config\n"
                 "body.x  f32 [3]\n"
                 "body.x  f32 [3]\nbody.y  f32 [50]\n",
                 "");
}
END_TEST

START_TEST(a_tensor_is_evaluated_alone) {
    expect_piped(MODELS "((a + b) / 2)[\"body.x\"]\n", 0,
                 "body.x: f32 [3]\n"
                 "  min 3  max 5  mean 4  std 0.8165  norm 7.0711  NaN 0\n"
                 "  3  4  5\n",
                 "");
    expect_piped(MODELS "a[\"body.y\"]\n", 0,
                 "body.y: f32 [50]\n"
                 "  min 8  max 57  mean 32.5  std 14.431  norm 251.45  NaN 0\n"
                 "  8  9  10  11  12  13  …\n",
                 "");
}
END_TEST

START_TEST(statements_may_take_several_lines) {
    expect_piped(MODELS "m = weighted_sum(a,\n  b,\n\n  alpha = 0.5)\nm[\n\"body.x\"]\n"
                        "def half(x) {\n  y = x / 2\n  y\n}\nhalf(3)\nz = 1 +\n2\nz\n",
                 0,
                 "body.x: f32 [3]\n  min 3  max 5  mean 4  std 0.8165  norm 7.0711  NaN 0\n"
                 "  3  4  5\n1.5\n3\n",
                 "");
}
END_TEST

START_TEST(the_first_mistake_ends_a_pipe) {
    expect_piped("x = 3\n\ny = zz\nx\n", 1, "",
                 "<stdin>:3:5: error: unknown name 'zz'\n"
                 "    3 | y = zz\n"
                 "      |     ^^\n");
    expect_piped("x = 3\ny = (x\n", 1, "",
                 "<stdin>:2:7: error: missing ')'\n"
                 "    2 | y = (x\n"
                 "      |       ^\n"
                 "<stdin>:2:5: note: to close this '('\n"
                 "    2 | y = (x\n"
                 "      |     ^\n");
    expect_piped("x = 3\n:lod y\nx\n", 1, "",
                 "mecha: there is no command ':lod'; did you mean ':load'?\n");
    expect_piped("a = model(\"frist.safetensors\")\n", 1, "",
                 "<stdin>:1:5: error: there is no file 'frist.safetensors'\n"
                 "    1 | a = model(\"frist.safetensors\")\n"
                 "      |     ^^^^^^^^^^^^^^^^^^^^^^^^^^ did you mean 'first.safetensors'?\n");
    expect_piped(MODELS "a + b\n", 1, "",
                 "<stdin>:3:1: error: this adds 2 whole models\n"
                 "    3 | a + b\n"
                 "      | ^^^^^ divide by 2 for their average, or subtract a base: a + (b - base)"
                 "\n");
    expect_piped("version 0.1.0\n", 1, "",
                 "mecha: error: <stdin> is an instruction list, which is no part of a recipe\n"
                 "      = a session is made of statements of the recipe language\n");
}
END_TEST

START_TEST(loaded_files_import_what_stands_beside_them) {
    char *sub = path_in(folder, "sub");
    ck_assert_int_eq(mkdir(sub, 0777), 0);
    write_text(sub, "lib.mecha", "def twice(x) = 2 * x\n");
    write_text(sub, "uses.mecha", "import \"lib.mecha\" as lib\nz = lib.twice(4)\n");
    expect_piped("y = 3\n:load sub/uses.mecha\nz\n", 0, "8\n", "");
    expect_piped(":load sub/uses.mecha\nz\n", 0, "8\n", "");
    free(sub);
}
END_TEST

START_TEST(names_are_bound_again) {
    expect_piped(MODELS "share = 0.25\nm = weighted_sum(a, b, alpha = share)\nm[\"*x\"]\n"
                        "share = 0.75\nm[\"*x\"]\n:undo\n:list\n",
                 0,
                 "body.x: f32 [3]\n  min 2  max 4  mean 3  std 0.8165  norm 5.3852  NaN 0\n"
                 "  2  3  4\n"
                 "body.x: f32 [3]\n  min 4  max 6  mean 5  std 0.8165  norm 8.775  NaN 0\n"
                 "  4  5  6\n"
                 "a = model(\"first.safetensors\")\nb = model(\"second.safetensors\")\n"
                 "share = 0.25\nm = weighted_sum(a, b, alpha = share)\n",
                 "");
    /* What the new statement needs may stand behind the old one. */
    expect_piped("x = 1\ny = 2\nx = y + 1\nx\n:list\n", 0, "3\ny = 2\nx = y + 1\n", "");
    expect_piped(":undo\n", 1, "", "mecha: nothing is left to undo\n");
}
END_TEST

START_TEST(parameters_and_options_are_set) {
    expect_piped("param share: float = 0.5 in 0..1\n:set share 0.7\nshare\n:set share 7\n", 1,
                 "0.7\n",
                 "<stdin>:1:7: error: the value of 'share' is not in 0..1\n"
                 "    1 | param share: float = 0.5 in 0..1\n"
                 "      |       ^^^^^\n");
    expect_piped(":set threads 3\n:set dtype bf16\n:set strict\n:set\n:set therads 3\n", 1,
                 "dtype bf16\nthreads 3\nstrict\n",
                 "mecha: neither an option nor a parameter: 'therads'; did you mean 'threads'?\n");
}
END_TEST

START_TEST(slips_are_answered) {
    write_text(folder, "half.mecha", "x = 1\ny = (x\n");
    static const char *const said[][2] = {
        {":frobnicate", "there is no command ':frobnicate'; :help lists them"},
        {":set frobnicate 3", "neither an option nor a parameter: 'frobnicate'"},
        {":set threads", "'threads' takes a value, N"},
        {":set threads many", "'threads' takes N, not 'many'"},
        {":load", ":load needs a file"},
        {":load nowhere.mecha", "nowhere.mecha: No such file or directory"},
        {":load .", ".: Is a directory"},
        {":load half.mecha", "half.mecha: its last statement is not finished"},
        {"x = 3\n:save nowhere/x.mecha", "nowhere/x.mecha: No such file or directory"},
    };
    for (size_t i = 0; i < sizeof said / sizeof *said; i++) {
        char error[200];
        snprintf(error, sizeof error, "mecha: %s\n", said[i][1]);
        expect_piped(said[i][0], 1, "", error);
    }
}
END_TEST

/* Room for the model, and none for what is made of it, be it by a sanitizer that refuses what is so
 * large. The file is a hole but for its header. */
START_TEST(what_memory_lacks_is_said) {
    static const char begin[] = "\x48\0\0\0\0\0\0\0{\"x\":{\"dtype\":\"F32\",\"shape\":[100000000],"
                                "\"data_offsets\":[0,400000000]}}  ";
    write_file(folder, "large.safetensors", begin, sizeof begin - 1);
    char *path = path_in(folder, "large.safetensors");
    ck_assert_int_eq(truncate(path, sizeof begin - 1 + 400000000), 0);
    free(path);
    RunOptions options = {.folder = folder,
                          .input = "method m(a: S) -> S { abs(a) }\n"
                                   "m(model(\"large.safetensors\"))[\"x\"]\n"};
    Run run = run_shell(
        &options, SANITIZED ? "ASAN_OPTIONS=max_allocation_size_mb=300:allocator_may_return_null=1 "
                              "\"$MECHA\" repl"
                            : "ulimit -v 750000; \"$MECHA\" repl");
    ck_assert_msg(run.status == 1 &&
                      strstr(run.error, "error: there is not enough memory to look at 'x'") != NULL,
                  "status %d\n%s", run.status, run.error);
    run_free(&run);
}
END_TEST

static const char nothing_is_made[] =
    "mecha: error: <stdin> makes nothing: it ends in no expression and saves nothing\n";

START_TEST(a_session_of_nothing_makes_nothing) {
    expect_piped(":explain\n", 1, "", nothing_is_made);
    expect_piped(":run\n", 1, "", nothing_is_made);
    expect_piped(":graph\n", 1, "", nothing_is_made);
}
END_TEST

START_TEST(what_is_loaded_has_a_limit) {
    expect_piped(":load /dev/zero\n", 1, "", "mecha: /dev/zero: File too large\n");
}
END_TEST

START_TEST(sessions_are_run_saved_and_loaded) {
    Run run = piped(MODELS "m = weighted_sum(a,b,alpha=0.5) # half\n:run m to out.safetensors\n"
                           "c = model(\"out.safetensors\")\nc[\"*.x\"]\n:save m.mecha\n:models\n");
    ck_assert_int_eq(run.status, 0);
    ck_assert_ptr_nonnull(strstr(run.output, "body.x: f32 [3]\n  min 3  max 5  mean 4"));
    ck_assert_ptr_nonnull(strstr(run.output, "out.safetensors  2 keys, 212 B\n"));
    ck_assert_ptr_nonnull(strstr(run.error, "wrote out.safetensors: 2 keys"));
    ck_assert_ptr_nonnull(strstr(run.error, "wrote m.mecha: 4 statements\n"));
    run_free(&run);
    expect_piped(":load m.mecha\n:list\nm[\"*.x\"]\n", 0,
                 "a = model(\"first.safetensors\")\nb = model(\"second.safetensors\")\n"
                 "m = weighted_sum(a, b, alpha = 0.5)  # half\n"
                 "c = model(\"out.safetensors\")\n"
                 "body.x: f32 [3]\n  min 3  max 5  mean 4  std 0.8165  norm 7.0711  NaN 0\n"
                 "  3  4  5\n",
                 "");
    write_text(folder, "wrong.mecha", "# a comment\nx = 1\ny = zz\n");
    expect_piped("\n\n:load wrong.mecha\n", 1, "",
                 "wrong.mecha:3:5: error: unknown name 'zz'\n"
                 "    3 | y = zz\n"
                 "      |     ^^\n");
}
END_TEST

/* ---- at a terminal ---- */

static Terminal *talk(void) {
    const char *const environment[] = {"MECHA_HISTORY", "history", NULL};
    Terminal *terminal =
        terminal_open(folder, environment, (const char *const[]){mecha_binary(), NULL});
    terminal_expect(terminal, ":help lists those. End with :quit or Ctrl-D.\nmecha>");
    return terminal;
}

START_TEST(an_error_does_not_end_it) {
    Terminal *terminal = talk();
    terminal_type(terminal, "x = 3\rx = zz\r");
    terminal_expect(terminal, "<session>:2:5: error: unknown name 'zz'\n"
                              "    2 | x = zz\n"
                              "      |     ^^\nmecha>");
    terminal_type(terminal, "x\r");
    terminal_expect(terminal, "mecha> x\n3\nmecha>");
    terminal_type(terminal, "y = x +\r4\ry\r");
    terminal_expect(terminal, "mecha> y = x +\n   ... 4\nmecha> y\n7\nmecha>");
    terminal_type(terminal, "\004");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

START_TEST(tab_completes) {
    Terminal *terminal = talk();
    terminal_type(terminal, "a = model(\"fi\t\")\rb = a\r");
    terminal_expect(terminal, "mecha> a = model(\"first.safetensors\")\nmecha> b = a\nmecha>");
    terminal_type(terminal, "m = weighted_s\ta, b, al\t0.5)\r");
    terminal_expect(terminal, "mecha> m = weighted_sum(a, b, alpha = 0.5)\nmecha>");
    terminal_type(terminal, "m[\"b\t\t");
    terminal_expect(terminal, "mecha> m[\"body.\nbody.x\"]  body.y\"]\nmecha> m[\"body.");
    terminal_type(terminal, "x\t\r");
    terminal_expect(terminal, "body.x: f32 [3]");
    terminal_expect(terminal, "  1  2  3\nmecha>");
    terminal_type(terminal, ":mo\t\r");
    terminal_expect(terminal, "mecha> :models\nfirst.safetensors  2 keys, 212 B\nmecha>");
    terminal_type(terminal, "b as \"sd1-l\t");
    terminal_expect(terminal, "mecha> b as \"sd1-ldm\"");
    terminal_type(terminal, "\001\013");
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

START_TEST(an_interrupt_keeps_the_session) {
    Terminal *terminal = talk();
    terminal_type(terminal, "x = 3\rfoo(bar\r");
    terminal_expect(terminal, "mecha> foo(bar\n   ...");
    terminal_type(terminal, "\003");
    terminal_expect(terminal, "   ... ^C\nmecha>");
    terminal_type(terminal, "x\r");
    terminal_expect(terminal, "mecha> x\n3\nmecha>");
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

/* One that comes as soon as the prompt is seen, when nothing may wait for keys yet, counts too. */
START_TEST(an_interrupt_is_never_lost) {
    Terminal *terminal = talk();
    for (int i = 0; i < 40; i++) {
        char typed[32], shown[64], left[64];
        snprintf(typed, sizeof typed, "x%d(\r", i);
        snprintf(shown, sizeof shown, "mecha> x%d(\n   ...", i);
        snprintf(left, sizeof left, "mecha> x%d(\n   ... ^C\nmecha>", i);
        terminal_type(terminal, typed);
        terminal_expect(terminal, shown);
        terminal_type(terminal, "\003");
        terminal_expect(terminal, left);
    }
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

START_TEST(letters_have_several_bytes) {
    Terminal *terminal = talk();
    terminal_type(terminal,
                  "a = 1 # h\303\251, \360\237\215\211, \377\rb = \"\303\251\303\251\b\"\rb\r");
    terminal_expect(terminal, "mecha> b\n\"\303\251\"\nmecha>");
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

/* A method that takes its time. */
#define SLOW                                                                                       \
    "method slow(a: S) -> S { repeat 2000 with x = a { next sin(x) * 0.5 + cos(x * 0.25) } }\r"

START_TEST(an_interrupt_ends_what_runs) {
    enum { ELEMENTS = 20000000 };
    write_model(folder, "large.safetensors", (TestTensor[]){{"x", ELEMENTS, 1}}, 1);
    Terminal *terminal = talk();
    terminal_type(terminal, SLOW "a = model(\"large.safetensors\")\r");
    terminal_type(terminal, ":run slow(a) to out.safetensors\r");
    terminal_expect(terminal, "0 of 1 keys");
    terminal_type(terminal, "\003");
    terminal_expect(terminal, "interrupted: nothing was changed\nmecha>");
    terminal_type(terminal, "1 + 1\r");
    terminal_expect(terminal, "mecha> 1 + 1\n2\nmecha>");
    ck_assert(!path_exists(folder, "out.safetensors"));
    ck_assert_uint_eq(count_entries(folder), 4);
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

START_TEST(what_was_typed_is_remembered) {
    Terminal *terminal = talk();
    terminal_type(terminal, "x = 12345\r:quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
    terminal = talk();
    terminal_type(terminal, "\033[A");
    terminal_expect(terminal, "mecha> :quit");
    terminal_type(terminal, "\033[A");
    terminal_expect(terminal, "mecha> x = 12345");
    terminal_type(terminal, "6\rx\r");
    terminal_expect(terminal, "mecha> x\n123456\nmecha>");
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

START_TEST(help_tells_about_anything) {
    Terminal *terminal = talk();
    terminal_type(terminal, ":help\r");
    terminal_expect(terminal, ":undo                takes back the statement taken last");
    terminal_type(terminal, ":help paths\r");
    terminal_expect(terminal, "A relative path in a recipe is looked for");
    terminal_type(terminal, ":help weighted_sum\r");
    terminal_expect(terminal, "weighted_sum(a: S, b: S, alpha: param = 0.5) -> S");
    terminal_type(terminal, ":quit\r");
    ck_assert_int_eq(terminal_close(terminal), 0);
}
END_TEST

Suite *repl_suite(void) {
    const TTest *const tests[] = {expressions_are_shown,
                                  a_tensor_is_evaluated_alone,
                                  statements_may_take_several_lines,
                                  the_first_mistake_ends_a_pipe,
                                  loaded_files_import_what_stands_beside_them,
                                  names_are_bound_again,
                                  parameters_and_options_are_set,
                                  slips_are_answered,
                                  what_memory_lacks_is_said,
                                  sessions_are_run_saved_and_loaded,
                                  a_session_of_nothing_makes_nothing,
                                  what_is_loaded_has_a_limit,
                                  an_error_does_not_end_it,
                                  tab_completes,
                                  an_interrupt_keeps_the_session,
                                  an_interrupt_is_never_lost,
                                  letters_have_several_bytes,
                                  an_interrupt_ends_what_runs,
                                  what_was_typed_is_remembered,
                                  help_tells_about_anything};
    Suite *suite = suite_create("repl");
    setenv("MECHA", mecha_binary(), 1);
    TCase *cases = tcase_create("repl");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tcase_add_test(cases, tests[i]);
    suite_add_tcase(suite, cases);
    return suite;
}
