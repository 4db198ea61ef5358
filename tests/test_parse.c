#include "tests.h"

#include "syntax/dump.h"
#include "syntax/parse.h"

#include <stdlib.h>
#include <string.h>

typedef struct Case {
    const char *text, *expected;
} Case;

/* Everything said about TEXT, as the user sees it. */
static char *printed(const Diags *diags) {
    char *text;
    size_t size;
    FILE *stream = open_memstream(&text, &size);
    diags_print(diags, stream, (DiagStyle){0});
    fclose(stream);
    return text;
}

/* The statements of a recipe, one dump a line. */
static void check_tree(const char *text, const char *expected) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Ast *file = parse_recipe(&arena, diags, diags_source(diags, TEXT("t"), text_from(text)));
    char *messages = printed(diags);
    ck_assert_msg(!diag_failed(diags), "%s\n%s", text, messages);
    Builder dump = {0};
    for (uint32_t i = 0; i < file->n_items; i++) {
        if (i > 0)
            builder_char(&dump, '\n');
        ast_dump(file->items[i], &dump);
    }
    builder_char(&dump, '\0');
    ck_assert_str_eq(dump.data, expected);
    builder_free(&dump);
    free(messages);
    diags_free(diags);
    arena_free(&arena);
}

#define CHECK_TREES(cases)                                                                         \
    for (size_t i = 0; i < sizeof(cases) / sizeof *(cases); i++)                                   \
    check_tree((cases)[i].text, (cases)[i].expected)

