/* The values of literals as written. */
#ifndef SYNTAX_LITERAL_H
#define SYNTAX_LITERAL_H

#include "diag/diag.h"

/* What stands between quotes, the closing one of which may be missing. */
Text literal_inside(Text written);

/* What stands between the quotes of a recipe's string; SPAN is the whole of it. Unknown escapes are
 * reported. */
Text literal_string(Arena *arena, Diags *diags, Span span, Text written);

/* An instruction list's word or string without quotes: a backslash takes the next character as it
 * is. */
Text literal_unescape(Arena *arena, Text written);

/* Digits with an optional sign and underscores between them; false where it exceeds 64 bits (VALUE
 * is then the nearest). */
bool literal_integer(Text written, int64_t *value);

/* A decimal number, `inf` or `nan`, underscores allowed. */
double literal_number(Text written);

/* Where the text stops being UTF-8; its size if nowhere. */
size_t utf8_valid(Text text);

#endif
