/* Regular expressions over the names of modules, as PEFT's settings hold them: Python's, but for
 * what looks around, goes back or remembers. An end of a name has to match as a whole that begins
 * with the name or behind a dot: `q_proj` is for `layers.0.q_proj`. (PEFT, utils/other.py,
 * get_pattern_key.)
 *
 * Strangers write them, so time is at most the product of the sizes: all states that a pattern may
 * be in are followed at once. */
#ifndef TENSOR_MODULE_PATTERN_H
#define TENSOR_MODULE_PATTERN_H

#include "base/text.h"

enum {
    MODULE_PATTERN_STEPS = 4096, /* of a pattern, repetitions unfolded */
    MODULE_PATTERN_NESTING = 32,
};

typedef struct ModulePattern ModulePattern;

/* NULL where it is not understood, or exceeds a limit. To be freed. */
ModulePattern *module_pattern_make(Text written);
void module_pattern_free(ModulePattern *pattern);

bool module_pattern_matches(ModulePattern *pattern, Text module);

/* What making it and matching has taken so far, in states looked at. */
uint64_t module_pattern_work(const ModulePattern *pattern);

#endif
