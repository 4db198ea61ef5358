#include "exec/product.h"

/* Of a block: few enough to stay near, and as many rows as make the right factor worth reading. */
enum { BLOCK_ELEMENTS = 1 << 17 };

/* A matrix whose rows are that long, or columns, where it is stored transposed. */
static void set_steps(uint64_t steps[2], bool transposed, uint64_t length) {
    steps[transposed] = length;
    steps[!transposed] = 1;
}

static Factors factors_of(const ProductSource *source, const Product *product) {
    Factors factors = {.left = source->buffers[product->left],
                       .right = source->buffers[product->right],
                       .packed = source->packed,
                       .columns = product->columns,
                       .inner = product->inner};
    set_steps(factors.left_steps, product->left_transposed,
              product->left_transposed ? product->rows : product->inner);
    set_steps(factors.right_steps, product->right_transposed,
              product->right_transposed ? product->inner : product->columns);
    return factors;
}

void product_pack(void *packed, const ProductSource *source, const Product *product) {
    Factors factors = factors_of(source, product);
    source->table->pack(packed, &factors);
}

static void fill(ProductBlock *block, const ProductSource *source, const Product *product,
                 uint64_t begin, uint64_t end) {
    Factors factors = factors_of(source, product);
    source->table->product(block->elements, &factors, begin, end - begin);
    block->begin = begin;
    block->end = end;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t product_block_elements(uint64_t tile_elements) {
    return (BLOCK_ELEMENTS + tile_elements - 1) / tile_elements * tile_elements;
}

const void *product_find(ProductBlock *block, const ProductSource *source, const Product *product,
                         uint64_t begin, size_t n, uint64_t end) {
    uint64_t last = begin + n;
    if (n > 0 && (begin < block->begin || last > block->end)) {
        uint64_t most = begin + block->capacity / n * n;
        fill(block, source, product, begin, end < last ? last : smaller(most, end));
    }
    return block->elements + (begin - block->begin) * source->size;
}
