/* What `mecha configs` tells, word for word. */
#include "mecha.h"
#include "tests.h"

#include <stdlib.h>
#include <string.h>

/* What is said of a config; of all where NAME is NULL. To be freed. */
static char *told(const char *name, MechaConfigParts parts, bool json) {
    Engine *engine = mecha_open(&(MechaOptions){0});
    Builder words = {0};
    if (name == NULL)
        mecha_configs(engine, json, &words);
    else
        ck_assert(mecha_config(engine, text_from(name), parts, json, &words));
    builder_char(&words, '\0');
    mecha_close(engine);
    return words.data;
}

static void expect_told(const char *name, MechaConfigParts parts, bool json, const char *expected) {
    char *words = told(name, parts, json);
    ck_assert_str_eq(words, expected);
    free(words);
}

/* Lines of all that is said. */
static void expect_lines(const char *name, MechaConfigParts parts, const char *expected) {
    char *words = told(name, parts, false);
    ck_assert_msg(strstr(words, expected) != NULL, "%s", words);
    free(words);
}

START_TEST(all_are_listed) {
    char *words = told(NULL, (MechaConfigParts){0}, false);
    size_t lines = 0;
    for (const char *at = words; (at = strchr(at, '\n')) != NULL; at++)
        lines++;
    ck_assert_uint_eq(lines, 43);
    ck_assert_ptr_eq(strstr(words, "any_peft_lora "), words);
    ck_assert_ptr_nonnull(
        strstr(words, "\nsd1-ldm                                 1831 keys  Stable Diffusion 1, as "
                      "published.\n"));
    free(words);
    words = told(NULL, (MechaConfigParts){0}, true);
    ck_assert_ptr_eq(strstr(words, "[{\"name\": \"any_peft_lora\", "), words);
    ck_assert_str_eq(words + strlen(words) - 4, "}}]\n");
    free(words);
}
END_TEST

START_TEST(one_has_a_page) {
    expect_told(
        "sdxl-diffusers_unet_only", (MechaConfigParts){0}, false,
        "sdxl-diffusers_unet_only: The UNet of Stable Diffusion XL alone, as diffusers names "
        "it.\n"
        "  keys          1680 keys, 4.8 GiB\n"
        "  components    diffuser      1680 keys, 4.8 GiB\n"
        "  blocks        BASE IN00 IN01 IN02 IN03 IN04 IN05 IN06 IN07 IN08 M00 OUT00\n"
        "                OUT01 OUT02 OUT03 OUT04 OUT05 OUT06 OUT07 OUT08\n"
        "  becomes       sdxl-sgm\n"
        "  made from     sdxl-sgm\n"
        "  written in    <stdlib>/configs/sdxl.mecha\n");
    expect_lines("sd1-kohya_kohya_lora", (MechaConfigParts){0},
                 "  keys          18776 keys, all optional\n");
    expect_lines("sd1-kohya_kohya_lora", (MechaConfigParts){0}, "  becomes       sd1-kohya\n");
}
END_TEST

START_TEST(parts_are_listed) {
    expect_told("sdxl-sgm", (MechaConfigParts){.components = true}, false,
                "clip_l        197 keys, 19 optional, 469 MiB\n"
                "clip_g        390 keys, 16 optional, 2.6 GiB\n"
                "vae           248 keys, 319 MiB\n"
                "diffuser      1684 keys, 4 optional, 9.6 GiB\n"
                "scheduler     12 keys, all optional, 47 KiB\n");
    expect_lines("sdxl-sgm", (MechaConfigParts){.blocks = true},
                 "IN08          216 keys, 1.4 GiB\n"
                 "M00           226 keys, 1.5 GiB\n");
    expect_lines("flux-flux", (MechaConfigParts){.keys = true},
                 "model.diffusion_model.img_in.weight  bf16 [3072, 64]  component diffuser  "
                 "block BASE  alias img_in.weight\n");
    expect_lines("sd1-ldm", (MechaConfigParts){.keys = true},
                 "cond_stage_model.transformer.text_model.embeddings.position_ids  i64 [1, 77]  "
                 "component clip_l  block BASE  optional  alias "
                 "cond_stage_model.transformer.embeddings.position_ids\n");
}
END_TEST

START_TEST(json_is_for_programs) {
    expect_told(
        "singleton-mecha", (MechaConfigParts){.keys = true}, true,
        "{\"name\": \"singleton-mecha\", \"summary\": \"One value under one key: how sd-mecha "
        "writes a number down.\", \"keys\": 1, \"optional\": 0, \"bytes\": null, "
        "\"components\": {\"keys\": {\"keys\": 1, \"optional\": 0, \"bytes\": null}}, "
        "\"blocks\": {}, \"list\": [{\"name\": \"key\", \"dtype\": null, \"shape\": null, "
        "\"component\": \"keys\", \"block\": null, \"optional\": false, \"aliases\": []}]}\n");
}
END_TEST

START_TEST(the_nearest_name_is_suggested) {
    Engine *engine = mecha_open(&(MechaOptions){0});
    Builder words = {0};
    ck_assert(!mecha_config(engine, TEXT("sdxl-sg"), (MechaConfigParts){0}, false, &words));
    const Diag *diag = diags_at(mecha_diags(engine), 0);
    ck_assert(text_equal(diag->message, TEXT("unknown model config 'sdxl-sg'")));
    ck_assert(text_equal(diag->hint, TEXT("did you mean 'sdxl-sgm'?")));
    ck_assert_uint_eq(words.size, 0);
    mecha_close(engine);
}
END_TEST

Suite *architectures_suite(void) {
    Suite *suite = suite_create("architectures");
    TCase *tests = tcase_create("architectures");
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, all_are_listed);
    tcase_add_test(tests, one_has_a_page);
    tcase_add_test(tests, parts_are_listed);
    tcase_add_test(tests, json_is_for_programs);
    tcase_add_test(tests, the_nearest_name_is_suggested);
    suite_add_tcase(suite, tests);
    return suite;
}
