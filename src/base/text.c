#include "base/text.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define XXH_INLINE_ALL /* texts are short, and many */
#include <xxhash.h>

enum { PRINTABLE_LIMIT = 200 };

Text text_from(const char *terminated) {
    return (Text){terminated, strlen(terminated)};
}

int text_compare(Text a, Text b) {
    size_t shorter = a.size < b.size ? a.size : b.size;
    int order = shorter == 0 ? 0 : memcmp(a.data, b.data, shorter);
    return order != 0 ? order : (a.size > b.size) - (a.size < b.size);
}

/* Drawn once; of threads that draw at the same time the first decides. */
static uint64_t hash_seed(void) {
    static _Atomic uint64_t seed;
    uint64_t known = atomic_load_explicit(&seed, memory_order_relaxed), drawn;
    if (known != 0)
        return known;
    if (getrandom(&drawn, sizeof drawn, GRND_NONBLOCK) != sizeof drawn)
        drawn = (uint64_t)(uintptr_t)&seed;
    drawn |= 1;
    return atomic_compare_exchange_strong(&seed, &known, drawn) ? drawn : known;
}

uint64_t text_hash(Text text) {
    return XXH3_64bits_withSeed(text.data, text.size, hash_seed());
}

Text text_copy(Arena *arena, Text text) {
    char *copy = arena_alloc(arena, text.size + 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    return (Text){copy, text.size};
}

Text text_format(Arena *arena, const char *format, ...) {
    Builder builder = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&builder, format, arguments);
    va_end(arguments);
    Text text = text_copy(arena, builder_view(&builder));
    builder_free(&builder);
    return text;
}

/* Room for SIZE more bytes and a NUL. */
static void reserve(Builder *builder, size_t size) {
    size_t wanted = builder->size + size + 1;
    if (wanted <= builder->capacity)
        return;
    builder->capacity = wanted > builder->capacity * 2 ? wanted + 64 : builder->capacity * 2;
    builder->data = memory_grow(builder->data, builder->capacity);
}

void builder_add(Builder *builder, Text text) {
    reserve(builder, text.size);
    if (text.size > 0)
        memcpy(builder->data + builder->size, text.data, text.size);
    builder->size += text.size;
    builder->data[builder->size] = '\0';
}

void builder_char(Builder *builder, char c) {
    builder_add(builder, (Text){&c, 1});
}

void builder_vformat(Builder *builder, const char *format, va_list arguments) {
    va_list again;
    va_copy(again, arguments);
    int size = vsnprintf(NULL, 0, format, arguments);
    if (size > 0) {
        reserve(builder, (size_t)size);
        vsnprintf(builder->data + builder->size, (size_t)size + 1, format, again);
        builder->size += (size_t)size;
    }
    va_end(again);
}

void builder_format(Builder *builder, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(builder, format, arguments);
    va_end(arguments);
}

/* The length of the well-formed UTF-8 sequence that TEXT begins with, or 0. */
static size_t utf8_length(Text text) {
    const unsigned char *s = (const unsigned char *)text.data;
    if (s[0] < 0x80)
        return 1;
    size_t length = s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
    if (s[0] < 0xC2 || s[0] > 0xF4 || length > text.size)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    bool bad = (s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
               (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F);
    return bad ? 0 : length;
}

void builder_json(Builder *builder, Text text) {
    builder_char(builder, '"');
    for (size_t i = 0; i < text.size;) {
        Text rest = {text.data + i, text.size - i};
        size_t length = utf8_length(rest);
        unsigned char c = (unsigned char)text.data[i];
        if (length == 0)
            builder_add(builder, TEXT("\\ufffd"));
        else if (c == '"' || c == '\\')
            builder_format(builder, "\\%c", c);
        else if (c == '\n')
            builder_add(builder, TEXT("\\n"));
        else if (c < 0x20 || c == 0x7F)
            builder_format(builder, "\\u%04x", c);
        else
            builder_add(builder, (Text){rest.data, length});
        i += length == 0 ? 1 : length;
    }
    builder_char(builder, '"');
}

void builder_printable(Builder *builder, Text text) {
    size_t start = builder->size;
    for (size_t i = 0; i < text.size;) {
        if (builder->size - start > PRINTABLE_LIMIT) {
            builder_add(builder, TEXT("…"));
            return;
        }
        Text rest = {text.data + i, text.size - i};
        size_t length = utf8_length(rest);
        unsigned char c = (unsigned char)text.data[i];
        /* U+0080..U+009F are control characters as well. */
        bool control = c < 0x20 || c == 0x7F ||
                       (c == 0xC2 && length == 2 && (unsigned char)rest.data[1] < 0xA0);
        if (length == 0 || control)
            for (size_t k = 0; k < (length == 0 ? 1 : length); k++)
                builder_format(builder, "\\x%02x", (unsigned char)rest.data[k]);
        else
            builder_add(builder, (Text){rest.data, length});
        i += length == 0 ? 1 : length;
    }
}

Text text_printable(Arena *arena, Text text) {
    Builder builder = {0};
    builder_printable(&builder, text);
    Text copy = text_copy(arena, builder_view(&builder));
    builder_free(&builder);
    return copy;
}

Text builder_view(const Builder *builder) {
    return builder->data == NULL ? TEXT("") : (Text){builder->data, builder->size};
}

void builder_free(Builder *builder) {
    free(builder->data);
    *builder = (Builder){0};
}

void builder_number(Builder *builder, double value) {
    if (isnan(value) || isinf(value)) {
        builder_add(builder, isnan(value) ? TEXT("nan") : value > 0 ? TEXT("inf") : TEXT("-inf"));
        return;
    }
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, value);
        if (strtod(digits, NULL) == value)
            break;
    }
    /* %g turns to exponents early: 1e+01 for 10. Whole numbers of moderate size are written out. */
    if (strchr(digits, 'e') != NULL && fabs(value) >= 1 && fabs(value) < 1e16)
        snprintf(digits, sizeof digits, "%.0f", value);
    builder_add(builder, text_from(digits));
    if (strpbrk(digits, ".e") == NULL)
        builder_add(builder, TEXT(".0"));
}

void builder_bytes(Builder *builder, uint64_t bytes) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    double size = (double)bytes;
    size_t unit = 0;
    while (size >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        size /= 1024;
        unit++;
    }
    builder_format(builder, size < 10 && unit > 0 ? "%.1f %s" : "%.0f %s", size, units[unit]);
}
