/* A program as it runs: a list of passes, each one sweep over its domain.
 *
 * A pass streams tiles of its domain through a register machine; it ends in stores, in reductions,
 * or in both. What a pass reduces is uniform afterwards, and later passes recompute what they need
 * from the inputs, or load what was held in a buffer.
 *
 *     pass 0  over shape 1, flat
 *         r0 = load leaf 0                      |  element i of the domain
 *         r1 = load leaf 1
 *         dot r0 r0 -> u3;  dot r0 r1 -> u4     |  reductions
 *     before pass 1:  u5 = u4 / u3              |  uniform code, in f64
 *     pass 1  over shape 1, flat
 *         r0 = load leaf 0 … store r2 -> output 0
 *
 * Everything here is made by opt/fuse.c, is immutable afterwards, and is shared by all keys of the
 * class. */
#ifndef PROGRAM_PASS_H
#define PROGRAM_PASS_H

#include "program/program.h"

/* Where elements come from or go to. */
typedef enum PlaceKind {
    PLACE_LEAF,
    PLACE_BUFFER,
    PLACE_MASK, /* a buffer of bits */
    PLACE_OUTPUT,
    PLACE_PRODUCT
} PlaceKind;

/* A view: which element of the place belongs to which element of the domain. Elements are counted
 * in row-major order; `dims` have as many as the domain (of a row instruction: as it has rows), but
 * need not be its dimensions. */
typedef struct Access {
    PlaceKind kind;
    uint32_t index;  /* leaf slot, buffer or output number, or one of the pass's products */
    DType dtype;     /* as stored, or as it becomes: of a buffer, mask or product DTYPE_F32 or
                        DTYPE_F64, the compute type */
    bool contiguous; /* element i of the domain (row-major) is element offset + i of the place; the
                        rest is unset. Always so of a product. */
    uint64_t offset; /* in elements of the place */
    uint32_t rank;   /* neighbouring dimensions that are one run are merged */
    uint64_t dims[SHAPE_LIMIT];
    int64_t strides[SHAPE_LIMIT]; /* in elements; 0 where stretched */
} Access;

typedef enum TileOp {
    TILE_LOAD, /* dst = access[index] */
    TILE_MAP,  /* dst = detail (OpCode) of src; bits of `uniform` say which src are uniform slots */
    TILE_QUANTISE,   /* dst = src[0] rounded to detail (DType) */
    TILE_COORDINATE, /* dst = coordinate along axis `detail` of the domain */
    TILE_RANDOM,     /* dst = draws of randoms[index] */
    TILE_STORE,      /* access[index] = src[0], which may be uniform */
    TILE_REDUCE,     /* reductions[index] takes src[0] (and src[1]: DOT) */
    TILE_ROW_REDUCE, /* dst (row level) = detail (ReduceKind) over each row of src[0] (and src[1]);
                        order ROWS */
    TILE_EXPAND,     /* dst = each element of src[0] (row level), all along its row; order ROWS */
    TILE_COLUMN_REDUCE, /* reductions[index] takes src over the axis; order COLUMNS */
    TILE_SELECT,        /* selections[index] takes src[0] */
} TileOp;

typedef struct TileInstr {
    uint8_t op;      /* TileOp */
    uint8_t detail;  /* OpCode, DType, ReduceKind or axis */
    uint8_t uniform; /* bit i: src[i] is a uniform slot, not a register */
    uint8_t row;     /* works on row-level registers, one element per row of the tile: LOAD, MAP,
                        QUANTISE, STORE (ROW_REDUCE and EXPAND are between the levels: 0) */
    uint32_t dst;    /* a register */
    uint32_t src[3]; /* registers or uniform slots */
    uint32_t index;
} TileInstr;

/* How a pass goes through its domain. */
typedef enum PassOrder {
    ORDER_FLAT,   /* tiles of consecutive elements */
    ORDER_ROWS,   /* tiles of whole rows of `row_length` elements; row-level registers hold one
                     element a row */
    ORDER_COLUMNS /* the domain is [outer, extent, inner]: for strips of inner, all of extent in
                     order */
} PassOrder;

typedef struct Reduction {
    ReduceKind kind;
    uint32_t uniform; /* TILE_REDUCE: the uniform slot that receives the result */
    uint32_t buffer;  /* TILE_COLUMN_REDUCE: the buffer, of [outer, inner] elements, that receives
                         the results */
} Reduction;

/* The k-th smallest of the elements that a pass shows it. */
typedef struct Selection {
    uint64_t k; /* from 1 */
    uint32_t uniform;
} Selection;

/* A matrix product of small rank, whose elements are made where they are loaded. */
typedef struct Product {
    uint32_t left, right; /* the buffers of its factors, contiguous in the compute type */
    bool left_transposed, right_transposed;
    uint64_t rows, columns, inner;
} Product;

