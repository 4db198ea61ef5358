#include "cli/options.h"

#include "base/size.h"
#include "cli/cli.h"

#include <ctype.h>
#include <stddef.h>
#include <string.h>

typedef enum OptionKind {
    OPTION_FLAG,    /* a bool */
    OPTION_TEXT,    /* a const char * */
    OPTION_CHOICE,  /* the same; one of those named in VALUE */
    OPTION_FOLDER,  /* one more of models_dirs */
    OPTION_SETTING, /* one more of settings */
    OPTION_THREADS, /* an unsigned */
    OPTION_SIZE,    /* a uint64_t */
} OptionKind;

typedef struct Option {
    const char *name;
    char letter; /* 0: has none */
    OptionKind kind;
    unsigned commands;
    size_t field;      /* where in Arguments */
    const char *value; /* how help calls it */
    const char *help;
} Option;

#define FIELD(member) offsetof(Arguments, member)

static const Option options[] = {
    {"output", 'o', OPTION_TEXT, COMMANDS_PREPARING & ~COMMAND_REPL, FIELD(engine.output), "PATH",
     "where the result goes"},
    {"dtype", 0, OPTION_TEXT, COMMANDS_PLANNING, FIELD(engine.dtype), "NAME",
     "dtype of the output: auto (that of the inputs), f32, bf16, ..."},
    {"compute", 0, OPTION_CHOICE, COMMANDS_PLANNING, FIELD(engine.compute), "f32|f64",
     "what to calculate in"},
    {"space", 0, OPTION_TEXT, COMMANDS_PREPARING, FIELD(engine.space), "NAME",
     "merge space that the result must be in: weight, delta, param, any"},
    {"fallback", 0, OPTION_TEXT, COMMANDS_PLANNING, FIELD(engine.fallback), "MODEL",
     "gives the keys that the recipe cannot produce"},
    {"models-dir", 0, OPTION_FOLDER, COMMANDS_PREPARING | COMMAND_DIFF | COMMAND_RECIPE, 0, "DIR",
     "where to look for models; may be repeated"},
    {"set", 0, OPTION_SETTING, COMMANDS_PREPARING, 0, "NAME=VALUE",
     "sets a parameter of the recipe, whatever its name"},
    {"threads", 'j', OPTION_THREADS, COMMANDS_PLANNING | COMMAND_DIFF | COMMAND_RECIPE,
     FIELD(engine.threads), "N", "how many at work (as many as the machine runs at once)"},
    {"memory", 0, OPTION_SIZE, COMMANDS_PLANNING, FIELD(engine.memory), "SIZE",
     "how much may be held, as 500M or 2G (half of the machine's)"},
    {"shard-size", 0, OPTION_SIZE, COMMANDS_PLANNING, FIELD(engine.shard_size), "SIZE",
     "writes a folder of files of at most this size, with an index"},
    {"metadata", 0, OPTION_CHOICE, COMMANDS_PLANNING, FIELD(metadata), "full|none",
     "what to write into the output besides tensors"},
    {"strict", 0, OPTION_FLAG, COMMANDS_PLANNING, FIELD(engine.strict), NULL,
     "missing mandatory keys and dropped keys are errors"},
    {"keep-non-finite", 0, OPTION_FLAG, COMMANDS_PLANNING, FIELD(engine.keep_non_finite), NULL,
     "tensors that hold a NaN or an infinity do not count as absent"},
    {"allow-unused", 0, OPTION_FLAG, COMMANDS_PREPARING, FIELD(engine.allow_unused), NULL,
     "keys of a network may lack a target"},
    {"record-hashes", 0, OPTION_FLAG, COMMAND_RUN, FIELD(engine.record_hashes), NULL,
     "write what the inputs held into the result, for 'recipe --verify'"},
    {"verify", 0, OPTION_FLAG, COMMAND_RECIPE, FIELD(verify), NULL,
     "tell of each input whether it is what it was"},
    {"resume", 0, OPTION_FLAG, COMMAND_RUN, FIELD(engine.resume), NULL,
     "goes on where an interrupted run with this option ended"},
    {"no-sync", 0, OPTION_FLAG, COMMAND_RUN | COMMAND_REPL, FIELD(engine.no_sync), NULL,
     "do not wait until the output is on the disk"},
    {"force", 0, OPTION_FLAG, COMMANDS_PLANNING, FIELD(engine.force), NULL,
     "may replace a file of another kind, or an input"},
    {"dry-run", 0, OPTION_FLAG, COMMAND_RUN, FIELD(dry_run), NULL, "explain instead of running"},
    {"progress", 0, OPTION_CHOICE, COMMAND_RUN, FIELD(progress), "auto|always|never",
     "the line that shows how far it is"},
    {"write", 'w', OPTION_FLAG, COMMAND_FMT, FIELD(write), NULL, "rewrite the files in place"},
    {"check", 0, OPTION_FLAG, COMMAND_FMT, FIELD(check), NULL,
     "print the names of files that would change; exit status 1 if there are any"},
    {"html", 0, OPTION_TEXT, COMMAND_DIFF, FIELD(html), "FILE",
     "write a page with a picture as well"},
    {"json", 0, OPTION_FLAG,
     COMMAND_INFO | COMMAND_CONFIGS | COMMAND_DIFF | COMMAND_EXPLAIN | COMMAND_RECIPE, FIELD(json),
     NULL, "print JSON"},
    {"json", 0, OPTION_FLAG, COMMAND_CHECK | COMMAND_RUN | COMMAND_COMPILE, FIELD(json), NULL,
     "messages as JSON, for editors (check: on standard output)"},
    {"keys", 0, OPTION_TEXT, COMMAND_INFO, FIELD(keys), "GLOB", "list the keys that match"},
    {"keys", 0, OPTION_FLAG, COMMAND_CONFIGS, FIELD(parts.keys), NULL,
     "list its keys: dtype, shape, component, block, other names"},
    {"recipe", 0, OPTION_TEXT, COMMAND_CONFIGS, FIELD(recipe), "FILE",
     "the configs that a recipe defines or imports"},
    {"components", 0, OPTION_FLAG, COMMAND_CONFIGS, FIELD(parts.components), NULL,
     "list its components"},
    {"blocks", 0, OPTION_FLAG, COMMAND_CONFIGS, FIELD(parts.blocks), NULL,
     "list the blocks that maps of a recipe can name"},
    {"quiet", 'q', OPTION_FLAG, COMMANDS_PREPARING, FIELD(quiet), NULL, "errors only"},
    {"verbose", 'v', OPTION_FLAG, COMMAND_RUN, FIELD(verbose), NULL, "print the plan first"},
    {"verbose", 'v', OPTION_FLAG, COMMAND_EXPLAIN, FIELD(verbose), NULL,
     "print the code of the passes, too"},
    {"help", 'h', OPTION_FLAG, COMMANDS_ALL, FIELD(help), NULL, "this page"},
};
enum { OPTIONS = sizeof options / sizeof *options };

