#include "program/program.h"

#include "base/vector.h"

#include <string.h>

static const char *const kind_names[] = {
    [VALUE_CONST] = "const",       [VALUE_LEAF] = "leaf",     [VALUE_MAP] = "map",
    [VALUE_QUANTISE] = "quantise", [VALUE_REDUCE] = "reduce", [VALUE_KTH] = "kth",
    [VALUE_INDEX] = "index",       [VALUE_RANDOM] = "random", [VALUE_RESHAPE] = "reshape",
    [VALUE_PERMUTE] = "permute",   [VALUE_SLICE] = "slice",   [VALUE_STRETCH] = "stretch",
    [VALUE_CONCAT] = "concat",     [VALUE_WHOLE] = "whole",   [VALUE_PART] = "part",
};

static const char *const reduce_names[REDUCE_KIND_COUNT] = {
    [REDUCE_SUM] = "sum", [REDUCE_MIN] = "min", [REDUCE_MAX] = "max",
    [REDUCE_ANY] = "any", [REDUCE_DOT] = "dot",
};

static const char *const whole_names[WHOLE_COUNT + 1] = {
#define WHOLE(id, name, doc) [WHOLE_##id] = name,
#include "program/whole.def"
#undef WHOLE
    [WHOLE_COUNT] = NULL};

static void dump_name(const Value *value, Builder *out) {
    if (value->kind == VALUE_MAP) {
        builder_add(out, op_info[value->op].name);
    } else if (value->kind == VALUE_WHOLE) {
        builder_format(out, "whole %s", whole_names[value->op]);
    } else if (value->kind == VALUE_REDUCE) {
        builder_format(out, "reduce %s", reduce_names[value->op]);
        if (value->axis >= 0)
            builder_format(out, " axis %d", value->axis);
    } else {
        builder_format(out, "%s", kind_names[value->kind]);
    }
}

/* `0,1` behind a word: a permutation or the beginning of a slice. */
static void dump_extras(const Program *program, const Value *value, Builder *out) {
    for (uint32_t i = 0; i < value->slot; i++) {
        builder_char(out, i == 0 ? ' ' : ',');
        if (value->kind == VALUE_WHOLE)
            builder_number(out, program_parameter(program, value, i));
        else
            builder_format(out, "%llu", (unsigned long long)program_extra(program, value, i));
    }
}

static void dump_attributes(const Program *program, const Value *value, Builder *out) {
    switch ((ValueKind)value->kind) {
    case VALUE_CONST:
        builder_char(out, ' ');
        builder_number(out, value->number);
        break;
    case VALUE_LEAF:
        builder_format(out, " %u %.*s", value->slot, TEXT_ARG(dtype_info[value->dtype].name));
        break;
    case VALUE_QUANTISE:
        builder_format(out, " %.*s", TEXT_ARG(dtype_info[value->dtype].name));
        break;
    case VALUE_KTH:
        builder_format(out, " %llu", (unsigned long long)value->k);
        break;
    case VALUE_RANDOM:
        builder_char(out, ' ');
        builder_number(out, value->number);
        builder_format(out, " %u", value->slot);
        break;
    case VALUE_INDEX:
    case VALUE_CONCAT:
        builder_format(out, " axis %d", value->axis);
        break;
    case VALUE_PART:
        builder_format(out, " %u", value->slot);
        break;
    case VALUE_PERMUTE:
    case VALUE_SLICE:
    case VALUE_WHOLE:
        dump_extras(program, value, out);
        break;
    default:
        break;
    }
}

static void dump_shape(const Program *program, ShapeId shape, Builder *out) {
    const Shape *dims = program_peek(program, shape);
    if (dims == NULL)
        builder_add(out, TEXT("key"));
    else
        shape_print(out, dims);
}

static void dump_value(const Program *program, const Value *value, const uint32_t *numbers,
                       uint32_t number, Builder *out) {
    builder_format(out, "%%%u = ", number);
    dump_name(value, out);
    dump_attributes(program, value, out);
    for (uint32_t i = 0; i < value->n_operands; i++)
        builder_format(out, " %%%u", numbers[program_operand(program, value, i)]);
    if (value->kind != VALUE_WHOLE && value->kind != VALUE_CONST) {
        builder_add(out, TEXT(" : "));
        dump_shape(program, value->shape, out);
    }
    builder_char(out, '\n');
}

void program_dump(const Program *program, const ValueId *roots, uint32_t n_roots, Builder *out) {
    uint32_t count = program_count(program), next = 0;
    uint32_t *numbers = memory_grow(NULL, memory_size((size_t)count + 1, sizeof *numbers));
    memset(numbers, 0, ((size_t)count + 1) * sizeof *numbers);
    for (uint32_t i = 0; i < n_roots; i++)
        numbers[roots[i]] = 1;
    for (uint32_t id = count; id-- > 0;)
        if (numbers[id] != 0) {
            const Value *value = program_value(program, id);
            for (uint32_t i = 0; i < value->n_operands; i++)
                numbers[program_operand(program, value, i)] = 1;
        }
    for (uint32_t id = 0; id < count; id++)
        if (numbers[id] != 0) {
            numbers[id] = next++;
            dump_value(program, program_value(program, id), numbers, numbers[id], out);
        }
    for (uint32_t i = 0; i < n_roots; i++)
        builder_format(out, "%s%%%u%s", i == 0 ? "roots " : " ", numbers[roots[i]],
                       i + 1 == n_roots ? "\n" : "");
    free(numbers);
}
