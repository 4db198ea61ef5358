/* Looking at what a session has made: in a line, key by key, or one tensor with its figures, for
 * which nothing else is evaluated. */
#include "engine.h"

#include "base/glob.h"
#include "kernel/kernel.h"

#include <math.h>

/* ---- considering ---- */

static bool reaches_model(Engine *engine) {
    const Recipe *recipe = engine->recipe;
    uint32_t n = graph_count(recipe->graph);
    unsigned char *reached = arena_array(&engine->arena, unsigned char, n + 1);
    bool found = false;
    for (uint32_t i = 0; i < recipe->n_outputs; i++)
        graph_reach(recipe->graph, &recipe->outputs[i].node, 1, reached);
    for (NodeId id = 0; id < n && !found; id++)
        found = reached[id] && graph_node(recipe->graph, id)->kind == NODE_MODEL;
    return found;
}

bool mecha_consider(Engine *engine) {
    engine->looks = true;
    engine->recipe = engine_elaborate(engine);
    if (engine->recipe == NULL || !reaches_model(engine))
        return engine->recipe != NULL;
    engine->solved = engine_solve(engine);
    return engine->solved != NULL;
}

static bool plan_looks(Engine *engine) {
    if (engine->solved != NULL && engine->schedule == NULL)
        engine->schedule = engine_schedule(engine);
    if (engine->schedule != NULL && engine->plan == NULL)
        engine->plan = schedule_plan(engine->schedule);
    return engine->solved == NULL || engine->schedule != NULL;
}

/* ---- in a line ---- */

static const Node *node_of(const Engine *engine, uint32_t output) {
    return graph_node(engine->recipe->graph, engine->recipe->outputs[output].node);
}

static bool is_model(const Engine *engine, uint32_t output) {
    NodeKind kind = node_of(engine, output)->kind;
    return engine->solved != NULL && kind != NODE_NUMBER && kind != NODE_STRING &&
           kind != NODE_NULL && kind != NODE_MAP;
}

void engine_add_constant(const Node *node, Builder *out) {
    if (node->kind == NODE_NUMBER && node->number_kind == NUMBER_BOOL)
        builder_add(out, node->number != 0 ? TEXT("true") : TEXT("false"));
    else if (node->kind == NODE_NUMBER && node->number_kind == NUMBER_INT)
        builder_format(out, "%.0f", node->number);
    else if (node->kind == NODE_NUMBER)
        builder_number(out, node->number);
    else if (node->kind == NODE_STRING)
        builder_json(out, node->text);
    else if (node->kind == NODE_NULL)
        builder_add(out, TEXT("null"));
    else if (node->kind == NODE_MAP)
        builder_format(out, "a map of %u pattern%s", node->n_operands,
                       node->n_operands == 1 ? "" : "s");
    else
        builder_add(out, TEXT("a coefficient"));
}

/* `weight of sd15` */
static void add_type(const Engine *engine, uint32_t output, Builder *out) {
    NodeId id = engine->recipe->outputs[output].node;
    if (!is_model(engine, output)) {
        engine_add_constant(node_of(engine, output), out);
        return;
    }
    const Domain *domain = &engine->solved->domains[engine->solved->domain_of[id]];
    library_spaces_print(engine->library, engine->solved->spaces[id], out);
    if (domain->config != NULL)
        builder_format(out, " of %.*s", TEXT_ARG(domain->config->name));
    else
        builder_add(out, TEXT(", no known config"));
}

/* `f16`, or `f16 and f32`. */
static void add_dtypes(const Output *output, Builder *out) {
    bool there[DTYPE_COUNT] = {false};
    bool first = true;
    for (uint32_t i = 0; i < output->n_tensors; i++)
        there[output->tensors[i].dtype] = true;
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (!there[dtype])
            continue;
        builder_format(out, "%s%.*s", first ? ", " : " and ", TEXT_ARG(dtype_info[dtype].name));
        first = false;
    }
}

