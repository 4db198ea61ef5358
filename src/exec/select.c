#include "exec/select.h"

#include <math.h>
#include <string.h>

enum {
    FEW = 1 << 12,
    SAMPLE_LEAST = 1 << 12,
    SAMPLE_MOST = 1 << 16, /* unless the kept elements would not have room */
    SAMPLE_SHARE = 64      /* one element of so many, between the two */
};

/* Standard errors of the sampled rank to either side: wider brackets miss more seldom, but hold
 * more. A miss costs a sweep. */
static const double BRACKET_MARGIN = 3.5;

static unsigned key_width(Compute compute) {
    return compute == COMPUTE_F64 ? 64 : 32;
}

static size_t element_bytes(Compute compute) {
    return compute == COMPUTE_F64 ? sizeof(double) : sizeof(float);
}

/* --- States --------------------------------------------------------------------------------- */

static void decide(Selector *selector, double result) {
    selector->state = SELECT_DECIDED;
    selector->result = result;
}

static void begin_bracket(Selector *selector, double low, double high) {
    selector->state = SELECT_BRACKET;
    selector->low = low;
    selector->high = high;
    selector->n_kept = 0;
    for (int i = 0; i < 4; i++)
        selector->counts[i] = 0;
}

static void begin_digit(Selector *selector, uint64_t prefix, unsigned shift, unsigned bits) {
    selector->state = SELECT_HISTOGRAM;
    selector->prefix = prefix;
    selector->shift = shift;
    selector->bits = bits;
    for (size_t i = 0; i < SELECT_BINS; i++)
        selector->bins[i] = 0;
}

static void begin_histogram(Selector *selector) {
    selector->before = 0;
    begin_digit(selector, 0, key_width(selector->compute) - SELECT_BITS, SELECT_BITS);
}

void selector_begin(Selector *selector, const Kernels *kernels, Compute compute, uint64_t k,
                    uint64_t count, void *kept, size_t capacity, _Atomic uint64_t *bins) {
    memset(selector, 0, sizeof *selector);
    selector->kernels = kernels;
    selector->compute = compute;
    selector->k = k;
    selector->count = count;
    selector->kept = kept;
    selector->capacity = capacity;
    selector->bins = bins;
    if (k > count)
        decide(selector, NAN);
    else if (count <= SELECT_ALL)
        begin_bracket(selector, -INFINITY, INFINITY);
    else
        selector->state = SELECT_SAMPLE;
}

/* --- The k-th of elements in memory --------------------------------------------------------- */

/* The digit of rank K among COUNTS, K becoming the rank within it. */
static uint64_t find_digit(const uint32_t *counts, uint64_t *k) {
    uint64_t digit = 0;
    while (*k > counts[digit])
        *k -= counts[digit++];
    return digit;
}

/* The key of rank K (from 1) among N elements whose keys are between FIRST and LAST. */
static uint64_t find_key(const Selector *selector, const void *elements, size_t n, uint64_t k,
                         uint64_t first, uint64_t last) {
    uint32_t counts[SELECT_BINS];
    unsigned shift = first == last ? 0 : 64 - (unsigned)__builtin_clzll(first ^ last);
    uint64_t prefix = shift == 64 ? 0 : first >> shift;
    unsigned digit = n < FEW ? 8 : SELECT_BITS; /* few elements: the bins are what takes time */
    while (shift > 0) {
        unsigned bits = shift < digit ? shift : digit;
        shift -= bits;
        memset(counts, 0, sizeof(uint32_t) << bits);
        selector->kernels->table[selector->compute]->histogram(counts, elements, n, prefix, shift,
                                                               bits);
        prefix = prefix << bits | find_digit(counts, &k);
    }
    return prefix;
}

/* --- The sample ----------------------------------------------------------------------------- */

/* Twice the margin must not bring together more than half of what can be kept, if the sample's
 * standard error is about that of independent draws. */
