/* The library's face: an Engine holds what one recipe is compiled and run with. Start reading in
 * mecha.c.
 *
 *     Engine *engine = mecha_open(&options);
 *     bool ok = mecha_load_file(engine, "blend.mecha") && mecha_prepare(engine) &&
 * mecha_run(engine); diags_print(mecha_diags(engine), stderr, style); mecha_close(engine);
 *
 * Every function that returns bool returns false after recording at least one error in the engine's
 * Diags. */
#ifndef MECHA_H
#define MECHA_H

#include "base/text.h"
#include "diag/diag.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

typedef struct Engine Engine;

/* A parameter of the recipe, set from outside: `--strength 0.4`. A VALUE of NULL is a flag by
 * itself: `--flag` sets it, and `--no-flag` (NAME is then `no-flag`) takes it back. */
typedef struct MechaSetting {
    const char *name, *value;
} MechaSetting;

/* Models that several engines look into, opened once: those of a session. */
typedef struct Models MechaModels;

typedef struct MechaProgress {
    uint64_t keys_done, keys;
    uint64_t bytes_done, bytes; /* of the outputs */
    double seconds;             /* since the evaluation began */
} MechaProgress;

/* What the options of `mecha run` say. A zeroed struct is all defaults. */
typedef struct MechaOptions {
    const char *output;             /* -o; NULL: what the recipe's saves say */
    const char *dtype;              /* `auto` where NULL */
    const char *compute;            /* `f32` where NULL; `f64` */
    const char *space;              /* `weight` where NULL; `delta`, `param`, `any` */
    const char *fallback;           /* a model that fills keys which the recipe does not produce */
    const char *const *models_dirs; /* looked through in order, then those of MECHA_MODELS */
    size_t n_models_dirs;
    const MechaSetting *settings;
    size_t n_settings;
    unsigned threads;    /* 0: as many as the machine has */
    uint64_t memory;     /* bytes that may be held; 0: half of the machine's */
    uint64_t shard_size; /* 0: one file */
    bool strict;         /* missing mandatory and dropped keys are errors */
    bool no_metadata;    /* --metadata none */
    bool keep_non_finite, allow_unused, no_sync, force;
    bool record_hashes; /* write into the metadata what the inputs held */
    bool resume;        /* go on from what an interrupted run left, and leave it if interrupted */
    /* Called now and then from one of the workers, never twice at once; NULL for none. */
    void (*progress)(void *context, const struct MechaProgress *progress);
    void *progress_context;
    MechaModels *models;             /* shared with other engines; may be NULL */
    const volatile int *interrupted; /* becomes non-zero when a signal asks to stop; may be NULL */
} MechaOptions;

/* Never NULL. OPTIONS and what it points to must outlive the engine. */
Engine *mecha_open(const MechaOptions *options);
void mecha_close(Engine *engine);
Diags *mecha_diags(Engine *engine);

/* Reads and parses a recipe, in either dialect. NAME is what messages call it; its folder is where
 * relative paths are looked for first (the working directory for `<stdin>`). mecha_load_file also
 * takes `-`, standard input, and a model, whose recipe it then is. */
bool mecha_load(Engine *engine, Text name, Text text);
bool mecha_load_file(Engine *engine, const char *path);
/* The same of a recipe in several parts, one behind the other; FOLDER is theirs. */
bool mecha_load_parts(Engine *engine, const SourcePart *parts, size_t n_parts, const char *folder);

/* The recipe that a model carries in its metadata: the one that it was made with, whole, or at
 * least the instruction list. False, after an error, where there is none. */
bool mecha_carried(Engine *engine, const char *path, Builder *out);

