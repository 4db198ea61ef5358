#include "recipe/library.h"

#include "base/map.h"
#include "base/vector.h"
#include "recipe/stdlib.h"
#include "syntax/parse.h"

#include <stdlib.h>
#include <string.h>

struct Library {
    Arena *arena;
    Diags *diags;
    Scope **files;          /* by file of the standard library; NULL: not parsed yet */
    VECTOR(Scope *) scopes; /* of all files, in the order of reading */
    Names spaces;
    HashIndex entries; /* of stdlib_entries */
    const Definition **all;
    size_t n_all;
};

/* ---- what is sought: a kind and a name ---- */

typedef struct Wanted {
    DefinitionKind kind;
    Text name;
} Wanted;

static uint64_t wanted_hash(Wanted wanted) {
    return text_hash(wanted.name) + (uint64_t)wanted.kind;
}

static DefinitionKind entry_kind(const StdlibEntry *entry) {
    return strcmp(entry->kind, "def") == 0        ? DEFINITION_FUNCTION
           : strcmp(entry->kind, "config") == 0   ? DEFINITION_CONFIG
           : strcmp(entry->kind, "template") == 0 ? DEFINITION_TEMPLATE
                                                  : DEFINITION_METHOD;
}

static bool is_entry(const void *context, const void *wanted, uint32_t item) {
    const StdlibEntry *entries = context;
    const Wanted *sought = wanted;
    return entry_kind(&entries[item]) == sought->kind &&
           text_equal(text_from(entries[item].name), sought->name);
}

static uint32_t find_entry(const Library *library, Wanted wanted) {
    return index_find(&library->entries, wanted_hash(wanted), is_entry, stdlib_entries, &wanted);
}

/* Of two entries that are called alike, the first counts. */
static void index_entries(Library *library) {
    for (unsigned i = 0; i < n_stdlib_entries; i++) {
        Wanted entry = {entry_kind(&stdlib_entries[i]), text_from(stdlib_entries[i].name)};
        if (find_entry(library, entry) == INDEX_NONE)
            index_add(&library->entries, wanted_hash(entry), i);
    }
}

static bool is_definition(const void *context, const void *wanted, uint32_t item) {
    const Definition *definitions = context;
    const Wanted *sought = wanted;
    return definitions[item].kind == sought->kind &&
           text_equal(definitions[item].name, sought->name);
}

static const Definition *find_here(const Scope *scope, DefinitionKind kind, Text name) {
    Wanted wanted = {kind, name};
    if (scope->n_definitions == 0)
        return NULL;
    uint32_t found =
        index_find(&scope->index, wanted_hash(wanted), is_definition, scope->definitions, &wanted);
    return found == INDEX_NONE ? NULL : &scope->definitions[found];
}

Library *library_new(Arena *arena, Diags *diags) {
    Library *library = arena_new(arena, Library);
    library->arena = arena;
    library->diags = diags;
    library->files = arena_array(arena, Scope *, n_stdlib_files + 1);
    library->spaces.arena = arena;
    index_entries(library);
    names_add(&library->spaces, TEXT("weight"));
    names_add(&library->spaces, TEXT("delta"));
    names_add(&library->spaces, TEXT("param"));
    return library;
}

bool library_is_standard(const Library *library, const Scope *scope) {
    for (unsigned i = 0; i < n_stdlib_files; i++)
        if (library->files[i] == scope)
            return true;
    return false;
}

void library_free(Library *library) {
    names_free(&library->spaces);
    index_free(&library->entries);
    for (size_t i = 0; i < library->scopes.count; i++)
        index_free(&library->scopes.items[i]->index);
    vector_free(&library->scopes);
}

int library_space(Library *library, Text name) {
    if (names_find(&library->spaces, name) == INDEX_NONE && library->spaces.count == SPACE_LIMIT)
        return -1;
    return (int)names_add(&library->spaces, name);
}

int library_find_space(const Library *library, Text name) {
    uint32_t space = names_find(&library->spaces, name);
    return space == INDEX_NONE ? -1 : (int)space;
}

Text library_space_name(const Library *library, int space) {
    return library->spaces.texts[space];
}

void library_spaces_print(const Library *library, SpaceSet spaces, Builder *out) {
    bool first = true;
    for (uint32_t space = 0; space < library->spaces.count; space++) {
        if ((spaces & SPACE_SET(space)) == 0)
            continue;
        builder_format(out, "%s%.*s", first ? "" : " or ", TEXT_ARG(library->spaces.texts[space]));
        first = false;
    }
}