/* The words not yet read. */
typedef struct Words {
    char **next, **end;
} Words;

static const Option *find_option(unsigned command, Text name) {
    for (int i = 0; i < OPTIONS; i++)
        if ((options[i].commands & command) && text_equal(text_from(options[i].name), name))
            return &options[i];
    return NULL;
}

static const Option *find_letter(unsigned command, char letter) {
    for (int i = 0; i < OPTIONS; i++)
        if ((options[i].commands & command) && options[i].letter == letter)
            return &options[i];
    return NULL;
}

/* The flag that `--no-NAME` takes back; `--sync` takes back `--no-sync`. */
static const Option *find_opposite(unsigned command, Text name) {
    char opposite[64];
    if (text_starts(name, TEXT("no-")))
        snprintf(opposite, sizeof opposite, "%.*s", (int)name.size - 3, name.data + 3);
    else
        snprintf(opposite, sizeof opposite, "no-%.*s", TEXT_ARG(name));
    const Option *option = find_option(command, text_from(opposite));
    return option && option->kind == OPTION_FLAG && option->field != FIELD(help) ? option : NULL;
}

/* What NAME abbreviates, if that is one name alone. */
static Text complete_name(Text name, const Text *candidates, size_t count) {
    Text found = {0};
    for (size_t i = 0; name.size && i < count; i++) {
        if (!text_starts(candidates[i], name))
            continue;
        if (found.size)
            return (Text){0};
        found = candidates[i];
    }
    return found;
}

/* The option of a command, or one of OTHERS, that was most likely meant. */
static Text nearest_option(const Command *command, Text name, const Text *others, size_t n_others) {
    Text candidates[OPTIONS + 256];
    size_t count = 0;
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].commands & command->bit)
            candidates[count++] = text_from(options[i].name);
    for (size_t i = 0; i < n_others && i < 256; i++)
        candidates[count++] = others[i];
    Text nearest = complete_name(name, candidates, count);
    return nearest.size > 0 ? nearest : nearest_name(name, candidates, count);
}

