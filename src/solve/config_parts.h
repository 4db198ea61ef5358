/* Inside solve/: how configs are kept, and the evaluation of their trees. */
#ifndef SOLVE_CONFIG_PARTS_H
#define SOLVE_CONFIG_PARTS_H

#include "base/vector.h"
#include "solve/configs.h"

/* In the keys of a network's config, while they are described: the name of a module. */
#define MODULE_MARK '\x01'

/* A key of every module: what stands before and after the module's name. */
typedef struct NetworkKey {
    Text before, after;
    ConfigKey key; /* without its name */
} NetworkKey;

/* A weight of the base that networks can change. */
typedef struct NetworkModule {
    Text name; /* that of its key without `.weight`, with `_` for dots */
    KeyId base;
} NetworkModule;

typedef struct Network {
    const Config *base;
    const NetworkKey *keys;
    uint32_t n_keys;
    NetworkModule *modules;
    uint32_t n_modules;
    HashIndex module_index;
} Network;

/* A name of a key, or an alias. */
typedef struct ConfigName {
    Text text;
    KeyId key;
} ConfigName;

struct ConfigParts {
    VECTOR(ConfigKey) keys; /* Config.keys borrows it */
    VECTOR(ConfigName) names;
    HashIndex name_index;
    Network *network; /* or NULL */
};

/* Evaluates the tree of a config into CONFIG. False after errors. */
bool config_read(Arena *arena, Diags *diags, Configs *configs, const Definition *definition,
                 Config *config);

#endif
