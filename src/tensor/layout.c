#include "tensor/layout.h"

#include "tensor/header.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const Text metadata_name = {"__metadata__", 12};

/* Reads tokens one ahead. */
typedef struct Parser {
    HeaderScanner scanner;
    HeaderToken token;
    Layout *layout;
    const Refusal *refusal;
    bool has_metadata;
} Parser;

/* One entry while its fields come in. */
typedef struct Entry {
    Tensor tensor;
    uint64_t offsets[2];
    bool has_dtype, has_shape, has_offsets;
} Entry;

static Shown shown_name(const Entry *entry) {
    return show(entry->tensor.name);
}

/* The current token; a string with its quotes. */
static Shown shown_token(const Parser *parser) {
    Text text = parser->token.text;
    if (parser->token.kind == HEADER_STRING)
        text = (Text){text.data - 1, text.size + 2};
    return show(text);
}

/* False after a message where no token stands at the cursor. */
static bool advance(Parser *parser) {
    header_next(&parser->scanner, &parser->token);
    const HeaderToken *token = &parser->token;
    if (token->kind != HEADER_FAULT)
        return true;
    return refuse(parser->refusal, "the header is malformed: %s at its byte %zu (%s)", token->fault,
                  (size_t)(token->text.data - parser->scanner.start), show(token->text).text);
}

static bool unexpected(const Parser *parser, const char *expected) {
    const HeaderToken *token = &parser->token;
    if (token->kind == HEADER_END)
        return refuse(parser->refusal, "the header is malformed: it ends where %s should stand",
                      expected);
    return refuse(parser->refusal, "the header is malformed: expected %s at its byte %zu, found %s",
                  expected, (size_t)(token->text.data - parser->scanner.start),
                  shown_token(parser).text);
}

static bool take(Parser *parser, HeaderTokenKind kind, const char *expected) {
    return parser->token.kind == kind ? advance(parser) : unexpected(parser, expected);
}

/* Reads `"key":`. */
static bool take_key(Parser *parser, Text *key) {
    if (parser->token.kind != HEADER_STRING)
        return unexpected(parser, "a name in double quotes");
    *key = header_string(parser->layout->arena, &parser->token);
    return advance(parser) && take(parser, HEADER_COLON, "':'");
}

/* Behind an element: true where *MORE says whether another follows; the end is taken. */
static bool take_separator(Parser *parser, HeaderTokenKind end, bool *more) {
    *more = parser->token.kind == HEADER_COMMA;
    if (*more)
        return advance(parser);
    return take(parser, end, end == HEADER_OBJECT_END ? "',' or '}'" : "',' or ']'");
}

typedef bool Member(Parser *parser, Text key, void *context);

/* Reads an object, its brace being the current token; MEMBER reads each value. */
static bool read_object(Parser *parser, Member *member, void *context) {
    if (!advance(parser))
        return false;
    if (parser->token.kind == HEADER_OBJECT_END)
        return advance(parser);
    for (bool more = true; more;) {
        Text key = {0};
        if (!take_key(parser, &key) || !member(parser, key, context) ||
            !take_separator(parser, HEADER_OBJECT_END, &more))
            return false;
    }
    return true;
}

/* Containers that are open in a value that nobody wants; no recursion, so no file can use up the
 * stack. */
typedef struct Nesting {
    HeaderTokenKind ends[HEADER_NESTING_LIMIT];
    size_t depth;
} Nesting;

/* At the place of a value: takes a scalar, or opens containers down to the first element. *OPEN
 * says whether a value must follow. */
static bool skip_down(Parser *parser, Nesting *nesting, bool *open) {
    HeaderTokenKind kind = parser->token.kind;
    bool object = kind == HEADER_OBJECT;
    *open = object || kind == HEADER_ARRAY;
    if (!*open)
        return kind >= HEADER_STRING ? advance(parser) : unexpected(parser, "a value");
    if (nesting->depth == HEADER_NESTING_LIMIT)
        return refuse(parser->refusal, "the header is nested more than %d deep",
                      HEADER_NESTING_LIMIT);
    HeaderTokenKind end = object ? HEADER_OBJECT_END : HEADER_ARRAY_END;
    nesting->ends[nesting->depth++] = end;
    if (!advance(parser))
        return false;
    *open = parser->token.kind != end;
    Text key;
    return !*open || !object || take_key(parser, &key);
}

