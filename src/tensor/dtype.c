#include "tensor/dtype.h"

const DTypeInfo dtype_info[DTYPE_COUNT] = {
#define DTYPE(id, file, name, torch, bits, kind, computes)                                         \
    {{file, sizeof file - 1},                                                                      \
     {name, sizeof name - 1},                                                                      \
     {torch, sizeof torch - 1},                                                                    \
     bits,                                                                                         \
     KIND_##kind,                                                                                  \
     computes},
#include "tensor/dtype.def"
#undef DTYPE
};

/* Asked once for every tensor of every model, so most rows are passed by their size and last
 * character. */
DType dtype_from_file(Text name) {
    char last = name.size > 0 ? name.data[name.size - 1] : '\0';
    for (DType dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        Text known = dtype_info[dtype].file_name;
        if (known.size == name.size && known.data[known.size - 1] == last &&
            text_equal(known, name))
            return dtype;
    }
    return DTYPE_NONE;
}

DType dtype_from_name(Text name) {
    DType dtype = 0;
    while (dtype < DTYPE_COUNT && !text_equal(name, dtype_info[dtype].name) &&
           !text_equal(name, dtype_info[dtype].torch_name))
        dtype++;
    return dtype;
}

const Text *dtype_names(size_t *count) {
    static const Text names[] = {
#define DTYPE(id, file, name, torch, bits, kind, computes)                                         \
    {name, sizeof name - 1}, {torch, sizeof torch - 1},
#include "tensor/dtype.def"
#undef DTYPE
    };
    *count = sizeof names / sizeof *names;
    return names;
}

bool dtype_bytes(DType dtype, uint64_t count, uint64_t *bytes) {
    uint64_t bits;
    if (__builtin_mul_overflow(count, (uint64_t)dtype_info[dtype].bits, &bits))
        return false;
    *bytes = bits / 8;
    return bits % 8 == 0;
}
