/* The recipe language: trees become nodes; names, parameters, functions and imports are expanded
 * here, once. */
#include "recipe/elaborate.h"

#include "base/file.h"
#include "base/size.h"
#include "syntax/parse.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { BYTES_PER_NODE = 12 /* of a recipe's text, at a guess */ };

/* ---- saves ---- */

static void read_metadata(const Frame *frame, const Ast *option, RecipeOutput *output) {
    Elaborator *elaborator = frame->elaborator;
    const Ast *map = option->a;
    if (map->kind != AST_MAP) {
        diag_error(elaborator->diags, map->span, "metadata is a map: { \"license\": \"…\" }");
        return;
    }
    output->metadata = arena_array(elaborator->arena, MetadataPair, map->n_items + 1);
    for (uint32_t i = 0; i < map->n_items; i++) {
        NodeId value = elaborate_node(frame, map->items[i]->b);
        if (value == NODE_NONE)
            return;
        if (node_of(frame, value)->kind != NODE_STRING) {
            diag_error(elaborator->diags, map->items[i]->b->span, "metadata holds strings");
            return;
        }
        output->metadata[output->n_metadata++] =
            (MetadataPair){map->items[i]->a->text, node_of(frame, value)->text};
    }
}

/* A dtype may be named without quotes, where nothing else has its name. Empty for null. */
static bool read_dtype_name(const Frame *frame, const Ast *value, Text *name) {
    *name = value->text;
    if (value->kind == AST_NAME && frame_find(frame->environment, value->text) == NULL)
        return true;
    NodeId id = elaborate_node(frame, value);
    if (id == NODE_NONE)
        return false;
    const Node *node = node_of(frame, id);
    *name = node->text;
    if (node->kind == NODE_STRING || node->kind == NODE_NULL)
        return true;
    diag_error(frame->elaborator->diags, value->span, "a dtype is a name, such as \"bf16\"");
    return false;
}

static void read_dtype_map(const Frame *frame, const Ast *map, DTypeMap *out) {
    Arena *arena = frame->elaborator->arena;
    MapEntry *keys = arena_array(arena, MapEntry, map->n_items + 1);
    Text *dtypes = arena_array(arena, Text, map->n_items + 1);
    Span *spans = arena_array(arena, Span, map->n_items + 1);
    bool ok = true;
    for (uint32_t i = 0; i < map->n_items; i++) {
        keys[i] = elaborate_pattern(map->items[i]->a);
        spans[i] = map->items[i]->b->span;
        ok &= read_dtype_name(frame, map->items[i]->b, &dtypes[i]);
        if (dtypes[i].size == 0)
            dtypes[i] = TEXT("auto");
    }
    if (map->n_items == 0)
        diag_error(frame->elaborator->diags, map->span, "this map of dtypes is empty");
    if (ok)
        *out = (DTypeMap){keys, dtypes, spans, map->n_items};
}

static void read_save_dtype(const Frame *frame, const Ast *option, RecipeOutput *output) {
    output->dtype_span = option->a->span;
    if (option->a->kind == AST_MAP)
        read_dtype_map(frame, option->a, &output->dtypes);
    else
        read_dtype_name(frame, option->a, &output->dtype);
}

static void read_save_space(const Frame *frame, const Ast *option, RecipeOutput *output) {
    SpaceSet spaces;
    language_word(frame, option, &output->space);
    output->space_span = option->a->span;
    if (output->space.size > 0 && !text_equal(output->space, TEXT("any")))
        language_space(frame, output->space, option->a->span, &spaces);
}

static void read_shard_size(const Frame *frame, const Ast *option, RecipeOutput *output) {
    Text size;
    if (!language_text(frame, option, &size) || size.size == 0)
        return;
    if (!size_parse(size, &output->shard_size) || output->shard_size == 0)
        diag_error(frame->elaborator->diags, option->a->span,
                   "shard_size is a size, as \"500MB\" or \"2G\"");
}

static void read_save_compute(const Frame *frame, const Ast *option, RecipeOutput *output) {
    language_word(frame, option, &output->compute);
    output->compute_span = option->a->span;
}

