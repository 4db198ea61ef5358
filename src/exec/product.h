/* Matrix products that are made where they are loaded.
 *
 * A thread makes a block of elements at once, ahead of the tiles that load them: several rows
 * together cost less than each by itself. */
#ifndef EXEC_PRODUCT_H
#define EXEC_PRODUCT_H

#include "exec/plan.h"

typedef struct ProductBlock {
    unsigned char *elements;
    uint64_t begin, end; /* those that are there */
} ProductBlock;

/* Where the elements of products come from. */
typedef struct ProductSource {
    const KernelTable *table;
    void *const *buffers;
    size_t size; /* of an element in the compute type */
} ProductSource;

uint64_t product_block_elements(const Product *product); /* at most */

/* Loads elements BEGIN .. BEGIN + N; those up to END (which may be less) will be wanted next. */
void product_load(ProductBlock *block, const ProductSource *source, const Product *product,
                  uint64_t begin, size_t n, uint64_t end, void *dst);

#endif
