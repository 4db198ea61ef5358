/* A recipe as meant: the graph, and what of it is to be written where. */
#ifndef RECIPE_RECIPE_H
#define RECIPE_RECIPE_H

#include "recipe/build.h"

typedef struct MetadataPair {
    Text key, value;
} MetadataPair;

/* Dtypes of keys by pattern, as a map has values: the first one that matches a key holds. */
typedef struct DTypeMap {
    const MapEntry *keys;
    const Text *dtypes; /* by entry; `auto`: as without */
    const Span *spans;  /* by entry: of the dtype */
    uint32_t count;
} DTypeMap;

/* A `save`, or the result of a recipe that has none. */
typedef struct RecipeOutput {
    NodeId node;
    Span span;
    Text path; /* empty: named by -o */
    Span path_span;
    Text dtype, space; /* empty: as the command line says */
    Span dtype_span, space_span;
    DTypeMap dtypes;     /* in place of `dtype` where there are any */
    uint64_t shard_size; /* 0: as the command line says */
    /* These hold for all outputs, which are computed together. */
    Text compute; /* empty: as the command line says */
    Span compute_span;
    bool keep_non_finite, allow_unused;
    MetadataPair *metadata; /* given by the save */
    uint32_t n_metadata;
} RecipeOutput;

typedef struct RecipeParameter {
    Text name;
    Span span;
    Text type; /* `float`, `int`, `bool`, `str`, `path`, `model`, … */
    bool required;
    Text fallback; /* as written */
    Text range;    /* as written, or empty */
    Text doc;
} RecipeParameter;

/* What the last statement of a session is. */
typedef enum ResultKind { RESULT_NONE, RESULT_VALUE, RESULT_LIST, RESULT_IMPORT } ResultKind;

/* How the recipe calls a node: what it was bound to in the recipe's own file. */
typedef struct NodeName {
    NodeId node;
    Text name;
} NodeName;

/* A function of the recipe that was expanded: the nodes from FIRST to END were made by it, or by
 * those that it called. In order of their beginning, so each stands behind the one that called it.
 */
typedef struct RecipeExpansion {
    Text name;
    Span span; /* of the call */
    NodeId first, end;
} RecipeExpansion;

typedef struct Recipe {
    Graph *graph;
    Build *build;
    Library *library;
    const Scope *scope;
    bool is_list; /* written as an instruction list */
    Text folder;  /* of the recipe file: where relative paths are looked for first */
    RecipeOutput *outputs;
    uint32_t n_outputs;
    ResultKind result; /* under ElaborateOptions.looks; its values are the outputs */
    NodeName *names;   /* in order of binding */
    uint32_t n_names;
    RecipeExpansion *expansions;
    uint32_t n_expansions;
    RecipeParameter *parameters;
    uint32_t n_parameters;
} Recipe;

/* A parameter's value given from outside. */
typedef struct Setting {
    Text name, value;
} Setting;

/* What is known of the configs of nodes while a recipe is elaborated (solve/convert.h). */
typedef struct ConfigQuestions {
    NodeId (*convert)(void *context, const Recipe *recipe, NodeId operand, Text config, NodeId like,
                      Span span);
    Text (*config)(void *context, const Recipe *recipe, NodeId node);
    /* The config of a node that holds a network; else empty. */
    Text (*network)(void *context, const Recipe *recipe, NodeId node);
    bool (*is_known)(void *context, Text config, Span span); /* or says there that it is not */
    void *context;
} ConfigQuestions;

typedef struct ElaborateOptions {
    const ConfigQuestions *configs;
    const Setting *settings;
    size_t n_settings;
    Text folder;
    bool looks;    /* the outputs are what the last statement makes or names, of any space */
    bool *misused; /* becomes true where a parameter is missing, unknown or of the wrong type */
} ElaborateOptions;

/* The graph of a source in either dialect. Mistakes are reported; NULL if there was one. */
Recipe *elaborate(Arena *arena, Diags *diags, Library *library, uint32_t source,
                  const ElaborateOptions *options);

/* The instruction-list half of it. CALL expands a function of the library, which recipes may call
 * by the name of a method. */
typedef NodeId FunctionCall(void *context, const Definition *function, const Argument *arguments,
                            uint32_t n_arguments, Span span);
void elaborate_instructions(Arena *arena, Diags *diags, Recipe *recipe, uint32_t source,
                            FunctionCall *call, void *context);

#endif
