/* What the types of networks are called, and which tensors a module of each has: told by the
 * standard library (stdlib/roles/networks.mecha), as lists of words. */
#ifndef SOLVE_NETWORK_TYPES_H
#define SOLVE_NETWORK_TYPES_H

#include "solve/configs.h"

typedef struct NetworkType {
    Text name;
    const Text *parts;
    uint32_t n_parts;
    Text rank_of;        /* the part whose first dimension is the rank; empty: none */
    uint32_t dimensions; /* of the first part; 0: any */
} NetworkType;

typedef struct NetworkAddition {
    Text name, part;
} NetworkAddition;

typedef struct NetworkTypes {
    const NetworkType *types;
    uint32_t n_types;
    const NetworkAddition *additions;
    uint32_t n_additions;
} NetworkTypes;

NetworkTypes network_types_read(Arena *arena, Library *library);

#endif
