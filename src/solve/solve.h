/* What holds for which key: inputs are opened, merge spaces and configs inferred, and the keys of
 * every output listed.
 *
 *     recipe graph ─ inputs ─ spaces ─ components and their configs ─▶ Solved
 */
#ifndef SOLVE_SOLVE_H
#define SOLVE_SOLVE_H

#include "recipe/recipe.h"
#include "solve/configs.h"
#include "tensor/reader.h"

/* The nodes whose keys are of one kind: they have one config, or one structural set of keys. */
typedef struct Domain {
    const Config *config; /* NULL: structural */
    Text *keys; /* of the config in its order; else of all its models, in order of appearance */
    uint32_t n_keys;
    Names index;
    bool has_inputs; /* models or maps; without any, the one key is `key`, as of a singleton */
} Domain;

/* A set of keys of a domain. */
typedef struct KeySet {
    const uint64_t *bits; /* NULL: all */
} KeySet;

static inline bool keys_have(KeySet set, KeyId key) {
    return set.bits == NULL || (set.bits[key / 64] >> (key % 64) & 1);
}

typedef struct Solved {
    const Recipe *recipe;
    unsigned char *reached; /* by node */
    const Model **models;   /* by node; NULL where it is no NODE_MODEL */
    const Model **inputs;   /* each file once */
    uint32_t n_inputs;
    SpaceSet *spaces;    /* by node: one space */
    uint32_t *domain_of; /* by node, in domains */
    Domain *domains;
    uint32_t n_domains;
    KeySet *output_keys; /* by output of the recipe: those that it may have */
} Solved;

typedef struct SolveOptions {
    const char *const *models_dirs;
    size_t n_models_dirs;
    SpaceSet space; /* of outputs that say none themselves; SPACES_ALL: any */
} SolveOptions;

/* NULL after errors. What it opens is in solved->inputs, to be closed with solve_close. */
Solved *solve(Arena *arena, Diags *diags, const Recipe *recipe, const SolveOptions *options);
void solve_close(Solved *solved);

/* The stages, in order; each reports what is wrong and returns false then. */
bool solve_inputs(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options);
bool solve_spaces(Arena *arena, Diags *diags, Solved *solved, const SolveOptions *options);
bool solve_configs(Arena *arena, Diags *diags, Solved *solved);
bool solve_keys(Arena *arena, Diags *diags, Solved *solved);
bool solve_masses(Arena *arena, Diags *diags, Solved *solved);

/* The tensor that a model node has under a key of its domain (by its name or an alias), or NULL. */
const Tensor *solved_tensor(const Solved *solved, NodeId node, Text key);

/* What a key means to a node that treats keys apart: the entry of a NODE_MAP that is for it (-1:
 * none); of a NODE_KEEP or NODE_COMPONENT whether it is kept (1) or not (0). */
int solved_entry(const Solved *solved, NodeId node, Text key);

/* Whether a glob matches a key: `*` any run, dots included; `?` one character; `\` makes the next
 * one literal. */
bool glob_match(Text glob, Text key);

#endif
