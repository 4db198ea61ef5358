#include "program_read.h"

#include "tests.h"

#include <stdlib.h>
#include <string.h>

enum { NAME_LIMIT = 32 };

typedef struct Reader {
    ProgramText text;
    VECTOR(ValueId) values; /* by the number that they have in the text */
    const char *at;
} Reader;

static void skip_spaces(Reader *reader) {
    while (*reader->at == ' ')
        reader->at++;
}

static bool accept(Reader *reader, const char *word) {
    skip_spaces(reader);
    size_t size = strlen(word);
    if (strncmp(reader->at, word, size) != 0)
        return false;
    reader->at += size;
    return true;
}

static void expect(Reader *reader, const char *word) {
    if (!accept(reader, word))
        ck_abort_msg("expected '%s' at '%.40s'", word, reader->at);
}

static double read_number(Reader *reader) {
    char *end;
    double number = strtod(reader->at, &end);
    if (end == reader->at)
        ck_abort_msg("expected a number at '%.40s'", reader->at);
    reader->at = end;
    return number;
}

static uint64_t read_count(Reader *reader) {
    return (uint64_t)read_number(reader);
}

static void read_name(Reader *reader, char *name) {
    size_t size = 0;
    skip_spaces(reader);
    while (*reader->at > ' ' && size + 1 < NAME_LIMIT)
        name[size++] = *reader->at++;
    name[size] = '\0';
}

static Shape read_dims(Reader *reader) {
    Shape shape = {0};
    expect(reader, "[");
    while (!accept(reader, "]")) {
        accept(reader, ",");
        shape.dims[shape.rank++] = read_count(reader);
    }
    return shape;
}

static ShapeId read_shape(Reader *reader) {
    if (accept(reader, "key"))
        return SHAPE_ID_KEY;
    Shape shape = read_dims(reader);
    return program_shape(reader->text.program, &shape);
}

static DType read_dtype(Reader *reader) {
    char name[NAME_LIMIT];
    read_name(reader, name);
    return dtype_from_name(text_from(name));
}

static int read_axis(Reader *reader) {
    return accept(reader, "axis") ? (int)read_number(reader) : -1;
}

static uint32_t read_list(Reader *reader, uint64_t *numbers) {
    uint32_t n = 0;
    do
        numbers[n++] = read_count(reader);
    while (accept(reader, ","));
    return n;
}

/* What stands between a kind's name and its operands. */
typedef struct Attributes {
    double number;
    uint64_t list[SHAPE_LIMIT];
    uint32_t n_list, slot;
    DType dtype;
    int axis;
    ReduceKind reduction;
} Attributes;

static ReduceKind read_reduction(Reader *reader) {
    static const char *const names[] = {"sum", "min", "max", "any", "dot"};
    for (ReduceKind kind = 0; kind < REDUCE_KIND_COUNT; kind++)
        if (accept(reader, names[kind]))
            return kind;
    ck_abort_msg("no reduction at '%.40s'", reader->at);
    return REDUCE_SUM;
}

static bool is(const char *name, const char *other) {
    return strcmp(name, other) == 0;
}

static Attributes read_attributes(Reader *reader, const char *name) {
    Attributes attributes = {.axis = -1};
    if (is(name, "const") || is(name, "kth"))
        attributes.number = read_number(reader);
    if (is(name, "random"))
        attributes.number = read_number(reader);
    if (is(name, "leaf") || is(name, "random") || is(name, "part"))
        attributes.slot = (uint32_t)read_count(reader);
    if (is(name, "leaf") || is(name, "quantise"))
        attributes.dtype = read_dtype(reader);
    if (is(name, "permute") || is(name, "slice"))
        attributes.n_list = read_list(reader, attributes.list);
    if (is(name, "reduce"))
        attributes.reduction = read_reduction(reader);
    if (is(name, "whole"))
        expect(reader, "matmul");
    attributes.axis = read_axis(reader);
    return attributes;
}

