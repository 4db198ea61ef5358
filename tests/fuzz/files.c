/* The targets that read files, and the one that goes all the way. */
#include "fuzz.h"

#include "mecha.h"
#include "tensor/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- a folder for what is read and written ---- */

static char folder[32];

static void path_of(const char *name, char path[64]) {
    snprintf(path, 64, "%s/%s", folder, name);
}

static const char *const names[] = {"a.safetensors", "b.safetensors", "x.safetensors",
                                    "x.safetensors.index.json", "out.safetensors"};

static void remove_folder(void) {
    char path[64];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        path_of(names[i], path);
        unlink(path);
    }
    rmdir(folder);
}

static void make_folder(void) {
    if (folder[0] != '\0')
        return;
    snprintf(folder, sizeof folder, "/dev/shm/mecha-fuzz-XXXXXX");
    if (mkdtemp(folder) == NULL) {
        snprintf(folder, sizeof folder, "/tmp/mecha-fuzz-XXXXXX");
        fuzz_require(mkdtemp(folder) != NULL, "no folder for files", TEXT(""));
    }
    atexit(remove_folder);
}

static void put(const char *name, Text data) {
    char path[64];
    make_folder();
    path_of(name, path);
    int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    fuzz_require(file >= 0 && write(file, data.data, data.size) == (ssize_t)data.size,
                 "no room for files", TEXT(""));
    close(file);
}

/* ---- models ---- */

static void check_tensors(const Tensor *tensors, size_t n, uint64_t size, Text text) {
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const Tensor *tensor = &tensors[i];
        uint64_t bytes;
        fuzz_require(dtype_bytes(tensor->dtype, shape_count(&tensor->shape), &bytes) &&
                         bytes == tensor->bytes,
                     "a tensor of another size than its shape says", text);
        fuzz_require(tensor->offset == end, "a hole between tensors", text);
        end += bytes;
    }
    fuzz_require(end == size, "tensors that end before the file or after it", text);
}

static bool said_once(Diags *diags) {
    return diags_count(diags) == 1 && diag_errors(diags) == 1;
}

void fuzz_header(Text text) {
    size_t end = text.size;
    while (end > 0 && text.data[end - 1] != '}')
        end--;
    uint64_t size = strtoull(text.data + end, NULL, 10);
    Arena arena = {0};
    Diags *diags = diags_new();
    Layout layout = {.arena = &arena};
    Text header = text_copy(&arena, (Text){text.data, end});
    if (layout_read(&layout, header, size, &(Refusal){diags, SPAN_NONE, TEXT("model")}))
        check_tensors(layout.tensors.items, layout.tensors.count, size, text);
    else
        fuzz_require(said_once(diags), "a failure that was not said once", text);
    layout_free(&layout);
    diags_free(diags);
    arena_free(&arena);
}

/* Every byte of every tensor can be read. */
static void read_tensors(const Model *model, Text text) {
    unsigned char sum = 0;
    for (uint32_t i = 0; i < model->n_tensors; i++) {
        const Tensor *tensor = &model->tensors[i];
        for (uint64_t at = 0; at < tensor->bytes; at++)
            sum ^= tensor->data[at];
        fuzz_require(model_find(model, tensor->name) == tensor, "a tensor that is not found", text);
    }
    __asm__ volatile("" : : "r"(sum));
}

/* Whether there is a model. */
static bool read_model(const char *name, Text text) {
    char path[64];
    path_of(name, path);
    Diags *diags = diags_new();
    Model *model = model_open(text_from(path), diags, SPAN_NONE);
    bool opened = model != NULL;
    if (opened)
        read_tensors(model, text);
    else
        fuzz_require(said_once(diags), "a failure that was not said once", text);
    model_close(model);
    diags_free(diags);
    return opened;
}

void fuzz_model(Text text) {
    put("x.safetensors", text);
    read_model("x.safetensors", text);
}

/* ---- shards ---- */

/* A file of SIZE bytes of data, which are those of DATA over and over. */
static void put_model(const char *name, Text header, Text data, size_t size) {
    Builder file = {0};
    for (int i = 0; i < 8; i++)
        builder_char(&file, (char)((uint64_t)header.size >> (8 * i)));
    builder_add(&file, header);
    for (size_t i = 0; i < size; i++)
        builder_char(&file, data.size > 0 ? data.data[i % data.size] : (char)0);
    put(name, builder_view(&file));
    builder_free(&file);
}

void fuzz_index(Text text) {
    put_model("a.safetensors",
              TEXT("{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},"
                   "\"y\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[2,3]}}"),
              TEXT("1"), 3);
    put_model("b.safetensors",
              TEXT("{\"x\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1]},"
                   "\"z\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[1,2]}}"),
              TEXT("2"), 2);
    put("x.safetensors.index.json", text);
    read_model("x.safetensors.index.json", text);
}

/* ---- the pipeline ---- */

enum { DATA_LIMIT = 1 << 16, MEMORY = 64 << 20 };

static Text next_section(Text *rest) {
    static const char divider[] = "\n====\n";
    const char *end = rest->size > 0 ? memmem(rest->data, rest->size, divider, 6) : NULL;
    Text section = {rest->data, end != NULL ? (size_t)(end - rest->data) : rest->size};
    size_t taken = end != NULL ? section.size + 6 : rest->size;
    *rest = (Text){rest->data + taken, rest->size - taken};
    return section;
}

/* `{…}48 data` */
static void put_section(const char *name, Text section) {
    size_t end = section.size;
    while (end > 0 && section.data[end - 1] != '}')
        end--;
    char *data;
    uint64_t size = strtoull(section.data + end, &data, 10);
    const char *limit = section.data + section.size;
    Text bytes = {data, data < limit ? (size_t)(limit - data) : 0};
    put_model(name, (Text){section.data, end}, bytes, size < DATA_LIMIT ? size : DATA_LIMIT);
}

static bool merge(Text recipe) {
    char path[64];
    path_of("out.safetensors", path);
    const char *folders[] = {folder};
    MechaOptions options = {.output = path,
                            .space = "any",
                            .models_dirs = folders,
                            .n_models_dirs = 1,
                            .threads = 1,
                            .memory = MEMORY,
                            .allow_unused = true,
                            .no_sync = true};
    Engine *engine = mecha_open(&options);
    bool done = mecha_load(engine, TEXT("recipe"), recipe) && mecha_prepare(engine);
    bool prepared = done;
    done = done && mecha_run(engine);
    fuzz_require(done || diag_failed(mecha_diags(engine)), "a failure that nothing was said about",
                 recipe);
    fuzz_require(prepared == done || diag_failed(mecha_diags(engine)), "a plan that fails", recipe);
    mecha_close(engine);
    return done;
}

void fuzz_pipeline(Text text) {
    Arena arena = {0};
    Text rest = text, recipe = text_copy(&arena, next_section(&rest));
    make_folder();
    char out[64];
    path_of("out.safetensors", out);
    unlink(out);
    for (int i = 0; i < 2; i++)
        put_section(names[i], text_copy(&arena, next_section(&rest)));
    if (merge(recipe))
        fuzz_require(read_model("out.safetensors", text), "what was written is no model", text);
    else
        fuzz_require(access(out, F_OK) != 0, "a failed run leaves a file", text);
    arena_free(&arena);
}
