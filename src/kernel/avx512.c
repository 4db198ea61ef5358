#define KERNELS      kernels_avx512
#define KERNELS_NAME "avx512"
#define HASH         hash_avx512
#include "kernel/build.h"
