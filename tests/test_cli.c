/* The program from outside: exit status, messages, streams, signals. */
#include "base/text.h"
#include "cli/cli.h"
#include "run.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char blend[] = "a = model(\"a.safetensors\")\n"
                            "b = model(\"b.safetensors\")\n"
                            "weighted_sum(a, b, alpha = 0.25)\n";

static char *folder; /* of the test that runs: two models and a recipe */

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "a.safetensors", (TestTensor[]){{"x", 3, 1}, {"y", 5000, 8}}, 2);
    write_model(folder, "b.safetensors", (TestTensor[]){{"x", 3, 5}, {"y", 5000, 0}}, 2);
    write_text(folder, "blend.mecha", blend);
    const char *const name[] = {"MECHA", mecha_binary(), NULL};
    setenv(name[0], name[1], 1);
}

static void tear_down(void) {
    scratch_close(folder);
}

static RunOptions here(void) {
    return (RunOptions){.folder = folder};
}

static char *contents(const char *name, size_t *size) {
    char *path = path_in(folder, name);
    char *text = read_file(path, size);
    ck_assert_msg(text != NULL, "there is no %s", name);
    free(path);
    return text;
}

static void expect_same_files(const char *first, const char *second) {
    size_t first_size, second_size;
    char *a = contents(first, &first_size), *b = contents(second, &second_size);
    ck_assert_uint_eq(first_size, second_size);
    ck_assert_mem_eq(a, b, first_size);
    free(a);
    free(b);
}

/* A shell script in the folder, in which $MECHA is the program. */
static Run script(const char *words) {
    RunOptions options = here();
    return run_shell(&options, words);
}

static void expect_script(const char *words, int status, const char *output, const char *error) {
    Run run = script(words);
    ck_assert_msg(run.status == status && strcmp(run.output, output) == 0 &&
                      strcmp(run.error, error) == 0,
                  "%s\nstatus %d\n%s\n%s", words, run.status, run.output, run.error);
    run_free(&run);
}

/* --- Usage. */

static const struct {
    const char *words, *first_line;
} wrong[] = {
    {"run", "mecha: 'mecha run' needs PLAN"},
    {"run blend.mecha more", "mecha: 'more' is one too many"},
    {"chekc", "mecha: 'chekc' is no command and no recipe; did you mean 'check'?"},
    {"frobnicate", "mecha: 'frobnicate' is no command and no recipe"},
    {"run --thraeds 2 blend.mecha", "mecha: unknown option '--thraeds'; did you mean '--threads'?"},
    {"run blend.mecha --thraeds 2", "mecha: unknown option '--thraeds'; did you mean '--threads'?"},
    {"blend.mecha --quux", "mecha: unknown option '--quux'"},
    {"run blend.mecha -x", "mecha: unknown option '-x'"},
    {"run blend.mecha --out x", "mecha: unknown option '--out'; did you mean '--output'?"},
    {"run blend.mecha --set strength=1", "mecha: unknown option '--strength'"},
    {"run blend.mecha --set strength", "mecha: --set takes NAME=VALUE, not 'strength'"},
    {"run blend.mecha -o", "mecha: --output takes a value, PATH"},
    {"run blend.mecha -j 0", "mecha: --threads takes N, not '0'"},
    {"run blend.mecha --memory lots", "mecha: --memory takes SIZE, not 'lots'"},
    {"run blend.mecha --metadata all", "mecha: --metadata takes full|none, not 'all'"},
    {"run blend.mecha --strict=yes", "mecha: --strict takes no value"},
    {"check blend.mecha --no-sync=1", "mecha: unknown option '--no-sync'"},
    {"fmt -w --check blend.mecha", "mecha: --write and --check exclude each other"},
    {"fmt -w -", "mecha: standard input has no place to be written to"},
    {"help path", "mecha: no help on 'path'; did you mean 'paths'?"},
    {"methods a b", "mecha: 'b' is one too many"},
    {"configs a b", "mecha: 'b' is one too many"},
    {"configs --keys", "mecha: 'mecha configs' needs NAME for that"},
};

