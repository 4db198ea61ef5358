/* One build of all loops, under the name KERNELS, with HASH for its hash, for the instruction set
 * that the compiler was given; base.c, avx2.c and avx512.c are this file with flags of their own
 * (Makefile). */
#include "kernel/fold.h"
#include "kernel/functions.h"
#include "kernel/kernel.h"
#include "kernel/mask.h"
#include "kernel/random.h"
#include "kernel/stored.h"

#define REAL_BITS 32
#include "kernel/body.h"
#define REAL_BITS 64
#include "kernel/body.h"

#define FINITE(id, type, mark, sign)                                                               \
    static bool finite_##id(const void *from, size_t n) {                                          \
        const stored_##id *stored = from;                                                          \
        marks_##id marks = 0;                                                                      \
        for (size_t i = 0; i < n; i++)                                                             \
            marks |= mark_##id(stored[i]);                                                         \
        return !is_marked_##id(marks);                                                             \
    }
STORED_TYPES(FINITE)
#undef FINITE

#define FINITE(id, type, mark, sign) [DTYPE_##id] = finite_##id,
extern HashLoop HASH; /* kernel/hash.h */
extern const Kernels KERNELS;
const Kernels KERNELS = {
    .name = {KERNELS_NAME, sizeof KERNELS_NAME - 1},
    .table = {&table_f32, &table_f64},
    .finite = {STORED_TYPES(FINITE)},
    .twist = twist,
    .mask_below = mask_below,
    .hash = HASH,
#if defined __x86_64__ && defined __AVX2__ && defined __F16C__
    .native = true,
#endif
};
