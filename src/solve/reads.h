/* What the rules of a conversion read, and whether that is there. (Inside solve/.)
 *
 * Expressions are read once: a rule keeps its references, x["…"], and which of them it needs. What
 * several rules read is one *read*, which is looked for once for each match of a pattern; one whose
 * form no key of the operand has is not looked for at all. */
#ifndef SOLVE_READS_H
#define SOLVE_READS_H

#include "base/vector.h"
#include "solve/conversion.h"

/* A key of an operand by the pattern of its name. */
typedef struct Read {
    uint32_t parameter;
    Text pattern;
    const Variables *variables; /* that are left in the pattern; or NULL */
    enum { READ_NOT_ASKED, READ_POSSIBLE, READ_IMPOSSIBLE } likelihood;
    bool is_fixed;  /* no wildcard is in the pattern */
    uint32_t match; /* that the rest is for, counted from 1; 0: none yet */
    Text key;
    KeyId id;
    bool there;
} Read;

typedef struct Reads {
    Arena *arena;
    const Method *method;
    const ConversionOperands *operands;
    VECTOR(Read) items;
    HashIndex index;
    Match *match;
    uint32_t n_matches;
} Reads;

typedef struct Reference {
    const Ast *ast;            /* x["…"]; NULL: of a renaming */
    uint32_t parameter, model; /* as a source has them */
    uint32_t read;             /* in Reads.items */
} Reference;

/* When a part of an expression has a value: all that it reads is there, or what stands behind `|`.
 * NULL: always. */
typedef struct Need {
    enum { NEED_READ, NEED_BOTH, NEED_EITHER } kind;
    uint32_t read;
    const struct Need *a, *b;
} Need;

typedef struct RuleReads {
    const Reference *references; /* in order of appearance */
    uint32_t n_references;
    const Need *need;
} RuleReads;

void reads_free(Reads *reads); /* what is not in the arena */

/* The parameter x of an x["…"]; else -1. */
int reads_parameter(const Method *method, const Ast *ast);
/* What an expression reads, or a renaming from SOURCE where that is NULL. The variables are kept.
 * MADE: a match goes before them. */
const RuleReads *reads_of_rule(Reads *reads, const Variables *variables, bool made,
                               const Ast *expression, Text source);

/* Whether what is needed may be there, under whatever match. */
bool reads_possible(Reads *reads, const RuleReads *rule);

/* From now on keys are those for a match, which is kept. */
void reads_begin(Reads *reads, Match *match);
/* Whether what is needed is there, and anything that is read at all: a rule does not make something
 * of nothing. */
bool reads_suffice(Reads *reads, const RuleReads *rule);
/* The keys of the references, there or not. */
ConversionSource *reads_sources(Reads *reads, const RuleReads *rule);

#endif
