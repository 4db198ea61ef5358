#include "program_eval.h"

#include "base/vector.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

uint64_t eval_count(const Shape *shape) {
    uint64_t count = 1;
    for (uint32_t i = 0; i < shape->rank; i++)
        count *= shape->dims[i];
    return count;
}

static double *numbers(uint64_t count) {
    double *all = memory_grow(NULL, (count + 1) * sizeof *all);
    for (uint64_t i = 0; i <= count; i++)
        all[i] = NAN;
    return all;
}

static double draw(uint64_t seed, uint32_t stream, uint64_t element) {
    uint64_t x = seed * 0x9e3779b97f4a7c15u + stream * 0xbf58476d1ce4e5b9u + element;
    x = (x ^ x >> 31) * 0x94d049bb133111ebu;
    x = (x ^ x >> 29) * 0x9e3779b97f4a7c15u;
    return (double)(x >> 11) * 0x1p-53;
}

static double quantised(DType dtype, double number) {
    double rounded;
    kernels_best()->table[COMPUTE_F64]->quantise[dtype](&rounded, &number, 1);
    return rounded;
}

/* --- Reductions, shared: N elements with a step between them --- */

static double reduced(ReduceKind kind, const double *a, const double *b, uint64_t n,
                      uint64_t step) {
    double result = kind == REDUCE_MIN ? INFINITY : kind == REDUCE_MAX ? -INFINITY : 0;
    for (uint64_t i = 0; i < n; i++) {
        double x = a[i * step];
        switch (kind) {
        case REDUCE_SUM:
            result += x;
            break;
        case REDUCE_DOT:
            result += x * b[i * step];
            break;
        case REDUCE_ANY:
            result = result != 0 || x != 0;
            break;
        case REDUCE_MIN:
            result = x < result || isnan(x) ? x : result;
            break;
        default:
            result = x > result || isnan(x) ? x : result;
        }
    }
    return result;
}

