#define HASH hash_base
#include "kernel/hash.h"
