/* Stretches of a tile program as machine code: loads, elementwise operations and stores that follow
 * each other become one loop, whose values stay in the CPU's registers.
 *
 * The same operations in the same order, each rounded as the kernels round it, so the bits are
 * theirs. What has no instruction of its own (transcendental functions, reductions, selections,
 * draws, views that are not contiguous) is left to the kernels, as is all of it in f64 and on CPUs
 * without AVX2, FMA and F16C. */
#ifndef EXEC_NATIVE_H
#define EXEC_NATIVE_H

#include "base/map.h"
#include "base/vector.h"
#include "program/pass.h"

#include <pthread.h>

enum { NATIVE_WIDTH = 8 }; /* elements that the loop takes at once */

/* Elements i < n of instructions begin … end - 1, for N a multiple of NATIVE_WIDTH. PLACES has the
 * first element of each access that they load or store, by its number; REGISTERS are those of the
 * tile, UNIFORMS the uniform slots as floats. Not 0 where a leaf held NaN or an infinity. */
typedef uint32_t NativeLoop(void *const *places, void *registers, const float *uniforms, size_t n);

typedef struct NativeStretch {
    uint32_t begin, end; /* instructions */
    NativeLoop *loop;
} NativeStretch;

typedef struct Native {
    NativeStretch *stretches; /* in order */
    uint32_t n_stretches;
    void *memory; /* what can be executed */
    size_t bytes;
} Native;

/* For code of PASS, whose tile registers have so many bytes each. NULL where no stretch is worth
 * it, or the system gives no memory that can be executed. */
Native *native_make(const Pass *pass, const TileInstr *code, uint32_t n_code,
                    size_t register_bytes);
void native_free(Native *native);

/* What was made, by code: each is made once, when a thread first asks for it. */
typedef struct NativeCache {
    pthread_mutex_t lock;
    HashIndex index;
    VECTOR(const TileInstr *) codes;
    VECTOR(Native *) natives; /* of each; NULL where it was not worth it */
} NativeCache;

void native_cache_init(NativeCache *cache);
void native_cache_free(NativeCache *cache);
/* Good until the cache is freed. For one code the register's bytes must always be the same. */
const Native *native_cache_find(NativeCache *cache, const Pass *pass, const TileInstr *code,
                                uint32_t n_code, size_t register_bytes);

#endif
