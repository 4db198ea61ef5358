#include "tensor/output_parts.h"

#include "base/file.h"
#include "tensor/json_file.h"
#include "tensor/parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const output_stems[] = {"model", "diffusion_pytorch_model"};

static Text stem_like(Text stem) {
    return text_from(output_stems[text_starts(stem, text_from(output_stems[1]))]);
}

/* Under its name, or, of a part that is an input by itself, under what follows that of the part. */
static const Tensor *find_like(const Model *model, Text name) {
    const Tensor *tensor = model_find(model, name);
    const char *dot = tensor == NULL ? memchr(name.data, '.', name.size) : NULL;
    if (dot == NULL)
        return tensor;
    size_t before = (size_t)(dot - name.data) + 1;
    return model_find(model, (Text){name.data + before, name.size - before});
}

/* Whether the shapes are the same but for the number of rows. */
static bool has_other_rows(const Tensor *old, const OutputTensor *tensor) {
    Shape shape = tensor->shape;
    if (shape.rank == 0 || shape.rank != old->shape.rank || shape.dims[0] == old->shape.dims[0])
        return false;
    shape.dims[0] = old->shape.dims[0];
    return shape_equal(&shape, &old->shape);
}

typedef enum Likeness { LIKE_NOTHING, LIKE_FOLDER, LIKE_KEYS, LIKE_ROWS } Likeness;

/* What a result has of a model: some of its keys, all with as many rows. */
static Likeness likeness(const Model *model, const OutputTensor *tensors, size_t n_tensors) {
    if (model->folder.size == 0)
        return LIKE_NOTHING;
    Likeness like = LIKE_FOLDER;
    for (size_t i = 0; i < n_tensors; i++) {
        const Tensor *old = find_like(model, tensors[i].name);
        if (old != NULL && has_other_rows(old, &tensors[i]))
            return LIKE_KEYS;
        like = old != NULL ? LIKE_ROWS : like;
    }
    return like;
}

