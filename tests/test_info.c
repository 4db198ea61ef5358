/* What `mecha info` tells, word for word. */
#include "mecha.h"
#include "run.h"
#include "tests.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_info(const char *folder, const char *glob, bool json, const char *expected) {
    char *path = path_in(folder, "m.safetensors");
    Engine *engine = mecha_open(&(MechaOptions){0});
    Builder words = {0};
    ck_assert(mecha_info(engine, path, glob != NULL, glob, json, &words));
    builder_char(&words, '\0');
    const char *after_path = strstr(words.data, "m.safetensors");
    ck_assert_ptr_nonnull(after_path);
    ck_assert_str_eq(after_path, expected);
    builder_free(&words);
    mecha_close(engine);
    free(path);
}

START_TEST(models_are_told_in_words) {
    char *folder = scratch_open();
    write_model(folder, "m.safetensors",
                (TestTensor[]){{"one.x", 2, 0}, {"one.y", 300, 0}, {"two.z", 1, 0}, {"w", 1, 0}},
                4);
    expect_info(folder, "one.*", false,
                "m.safetensors: 4 tensors, 1.2 KiB\n"
                "  dtypes      f32                 4 tensors, 1.2 KiB\n"
                "  parts       one                 2 tensors, 1.2 KiB\n"
                "              two                 1 tensor, 4 B\n"
                "              (others)            1 tensor, 4 B\n"
                "  one.x  f32 [2]\n"
                "  one.y  f32 [300]\n");
    scratch_close(folder);
}
END_TEST

START_TEST(models_are_told_as_json) {
    char *folder = scratch_open();
    write_model(folder, "m.safetensors", (TestTensor[]){{"a.x", 2, 0}, {"b", 1, 0}}, 2);
    expect_info(folder, "b", true,
                "m.safetensors\", \"tensors\": 2, \"bytes\": 12, "
                "\"config\": null, \"dtypes\": {\"f32\": {\"tensors\": 2, \"bytes\": 12}}, "
                "\"parts\": {\"a\": {\"tensors\": 1, \"bytes\": 8}, "
                "\"\": {\"tensors\": 1, \"bytes\": 4}}, \"metadata\": {}, "
                "\"keys\": [{\"name\": \"b\", \"dtype\": \"f32\", \"shape\": [1], "
                "\"bytes\": 4}]}\n");
    scratch_close(folder);
}
END_TEST

START_TEST(models_are_held_against_their_config) {
    char *folder = scratch_open();
    write_model(folder, "m.safetensors",
                (TestTensor[]){{"cond_stage_model.transformer.final_layer_norm.bias", 2, 0},
                               {"first_stage_model.encoder.conv_in.bias", 3, 0},
                               {"first_stage_model.encoder.conv_out.bias", 3, 0},
                               {"mine", 1, 0}},
                4);
    expect_info(folder, NULL, false,
                "m.safetensors: 4 tensors, 36 B\n"
                "  config      sd1-ldm\n"
                "  dtypes      f32                 4 tensors, 36 B\n"
                "  components  clip_l              1 tensor, 8 B\n"
                "              vae                 2 tensors, 24 B\n"
                "              (others)            1 tensor, 4 B\n"
                "  missing     all of diffuser\n"
                "  missing     441 keys: "
                "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight, "
                "cond_stage_model.transformer.text_model.embeddings.position_embedding.weight, "
                "cond_stage_model.transformer.text_model.encoder.layers.0.layer_norm1.weight, ...\n"
                "  unknown     1 key: mine\n");
    scratch_close(folder);
}
END_TEST

static void write_network(const char *folder) {
    write_model(folder, "m.safetensors",
                (TestTensor[]){{"lora_vae_quant_conv.lora_up.weight", 4, 0},
                               {"lora_vae_quant_conv.lora_down.weight", 2, 0},
                               {"lora_vae_quant_conv.alpha", 1, 1.5f},
                               {"lora_unet_conv_in.lokr_w1", 2, 0},
                               {"lora_unet_conv_in.lokr_w2_a", 2, 0},
                               {"lora_unet_conv_in.lokr_w2_b", 3, 0},
                               {"lora_unet_conv_out.lora_up.weight", 1, 0}},
                7);
}

