#include "solve/spell_definitions.h"

#include <ctype.h>
#include <stdlib.h>

/* ---- names ---- */

static bool is_keyword(Text name) {
    static const char *const keywords[] = {
        "and",    "as",         "else",   "false", "for",      "if",    "in",     "not",
        "null",   "or",         "repeat", "then",  "true",     "alias", "block",  "component",
        "config", "conversion", "def",    "dots",  "dtype",    "from",  "import", "method",
        "next",   "optional",   "param",  "save",  "template", "to",    "until",  "with",
    };
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (text_equal(name, text_from(keywords[i])))
            return true;
    return false;
}

void spell_name(Builder *out, Text name) {
    bool plain = name.size > 0 && !isdigit((unsigned char)name.data[0]) && !is_keyword(name);
    for (size_t i = 0; i < name.size; i++) {
        unsigned char c = (unsigned char)name.data[i];
        plain &= c < 128 && (isalnum(c) || c == '_');
    }
    builder_format(out, plain ? "%.*s" : "`%.*s`", TEXT_ARG(name));
}

Text definitions_take(SpelledDefinitions *definitions, Text name) {
    Text free = name;
    for (unsigned i = 2; names_find(&definitions->taken, free) != INDEX_NONE; i++)
        free = text_format(definitions->arena, "%.*s_%u", TEXT_ARG(name), i);
    names_add(&definitions->taken, free);
    return free;
}

/* ---- which there are ---- */

static const SpelledDefinition *find_spelled(const SpelledDefinitions *definitions,
                                             const Definition *definition) {
    for (size_t i = 0; i < definitions->items.count; i++)
        if (definitions->items.items[i].definition == definition)
            return &definitions->items.items[i];
    return NULL;
}

static Library *library_of(const SpelledDefinitions *definitions) {
    return definitions->solved->recipe->library;
}

static bool in_library(const SpelledDefinitions *definitions, Text name) {
    return library_find(library_of(definitions), DEFINITION_FUNCTION, name) != NULL ||
           library_find(library_of(definitions), DEFINITION_METHOD, name) != NULL ||
           library_find(library_of(definitions), DEFINITION_TEMPLATE, name) != NULL;
}

/* A definition of the recipe's own, once. Configs keep their names, which models and other
 * definitions go by. */
static void add_definition(SpelledDefinitions *definitions, const Definition *definition) {
    if (library_owns(library_of(definitions), definition) ||
        find_spelled(definitions, definition) != NULL)
        return;
    Text name = definition->name;
    if (definition->kind != DEFINITION_CONFIG && name.size > 0) {
        if (in_library(definitions, name))
            names_add(&definitions->taken, name);
        name = definitions_take(definitions, name);
    }
    vector_push(&definitions->items, (SpelledDefinition){definition, name});
}

/* What a name that is called in DEFINITION stands for; NULL where it is a function of the tensor
 * language. */
static const Definition *called(const Definition *definition, Text name) {
    const Scope *scope = definition->scope;
    if (definition->kind == DEFINITION_CONFIG || definition->kind == DEFINITION_TEMPLATE)
        return scope_find(scope, DEFINITION_TEMPLATE, name);
    const Definition *function = scope_find(scope, DEFINITION_FUNCTION, name);
    return function != NULL ? function : scope_find(scope, DEFINITION_METHOD, name);
}

typedef void VisitCall(void *context, const Definition *from, const Ast *name);

/* Calls VISIT with every name that is called in a tree. */
static void each_call(const Ast *ast, const Definition *from, VisitCall *visit, void *context) {
    for (; ast != NULL; ast = ast->a) {
        if (ast->kind == AST_CALL && ast->a->kind == AST_NAME)
            visit(context, from, ast->a);
        for (uint32_t i = 0; i < ast->n_items; i++)
            each_call(ast->items[i], from, visit, context);
        each_call(ast->b, from, visit, context);
        each_call(ast->c, from, visit, context);
    }
}

static void add_called(void *context, const Definition *from, const Ast *name) {
    const Definition *definition = called(from, name->text);
    if (definition != NULL)
        add_definition(context, definition);
}

static const Definition *definition_of(const Method *method) {
    for (uint32_t i = 0; i < method->scope->n_definitions; i++)
        if (method->scope->definitions[i].method == method)
            return &method->scope->definitions[i];
    return NULL;
}

/* Which config a model has may depend on all that are known. */
static void add_configs(SpelledDefinitions *definitions) {
    size_t count;
    const Definition *const *all = library_list(library_of(definitions), AST_CONFIG, &count);
    for (size_t i = 0; i < count; i++)
        add_definition(definitions, all[i]);
}