/* Behind a value: closes what ends there. *OPEN says whether a value must follow. */
static bool skip_up(Parser *parser, Nesting *nesting, bool *open) {
    while (nesting->depth > 0) {
        HeaderTokenKind end = nesting->ends[nesting->depth - 1];
        Text key;
        if (!take_separator(parser, end, open))
            return false;
        if (*open)
            return end == HEADER_ARRAY_END || take_key(parser, &key);
        nesting->depth--;
    }
    *open = false;
    return true;
}

static bool skip_value(Parser *parser) {
    Nesting nesting = {.depth = 0};
    for (bool open = true; open;) {
        if (!skip_down(parser, &nesting, &open))
            return false;
        if (!open && !skip_up(parser, &nesting, &open))
            return false;
    }
    return true;
}

/* The current token is not what FIELD of the entry must be. */
static bool wrong_field(const Parser *parser, const Entry *entry, const char *field,
                        const char *expected) {
    return refuse(parser->refusal, "tensor '%s': its %s must be %s, not %s", shown_name(entry).text,
                  field, expected, shown_token(parser).text);
}

static bool field_twice(const Parser *parser, const Entry *entry, const char *field) {
    return refuse(parser->refusal, "tensor '%s' has the field '%s' twice", shown_name(entry).text,
                  field);
}

static bool read_dtype(Parser *parser, Entry *entry) {
    if (entry->has_dtype)
        return field_twice(parser, entry, "dtype");
    entry->has_dtype = true;
    if (parser->token.kind != HEADER_STRING)
        return wrong_field(parser, entry, "dtype", "a string");
    Text name = header_string(parser->layout->arena, &parser->token);
    entry->tensor.dtype = dtype_from_file(name);
    if (entry->tensor.dtype != DTYPE_NONE)
        return advance(parser);
    return refuse(parser->refusal, "tensor '%s' has the unknown dtype '%s'", shown_name(entry).text,
                  show(name).text);
}

/* Reads an array of whole numbers. Those beyond LIMIT are counted, not kept. */
static bool read_numbers(Parser *parser, const Entry *entry, const char *field, uint64_t *numbers,
                         size_t limit, size_t *count) {
    *count = 0;
    if (parser->token.kind != HEADER_ARRAY)
        return wrong_field(parser, entry, field, "an array");
    if (!advance(parser))
        return false;
    if (parser->token.kind == HEADER_ARRAY_END)
        return advance(parser);
    for (bool more = true; more; ++*count) {
        if (parser->token.kind != HEADER_INTEGER)
            return wrong_field(parser, entry, field, "made of whole numbers from 0 to 2^64 - 1");
        if (*count < limit)
            numbers[*count] = parser->token.number;
        if (!advance(parser) || !take_separator(parser, HEADER_ARRAY_END, &more))
            return false;
    }
    return true;
}

static bool read_shape(Parser *parser, Entry *entry) {
    if (entry->has_shape)
        return field_twice(parser, entry, "shape");
    entry->has_shape = true;
    size_t rank;
    Shape *shape = &entry->tensor.shape;
    if (!read_numbers(parser, entry, "shape", shape->dims, SHAPE_LIMIT, &rank))
        return false;
    shape->rank = (uint32_t)rank;
    return rank <= SHAPE_LIMIT ||
           refuse(parser->refusal, "tensor '%s' has %zu dimensions; mecha reads up to %d",
                  shown_name(entry).text, rank, SHAPE_LIMIT);
}

static bool read_offsets(Parser *parser, Entry *entry) {
    if (entry->has_offsets)
        return field_twice(parser, entry, "data_offsets");
    entry->has_offsets = true;
    size_t count;
    if (!read_numbers(parser, entry, "data_offsets", entry->offsets, 2, &count))
        return false;
    return count == 2 || refuse(parser->refusal, "tensor '%s' has %zu data_offsets, not two",
                                shown_name(entry).text, count);
}

