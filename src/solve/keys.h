/* Inside solve/: the sets of keys that nodes have, while they are found. */
#ifndef SOLVE_KEYS_H
#define SOLVE_KEYS_H

#include "base/vector.h"
#include "solve/solve.h"

typedef uint32_t SetId; /* in KeySolver.sets; 0 is the set of all keys */

typedef struct Combined {
    SetId a, b;
    bool both; /* the intersection; else the union */
    SetId result;
} Combined;

/* What the body of a method makes of the sets of its parameters. */
typedef struct BodySet {
    const Method *method;
    const SetId *parameters;
    SetId result;
} BodySet;

/* The sets of one domain. */
typedef struct KeySolver {
    const SolveOptions *options;
    Arena *arena;
    Diags *diags;
    Solved *solved;
    const Graph *graph;
    Domain *domain;
    SetId there; /* keys that some source of the domain has; 0 where it has no source */
    size_t n_words;
    VECTOR(const uint64_t *) sets;
    HashIndex by_content;
    VECTOR(Combined) combined;
    HashIndex by_operands;
    VECTOR(BodySet) bodies;
    HashIndex by_body;
    const Model *last_model; /* whose keys were found last */
    SetId last_keys;
    const KeyId *last_ids; /* by tensor; INDEX_NONE: no key of the domain */
} KeySolver;

/* What both sets have, or either. */
SetId keys_combine(KeySolver *solver, SetId a, SetId b, bool both);
static inline KeySet keys_set(const KeySolver *solver, SetId set) {
    return (KeySet){solver->sets.items[set]};
}

/* The keys under which a call of a method with a body has a value, by the keys of its parameters:
 * those that all of them have, but for what stands in front of a `|` in the body. */
SetId keys_of_body(KeySolver *solver, const Method *method, const SetId *parameters);

/* Looks at the maps of patterns: every pattern is for some key, and every key that meets one has an
 * entry. SETS: by node. */
void keys_check_maps(KeySolver *solvers, Solved *solved, const SetId *sets);

/* The same for the map of dtypes that an output has, whose keys are known. */
void keys_check_dtypes(KeySolver *solver, uint32_t output);

/* Warns where a sum of a model and a difference lacks mandatory keys of the model that nothing
 * fills afterwards. SETS: by node. */
void keys_warn_losses(KeySolver *solvers, Solved *solved, const SetId *sets);

/* Looks for keys of networks that no output is made of. SETS: by node. */
void keys_check_networks(KeySolver *solvers, Solved *solved, const SetId *sets);

/* Tied weights (tied.c): enters heads that only networks name. */
void tied_add_heads(Solved *solved);
/* Finds heads, and the models whose embeddings stand for them. */
void tied_find(Arena *arena, Solved *solved);
/* The keys of a model, with its head, whose tensor is entered. */
SetId tied_keys(KeySolver *solver, NodeId id, SetId set);
/* The tensor that stands for the head of a model node, if KEY is that; else NULL. */
const Tensor *tied_tensor(const Solved *solved, NodeId node, Text key);
/* The keys of an output, without a head that no model has; sets what its config has to say. */
SetId tied_output(KeySolver *solver, uint32_t output, SetId set);

/* The number of a set by its content, which is copied if it is new. */
SetId keys_number(KeySolver *solver, const uint64_t *bits);

#endif
