/* What the commands share. Results go to standard output, all else to standard error. */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "cli/options.h"

enum {
    STATUS_DONE = 0,
    STATUS_FAULT = 1, /* the recipe, an input or the output is at fault */
    STATUS_USAGE = 2,
};

struct Command {
    const char *name;
    unsigned bit;         /* COMMAND_… */
    const char *operands; /* as the usage line shows them */
    const char *summary;  /* one line */
    const char *details;  /* more of them, for its own page; may be empty */
    const char *example;
    unsigned least, most; /* operands */
    int (*act)(Arguments *arguments);
};

extern const Command commands[];
extern const unsigned n_commands;
enum { COMMAND_LIMIT = 16 }; /* not more than this */
const Command *command_named(const char *name);

int command_run(Arguments *arguments);
int command_check(Arguments *arguments);
int command_explain(Arguments *arguments);
int command_compile(Arguments *arguments);
int command_fmt(Arguments *arguments);
int command_info(Arguments *arguments);
int command_recipe(Arguments *arguments);
int command_methods(Arguments *arguments);
int command_configs(Arguments *arguments);
int command_help(Arguments *arguments);
int command_completion(Arguments *arguments);
int command_graph(Arguments *arguments);
int command_diff(Arguments *arguments);
int command_repl(Arguments *arguments);

/* Writes the picture of a graph in the DOT language: as it is, or drawn by Graphviz where the name
 * of the file asks for SVG, PNG or PDF. */
bool draw_graph(const char *path, Text graph);

/* `mecha PLAN --help`: the recipe's own page. */
int recipe_page(const Arguments *arguments);

/* `mecha help` without a topic, and `mecha help COMMAND`. */
void help_overview(void);
void help_on_command(const Command *command);
/* Tells about a command or topic; false where there is none of that name. */
bool help_on_topic(const char *name);
/* Everything that `mecha help` takes. */
void help_each_name(void (*each)(void *context, const char *name, const char *summary),
                    void *context);

/* A method with its source. STATUS_FAULT after an error where there is none of that name. */
int show_method(Engine *engine, const char *name);

/* The last line of a run, on standard error. */
void summarise_run(const Engine *engine);

/* Prints `mecha: …` and the command's usage line (the program's where NULL). Returns
 * STATUS_USAGE. */
int usage_error(const Command *command, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Prints `mecha: …`; returns STATUS_FAULT. */
int fault(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Loads the recipe that the first operand names, and sees that every setting is one of its
 * parameters. */
int load_recipe(Engine *engine, const Arguments *arguments);

/* Whether messages are to be JSON; one array then, at the end. */
bool json_messages(const Arguments *arguments);

/* Prints what the engine has to say, and forgets it. */
void report(Engine *engine, const Arguments *arguments);

/* The same, and closes the engine. Returns STATUS, or STATUS_FAULT where that is
 * STATUS_DONE and there was an error. */
int close_engine(Engine *engine, const Arguments *arguments, int status);

/* Writes RESULT to standard output and frees it. */
void print_result(Builder *result);
/* STATUS, unless standard output could not take everything. Ends the program, quietly, where its
 * reader went away. */
int flush_results(int status);

/* Replaces the file at PATH by TEXT as a whole, or leaves it as it was. */
bool replace_file(const char *path, Text text);

bool stream_is_terminal(FILE *stream);
/* A terminal that takes colour, with nothing said against it. */
bool stream_has_colour(FILE *stream);

#endif
