/* The architectures: every key of every config, by a count and a hash of the sorted list, and
 * against the lists beside the project where they are. */
#include "base/file.h"
#include "base/vector.h"
#include "known_configs.h"
#include "scratch.h"
#include "solve/conversion.h"
#include "syntax/parse.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static KnownConfigs library;

static const Config *complete_config(const char *name) {
    const Config *config = configs_find(library.configs, text_from(name));
    ck_assert_msg(config != NULL, "%s cannot be read", name);
    config_complete(library.configs, config);
    return config;
}

typedef VECTOR(Text) Lines;

static int by_bytes(const void *a, const void *b) {
    return text_compare(*(const Text *)a, *(const Text *)b);
}

/* `component key dtype shape optional aliases`, with tabs between. */
static Text key_line(const ConfigKey *key) {
    Builder out = {0};
    builder_format(&out, "%.*s\t%.*s\t", TEXT_ARG(key->component), TEXT_ARG(key->name));
    builder_add(&out, key->dtype == DTYPE_NONE ? TEXT("-") : dtype_info[key->dtype].torch_name);
    builder_add(&out, key->shape != NULL ? TEXT("\t[") : TEXT("\t-"));
    for (uint32_t i = 0; key->shape != NULL && i < key->shape->rank; i++)
        builder_format(&out, "%s%llu", i > 0 ? "," : "", (unsigned long long)key->shape->dims[i]);
    builder_format(&out, "%s\t%s\t", key->shape != NULL ? "]" : "",
                   key->optional ? "optional" : "-");
    for (uint32_t i = 0; i < key->n_aliases; i++)
        builder_format(&out, "%s%.*s", i > 0 ? "," : "", TEXT_ARG(key->aliases[i]));
    builder_add(&out, key->n_aliases == 0 ? TEXT("-") : TEXT(""));
    Text line = text_copy(&library.arena, builder_view(&out));
    builder_free(&out);
    return line;
}

static Lines config_lines(const Config *config) {
    Lines lines = {0};
    for (KeyId key = 0; key < config->n_keys; key++)
        vector_push(&lines, key_line(&config->keys[key]));
    qsort(lines.items, lines.count, sizeof *lines.items, by_bytes);
    return lines;
}

static const struct {
    const char *name;
    uint32_t n_keys, n_blocks;
    uint64_t hash;
} known[] = {
#include "configs.def"
};

START_TEST(keys_are_those_of_the_architecture) {
    known_configs_open(&library);
    const Config *config = complete_config(known[_i].name);
    Lines lines = config_lines(config);
    XXH64_state_t *state = XXH64_createState();
    XXH64_reset(state, 0);
    for (size_t i = 0; i < lines.count; i++) {
        XXH64_update(state, lines.items[i].data, lines.items[i].size);
        XXH64_update(state, "\n", 1);
    }
    uint64_t hash = XXH64_digest(state);
    XXH64_freeState(state);
    vector_free(&lines);
    ck_assert_msg(config->n_keys == known[_i].n_keys && config->n_blocks == known[_i].n_blocks &&
                      hash == known[_i].hash,
                  "{\"%s\", %u, %u, 0x%016llx},", known[_i].name, config->n_keys, config->n_blocks,
                  (unsigned long long)hash);
    known_configs_close(&library);
}
END_TEST

static Lines file_lines(Text text) {
    Lines lines = {0};
    const char *at = text.data, *end = text.data + text.size;
    while (at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        size_t length = newline != NULL ? (size_t)(newline - at) : (size_t)(end - at);
        vector_push(&lines, (Text){at, length});
        at += length + 1;
    }
    return lines;
}

/* Only where the lists are beside the project. */
START_TEST(keys_are_those_of_the_lists) {
    known_configs_open(&library);
    Text text;
    int error;
    Text path = text_format(&library.arena, "../shared/reference/keys/%s.tsv", known[_i].name);
    if (file_read(&library.arena, path, FILE_TEXT_LIMIT, &text, &error)) {
        Lines ours = config_lines(complete_config(known[_i].name)), theirs = file_lines(text);
        qsort(theirs.items + 1, theirs.count - 1, sizeof *theirs.items, by_bytes);
        ck_assert_uint_eq(ours.count, theirs.count - 1);
        for (size_t i = 0; i < ours.count; i++)
            ck_assert_msg(text_equal(ours.items[i], theirs.items[i + 1]),
                          "%.*s is %.*s in the list", TEXT_ARG(ours.items[i]),
                          TEXT_ARG(theirs.items[i + 1]));
        vector_free(&ours);
        vector_free(&theirs);
    }
    known_configs_close(&library);
}
END_TEST

