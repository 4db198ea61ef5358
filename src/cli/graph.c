/* mecha graph: a picture of what is merged with what. */
#include "cli/cli.h"

#include <errno.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* The kinds of pictures that Graphviz is asked for, by the end of a file's name; NULL for the DOT
 * language itself, and any other name. */
static const char *picture_kind(const char *path) {
    static const char *const kinds[] = {"svg", "png", "pdf"};
    const char *end = strrchr(path, '.');
    for (size_t i = 0; end != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(end + 1, kinds[i]) == 0)
            return kinds[i];
    return NULL;
}

static bool read_again(FILE *stream, Builder *text) {
    char chunk[1 << 14];
    rewind(stream);
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, stream)) > 0;)
        builder_add(text, (Text){chunk, got});
    return !ferror(stream);
}

/* The exit status of `dot`, or -1 with errno where it did not run. */
static int run_dot(const char *kind, FILE *input, FILE *output) {
    char option[8];
    snprintf(option, sizeof option, "-T%s", kind);
    char *const words[] = {"dot", option, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(input), STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, fileno(output), STDOUT_FILENO);
    pid_t child;
    int status;
    errno = posix_spawnp(&child, words[0], &actions, NULL, words, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (errno != 0)
        return -1;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static bool picture(const char *kind, FILE *input, FILE *output, Text graph, Builder *drawn) {
    if (fwrite(graph.data, 1, graph.size, input) < graph.size || fflush(input) != 0 ||
        lseek(fileno(input), 0, SEEK_SET) != 0)
        return fault("a temporary file: %s", strerror(errno)) == STATUS_DONE;
    int status = run_dot(kind, input, output);
    if (status < 0 && errno == ENOENT)
        fault("Graphviz's program 'dot', which draws .%s files, is not there; install graphviz, or "
              "write a .dot file",
              kind);
    else if (status < 0)
        fault("Graphviz's program 'dot' does not start: %s", strerror(errno));
    else if (status > 0)
        fault("Graphviz's program 'dot' failed with exit status %d", status);
    return status == 0 && read_again(output, drawn);
}

bool draw_graph(const char *path, Text graph) {
    const char *kind = picture_kind(path);
    if (kind == NULL)
        return replace_file(path, graph);
    FILE *input = tmpfile(), *output = tmpfile();
    Builder drawn = {0};
    bool good = input != NULL && output != NULL
                    ? picture(kind, input, output, graph, &drawn)
                    : fault("a temporary file: %s", strerror(errno)) == STATUS_DONE;
    good = good && replace_file(path, builder_view(&drawn));
    if (input != NULL)
        fclose(input);
    if (output != NULL)
        fclose(output);
    builder_free(&drawn);
    return good;
}

int command_graph(Arguments *arguments) {
    const char *path = arguments->engine.output;
    arguments->engine.output = NULL;
    Engine *engine = mecha_open(&arguments->engine);
    Builder graph = {0};
    int status = load_recipe(engine, arguments);
    if (status == STATUS_DONE && !mecha_graph(engine, &graph))
        status = STATUS_FAULT;
    if (status == STATUS_DONE && path != NULL && !draw_graph(path, builder_view(&graph)))
        status = STATUS_FAULT;
    if (status == STATUS_DONE && path == NULL)
        print_result(&graph);
    else
        builder_free(&graph);
    return close_engine(engine, arguments, status);
}