START_TEST(wrong_usage_is_told_in_a_line) {
    Builder words = {0};
    builder_format(&words, "\"$MECHA\" %s", wrong[_i].words);
    Run run = script(words.data);
    size_t line = strcspn(run.error, "\n");
    ck_assert_msg(run.status == 2 && strlen(wrong[_i].first_line) == line &&
                      strncmp(run.error, wrong[_i].first_line, line) == 0,
                  "%s: status %d, %s", wrong[_i].words, run.status, run.error);
    ck_assert_ptr_eq(strstr(run.error + line, "\nusage: mecha "), run.error + line);
    ck_assert_str_eq(run.output, "");
    run_free(&run);
    builder_free(&words);
}
END_TEST

START_TEST(every_command_has_a_page) {
    const char *name = commands[_i].name;
    RunOptions options = here();
    Run overview = run_mecha(&options, "help");
    Run page = run_mecha(&options, name, "--help");
    Run again = run_mecha(&options, "help", name);
    ck_assert_int_eq(page.status, 0);
    ck_assert_str_eq(page.error, "");
    ck_assert_ptr_nonnull(strstr(page.output, "usage: mecha "));
    ck_assert_ptr_nonnull(strstr(page.output, "\nexample:\n  mecha "));
    ck_assert_int_eq(strncmp(page.output, again.output, page.output_size), 0);
    Builder entry = {0};
    builder_format(&entry, "\n  %-12s  ", name);
    ck_assert_ptr_nonnull(strstr(overview.output, entry.data));
    builder_free(&entry);
    run_free(&overview);
    run_free(&page);
    run_free(&again);
}
END_TEST

/* Each has --help; whatever else it has is suggested in the same way. */
START_TEST(every_command_suggests_options) {
    RunOptions options = here();
    Builder expected = {0};
    Run run = run_mecha(&options, commands[_i].name, "--hlep");
    builder_format(&expected,
                   "mecha: unknown option '--hlep'; did you mean '--help'?\nusage: mecha %s %s\n",
                   commands[_i].name, commands[_i].operands);
    ck_assert_int_eq(run.status, 2);
    ck_assert_str_eq(run.output, "");
    ck_assert_str_eq(run.error, expected.data);
    builder_free(&expected);
    run_free(&run);
}
END_TEST

/* By their names, by words of them; and what is near one is suggested. */
START_TEST(chapters_of_the_language_are_topics) {
    expect_script(
        "\"$MECHA\" help mass | head -n 4", 0,
        "Operators and mass\n==================\n\n"
        "Operators on models are checked by *mass*, as in barycentric coordinates. A weight "
        "has mass 1, a delta 0.\n",
        "");
    expect_script("\"$MECHA\" help operators-and-mass | head -n 1", 0, "Operators and mass\n", "");
    expect_script("\"$MECHA\" help mergekit | head -n 1", 0, "Coming from mergekit\n", "");
    expect_script("\"$MECHA\" help configs | grep -c '^usage: mecha configs\\|^Configs$'", 0, "2\n",
                  "");
    expect_script("\"$MECHA\" help operaters", 2, "",
                  "mecha: no help on 'operaters'; did you mean 'operators'?\n"
                  "usage: mecha help [TOPIC]\n");
    expect_script(
        "for c in $(\"$MECHA\" help | sed -n '/^chapters/,/^$/p' | sed 1d | tr -d ,); do\n"
        "    \"$MECHA\" help $c > /dev/null || echo $c; done",
        0, "", "");
}
END_TEST

static void expect_completion(const char *words, const char *expected) {
    Builder text = {0};
    builder_format(&text,
                   "cat > try <<'EOF'\nPATH=${MECHA%%/*}:$PATH\nsource <(mecha completion bash)\n"
                   "COMP_WORDS=(%s)\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n_mecha\n"
                   "echo \"${COMPREPLY[*]}\"\nEOF\nbash try",
                   words);
    expect_script(text.data, 0, expected, "");
    builder_free(&text);
}

