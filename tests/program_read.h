/* Reads the text form that program_dump writes, for programs kept beside the tests. */
#ifndef TESTS_PROGRAM_READ_H
#define TESTS_PROGRAM_READ_H

#include "base/vector.h"
#include "program/program.h"

typedef struct ProgramText {
    Program *program;
    VECTOR(ValueId) roots;
} ProgramText;

/* A first line `key [2, 3]` gives the key's shape: `key` in the lines after it. Lines that start
 * with `#` are comments. Fails the test where the text is no program. */
ProgramText program_read(Arena *arena, const char *text);
void program_text_free(ProgramText *text);

#endif
