#include "tensor/output.h"

#include "base/file.h"
#include "base/vector.h"
#include "tensor/shards.h"
#include "tensor/side_files.h"
#include "tensor/temporary.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SHARDS_LIMIT = 99999 }; /* their numbers have five digits */

struct OutputFiles {
    Arena arena;
    Text path; /* as asked for */
    Text folder;
    bool is_folder;
    bool made; /* the folder was not there */
    bool no_sync;
    OutputTensor *tensors;
    size_t n_tensors;
    Writer **writers;
    Text *names; /* of the files in the folder */
    uint32_t n_files;
    VECTOR(Text) old; /* paths of the model that the folder held */
    SideFiles side_files;
};

/* ---- which tensor goes into which file ---- */

/* In order, each file as full as it may be. */
static void split(OutputFiles *output, uint64_t shard_size) {
    uint64_t used = 0;
    uint32_t file = 0;
    for (size_t i = 0; i < output->n_tensors; i++) {
        OutputTensor *tensor = &output->tensors[i];
        uint64_t bytes = output_tensor_bytes(tensor);
        if (shard_size > 0 && used > 0 && (used > shard_size || bytes > shard_size - used)) {
            file++;
            used = 0;
        }
        tensor->file = file;
        used += bytes;
    }
    output->n_files = file + 1;
}

static void name_files(OutputFiles *output) {
    output->names = arena_array(&output->arena, Text, output->n_files);
    output->writers = arena_array(&output->arena, Writer *, output->n_files);
    for (uint32_t i = 0; i < output->n_files; i++)
        output->names[i] = output->n_files == 1
                               ? TEXT("model.safetensors")
                               : text_format(&output->arena, "model-%05u-of-%05u.safetensors",
                                             i + 1, output->n_files);
}

static Text file_path(OutputFiles *output, Text name) {
    return output->is_folder ? path_join(&output->arena, output->folder, name) : output->path;
}

/* ---- opening ---- */

static bool open_folder(OutputFiles *output, const Refusal *refusal) {
    Text path = text_copy(&output->arena, output->folder);
    struct stat status;
    if (mkdir(path.data, 0777) == 0) {
        output->made = true;
        return true;
    }
    if (errno != EEXIST)
        return refuse_errno(refusal, "can't be made", errno);
    if (stat(path.data, &status) != 0)
        return refuse_errno(refusal, "can't be written", errno);
    return S_ISDIR(status.st_mode) || refuse(refusal, "is no folder, and shards need one");
}

static bool is_input(const char *path, const WriterOptions *options) {
    for (size_t i = 0; i < options->n_inputs; i++)
        if (model_is_file(options->inputs[i], path))
            return true;
    return false;
}

/* The files of a model that stands there already. They go when all is done. */
static bool find_old(OutputFiles *output, const WriterOptions *options, const Refusal *refusal) {
    Names old = {.arena = &output->arena};
    bool found = shards_list(&old, output->folder);
    for (size_t i = 0; i < old.count && found; i++) {
        Text path = path_join(&output->arena, output->folder, old.texts[i]);
        if (output->n_files == 1 && text_equal(old.texts[i], output->names[0]))
            continue; /* the new one takes its place */
        if (!options->force && is_input(path.data, options))
            found = refuse(refusal,
                           "holds '%s', an input of this run; --force replaces the model there "
                           "when all is done",
                           show(old.texts[i]).text);
        vector_push(&output->old, path);
    }
    names_free(&old);
    return found;
}

static bool open_writers(OutputFiles *output, const OutputFilesOptions *options, Diags *diags,
                         Span span) {
    size_t first = 0;
    for (uint32_t i = 0; i < output->n_files; i++) {
        size_t end = first;
        while (end < output->n_tensors && output->tensors[end].file == i)
            end++;
        output->writers[i] =
            writer_open(file_path(output, output->names[i]), output->tensors + first, end - first,
                        &options->file, diags, span);
        if (output->writers[i] == NULL)
            return false;
        first = end;
    }
    return true;
}

static bool prepare(OutputFiles *output, const OutputFilesOptions *options, Diags *diags,
                    Span span) {
    Refusal refusal = {diags, span, output->path};
    if (options->shard_size > 0 && text_ends(output->path, TEXT(".safetensors")))
        return refuse(&refusal, "is the name of a file, and shards go into a folder: name one");
    split(output, options->shard_size);
    if (output->n_files > SHARDS_LIMIT)
        return refuse(&refusal, "would have %u shards; allow more bytes for each", output->n_files);
    name_files(output);
    if (output->is_folder &&
        (!open_folder(output, &refusal) || !find_old(output, &options->file, &refusal) ||
         !side_files_find(&output->side_files, options->file.inputs, options->file.n_inputs,
                          output->tensors, output->n_tensors, &refusal)))
        return false;
    return open_writers(output, options, diags, span);
}

/* Without the slashes at its end. */
static Text trimmed(Text path) {
    while (path.size > 1 && path.data[path.size - 1] == '/')
        path.size--;
    return path;
}