uint64_t selector_wants(const Selector *selector) {
    if (selector->state != SELECT_SAMPLE)
        return 0;
    uint64_t wanted = selector->count / SAMPLE_SHARE;
    wanted = wanted < SAMPLE_LEAST ? SAMPLE_LEAST : wanted;
    wanted = wanted > SAMPLE_MOST ? SAMPLE_MOST : wanted;
    double ratio = 2 * BRACKET_MARGIN * (double)selector->count / (double)selector->capacity;
    uint64_t most = selector->count / 8;
    most = most < selector->capacity ? most : selector->capacity;
    if (ratio * ratio > (double)wanted)
        wanted = ratio * ratio < (double)most ? (uint64_t)(ratio * ratio) : most;
    return wanted < selector->capacity ? wanted : selector->capacity;
}

static void *kept_at(const Selector *selector, uint64_t i) {
    return (unsigned char *)selector->kept + i * element_bytes(selector->compute);
}

void selector_sample(Selector *selector, const void *elements, size_t n) {
    uint64_t at = selector->n_kept;
    size_t room = selector->capacity - at;
    n = n < room ? n : room;
    memcpy(kept_at(selector, at), elements, n * element_bytes(selector->compute));
    selector->n_kept = at + n;
}

static double sample_at(const Selector *selector, size_t i) {
    return selector->compute == COMPUTE_F64 ? ((const double *)selector->kept)[i]
                                            : (double)((const float *)selector->kept)[i];
}

/* The standard error of the number of elements up to VALUE in the sample. Neighbours resemble each
 * other, so it is taken from how much whole pieces differ. */
static double sample_error(const Selector *selector, size_t n, double value) {
    size_t n_pieces = n / SELECT_PIECE;
    double sum = 0, squares = 0;
    for (size_t i = 0; i < n_pieces; i++) {
        double count = 0;
        for (size_t j = 0; j < SELECT_PIECE; j++)
            count += sample_at(selector, i * SELECT_PIECE + j) <= value;
        sum += count;
        squares += count * count;
    }
    double variance = n_pieces < 2 ? 0 : (squares - sum * sum / (double)n_pieces);
    return sqrt(fmax(variance, 1));
}

static double sample_rank(const Selector *selector, size_t n, double rank) {
    if (rank < 1)
        return -INFINITY;
    if (rank > (double)n)
        return INFINITY;
    uint64_t last = key_width(selector->compute) == 64 ? UINT64_MAX : UINT32_MAX;
    return order_value(selector->compute,
                       find_key(selector, selector->kept, n, (uint64_t)rank, 0, last));
}

void selector_bracket(Selector *selector) {
    size_t n = selector->n_kept;
    if (n < SELECT_PIECE) {
        begin_histogram(selector);
        return;
    }
    double rank = ceil((double)selector->k / (double)selector->count * (double)n);
    double middle = sample_rank(selector, n, rank);
    double margin = BRACKET_MARGIN * sample_error(selector, n, middle) + 1;
    double low = sample_rank(selector, n, floor(rank - margin));
    double high = sample_rank(selector, n, ceil(rank + margin));
    begin_bracket(selector, isnan(low) ? INFINITY : low, isnan(high) ? INFINITY : high);
}

/* --- Sweeps --------------------------------------------------------------------------------- */

static void keep(Selector *selector, const void *elements, size_t n) {
    if (n == 0)
        return;
    uint64_t at = atomic_fetch_add_explicit(&selector->n_kept, n, memory_order_relaxed);
    if (at >= selector->capacity)
        return;
    n = n < selector->capacity - at ? n : selector->capacity - at;
    memcpy(kept_at(selector, at), elements, n * element_bytes(selector->compute));
}

