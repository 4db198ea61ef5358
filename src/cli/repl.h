/* The REPL: what commands there are, and what can be typed. */
#ifndef CLI_REPL_H
#define CLI_REPL_H

#include "cli/line.h"
#include "cli/session.h"

typedef struct ReplCommand {
    const char *name;     /* without its colon */
    const char *operands; /* as help shows them */
    const char *summary;
    bool (*act)(Session *session, const char *rest);
} ReplCommand;

extern const ReplCommand repl_commands[];
extern const unsigned n_repl_commands;

/* Runs `:name rest`. */
bool repl_command(Session *session, const char *words);

/* Loads statements from a file. */
bool repl_load(Session *session, const char *path);

/* A CompleteLine with a ReplCompletion as the context. */
typedef struct ReplCompletion {
    Session *session;
    Arena arena; /* of the last answer */
} ReplCompletion;
Completions repl_complete(void *context, Text line);

#endif
