/* The recipe language: trees become nodes; names, parameters, functions and imports are expanded
 * here, once. */
#include "recipe/recipe.h"

#include "base/file.h"
#include "base/map.h"
#include "base/vector.h"
#include "kernel/kernel.h"
#include "syntax/parse.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    EXPANSION_LIMIT = 100, /* functions calling functions */
    ITEMS_LIMIT = 1000000, /* of one list */
    STEPS_LIMIT = 5000000, /* expressions evaluated and items listed: bounds time and memory */
    BYTES_PER_NODE = 12,   /* of a recipe's text, at a guess */
};

/* ---- values of the language ---- */

typedef struct File File;

typedef enum ItemKind { ITEM_POISON, ITEM_NODE, ITEM_LIST, ITEM_MODULE } ItemKind;

typedef struct Item {
    ItemKind kind;
    NodeId node;
    const struct Item *items;
    uint32_t n_items;
    const File *module;
} Item;

static const Item poison = {.kind = ITEM_POISON, .node = NODE_NONE};

typedef struct Binding {
    Text name;
    Span span;
    Item item;
} Binding;

/* Names bound in a block, in front of those around it. */
typedef struct Environment {
    const struct Environment *outer;
    VECTOR(Binding) bindings;
    HashIndex index;
} Environment;

/* A recipe file or an import. */
struct File {
    Text path;
    Text folder;
    const Scope *scope;
    Environment environment;
    bool imported;
    bool reading; /* its statements are being run */
};

typedef struct Elaborator {
    Arena *arena;
    Diags *diags;
    Build *build;
    Recipe *recipe;
    const ElaborateOptions *options;
    bool *setting_used;
    VECTOR(File *) files; /* all of them, with those being read on top */
    VECTOR(Environment *) environments;
    VECTOR(RecipeOutput) outputs;
    VECTOR(RecipeParameter) parameters;
    uint64_t steps;
} Elaborator;

/* Where an expression is evaluated. */
typedef struct Frame {
    Elaborator *elaborator;
    const File *file;
    Environment *environment;
    const Definition *definition; /* the function being expanded, or NULL */
    const struct Frame *caller;
    uint32_t depth;
} Frame;

static Item evaluate(const Frame *frame, const Ast *ast);
static NodeId evaluate_node(const Frame *frame, const Ast *ast);

static Item item_of(NodeId node) {
    return node == NODE_NONE ? poison : (Item){.kind = ITEM_NODE, .node = node};
}

static const Node *node_of(const Frame *frame, NodeId id) {
    return graph_node(frame->elaborator->recipe->graph, id);
}

/* Counts STEPS. False when the recipe asks for too much, and a message the first time. */
static bool spend(const Frame *frame, Span span, uint64_t steps) {
    Elaborator *elaborator = frame->elaborator;
    bool before = elaborator->steps <= STEPS_LIMIT;
    elaborator->steps += steps;
    bool enough = elaborator->steps <= STEPS_LIMIT;
    if (before && !enough)
        diag_error(elaborator->diags, span, "the recipe expands to more than %d expressions",
                   STEPS_LIMIT);
    return enough;
}

/* Whether a list may have COUNT items. */
static bool may_list(const Frame *frame, Span span, double count) {
    if (count <= ITEMS_LIMIT)
        return count <= 0 || spend(frame, span, (uint64_t)count);
    diag_error(frame->elaborator->diags, span, "a list has %d items at most", ITEMS_LIMIT);
    return false;
}

/* ---- names ---- */

static bool same_binding(const void *context, const void *wanted, uint32_t item) {
    const Environment *environment = context;
    return text_equal(environment->bindings.items[item].name, *(const Text *)wanted);
}

static const Binding *find_local(const Environment *environment, Text name) {
    uint32_t at =
        index_find(&environment->index, text_hash(name), same_binding, environment, &name);
    return at == INDEX_NONE ? NULL : &environment->bindings.items[at];
}

static const Binding *find_binding(const Environment *environment, Text name) {
    for (; environment != NULL; environment = environment->outer) {
        const Binding *found = find_local(environment, name);
        if (found != NULL)
            return found;
    }
    return NULL;
}

static void bind(const Frame *frame, Text name, Span span, Item item) {
    const Binding *before = find_local(frame->environment, name);
    if (before != NULL) {
        Diags *diags = frame->elaborator->diags;
        diag_error(diags, span, "'%.*s' is bound already", TEXT_ARG(name));
        diag_hint(diags, "a name is bound once; choose another");
        diag_note(diags, before->span, "first bound here");
        return;
    }
    index_add(&frame->environment->index, text_hash(name),
              (uint32_t)frame->environment->bindings.count);
    vector_push(&frame->environment->bindings, (Binding){name, span, item});
}

static Environment *new_environment(Elaborator *elaborator, const Environment *outer) {
    Environment *environment = arena_new(elaborator->arena, Environment);
    environment->outer = outer;
    vector_push(&elaborator->environments, environment);
    return environment;
}

/* Whether a function is being expanded already, here or in a caller. */
static bool is_active(const Frame *frame, const Definition *definition) {
    for (; frame != NULL; frame = frame->caller)
        if (frame->definition == definition)
            return true;
    return false;
}

/* What a called name stands for. Inside its own body a function's name means what it hides. */
static const Definition *find_callee(const Frame *frame, const Scope *scope, Text name,
                                     bool *recursive) {
    *recursive = false;
    const Definition *found = scope_find(scope, DEFINITION_FUNCTION, name);
    if (found != NULL && is_active(frame, found)) {
        *recursive = true;
        const Definition *hidden = library_find(scope->library, DEFINITION_FUNCTION, name);
        found = hidden != found && hidden != NULL && !is_active(frame, hidden) ? hidden : NULL;
    }
    return found != NULL ? found : scope_find(scope, DEFINITION_METHOD, name);
}

/* Every name that could have been meant, for suggestions. */
static Text nearest_visible(const Frame *frame, Text name) {
    VECTOR(Text) names = {0};
    for (const Environment *at = frame->environment; at != NULL; at = at->outer)
        for (size_t i = 0; i < at->bindings.count; i++)
            vector_push(&names, at->bindings.items[i].name);
    vector_push(&names, TEXT("model"));
    Text method = scope_nearest(frame->file->scope, DEFINITION_METHOD, name);
    Text function = scope_nearest(frame->file->scope, DEFINITION_FUNCTION, name);
    vector_push(&names, method);
    vector_push(&names, function);
    Text nearest = nearest_name(name, names.items, names.count);
    vector_free(&names);
    return nearest;
}