void selector_take(Selector *selector, SelectCounts *counts, const void *elements, size_t n,
                   void *room) {
    const KernelTable *table = selector->kernels->table[selector->compute];
    if (selector->state == SELECT_BRACKET)
        keep(selector, room,
             table->bracket(counts->bracket, room, elements, n, selector->low, selector->high));
    else
        table->histogram(counts->bins, elements, n, selector->prefix, selector->shift,
                         selector->bits);
}

static void add(_Atomic uint64_t *sum, uint64_t value) {
    if (value > 0)
        atomic_fetch_add_explicit(sum, value, memory_order_relaxed);
}

void selector_add(Selector *selector, const SelectCounts *counts) {
    if (selector->state == SELECT_BRACKET) {
        for (size_t i = 0; i < 4; i++)
            add(&selector->counts[i], counts->bracket[i]);
    } else if (selector->state == SELECT_HISTOGRAM) {
        for (size_t i = 0; i < SELECT_BINS; i++)
            add(&selector->bins[i], counts->bins[i]);
    }
}

/* --- What a sweep has shown ----------------------------------------------------------------- */

/* The answer is between LOW and HIGH, which hold N elements between them. */
static void close_in(Selector *selector, double low, double high, uint64_t n) {
    if (n <= selector->capacity)
        begin_bracket(selector, low, high);
    else
        begin_histogram(selector);
}

static void find_kept(Selector *selector, uint64_t rank) {
    if (selector->n_kept > selector->capacity) {
        begin_histogram(selector);
        return;
    }
    uint64_t key = find_key(selector, selector->kept, selector->n_kept, rank,
                            order_key(selector->compute, selector->low),
                            order_key(selector->compute, selector->high));
    decide(selector, order_value(selector->compute, key));
}

static double canonical(const Selector *selector, double value) {
    return order_value(selector->compute, order_key(selector->compute, value));
}

/* What is not at most high = +inf is NaN. */
static void conclude_bracket(Selector *selector) {
    uint64_t k = selector->k, below_low = selector->counts[0], to_low = selector->counts[1];
    uint64_t below_high = selector->counts[2], to_high = selector->counts[3];
    double low = selector->low, high = selector->high;
    if (k <= below_low)
        close_in(selector, -INFINITY, low, below_low);
    else if (k <= to_low)
        decide(selector, canonical(selector, low));
    else if (k <= below_high)
        find_kept(selector, k - to_low);
    else if (k <= to_high)
        decide(selector, canonical(selector, high));
    else if (high == INFINITY)
        decide(selector, NAN);
    else
        close_in(selector, high, INFINITY, selector->count - to_high);
}

/* The elements whose keys begin with the prefix, N of them, can be kept. */
static void bracket_prefix(Selector *selector) {
    Compute compute = selector->compute;
    uint64_t first = selector->prefix << selector->shift;
    uint64_t last = first + ((uint64_t)1 << selector->shift) - 1;
    double low = order_value(compute, first), high = order_value(compute, last);
    if (isnan(low) && first > order_key(compute, INFINITY))
        decide(selector, NAN);
    else
        begin_bracket(selector, isnan(low) ? -INFINITY : low, isnan(high) ? INFINITY : high);
}

static void conclude_histogram(Selector *selector) {
    uint64_t digit = 0;
    while (selector->before + selector->bins[digit] < selector->k)
        selector->before += selector->bins[digit++];
    uint64_t n = selector->bins[digit];
    selector->prefix = selector->prefix << selector->bits | digit;
    if (selector->shift == 0)
        decide(selector, order_value(selector->compute, selector->prefix));
    else if (n <= selector->capacity)
        bracket_prefix(selector);
    else {
        unsigned bits = selector->shift < SELECT_BITS ? selector->shift : SELECT_BITS;
        begin_digit(selector, selector->prefix, selector->shift - bits, bits);
    }
}

void selector_conclude(Selector *selector) {
    if (selector->state == SELECT_BRACKET)
        conclude_bracket(selector);
    else if (selector->state == SELECT_HISTOGRAM)
        conclude_histogram(selector);
}
