/* What names mean outside a recipe's own bindings: the methods, functions, conversions and configs
 * of the standard library and of imported files.
 *
 * The standard library is embedded as text; a file of it is parsed when something that it defines
 * is first asked for. */
#ifndef RECIPE_LIBRARY_H
#define RECIPE_LIBRARY_H

#include "base/map.h"
#include "recipe/method.h"

typedef enum DefinitionKind {
    DEFINITION_FUNCTION, /* def */
    DEFINITION_METHOD,   /* method or conversion */
    DEFINITION_CONFIG,
    DEFINITION_TEMPLATE, /* of configs */
} DefinitionKind;

typedef struct Definition {
    DefinitionKind kind;
    Text name;
    Span span;
    const Ast *syntax;
    const Method *method;      /* METHOD */
    const struct Scope *scope; /* the file it stands in */
} Definition;

/* The definitions of one file. What it does not define is looked up in the standard library. */
typedef struct Scope {
    struct Library *library;
    Definition *definitions;
    uint32_t n_definitions;
    HashIndex index; /* of the definitions */
} Scope;

typedef struct Library Library;

Library *library_new(Arena *arena, Diags *diags);
void library_free(Library *library); /* what is not in the arena */
/* Whether a file is one of the standard library's. */
bool library_is_standard(const Library *library, const Scope *scope);

/* Collects the methods, functions and configs of a parsed file, reporting what is wrong with their
 * signatures. */
const Scope *library_scope(Library *library, const Ast *file);

/* The definition of that kind and name in the standard library; NULL if there is none. */
const Definition *library_find(Library *library, DefinitionKind kind, Text name);
/* In SCOPE, then in the standard library. */
const Definition *scope_find(const Scope *scope, DefinitionKind kind, Text name);

/* The text of the file that a definition stands in. */
Text library_text(const Library *library, const Definition *definition);
/* Whether a definition is the standard library's. */
bool library_owns(const Library *library, const Definition *definition);

/* The name, among those of that kind in scope and library, nearest to a wrong one; empty if none is
 * near. */
Text scope_nearest(const Scope *scope, DefinitionKind kind, Text name);

/* The number of a merge space by name, which is added if it is new and there is room; -1 otherwise.
 */
int library_space(Library *library, Text name);
Text library_space_name(const Library *library, int space);
/* `weight` or `weight or delta` */
void library_spaces_print(const Library *library, SpaceSet spaces, Builder *out);
/* -1 where there is no such space yet. */
int library_find_space(const Library *library, Text name);

/* The definitions whose trees are of that kind (AST_CONFIG, AST_CONVERSION), of the standard
 * library and of every file read so far. Parses the files that hold one. */
const Definition *const *library_list(Library *library, AstKind kind, size_t *count);

/* Every definition of the standard library, in order of their names. Parses all of it. */
const Definition *const *library_all(Library *library, size_t *count);

#endif
