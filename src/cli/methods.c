/* mecha methods: the library of merge methods. */
#include "cli/cli.h"

#include <string.h>

/* The first sentence or line of a method's comment. */
static Text first_line(Text doc) {
    const char *end = memchr(doc.data, '\n', doc.size);
    return end ? (Text){doc.data, (size_t)(end - doc.data)} : doc;
}

static void list_methods(Engine *engine) {
    size_t count;
    const MechaMethod *methods = mecha_methods(engine, &count);
    size_t width = 0;
    for (size_t i = 0; i < count; i++)
        width = methods[i].name.size > width ? methods[i].name.size : width;
    for (size_t i = 0; i < count; i++)
        printf("%-*.*s  %.*s\n", (int)width, TEXT_ARG(methods[i].name),
               TEXT_ARG(first_line(methods[i].doc)));
}

int show_method(Engine *engine, const char *name) {
    const MechaMethod *method = mecha_method(engine, text_from(name));
    if (!method)
        return STATUS_FAULT;
    printf("%.*s\n\n%.*s\n\n%.*s:\n\n%.*s\n", TEXT_ARG(method->signature), TEXT_ARG(method->doc),
           TEXT_ARG(method->file), TEXT_ARG(method->source));
    return STATUS_DONE;
}

int command_methods(Arguments *arguments) {
    Engine *engine = mecha_open(&arguments->engine);
    int status = STATUS_DONE;
    if (arguments->operands.count == 0)
        list_methods(engine);
    else
        status = show_method(engine, arguments->operands.items[0]);
    return close_engine(engine, arguments, status);
}