static ValueId make_permute(Reader *reader, ValueId operand, const Attributes *attributes) {
    uint8_t permutation[SHAPE_LIMIT];
    for (uint32_t i = 0; i < attributes->n_list; i++)
        permutation[i] = (uint8_t)attributes->list[i];
    return program_permute(reader->text.program, operand, permutation);
}

static ValueId make_map(Reader *reader, const char *name, const ValueId *operands) {
    for (OpCode op = 0; op < OP_COUNT; op++)
        if (text_equal(op_info[op].name, text_from(name)))
            return program_map(reader->text.program, op, operands);
    ck_abort_msg("no operation '%s'", name);
    return VALUE_NONE;
}

static ValueId make_value(Reader *reader, const char *name, const Attributes *with,
                          const ValueId *operands, uint32_t n, ShapeId shape) {
    Program *program = reader->text.program;
    if (is(name, "const"))
        return program_const(program, with->number);
    if (is(name, "leaf"))
        return program_leaf(program, with->slot, with->dtype, shape);
    if (is(name, "quantise"))
        return program_quantise(program, operands[0], with->dtype);
    if (is(name, "reduce"))
        return program_reduce(program, with->reduction, operands[0], operands[n - 1], with->axis);
    if (is(name, "kth"))
        return program_kth(program, operands[0], (uint64_t)with->number);
    if (is(name, "index"))
        return program_index(program, shape, with->axis);
    if (is(name, "random"))
        return program_random(program, shape, with->number, with->slot);
    if (is(name, "reshape"))
        return program_reshape(program, operands[0], shape);
    if (is(name, "permute"))
        return make_permute(reader, operands[0], with);
    if (is(name, "slice"))
        return program_slice(program, operands[0], with->list, shape);
    if (is(name, "stretch"))
        return program_stretch(program, operands[0], shape);
    if (is(name, "concat"))
        return program_concat(program, operands, n, with->axis, shape);
    if (is(name, "whole"))
        return program_whole(program, WHOLE_MATMUL, operands, n, NULL, 0);
    if (is(name, "part"))
        return program_part(program, operands[0], with->slot, shape);
    return make_map(reader, name, operands);
}

static void read_operands(Reader *reader, ProgramText *into) {
    while (accept(reader, "%")) {
        uint64_t number = read_count(reader);
        ck_assert_uint_lt(number, reader->values.count);
        vector_push(&into->roots, reader->values.items[number]);
    }
}

static void read_value(Reader *reader) {
    char name[NAME_LIMIT];
    ProgramText operands = {0};
    ck_assert_uint_eq(read_count(reader), reader->values.count);
    expect(reader, "=");
    read_name(reader, name);
    Attributes attributes = read_attributes(reader, name);
    read_operands(reader, &operands);
    ShapeId shape = accept(reader, ":") ? read_shape(reader) : SHAPE_ID_SCALAR;
    vector_push(&reader->values, make_value(reader, name, &attributes, operands.roots.items,
                                            (uint32_t)operands.roots.count, shape));
    vector_free(&operands.roots);
}

static void read_line(Reader *reader) {
    if (accept(reader, "%"))
        read_value(reader);
    else if (accept(reader, "roots"))
        read_operands(reader, &reader->text);
    else if (*reader->at == '#')
        reader->at += strcspn(reader->at, "\n");
    expect(reader, "\n");
}

ProgramText program_read(Arena *arena, const char *text) {
    Reader reader = {.at = text};
    if (accept(&reader, "key")) {
        Shape key = read_dims(&reader);
        reader.text.program = program_new(arena, &key);
    } else {
        reader.text.program = program_new(arena, NULL);
    }
    while (*reader.at != '\0')
        read_line(&reader);
    vector_free(&reader.values);
    return reader.text;
}

void program_text_free(ProgramText *text) {
    program_free(text->program);
    vector_free(&text->roots);
}
