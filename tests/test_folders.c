/* Models that are folders: shards that do not fit together, variants, and pipelines of parts. */
#include "run.h"
#include "tests.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *folder;

static void set_up(void) {
    folder = scratch_open();
    setenv("MECHA", mecha_binary(), 1);
}

static void tear_down(void) {
    scratch_close(folder);
}

static void expect_script(const char *script, int status, const char *output, const char *error) {
    Run run = run_shell(&(RunOptions){.folder = folder}, script);
    ck_assert_msg(run.status == status && strcmp(run.output, output) == 0 &&
                      (error[0] == '\0' ? run.error[0] == '\0' : strstr(run.error, error) != NULL),
                  "%s\nstatus %d\n%s\n%s", script, run.status, run.output, run.error);
    run_free(&run);
}

/* What `mecha info` says of a path that is wrong. */
static void expect_refused(const char *script, const char *path, const char *message) {
    char *command, *error;
    ck_assert_int_gt(asprintf(&command, "%s\n\"$MECHA\" info %s", script, path), 0);
    ck_assert_int_gt(asprintf(&error, "mecha: error: %s\n", message), 0);
    expect_script(command, 1, "", error);
    free(command);
    free(error);
}

static void write_tensors(const char *name, TestTensor first, TestTensor second) {
    TestTensor tensors[] = {first, second};
    write_model(folder, name, tensors, second.name == NULL ? 1 : 2);
}

/* ---- shards ---- */

#define FIRST  "model-00001-of-00002.safetensors"
#define SECOND "model-00002-of-00002.safetensors"
#define INDEX  "model.safetensors.index.json"

/* `a` and `b` in the first shard, `c` in the second; the index says what the test wants it to. */
static void make_shards(const char *map) {
    char *index;
    expect_script("mkdir -p m", 0, "", "");
    write_tensors("m/" FIRST, (TestTensor){"a", 4, 1}, (TestTensor){"b", 4, 2});
    write_tensors("m/" SECOND, (TestTensor){"c", 4, 3}, (TestTensor){0});
    ck_assert_int_gt(asprintf(&index, "{\"metadata\": {}, \"weight_map\": {%s}}", map), 0);
    write_text(folder, "m/" INDEX, index);
    free(index);
}

#define RIGHT "\"a\": \"" FIRST "\", \"b\": \"" FIRST "\", \"c\": \"" SECOND "\""

START_TEST(a_shard_that_is_missing_is_named) {
    make_shards(RIGHT);
    expect_refused("mv m/" SECOND " kept", "m",
                   "m: the shard '" SECOND "' is missing; the index names it");
    expect_refused("ln -s ../blobs/0123 m/" SECOND, "m",
                   "m: the shard '" SECOND "' is a link to a file that is not there");
    expect_refused("rm m/" INDEX " m/" SECOND, "m", "m: the shard '" SECOND "' is missing");
    expect_refused("mv m/" FIRST " m/" SECOND, "m", "m: the shard '" FIRST "' is missing");
}
END_TEST

START_TEST(an_index_agrees_with_its_shards) {
    make_shards("\"a\": \"" FIRST "\", \"b\": \"" SECOND "\", \"c\": \"" SECOND "\"");
    expect_refused("", "m",
                   "m/" FIRST ": holds the tensor 'b', which the index of the shards puts into "
                   "'" SECOND "'");
    make_shards("\"a\": \"" FIRST "\", \"c\": \"" SECOND "\"");
    expect_refused(
        "", "m", "m/" FIRST ": holds the tensor 'b', which the index of the shards does not name");
    make_shards(RIGHT ", \"d\": \"" SECOND "\"");
    expect_refused("", "m/" INDEX,
                   "m/" INDEX ": tensor 'd' is not in the shard '" SECOND
                   "', into which the index puts it");
}
END_TEST

START_TEST(a_key_is_in_one_shard) {
    make_shards(RIGHT);
    write_tensors("m/" SECOND, (TestTensor){"b", 4, 3}, (TestTensor){"c", 4, 3});
    expect_refused("", "m",
                   "m/" SECOND ": holds the tensor 'b', which the index of the shards puts into "
                   "'" FIRST "'");
    expect_refused("rm m/" INDEX, "m", "m/" SECOND ": tensor 'b' is in another shard as well");
}
END_TEST

