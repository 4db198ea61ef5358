/* mecha graph: the picture of a recipe. */
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "a.safetensors", (TestTensor[]){{"x.0", 3, 1}}, 1);
    write_model(folder, "b.safetensors", (TestTensor[]){{"x.0", 3, 5}}, 1);
    write_text(folder, "plan.mecha",
               "a = model(\"a.safetensors\")\n"
               "b = model(\"b.safetensors\")\n"
               "def between(x, y) {\n"
               "    near = weighted_sum(x, y, { \"x.*\": 0.5, \"*\": 1 })\n"
               "    slerp(near, y, 0.25)\n"
               "}\n"
               "moved = a + (b - a) * 0.5\n"
               "save between(moved, a) to \"between.safetensors\", dtype = \"bf16\"\n"
               "save moved | b to \"<moved>.safetensors\"\n");
}

static void tear_down(void) {
    scratch_close(folder);
}

static Run graph(const char *plan, const char *path) {
    RunOptions options = {.folder = folder};
    return path == NULL ? run_mecha(&options, "graph", plan)
                        : run_mecha(&options, "graph", plan, "-o", path);
}

static void expect_line(const char *text, const char *line) {
    ck_assert_msg(strstr(text, line) != NULL, "%s\nis not in\n%s", line, text);
}

START_TEST(every_kind_has_its_look) {
    static const char *const lines[] = {
        "digraph recipe {\nrankdir=LR;\n",
        " [shape=cylinder, fillcolor=\"#cfe3f7\", label=<a>, tooltip=\"line 1\"];\n",
        " [shape=ellipse, fillcolor=\"#ffffff\", label=<× 0.5>, tooltip=\"line 7\"];\n",
        "label=<<B>moved</B><BR/>+>, penwidth=3, color=\"#a03070\", tooltip=\"line 7\"];\n",
        "{\nlabel=<between>;\n",
        "label=<&#34;x.*&#34;: 0.5<BR ALIGN=\"LEFT\"/>&#34;*&#34;: 1<BR ALIGN=\"LEFT\"/>>",
        "label=<slerp<BR/><FONT POINT-SIZE=\"10\" COLOR=\"#555555\">alpha = 0.25</FONT>>",
        "label=<alpha>, style=dotted];\n",
        "headlabel=<−>, color=\"#333333\"];\n",
        " [color=\"#d9730d\"];\n",
        "label=<where missing>, color=\"#333333\"];\n",
        "save0 [shape=folder, fillcolor=\"#c6e7c8\", label=<between.safetensors<BR/>",
        "save1 [shape=folder, fillcolor=\"#c6e7c8\", label=<&#60;moved&#62;.safetensors>",
        "used more than once, computed once",
    };
    Run run = graph("plan.mecha", NULL);
    ck_assert_int_eq(run.status, 0);
    ck_assert_str_eq(run.error, "");
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        expect_line(run.output, lines[i]);
    run_free(&run);
}
END_TEST

START_TEST(boxes_nest_as_calls_do) {
    write_text(folder, "nested.mecha",
               "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n"
               "def one(x) = weighted_sum(x, b, 0.1)\n"
               "def two(x) = slerp(one(x), weighted_sum(x, b, 0.3), 0.2)\n"
               "def three(x) = two(weighted_sum(two(x), b, 0.7))\n"
               "three(a)\n");
    Run run = graph("nested.mecha", NULL);
    ck_assert_int_eq(run.status, 0);
    const char *outer = strstr(run.output, "label=<three>"),
               *inner = strstr(run.output, "label=<two>");
    ck_assert(outer != NULL && inner > outer);
    ck_assert_ptr_nonnull(strstr(inner + 1, "label=<two>"));
    ck_assert_ptr_null(strstr(run.output, "label=<one>")); /* makes one node alone */
    run_free(&run);
}
END_TEST

