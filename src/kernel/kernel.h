/* The streamed primitives: one set of loops, written once in plain C (kernel/body.h) and compiled
 * for several instruction sets. All builds give the same bits: no contraction, sums in fixed lanes,
 * fused multiplications where they are asked for (kernel/fused.h), with or without an instruction.
 * The one exception is which NaN an operation makes; nothing depends on that, and stores write one
 * NaN for each dtype.
 *
 * A loop works on a tile: N elements (0 to any number) in the compute type, float or double, within
 * one thread's L1/L2 cache. A `const Kernels *` is passed, not global, so that tests run every
 * build that the CPU has. */
#ifndef KERNEL_KERNEL_H
#define KERNEL_KERNEL_H

#include "tensor/dtype.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OpCode {
#define OP(id, name, arity, doc) OP_##id,
#include "kernel/op.def"
#undef OP
    OP_COUNT
} OpCode;

typedef struct OpInfo {
    Text name;
    unsigned arity;
    Text doc;
} OpInfo;
extern const OpInfo op_info[OP_COUNT];

/* The arithmetic of a merge. */
typedef enum Compute { COMPUTE_F32, COMPUTE_F64 } Compute;

/* dst[i] = op(a[i], b[i], c[i]). Operands are float or double after the compute type of the table.
 * `dst` may be the same tile as an operand, but may not overlap one otherwise. Which operands are
 * UNIFORM (one value, at index 0, for all i) is part of the choice of loop: bit 0 for a, bit 1 for
 * b, bit 2 for c. All-uniform is not provided. */
typedef void MapLoop(void *dst, const void *a, const void *b, const void *c, size_t n);

/* Converts N stored elements (aligned to nothing) to the compute type, exactly or rounded to
 * nearest even. Returns whether all are finite. BOOL: any byte but 0 is 1. */
typedef bool LoadLoop(void *dst, const void *stored, size_t n);
/* The same of stored[0], stored[stride], stored[2 * stride], ...; STRIDE counts elements, and may
 * be negative or 0. */
typedef bool LoadStridedLoop(void *dst, const void *stored, ptrdiff_t stride, size_t n);

/* Converts to the stored type, rounding once: floats to nearest even (what overflows becomes an
 * infinity; in f8_e4m3, which has none, a NaN of its sign, as in torch), NaN to the one quiet NaN
 * without sign; integers half to even and saturating (NaN to 0), BOOL: 0 is false, the rest true.
 */
typedef void StoreLoop(void *stored, const void *src, size_t n);

/* Reductions add a tile to accumulators of FIXED shape, so that the result depends on the order of
 * tiles alone. */
enum { REDUCE_LANES = 16 };
typedef enum ReduceKind {
    REDUCE_SUM,
    REDUCE_MIN,
    REDUCE_MAX,
    REDUCE_ANY,
    REDUCE_DOT,
    REDUCE_KIND_COUNT
} ReduceKind;
typedef struct Accumulator {
    double lanes[REDUCE_LANES];
} Accumulator;
/* Element i of the tile goes to lane i % REDUCE_LANES. SUM adds; DOT adds a[i] * b[i], the product
 * exact or rounded once in f64; MIN and MAX keep NaN once seen; ANY is 1 where some element is not
 * 0 (NaN counts as not 0). B is used by DOT alone. */
typedef void ReduceLoop(Accumulator *accumulator, const void *a, const void *b, size_t n);

/* Rows: for r < rows, the reduction of src[r * length .. + length), each a sum in f64 over the same
 * lanes and the fixed tree of accumulator_result, rounded once to the compute type. dst has one
 * element a row. */
typedef void RowLoop(void *dst, const void *a, const void *b, size_t rows, size_t length);
/* dst[r * length + i] = src[r] */
typedef void ExpandLoop(void *dst, const void *src, size_t rows, size_t length);
/* Columns: accumulators[i] += src[i] and so on, elementwise in f64. */
typedef void ColumnLoop(double *accumulators, const void *a, const void *b, size_t n);

/* Selection by radix: for every element whose ordered key has PREFIX in the bits above SHIFT +
 * BITS, counts the value of the BITS bits above SHIFT. The ordered key of x is its bit pattern (32
 * or 64 bits), made to order as unsigned numbers as x does: negative ones inverted, positive ones
 * with the sign bit set; every NaN the same and last; -0 as +0. PREFIX is key >> (SHIFT + BITS),
 * and ignored where that shifts everything out. */
typedef void HistogramLoop(uint32_t *counts, const void *a, size_t n, uint64_t prefix,
                           unsigned shift, unsigned bits);

/* Selection by a bracket: adds to COUNTS how many elements are below LOW, at most LOW, below HIGH,
 * and at most HIGH, and copies those between the two, in their order, to KEPT, which has room for
 * N. Returns how many. LOW and HIGH are numbers of the compute type; NaN is never below. */
typedef size_t BracketLoop(uint64_t counts[4], void *kept, const void *a, size_t n, double low,
                           double high);

/* dst[i] = the value of `a` rounded to DTYPE and back (as cast to that dtype; floats nearest even,
 * integers towards zero, wrapping never: saturating, NaN to 0; BOOL 1 for all but 0). */
typedef void QuantiseLoop(void *dst, const void *a, size_t n);

/* dst[i] = start + i, rounded once */
typedef void IotaLoop(void *dst, double start, size_t n);

/* dst[i] = the draw of element first + i in the stream KEY of SEED: a function of these three
 * numbers alone, so that any tile can be drawn by itself. Uniform draws are multiples of 2^-53 in
 * [0, 1), in float rounded down to multiples of 2^-24; normal ones are made of two uniform ones
 * (Box and Muller), in float rounded to nearest. The formulas are in kernel/random.h. */
