/* Matrix products of small rank: two long factors that make a matrix which is larger than both. */
#include "opt/instance.h"

static const Value *whole_of(const Program *program, ValueId id) {
    return program_value(program, program_operand(program, program_value(program, id), 0));
}

static bool is_transposed(const Program *program, const Value *whole, uint32_t operand) {
    return operand < whole->slot && program_parameter(program, whole, operand) != 0;
}

static const Shape *factor_shape(const Program *program, const Value *whole, uint32_t operand) {
    return program_peek(program,
                        program_value(program, program_operand(program, whole, operand))->shape);
}

Product product_of(const Program *program, ValueId id, uint32_t left, uint32_t right) {
    const Value *whole = whole_of(program, id);
    const Shape *a = factor_shape(program, whole, 0), *b = factor_shape(program, whole, 1);
    Product product = {.left = left,
                       .right = right,
                       .left_transposed = is_transposed(program, whole, 0),
                       .right_transposed = is_transposed(program, whole, 1)};
    product.rows = a->dims[product.left_transposed];
    product.inner = a->dims[!product.left_transposed];
    product.columns = b->dims[!product.right_transposed];
    return product;
}

/* From the point on where the two factors have fewer elements than their product. */
bool product_streams(const Program *program, ValueId id) {
    const Value *value = program_value(program, id);
    if (value->kind != VALUE_PART || whole_of(program, id)->op != WHOLE_MATMUL)
        return false;
    Product product = product_of(program, id, BUFFER_NONE, BUFFER_NONE);
    return product.inner > 0 && product.inner <= PRODUCT_LIMIT &&
           2 * product.inner <= product.rows && 2 * product.inner <= product.columns;
}
