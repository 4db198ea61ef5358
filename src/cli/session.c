#include "cli/session.h"

#include <string.h>

void session_init(Session *session, Arguments *arguments) {
    *session = (Session){.arguments = arguments, .folder = "."};
    session->models = mecha_models_open();
    arguments->engine.models = session->models;
}

void session_free(Session *session) {
    mecha_models_close(session->models);
    vector_free(&session->before);
    arena_free(&session->arena);
}

/* ---- engines ---- */

typedef VECTOR(SourcePart) Parts;

/* Without a statement the session is a recipe that says nothing. */
static Engine *open_engine(Session *session, const Parts *parts) {
    Engine *engine = mecha_open(&session->arguments->engine);
    SourcePart nothing = {text_from(session->name), 1, TEXT("")};
    mecha_load_parts(engine, parts->count > 0 ? parts->items : &nothing,
                     parts->count > 0 ? parts->count : 1, session->folder);
    return engine;
}

static void add_parts(Parts *parts, StatementList list, bool saves) {
    for (size_t i = 0; i < list.count; i++)
        if (saves || list.items[i].kind != MECHA_SAVE)
            vector_push(parts, list.items[i].part);
}

static Engine *engine_with(Session *session, const SourcePart *expression) {
    Parts parts = {0};
    add_parts(&parts, session->now, expression == NULL);
    if (expression != NULL)
        vector_push(&parts, *expression);
    Engine *engine = open_engine(session, &parts);
    vector_free(&parts);
    return engine;
}

Engine *session_engine(Session *session, const char *expression) {
    SourcePart part = {text_from(session->name), session->line, {0}};
    if (expression == NULL)
        return engine_with(session, NULL);
    part.text = text_from(expression);
    return engine_with(session, &part);
}

bool session_close_engine(Session *session, Engine *engine) {
    fflush(stdout);
    return close_engine(engine, session->arguments, STATUS_DONE) == STATUS_DONE;
}

/* ---- statements ---- */

static Statement keep(Session *session, Text name, const MechaStatement *statement) {
    SourcePart part = {text_copy(&session->arena, name), statement->line,
                       text_copy(&session->arena, statement->text)};
    return (Statement){statement->kind, part, text_copy(&session->arena, statement->name)};
}

/* The place of the statement that one of its name replaces; the end where none does. */
static size_t place_of(StatementList list, const Statement *statement) {
    size_t at = 0;
    while (at < list.count &&
           (statement->name.size == 0 || !text_equal(list.items[at].name, statement->name)))
        at++;
    return at;
}

/* LIST with a statement in the place of the one that it replaces, or without that at the end. */
static StatementList replace(Session *session, StatementList list, const Statement *statement,
                             bool at_end) {
    size_t at = place_of(list, statement), count = 0;
    Statement *items = arena_array(&session->arena, Statement, list.count + 1);
    for (size_t i = 0; i < list.count; i++)
        if (i != at)
            items[count++] = list.items[i];
        else if (!at_end)
            items[count++] = *statement;
    if (at == list.count || at_end)
        items[count++] = *statement;
    return (StatementList){items, count};
}

/* The last statement is what is considered: one that stands further up gets a second name there. */
static SourcePart second_name(Session *session, const Statement *statement) {
    Text text = text_format(&session->arena, "`bound again` = `%.*s`", TEXT_ARG(statement->name));
    return (SourcePart){statement->part.name, statement->part.line, text};
}

/* Whether a list holds together with LAST in it; silent where what is wrong is of no interest. */
static bool check(Session *session, StatementList list, const Statement *last, bool silent) {
    Parts parts = {0};
    add_parts(&parts, list, true);
    bool ends = list.items[list.count - 1].part.text.data == last->part.text.data;
    if (last->kind == MECHA_BINDING && !ends)
        vector_push(&parts, second_name(session, last));
    Engine *engine = open_engine(session, &parts);
    vector_free(&parts);
    bool good = mecha_consider(engine);
    if (silent)
        diags_clear(mecha_diags(engine));
    return session_close_engine(session, engine) && good;
}

static void adopt(Session *session, StatementList list) {
    vector_push(&session->before, session->now);
    session->now = list;
}

/* A name may be bound again: what was made from it follows. Where the new statement needs what
 * stands behind the old one, it goes to the end. */
static bool take_statements(Session *session, const Statement *statements, size_t count) {
    StatementList in_place = session->now, at_end = session->now;
    bool replaces = false;
    for (size_t i = 0; i < count; i++) {
        replaces |= place_of(in_place, &statements[i]) < in_place.count;
        in_place = replace(session, in_place, &statements[i], false);
        at_end = replace(session, at_end, &statements[i], true);
    }
    const Statement *last = &statements[count - 1];
    if (replaces && check(session, at_end, last, true) && !check(session, in_place, last, true))
        in_place = at_end;
    if (!check(session, in_place, last, false))
        return false;
    adopt(session, in_place);
    return true;
}

static bool look(Session *session, const SourcePart *expression) {
    Engine *engine = engine_with(session, expression);
    Builder words = {0};
    if (mecha_consider(engine))
        mecha_look(engine, &words);
    print_result(&words);
    return session_close_engine(session, engine);
}

/* What is kept stays when the expression behind it is at fault only where it came alone. */
static bool take(Session *session, const MechaStatement *given, size_t count, Text name) {
    Statement *statements = arena_array(&session->arena, Statement, count + 1);
    StatementList before = session->now;
    for (size_t i = 0; i < count; i++)
        statements[i] = keep(session, name, &given[i]);
    bool expression = count > 0 && given[count - 1].kind == MECHA_EXPRESSION;
    size_t kept = count - expression;
    if (kept > 0 && !take_statements(session, statements, kept))
        return false;
    if (!expression || look(session, &statements[count - 1].part))
        return true;
    if (kept > 0)
        session_undo(session);
    session->now = before;
    return false;
}

Outcome session_take(Session *session, const SourcePart *part) {
    Engine *engine = mecha_open(&session->arguments->engine);
    const MechaStatement *statements;
    size_t count;
    MechaReading reading = mecha_statements(engine, part, &statements, &count);
    if (reading == MECHA_STATEMENTS) {
        bool taken = take(session, statements, count, part->name);
        mecha_close(engine);
        return taken ? OUTCOME_DONE : OUTCOME_FAILED;
    }
    if (reading == MECHA_UNFINISHED)
        diags_clear(mecha_diags(engine));
    session_close_engine(session, engine);
    return reading == MECHA_UNFINISHED ? OUTCOME_UNFINISHED : OUTCOME_FAILED;
}

bool session_undo(Session *session) {
    if (session->before.count == 0)
        return false;
    session->now = session->before.items[--session->before.count];
    return true;
}

void session_text(const Session *session, Builder *out) {
    for (size_t i = 0; i < session->now.count; i++) {
        builder_add(out, session->now.items[i].part.text);
        builder_char(out, '\n');
    }
}
