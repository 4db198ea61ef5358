#include "tensor/output_parts.h"

#include "base/file.h"
#include "tensor/parts.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char weights_of_diffusers[] = "diffusion_pytorch_model";

/* Loaders know two names: transformers' and diffusers'. */
static Text stem_like(Text stem) {
    Text known = text_from(weights_of_diffusers);
    return text_starts(stem, known) ? known : TEXT("model");
}

const Model *output_parts_like(const Model *const *inputs, size_t n_inputs) {
    for (size_t i = 0; i < n_inputs; i++)
        if (inputs[i]->folder.size > 0)
            return inputs[i];
    return NULL;
}

static void add_part(OutputParts *parts, Text folder, Text name, Text stem, Text from) {
    OutputPart part = {.name = name, .folder = folder, .stem = stem_like(stem)};
    if (name.size > 0) {
        part.folder = path_join(parts->arena, folder, name);
        part.before = text_format(parts->arena, "%.*s.", TEXT_ARG(name));
    }
    part.side_files = (SideFiles){.arena = parts->arena, .folder = from};
    vector_push(&parts->items, part);
}

uint32_t output_parts_of(const OutputParts *parts, const OutputTensor *tensor) {
    for (uint32_t i = 1; i < parts->items.count; i++)
        if (text_starts(tensor->name, parts->items.items[i].before))
            return i;
    return 0;
}

static bool has_part(const OutputParts *parts, Text name) {
    for (size_t i = 1; i < parts->items.count; i++)
        if (text_equal(parts->items.items[i].name, name))
            return true;
    return false;
}

/* The parts of all pipelines; what they are called in several, they are in the first. */
static void add_parts_of(OutputParts *parts, Text folder, const Model *model, bool weights_only) {
    for (uint32_t i = 0; i < model->n_parts; i++) {
        const ModelPart *part = &model->parts[i];
        if ((part->has_weights || !weights_only) && !has_part(parts, part->name))
            add_part(parts, folder, part->name, part->stem, part->folder);
    }
}

static uint32_t count_tensors(OutputParts *parts, const OutputTensor *tensors, size_t n_tensors) {
    uint32_t count = 0;
    for (size_t i = 0; i < n_tensors; i++) {
        uint32_t part = output_parts_of(parts, &tensors[i]);
        parts->items.items[part].n_tensors++;
        count += part > 0;
    }
    return count;
}

static bool holds_weights(const OutputParts *parts, const OutputPart *part) {
    for (uint32_t i = 0; i < parts->like->n_parts; i++)
        if (text_equal(parts->like->parts[i].name, part->name))
            return parts->like->parts[i].has_weights;
    return true;
}

/* Parts of which the result has nothing are not written. */
static void drop_empty(OutputParts *parts) {
    size_t kept = 1;
    for (size_t i = 1; i < parts->items.count; i++) {
        OutputPart *part = &parts->items.items[i];
        if (part->n_tensors > 0 || !holds_weights(parts, part))
            parts->items.items[kept++] = *part;
    }
    parts->items.count = kept;
}

static bool refuse_stray(const OutputParts *parts, const OutputTensor *tensors,
                         const Refusal *refusal) {
    size_t i = 0;
    while (output_parts_of(parts, &tensors[i]) > 0)
        i++;
    return refuse(refusal,
                  "would be a folder of parts, as '%s' is one, but the key '%s' belongs to no part "
                  "of it; name a file",
                  show_path(parts->like->path).text, show(tensors[i].name).text);
}

static bool choose_pipeline(OutputParts *parts, Text folder, const OutputTensor *tensors,
                            size_t n_tensors, const Model *const *inputs, size_t n_inputs,
                            const Refusal *refusal) {
    add_parts_of(parts, folder, parts->like, false);
    for (size_t i = 0; i < n_inputs; i++)
        add_parts_of(parts, folder, inputs[i], true);
    uint32_t count = count_tensors(parts, tensors, n_tensors);
    parts->is_pipeline = count > 0;
    if (count > 0 && count < n_tensors)
        return refuse_stray(parts, tensors, refusal);
    if (parts->is_pipeline)
        drop_empty(parts);
    else
        parts->items.count = 1; /* converted: the keys are those of no part */
    return true;
}