static bool read_field(Parser *parser, Text key, void *context) {
    if (text_equal(key, TEXT("dtype")))
        return read_dtype(parser, context);
    if (text_equal(key, TEXT("shape")))
        return read_shape(parser, context);
    if (text_equal(key, TEXT("data_offsets")))
        return read_offsets(parser, context);
    return skip_value(parser);
}

static bool missing_field(const Parser *parser, const Entry *entry) {
    const char *field = !entry->has_dtype ? "dtype" : !entry->has_shape ? "shape" : "data_offsets";
    return refuse(parser->refusal, "tensor '%s' has no '%s'", shown_name(entry).text, field);
}

/* The number of elements, multiplied from the left; overflow is refused even before a 0. */
static bool count_elements(const Parser *parser, Entry *entry) {
    Tensor *tensor = &entry->tensor;
    tensor->count = 1;
    bool fits = true;
    for (uint32_t i = 0; i < tensor->shape.rank && fits; i++)
        fits = !__builtin_mul_overflow(tensor->count, tensor->shape.dims[i], &tensor->count);
    if (fits && tensor->count <= UINT64_MAX / dtype_info[tensor->dtype].bits)
        return true;
    return refuse(parser->refusal, "tensor '%s' is larger than 64 bits can count",
                  shown_name(entry).text);
}

static bool refuse_size(const Parser *parser, const Entry *entry) {
    const Tensor *tensor = &entry->tensor;
    Builder shape = {0};
    shape_print(&shape, &tensor->shape);
    refuse(parser->refusal,
           "tensor '%s' of shape %s and dtype %s is %" PRIu64
           " bytes long, its data_offsets %" PRIu64,
           shown_name(entry).text, shape.data, dtype_info[tensor->dtype].file_name.data,
           tensor->bytes, entry->offsets[1] - entry->offsets[0]);
    builder_free(&shape);
    return false;
}

static bool finish_entry(Parser *parser, Entry *entry) {
    Tensor *tensor = &entry->tensor;
    if (!entry->has_dtype || !entry->has_shape || !entry->has_offsets)
        return missing_field(parser, entry);
    uint64_t begin = entry->offsets[0], end = entry->offsets[1];
    if (begin > end)
        return refuse(parser->refusal, "tensor '%s' ends before it begins: %" PRIu64 ", %" PRIu64,
                      shown_name(entry).text, begin, end);
    if (!count_elements(parser, entry))
        return false;
    if (!dtype_bytes(tensor->dtype, tensor->count, &tensor->bytes))
        return refuse(parser->refusal,
                      "tensor '%s': %" PRIu64 " values of %u bits fill no whole bytes",
                      shown_name(entry).text, tensor->count, dtype_info[tensor->dtype].bits);
    if (end - begin != tensor->bytes)
        return refuse_size(parser, entry);
    tensor->offset = begin;
    vector_push(&parser->layout->tensors, *tensor);
    return true;
}

static bool read_tensor(Parser *parser, Text name) {
    Entry entry = {.tensor.name = name};
    if (parser->token.kind != HEADER_OBJECT)
        return refuse(parser->refusal, "tensor '%s': its entry must be an object, not %s",
                      shown_name(&entry).text, shown_token(parser).text);
    return read_object(parser, read_field, &entry) && finish_entry(parser, &entry);
}

static bool read_metadata_value(Parser *parser, Text key, void *context) {
    (void)context;
    if (parser->token.kind != HEADER_STRING)
        return refuse(parser->refusal, "metadata '%s' must be a string, not %s", show(key).text,
                      shown_token(parser).text);
    Text value = header_string(parser->layout->arena, &parser->token);
    vector_push(&parser->layout->metadata, (MetadataEntry){key, value});
    return advance(parser);
}

static bool read_metadata(Parser *parser) {
    if (parser->has_metadata)
        return refuse(parser->refusal, "the header has '__metadata__' twice");
    parser->has_metadata = true;
    if (parser->token.kind == HEADER_NULL)
        return advance(parser);
    if (parser->token.kind != HEADER_OBJECT)
        return refuse(parser->refusal, "'__metadata__' must be an object of strings, not %s",
                      shown_token(parser).text);
    return read_object(parser, read_metadata_value, NULL);
}

