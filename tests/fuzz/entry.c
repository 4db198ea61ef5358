/* What libFuzzer calls; TARGET is a function of fuzz.h. */
#include "fuzz.h"

#include "base/arena.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena arena = {0};
    TARGET(text_copy(&arena, (Text){(const char *)data, size}));
    arena_free(&arena);
    return 0;
}