/* What all keys begin with, up to a dot, where the input has the same keys without it: those of a
 * part, which a config calls by their names in a pipeline. */
static Text left_out(const Model *like, const OutputTensor *tensors, size_t n_tensors) {
    Text name = n_tensors == 0 ? TEXT("") : tensors[0].name;
    const char *dot = memchr(name.data, '.', name.size);
    Text before = {name.data, dot == NULL ? 0 : (size_t)(dot - name.data) + 1};
    for (size_t i = 0; i < n_tensors && before.size > 0; i++) {
        name = tensors[i].name;
        Text rest = {name.data + before.size, name.size - before.size};
        if (!text_starts(name, before) || model_find(like, name) != NULL ||
            model_find(like, rest) == NULL)
            before.size = 0;
    }
    return before;
}

/* The float dtype that holds most bytes. */
static Text main_dtype(const OutputParts *parts, uint32_t part, const OutputTensor *tensors,
                       size_t n) {
    uint64_t bytes[DTYPE_COUNT] = {0};
    DType most = DTYPE_NONE;
    for (size_t i = 0; i < n; i++) {
        DType dtype = tensors[i].dtype;
        if (dtype_info[dtype].kind != KIND_FLOAT || output_parts_of(parts, &tensors[i]) != part)
            continue;
        bytes[dtype] += shape_count(&tensors[i].shape) * dtype_info[dtype].bits / 8;
        if (most == DTYPE_NONE || bytes[dtype] > bytes[most])
            most = dtype;
    }
    return most == DTYPE_NONE ? TEXT("") : dtype_info[most].torch_name;
}

/* The rows of the first tensor that has others than in the input, and differs in nothing else. */
static void find_rows(const OutputParts *parts, SideFiles *files, const OutputTensor *tensors,
                      size_t n) {
    for (size_t i = 0; i < n && parts->like != NULL && files->rows == files->rows_now; i++) {
        const Tensor *old = model_find(parts->like, tensors[i].name);
        Shape shape = tensors[i].shape;
        if (old == NULL || old->shape.rank == 0 || shape.rank != old->shape.rank)
            continue;
        shape.dims[0] = old->shape.dims[0];
        if (!shape_equal(&shape, &old->shape))
            continue;
        files->rows = old->shape.dims[0];
        files->rows_now = tensors[i].shape.dims[0];
    }
}

static bool find_side_files(OutputParts *parts, const OutputTensor *tensors, size_t n_tensors,
                            const Refusal *refusal) {
    for (uint32_t i = 0; i < parts->items.count; i++) {
        SideFiles *files = &parts->items.items[i].side_files;
        files->dtype = main_dtype(parts, i, tensors, n_tensors);
        find_rows(parts, files, tensors, n_tensors);
        Refusal inner = *refusal;
        inner.path = files->folder;
        if (!side_files_find(files, &inner))
            return false;
    }
    return true;
}

bool output_parts_choose(OutputParts *parts, Text folder, const OutputTensor *tensors,
                         size_t n_tensors, const Model *const *inputs, size_t n_inputs,
                         const Refusal *refusal) {
    parts->like = output_parts_like(inputs, n_inputs);
    bool is_like = parts->like != NULL;
    add_part(parts, folder, TEXT(""), is_like ? parts->like->stem : TEXT(""),
             is_like ? parts->like->folder : TEXT(""));
    if (is_like && parts->like->n_parts > 0 &&
        !choose_pipeline(parts, folder, tensors, n_tensors, inputs, n_inputs, refusal))
        return false;
    if (is_like && !parts->is_pipeline)
        parts->items.items[0].before = left_out(parts->like, tensors, n_tensors);
    return find_side_files(parts, tensors, n_tensors, refusal);
}

void output_parts_free(OutputParts *parts) {
    for (size_t i = 0; i < parts->items.count; i++) {
        vector_free(&parts->items.items[i].old);
        side_files_free(&parts->items.items[i].side_files);
        staged_free(&parts->items.items[i].staged);
    }
}

/* ---- folders ---- */

