/* What a thread holds while it runs a chunk, and the tile at hand: the registers of tile.h's
 * machine, its operands, and the blocks that outputs are gathered in. For exec/tile.c and
 * exec/code.c alone. */
#ifndef EXEC_WORK_H
#define EXEC_WORK_H

#include "exec/product.h"
#include "exec/tile.h"

enum { REST_BYTES = NATIVE_WIDTH * sizeof(float) };

/* A map whose operands have been found: they are where they are in every tile. */
typedef struct MapCall {
    MapLoop *loop;
    void *dst;
    const void *src[3];
} MapCall;

/* What a thread holds during a chunk. */
typedef struct Work {
    Machine *machine;
    const Frame *frame;
    const KernelTable *table;
    size_t size;              /* of an element in the compute type */
    unsigned char *registers; /* of elements; the spare ones are last */
    size_t register_bytes;
    unsigned char *rows; /* row-level registers */
    size_t row_bytes;
    double *columns;      /* [reduction][tile_elements] */
    SelectCounts *counts; /* by selection */
    MapCall *calls;       /* by instruction; only maps have one */
    void **places;        /* by access: where its elements of the tile are, for machine code, */
    void **rest_places;   /* and the last few of them, */
    unsigned char *rests; /* which are here */
    Block *blocks;        /* by access; only outputs have one */
    size_t block_size;
    ProductBlock *products;  /* by number */
    Accumulator *reductions; /* of this chunk; NULL in a sample */
    size_t bytes;            /* of memory, all in all */

    /* the tile at hand */
    uint64_t begin, row;         /* its first element and row */
    uint64_t end;                /* up to which tiles follow one another, or less than its end */
    size_t n, n_rows;            /* elements and rows */
    size_t groups, lines, width; /* COLUMNS: it holds [groups, lines, width] */
} Work;

/* Lays it out in the machine's memory. */
Work work_begin(Machine *machine, const Frame *frame);

/* Registers at element level; the spare ones are for uniform operands and what selections keep. */
void *work_register(const Work *work, uint32_t index);
void *work_spare(const Work *work, uint32_t index);
/* The register that the instruction writes, at its level, and how many elements of the tile it has.
 */
void *work_destination(const Work *work, const TileInstr *instr);
size_t work_extent(const Work *work, const TileInstr *instr);
/* A register of operand I, at row level or not; or the one element of its uniform slot. */
const void *work_operand_at(const Work *work, const TileInstr *instr, unsigned i, bool row);
/* Operand I as elements: a uniform one is spread over a spare register. */
const void *work_operand(const Work *work, const TileInstr *instr, unsigned i);
/* Operand 1 of what has two, else NULL. */
const void *work_second_operand(const Work *work, const TileInstr *instr, ReduceKind kind);
/* dst[i] = value, in the compute type */
void work_fill(const Work *work, void *dst, size_t n, double value);
/* COLUMNS: one for each element of a line */
double *work_columns(const Work *work, uint32_t reduction);

/* The tensor that access INDEX of the pass stores to. */
const OutputTensor *work_output(const Work *work, uint32_t index);
/* Room for SIZE bytes of the output of access INDEX, which are at BEGIN in the file. */
unsigned char *block_take(const Work *work, uint32_t index, uint64_t begin, size_t size);
/* Sends what the blocks hold. */
void block_send_all(const Work *work);

/* Finds the operands of maps; before code_run of the same code. */
void code_begin(const Work *work, TileCode code);
/* Runs code over the tile at hand: stretches that are machine code, and what is between them. */
void code_run(Work *work, TileCode code);

static inline uint64_t at_least(uint64_t value, uint64_t least) {
    return value < least ? least : value;
}

static inline uint64_t round_up(uint64_t value, uint64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014). */
static inline uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

#endif
