/* What holds for which key: inputs are opened, merge spaces and configs inferred, and the keys of
 * every output listed.
 *
 *     recipe graph ─ inputs ─ spaces ─ components and their configs ─▶ Solved
 */
#ifndef SOLVE_SOLVE_H
#define SOLVE_SOLVE_H

#include "recipe/recipe.h"
#include "solve/sources.h"
#include "tensor/reader.h"
#include "tensor/tie.h"

/* The nodes whose keys are of one kind: they have one config, or one structural set of keys. */
typedef struct Domain {
    const Config *config; /* NULL: structural */
    Text *keys; /* of the config in its order; else of all its models, in order of appearance */
    uint32_t n_keys;
    Names index;
    Text head, embeddings; /* of language models, where some have a head; else empty */
    bool has_inputs; /* models or maps; without any, the one key is `key`, as of a singleton */
} Domain;

/* A set of keys of a domain. */
typedef struct KeySet {
    const uint64_t *bits; /* NULL: all */
} KeySet;

static inline bool keys_have(KeySet set, KeyId key) {
    return set.bits == NULL || (set.bits[key / 64] >> (key % 64) & 1);
}

/* Of a model, in a domain that has a head: */
typedef struct TiedModel {
    bool has_head;   /* one of its own */
    bool is_tied;    /* its head is its embeddings */
    bool lacks_head; /* and is not tied */
    bool spare_head; /* is tied, and its file holds the head nevertheless */
    bool selects;    /* of several models: keys are selected on the way */
} TiedModel;

/* The rule that makes a key of a conversion's result, for every key of its domain; NULL: none. */
typedef struct RuleTable {
    const struct ConversionRule **rules;
} RuleTable;

typedef struct Solved {
    const Recipe *recipe;
    Configs *configs;
    unsigned char *reached; /* by node */
    const Model **models;   /* by node; NULL where it is no NODE_MODEL */
    const Model **inputs;   /* each file once */
    uint32_t n_inputs;
    SpaceSet *spaces;    /* by node: one space */
    uint32_t *domain_of; /* by node, in domains */
    Domain *domains;
    uint32_t n_domains;
    const int32_t **entries; /* by node that is a map: the entry for a key of its domain, or -1 */
    RuleTable *conversions;  /* by node that calls a conversion */
    const Tensor ***tensors; /* by node that is a model: under each key of its domain, or NULL */
    bool has_unused;         /* keys of a network change nothing, and that was allowed */
    TiedModel *tied;         /* by node */
    Tie *ties;               /* by output: what its config has to say, if not what it says */
    KeySet *output_keys;     /* by output of the recipe: those that it may have */
    const int32_t **dtypes;  /* by output: for each key the entry of its map of dtypes, or NULL */
} Solved;

typedef struct SolveOptions {
    Sources *sources;
    SpaceSet space;    /* of outputs that say none themselves; SPACES_ALL: any */
    bool partial;      /* a part of the result is looked at: what networks are for is not asked */
    bool structural;   /* no config is looked for */
    bool strict;       /* a model that lacks mandatory keys of its config is an error */
    bool allow_unused; /* keys of networks that change nothing are no error */
} SolveOptions;

/* NULL after errors. Its models are those of the sources. */
Solved *solve(Arena *arena, Diags *diags, const Recipe *recipe, const SolveOptions *options);
void solve_close(Solved *solved); /* what is not in the arena */

/* The stages, in order; each reports what is wrong and returns false then. */
bool solve_inputs(Arena *arena, Solved *solved, const SolveOptions *options);
bool solve_spaces(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options);
bool solve_configs(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options);
bool solve_keys(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options);
bool solve_masses(Arena *arena, Diags *diags, Solved *solved);

/* The configs that a node may have, as far as its models and conversions tell: the best first; of
 * those that know all of its keys only one, unless ALL is wanted. Needs solved->models. NULL and
 * *COUNT 0 where it has none. */
const Config *const *solve_candidates(Arena *arena, Diags *diags, Solved *solved,
                                      const SolveOptions *options, NodeId node, bool all,
                                      uint32_t *count);

/* The number of a key in its domain, by its name (or an alias); INDEX_NONE where it is none. */
KeyId domain_key(const Domain *domain, Text name);
/* What the config of a node's domain says of a key; NULL where the domain is structural. */
const ConfigKey *solved_config_key(const Solved *solved, NodeId node, Text key);
/* A key that nodes are asked for: by its number in one domain, in others by its name. */
typedef struct Key {
    Text name;
    uint32_t domain;
    KeyId id; /* INDEX_NONE: the domain has none of that name */
} Key;

Key solved_key(const Solved *solved, NodeId node, Text name);
/* Its number in the domain of a node. */
KeyId solved_key_id(const Solved *solved, NodeId node, Key key);

/* solved_tensor, when the keys are solved. */
const Tensor *solved_tensor_at(const Solved *solved, NodeId node, Key key);

/* The rule by which a call of a conversion makes a key, or NULL. */
const struct ConversionRule *solved_rule(const Solved *solved, NodeId node, Text key);

/* The tensor that a model node has under a key of its domain (by its name or an alias), or NULL. */
const Tensor *solved_tensor(const Solved *solved, NodeId node, Text key);

/* The inputs that an output is made of. */
const Model *const *solved_sources(Arena *arena, const Solved *solved, uint32_t output, size_t *n);
/* Adds the parts of inputs that are pipelines which an output has no key for, by its config. */
void solved_apart(const Solved *solved, uint32_t output, Names *apart);

/* What a key means to a node that treats keys apart: the entry of a NODE_MAP that is for it (-1:
 * none); of a NODE_KEEP or NODE_COMPONENT whether it is kept (1) or not (0). */
int solved_entry(const Solved *solved, NodeId node, Key key);

#endif
