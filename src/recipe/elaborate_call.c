/* Calls in the recipe language: methods make nodes, functions are expanded where they are called.
 */
#include "recipe/elaborate.h"

enum { EXPANSION_LIMIT = 100 /* functions calling functions */ };

static void add_argument(const Frame *frame, const Ast *ast, Item item) {
    if (item.kind == ITEM_LIST && ast->text.size == 0) {
        for (uint32_t i = 0; i < item.n_items; i++)
            add_argument(frame, ast, item.items[i]);
        return;
    }
    NodeId node = item_node(frame, item, ast->a->span);
    vector_push(&frame->elaborator->arguments,
                (Argument){ast->text, ast->name_span, ast->a->span, node});
}

static Item call_method(const Frame *frame, const Ast *ast, const Method *method) {
    Elaborator *elaborator = frame->elaborator;
    size_t first = elaborator->arguments.count;
    for (uint32_t i = 0; i < ast->n_items; i++)
        add_argument(frame, ast->items[i], elaborate_expression(frame, ast->items[i]->a));
    vector_reserve(&elaborator->arguments, 1); /* that there is a first one */
    NodeId id = build_call(elaborator->build, method, elaborator->arguments.items + first,
                           (uint32_t)(elaborator->arguments.count - first), ast->span);
    elaborator->arguments.count = first;
    return item_of(id);
}

/* The file that a definition stands in: its other names are looked up there. */
const File *elaborator_file(Elaborator *elaborator, const Definition *definition) {
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
        Item value = elaborate_expression(frame, argument->a);
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
    Item rest = item_list(frame->elaborator, &variadic);
    for (uint32_t i = 0; i < function->n_items && !failed; i++) {
        const Ast *formal = function->items[i];
        Item value = given[i];
        if (formal->variadic) {
            value = rest;
        } else if (!is_given[i] && formal->a != NULL) {
            value = elaborate_expression(inner, formal->a);
        } else if (!is_given[i]) {
            diag_error(frame->elaborator->diags, ast->span, "'%.*s' needs a value for '%.*s'",
                       TEXT_ARG(callee->name), TEXT_ARG(formal->text));
            diag_note(frame->elaborator->diags, callee->span, "defined here");
            failed = true;
        }
        frame_bind(inner, formal->text, formal->name_span, value);
    }
    return !failed;
}

/* The body of a function; what the library makes of its own functions is not noted. */
static Item expand(const Frame *frame, const Ast *ast, const Definition *callee, bool noted) {
    Elaborator *elaborator = frame->elaborator;
    const Graph *graph = elaborator->recipe->graph;
    size_t at = elaborator->expansions.count;
    if (noted)
        vector_push(&elaborator->expansions,
                    (RecipeExpansion){callee->name, ast->span, graph_count(graph), 0});
    Item result = elaborate_expression(frame, callee->syntax->a);
    if (noted)
        elaborator->expansions.items[at].end = graph_count(graph);
    return result;
}

Item elaborate_function(const Frame *frame, const Ast *ast, const Definition *callee) {
    Elaborator *elaborator = frame->elaborator;
    if (frame->depth == EXPANSION_LIMIT) {
        diag_error(elaborator->diags, ast->span, "functions call functions more than %d deep",
                   EXPANSION_LIMIT);
        return poison;
    }
    const File *file = elaborator_file(elaborator, callee);
    Frame inner = {.elaborator = elaborator,
                   .file = file,
                   .environment = environment_new(elaborator, &file->environment),
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
    Item result = expand(&inner, ast, callee, !is_library(frame->file));
    if (enters_library)
        build_from(elaborator->build, outer);
    if (diag_errors(elaborator->diags) > errors && errors < DIAG_ERROR_LIMIT)
        diag_note(elaborator->diags, ast->span, "in '%.*s', called here", TEXT_ARG(callee->name));
    return result;
}

static Item call_definition(const Frame *frame, const Ast *ast, const Definition *callee) {
    return callee->kind == DEFINITION_METHOD ? call_method(frame, ast, callee->method)
                                             : elaborate_function(frame, ast, callee);
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

/* methods.NAME(…): the merge method that a function of the same name hides */
static Item call_hidden(const Frame *frame, const Ast *ast) {
    const Scope *scope = frame->file->scope;
    const Definition *callee = scope_find(scope, DEFINITION_METHOD, ast->a->text);
    if (callee != NULL)
        return call_definition(frame, ast, callee);
    Diags *diags = frame->elaborator->diags;
    diag_error(diags, ast->a->name_span, "unknown merge method '%.*s'", TEXT_ARG(ast->a->text));
    Text nearest = scope_nearest(scope, DEFINITION_METHOD, ast->a->text);
    if (nearest.size > 0)
        diag_hint(diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return poison;
}

static bool names_methods(const Frame *frame, const Ast *ast) {
    return ast->kind == AST_NAME && text_equal(ast->text, TEXT("methods")) &&
           frame_find(frame->environment, ast->text) == NULL;
}

static Item call_imported(const Frame *frame, const Ast *ast) {
    if (names_methods(frame, ast->a->a))
        return call_hidden(frame, ast);
    Item module = elaborate_expression(frame, ast->a->a);
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

Item elaborate_call(const Frame *frame, const Ast *ast) {
    if (ast->a->kind == AST_MEMBER)
        return call_imported(frame, ast);
    if (ast->a->kind != AST_NAME) {
        diag_error(frame->elaborator->diags, ast->a->span,
                   "only functions and methods can be called");
        return poison;
    }
    if (frame_find(frame->environment, ast->a->text) != NULL) {
        diag_error(frame->elaborator->diags, ast->a->span,
                   "'%.*s' is a value here, and cannot be called", TEXT_ARG(ast->a->text));
        return poison;
    }
    bool recursive;
    const Definition *callee = frame_callee(frame, frame->file->scope, ast->a->text, &recursive);
    Item result;
    if (callee != NULL)
        return call_definition(frame, ast, callee);
    if (recursive) {
        diag_error(frame->elaborator->diags, ast->a->span, "'%.*s' calls itself",
                   TEXT_ARG(ast->a->text));
        return poison;
    }
    if (language_call(frame, ast, ast->a->text, &result))
        return result;
    return frame_unknown(frame, ast->a, "function or method");
}