static void set_unknown(const Command *command, Text name, const Text *others, size_t n_others) {
    Text nearest = nearest_option(command, name, others, n_others);
    if (nearest.size > 0)
        fault("neither an option nor a parameter: '%.*s'; did you mean '%.*s'?", TEXT_ARG(name),
              TEXT_ARG(nearest));
    else
        fault("neither an option nor a parameter: '%.*s'", TEXT_ARG(name));
}

void options_unknown(const Command *command, Text name, const Text *others, size_t n_others) {
    Text nearest = nearest_option(command, name, others, n_others);
    Builder shown = {0};
    builder_printable(&shown, name);
    if (nearest.size)
        usage_error(command, "unknown option '--%.*s'; did you mean '--%.*s'?",
                    TEXT_ARG(builder_view(&shown)), TEXT_ARG(nearest));
    else
        usage_error(command, "unknown option '--%.*s'", TEXT_ARG(builder_view(&shown)));
    builder_free(&shown);
}

bool parse_size(const char *text, uint64_t *size) {
    return size_parse(text_from(text), size);
}

static bool parse_threads(const char *text, unsigned *threads) {
    enum { THREADS_LIMIT = 4096 };
    size_t length = strlen(text);
    if (length == 0 || length > 4 || strspn(text, "0123456789") != length)
        return false;
    *threads = (unsigned)strtoul(text, NULL, 10);
    return *threads >= 1 && *threads <= THREADS_LIMIT;
}

/* Whether VALUE is one of `a|b|c`. */
static bool is_choice(const char *choices, const char *value) {
    size_t length = strlen(value);
    for (const char *at = choices; at; at = strchr(at, '|')) {
        at += *at == '|';
        if (length && strncmp(at, value, length) == 0 && (at[length] == '|' || !at[length]))
            return true;
    }
    return false;
}

static bool add_setting(Arguments *arguments, const char *text) {
    const char *equals = strchr(text, '=');
    if (!equals || equals == text)
        return false;
    MechaSetting setting = {strndup(text, (size_t)(equals - text)), equals + 1};
    vector_push(&arguments->settings, setting);
    return true;
}

/* False where VALUE is not fit for OPTION. */
static bool store(Arguments *arguments, const Option *option, const char *value) {
    void *field = (char *)arguments + option->field;
    switch (option->kind) {
    case OPTION_FLAG:
        *(bool *)field = value != NULL;
        return true;
    case OPTION_CHOICE:
        if (!is_choice(option->value, value))
            return false;
        *(const char **)field = value;
        return true;
    case OPTION_TEXT:
        *(const char **)field = value;
        return *value != '\0';
    case OPTION_FOLDER:
        vector_push(&arguments->models_dirs, value);
        return *value != '\0';
    case OPTION_SETTING:
        return add_setting(arguments, value);
    case OPTION_THREADS:
        return parse_threads(value, field);
    case OPTION_SIZE:
        return parse_size(value, field);
    }
    return false;
}

static bool store_or_say(Arguments *arguments, const Option *option, const char *value) {
    if (store(arguments, option, value))
        return true;
    usage_error(arguments->command, "--%s takes %s, not '%.200s'", option->name, option->value,
                value);
    return false;
}

/* The value that stands behind an option: after its `=`, or the next word. */
static bool take_value(Arguments *arguments, const Option *option, const char *attached,
                       Words *words) {
    if (!attached && words->next == words->end) {
        usage_error(arguments->command, "--%s takes a value, %s", option->name, option->value);
        return false;
    }
    return store_or_say(arguments, option, attached ? attached : *words->next++);
}

/* A word that may follow `--name` as its value: no option, but a negative number is one. */
static bool looks_like_value(const char *word) {
    return word[0] != '-' || word[1] == '\0' || isdigit((unsigned char)word[1]) || word[1] == '.';
}

static void take_parameter(Arguments *arguments, Text name, const char *attached, Words *words) {
    MechaSetting setting = {strndup(name.data, name.size), attached};
    if (!attached && words->next != words->end && looks_like_value(*words->next))
        setting.value = *words->next++;
    vector_push(&arguments->settings, setting);
}

