/* Recording what a result was made from, and verifying that the inputs are still the same. */
#include "record.h"

#include "base/file.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const Text entry_key = {"mecha_inputs", 12};

/* ---- tensors in the order of their names ---- */

static int by_name(const void *a, const void *b) {
    return text_compare((*(const Tensor *const *)a)->name, (*(const Tensor *const *)b)->name);
}

static const Tensor **sort_tensors(Arena *arena, const Model *model) {
    const Tensor **sorted = arena_array(arena, const Tensor *, model->n_tensors + 1);
    for (uint32_t i = 0; i < model->n_tensors; i++)
        sorted[i] = &model->tensors[i];
    if (model->n_tensors > 0)
        qsort(sorted, model->n_tensors, sizeof *sorted, by_name);
    return sorted;
}

static size_t read_digits(uint32_t n_tensors) {
    return (n_tensors + 3) / 4;
}

/* ---- recording ---- */

void record_begin(Engine *engine) {
    if (!engine->options->record_hashes)
        return;
    const Solved *solved = engine->solved;
    engine->content = input_content_new(&engine->arena, solved->inputs, solved->n_inputs);
    input_content_note(engine->content, engine->plan);
}

/* What the recipe calls an input. */
static Text input_name(const Engine *engine, const Model *model) {
    const Graph *graph = engine->recipe->graph;
    for (NodeId id = 0; id < graph_count(graph); id++)
        if (engine->solved->models[id] == model)
            return graph_node(graph, id)->text;
    return model->path;
}

static void add_read(Engine *engine, uint32_t input, Builder *out) {
    const Model *model = engine->solved->inputs[input];
    const Tensor **sorted = sort_tensors(&engine->arena, model);
    for (size_t digit = 0; digit < read_digits(model->n_tensors); digit++) {
        unsigned bits = 0;
        for (size_t i = digit * 4; i < digit * 4 + 4; i++)
            bits = bits << 1 | (i < model->n_tensors &&
                                input_content_reads(engine->content, input,
                                                    (uint32_t)(sorted[i] - model->tensors)));
        builder_format(out, "%x", bits);
    }
}

static Text record_text(Engine *engine) {
    const Solved *solved = engine->solved;
    Builder out = {0};
    builder_format(&out, "{\"block\": %d, \"inputs\": [", CONTENT_BLOCK);
    for (uint32_t i = 0; i < solved->n_inputs; i++) {
        builder_add(&out, i > 0 ? TEXT(", {\"path\": ") : TEXT("{\"path\": "));
        builder_json(&out, input_name(engine, solved->inputs[i]));
        builder_format(&out, ", \"tensors\": %u, \"read\": \"", solved->inputs[i]->n_tensors);
        add_read(engine, i, &out);
        builder_add(&out, TEXT("\", \"content\": \""));
        content_print(&out, input_content_of(engine->content, i));
        builder_add(&out, TEXT("\"}"));
    }
    builder_add(&out, TEXT("]}"));
    Text text = text_copy(&engine->arena, builder_view(&out));
    builder_free(&out);
    return text;
}

MetadataEntry record_entry(Engine *engine) {
    return engine->content != NULL ? (MetadataEntry){entry_key, record_text(engine)}
                                   : (MetadataEntry){entry_key, {NULL, 0}};
}

bool record_finish(Engine *engine) {
    const volatile int *interrupted = engine->options->interrupted;
    if (engine->content == NULL)
        return true;
    input_content_rest(engine->content, engine_threads(engine), interrupted);
    engine->recorded = record_text(engine);
    if (interrupted == NULL || *interrupted == 0)
        return true;
    diag_error(engine->diags, SPAN_NONE, "interrupted: nothing was changed");
    return false;
}

void record_fill(Engine *engine, uint32_t i, size_t index) {
    if (engine->content != NULL)
        output_patch_metadata(engine->plan->outputs[i].files, index, engine->recorded);
}

/* ---- verifying ---- */

/* What was recorded of one input. */
typedef struct Recorded {
    Text path, read, content;
    uint32_t tensors;
} Recorded;

static Text text_of(const json_t *object, const char *name) {
    const json_t *value = json_object_get(object, name);
    return json_is_string(value) ? (Text){json_string_value(value), json_string_length(value)}
                                 : (Text){NULL, 0};
}

