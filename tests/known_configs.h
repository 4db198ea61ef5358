/* The configs and conversions of the library, opened for a test. */
#ifndef TESTS_KNOWN_CONFIGS_H
#define TESTS_KNOWN_CONFIGS_H

#include "solve/configs.h"

typedef struct KnownConfigs {
    Arena arena;
    Diags *diags;
    Library *library;
    Configs *configs;
} KnownConfigs;

void known_configs_open(KnownConfigs *known);
void known_configs_close(KnownConfigs *known);

/* Whether a definition is the conversion that `as` takes from one config straight to another. */
bool known_conversion_is(const Definition *definition, Text from, Text to);

#endif