typedef struct RandomStream {
    uint64_t seed;
    uint32_t stream;
} RandomStream;

/* u[dst] = op of u[src]; or, with op == UNIFORM_LEAF, the one element of leaf src[0]; or, with op
 * == UNIFORM_QUANTISE, u[src[0]] rounded to the DType src[1] (by the loop of COMPUTE_F64). */
enum { UNIFORM_LEAF = OP_COUNT, UNIFORM_QUANTISE };
typedef struct UniformInstr {
    uint32_t op; /* OpCode or UNIFORM_LEAF */
    uint32_t dst;
    uint32_t src[3];
} UniformInstr;

/* A call of a whole-tensor primitive on buffers that hold its operands contiguously in the compute
 * type; its outputs may be masks. */
typedef struct WholeCall {
    WholeOp op;
    uint32_t n_inputs, n_outputs;
    const uint32_t *inputs, *outputs; /* buffers; an output is UINT32_MAX where nobody needs it */
    const double *parameters;
    uint32_t n_parameters;
    uint64_t scratch; /* bytes it holds while it runs */
} WholeCall;

/* What a pass makes matters only while u[uniform] is not 0 (WHEN), or is 0. */
typedef struct PassGuard {
    uint32_t uniform;
    bool when;
} PassGuard;

typedef enum PassKind {
    PASS_TILES, /* the register machine */
    PASS_COPY,  /* bytes of leaf `copy_leaf` as they are, from copy_offset on, to output
                   `copy_output` (all offsets and the length in bytes) */
    PASS_WHOLE  /* `whole` */
} PassKind;

typedef struct Pass {
    PassKind kind;
    ShapeId domain;
    PassOrder order;
    uint64_t row_length;           /* ROWS */
    uint64_t outer, extent, inner; /* COLUMNS */

    const UniformInstr *uniforms; /* run once before the pass */
    uint32_t n_uniforms;
    /* If there are any and, after that code, none of them asks for it, the pass is left out: what
     * it would make is undefined, and chosen by nothing. */
    const PassGuard *guards;
    uint32_t n_guards;

    const TileInstr *code;
    uint32_t n_code;
    /* What selections still need after the first sweep: the pass is repeated with this code until
     * each of its selections is decided. */
    const TileInstr *again;
    uint32_t n_again;
    uint32_t n_registers;     /* element level */
    uint32_t n_row_registers; /* row level */

    const Access *accesses;
    uint32_t n_accesses;
    const Reduction *reductions;
    uint32_t n_reductions;
    const Selection *selections;
    uint32_t n_selections;
    const RandomStream *randoms;
    uint32_t n_randoms;
    const Product *products;
    uint32_t n_products;

    uint32_t copy_leaf, copy_output;         /* COPY */
    uint64_t copy_from, copy_to, copy_bytes; /* COPY; copy_bytes == UINT64_MAX: all of the leaf */
    WholeCall whole;                         /* WHOLE */

    /* For `explain`, origins of values (program_origin): of each value that is stored, reduced or
     * selected, in the order of the code (of a primitive its own); and of all that is computed,
     * each once. */
    const uint32_t *results, *origins;
    uint32_t n_results, n_origins;
} Pass;

typedef struct BufferInfo {
    ShapeId shape;
    uint32_t first_pass, last_pass; /* alive from before the first to after the last */
    bool mask;                      /* one bit an element (MaskLoop) */
    uint32_t origin;                /* of what it holds */
} BufferInfo;

/* An output of the program. */
typedef struct RootInfo {
    ValueId value;
    ShapeId shape;
    DType dtype;
} RootInfo;

typedef struct PassList {
    const Pass *passes;
    uint32_t n_passes;
    /* Run after the last pass, for the checks: each is a uniform slot, and 0 in it says that
     * something which the program takes for granted does not hold. */
    const UniformInstr *ending;
    uint32_t n_ending;
    const uint32_t *checks;
    uint32_t n_checks;
    const BufferInfo *buffers;
    uint32_t n_buffers;
    const double *constants; /* uniform slots 0 .. n_constants - 1 start with these */
    uint32_t n_constants;
    uint32_t n_uniforms; /* all slots, constants included */
    const Shape
        *shapes; /* by ShapeId; [SHAPE_ID_KEY] is the shape of the key at hand where `any_shape` */
    uint32_t n_shapes;
    bool any_shape; /* never asked for the key's dimensions: serves every shape */
    uint32_t n_leaves;
    const RootInfo *roots;
    uint32_t n_roots;
    Compute compute;
} PassList;

Text whole_name(WholeOp op);

/* The text form, readable by people: for tests and `mecha explain`. */
void passes_dump(const PassList *passes, Builder *out);

#endif
