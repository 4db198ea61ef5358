#include "again.h"

#include "mecha.h"
#include "run.h"
#include "scratch.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void check_same(const char *path, const char *other) {
    size_t size = 0, other_size = 0;
    char *bytes = read_file(path, &size), *other_bytes = read_file(other, &other_size);
    ck_assert_ptr_nonnull(bytes);
    ck_assert_ptr_nonnull(other_bytes);
    ck_assert_msg(size == other_size && memcmp(bytes, other_bytes, size) == 0, "%s:\n%.4000s", path,
                  bytes + 8);
    free(bytes);
    free(other_bytes);
}

void check_again(const char *output) {
    const char *folder = scratch_path(""), *again = scratch_path("again.safetensors");
    MechaOptions options = {
        .output = again, .models_dirs = &folder, .n_models_dirs = 1, .threads = 2, .no_sync = true};
    Engine *engine = mecha_open(&options);
    bool ok = mecha_load_file(engine, output) && mecha_prepare(engine) && mecha_run(engine);
    if (!ok)
        diags_print(mecha_diags(engine), stderr, (DiagStyle){0});
    ck_assert_msg(ok, "%s", output);
    mecha_close(engine);
    check_same(output, again);
    unlink(again);
}
