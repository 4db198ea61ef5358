/* Model configs: what architectures there are, and what keys they have.
 *
 * A config is written in the recipe language (stdlib/configs/, docs/configs.md), and evaluated when
 * it is first asked for. The keys of a network's config (a LoRA's) follow from the modules of its
 * base; there are tens of thousands of them, so they come into being as they are met. */
#ifndef SOLVE_CONFIGS_H
#define SOLVE_CONFIGS_H

#include "base/map.h"
#include "recipe/library.h"
#include "tensor/reader.h"

typedef uint32_t KeyId; /* in Config.keys, or in the keys of a domain (solve.h) */

typedef struct ConfigKey {
    Text name;
    Text component;
    Text block;         /* of those that block-wise coefficients name; empty: none */
    DType dtype;        /* DTYPE_NONE: unknown */
    const Shape *shape; /* NULL: unknown */
    bool optional;
    bool is_setting;     /* of a network: not of a module */
    const Text *aliases; /* other names that files have for it: config_aliases */
    uint32_t n_aliases;
} ConfigKey;

typedef struct Config {
    Text name;
    Span span;
    const ConfigKey *keys;
    uint32_t n_keys; /* of a network's config: those met so far */
    const Text *components;
    uint32_t n_components;
    const Text *blocks; /* in order of first appearance */
    uint32_t n_blocks;
    struct ConfigParts *parts; /* private */
} Config;

typedef struct Configs Configs;

Configs *configs_new(Arena *arena, Diags *diags, Library *library);
void configs_free(Configs *configs); /* what is not in the arena */
Arena *configs_arena(const Configs *configs);

/* The config of that name; NULL where there is none, or after an error in its text. */
const Config *configs_find(Configs *configs, Text name);
/* Whether there is one, which is not read for this. */
bool configs_has(Configs *configs, Text name);
/* Says that there is no config of that name, and which one may have been meant. */
void configs_unknown(Configs *configs, Text name, Span span);

/* The key that has this name or alias; INDEX_NONE where there is none. */
KeyId config_find(const Config *config, Text name);
/* The same, but of a network's config only of the keys that came into being already. */
KeyId config_met(const Config *config, Text name);
/* config_find for the name of each tensor of a model, whose names are looked up once. */
const KeyId *config_tensors(Configs *configs, const Config *config, const Model *model);
/* The other names of a key; those of a network's key come into being when they are asked for. */
const Text *config_aliases(const Config *config, KeyId key, uint32_t *count);
/* Brings all keys of a network's config into being, with all their names; others have them already.
 */
void config_complete(Configs *configs, const Config *config);
/* Calls EACH for all keys of a config; those of a network are not brought into being for this, and
 * have no name. */
void config_visit(const Config *config, void (*each)(void *context, const ConfigKey *key),
                  void *context);
/* The place of a block among the config's, or INDEX_NONE. */
uint32_t config_block(const Config *config, Text name);
/* Whether the keys are those of networks for another config's modules. */
bool config_is_network(const Config *config);

/* What the name of a network's key says: `lora_` MODULE `.` PART, which changes TARGET of the base.
 * Of several names of a part it is the first. */
typedef struct NetworkName {
    Text module, part;
    const ConfigKey *target; /* NULL: the config is for networks of any model */
} NetworkName;
/* False where it is the name of no key of the network's config. */
bool config_network_name(const Config *config, Text name, NetworkName *out);

/* How well a config explains a set of key names. */
typedef struct ConfigMatch {
    const Config *config;
    double unknown; /* the share of the names that it does not know */
} ConfigMatch;

/* The configs that know at least a tenth of the names, in descending order of their names. The
 * result is remembered for the same names. */
typedef struct ConfigMatches {
    const ConfigMatch *items;
    uint32_t count;
} ConfigMatches;
ConfigMatches configs_match(Configs *configs, const Text *names, uint32_t n_names);

/* The last config in the order of names that knows them all; NULL where there is none. Needs fewer
 * configs evaluated than configs_match. */
const Config *configs_perfect(Configs *configs, const Text *names, uint32_t n_names);

/* The config that knows most of the names; NULL where none knows a tenth. */
const Config *configs_best(Configs *configs, const Text *names, uint32_t n_names);

/* Whether a config knows at least a tenth of the names. */
bool config_fits(const Config *config, const Text *names, uint32_t n_names);

#endif
