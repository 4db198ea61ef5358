/* Inside solve/: how configs are kept, and the evaluation of their trees. */
#ifndef SOLVE_CONFIG_PARTS_H
#define SOLVE_CONFIG_PARTS_H

#include "base/vector.h"
#include "solve/configs.h"

/* In the keys of a network's config, while they are described, the name of a module is two of these
 * with a dot between, or what the key has for dots. */
#define MODULE_MARK '\x01'

/* What a key is for: any weight of two dimensions or more, or any of one. */
typedef enum ModuleKind { MODULE_MATRIX, MODULE_VECTOR } ModuleKind;

/* A name of a key of every module: what stands before and after the module's name. */
typedef struct NetworkForm {
    Text before, after;
    uint32_t naming; /* in Network.namings: what it has for the dots of the name */
} NetworkForm;

/* A key of every module of a kind. */
typedef struct NetworkKey {
    NetworkForm *forms; /* its name, then its aliases */
    uint32_t n_forms;
    ModuleKind modules;
    ConfigKey key; /* without its name */
} NetworkKey;

/* A weight of the base that networks can change. */
typedef struct NetworkModule {
    ModuleKind kind;
    KeyId base;
} NetworkModule;

/* What a module is called in one naming. */
typedef struct ModuleName {
    Text text; /* the key of its weight (or an alias) without `.weight`, with DOTS for its dots */
    uint32_t module;
} ModuleName;

typedef struct ModuleNaming {
    Text dots;
    bool made;                /* the rest is, when the first name is looked up */
    VECTOR(ModuleName) names; /* the first of each module is that of its key, in order */
    HashIndex index;
} ModuleNaming;

/* A form of a key of a network, by their places. */
typedef struct FormPlace {
    uint32_t key, form;
} FormPlace;

/* The forms of names with one end, in order. */
typedef struct NetworkEnd {
    Text text;
    VECTOR(FormPlace) forms;
} NetworkEnd;

/* What rules most names out before any form is tried: how names of the network begin and end. */
typedef struct NetworkSieve {
    struct {
        bool any, is[256];
    } letters[2];             /* first ones: of names with any end, and of those with one of ENDS */
    VECTOR(NetworkEnd) ends;  /* that begin with a dot, each once */
    HashIndex index;          /* of them */
    uint32_t most_dots;       /* in one of them */
    VECTOR(FormPlace) others; /* whose ends begin with none */
} NetworkSieve;

typedef struct Network {
    Text base_name;     /* empty: modules of any name, of any model */
    const Config *base; /* NULL there, and until a module is looked up */
    const NetworkKey *keys;
    uint32_t n_keys;
    NetworkModule *modules;
    uint32_t n_modules;
    VECTOR(ModuleNaming) namings;
    NetworkSieve sieve;
    Configs *configs;
    Diags *diags;
    const Config *config; /* its own */
    bool opened;
    VECTOR(NetworkKey) collected; /* while the config is read */
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

/* Adds a name that a config has for a key; false where the name is one already. */
bool config_add_name(struct ConfigParts *parts, Text name, KeyId key);

/* Evaluates the tree of a config into CONFIG. False after errors. */
bool config_read(Arena *arena, Diags *diags, Configs *configs, const Definition *definition,
                 Config *config);

/* A network for the config BASE, or empty, without keys yet. */
Network *network_new(Arena *arena, Text base);
void network_free(Network *network); /* what is not in the arena; NULL: nothing */
/* Adds a key whose names have a module marked in them; false where they have none. */
bool network_add_key(Arena *arena, Network *network, ModuleKind modules, const ConfigKey *key);
/* To be called when all keys are there. The base is read, and what is wrong with it said, AT_ONCE
 * or when a module is looked up. False after errors. */
bool network_finish(Configs *configs, Diags *diags, const Config *config, bool at_once);
/* The key of that name, brought into being where it is not there; INDEX_NONE: there is none. */
KeyId network_key(const Config *config, Text name);
/* The same of keys that are in being. */
KeyId network_met(const Config *config, Text name);
/* The key whose name is one already; INDEX_NONE: it is no name, or was not asked for yet. */
KeyId config_named(const struct ConfigParts *parts, Text name);
/* Whether NAME is that of a key, in being or not. */
bool network_knows(const Network *network, Text name);

#endif
