/* The text of a safetensors header, split into tokens.
 *
 * The scanner (tensor/header.re) holds the rules of RFC 8259 and UTF-8, strictly, and the format's
 * own about numbers. What the tokens mean is the business of tensor/layout.h. */
#ifndef TENSOR_HEADER_H
#define TENSOR_HEADER_H

#include "base/text.h"

enum {
    HEADER_PREFIX = 8,          /* bytes of the length that a file begins with */
    HEADER_LIMIT = 100000000,   /* bytes of a header: the format's own bound */
    HEADER_NESTING_LIMIT = 128, /* arrays and objects within each other */
};

typedef enum HeaderTokenKind {
    HEADER_END,
    HEADER_OBJECT,     /* { */
    HEADER_OBJECT_END, /* } */
    HEADER_ARRAY,      /* [ */
    HEADER_ARRAY_END,  /* ] */
    HEADER_COLON,
    HEADER_COMMA,
    HEADER_STRING,
    HEADER_INTEGER, /* 0 … 2^64-1, in number */
    HEADER_NUMBER,  /* any other that JSON allows */
    HEADER_TRUE,
    HEADER_FALSE,
    HEADER_NULL,
    HEADER_FAULT, /* fault says what is wrong */
} HeaderTokenKind;

typedef struct HeaderToken {
    HeaderTokenKind kind;
    bool escaped;      /* a string with escapes: its value is not its text */
    Text text;         /* as it stands in the header; of a string, what is within the quotes */
    uint64_t number;   /* of an integer */
    const char *fault; /* `a control character that is not escaped` */
} HeaderToken;

/* A header must be followed by a NUL, which is no part of it. */
typedef struct HeaderScanner {
    const char *start, *cursor, *limit;
} HeaderScanner;

HeaderScanner header_scanner(Text header);
/* Sets those fields of TOKEN that its kind has. */
void header_next(HeaderScanner *scanner, HeaderToken *token);

/* The value of a string: its own text, or a copy in ARENA with the escapes decoded. */
Text header_string(Arena *arena, const HeaderToken *token);

#endif
