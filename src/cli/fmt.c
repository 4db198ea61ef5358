/* mecha fmt: recipes laid out as they should be. */
#include "cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static bool read_stream(FILE *stream, Builder *text) {
    char chunk[1 << 14];
    for (size_t got; (got = fread(chunk, 1, sizeof chunk, stream)) > 0;)
        builder_add(text, (Text){chunk, got});
    return !ferror(stream);
}

static bool read_recipe(const char *path, Builder *text) {
    FILE *stream = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    bool good = stream && read_stream(stream, text);
    if (!good)
        fault("%s: %s", path, strerror(errno));
    if (stream && stream != stdin)
        fclose(stream);
    return good;
}

static int deliver(const Arguments *arguments, const char *path, Text before, Builder *after) {
    bool changed = !text_equal(before, builder_view(after));
    int status = STATUS_DONE;
    if (arguments->check && changed) {
        printf("%s\n", path);
        status = STATUS_FAULT;
    }
    if (arguments->write && changed && !replace_file(path, builder_view(after)))
        status = STATUS_FAULT;
    if (!arguments->check && !arguments->write)
        print_result(after);
    return status;
}

static int format_file(const Arguments *arguments, const char *path) {
    Builder before = {0}, after = {0};
    int status = STATUS_FAULT;
    if (read_recipe(path, &before)) {
        Engine *engine = mecha_open(&arguments->engine);
        const char *name = strcmp(path, "-") == 0 ? "<stdin>" : path;
        if (mecha_format(engine, text_from(name), builder_view(&before), &after))
            status = deliver(arguments, path, builder_view(&before), &after);
        status = close_engine(engine, arguments, status);
    }
    builder_free(&before);
    builder_free(&after);
    return status;
}

int command_fmt(Arguments *arguments) {
    if (arguments->write && arguments->check)
        return usage_error(arguments->command, "--write and --check exclude each other");
    int status = STATUS_DONE;
    for (size_t i = 0; i < arguments->operands.count; i++) {
        const char *path = arguments->operands.items[i];
        if (arguments->write && strcmp(path, "-") == 0)
            return usage_error(arguments->command, "standard input has no place to be written to");
        int one = format_file(arguments, path);
        status = one > status ? one : status;
    }
    return status;
}
