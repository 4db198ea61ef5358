#define HASH hash_avx512
#include "kernel/hash.h"
