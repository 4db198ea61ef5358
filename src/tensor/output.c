#include "tensor/output.h"

#include "base/file.h"
#include "tensor/output_parts.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { SHARDS_LIMIT = 99999 }; /* their numbers have five digits */

typedef struct OutputFile {
    Text path;
    Text name; /* in its folder */
    uint32_t part;
    Writer *writer;
} OutputFile;

struct OutputFiles {
    Arena arena;
    Text path; /* as asked for */
    bool is_folder;
    bool no_sync;
    OutputTensor *tensors;
    size_t n_tensors;
    OutputParts parts;
    StagedFiles indexes, pipeline_index;
    OutputFile *files;
    uint32_t n_files;
};

/* ---- which tensor goes into which file ---- */

/* Whether a tensor of BYTES does not go into a file that has USED of SHARD_SIZE. */
static bool is_full(uint64_t used, uint64_t bytes, uint64_t shard_size) {
    return shard_size > 0 && used > 0 && (used > shard_size || bytes > shard_size - used);
}

/* In order, each file as full as it may be. A part whose tensors others stand between has a file
 * for each run of them. */
static void split(OutputFiles *output, uint64_t shard_size) {
    uint64_t used = 0;
    uint32_t part = 0;
    output->files = arena_array(&output->arena, OutputFile, output->n_tensors + 1);
    for (size_t i = 0; i < output->n_tensors; i++) {
        OutputTensor *tensor = &output->tensors[i];
        uint64_t bytes = output_tensor_bytes(tensor);
        uint32_t next = output_parts_of(&output->parts, tensor);
        if (i == 0 || next != part || is_full(used, bytes, shard_size)) {
            output->files[output->n_files++].part = part = next;
            used = 0;
        }
        tensor->before = (uint32_t)output->parts.items.items[part].before.size;
        tensor->file = output->n_files - 1;
        used += bytes;
    }
    output->n_files += output->n_files == 0; /* of nothing */
}

static void name_files(OutputFiles *output) {
    OutputPart *parts = output->parts.items.items;
    uint32_t *numbers = arena_array(&output->arena, uint32_t, output->parts.items.count);
    for (uint32_t i = 0; i < output->n_files; i++)
        parts[output->files[i].part].n_files++;
    for (uint32_t i = 0; i < output->n_files; i++) {
        OutputFile *file = &output->files[i];
        const OutputPart *part = &parts[file->part];
        file->name = output_part_file(&output->arena, part, ++numbers[file->part]);
        file->path =
            output->is_folder ? path_join(&output->arena, part->folder, file->name) : output->path;
    }
}

/* ---- opening ---- */

static bool open_writers(OutputFiles *output, const WriterOptions *options, Diags *diags,
                         Span span) {
    size_t first = 0;
    for (uint32_t i = 0; i < output->n_files; i++) {
        size_t end = first;
        while (end < output->n_tensors && output->tensors[end].file == i)
            end++;
        output->files[i].writer = writer_open(output->files[i].path, output->tensors + first,
                                              end - first, options, diags, span);
        if (output->files[i].writer == NULL)
            return false;
        first = end;
    }
    return true;
}

/* Without the slashes at its end. */
static Text trimmed(OutputFiles *output) {
    Text path = output->path;
    while (path.size > 1 && path.data[path.size - 1] == '/')
        path.size--;
    return text_copy(&output->arena, path);
}

/* A file has one part, and is like nothing. */
static bool choose_parts(OutputFiles *output, const OutputFilesOptions *options,
                         const Refusal *refusal) {
    output->parts.apart = options->apart;
    output->parts.n_apart = options->n_apart;
    return output_parts_choose(&output->parts, trimmed(output), output->tensors, output->n_tensors,
                               options->sources, output->is_folder ? options->n_sources : 0,
                               refusal);
}

static bool prepare(OutputFiles *output, const OutputFilesOptions *options, Diags *diags,
                    Span span) {
    Refusal refusal = {diags, span, output->path};
    if (options->shard_size > 0 && text_ends(output->path, TEXT(".safetensors")))
        return refuse(&refusal, "is the name of a file, and shards go into a folder: name one");
    if (!choose_parts(output, options, &refusal))
        return false;
    output->parts.items.items[0].side_files.tie = options->tie;
    split(output, options->shard_size);
    if (output->n_files > SHARDS_LIMIT)
        return refuse(&refusal, "would have %u shards; allow more bytes for each", output->n_files);
    name_files(output);
    if (output->is_folder && (!output_parts_open(&output->parts, &refusal) ||
                              !output_parts_find_old(&output->parts, &options->file, &refusal)))
        return false;
    if (output->is_folder)
        output_parts_sweep(&output->parts);
    WriterOptions file = options->file;
    file.replace_link = output->is_folder;
    return open_writers(output, &file, diags, span) &&
           output_parts_stage_carried(&output->parts, output->no_sync, &output->indexes, &refusal);
}

