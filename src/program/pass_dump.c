/* Pass lists as text.
 *
 *     pass 0 over key, flat
 *         r0 = load leaf 0 f16
 *         sum r0 -> u1
 *     pass 1 over [2, 3], rows of 3
 *         u2 = div u1 u0
 *         r0 = load leaf 0 f16 [2, 3] by [0, 1] from 4
 *         store r0 -> output 0 f16
 */
#include "program/pass.h"

static const char *const reduce_names[REDUCE_KIND_COUNT] = {
    [REDUCE_SUM] = "sum", [REDUCE_MIN] = "min", [REDUCE_MAX] = "max",
    [REDUCE_ANY] = "any", [REDUCE_DOT] = "dot",
};

static const Text whole_names[WHOLE_COUNT] = {
#define WHOLE(id, name, doc) [WHOLE_##id] = {name, sizeof name - 1},
#include "program/whole.def"
#undef WHOLE
};

Text whole_name(WholeOp op) {
    return whole_names[op];
}

static void dump_shape(const PassList *list, ShapeId shape, Builder *out) {
    if (shape == SHAPE_ID_KEY && list->any_shape)
        builder_add(out, TEXT("key"));
    else
        shape_print(out, &list->shapes[shape]);
}

static void dump_factor(uint32_t buffer, bool transposed, Builder *out) {
    builder_format(out, " buffer %u%s", buffer, transposed ? " transposed" : "");
}

static void dump_product(const Product *product, Builder *out) {
    builder_format(out, " of rank %llu:", (unsigned long long)product->inner);
    dump_factor(product->left, product->left_transposed, out);
    builder_add(out, TEXT(" x"));
    dump_factor(product->right, product->right_transposed, out);
}

static void dump_access(const Pass *pass, const Access *access, Builder *out) {
    static const char *const places[] = {"leaf", "buffer", "mask", "output", "product"};
    builder_format(out, "%s %u %.*s", places[access->kind], access->index,
                   TEXT_ARG(dtype_info[access->dtype].name));
    if (!access->contiguous) {
        Shape dims = {.rank = access->rank};
        for (uint32_t i = 0; i < access->rank; i++)
            dims.dims[i] = access->dims[i];
        builder_char(out, ' ');
        shape_print(out, &dims);
        builder_add(out, TEXT(" by ["));
        for (uint32_t i = 0; i < access->rank; i++)
            builder_format(out, "%s%lld", i > 0 ? ", " : "", (long long)access->strides[i]);
        builder_char(out, ']');
    }
    if (access->offset > 0)
        builder_format(out, " from %llu", (unsigned long long)access->offset);
    if (access->kind == PLACE_PRODUCT)
        dump_product(&pass->products[access->index], out);
}

/* Row-level registers are `w`, those of elements `r`, uniform slots `u`. */
static void dump_source(const TileInstr *instr, unsigned i, bool row, Builder *out) {
    bool uniform = (instr->uniform >> i & 1) != 0;
    builder_format(out, " %c%u", uniform ? 'u' : row ? 'w' : 'r', instr->src[i]);
}

static void dump_sources(const TileInstr *instr, unsigned n, Builder *out) {
    for (unsigned i = 0; i < n; i++)
        dump_source(instr, i, instr->row, out);
}

static void dump_reduce(const TileInstr *instr, ReduceKind kind, Builder *out) {
    builder_add(out, text_from(reduce_names[kind]));
    dump_sources(instr, kind == REDUCE_DOT ? 2 : 1, out);
}

static void dump_destination(const TileInstr *instr, Builder *out) {
    bool row = instr->row || instr->op == TILE_ROW_REDUCE;
    builder_format(out, "%c%u = ", row ? 'w' : 'r', instr->dst);
}

/* What an instruction that has a destination puts there. */
static void dump_value(const Pass *pass, const TileInstr *instr, Builder *out) {
    switch ((TileOp)instr->op) {
    case TILE_LOAD:
        builder_add(out, TEXT("load "));
        dump_access(pass, &pass->accesses[instr->index], out);
        break;
    case TILE_MAP:
        builder_add(out, op_info[instr->detail].name);
        dump_sources(instr, op_info[instr->detail].arity, out);
        break;
    case TILE_QUANTISE:
        builder_format(out, "quantise %.*s", TEXT_ARG(dtype_info[instr->detail].name));
        dump_sources(instr, 1, out);
        break;
    case TILE_COORDINATE:
        builder_format(out, "coordinate along %u", instr->detail);
        break;
    case TILE_RANDOM:
        builder_format(out, "random seed %llu stream %u",
                       (unsigned long long)pass->randoms[instr->index].seed,
                       pass->randoms[instr->index].stream);
        break;
    case TILE_ROW_REDUCE:
        builder_add(out, TEXT("rows "));
        dump_reduce(instr, (ReduceKind)instr->detail, out);
        break;
    default: /* EXPAND */
        builder_add(out, TEXT("expand"));
        dump_source(instr, 0, true, out);
    }
}

