#include "exec/whole_call.h"

#include "whole/matrix.h"

static const Text nothing_wrong = {"", 0};

Text whole_open(WholeOp op) {
    const char *wrong = NULL;
    switch (op) {
    case WHOLE_MATMUL:
        wrong = lapack_open();
        break;
    case WHOLE_COUNT:
        break;
    }
    return wrong == NULL ? nothing_wrong : text_from(wrong);
}

/* What a primitive sees of its call. */
typedef struct Operands {
    const WholeCall *call;
    const WholeBuffers *buffers;
    Workspace *workspace;
} Operands;

static size_t last_dim(const Shape *shape, uint32_t from_end) {
    return shape->rank < from_end ? 1 : shape->dims[shape->rank - from_end];
}

static Matrix load_matrix(const Operands *operands, uint32_t buffer) {
    const Shape *shape = operands->buffers->shapes[buffer];
    Matrix matrix = matrix_take(operands->workspace, last_dim(shape, 2), last_dim(shape, 1));
    matrix_load(matrix, operands->buffers->data[buffer], operands->buffers->compute);
    return matrix;
}

static Text call_matmul(const Operands *operands) {
    const WholeCall *call = operands->call;
    Matrix a = load_matrix(operands, call->inputs[0]), b = load_matrix(operands, call->inputs[1]);
    Matrix product = matrix_take(operands->workspace, a.rows, b.columns);
    matrix_multiply(product, 1, a, PLAIN, b, PLAIN, 0);
    matrix_store(operands->buffers->data[call->outputs[0]], product, operands->buffers->compute);
    return nothing_wrong;
}

static Text call_op(const Operands *operands) {
    switch (operands->call->op) {
    case WHOLE_MATMUL:
        return call_matmul(operands);
    case WHOLE_COUNT:
        break;
    }
    return TEXT("there is no such primitive");
}

Text whole_call(const WholeCall *call, const WholeBuffers *buffers) {
    Workspace workspace;
    if (!workspace_init(&workspace, call->scratch))
        return TEXT("not enough memory");
    Operands operands = {call, buffers, &workspace};
    Text failure = call_op(&operands);
    workspace_free(&workspace);
    return failure;
}