static bool is_digit(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

static bool is_hexadecimal(Text text) {
    for (size_t i = 0; i < text.size; i++)
        if (!is_digit(text.data[i]))
            return false;
    return true;
}

static bool read_recorded(const json_t *object, Recorded *recorded) {
    json_int_t tensors = json_integer_value(json_object_get(object, "tensors"));
    *recorded = (Recorded){.path = text_of(object, "path"),
                           .read = text_of(object, "read"),
                           .content = text_of(object, "content")};
    if (tensors < 0 || tensors > UINT32_MAX - 3)
        return false;
    recorded->tensors = (uint32_t)tensors;
    return recorded->path.size > 0 && recorded->read.size == read_digits(recorded->tensors) &&
           recorded->content.size == CONTENT_DIGITS && is_hexadecimal(recorded->read) &&
           is_hexadecimal(recorded->content);
}

static bool bit_of(Text digits, size_t i) {
    char digit = digits.data[i / 4];
    unsigned bits = digit <= '9' ? (unsigned)(digit - '0') : (unsigned)(digit - 'a') + 10;
    return bits >> (3 - i % 4) & 1;
}

/* Whether a model still holds what was read of it. */
static bool holds(Engine *engine, const Model *model, const Recorded *recorded) {
    if (model->n_tensors != recorded->tensors)
        return false;
    const Tensor **tensors = sort_tensors(&engine->arena, model);
    size_t count = 0;
    for (uint32_t i = 0; i < model->n_tensors; i++)
        if (bit_of(recorded->read, i))
            tensors[count++] = tensors[i];
    Builder digits = {0};
    content_print(&digits, content_of_tensors(tensors, count, engine_threads(engine),
                                              engine->options->interrupted));
    bool same = text_equal(builder_view(&digits), recorded->content);
    builder_free(&digits);
    return same;
}

static MechaInputState state_of(Engine *engine, const Recorded *recorded, MechaInput *input) {
    Text path = text_copy(&engine->arena, recorded->path);
    input->path = path;
    if (!sources_has(engine->sources, engine->folder, path))
        return MECHA_INPUT_MISSING;
    const Model *model = sources_model(engine->sources, engine->folder, path, SPAN_NONE);
    if (model == NULL)
        return MECHA_INPUT_UNREADABLE;
    input->found = model->path;
    return holds(engine, model, recorded) ? MECHA_INPUT_SAME : MECHA_INPUT_DIFFERENT;
}

static const json_t *recorded_inputs(const json_t *record) {
    const json_t *inputs = json_object_get(record, "inputs");
    bool known = json_integer_value(json_object_get(record, "block")) == CONTENT_BLOCK;
    Recorded recorded;
    for (size_t i = 0; known && i < json_array_size(inputs); i++)
        known = read_recorded(json_array_get(inputs, i), &recorded);
    return known && json_is_array(inputs) ? inputs : NULL;
}

static const MechaInput *verify_inputs(Engine *engine, const json_t *inputs, size_t *count) {
    MechaInput *list = arena_array(&engine->arena, MechaInput, json_array_size(inputs) + 1);
    for (*count = 0; *count < json_array_size(inputs); ++*count) {
        Recorded recorded;
        read_recorded(json_array_get(inputs, *count), &recorded);
        list[*count].state = state_of(engine, &recorded, &list[*count]);
    }
    return list;
}

static const MechaInput *verify_text(Engine *engine, const char *path, Text text, size_t *count) {
    json_t *record = json_loadb(text.data, text.size, 0, NULL);
    const json_t *inputs = recorded_inputs(record);
    const MechaInput *list = NULL;
    if (inputs == NULL)
        diag_error(engine->diags, SPAN_NONE,
                   "what '%s' says of its inputs in '%.*s' is not as mecha %s writes it", path,
                   TEXT_ARG(entry_key), mecha_version());
    else
        list = verify_inputs(engine, inputs, count);
    json_decref(record);
    return list;
}

const MechaInput *mecha_verify(Engine *engine, const char *path, size_t *count) {
    reader_guard_maps(mecha_remove_temporaries);
    Model *model = model_open(text_from(path), engine->diags, SPAN_NONE);
    if (model == NULL)
        return NULL;
    engine->folder = text_copy(&engine->arena, path_folder(text_from(path)));
    Text text = model_metadata(model, entry_key);
    const MechaInput *inputs = NULL;
    if (text.data != NULL) {
        inputs = verify_text(engine, path, text, count);
    } else {
        diag_error(engine->diags, SPAN_NONE, "'%s' does not tell what its inputs held", path);
        diag_hint(engine->diags, "'mecha run --record-hashes' writes that into a result");
    }
    model_close(model);
    return inputs;
}