/* ---- signatures ---- */

/* What the types of a signature say, while it is read. */
typedef struct SignatureReader {
    Library *library;
    Text symbols[SPACE_LIMIT];
    int n_symbols;
} SignatureReader;

static bool is_symbol(Text name) {
    return name.size == 1 && name.data[0] >= 'A' && name.data[0] <= 'Z';
}

static int read_symbol(SignatureReader *reader, Text name) {
    for (int i = 0; i < reader->n_symbols; i++)
        if (text_equal(reader->symbols[i], name))
            return i;
    if (reader->n_symbols == SPACE_LIMIT)
        return -1;
    reader->symbols[reader->n_symbols] = name;
    return reader->n_symbols++;
}

static const struct {
    const char *name;
    ParameterType type;
} scalar_types[] = {
    {"float", PARAMETER_FLOAT},
    {"int", PARAMETER_INT},
    {"bool", PARAMETER_BOOL},
    {"str", PARAMETER_STRING},
};

/* One name of a type: a scalar type, a space variable, or a space. */
static void read_type_name(SignatureReader *reader, const Ast *type, Parameter *parameter) {
    for (size_t i = 0; i < sizeof scalar_types / sizeof *scalar_types; i++)
        if (text_equal(type->text, text_from(scalar_types[i].name))) {
            parameter->type = scalar_types[i].type;
            parameter->spaces = SPACE_SET(SPACE_PARAM);
            return;
        }
    if (is_symbol(type->text)) {
        parameter->symbol = read_symbol(reader, type->text);
        parameter->spaces = SPACES_ALL;
        return;
    }
    int space = library_space(reader->library, type->text);
    if (space < 0)
        diag_error(reader->library->diags, type->span, "more than %d merge spaces", SPACE_LIMIT);
    else
        parameter->spaces |= SPACE_SET(space);
}

/* A type with its alternatives; without one, a space variable shared by all that have none. */
static void read_type(SignatureReader *reader, const Ast *type, Parameter *parameter) {
    parameter->symbol = -1;
    parameter->type = PARAMETER_TENSOR;
    if (type == NULL) {
        parameter->symbol = read_symbol(reader, TEXT(""));
        parameter->spaces = SPACES_ALL;
        return;
    }
    parameter->optional = type->optional;
    if (type->text.size > 0)
        read_type_name(reader, type, parameter);
    for (uint32_t i = 0; i < type->n_items; i++)
        read_type_name(reader, type->items[i], parameter);
    if (type->a != NULL)
        parameter->config = type->a->text;
}

static bool is_literal(const Ast *value) {
    bool negative = value->kind == AST_UNARY && value->op == AST_NEG;
    if (negative)
        value = value->a;
    bool number = value->kind == AST_INT || value->kind == AST_FLOAT;
    return number || (!negative && (value->kind == AST_NULL || value->kind == AST_BOOL ||
                                    value->kind == AST_STRING));
}

/* The default of a parameter; null after a message where it is none. */
static const Ast *read_default(SignatureReader *reader, const Ast *formal) {
    static const Ast null = {.kind = AST_NULL};
    if (formal->a == NULL || is_literal(formal->a))
        return formal->a;
    if (formal->a->kind != AST_ERROR)
        diag_error(
            reader->library->diags, formal->a->span,
            "the default of a method's parameter is a number, a string, true, false or null");
    return &null;
}

static void read_formal(SignatureReader *reader, const Ast *formal, Parameter *parameter) {
    read_type(reader, formal->b, parameter);
    parameter->name = formal->text;
    parameter->span = formal->name_span;
    parameter->variadic = formal->variadic;
    parameter->fallback = read_default(reader, formal);
    parameter->optional |= parameter->fallback != NULL && parameter->fallback->kind == AST_NULL;
}

static void check_formal(const Library *library, const Ast *syntax, uint32_t i) {
    const Ast *formal = syntax->items[i];
    bool twice = false, variadic = false;
    for (uint32_t k = 0; k < i; k++) {
        twice |= text_equal(syntax->items[k]->text, formal->text);
        variadic |= syntax->items[k]->variadic;
    }
    if (twice)
        diag_error(library->diags, formal->name_span, "the parameter '%.*s' is there twice",
                   TEXT_ARG(formal->text));
    if (variadic && formal->variadic)
        diag_error(library->diags, formal->name_span, "there is one variadic parameter at most");
}

