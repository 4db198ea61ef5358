/* Patterns over names. */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/text.h"

/* Whether all of TEXT is what PATTERN describes: `*` stands for any bytes, dots included, `?` for
 * one character of UTF-8, and a backslash makes the next character literal. */
bool glob_matches(Text pattern, Text text);

#endif