const Model *output_parts_like(const Model *const *inputs, size_t n_inputs,
                               const OutputTensor *tensors, size_t n_tensors) {
    const Model *best = NULL;
    Likeness most = LIKE_NOTHING;
    for (size_t i = 0; i < n_inputs && most < LIKE_ROWS; i++) {
        Likeness like = likeness(inputs[i], tensors, n_tensors);
        if (like > most) {
            best = inputs[i];
            most = like;
        }
    }
    return best;
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

bool output_parts_have(const OutputParts *parts, Text name) {
    for (size_t i = 1; i < parts->items.count; i++)
        if (text_equal(parts->items.items[i].name, name))
            return true;
    return false;
}

/* The parts of all pipelines; what they are called in several, they are in the first. */
static void add_parts_of(OutputParts *parts, Text folder, const Model *model, bool weights_only) {
    for (uint32_t i = 0; i < model->n_parts; i++) {
        const ModelPart *part = &model->parts[i];
        if ((part->has_weights || !weights_only) && !output_parts_have(parts, part->name))
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

static const ModelPart *find_part(const OutputParts *parts, const OutputPart *part) {
    for (uint32_t i = 0; i < parts->like->n_parts; i++)
        if (text_equal(parts->like->parts[i].name, part->name))
            return &parts->like->parts[i];
    return NULL;
}

static bool is_apart(const OutputParts *parts, const OutputPart *part) {
    for (size_t i = 0; i < parts->n_apart; i++)
        if (text_equal(parts->apart[i], part->name))
            return true;
    return false;
}

/* Of parts of which the result has nothing, those are written that have no weights, and those that
 * it could have nothing of. */
static bool stays(const OutputParts *parts, OutputPart *part) {
    const ModelPart *like = find_part(parts, part);
    if (part->n_tensors > 0 || like == NULL)
        return part->n_tensors > 0;
    if (like->has_weights && is_apart(parts, part)) {
        part->carried = like;
        part->n_files = like->n_files;
    }
    return !like->has_weights || part->carried != NULL;
}

static void drop_empty(OutputParts *parts) {
    size_t kept = 1;
    for (size_t i = 1; i < parts->items.count; i++)
        if (stays(parts, &parts->items.items[i]))
            parts->items.items[kept++] = parts->items.items[i];
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

/* The rows of the part's first tensor that has others than in the input. */
static void find_rows(const OutputParts *parts, uint32_t part, const OutputTensor *tensors,
                      size_t n) {
    SideFiles *files = &parts->items.items[part].side_files;
    for (size_t i = 0; i < n && parts->like != NULL && files->rows == files->rows_now; i++) {
        const Tensor *old = output_parts_of(parts, &tensors[i]) == part
                                ? find_like(parts->like, tensors[i].name)
                                : NULL;
        if (old == NULL || !has_other_rows(old, &tensors[i]))
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
        find_rows(parts, i, tensors, n_tensors);
        Refusal inner = *refusal;
        inner.path = files->folder;
        if (!side_files_find(files, &inner))
            return false;
        if (files->rows != files->rows_now)
            side_files_warn_rows(files, &inner);
    }
    return true;
}

bool output_parts_choose(OutputParts *parts, Text folder, const OutputTensor *tensors,
                         size_t n_tensors, const Model *const *inputs, size_t n_inputs,
                         const Refusal *refusal) {
    parts->like = output_parts_like(inputs, n_inputs, tensors, n_tensors);
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
    for (size_t i = 0; i < parts->gone.count; i++)
        vector_free(&parts->gone.items[i].old);
    vector_free(&parts->gone);
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
    for (size_t i = 0; i < parts->gone.count && done; i++)
        done = staged_synchronise(parts->gone.items[i].folder, refusal);
    return done && (root->made == NULL || staged_synchronise(path_folder(root->folder), refusal));
}

/* ---- beside the weights ---- */

Text output_part_file(Arena *arena, const OutputPart *part, uint32_t number) {
    return part->n_files == 1 ? text_format(arena, "%.*s.safetensors", TEXT_ARG(part->stem))
                              : text_format(arena, "%.*s-%05u-of-%05u.safetensors",
                                            TEXT_ARG(part->stem), number, part->n_files);
}

Text output_part_index(Arena *arena, const OutputPart *part) {
    return path_join(arena, part->folder,
                     text_format(arena, "%.*s.safetensors.index.json", TEXT_ARG(part->stem)));
}

/* What a file of the carried part is called now. */
static Text carried_name(Arena *arena, const OutputPart *part, Text name) {
    for (uint32_t i = 0; i < part->n_files; i++)
        if (text_equal(path_name(part->carried->files[i]), name))
            return output_part_file(arena, part, i + 1);
    return name;
}

/* The index of a carried part, whose files may have lost the name of a variant. */
static bool stage_carried_index(const OutputParts *parts, const OutputPart *part, bool no_sync,
                                StagedFiles *indexes, const Refusal *refusal) {
    Refusal source = *refusal;
    source.path = part->carried->index;
    json_t *root = json_file_load(parts->arena, FILE_TEXT_LIMIT, "index of shards", &source);
    const char *tensor;
    json_t *name;
    json_object_foreach(json_object_get(root, "weight_map"), tensor, name) {
        Text now = carried_name(parts->arena, part, text_from(json_string_value(name)));
        json_string_setn(name, now.data, now.size);
    }
    char *dumped = root == NULL ? NULL : json_dumps(root, JSON_INDENT(2));
    bool staged =
        dumped != NULL && staged_add(indexes, output_part_index(parts->arena, part),
                                     text_format(parts->arena, "%s\n", dumped), no_sync, refusal);
    free(dumped);
    json_decref(root);
    return staged;
}

bool output_parts_stage_carried(OutputParts *parts, bool no_sync, StagedFiles *indexes,
                                const Refusal *refusal) {
    for (size_t i = 1; i < parts->items.count; i++) {
        OutputPart *part = &parts->items.items[i];
        for (uint32_t file = 0; part->carried != NULL && file < part->n_files; file++) {
            Text name = output_part_file(parts->arena, part, file + 1);
            if (!staged_copy(&part->staged, path_join(parts->arena, part->folder, name),
                             part->carried->files[file], no_sync, refusal))
                return false;
        }
        if (part->carried != NULL && part->n_files > 1 && part->carried->index.size > 0 &&
            !stage_carried_index(parts, part, no_sync, indexes, refusal))
            return false;
    }
    return true;
}

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
    return output_parts_have(context, name);
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
