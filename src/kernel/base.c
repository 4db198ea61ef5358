#define KERNELS      kernels_base
#define KERNELS_NAME "base"
#define HASH         hash_base
#include "kernel/build.h"