static void read_flag(const Frame *frame, const Ast *option, bool *flag) {
    NodeId id = elaborate_node(frame, option->a);
    const Node *node = id != NODE_NONE ? node_of(frame, id) : NULL;
    *flag = node != NULL && node->number != 0;
    if (node != NULL && (node->kind != NODE_NUMBER || node->number_kind != NUMBER_BOOL))
        diag_error(frame->elaborator->diags, option->a->span, "'%.*s' is true or false",
                   TEXT_ARG(option->text));
}

static void read_save_keep(const Frame *frame, const Ast *option, RecipeOutput *output) {
    read_flag(frame, option, &output->keep_non_finite);
}

static void read_save_allow(const Frame *frame, const Ast *option, RecipeOutput *output) {
    read_flag(frame, option, &output->allow_unused);
}

static const struct {
    Text name;
    void (*read)(const Frame *frame, const Ast *option, RecipeOutput *output);
} save_options[] = {
    {{"dtype", 5}, read_save_dtype},         {{"space", 5}, read_save_space},
    {{"shard_size", 10}, read_shard_size},   {{"metadata", 8}, read_metadata},
    {{"compute", 7}, read_save_compute},     {{"keep_non_finite", 15}, read_save_keep},
    {{"allow_unused", 12}, read_save_allow},
};

enum { N_SAVE_OPTIONS = sizeof save_options / sizeof *save_options };