START_TEST(aliases_and_modules_are_found) {
    known_configs_open(&library);
    const Config *sd1 = configs_find(library.configs, TEXT("sd1-ldm"));
    Text name = TEXT("cond_stage_model.transformer.text_model.final_layer_norm.bias");
    KeyId key = config_find(sd1, TEXT("cond_stage_model.transformer.final_layer_norm.bias"));
    ck_assert_uint_ne(key, INDEX_NONE);
    ck_assert(text_equal(sd1->keys[key].name, name));
    ck_assert_uint_eq(config_find(sd1, name), key);
    ck_assert_uint_eq(config_find(sd1, TEXT("final_layer_norm.bias")), INDEX_NONE);
    const Config *lora = configs_find(library.configs, TEXT("sdxl-kohya_kohya_lora"));
    ck_assert_uint_eq(lora->n_keys, 0);
    key = config_find(lora, TEXT("lora_unet_middle_block_1_proj_in.lora_up.weight"));
    ck_assert_uint_eq(key, 0);
    ck_assert(text_equal(lora->keys[0].component, TEXT("diffuser")));
    ck_assert_uint_eq(config_find(lora, TEXT("lora_unet_middle_block_1_proj_in.bias")), INDEX_NONE);
    /* Another name of the same key, of one that is not in being, and of one that comes to be. */
    ck_assert_uint_eq(config_met(lora, TEXT("lora_unet_middle_block_1_proj_in.lora_B.weight")), 0);
    ck_assert_uint_eq(config_met(lora, TEXT("lora_unet_middle_block_1_proj_in.lora_A.weight")),
                      INDEX_NONE);
    ck_assert_uint_eq(config_find(lora, TEXT("lora_unet_middle_block_1_proj_in.lora_A.weight")), 1);
    ck_assert(
        text_equal(lora->keys[1].name, TEXT("lora_unet_middle_block_1_proj_in.lora_down.weight")));
    uint32_t n;
    const Text *aliases = config_aliases(lora, 1, &n);
    ck_assert_uint_eq(n, 4);
    ck_assert(text_equal(aliases[0], TEXT("lora_unet_middle_block_1_proj_in.lora_A.weight")));
    ck_assert_uint_eq(lora->n_keys, 2);
    known_configs_close(&library);
}
END_TEST

/* What is wrong with a config is said at its place. */
static void expect_error(const char *text, const char *message) {
    known_configs_open(&library);
    Text source = text_from(text);
    const Ast *file = parse_recipe(&library.arena, library.diags,
                                   diags_source(library.diags, TEXT("test"), source));
    library_scope(library.library, file);
    ck_assert(configs_find(library.configs, TEXT("a-b")) == NULL);
    ck_assert(diag_failed(library.diags));
    Text said = diags_at(library.diags, 0)->message;
    ck_assert_msg(text_equal(said, text_from(message)), "%.*s", TEXT_ARG(said));
    known_configs_close(&library);
}