START_TEST(a_shard_that_is_cut_short_is_named) {
    make_shards(RIGHT);
    expect_refused("truncate -s -3 m/" SECOND, "m",
                   "m/" SECOND
                   ": the file is cut short: its tensors fill 16 bytes and 13 are there "
                   "(an interrupted download?)");
}
END_TEST

START_TEST(a_shard_stands_in_its_folder) {
    static const char *const names[] = {"/etc/passwd", "../x.safetensors", "sub/x.safetensors",
                                        ".."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char *map, *error;
        ck_assert_int_gt(asprintf(&map, "\"a\": \"%s\"", names[i]), 0);
        ck_assert_int_gt(asprintf(&error,
                                  "m/" INDEX ": weight_map puts tensor 'a' into '%s', which is no "
                                  "plain file name; shards stand beside their index",
                                  names[i]),
                         0);
        make_shards(map);
        expect_refused("", "m", error);
        free(map);
        free(error);
    }
}
END_TEST

/* ---- variants ---- */

static void make_variants(const char *stem, const char *variant) {
    char *first, *second;
    ck_assert_int_gt(asprintf(&first, "v/%s.safetensors", stem), 0);
    ck_assert_int_gt(asprintf(&second, "v/%s.%s.safetensors", stem, variant), 0);
    write_tensors(first, (TestTensor){"a", 4, 1}, (TestTensor){0});
    write_tensors(second, (TestTensor){"a", 8, 1}, (TestTensor){0});
    free(first);
    free(second);
}

START_TEST(a_variant_is_asked_for) {
    expect_script("mkdir v", 0, "", "");
    make_variants("model", "fp16");
    write_text(folder, "plan.mecha", "model(\"v\")\n");
    expect_script("\"$MECHA\" check plan.mecha", 1, "",
                  "error: v: holds variants of one model, 'model.safetensors' and "
                  "'model.fp16.safetensors': name one, as 'v@fp16' ('@none': without a variant)");
    expect_refused("", "v@fp32", "v@fp32: holds no variant 'fp32'");
    expect_script("for v in fp16 none; do \"$MECHA\" info v@$v | head -1; done", 0,
                  "v@fp16: 1 tensor, 32 B\nv@none: 1 tensor, 16 B\n", "");
    write_text(folder, "plan.mecha", "model(\"v@fp16\")\n");
    expect_script("\"$MECHA\" run -q plan.mecha -o out.safetensors && "
                  "\"$MECHA\" run -q out.safetensors -o again.safetensors && "
                  "cmp out.safetensors again.safetensors && rm v/model.safetensors && "
                  "\"$MECHA\" info v | head -1",
                  0, "v: 1 tensor, 32 B\n", "");
}
END_TEST

/* The name of a folder may hold the sign itself. */
START_TEST(a_folder_is_what_its_name_says) {
    expect_script("mkdir v 'v@fp16'", 0, "", "");
    write_tensors("v@fp16/model.safetensors", (TestTensor){"a", 2, 1}, (TestTensor){0});
    expect_script("\"$MECHA\" info v@fp16 | head -1", 0, "v@fp16: 1 tensor, 8 B\n", "");
    write_text(folder, "plan.mecha", "model(\"w@fp16\")\n");
    expect_script("\"$MECHA\" check plan.mecha", 1, "", "there is no file 'w@fp16'");
}
END_TEST

/* As transformers writes them, and as older versions of diffusers did. */
START_TEST(variants_have_shards) {
    expect_script("mkdir v", 0, "", "");
    write_tensors("v/model-00001-of-00001.safetensors", (TestTensor){"a", 4, 1}, (TestTensor){0});
    write_tensors("v/model.fp16-00001-of-00001.safetensors", (TestTensor){"a", 2, 1},
                  (TestTensor){0});
    write_tensors("v/model-00001-of-00001.bf16.safetensors", (TestTensor){"a", 1, 1},
                  (TestTensor){0});
    write_text(folder, "v/model.safetensors.index.fp16.json",
               "{\"weight_map\": {\"a\": \"model.fp16-00001-of-00001.safetensors\"}}");
    expect_script("for v in none fp16 bf16; do \"$MECHA\" info v@$v | head -1; done", 0,
                  "v@none: 1 tensor, 16 B\nv@fp16: 1 tensor, 8 B\nv@bf16: 1 tensor, 4 B\n", "");
}
END_TEST

/* ---- pipelines ---- */

#define LISTING "find out -type f | LC_ALL=C sort"

