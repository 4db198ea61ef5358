/* mecha_explain: the plan in words and as JSON, before the first byte is written. */
#include "explain.h"

#include <stdlib.h>
#include <string.h>

/* What a merge that waits for memory or disk moves in a second, to tell how long one may take. */
static const double bytes_in_a_second = 2e9;

/* What is read of each input: every tensor of it counts as often as a task has it as a leaf. */
static uint64_t *bytes_by_input(Engine *engine) {
    const Solved *solved = engine->solved;
    uint64_t *bytes = arena_array(&engine->arena, uint64_t, solved->n_inputs + 1);
    for (uint32_t t = 0; t < engine->plan->n_tasks; t++) {
        const Task *task = &engine->plan->tasks[t];
        for (uint32_t k = 0; k < task->passes->n_leaves; k++)
            for (uint32_t i = 0; task->leaves[k] != NULL && i < solved->n_inputs; i++) {
                const Model *model = solved->inputs[i];
                if (task->leaves[k] >= model->tensors &&
                    task->leaves[k] < model->tensors + model->n_tensors)
                    bytes[i] += task->leaves[k]->bytes;
            }
    }
    return bytes;
}

/* By dtype; all together are returned. */
static uint64_t output_bytes(const Output *output, uint64_t by_dtype[DTYPE_COUNT]) {
    uint64_t bytes = 0;
    memset(by_dtype, 0, DTYPE_COUNT * sizeof *by_dtype);
    for (uint32_t i = 0; i < output->n_tensors; i++) {
        uint64_t size = output_tensor_bytes(&output->tensors[i]);
        by_dtype[output->tensors[i].dtype] += size;
        bytes += size;
    }
    return bytes;
}

static void add_output(Builder *out, const Output *output) {
    uint64_t by_dtype[DTYPE_COUNT];
    bool first = true;
    builder_format(out, ": %u key%s, ", output->n_tensors, output->n_tensors == 1 ? "" : "s");
    uint64_t bytes = output_bytes(output, by_dtype);
    builder_bytes(out, bytes);
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (by_dtype[dtype] == 0 || by_dtype[dtype] == bytes)
            continue;
        builder_format(out, "%s%.*s ", first ? ": " : ", ", TEXT_ARG(dtype_info[dtype].name));
        builder_bytes(out, by_dtype[dtype]);
        first = false;
    }
}

static double seconds(const ScheduleFigures *figures) {
    return (double)(figures->bytes_to_read + figures->bytes_to_write) / bytes_in_a_second;
}

static void add_line(Builder *out, const char *what, uint64_t bytes) {
    builder_format(out, "%-16s", what);
    builder_bytes(out, bytes);
    builder_char(out, '\n');
}

static void add_path(Builder *out, Text path) {
    if (path.size > 0)
        builder_printable(out, path);
    else
        builder_add(out, TEXT("(no path yet)"));
}

static void add_files(Engine *engine, Builder *out) {
    const uint64_t *bytes = bytes_by_input(engine);
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++) {
        const Output *output = &engine->plan->outputs[i];
        builder_format(out, "%-16s", i == 0 ? "output" : "");
        add_path(out, engine->recipe->outputs[i].path);
        add_output(out, output);
        builder_char(out, '\n');
    }
    for (uint32_t i = 0; i < engine->solved->n_inputs; i++) {
        builder_format(out, "%-16s", i == 0 ? "inputs" : "");
        builder_printable(out, engine->solved->inputs[i]->path);
        builder_add(out, TEXT(": "));
        builder_bytes(out, bytes[i]);
        builder_add(out, TEXT(" of "));
        builder_bytes(out, engine->solved->inputs[i]->bytes);
        builder_char(out, '\n');
    }
}

void mecha_explain(Engine *engine, Builder *out) {
    ScheduleFigures figures = schedule_figures(engine->schedule);
    builder_format(out, "%u keys in %u classes\n", engine->plan->n_tasks, figures.n_classes);
    add_files(engine, out);
    add_line(out, "to read", figures.bytes_to_read);
    add_line(out, "to write", figures.bytes_to_write);
    add_line(out, "held at most", figures.peak_memory);
    add_line(out, "for each thread", worker_memory(engine->plan));
    double time = seconds(&figures);
    builder_format(out, "%-16s", "time");
    builder_format(out, time < 0.01 ? "less than 0.01 s" : "%.3g s", time);
    builder_format(out, " at %.0f GB/s, where neither arithmetic nor the disk is slower\n",
                   bytes_in_a_second / 1e9);
    explain_passes(engine, out);
}

static void add_json_output(Builder *out, const Output *output) {
    uint64_t by_dtype[DTYPE_COUNT];
    bool first = true;
    builder_format(out, ", \"keys\": %u, \"bytes\": %llu, \"dtypes\": {", output->n_tensors,
                   (unsigned long long)output_bytes(output, by_dtype));
    for (int dtype = 0; dtype < DTYPE_COUNT; dtype++) {
        if (by_dtype[dtype] == 0)
            continue;
        builder_format(out, "%s\"%.*s\": %llu", first ? "" : ", ", TEXT_ARG(dtype_info[dtype].name),
                       (unsigned long long)by_dtype[dtype]);
        first = false;
    }
    builder_add(out, TEXT("}}"));
}

static void add_json_files(Engine *engine, Builder *out) {
    const uint64_t *bytes = bytes_by_input(engine);
    builder_add(out, TEXT("\"outputs\": ["));
    for (uint32_t i = 0; i < engine->plan->n_outputs; i++) {
        const Output *output = &engine->plan->outputs[i];
        builder_add(out, i > 0 ? TEXT(", {\"path\": ") : TEXT("{\"path\": "));
        builder_json(out, engine->recipe->outputs[i].path);
        add_json_output(out, output);
    }
    builder_add(out, TEXT("], \"inputs\": ["));
    for (uint32_t i = 0; i < engine->solved->n_inputs; i++) {
        const Model *model = engine->solved->inputs[i];
        builder_add(out, i > 0 ? TEXT(", {\"path\": ") : TEXT("{\"path\": "));
        builder_json(out, model->path);
        builder_format(out, ", \"bytes\": %llu, \"bytes_to_read\": %llu}",
                       (unsigned long long)model->bytes, (unsigned long long)bytes[i]);
    }
    builder_char(out, ']');
}

void mecha_explain_json(Engine *engine, Builder *out) {
    ScheduleFigures figures = schedule_figures(engine->schedule);
    builder_format(out, "{\"keys\": %u, \"classes\": %u, ", engine->plan->n_tasks,
                   figures.n_classes);
    add_json_files(engine, out);
    builder_format(
        out,
        ", \"bytes_to_read\": %llu, \"bytes_to_write\": %llu, \"memory\": %llu, "
        "\"memory_of_a_thread\": %llu, \"seconds\": ",
        (unsigned long long)figures.bytes_to_read, (unsigned long long)figures.bytes_to_write,
        (unsigned long long)figures.peak_memory, (unsigned long long)worker_memory(engine->plan));
    builder_number(out, seconds(&figures));
    builder_add(out, TEXT(", \"bytes_in_a_second\": "));
    builder_number(out, bytes_in_a_second);
    explain_json_passes(engine, out);
    builder_add(out, TEXT("}\n"));
}