typedef void RandomLoop(void *dst, uint64_t seed, uint64_t key, uint64_t first, size_t n);

/* A matrix product by its factors: element (i, k) of the left one is at i * left_steps[0] + k *
 * left_steps[1], element (k, j) of the right one at k * right_steps[0] + j * right_steps[1]. The
 * right one is packed first, in the order that the build wants. */
enum {
    PRODUCT_LIMIT = 256, /* of the inner dimension */
    PRODUCT_ALIGN = 64   /* of the packed factor, in bytes */
};
typedef struct Factors {
    const void *left, *right, *packed;
    uint64_t columns, inner;
    uint64_t left_steps[2], right_steps[2];
} Factors;
/* Bytes of the packed factor in any build, at most; and in one. */
static inline uint64_t product_packed_most(uint64_t columns, uint64_t inner) {
    return (columns + 63) / 64 * 64 * inner * sizeof(double);
}
typedef uint64_t PackedBytes(uint64_t columns, uint64_t inner);
typedef void PackLoop(void *packed, const Factors *factors);
/* dst[i] = element first + i of the product, row-major; its terms are added one by one, in order,
 * each multiplied and added with one rounding. */
typedef void ProductLoop(void *dst, const Factors *factors, uint64_t first, size_t n);

/* Masks hold one bit an element: element i is bit i / MASK_WORDS % 32 of word i % MASK_WORDS of
 * block i / MASK_BLOCK, so that neighbours are made, and read, side by side. */
enum { MASK_WORDS = 8, MASK_BLOCK = 32 * MASK_WORDS };
static inline uint64_t mask_words(uint64_t n) {
    return (n / MASK_BLOCK + (n % MASK_BLOCK > 0)) * MASK_WORDS;
}
/* dst[i] = element first + i, 1 or 0 */
typedef void MaskLoop(void *dst, const uint32_t *mask, uint64_t first, size_t n);

enum { TWISTER_WORDS = 624 };

/* What is known of pairs of elements after a look at each: sums of squares of both and of their
 * differences b - a (squares and differences rounded to the compute type), in fixed lanes; the
 * largest |b - a| that is no NaN; and how many pairs differ, or have a NaN. */
enum { COMPARE_LANES = 4 };
typedef struct Comparison {
    double a[COMPARE_LANES], b[COMPARE_LANES], difference[COMPARE_LANES];
    double most;
    uint64_t changed;
} Comparison;
/* Adds N pairs, at most 2^30. */
typedef void CompareLoop(Comparison *sums, const void *a, const void *b, size_t n);

/* XXH3-128 of SIZE bytes, as in libxxhash: the low and the high half. */
typedef void HashLoop(uint64_t hash[2], const void *data, size_t size);

typedef struct KernelTable {
    MapLoop *map[OP_COUNT][8]; /* by uniform mask; NULL where the mask does not fit the arity, or is
                                  all of it */
    LoadLoop *load[DTYPE_COUNT]; /* NULL for dtypes that do not compute */
    LoadStridedLoop *load_strided[DTYPE_COUNT];
    StoreLoop *store[DTYPE_COUNT];
    QuantiseLoop *quantise[DTYPE_COUNT];
    ReduceLoop *reduce[REDUCE_KIND_COUNT];
    RowLoop *reduce_rows[REDUCE_KIND_COUNT];
    ColumnLoop *reduce_columns[REDUCE_KIND_COUNT];
    ExpandLoop *expand;
    HistogramLoop *histogram;
    BracketLoop *bracket;
    IotaLoop *iota;
    PackedBytes *packed_bytes;
    PackLoop *pack;
    ProductLoop *product;
    CompareLoop *compare;
    RandomLoop *uniform, *normal;
    MaskLoop *mask;
} KernelTable;

typedef struct Kernels {
    Text name;                   /* `base`, `avx2`, `avx512` */
    const KernelTable *table[2]; /* by Compute */
    /* Whether all N elements as stored are finite, without converting them; integers always are. */
    bool (*finite[DTYPE_COUNT])(const void *stored, size_t n);
    /* The next TWISTER_WORDS draws of MT19937, and its state after them. */
    void (*twist)(uint32_t *words, uint32_t *draws);
    /* One block of a mask: 1 where the lower 24 bits of a draw are below LIMIT, at most 2^24. */
    void (*mask_below)(uint32_t *mask, const uint32_t *draws, uint32_t limit);
    HashLoop *hash;
    bool native; /* the CPU has what exec/native.h needs */
} Kernels;

/* The builds that this CPU can run, plain C first, best last. */
size_t kernels_available(const Kernels *const **builds);
/* The best one; `MECHA_KERNELS=base` in the environment chooses another by name. A name that this
 * CPU does not have is passed over. */
const Kernels *kernels_best(void);

/* A scalar operation in f64, by the same code as the tiles', so that no libm decides a bit. */
double uniform_op(OpCode op, double a, double b, double c);
double uniform_quantise(DType dtype, double value);

/* An accumulator that has seen nothing, and the value of one: lanes combined in a fixed tree. The
 * minimum of nothing is +inf, the maximum -inf, the rest 0. */
Accumulator accumulator_empty(ReduceKind kind);
/* a = a and b, for partial results combined in a fixed order. */
void accumulator_add(ReduceKind kind, Accumulator *a, const Accumulator *b);
double accumulator_result(ReduceKind kind, const Accumulator *accumulator);
/* One total of two, as accumulators of columns are combined. */
double reduce_combine(ReduceKind kind, double a, double b);

/* The ordered key of HistogramLoop (of VALUE rounded to the compute type), and the value that has
 * it. */
uint64_t order_key(Compute compute, double value);
double order_value(Compute compute, uint64_t key);

#endif