/* A program in the place of Graphviz's, in the scratch folder. */
static void write_dot(const char *script) {
    char *path = path_in(folder, "dot");
    write_text(folder, "dot", script);
    ck_assert_int_eq(chmod(path, 0755), 0);
    free(path);
}

static Run draw(const char *path) {
    const char *const environment[] = {"PATH", folder, NULL};
    RunOptions options = {.folder = folder, .environment = environment};
    return run_mecha(&options, "graph", "plan.mecha", "-o", path);
}

static void expect_said(Run run, int status, const char *error) {
    ck_assert_int_eq(run.status, status);
    ck_assert_str_eq(run.output, "");
    ck_assert_str_eq(run.error, error);
    run_free(&run);
}

START_TEST(pictures_are_drawn_by_graphviz) {
    expect_said(draw("g.svg"), 1,
                "mecha: Graphviz's program 'dot', which draws .svg files, is not there; install "
                "graphviz, or write a .dot file\n");
    ck_assert(!path_exists(folder, "g.svg"));
    write_text(folder, "dot", "#!/bin/sh\n"); /* nobody may run it */
    expect_said(draw("g.svg"), 1,
                "mecha: Graphviz's program 'dot' does not start: Permission denied\n");
    write_dot("#!/bin/sh\nread first\necho \"$1: $first\"\n");
    expect_said(draw("g.svg"), 0, "");
    char *path = path_in(folder, "g.svg"), *text = read_file(path, NULL);
    ck_assert_str_eq(text, "-Tsvg: digraph recipe {\n");
    free(text);
    write_dot("#!/bin/sh\nexit 3\n");
    expect_said(draw("g.svg"), 1, "mecha: Graphviz's program 'dot' failed with exit status 3\n");
    text = read_file(path, NULL);
    ck_assert_str_eq(text, "-Tsvg: digraph recipe {\n"); /* as it was */
    free(text);
    free(path);
}
END_TEST

START_TEST(dot_needs_no_graphviz) {
    expect_said(draw("g.dot"), 0, "");
    char *path = path_in(folder, "g.dot"), *text = read_file(path, NULL);
    Run run = graph("plan.mecha", NULL);
    ck_assert_str_eq(text, run.output);
    run_free(&run);
    free(text);
    free(path);
}
END_TEST

/* The real program, where it is, has nothing to say against it. */
START_TEST(graphviz_reads_it) {
    RunOptions options = {.folder = folder};
    Run run =
        run_shell(&options, "command -v dot > /dev/null || exit 0\n"
                            "\"$MECHA\" graph plan.mecha -o real.svg && grep -q '</svg>' real.svg");
    ck_assert_msg(run.status == 0, "%s", run.error);
    ck_assert_str_eq(run.error, "");
    run_free(&run);
}
END_TEST

START_TEST(sessions_have_graphs) {
    RunOptions options = {.folder = folder,
                          .input = "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n"
                                   ":graph b - a\n:graph slerp(a, b) to s.dot\n"
                                   "save a to \"out.safetensors\"\n:graph\n"};
    Run run = run_mecha(&options, "repl");
    ck_assert_msg(run.status == 0, "%s", run.error);
    expect_line(run.output, "label=<−>");
    expect_line(run.output, "label=<out.safetensors>");
    ck_assert_ptr_null(strstr(run.output, "slerp"));
    ck_assert(path_exists(folder, "s.dot"));
    run_free(&run);
}
END_TEST

Suite *graph_suite(void) {
    Suite *suite = suite_create("graph");
    TCase *cases = tcase_create("graph");
    setenv("MECHA", mecha_binary(), 1);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, every_kind_has_its_look);
    tcase_add_test(cases, boxes_nest_as_calls_do);
    tcase_add_test(cases, pictures_are_drawn_by_graphviz);
    tcase_add_test(cases, dot_needs_no_graphviz);
    tcase_add_test(cases, graphviz_reads_it);
    tcase_add_test(cases, sessions_have_graphs);
    suite_add_tcase(suite, cases);
    return suite;
}