START_TEST(shells_complete_what_there_is) {
    write_text(folder, "share.mecha",
               "param weight: float = 0.5\nmodel(\"a.safetensors\") * weight\n");
    expect_completion("mecha expl", "explain\n");
    expect_completion("mecha run --thr", "--threads\n");
    expect_completion("mecha run --compute ''", "f32 f64\n");
    expect_completion("mecha run share.mecha --we", "--weight\n");
    expect_completion("mecha share.mecha --we", "--weight\n");
    expect_completion("mecha run share", "share.mecha\n");
    expect_completion("mecha methods slerp", "slerp\n");
    expect_completion("mecha help exit", "exit-status\n");
    expect_completion("mecha completion z", "zsh\n");
    expect_script("for s in bash zsh fish; do \"$MECHA\" completion $s > $s.out;\n"
                  "command -v $s > /dev/null && { $s -n $s.out || echo $s; }; done; true",
                  0, "", "");
    expect_script("\"$MECHA\" completion tcsh", 2, "",
                  "mecha: 'tcsh' is none of bash, zsh and fish\n"
                  "usage: mecha completion bash|zsh|fish\n");
}
END_TEST

START_TEST(topics_are_told_about) {
    expect_script("for t in recipes methods paths sizes exit-status environment; do\n"
                  "    \"$MECHA\" help $t | grep -q . || echo $t; done",
                  0, "", "");
    expect_script("\"$MECHA\" > a; \"$MECHA\" help > b; \"$MECHA\" --help > c; cmp a b && cmp b c",
                  0, "", "");
    expect_script("\"$MECHA\" --version | grep -Ec '^mecha [0-9]+\\.[0-9]+'", 0, "1\n", "");
}
END_TEST

/* --- Running. */

START_TEST(a_run_ends_with_a_summary) {
    RunOptions options = here();
    Run run = run_mecha(&options, "run", "blend.mecha", "-o", "out.safetensors");
    ck_assert_int_eq(run.status, 0);
    ck_assert_str_eq(run.output, "");
    ck_assert_ptr_eq(strstr(run.error, "wrote out.safetensors: 2 keys, "), run.error);
    ck_assert_ptr_nonnull(strstr(run.error, "B/s)\n"));
    ck_assert_ptr_null(strchr(run.error, '\r'));
    ck_assert_ptr_null(strchr(run.error, '\033'));
    run_free(&run);
    run = run_mecha(&options, "run", "blend.mecha", "-q", "-o", "quiet.safetensors");
    ck_assert_int_eq(run.status, 0);
    ck_assert_str_eq(run.error, "");
    run_free(&run);
    expect_same_files("out.safetensors", "quiet.safetensors");
}
END_TEST

START_TEST(recipes_come_from_files_streams_and_scripts) {
    expect_script("\"$MECHA\" blend.mecha -q -o 1.safetensors", 0, "", "");
    expect_script("\"$MECHA\" run -q - -o 2.safetensors < blend.mecha", 0, "", "");
    expect_script("\"$MECHA\" - -q -o 3.safetensors < blend.mecha", 0, "", "");
    expect_script("mkdir other; (echo \"#!$MECHA\"; cat blend.mecha) > script; chmod +x script;"
                  "cd other; ../script -q -o 4.safetensors && mv 4.safetensors ..",
                  0, "", "");
    expect_same_files("1.safetensors", "2.safetensors");
    expect_same_files("1.safetensors", "3.safetensors");
    expect_same_files("1.safetensors", "4.safetensors");
}
END_TEST

START_TEST(models_are_looked_for_in_folders) {
    expect_script(
        "mkdir m n; mv a.safetensors m; mv b.safetensors n\n"
        "\"$MECHA\" run -q blend.mecha --models-dir m --models-dir n -o 1.safetensors &&\n"
        "MECHA_MODELS=m:n \"$MECHA\" run -q blend.mecha -o 2.safetensors && cmp "
        "1.safetensors 2.safetensors",
        0, "", "");
}
END_TEST

START_TEST(check_is_silent_and_writes_nothing) {
    size_t before = count_entries(folder);
    expect_script("\"$MECHA\" check blend.mecha", 0, "", "");
    expect_script("\"$MECHA\" check blend.mecha -o out.safetensors", 0, "", "");
    ck_assert_uint_eq(count_entries(folder), before);
}
END_TEST

START_TEST(dry_runs_explain) {
    expect_script("\"$MECHA\" explain blend.mecha -o out.safetensors > plan &&\n"
                  "\"$MECHA\" run blend.mecha -o out.safetensors --dry-run > dry &&\n"
                  "test -s plan && cmp plan dry && test ! -e out.safetensors",
                  0, "", "");
}
END_TEST

