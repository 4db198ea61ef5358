/* What must hold for every text, whoever made it. Each of these ends the program where it does not:
 * libFuzzer (tests/fuzz/entry.c) looks for such a text, tests/test_fuzz.c reads what it found once.
 * A text ends in a NUL that its size does not count. */
#ifndef FUZZ_FUZZ_H
#define FUZZ_FUZZ_H

#include "base/text.h"

/* The parser of recipes says what is wrong or returns a tree without errors; its places lie within
 * the text. */
void fuzz_recipe(Text text);
/* That of instruction lists; references lead to earlier instructions. */
void fuzz_instructions(Text text);
/* What can be read can be laid out, says the same then, and is laid out already. */
void fuzz_format(Text text);

#endif
