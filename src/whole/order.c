#include "whole/order.h"

#include <assert.h>
#include <string.h>

/* An item is sorted by its upper half and carries an element's index in the lower. */
typedef uint64_t Item;

enum { DIGIT_BITS = 11, DIGITS = 3, BUCKETS = 1 << DIGIT_BITS };

static unsigned digit_of(Item item, unsigned digit) {
    return item >> (32 + digit * DIGIT_BITS) & (BUCKETS - 1);
}

/* The bits of X as an unsigned number that orders as X does. */
static uint64_t key_of(double x) {
    uint64_t bits;
    if (x != x)
        return UINT64_MAX;
    x += 0.0; /* -0 becomes +0 */
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static uint32_t short_key_of(float x) {
    uint32_t bits;
    if (x != x)
        return UINT32_MAX;
    x += 0.0f;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 31 ? ~bits : bits | 1u << 31;
}

/* Moves the items to OUT by one digit of their keys, stably. COUNTS becomes the ends. */
static void distribute(Item *out, const Item *items, size_t n, unsigned digit, uint32_t *counts) {
    uint32_t start = 0;
    for (size_t i = 0; i < BUCKETS; i++) {
        uint32_t count = counts[i];
        counts[i] = start;
        start += count;
    }
    for (size_t i = 0; i < n; i++)
        out[counts[digit_of(items[i], digit)]++] = items[i];
}

/* Sorts by the upper halves. The result is where the return value points: ITEMS or SPARE. */
static Item *sort_items(Item *items, Item *spare, size_t n) {
    uint32_t counts[DIGITS][BUCKETS] = {{0}};
    for (size_t i = 0; i < n; i++)
        for (unsigned digit = 0; digit < DIGITS; digit++)
            counts[digit][digit_of(items[i], digit)]++;
    for (unsigned digit = 0; digit < DIGITS; digit++) {
        if (n && counts[digit][digit_of(items[0], digit)] == n)
            continue; /* one bucket holds them all */
        distribute(spare, items, n, digit, counts[digit]);
        Item *sorted = spare;
        spare = items;
        items = sorted;
    }
    return items;
}

static Item *sort_floats(Item *items, Item *spare, const float *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        items[i] = (Item)short_key_of(values[i]) << 32 | i;
    return sort_items(items, spare, n);
}

/* A double's key takes two rounds: by its low half, then, stably, by its high half. */
static Item *sort_doubles(Item *items, Item *spare, const double *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        items[i] = key_of(values[i]) << 32 | i;
    Item *half = sort_items(items, spare, n);
    for (size_t i = 0; i < n; i++) {
        uint32_t index = (uint32_t)half[i];
        half[i] = (key_of(values[index]) & ~(uint64_t)UINT32_MAX) | index;
    }
    return sort_items(half, half == items ? spare : items, n);
}

size_t order_bytes(size_t n) {
    return 2 * workspace_bytes(n, sizeof(Item));
}

/* The sorted items lie in the workspace above its mark. */
static Item *sorted_items(const void *values, size_t n, Compute compute, Workspace *workspace) {
    assert(n <= ORDER_LIMIT);
    Item *items = workspace_array(workspace, Item, n);
    Item *spare = workspace_array(workspace, Item, n);
    return compute == COMPUTE_F64 ? sort_doubles(items, spare, values, n)
                                  : sort_floats(items, spare, values, n);
}

void order_argsort(uint32_t *order, const void *values, size_t n, Compute compute,
                   Workspace *workspace) {
    size_t mark = workspace->used;
    const Item *items = sorted_items(values, n, compute, workspace);
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)items[i];
    workspace->used = mark;
}

void order_sort(void *out, const void *values, size_t n, Compute compute, Workspace *workspace) {
    size_t mark = workspace->used;
    const Item *items = sorted_items(values, n, compute, workspace);
    for (size_t i = 0; i < n; i++)
        real_set(out, i, real_get(values, (uint32_t)items[i], compute), compute);
    workspace->used = mark;
}

void order_rank(uint32_t *ranks, const void *values, size_t n, Compute compute,
                Workspace *workspace) {
    size_t mark = workspace->used;
    const Item *items = sorted_items(values, n, compute, workspace);
    for (size_t i = 0; i < n; i++)
        ranks[(uint32_t)items[i]] = (uint32_t)i;
    workspace->used = mark;
}

double order_pick(const void *values, size_t n, size_t k, Compute compute, Workspace *workspace) {
    assert(k < n);
    size_t mark = workspace->used;
    const Item *items = sorted_items(values, n, compute, workspace);
    double picked = real_get(values, (uint32_t)items[k], compute);
    workspace->used = mark;
    return picked;
}

void order_gather(void *out, const void *values, const uint32_t *index, size_t n, Compute compute) {
    for (size_t i = 0; i < n; i++)
        real_set(out, i, real_get(values, index[i], compute), compute);
}

void order_invert(uint32_t *inverse, const uint32_t *permutation, size_t n) {
    for (size_t i = 0; i < n; i++)
        inverse[permutation[i]] = (uint32_t)i;
}