/* Parts as diffusers writes them; keys of no architecture. */
static void make_pipeline(const char *name, uint64_t value) {
    static const char *const paths[] = {"unet/diffusion_pytorch_model.safetensors",
                                        "vae/diffusion_pytorch_model.safetensors",
                                        "text_encoder/model.safetensors"};
    char *script;
    ck_assert_int_gt(
        asprintf(
            &script,
            "mkdir -p %s && cd %s && mkdir unet vae text_encoder scheduler tokenizer && "
            "echo '{\"torch_dtype\": \"float16\"}' > text_encoder/config.json && "
            "echo '{\"_class_name\": \"U\"}' > unet/config.json && cp unet/config.json vae && "
            "echo '{}' > scheduler/scheduler_config.json && echo x > tokenizer/merges.txt && "
            "echo '{\"_class_name\": \"P\", \"unet\": [\"d\", \"U\"], \"vae\": [\"d\", \"V\"], "
            "\"text_encoder\": [\"t\", \"C\"], \"scheduler\": [\"d\", \"S\"], \"tokenizer\": "
            "[\"t\", \"T\"], \"safety_checker\": [null, null]}' > model_index.json",
            name, name),
        0);
    expect_script(script, 0, "", "");
    free(script);
    for (size_t i = 0; i < 3; i++) {
        char *path;
        ck_assert_int_gt(asprintf(&path, "%s/%s", name, paths[i]), 0);
        write_tensors(path, (TestTensor){"x.weight", 300, value},
                      (TestTensor){"y.weight", 200, value + 1});
        free(path);
    }
}

START_TEST(a_pipeline_is_one_model) {
    make_pipeline("p", 1);
    expect_script("\"$MECHA\" info p --keys '*' | grep weight && \"$MECHA\" info p/unet --keys '*' "
                  "| grep weight",
                  0,
                  "  text_encoder.x.weight  f32 [300]\n"
                  "  text_encoder.y.weight  f32 [200]\n"
                  "  unet.x.weight  f32 [300]\n"
                  "  unet.y.weight  f32 [200]\n"
                  "  vae.x.weight  f32 [300]\n"
                  "  vae.y.weight  f32 [200]\n"
                  "  x.weight  f32 [300]\n"
                  "  y.weight  f32 [200]\n",
                  "");
}
END_TEST

START_TEST(a_pipeline_becomes_one) {
    make_pipeline("p", 1);
    make_pipeline("q", 7);
    write_text(folder, "plan.mecha", "(model(\"p\") + model(\"q\")) / 2\n");
    expect_script("\"$MECHA\" run -q plan.mecha -o out/ && " LISTING " && cmp out/model_index.json "
                  "p/model_index.json && cat out/text_encoder/config.json && rm -rf p q && "
                  "echo 'model(\"out\")' > "
                  "plan.mecha && \"$MECHA\" run -q plan.mecha -o again.safetensors && "
                  "\"$MECHA\" diff out again.safetensors | grep '^changed'",
                  0,
                  "out/model_index.json\n"
                  "out/scheduler/scheduler_config.json\n"
                  "out/text_encoder/config.json\n"
                  "out/text_encoder/model.safetensors\n"
                  "out/tokenizer/merges.txt\n"
                  "out/unet/config.json\n"
                  "out/unet/diffusion_pytorch_model.safetensors\n"
                  "out/vae/config.json\n"
                  "out/vae/diffusion_pytorch_model.safetensors\n"
                  "{\"torch_dtype\": \"float32\"}\n"
                  "changed   0 of 6 keys in both\n",
                  "");
}
END_TEST

