/* The commands of the REPL, a row each. */
#include "base/file.h"
#include "cli/progress.h"
#include "cli/repl.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool is_empty(const char *words) {
    return *words == '\0';
}

static bool needs(const char *what) {
    fault("%s", what);
    return false;
}

/* ---- looking ---- */

/* Considers EXPRESSION and calls SHOW for it. */
static bool consider(Session *session, const char *expression,
                     bool (*show)(Engine *engine, const char *glob, Builder *out),
                     const char *glob) {
    Engine *engine = session_engine(session, expression);
    Builder words = {0};
    if (mecha_consider(engine))
        show(engine, glob, &words);
    print_result(&words);
    return session_close_engine(session, engine);
}

static bool show_type(Engine *engine, const char *glob, Builder *out) {
    (void)glob;
    mecha_type(engine, out);
    return true;
}

static bool act_type(Session *session, const char *rest) {
    return is_empty(rest) ? needs(":type needs an expression")
                          : consider(session, rest, show_type, NULL);
}

/* The last word, if it is a pattern: it has a `*`, or stands in quotes. *END is where what stands
 * before it ends. */
static char *last_pattern(Arena *arena, const char *rest, size_t *end) {
    size_t size = strlen(rest), begin = size;
    bool quoted = size > 1 && rest[size - 1] == '"';
    if (quoted)
        begin--;
    while (begin > 0 && (quoted ? rest[begin - 1] != '"' : rest[begin - 1] != ' '))
        begin--;
    *end = begin > quoted ? begin - quoted : 0;
    bool apart = *end > 0 && rest[*end - 1] == ' ';
    Text word = {rest + begin, size - begin - quoted};
    if (!apart || (!quoted && memchr(word.data, '*', word.size) == NULL))
        return NULL;
    return (char *)text_copy(arena, word).data;
}

static bool act_keys(Session *session, const char *rest) {
    size_t end;
    if (is_empty(rest))
        return needs(":keys needs an expression, and may have a pattern behind it");
    const char *glob = last_pattern(&session->arena, rest, &end);
    Text expression = {rest, glob != NULL ? end : strlen(rest)};
    return consider(session, text_copy(&session->arena, expression).data, mecha_keys, glob);
}

static bool act_models(Session *session, const char *rest) {
    (void)rest;
    Engine *engine = session_engine(session, NULL);
    Builder words = {0};
    mecha_opened(engine, &words);
    print_result(&words);
    return session_close_engine(session, engine);
}

/* ---- recipes ---- */

static bool act_explain(Session *session, const char *rest) {
    Engine *engine = session_engine(session, is_empty(rest) ? NULL : rest);
    Builder words = {0};
    if (mecha_prepare(engine))
        mecha_explain(engine, &words);
    print_result(&words);
    return session_close_engine(session, engine);
}

/* The path behind the last ` to `, without its quotes; the expression ends there. */
static const char *split_target(char *words) {
    char *to = NULL;
    for (char *at = strstr(words, " to "); at != NULL; at = strstr(at + 1, " to "))
        to = at;
    if (to == NULL)
        return NULL;
    *to = '\0';
    char *path = to + 4 + strspn(to + 4, " ");
    size_t size = strlen(path);
    if (size > 1 && path[0] == '"' && path[size - 1] == '"') {
        path[size - 1] = '\0';
        path++;
    }
    return path;
}

/* `[X] [to FILE]` */
static bool act_graph(Session *session, const char *rest) {
    char *words = (char *)text_format(&session->arena, " %s", rest).data;
    const char *path = split_target(words);
    const char *expression = words + strspn(words, " ");
    Engine *engine = session_engine(session, is_empty(expression) ? NULL : expression);
    Builder graph = {0};
    bool good = (is_empty(expression) || mecha_consider(engine)) && mecha_graph(engine, &graph);
    if (good && path != NULL)
        good = draw_graph(path, builder_view(&graph));
    else if (good)
        print_result(&graph);
    builder_free(&graph);
    return session_close_engine(session, engine) && good;
}

/* EXPRESSION NULL: the session's saves. */
static bool run(Session *session, const char *expression, const char *path) {
    MechaOptions *options = &session->arguments->engine;
    ProgressLine line = {0};
    options->output = path;
    options->progress = session->interactive ? progress_report : NULL;
    options->progress_context = &line;
    Engine *engine = session_engine(session, expression);
    bool good = mecha_prepare(engine) && mecha_run(engine);
    progress_erase(&line);
    if (good)
        summarise_run(engine);
    options->output = NULL;
    options->progress = NULL;
    return session_close_engine(session, engine) && good;
}

