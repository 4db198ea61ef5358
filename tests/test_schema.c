/* What is printed as JSON is what docs/schema/ says. The checker knows as much
 * of JSON Schema as is used there, and refuses the rest. */
#include "run.h"
#include "tests.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    write_model(folder, "a.safetensors", (TestTensor[]){{"x.0", 3, 1}, {"y", 2, 8}}, 2);
    write_model(folder, "b.safetensors", (TestTensor[]){{"x.0", 3, 5}, {"z", 2, 8}}, 2);
    write_text(folder, "right.mecha",
               "slerp(model(\"a.safetensors\"), model(\"a.safetensors\"))\n");
    write_text(folder, "wrong.mecha", "a = model(\"a.safetensors\")\nslrep(a, a)\n");
}

static void tear_down(void) {
    scratch_close(folder);
}

static bool is_of_type(const json_t *value, const char *type) {
    return (strcmp(type, "object") == 0 && json_is_object(value)) ||
           (strcmp(type, "array") == 0 && json_is_array(value)) ||
           (strcmp(type, "string") == 0 && json_is_string(value)) ||
           (strcmp(type, "integer") == 0 && json_is_integer(value)) ||
           (strcmp(type, "number") == 0 && json_is_number(value)) ||
           (strcmp(type, "boolean") == 0 && json_is_boolean(value)) ||
           (strcmp(type, "null") == 0 && json_is_null(value));
}

static void check_type(const json_t *value, const json_t *types) {
    bool fits = json_is_string(types) && is_of_type(value, json_string_value(types));
    for (size_t i = 0; i < json_array_size(types); i++)
        fits |= is_of_type(value, json_string_value(json_array_get(types, i)));
    char *shown = json_dumps(value, JSON_ENCODE_ANY), *wanted = json_dumps(types, JSON_ENCODE_ANY);
    ck_assert_msg(fits, "%s is no %s", shown, wanted);
    free(shown);
    free(wanted);
}

static void check_choice(const json_t *value, const json_t *choices) {
    bool fits = choices == NULL;
    for (size_t i = 0; i < json_array_size(choices); i++)
        fits |= json_equal(value, json_array_get(choices, i));
    ck_assert_msg(fits, "'%s' is none of the choices", json_string_value(value));
}

static void check_words(const json_t *schema) {
    static const char *const words[] = {"$schema",    "title", "type", "required",
                                        "$defs",      "items", "$ref", "additionalProperties",
                                        "properties", "enum"};
    const char *word;
    json_t *value;
    json_object_foreach((json_t *)schema, word, value) {
        bool known = false;
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            known |= strcmp(words[i], word) == 0;
        ck_assert_msg(known, "the checker does not know '%s'", word);
    }
}

static const json_t *resolve(const json_t *root, const json_t *schema) {
    const char *name = json_string_value(json_object_get(schema, "$ref"));
    if (name == NULL)
        return schema;
    const json_t *found =
        json_object_get(json_object_get(root, "$defs"), name + strlen("#/$defs/"));
    ck_assert_msg(found != NULL, "there is no %s", name);
    return found;
}

static void check_value(const json_t *root, const json_t *schema, const json_t *value);

static void check_members(const json_t *root, const json_t *schema, const json_t *object) {
    const json_t *required = json_object_get(schema, "required");
    const json_t *others = json_object_get(schema, "additionalProperties");
    for (size_t i = 0; i < json_array_size(required); i++) {
        const char *name = json_string_value(json_array_get(required, i));
        ck_assert_msg(json_object_get(object, name) != NULL, "'%s' is missing", name);
    }
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value) {
        const json_t *of = json_object_get(json_object_get(schema, "properties"), name);
        of = of != NULL ? of : others;
        ck_assert_msg(of != NULL && !json_is_false(of), "the schema has no '%s'", name);
        check_value(root, of, value);
    }
}

static void check_value(const json_t *root, const json_t *schema, const json_t *value) {
    schema = resolve(root, schema);
    check_words(schema);
    check_type(value, json_object_get(schema, "type"));
    check_choice(value, json_object_get(schema, "enum"));
    if (json_is_object(value))
        check_members(root, schema, value);
    for (size_t i = 0; i < json_array_size(value); i++)
        check_value(root, json_object_get(schema, "items"), json_array_get(value, i));
}

