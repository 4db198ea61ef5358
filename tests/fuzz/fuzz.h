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

/* A header of a model, and behind its last brace the size of the data: refused with one message, or
 * its tensors lie in the data, one behind the other. */
void fuzz_header(Text text);
/* A whole file, its first eight bytes included. */
void fuzz_model(Text text);
/* An index of the shards a.safetensors and b.safetensors. */
void fuzz_index(Text text);
/* A recipe and the models that it merges, a.safetensors and b.safetensors, from `header, size of
 * the data` each, sections divided by lines of four equals signs: fails with a message and leaves
 * nothing, or writes a model. */
void fuzz_pipeline(Text text);

/* Ends the program unless it HOLDS; says WHAT is the case, and for which text. */
void fuzz_require(bool holds, const char *what, Text text);

#endif