START_TEST(mistakes_are_said) {
    expect_error("config \"a-b\" { \"{x}\" }", "unknown name 'x'");
    expect_error("config \"a-b\" { \"{x\" }", "this '{' is not closed");
    expect_error("config \"a-b\" { for i in 3 { \"k\" } }", "'for … in' goes over a list");
    expect_error("config \"a-b\" { \"k\": [1]; \"k\": [2] }",
                 "the config 'a-b' has the key 'k' twice");
    expect_error("template t(n) { if n > 0 { t(n - 1) } else { \"k\" } }\n"
                 "template u() { \"x.\": t(49) }\n"
                 "config \"a-b\" { t(49); u() }",
                 "templates call templates more than 50 deep");
    expect_error("config \"a-b\" { n = 7 / 2; \"k\": [n] }", "this division leaves a remainder");
    expect_error("config \"a-b\" { lineer(1, 2) }", "unknown template 'lineer'");
    expect_error("config \"a-b\" { linear(1) }", "'linear' needs a value for 'outputs'");
    expect_error("config \"a-b\" { \"k\": [1] dtype \"f31\" }", "unknown dtype 'f31'");
    expect_error("config \"a-b\" { for m in modules(\"sd9\") { \"{m}.a\" } }",
                 "unknown model config 'sd9'");
    expect_error("config \"a-b\" { for m in modules(\"a-b\") { \"{m}.a\" } }",
                 "the config 'a-b' is made from itself");
    expect_error("template t() { t() }\nconfig \"a-b\" { t() }",
                 "templates call templates more than 50 deep");
    expect_error("config \"a-b\" { for i in 0..65536 { for j in 0..65536 { } } }",
                 "this expands to more than 2000000 names");
    expect_error("config \"a-b\" { \"{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}{0..9}\" }",
                 "this expands to more than 2000000 names");
    expect_error("config \"a-b\" { for i in 0..65536 { \"k{i}.{0..9}\"; \"l{i}.{0..7}\" } }",
                 "a config has 1048576 keys at most");
    expect_error("config \"a-b\" { \"{0..70000}\" }",
                 "a range goes upwards, over 65536 numbers at most");
    expect_error("config \"a-b\" { \"{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{{\" }",
                 "a name has 32 wildcards at most");
}
END_TEST

/* ---- conversions ---- */

static const struct {
    const char *from, *to;
    const char *list; /* of the keys that belong together, beside the project; NULL: none */
    uint32_t n_keys;  /* of the target that the conversion makes from a whole source */
} conversions[] = {
    {"sd1-kohya", "sd1-ldm", "sd1-kohya__to__sd1-ldm", 1130},
    {"sd1-ldm", "sd1-kohya", "sd1-ldm__to__sd1-kohya", 1130},
    {"sdxl-kohya", "sdxl-sgm", "sdxl-kohya__to__sdxl-sgm", 2514},
    {"sdxl-sgm", "sdxl-kohya", "sdxl-sgm__to__sdxl-kohya", 2642},
    {"sdxl-kohya_but_diffusers", "sdxl-sgm", "sdxl-kohya_but_diffusers__to__sdxl-sgm", 2514},
    {"sdxl-sgm", "sdxl-kohya_but_diffusers", "sdxl-sgm__to__sdxl-kohya_but_diffusers", 2642},
    {"sdxl-diffusers_unet_only", "sdxl-sgm", "sdxl-diffusers_unet_only__to__sdxl-sgm", 1680},
    {"sdxl-sgm", "sdxl-diffusers_unet_only", "sdxl-sgm__to__sdxl-diffusers_unet_only", 1680},
    {"sd1-supermerger_blocks", "sd1-ldm", "sd1-supermerger_blocks__to__sd1-ldm", 1831},
    {"sdxl-supermerger_blocks", "sdxl-sgm", "sdxl-supermerger_blocks__to__sdxl-sgm", 2531},
    {"sd3-kohya", "sd3-comfyui", NULL, 1424},
    {"flux-flux", "flux-kohya", NULL, 1195},
    {"sdxl-kohya_kohya_lora", "sdxl-kohya", NULL, 2641},
    {"sd1-kohya_lycoris_lora", "sd1-kohya", NULL, 1130},
};

static const Method *find_conversion(const char *from, const char *to) {
    size_t count;
    const Definition *const *all = library_list(library.library, AST_CONVERSION, &count);
    for (size_t i = 0; i < count; i++) {
        if (known_conversion_is(all[i], text_from(from), text_from(to)))
            return all[i]->method;
    }
    ck_abort_msg("no conversion from %s to %s", from, to);
}

/* A source that has all keys of its config. */
static KeyId find_any(void *context, uint32_t parameter, Text key, bool *there) {
    (void)parameter;
    KeyId id = config_find(context, key);
    *there = id != INDEX_NONE;
    return id;
}

static bool has_any_form(void *context, uint32_t parameter, const KeyForm *form) {
    (void)context;
    (void)parameter;
    (void)form;
    return true;
}