/* `--name` or `--name=value`. */
static bool read_long(Arguments *arguments, const char *word, Words *words) {
    unsigned command = arguments->command->bit;
    const char *equals = strchr(word, '=');
    Text name = {word, equals ? (size_t)(equals - word) : strlen(word)};
    const char *attached = equals ? equals + 1 : NULL;
    const Option *option = find_option(command, name);
    if (option && option->kind != OPTION_FLAG)
        return take_value(arguments, option, attached, words);
    const Option *opposite = option ? NULL : find_opposite(command, name);
    if ((option || opposite) && attached) {
        usage_error(arguments->command, "--%.*s takes no value", TEXT_ARG(name));
        return false;
    }
    if (option || opposite)
        return store(arguments, option ? option : opposite, option ? "" : NULL);
    if (!(command & COMMANDS_PREPARING) || arguments->operands.count == 0 || name.size == 0) {
        options_unknown(arguments->command, name, NULL, 0);
        return false;
    }
    take_parameter(arguments, name, attached, words);
    return true;
}

/* `-o X`, `-oX`, or several flags as `-qv`. */
static bool read_letters(Arguments *arguments, const char *letters, Words *words) {
    for (; *letters; letters++) {
        const Option *option = find_letter(arguments->command->bit, *letters);
        if (!option) {
            bool plain = isprint((unsigned char)*letters);
            usage_error(arguments->command, "unknown option '-%c'", plain ? *letters : '?');
            return false;
        }
        if (option->kind != OPTION_FLAG)
            return take_value(arguments, option, letters[1] ? letters + 1 : NULL, words);
        store(arguments, option, "");
    }
    return true;
}

static bool read_word(Arguments *arguments, const char *word, Words *words) {
    if (word[0] != '-' || word[1] == '\0') {
        vector_push(&arguments->operands, word);
        return true;
    }
    return word[1] == '-' ? read_long(arguments, word + 2, words)
                          : read_letters(arguments, word + 1, words);
}

static bool count_operands(const Arguments *arguments) {
    const Command *command = arguments->command;
    if (arguments->operands.count < command->least) {
        usage_error(command, "'mecha %s' needs %.*s", command->name,
                    (int)strcspn(command->operands, " ."), command->operands);
        return false;
    }
    if (arguments->operands.count > command->most) {
        usage_error(command, "'%.200s' is one too many", arguments->operands.items[command->most]);
        return false;
    }
    return true;
}

/* The lists, where the engine looks for them. */
static void connect(Arguments *arguments) {
    arguments->engine.models_dirs = arguments->models_dirs.items;
    arguments->engine.n_models_dirs = arguments->models_dirs.count;
    arguments->engine.settings = arguments->settings.items;
    arguments->engine.n_settings = arguments->settings.count;
    arguments->engine.no_metadata = arguments->metadata && strcmp(arguments->metadata, "none") == 0;
}

bool options_parse(Arguments *arguments, const Command *command, char **words, int n_words) {
    Words rest = {words, words + n_words};
    arguments->command = command;
    while (rest.next < rest.end) {
        const char *word = *rest.next++;
        if (strcmp(word, "--") == 0)
            break;
        if (!read_word(arguments, word, &rest))
            return false;
    }
    while (rest.next < rest.end)
        vector_push(&arguments->operands, *rest.next++);
    connect(arguments);
    return arguments->help || count_operands(arguments);
}

void options_free(Arguments *arguments) {
    for (size_t i = 0; i < arguments->settings.count; i++)
        free((char *)arguments->settings.items[i].name);
    vector_free(&arguments->operands);
    vector_free(&arguments->models_dirs);
    vector_free(&arguments->settings);
}

void options_print(unsigned command, Builder *out) {
    for (int i = 0; i < OPTIONS; i++) {
        const Option *option = &options[i];
        if (!(option->commands & command))
            continue;
        char left[64], letter[8] = "    ";
        if (option->letter)
            snprintf(letter, sizeof letter, "-%c, ", option->letter);
        snprintf(left, sizeof left, "%s--%s%s%s", letter, option->name, option->value ? " " : "",
                 option->value ? option->value : "");
        builder_format(out, "  %-32s  %s\n", left, option->help);
    }
}

static OptionValue value_kind(const Option *option) {
    static const char *const files[] = {"PATH", "FILE", "MODEL"};
    if (option->kind == OPTION_FLAG)
        return VALUE_NO;
    if (option->kind == OPTION_CHOICE)
        return VALUE_CHOICE;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        if (strcmp(option->value, files[i]) == 0)
            return VALUE_FILE;
    return option->kind == OPTION_FOLDER ? VALUE_FOLDER : VALUE_WORD;
}