static uint64_t output_bytes(const Output *output) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < output->n_tensors; i++)
        bytes += output_tensor_bytes(&output->tensors[i]);
    return bytes;
}

static void add_line(const Engine *engine, uint32_t output, Builder *out) {
    add_type(engine, output, out);
    if (is_model(engine, output)) {
        const Output *planned = &engine->plan->outputs[output];
        builder_format(out, ": %u key%s", planned->n_tensors, planned->n_tensors == 1 ? "" : "s");
        add_dtypes(planned, out);
        builder_add(out, TEXT(", "));
        builder_bytes(out, output_bytes(planned));
    }
    builder_char(out, '\n');
}

/* ---- one tensor ---- */

typedef struct Figures {
    double least, most, mean, deviation, norm;
    uint64_t n, n_nan;
} Figures;

enum { STEP = 4096, SHOWN = 6 };

/* Calls EACH with the values of a tensor, some at a time. */
static void each_value(const void *data, DType dtype, uint64_t count, Figures *figures,
                       void (*each)(Figures *, const double *, size_t)) {
    double values[STEP];
    for (uint64_t at = 0; at < count; at += STEP) {
        size_t n = count - at < STEP ? (size_t)(count - at) : STEP;
        kernels_best()->table[COMPUTE_F64]->load[dtype](
            values, (const char *)data + at * dtype_info[dtype].bits / 8, n);
        each(figures, values, n);
    }
}

static void add_values(Figures *figures, const double *values, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (isnan(values[i])) {
            figures->n_nan++;
            continue;
        }
        figures->n++;
        figures->mean += values[i];
        figures->norm += values[i] * values[i];
        figures->least = fmin(figures->least, values[i]);
        figures->most = fmax(figures->most, values[i]);
    }
}

static void add_deviations(Figures *figures, const double *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!isnan(values[i]))
            figures->deviation += (values[i] - figures->mean) * (values[i] - figures->mean);
}

static Figures figures_of(const void *data, DType dtype, uint64_t count) {
    Figures figures = {.least = INFINITY, .most = -INFINITY};
    each_value(data, dtype, count, &figures, add_values);
    double n = (double)(figures.n > 0 ? figures.n : 1);
    figures.mean /= n;
    each_value(data, dtype, count, &figures, add_deviations);
    figures.deviation = sqrt(figures.deviation / n);
    figures.norm = sqrt(figures.norm);
    return figures;
}

static void add_first_values(const void *data, DType dtype, uint64_t count, Builder *out) {
    double values[SHOWN];
    size_t n = count < SHOWN ? (size_t)count : SHOWN;
    kernels_best()->table[COMPUTE_F64]->load[dtype](values, data, n);
    builder_add(out, TEXT("  "));
    for (size_t i = 0; i < n; i++)
        builder_format(out, "%.5g%s", values[i], i + 1 < n ? "  " : "");
    builder_add(out, n < count ? TEXT("  …\n") : TEXT("\n"));
}

static void add_tensor(const OutputTensor *tensor, const void *data, Builder *out) {
    uint64_t count = shape_count(&tensor->shape);
    builder_printable(out, tensor->name);
    builder_format(out, ": %.*s ", TEXT_ARG(dtype_info[tensor->dtype].name));
    shape_print(out, &tensor->shape);
    builder_char(out, '\n');
    if (count == 0 || !dtype_info[tensor->dtype].computes)
        return;
    Figures figures = figures_of(data, tensor->dtype, count);
    if (figures.n > 0)
        builder_format(out, "  min %.5g  max %.5g  mean %.5g  std %.5g  norm %.5g  ", figures.least,
                       figures.most, figures.mean, figures.deviation, figures.norm);
    builder_format(out, "%sNaN %llu\n", figures.n > 0 ? "" : "  ",
                   (unsigned long long)figures.n_nan);
    add_first_values(data, tensor->dtype, count, out);
}