static void dump_instr(const Pass *pass, const TileInstr *instr, Builder *out) {
    builder_add(out, TEXT("    "));
    switch ((TileOp)instr->op) {
    case TILE_STORE:
        builder_add(out, TEXT("store"));
        dump_sources(instr, 1, out);
        builder_add(out, TEXT(" -> "));
        dump_access(pass, &pass->accesses[instr->index], out);
        break;
    case TILE_REDUCE:
        dump_reduce(instr, pass->reductions[instr->index].kind, out);
        builder_format(out, " -> u%u", pass->reductions[instr->index].uniform);
        break;
    case TILE_COLUMN_REDUCE:
        builder_add(out, TEXT("columns "));
        dump_reduce(instr, pass->reductions[instr->index].kind, out);
        builder_format(out, " -> buffer %u", pass->reductions[instr->index].buffer);
        break;
    case TILE_SELECT:
        builder_format(out, "select %llu of", (unsigned long long)pass->selections[instr->index].k);
        dump_sources(instr, 1, out);
        builder_format(out, " -> u%u", pass->selections[instr->index].uniform);
        break;
    default:
        dump_destination(instr, out);
        dump_value(pass, instr, out);
    }
    builder_char(out, '\n');
}

static void dump_uniform(const UniformInstr *instr, Builder *out) {
    builder_format(out, "    u%u = ", instr->dst);
    if (instr->op == UNIFORM_LEAF)
        builder_format(out, "leaf %u", instr->src[0]);
    else if (instr->op == UNIFORM_QUANTISE)
        builder_format(out, "quantise %.*s u%u", TEXT_ARG(dtype_info[instr->src[1]].name),
                       instr->src[0]);
    else {
        builder_add(out, op_info[instr->op].name);
        for (unsigned i = 0; i < op_info[instr->op].arity; i++)
            builder_format(out, " u%u", instr->src[i]);
    }
    builder_char(out, '\n');
}

static void dump_tiles(const PassList *list, const Pass *pass, Builder *out) {
    builder_add(out, TEXT(" over "));
    dump_shape(list, pass->domain, out);
    if (pass->order == ORDER_FLAT)
        builder_add(out, TEXT(", flat\n"));
    else if (pass->order == ORDER_ROWS)
        builder_format(out, ", rows of %llu\n", (unsigned long long)pass->row_length);
    else
        builder_format(out, ", columns of %llu x %llu x %llu\n", (unsigned long long)pass->outer,
                       (unsigned long long)pass->extent, (unsigned long long)pass->inner);
}

static void dump_code(const Pass *pass, const TileInstr *code, uint32_t n, Builder *out) {
    for (uint32_t i = 0; i < n; i++)
        dump_instr(pass, &code[i], out);
}

static void dump_copy(const Pass *pass, Builder *out) {
    builder_format(out, " copies leaf %u -> output %u", pass->copy_leaf, pass->copy_output);
    if (pass->copy_bytes != UINT64_MAX)
        builder_format(out, ", %llu bytes", (unsigned long long)pass->copy_bytes);
    if (pass->copy_from > 0)
        builder_format(out, " from %llu", (unsigned long long)pass->copy_from);
    if (pass->copy_to > 0)
        builder_format(out, " to %llu", (unsigned long long)pass->copy_to);
    builder_char(out, '\n');
}

static void dump_whole(const WholeCall *call, Builder *out) {
    builder_format(out, " calls %.*s", TEXT_ARG(whole_name(call->op)));
    for (uint32_t i = 0; i < call->n_parameters; i++) {
        builder_char(out, ' ');
        builder_number(out, call->parameters[i]);
    }
    for (uint32_t i = 0; i < call->n_inputs; i++)
        builder_format(out, " buffer %u", call->inputs[i]);
    builder_add(out, TEXT(" ->"));
    for (uint32_t i = 0; i < call->n_outputs; i++)
        if (call->outputs[i] == UINT32_MAX)
            builder_add(out, TEXT(" nowhere"));
        else
            builder_format(out, " buffer %u", call->outputs[i]);
    builder_char(out, '\n');
}

static void dump_pass(const PassList *list, uint32_t number, Builder *out) {
    const Pass *pass = &list->passes[number];
    builder_format(out, "pass %u", number);
    if (pass->kind == PASS_COPY)
        dump_copy(pass, out);
    else if (pass->kind == PASS_WHOLE)
        dump_whole(&pass->whole, out);
    else
        dump_tiles(list, pass, out);
    for (uint32_t i = 0; i < pass->n_uniforms; i++)
        dump_uniform(&pass->uniforms[i], out);
    for (uint32_t i = 0; i < pass->n_guards; i++)
        builder_format(out, "  %s u%u%s\n", i == 0 ? "only if" : "or", pass->guards[i].uniform,
                       pass->guards[i].when ? "" : " is 0");
    if (pass->kind != PASS_TILES)
        return;
    dump_code(pass, pass->code, pass->n_code, out);
    if (pass->n_again > 0) {
        builder_add(out, TEXT("  until all are selected\n"));
        dump_code(pass, pass->again, pass->n_again, out);
    }
}

static void dump_buffer(const PassList *list, uint32_t i, Builder *out) {
    const BufferInfo *buffer = &list->buffers[i];
    builder_format(out, "buffer %u ", i);
    dump_shape(list, buffer->shape, out);
    builder_format(out, " of passes %u to %u\n", buffer->first_pass, buffer->last_pass);
}

void passes_dump(const PassList *passes, Builder *out) {
    for (uint32_t i = 0; i < passes->n_constants; i++) {
        builder_format(out, "u%u = ", i);
        builder_number(out, passes->constants[i]);
        builder_char(out, '\n');
    }
    for (uint32_t i = 0; i < passes->n_buffers; i++)
        dump_buffer(passes, i, out);
    for (uint32_t i = 0; i < passes->n_passes; i++)
        dump_pass(passes, i, out);
    for (uint32_t i = 0; i < passes->n_ending; i++)
        dump_uniform(&passes->ending[i], out);
    for (uint32_t i = 0; i < passes->n_checks; i++)
        builder_format(out, "check u%u\n", passes->checks[i]);
}