START_TEST(compile_writes_a_list_that_runs_alike) {
    expect_script("\"$MECHA\" compile blend.mecha > list.mecha && head -n 1 list.mecha &&\n"
                  "\"$MECHA\" compile blend.mecha -o again.mecha && cmp list.mecha again.mecha &&\n"
                  "\"$MECHA\" run -q blend.mecha --metadata none -o 1.safetensors &&\n"
                  "\"$MECHA\" run -q list.mecha --metadata none -o 2.safetensors &&\n"
                  "cmp 1.safetensors 2.safetensors",
                  0, "version 0.1.0\n", "");
}
END_TEST

/* What the recipes say, in lists that sd-mecha reads. */
static const struct {
    const char *recipe, *list;
} compiled[] = {
    {"weighted_sum(a, b, 0.25)", "merge \"weighted_sum\" &0 &1 0.25"},
    {"(a + b) / 2", "merge \"weighted_sum\" &0 &1"},
    {"0.25 * a + 0.75 * b", "merge \"weighted_sum\" &0 &1 0.75"},
    {"(a + b + n_average(a, b)) / 3", "merge \"n_average\" &0 &1\nmerge \"n_average\" &0 &1 &2"},
    {"def mix(x, y, k = 0.5) = x + k * (y - x)\nmix(a, mix(a, b), k = 0.5)",
     "merge \"weighted_sum\" &0 &1 0.25"},
    {"a + { \"x\": 0.5, \"*\": 2 } * (b - a)",
     "dict x=0.5 y=2\nmerge \"subtract\" &1 &0\nmerge \"add_difference\" &0 &3 &2"},
    {"a + 0.5 * ties_sum([b - a, a - b], k = 0.5)",
     "merge \"subtract\" &1 &0\nmerge \"subtract\" &0 &1\n"
     "merge \"ties_sum\" &2 &3 k=0.5\nmerge \"add_difference\" &0 &4 0.5"},
};

START_TEST(compile_expands_what_lists_lack) {
    Builder text = {0}, list = {0};
    builder_format(&text, "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n%s\n",
                   compiled[_i].recipe);
    write_text(folder, "plan.mecha", text.data);
    builder_format(&list,
                   "version 0.1.0\n"
                   "model \"a.safetensors\" model_config=null merge_space=\"weight\"\n"
                   "model \"b.safetensors\" model_config=null merge_space=\"weight\"\n%s",
                   compiled[_i].list);
    expect_script("\"$MECHA\" compile plan.mecha -o list.mecha && cat list.mecha", 0, list.data,
                  "");
    expect_script("\"$MECHA\" compile list.mecha -o again.mecha && cmp list.mecha again.mecha", 0,
                  "", "");
    builder_free(&text);
    builder_free(&list);
}
END_TEST

/* What has no equivalent, and why. */
static const struct {
    const char *recipe, *message, *hint;
} uncompiled[] = {
    {"literal({ \"x y\": 1 }, space = \"weight\")",
     "3:1: error: this cannot be said in an instruction list",
     "a key with blanks, quotes, '=' or '\\' cannot be written there"},
    {"a | b", "3:1: error: this cannot be said in an instruction list",
     "^^^^^ there, keys are filled for models of a known config only"},
    {"a[\"x\"]", "3:1: error: this cannot be said in an instruction list",
     "^^^^^^ there is no way to keep the keys that a pattern matches"},
    {"method m(p: S) -> S { p * 2 }\nslerp(m(a), b)",
     "4:7: error: this cannot be said in an instruction list",
     "^^^^ 'm' is a method of your own, and a list holds no definitions"},
    {"save a to \"1.safetensors\"\nsave b to \"2.safetensors\"",
     "error: an instruction list has one result, but the recipe saves 2", ""},
    {"save a, dtype = { \"x\": f32, \"*\": bf16 }",
     "3:17: error: dtypes by key cannot be said in an instruction list", "--dtype NAME"},
};

START_TEST(compile_warns_of_what_it_leaves_out) {
    write_text(folder, "plan.mecha",
               "save model(\"a.safetensors\") to \"x.safetensors\", dtype = bf16,\n"
               "     shard_size = \"1M\"\n");
    Run run = script("\"$MECHA\" compile plan.mecha");
    ck_assert_int_eq(run.status, 0);
    ck_assert_pstr_ne(strstr(run.error, "warning: an instruction list does not say how its result "
                                        "is saved: dtype, shard_size\n"),
                      NULL);
    ck_assert_pstr_ne(strstr(run.error, "say it again where the list runs"), NULL);
    run_free(&run);
}
END_TEST

