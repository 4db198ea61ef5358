/* Inside recipe/: how the recipe language is elaborated. Frames say where an expression stands,
 * items are what it stands for; the files are
 *
 *     elaborate.c             a file's statements: saves, imports; the whole
 *     elaborate_frame.c       names, and what bounds an expansion
 *     elaborate_expression.c  lists, maps, operators, blocks
 *     elaborate_call.c        functions are expanded, methods are called
 *     elaborate_language.c    the functions of the language itself
 *     elaborate_parameter.c   parameters, and what is given for them */
#ifndef RECIPE_ELABORATE_H
#define RECIPE_ELABORATE_H

#include "base/map.h"
#include "base/vector.h"
#include "recipe/recipe.h"

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
    Arena trees;  /* the files as written */
    bool defines; /* one of them has definitions, which are trees */
    Diags *diags;
    Build *build;
    Recipe *recipe;
    const ElaborateOptions *options;
    bool *setting_used;
    VECTOR(File *) files; /* all of them, with those being read on top */
    VECTOR(Environment *) environments;
    VECTOR(RecipeOutput) outputs;
    VECTOR(RecipeParameter) parameters;
    VECTOR(NodeName) names;
    VECTOR(RecipeExpansion) expansions;
    VECTOR(Argument) arguments; /* of the calls at hand, the innermost one's on top */
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

typedef VECTOR(Item) ItemVector;

static inline Item item_of(NodeId node) {
    return node == NODE_NONE ? poison : (Item){.kind = ITEM_NODE, .node = node};
}

static inline const Node *node_of(const Frame *frame, NodeId id) {
    return graph_node(frame->elaborator->recipe->graph, id);
}

/* ---- frames ---- */

/* Counts STEPS. False when the recipe asks for too much, and a message the first time. */
bool frame_spend(const Frame *frame, Span span, uint64_t steps);
/* Whether a list may have COUNT items. */
bool frame_may_list(const Frame *frame, Span span, double count);

Environment *environment_new(Elaborator *elaborator, const Environment *outer);
/* What a name is bound to, in this one alone; NULL where it is not. */
const Binding *environment_find(const Environment *environment, Text name);
/* The same, and in those around it. */
const Binding *frame_find(const Environment *environment, Text name);
/* Binds a name, once. */
void frame_bind(const Frame *frame, Text name, Span span, Item item);

/* What a called name stands for. Inside its own body a function's name means what it hides;
 * RECURSIVE is whether that was what it stood for. */
const Definition *frame_callee(const Frame *frame, const Scope *scope, Text name, bool *recursive);
/* Reports a name that nothing has; WHAT is what was expected. Returns poison. */
Item frame_unknown(const Frame *frame, const Ast *ast, const char *what);

/* ---- expressions ---- */

Item elaborate_expression(const Frame *frame, const Ast *ast);
/* The same where one node is wanted; NODE_NONE after an error. */
NodeId elaborate_node(const Frame *frame, const Ast *ast);
/* What an entry of a map is for: a string, a name or a range of names; the grammar knows no other.
 */
MapEntry elaborate_pattern(const Ast *pattern);
Item elaborate_name(const Frame *frame, const Ast *ast);
/* The value of the last statement, if that is an expression. */
Item elaborate_statements(const Frame *frame, Ast *const *statements, uint32_t n);

/* A list of ITEMS, which are freed. */
Item item_list(Elaborator *elaborator, ItemVector *items);
/* The node of an item; NODE_NONE, after an error, where it is a list or an import. */
NodeId item_node(const Frame *frame, Item item, Span span);

/* ---- calls ---- */

Item elaborate_call(const Frame *frame, const Ast *ast);
/* Expands a function. */
Item elaborate_function(const Frame *frame, const Ast *ast, const Definition *callee);
/* The file that a definition stands in: its other names are looked up there. */
const File *elaborator_file(Elaborator *elaborator, const Definition *definition);

/* A function of the language itself, called by that name; false where there is none. */
bool language_call(const Frame *frame, const Ast *ast, Text name, Item *out);
/* A string argument; empty where it is not given or null. */
bool language_text(const Frame *frame, const Ast *argument, Text *out);
/* The same of a word, which somebody may have written as a name. */
bool language_word(const Frame *frame, const Ast *argument, Text *out);
/* Whether there is a config of that name; false after an error at SPAN. */
bool language_config(const Frame *frame, Text name, Span span);
/* The merge space of that name; false after an error. */
bool language_space(const Frame *frame, Text name, Span span, SpaceSet *spaces);
/* OPERAND converted to the config of that name, or where LIKE is a node, to that of LIKE. */
Item language_convert(const Frame *frame, NodeId operand, Text config, NodeId like, Span span);

/* ---- parameters ---- */

void elaborate_parameter(const Frame *frame, const Ast *ast);
/* Reports what was given for no parameter. */
void elaborate_check_settings(const Elaborator *elaborator);

#endif