static bool read_entry(Parser *parser, Text key, void *context) {
    (void)context;
    return text_equal(key, metadata_name) ? read_metadata(parser) : read_tensor(parser, key);
}

static bool read_header(Parser *parser) {
    if (!advance(parser))
        return false;
    if (parser->token.kind != HEADER_OBJECT)
        return refuse(parser->refusal, "the header must be a JSON object, and begins with '%s'",
                      shown_token(parser).text);
    if (!read_object(parser, read_entry, NULL))
        return false;
    return parser->token.kind == HEADER_END || unexpected(parser, "nothing but spaces");
}

/* By place in the data; names decide between tensors without bytes. */
static int compare_tensors(const void *left, const void *right) {
    const Tensor *a = left, *b = right;
    if (a->offset != b->offset)
        return a->offset < b->offset ? -1 : 1;
    if (a->bytes != b->bytes)
        return a->bytes < b->bytes ? -1 : 1;
    return text_compare(a->name, b->name);
}

/* Most writers keep to the order of the data already. */
static void sort_tensors(Layout *layout) {
    for (size_t i = 1; i < layout->tensors.count; i++)
        if (compare_tensors(&layout->tensors.items[i - 1], &layout->tensors.items[i]) > 0) {
            vector_sort(&layout->tensors, compare_tensors);
            return;
        }
}

static bool check_names(Layout *layout, const Refusal *refusal) {
    uint32_t n_tensors = (uint32_t)layout->tensors.count;
    uint32_t twice = tensors_index(&layout->names, layout->tensors.items, n_tensors);
    return twice == n_tensors || refuse(refusal, "the header has tensor '%s' twice",
                                        show(layout->tensors.items[twice].name).text);
}

/* The data must be full: each tensor begins where the one before it ends, and the last one ends
 * with the file. */
static bool check_places(const Layout *layout, uint64_t data_size, const Refusal *refusal) {
    uint64_t end = 0;
    for (size_t i = 0; i < layout->tensors.count; i++) {
        const Tensor *tensor = &layout->tensors.items[i];
        if (tensor->offset != end)
            return refuse(refusal,
                          "tensor '%s' begins at byte %" PRIu64
                          " of the data and the one before it "
                          "ends at %" PRIu64 ": %s",
                          show(tensor->name).text, tensor->offset, end,
                          tensor->offset < end ? "they overlap" : "there is a hole");
        end = tensor->offset + tensor->bytes;
    }
    if (end > data_size)
        return refuse(refusal,
                      "the file is cut short: its tensors fill %" PRIu64 " bytes and %" PRIu64
                      " are there (an interrupted download?)",
                      end, data_size);
    return end == data_size ||
           refuse(refusal, "behind the last tensor are bytes that belong to none: %" PRIu64,
                  data_size - end);
}

bool layout_read(Layout *layout, Text header, uint64_t data_size, const Refusal *refusal) {
    Parser parser = {.scanner = header_scanner(header), .layout = layout, .refusal = refusal};
    if (!read_header(&parser))
        return false;
    sort_tensors(layout);
    return check_names(layout, refusal) && check_places(layout, data_size, refusal);
}

void layout_free(Layout *layout) {
    vector_free(&layout->tensors);
    vector_free(&layout->metadata);
    index_free(&layout->names);
}

static bool same_name(const void *context, const void *wanted, uint32_t item) {
    return text_equal(((const Tensor *)context)[item].name, *(const Text *)wanted);
}

uint32_t tensors_find(const HashIndex *names, const Tensor *tensors, Text name) {
    return index_find(names, text_hash(name), same_name, tensors, &name);
}

uint32_t tensors_index(HashIndex *names, const Tensor *tensors, uint32_t n_tensors) {
    index_reserve(names, names->count + n_tensors);
    for (uint32_t i = 0; i < n_tensors; i++) {
        uint64_t hash = text_hash(tensors[i].name);
        if (index_find(names, hash, same_name, tensors, &tensors[i].name) != INDEX_NONE)
            return i;
        index_add(names, hash, i);
    }
    return n_tensors;
}