/* Whether the inputs of a model that was made with `record_hashes` are still what they were. */
typedef enum MechaInputState {
    MECHA_INPUT_SAME,
    MECHA_INPUT_DIFFERENT,
    MECHA_INPUT_MISSING,
    MECHA_INPUT_UNREADABLE, /* after an error */
} MechaInputState;
typedef struct MechaInput {
    Text path;  /* as the recipe has it */
    Text found; /* where it is now; empty where it is not */
    MechaInputState state;
} MechaInput;
/* NULL after an error. Looks for them where a recipe beside the model would. */
const MechaInput *mecha_verify(Engine *engine, const char *path, size_t *count);

/* The names of the loaded recipe's parameters. The array lives as long as the engine. */
const Text *mecha_parameters(Engine *engine, size_t *count);
/* The page of the loaded recipe: its opening comment, and its parameters with their types, ranges
 * and defaults. */
void mecha_page(Engine *engine, Builder *out);
/* The text of the loaded recipe. */
const Source *mecha_source(const Engine *engine);
/* Whether mecha_prepare failed for a parameter that is missing, misspelt or of the wrong type:
 * wrong usage of the recipe. */
bool mecha_misused(const Engine *engine);

/* Everything but the evaluation: names, spaces, headers of the models, keys, shapes, programs,
 * memory. Silent when all is well. */
bool mecha_prepare(Engine *engine);

/* Evaluates and writes every output. Nothing is left half-written: see tensor/writer.h. */
bool mecha_run(Engine *engine);

/* What a run did, for the last line of `mecha run`. */
typedef struct MechaSummary {
    uint32_t n_outputs;
    uint64_t keys, dropped;
    uint64_t kept; /* keys that an earlier run had finished */
    uint64_t bytes_read, bytes_written;
    double seconds;
} MechaSummary;
MechaSummary mecha_summary(const Engine *engine);
/* The path of the i-th output. */
Text mecha_output_path(const Engine *engine, uint32_t i);

/* The optimised plan in words (`mecha explain`), after mecha_prepare. */
void mecha_explain(Engine *engine, Builder *out);
/* The code of its passes, class by class of keys. */
void mecha_explain_code(Engine *engine, Builder *out);
/* Its figures and passes as JSON: docs/schema/explain.json. */
void mecha_explain_json(Engine *engine, Builder *out);
/* The instruction list (`mecha compile`), after mecha_prepare; false where the recipe cannot be
 * said in it. */
bool mecha_compile(Engine *engine, Builder *out);

/* The graph of the loaded recipe in the DOT language, for Graphviz to draw (`mecha graph`), in
 * place of mecha_prepare; after mecha_consider that of what was considered. */
bool mecha_graph(Engine *engine, Builder *out);

/* The recipe TEXT laid out as it should be (`mecha fmt`); needs nothing loaded. False, after
 * errors, where it is no recipe. */
bool mecha_format(Engine *engine, Text name, Text text, Builder *out);

/* One method of the library, for `mecha methods`. */
typedef struct MechaMethod {
    Text name;
    Text signature; /* `weighted_sum(a: S, b: S, alpha: param = 0.5) -> S` */
    Text doc;       /* the comment above it */
    Text file;      /* where it is defined, `<stdlib>/methods/linear.mecha` */
    Text source;    /* its text */
} MechaMethod;
/* All methods and functions of the standard library in order of their names. Parses all of it. The
 * array lives as long as the engine. */
const MechaMethod *mecha_methods(Engine *engine, size_t *count);
/* The one of that name, or NULL after an error that suggests the nearest. */
const MechaMethod *mecha_method(Engine *engine, Text name);

/* What `mecha configs NAME` shows: any of these, or the page of the config where none is asked for.
 */
typedef struct MechaConfigParts {
    bool components, blocks, keys;
} MechaConfigParts;
/* From now on the configs that the loaded recipe and its imports define are known, too. */
bool mecha_define(Engine *engine);
/* All configs of the standard library, a line each; where a recipe is loaded, those of its own. */
void mecha_configs(Engine *engine, bool json, Builder *out);
/* One of them. False after an error that suggests the nearest. */
bool mecha_config(Engine *engine, Text name, MechaConfigParts parts, bool json, Builder *out);