static Item unknown_name(const Frame *frame, const Ast *ast, const char *what) {
    Diags *diags = frame->elaborator->diags;
    diag_error(diags, ast->span, "unknown %s '%.*s'", what, TEXT_ARG(ast->text));
    Text nearest = nearest_visible(frame, ast->text);
    if (nearest.size > 0)
        diag_hint(diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return poison;
}

static Item evaluate_name(const Frame *frame, const Ast *ast) {
    const Binding *binding = find_binding(frame->environment, ast->text);
    if (binding != NULL)
        return binding->item;
    bool recursive;
    const Definition *callee = find_callee(frame, frame->file->scope, ast->text, &recursive);
    if (callee == NULL)
        return unknown_name(frame, ast, "name");
    Diags *diags = frame->elaborator->diags;
    diag_error(diags, ast->span, "'%.*s' is a %s, not a value", TEXT_ARG(ast->text),
               callee->kind == DEFINITION_METHOD ? "merge method" : "function");
    diag_hint(diags, "call it: %.*s(…)", TEXT_ARG(ast->text));
    return poison;
}

/* ---- lists ---- */

typedef VECTOR(Item) ItemVector;

static Item list_of(Elaborator *elaborator, ItemVector *items) {
    Item list = {.kind = ITEM_LIST, .node = NODE_NONE, .n_items = (uint32_t)items->count};
    list.items = arena_copy(elaborator->arena, items->items, items->count * sizeof *items->items);
    vector_free(items);
    return list;
}

static Item evaluate_list(const Frame *frame, const Ast *ast) {
    ItemVector items = {0};
    for (uint32_t i = 0; i < ast->n_items; i++)
        vector_push(&items, evaluate(frame, ast->items[i]));
    return list_of(frame->elaborator, &items);
}

/* A truth value that is known while the recipe is read. */
static bool evaluate_condition(const Frame *frame, const Ast *ast, bool *truth) {
    NodeId id = evaluate_node(frame, ast);
    if (id == NODE_NONE)
        return false;
    const Node *node = node_of(frame, id);
    *truth = node->kind == NODE_NUMBER && node->number != 0;
    if (node->kind == NODE_NUMBER)
        return true;
    diag_error(frame->elaborator->diags, ast->span, "a condition is a number or a truth value");
    diag_hint(frame->elaborator->diags, "what depends on a model's values is for merge methods");
    return false;
}

static Item evaluate_comprehension(const Frame *frame, const Ast *ast) {
    Item source = evaluate(frame, ast->b);
    if (source.kind == ITEM_POISON)
        return poison;
    if (source.kind != ITEM_LIST) {
        diag_error(frame->elaborator->diags, ast->b->span, "'for … in' goes over a list");
        return poison;
    }
    ItemVector items = {0};
    bool failed = false;
    for (uint32_t i = 0; i < source.n_items && !failed; i++) {
        Frame inner = *frame;
        inner.environment = new_environment(frame->elaborator, frame->environment);
        bind(&inner, ast->text, ast->name_span, source.items[i]);
        bool wanted = true;
        failed = ast->c != NULL && !evaluate_condition(&inner, ast->c, &wanted);
        failed = failed || !spend(frame, ast->span, 1);
        if (wanted && !failed)
            vector_push(&items, evaluate(&inner, ast->a));
    }
    Item list = list_of(frame->elaborator, &items);
    return failed ? poison : list;
}

/* ---- maps ---- */

static bool read_pattern(const Frame *frame, const Ast *pattern, MapEntry *entry) {
    *entry = (MapEntry){.first = pattern->text, .span = pattern->span};
    switch (pattern->kind) {
    case AST_STRING:
        entry->kind = ENTRY_GLOB;
        return true;
    case AST_NAME:
        entry->kind = ENTRY_BLOCK;
        return true;
    case AST_RANGE:
        entry->kind = ENTRY_RANGE;
        entry->first = pattern->a->text;
        entry->last = pattern->b->text;
        return true;
    default:
        diag_error(frame->elaborator->diags, pattern->span,
                   "a map's entries are for block names, ranges of them, or \"globs\" over keys");
        return false;
    }
}

static Item evaluate_map(const Frame *frame, const Ast *ast) {
    MapEntry *entries = arena_array(frame->elaborator->arena, MapEntry, ast->n_items + 1);
    NodeId *values = arena_array(frame->elaborator->arena, NodeId, ast->n_items + 1);
    bool failed = false;
    for (uint32_t i = 0; i < ast->n_items; i++) {
        failed |= !read_pattern(frame, ast->items[i]->a, &entries[i]);
        values[i] = evaluate_node(frame, ast->items[i]->b);
        failed |= values[i] == NODE_NONE;
    }
    if (failed)
        return poison;
    return item_of(
        build_map(frame->elaborator->build, entries, values, ast->n_items, TEXT(""), 0, ast->span));
}

/* ---- operators ---- */

static NodeId one_node(const Frame *frame, Item item, Span span) {
    if (item.kind == ITEM_LIST) {
        diag_error(frame->elaborator->diags, span, "a list cannot be used here");
        diag_hint(frame->elaborator->diags,
                  "index it: x[0], or give it to a method that takes several models");
    } else if (item.kind == ITEM_MODULE) {
        diag_error(frame->elaborator->diags, span, "an import cannot be used here");
        diag_hint(frame->elaborator->diags, "name what is wanted of it: m.name");
    }
    return item.kind == ITEM_NODE ? item.node : NODE_NONE;
}

static NodeId evaluate_node(const Frame *frame, const Ast *ast) {
    return one_node(frame, evaluate(frame, ast), ast->span);
}

static Item join_lists(const Frame *frame, Item a, Item b, Span span) {
    ItemVector items = {0};
    if (!may_list(frame, span, (double)a.n_items + b.n_items))
        return poison;
    for (uint32_t i = 0; i < a.n_items; i++)
        vector_push(&items, a.items[i]);
    for (uint32_t i = 0; i < b.n_items; i++)
        vector_push(&items, b.items[i]);
    return list_of(frame->elaborator, &items);
}

/* `and` and `or` look at their right side only if it matters. */
static bool short_cut(const Frame *frame, AstOp op, Item left) {
    if ((op != AST_AND && op != AST_OR) || left.kind != ITEM_NODE)
        return false;
    const Node *node = node_of(frame, left.node);
    return node->kind == NODE_NUMBER && (node->number != 0) == (op == AST_OR);
}

/* Chains lean to the left and may be long: down the spine, then up again. */
static Item evaluate_binary(const Frame *frame, const Ast *ast) {
    VECTOR(const Ast *) spine = {0};
    for (; ast->kind == AST_BINARY; ast = ast->a)
        vector_push(&spine, ast);
    Item left = evaluate(frame, ast);
    while (spine.count > 0) {
        const Ast *step = spine.items[--spine.count];
        if (short_cut(frame, step->op, left)) {
            left = item_of(build_number(frame->elaborator->build, step->op == AST_OR, NUMBER_BOOL,
                                        step->span));
            continue;
        }
        Item right = evaluate(frame, step->b);
        if (step->op == AST_ADD && left.kind == ITEM_LIST && right.kind == ITEM_LIST) {
            left = join_lists(frame, left, right, step->span);
            continue;
        }
        NodeId a = one_node(frame, left, step->a->span), b = one_node(frame, right, step->b->span);
        left = item_of(build_operator(frame->elaborator->build, step->op, a, b, step->span));
    }
    vector_free(&spine);
    return left;
}

static Item evaluate_if(const Frame *frame, const Ast *ast) {
    bool truth;
    if (!evaluate_condition(frame, ast->a, &truth))
        return poison;
    return evaluate(frame, truth ? ast->b : ast->c);
}

static Item evaluate_index(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    Item subject = evaluate(frame, ast->a);
    if (subject.kind == ITEM_POISON || ast->n_items != 1) {
        if (subject.kind != ITEM_POISON)
            diag_error(elaborator->diags, ast->span, "one index is wanted here");
        return poison;
    }
    NodeId index = evaluate_node(frame, ast->items[0]);
    if (index == NODE_NONE)
        return poison;
    const Node *node = node_of(frame, index);
    if (subject.kind == ITEM_LIST) {
        double at = node->kind == NODE_NUMBER ? node->number : NAN;
        if (at < 0)
            at += subject.n_items;
        if (at >= 0 && at < subject.n_items && at == trunc(at))
            return subject.items[(uint32_t)at];
        diag_error(elaborator->diags, ast->items[0]->span, "a list of %u is indexed from 0 to %d",
                   subject.n_items, (int)subject.n_items - 1);
        return poison;
    }
    if (node->kind != NODE_STRING) {
        diag_error(elaborator->diags, ast->items[0]->span,
                   "a model is indexed by a \"glob\" over its keys");
        return poison;
    }
    NodeId model = one_node(frame, subject, ast->a->span);
    return item_of(build_keep(elaborator->build, model, node->text, ast->span));
}

static void hint_value(const Elaborator *elaborator, const File *file, Text name) {
    VECTOR(Text) names = {0};
    for (size_t i = 0; i < file->environment.bindings.count; i++)
        vector_push(&names, file->environment.bindings.items[i].name);
    Text nearest = nearest_name(name, names.items, names.count);
    if (nearest.size > 0)
        diag_hint(elaborator->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    vector_free(&names);
}

static Item evaluate_member(const Frame *frame, const Ast *ast) {
    Item subject = evaluate(frame, ast->a);
    if (subject.kind == ITEM_MODULE) {
        const Binding *found = find_local(&subject.module->environment, ast->text);
        if (found != NULL)
            return found->item;
        diag_error(frame->elaborator->diags, ast->name_span, "'%.*s' has no value '%.*s'",
                   TEXT_ARG(subject.module->path), TEXT_ARG(ast->text));
        hint_value(frame->elaborator, subject.module, ast->text);
        return poison;
    }
    NodeId model = one_node(frame, subject, ast->a->span);
    return item_of(build_component(frame->elaborator->build, model, ast->text, ast->span));
}

/* ---- calls ---- */

typedef VECTOR(Argument) ArgumentVector;

static void add_argument(const Frame *frame, ArgumentVector *arguments, const Ast *ast, Item item) {
    if (item.kind == ITEM_LIST && ast->text.size == 0) {
        for (uint32_t i = 0; i < item.n_items; i++)
            add_argument(frame, arguments, ast, item.items[i]);
        return;
    }
    NodeId node = one_node(frame, item, ast->a->span);
    vector_push(arguments, (Argument){ast->text, ast->name_span, ast->a->span, node});
}

static Item call_method(const Frame *frame, const Ast *ast, const Method *method) {
    ArgumentVector arguments = {0};
    for (uint32_t i = 0; i < ast->n_items; i++)
        add_argument(frame, &arguments, ast->items[i], evaluate(frame, ast->items[i]->a));
    NodeId id = build_call(frame->elaborator->build, method, arguments.items,
                           (uint32_t)arguments.count, ast->span);
    vector_free(&arguments);
    return item_of(id);
}

/* The file that a definition stands in: its other names are looked up there. */
static const File *file_of(Elaborator *elaborator, const Definition *definition) {
    for (size_t i = 0; i < elaborator->files.count; i++)
        if (elaborator->files.items[i]->scope == definition->scope)
            return elaborator->files.items[i];
    File *file = arena_new(elaborator->arena, File);
    file->path = TEXT("<stdlib>");
    file->scope = definition->scope;
    file->imported = true;
    vector_push(&elaborator->files, file);
    return file;
}

static bool is_library(const File *file) {
    return text_equal(file->path, TEXT("<stdlib>"));
}

/* The formal of that name, or of that position; -1 where there is none. */
static int find_formal(const Ast *function, Text name, uint32_t position) {
    for (uint32_t i = 0; i < function->n_items; i++) {
        const Ast *formal = function->items[i];
        if (name.size > 0 ? text_equal(formal->text, name)
                          : i == position || (formal->variadic && i < position))
            return (int)i;
    }
    return -1;
}

static void bad_argument(const Frame *frame, const Definition *callee, const Ast *argument) {
    Diags *diags = frame->elaborator->diags;
    const Ast *function = callee->syntax;
    if (argument->text.size == 0) {
        diag_error(diags, argument->span, "'%.*s' takes %u argument%s", TEXT_ARG(callee->name),
                   function->n_items, function->n_items == 1 ? "" : "s");
    } else {
        diag_error(diags, argument->name_span, "'%.*s' has no parameter '%.*s'",
                   TEXT_ARG(callee->name), TEXT_ARG(argument->text));
        Text *names = arena_array(frame->elaborator->arena, Text, function->n_items + 1);
        for (uint32_t i = 0; i < function->n_items; i++)
            names[i] = function->items[i]->text;
        Text nearest = nearest_name(argument->text, names, function->n_items);
        if (nearest.size > 0)
            diag_hint(diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    }
    diag_note(diags, callee->span, "defined here");
}

/* Binds the arguments of a function in INNER. */
static bool bind_formals(const Frame *frame, const Ast *ast, const Definition *callee,
                         const Frame *inner) {
    const Ast *function = callee->syntax;
    Item *given = arena_array(frame->elaborator->arena, Item, function->n_items + 1);
    bool *is_given = arena_array(frame->elaborator->arena, bool, function->n_items + 1);
    ItemVector variadic = {0};
    bool failed = false;
    for (uint32_t i = 0, position = 0; i < ast->n_items; i++) {
        const Ast *argument = ast->items[i];
        Item value = evaluate(frame, argument->a);
        int at = find_formal(function, argument->text, argument->text.size == 0 ? position++ : 0);
        if (at < 0 || (is_given[at] && !function->items[at]->variadic)) {
            bad_argument(frame, callee, argument);
            failed = true;
            continue;
        }
        if (function->items[at]->variadic && value.kind == ITEM_LIST)
            for (uint32_t k = 0; k < value.n_items; k++)
                vector_push(&variadic, value.items[k]);
        else if (function->items[at]->variadic)
            vector_push(&variadic, value);
        given[at] = value;
        is_given[at] = true;
    }
    Item rest = list_of(frame->elaborator, &variadic);
    for (uint32_t i = 0; i < function->n_items && !failed; i++) {
        const Ast *formal = function->items[i];
        Item value = given[i];
        if (formal->variadic) {
            value = rest;
        } else if (!is_given[i] && formal->a != NULL) {
            value = evaluate(inner, formal->a);
        } else if (!is_given[i]) {
            diag_error(frame->elaborator->diags, ast->span, "'%.*s' needs a value for '%.*s'",
                       TEXT_ARG(callee->name), TEXT_ARG(formal->text));
            diag_note(frame->elaborator->diags, callee->span, "defined here");
            failed = true;
        }
        bind(inner, formal->text, formal->name_span, value);
    }
    return !failed;
}

static Item call_function(const Frame *frame, const Ast *ast, const Definition *callee) {
    Elaborator *elaborator = frame->elaborator;
    if (frame->depth == EXPANSION_LIMIT) {
        diag_error(elaborator->diags, ast->span, "functions call functions more than %d deep",
                   EXPANSION_LIMIT);
        return poison;
    }
    const File *file = file_of(elaborator, callee);
    Frame inner = {.elaborator = elaborator,
                   .file = file,
                   .environment = new_environment(elaborator, &file->environment),
                   .definition = callee,
                   .caller = frame,
                   .depth = frame->depth + 1};
    if (!bind_formals(frame, ast, callee, &inner))
        return poison;
    size_t errors = diag_errors(elaborator->diags);
    bool enters_library = is_library(file) && !is_library(frame->file);
    Span outer = SPAN_NONE;
    if (enters_library)
        outer = build_from(elaborator->build, ast->span);
    Item result = evaluate(&inner, callee->syntax->a);
    if (enters_library)
        build_from(elaborator->build, outer);
    if (diag_errors(elaborator->diags) > errors && errors < DIAG_ERROR_LIMIT)
        diag_note(elaborator->diags, ast->span, "in '%.*s', called here", TEXT_ARG(callee->name));
    return result;
}

/* ---- what the language itself provides ---- */

static const Ast *call_argument(const Ast *ast, Text name, uint32_t position) {
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (ast->items[i]->text.size == 0 ? i == position : text_equal(ast->items[i]->text, name))
            return ast->items[i];
    return NULL;
}

/* A string argument of model(); empty where it is not given or null. */
static bool text_argument(const Frame *frame, const Ast *argument, Text *out) {
    *out = TEXT("");
    if (argument == NULL)
        return true;
    NodeId id = evaluate_node(frame, argument->a);
    if (id == NODE_NONE)
        return false;
    const Node *node = node_of(frame, id);
    if (node->kind == NODE_STRING)
        *out = node->text;
    else if (node->kind != NODE_NULL)
        diag_error(frame->elaborator->diags, argument->a->span, "a string is wanted here");
    return node->kind == NODE_STRING || node->kind == NODE_NULL;
}

static bool read_space(const Frame *frame, Text name, Span span, SpaceSet *spaces) {
    int space = library_find_space(frame->elaborator->recipe->library, name);
    if (space >= 0) {
        *spaces = SPACE_SET(space);
        return true;
    }
    diag_error(frame->elaborator->diags, span, "unknown merge space '%.*s'", TEXT_ARG(name));
    Text names[] = {TEXT("weight"), TEXT("delta"), TEXT("param")};
    Text nearest = nearest_name(name, names, 3);
    diag_hint(frame->elaborator->diags,
              nearest.size > 0 ? "did you mean '%.*s'?" : "weight, delta or param",
              TEXT_ARG(nearest));
    return false;
}

/* model(path, config = null, space = "weight") */
static Item call_model(const Frame *frame, const Ast *ast) {
    static const char *const known[] = {"path", "config", "space"};
    for (uint32_t i = 0; i < ast->n_items; i++) {
        bool fits = ast->items[i]->text.size == 0 ? i < 3 : false;
        for (size_t k = 0; k < 3; k++)
            fits |= text_equal(ast->items[i]->text, text_from(known[k]));
        if (!fits) {
            diag_error(frame->elaborator->diags, ast->items[i]->span,
                       "'model' has no such parameter");
            diag_hint(frame->elaborator->diags, "model(path, config = null, space = \"weight\")");
            return poison;
        }
    }
    const Ast *path_argument = call_argument(ast, TEXT("path"), 0);
    const Ast *space_argument = call_argument(ast, TEXT("space"), 2);
    Text path, config, space;
    if (!text_argument(frame, path_argument, &path) ||
        !text_argument(frame, call_argument(ast, TEXT("config"), 1), &config) ||
        !text_argument(frame, space_argument, &space))
        return poison;
    if (path.size == 0) {
        diag_error(frame->elaborator->diags, ast->span,
                   "'model' needs the path of a file or folder");
        return poison;
    }
    SpaceSet spaces = SPACE_SET(SPACE_WEIGHT);
    if (space.size > 0 && !read_space(frame, space, space_argument->a->span, &spaces))
        return poison;
    return item_of(build_model(frame->elaborator->build, path, config, spaces, ast->span));
}

static Item call_length(const Frame *frame, const Ast *ast) {
    Item list = ast->n_items == 1 ? evaluate(frame, ast->items[0]->a) : poison;
    if (list.kind == ITEM_LIST)
        return item_of(build_number(frame->elaborator->build, list.n_items, NUMBER_INT, ast->span));
    if (ast->n_items != 1 || list.kind != ITEM_POISON)
        diag_error(frame->elaborator->diags, ast->span, "'len' takes a list");
    return poison;
}

/* The sum of a list, as the operators would add it. */
static Item call_sum(const Frame *frame, const Ast *ast) {
    Item list = ast->n_items == 1 ? evaluate(frame, ast->items[0]->a) : poison;
    if (ast->n_items != 1 || (list.kind != ITEM_LIST && list.kind != ITEM_POISON)) {
        diag_error(frame->elaborator->diags, ast->span, "'sum' takes a list");
        return poison;
    }
    if (list.kind == ITEM_POISON)
        return poison;
    if (list.n_items == 0)
        return item_of(build_number(frame->elaborator->build, 0, NUMBER_INT, ast->span));
    NodeId total = one_node(frame, list.items[0], ast->span);
    for (uint32_t i = 1; i < list.n_items && total != NODE_NONE; i++)
        total = build_operator(frame->elaborator->build, AST_ADD, total,
                               one_node(frame, list.items[i], ast->span), ast->span);
    return item_of(total);
}

static bool number_argument(const Frame *frame, const Ast *argument, double *number) {
    NodeId id = evaluate_node(frame, argument->a);
    if (id == NODE_NONE)
        return false;
    *number = node_of(frame, id)->number;
    if (node_of(frame, id)->kind == NODE_NUMBER)
        return true;
    diag_error(frame->elaborator->diags, argument->a->span, "a number is wanted here");
    return false;
}

/* range(n) or range(from, to): whole numbers, the end left out. */
static Item call_range(const Frame *frame, const Ast *ast) {
    double bounds[2] = {0, 0};
    if (ast->n_items < 1 || ast->n_items > 2) {
        diag_error(frame->elaborator->diags, ast->span,
                   "'range' takes a count, or a first number and an end");
        return poison;
    }
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (!number_argument(frame, ast->items[i], &bounds[ast->n_items == 1 ? 1 : i]))
            return poison;
    if (!may_list(frame, ast->span, bounds[1] - bounds[0]))
        return poison;
    ItemVector items = {0};
    for (double at = bounds[0]; at < bounds[1]; at++)
        vector_push(&items,
                    item_of(build_number(frame->elaborator->build, at, NUMBER_INT, ast->span)));
    return list_of(frame->elaborator, &items);
}

/* The elementwise functions, on numbers. */
static Item call_number_function(const Frame *frame, const Ast *ast, OpCode op) {
    double values[3] = {0, 0, 0};
    if (ast->n_items != op_info[op].arity) {
        diag_error(frame->elaborator->diags, ast->span, "'%.*s' takes %u number%s",
                   TEXT_ARG(op_info[op].name), op_info[op].arity,
                   op_info[op].arity == 1 ? "" : "s");
        return poison;
    }
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (!number_argument(frame, ast->items[i], &values[i]))
            return poison;
    double value = uniform_op(op, values[0], values[1], values[2]);
    bool whole = op == OP_ROUND || op == OP_FLOOR || op == OP_CEIL || op == OP_TRUNC;
    return item_of(build_number(frame->elaborator->build, value, whole ? NUMBER_INT : NUMBER_FLOAT,
                                ast->span));
}

static Item call_convert(const Frame *frame, const Ast *ast);
static Item call_config(const Frame *frame, const Ast *ast);

static const struct {
    const char *name;
    Item (*call)(const Frame *frame, const Ast *ast);
} language_functions[] = {
    {"model", call_model}, {"convert", call_convert}, {"config", call_config},
    {"len", call_length},  {"range", call_range},     {"sum", call_sum},
};

/* A function of the language itself, called by that name; false where there is none. */
static bool call_language(const Frame *frame, const Ast *ast, Text name, Item *out) {
    for (size_t i = 0; i < sizeof language_functions / sizeof *language_functions; i++)
        if (text_equal(name, text_from(language_functions[i].name))) {
            *out = language_functions[i].call(frame, ast);
            return true;
        }
    for (OpCode op = 0; op < OP_COUNT; op++)
        if (text_equal(name, op_info[op].name)) {
            *out = call_number_function(frame, ast, op);
            return true;
        }
    return false;
}

static Item call_definition(const Frame *frame, const Ast *ast, const Definition *callee) {
    return callee->kind == DEFINITION_METHOD ? call_method(frame, ast, callee->method)
                                             : call_function(frame, ast, callee);
}

static void hint_definition(const Elaborator *elaborator, const Scope *scope, Text name) {
    VECTOR(Text) names = {0};
    for (uint32_t i = 0; i < scope->n_definitions; i++)
        vector_push(&names, scope->definitions[i].name);
    Text nearest = nearest_name(name, names.items, names.count);
    if (nearest.size > 0)
        diag_hint(elaborator->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    vector_free(&names);
}

static Item call_imported(const Frame *frame, const Ast *ast) {
    Item module = evaluate(frame, ast->a->a);
    if (module.kind != ITEM_MODULE) {
        if (module.kind != ITEM_POISON)
            diag_error(frame->elaborator->diags, ast->a->span,
                       "only functions and methods can be called");
        return poison;
    }
    for (uint32_t i = 0; i < module.module->scope->n_definitions; i++)
        if (text_equal(module.module->scope->definitions[i].name, ast->a->text))
            return call_definition(frame, ast, &module.module->scope->definitions[i]);
    diag_error(frame->elaborator->diags, ast->a->name_span, "'%.*s' defines no '%.*s'",
               TEXT_ARG(module.module->path), TEXT_ARG(ast->a->text));
    hint_definition(frame->elaborator, module.module->scope, ast->a->text);
    return poison;
}

static Item evaluate_call(const Frame *frame, const Ast *ast) {
    if (ast->a->kind == AST_MEMBER)
        return call_imported(frame, ast);
    if (ast->a->kind != AST_NAME) {
        diag_error(frame->elaborator->diags, ast->a->span,
                   "only functions and methods can be called");
        return poison;
    }
    if (find_binding(frame->environment, ast->a->text) != NULL) {
        diag_error(frame->elaborator->diags, ast->a->span,
                   "'%.*s' is a value here, and cannot be called", TEXT_ARG(ast->a->text));
        return poison;
    }
    bool recursive;
    const Definition *callee = find_callee(frame, frame->file->scope, ast->a->text, &recursive);
    Item result;
    if (callee != NULL)
        return call_definition(frame, ast, callee);
    if (recursive) {
        diag_error(frame->elaborator->diags, ast->a->span, "'%.*s' calls itself",
                   TEXT_ARG(ast->a->text));
        return poison;
    }
    if (call_language(frame, ast, ast->a->text, &result))
        return result;
    return unknown_name(frame, ast->a, "function or method");
}

/* ---- expressions ---- */

static Item convert_item(const Frame *frame, NodeId operand, Text config, NodeId like, Span span) {
    Elaborator *elaborator = frame->elaborator;
    const ConfigQuestions *configs = elaborator->options->configs;
    SpaceSet spaces;
    if (!build_settle(elaborator->build, operand, &spaces))
        return poison;
    return item_of(
        configs->convert(configs->context, elaborator->recipe, operand, config, like, span));
}

/* convert(x, to): to the config of that name, or to that of another model */
static Item call_convert(const Frame *frame, const Ast *ast) {
    Diags *diags = frame->elaborator->diags;
    const Ast *x = call_argument(ast, TEXT("x"), 0), *to = call_argument(ast, TEXT("to"), 1);
    if (ast->n_items != 2 || x == NULL || to == NULL) {
        diag_error(diags, ast->span, "'convert' takes a model, and a config or another model");
        return poison;
    }
    NodeId operand = evaluate_node(frame, x->a), target = evaluate_node(frame, to->a);
    if (operand == NODE_NONE || target == NODE_NONE)
        return poison;
    bool named = node_of(frame, target)->kind == NODE_STRING;
    return convert_item(frame, operand, named ? node_of(frame, target)->text : TEXT(""), target,
                        ast->span);
}

/* config(x): the name of its config, or null */
static Item call_config(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    const ConfigQuestions *configs = elaborator->options->configs;
    if (ast->n_items != 1) {
        diag_error(elaborator->diags, ast->span, "'config' takes a model");
        return poison;
    }
    NodeId node = evaluate_node(frame, ast->items[0]->a);
    if (node == NODE_NONE)
        return poison;
    Text name = configs->config(configs->context, elaborator->recipe, node);
    return item_of(name.size > 0 ? build_string(elaborator->build, name, ast->span)
                                 : build_null(elaborator->build, ast->span));
}

static Item evaluate_as(const Frame *frame, const Ast *ast) {
    Text config;
    NodeId operand = evaluate_node(frame, ast->a);
    NodeId name = evaluate_node(frame, ast->b);
    if (operand == NODE_NONE || name == NODE_NONE)
        return poison;
    config = node_of(frame, name)->text;
    if (node_of(frame, name)->kind != NODE_STRING) {
        diag_error(frame->elaborator->diags, ast->b->span,
                   "'as' takes the name of a model config: as \"sdxl-sgm\"");
        return poison;
    }
    return convert_item(frame, operand, config, NODE_NONE, ast->span);
}

static Item run_statements(const Frame *frame, Ast *const *statements, uint32_t n);

static Item evaluate_block(const Frame *frame, const Ast *ast) {
    Frame inner = *frame;
    inner.environment = new_environment(frame->elaborator, frame->environment);
    return run_statements(&inner, ast->items, ast->n_items);
}

static Item evaluate(const Frame *frame, const Ast *ast) {
    if (!spend(frame, ast->span, 1))
        return poison;
    switch (ast->kind) {
    case AST_NULL:
    case AST_BOOL:
    case AST_INT:
    case AST_FLOAT:
    case AST_STRING:
        return item_of(build_literal(frame->elaborator->build, ast));
    case AST_NAME:
        return evaluate_name(frame, ast);
    case AST_LIST:
        return evaluate_list(frame, ast);
    case AST_FOR:
        return evaluate_comprehension(frame, ast);
    case AST_MAP:
        return evaluate_map(frame, ast);
    case AST_CALL:
        return evaluate_call(frame, ast);
    case AST_INDEX:
        return evaluate_index(frame, ast);
    case AST_MEMBER:
        return evaluate_member(frame, ast);
    case AST_AS:
        return evaluate_as(frame, ast);
    case AST_UNARY:
        return item_of(build_operator(frame->elaborator->build, ast->op,
                                      evaluate_node(frame, ast->a), NODE_NONE, ast->span));
    case AST_BINARY:
        return evaluate_binary(frame, ast);
    case AST_IF:
        return evaluate_if(frame, ast);
    case AST_BLOCK:
        return evaluate_block(frame, ast);
    case AST_ERROR:
        return poison;
    default:
        diag_error(frame->elaborator->diags, ast->span, "this is for the bodies of merge methods");
        return poison;
    }
}

/* ---- parameters ---- */

static void misuse(const Elaborator *elaborator) {
    *elaborator->options->misused = true;
}

static const Setting *find_setting(const Elaborator *elaborator, Text name) {
    const Setting *found = NULL;
    for (size_t i = 0; i < elaborator->options->n_settings; i++)
        if (text_equal(elaborator->options->settings[i].name, name)) {
            found = &elaborator->options->settings[i];
            elaborator->setting_used[i] = true;
        }
    return found;
}

static bool read_truth(Text value, double *number) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"true", 1},  {"yes", 1}, {"1", 1}, {"on", 1},
                 {"false", 0}, {"no", 0},  {"0", 0}, {"off", 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_equal(value, text_from(words[i].word))) {
            *number = words[i].value;
            return true;
        }
    return false;
}

static bool read_number(Elaborator *elaborator, Text value, double *number) {
    const char *copy = text_copy(elaborator->arena, value).data;
    char *end;
    *number = strtod(copy, &end);
    return value.size > 0 && *end == '\0';
}

/* The node that a setting's text stands for, by the parameter's type; NODE_NONE where it is none.
 */
static NodeId read_setting(Elaborator *elaborator, Text type, Text value, Span span) {
    double number;
    Build *build = elaborator->build;
    if (text_equal(type, TEXT("bool")))
        return read_truth(value, &number) ? build_number(build, number, NUMBER_BOOL, span)
                                          : NODE_NONE;
    if (text_equal(type, TEXT("float")))
        return read_number(elaborator, value, &number)
                   ? build_number(build, number, NUMBER_FLOAT, span)
                   : NODE_NONE;
    if (text_equal(type, TEXT("int")))
        return read_number(elaborator, value, &number) && number == trunc(number)
                   ? build_number(build, number, NUMBER_INT, span)
                   : NODE_NONE;
    Text copy = text_copy(elaborator->arena, value);
    if (text_equal(type, TEXT("model")))
        return build_model(build, copy, TEXT(""), SPACE_SET(SPACE_WEIGHT), span);
    return build_string(build, copy, span);
}

static bool is_parameter_type(Text name) {
    static const char *const names[] = {"float", "int", "bool", "str", "path", "model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal(name, text_from(names[i])))
            return true;
    return false;
}

static Text source_text(const Elaborator *elaborator, Span span) {
    const Source *source = diags_find(elaborator->diags, span.source);
    return (Text){source->text.data + span.begin, span.end - span.begin};
}

/* Whether a value lies in `in a..b` or `in [x, y]`. */
static bool in_range(const Frame *frame, const Ast *range, NodeId value) {
    if (range->kind == AST_RANGE) {
        NodeId low = evaluate_node(frame, range->a), high = evaluate_node(frame, range->b);
        if (low == NODE_NONE || high == NODE_NONE)
            return true; /* said already */
        double number = node_of(frame, value)->number;
        return node_of(frame, low)->number <= number && number <= node_of(frame, high)->number;
    }
    Item choices = evaluate(frame, range);
    for (uint32_t i = 0; i < choices.n_items; i++)
        if (choices.items[i].node == value)
            return true;
    return choices.kind != ITEM_LIST;
}

static void declare_parameter(const Frame *frame, const Ast *ast, Text type) {
    Elaborator *elaborator = frame->elaborator;
    RecipeParameter parameter = {.name = ast->text,
                                 .span = ast->name_span,
                                 .type = type,
                                 .required = ast->a == NULL,
                                 .doc = ast->doc};
    if (ast->a != NULL)
        parameter.fallback = source_text(elaborator, ast->a->span);
    if (ast->c != NULL)
        parameter.range = source_text(elaborator, ast->c->span);
    vector_push(&elaborator->parameters, parameter);
}

static bool is_of_type(const Node *node, Text type) {
    if (text_equal(type, TEXT("model")))
        return node->kind == NODE_MODEL || node->kind == NODE_STRING;
    if (text_equal(type, TEXT("str")) || text_equal(type, TEXT("path")))
        return node->kind == NODE_STRING;
    if (node->kind != NODE_NUMBER || text_equal(type, TEXT("float")))
        return node->kind == NODE_NUMBER && node->number_kind != NUMBER_BOOL;
    return node->number_kind == (text_equal(type, TEXT("int")) ? NUMBER_INT : NUMBER_BOOL);
}

/* null stands for a value that was not given. */
static NodeId default_value(const Frame *frame, const Ast *ast, Text type) {
    NodeId value = evaluate_node(frame, ast->a);
    if (value == NODE_NONE || node_of(frame, value)->kind == NODE_NULL)
        return value;
    if (!is_of_type(node_of(frame, value), type)) {
        diag_error(frame->elaborator->diags, ast->a->span, "the default of '%.*s' is no %.*s",
                   TEXT_ARG(ast->text), TEXT_ARG(type));
        return NODE_NONE;
    }
    if (text_equal(type, TEXT("model")) && node_of(frame, value)->kind == NODE_STRING)
        return build_model(frame->elaborator->build, node_of(frame, value)->text, TEXT(""),
                           SPACE_SET(SPACE_WEIGHT), ast->a->span);
    return value;
}

static void run_parameter(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    Text type = ast->b != NULL ? ast->b->text : TEXT("float");
    if (!is_parameter_type(type)) {
        diag_error(elaborator->diags, ast->b->span, "unknown type '%.*s'", TEXT_ARG(type));
        diag_hint(elaborator->diags, "float, int, bool, str, path or model");
        bind(frame, ast->text, ast->name_span, poison);
        return;
    }
    declare_parameter(frame, ast, type);
    const Setting *setting = frame->file->imported ? NULL : find_setting(elaborator, ast->text);
    NodeId value = NODE_NONE;
    if (setting != NULL) {
        value = read_setting(elaborator, type, setting->value, ast->name_span);
        if (value == NODE_NONE) {
            misuse(elaborator);
            diag_error(elaborator->diags, ast->name_span,
                       "--%.*s takes a value of type %.*s, not '%.*s'", TEXT_ARG(ast->text),
                       TEXT_ARG(type), TEXT_ARG(text_printable(elaborator->arena, setting->value)));
        }
    } else if (ast->a != NULL) {
        value = default_value(frame, ast, type);
    } else {
        misuse(elaborator);
        diag_error(elaborator->diags, ast->name_span, "the recipe needs a value for '%.*s'",
                   TEXT_ARG(ast->text));
        diag_hint(elaborator->diags, "give it: --%.*s %s", TEXT_ARG(ast->text),
                  text_equal(type, TEXT("float")) ? "NUMBER" : "VALUE");
    }
    if (value != NODE_NONE && ast->c != NULL && !in_range(frame, ast->c, value)) {
        Text range = source_text(elaborator, ast->c->span);
        misuse(elaborator);
        diag_error(elaborator->diags, ast->name_span, "the value of '%.*s' is not in %.*s",
                   TEXT_ARG(ast->text), TEXT_ARG(range));
        value = NODE_NONE;
    }
    bind(frame, ast->text, ast->name_span, item_of(value));
}

static void check_settings(const Elaborator *elaborator) {
    VECTOR(Text) names = {0};
    for (size_t i = 0; i < elaborator->parameters.count; i++)
        vector_push(&names, elaborator->parameters.items[i].name);
    for (size_t i = 0; i < elaborator->options->n_settings; i++) {
        if (elaborator->setting_used[i])
            continue;
        Text name = elaborator->options->settings[i].name;
        misuse(elaborator);
        diag_error(elaborator->diags, SPAN_NONE,
                   "unknown option '--%.*s': the recipe has no such parameter", TEXT_ARG(name));
        Text nearest = nearest_name(name, names.items, names.count);
        if (nearest.size > 0)
            diag_hint(elaborator->diags, "did you mean '--%.*s'?", TEXT_ARG(nearest));
    }
    vector_free(&names);
}

/* ---- saves ---- */

static bool read_metadata(const Frame *frame, const Ast *ast, RecipeOutput *output) {
    Elaborator *elaborator = frame->elaborator;
    if (ast->kind != AST_MAP) {
        diag_error(elaborator->diags, ast->span, "metadata is a map: { \"license\": \"…\" }");
        return false;
    }
    output->metadata = arena_array(elaborator->arena, MetadataPair, ast->n_items + 1);
    for (uint32_t i = 0; i < ast->n_items; i++) {
        NodeId value = evaluate_node(frame, ast->items[i]->b);
        if (value == NODE_NONE)
            return false;
        if (node_of(frame, value)->kind != NODE_STRING) {
            diag_error(elaborator->diags, ast->items[i]->b->span, "metadata holds strings");
            return false;
        }
        output->metadata[output->n_metadata++] =
            (MetadataPair){ast->items[i]->a->text, node_of(frame, value)->text};
    }
    return true;
}

static void read_save_option(const Frame *frame, const Ast *option, RecipeOutput *output) {
    Elaborator *elaborator = frame->elaborator;
    static const Text names[] = {{"dtype", 5}, {"space", 5}, {"metadata", 8}};
    if (text_equal(option->text, TEXT("metadata"))) {
        read_metadata(frame, option->a, output);
    } else if (text_equal(option->text, TEXT("dtype"))) {
        text_argument(frame, option, &output->dtype);
        output->dtype_span = option->a->span;
    } else if (text_equal(option->text, TEXT("space"))) {
        SpaceSet spaces;
        text_argument(frame, option, &output->space);
        output->space_span = option->a->span;
        if (output->space.size > 0 && !text_equal(output->space, TEXT("any")))
            read_space(frame, output->space, option->a->span, &spaces);
    } else {
        diag_error(elaborator->diags, option->name_span, "'save' has no option '%.*s'",
                   TEXT_ARG(option->text));
        Text nearest = nearest_name(option->text, names, 3);
        diag_hint(elaborator->diags,
                  nearest.size > 0 ? "did you mean '%.*s'?" : "dtype, space or metadata",
                  TEXT_ARG(nearest));
    }
}

static void run_save(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    if (frame->file->imported) {
        diag_error(elaborator->diags, ast->span, "an imported file may not save");
        return;
    }
    RecipeOutput output = {
        .node = evaluate_node(frame, ast->a), .span = ast->a->span, .path_span = ast->b->span};
    NodeId path = evaluate_node(frame, ast->b);
    for (uint32_t i = 0; i < ast->n_items; i++)
        read_save_option(frame, ast->items[i], &output);
    if (path != NODE_NONE && node_of(frame, path)->kind == NODE_STRING)
        output.path = node_of(frame, path)->text;
    else if (path != NODE_NONE)
        diag_error(elaborator->diags, ast->b->span, "a path is a string");
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

static void run_import(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    Text path = path_join(elaborator->arena, frame->file->folder, ast->a->text);
    const File *known = find_file(elaborator, path);
    if (known != NULL && known->reading) {
        diag_error(elaborator->diags, ast->a->span, "'%.*s' is being imported already",
                   TEXT_ARG(path));
        diag_hint(elaborator->diags, "imports may not go in circles");
        bind(frame, ast->text, ast->name_span, poison);
        return;
    }
    if (known != NULL) {
        bind(frame, ast->text, ast->name_span, module_item(known));
        return;
    }
    Text text;
    int error;
    if (!file_read(elaborator->arena, path, FILE_TEXT_LIMIT, &text, &error)) {
        diag_error(elaborator->diags, ast->a->span, "cannot read '%.*s': %s", TEXT_ARG(path),
                   strerror(error));
        bind(frame, ast->text, ast->name_span, poison);
        return;
    }
    uint32_t source = diags_source(elaborator->diags, path, text);
    bind(frame, ast->text, ast->name_span, module_item(read_file(elaborator, path, source, true)));
}

/* ---- statements ---- */

static Item run_statement(const Frame *frame, const Ast *statement) {
    switch (statement->kind) {
    case AST_BIND: {
        Item item = evaluate(frame, statement->a);
        if (item.kind == ITEM_NODE && node_of(frame, item.node)->kind == NODE_CALL) {
            SpaceSet spaces;
            build_settle(frame->elaborator->build, item.node, &spaces);
        }
        bind(frame, statement->text, statement->name_span, item);
        return poison;
    }
    case AST_PARAM:
        run_parameter(frame, statement);
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
        return evaluate(frame, statement);
    }
}

/* The value of the last statement, if that is an expression. */
static Item run_statements(const Frame *frame, Ast *const *statements, uint32_t n) {
    Item last = poison;
    for (uint32_t i = 0; i < n; i++)
        last = run_statement(frame, statements[i]);
    return last;
}

static bool is_expression(const Ast *statement) {
    return statement->kind < AST_BLOCK;
}

static File *read_file(Elaborator *elaborator, Text path, uint32_t source, bool imported) {
    const Ast *ast = parse_recipe(elaborator->arena, elaborator->diags, source);
    File *file = arena_new(elaborator->arena, File);
    *file = (File){.path = path,
                   .folder = imported ? path_folder(path) : elaborator->options->folder,
                   .scope = library_scope(elaborator->recipe->library, ast),
                   .imported = imported};
    vector_push(&elaborator->files, file);
    if (!imported)
        elaborator->recipe->scope = file->scope;
    Frame frame = {.elaborator = elaborator, .file = file, .environment = &file->environment};
    file->reading = true;
    Item last = run_statements(&frame, ast->items, ast->n_items);
    file->reading = false;
    const Ast *final = ast->n_items > 0 ? ast->items[ast->n_items - 1] : NULL;
    if (imported || final == NULL || !is_expression(final))
        return file;
    if (elaborator->outputs.count > 0) {
        diag_error(elaborator->diags, final->span,
                   "this value is not used: the recipe saves its results");
        return file;
    }
    NodeId node = last.kind == ITEM_POISON ? NODE_NONE : one_node(&frame, last, final->span);
    vector_push(&elaborator->outputs, (RecipeOutput){.node = node, .span = final->span});
    return file;
}

static void elaborate_recipe(Elaborator *elaborator, uint32_t source) {
    Recipe *recipe = elaborator->recipe;
    read_file(elaborator, diags_find(elaborator->diags, source)->name, source, false);
    check_settings(elaborator);
    recipe->n_outputs = (uint32_t)elaborator->outputs.count;
    recipe->outputs = arena_copy(elaborator->arena, elaborator->outputs.items,
                                 recipe->n_outputs * sizeof *recipe->outputs);
    recipe->n_parameters = (uint32_t)elaborator->parameters.count;
    recipe->parameters = arena_copy(elaborator->arena, elaborator->parameters.items,
                                    recipe->n_parameters * sizeof *recipe->parameters);
}

/* A function of the library called with nodes, each under a name of its own. */
static NodeId call_with_nodes(void *context, const Definition *function, const Argument *arguments,
                              uint32_t n, Span span) {
    Elaborator *elaborator = context;
    const File *file = file_of(elaborator, function);
    Frame frame = {
        .elaborator = elaborator, .file = file, .environment = new_environment(elaborator, NULL)};
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
        bind(&frame, name->text, name->span, item_of(arguments[i].node));
    }
    Item result = call_function(&frame, &call, function);
    return result.kind == ITEM_POISON ? NODE_NONE : one_node(&frame, result, span);
}

static void free_elaborator(Elaborator *elaborator) {
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
}

/* Every output must be a model or a parameter, not an affine combination of another mass. */
static void settle_outputs(Recipe *recipe) {
    for (uint32_t i = 0; i < recipe->n_outputs; i++) {
        SpaceSet spaces;
        if (recipe->outputs[i].node != NODE_NONE)
            build_settle(recipe->build, recipe->outputs[i].node, &spaces);
    }
}

Recipe *elaborate(Arena *arena, Diags *diags, Library *library, uint32_t source,
                  const ElaborateOptions *options) {
    Recipe *recipe = arena_new(arena, Recipe);
    recipe->graph = graph_new(arena);
    recipe->library = library;
    recipe->build = build_new(arena, recipe->graph, library, diags);
    recipe->folder = options->folder;
    size_t errors = diag_errors(diags);
    const Source *text = diags_find(diags, source);
    graph_reserve(recipe->graph, text->text.size / BYTES_PER_NODE);
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
        check_settings(&elaborator);
    } else {
        elaborate_recipe(&elaborator, source);
    }
    free_elaborator(&elaborator);
    if (diag_errors(diags) == errors && recipe->n_outputs == 0)
        diag_error(diags, SPAN_NONE,
                   "%.*s makes nothing: it ends in no expression and saves nothing",
                   TEXT_ARG(text->name));
    settle_outputs(recipe);
    if (diag_errors(diags) == errors)
        return recipe;
    build_free(recipe->build);
    graph_free(recipe->graph);
    return NULL;
}