static bool act_run(Session *session, const char *rest) {
    if (is_empty(rest))
        return run(session, NULL, NULL);
    char *words = (char *)text_copy(&session->arena, text_from(rest)).data;
    const char *path = split_target(words);
    if (path == NULL || is_empty(path))
        return needs(":run needs an expression and a path: `:run x to x.safetensors`; alone, it "
                     "runs the saves of the session");
    return run(session, words, path);
}

/* Relative paths of the first file are looked for beside it; of the others, there as well. */
static void add_folder(Session *session, const char *path) {
    const char *slash = strrchr(path, '/');
    if (slash == NULL)
        return;
    Text folder = {path, slash > path ? (size_t)(slash - path) : 1};
    const char *kept = text_copy(&session->arena, folder).data;
    if (session->now.count == 0)
        session->folder = kept;
    Arguments *arguments = session->arguments;
    vector_push(&arguments->models_dirs, kept);
    arguments->engine.models_dirs = arguments->models_dirs.items;
    arguments->engine.n_models_dirs = arguments->models_dirs.count;
}

bool repl_load(Session *session, const char *path) {
    SourcePart part = {text_from(path), 1, TEXT("")};
    int error;
    if (is_empty(path))
        return needs(":load needs a file");
    if (!file_read(&session->arena, part.name, FILE_TEXT_LIMIT, &part.text, &error)) {
        fault("%s: %s", path, strerror(error));
        return false;
    }
    add_folder(session, path);
    Outcome outcome = session_take(session, &part);
    if (outcome == OUTCOME_UNFINISHED)
        fault("%s: its last statement is not finished", path);
    return outcome == OUTCOME_DONE;
}

static void add_settings(const Session *session, Builder *out) {
    const Arguments *arguments = session->arguments;
    for (size_t i = 0; i < arguments->settings.count; i++) {
        const MechaSetting *setting = &arguments->settings.items[i];
        builder_format(out, "# set here: --%s%s%s\n", setting->name,
                       setting->value != NULL ? " " : "",
                       setting->value != NULL ? setting->value : "");
    }
}

static bool act_save(Session *session, const char *rest) {
    if (is_empty(rest))
        return needs(":save needs a file: `:save blend.mecha`");
    if (session->now.count == 0)
        return needs("nothing to save: no statement was taken yet");
    Builder text = {0}, laid_out = {0};
    add_settings(session, &text);
    session_text(session, &text);
    Engine *engine = mecha_open(&session->arguments->engine);
    bool good = mecha_format(engine, text_from("<session>"), builder_view(&text), &laid_out) &&
                replace_file(rest, builder_view(&laid_out));
    if (good)
        fprintf(stderr, "wrote %s: %zu statement%s\n", rest, session->now.count,
                session->now.count == 1 ? "" : "s");
    builder_free(&text);
    builder_free(&laid_out);
    return session_close_engine(session, engine) && good;
}

/* ---- the session ---- */

/* Whether the session still holds together; says what does not. */
static bool still_holds(Session *session) {
    Engine *engine = session_engine(session, NULL);
    if (session->now.count > 0)
        mecha_consider(engine);
    return session_close_engine(session, engine);
}

/* A value that the session cannot have is not kept. */
static bool set(Session *session, Text name, const char *value, const Text *parameters,
                size_t n_parameters) {
    Arguments *arguments = session->arguments, before = *arguments;
    const char *old = options_parameter(arguments, name);
    if (!options_set(arguments, name, value, parameters, n_parameters))
        return false;
    if (still_holds(session))
        return true;
    arguments->engine = before.engine;
    options_restore(arguments, name, old);
    return false;
}

static bool act_set(Session *session, const char *rest) {
    if (is_empty(rest)) {
        Builder words = {0};
        options_show(session->arguments, &words);
        print_result(&words);
        return true;
    }
    size_t size = strcspn(rest, " =");
    Text name = text_copy(&session->arena, (Text){rest, size});
    const char *value = rest + size + strspn(rest + size, " =");
    Engine *engine = session_engine(session, NULL);
    size_t count = 0;
    const Text *parameters = session->now.count > 0 ? mecha_parameters(engine, &count) : NULL;
    const char *kept = text_copy(&session->arena, text_from(value)).data;
    bool good = set(session, name, is_empty(value) ? NULL : kept, parameters, count);
    mecha_close(engine);
    return good;
}