/* What a conversion says of its configs; the config "any" stands for all. */
static void read_conversion(SignatureReader *reader, Method *method, const Ast *syntax) {
    method->rules = syntax->c;
    method->body = NULL;
    method->symbol = method->n_parameters > 0 ? method->parameters[0].symbol : -1;
    method->spaces = SPACES_ALL;
    if (syntax->b->b != NULL) {
        Parameter result = {0};
        read_type(reader, syntax->b->b, &result);
        method->spaces = result.spaces;
        method->symbol = result.symbol;
    } else if (method->symbol < 0 && method->n_parameters > 0) {
        method->spaces = method->parameters[0].spaces;
    }
    for (uint32_t i = 0; i < method->n_parameters; i++)
        if (method->parameters[i].config.size == 0)
            method->parameters[i].config = syntax->a->text;
        else if (text_equal(method->parameters[i].config, TEXT("any")))
            method->parameters[i].config = TEXT("");
    method->keys_any = text_equal(syntax->b->text, TEXT("any"));
    method->config = method->keys_any ? TEXT("") : syntax->b->text;
}

/* Whether a body asks of which component the key is. */
static bool asks_component(const Ast *ast) {
    for (; ast != NULL; ast = ast->a) {
        if (ast->kind == AST_NAME && text_equal(ast->text, TEXT("in_component")))
            return true;
        for (uint32_t i = 0; i < ast->n_items; i++)
            if (asks_component(ast->items[i]))
                return true;
        if (asks_component(ast->b) || asks_component(ast->c))
            return true;
    }
    return false;
}

static const Method *read_method(Library *library, const Ast *syntax, const Scope *scope) {
    SignatureReader reader = {.library = library};
    Method *method = arena_new(library->arena, Method);
    method->name = syntax->text;
    method->span = syntax->name_span;
    method->doc = syntax->doc;
    method->syntax = syntax;
    method->scope = scope;
    method->body = syntax->a;
    method->n_parameters = syntax->n_items;
    method->parameters = arena_array(library->arena, Parameter, syntax->n_items);
    for (uint32_t i = 0; i < syntax->n_items; i++)
        read_formal(&reader, syntax->items[i], &method->parameters[i]);
    if (syntax->kind == AST_CONVERSION) {
        read_conversion(&reader, method, syntax);
    } else {
        Parameter result = {0};
        read_type(&reader, syntax->b, &result);
        method->spaces = result.spaces;
        method->symbol = result.symbol;
        method->config = result.config;
        method->asks_component = asks_component(method->body);
    }
    return method;
}

/* ---- scopes ---- */

static bool is_callable(const Ast *statement) {
    return statement->kind == AST_DEF || statement->kind == AST_METHOD ||
           statement->kind == AST_TEMPLATE || statement->kind == AST_CONVERSION;
}

static void add_definition(Library *library, Scope *scope, const Ast *statement) {
    Definition definition = {
        .name = statement->text, .span = statement->name_span, .syntax = statement, .scope = scope};
    for (uint32_t i = 0; i < statement->n_items && is_callable(statement); i++)
        check_formal(library, statement, i);
    switch (statement->kind) {
    case AST_DEF:
        definition.kind = DEFINITION_FUNCTION;
        break;
    case AST_CONVERSION:
    case AST_METHOD:
        definition.kind = DEFINITION_METHOD;
        definition.method = read_method(library, statement, scope);
        break;
    case AST_CONFIG:
        definition.kind = DEFINITION_CONFIG;
        definition.name = statement->a->text;
        definition.span = statement->a->span;
        break;
    case AST_TEMPLATE:
        definition.kind = DEFINITION_TEMPLATE;
        break;
    default:
        return;
    }
    /* Conversions need no name. */
    bool named = definition.name.size > 0;
    const Definition *other = named ? find_here(scope, definition.kind, definition.name) : NULL;
    if (other != NULL) {
        diag_error(library->diags, definition.span, "'%.*s' is defined twice",
                   TEXT_ARG(definition.name));
        diag_note(library->diags, other->span, "first defined here");
        return;
    }
    if (named)
        index_add(&scope->index, wanted_hash((Wanted){definition.kind, definition.name}),
                  scope->n_definitions);
    scope->definitions[scope->n_definitions++] = definition;
}

