#include "said.h"
#include "tests.h"

#include "syntax/dump.h"
#include "syntax/parse.h"

#include <stdlib.h>
#include <string.h>

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
    static const SaidCase cases[] = {
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
    static const SaidCase cases[] = {
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
    static const SaidCase cases[] = {
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
    static const SaidCase cases[] = {
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
        {"save a | b, dtype = \"f16\"", "(save (| a b) [(dtype= \"f16\")])"},
        {"save a | b to \"o\", dtype = \"bf16\", metadata = { \"a\": 1 }",
         "(save (| a b) \"o\" [(dtype= \"bf16\") (metadata= (map [(entry \"a\" 1)]))])"},
        {"save = 1\nto = save\nconfig = to.config", "(bind save 1)\n(bind to save)\n"
                                                    "(bind config (member config to))"},
    };
    CHECK_TREES(cases);
}
END_TEST

START_TEST(structures_are_read) {
    static const SaidCase cases[] = {
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
    static const SaidCase cases[] = {
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
    ck_assert_int_eq(source_dialect(TEXT("version")), DIALECT_INSTRUCTIONS);
    ck_assert_int_eq(source_dialect(TEXT("version ^ 2\n")), DIALECT_RECIPE);
    ck_assert_int_eq(source_dialect(TEXT("versions(3)\n")), DIALECT_RECIPE);
    ck_assert_int_eq(source_dialect(TEXT("")), DIALECT_RECIPE);
}
END_TEST

START_TEST(what_is_expected_is_said) {
    static const SaidCase cases[] = {
        {"x = a b", "1:7 expected the end of the statement, found 'b'"},
        {"x = f(a b)", "1:9 expected ')' or ',', found 'b' // is a ',' missing before this?"},
        {"x = [1 2]", "1:8 expected ',' or ']', found '2' // is a ',' missing before this?"},
        {"x = { a: 1\n b: 2 }",
         "2:2 expected ',' or '}', found 'b' // is a ',' missing before this?"},
        {"x = { a = 1 }", "1:9 expected ':', found '='"},
        {"x = if a thn b else c", "1:10 expected 'then', found 'thn' // did you mean 'then'?"},
        {"x = if a then b", "1:16 expected 'else', found the end of the file // 'if' makes a "
                            "value, so it needs an 'else'"},
        {"x = if", "1:7 expected an expression, found the end of the file"},
        {"x = f(a,)(", "1:11 missing ')'\nnote 1:10 to close this '('"},
        {"def f(x) -> S { x }",
         "1:10 expected '=' or '{', found '->' // only methods say what they return"},
        {"def f(x y) = x", "1:9 expected ')', found 'y'"},
        {"def f(x): x", "1:9 expected '=' or '{', found ':' // a body stands within { }"},
        {"method m(a: S) { a }",
         "1:16 expected '->' and a type, found '{' // a method says what it returns: -> S"},
        {"method m(a: S) -> { a }", "1:19 expected a type, found '{'"},
        {"param x = 1", "1:9 expected ':', found '=' // a parameter says its type: param x: float"},
        {"import foo", "1:8 expected a string, found 'foo' // write import \"file.mecha\" as name"},
        {"from x import y",
         "1:6 expected the end of the statement, found 'x' // write import \"file.mecha\" as name"},
        {"save x \"y\"",
         "1:8 expected the end of the statement, found a string // write save value "
         "to \"file.safetensors\""},
        {"save x to", "1:10 expected an expression, found the end of the file // write save value "
                      "to \"file.safetensors\""},
        {"x = a as b", "1:10 expected a string, found 'b' // a config's name stands within \"…\""},
        {"x = a.", "1:7 expected a name, found the end of the file"},
        {"x = [f(x) for x if y]", "1:17 expected 'in', found the keyword 'if'"},
        {"repeat 3 { next x }",
         "1:10 expected 'with', found '{' // write repeat 100 with x = start { … }"},
        {"x = a = b",
         "1:7 expected the end of the statement, found '=' // '==' compares, '=' binds"},
        {"config \"a\" { component { } }", "1:24 expected a name, found '{'"},
        {"config \"a\" { \"k\": [1] optinal }",
         "1:23 expected the end of the statement, found 'optinal'"},
        {"x = +a", "1:5 expected an expression, found '+' // numbers have no '+' before them"},
        {"x = a\n+ b", "2:1 expected an expression, found '+' // a statement goes on after an "
                       "operator at the end of the line, not before one"},
        {"parm x: float = 1",
         "1:6 expected the end of the statement, found 'x' // did you mean 'param'?"},
        {"methd m(a: S) -> S { a }",
         "1:7 expected the end of the statement, found 'm' // did you mean 'method'?"},
        {"model \"a.safetensors\"", "1:7 expected the end of the statement, found a string // an "
                                    "instruction list begins with the line 'version 0.1.0'"},
        {"x = f(*y)", "1:7 expected an expression or ')', found '*' // a list can be given as it "
                      "is, without '*'"},
        {"in = 3", "1:1 expected an expression, found the keyword 'in' // a name that is a keyword "
                   "stands within backticks"},
        {"x = in", "1:5 expected an expression, found the keyword 'in' // a name that is a keyword "
                   "stands within backticks"},
    };
    CHECK_SAID(cases);
}
END_TEST

START_TEST(other_languages_are_translated) {
    static const SaidCase cases[] = {
        {"lambda x: x",
         "1:8 expected the end of the statement, found 'x' // a function has a name: def f(x) = …"},
        {"return x", "1:8 expected the end of the statement, found 'x' // the last expression of a "
                     "block is its value"},
        {"elif x", "1:6 expected the end of the statement, found 'x' // write else if"},
        {"while x", "1:7 expected the end of the statement, found 'x' // lists are made with [f(x) "
                    "for x in list], loops with 'repeat'"},
        {"for x in y { z }", "1:1 expected an expression, found the keyword 'for' // lists are "
                             "made with [f(x) for x in list], loops with 'repeat'"},
        {"if a: b", "1:5 expected 'then', found ':' // write if … then … else …"},
        {"x = a if b else c", "1:7 expected the end of the statement, found the keyword 'if' // "
                              "write if … then … else …"},
        {"x = a ? b : c",
         "1:7 expected the end of the statement, found '?' // write if … then … else …"},
        {"x = None", "1:5 unknown name 'None' // write null"},
        {"x = [True, False]",
         "1:6 unknown name 'True' // write true\n1:12 unknown name 'False' // write false"},
        {"f(x) = x + 1", "1:1 a name is expected before '=' // a function is defined with 'def'"},
    };
    CHECK_SAID(cases);
}
END_TEST

START_TEST(statements_without_sense_are_refused) {
    static const SaidCase cases[] = {
        {"x = a < b < c", "1:11 comparisons do not chain // write a < b and b < c"},
        {"x = a\n- b", "2:1 a line that begins with '-' does not continue the one above // put the "
                       "'-' at the end of that line; a value of its own is (-x)"},
        {"f(a)\n-b", "2:1 a line that begins with '-' does not continue the one above // put the "
                     "'-' at the end of that line; a value of its own is (-x)"},
        {"method m(a: S) -> S {\n  x = a\n  -x\n}",
         "3:3 a line that begins with '-' does not continue the one above // put the '-' at the "
         "end of that line; a value of its own is (-x)"},
        {"a\nb", "1:1 this value is not used; give it a name, or make it the last statement"},
        {"x == 1\ny = 1", "1:1 this value is not used; give it a name, or make it the last "
                          "statement // '==' compares, '=' binds"},
        {"def f(x) { x; y = x; y }",
         "1:12 this value is not used; give it a name, or make it the last statement"},
        {"a.b = 3", "1:1 a name is expected before '=' // values never change: make a new one"},
        {"x[0] = 1", "1:1 a name is expected before '=' // values never change: make a new one"},
        {"1 = x", "1:1 a name is expected before '='"},
        {"(x) = 1", "1:1 a name is expected before '='"},
        {"def f(x) { y = x }",
         "1:18 this block has no value // its last statement must be an expression"},
        {"def f(x) { }",
         "1:12 this block has no value // its last statement must be an expression"},
        {"def f(x) { save x to \"y\"; x }", "1:12 'save' stands outside of blocks only"},
        {"def f(x) { next x }", "1:12 'next' outside of a 'repeat'"},
        {"next x", "1:1 'next' outside of a 'repeat'"},
        {"x = repeat 3 with a = 1 { b = a }",
         "1:27 a 'repeat' ends with 'next' and the values of the next round"},
        {"x = repeat 3 with a = 1 { next a; b = a }",
         "1:27 'next' is the last statement of its 'repeat'"},
        {"x = repeat 3 with a = 1, b = 2 { next a }", "1:34 2 states and 1 next value"},
        {"x = 99999999999999999999",
         "1:5 this integer exceeds 64 bits // with a point or an exponent it is a float"},
        {"param x: float = 1 in 0",
         "1:23 expected a range or a list after 'in' // write 0..1 or [\"a\", \"b\"]"},
        {"config \"a\" { \"b\" = 3 }", "1:14 rules stand in conversions only"},
        {"config \"a\" { 3 }",
         "1:14 expected a key, a binding or a template's name with its arguments"},
        {"config \"a\" { \"k\": 3 }",
         "1:19 expected a shape, a dtype, both (int64[1, 77]) or a template with its arguments"},
        {"conversion from \"a\" to \"b\" (x) { \"k\": [1] }",
         "1:34 a conversion holds rules: \"key\" = expression"},
        {"conversion from \"a\" to \"b\" (x) { for i in 0..1 { if i { x } else if i { f(x) } } }",
         "1:57 expected a key, a binding or a template's name with its arguments"},
        {"mecha 2\nx", "1:7 this recipe is for version 2 of the language; here is version 1"},
        {"mecha 1.5\nx", "1:7 this recipe is for version 1.5 of the language; here is version 1"},
    };
    CHECK_SAID(cases);
}
END_TEST

START_TEST(brackets_lead_back_to_their_beginning) {
    static const SaidCase cases[] = {
        {"x = f(a\ny = 2", "2:1 missing ')' before this\nnote 1:6 to close this '('"},
        {"x = f(a,\ny = 2", "2:6 missing ')'\nnote 1:6 to close this '('"},
        {"x = (a]\ny = )", "1:7 missing ')' before this\nnote 1:5 to close this '('\n2:5 nothing "
                           "is open that ')' closes"},
        {"x = [a)", "1:7 missing ']' before this\nnote 1:5 to close this '['"},
        {"x = a)", "1:6 nothing is open that ')' closes"},
        {"x = {\"a\": 1", "1:12 missing '}'\nnote 1:5 to close this '{'"},
        {"x = [a, b\ndef f(y) = y", "2:1 missing ']' before this\nnote 1:5 to close this '['"},
        {"def f(x) {\n  y = x\n", "2:8 missing '}'\nnote 1:10 to close this '{'"},
        {"def f(x) {\n  y = x\ndef g(x) = x",
         "3:1 missing '}' before this\nnote 1:10 to close this '{'"},
        {"def f(x) {\n  y = g(x\n}\nz = b c",
         "3:1 missing ')' before this\nnote 2:8 to close this '('\n4:7 expected the end of the "
         "statement, found 'c'"},
        {"f(g(a, b]", "1:9 missing ')' before this\nnote 1:4 to close this '('"},
        {"def f(x) { a) }", "1:13 nothing is open that ')' closes"},
        {"f(a;b)", "1:4 unexpected ';' inside brackets"},
    };
    CHECK_SAID(cases);
}
END_TEST

START_TEST(every_statement_says_its_own_mistake_once) {
    static const SaidCase cases[] = {
        {"x = a b\ny = 1\nz = ]\nw = )\nv = f(1, 2",
         "1:7 expected the end of the statement, found 'b'\n3:5 nothing is open that ']' "
         "closes\n4:5 nothing is open that ')' closes\n5:11 missing ')'\nnote 5:6 to close this "
         "'('"},
        {"def f(x):\n  y = x +\nz = 1",
         "1:9 expected '=' or '{', found ':' // a body stands within { }"},
        {"method m(a: S) -> S {\n  x = = 2\n  y = 3 3\n  x\n}\nz = 1 1",
         "2:7 expected an expression, found '='\n3:9 expected the end of the statement, found "
         "'3'\n6:7 expected the end of the statement, found '1'"},
        {"method m(a S) -> S {\n  x = = 2\n  {\n  }\n}\nz = 1 1",
         "1:12 expected ')', found 'S'\n6:7 expected the end of the statement, found '1'"},
        {"x = repeat 3 with a = 1 oops {\n y = = 1\n next y\n}\nz = 2 2",
         "1:25 expected '{' or ',', found 'oops' // is a ',' missing before this?\n5:7 expected "
         "the end of the statement, found '2'"},
        {"x = 1_0 + 2 2 2 + \"\ny = 1 1",
         "1:5 malformed number '1_0'\n2:7 expected the end of the statement, found '1'"},
    };
    CHECK_SAID(cases);
}
END_TEST

START_TEST(malformed_instructions_are_named) {
    static const SaidCase cases[] = {
        {"version 0.1.0\nmodel 5", "2:7 the path of a model must be a string, not a number"},
        {"version 0.1.0\nmodel", "2:1 the path of a model is missing: a string after the command"},
        {"version 0.1.0\nmodel path=\"a\"",
         "2:1 the path of a model is missing: a string after the command"},
        {"version 0.1.0\nmodel \"a", "2:7 this string is not closed on its line"},
        {"version 0.1.0\nmodel \"a\\\"", "2:7 this string is not closed on its line"},
        {"version 0.1.0\nmodel \"a\" model_confg=null",
         "2:11 unknown argument 'model_confg' // did you mean 'model_config'?"},
        {"version 0.1.0\nmodel \"a\" null \"weight\" 3",
         "2:25 too many arguments // what follows are model_config and merge_space"},
        {"version 0.1.0\nmodel \"a\" 3",
         "2:11 a config or space must be a string or null, not a number"},
        {"version 0.1.0\ndict", "2:1 an empty dict: name=value is expected, once or more"},
        {"version 0.1.0\ndict 3", "2:6 a dict holds name=value only"},
        {"version 0.1.0\ndict a=1 b=\"x\"",
         "2:10 a dict of different kinds: a string after a number"},
        {"version 0.1.0\ndict a=null b=1", "2:13 a dict of different kinds: a number after null"},
        {"version 0.1.0\nliteral", "2:1 a literal needs a dict: & and its number"},
        {"version 0.1.0\nliteral 3", "2:9 a literal refers to a dict, not to a number"},
        {"version 0.1.0\nmodel \"a\"\nliteral &0",
         "3:9 a literal refers to a dict, and &0 is none"},
        {"version 0.1.0\nmerge", "2:1 the name of a method is missing: a string after the command"},
        {"version 0.1.0\nmerge 5", "2:7 the name of a method must be a string, not a number"},
        {"version 0.1.0\nmerge name=\"x\"",
         "2:1 the name of a method is missing: a string after the command"},
        {"version 0.1.0\nload \"a\"",
         "2:1 unknown command 'load' // commands are model, dict, literal and merge"},
        {"version 0.1.0\nmerg \"a\"", "2:1 unknown command 'merg' // did you mean 'merge'?"},
        {"version 0.1.0\n\"model\" \"a\"", "2:1 expected a command, found '\"model\"' // commands "
                                           "are model, dict, literal and merge"},
        {"version 0.1.0\nmodel \"a\"\nmerge \"m\" &0, &0",
         "3:11 '&0,' is no value // arguments are separated by spaces"},
        {"version 0.1.0\nmodel \"a\"\nmerge \"m\" &1",
         "3:11 &1 is no earlier instruction: there is 1 before this one"},
        {"version 0.1.0\nmodel \"a\"\nmodel \"b\"\nmerge \"m\" &-1",
         "4:11 &-1 is no earlier instruction: there are 2 before this one"},
        {"version 0.1.0\nmerge \"m\" &b", "2:11 '&b' is no value // a reference is & and a number"},
        {"version 0.1.0\nmerge \"m\" one",
         "2:11 'one' is no value // a string stands within \"…\""},
        {"version 0.1.0\nmerge \"m\" alpha = 0.5",
         "2:11 'alpha' is no value // no space stands around '='"},
        {"version 0.1.0\nmerge \"m\" alpha= 0.5",
         "2:18 this value does not follow its '=' // no space stands around '='"},
        {"version 0.1.0\nmerge \"m\" alpha=",
         "2:17 a value is missing after '=' // no space stands around '='"},
        {"version 0.1.0\nmerge \"m\" =5",
         "2:11 a name is missing before '=' // no space stands around '='"},
        {"version 0.1.0\nmerge \"m\" a=b=5", "2:13 expected a value // no space stands around '='"},
        {"version 0.2.0\nmodel \"a\"",
         "1:9 version 0.2.0 of the format is unknown; this is version 0.1.0"},
        {"version\nmodel \"a\"", "1:1 the first line must be 'version 0.1.0'"},
        {"version 0.1.0 0.1.0\nmodel \"a\"", "1:1 the first line must be 'version 0.1.0'"},
        {"version 0.1.0\nversion 0.1.0\nmodel \"a\"",
         "2:1 the version stands on the first line only"},
        {"version 0.1.0", "1:14 an instruction list without instructions"},
        {"version 0.1.0\n# nothing\n", "3:1 an instruction list without instructions"},
        {"version 0.1.0\nload \"a\"\nmodel 5\n\"x\"\nmodel \"a\"\nmerge \"m\" &3 &4",
         "2:1 unknown command 'load' // commands are model, dict, literal and merge\n3:7 the path "
         "of a model must be a string, not a number\n4:1 expected a command, found '\"x\"' // "
         "commands are model, dict, literal and merge\n6:14 &4 is no earlier instruction: there "
         "are 4 before this one"},
    };
    CHECK_SAID(cases);
}
END_TEST

/* PREFIX, then UNIT again and again, then SUFFIX. */
static Builder repeated(const char *prefix, const char *unit, size_t times, const char *suffix) {
    Builder text = {0};
    builder_add(&text, text_from(prefix));
    for (size_t i = 0; i < times; i++)
        builder_add(&text, text_from(unit));
    builder_add(&text, text_from(suffix));
    builder_char(&text, '\0');
    text.size--;
    return text;
}

static void check_repeated(const char *prefix, const char *unit, size_t times, const char *suffix,
                           const char *expected) {
    Builder text = repeated(prefix, unit, times, suffix);
    check_said(text.data, expected);
    builder_free(&text);
}

START_TEST(long_chains_are_no_nesting) {
    check_repeated("x = a", " + b * c", 100000, "", "");
    check_repeated("x = [", "a, ", 100000, "]", "");
    check_repeated("x = (((a))) ", "- (b)", 100000, "", "");
}
END_TEST

START_TEST(nesting_has_a_limit) {
    check_repeated("x = ", "(", NESTING_LIMIT, "",
                   "1:205 missing ')'\nnote 1:204 to close this '('");
    check_repeated("x = ", "(", NESTING_LIMIT + 1, "a",
                   "1:205 nested too deep: 200 levels are the limit");
    check_repeated("x = ", "[", 100000, "a", "1:205 nested too deep: 200 levels are the limit");
    check_repeated("x = ", "-", 150, "a\ny = 1", "");
    check_repeated("x = ", "-", 300, "a\ny = 1 1",
                   "1:305 nested too deep: 200 levels are the limit\n2:7 expected the end of the "
                   "statement, found '1'");
    check_repeated("x = ", "a^", 100000, "a", "1:10000 nested too deep: 200 levels are the limit");
    check_repeated("x = a", ".b", 300, "", "1:405 nested too deep: 200 levels are the limit");
}
END_TEST

START_TEST(docs_are_the_comments_above) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Text text = TEXT("#!/bin/x\n# of m \t\n#   more\r\n#\n\tmethod m(a: S) -> S { a }\n# lost\n\n"
                     "def f(x) = x # not above\ndef g(x) = x\n"
                     "# ignored\nparam p: int = 1 \"said\"");
    Ast *file = parse_recipe(&arena, diags, diags_source(diags, TEXT("t"), text));
    ck_assert_str_eq(file->items[0]->doc.data, "of m\n  more\n");
    ck_assert(text_equal(file->items[0]->doc, TEXT("of m\n  more\n")));
    ck_assert_uint_eq(file->items[1]->doc.size, 0);
    ck_assert_uint_eq(file->items[2]->doc.size, 0);
    ck_assert(text_equal(file->items[3]->doc, TEXT("said")));
    diags_free(diags);
    arena_free(&arena);
}
END_TEST

START_TEST(texts_outlive_the_trees_that_were_read_apart) {
    Arena arena = {0}, trees = {0};
    Diags *diags = diags_new();
    Text text = TEXT("# of x\nx = \"a\\n\"\ny = \"plain\"\n");
    Ast *file = parse_recipe_apart(&arena, &trees, diags, diags_source(diags, TEXT("t"), text));
    Text name = file->items[0]->text, doc = file->items[0]->doc;
    Text decoded = file->items[0]->a->text, plain = file->items[1]->a->text;
    ck_assert_ptr_nonnull(trees.chunk);
    arena_free(&trees);
    ck_assert(text_equal(name, TEXT("x")));
    ck_assert(text_equal(doc, TEXT("of x")));
    ck_assert(text_equal(decoded, TEXT("a\n")));
    ck_assert(text_equal(plain, TEXT("plain")));
    diags_free(diags);
    arena_free(&arena);
}
END_TEST

static Text spanned(const Diags *diags, Span span) {
    const char *text = diags_find(diags, span.source)->text.data;
    return (Text){text + span.begin, span.end - span.begin};
}

START_TEST(spans_hold_what_they_name) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Text text = TEXT("x = (a + b) * f(k = 2)[0].vae\nparam p: int = 1 in 0..2 \"d\"\n");
    Ast *file = parse_recipe(&arena, diags, diags_source(diags, TEXT("t"), text));
    const Ast *bind = file->items[0], *product = bind->a, *member = product->b;
    ck_assert(text_equal(spanned(diags, bind->name_span), TEXT("x")));
    ck_assert(text_equal(spanned(diags, bind->span), TEXT("x = (a + b) * f(k = 2)[0].vae")));
    ck_assert(text_equal(spanned(diags, product->a->span), TEXT("(a + b)")));
    ck_assert(text_equal(spanned(diags, member->span), TEXT("f(k = 2)[0].vae")));
    ck_assert(text_equal(spanned(diags, member->name_span), TEXT("vae")));
    ck_assert(text_equal(spanned(diags, member->a->a->items[0]->span), TEXT("k = 2")));
    ck_assert(
        text_equal(spanned(diags, file->items[1]->span), TEXT("param p: int = 1 in 0..2 \"d\"")));
    ck_assert(text_equal(spanned(diags, file->items[1]->c->span), TEXT("0..2")));
    diags_free(diags);
    arena_free(&arena);
}
END_TEST

static void check_example(Text example) {
    char *said = said_about(example);
    ck_assert_msg(*said == '\0', "%.*s\n%s", TEXT_ARG(example), said);
    free(said);
}

/* What stands between ```mecha and ``` is a recipe. */
START_TEST(documented_examples_are_read) {
    static const char fence[] = "\n```mecha\n";
    Builder page = {0};
    FILE *file = fopen("docs/language.md", "r");
    ck_assert_ptr_nonnull(file);
    for (int c; (c = getc(file)) != EOF;)
        builder_char(&page, (char)c);
    fclose(file);
    builder_char(&page, '\0');
    unsigned found = 0;
    for (char *at = strstr(page.data, fence); at; at = strstr(at, fence), found++) {
        at += sizeof fence - 1;
        check_example((Text){at, (size_t)(strstr(at, "```") - at)});
    }
    ck_assert_uint_ge(found, 3);
    builder_free(&page);
}
END_TEST

START_TEST(repeated_names_keep_the_last_value) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Builder text = {0};
    builder_add(&text, TEXT("version 0.1.0\ndict"));
    for (int i = 0; i < 3000; i++)
        builder_format(&text, " k%d=%d", i % 1000, i);
    InstructionList list =
        parse_instructions(&arena, diags, diags_source(diags, TEXT("t"), builder_view(&text)));
    ck_assert_uint_eq(list.items[0].n_arguments, 1000);
    for (uint32_t i = 0; i < 1000; i++)
        ck_assert_int_eq(list.items[0].arguments[i].integer, 2000 + i);
    builder_free(&text);
    diags_free(diags);
    arena_free(&arena);
}
END_TEST

START_TEST(long_lists_are_read) {
    Arena arena = {0};
    Diags *diags = diags_new();
    Builder text = {0};
    builder_add(&text, TEXT("version 0.1.0\nmodel \"a\"\nmodel \"b\""));
    for (int i = 0; i < 100000; i++)
        builder_format(&text, "\nmerge \"weighted_sum\" &%d &%d alpha=0.5", i, i + 1);
    InstructionList list =
        parse_instructions(&arena, diags, diags_source(diags, TEXT("t"), builder_view(&text)));
    ck_assert(!list.failed);
    ck_assert_uint_eq(list.count, 100002);
    ck_assert_uint_eq(list.items[100001].arguments[2].reference, 100000);
    builder_free(&text);
    diags_free(diags);
    arena_free(&arena);
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
    tcase_add_test(tests, what_is_expected_is_said);
    tcase_add_test(tests, other_languages_are_translated);
    tcase_add_test(tests, statements_without_sense_are_refused);
    tcase_add_test(tests, brackets_lead_back_to_their_beginning);
    tcase_add_test(tests, every_statement_says_its_own_mistake_once);
    tcase_add_test(tests, malformed_instructions_are_named);
    tcase_add_test(tests, long_chains_are_no_nesting);
    tcase_add_test(tests, nesting_has_a_limit);
    tcase_add_test(tests, docs_are_the_comments_above);
    tcase_add_test(tests, texts_outlive_the_trees_that_were_read_apart);
    tcase_add_test(tests, spans_hold_what_they_name);
    tcase_add_test(tests, documented_examples_are_read);
    tcase_add_test(tests, repeated_names_keep_the_last_value);
    tcase_add_test(tests, long_lists_are_read);
    suite_add_tcase(suite, tests);
    return suite;
}
