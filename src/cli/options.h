/* The command line: one table of options for all commands, and the parser that reads it.
 *
 * Long options are never abbreviated; `-o X`, `-oX`, `--name value`, `--name=value`, `--flag` and
 * `--no-flag` are all there is, and `--` ends them. What stands after the recipe's name and is no
 * option is one of the recipe's own parameters. */
#ifndef CLI_OPTIONS_H
#define CLI_OPTIONS_H

#include "base/vector.h"
#include "mecha.h"

typedef struct Command Command;

/* A set of commands, as bits; a command is named by its own. */
enum {
    COMMAND_RUN = 1 << 0,
    COMMAND_CHECK = 1 << 1,
    COMMAND_EXPLAIN = 1 << 2,
    COMMAND_COMPILE = 1 << 3,
    COMMAND_FMT = 1 << 4,
    COMMAND_INFO = 1 << 5,
    COMMAND_METHODS = 1 << 6,
    COMMAND_HELP = 1 << 7,
    COMMAND_CONFIGS = 1 << 8,
    COMMAND_REPL = 1 << 9,
    COMMAND_DIFF = 1 << 10,
    COMMAND_RECIPE = 1 << 11,
    COMMAND_GRAPH = 1 << 12,
    COMMAND_COMPLETION = 1 << 13,
    COMMANDS_PREPARING = COMMAND_RUN | COMMAND_CHECK | COMMAND_EXPLAIN | COMMAND_COMPILE |
                         COMMAND_REPL | COMMAND_GRAPH,
    COMMANDS_PLANNING = COMMAND_RUN | COMMAND_CHECK | COMMAND_EXPLAIN | COMMAND_REPL,
    COMMANDS_ALL = (1 << 16) - 1,
};

/* What a command line said. A zeroed one is all defaults. */
typedef struct Arguments {
    const Command *command;
    MechaOptions engine;
    VECTOR(const char *) operands; /* what is neither an option nor the value of one */
    VECTOR(const char *) models_dirs;
    VECTOR(MechaSetting) settings;
    const char *metadata, *progress, *keys, *html, *recipe;
    MechaConfigParts parts;
    bool dry_run, verify, json, write, check, quiet, verbose, help;
} Arguments;

/* Reads what follows the command's name. False after saying on standard error what is wrong. */
bool options_parse(Arguments *arguments, const Command *command, char **words, int n_words);
void options_free(Arguments *arguments);

/* The options of a command, for its page of help. */
void options_print(unsigned command, Builder *out);

/* An option of a command as shells complete it. */
typedef enum OptionValue {
    VALUE_NO,
    VALUE_WORD,
    VALUE_CHOICE,
    VALUE_FILE,
    VALUE_FOLDER
} OptionValue;
typedef struct OptionShown {
    const char *name, *help;
    char letter; /* 0: has none */
    OptionValue kind;
    const char *value; /* how help calls it; `a|b` of a choice */
} OptionShown;
void options_each(unsigned command, void (*each)(void *context, const OptionShown *option),
                  void *context);

/* For sessions: what is set; one option or parameter more, after saying what is wrong with it where
 * it is neither; and the names of all options. */
void options_show(const Arguments *arguments, Builder *out);
bool options_set(Arguments *arguments, Text name, const char *value, const Text *parameters,
                 size_t n_parameters);
/* The value that a parameter was set to, or NULL; and that again. */
const char *options_parameter(const Arguments *arguments, Text name);
void options_restore(Arguments *arguments, Text name, const char *value);
size_t options_names(const Command *command, Text *names, size_t most);

/* Says that NAME is no option, suggesting the nearest of the command's options and OTHERS (the
 * recipe's parameters). */
void options_unknown(const Command *command, Text name, const Text *others, size_t n_others);

/* `500M`, `2G`, `1.5GiB`, `10MB`: K, M, G, T and KiB, … are powers of 1024, KB, … of 1000. */
bool parse_size(const char *text, uint64_t *size);

#endif
