/* A session: the statements accepted so far. Each new one is checked together with them; what fails
 * leaves them as they were. */
#ifndef CLI_SESSION_H
#define CLI_SESSION_H

#include "cli/cli.h"

typedef struct Statement {
    MechaStatementKind kind;
    SourcePart part;
    Text name;
} Statement;

/* Statements in their order; never changed, but replaced. */
typedef struct StatementList {
    const Statement *items;
    size_t count;
} StatementList;

typedef struct Session {
    Arguments *arguments;
    Arena arena;
    MechaModels *models;
    StatementList now;
    VECTOR(StatementList) before; /* for :undo, newest last */
    const char *folder;           /* where relative paths are looked for first */
    const char *name;             /* what messages call the input */
    uint32_t line;                /* of it, read last */
    bool interactive, ended;
} Session;

void session_init(Session *session, Arguments *arguments);
void session_free(Session *session);

typedef enum Outcome { OUTCOME_DONE, OUTCOME_UNFINISHED, OUTCOME_FAILED } Outcome;

/* Takes in statements, and shows what an expression at their end is. */
Outcome session_take(Session *session, const SourcePart *part);

/* An engine with the session loaded, and EXPRESSION behind it; the session's saves are left out
 * then. EXPRESSION may be NULL. */
Engine *session_engine(Session *session, const char *expression);

/* Prints what the engine has to say and closes it. Whether there was no error. */
bool session_close_engine(Session *session, Engine *engine);

/* What was done last is undone; false where nothing is left. */
bool session_undo(Session *session);

/* The session as a recipe. */
void session_text(const Session *session, Builder *out);

#endif
