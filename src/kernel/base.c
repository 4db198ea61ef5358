#define KERNELS      kernels_base
#define KERNELS_NAME "base"
#include "kernel/build.h"