static OutputFiles *new_output(OutputTensor *tensors, size_t n_tensors) {
    OutputFiles *output = memory_grow(NULL, sizeof *output);
    *output = (OutputFiles){.tensors = tensors, .n_tensors = n_tensors};
    output->parts.arena = &output->arena;
    return output;
}

/* What is like a folder becomes one, unless its name is that of a file: by its ending, or because
 * one stands there. */
static bool is_named_as_folder(Text path, const OutputFilesOptions *options) {
    struct stat status;
    Arena arena = {0};
    bool has_file = stat(text_copy(&arena, path).data, &status) == 0 && !S_ISDIR(status.st_mode);
    arena_free(&arena);
    Text name = path_name(path);
    return !has_file && memchr(name.data, '.', name.size) == NULL &&
           output_parts_like(options->sources, options->n_sources, NULL, 0) != NULL;
}

OutputFiles *output_open(Text path, OutputTensor *tensors, size_t n_tensors,
                         const OutputFilesOptions *options, Diags *diags, Span span) {
    OutputFiles *output = new_output(tensors, n_tensors);
    output->path = text_copy(&output->arena, path);
    output->is_folder =
        options->shard_size > 0 || text_ends(path, TEXT("/")) || is_named_as_folder(path, options);
    output->no_sync = options->file.no_sync;
    if (prepare(output, options, diags, span))
        return output;
    output_abandon(output);
    return NULL;
}

OutputFiles *output_open_memory(OutputTensor *tensors, size_t n_tensors) {
    OutputFiles *output = new_output(tensors, n_tensors);
    output->files = arena_array(&output->arena, OutputFile, 1);
    output->n_files = 1;
    output->files[0].writer = writer_open_memory(tensors, n_tensors);
    if (output->files[0].writer != NULL)
        return output;
    output_abandon(output);
    return NULL;
}

const void *output_memory(const OutputFiles *output, const OutputTensor *tensor) {
    return writer_memory(output->files[tensor->file].writer, tensor);
}

bool output_write(OutputFiles *output, const OutputTensor *tensor, uint64_t offset,
                  const void *data, size_t size) {
    return writer_write(output->files[tensor->file].writer, offset, data, size);
}

WriteStatus output_try_write(OutputFiles *output, const OutputTensor *tensor, uint64_t offset,
                             const void *data, size_t size) {
    return writer_try_write(output->files[tensor->file].writer, offset, data, size);
}

bool output_is_busy(const OutputFiles *output, const OutputTensor *tensor) {
    return writer_is_busy(output->files[tensor->file].writer);
}

void output_patch_metadata(OutputFiles *output, size_t index, Text value) {
    for (uint32_t i = 0; i < output->n_files; i++)
        writer_patch_metadata(output->files[i].writer, index, value);
}

bool output_check(const OutputFiles *output, Diags *diags, Span span) {
    for (uint32_t i = 0; i < output->n_files; i++)
        if (!writer_check(output->files[i].writer, diags, span))
            return false;
    return true;
}

bool output_has(const OutputFiles *output, const OutputTensor *tensor) {
    return writer_has(output->files[tensor->file].writer, tensor);
}

void output_finished(OutputFiles *output, const OutputTensor *tensor) {
    writer_finished(output->files[tensor->file].writer, tensor);
}

/* ---- finishing ---- */

static bool is_in_part(const OutputFiles *output, const OutputTensor *tensor, uint32_t part) {
    return !tensor->dropped && output->files[tensor->file].part == part;
}

static void add_index_entry(const OutputFiles *output, const OutputTensor *tensor, bool first,
                            Builder *out) {
    builder_add(out, first ? TEXT("\n    ") : TEXT(",\n    "));
    builder_json(out, writer_name(tensor));
    builder_add(out, TEXT(": "));
    builder_json(out, output->files[tensor->file].name);
}

