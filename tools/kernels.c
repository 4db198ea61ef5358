/* The builds of the kernels that this CPU can run, and the one that merges are made with:
 *
 *     $ kernels
 *     base avx2: avx2
 *
 * MECHA_KERNELS in the environment chooses another, as it does for mecha. */
#include "kernel/kernel.h"

#include <stdio.h>

int main(void) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    for (size_t i = 0; i < count; i++)
        printf("%s%.*s", i > 0 ? " " : "", TEXT_ARG(builds[i]->name));
    printf(": %.*s\n", TEXT_ARG(kernels_best()->name));
    return 0;
}
