/* What the commands share: messages, loading, results. */
#include "cli/cli.h"
#include "cli/signals.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void complain(const char *format, va_list arguments) {
    fputs("mecha: ", stderr);
    vfprintf(stderr, format, arguments);
    fputc('\n', stderr);
}

int usage_error(const Command *command, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    if (command)
        fprintf(stderr, "usage: mecha %s %s\n", command->name, command->operands);
    else
        fputs("usage: mecha COMMAND ... (see 'mecha help')\n", stderr);
    return STATUS_USAGE;
}

int fault(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    complain(format, arguments);
    va_end(arguments);
    return STATUS_FAULT;
}

static bool is_parameter(const Text *parameters, size_t count, Text name) {
    Text positive = text_starts(name, TEXT("no-")) ? (Text){name.data + 3, name.size - 3} : name;
    for (size_t i = 0; i < count; i++)
        if (text_equal(parameters[i], name) || text_equal(parameters[i], positive))
            return true;
    return false;
}

/* A setting that is no parameter is most often an option misspelt. */
static int check_settings(Engine *engine, const Arguments *arguments) {
    if (arguments->settings.count == 0)
        return STATUS_DONE;
    size_t count;
    const Text *parameters = mecha_parameters(engine, &count);
    for (size_t i = 0; i < arguments->settings.count; i++) {
        Text name = text_from(arguments->settings.items[i].name);
        if (is_parameter(parameters, count, name))
            continue;
        options_unknown(arguments->command, name, parameters, count);
        return STATUS_USAGE;
    }
    return STATUS_DONE;
}

int load_recipe(Engine *engine, const Arguments *arguments) {
    if (!mecha_load_file(engine, arguments->operands.items[0]))
        return STATUS_FAULT;
    return check_settings(engine, arguments);
}

bool json_messages(const Arguments *arguments) {
    return arguments->json &&
           (arguments->command->bit & (COMMAND_CHECK | COMMAND_RUN | COMMAND_COMPILE)) != 0;
}

void report(Engine *engine, const Arguments *arguments) {
    bool json = json_messages(arguments);
    /* They are the result of a check, and of nothing else. */
    FILE *stream = json && arguments->command->bit == COMMAND_CHECK ? stdout : stderr;
    DiagStyle style = {stream_has_colour(stream), json, arguments->quiet};
    diags_print(mecha_diags(engine), stream, style);
    diags_clear(mecha_diags(engine));
}

int close_engine(Engine *engine, const Arguments *arguments, int status) {
    if (status == STATUS_DONE && diag_failed(mecha_diags(engine)))
        status = STATUS_FAULT;
    report(engine, arguments);
    mecha_close(engine);
    return status;
}

static int output_error; /* errno of the first write to standard output that failed */

void print_result(Builder *result) {
    size_t size = result->size;
    if (size && fwrite(result->data, 1, size, stdout) < size && !output_error)
        output_error = errno;
    builder_free(result);
}

int flush_results(int status) {
    if (fflush(stdout) != 0 && !output_error)
        output_error = errno;
    if (output_error == EPIPE)
        signals_die_of_pipe();
    return output_error ? fault("standard output: %s", strerror(output_error)) : status;
}

static bool write_whole(int descriptor, Text text) {
    while (text.size > 0) {
        ssize_t written = write(descriptor, text.data, text.size);
        if (written < 0 && errno != EINTR)
            return false;
        size_t step = written < 0 ? 0 : (size_t)written;
        text.data += step, text.size -= step;
    }
    return true;
}

/* Written beside the target, with its mode, and renamed over it. */
bool replace_file(const char *path, Text text) {
    char *target = realpath(path, NULL);
    Builder temporary = {0};
    builder_format(&temporary, "%s.XXXXXX", target ? target : path);
    builder_char(&temporary, '\0');
    struct stat status;
    mode_t mask = umask(0);
    umask(mask);
    mode_t mode = target && stat(target, &status) == 0 ? status.st_mode & 07777 : 0666 & ~mask;
    int descriptor = mkstemp(temporary.data);
    bool good = descriptor >= 0 && fchmod(descriptor, mode) == 0 && write_whole(descriptor, text) &&
                fsync(descriptor) == 0;
    if (descriptor >= 0)
        good = close(descriptor) == 0 && good;
    good = good && rename(temporary.data, target ? target : path) == 0;
    if (!good) {
        int reason = errno;
        if (descriptor >= 0)
            unlink(temporary.data);
        fault("%s: %s", path, strerror(reason));
    }
    builder_free(&temporary);
    free(target);
    return good;
}

bool stream_is_terminal(FILE *stream) {
    const char *kind = getenv("TERM");
    return isatty(fileno(stream)) && !(kind && strcmp(kind, "dumb") == 0);
}

bool stream_has_colour(FILE *stream) {
    const char *refused = getenv("NO_COLOR");
    return stream_is_terminal(stream) && !(refused && *refused);
}