START_TEST(networks_are_told_by_module) {
    char *folder = scratch_open();
    write_network(folder);
    expect_info(folder, "unet.*", false,
                "m.safetensors: 7 tensors, 60 B\n"
                "  config      sdxl-diffusers_lora\n"
                "  or          sd1-kohya_kohya_lora\n"
                "              sd1-diffusers_lora\n"
                "  dtypes      f32                 7 tensors, 60 B\n"
                "  components  vae                 3 tensors, 28 B\n"
                "              diffuser            4 tensors, 32 B\n"
                "  modules     LoRA, rank 2, alpha 1.5         1\n"
                "              LoKr, rank 3                    1\n"
                "              incomplete                      1\n"
                "  unet.conv_in.weight  LoKr, rank 3\n"
                "  unet.conv_out.weight  incomplete\n");
    expect_info(folder, NULL, true,
                "m.safetensors\", \"tensors\": 7, \"bytes\": 60, "
                "\"config\": \"sdxl-diffusers_lora\", "
                "\"others\": [\"sd1-kohya_kohya_lora\", \"sd1-diffusers_lora\"], "
                "\"components\": {\"vae\": {\"tensors\": 3, \"bytes\": 28}, "
                "\"diffuser\": {\"tensors\": 4, \"bytes\": 32}}, "
                "\"missing\": [], \"unknown\": [], "
                "\"dtypes\": {\"f32\": {\"tensors\": 7, \"bytes\": 60}}, "
                "\"parts\": {\"lora_vae_quant_conv\": {\"tensors\": 3, \"bytes\": 28}, "
                "\"lora_unet_conv_in\": {\"tensors\": 3, \"bytes\": 28}, "
                "\"lora_unet_conv_out\": {\"tensors\": 1, \"bytes\": 4}}, "
                "\"modules\": [{\"target\": \"vae.quant_conv.weight\", \"type\": \"LoRA\", "
                "\"rank\": 2, \"alpha\": 1.5}, "
                "{\"target\": \"unet.conv_in.weight\", \"type\": \"LoKr\", \"rank\": 3, "
                "\"alpha\": null}, "
                "{\"target\": \"unet.conv_out.weight\", \"type\": \"incomplete\", "
                "\"rank\": 0, \"alpha\": null}], \"metadata\": {}}\n");
    scratch_close(folder);
}
END_TEST

static bool told(Engine *engine, const char *path, const char *words) {
    Builder text = {0};
    ck_assert(mecha_info(engine, path, false, NULL, false, &text));
    builder_char(&text, '\0');
    bool found = strstr(text.data, words) != NULL;
    builder_free(&text);
    return found;
}

/* Every network that is tested has a type with a name, by whatever naming. */
START_TEST(networks_of_every_type_are_known_by_name) {
    static const struct {
        const char *path, *words;
    } cases[] = {
        {"sd1-lora-lora_tucker", "LoRA (Tucker), rank 2, alpha 1.5"},
        {"sd1-lora-lokr_first", "LoKr, rank"},
        {"sd1-lora-loha_tucker", "LoHa (Tucker), rank 2"},
        {"sd1_small-lora-dora_inputs_glora", "GLoRA (DoRA), rank 2, alpha 1.5"},
        {"sd1_small-lora-ia3_inputs", "  modules     IA3  "},
        {"sd1_small-lora-oft_rescaled", "  modules     OFT (rescaled), alpha 0"},
        {"sd1_small-lora-boft", "  modules     BOFT, alpha 0"},
        {"flux-oft-oft_parts", "  modules     OFT, alpha 0.125"},
        {"flux-peft", "  modules     LoRA, rank 2"},
        {"flux-peft", "  config      sd3-diffusers_lora\n  or          flux-diffusers_lora\n"},
        {"peft-embedding", "  modules     LoRA of an embedding, rank"},
        {"peft-dora", "  modules     LoRA (DoRA), rank 2"},
        {"sd1-lora-diff_b", "  modules     difference"},
        {"sd1-lora-w_norm", "  modules     norm"},
    };
    Engine *engine = mecha_open(&(MechaOptions){0});
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char path[200];
        snprintf(path, sizeof path, "tests/networks/%s.safetensors", cases[i].path);
        ck_assert_msg(told(engine, path, cases[i].words), "%s: no %s", path, cases[i].words);
    }
    DIR *stream = opendir("tests/networks");
    ck_assert_ptr_nonnull(stream);
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;) {
        char path[400];
        snprintf(path, sizeof path, "tests/networks/%s", entry->d_name);
        if (text_ends(text_from(path), TEXT(".safetensors")))
            ck_assert_msg(!told(engine, path, "incomplete"), "%s", path);
    }
    closedir(stream);
    mecha_close(engine);
}
END_TEST

/* A stranger's metadata: a recipe of several lines, and bytes that a terminal would obey. */
START_TEST(metadata_is_made_harmless) {
    static const char header[] = "{\"__metadata__\":{\"recipe\":\"one\\ntwo\",\"evil\":\"\\u001b[2J"
                                 "\"}}";
    char *folder = scratch_open();
    Builder file = {0};
    uint64_t size = sizeof header - 1;
    builder_add(&file, (Text){(const char *)&size, sizeof size});
    builder_add(&file, (Text){header, size});
    write_file(folder, "m.safetensors", file.data, file.size);
    expect_info(folder, NULL, false,
                "m.safetensors: 0 tensors, 0 B\n"
                "  metadata    recipe = \n"
                "                one\n"
                "                two\n"
                "              evil = \\x1b[2J\n");
    builder_free(&file);
    scratch_close(folder);
}
END_TEST

Suite *info_suite(void) {
    Suite *suite = suite_create("info");
    TCase *tests = tcase_create("info");
    tcase_add_test(tests, models_are_told_in_words);
    tcase_add_test(tests, models_are_told_as_json);
    tcase_add_test(tests, models_are_held_against_their_config);
    tcase_add_test(tests, networks_are_told_by_module);
    tcase_add_test(tests, networks_of_every_type_are_known_by_name);
    tcase_add_test(tests, metadata_is_made_harmless);
    suite_add_tcase(suite, tests);
    return suite;
}
