/* The scanner of safetensors headers: one rule a line. See tensor/header.h. */
#include "tensor/header.h"

#include <string.h>

/*!re2c
    re2c:define:YYCTYPE      = "unsigned char";
    re2c:define:YYCURSOR     = cursor;
    re2c:define:YYMARKER     = marker;
    re2c:define:YYLIMIT      = limit;
    re2c:yyfill:enable       = 0;
    re2c:eof                 = 0;

    digit    = [0-9];
    hex      = [0-9a-fA-F];
    high     = [dD] [89abAB] hex{2};
    low      = [dD] [c-fC-F] hex{2};
    unit     = [0-9abcefABCEF] hex{3} | [dD] [0-7] hex{2};
    tail     = [\x80-\xBF];
    wide     = [\xC2-\xDF] tail
             | "\xE0" [\xA0-\xBF] tail
             | [\xE1-\xEC\xEE\xEF] tail{2}
             | "\xED" [\x80-\x9F] tail
             | "\xF0" [\x90-\xBF] tail{2}
             | [\xF1-\xF3] tail{3}
             | "\xF4" [\x80-\x8F] tail{2};
*/

typedef const unsigned char *Place;

static void plain(HeaderToken *token, HeaderTokenKind kind, Place start, Place end) {
    token->kind = kind;
    token->text = (Text){(const char *)start, (size_t)(end - start)};
}

static void fault(HeaderToken *token, Place start, Place end, const char *message) {
    plain(token, HEADER_FAULT, start, end);
    token->fault = message;
}

static void integer(HeaderToken *token, Place start, Place end) {
    plain(token, HEADER_INTEGER, start, end);
    token->number = 0;
    for (Place digit = start; digit < end; digit++)
        if (__builtin_mul_overflow(token->number, (uint64_t)10, &token->number) ||
            __builtin_add_overflow(token->number, (uint64_t)(*digit - '0'), &token->number)) {
            fault(token, start, end, "a number above 2^64 - 1");
            return;
        }
}

/* The rest of a string that begins, behind its quote, at START. Where it ends. */
static Place string(HeaderToken *token, Place start, Place limit) {
    Place cursor = start, marker = start;
    token->escaped = false;
    for (;;) {
        Place piece = cursor;
        /*!re2c
            [\x20-\x21\x23-\x5B\x5D-\x7F]+ { continue; }
            wide                           { continue; }
            "\\" ["\\/bfnrt]               { token->escaped = true; continue; }
            "\\u" unit                     { token->escaped = true; continue; }
            "\\u" high "\\u" low           { token->escaped = true; continue; }
            "\""                           { plain(token, HEADER_STRING, start, cursor - 1); break; }
            "\\u" (high | low)             { fault(token, piece, cursor, "half of a surrogate pair"); break; }
            "\\u"                          { fault(token, piece, cursor, "\\u without four hexadecimal digits"); break; }
            "\\" [\x20-\x7E]               { fault(token, piece, cursor, "an escape that JSON does not know"); break; }
            "\\"                           { fault(token, piece, cursor, "a backslash that escapes nothing"); break; }
            [\x00-\x1F]                    { fault(token, piece, cursor, "a control character that is not escaped"); break; }
            *                              { fault(token, piece, cursor, "bytes that are no UTF-8"); break; }
            $                              { fault(token, start - 1, cursor, "a string that does not end"); break; }
        */
    }
    return cursor;
}

void header_next(HeaderScanner *scanner, HeaderToken *token) {
    Place cursor = (Place)scanner->cursor, marker = cursor, limit = (Place)scanner->limit;
    for (;;) {
        Place start = cursor;
        /*!re2c
            [ \t\r\n]+                 { continue; }
            "{"                        { plain(token, HEADER_OBJECT, start, cursor); break; }
            "}"                        { plain(token, HEADER_OBJECT_END, start, cursor); break; }
            "["                        { plain(token, HEADER_ARRAY, start, cursor); break; }
            "]"                        { plain(token, HEADER_ARRAY_END, start, cursor); break; }
            ":"                        { plain(token, HEADER_COLON, start, cursor); break; }
            ","                        { plain(token, HEADER_COMMA, start, cursor); break; }
            "\""                       { cursor = string(token, cursor, limit); break; }
            "0" | [1-9] digit*         { integer(token, start, cursor); break; }
            "-"? ("0" | [1-9] digit*) ("." digit+)? ([eE] [+-]? digit+)?
                                           { plain(token, HEADER_NUMBER, start, cursor); break; }
            "true"                     { plain(token, HEADER_TRUE, start, cursor); break; }
            "false"                    { plain(token, HEADER_FALSE, start, cursor); break; }
            "null"                     { plain(token, HEADER_NULL, start, cursor); break; }
            "0" digit+                 { fault(token, start, cursor, "a number with a leading zero"); break; }
            [a-zA-Z_] [a-zA-Z_0-9]*    { fault(token, start, cursor, "a bare word"); break; }
            "//" | "/*" | "#"          { fault(token, start, cursor, "a comment"); break; }
            "'"                        { fault(token, start, cursor, "a single quote"); break; }
            "\xEF\xBB\xBF"             { fault(token, start, cursor, "a byte order mark"); break; }
            "\x00"                     { fault(token, start, cursor, "a NUL byte"); break; }
            *                          { fault(token, start, cursor, "a byte that begins nothing in JSON"); break; }
            $                          { plain(token, HEADER_END, start, start); break; }
        */
    }
    scanner->cursor = (const char *)cursor;
}

HeaderScanner header_scanner(Text header) {
    return (HeaderScanner){header.data, header.data, header.data + header.size};
}

static uint32_t code_unit(const char *digits) {
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)digits[i];
        value = value * 16 + (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
}

static char *put_utf8(char *out, uint32_t code) {
    int tails = code < 0x80 ? 0 : code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
    static const unsigned char leads[] = {0, 0xC0, 0xE0, 0xF0};
    *out++ = (char)(leads[tails] | code >> (6 * tails));
    while (tails-- > 0)
        *out++ = (char)(0x80 | (code >> (6 * tails) & 0x3F));
    return out;
}

/* What the escape at *IN, behind its backslash, stands for; *IN moves behind it. */
static uint32_t escape(const char **in) {
    static const char letters[] = "bfnrt", values[] = "\b\f\n\r\t";
    char letter = *(*in)++;
    if (letter != 'u') {
        const char *known = strchr(letters, letter);
        return (unsigned char)(known != NULL ? values[known - letters] : letter);
    }
    uint32_t code = code_unit(*in);
    *in += 4;
    if (code < 0xD800 || code > 0xDFFF)
        return code;
    uint32_t low = code_unit(*in + 2);
    *in += 6;
    return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
}

Text header_string(Arena *arena, const HeaderToken *token) {
    if (!token->escaped)
        return token->text;
    /* No escape is shorter than what it stands for. */
    char *copy = arena_alloc(arena, token->text.size), *out = copy;
    const char *end = token->text.data + token->text.size;
    for (const char *in = token->text.data; in < end;) {
        if (*in == '\\') {
            in++;
            out = put_utf8(out, escape(&in));
        } else {
            *out++ = *in++;
        }
    }
    return (Text){copy, (size_t)(out - copy)};
}
