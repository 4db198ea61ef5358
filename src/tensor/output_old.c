/* The model that an output's folder held: what of it goes, and when. */
#include "tensor/output_parts.h"

#include "base/file.h"
#include "tensor/parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static bool is_input(const char *path, const WriterOptions *options) {
    for (size_t i = 0; i < options->n_inputs; i++)
        if (model_is_file(options->inputs[i], path))
            return true;
    return false;
}

static bool is_whole(const OutputPart *part, Text name) {
    return text_ends(name, TEXT(".safetensors")) &&
           name.size == part->stem.size + sizeof ".safetensors" - 1;
}

/* Whether it is the one file that the new one takes the place of. */
static bool is_renamed_over(const OutputPart *part, Text name) {
    return part->n_files == 1 && is_whole(part, name);
}

static bool list_files(Names *files, const OutputPart *part, const Refusal *refusal) {
    return shards_list(files, part->folder, part->stem) ||
           refuse_errno(refusal, "can't be listed", errno);
}

/* What goes only if that is said. */
static bool check_old(const OutputPart *part, Text name, const char *path,
                      const WriterOptions *options, const Refusal *refusal) {
    if (shards_names_variant(name, part->stem))
        return refuse(refusal,
                      "holds '%s', a variant of an older model; --force replaces all of them",
                      show(name).text);
    return is_renamed_over(part, name) || !is_input(path, options) ||
           refuse(refusal,
                  "holds '%s', an input of this run; --force replaces the model there when all is "
                  "done",
                  show(name).text);
}

static bool find_old(OutputParts *parts, OutputPart *part, const WriterOptions *options,
                     const Refusal *refusal) {
    Names old = {.arena = parts->arena};
    bool found = list_files(&old, part, refusal);
    for (size_t i = 0; i < old.count && found; i++) {
        Text path = path_join(parts->arena, part->folder, old.texts[i]);
        found = options->force || check_old(part, old.texts[i], path.data, options, refusal);
        vector_push(&part->old, path);
    }
    names_free(&old);
    return found;
}

/* The index of a pipeline, which goes before anything else does. */
static bool find_old_pipeline(OutputParts *parts, const WriterOptions *options,
                              const Refusal *refusal) {
    OutputPart *root = &parts->items.items[0];
    Text path = path_join(parts->arena, root->folder, text_from(parts_index));
    struct stat status;
    if (stat(path.data, &status) != 0)
        return true;
    if (!parts->is_pipeline && !options->force)
        return refuse(refusal,
                      "holds a pipeline ('%s'), and the result is none; --force replaces it",
                      parts_index);
    vector_push(&root->old, path);
    return true;
}

/* Weights that loaders would find in the folder beside the new ones, which are called STEM there,
 * or in place of them. */
static bool find_gone(OutputParts *parts, Text folder, Text stem, bool force,
                      const Refusal *refusal) {
    bool found = true;
    for (size_t i = 0; i < OUTPUT_STEMS && found; i++) {
        OutputPart gone = {.folder = folder, .stem = text_from(output_stems[i])};
        Names files = {.arena = parts->arena};
        if (text_equal(gone.stem, stem))
            continue;
        found = list_files(&files, &gone, refusal);
        if (found && files.count > 0 && !force)
            found = refuse(refusal,
                           "holds '%s', which is of an older model, and nothing of the result "
                           "takes its place; --force removes it",
                           show(files.texts[0]).text);
        for (size_t file = 0; file < files.count; file++)
            vector_push(&gone.old, path_join(parts->arena, folder, files.texts[file]));
        vector_push(&parts->gone, gone);
        names_free(&files);
    }
    return found;
}

static bool is_own_folder(Text path) {
    struct stat status;
    return lstat(path.data, &status) == 0 && S_ISDIR(status.st_mode);
}

/* Parts of an older pipeline that the result has not. Some loaders look for their folders. */
static bool find_gone_parts(OutputParts *parts, bool force, const Refusal *refusal) {
    Text root = parts->items.items[0].folder, text;
    Names names = {.arena = parts->arena};
    int error;
    if (file_read(parts->arena, path_join(parts->arena, root, text_from(parts_index)),
                  FILE_TEXT_LIMIT, &text, &error))
        parts_named(parts->arena, text, &names);
    bool found = true;
    for (size_t i = 0; i < names.count && found; i++) {
        Refusal inner = *refusal;
        inner.path = path_join(parts->arena, root, names.texts[i]);
        if (!output_parts_have(parts, names.texts[i]) && is_own_folder(inner.path))
            found = find_gone(parts, inner.path, TEXT(""), force, &inner);
    }
    names_free(&names);
    return found;
}

static bool find_old_part(OutputParts *parts, uint32_t number, const WriterOptions *options,
                          const Refusal *refusal) {
    OutputPart *part = &parts->items.items[number];
    Refusal inner = *refusal;
    if (number > 0)
        inner.path = part->folder;
    bool has_weights = part->n_tensors > 0 || part->carried != NULL || !parts->is_pipeline;
    side_files_warn_stale(&part->side_files, part->folder, &inner);
    return (!has_weights || find_old(parts, part, options, &inner)) &&
           find_gone(parts, part->folder, has_weights ? part->stem : TEXT(""), options->force,
                     &inner);
}

bool output_parts_find_old(OutputParts *parts, const WriterOptions *options,
                           const Refusal *refusal) {
    bool found = find_old_pipeline(parts, options, refusal);
    for (uint32_t i = 0; i < parts->items.count && found; i++)
        found = find_old_part(parts, i, options, refusal);
    return found && find_gone_parts(parts, options->force, refusal);
}

static bool is_index(Text name) {
    return text_ends(name, TEXT(".json"));
}

/* Not what the new file takes the place of, where nothing beside it changes: that is one step. */
static bool is_hidden_first(const OutputPart *part, Text name) {
    return is_index(name) ||
           (is_whole(part, name) && !(is_renamed_over(part, name) && part->staged.count == 0));
}

static bool remove_if(const OutputPart *part, bool (*chosen)(const OutputPart *part, Text name),
                      const Refusal *refusal) {
    for (size_t i = 0; i < part->old.count; i++)
        if (chosen(part, path_name(part->old.items[i])) && unlink(part->old.items[i].data) != 0 &&
            errno != ENOENT)
            return refuse_errno(refusal, "can't be replaced", errno);
    return true;
}

static bool is_shard(const OutputPart *part, Text name) {
    return !is_index(name) && !is_whole(part, name);
}

bool output_parts_hide_old(OutputParts *parts, const Refusal *refusal) {
    for (size_t i = 0; i < parts->items.count; i++) {
        if (!remove_if(&parts->items.items[i], is_hidden_first, refusal))
            return false;
        if (parts->items.items[i].made != NULL)
            temporary_keep_folder(parts->items.items[i].made);
    }
    for (size_t i = 0; i < parts->gone.count; i++)
        if (!remove_if(&parts->gone.items[i], is_hidden_first, refusal))
            return false;
    return true;
}

bool output_parts_remove_old(const OutputParts *parts, const Refusal *refusal) {
    for (size_t i = 0; i < parts->items.count; i++)
        if (!remove_if(&parts->items.items[i], is_shard, refusal))
            return false;
    for (size_t i = 0; i < parts->gone.count; i++)
        if (!remove_if(&parts->gone.items[i], is_shard, refusal))
            return false;
    return true;
}
