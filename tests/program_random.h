/* Random programs of all kinds of values, from a seed: small ones, whose numbers stay within bounds
 * and whose branches no rounding decides, so that one tolerance fits all. */
#ifndef TESTS_PROGRAM_RANDOM_H
#define TESTS_PROGRAM_RANDOM_H

#include "base/vector.h"
#include "program/program.h"

enum { LEAVES = 7, LEAF_ELEMENTS = 400 };

typedef struct Generator {
    uint64_t state;
    Arena arena;
    Program *program;
    VECTOR(ValueId) values; /* the leaves first */
    bool keyed;             /* all leaves have the key's shape, and hardly anything asks for it */
    bool draws;             /* with VALUE_RANDOM */
    double *leaves[LEAVES]; /* LEAF_ELEMENTS numbers each that their dtype can hold */
    unsigned char *stored[LEAVES]; /* the same as stored */
} Generator;

void generator_init(Generator *generator, uint64_t seed, bool keyed, bool draws);
void generator_free(Generator *generator);
/* Adds values until there are N more. */
void generate(Generator *generator, uint32_t n);

extern const Shape random_key; /* of what is keyed */
/* Of what is not; the dtypes of all. */
extern const Shape random_leaf_shapes[LEAVES];
extern const DType random_leaf_dtypes[LEAVES];

#endif
