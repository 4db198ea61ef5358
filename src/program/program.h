/* A tensor program: what has to be computed for one class of keys, as a graph of values over whole
 * tensors.
 *
 * Values are immutable, hash-consed and kept in one array with operands before users; program_* are
 * the only constructors, and fold what is known. Keys whose programs agree in structure, leaf
 * dtypes and shape decisions share one Program; each key binds its own tensors to the leaf slots.
 *
 * All arithmetic is on reals in the compute type of the run (f32 or f64); truth values are 0 and 1.
 * A value of shape [] is uniform: it is computed once per key, in f64. opt/fuse.c turns a program
 * into passes over the data (program/pass.h). */
#ifndef PROGRAM_PROGRAM_H
#define PROGRAM_PROGRAM_H

#include "base/arena.h"
#include "base/map.h"
#include "diag/diag.h"
#include "kernel/kernel.h"
#include "tensor/shape.h"

typedef uint32_t ValueId;
enum { VALUE_NONE = UINT32_MAX };

/* Shapes of a program are numbered. [] is 0. Where all leaves have one shape (of rank 1 or more),
 * that is shape 1, and a program that never asked for its dimensions serves every key: then shape 1
 * is the one of the key at hand. */
typedef uint32_t ShapeId;
enum { SHAPE_ID_SCALAR = 0, SHAPE_ID_KEY = 1 };

typedef enum ValueKind {
    VALUE_CONST, /* number */
    VALUE_LEAF,  /* the tensor bound to slot */
    VALUE_MAP,   /* op, elementwise over operands that have its shape or [] (program_map stretches
                    those that broadcast otherwise) */
    VALUE_QUANTISE, /* operand rounded to dtype and back */
    VALUE_REDUCE,   /* reduce over all elements (axis < 0; shape []), or over one axis, which stays
                       with extent 1;   REDUCE_DOT has two operands of one shape */
    VALUE_KTH,      /* the k-th smallest element (from 1) of the operand; shape [] */
    VALUE_INDEX,    /* the coordinate along axis, 0, 1, …; shape is any */
    VALUE_RANDOM,   /* counter-based draws in [0, 1): number is the seed, slot the stream */
    VALUE_RESHAPE,  /* the same elements in row-major order */
    VALUE_PERMUTE,  /* dimension i of the result is dimension permutation[i] of the operand */
    VALUE_SLICE,    /* begin .. begin + shape */
    VALUE_STRETCH,  /* broadcast to shape */
    VALUE_CONCAT,   /* operands one after the other along axis */
    VALUE_WHOLE,    /* a primitive that holds whole tensors; it has parts instead of a value */
    VALUE_PART,     /* the part numbered slot of a VALUE_WHOLE */
} ValueKind;

typedef struct Value {
    uint8_t kind;  /* ValueKind */
    uint8_t op;    /* OpCode of a MAP, ReduceKind of a REDUCE, WholeOp of a WHOLE */
    uint8_t dtype; /* of a QUANTISE or LEAF */
    int8_t axis;   /* of REDUCE, INDEX, CONCAT */
    ShapeId shape;
    uint32_t first_operand, n_operands; /* in Program.operands */
    union {
        double number;  /* CONST, RANDOM */
        uint64_t k;     /* KTH */
        uint32_t extra; /* the first in Program.extras: PERMUTE, SLICE begins, WHOLE parameters */
    };
    uint32_t slot; /* LEAF, PART, RANDOM; of what has extras: how many */
} Value;

typedef struct Program Program;

/* A primitive of src/whole/ as programs know it (the table is in program/whole.def). */
typedef enum WholeOp {
#define WHOLE(id, name, doc) WHOLE_##id,
#include "program/whole.def"
#undef WHOLE
    WHOLE_COUNT
} WholeOp;

/* An empty program whose key shape (shape 1) is KEY, or that has none (NULL) and so is asked from
 * the start. */