static bool is_definition_kind(AstKind kind) {
    return kind == AST_DEF || kind == AST_METHOD || kind == AST_CONVERSION || kind == AST_CONFIG ||
           kind == AST_TEMPLATE;
}

static Scope *read_scope(Library *library, const Ast *file) {
    Scope *scope = arena_new(library->arena, Scope);
    uint32_t n = 0;
    for (uint32_t i = 0; i < file->n_items; i++)
        n += is_definition_kind(file->items[i]->kind);
    scope->library = library;
    scope->definitions = arena_array(library->arena, Definition, n + 1);
    for (uint32_t i = 0; i < file->n_items; i++)
        add_definition(library, scope, file->items[i]);
    vector_push(&library->scopes, scope);
    return scope;
}

const Scope *library_scope(Library *library, const Ast *file) {
    return read_scope(library, file);
}

static const Scope *stdlib_scope(Library *library, unsigned file) {
    if (library->files[file] == NULL) {
        const StdlibFile *embedded = &stdlib_files[file];
        uint32_t source = diags_source(library->diags, text_from(embedded->name),
                                       (Text){embedded->text, embedded->size});
        library->files[file] =
            read_scope(library, parse_recipe(library->arena, library->diags, source));
    }
    return library->files[file];
}

const Definition *const *library_list(Library *library, AstKind kind, size_t *count) {
    const char *word = kind == AST_CONFIG ? "config" : "conversion";
    for (unsigned i = 0; i < n_stdlib_entries; i++)
        if (strcmp(stdlib_entries[i].kind, word) == 0)
            stdlib_scope(library, stdlib_entries[i].file);
    VECTOR(const Definition *) found = {0};
    for (size_t i = 0; i < library->scopes.count; i++) {
        const Scope *scope = library->scopes.items[i];
        for (uint32_t k = 0; k < scope->n_definitions; k++)
            if (scope->definitions[k].syntax->kind == kind)
                vector_push(&found, &scope->definitions[k]);
    }
    *count = found.count;
    const Definition *const *all =
        arena_copy(library->arena, found.items, found.count * sizeof *found.items);
    vector_free(&found);
    return all;
}

const Definition *library_find(Library *library, DefinitionKind kind, Text name) {
    uint32_t entry = find_entry(library, (Wanted){kind, name});
    if (entry == INDEX_NONE)
        return NULL;
    return find_here(stdlib_scope(library, stdlib_entries[entry].file), kind, name);
}

Text library_text(const Library *library, const Definition *definition) {
    return diags_find(library->diags, definition->syntax->span.source)->text;
}

bool library_owns(const Library *library, const Definition *definition) {
    for (unsigned file = 0; file < n_stdlib_files; file++)
        if (library->files[file] == definition->scope)
            return true;
    return false;
}

const Definition *scope_find(const Scope *scope, DefinitionKind kind, Text name) {
    const Definition *found = find_here(scope, kind, name);
    return found != NULL ? found : library_find(scope->library, kind, name);
}

Text scope_nearest(const Scope *scope, DefinitionKind kind, Text name) {
    VECTOR(Text) names = {0};
    for (uint32_t i = 0; i < scope->n_definitions; i++)
        if (scope->definitions[i].kind == kind)
            vector_push(&names, scope->definitions[i].name);
    for (unsigned i = 0; i < n_stdlib_entries; i++)
        if (entry_kind(&stdlib_entries[i]) == kind)
            vector_push(&names, text_from(stdlib_entries[i].name));
    Text nearest = nearest_name(name, names.items, names.count);
    vector_free(&names);
    return nearest;
}

static int by_name(const void *a, const void *b) {
    const Definition *x = *(const Definition *const *)a, *y = *(const Definition *const *)b;
    int order = text_compare(x->name, y->name);
    return order != 0 ? order : (int)x->kind - (int)y->kind;
}

const Definition *const *library_all(Library *library, size_t *count) {
    if (library->all == NULL) {
        library->all = arena_array(library->arena, const Definition *, n_stdlib_entries + 1);
        for (unsigned file = 0; file < n_stdlib_files; file++) {
            const Scope *scope = stdlib_scope(library, file);
            for (uint32_t i = 0; i < scope->n_definitions; i++)
                library->all[library->n_all++] = &scope->definitions[i];
        }
        qsort(library->all, library->n_all, sizeof *library->all, by_name);
    }
    *count = library->n_all;
    return library->all;
}