START_TEST(compile_names_what_has_no_equivalent) {
    Builder text = {0};
    builder_format(&text, "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n%s\n",
                   uncompiled[_i].recipe);
    write_text(folder, "plan.mecha", text.data);
    Run run = script("\"$MECHA\" compile plan.mecha");
    ck_assert_int_eq(run.status, 1);
    ck_assert_str_eq(run.output, "");
    ck_assert_msg(strstr(run.error, uncompiled[_i].message) != NULL, "%s", run.error);
    ck_assert_msg(strstr(run.error, uncompiled[_i].hint) != NULL, "%s", run.error);
    run_free(&run);
    builder_free(&text);
}
END_TEST

static const char no_model[] =
    "[\n  {\"severity\": \"error\", \"message\": \"there is no file 'aa.safetensors'\", \"hint\": "
    "\"did you mean 'a.safetensors'?\", \"file\": \"plan.mecha\", \"line\": 1, \"column\": 1, "
    "\"end_line\": 1, \"end_column\": 24}\n]\n";

START_TEST(messages_can_be_json) {
    write_text(folder, "plan.mecha", "model(\"aa.safetensors\")\n");
    expect_script("\"$MECHA\" check --json blend.mecha", 0, "[]\n", "");
    expect_script("\"$MECHA\" check --json plan.mecha", 1, no_model, "");
    expect_script("\"$MECHA\" compile --json plan.mecha", 1, "", no_model);
    expect_script("\"$MECHA\" run --json plan.mecha -o out.safetensors", 1, "", no_model);
    expect_script("\"$MECHA\" run --json blend.mecha -o out.safetensors", 0, "", "[]\n");
}
END_TEST

START_TEST(fmt_prints_checks_and_rewrites) {
    expect_script("printf 'a   =model( \"a.safetensors\" )\\na\\n' > ugly.mecha\n"
                  "\"$MECHA\" fmt ugly.mecha",
                  0, "a = model(\"a.safetensors\")\na\n", "");
    expect_script("\"$MECHA\" fmt - < ugly.mecha", 0, "a = model(\"a.safetensors\")\na\n", "");
    expect_script("\"$MECHA\" fmt --check ugly.mecha", 1, "ugly.mecha\n", "");
    expect_script("\"$MECHA\" fmt -w ugly.mecha && \"$MECHA\" fmt --check ugly.mecha && cat "
                  "ugly.mecha",
                  0, "a = model(\"a.safetensors\")\na\n", "");
    Run run = script("\"$MECHA\" fmt absent.mecha");
    ck_assert_int_eq(run.status, 1);
    ck_assert_str_eq(run.error, "mecha: absent.mecha: No such file or directory\n");
    run_free(&run);
}
END_TEST

START_TEST(info_tells_about_models) {
    Run run = script("\"$MECHA\" info a.safetensors b.safetensors --keys 'x*'");
    ck_assert_int_eq(run.status, 0);
    ck_assert_ptr_nonnull(strstr(run.output, "a.safetensors"));
    ck_assert_ptr_nonnull(strstr(run.output, "b.safetensors"));
    run_free(&run);
    run = script("\"$MECHA\" info absent.safetensors a.safetensors");
    ck_assert_int_eq(run.status, 1);
    ck_assert_ptr_nonnull(strstr(run.error, "absent.safetensors"));
    ck_assert_ptr_nonnull(strstr(run.output, "a.safetensors"));
    run_free(&run);
}
END_TEST

START_TEST(methods_are_listed_and_shown) {
    expect_script("\"$MECHA\" methods | grep -c '^weighted_sum  *[A-Za-z]'", 0, "1\n", "");
    expect_script("\"$MECHA\" methods slerp | grep -c 'method slerp('", 0, "1\n", "");
    Run run = script("\"$MECHA\" methods weigthed_sum");
    ck_assert_int_eq(run.status, 1);
    ck_assert_ptr_nonnull(strstr(run.error, "did you mean 'weighted_sum'?"));
    run_free(&run);
}
END_TEST