/* Each part has its own; a part that is not in the result is none in the index. */
START_TEST(parts_have_shards) {
    make_pipeline("p", 1);
    write_text(folder, "plan.mecha", "x = model(\"p\")\nx[\"unet.*\"] | x[\"text*\"]\n");
    expect_script("\"$MECHA\" run -q plan.mecha -o out --shard-size 1K && " LISTING
                  " && grep -c null out/model_index.json && \"$MECHA\" info out | head -1 && "
                  "cat out/unet/*.json",
                  0,
                  "out/model_index.json\n"
                  "out/scheduler/scheduler_config.json\n"
                  "out/text_encoder/config.json\n"
                  "out/text_encoder/model-00001-of-00002.safetensors\n"
                  "out/text_encoder/model-00002-of-00002.safetensors\n"
                  "out/text_encoder/model.safetensors.index.json\n"
                  "out/tokenizer/merges.txt\n"
                  "out/unet/config.json\n"
                  "out/unet/diffusion_pytorch_model-00001-of-00002.safetensors\n"
                  "out/unet/diffusion_pytorch_model-00002-of-00002.safetensors\n"
                  "out/unet/diffusion_pytorch_model.safetensors.index.json\n"
                  "4\n"
                  "out: 4 tensors, 3.9 KiB\n"
                  "{\"_class_name\": \"U\"}\n"
                  "{\n"
                  "  \"metadata\": {\n"
                  "    \"total_size\": 2000\n"
                  "  },\n"
                  "  \"weight_map\": {\n"
                  "    \"x.weight\": \"diffusion_pytorch_model-00001-of-00002.safetensors\",\n"
                  "    \"y.weight\": \"diffusion_pytorch_model-00002-of-00002.safetensors\"\n"
                  "  }\n"
                  "}\n",
                  "");
}
END_TEST

START_TEST(a_part_becomes_a_part) {
    make_pipeline("p", 1);
    write_text(folder, "plan.mecha", "model(\"p/unet\")\n");
    expect_script("\"$MECHA\" run -q plan.mecha -o out/ && " LISTING, 0,
                  "out/config.json\nout/diffusion_pytorch_model.safetensors\n", "");
}
END_TEST

START_TEST(parts_are_in_a_cache) {
    make_pipeline("p", 1);
    expect_script(
        "cp -r p flat && mkdir blobs && n=0 && cd p && for f in */* *.json; do n=$((n + 1)) && "
        "mv $f ../blobs/$n && case $f in */*) ln -s ../../blobs/$n $f;; *) ln -s "
        "../blobs/$n $f;; esac; done && cd .. && \"$MECHA\" diff p flat | grep changed",
        0, "changed   0 of 6 keys in both\n", "");
}
END_TEST

START_TEST(a_variant_of_a_pipeline_is_asked_for) {
    make_pipeline("p", 1);
    write_tensors("p/unet/diffusion_pytorch_model.fp16.safetensors", (TestTensor){"x.weight", 3, 1},
                  (TestTensor){0});
    expect_refused("", "p",
                   "p/unet: holds variants of one model, 'diffusion_pytorch_model.safetensors' and "
                   "'diffusion_pytorch_model.fp16.safetensors': name one, as 'p@fp16' ('@none': "
                   "without a variant)");
    expect_refused("", "p@fp8", "p/unet: holds no variant 'fp8'");
    expect_script("for v in fp16 none; do \"$MECHA\" info p@$v | head -1; done", 0,
                  "p@fp16: 5 tensors, 3.9 KiB\np@none: 6 tensors, 5.9 KiB\n", "");
    expect_refused("rm p/unet/*.fp16.*", "p@fp8", "p@fp8: no part of it has a variant 'fp8'");
}
END_TEST

START_TEST(a_pipeline_has_its_parts) {
    make_pipeline("p", 1);
    expect_refused(
        "mv p/vae kept", "p",
        "p/model_index.json: names the part 'vae', and there is no such folder beside it");
    expect_refused(
        "mkdir p/vae && cp kept/config.json p/vae", "p",
        "p/model_index.json: names the part 'vae', whose folder holds no .safetensors file");
    expect_refused("touch p/vae/diffusion_pytorch_model.bin", "p",
                   "p/model_index.json: names the part 'vae', whose folder holds no .safetensors "
                   "file but pickled weights (.bin); convert them to safetensors first");
    expect_refused("echo '{\"../x\": [\"a\", \"b\"]}' > p/model_index.json", "p",
                   "p/model_index.json: names a part '../x', which is no plain name of a folder");
    expect_refused("echo '{\"tokenizer\": [\"a\", \"b\"]}' > p/model_index.json", "p",
                   "p/model_index.json: names no part that holds a model");
    expect_refused("echo '[]' > p/model_index.json", "p",
                   "p/model_index.json: is no list of parts: it must be an object");
    expect_refused(
        "echo '{' > p/model_index.json", "p",
        "p/model_index.json: is no well-formed list of parts: string or '}' expected near "
        "end of file (line 2)");
    expect_refused("rm p/model_index.json; mkfifo p/model_index.json", "p",
                   "p/model_index.json: is a FIFO, no regular file");
}
END_TEST

