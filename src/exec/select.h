/* The exact k-th smallest of elements that are streamed past, in few sweeps.
 *
 * A sample brackets the answer between two values. One sweep then counts what is below, at and
 * between them, and keeps the few elements in between, among which the answer is found. Where the
 * bracket misses, or holds too much, radix histograms over the ordered keys close in on it, a
 * digit a sweep, until what is left can be kept. Elements order as order_key says: -0 as +0, NaN
 * last.
 *
 * A Selector is shared by the threads of a sweep: they add to it with atomic operations whose
 * order does not matter to the result. */
#ifndef EXEC_SELECT_H
#define EXEC_SELECT_H

#include "kernel/kernel.h"

#include <stdatomic.h>

enum {
    SELECT_PIECE = 128,   /* elements of a sample that lie side by side */
    SELECT_ALL = 1 << 15, /* up to so many elements are kept without a sample */
    SELECT_BITS = 11,     /* of a histogram's digit */
    SELECT_BINS = 1 << SELECT_BITS
};

typedef enum SelectState {
    SELECT_SAMPLE,    /* elements shown are only kept as a sample */
    SELECT_BRACKET,   /* counted against low and high; those between are kept */
    SELECT_HISTOGRAM, /* counted by a digit of their key */
    SELECT_DECIDED
} SelectState;

typedef struct Selector {
    const Kernels *kernels;
    Compute compute;
    SelectState state;
    uint64_t k, count; /* k from 1, of all elements */
    double result;     /* once decided */

    double low, high;
    _Atomic uint64_t counts[4]; /* as BracketLoop has them */
    void *kept;                 /* in the compute type */
    size_t capacity;
    _Atomic uint64_t n_kept; /* above capacity: the rest was lost */

    uint64_t prefix; /* of the key, above shift + bits */
    unsigned shift, bits;
    uint64_t before; /* elements whose key is below all with the prefix */
    _Atomic uint64_t *bins;
} Selector;

/* What a thread counts by itself during a chunk; all zero at its beginning. */
typedef union SelectCounts {
    uint64_t bracket[4];
    uint32_t bins[SELECT_BINS];
} SelectCounts;

/* Begins a selection. KEPT has room for CAPACITY elements (SELECT_ALL at least), BINS for
 * SELECT_BINS. The state is then SAMPLE, or BRACKET where no sample is needed. */
void selector_begin(Selector *selector, const Kernels *kernels, Compute compute, uint64_t k,
                    uint64_t count, void *kept, size_t capacity, _Atomic uint64_t *bins);

/* How many elements the selector wants to see as a sample; 0 where it needs none. */
uint64_t selector_wants(const Selector *selector);

/* N elements of a sample, shown in a fixed order by one thread. */
void selector_sample(Selector *selector, const void *elements, size_t n);
/* The sample is complete: from SAMPLE to BRACKET. */
void selector_bracket(Selector *selector);

/* N elements of a sweep. ROOM is for N elements of the compute type. */
void selector_take(Selector *selector, SelectCounts *counts, const void *elements, size_t n,
                   void *room);
/* What a thread counted in its chunk. */
void selector_add(Selector *selector, const SelectCounts *counts);
/* The sweep is over: DECIDED, or prepared for another one. */
void selector_conclude(Selector *selector);

#endif