void options_each(unsigned command, void (*each)(void *context, const OptionShown *option),
                  void *context) {
    for (int i = 0; i < OPTIONS; i++) {
        OptionShown shown = {options[i].name, options[i].help, options[i].letter,
                             value_kind(&options[i]), options[i].value};
        if (options[i].commands & command)
            each(context, &shown);
    }
}

/* ---- sessions ---- */

size_t options_names(const Command *command, Text *names, size_t most) {
    size_t count = 0;
    for (int i = 0; i < OPTIONS && count < most; i++)
        if ((options[i].commands & command->bit) && options[i].field != FIELD(help))
            names[count++] = text_from(options[i].name);
    return count;
}

static void show_option(const Arguments *arguments, const Option *option, Builder *out) {
    const void *field = (const char *)arguments + option->field;
    switch (option->kind) {
    case OPTION_FLAG:
        if (*(const bool *)field)
            builder_format(out, "%s\n", option->name);
        return;
    case OPTION_TEXT:
    case OPTION_CHOICE:
        if (*(const char *const *)field != NULL)
            builder_format(out, "%s %s\n", option->name, *(const char *const *)field);
        return;
    case OPTION_THREADS:
        if (*(const unsigned *)field != 0)
            builder_format(out, "%s %u\n", option->name, *(const unsigned *)field);
        return;
    case OPTION_SIZE:
        if (*(const uint64_t *)field != 0)
            builder_format(out, "%s %llu\n", option->name,
                           (unsigned long long)*(const uint64_t *)field);
        return;
    case OPTION_FOLDER:
    case OPTION_SETTING:
        return;
    }
}

void options_show(const Arguments *arguments, Builder *out) {
    for (int i = 0; i < OPTIONS; i++)
        if (options[i].commands & arguments->command->bit)
            show_option(arguments, &options[i], out);
    for (size_t i = 0; i < arguments->models_dirs.count; i++)
        builder_format(out, "models-dir %s\n", arguments->models_dirs.items[i]);
    for (size_t i = 0; i < arguments->settings.count; i++)
        builder_format(out, "%s = %s\n", arguments->settings.items[i].name,
                       arguments->settings.items[i].value);
}

static MechaSetting *find_setting(const Arguments *arguments, Text name) {
    for (size_t i = 0; i < arguments->settings.count; i++)
        if (text_equal(text_from(arguments->settings.items[i].name), name))
            return &arguments->settings.items[i];
    return NULL;
}

const char *options_parameter(const Arguments *arguments, Text name) {
    const MechaSetting *setting = find_setting(arguments, name);
    return setting != NULL ? setting->value : NULL;
}

static void set_parameter(Arguments *arguments, Text name, const char *value) {
    MechaSetting *known = find_setting(arguments, name);
    MechaSetting setting = {known != NULL ? known->name : strndup(name.data, name.size), value};
    if (known != NULL)
        *known = setting;
    else
        vector_push(&arguments->settings, setting);
}

void options_restore(Arguments *arguments, Text name, const char *value) {
    MechaSetting *setting = find_setting(arguments, name);
    if (setting != NULL && value != NULL) {
        setting->value = value;
    } else if (setting != NULL) {
        free((char *)setting->name);
        *setting = arguments->settings.items[--arguments->settings.count];
    }
    connect(arguments);
}

bool options_set(Arguments *arguments, Text name, const char *value, const Text *parameters,
                 size_t n_parameters) {
    const Option *option = find_option(arguments->command->bit, name);
    bool parameter = false;
    for (size_t i = 0; i < n_parameters; i++)
        parameter |= text_equal(parameters[i], name);
    bool good = option != NULL || parameter;
    if (option != NULL && value == NULL && option->kind != OPTION_FLAG)
        good = fault("'%s' takes a value, %s", option->name, option->value) == STATUS_DONE;
    else if (option != NULL && option->kind == OPTION_FLAG)
        store(arguments, option, value == NULL || strcmp(value, "off") != 0 ? "" : NULL);
    else if (option != NULL && !store(arguments, option, value))
        good =
            fault("'%s' takes %s, not '%.200s'", option->name, option->value, value) == STATUS_DONE;
    else if (option == NULL && parameter)
        set_parameter(arguments, name, value != NULL ? value : "true");
    else if (!good)
        set_unknown(arguments->command, name, parameters, n_parameters);
    connect(arguments);
    return good;
}