START_TEST(what_is_unknown_is_told) {
    expect_script("\"$MECHA\" methods weigthed_sum", 1, "",
                  "mecha: error: unknown method 'weigthed_sum'\n"
                  "      = did you mean 'weighted_sum'?\n");
    expect_script("\"$MECHA\" check blend.mecha --space wieght", 1, "",
                  "mecha: error: unknown merge space 'wieght'\n"
                  "      = --space takes weight, delta, param or any\n");
}
END_TEST

static const char page_of_asks[] =
    "usage: mecha asks.mecha [-o OUT] [options] [--PARAM VALUE ...]\n"
    "\n"
    "Two models, blended.\n"
    "\n"
    "parameters:\n"
    "  --strength float          how much of the second (in 0..1, default 0.5)\n"
    "  --quick bool              whether to hurry (default false)\n"
    "  --out path                where to write (required)\n"
    "\n"
    "'mecha run --help' lists the options.\n";

/* A mistake with its parameters is wrong usage: what was wrong, and the page. */
static void expect_misuse(const char *words, const char *message) {
    Run run = script(words);
    ck_assert_int_eq(run.status, 2);
    ck_assert_str_eq(run.output, "");
    ck_assert_msg(strstr(run.error, message) != NULL && strstr(run.error, page_of_asks) != NULL,
                  "%s", run.error);
    run_free(&run);
}

START_TEST(a_recipe_has_a_page) {
    write_text(folder, "asks.mecha",
               "#!/usr/bin/env mecha\n# Two models, blended.\n"
               "param strength: float = 0.5 in 0..1   \"how much of the second\"\n"
               "param quick: bool = false   \"whether to hurry\"\n"
               "param out: path   \"where to write\"\n"
               "save model(\"a.safetensors\") to out\n"
               "save model(\"a.safetensors\") to \"two.safetensors\"\n");
    expect_script("\"$MECHA\" asks.mecha --help", 0, page_of_asks, "");
    expect_misuse("\"$MECHA\" run asks.mecha", "error: the recipe needs a value for 'out'\n");
    expect_misuse("\"$MECHA\" check asks.mecha --out x.safetensors --strength 2",
                  "error: the value of 'strength' is not in 0..1\n");
    expect_script("\"$MECHA\" check asks.mecha --out x.safetensors -o y.safetensors", 1, "",
                  "mecha: error: -o names one output, but the recipe saves 2\n");
    expect_script("\"$MECHA\" configs nope", 1, "",
                  "mecha: error: unknown model config 'nope'\n"
                  "      = mecha configs lists them\n");
}
END_TEST

START_TEST(strict_wants_the_keys_of_a_config) {
    write_text(folder, "lacking.mecha",
               "config \"toy\" { \"x\"; \"y\"; \"z\"; \"o\" optional }\n"
               "model(\"a.safetensors\", config = \"toy\")\n");
    expect_script("\"$MECHA\" check lacking.mecha", 0, "", "");
    write_text(folder, "absent.mecha",
               "method m(a: S) -> S { if numel(a) > 3 then absent() else a }\n"
               "m(model(\"a.safetensors\"))\n");
    Run absent = script("\"$MECHA\" check --strict absent.mecha > said 2>&1");
    run_free(&absent);
    expect_script("grep -c \"cannot be computed: an input lacks it\" said", 0, "1\n", "");
    Run run = script("\"$MECHA\" check --strict lacking.mecha");
    ck_assert_int_eq(run.status, 1);
    ck_assert_msg(strstr(run.error, "a.safetensors lacks keys of 'toy': z\n") != NULL, "%s",
                  run.error);
    run_free(&run);
}
END_TEST

START_TEST(a_recipe_that_is_not_there_is_told) {
    expect_script("\"$MECHA\" check bland.mecha", 1, "",
                  "mecha: error: cannot read the recipe 'bland.mecha': No such file or directory\n"
                  "      = did you mean 'blend.mecha'?\n");
}
END_TEST

/* --- Faults: one message each, and nothing left behind. */

