/* Program in, program out; and at the end passes.
 *
 * A rewrite copies what the roots reach through the constructors of program.h, changing what it
 * knows, in one forward loop. The table in rewrite.c holds their order. */
#ifndef OPT_REWRITE_H
#define OPT_REWRITE_H

#include "program/pass.h"

/* The longest row that a pass in ORDER_ROWS keeps in a register; longer ones are cut
 * (opt/rows.c). */
enum { ROW_LIMIT = 32768 };

/* An output: a value, and the dtype it is stored as. After all outputs come the checks, values of
 * one element without a dtype (PassList.checks). */
typedef struct RootSpec {
    ValueId value;
    DType dtype;
} RootSpec;

typedef struct OptimiseOptions {
    Compute compute;
    /* Bytes of buffers that one key may hold only to save time. What needs a buffer in any case
     * takes no notice of it. The results are the same bits whatever it is. */
    uint64_t hold_bytes;
    /* Elements of the largest key that the passes will serve, if they serve any shape. */
    uint64_t key_elements;
} OptimiseOptions;

/* All rewrites, and the fusion. PROGRAM stays as it is; the result is in the arena. */
PassList *optimise(Arena *arena, const Program *program, const RootSpec *roots, uint32_t n_roots,
                   const OptimiseOptions *options);

/* A rewrite at work. */
typedef struct Rewriting {
    const Program *from;
    Program *to;
    ValueId *values; /* of `from`, as they are in `to`; VALUE_NONE: not reached yet */
    Compute compute;
    bool *reached; /* of `from`, by the roots; a rewrite may take back what it needs no more */
    const RootSpec *roots;
    uint32_t n_roots;
    uint64_t work; /* done so far, where a rewrite has to keep within bounds */
    void *state;   /* what else a rewrite remembers: NULL at first, in the scratch arena */
    Arena scratch;
} Rewriting;

typedef struct Rewrite {
    const char *name;
    /* Bits by ValueKind, and by OpCode of MAPs: without one of these it has nothing to do. */
    uint32_t kinds;
    uint64_t ops;
    /* The value of `to` that stands for ID of `from`; those of its operands are there. */
    ValueId (*value)(Rewriting *rewriting, ValueId id);
    const char *what;
} Rewrite;

enum { REWRITE_COUNT = 6 };
extern const Rewrite rewrites[REWRITE_COUNT];

/* What stands for the i-th operand of a value of `from`. */
ValueId rewritten(const Rewriting *rewriting, const Value *value, uint32_t i);
/* The same value of the rewritten operands: what a rewrite does with what it does not know. */
ValueId rewrite_copy(Rewriting *rewriting, ValueId id);

/* Whether the roots need a value, by its id; malloc'ed. */
bool *mark_reached(const Program *program, const RootSpec *roots, uint32_t n_roots);
/* One rewrite of everything that the roots reach; ROOTS become those of the result. */
Program *rewrite_apply(Arena *arena, const Program *program, const Rewrite *rewrite,
                       RootSpec *roots, uint32_t n_roots, Compute compute);

ValueId rewrite_concat(Rewriting *rewriting, ValueId id);
ValueId rewrite_simplify(Rewriting *rewriting, ValueId id);
ValueId rewrite_affine(Rewriting *rewriting, ValueId id);
ValueId rewrite_rows(Rewriting *rewriting, ValueId id);
ValueId rewrite_sink(Rewriting *rewriting, ValueId id);
ValueId rewrite_combine(Rewriting *rewriting, ValueId id);

#endif