/* The functions that bodies of methods are made of, a line each, for `mecha help tensors`. */
void mecha_functions(Builder *out);

/* What `mecha info` says of a model. False where it cannot be read. */
bool mecha_info(Engine *engine, const char *path, bool keys, const char *glob, bool json,
                Builder *out);

/* The same in a line, for tables. Its texts live as long as the engine. */
typedef struct MechaInfoLine {
    Text path, config, dtypes;
    uint32_t keys;
    uint64_t bytes;
} MechaInfoLine;
bool mecha_info_line(Engine *engine, const char *path, MechaInfoLine *line);

/* Where and how much model B differs from A (`mecha diff`): *DIFFERENT is whether it does. What was
 * found is then told: in words, as JSON, or as a page of HTML with a picture. */
bool mecha_diff(Engine *engine, const char *a, const char *b, bool *different);
void mecha_diff_text(Engine *engine, bool colour, Builder *out);
void mecha_diff_json(Engine *engine, Builder *out);
void mecha_diff_html(Engine *engine, Builder *out);

/* ---- sessions: recipes that grow, and are looked at on the way (session.c, look.c) ---- */

MechaModels *mecha_models_open(void);
void mecha_models_close(MechaModels *models); /* after the engines that share them */

typedef enum MechaStatementKind {
    MECHA_BINDING,    /* of a name: `x = …`, `param`, `import` */
    MECHA_DEFINITION, /* of a method, function, config, conversion */
    MECHA_SAVE,
    MECHA_EXPRESSION,
} MechaStatementKind;

typedef struct MechaStatement {
    MechaStatementKind kind;
    Text name; /* what it binds or defines; may be empty */
    Text text; /* with the comments in front of it and behind it on its line */
    uint32_t line;
} MechaStatement;

typedef enum MechaReading {
    MECHA_STATEMENTS,
    MECHA_UNFINISHED, /* well so far, but more must follow */
    MECHA_MALFORMED,  /* after errors */
} MechaReading;

/* Divides a text of the recipe language into its statements, in memory of the engine. */
MechaReading mecha_statements(Engine *engine, const SourcePart *text,
                              const MechaStatement **statements, size_t *count);

/* Names, spaces, configs and keys of the last statement of what is loaded: it may make nothing, and
 * an expression be of any space. */
bool mecha_consider(Engine *engine);
/* What that statement is, after mecha_consider: a model in a line, a tensor that is a key of one
 * (`x["key"]`) evaluated and with its figures, a number. */
bool mecha_look(Engine *engine, Builder *out);
/* Its space and config alone. */
void mecha_type(Engine *engine, Builder *out);
/* Its keys that GLOB matches (all where NULL), a line each. */
bool mecha_keys(Engine *engine, const char *glob, Builder *out);
/* The models that were opened, a line each. */
void mecha_opened(Engine *engine, Builder *out);

/* What could be typed at a place, for completion. */
typedef enum MechaNames {
    MECHA_NAMES_BOUND,   /* by what is loaded */
    MECHA_NAMES_CALLED,  /* methods and functions */
    MECHA_NAMES_FORMALS, /* of the method or function OF */
    MECHA_NAMES_CONFIGS,
    MECHA_NAMES_COMPONENTS, /* of what was considered; of all configs where that is not known */
    MECHA_NAMES_BLOCKS,     /* likewise */
    MECHA_NAMES_KEYS,       /* of what was considered */
} MechaNames;
const Text *mecha_names(Engine *engine, MechaNames what, Text of, size_t *count);

/* Removes temporary files; whether some are kept, for a run with `resume` to go on from.
 * Async-signal-safe, for the handlers of signals that end the program. */
bool mecha_remove_temporaries(void);
/* Whether some output was finished by now. Async-signal-safe. */
bool mecha_changed_files(void);

const char *mecha_version(void);

#endif
