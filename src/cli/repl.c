/* mecha repl: recipes typed line by line, and looked at on the way. */
#include "cli/repl.h"

#include "cli/signals.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char greeting[] = "mecha %s: statements of a recipe, an expression to see what it is, "
                               "or a command;\n:help lists those. End with :quit or Ctrl-D.\n";

/* ---- where lines come from ---- */

typedef struct Input {
    LineReader *reader; /* NULL: standard input is no terminal */
    char *line;
    size_t capacity;
} Input;

static LineStatus read_piped(Input *input, Text *line) {
    ssize_t size = getline(&input->line, &input->capacity, stdin);
    if (size < 0)
        return LINE_END;
    *line = (Text){input->line, (size_t)size - (input->line[size - 1] == '\n')};
    return LINE_READ;
}

static LineStatus read_line(Input *input, const char *prompt, Text *line) {
    if (input->reader == NULL)
        return read_piped(input, line);
    fflush(stdout);
    return line_read(input->reader, prompt, line);
}

/* ---- what to do with them ---- */

/* Lines that are not a whole statement yet. */
typedef struct Pending {
    Builder text;
    uint32_t line;  /* of the first */
    uint32_t blank; /* lines of nothing, since the last of something */
} Pending;

static void forget(Pending *pending) {
    pending->text.size = 0;
    pending->blank = 0;
}

static bool is_blank(Text text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] != ' ' && text.data[i] != '\t' && text.data[i] != '\n' &&
            text.data[i] != '\r')
            return false;
    return true;
}

/* What cannot be whole is said to be wrong where nothing more comes. */
static bool fail_unfinished(Session *session, const SourcePart *part) {
    Engine *engine = mecha_open(&session->arguments->engine);
    const MechaStatement *statements;
    size_t count;
    mecha_statements(engine, part, &statements, &count);
    return session_close_engine(session, engine);
}

static bool take_pending(Session *session, Pending *pending, bool ends) {
    SourcePart part = {text_from(session->name), pending->line, builder_view(&pending->text)};
    Outcome outcome = session_take(session, &part);
    if (outcome == OUTCOME_UNFINISHED && !ends)
        return true;
    bool good = outcome == OUTCOME_DONE ||
                (outcome == OUTCOME_UNFINISHED && fail_unfinished(session, &part));
    forget(pending);
    return good;
}

static bool run_command_line(Session *session, Text line) {
    Builder words = {0};
    builder_add(&words, line);
    builder_char(&words, '\0');
    bool good = repl_command(session, words.data + strspn(words.data, " \t") + 1);
    builder_free(&words);
    return good;
}

static bool is_command(Text line) {
    size_t at = 0;
    while (at < line.size && (line.data[at] == ' ' || line.data[at] == '\t'))
        at++;
    return at < line.size && line.data[at] == ':';
}

/* A statement goes on until it is whole; at a terminal, two empty lines end it whatever it is. */
static bool take_line(Session *session, Pending *pending, Text line) {
    bool blank = is_blank(line);
    if (pending->text.size == 0) {
        if (is_command(line))
            return run_command_line(session, line);
        if (blank)
            return true;
        pending->line = session->line;
    }
    pending->blank = blank ? pending->blank + 1 : 0;
    builder_add(&pending->text, line);
    builder_char(&pending->text, '\n');
    return take_pending(session, pending, session->interactive && pending->blank >= 2);
}

/* Whether all went well; a pipe ends with the first mistake, a terminal never. */
static bool read_all(Session *session, Input *input) {
    Pending pending = {0};
    bool good = true;
    while (!session->ended && (good || session->interactive)) {
        Text line;
        const char *prompt = pending.text.size > 0 ? "   ... " : "mecha> ";
        LineStatus status = read_line(input, prompt, &line);
        if (status == LINE_END)
            break;
        if (status == LINE_INTERRUPTED) {
            puts("^C");
            forget(&pending);
        } else {
            session->line++;
            good = take_line(session, &pending, line);
        }
        signals_caught();
    }
    if (good && pending.text.size > 0)
        good = take_pending(session, &pending, true);
    builder_free(&pending.text);
    return good || session->interactive;
}

/* ---- the terminal ---- */

/* $MECHA_HISTORY, or a file in the folder for such things; its folder is made. NULL: none. */
static const char *history_file(Arena *arena) {
    const char *named = getenv("MECHA_HISTORY"), *state = getenv("XDG_STATE_HOME");
    const char *home = getenv("HOME");
    if (named != NULL)
        return *named != '\0' ? named : NULL;
    if ((state == NULL || *state != '/') && (home == NULL || *home != '/'))
        return NULL;
    Text folder = state != NULL && *state == '/'
                      ? text_format(arena, "%s/mecha", state)
                      : text_format(arena, "%s/.local/state/mecha", home);
    for (char *slash = strchr(folder.data + 1, '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(folder.data, 0700);
        *slash = '/';
    }
    mkdir(folder.data, 0700);
    return text_format(arena, "%.*s/history", TEXT_ARG(folder)).data;
}

static bool talk(Session *session) {
    ReplCompletion completion = {.session = session};
    Input input = {0};
    if (session->interactive) {
        printf(greeting, mecha_version());
        const volatile int *interrupted = session->arguments->engine.interrupted = signals_catch();
        input.reader =
            line_open(history_file(&session->arena), repl_complete, &completion, interrupted);
    }
    bool good = read_all(session, &input);
    if (session->interactive) {
        line_close(input.reader);
        puts(session->ended ? "" : "\n");
    }
    arena_free(&completion.arena);
    free(input.line);
    return good;
}

int command_repl(Arguments *arguments) {
    Session session;
    session_init(&session, arguments);
    session.interactive = isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
    session.name = session.interactive ? "<session>" : "<stdin>";
    bool good = true;
    if (arguments->operands.count > 0)
        good = repl_load(&session, arguments->operands.items[0]);
    if (good || session.interactive)
        good = talk(&session) && good;
    session_free(&session);
    return good ? STATUS_DONE : STATUS_FAULT;
}
