/* Buffers of one bit an element: what primitives draw that make masks, if passes alone read it.
 * Other primitives and the factors of products have to be numbers. */
#include "opt/instance.h"

static bool makes_masks(WholeOp op) {
    return op == WHOLE_TORCH_BERNOULLI || op == WHOLE_NUMPY_BINOMIAL;
}

static bool is_mask(const Fusion *fusion, const Instance *instance) {
    if (instance->kind != INSTANCE_BUFFER)
        return false;
    const Program *program = fusion->program;
    const Value *value = program_value(program, instance->value);
    return value->kind == VALUE_PART &&
           makes_masks(program_value(program, program_operand(program, value, 0))->op);
}

static void need_numbers(Fusion *fusion, const Instance *instance) {
    for (uint32_t i = 0; i < instance->n_operands; i++) {
        uint32_t id = instance_operand(fusion, instance, i);
        fusion->buffers.items[fusion->instances.items[id].buffer].mask = false;
    }
}

void find_masks(Fusion *fusion) {
    for (size_t i = 0; i < fusion->instances.count; i++) {
        const Instance *instance = &fusion->instances.items[i];
        if (is_mask(fusion, instance))
            fusion->buffers.items[instance->buffer].mask = true;
    }
    for (size_t i = 0; i < fusion->instances.count; i++) {
        const Instance *instance = &fusion->instances.items[i];
        if (instance->kind == INSTANCE_WHOLE || instance->kind == INSTANCE_PRODUCT)
            need_numbers(fusion, instance);
    }
}
