/* What could be typed at the end of a line: told by what stands before it. */
#include "cli/repl.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

typedef struct Search {
    ReplCompletion *completion;
    Text word; /* what is there of it */
    VECTOR(Text) found;
} Search;

static bool is_name_part(char c) {
    return isalnum((unsigned char)c) || c == '_';
}

static void offer(Search *search, Text candidate, const char *behind) {
    if (!text_starts(candidate, search->word))
        return;
    Text kept = text_format(&search->completion->arena, "%.*s%s", TEXT_ARG(candidate), behind);
    for (size_t i = 0; i < search->found.count; i++)
        if (text_equal(search->found.items[i], kept))
            return;
    vector_push(&search->found, kept);
}

/* ---- what there is ---- */

/* EXPRESSION is considered first, where there is one; silently. */
static void offer_names(Search *search, const char *expression, MechaNames what, Text of,
                        const char *behind) {
    Engine *engine = session_engine(search->completion->session, expression);
    size_t count = 0;
    if (expression == NULL || mecha_consider(engine)) {
        const Text *names = mecha_names(engine, what, of, &count);
        for (size_t i = 0; i < count; i++)
            offer(search, names[i], behind);
    }
    mecha_close(engine);
}

static void offer_folder(Search *search, const char *folder, Text before) {
    DIR *stream = opendir(folder);
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        if (entry->d_name[0] == '.')
            continue;
        Text path =
            text_format(&search->completion->arena, "%.*s%s", TEXT_ARG(before), entry->d_name);
        offer(search, path, entry->d_type == DT_DIR ? "/" : "");
    }
    if (stream != NULL)
        closedir(stream);
}

/* Files of the folders in which models are looked for, or of the working directory alone. */
static void offer_paths(Search *search, bool models) {
    Session *session = search->completion->session;
    Arena *arena = &search->completion->arena;
    const Arguments *arguments = session->arguments;
    size_t size = search->word.size;
    while (size > 0 && search->word.data[size - 1] != '/')
        size--;
    Text before = {search->word.data, size};
    bool absolute = size > 0 && before.data[0] == '/';
    offer_folder(search, size > 0 ? text_copy(arena, before).data : ".", before);
    for (size_t i = 0; models && !absolute && i <= arguments->models_dirs.count; i++) {
        const char *folder =
            i < arguments->models_dirs.count ? arguments->models_dirs.items[i] : session->folder;
        offer_folder(search, text_format(arena, "%s/%.*s", folder, TEXT_ARG(before)).data, before);
    }
}

static void offer_commands(Search *search) {
    for (unsigned i = 0; i < n_repl_commands; i++)
        offer(search, text_from(repl_commands[i].name), *repl_commands[i].operands ? " " : "");
}

/* ---- where the cursor is ---- */

/* Where the string begins that is open at the end of LINE, or SIZE_MAX. */
static size_t open_string(Text line) {
    size_t open = SIZE_MAX;
    for (size_t i = 0; i < line.size; i++) {
        if (line.data[i] == '\\' && open != SIZE_MAX)
            i++;
        else if (line.data[i] == '"')
            open = open == SIZE_MAX ? i : SIZE_MAX;
    }
    return open;
}

/* The bracket that is open at the end of LINE, or SIZE_MAX. */
static size_t open_bracket(Text line) {
    size_t depth = 0;
    for (size_t i = line.size; i > 0; i--) {
        char c = line.data[i - 1];
        if (c == ')' || c == ']' || c == '}')
            depth++;
        else if ((c == '(' || c == '[' || c == '{') && depth-- == 0)
            return i - 1;
    }
    return SIZE_MAX;
}

static Text trimmed(Text text) {
    while (text.size > 0 && text.data[text.size - 1] == ' ')
        text.size--;
    return text;
}

/* The name, with its members, that LINE ends in: `base`, `base.vae`. */
static Text name_before(Text line) {
    size_t begin = line.size;
    while (begin > 0 && (is_name_part(line.data[begin - 1]) || line.data[begin - 1] == '.'))
        begin--;
    return (Text){line.data + begin, line.size - begin};
}

static const char *copy_name(Search *search, Text line) {
    return text_copy(&search->completion->arena, name_before(line)).data;
}

static bool ends_in_word(Text line, Text word) {
    Text whole = trimmed(line);
    return text_equal(name_before(whole), word);
}

static void complete_string(Search *search, Text before) {
    Text whole = trimmed(before);
    bool config = ends_in_word(before, TEXT("as")) || text_ends(whole, TEXT("config ="));
    if (config)
        offer_names(search, NULL, MECHA_NAMES_CONFIGS, TEXT(""), "\"");
    else if (text_ends(whole, TEXT("[")) && whole.size > 1)
        offer_names(search, copy_name(search, (Text){whole.data, whole.size - 1}), MECHA_NAMES_KEYS,
                    TEXT(""), "\"]");
    else
        offer_paths(search, true);
}

