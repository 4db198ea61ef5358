#include "program/verify.h"

#include "base/vector.h"

#include <string.h>

/* --- Programs --- */

static const char *operands_fault(const Program *program, ValueId id, const Value *value) {
    uint32_t wanted = 1;
    if (value->kind == VALUE_MAP)
        wanted = op_info[value->op].arity;
    else if (value->kind == VALUE_REDUCE)
        wanted = value->op == REDUCE_DOT ? 2 : 1;
    else if (value->kind == VALUE_CONST || value->kind == VALUE_LEAF ||
             value->kind == VALUE_INDEX || value->kind == VALUE_RANDOM)
        wanted = 0;
    else if (value->kind == VALUE_CONCAT || value->kind == VALUE_WHOLE)
        wanted = value->n_operands;
    if (value->n_operands != wanted)
        return "has another number of operands";
    for (uint32_t i = 0; i < value->n_operands; i++)
        if (program_operand(program, value, i) >= id)
            return "stands before an operand";
    return NULL;
}

static bool is_everywhere_same(const Program *program, ValueId id) {
    const Value *value = program_value(program, id);
    return value->kind == VALUE_STRETCH &&
           program_value(program, program_operand(program, value, 0))->shape == SHAPE_ID_SCALAR;
}

static const char *elementwise_fault(const Program *program, const Value *value) {
    for (uint32_t i = 0; i < value->n_operands; i++) {
        ValueId operand = program_operand(program, value, i);
        ShapeId shape = program_value(program, operand)->shape;
        if (shape != value->shape && (shape != SHAPE_ID_SCALAR || value->kind != VALUE_MAP))
            return "has an operand of another shape";
        if (is_everywhere_same(program, operand))
            return "has an operand that is the same everywhere";
    }
    return NULL;
}

static const char *view_fault(const Program *program, const Value *value) {
    const Value *operand = program_value(program, program_operand(program, value, 0));
    const Shape *from = program_peek(program, operand->shape);
    const Shape *to = program_peek(program, value->shape);
    if (from == NULL || to == NULL)
        return value->kind == VALUE_STRETCH && operand->shape == SHAPE_ID_SCALAR
                   ? NULL
                   : "is a view of what nobody asked for";
    if (value->kind == VALUE_RESHAPE && shape_count(from) != shape_count(to))
        return "has another number of elements";
    Shape both;
    if (value->kind == VALUE_STRETCH &&
        (!shape_broadcast(from, to, &both) || !shape_equal(&both, to)))
        return "stretches to what does not fit";
    for (uint32_t i = 0; value->kind == VALUE_SLICE && i < to->rank; i++)
        if (program_extra(program, value, i) + to->dims[i] > from->dims[i])
            return "is a slice that ends outside";
    if (value->kind == operand->kind)
        return "is the same view twice";
    return NULL;
}

static const char *concat_fault(const Program *program, const Value *value) {
    uint64_t extent = 0;
    for (uint32_t i = 0; i < value->n_operands; i++) {
        const Value *part = program_value(program, program_operand(program, value, i));
        const Shape *shape = program_peek(program, part->shape);
        if (shape == NULL)
            return "has a part that nobody asked for";
        extent += shape->dims[value->axis];
    }
    return extent == program_peek(program, value->shape)->dims[value->axis]
               ? NULL
               : "has parts that are not its extent";
}

static const char *value_fault(const Program *program, ValueId id) {
    const Value *value = program_value(program, id);
    const char *fault = operands_fault(program, id, value);
    if (fault != NULL)
        return fault;
    switch ((ValueKind)value->kind) {
    case VALUE_MAP:
    case VALUE_QUANTISE:
        return elementwise_fault(program, value);
    case VALUE_RESHAPE:
    case VALUE_PERMUTE:
    case VALUE_SLICE:
    case VALUE_STRETCH:
        return view_fault(program, value);
    case VALUE_CONCAT:
        return concat_fault(program, value);
    case VALUE_REDUCE:
    case VALUE_KTH:
        return is_everywhere_same(program, program_operand(program, value, 0))
                   ? "has an operand that is the same everywhere"
                   : NULL;
    default:
        return NULL;
    }
}

bool verify_program(const Program *program, Builder *fault) {
    for (ValueId id = 0; id < program_count(program); id++) {
        const char *found = value_fault(program, id);
        if (found != NULL) {
            builder_format(fault, "value %u (kind %u) %s", id, program_value(program, id)->kind,
                           found);
            return false;
        }
    }
    return true;
}

/* --- Passes --- */

typedef struct Check {
    const PassList *passes;
    const Shape *key;
    const uint64_t *leaves;
    bool *uniforms;     /* by slot: has a value */
    bool *registers[2]; /* by level, of the pass at hand */
    bool *filled;       /* by buffer: something was stored before the pass at hand */
    bool *stored;       /* or in it */
    const Pass *pass;
    uint64_t count; /* elements of its domain */
} Check;

