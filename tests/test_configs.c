/* The architectures: every key of every config, by a count and a hash of the sorted list, and
 * against the lists beside the project where they are. */
#include "base/file.h"
#include "base/vector.h"
#include "scratch.h"
#include "solve/configs.h"
#include "syntax/parse.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

static Arena arena;
static Diags *diags;
static Library *library;
static Configs *configs;

static void open_configs(void) {
    diags = diags_new();
    library = library_new(&arena, diags);
    configs = configs_new(&arena, diags, library);
}

static void close_configs(void) {
    configs_free(configs);
    library_free(library);
    diags_free(diags);
    arena_free(&arena);
}

static const Config *complete_config(const char *name) {
    const Config *config = configs_find(configs, text_from(name));
    ck_assert_msg(config != NULL, "%s cannot be read", name);
    config_complete(configs, config);
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
    builder_format(&out, "%s\t%s\t", key->shape != NULL ? "]" : "", key->optional ? "optional" : "-");
    for (uint32_t i = 0; i < key->n_aliases; i++)
        builder_format(&out, "%s%.*s", i > 0 ? "," : "", TEXT_ARG(key->aliases[i]));
    builder_add(&out, key->n_aliases == 0 ? TEXT("-") : TEXT(""));
    Text line = text_copy(&arena, builder_view(&out));
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
    open_configs();
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
    close_configs();
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
    open_configs();
    Text text;
    int error;
    Text path = text_format(&arena, "../shared/reference/keys/%s.tsv", known[_i].name);
    if (file_read(&arena, path, FILE_TEXT_LIMIT, &text, &error)) {
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
    close_configs();
}
END_TEST

START_TEST(aliases_and_modules_are_found) {
    open_configs();
    const Config *sd1 = configs_find(configs, TEXT("sd1-ldm"));
    Text name = TEXT("cond_stage_model.transformer.text_model.final_layer_norm.bias");
    KeyId key =
        config_find(configs, sd1, TEXT("cond_stage_model.transformer.final_layer_norm.bias"));
    ck_assert_uint_ne(key, INDEX_NONE);
    ck_assert(text_equal(sd1->keys[key].name, name));
    ck_assert_uint_eq(config_find(configs, sd1, name), key);
    ck_assert_uint_eq(config_find(configs, sd1, TEXT("final_layer_norm.bias")), INDEX_NONE);
    const Config *lora = configs_find(configs, TEXT("sdxl-kohya_kohya_lora"));
    ck_assert_uint_eq(lora->n_keys, 0);
    key = config_find(configs, lora, TEXT("lora_unet_middle_block_1_proj_in.lora_up.weight"));
    ck_assert_uint_eq(key, 0);
    ck_assert(text_equal(lora->keys[0].component, TEXT("diffuser")));
    ck_assert_uint_eq(config_find(configs, lora, TEXT("lora_unet_middle_block_1_proj_in.bias")),
                      INDEX_NONE);
    close_configs();
}
END_TEST

/* What is wrong with a config is said at its place. */
static void expect_error(const char *text, const char *message) {
    open_configs();
    Text source = text_from(text);
    const Ast *file = parse_recipe(&arena, diags, diags_source(diags, TEXT("test"), source));
    library_scope(library, file);
    ck_assert(configs_find(configs, TEXT("a-b")) == NULL);
    ck_assert(diag_failed(diags));
    Text said = diags_at(diags, 0)->message;
    ck_assert_msg(text_equal(said, text_from(message)), "%.*s", TEXT_ARG(said));
    close_configs();
}

START_TEST(mistakes_are_said) {
    expect_error("config \"a-b\" { \"{x}\" }", "unknown name 'x'");
    expect_error("config \"a-b\" { \"{x\" }", "this '{' is not closed");
    expect_error("config \"a-b\" { for i in 3 { \"k\" } }", "'for … in' goes over a list");
    expect_error("config \"a-b\" { \"k\": [1]; \"k\": [2] }",
                 "the config 'a-b' has the key 'k' twice");
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
    suite_add_tcase(suite, tests);
    return suite;
}