static bool open_folder(OutputPart *part, const Refusal *refusal) {
    struct stat status;
    part->made = temporary_make_folder(part->folder);
    if (part->made != NULL)
        return true;
    if (errno != EEXIST)
        return refuse_errno(refusal, "can't be made", errno);
    if (stat(part->folder.data, &status) != 0)
        return refuse_errno(refusal, "can't be written", errno);
    return S_ISDIR(status.st_mode) || refuse(refusal, "is no folder, and shards need one");
}

bool output_parts_open(OutputParts *parts, const Refusal *refusal) {
    for (size_t i = 0; i < parts->items.count; i++) {
        Refusal inner = *refusal;
        if (i > 0)
            inner.path = parts->items.items[i].folder;
        if (!open_folder(&parts->items.items[i], &inner))
            return false;
    }
    return true;
}

void output_parts_abandon(const OutputParts *parts) {
    for (size_t i = parts->items.count; i-- > 0;)
        if (parts->items.items[i].made != NULL)
            temporary_close(parts->items.items[i].made);
}

void output_parts_sweep(const OutputParts *parts) {
    for (size_t i = 0; i < parts->items.count; i++)
        temporaries_sweep(parts->items.items[i].folder);
}

void output_parts_discard_partials(const OutputParts *parts) {
    for (size_t i = 0; i < parts->items.count; i++)
        temporaries_discard_partials(parts->items.items[i].folder, parts->items.items[i].stem);
}

/* The folder itself is a name, too, if it is new. */
bool output_parts_synchronise(const OutputParts *parts, const Refusal *refusal) {
    bool done = true;
    const OutputPart *root = &parts->items.items[0];
    for (size_t i = 0; i < parts->items.count && done; i++)
        done = staged_synchronise(parts->items.items[i].folder, refusal);
    return done && (root->made == NULL || staged_synchronise(path_folder(root->folder), refusal));
}

/* ---- the model that was there ---- */

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
    bool found = shards_list(&old, part->folder, part->stem);
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

bool output_parts_find_old(OutputParts *parts, const WriterOptions *options,
                           const Refusal *refusal) {
    if (!find_old_pipeline(parts, options, refusal))
        return false;
    for (size_t i = parts->is_pipeline; i < parts->items.count; i++) {
        OutputPart *part = &parts->items.items[i];
        Refusal inner = *refusal;
        if (i > 0)
            inner.path = part->folder;
        if (part->n_tensors + !parts->is_pipeline > 0 && !find_old(parts, part, options, &inner))
            return false;
    }
    return true;
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
    return true;
}

bool output_parts_remove_old(const OutputParts *parts, const Refusal *refusal) {
    for (size_t i = 0; i < parts->items.count; i++)
        if (!remove_if(&parts->items.items[i], is_shard, refusal))
            return false;
    return true;
}

/* ---- beside the weights ---- */

bool output_parts_stage_side_files(OutputParts *parts, bool no_sync, const Refusal *refusal) {
    for (size_t i = 0; i < parts->items.count; i++) {
        OutputPart *part = &parts->items.items[i];
        if (!side_files_stage(&part->side_files, part->folder, no_sync, &part->staged, refusal))
            return false;
    }
    return true;
}

bool output_parts_put_side_files(OutputParts *parts, const Refusal *refusal) {
    for (size_t i = 0; i < parts->items.count; i++)
        if (!staged_rename(&parts->items.items[i].staged, refusal))
            return false;
    return true;
}

static bool is_there(const void *context, Text name) {
    return has_part(context, name);
}

bool output_parts_stage_index(const OutputParts *parts, bool no_sync, StagedFiles *staged,
                              const Refusal *refusal) {
    if (!parts->is_pipeline)
        return true;
    Refusal inner = *refusal;
    inner.path = path_join(parts->arena, parts->like->folder, text_from(parts_index));
    Text text;
    int error;
    if (!file_read(parts->arena, inner.path, FILE_TEXT_LIMIT, &text, &error))
        return refuse_errno(&inner, "can't be read", error);
    text = parts_index_without(parts->arena, text, is_there, parts);
    return staged_add(staged,
                      path_join(parts->arena, parts->items.items[0].folder, text_from(parts_index)),
                      text, no_sync, refusal);
}