static void read_save_option(const Frame *frame, const Ast *option, RecipeOutput *output) {
    Diags *diags = frame->elaborator->diags;
    Text names[N_SAVE_OPTIONS];
    for (size_t i = 0; i < N_SAVE_OPTIONS; i++) {
        names[i] = save_options[i].name;
        if (text_equal(option->text, names[i])) {
            save_options[i].read(frame, option, output);
            return;
        }
    }
    diag_error(diags, option->name_span, "'save' has no option '%.*s'", TEXT_ARG(option->text));
    Text nearest = nearest_name(option->text, names, N_SAVE_OPTIONS);
    if (nearest.size > 0)
        diag_hint(diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    else
        diag_hint(diags,
                  "dtype, space, shard_size, metadata, compute, keep_non_finite or allow_unused");
}

/* Without a path the file is named by -o. */
static void read_path(const Frame *frame, const Ast *ast, RecipeOutput *output) {
    NodeId path = ast != NULL ? elaborate_node(frame, ast) : NODE_NONE;
    if (path == NODE_NONE)
        return;
    output->path_span = ast->span;
    output->path = node_of(frame, path)->text;
    if (node_of(frame, path)->kind != NODE_STRING)
        diag_error(frame->elaborator->diags, ast->span, "a path is a string");
}

static void run_save(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    if (frame->file->imported) {
        diag_error(elaborator->diags, ast->span, "an imported file may not save");
        return;
    }
    RecipeOutput output = {.node = elaborate_node(frame, ast->a), .span = ast->a->span};
    read_path(frame, ast->b, &output);
    for (uint32_t i = 0; i < ast->n_items; i++)
        read_save_option(frame, ast->items[i], &output);
    vector_push(&elaborator->outputs, output);
}

/* ---- imports ---- */

static File *read_file(Elaborator *elaborator, Text path, uint32_t source, bool imported);

static Item module_item(const File *file) {
    return (Item){.kind = ITEM_MODULE, .node = NODE_NONE, .module = file};
}

static const File *find_file(const Elaborator *elaborator, Text path) {
    for (size_t i = 0; i < elaborator->files.count; i++)
        if (text_equal(elaborator->files.items[i]->path, path))
            return elaborator->files.items[i];
    return NULL;
}

/* Imports are relative to the file that has them: in a session that may be one of several. */
static Text import_folder(const Frame *frame, const Ast *ast) {
    const Source *source = diags_find(frame->elaborator->diags, ast->span.source);
    if (source->parts == NULL || frame->file->imported)
        return frame->file->folder;
    Text part = source_part(source, ast->span.begin);
    return text_starts(part, TEXT("<")) ? frame->file->folder : path_folder(part);
}

static void run_import(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    Text path = path_join(elaborator->arena, import_folder(frame, ast), ast->a->text);
    const File *known = find_file(elaborator, path);
    if (known != NULL && known->reading) {
        diag_error(elaborator->diags, ast->a->span, "'%.*s' is being imported already",
                   TEXT_ARG(path));
        diag_hint(elaborator->diags, "imports may not go in circles");
        frame_bind(frame, ast->text, ast->name_span, poison);
        return;
    }
    if (known != NULL) {
        frame_bind(frame, ast->text, ast->name_span, module_item(known));
        return;
    }
    Text text;
    int error;
    if (!file_read(elaborator->arena, path, FILE_TEXT_LIMIT, &text, &error)) {
        diag_error(elaborator->diags, ast->a->span, "cannot read '%.*s': %s", TEXT_ARG(path),
                   strerror(error));
        if (error == EFBIG)
            diag_hint(elaborator->diags, "a text of %d bytes is the largest that is read",
                      FILE_TEXT_LIMIT);
        Text nearest = error == ENOENT ? nearest_file(elaborator->arena, path) : TEXT("");
        if (nearest.size > 0)
            diag_hint(elaborator->diags, "did you mean '%.*s'?",
                      TEXT_ARG(text_printable(elaborator->arena, nearest)));
        frame_bind(frame, ast->text, ast->name_span, poison);
        return;
    }
    uint32_t source = diags_source(elaborator->diags, path, text);
    frame_bind(frame, ast->text, ast->name_span,
               module_item(read_file(elaborator, path, source, true)));
}

/* ---- statements ---- */

static Item run_statement(const Frame *frame, const Ast *statement) {
    switch (statement->kind) {
    case AST_BIND: {
        Item item = elaborate_expression(frame, statement->a);
        if (item.kind == ITEM_NODE && node_of(frame, item.node)->kind == NODE_CALL) {
            SpaceSet spaces;
            build_settle(frame->elaborator->build, item.node, &spaces);
        }
        frame_bind(frame, statement->text, statement->name_span, item);
        return poison;
    }
    case AST_PARAM:
        elaborate_parameter(frame, statement);
        return poison;
    case AST_IMPORT:
        run_import(frame, statement);
        return poison;
    case AST_SAVE:
        run_save(frame, statement);
        return poison;
    case AST_DEF:
    case AST_METHOD:
    case AST_CONFIG:
    case AST_TEMPLATE:
    case AST_CONVERSION:
    case AST_ERROR:
        return poison; /* definitions are known already (library_scope) */
    default:
        return elaborate_expression(frame, statement);
    }
}

/* The value of the last statement, if that is an expression. */
Item elaborate_statements(const Frame *frame, Ast *const *statements, uint32_t n) {
    Item last = poison;
    for (uint32_t i = 0; i < n; i++)
        last = run_statement(frame, statements[i]);
    return last;
}

static bool is_expression(const Ast *statement) {
    return statement->kind < AST_BLOCK;
}

/* What is no model yet, as the sum of two, is looked at when it is. */
static void add_looks(Elaborator *elaborator, Item item, Span span, bool bound) {
    for (uint32_t i = 0; item.kind == ITEM_LIST && i < item.n_items; i++)
        add_looks(elaborator, item.items[i], span, bound);
    if (item.kind != ITEM_NODE || (bound && !build_is_settled(elaborator->build, item.node)))
        return;
    RecipeOutput output = {.node = item.node, .span = span, .space = TEXT("any")};
    vector_push(&elaborator->outputs, output);
}

/* Of a session only the last statement counts. */
static void look_at(const Frame *frame, const Ast *final, Item last) {
    static const ResultKind kinds[] = {RESULT_NONE, RESULT_VALUE, RESULT_LIST, RESULT_IMPORT};
    Elaborator *elaborator = frame->elaborator;
    size_t n_saves = elaborator->outputs.count;
    if (final->kind == AST_SAVE && n_saves > 0) {
        elaborator->outputs.items[0] = elaborator->outputs.items[n_saves - 1];
        elaborator->outputs.count = 1;
        return;
    }
    elaborator->outputs.count = 0;
    const Binding *bound =
        final->kind == AST_BIND ? environment_find(frame->environment, final->text) : NULL;
    Item item = bound != NULL ? bound->item : last;
    elaborator->recipe->result = kinds[item.kind];
    add_looks(elaborator, item, final->span, bound != NULL);
}

static File *read_file(Elaborator *elaborator, Text path, uint32_t source, bool imported) {
    const Ast *ast =
        parse_recipe_apart(elaborator->arena, &elaborator->trees, elaborator->diags, source);
    File *file = arena_new(elaborator->arena, File);
    *file = (File){.path = path,
                   .folder = imported ? path_folder(path) : elaborator->options->folder,
                   .scope = library_scope(elaborator->recipe->library, ast),
                   .imported = imported};
    elaborator->defines |= file->scope->n_definitions > 0;
    vector_push(&elaborator->files, file);
    if (!imported)
        elaborator->recipe->scope = file->scope;
    Frame frame = {.elaborator = elaborator, .file = file, .environment = &file->environment};
    file->reading = true;
    Item last = elaborate_statements(&frame, ast->items, ast->n_items);
    file->reading = false;
    const Ast *final = ast->n_items > 0 ? ast->items[ast->n_items - 1] : NULL;
    if (elaborator->options->looks && !imported && final != NULL)
        look_at(&frame, final, last);
    if (elaborator->options->looks || imported || final == NULL || !is_expression(final))
        return file;
    if (elaborator->outputs.count > 0) {
        diag_error(elaborator->diags, final->span,
                   "this value is not used: the recipe saves its results");
        return file;
    }
    NodeId node = last.kind == ITEM_POISON ? NODE_NONE : item_node(&frame, last, final->span);
    vector_push(&elaborator->outputs, (RecipeOutput){.node = node, .span = final->span});
    return file;
}

static void elaborate_recipe(Elaborator *elaborator, uint32_t source) {
    Recipe *recipe = elaborator->recipe;
    read_file(elaborator, diags_find(elaborator->diags, source)->name, source, false);
    elaborate_check_settings(elaborator);
    recipe->n_outputs = (uint32_t)elaborator->outputs.count;
    recipe->outputs = arena_copy(elaborator->arena, elaborator->outputs.items,
                                 recipe->n_outputs * sizeof *recipe->outputs);
    recipe->n_names = (uint32_t)elaborator->names.count;
    recipe->names = arena_copy(elaborator->arena, elaborator->names.items,
                               recipe->n_names * sizeof *recipe->names);
    recipe->n_expansions = (uint32_t)elaborator->expansions.count;
    recipe->expansions = arena_copy(elaborator->arena, elaborator->expansions.items,
                                    recipe->n_expansions * sizeof *recipe->expansions);
    recipe->n_parameters = (uint32_t)elaborator->parameters.count;
    recipe->parameters = arena_copy(elaborator->arena, elaborator->parameters.items,
                                    recipe->n_parameters * sizeof *recipe->parameters);
}

/* A function of the library called with nodes, each under a name of its own. */
static NodeId call_with_nodes(void *context, const Definition *function, const Argument *arguments,
                              uint32_t n, Span span) {
    Elaborator *elaborator = context;
    const File *file = elaborator_file(elaborator, function);
    Frame frame = {
        .elaborator = elaborator, .file = file, .environment = environment_new(elaborator, NULL)};
    Ast callee = {.kind = AST_NAME, .text = function->name, .span = span};
    Ast call = {.kind = AST_CALL, .a = &callee, .n_items = n, .span = span};
    call.items = arena_array(elaborator->arena, Ast *, n + 1);
    for (uint32_t i = 0; i < n; i++) {
        Ast *name = arena_new(elaborator->arena, Ast), *given = arena_new(elaborator->arena, Ast);
        *name = (Ast){.kind = AST_NAME,
                      .text = text_format(elaborator->arena, "&%u", i),
                      .span = arguments[i].span};
        *given = (Ast){.kind = AST_ARGUMENT,
                       .text = arguments[i].name,
                       .a = name,
                       .span = arguments[i].span,
                       .name_span = arguments[i].name_span};
        call.items[i] = given;
        frame_bind(&frame, name->text, name->span, item_of(arguments[i].node));
    }
    Item result = elaborate_function(&frame, &call, function);
    return result.kind == ITEM_POISON ? NODE_NONE : item_node(&frame, result, span);
}

/* Of a recipe that defines nothing, the trees have served; they are large. */
static void free_elaborator(Elaborator *elaborator) {
    if (elaborator->defines)
        arena_join(elaborator->arena, &elaborator->trees);
    else
        arena_free(&elaborator->trees);
    for (size_t i = 0; i < elaborator->environments.count; i++) {
        vector_free(&elaborator->environments.items[i]->bindings);
        index_free(&elaborator->environments.items[i]->index);
    }
    for (size_t i = 0; i < elaborator->files.count; i++) {
        vector_free(&elaborator->files.items[i]->environment.bindings);
        index_free(&elaborator->files.items[i]->environment.index);
    }
    vector_free(&elaborator->environments);
    vector_free(&elaborator->files);
    vector_free(&elaborator->outputs);
    vector_free(&elaborator->parameters);
    vector_free(&elaborator->names);
    vector_free(&elaborator->expansions);
    vector_free(&elaborator->arguments);
}

/* What is asked of a recipe whose masses are wrong. */
typedef struct MassQuestion {
    const Recipe *recipe;
    const ConfigQuestions *configs;
    Diags *diags;
} MassQuestion;

/* Of the models that only operators stand before, one may be a network, taken for a model. */
static void say_networks(void *context, NodeId id) {
    const MassQuestion *question = context;
    const ConfigQuestions *configs = question->configs;
    const Graph *graph = question->recipe->graph;
    bool *reached = memory_grow(NULL, id + 1);
    memset(reached, false, id + 1);
    reached[id] = true;
    Text network = {NULL, 0};
    for (NodeId at = id + 1; at-- > 0 && network.size == 0;) {
        const Node *node = graph_node(graph, at);
        for (uint32_t i = 0; reached[at] && node->kind == NODE_OPERATOR && i < node->n_operands;
             i++)
            reached[graph_operands(graph, at)[i]] = true;
        if (reached[at] && node->kind == NODE_MODEL)
            network = configs->network(configs->context, question->recipe, at);
        if (network.size > 0)
            diag_note(question->diags, node->span,
                      "this is a '%.*s': apply(model, network, strength) adds it to a model",
                      TEXT_ARG(network));
    }
    free(reached);
}

/* Every output must be a model or a parameter, not an affine combination of another mass; what is
 * only looked at may be anything. */
static void settle_outputs(Recipe *recipe, bool looks) {
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        const RecipeOutput *output = &recipe->outputs[i];
        SpaceSet spaces;
        if (output->node == NODE_NONE || !build_settle(recipe->build, output->node, &spaces))
            continue;
        if (!looks && graph_node(recipe->graph, output->node)->kind != NODE_NUMBER)
            build_demand_model(recipe->build, output->node, "a result is a model, not",
                               output->span);
    }
}