/* Blocks of the configs of what the session made last. */
static void offer_blocks(Search *search) {
    const Session *session = search->completion->session;
    for (size_t i = session->now.count; i > 0 && search->found.count == 0; i--) {
        const Statement *statement = &session->now.items[i - 1];
        if (statement->kind == MECHA_BINDING)
            offer_names(search, text_copy(&search->completion->arena, statement->name).data,
                        MECHA_NAMES_BLOCKS, TEXT(""), "");
    }
}

static void complete_name(Search *search, Text before) {
    if (text_ends(before, TEXT("."))) {
        offer_names(search, copy_name(search, (Text){before.data, before.size - 1}),
                    MECHA_NAMES_COMPONENTS, TEXT(""), "");
        return;
    }
    size_t bracket = open_bracket(before);
    if (bracket != SIZE_MAX && before.data[bracket] == '(')
        offer_names(search, NULL, MECHA_NAMES_FORMALS, name_before((Text){before.data, bracket}),
                    " = ");
    if (bracket != SIZE_MAX && before.data[bracket] == '{')
        offer_blocks(search);
    offer_names(search, NULL, MECHA_NAMES_BOUND, TEXT(""), "");
    offer_names(search, NULL, MECHA_NAMES_CALLED, TEXT(""), "(");
}

/* The word at the end of LINE goes from BEGIN on. */
static size_t find(Search *search, Text line, size_t begin, void (*complete)(Search *, Text)) {
    search->word = (Text){line.data + begin, line.size - begin};
    complete(search, (Text){line.data, begin});
    return begin;
}

static size_t complete_expression(Search *search, Text line) {
    size_t open = open_string(line), begin = line.size;
    if (open != SIZE_MAX) {
        search->word = (Text){line.data + open + 1, line.size - open - 1};
        complete_string(search, (Text){line.data, open});
        return open + 1;
    }
    while (begin > 0 && is_name_part(line.data[begin - 1]))
        begin--;
    return find(search, line, begin, complete_name);
}

static void complete_path(Search *search, Text before) {
    (void)before;
    offer_paths(search, false);
}

static void offer_topic(void *context, const char *name, const char *summary) {
    (void)summary;
    offer(context, text_from(name), "");
}

static void complete_help(Search *search, Text before) {
    (void)before;
    help_each_name(offer_topic, search);
    offer_names(search, NULL, MECHA_NAMES_CALLED, TEXT(""), "");
    offer_names(search, NULL, MECHA_NAMES_CONFIGS, TEXT(""), "");
}

static void complete_option(Search *search, Text before) {
    (void)before;
    Text names[128];
    size_t count = options_names(search->completion->session->arguments->command, names, 128);
    for (size_t i = 0; i < count; i++)
        offer(search, names[i], " ");
}

static size_t complete_command(Search *search, Text line) {
    const char *space = memchr(line.data, ' ', line.size);
    if (space == NULL) {
        search->word = (Text){line.data + 1, line.size - 1};
        offer_commands(search);
        return 1;
    }
    Text name = {line.data + 1, (size_t)(space - line.data) - 1};
    size_t begin = name.size + 2;
    bool file = text_equal(name, TEXT("load")) || text_equal(name, TEXT("save"));
    if (file)
        return find(search, line, begin, complete_path);
    if (text_equal(name, TEXT("help")))
        return find(search, line, begin, complete_help);
    if (text_equal(name, TEXT("set")))
        return find(search, line, begin, complete_option);
    const char *word = line.data + line.size;
    while (word[-1] != ' ')
        word--;
    Text before = {line.data, (size_t)(word - line.data)};
    if (ends_in_word(before, TEXT("to")))
        return find(search, line, before.size, complete_path);
    return complete_expression(search, line);
}

static int by_text(const void *a, const void *b) {
    return text_compare(*(const Text *)a, *(const Text *)b);
}

Completions repl_complete(void *context, Text line) {
    ReplCompletion *completion = context;
    arena_reset(&completion->arena);
    Search search = {.completion = completion};
    bool command = line.size > 0 && line.data[0] == ':';
    size_t begin = command ? complete_command(&search, line) : complete_expression(&search, line);
    vector_sort(&search.found, by_text);
    Completions found = {.begin = begin, .count = search.found.count};
    found.items = arena_copy(&completion->arena, search.found.items,
                             search.found.count * sizeof *search.found.items);
    vector_free(&search.found);
    return found;
}