static void print_index(const OutputFiles *output, uint32_t part, Builder *out) {
    uint64_t total = 0;
    bool first = true;
    for (size_t i = 0; i < output->n_tensors; i++)
        total += is_in_part(output, &output->tensors[i], part) ? output->tensors[i].bytes : 0;
    builder_format(out, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
                   (unsigned long long)total);
    for (size_t i = 0; i < output->n_tensors; i++) {
        if (!is_in_part(output, &output->tensors[i], part))
            continue;
        add_index_entry(output, &output->tensors[i], first, out);
        first = false;
    }
    builder_add(out, TEXT("\n  }\n}\n"));
}

static bool stage_index(OutputFiles *output, uint32_t number, const Refusal *refusal) {
    const OutputPart *part = &output->parts.items.items[number];
    if (part->n_files <= 1 || part->carried != NULL)
        return true;
    Builder text = {0};
    print_index(output, number, &text);
    bool staged = staged_add(&output->indexes, output_part_index(&output->arena, part),
                             builder_view(&text), output->no_sync, refusal);
    builder_free(&text);
    return staged;
}

/* Everything that is written, and may lack the room, before anything gets its name. */
static bool complete(OutputFiles *output, Diags *diags, Span span) {
    Refusal refusal = {diags, span, output->path};
    bool done = true;
    for (uint32_t i = 0; i < output->n_files && done; i++)
        done = writer_complete(output->files[i].writer, diags, span);
    done = done && output_parts_stage_side_files(&output->parts, output->no_sync, &refusal);
    for (uint32_t i = 0; i < output->parts.items.count && done; i++)
        done = stage_index(output, i, &refusal);
    return done && output_parts_stage_index(&output->parts, output->no_sync,
                                            &output->pipeline_index, &refusal);
}

static bool rename_files(OutputFiles *output, Diags *diags, Span span) {
    for (uint32_t i = 0; i < output->n_files; i++) {
        Writer *writer = output->files[i].writer;
        output->files[i].writer = NULL;
        if (!writer_rename(writer, diags, span))
            return false;
    }
    return true;
}

/* A step of the replacement: what it did lasts before the next one begins. That a folder cannot be
 * synchronised is told at the end, for the next step does no harm. */
static void settle(const OutputFiles *output, bool *synchronised, const Refusal *refusal) {
    *synchronised =
        *synchronised && (output->no_sync || output_parts_synchronise(&output->parts, refusal));
}

/* From the first step on the old model is gone, and before the last one there is none. */
static bool replace(OutputFiles *output, Diags *diags, Span span) {
    Refusal refusal = {diags, span, output->path};
    bool synchronised = true;
    if (!output_parts_hide_old(&output->parts, &refusal))
        return false;
    settle(output, &synchronised, &refusal);
    if (!output_parts_remove_old(&output->parts, &refusal) ||
        !output_parts_put_side_files(&output->parts, &refusal) ||
        !rename_files(output, diags, span))
        return false;
    settle(output, &synchronised, &refusal);
    if (output->indexes.count > 0 && !staged_rename(&output->indexes, &refusal))
        return false;
    if (output->pipeline_index.count > 0) {
        settle(output, &synchronised, &refusal);
        if (!staged_rename(&output->pipeline_index, &refusal))
            return false;
    }
    if (output->indexes.count + output->pipeline_index.count > 0)
        settle(output, &synchronised, &refusal);
    output_parts_discard_partials(&output->parts);
    return synchronised;
}

/* Signals that end the program wait until the folder holds a model again: that is soon. */
static bool replace_in_one_go(OutputFiles *output, Diags *diags, Span span) {
    sigset_t held, before;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    sigaddset(&held, SIGHUP);
    pthread_sigmask(SIG_BLOCK, &held, &before);
    bool done = replace(output, diags, span);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return done;
}

static bool finish_file(OutputFiles *output, Diags *diags, Span span) {
    Writer *writer = output->files[0].writer;
    output->files[0].writer = NULL;
    return writer_finish(writer, diags, span);
}

bool output_finish(OutputFiles *output, Diags *diags, Span span) {
    bool done = output->is_folder
                    ? complete(output, diags, span) && replace_in_one_go(output, diags, span)
                    : finish_file(output, diags, span);
    output_abandon(output);
    return done;
}

void output_abandon(OutputFiles *output) {
    if (output == NULL)
        return;
    for (uint32_t i = 0; i < output->n_files; i++)
        writer_abandon(output->files[i].writer);
    staged_free(&output->indexes);
    staged_free(&output->pipeline_index);
    output_parts_free(&output->parts);
    output_parts_abandon(&output->parts);
    vector_free(&output->parts.items);
    arena_free(&output->arena);
    free(output);
}