static void expect_valid(const char *schema_path, Run run) {
    json_error_t error;
    json_t *schema = json_load_file(schema_path, 0, &error);
    ck_assert_msg(schema != NULL, "%s:%d: %s", schema_path, error.line, error.text);
    json_t *value = json_loads(run.output, 0, &error);
    ck_assert_msg(value != NULL, "%s\n%s", error.text, run.output);
    check_value(schema, schema, value);
    json_decref(schema);
    json_decref(value);
    run_free(&run);
}

START_TEST(json_is_as_its_schema_says) {
    RunOptions here = {.folder = folder};
    expect_valid("docs/schema/diff.json",
                 run_mecha(&here, "diff", "a.safetensors", "b.safetensors", "--json"));
    expect_valid("docs/schema/info.json",
                 run_mecha(&here, "info", "a.safetensors", "--json", "--keys", "*"));
    expect_valid("docs/schema/explain.json", run_mecha(&here, "explain", "right.mecha", "--json"));
    expect_valid("docs/schema/configs.json", run_mecha(&here, "configs", "--json"));
    expect_valid("docs/schema/config.json", run_mecha(&here, "configs", "sd1-ldm", "--json"));
    expect_valid("docs/schema/config.json",
                 run_mecha(&here, "configs", "sd1-ldm", "--json", "--keys"));
    Run run = run_mecha(&here, "run", "right.mecha", "-o", "o.safetensors", "--record-hashes");
    ck_assert_int_eq(run.status, 0);
    run_free(&run);
    expect_valid("docs/schema/verify.json",
                 run_mecha(&here, "recipe", "o.safetensors", "--verify", "--json"));
    expect_valid("docs/schema/messages.json", run_mecha(&here, "check", "wrong.mecha", "--json"));
}
END_TEST

/* In the order in which people count. */
START_TEST(models_of_a_folder_are_in_order) {
    RunOptions here = {.folder = folder};
    Run run =
        run_shell(&here, "mkdir m && for i in 1 2 10; do cp a.safetensors m/m$i.safetensors; done\n"
                         "\"$MECHA\" info m | cut -d' ' -f1");
    ck_assert_str_eq(run.output, "m/m1.safetensors\nm/m2.safetensors\nm/m10.safetensors\n");
    run_free(&run);
}
END_TEST

START_TEST(configs_of_recipes_are_listed) {
    static const char config[] = "# A small one.\nconfig \"mine\" {\n    component body {\n"
                                 "        \"x\": [3]\n    }\n}\n";
    RunOptions here = {.folder = folder};
    write_text(folder, "mine.mecha", config);
    write_text(folder, "uses.mecha", "import \"mine.mecha\" as m\nx = 3\n");
    Run run = run_shell(&here, "\"$MECHA\" configs --recipe uses.mecha | cut -d' ' -f1\n"
                               "\"$MECHA\" configs mine --recipe mine.mecha --keys | wc -l\n"
                               "\"$MECHA\" configs mine");
    ck_assert_str_eq(run.output, "mine\n1\n");
    ck_assert_ptr_nonnull(strstr(run.error, "mine"));
    run_free(&run);
}
END_TEST

START_TEST(several_models_are_a_line_each) {
    static const char table[] = "./a.safetensors  -       2 keys  f32  20 B\n"
                                "./b.safetensors  -       2 keys  f32  20 B\n";
    RunOptions here = {.folder = folder};
    Run run = run_mecha(&here, "info", ".");
    ck_assert_int_eq(run.status, 0);
    ck_assert_str_eq(run.output, table);
    run_free(&run);
    run = run_mecha(&here, "info", "./a.safetensors", "./b.safetensors", "c.safetensors");
    ck_assert_int_eq(run.status, 1);
    ck_assert_str_eq(run.output, table);
    run_free(&run);
}
END_TEST

Suite *schema_suite(void) {
    Suite *suite = suite_create("schema");
    TCase *cases = tcase_create("schema");
    tcase_set_timeout(cases, 60);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, json_is_as_its_schema_says);
    setenv("MECHA", mecha_binary(), 1);
    tcase_add_test(cases, several_models_are_a_line_each);
    tcase_add_test(cases, models_of_a_folder_are_in_order);
    tcase_add_test(cases, configs_of_recipes_are_listed);
    suite_add_tcase(suite, cases);
    return suite;
}
