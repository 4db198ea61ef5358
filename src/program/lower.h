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
    bool scaled;          /* the next leaf is what it has to be multiplied by */
    uint32_t before;      /* in a class: 1 + the slot that holds the same; 0: none before it does */
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

/* What a program takes for granted: that of an `if` whose condition is a tensor and one of whose
 * branches lacks the key, it is the other branch that counts. Known by the call, by the `if` in its
 * method, and by how many times this was met before for the key. */
typedef struct Assumption {
    NodeId call;
    const Ast *place;
    uint32_t occurrence;
    ValueId holds; /* [], not 0 where it is right; VALUE_NONE: it is known to be wrong */
} Assumption;

bool assumption_equal(const Assumption *a, const Assumption *b);

/* The graph as lowering walks it: made once for all keys of a group of outputs. */
typedef struct Region Region;
Region *region_new(Arena *arena, const Solved *solved, const NodeId *roots, uint32_t n_roots);

/* The leaves of a key; LACKS(context, leaf) says which are to be treated as absent although they
 * are there (may be NULL). */
void region_leaves(const Region *region, Text key, bool (*lacks)(void *context, const Leaf *leaf),
                   void *context, Arena *arena, KeyLeaves *leaves);

/* Finds the leaves that are the same as one before them: a model that is read by itself and by a
 * conversion that is for it, for instance. Their slots are not used. */
void leaves_join(KeyLeaves *leaves);

/* Whether a key with the leaves B is of the class of A; EXACT compares shapes as well. */
bool leaves_equal(const Solved *solved, const KeyLeaves *a, const KeyLeaves *b, bool exact);

/* What a program is lowered with, and what became of it. */
typedef struct Lowering {
    Compute compute;  /* the type of the run's arithmetic; becomes that of the class, which may ask
                         for f64 */
    LowerRoot *roots; /* those given to region_new: an array to be filled */
    const Assumption *refuted; /* not to be taken for granted again */
    uint32_t n_refuted;
    const Assumption *assumptions; /* set, in the arena */
    uint32_t n_assumptions;
} Lowering;

/* The program of a class, by one of its keys. The origin of a value is the node that it is part of,
 * counted from 1. False after errors. */
bool lower(Arena *arena, Diags *diags, const Region *region, Text key, const KeyLeaves *leaves,
           Lowering *lowering, Program *program);

/* A function of the tensor language as it is listed. */
typedef struct BuiltinEntry {
    Text name, parameters; /* these in parentheses */
    Text types;            /* of the arguments and the result */
    Text doc;
} BuiltinEntry;

/* Every one of them. */
void lower_builtins(void (*each)(void *context, const BuiltinEntry *entry), void *context);

#endif
