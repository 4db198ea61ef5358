#include "kernel/kernel.h"

#include <cpuid.h>
#include <stdatomic.h>
#include <stdlib.h>

extern const Kernels kernels_base, kernels_avx2, kernels_avx512;

/* Not every compiler's __builtin_cpu_supports knows F16C. */
static bool has_fma_and_f16c(void) {
    unsigned a, b, c, d;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & bit_FMA) != 0 && (c & bit_F16C) != 0;
}

/* Asking takes a virtual machine through its host each time. */
static bool has_avx2(void) {
    enum { UNKNOWN, NO, YES };
    static atomic_int known = UNKNOWN;
    int answer = atomic_load_explicit(&known, memory_order_relaxed);
    if (answer == UNKNOWN)
        answer = __builtin_cpu_supports("avx2") && has_fma_and_f16c() ? YES : NO;
    atomic_store_explicit(&known, answer, memory_order_relaxed);
    return answer == YES;
}

size_t kernels_available(const Kernels *const **builds) {
    static const Kernels *const all[] = {&kernels_base, &kernels_avx2, &kernels_avx512};
    *builds = all;
    bool avx2 = has_avx2();
    bool avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                  __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    return avx2 && avx512 ? 3 : avx2 ? 2 : 1;
}

const Kernels *kernels_best(void) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    const char *wanted = getenv("MECHA_KERNELS");
    for (size_t i = 0; wanted && i < count; i++)
        if (text_equal(builds[i]->name, text_from(wanted)))
            return builds[i];
    return builds[count - 1];
}