static const struct {
    const char *recipe, *output, *message;
} faults[] = {
    {"weigthed_sum(a, b)", "o.safetensors",
     "unknown function or method 'weigthed_sum'\n    3 | weigthed_sum(a, b)\n"
     "      | ^^^^^^^^^^^^ did you mean 'weighted_sum'?\n"},
    {"weighted_sum(a, b, alpah = 1)", "o.safetensors", "'weighted_sum' has no parameter 'alpah'"},
    {"a + b", "o.safetensors", "this adds 2 whole models"},
    {"a - b", "o.safetensors", "the result is a delta, not a weight"},
    {"model(\"c.safetensors\")", "o.safetensors", "there is no file 'c.safetensors'"},
    {"model(\"page.safetensors\")", "o.safetensors",
     "page.safetensors: is no safetensors file but an HTML page"},
    {"weighted_sum(a, model(\"other.safetensors\"))", "o.safetensors",
     "tensors of the shapes [3] and [4] do not go together"},
    {"a", "absent/o.safetensors",
     "absent/o.safetensors: can't be written: No such file or directory"},
    {"a", ".", ".: is a folder, no regular file"},
    {"a", "blend.mecha", "blend.mecha: exists and is no safetensors file; --force replaces it"},
    {"a", "a.safetensors", "--force"},
};

START_TEST(faults_are_told_once_and_leave_nothing) {
    Builder recipe = {0};
    builder_format(&recipe, "a = model(\"a.safetensors\")\nb = model(\"b.safetensors\")\n%s\n",
                   faults[_i].recipe);
    write_text(folder, "page.safetensors", "<!DOCTYPE html>\n<html><body>Sign in</body></html>\n");
    write_model(folder, "other.safetensors", &(TestTensor){"x", 4, 1}, 1);
    RunOptions options = here();
    options.input = recipe.data;
    size_t entries = count_entries(folder);
    Run run = run_mecha(&options, "run", "-", "-o", faults[_i].output);
    ck_assert_int_eq(run.status, 1);
    ck_assert_msg(strstr(run.error, faults[_i].message) != NULL, "%s", run.error);
    const char *first = strstr(run.error, "error: ");
    ck_assert_ptr_nonnull(first);
    ck_assert_ptr_null(strstr(first + 1, "error: "));
    ck_assert_str_eq(run.output, "");
    ck_assert_uint_eq(count_entries(folder), entries);
    run_free(&run);
    builder_free(&recipe);
}
END_TEST

/* --- Streams. */

START_TEST(a_closed_pipe_ends_quietly) {
    expect_script("(sleep 0.2; \"$MECHA\" help; echo $? > status) | :; sleep 0.5; cat status", 0,
                  "141\n", "");
}
END_TEST

START_TEST(a_closed_pipe_does_not_stop_a_run) {
    expect_script("(sleep 0.2; \"$MECHA\" run blend.mecha -o out.safetensors 2>&1; echo $? > "
                  "status) | :; sleep 0.5; cat status; ls out.safetensors",
                  0, "0\nout.safetensors\n", "");
}
END_TEST

START_TEST(results_that_cannot_be_written_are_told) {
    expect_script("\"$MECHA\" help > /dev/full", 1, "",
                  "mecha: standard output: No space left on device\n");
}
END_TEST

START_TEST(closed_descriptors_do_no_harm) {
    RunOptions options = here();
    Run run = run_mecha(&options, "run", "blend.mecha", "-q", "-o", "1.safetensors");
    run_free(&run);
    options.closed_streams = true;
    run = run_mecha(&options, "run", "blend.mecha", "-o", "2.safetensors");
    ck_assert_int_eq(run.status, 0);
    run_free(&run);
    expect_same_files("1.safetensors", "2.safetensors");
    run = run_mecha(&options, "run", "absent.mecha", "-o", "3.safetensors");
    ck_assert_int_eq(run.status, 1);
    run_free(&run);
}
END_TEST

/* --- Signals. */

static const struct {
    const char *name;
    int status;
} deadly[] = {{"INT", 130}, {"TERM", 143}, {"HUP", 129}};

/* A job in the background ignores SIGINT, unless told otherwise. */
START_TEST(signals_end_the_program_with_words) {
    Builder words = {0};
    builder_format(&words,
                   "mkfifo pipe; sleep 5 > pipe &\n"
                   "env --default-signal=INT,HUP \"$MECHA\" run - -o out.safetensors < pipe &\n"
                   "mecha=$!; sleep 0.3; kill -%s $mecha; wait $mecha",
                   deadly[_i].name);
    Run run = script(words.data);
    ck_assert_int_eq(run.status, deadly[_i].status);
    ck_assert_ptr_nonnull(strstr(run.error, "mecha: interrupted; nothing was changed\n"));
    ck_assert(!path_exists(folder, "out.safetensors"));
    run_free(&run);
    builder_free(&words);
}
END_TEST

