/* Finding and opening the models of a recipe. */
#include "solve/solve.h"

#include "base/file.h"
#include "base/vector.h"
#include "tensor/scales.h"
#include "tensor/shards.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A model by the name that recipes in one folder have for it. */
typedef struct OpenModel {
    Text folder, name;
    const Model *model;
} OpenModel;

struct Sources {
    Arena *arena;
    Diags *diags;
    Configs *configs;
    const char *const *models_dirs;
    size_t n_models_dirs;
    Models *shared; /* NULL: they are closed with this */
    VECTOR(OpenModel) models;
    HashIndex model_index;
};

typedef struct Search {
    Arena *arena;
    Diags *diags;
    VECTOR(Text) folders; /* in order */
    Models *shared;
} Search;

/* 0, or why it cannot be looked at. */
static int look_at(Arena *arena, Text path) {
    struct stat status;
    Text variant;
    if (stat(path.data, &status) == 0)
        return 0;
    int error = errno;
    return error == ENOENT && shards_folder(arena, path, &variant).size > 0 ? 0 : error;
}

/* What stands there and cannot be reached is not looked for elsewhere alone: opening it says why.
 */
static bool stands_there(int error) {
    return error == EACCES || error == ELOOP || error == ENAMETOOLONG || error == EIO;
}

/* The folders of MECHA_MODELS, colon separated. */
static void add_environment(Search *search) {
    const char *list = getenv("MECHA_MODELS");
    while (list != NULL && *list != '\0') {
        size_t length = strcspn(list, ":");
        if (length > 0)
            vector_push(&search->folders, text_copy(search->arena, (Text){list, length}));
        list += length + (list[length] == ':');
    }
}

/* The path of the first file of that name, or an empty text. An absolute name is in any folder what
 * it is. */
static Text find_model(const Search *search, Text name) {
    Text unreachable = TEXT("");
    for (size_t i = 0; i < search->folders.count; i++) {
        Text path = path_join(search->arena, search->folders.items[i], name);
        int error = look_at(search->arena, path);
        if (error == 0)
            return path;
        if (unreachable.size == 0 && stands_there(error))
            unreachable = path;
    }
    return unreachable;
}

/* A web address, or the name that a model has on a hub: OWNER/NAME, which is no file's. */
static bool is_remote(Text name) {
    const char *slash = memchr(name.data, '/', name.size);
    if (slash == NULL || slash == name.data || name.data[0] == '.' || name.data[0] == '~')
        return false;
    Text rest = {slash + 1, (size_t)(name.data + name.size - slash - 1)};
    return (slash[-1] == ':' && text_starts(rest, TEXT("/"))) ||
           (memchr(rest.data, '/', rest.size) == NULL && !text_ends(rest, TEXT(".safetensors")));
}

static void report_missing(const Search *search, Text wanted, Span span) {
    Text shown = text_printable(search->arena, wanted);
    diag_error(search->diags, span, "there is no file '%.*s'", TEXT_ARG(shown));
    for (size_t i = 0; i < search->folders.count; i++) {
        Text path = path_join(search->arena, search->folders.items[i], wanted);
        Text nearest = nearest_file(search->arena, path);
        if (nearest.size > 0) {
            diag_hint(search->diags, "did you mean '%.*s'?",
                      TEXT_ARG(text_printable(search->arena, nearest)));
            return;
        }
    }
    if (text_starts(wanted, TEXT("~")))
        diag_hint(search->diags, "'~' is for shells: a recipe has the whole path");
    else if (search->folders.count > 1)
        diag_hint(search->diags,
                  "looked for beside the recipe, in --models-dir, MECHA_MODELS and here%s",
                  is_remote(wanted) ? "; nothing is downloaded" : "");
}

static const Model *open_model(const Search *search, Text name, Span span) {
    Text path = find_model(search, name);
    if (path.size > 0 && search->shared != NULL)
        return models_open(search->shared, path, search->diags, span);
    if (path.size > 0)
        return model_open(path, search->diags, span);
    report_missing(search, name, span);
    return NULL;
}

/* ---- sources ---- */

Sources *sources_new(Arena *arena, Diags *diags, Library *library, const char *const *models_dirs,
                     size_t n_models_dirs) {
    Sources *sources = arena_new(arena, Sources);
    sources->arena = arena;
    sources->diags = diags;
    sources->configs = configs_new(arena, diags, library);
    sources->models_dirs = models_dirs;
    sources->n_models_dirs = n_models_dirs;
    return sources;
}

void sources_free(Sources *sources) {
    for (size_t i = 0; i < sources->models.count; i++)
        if (sources->models.items[i].model != NULL && sources->shared == NULL)
            model_close((Model *)sources->models.items[i].model);
    vector_free(&sources->models);
    index_free(&sources->model_index);
    configs_free(sources->configs);
}

void sources_share(Sources *sources, Models *models) {
    sources->shared = models;
}

Configs *sources_configs(Sources *sources) {
    return sources->configs;
}

