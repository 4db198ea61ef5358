#define KERNELS      kernels_avx2
#define KERNELS_NAME "avx2"
#define HASH         hash_avx2
#include "kernel/build.h"