Recipe *elaborate(Arena *arena, Diags *diags, Library *library, uint32_t source,
                  const ElaborateOptions *options) {
    Recipe *recipe = arena_new(arena, Recipe);
    recipe->graph = graph_new(arena);
    recipe->library = library;
    recipe->build = build_new(arena, recipe->graph, library, diags);
    recipe->folder = options->folder;
    MassQuestion question = {recipe, options->configs, diags};
    build_on_mass(recipe->build, say_networks, &question);
    size_t errors = diag_errors(diags);
    const Source *text = diags_find(diags, source);
    build_reserve(recipe->build, text->text.size / BYTES_PER_NODE);
    Elaborator elaborator = {.arena = arena,
                             .diags = diags,
                             .build = recipe->build,
                             .recipe = recipe,
                             .options = options,
                             .setting_used = arena_array(arena, bool, options->n_settings + 1)};
    if (source_dialect(text->text) == DIALECT_INSTRUCTIONS) {
        recipe->is_list = true;
        recipe->scope = library_scope(library, &(Ast){.kind = AST_FILE});
        elaborate_instructions(arena, diags, recipe, source, call_with_nodes, &elaborator);
        elaborate_check_settings(&elaborator);
    } else {
        elaborate_recipe(&elaborator, source);
    }
    free_elaborator(&elaborator);
    if (diag_errors(diags) == errors && recipe->n_outputs == 0 && !options->looks)
        diag_error(diags, SPAN_NONE,
                   "%.*s makes nothing: it ends in no expression and saves nothing",
                   TEXT_ARG(text->name));
    settle_outputs(recipe, options->looks);
    build_on_mass(recipe->build, NULL, NULL);
    if (diag_errors(diags) == errors)
        return recipe;
    build_free(recipe->build);
    graph_free(recipe->graph);
    return NULL;
}
