/* The register machine: runs the code of a pass over one chunk of its domain, tile by tile.
 *
 * A pass is cut into chunks, the unit of work that a thread takes, and chunks into tiles, the
 * length of a register. Both cuts depend on the pass alone. All memory of a thread is one Machine,
 * made before it starts; within a chunk nothing is allocated, and only a write can fail. */
#ifndef EXEC_TILE_H
#define EXEC_TILE_H

#include "exec/content.h"
#include "exec/native.h"
#include "exec/outbox.h"
#include "exec/plan.h"
#include "exec/select.h"

#include <stdatomic.h>

enum {
    TILE_ELEMENTS = 4096,
    CHUNK_TILES = 32, /* of a chunk, at least */
    CHUNK_LIMIT = 512 /* chunks of a pass, as each holds partial reductions */
};

/* How a pass is cut. A unit is an element (FLAT), a row (ROWS), or an outer index or a strip of
 * one (COLUMNS). */
typedef struct Cut {
    uint64_t units;
    uint64_t tile_units;
    uint64_t chunk_units;
    uint64_t n_chunks;
    uint64_t tile_elements; /* at most, in one register */
    uint64_t strip;         /* COLUMNS: elements side by side; 0 where units are whole outers */
} Cut;

/* One task within one pass, as its threads share it. */
typedef struct Frame {
    const Kernels *kernels;
    Compute compute;
    const Plan *plan;
    const Task *task;
    uint32_t number;              /* of the task in the plan */
    struct InputContent *content; /* taken by this sweep (exec/input_content.h), or NULL */
    const Pass *pass;
    Shape domain;
    uint64_t count; /* elements of the domain */
    Cut cut;
    bool check_finite;
    const double *uniforms;    /* by slot */
    const void *uniform_tiles; /* the same in the compute type */
    void *const *buffers;      /* those alive are not NULL */
    void *const *packed;       /* by product: its right factor */
    Accumulator *partials;     /* [chunk][reduction] */
    Selector *selectors;       /* by selection */
    atomic_bool *non_finite;   /* by leaf slot */
} Frame;

/* What one thread holds. */
typedef struct Machine {
    unsigned char *memory; /* of machine_bytes for every pass it meets */
    Outbox outbox;         /* with memory of machine_outbox for each */
    Content *contents;     /* of what it read, by input (exec/input_content.h); NULL: not taken */
    uint64_t bytes_read;
} Machine;

size_t compute_size(Compute compute);
const Shape *task_domain(const Task *task, ShapeId shape);

Cut tile_cut(const Pass *pass, const Shape *domain);
/* Bytes of a Machine's memory that the pass needs. */
size_t machine_bytes(const Pass *pass, const Shape *domain, Compute compute);
/* Bytes of its outbox's. */
size_t machine_outbox(const Pass *pass);

/* Bytes of one register of a tile. */
size_t tile_register_bytes(const Cut *cut, Compute compute);

/* Code of a pass. */
typedef struct TileCode {
    const TileInstr *instrs;
    uint32_t n;
    const Native *native; /* may be NULL */
} TileCode;

/* Runs CODE (of the frame's pass) over a chunk. False where a write failed. */
bool tile_run(Machine *machine, const Frame *frame, TileCode code, uint64_t chunk);

/* Runs CODE over about N elements in pieces that are spread over the domain, for the selections'
 * samples (selector_sample). */
void tile_sample(Machine *machine, const Frame *frame, TileCode code, uint64_t n);

#endif
