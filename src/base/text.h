/* Slices of text, text being built, and names made unique.
 *
 * A Text borrows its bytes; it may hold any byte, NUL included, and need not end in one. */
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include "base/arena.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct Text {
    const char *data;
    size_t size;
} Text;

#define TEXT(literal) ((Text){(literal), sizeof(literal) - 1})

/* Names are compared all the time, and mostly differ in their size or in a byte at either end. */
static inline bool text_equal(Text a, Text b) {
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

static inline bool text_starts(Text text, Text prefix) {
    if (prefix.size == 0 || text.size < prefix.size)
        return prefix.size == 0;
    return text.data[0] == prefix.data[0] && memcmp(text.data, prefix.data, prefix.size) == 0;
}

static inline bool text_ends(Text text, Text suffix) {
    if (suffix.size == 0 || text.size < suffix.size)
        return suffix.size == 0;
    const char *end = text.data + text.size - suffix.size;
    return text.data[text.size - 1] == suffix.data[suffix.size - 1] &&
           memcmp(end, suffix.data, suffix.size) == 0;
}

/* The last eight bytes of a text, of which most names differ; zeros before those of a shorter one.
 */
static inline uint64_t text_last(Text text) {
    uint64_t bytes = 0;
    if (text.size >= sizeof bytes)
        memcpy(&bytes, text.data + text.size - sizeof bytes, sizeof bytes);
    else if (text.size > 0)
        memcpy((char *)&bytes + sizeof bytes - text.size, text.data, text.size);
    return bytes;
}

/* For printf: printf("%.*s", TEXT_ARG(text)) */
#define TEXT_ARG(text) ((int)(text).size), ((text).data)

Text text_from(const char *terminated);
/* Bytewise order; a prefix comes first. */
int text_compare(Text a, Text b);
/* XXH3, seeded anew in every process, so that no file can bring names prepared to collide. */
uint64_t text_hash(Text text);

/* Copies that end in a NUL (not counted), so `.data` serves as a C string. */
Text text_copy(Arena *arena, Text text);
Text text_format(Arena *arena, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Text under construction, in malloc'ed memory. A zeroed Builder is empty. */
typedef struct Builder {
    char *data;
    size_t size, capacity;
} Builder;

void builder_add(Builder *builder, Text text);
void builder_char(Builder *builder, char c);
void builder_format(Builder *builder, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void builder_vformat(Builder *builder, const char *format, va_list arguments);
/* TEXT within quotes as a JSON string. */
void builder_json(Builder *builder, Text text);
/* Text from a stranger's file, fit for a terminal: control bytes, quotes, backslashes and what is
 * no UTF-8 are escaped, and what exceeds about 200 bytes is cut, with an ellipsis. */
void builder_printable(Builder *builder, Text text);
/* Borrowed until the next change. */
Text builder_view(const Builder *builder);
void builder_free(Builder *builder);

/* builder_printable as a copy in ARENA. */
Text text_printable(Arena *arena, Text text);

/* `0.1`, `1e-06`, `2.0`: the shortest decimal that reads back as VALUE, with a point or an
 * exponent. */
void builder_number(Builder *builder, double value);

/* 1536 -> `1.5 KiB` and so on. */
void builder_bytes(Builder *builder, uint64_t bytes);

#endif