START_TEST(what_fits_no_part_is_named) {
    make_pipeline("p", 1);
    write_tensors("more.safetensors", (TestTensor){"z", 3, 1}, (TestTensor){0});
    write_text(folder, "plan.mecha", "model(\"p\") | model(\"more.safetensors\")\n");
    expect_script("\"$MECHA\" run -q plan.mecha -o out/", 1, "",
                  "out/: would be a folder of parts, as 'p' is one, but the key 'z' belongs to no "
                  "part of it; name a file");
    write_text(folder, "plan.mecha", "model(\"more.safetensors\")\n");
    expect_script("\"$MECHA\" run -q plan.mecha -o p/", 1, "",
                  "p/: holds a pipeline ('model_index.json'), and the result is none; --force "
                  "replaces it");
    expect_script("\"$MECHA\" run -q plan.mecha -o p/ --force && \"$MECHA\" info p | head -1", 0,
                  "p: 1 tensor, 12 B\n", "");
}
END_TEST

/* ---- tied weights ---- */

/* A folder with embeddings, a head unless that would begin with 0, and a config. */
static void make_language(const char *name, float embeddings, float head, const char *config) {
    TestTensor tensors[] = {{"model.embed_tokens.weight", 2, embeddings},
                            {"model.norm.weight", 1, 1},
                            {"lm_head.weight", 2, head}};
    char *path;
    ck_assert_int_gt(asprintf(&path, "mkdir %s", name), 0);
    expect_script(path, 0, "", "");
    free(path);
    ck_assert_int_gt(asprintf(&path, "%s/model.safetensors", name), 0);
    write_model(folder, path, tensors, head == 0 ? 2 : 3);
    free(path);
    ck_assert_int_gt(asprintf(&path, "%s/config.json", name), 0);
    write_text(folder, path, config);
    free(path);
}

static void make_languages(void) {
    make_language("head", 1, 5, "{\"tie_word_embeddings\": false}");
    make_language("tied", 3, 0, "{\"tie_word_embeddings\": true, \"layers\": 1}");
    make_language("spare", 5, 5, "{\"tie_word_embeddings\" : true}");
    make_language("unsaid", 7, 0, "{\"layers\": 1}");
    make_language("reward", 9, 0, "{\"tie_word_embeddings\": false}");
}

/* What a merge holds under the head, if there is one, and what its config says then. */
static void expect_merge(const char *recipe, const char *output, const char *warning) {
    write_text(folder, "plan.mecha", recipe);
    expect_script(
        "rm -rf out; \"$MECHA\" run --metadata none plan.mecha -o out/ 2> said || cat said; "
        "grep -h warning -A2 said >&2; "
        "\"$MECHA\" info out --keys 'lm_head*' | grep -q 'f32 .2.$' && "
        "tail -c 8 out/model.safetensors | od -A n -t f4 | tr -s ' '; cat out/config.json",
        0, output, warning);
}

/* (1, 2) and (3, 4) are embeddings, (5, 6) is the head. */
START_TEST(embeddings_are_a_tied_head) {
    make_languages();
    expect_merge("weighted_sum(model(\"head\"), model(\"tied\"))\n",
                 " 4 5\n{\"tie_word_embeddings\": false}", "");
    expect_merge("0.25 * model(\"tied\") + 0.75 * model(\"head\")\n",
                 " 4.5 5.5\n{\"tie_word_embeddings\": false, \"layers\": 1}", "");
    expect_merge("model(\"tied\") | model(\"head\")\n",
                 " 3 4\n{\"tie_word_embeddings\": false, \"layers\": 1}", "");
    expect_merge("weighted_sum(model(\"spare\"), model(\"head\"), alpha = 1)\n",
                 " 5 6\n{\"tie_word_embeddings\" : false}", "");
    expect_merge("weighted_sum(model(\"unsaid\"), model(\"head\"))\n",
                 " 6 7\n{\n  \"tie_word_embeddings\": false,\"layers\": 1}", "");
    expect_merge("weighted_sum(model(\"unsaid/model.safetensors\"), model(\"head\"))\n",
                 " 6 7\n{\"tie_word_embeddings\": false}", "");
}
END_TEST

START_TEST(a_config_that_is_a_fifo_is_not_waited_for) {
    make_languages();
    write_text(folder, "plan.mecha", "weighted_sum(model(\"unsaid\"), model(\"head\"))\n");
    expect_script("rm unsaid/config.json; mkfifo unsaid/config.json; "
                  "\"$MECHA\" run -q plan.mecha -o out.safetensors; echo $?",
                  0, "0\n", "");
}
END_TEST