OutputFiles *output_open(Text path, OutputTensor *tensors, size_t n_tensors,
                         const OutputFilesOptions *options, Diags *diags, Span span) {
    OutputFiles *output = memory_grow(NULL, sizeof *output);
    *output = (OutputFiles){.tensors = tensors, .n_tensors = n_tensors};
    output->path = text_copy(&output->arena, path);
    output->folder = trimmed(output->path);
    output->is_folder = options->shard_size > 0 || text_ends(path, TEXT("/"));
    output->no_sync = options->file.no_sync;
    output->side_files.arena = &output->arena;
    if (prepare(output, options, diags, span))
        return output;
    output_abandon(output);
    return NULL;
}

OutputFiles *output_open_memory(OutputTensor *tensors, size_t n_tensors) {
    OutputFiles *output = memory_grow(NULL, sizeof *output);
    *output = (OutputFiles){.tensors = tensors, .n_tensors = n_tensors};
    split(output, 0);
    name_files(output);
    output->writers[0] = writer_open_memory(tensors, n_tensors);
    if (output->writers[0] != NULL)
        return output;
    output_abandon(output);
    return NULL;
}

const void *output_memory(const OutputFiles *output, const OutputTensor *tensor) {
    return writer_memory(output->writers[tensor->file], tensor);
}

bool output_write(OutputFiles *output, const OutputTensor *tensor, uint64_t offset,
                  const void *data, size_t size) {
    return writer_write(output->writers[tensor->file], offset, data, size);
}

void output_patch_metadata(OutputFiles *output, size_t index, Text value) {
    for (uint32_t i = 0; i < output->n_files; i++)
        writer_patch_metadata(output->writers[i], index, value);
}

bool output_check(const OutputFiles *output, Diags *diags, Span span) {
    for (uint32_t i = 0; i < output->n_files; i++)
        if (!writer_check(output->writers[i], diags, span))
            return false;
    return true;
}

bool output_has(const OutputFiles *output, const OutputTensor *tensor) {
    return writer_has(output->writers[tensor->file], tensor);
}

void output_finished(OutputFiles *output, const OutputTensor *tensor) {
    writer_finished(output->writers[tensor->file], tensor);
}

/* ---- finishing ---- */

static void add_index_entry(const OutputFiles *output, const OutputTensor *tensor, bool first,
                            Builder *out) {
    builder_add(out, first ? TEXT("\n    ") : TEXT(",\n    "));
    builder_json(out, tensor->name);
    builder_add(out, TEXT(": "));
    builder_json(out, output->names[tensor->file]);
}

static void print_index(const OutputFiles *output, Builder *out) {
    uint64_t total = 0;
    bool first = true;
    for (size_t i = 0; i < output->n_tensors; i++)
        total += output->tensors[i].dropped ? 0 : output->tensors[i].bytes;
    builder_format(out, "{\n  \"metadata\": {\n    \"total_size\": %llu\n  },\n  \"weight_map\": {",
                   (unsigned long long)total);
    for (size_t i = 0; i < output->n_tensors; i++) {
        if (output->tensors[i].dropped)
            continue;
        add_index_entry(output, &output->tensors[i], first, out);
        first = false;
    }
    builder_add(out, TEXT("\n  }\n}\n"));
}

static bool put_index(OutputFiles *output, const Refusal *refusal) {
    if (output->n_files == 1)
        return true;
    Builder text = {0};
    print_index(output, &text);
    bool put = side_file_put(path_join(&output->arena, output->folder, text_from(shards_index)),
                             builder_view(&text), output->no_sync, refusal);
    builder_free(&text);
    return put;
}

/* An index comes before the shards that it names, so it goes first. */
static bool remove_old(const OutputFiles *output, const Refusal *refusal) {
    for (size_t i = 0; i < output->old.count; i++)
        if (unlink(output->old.items[i].data) != 0 && errno != ENOENT)
            return refuse_errno(refusal, "can't be replaced", errno);
    return true;
}

/* From here on the old model is gone. */
static bool replace(OutputFiles *output, Diags *diags, Span span) {
    Refusal refusal = {diags, span, output->path};
    if (!remove_old(output, &refusal) ||
        !side_files_put(&output->side_files, output->folder, output->no_sync, &refusal))
        return false;
    for (uint32_t i = 0; i < output->n_files; i++) {
        Writer *writer = output->writers[i];
        output->writers[i] = NULL;
        if (!writer_finish(writer, diags, span))
            return false;
    }
    output->made = false;
    return put_index(output, &refusal);
}

bool output_finish(OutputFiles *output, Diags *diags, Span span) {
    bool done = true;
    for (uint32_t i = 0; i < output->n_files && done; i++)
        done = writer_complete(output->writers[i], diags, span);
    done = done && replace(output, diags, span);
    output_abandon(output);
    return done;
}

void output_abandon(OutputFiles *output) {
    if (output == NULL)
        return;
    for (uint32_t i = 0; i < output->n_files && output->writers != NULL; i++)
        writer_abandon(output->writers[i]);
    if (output->made)
        rmdir(text_copy(&output->arena, output->folder).data);
    vector_free(&output->old);
    side_files_free(&output->side_files);
    arena_free(&output->arena);
    free(output);
}
