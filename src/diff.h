/* What `mecha diff` finds out about two models before it tells it. */
#ifndef DIFF_H
#define DIFF_H

#include "base/vector.h"
#include "engine.h"

/* Sums over the elements of keys that both models have. */
typedef struct DiffSums {
    double a, b;       /* squares of each model */
    double difference; /* squares of b - a */
    double most;       /* of |b - a| */
    double changed;    /* elements that differ */
    uint64_t elements, keys, keys_changed;
} DiffSums;

/* Keys that belong together: a component, or a block of one. */
typedef struct DiffGroup {
    Text component;
    Text block; /* empty: all of the component */
    DiffSums sums;
} DiffGroup;

typedef VECTOR(DiffGroup) DiffGroups;

/* A key, and what each model has under it. */
typedef struct DiffKey {
    Text name;
    const Tensor *a, *b; /* NULL where only the other has it */
    bool shapes, dtypes; /* these differ */
    DiffSums sums;       /* where both have it, in as many elements */
} DiffKey;

struct Diff {
    const Model *a, *b;
    const Config *config; /* of both; NULL: not known */
    DiffKey *keys;        /* of A in its order, then those that only B has */
    uint32_t n_keys;
    uint32_t n_only_a, n_only_b, n_shapes, n_dtypes;
    DiffSums all;
    DiffGroups components;
    DiffGroups blocks; /* in order of appearance */
};

void diff_free(struct Diff *diff);

/* 1: the same direction. NaN where one of them is 0. */
double diff_cosine(const DiffSums *sums);
/* The norm of the difference by that of A. */
double diff_relative(const DiffSums *sums);
/* The share of elements that differ. */
double diff_share(const DiffSums *sums);

#endif