Program *program_new(Arena *arena, const Shape *key);
/* What the values that are made from now on are part of: a number that means something to the
 * caller, 0 at first. Of equal values the first one's is kept. */
void program_set_origin(Program *program, uint32_t origin);
uint32_t program_origin(const Program *program, ValueId id);
/* An empty program whose shapes have the same numbers as those of MODEL, asked for what MODEL was.
 */
Program *program_like(Arena *arena, const Program *model);
/* Room for that many more values, so that a large program is not moved while it grows. */
void program_reserve(Program *program, size_t values);
void program_free(Program *program); /* what is not in the arena */

/* Dimensions. Asking for those of shape 1 makes the program one for this very shape
 * (program_asked). The number of a shape is 1 where it equals the key's: who passes a shape that
 * is no leaf's has asked for it somewhere. */
ShapeId program_shape(Program *program, const Shape *shape);
const Shape *program_dims(Program *program, ShapeId shape);
bool program_asked(const Program *program);
/* The dimensions where they may be seen without asking: NULL for shape 1 while nobody asked. */
const Shape *program_peek(const Program *program, ShapeId shape);
uint32_t program_shapes(const Program *program); /* how many there are */
/* NumPy's broadcasting; false where the two do not fit. Shape 1 with itself or [] asks nothing. */
bool program_broadcast(Program *program, ShapeId a, ShapeId b, ShapeId *out);

const Value *program_value(const Program *program, ValueId id);
ValueId program_operand(const Program *program, const Value *value, uint32_t i);
uint32_t program_count(const Program *program);
/* The i-th dimension of a PERMUTE's permutation or of a SLICE's beginning; the i-th parameter of a
 * WHOLE. There are value->slot of them. */
uint64_t program_extra(const Program *program, const Value *value, uint32_t i);
double program_parameter(const Program *program, const Value *value, uint32_t i);

/* Constructors. Operands' shapes must fit: the callers (lowering) have checked. Each folds what is
 * known and what is exact for all finite operands, and returns the equal value if there is one:
 *  - a value of one element that is stretched is reshaped to [] first, so that what is the same
 *    everywhere is always a STRETCH of a [] value, and no MAP, QUANTISE, REDUCE or KTH has one as
 *    an operand;
 *  - RESHAPE is never applied to RESHAPE, nor STRETCH to STRETCH, PERMUTE to PERMUTE, SLICE to
 *    SLICE. */
ValueId program_const(Program *program, double number);
ValueId program_leaf(Program *program, uint32_t slot, DType dtype, ShapeId shape);
ValueId program_map(Program *program, OpCode op, const ValueId *operands);
ValueId program_quantise(Program *program, ValueId operand, DType dtype);
ValueId program_reduce(Program *program, ReduceKind kind, ValueId operand, ValueId second,
                       int axis);
ValueId program_kth(Program *program, ValueId operand, uint64_t k);
ValueId program_index(Program *program, ShapeId shape, int axis);
ValueId program_random(Program *program, ShapeId shape, double seed, uint32_t stream);
ValueId program_reshape(Program *program, ValueId operand, ShapeId shape);
ValueId program_permute(Program *program, ValueId operand, const uint8_t *permutation);
ValueId program_slice(Program *program, ValueId operand, const uint64_t *begin, ShapeId shape);
ValueId program_stretch(Program *program, ValueId operand, ShapeId shape);
ValueId program_concat(Program *program, const ValueId *operands, uint32_t n, int axis,
                       ShapeId shape);
ValueId program_whole(Program *program, WholeOp op, const ValueId *operands, uint32_t n,
                      const double *parameters, uint32_t n_parameters);
ValueId program_part(Program *program, ValueId whole, uint32_t part, ShapeId shape);

/* The number a value is known to have; false where it is no constant. */
bool program_known(const Program *program, ValueId id, double *number);

/* The text form: one value a line, for tests and for `explain`. */
void program_dump(const Program *program, const ValueId *roots, uint32_t n_roots, Builder *out);

#endif