static uint64_t count_of(const Check *check, ShapeId shape) {
    bool key = shape == SHAPE_ID_KEY && check->passes->any_shape;
    return shape_count(key ? check->key : &check->passes->shapes[shape]);
}

static uint64_t place_count(const Check *check, const Access *access) {
    if (access->kind == PLACE_LEAF)
        return check->leaves[access->index];
    if (access->kind == PLACE_PRODUCT)
        return check->pass->products[access->index].rows *
               check->pass->products[access->index].columns;
    return count_of(check, access->kind == PLACE_OUTPUT
                               ? check->passes->roots[access->index].shape
                               : check->passes->buffers[access->index].shape);
}

static const char *access_fault(const Check *check, const Access *access, bool row) {
    uint64_t count = row ? check->count / check->pass->row_length : check->count;
    uint64_t elements = 1, last = access->offset;
    if (count == 0)
        return NULL;
    for (uint32_t i = 0; i < access->rank && !access->contiguous; i++) {
        elements *= access->dims[i];
        last += (access->dims[i] - 1) * (uint64_t)access->strides[i];
    }
    if (access->contiguous)
        last += count - 1;
    else if (elements != count)
        return "an access has another number of elements than the domain";
    return last < place_count(check, access) ? NULL : "an access leaves its place";
}

static const char *use_fault(const Check *check, const TileInstr *instr, unsigned i, bool row) {
    if (instr->uniform >> i & 1)
        return check->uniforms[instr->src[i]] ? NULL : "a uniform is read before it is written";
    uint32_t limit = row ? check->pass->n_row_registers : check->pass->n_registers;
    if (instr->src[i] >= limit)
        return "there is no such register";
    return check->registers[row][instr->src[i]] ? NULL : "a register is read before it is written";
}

static unsigned sources_of(const TileInstr *instr) {
    switch ((TileOp)instr->op) {
    case TILE_LOAD:
    case TILE_COORDINATE:
    case TILE_RANDOM:
        return 0;
    case TILE_MAP:
        return op_info[instr->detail].arity;
    case TILE_REDUCE:
    case TILE_ROW_REDUCE:
    case TILE_COLUMN_REDUCE:
        return instr->detail == REDUCE_DOT ? 2 : 1;
    default:
        return 1;
    }
}

static const char *product_fault(const Check *check, const Access *access) {
    if (access->index >= check->pass->n_products)
        return "there is no such product";
    const Product *product = &check->pass->products[access->index];
    const BufferInfo *buffers = check->passes->buffers;
    if (!check->filled[product->left] || !check->filled[product->right])
        return "a product is loaded before its factors are filled";
    if (count_of(check, buffers[product->left].shape) != product->rows * product->inner ||
        count_of(check, buffers[product->right].shape) != product->inner * product->columns)
        return "the factors of a product have other sizes";
    return access->contiguous ? NULL : "a product is loaded out of order";
}

static const char *place_fault(Check *check, const TileInstr *instr) {
    if (instr->op != TILE_LOAD && instr->op != TILE_STORE)
        return NULL;
    if (instr->index >= check->pass->n_accesses)
        return "there is no such access";
    const Access *access = &check->pass->accesses[instr->index];
    if (access->kind == PLACE_BUFFER && instr->op == TILE_STORE)
        check->stored[access->index] = true;
    bool buffer = access->kind == PLACE_BUFFER || access->kind == PLACE_MASK;
    if (buffer && check->passes->buffers[access->index].mask != (access->kind == PLACE_MASK))
        return "a buffer is taken for one of another kind";
    if (buffer && instr->op == TILE_LOAD && !check->filled[access->index])
        return "a buffer is loaded before it is filled";
    const char *fault = access->kind == PLACE_PRODUCT ? product_fault(check, access) : NULL;
    if (fault != NULL)
        return fault;
    return access_fault(check, access, instr->row);
}

static const char *instr_fault(Check *check, const TileInstr *instr) {
    bool row_source = instr->row || instr->op == TILE_EXPAND;
    bool row_result = instr->row || instr->op == TILE_ROW_REDUCE;
    bool needs_rows = row_source || row_result;
    if (needs_rows && check->pass->order != ORDER_ROWS)
        return "rows in a pass that has none";
    unsigned all = (1u << sources_of(instr)) - 1;
    if (instr->op != TILE_STORE && all != 0 && (instr->uniform & all) == all)
        return "all operands are uniform";
    for (unsigned i = 0; i < sources_of(instr); i++) {
        const char *fault = use_fault(check, instr, i, row_source);
        if (fault != NULL)
            return fault;
    }
    const char *fault = place_fault(check, instr);
    if (fault != NULL)
        return fault;
    switch ((TileOp)instr->op) {
    case TILE_STORE:
    case TILE_REDUCE:
    case TILE_SELECT:
        return NULL;
    case TILE_COLUMN_REDUCE:
        check->stored[check->pass->reductions[instr->index].buffer] = true;
        return check->pass->order == ORDER_COLUMNS ? NULL : "columns in a pass that has none";
    default:
        check->registers[row_result][instr->dst] = true;
        return instr->dst < (row_result ? check->pass->n_row_registers : check->pass->n_registers)
                   ? NULL
                   : "there is no such register";
    }
}

