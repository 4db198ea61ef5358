/* Matrix products that are made where they are loaded.
 *
 * A thread makes a block of elements at once, ahead of the tiles that load them: several rows
 * together cost less than each by itself. A block begins and ends where tiles do, so that each
 * finds its elements side by side. */
#ifndef EXEC_PRODUCT_H
#define EXEC_PRODUCT_H

#include "exec/plan.h"

typedef struct ProductBlock {
    unsigned char *elements;
    uint64_t capacity;
    uint64_t begin, end; /* those that are there */
} ProductBlock;

/* Where the elements of products come from. */
typedef struct ProductSource {
    const KernelTable *table;
    void *const *buffers;
    const void *packed; /* what product_pack made of the product's right factor */
    size_t size;        /* of an element in the compute type */
} ProductSource;

/* Brings the right factor into the order that the kernel wants: packed_bytes of it. */
void product_pack(void *packed, const ProductSource *source, const Product *product);

/* The capacity of a block for tiles of at most so many elements. */
uint64_t product_block_elements(uint64_t tile_elements);

/* Where elements BEGIN .. BEGIN + N are; those up to END (which may be less) will be wanted next,
 * by as many. Good until the next are found. */
const void *product_find(ProductBlock *block, const ProductSource *source, const Product *product,
                         uint64_t begin, size_t n, uint64_t end);

#endif