static bool is_tensor(const Engine *engine) {
    return engine->plan != NULL && engine->plan->n_outputs == 1 &&
           engine->plan->outputs[0].n_tensors == 1 && node_of(engine, 0)->kind == NODE_KEEP;
}

/* Where it is as a file has it, the tensor there: what holds NaN is shown as it is. */
static const Tensor *stored_tensor(const Engine *engine) {
    NodeId id = engine->recipe->outputs[0].node;
    NodeId operand = graph_operands(engine->recipe->graph, id)[0];
    if (graph_node(engine->recipe->graph, operand)->kind != NODE_MODEL)
        return NULL;
    return solved_tensor(engine->solved, operand, engine->plan->outputs[0].tensors[0].name);
}

static bool look_at_tensor(Engine *engine, Builder *out) {
    Output *output = &engine->plan->outputs[0];
    OutputTensor *tensor = &output->tensors[0];
    const Tensor *stored = stored_tensor(engine);
    reader_guard_maps(mecha_remove_temporaries);
    if (stored != NULL) {
        add_tensor(tensor, stored->data, out);
        return true;
    }
    output->files = output_open_memory(tensor, 1);
    if (output->files == NULL) {
        diag_error(engine->diags, SPAN_NONE, "there is not enough memory to look at '%.*s'",
                   TEXT_ARG(text_printable(&engine->arena, tensor->name)));
        return false;
    }
    bool good = engine_evaluate(engine);
    if (good && !tensor->dropped)
        add_tensor(tensor, output_memory(output->files, tensor), out);
    output_abandon(output->files);
    output->files = NULL;
    return good;
}

/* ---- the face ---- */

bool mecha_look(Engine *engine, Builder *out) {
    const Recipe *recipe = engine->recipe;
    if (!plan_looks(engine))
        return false;
    if (is_tensor(engine))
        return look_at_tensor(engine, out);
    if (recipe->result == RESULT_IMPORT)
        builder_add(out, TEXT("an import: name what is wanted of it, m.name\n"));
    if (recipe->result == RESULT_LIST)
        builder_format(out, "a list of %u\n", recipe->n_outputs);
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        if (recipe->result == RESULT_LIST)
            builder_format(out, "  [%u] ", i);
        add_line(engine, i, out);
    }
    return true;
}

void mecha_type(Engine *engine, Builder *out) {
    const Recipe *recipe = engine->recipe;
    if (recipe->result == RESULT_LIST)
        builder_format(out, "a list of %u\n", recipe->n_outputs);
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        builder_add(out, recipe->result == RESULT_LIST ? TEXT("  ") : TEXT(""));
        add_type(engine, i, out);
        builder_char(out, '\n');
    }
}

bool mecha_keys(Engine *engine, const char *glob, Builder *out) {
    if (!plan_looks(engine))
        return false;
    if (engine->plan == NULL) {
        diag_error(engine->diags, SPAN_NONE, "only models have keys");
        return false;
    }
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++) {
        const Output *output = &engine->plan->outputs[i];
        for (uint32_t k = 0; k < output->n_tensors; k++) {
            const OutputTensor *tensor = &output->tensors[k];
            if (glob != NULL && !glob_matches(text_from(glob), tensor->name))
                continue;
            builder_printable(out, tensor->name);
            builder_format(out, "  %.*s ", TEXT_ARG(dtype_info[tensor->dtype].name));
            shape_print(out, &tensor->shape);
            builder_char(out, '\n');
        }
    }
    return true;
}

void mecha_opened(Engine *engine, Builder *out) {
    size_t count = 0;
    const Model *const *models =
        engine->options->models != NULL ? models_list(engine->options->models, &count) : NULL;
    for (size_t i = 0; i < count; i++) {
        builder_printable(out, models[i]->path);
        builder_format(out, "  %u keys, ", models[i]->n_tensors);
        builder_bytes(out, models[i]->bytes);
        builder_char(out, '\n');
    }
}