static bool act_undo(Session *session, const char *rest) {
    (void)rest;
    if (!session_undo(session))
        return needs("nothing is left to undo");
    return true;
}

static bool act_list(Session *session, const char *rest) {
    (void)rest;
    Builder words = {0};
    session_text(session, &words);
    print_result(&words);
    return true;
}

static bool act_quit(Session *session, const char *rest) {
    (void)rest;
    session->ended = true;
    return true;
}

static void list_commands(void) {
    puts("a statement      is taken into the session: merged = slerp(a, b, alpha = 0.4)\n"
         "an expression    is shown: a model in a line, merged[\"KEY\"] with its figures\n");
    for (unsigned i = 0; i < n_repl_commands; i++) {
        const ReplCommand *command = &repl_commands[i];
        char left[64];
        snprintf(left, sizeof left, ":%s %s", command->name, command->operands);
        printf("%-20s %s\n", left, command->summary);
    }
    puts("\nA name may be bound again: what was made from it follows. Ctrl-C ends what runs; Tab "
         "completes.");
}

static bool is_among(Text name, const Text *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (text_equal(names[i], name))
            return true;
    return false;
}

static bool act_help(Session *session, const char *rest) {
    if (is_empty(rest)) {
        list_commands();
        return true;
    }
    if (help_on_topic(rest))
        return true;
    Engine *engine = session_engine(session, NULL);
    Builder words = {0};
    size_t count;
    const Text *configs = mecha_names(engine, MECHA_NAMES_CONFIGS, TEXT(""), &count);
    if (is_among(text_from(rest), configs, count))
        mecha_config(engine, text_from(rest), (MechaConfigParts){0}, false, &words);
    else
        show_method(engine, rest);
    print_result(&words);
    return session_close_engine(session, engine);
}

const ReplCommand repl_commands[] = {
    {"help", "[NAME]", "this page, or about a method, config, command or topic", act_help},
    {"type", "X", "the merge space and config of an expression", act_type},
    {"keys", "X [GLOB]", "its keys, with dtypes and shapes", act_keys},
    {"explain", "[X]", "the plan of its evaluation: passes, bytes, memory", act_explain},
    {"graph", "[X] [to FILE]", "what is merged with what, as DOT; drawn where FILE is a .svg",
     act_graph},
    {"run", "[X to PATH]", "evaluates it into a file; alone, every save of the session", act_run},
    {"load", "FILE", "takes in the statements of a recipe", repl_load},
    {"save", "FILE", "writes the session as a recipe", act_save},
    {"list", "", "the statements of the session", act_list},
    {"set", "[NAME VALUE]", "an option of 'mecha run', or a parameter of the session", act_set},
    {"undo", "", "takes back the statement taken last", act_undo},
    {"models", "", "the models that are open", act_models},
    {"quit", "", "ends the session", act_quit},
};
const unsigned n_repl_commands = sizeof repl_commands / sizeof *repl_commands;

static bool unknown_command(Text name) {
    Text names[sizeof repl_commands / sizeof *repl_commands];
    for (unsigned i = 0; i < n_repl_commands; i++)
        names[i] = text_from(repl_commands[i].name);
    Text nearest = nearest_name(name, names, n_repl_commands);
    if (nearest.size > 0)
        fault("there is no command ':%.*s'; did you mean ':%.*s'?", TEXT_ARG(name),
              TEXT_ARG(nearest));
    else
        fault("there is no command ':%.*s'; :help lists them", TEXT_ARG(name));
    return false;
}

/* `:q` will do for `:quit`, as any beginning that only one command has. */
static const ReplCommand *find_command(Text name) {
    const ReplCommand *found = NULL;
    unsigned count = 0;
    for (unsigned i = 0; i < n_repl_commands; i++) {
        Text whole = text_from(repl_commands[i].name);
        if (text_equal(whole, name))
            return &repl_commands[i];
        if (name.size > 0 && text_starts(whole, name)) {
            found = &repl_commands[i];
            count++;
        }
    }
    return count == 1 ? found : NULL;
}

bool repl_command(Session *session, const char *words) {
    Text name = {words, strcspn(words, " \t")};
    const char *rest = words + name.size + strspn(words + name.size, " \t");
    Text trimmed = text_from(rest);
    while (trimmed.size > 0 && isspace((unsigned char)trimmed.data[trimmed.size - 1]))
        trimmed.size--;
    const ReplCommand *command = find_command(name);
    if (command == NULL)
        return unknown_command(name);
    return command->act(session, text_copy(&session->arena, trimmed).data);
}