static int compare_doubles(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double kth(const double *all, uint64_t n, uint64_t k) {
    double *sorted = numbers(n);
    memcpy(sorted, all, n * sizeof *all);
    qsort(sorted, n, sizeof *sorted, compare_doubles);
    double result = sorted[k - 1];
    free(sorted);
    return result;
}

static void matmul(double *out, const double *a, const double *b, uint64_t m, uint64_t k,
                   uint64_t n) {
    for (uint64_t i = 0; i < m; i++)
        for (uint64_t j = 0; j < n; j++) {
            double sum = 0;
            for (uint64_t p = 0; p < k; p++)
                sum += a[i * k + p] * b[p * n + j];
            out[i * n + j] = sum;
        }
}

/* --- Programs --- */

typedef struct Reference {
    const Program *program;
    const EvalInput *input;
    double **values;
} Reference;

static const Shape *shape_at(const Reference *reference, ShapeId shape) {
    const Shape *dims = program_peek(reference->program, shape);
    return dims != NULL ? dims : &reference->input->key;
}

static void split(const Shape *shape, uint64_t element, uint64_t *at) {
    for (uint32_t i = shape->rank; i-- > 0;) {
        at[i] = element % shape->dims[i];
        element /= shape->dims[i];
    }
}

static uint64_t join(const Shape *shape, const uint64_t *at) {
    uint64_t element = 0;
    for (uint32_t i = 0; i < shape->rank; i++)
        element = element * shape->dims[i] + at[i];
    return element;
}

/* The element of the operand that a view shows at AT. */
static uint64_t seen_through(const Reference *reference, const Value *value, const Shape *shape,
                             const Shape *from, uint64_t element) {
    uint64_t at[SHAPE_LIMIT], source[SHAPE_LIMIT] = {0};
    split(shape, element, at);
    switch ((ValueKind)value->kind) {
    case VALUE_PERMUTE:
        for (uint32_t i = 0; i < shape->rank; i++)
            source[program_extra(reference->program, value, i)] = at[i];
        return join(from, source);
    case VALUE_SLICE:
        for (uint32_t i = 0; i < shape->rank; i++)
            source[i] = at[i] + program_extra(reference->program, value, i);
        return join(from, source);
    case VALUE_STRETCH:
        for (uint32_t i = 0; i < from->rank; i++)
            source[i] = from->dims[i] == 1 ? 0 : at[shape->rank - from->rank + i];
        return join(from, source);
    default:
        return element;
    }
}

static void eval_axis(const Reference *reference, const Value *value, double *out, const double *a,
                      const double *b) {
    const Shape *from = shape_at(
        reference,
        program_value(reference->program, program_operand(reference->program, value, 0))->shape);
    uint64_t outer = 1, inner = 1, extent = from->dims[value->axis];
    for (int i = 0; i < (int)from->rank; i++) {
        outer *= i < value->axis ? from->dims[i] : 1;
        inner *= i > value->axis ? from->dims[i] : 1;
    }
    for (uint64_t o = 0; o < outer; o++)
        for (uint64_t i = 0; i < inner; i++) {
            uint64_t start = o * extent * inner + i;
            out[o * inner + i] =
                reduced(value->op, a + start, b == NULL ? NULL : b + start, extent, inner);
        }
}

static void eval_concat(const Reference *reference, const Value *value, const Shape *shape,
                        double *out) {
    uint64_t begin = 0;
    for (uint32_t i = 0; i < value->n_operands; i++) {
        ValueId part = program_operand(reference->program, value, i);
        const Shape *from = shape_at(reference, program_value(reference->program, part)->shape);
        for (uint64_t element = 0; element < eval_count(from); element++) {
            uint64_t at[SHAPE_LIMIT];
            split(from, element, at);
            at[value->axis] += begin;
            out[join(shape, at)] = reference->values[part][element];
        }
        begin += from->dims[value->axis];
    }
}

static void eval_part(const Reference *reference, const Value *value, double *out) {
    const Program *program = reference->program;
    const Value *whole = program_value(program, program_operand(program, value, 0));
    ValueId a = program_operand(program, whole, 0), b = program_operand(program, whole, 1);
    const Shape *left = shape_at(reference, program_value(program, a)->shape);
    const Shape *right = shape_at(reference, program_value(program, b)->shape);
    matmul(out, reference->values[a], reference->values[b], left->dims[0], left->dims[1],
           right->dims[1]);
}

static void eval_value(const Reference *reference, ValueId id, double *out) {
    const Program *program = reference->program;
    const Value *value = program_value(program, id);
    const Shape *shape = shape_at(reference, value->shape), *from = NULL;
    const double *a[3] = {NULL, NULL, NULL};
    uint64_t counts[3] = {0}, count = eval_count(shape), at[SHAPE_LIMIT];
    for (uint32_t i = 0; i < value->n_operands && i < 3; i++) {
        ValueId operand = program_operand(program, value, i);
        a[i] = reference->values[operand];
        const Shape *own = shape_at(reference, program_value(program, operand)->shape);
        counts[i] = eval_count(own);
        from = i == 0 ? own : from;
    }
    if (value->kind == VALUE_CONCAT)
        eval_concat(reference, value, shape, out);
    else if (value->kind == VALUE_PART)
        eval_part(reference, value, out);
    else if (value->kind == VALUE_REDUCE && value->axis >= 0)
        eval_axis(reference, value, out, a[0], a[1]);
    else if (value->kind == VALUE_REDUCE)
        out[0] = reduced(value->op, a[0], a[1], counts[0], 1);
    else if (value->kind == VALUE_KTH)
        out[0] = kth(a[0], counts[0], value->k);
    else
        for (uint64_t i = 0; i < count; i++) {
            split(shape, i, at);
            double x[3] = {0};
            for (int k = 0; k < 3 && value->kind == VALUE_MAP && a[k] != NULL; k++)
                x[k] = a[k][counts[k] == 1 ? 0 : i];
            out[i] = value->kind == VALUE_CONST      ? value->number
                     : value->kind == VALUE_LEAF     ? reference->input->leaves[value->slot][i]
                     : value->kind == VALUE_MAP      ? uniform_op(value->op, x[0], x[1], x[2])
                     : value->kind == VALUE_QUANTISE ? quantised(value->dtype, a[0][i])
                     : value->kind == VALUE_INDEX    ? (double)at[value->axis]
                     : value->kind == VALUE_RANDOM
                         ? draw((uint64_t)(int64_t)value->number, value->slot, i)
                         : a[0][seen_through(reference, value, shape, from, i)];
        }
}

double **eval_program(const Program *program, const EvalInput *input) {
    uint32_t n = program_count(program);
    double **values = memory_grow(NULL, (n + 1) * sizeof *values);
    Reference reference = {program, input, values};
    for (ValueId id = 0; id < n; id++) {
        const Value *value = program_value(program, id);
        values[id] = NULL;
        if (value->kind == VALUE_WHOLE)
            continue;
        values[id] = numbers(eval_count(shape_at(&reference, value->shape)));
        eval_value(&reference, id, values[id]);
    }
    return values;
}

void eval_free(double **values, size_t n) {
    for (size_t i = 0; i < n; i++)
        free(values[i]);
    free(values);
}

/* --- Passes --- */

typedef struct Machine {
    const PassList *passes;
    const EvalInput *input;
    double **outputs;
    unsigned char **stored; /* how often each element of an output was */
    double **buffers;
    double *uniforms;
    const Pass *pass;
    uint64_t count;
    double **registers[2]; /* whole domains, by level */
} Machine;

static const Shape *domain_of(const Machine *machine, ShapeId shape) {
    bool key = shape == SHAPE_ID_KEY && machine->passes->any_shape;
    return key ? &machine->input->key : &machine->passes->shapes[shape];
}

static uint64_t element_of(const Access *access, uint64_t i) {
    if (access->contiguous)
        return access->offset + i;
    uint64_t element = access->offset;
    for (uint32_t axis = access->rank; axis-- > 0;) {
        element += i % access->dims[axis] * (uint64_t)access->strides[axis];
        i /= access->dims[axis];
    }
    return element;
}

static uint64_t count_at(const Machine *machine, bool row) {
    return row ? machine->count / machine->pass->row_length : machine->count;
}

static double product_element(const Machine *machine, const Product *product, uint64_t at) {
    const double *left = machine->buffers[product->left], *right = machine->buffers[product->right];
    uint64_t row = at / product->columns, column = at % product->columns;
    double sum = 0;
    for (uint64_t k = 0; k < product->inner; k++)
        sum += left[product->left_transposed ? k * product->rows + row : row * product->inner + k] *
               right[product->right_transposed ? column * product->inner + k
                                               : k * product->columns + column];
    return sum;
}

static void run_load(const Machine *machine, const TileInstr *instr, double *dst) {
    const Access *access = &machine->pass->accesses[instr->index];
    if (access->kind == PLACE_PRODUCT) {
        for (uint64_t i = 0; i < machine->count; i++)
            dst[i] = product_element(machine, &machine->pass->products[access->index],
                                     access->offset + i);
        return;
    }
    const double *place = access->kind == PLACE_LEAF ? machine->input->leaves[access->index]
                                                     : machine->buffers[access->index];
    for (uint64_t i = 0; i < count_at(machine, instr->row); i++)
        dst[i] = place[element_of(access, i)];
}

static double source(const Machine *machine, const TileInstr *instr, unsigned k, uint64_t i) {
    return instr->uniform >> k & 1 ? machine->uniforms[instr->src[k]]
                                   : machine->registers[instr->row][instr->src[k]][i];
}

static void run_store(const Machine *machine, const TileInstr *instr) {
    const Access *access = &machine->pass->accesses[instr->index];
    for (uint64_t i = 0; i < count_at(machine, instr->row); i++) {
        uint64_t element = element_of(access, i);
        double x = source(machine, instr, 0, i);
        if (access->kind == PLACE_BUFFER) {
            machine->buffers[access->index][element] = x;
            continue;
        }
        machine->outputs[access->index][element] = x;
        machine->stored[access->index][element]++;
    }
}

static void run_rows(const Machine *machine, const TileInstr *instr, double *dst) {
    uint64_t length = machine->pass->row_length;
    const double *a = machine->registers[0][instr->src[0]];
    const double *b = instr->detail == REDUCE_DOT ? machine->registers[0][instr->src[1]] : NULL;
    for (uint64_t r = 0; r < machine->count / length; r++)
        dst[r] =
            reduced(instr->detail, a + r * length, b == NULL ? NULL : b + r * length, length, 1);
}

static void run_columns(const Machine *machine, const TileInstr *instr) {
    const Pass *pass = machine->pass;
    const Reduction *reduction = &pass->reductions[instr->index];
    const double *a = machine->registers[0][instr->src[0]];
    const double *b = machine->registers[0][instr->src[reduction->kind == REDUCE_DOT]];
    for (uint64_t o = 0; o < pass->outer; o++)
        for (uint64_t i = 0; i < pass->inner; i++) {
            uint64_t start = o * pass->extent * pass->inner + i;
            machine->buffers[reduction->buffer][o * pass->inner + i] =
                reduced(reduction->kind, a + start, b + start, pass->extent, pass->inner);
        }
}

static void run_reduce(const Machine *machine, const TileInstr *instr) {
    const Reduction *reduction = &machine->pass->reductions[instr->index];
    const double *a = machine->registers[0][instr->src[0]];
    const double *b = machine->registers[0][instr->src[reduction->kind == REDUCE_DOT]];
    machine->uniforms[reduction->uniform] = reduced(reduction->kind, a, b, machine->count, 1);
}

static void run_element(const Machine *machine, const TileInstr *instr, double *dst, uint64_t i) {
    uint64_t at[SHAPE_LIMIT];
    switch ((TileOp)instr->op) {
    case TILE_MAP: {
        double x[3] = {0};
        for (unsigned k = 0; k < op_info[instr->detail].arity; k++)
            x[k] = source(machine, instr, k, i);
        dst[i] = uniform_op(instr->detail, x[0], x[1], x[2]);
        break;
    }
    case TILE_QUANTISE:
        dst[i] = quantised(instr->detail, source(machine, instr, 0, i));
        break;
    case TILE_COORDINATE:
        split(domain_of(machine, machine->pass->domain), i, at);
        dst[i] = (double)at[instr->detail];
        break;
    case TILE_RANDOM: {
        const RandomStream *stream = &machine->pass->randoms[instr->index];
        dst[i] = draw(stream->seed, stream->stream, i);
        break;
    }
    default:
        ck_assert_int_eq(instr->op, TILE_EXPAND);
        dst[i] = machine->registers[1][instr->src[0]][i / machine->pass->row_length];
    }
}

static void run_instr(Machine *machine, const TileInstr *instr) {
    bool row = instr->row || instr->op == TILE_ROW_REDUCE;
    double *dst = machine->registers[row][instr->dst];
    switch ((TileOp)instr->op) {
    case TILE_LOAD:
        run_load(machine, instr, dst);
        break;
    case TILE_STORE:
        run_store(machine, instr);
        break;
    case TILE_REDUCE:
        run_reduce(machine, instr);
        break;
    case TILE_ROW_REDUCE:
        run_rows(machine, instr, dst);
        break;
    case TILE_COLUMN_REDUCE:
        run_columns(machine, instr);
        break;
    case TILE_SELECT: {
        const Selection *selection = &machine->pass->selections[instr->index];
        machine->uniforms[selection->uniform] =
            kth(machine->registers[0][instr->src[0]], machine->count, selection->k);
        break;
    }
    default:
        for (uint64_t i = 0; i < count_at(machine, instr->row); i++)
            run_element(machine, instr, dst, i);
    }
}

static void run_uniform(Machine *machine, const UniformInstr *instr) {
    double *u = machine->uniforms;
    if (instr->op == UNIFORM_LEAF)
        u[instr->dst] = machine->input->leaves[instr->src[0]][0];
    else if (instr->op == UNIFORM_QUANTISE)
        u[instr->dst] = quantised(instr->src[1], u[instr->src[0]]);
    else
        u[instr->dst] = uniform_op(instr->op, u[instr->src[0]], u[instr->src[1]], u[instr->src[2]]);
}

static double **registers_new(uint32_t n, uint64_t count) {
    double **registers = memory_grow(NULL, (n + 1u) * sizeof *registers);
    for (uint32_t i = 0; i < n; i++)
        registers[i] = numbers(count);
    registers[n] = NULL;
    return registers;
}

static void run_code(Machine *machine, const TileInstr *code, uint32_t n_code) {
    const Pass *pass = machine->pass;
    uint64_t rows = pass->order == ORDER_ROWS ? machine->count / pass->row_length : 0;
    machine->registers[0] = registers_new(pass->n_registers, machine->count);
    machine->registers[1] = registers_new(pass->n_row_registers, rows);
    for (uint32_t i = 0; i < n_code; i++)
        run_instr(machine, &code[i]);
    eval_free(machine->registers[0], pass->n_registers);
    eval_free(machine->registers[1], pass->n_row_registers);
}

static void run_tiles(Machine *machine) {
    const Pass *pass = machine->pass;
    machine->count = eval_count(domain_of(machine, pass->domain));
    for (uint32_t i = 0; i < pass->n_uniforms; i++)
        run_uniform(machine, &pass->uniforms[i]);
    run_code(machine, pass->code, pass->n_code);
    if (pass->n_selections > 0) {
        for (uint32_t i = 0; i < pass->n_selections; i++)
            machine->uniforms[pass->selections[i].uniform] = NAN;
        run_code(machine, pass->again, pass->n_again);
    }
}

static void run_whole(const Machine *machine) {
    const WholeCall *call = &machine->pass->whole;
    const BufferInfo *infos = machine->passes->buffers;
    const Shape *a = domain_of(machine, infos[call->inputs[0]].shape);
    const Shape *b = domain_of(machine, infos[call->inputs[1]].shape);
    ck_assert_int_eq(call->op, WHOLE_MATMUL);
    matmul(machine->buffers[call->outputs[0]], machine->buffers[call->inputs[0]],
           machine->buffers[call->inputs[1]], a->dims[0], a->dims[1], b->dims[1]);
}

static void run_copy(const Machine *machine) {
    const Pass *pass = machine->pass;
    const RootInfo *root = &machine->passes->roots[pass->copy_output];
    uint64_t size = dtype_info[root->dtype].bits / 8;
    uint64_t count = pass->copy_bytes == UINT64_MAX ? eval_count(domain_of(machine, root->shape))
                                                    : pass->copy_bytes / size;
    for (uint64_t i = 0; i < count; i++) {
        uint64_t to = pass->copy_to / size + i;
        machine->outputs[pass->copy_output][to] =
            machine->input->leaves[pass->copy_leaf][pass->copy_from / size + i];
        machine->stored[pass->copy_output][to]++;
    }
}

static void machine_init(Machine *machine, const PassList *passes) {
    machine->outputs = memory_grow(NULL, (passes->n_roots + 1u) * sizeof(double *));
    machine->stored = memory_grow(NULL, (passes->n_roots + 1u) * sizeof(unsigned char *));
    machine->buffers = memory_grow(NULL, (passes->n_buffers + 1u) * sizeof(double *));
    for (uint32_t i = 0; i < passes->n_roots; i++) {
        uint64_t count = eval_count(domain_of(machine, passes->roots[i].shape));
        machine->outputs[i] = numbers(count);
        machine->stored[i] = memory_grow(NULL, count + 1);
        memset(machine->stored[i], 0, count + 1);
    }
    for (uint32_t i = 0; i < passes->n_buffers; i++)
        machine->buffers[i] = numbers(eval_count(domain_of(machine, passes->buffers[i].shape)));
    machine->uniforms = numbers(passes->n_uniforms);
    memcpy(machine->uniforms, passes->constants, passes->n_constants * sizeof(double));
}

double **eval_passes(const PassList *passes, const EvalInput *input) {
    Machine machine = {.passes = passes, .input = input};
    machine_init(&machine, passes);
    for (uint32_t i = 0; i < passes->n_passes; i++) {
        machine.pass = &passes->passes[i];
        if (machine.pass->kind == PASS_TILES)
            run_tiles(&machine);
        else if (machine.pass->kind == PASS_WHOLE)
            run_whole(&machine);
        else
            run_copy(&machine);
    }
    for (uint32_t i = 0; i < passes->n_roots; i++)
        for (uint64_t k = 0; k < eval_count(domain_of(&machine, passes->roots[i].shape)); k++)
            ck_assert_uint_eq(machine.stored[i][k], 1);
    for (uint32_t i = 0; i < passes->n_roots; i++)
        free(machine.stored[i]);
    free(machine.stored);
    eval_free(machine.buffers, passes->n_buffers);
    free(machine.uniforms);
    return machine.outputs;
}