static Conversion *open_conversion(const char *from, const char *to) {
    ConversionOperands *operands = arena_new(&library.arena, ConversionOperands);
    *operands = (ConversionOperands){find_any, has_any_form, (void *)complete_config(from)};
    Conversion *conversion = conversion_read(&library.arena, library.diags, library.configs,
                                             find_conversion(from, to), TEXT("weight"), operands);
    ck_assert_ptr_nonnull(conversion);
    return conversion;
}

START_TEST(conversions_make_the_keys) {
    known_configs_open(&library);
    const Config *to = complete_config(conversions[_i].to);
    Conversion *conversion = open_conversion(conversions[_i].from, conversions[_i].to);
    uint32_t n = 0;
    for (KeyId key = 0; key < to->n_keys; key++)
        n += conversion_find(conversion, to->keys[key].name) != NULL;
    ck_assert_uint_eq(n, conversions[_i].n_keys);
    conversion_free(conversion);
    known_configs_close(&library);
}
END_TEST

/* Whether LIST, words with spaces between them, is what RULE reads, in order. */
static bool reads(const ConversionRule *rule, Text list) {
    Builder words = {0};
    for (uint32_t i = 0; rule != NULL && i < rule->n_sources; i++)
        builder_format(&words, "%s%.*s", i > 0 ? " " : "", TEXT_ARG(rule->sources[i].key));
    bool same = text_equal(builder_view(&words), list);
    builder_free(&words);
    return same;
}

static Text column(Text line, uint32_t n) {
    const char *at = line.data, *end = line.data + line.size;
    for (; n > 0; n--)
        at = (const char *)memchr(at, '\t', (size_t)(end - at)) + 1;
    const char *tab = memchr(at, '\t', (size_t)(end - at));
    return (Text){at, (size_t)((tab != NULL ? tab : end) - at)};
}

START_TEST(conversions_read_the_keys_of_the_lists) {
    known_configs_open(&library);
    Text text;
    int error;
    Text path = text_format(&library.arena, "../shared/reference/conversions/%s.tsv",
                            conversions[_i].list != NULL ? conversions[_i].list : "");
    if (file_read(&library.arena, path, FILE_TEXT_LIMIT, &text, &error)) {
        Conversion *conversion = open_conversion(conversions[_i].from, conversions[_i].to);
        Lines lines = file_lines(text);
        for (size_t i = 1; i < lines.count; i++) {
            Text outputs = column(lines.items[i], 0), inputs = column(lines.items[i], 2);
            for (size_t at = 0; at < outputs.size;) {
                const char *space = memchr(outputs.data + at, ' ', outputs.size - at);
                size_t end = space != NULL ? (size_t)(space - outputs.data) : outputs.size;
                Text output = {outputs.data + at, end - at};
                ck_assert_msg(reads(conversion_find(conversion, output), inputs),
                              "%.*s is not made of %.*s", TEXT_ARG(output), TEXT_ARG(inputs));
                at = end + 1;
            }
        }
        vector_free(&lines);
        conversion_free(conversion);
    }
    known_configs_close(&library);
}
END_TEST

/* There and back is the same key, or one that is made of parts of it and back. */
static void expect_round_trip(const char *there, const char *back) {
    known_configs_open(&library);
    const Config *from = complete_config(there);
    Conversion *forth = open_conversion(there, back), *home = open_conversion(back, there);
    for (KeyId key = 0; key < from->n_keys; key++) {
        Text name = from->keys[key].name;
        const ConversionRule *rule = conversion_find(home, name);
        ck_assert_msg(rule != NULL, "%.*s is lost", TEXT_ARG(name));
        bool found = false;
        const ConversionRule *first = conversion_find(forth, rule->sources[0].key);
        for (uint32_t i = 0; first != NULL && i < first->n_sources; i++)
            found |= text_equal(first->sources[i].key, name);
        ck_assert_msg(found, "%.*s does not come back", TEXT_ARG(name));
    }
    conversion_free(forth);
    conversion_free(home);
    known_configs_close(&library);
}

START_TEST(conversions_there_and_back_lose_nothing) {
    expect_round_trip("sd1-kohya", "sd1-ldm");
    expect_round_trip("sdxl-kohya_but_diffusers", "sdxl-sgm");
    expect_round_trip("sdxl-diffusers_unet_only", "sdxl-sgm");
}
END_TEST

