/* What has to be computed where: private to opt/fuse.c and opt/emit.c. */
#ifndef OPT_INSTANCE_H
#define OPT_INSTANCE_H

#include "base/vector.h"
#include "opt/fuse.h"
#include "opt/view.h"

/* The number of elements of shape 1 while nobody asked. */
#define COUNT_OF_KEY UINT64_MAX

/* What fusion knows of a value. */
typedef struct Facts {
    uint64_t count;   /* elements */
    ValueId base;     /* what it is a view of; itself where it is none */
    const View *view; /* NULL: all elements of the base in order */
    /* It is, at its own place, one element for each row of that many, and computed beside them: a
     * reduction over the last axis or arithmetic on one. 0 where it is not. */
    uint64_t row_own;
    ShapeId row_domain; /* the shape that has these rows */
    uint64_t row_inner; /* rows of that many are reduced on the way to its elements, or 0 */
    uint64_t expands;   /* it is each element of its base so many times, or 0 */
} Facts;

/* Where instances are computed. The first two are no domains. */
enum { CONTEXT_UNIFORM, CONTEXT_BUFFER, CONTEXT_DOMAINS };
typedef struct Context {
    uint64_t count; /* elements of the domain: values of as many share it whatever their shape */
    ShapeId domain;
    uint64_t row_length; /* row-level values are those of count / row_length elements; 0: none */
    uint64_t outer, extent, inner; /* a pass in ORDER_COLUMNS; extent is 0 otherwise */
} Context;

typedef enum InstanceKind {
    INSTANCE_CONST,    /* uniform code only */
    INSTANCE_ONE,      /* a leaf of one element */
    INSTANCE_RESULT,   /* what a pass reduces or selects */
    INSTANCE_MAP,      /* uniform or tiles */
    INSTANCE_QUANTISE, /* uniform or tiles */
    INSTANCE_SAME,     /* its operand, element by element; never an operand */
    INSTANCE_LOAD,     /* a view of a leaf */
    INSTANCE_FETCH,    /* a view of the buffer that is its operand */
    INSTANCE_PRODUCT,  /* elements in order of a product of the buffers that are its operands */
    INSTANCE_COORDINATE,
    INSTANCE_RANDOM,
    INSTANCE_ROW_REDUCE,
    INSTANCE_EXPAND,
    INSTANCE_BUFFER, /* held: its operands are what is stored there */
    INSTANCE_WHOLE,
} InstanceKind;

typedef struct Instance {
    uint8_t kind;
    bool row;      /* row level */
    uint16_t need; /* about how many registers it takes to compute */
    ValueId value;
    uint32_t context;
    uint32_t first_operand, n_operands;
    uint32_t level;  /* of the earliest pass that can compute or use it */
    uint32_t buffer; /* BUFFER; of others: where it is held to save time, or BUFFER_NONE */
    uint32_t ready;  /* held to save time: the level from which on it can be loaded */
    uint32_t slot;   /* the uniform's */
} Instance;

enum { BUFFER_NONE = UINT32_MAX };

typedef enum SinkKind { SINK_STORE, SINK_REDUCE, SINK_SELECT, SINK_COLUMN, SINK_WHOLE } SinkKind;

/* What is needed only while the uniform of an instance is not 0 (WHEN), or is 0. */
typedef struct Guard {
    uint32_t instance;
    bool when;
} Guard;
enum { GUARD_ALWAYS = UINT32_MAX };

/* What a pass is for. */
typedef struct Sink {
    SinkKind kind;
    uint32_t level, context;
    uint32_t a, b;        /* instances; b: the second of a DOT, or a again */
    uint32_t target;      /* RESULT or WHOLE: the instance; COLUMN: the buffer */
    const Access *access; /* STORE */
    ValueId value;
    Guard guard; /* set by find_guards */
} Sink;

/* A copy of bytes that needs no arithmetic. */
typedef struct CopyRun {
    uint32_t leaf, output;
    uint64_t from, to, bytes;
} CopyRun;

typedef struct Fusion {
    Arena *arena;
    Program *program;
    const OptimiseOptions *options;
    Facts *facts;
    VECTOR(Context) contexts;
    VECTOR(Context) rows; /* count and row_length: which rows values of that many elements have */
    VECTOR(Instance) instances;
    VECTOR(uint32_t) operands;
    HashIndex index;
    VECTOR(Sink) sinks;
    VECTOR(CopyRun) copies;
    VECTOR(uint32_t) checks; /* instances */
    VECTOR(BufferInfo) buffers;
} Fusion;

static inline const Value *value_of(const Fusion *fusion, ValueId id) {
    return program_value(fusion->program, id);
}

static inline ValueId operand_of(const Fusion *fusion, ValueId id, uint32_t i) {
    return program_operand(fusion->program, value_of(fusion, id), i);
}

/* Domain, outer and inner dimensions, and extent of the axis of a reduction. */
Context fusion_columns(const Fusion *fusion, const Value *reduction);
/* The rows that values of COUNT elements have by default: the first that are reduced or made by
 * expanding, so that all of that size can share passes. */
uint64_t fusion_rows(const Fusion *fusion, uint64_t count);

void fusion_init(Fusion *fusion, const RootSpec *roots, uint32_t n_roots);
void fusion_free(Fusion *fusion);

/* Finds the sinks of one output and all that they need. */
void fusion_root(Fusion *fusion, uint32_t output, RootSpec root);

/* Finds all that a check needs. */
void fusion_check(Fusion *fusion, ValueId value);

uint32_t instance_operand(const Fusion *fusion, const Instance *instance, uint32_t i);
/* A new buffer for the value. */
uint32_t buffer_new(Fusion *fusion, ValueId value);
DType compute_dtype(Compute compute);
Access *access_new(Fusion *fusion, PlaceKind kind, uint32_t index, DType dtype, const View *view);

/* opt/product.c: whether a value is a matrix product that is made where it is loaded, for it costs
 * less than to hold it; and that product, of these buffers. */
bool product_streams(const Program *program, ValueId id);
Product product_of(const Program *program, ValueId id, uint32_t left, uint32_t right);

/* opt/guard.c: when each sink matters. Before anything is held to save time. */
void find_guards(Fusion *fusion);

/* opt/mask.c: which buffers hold one bit an element. */
void find_masks(Fusion *fusion);

/* opt/emit.c */
PassList *emit_passes(Fusion *fusion, const RootSpec *roots, uint32_t n_roots);

#endif