static bool same_model(const void *context, const void *wanted, uint32_t item) {
    const Sources *sources = context;
    const OpenModel *a = &sources->models.items[item], *b = wanted;
    return text_equal(a->name, b->name) && text_equal(a->folder, b->folder);
}

static Search search_from(Sources *sources, Text folder) {
    Search search = {.arena = sources->arena, .diags = sources->diags, .shared = sources->shared};
    vector_push(&search.folders, folder);
    for (size_t i = 0; i < sources->n_models_dirs; i++)
        vector_push(&search.folders, text_from(sources->models_dirs[i]));
    add_environment(&search);
    vector_push(&search.folders, TEXT("."));
    return search;
}

bool sources_has(Sources *sources, Text folder, Text name) {
    Search search = search_from(sources, folder);
    bool found = find_model(&search, name).size > 0;
    vector_free(&search.folders);
    return found;
}

static const Model *search_model(Sources *sources, Text folder, Text name, Span span) {
    Search search = search_from(sources, folder);
    const Model *model = open_model(&search, name, span);
    vector_free(&search.folders);
    return model;
}

const Model *sources_model(Sources *sources, Text folder, Text name, Span span) {
    OpenModel wanted = {folder, name, NULL};
    uint64_t hash = text_hash(name);
    uint32_t found = index_find(&sources->model_index, hash, same_model, sources, &wanted);
    if (found != INDEX_NONE)
        return sources->models.items[found].model;
    wanted.model = search_model(sources, folder, name, span);
    index_add(&sources->model_index, hash, (uint32_t)sources->models.count);
    vector_push(&sources->models, wanted);
    return wanted.model;
}

/* ---- the models of a recipe ---- */

static bool is_input(const Solved *solved, const Model *model) {
    for (uint32_t i = 0; i < solved->n_inputs; i++)
        if (solved->inputs[i] == model)
            return true;
    return false;
}

static void report_scale(const Sources *sources, const Model *model, const Tensor *weight,
                         Span span) {
    Builder what = {0};
    builder_printable(&what, model->path);
    builder_add(&what, TEXT(": '"));
    builder_printable(&what, weight->name);
    builder_format(&what, "' is %.*s ", TEXT_ARG(dtype_info[weight->dtype].name));
    shape_print(&what, &weight->shape);
    builder_add(&what, TEXT(" with the scale '"));
    builder_printable(&what, weight->scale->name);
    builder_format(&what, "', %.*s ", TEXT_ARG(dtype_info[weight->scale->dtype].name));
    shape_print(&what, &weight->scale->shape);
    diag_error(sources->diags, span, "%s: a quantisation that is not known", what.data);
    diag_hint(sources->diags, "known are f8_e4m3 and f8_e5m2 with one scale, or with one for each "
                              "output; convert the model first");
    builder_free(&what);
}

/* What an unknown scale makes of a weight would be a guess. */
static bool check_scales(const Sources *sources, const Model *model, Span span) {
    for (uint32_t i = 0; model->has_scales && i < model->n_tensors; i++)
        if (model->tensors[i].scale != NULL && !scale_is_known(&model->tensors[i])) {
            report_scale(sources, model, &model->tensors[i], span);
            return false;
        }
    return true;
}

/* One that is not there was reported for the first that asked for it. */
bool solve_inputs(Arena *arena, Solved *solved, const SolveOptions *options) {
    const Graph *graph = solved->recipe->graph;
    uint32_t n = graph_count(graph);
    bool ok = true;
    solved->models = arena_array(arena, const Model *, n + 1);
    solved->inputs = arena_array(arena, const Model *, n + 1);
    for (NodeId id = 0; id < n; id++) {
        const Node *node = graph_node(graph, id);
        if (node->kind != NODE_MODEL || !solved->reached[id])
            continue;
        const Model *model =
            sources_model(options->sources, solved->recipe->folder, node->text, node->span);
        solved->models[id] = model;
        ok &= model != NULL && check_scales(options->sources, model, node->span);
        if (model != NULL && !is_input(solved, model))
            solved->inputs[solved->n_inputs++] = model;
    }
    return ok;
}

const Model *const *solved_sources(Arena *arena, const Solved *solved, uint32_t output, size_t *n) {
    const Graph *graph = solved->recipe->graph;
    NodeId node = solved->recipe->outputs[output].node;
    unsigned char *reached = arena_array(arena, unsigned char, graph_count(graph) + 1);
    const Model **sources = arena_array(arena, const Model *, solved->n_inputs + 1);
    graph_reach(graph, &node, 1, reached);
    *n = 0;
    for (uint32_t i = 0; i < solved->n_inputs; i++)
        for (NodeId id = 0; id <= node; id++)
            if (reached[id] && solved->models[id] == solved->inputs[i]) {
                sources[(*n)++] = solved->inputs[i];
                break;
            }
    return sources;
}

void solve_close(Solved *solved) {
    for (uint32_t i = 0; i < solved->n_domains; i++)
        names_free(&solved->domains[i].index);
}
