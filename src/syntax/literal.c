#include "syntax/literal.h"

#include <stdlib.h>
#include <string.h>

enum { CODE_POINT_LIMIT = 0x10FFFF, NUMBER_ROOM = 64, EXACT_DIGITS = 15 };

typedef struct Decoder {
    Arena *arena;
    Diags *diags;
    Span span;
    Text written;
    char *out;
    size_t size, at;
} Decoder;

static void put(Decoder *decoder, uint32_t code) {
    char *out = decoder->out + decoder->size;
    int n = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    static const unsigned char leads[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (int i = n - 1; i > 0; i--, code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(leads[n] | code);
    decoder->size += (size_t)n;
}

static void complain_escape(Decoder *decoder, size_t begin, const char *message) {
    uint32_t from = decoder->span.begin + (uint32_t)begin;
    uint32_t to = decoder->span.begin + (uint32_t)decoder->at;
    diag_error(decoder->diags, (Span){decoder->span.source, from, to}, "%s", message);
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c >= 'a' && c <= 'f') ? c - 'a' + 10 : (c >= 'A' && c <= 'F') ? c - 'A' + 10 : -1;
}

/* \\u{1F600}, from behind the u. */
static void decode_code_point(Decoder *decoder, size_t begin) {
    Text text = decoder->written;
    uint32_t code = 0;
    size_t digits = 0;
    bool open = decoder->at < text.size && text.data[decoder->at] == '{';
    decoder->at += open;
    while (open && decoder->at < text.size && hex_digit(text.data[decoder->at]) >= 0 &&
           digits < 7) {
        code = code * 16 + (uint32_t)hex_digit(text.data[decoder->at++]);
        digits++;
    }
    bool closed = open && decoder->at < text.size && text.data[decoder->at] == '}';
    decoder->at += closed;
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    if (!closed || digits == 0)
        complain_escape(decoder, begin, "a character is written \\u{1F600}, by its number");
    else if (code > CODE_POINT_LIMIT || code == 0 || surrogate)
        complain_escape(decoder, begin, "no character has this number");
    else
        put(decoder, code);
}

static void decode_escape(Decoder *decoder) {
    size_t begin = decoder->at++;
    char c = decoder->written.data[decoder->at++];
    switch (c) {
    case 'n':
        return put(decoder, '\n');
    case 't':
        return put(decoder, '\t');
    case 'r':
        return put(decoder, '\r');
    case '"':
    case '\\':
        return put(decoder, (unsigned char)c);
    case 'u':
        return decode_code_point(decoder, begin);
    default:
        complain_escape(decoder, begin, "unknown escape");
        diag_hint(decoder->diags, "escapes are \\\" \\\\ \\n \\t \\r \\u{…}; a backslash is \\\\");
    }
}

Text literal_inside(Text written) {
    bool closed = written.size > 1 && written.data[written.size - 1] == written.data[0];
    return (Text){written.data + 1, written.size - 1 - closed};
}

Text literal_string(Arena *arena, Diags *diags, Span span, Text written) {
    Text text = literal_inside(written);
    Decoder decoder = {arena, diags, span, text, NULL, 0, 0};
    decoder.span.begin++;
    if (memchr(text.data, '\\', text.size) == NULL)
        return text_copy(arena, text);
    decoder.out = arena_alloc(arena, text.size + 1);
    while (decoder.at < text.size) {
        if (text.data[decoder.at] == '\\' && decoder.at + 1 < text.size)
            decode_escape(&decoder);
        else
            decoder.out[decoder.size++] = text.data[decoder.at++];
    }
    return (Text){decoder.out, decoder.size};
}

Text literal_unescape(Arena *arena, Text written) {
    if (memchr(written.data, '\\', written.size) == NULL)
        return text_copy(arena, written);
    char *out = arena_alloc(arena, written.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < written.size; i++) {
        i += written.data[i] == '\\' && i + 1 < written.size;
        out[size++] = written.data[i];
    }
    return (Text){out, size};
}

/* Leaves out underscores, and puts a NUL behind. Long numbers take memory of their own. */
static char *plain_digits(Text written, char *room) {
    char *out = written.size < NUMBER_ROOM ? room : memory_grow(NULL, written.size + 1);
    size_t size = 0;
    for (size_t i = 0; i < written.size; i++)
        if (written.data[i] != '_')
            out[size++] = written.data[i];
    out[size] = '\0';
    return out;
}

/* A few digits with a point among them are a quotient of two integers that doubles hold exactly. */
static bool short_number(Text written, double *value) {
    static const double powers[EXACT_DIGITS + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    uint64_t digits = 0;
    size_t behind = 0;
    bool point = false;
    for (size_t i = 0; i < written.size; i++) {
        char c = written.data[i];
        if (written.size > EXACT_DIGITS || (c == '.' ? point : c < '0' || c > '9'))
            return false;
        behind += point;
        point |= c == '.';
        digits = c == '.' ? digits : digits * 10 + (uint64_t)(c - '0');
    }
    *value = (double)digits / powers[behind];
    return true;
}

double literal_number(Text written) {
    double exact;
    if (short_number(written, &exact))
        return exact;
    char room[NUMBER_ROOM];
    char *digits = plain_digits(written, room);
    double value = strtod(digits, NULL);
    if (digits != room)
        free(digits);
    return value;
}

bool literal_integer(Text written, int64_t *value) {
    size_t i = written.data[0] == '-' || written.data[0] == '+';
    bool negative = written.data[0] == '-', fits = true;
    uint64_t sum = 0, limit = (uint64_t)INT64_MAX + negative;
    for (; i < written.size; i++) {
        if (written.data[i] == '_')
            continue;
        uint64_t digit = (uint64_t)(written.data[i] - '0');
        fits = fits && sum <= (limit - digit) / 10;
        sum = fits ? sum * 10 + digit : limit;
    }
    *value = negative ? (int64_t)(0 - sum) : (int64_t)sum;
    return fits;
}

/* The length of the character at the beginning of TEXT, 0 where it is malformed. */
static size_t character_size(const unsigned char *data, size_t size) {
    static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = data[0] < 0xC0   ? 0
               : data[0] < 0xE0 ? 2
               : data[0] < 0xF0 ? 3
               : data[0] < 0xF8 ? 4
                                : 0;
    if (n == 0 || n > size)
        return 0;
    uint32_t code = data[0] & (0x7Fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((data[i] & 0xC0) != 0x80)
            return 0;
        code = code << 6 | (data[i] & 0x3F);
    }
    bool surrogate = code >= 0xD800 && code <= 0xDFFF;
    return code < smallest[n] || code > CODE_POINT_LIMIT || surrogate ? 0 : n;
}

static bool is_ascii(const unsigned char bytes[8]) {
    uint64_t word;
    memcpy(&word, bytes, sizeof word);
    return (word & 0x8080808080808080u) == 0;
}

size_t utf8_valid(Text text) {
    const unsigned char *data = (const unsigned char *)text.data;
    size_t i = 0;
    while (i < text.size) {
        if (text.size - i >= 8 && is_ascii(data + i)) {
            i += 8;
            continue;
        }
        size_t n = data[i] < 0x80 ? 1 : character_size(data + i, text.size - i);
        if (n == 0)
            return i;
        i += n;
    }
    return i;
}
