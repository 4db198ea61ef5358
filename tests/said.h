/* What parsing a text says, compact enough for tables of tests. */
#ifndef TESTS_SAID_H
#define TESTS_SAID_H

#include "base/text.h"

/* One line a message: `2:5 message // hint`, notes with `note` before their place; empty when all
 * is well. To be freed. */
char *said_about(Text text);

/* Compares what is said with what is expected. */
void check_said(const char *text, const char *expected);

typedef struct SaidCase {
    const char *text, *expected;
} SaidCase;

#define CHECK_SAID(cases)                                                                          \
    for (size_t i_ = 0; i_ < sizeof(cases) / sizeof *(cases); i_++)                                \
    check_said((cases)[i_].text, (cases)[i_].expected)

#endif