static const char *guards_fault(const Check *check) {
    for (uint32_t i = 0; i < check->pass->n_guards; i++)
        if (!check->uniforms[check->pass->guards[i].uniform])
            return "is guarded by what is not written yet";
    return NULL;
}

static const char *uniforms_fault(Check *check) {
    for (uint32_t i = 0; i < check->pass->n_uniforms; i++) {
        const UniformInstr *instr = &check->pass->uniforms[i];
        unsigned n =
            instr->op < OP_COUNT ? op_info[instr->op].arity : instr->op == UNIFORM_QUANTISE;
        for (unsigned k = 0; k < n; k++)
            if (!check->uniforms[instr->src[k]])
                return "uniform code reads what is not written yet";
        check->uniforms[instr->dst] = true;
    }
    return NULL;
}

static const char *code_fault(Check *check, const TileInstr *code, uint32_t n_code) {
    memset(check->registers[0], 0, check->pass->n_registers + 1u);
    memset(check->registers[1], 0, check->pass->n_row_registers + 1u);
    for (uint32_t i = 0; i < n_code; i++) {
        const char *fault = instr_fault(check, &code[i]);
        if (fault != NULL)
            return fault;
    }
    return NULL;
}

static const char *tiles_fault(Check *check) {
    const Pass *pass = check->pass;
    check->count = count_of(check, pass->domain);
    if (pass->order == ORDER_ROWS && (pass->row_length == 0 || check->count % pass->row_length))
        return "the domain is no number of rows";
    if (pass->order == ORDER_COLUMNS && pass->outer * pass->extent * pass->inner != check->count)
        return "the domain has other columns";
    check->registers[0] = memory_grow(NULL, pass->n_registers + 1u);
    check->registers[1] = memory_grow(NULL, pass->n_row_registers + 1u);
    const char *fault = uniforms_fault(check);
    if (fault == NULL)
        fault = guards_fault(check);
    if (fault == NULL)
        fault = code_fault(check, pass->code, pass->n_code);
    if (fault == NULL && pass->n_selections > 0)
        fault = code_fault(check, pass->again, pass->n_again);
    free(check->registers[0]);
    free(check->registers[1]);
    for (uint32_t i = 0; i < pass->n_reductions && pass->order != ORDER_COLUMNS; i++)
        check->uniforms[pass->reductions[i].uniform] = true;
    for (uint32_t i = 0; i < pass->n_selections; i++)
        check->uniforms[pass->selections[i].uniform] = true;
    return fault;
}

static const char *whole_fault(Check *check) {
    const WholeCall *call = &check->pass->whole;
    for (uint32_t i = 0; i < call->n_inputs; i++)
        if (!check->filled[call->inputs[i]] &&
            count_of(check, check->passes->buffers[call->inputs[i]].shape) > 0)
            return "a buffer is used before it is filled";
    for (uint32_t i = 0; i < call->n_outputs; i++)
        if (call->outputs[i] != UINT32_MAX)
            check->stored[call->outputs[i]] = true;
    return NULL;
}

static const char *lifetime_fault(const Check *check, uint32_t at) {
    for (uint32_t i = 0; i < check->passes->n_buffers; i++) {
        const BufferInfo *info = &check->passes->buffers[i];
        if (check->stored[i] && !check->filled[i] && info->first_pass > at)
            return "a buffer is filled before it lives";
    }
    return NULL;
}

bool verify_passes(const PassList *passes, const Shape *key, const uint64_t *leaves,
                   Builder *fault) {
    Check check = {.passes = passes, .key = key, .leaves = leaves};
    check.uniforms = memory_grow(NULL, passes->n_uniforms + 1u);
    check.filled = memory_grow(NULL, passes->n_buffers + 1u);
    check.stored = memory_grow(NULL, passes->n_buffers + 1u);
    memset(check.uniforms, 0, passes->n_uniforms + 1u);
    memset(check.uniforms, 1, passes->n_constants);
    memset(check.stored, 0, passes->n_buffers + 1u);
    const char *found = NULL;
    for (uint32_t i = 0; i < passes->n_passes && found == NULL; i++) {
        check.pass = &passes->passes[i];
        memcpy(check.filled, check.stored, passes->n_buffers);
        if (check.pass->kind == PASS_TILES)
            found = tiles_fault(&check);
        else if (check.pass->kind == PASS_WHOLE)
            found = whole_fault(&check);
        if (found == NULL)
            found = lifetime_fault(&check, i);
        if (found != NULL)
            builder_format(fault, "pass %u: %s", i, found);
    }
    free(check.uniforms);
    free(check.filled);
    free(check.stored);
    return found == NULL;
}