START_TEST(tied_models_stay_tied) {
    make_languages();
    expect_merge("weighted_sum(model(\"tied\"), model(\"unsaid\"))\n",
                 "{\"tie_word_embeddings\": true, \"layers\": 1}", "");
    expect_merge("weighted_sum(model(\"head\")[\"model.*\"], model(\"tied\"))\n",
                 "{\"tie_word_embeddings\": true}", "");
    write_text(folder, "plan.mecha",
               "save weighted_sum(model(\"tied\"), model(\"head\")) to \"mixed/\"\n"
               "save model(\"tied\") to \"copy/\"\n");
    expect_script(
        "\"$MECHA\" run -q plan.mecha; for f in mixed copy; do \"$MECHA\" info $f | head -1; done",
        0, "mixed: 3 tensors, 20 B\ncopy: 2 tensors, 12 B\n", "");
    expect_script("cat copy/config.json", 0, "{\"tie_word_embeddings\": true, \"layers\": 1}", "");
    expect_merge("weighted_sum(model(\"tied\"), model(\"spare\"))\n",
                 "{\"tie_word_embeddings\": true, \"layers\": 1}",
                 "plan.mecha:1:29: warning: 'lm_head.weight' is left out: config.json says that "
                 "'model.embed_tokens.weight' stands for it\n");
}
END_TEST

START_TEST(a_head_that_is_lost_is_named) {
    make_languages();
    expect_merge(
        "weighted_sum(model(\"head\"), model(\"reward\"))\n", "{\"tie_word_embeddings\": false}",
        "plan.mecha:1:29: warning: this model has no 'lm_head.weight', and its config.json "
        "says that its weights are not tied: a result of it lacks the head\n");
    expect_merge("a = model(\"head\")\nweighted_sum(a, model(\"reward\")) | a\n",
                 " 5 6\n{\"tie_word_embeddings\": false}", "");
}
END_TEST

/* A file with that header and values of f32. */
static void write_matrices(const char *name, const char *header, const float *values, size_t n) {
    unsigned char bytes[1024] = {0};
    size_t size = (strlen(header) + 7) / 8 * 8;
    memcpy(bytes, &(uint64_t){size}, 8);
    (void)snprintf((char *)bytes + 8, sizeof bytes - 8, "%-*s", (int)size, header);
    memcpy(bytes + 8 + size, values, n * sizeof *values);
    write_file(folder, name, bytes, 8 + size + n * sizeof *values);
}

/* A tied model, and a network that PEFT trained for what is called MODULE there. */
static void make_tied_network(const char *module) {
    expect_script("rm -rf t n && mkdir t n", 0, "", "");
    write_text(folder, "t/config.json", "{\"tie_word_embeddings\": true}");
    write_text(folder, "n/adapter_config.json", "{\"r\": 1, \"lora_alpha\": 3}");
    write_matrices(
        "t/model.safetensors",
        "{\"model.embed_tokens.weight\":{\"dtype\":\"F32\",\"shape\":[2,2],"
        "\"data_offsets\":[0,16]},\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[2],"
        "\"data_offsets\":[16,24]}}",
        (float[]){1, 2, 3, 4, 7, 8}, 6);
    char *header;
    ck_assert_int_gt(
        asprintf(&header,
                 "{\"base_model.model.%s.lora_A.weight\":{\"dtype\":\"F32\",\"shape\":[1,2],"
                 "\"data_offsets\":[0,8]},\"base_model.model.%s.lora_B.weight\":{\"dtype\":\"F32\","
                 "\"shape\":[2,1],\"data_offsets\":[8,16]}}",
                 module, module),
        0);
    write_matrices("n/adapter_model.safetensors", header, (float[]){1, 2, 10, 20}, 4);
    free(header);
}

