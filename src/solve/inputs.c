/* Finding and opening the models of a recipe. */
#include "solve/solve.h"

#include "base/file.h"
#include "base/vector.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

typedef struct Search {
    Arena *arena;
    Diags *diags;
    VECTOR(Text) folders; /* in order */
} Search;

static bool exists(Text path) {
    struct stat status;
    return stat(path.data, &status) == 0;
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

/* The path of the first file of that name, or an empty text. */
static Text find_model(const Search *search, Text name) {
    if (name.size > 0 && name.data[0] == '/')
        return exists(text_copy(search->arena, name)) ? text_copy(search->arena, name) : TEXT("");
    for (size_t i = 0; i < search->folders.count; i++) {
        Text path = path_join(search->arena, search->folders.items[i], name);
        if (exists(path))
            return path;
    }
    return TEXT("");
}

/* The entry of a folder whose name is nearest to a file that is not there. */
static Text nearest_file(const Search *search, Text folder, Text name) {
    DIR *stream = opendir(text_copy(search->arena, folder).data);
    VECTOR(Text) names = {0};
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.')
            vector_push(&names, text_copy(search->arena, text_from(entry->d_name)));
    if (stream != NULL)
        closedir(stream);
    Text nearest = nearest_name(name, names.items, names.count);
    vector_free(&names);
    return nearest;
}

static void report_missing(const Search *search, const Node *node) {
    Text shown = text_printable(search->arena, node->text);
    diag_error(search->diags, node->span, "there is no file '%.*s'", TEXT_ARG(shown));
    Text name = path_name(node->text);
    for (size_t i = 0; i < search->folders.count; i++) {
        Text path = path_join(search->arena, search->folders.items[i], node->text);
        Text nearest = nearest_file(search, path_folder(path), name);
        if (nearest.size > 0) {
            diag_hint(search->diags, "did you mean '%.*s'?",
                      TEXT_ARG(text_printable(search->arena, nearest)));
            return;
        }
    }
    if (search->folders.count > 1)
        diag_hint(search->diags,
                  "looked for beside the recipe, in --models-dir, MECHA_MODELS and here");
}

static const Model *open_model(const Search *search, const Node *node) {
    Text path = find_model(search, node->text);
    if (path.size == 0) {
        report_missing(search, node);
        return NULL;
    }
    return model_open(path, search->diags, node->span);
}

static bool same_path(const void *context, const void *wanted, uint32_t item) {
    const Recipe *recipe = context;
    return text_equal(graph_node(recipe->graph, item)->text, *(const Text *)wanted);
}

/* Opens every model that the outputs reach, each path once. */
static void open_all(const Search *search, Solved *solved) {
    const Graph *graph = solved->recipe->graph;
    HashIndex opened = {0}; /* nodes, by path */
    for (NodeId id = 0; id < graph_count(graph); id++) {
        const Node *node = graph_node(graph, id);
        if (node->kind != NODE_MODEL || !solved->reached[id])
            continue;
        uint64_t hash = text_hash(node->text);
        uint32_t same = index_find(&opened, hash, same_path, solved->recipe, &node->text);
        if (same != INDEX_NONE) {
            solved->models[id] = solved->models[same];
            continue;
        }
        index_add(&opened, hash, id);
        solved->models[id] = open_model(search, node);
        if (solved->models[id] != NULL)
            solved->inputs[solved->n_inputs++] = solved->models[id];
    }
    index_free(&opened);
}

bool solve_inputs(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options) {
    size_t errors = diag_errors(diags);
    uint32_t n = graph_count(solved->recipe->graph), n_models = 0;
    for (NodeId id = 0; id < n; id++)
        n_models += graph_node(solved->recipe->graph, id)->kind == NODE_MODEL;
    solved->models = arena_array(arena, const Model *, n + 1);
    solved->inputs = arena_array(arena, const Model *, n_models + 1);
    Search search = {.arena = arena, .diags = diags};
    vector_push(&search.folders, solved->recipe->folder);
    for (size_t i = 0; i < options->n_models_dirs; i++)
        vector_push(&search.folders, text_from(options->models_dirs[i]));
    add_environment(&search);
    vector_push(&search.folders, TEXT("."));
    open_all(&search, solved);
    vector_free(&search.folders);
    return diag_errors(diags) == errors;
}

void solve_close(Solved *solved) {
    for (uint32_t i = 0; i < solved->n_inputs; i++)
        model_close((Model *)solved->inputs[i]);
    solved->n_inputs = 0;
    for (uint32_t i = 0; i < solved->n_domains; i++)
        names_free(&solved->domains[i].index);
    configs_free(solved->configs);
}