START_TEST(operators_bind_as_documented) {
    static const Case cases[] = {
        {"x = a + b * c", "(bind x (+ a (* b c)))"},
        {"x = a - b - c", "(bind x (- (- a b) c))"},
        {"x = a ^ b ^ c", "(bind x (^ a (^ b c)))"},
        {"x = -a ^ 2", "(bind x (- (^ a 2)))"},
        {"x = a ^ -1", "(bind x (^ a (- 1)))"},
        {"x = a ^ -b ^ c * d", "(bind x (* (^ a (- (^ b c))) d))"},
        {"x = -a * b", "(bind x (* (- a) b))"},
        {"x = a--b", "(bind x (- a (- b)))"},
        {"x = not a == b and c", "(bind x (and (not (== a b)) c))"},
        {"x = a or b and c | d", "(bind x (| (or a (and b c)) d))"},
        {"x = a < -b", "(bind x (< a (- b)))"},
        {"x = a | b as \"c\"", "(bind x (| a (as b \"c\")))"},
        {"x = -f(a)[0].vae", "(bind x (- (member vae (index (call f [a]) [0]))))"},
        {"x = if a then b else c | d", "(bind x (if a b (| c d)))"},
        {"x = 1 + if a then b else c + d", "(bind x (+ 1 (if a b (+ c d))))"},
        {"x = (a + b) * c", "(bind x (* (+ a b) c))"},
        {"x = (a < b) == c", "(bind x (== (< a b) c))"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(literals_are_read) {
    static const Case cases[] = {
        {"x = [1, 2.5, 1e-3, 3.0E+2, \"s\", true, false, null]",
         "(bind x (list [1 2.5 1e-3 3.0E+2 \"s\" true false null]))"},
        {"x = \"a\\\"b\\\\c\\n\\u{e9}\"", "(bind x \"a\\\"b\\\\c\\n\xc3\xa9\")"},
        {"x = []", "(bind x (list []))"},
        {"x = [1, 2,]", "(bind x (list [1 2]))"},
        {"x = {}", "(bind x (map))"},
        {"x = { IN00..IN03: 0.2, M00: 0.5, \"*.attn2.*\": a, \"*\": b, }",
         "(bind x (map [(entry (range IN00 IN03) 0.2) (entry M00 0.5) (entry \"*.attn2.*\" a) "
         "(entry \"*\" b)]))"},
        {"x = [f(t) for t in list if c]", "(bind x (for t (call f [t]) list c))"},
        {"x = [i for i in 0..3]", "(bind x (for i i (range 0 3)))"},
        {"`a b` = `if`", "(bind a b if)"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(calls_and_indices_are_read) {
    static const Case cases[] = {
        {"f()", "(call f [])"},
        {"f(a, k = 1, if = 2, config = 3,)", "(call f [a (k= 1) (if= 2) (config= 3)])"},
        {"m.f(x).to.vae.in", "(member in (member vae (member to (call (member f m) [x]))))"},
        {"x[\"*.weight\"]", "(index x [\"*.weight\"])"},
        {"x[.., 1.., ..2, 0..2, -1]",
         "(index x [(range) (range 1) (range _ 2) (range 0 2) (- 1)])"},
        {"repeat 100 with w = 1, last = 0 { m = f(w); next g(m), m until m < 1 }",
         "(repeat 100 (block [(bind m (call f [w])) (next (< m 1) [(call g [m]) m])]) "
         "[(bind w 1) (bind last 0)])"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(statements_are_read) {
    static const Case cases[] = {
        {"param k: float = 0.6 in 0..1 \"how much\"", "(param k 0.6 (type float) (range 0 1))"},
        {"param m: str in [\"a\", \"b\"]", "(param m _ (type str) (list [\"a\" \"b\"]))"},
        {"param p: path", "(param p _ (type path))"},
        {"def f(x, y = 1) = x + y", "(def f (+ x y) [(formal x) (formal y 1)])"},
        {"def f(x) = { \"a\": 1 }", "(def f (map [(entry \"a\" 1)]) [(formal x)])"},
        {"def f(x) { y = x\n y }", "(def f (block [(bind y x) y]) [(formal x)])"},
        {"method m(a: weight, *b: S, k: param = 1, n: int? = null) -> S { a }",
         "(method m (block [a]) (type S) [(formal a _ (type weight)) (formal *b _ (type S)) "
         "(formal k 1 (type param)) (formal n null (type int?))])"},
        {"method m(a: weight | delta as \"c\", b: [float]) -> S as \"d\" { a }",
         "(method m (block [a]) (type S \"d\") [(formal a _ (type \"c\" [(type weight) (type "
         "delta)])) (formal b _ (type list _ _ (type float)))])"},
        {"import \"f.mecha\" as m", "(import m \"f.mecha\")"},
        {"save a | b to \"o\", dtype = \"bf16\", metadata = { \"a\": 1 }",
         "(save (| a b) \"o\" [(dtype= \"bf16\") (metadata= (map [(entry \"a\" 1)]))])"},
        {"save = 1\nto = save\nconfig = to.config", "(bind save 1)\n(bind to save)\n"
                                                    "(bind config (member config to))"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(structures_are_read) {
    static const Case cases[] = {
        {"conversion from \"x\" to \"y\" (sd) {\n\"a.{i}\" = sd[\"b.{i}\"]\n[\"c\", \"d\"] = "
         "f(sd)\n}",
         "(conversion \"x\" \"y\" (block [(rule \"a.{i}\" (index sd [\"b.{i}\"])) (rule (list "
         "[\"c\" \"d\"]) (call f [sd]))]) [(formal sd)])"},
        {"template linear(n, m = 2) { \"weight\": [m, n]; \"bias\": [m] }",
         "(template linear _ (block [(key \"weight\" (list [m n])) (key \"bias\" (list [m]))]) "
         "[(formal n) (formal m 2)])"},
        {"config \"c\" dtype \"float16\" { component vae block \"VAE\" { \"p.\" alias \"\" "
         "{ \"k\" } } }",
         "(config \"c\" (block [(component vae _ (block [(prefix \"p.\" (block [(key \"k\")]) "
         "[(attribute alias \"\")])]) [(attribute block \"VAE\")])]) [(attribute dtype "
         "\"float16\")])"},
        {"config \"c\" { for i in 0..2 { \"b{i}.\": linear(2, 3) block \"IN{i:02}\" } }",
         "(config \"c\" (block [(each i (range 0 2) (block [(prefix \"b{i}.\" (block [(call "
         "linear [2 3])]) [(attribute block \"IN{i:02}\")])]))]))"},
        {"config \"c\" { if i == 3 { \"a\": int64[1, 77] optional }\nelse if j { \"b\": int8 } "
         "else { \"c\" alias \"d\" } }",
         "(config \"c\" (block [(when (== i 3) (block [(key \"a\" (list [1 77]) [(attribute "
         "optional) (attribute dtype \"int64\")])]) (when j (block [(key \"b\" [(attribute "
         "dtype \"int8\")])]) (block [(key \"c\" [(attribute alias \"d\")])])))]))"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(newlines_end_statements) {
    static const Case cases[] = {
        {"x = a +\n b", "(bind x (+ a b))"},
        {"x =\n\n a", "(bind x a)"},
        {"x = f(a,\n\n b\n)", "(bind x (call f [a b]))"},
        {"x = [\n a, # one\n b,\n]", "(bind x (list [a b]))"},
        {"x = { \"a\": 1,\n \"b\": 2\n}", "(bind x (map [(entry \"a\" 1) (entry \"b\" 2)]))"},
        {"x = if a\n then b\n # why\n else c", "(bind x (if a b c))"},
        {"a = 1; b = 2;; c", "(bind a 1)\n(bind b 2)\nc"},
        {"a = 1\r\nb = 2\rc = 3", "(bind a 1)\n(bind b 2)\n(bind c 3)"},
        {"# nothing\n\n", ""},
        {"\xef\xbb\xbf#!/usr/bin/env mecha\n# v\nmecha 1\nx", "x"},
        {"f(repeat 2 with a = 1 {\n b = a\n next b\n}, 2)",
         "(call f [(repeat 2 (block [(bind b a) (next [b])]) [(bind a 1)]) 2])"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(instructions_are_read) {
    Arena arena = {0};
    Diags *diags = diags_new();
    const char *text = "#!/usr/bin/env mecha\nversion 0.1.0\r\n\n# c\n"
                       "model \"a=\\\"b.safetensors\" model_config=null # why\n"
                       "\tdict a.b-c=0.25 \"d e\"=1_0 f\\ g=true a.b-c=.5\n"
                       "literal &+1 null \"weight\"\n"
                       "merge \"weighted\\_sum\" &00 alpha=-inf n=99999999999999999999";
    InstructionList list =
        parse_instructions(&arena, diags, diags_source(diags, TEXT("t"), text_from(text)));
    ck_assert(!list.failed && !diag_failed(diags));
    ck_assert_uint_eq(list.count, 4);
    const InstructionArgument *model = list.items[0].arguments, *dict = list.items[1].arguments;
    const InstructionArgument *merge = list.items[3].arguments;
    ck_assert_str_eq(model[0].text.data, "a=\"b.safetensors");
    ck_assert_int_eq(model[1].kind, ARG_NULL);
    ck_assert_uint_eq(list.items[1].n_arguments, 3);
    ck_assert_str_eq(dict[0].name.data, "a.b-c");
    ck_assert_double_eq(dict[0].number, 0.5);
    ck_assert_str_eq(dict[1].name.data, "d e");
    ck_assert_int_eq(dict[1].integer, 10);
    ck_assert_str_eq(dict[2].name.data, "f g");
    ck_assert_int_eq(list.items[2].arguments[0].reference, 1);
    ck_assert_str_eq(merge[0].text.data, "weighted_sum");
    ck_assert_int_eq(merge[1].reference, 0);
    ck_assert(merge[2].number < 0 && merge[2].kind == ARG_FLOAT);
    ck_assert_int_eq(merge[3].integer, INT64_MAX);
    ck_assert_double_eq(merge[3].number, 1e20);
    diags_free(diags);
    arena_free(&arena);
}
END_TEST

START_TEST(dialects_are_told_apart) {
    ck_assert_int_eq(source_dialect(TEXT("version 0.1.0\n")), DIALECT_INSTRUCTIONS);
    ck_assert_int_eq(source_dialect(TEXT("#!x\n\n # c\nversion\t0.1.0")), DIALECT_INSTRUCTIONS);
    ck_assert_int_eq(source_dialect(TEXT("version = 3\n")), DIALECT_RECIPE);
    ck_assert_int_eq(source_dialect(TEXT("versions(3)\n")), DIALECT_RECIPE);
    ck_assert_int_eq(source_dialect(TEXT("")), DIALECT_RECIPE);
}
END_TEST

Suite *parse_suite(void) {
    Suite *suite = suite_create("parse");
    TCase *tests = tcase_create("parse");
    tcase_add_test(tests, operators_bind_as_documented);
    tcase_add_test(tests, literals_are_read);
    tcase_add_test(tests, calls_and_indices_are_read);
    tcase_add_test(tests, statements_are_read);
    tcase_add_test(tests, structures_are_read);
    tcase_add_test(tests, newlines_end_statements);
    tcase_add_test(tests, instructions_are_read);
    tcase_add_test(tests, dialects_are_told_apart);
    suite_add_tcase(suite, tests);
    return suite;
}