void definitions_collect(SpelledDefinitions *definitions, const unsigned char *reached) {
    static const char *const language[] = {"model", "literal", "methods"};
    const Graph *graph = definitions->solved->recipe->graph;
    definitions->taken.arena = definitions->arena;
    for (size_t i = 0; i < sizeof language / sizeof *language; i++)
        names_add(&definitions->taken, text_from(language[i]));
    for (NodeId id = 0; id < graph_count(graph); id++)
        if (reached[id] && graph_node(graph, id)->kind == NODE_CALL)
            add_definition(definitions, definition_of(graph_node(graph, id)->method));
    if (!definitions->solved->recipe->is_list)
        add_configs(definitions);
    for (size_t i = 0; i < definitions->items.count; i++) {
        const Definition *definition = definitions->items.items[i].definition;
        each_call(definition->syntax, definition, add_called, definitions);
    }
    /* Bindings may not hide what is called. */
    for (NodeId id = 0; id < graph_count(graph); id++)
        if (reached[id] && graph_node(graph, id)->kind == NODE_CALL)
            names_add(&definitions->taken, graph_node(graph, id)->method->name);
}

void definitions_free(SpelledDefinitions *definitions) {
    vector_free(&definitions->items);
    names_free(&definitions->taken);
}

Text definitions_callee(const SpelledDefinitions *definitions, const Method *method) {
    const SpelledDefinition *own = find_spelled(definitions, definition_of(method));
    Builder name = {0};
    if (own == NULL &&
        library_find(library_of(definitions), DEFINITION_FUNCTION, method->name) != NULL)
        builder_add(&name, TEXT("methods."));
    spell_name(&name, own != NULL ? own->name : method->name);
    Text text = text_copy(definitions->arena, builder_view(&name));
    builder_free(&name);
    return text;
}

/* ---- how they are written ---- */

/* A name in the text of a definition that becomes another. */
typedef struct Replacement {
    Span span;
    Text name;
} Replacement;

typedef struct Replacements {
    const SpelledDefinitions *definitions;
    VECTOR(Replacement) items;
} Replacements;

static void replace_name(Replacements *replacements, Span span, Text old,
                         const Definition *definition) {
    const SpelledDefinition *spelled = find_spelled(replacements->definitions, definition);
    if (spelled != NULL && !text_equal(spelled->name, old))
        vector_push(&replacements->items, (Replacement){span, spelled->name});
}

static void replace_call(void *context, const Definition *from, const Ast *name) {
    const Definition *definition = called(from, name->text);
    if (definition != NULL)
        replace_name(context, name->span, name->text, definition);
}

static int by_place(const void *a, const void *b) {
    const Replacement *x = a, *y = b;
    return x->span.begin < y->span.begin ? -1 : x->span.begin > y->span.begin;
}

static void write_comment(Text doc, Builder *out) {
    const char *end = doc.data + doc.size;
    for (const char *at = doc.data; at < end;) {
        const char *line = at;
        while (at < end && *at != '\n')
            at++;
        builder_format(out, "# %.*s\n", (int)(at - line), line);
        at += at < end;
    }
}

static void write_text(const SpelledDefinitions *definitions, const Definition *definition,
                       Builder *out) {
    const Ast *syntax = definition->syntax;
    Text text = library_text(library_of(definitions), definition);
    Replacements replacements = {.definitions = definitions};
    if (definition->kind != DEFINITION_CONFIG)
        replace_name(&replacements, definition->span, definition->name, definition);
    each_call(syntax, definition, replace_call, &replacements);
    vector_sort(&replacements.items, by_place);
    uint32_t at = syntax->span.begin;
    for (size_t i = 0; i < replacements.items.count; i++) {
        const Replacement *replacement = &replacements.items.items[i];
        builder_add(out, (Text){text.data + at, replacement->span.begin - at});
        spell_name(out, replacement->name);
        at = replacement->span.end;
    }
    builder_add(out, (Text){text.data + at, syntax->span.end - at});
    vector_free(&replacements.items);
}

void definitions_write(const SpelledDefinitions *definitions, Builder *out) {
    for (size_t i = 0; i < definitions->items.count; i++) {
        const Definition *definition = definitions->items.items[i].definition;
        write_comment(definition->syntax->doc, out);
        write_text(definitions, definition, out);
        builder_add(out, TEXT("\n\n"));
    }
}