/* Templates that are called again and again, and the same keys without them. */
static const char called[] =
    "template part(n, words = [1, 2]) { \"w{n}\": [n, len(words)] alias \"v{n}\"; inner(n) }\n"
    "template inner(n) { \"{a,b}.\" block \"B{n}\" { \"x\" alias \"y\" }; \"z\"; last() }\n"
    "template last() { \"l.m\"; component own { \"o\" } }\n"
    "config \"called\" dtype \"float16\" {\n"
    "    part(1)\n"
    "    for i in 0..2 { \"p{i}.\": part(1) block \"P{i}\" }\n"
    "    component c block \"B1\" {\n"
    "        \"c.\": part(1) optional\n"
    "        \"d.\": part(1, [1, 2]) dtype \"float32\"\n"
    "        \"e.\": part(1) alias \"f.\"\n"
    "        \"g.\": part(1, [1, 3])\n"
    "    }\n"
    "    \"h.\": part(1) dots \"_\"\n"
    "}\n";

static const char written[] =
    "config \"written\" dtype \"float16\" {\n"
    "    \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" block \"B1\" { \"x\" alias \"y\" }; \"z\"\n"
    "    \"l.m\"; component own { \"o\" }\n"
    "    for i in 0..2 { \"p{i}.\" block \"P{i}\" {\n"
    "        \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" block \"B1\" { \"x\" alias \"y\" }; \"z\"\n"
    "        \"l.m\"; component own { \"o\" } } }\n"
    "    component c block \"B1\" {\n"
    "        \"c.\" optional {\n"
    "            \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" { \"x\" alias \"y\" }; \"z\"\n"
    "            \"l.m\"; component own { \"o\" } }\n"
    "        \"d.\" dtype \"float32\" {\n"
    "            \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" { \"x\" alias \"y\" }; \"z\"\n"
    "            \"l.m\"; component own { \"o\" } }\n"
    "        \"e.\" alias \"f.\" {\n"
    "            \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" { \"x\" alias \"y\" }; \"z\"\n"
    "            \"l.m\"; component own { \"o\" } }\n"
    "        \"g.\" {\n"
    "            \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" { \"x\" alias \"y\" }; \"z\"\n"
    "            \"l.m\"; component own { \"o\" } }\n"
    "    }\n"
    "    \"h.\" dots \"_\" {\n"
    "        \"w1\": [1, 2] alias \"v1\"; \"{a,b}.\" block \"B1\" { \"x\" alias \"y\" }; \"z\"\n"
    "        \"l.m\"; component own { \"o\" } }\n"
    "}\n";

START_TEST(templates_have_the_same_keys_at_every_place) {
    known_configs_open(&library);
    const char *const texts[] = {called, written};
    for (int i = 0; i < 2; i++)
        library_scope(library.library,
                      parse_recipe(&library.arena, library.diags,
                                   diags_source(library.diags, TEXT("test"), text_from(texts[i]))));
    const Config *a = complete_config("called"), *b = complete_config("written");
    ck_assert_uint_eq(a->n_keys, b->n_keys);
    for (KeyId key = 0; key < a->n_keys; key++) {
        Text x = key_line(&a->keys[key]), y = key_line(&b->keys[key]);
        ck_assert_msg(text_equal(x, y), "%.*s is not %.*s", TEXT_ARG(x), TEXT_ARG(y));
        ck_assert(text_equal(a->keys[key].block, b->keys[key].block));
    }
    ck_assert_uint_eq(a->n_blocks, b->n_blocks);
    for (uint32_t i = 0; i < a->n_blocks; i++)
        ck_assert(text_equal(a->blocks[i], b->blocks[i]));
    known_configs_close(&library);
}
END_TEST

/* What of the model x is there in the test below, by what the key is for: a list of words. */
static const struct {
    const char *there, *key, *reads; /* NULL: no rule makes it */
} alternatives[] = {
    {"a.up a.down", "a.weight", "a.up a.down a.mid"},
    {"a.up", "a.weight", NULL},
    {"a.up a.down a.diff", "a.weight", "a.up a.down a.mid"},
    {"a.diff b.up", "a.weight", "a.diff"},
    {"a.diff a.flat", "a.weight", "a.diff"},
    {"a.flat", "a.weight", NULL},
    {"a.right", "a.bias", "a.left a.right"},
    {"a.left", "a.bias", "a.left a.right"},
    {"a.mid", "a.bias", NULL},
    {"in.1.w", "IN01", "in.1.w"},
    {"in.10.w", "IN10", "in.10.w"},
    {"in.1.v", "IN01", "in.1.v in.1.w"},
    {"in.2.w", "IN02", NULL},
    {"lora_a_b.x", "a.b.norm", "lora_a_b.x"},
    {"lora_a.b.x", "a.b.norm", NULL},
};

static const char alternative_rules[] =
    "config \"from\" { \"in.{1,10}.w\" }\n"
    "config \"to\" { \"any\" }\n"
    "conversion from \"from\" to \"to\" (x) {\n"
    "    for both in [true, false] {\n"
    "        \"{m}od.weight\" = x[\"never\"]\n"
    "        \"{mod}.weight\" = if both then [x[\"{mod}.up\"], x[\"{mod}.down\"], x[\"{mod}.mid\"] "
    "| null]\n"
    "            else x[\"{mod}.diff\"]\n"
    "    }\n"
    "    \"{mod}.weig{rest}\" = x[\"{mod}.flat\"]\n"
    "    \"{mod}.bias\" = [x[\"{mod}.left\"] | null, x[\"{mod}.right\"] | null]\n"
    "    \"IN{i:02}\" = \"in.{i}.w\"\n"
    "    \"IN{i:02}\" = x[\"in.{i}.v\"] | x[\"in.{i}.w\"]\n"
    "    name = \"lora_{mod}\"\n"
    "    \"{mod}.norm\" = x[\"{name:underscored}.x\"]\n"
    "}\n";

/* Its number is its place in the list. */
static KeyId find_listed(void *context, uint32_t parameter, Text key, bool *there) {
    (void)parameter;
    const char *list = context, *at = memmem(list, strlen(list), key.data, key.size);
    *there = at != NULL && (at == list || at[-1] == ' ') &&
             (at[key.size] == ' ' || at[key.size] == '\0');
    return *there ? (KeyId)(at - list) : INDEX_NONE;
}

/* The first pattern that matches decides, and of its rules the first that has what it reads. */
START_TEST(rules_of_one_pattern_are_alternatives) {
    known_configs_open(&library);
    const Ast *file =
        parse_recipe(&library.arena, library.diags,
                     diags_source(library.diags, TEXT("test"), text_from(alternative_rules)));
    library_scope(library.library, file);
    ConversionOperands operands = {find_listed, has_any_form, (void *)alternatives[_i].there};
    Conversion *conversion =
        conversion_read(&library.arena, library.diags, library.configs,
                        find_conversion("from", "to"), TEXT("weight"), &operands);
    const ConversionRule *rule = conversion_find(conversion, text_from(alternatives[_i].key));
    ck_assert_int_eq(rule != NULL, alternatives[_i].reads != NULL);
    ck_assert(rule == NULL || reads(rule, text_from(alternatives[_i].reads)));
    conversion_free(conversion);
    known_configs_close(&library);
}
END_TEST

Suite *configs_suite(void) {
    Suite *suite = suite_create("configs");
    TCase *tests = tcase_create("configs");
    int n = sizeof known / sizeof *known;
    tcase_add_loop_test(tests, keys_are_those_of_the_architecture, 0, n);
    tcase_add_loop_test(tests, keys_are_those_of_the_lists, 0, n);
    tcase_add_test(tests, aliases_and_modules_are_found);
    tcase_add_test(tests, mistakes_are_said);
    int n_conversions = sizeof conversions / sizeof *conversions;
    tcase_add_loop_test(tests, conversions_make_the_keys, 0, n_conversions);
    tcase_add_loop_test(tests, conversions_read_the_keys_of_the_lists, 0, n_conversions);
    tcase_add_test(tests, conversions_there_and_back_lose_nothing);
    tcase_add_test(tests, templates_have_the_same_keys_at_every_place);
    int n_alternatives = sizeof alternatives / sizeof *alternatives;
    tcase_add_loop_test(tests, rules_of_one_pattern_are_alternatives, 0, n_alternatives);
    suite_add_tcase(suite, tests);
    return suite;
}
