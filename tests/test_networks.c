/* Networks in models of real structure. */
#include "run.h"
#include "tests.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

/* Runs SCRIPT in a new folder, where $BUILD and $MECHA are absolute; what it prints has to be
 * OUTPUT, and nothing may be said. */
static void expect_script(const char *script, const char *output) {
    char *folder = scratch_open();
    const char *build = getenv("BUILD");
    char *tools = realpath(build != NULL ? build : "build", NULL);
    const char *const environment[] = {"BUILD", tools, "MECHA", mecha_binary(), NULL};
    RunOptions options = {.folder = folder, .environment = environment};
    Run run = run_shell(&options, script);
    ck_assert_str_eq(run.error, "");
    ck_assert_str_eq(run.output, output);
    run_free(&run);
    free(tools);
    scratch_close(folder);
}

#define MAKE_LORA                                                                                  \
    "\"$BUILD/make-models\" --kind sd15 --only '*.input_blocks.1.*' base.safetensors && "          \
    "\"$BUILD/make-models\" --kind sd15 --lora 12 --only '*_down_blocks_0_attentions_0_*' "        \
    "lora.safetensors && printf '%s\\n' "                                                          \
    "'base = model(\"base.safetensors\", config = \"sd1-ldm\")' "                                  \
    "'lora = model(\"lora.safetensors\", config = \"sd1-kohya_kohya_lora\")' "                     \
    "'base + 0.8 * (lora as \"sd1-ldm\") | base' > plan.mecha && "

/* The product of a LoRA's halves is made tile by tile: neither how many threads share them nor the
 * instruction set may show. */
START_TEST(a_lora_gives_the_same_bytes_however_it_is_computed) {
    expect_script(MAKE_LORA "for how in '-j 1' '-j 3' '-j 2 --memory 8M'; do "
                            "  \"$MECHA\" run -q plan.mecha $how -o out.safetensors && "
                            "  cksum < out.safetensors >> sums; done; "
                            "MECHA_KERNELS=base \"$MECHA\" run -q plan.mecha -o out.safetensors && "
                            "cksum < out.safetensors >> sums; sort -u sums | wc -l; wc -l < sums",
                  "1\n4\n");
}
END_TEST

/* It is for the transformer of the block: what stands before that is copied, bit for bit. */
START_TEST(what_a_lora_does_not_touch_is_copied) {
    expect_script(MAKE_LORA
                  "\"$MECHA\" run -q plan.mecha -o out.safetensors && "
                  "for part in '*.input_blocks.1.0.*' '*.norm*' '*.to_q.weight'; do "
                  "  for file in base out; do "
                  "    echo \"model(\\\"$file.safetensors\\\", config = \\\"sd1-ldm\\\")"
                  "[\\\"$part\\\"]\" > part.mecha; "
                  "    \"$MECHA\" run -q part.mecha --metadata none -o part-$file.safetensors; "
                  "  done; cmp -s part-base.safetensors part-out.safetensors && echo same; done",
                  "same\nsame\n");
}
END_TEST

Suite *networks_suite(void) {
    Suite *suite = suite_create("networks");
    TCase *tests = tcase_create("networks");
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_lora_gives_the_same_bytes_however_it_is_computed);
    tcase_add_test(tests, what_a_lora_does_not_touch_is_copied);
    suite_add_tcase(suite, tests);
    return suite;
}
