/* The program: which command is meant, and what happens when it is interrupted. */
#include "cli/cli.h"
#include "cli/signals.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A descriptor below 3 that is closed would be the next one to be opened, and an output would
 * collect messages. */
static void open_standard_streams(void) {
    for (int descriptor = 0; descriptor < 3; descriptor++)
        if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF)
            (void)!open("/dev/null", O_RDWR);
}

static Text nearest_command(const char *word) {
    Text names[COMMAND_LIMIT];
    for (unsigned i = 0; i < n_commands; i++)
        names[i] = text_from(commands[i].name);
    return nearest_name(text_from(word), names, n_commands);
}

/* A word that names neither a command nor a file, and looks like a slip in the former. */
static bool is_mistyped(const char *word) {
    struct stat status;
    return word[0] != '-' && !strpbrk(word, "./") && stat(word, &status) != 0;
}

static int unknown_command(const char *word) {
    Text nearest = nearest_command(word);
    Builder shown = {0};
    builder_printable(&shown, text_from(word));
    Text name = builder_view(&shown);
    int status = nearest.size
                     ? usage_error(NULL,
                                   "'%.*s' is no command and no recipe; did you "
                                   "mean '%.*s'?",
                                   TEXT_ARG(name), TEXT_ARG(nearest))
                     : usage_error(NULL, "'%.*s' is no command and no recipe", TEXT_ARG(name));
    builder_free(&shown);
    return status;
}

static int act(const Command *command, char **words, int n_words) {
    Arguments arguments = {0};
    int status = STATUS_USAGE;
    if (options_parse(&arguments, command, words, n_words)) {
        bool recipe =
            arguments.help && command->bit == COMMAND_RUN && arguments.operands.count == 1;
        if (arguments.help && !recipe)
            help_on_command(command);
        status = recipe           ? recipe_page(&arguments)
                 : arguments.help ? STATUS_DONE
                                  : command->act(&arguments);
    }
    options_free(&arguments);
    return status;
}

static int dispatch(int argc, char **argv) {
    if (argc < 2 && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO))
        return act(command_named("repl"), NULL, 0);
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        help_overview();
        return STATUS_DONE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("mecha %s\n", mecha_version());
        return STATUS_DONE;
    }
    const Command *command = command_named(argv[1]);
    if (command)
        return act(command, argv + 2, argc - 2);
    if (is_mistyped(argv[1]))
        return unknown_command(argv[1]);
    return act(command_named("run"), argv + 1, argc - 1);
}

int main(int argc, char **argv) {
    memory_prepare();
    open_standard_streams();
    signals_prepare();
    return flush_results(dispatch(argc, argv));
}
