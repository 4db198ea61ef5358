/* From the recipe graph and the keys to tensor programs, one per class of keys.
 *
 * A key's leaves are the tensors and constants that the outputs need for it, in the fixed order of
 * the graph. Keys whose leaves agree in presence, dtypes and constants, and in shapes as far as
 * anything asked for them, have one program. */
#ifndef PROGRAM_LOWER_H
#define PROGRAM_LOWER_H

#include "program/program.h"
#include "solve/solve.h"

/* A model's tensor under a key, or what a map holds for it. Slots of the program number these. */
typedef struct Leaf {
    NodeId node;
    Text key;
    const Tensor *tensor; /* NULL: the model lacks the key, or it holds no finite values */
} Leaf;

typedef struct KeyLeaves {
    Leaf *items;
    uint32_t count;
    uint64_t hash;   /* of what decides the class, shapes left out where all are one */
    bool same_shape; /* all tensors have one shape, of rank 1 or more: `shape` */
    Shape shape;
} KeyLeaves;

typedef struct LowerRoot {
    NodeId node;
    bool present; /* the key has a value here */
    ValueId value;
    DType dtype; /* as the output keeps it under `auto` */
} LowerRoot;

/* The graph as lowering walks it: made once for all keys of a group of outputs. */
typedef struct Region Region;
Region *region_new(Arena *arena, const Solved *solved, const NodeId *roots, uint32_t n_roots);

/* The leaves of a key; LACKS(context, leaf) says which are to be treated as absent although they
 * are there (may be NULL). */
void region_leaves(const Region *region, Text key, bool (*lacks)(void *context, const Leaf *leaf),
                   void *context, Arena *arena, KeyLeaves *leaves);

/* Whether two keys have one class; EXACT compares shapes as well. */
bool leaves_equal(const Solved *solved, const KeyLeaves *a, const KeyLeaves *b, bool exact);

/* The program of a class, by one of its keys. ROOTS: those given to region_new. COMPUTE is the type
 * of the run's arithmetic, and becomes that of the class, which may ask for f64. False after errors.
 */
bool lower(Arena *arena, Diags *diags, const Region *region, Text key, const KeyLeaves *leaves,
           Compute *compute, Program *program, LowerRoot *roots);

#endif
