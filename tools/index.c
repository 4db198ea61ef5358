/* Writes docs/stdlib.md: the index of the standard library, from its definitions.
 *
 *     index > docs/stdlib.md */
#include "mecha.h"

#include "program/lower.h"

#include <stdlib.h>
#include <string.h>

static const char opening[] =
    "# The standard library\n"
    "\n"
    "What recipes and methods can call, written by `make index` from the definitions. What is "
    "listed under\n"
    "a heading stands in the file of `stdlib/` that it names; `mecha methods NAME` prints its "
    "source.\n"
    "[language.md](language.md) tells what the types mean.\n";

static const char functions_opening[] =
    "\n## Functions of the tensor language\n"
    "\n"
    "What the bodies of methods are made of, besides `+ - * / ^`, comparisons, `and or not`, "
    "`if … then …\n"
    "else …` and indices. Elementwise functions take tensors, whose shapes broadcast, numbers, or "
    "lists of\n"
    "numbers. `axis` is a dimension, from 0, or from the end where negative; without one, all of "
    "the tensor\n"
    "is meant and the result has shape []. `keep` leaves the dimension, of size 1.\n"
    "\n"
    "`[…]` is a tensor of any shape, or a number, whose shape is []; `[m, n]` a matrix, and `p` "
    "the "
    "smaller\n"
    "of its sides. An `int`, `float`, `bool` or `str` is known before evaluation. A `shape` is a "
    "list of\n"
    "whole numbers, or a tensor, which stands for its shape. What has a `?` may be left out.\n"
    "\n"
    "| function | arguments and result | value |\n"
    "| --- | --- | --- |\n";

/* Lines become one; what means something in a table or in Markdown is taken back. */
static void add_prose(Builder *out, Text text) {
    for (size_t i = 0; i < text.size; i++) {
        char c = text.data[i];
        if (strchr("|*<", c) != NULL)
            builder_char(out, '\\');
        if (c != '\n' || i + 1 < text.size)
            builder_char(out, c == '\n' ? ' ' : c);
    }
}

static void add_function(void *context, const BuiltinEntry *entry) {
    Builder *out = context;
    builder_format(out, "| `%.*s%.*s` | `%.*s` | ", TEXT_ARG(entry->name),
                   TEXT_ARG(entry->parameters), TEXT_ARG(entry->types));
    add_prose(out, entry->doc);
    builder_add(out, TEXT(" |\n"));
}

static void add_method(Builder *out, const MechaMethod *method) {
    builder_format(out, "\n    %.*s\n\n", TEXT_ARG(method->signature));
    builder_add(out, method->doc);
    if (method->doc.size == 0 || method->doc.data[method->doc.size - 1] != '\n')
        builder_char(out, '\n');
}

static int by_file(const void *left, const void *right) {
    const MechaMethod *a = left, *b = right;
    int order = text_compare(a->file, b->file);
    return order != 0 ? order : a->source.data < b->source.data ? -1 : 1;
}

/* `methods/linear` of `<stdlib>/methods/linear.mecha` */
static Text file_title(Text file) {
    size_t begin = strlen("<stdlib>/"), end = file.size - strlen(".mecha");
    return (Text){file.data + begin, end - begin};
}

static void add_methods(Builder *out, Engine *engine) {
    size_t count;
    const MechaMethod *methods = mecha_methods(engine, &count);
    MechaMethod *sorted = malloc((count + 1) * sizeof *sorted);
    memcpy(sorted, methods, count * sizeof *sorted);
    qsort(sorted, count, sizeof *sorted, by_file);
    for (size_t i = 0; i < count; i++) {
        if (i == 0 || !text_equal(sorted[i].file, sorted[i - 1].file))
            builder_format(out, "\n## %.*s\n", TEXT_ARG(file_title(sorted[i].file)));
        add_method(out, &sorted[i]);
    }
    free(sorted);
}

int main(void) {
    MechaOptions options = {0};
    Engine *engine = mecha_open(&options);
    Builder out = {0};
    builder_add(&out, text_from(opening));
    add_methods(&out, engine);
    builder_add(&out, text_from(functions_opening));
    lower_builtins(add_function, &out);
    bool good = fwrite(out.data, 1, out.size, stdout) == out.size && fflush(stdout) == 0;
    builder_free(&out);
    mecha_close(engine);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