START_TEST(ignored_signals_stay_ignored) {
    expect_script("trap '' HUP; (sleep 0.5; cat blend.mecha) | \"$MECHA\" run -q - -o "
                  "out.safetensors & sleep 0.2; kill -HUP $!; wait $!; echo $?",
                  0, "0\n", "");
}
END_TEST

/* Killed at any time, there is a whole file or none, and nothing else. */
START_TEST(interrupts_leave_nothing_behind) {
    write_model(folder, "a.safetensors", &(TestTensor){"w", 3000000, 1}, 1);
    write_model(folder, "b.safetensors", &(TestTensor){"w", 3000000, 2}, 1);
    expect_script(
        "mkdir out\n"
        "for i in $(seq 0 24); do\n"
        "    rm -f out/*\n"
        "    \"$MECHA\" run -q blend.mecha --metadata none -o out/out.safetensors 2>log &\n"
        "    sleep 0.0$(printf %02d $i); kill -TERM $! 2>>log; { wait $!; } 2>>log; s=$?\n"
        "    case $s.$(ls out) in 143.|143.out.safetensors|0.out.safetensors) ;;\n"
        "        *) echo status $s; ls out; cat log ;; esac\n"
        "    [ ! -e out/out.safetensors ] || \"$MECHA\" info out/out.safetensors > info ||\n"
        "        echo broken\n"
        "done",
        0, "", "");
}
END_TEST

Suite *cli_suite(void) {
    Suite *suite = suite_create("cli");
    TCase *tests = tcase_create("cli");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_loop_test(tests, wrong_usage_is_told_in_a_line, 0, sizeof wrong / sizeof *wrong);
    tcase_add_loop_test(tests, every_command_has_a_page, 0, (int)n_commands);
    tcase_add_loop_test(tests, every_command_suggests_options, 0, (int)n_commands);
    tcase_add_test(tests, chapters_of_the_language_are_topics);
    tcase_add_test(tests, shells_complete_what_there_is);
    tcase_add_test(tests, topics_are_told_about);
    tcase_add_test(tests, a_run_ends_with_a_summary);
    tcase_add_test(tests, recipes_come_from_files_streams_and_scripts);
    tcase_add_test(tests, models_are_looked_for_in_folders);
    tcase_add_test(tests, check_is_silent_and_writes_nothing);
    tcase_add_test(tests, dry_runs_explain);
    tcase_add_test(tests, compile_writes_a_list_that_runs_alike);
    tcase_add_loop_test(tests, compile_expands_what_lists_lack, 0,
                        sizeof compiled / sizeof *compiled);
    tcase_add_test(tests, compile_warns_of_what_it_leaves_out);
    tcase_add_loop_test(tests, compile_names_what_has_no_equivalent, 0,
                        sizeof uncompiled / sizeof *uncompiled);
    tcase_add_test(tests, messages_can_be_json);
    tcase_add_test(tests, fmt_prints_checks_and_rewrites);
    tcase_add_test(tests, info_tells_about_models);
    tcase_add_test(tests, methods_are_listed_and_shown);
    tcase_add_test(tests, a_recipe_that_is_not_there_is_told);
    tcase_add_test(tests, what_is_unknown_is_told);
    tcase_add_test(tests, a_recipe_has_a_page);
    tcase_add_test(tests, strict_wants_the_keys_of_a_config);
    tcase_add_loop_test(tests, faults_are_told_once_and_leave_nothing, 0,
                        sizeof faults / sizeof *faults);
    tcase_add_test(tests, a_closed_pipe_ends_quietly);
    tcase_add_test(tests, a_closed_pipe_does_not_stop_a_run);
    tcase_add_test(tests, results_that_cannot_be_written_are_told);
    tcase_add_test(tests, closed_descriptors_do_no_harm);
    tcase_add_loop_test(tests, signals_end_the_program_with_words, 0,
                        sizeof deadly / sizeof *deadly);
    tcase_add_test(tests, ignored_signals_stay_ignored);
    tcase_add_test(tests, interrupts_leave_nothing_behind);
    suite_add_tcase(suite, tests);
    return suite;
}
