#define HASH hash_avx2
#include "kernel/hash.h"