/* (1, 2, 3, 4) and three times the product of (10, 20) and (1, 2). */
START_TEST(a_network_for_a_tied_head_unties_it) {
    make_tied_network("lm_head");
    write_text(folder, "plan.mecha", "apply(model(\"t\"), model(\"n\"))\n");
    expect_script("\"$MECHA\" run -q --metadata none plan.mecha -o out/ && cat out/config.json && "
                  "\"$MECHA\" info out --keys '*' | grep '\\[' && "
                  "tail -c 40 out/model.safetensors | od -A n -w40 -t f4 | tr -s ' '",
                  0,
                  "{\"tie_word_embeddings\": false}"
                  "  model.embed_tokens.weight  f32 [2, 2]\n"
                  "  model.norm.weight  f32 [2]\n"
                  "  lm_head.weight  f32 [2, 2]\n"
                  " 1 2 3 4 7 8 31 62 63 124\n",
                  "");
    write_text(folder, "plan.mecha",
               "t = model(\"t\")\nsave apply(t, model(\"n\")) to \"a/\"\nsave t to \"b/\"\n");
    expect_script(
        "\"$MECHA\" run -q plan.mecha && cat b/config.json && \"$MECHA\" info b | head -1", 0,
        "{\"tie_word_embeddings\": true}b: 2 tensors, 24 B\n", "");
}
END_TEST

START_TEST(a_network_for_tied_embeddings_leaves_them_tied) {
    make_tied_network("model.embed_tokens");
    write_text(folder, "plan.mecha", "apply(model(\"t\"), model(\"n\"))\n");
    expect_script("\"$MECHA\" run -q --metadata none plan.mecha -o out/ && cat out/config.json && "
                  "tail -c 24 out/model.safetensors | od -A n -w24 -t f4 | tr -s ' '",
                  0, "{\"tie_word_embeddings\": true} 31 62 63 124 7 8\n", "");
}
END_TEST

START_TEST(a_config_has_the_size_of_the_vocabulary) {
    expect_script("mkdir few many", 0, "", "");
    write_tensors("few/model.safetensors", (TestTensor){"embed", 2, 1}, (TestTensor){"norm", 2, 1});
    write_tensors("many/model.safetensors", (TestTensor){"embed", 3, 1},
                  (TestTensor){"norm", 2, 1});
    write_text(folder, "few/config.json",
               "{\"image\": {\"vocab_size\": 20}, \"vocab_size\": 2, \"layers\": 2}");
    write_text(folder, "many/config.json", "{\"vocab_size\" : 3}");
    expect_merge("few = model(\"few\")\npad(few, model(\"many/model.safetensors\"))\n",
                 "{\"image\": {\"vocab_size\": 20}, \"vocab_size\": 3, \"layers\": 2}", "");
    expect_merge("common(model(\"many\"), model(\"few/model.safetensors\"))\n",
                 "{\"vocab_size\" : 2}", "");
    expect_merge("few = model(\"few\")\ncommon(few, model(\"many\"))\n",
                 "{\"image\": {\"vocab_size\": 20}, \"vocab_size\": 2, \"layers\": 2}", "");
}
END_TEST

Suite *folders_suite(void) {
    Suite *suite = suite_create("folders");
    TCase *tests = tcase_create("folders");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_shard_that_is_missing_is_named);
    tcase_add_test(tests, an_index_agrees_with_its_shards);
    tcase_add_test(tests, a_key_is_in_one_shard);
    tcase_add_test(tests, a_shard_that_is_cut_short_is_named);
    tcase_add_test(tests, a_shard_stands_in_its_folder);
    tcase_add_test(tests, a_variant_is_asked_for);
    tcase_add_test(tests, a_folder_is_what_its_name_says);
    tcase_add_test(tests, variants_have_shards);
    tcase_add_test(tests, a_pipeline_is_one_model);
    tcase_add_test(tests, a_pipeline_becomes_one);
    tcase_add_test(tests, parts_have_shards);
    tcase_add_test(tests, a_part_becomes_a_part);
    tcase_add_test(tests, parts_are_in_a_cache);
    tcase_add_test(tests, a_variant_of_a_pipeline_is_asked_for);
    tcase_add_test(tests, a_pipeline_has_its_parts);
    tcase_add_test(tests, what_fits_no_part_is_named);
    tcase_add_test(tests, embeddings_are_a_tied_head);
    tcase_add_test(tests, a_config_that_is_a_fifo_is_not_waited_for);
    tcase_add_test(tests, tied_models_stay_tied);
    tcase_add_test(tests, a_head_that_is_lost_is_named);
    tcase_add_test(tests, a_network_for_a_tied_head_unties_it);
    tcase_add_test(tests, a_network_for_tied_embeddings_leaves_them_tied);
    tcase_add_test(tests, a_config_has_the_size_of_the_vocabulary);
    suite_add_tcase(suite, tests);
    return suite;
}
