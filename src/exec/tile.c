#include "exec/tile.h"

#include "exec/product.h"
#include "exec/view.h"

#include <assert.h>
#include <string.h>

enum {
    ALIGNMENT = 64,
    PADDING = 128,          /* keeps registers from falling on the same cache lines */
    BLOCK_BUDGET = 1 << 20, /* bytes of all output blocks of a thread */
    BLOCK_LEAST = 8 * TILE_ELEMENTS,
    REST_BYTES = NATIVE_WIDTH * sizeof(float),
    SPARE_REGISTERS = 2, /* for uniform operands, and what selections keep */
};

size_t compute_size(Compute compute) {
    return compute == COMPUTE_F64 ? sizeof(double) : sizeof(float);
}

const Shape *task_domain(const Task *task, ShapeId shape) {
    const PassList *passes = task->passes;
    return shape == SHAPE_ID_KEY && passes->any_shape ? task->shape : &passes->shapes[shape];
}

static uint64_t at_least(uint64_t value, uint64_t least) {
    return value < least ? least : value;
}

static uint64_t round_up(uint64_t value, uint64_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

/* Rows of a ROWS pass; where they are empty, their number is in the other dimensions. */
static uint64_t count_rows(const Pass *pass, const Shape *domain) {
    if (pass->row_length > 0)
        return shape_count(domain) / pass->row_length;
    uint64_t rows = 1;
    for (uint32_t i = 0; i + 1 < domain->rank; i++)
        rows *= domain->dims[i];
    return rows;
}

/* Units of so many elements each: as many to a tile as fit a register. */
static Cut cut_units(uint64_t units, uint64_t elements) {
    Cut cut = {.units = units};
    cut.tile_units = at_least(TILE_ELEMENTS / at_least(elements, 1), 1);
    cut.tile_elements = at_least(cut.tile_units * elements, TILE_ELEMENTS);
    return cut;
}

/* Units that are swept over in several tiles: strips, or whole lines where they are short. */
static Cut cut_strips(const Pass *pass) {
    uint64_t strip = pass->inner < TILE_ELEMENTS ? at_least(pass->inner, 1) : TILE_ELEMENTS;
    uint64_t strips = (pass->inner + strip - 1) / strip;
    return (Cut){.units = pass->outer * strips,
                 .tile_units = 1,
                 .tile_elements = TILE_ELEMENTS,
                 .strip = strip};
}

static uint64_t unit_elements(const Pass *pass, const Cut *cut) {
    if (pass->order == ORDER_FLAT)
        return 1;
    if (pass->order == ORDER_ROWS)
        return pass->row_length;
    return pass->extent * (cut->strip > 0 ? cut->strip : pass->inner);
}

Cut tile_cut(const Pass *pass, const Shape *domain) {
    Cut cut;
    if (pass->order == ORDER_FLAT)
        cut = cut_units(shape_count(domain), 1);
    else if (pass->order == ORDER_ROWS)
        cut = cut_units(count_rows(pass, domain), pass->row_length);
    else if (pass->extent > 0 && pass->inner > 0 && pass->inner <= TILE_ELEMENTS / pass->extent)
        cut = cut_units(pass->outer, pass->extent * pass->inner);
    else
        cut = cut_strips(pass);
    uint64_t elements = at_least(cut.tile_units * unit_elements(pass, &cut), 1);
    uint64_t tiles = at_least(CHUNK_TILES * TILE_ELEMENTS / elements, 1);
    uint64_t wanted = (cut.units + CHUNK_LIMIT - 1) / CHUNK_LIMIT;
    cut.chunk_units = at_least(tiles * cut.tile_units, round_up(wanted, cut.tile_units));
    cut.n_chunks = (cut.units + cut.chunk_units - 1) / cut.chunk_units;
    return cut;
}

/* --- A thread's memory ---------------------------------------------------------------------- */

/* Bytes of an output that lie side by side and are written together. */
typedef struct Block {
    unsigned char *bytes;
    uint64_t begin; /* in the file */
    size_t used;
} Block;

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
    unsigned char *block_bytes;
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

static uint32_t count_outputs(const Pass *pass) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < pass->n_accesses; i++)
        n += pass->accesses[i].kind == PLACE_OUTPUT;
    return n;
}

static unsigned char *place(Work *work, unsigned char *memory, size_t bytes) {
    unsigned char *at = memory == NULL ? NULL : memory + work->bytes;
    work->bytes += round_up(bytes, ALIGNMENT);
    return at;
}

static void lay_out_products(Work *work, const Pass *pass, unsigned char *memory) {
    work->products =
        (ProductBlock *)(void *)place(work, memory, pass->n_products * sizeof(ProductBlock));
    for (uint32_t i = 0; i < pass->n_products; i++) {
        unsigned char *elements =
            place(work, memory, product_block_elements(&pass->products[i]) * work->size);
        if (memory != NULL)
            work->products[i] = (ProductBlock){.elements = elements};
    }
}

size_t tile_register_bytes(const Cut *cut, Compute compute) {
    return round_up(cut->tile_elements * compute_size(compute), ALIGNMENT) + PADDING;
}

/* Where everything is in MEMORY; NULL: only how much it is. */
static Work work_lay_out(const Pass *pass, const Cut *cut, Compute compute, unsigned char *memory) {
    Work work = {.size = compute_size(compute)};
    work.register_bytes = tile_register_bytes(cut, compute);
    work.row_bytes = round_up(cut->tile_units * work.size, ALIGNMENT);
    work.registers =
        place(&work, memory, (pass->n_registers + SPARE_REGISTERS) * work.register_bytes);
    work.rows = place(&work, memory, pass->n_row_registers * work.row_bytes);
    if (pass->order == ORDER_COLUMNS)
        work.columns = (double *)(void *)place(
            &work, memory, pass->n_reductions * cut->tile_elements * sizeof(double));
    work.counts =
        (SelectCounts *)(void *)place(&work, memory, pass->n_selections * sizeof(SelectCounts));
    work.calls =
        (MapCall *)(void *)place(&work, memory, (pass->n_code + pass->n_again) * sizeof(MapCall));
    work.places = (void **)(void *)place(&work, memory, pass->n_accesses * sizeof(void *));
    work.rest_places = (void **)(void *)place(&work, memory, pass->n_accesses * sizeof(void *));
    work.rests = place(&work, memory, pass->n_accesses * REST_BYTES);
    work.blocks = (Block *)(void *)place(&work, memory, pass->n_accesses * sizeof(Block));
    uint32_t n = count_outputs(pass);
    if (n > 0) {
        work.block_size = at_least(BLOCK_BUDGET / n / ALIGNMENT * ALIGNMENT, BLOCK_LEAST);
        work.block_bytes = place(&work, memory, n * work.block_size);
    }
    lay_out_products(&work, pass, memory);
    return work;
}

size_t machine_bytes(const Pass *pass, const Shape *domain, Compute compute) {
    Cut cut = tile_cut(pass, domain);
    return work_lay_out(pass, &cut, compute, NULL).bytes;
}

static Work work_begin(Machine *machine, const Frame *frame) {
    const Pass *pass = frame->pass;
    Work work = work_lay_out(pass, &frame->cut, frame->compute, machine->memory);
    work.machine = machine;
    work.frame = frame;
    work.table = frame->kernels->table[frame->compute];
    unsigned char *bytes = work.block_bytes;
    for (uint32_t i = 0; i < pass->n_accesses; i++) {
        work.blocks[i] = (Block){0};
        if (pass->accesses[i].kind == PLACE_OUTPUT) {
            work.blocks[i].bytes = bytes;
            bytes += work.block_size;
        }
    }
    return work;
}

/* --- Operands ------------------------------------------------------------------------------- */

static void *element_register(const Work *work, uint32_t index) {
    return work->registers + index * work->register_bytes;
}

static void *spare_register(const Work *work, uint32_t index) {
    return element_register(work, work->frame->pass->n_registers + index);
}

static void *destination(const Work *work, const TileInstr *instr) {
    return instr->row ? work->rows + instr->dst * work->row_bytes
                      : element_register(work, instr->dst);
}

static size_t extent_of(const Work *work, const TileInstr *instr) {
    return instr->row ? work->n_rows : work->n;
}

static bool is_uniform(const TileInstr *instr, unsigned i) {
    return (instr->uniform >> i & 1) != 0;
}

/* A register of operand I, at row level or not; or the one element of its uniform slot. */
static const void *operand_at(const Work *work, const TileInstr *instr, unsigned i, bool row) {
    uint32_t index = instr->src[i];
    if (is_uniform(instr, i))
        return (const unsigned char *)work->frame->uniform_tiles + index * work->size;
    return row ? work->rows + index * work->row_bytes : element_register(work, index);
}

static void fill(const Work *work, void *dst, size_t n, double value) {
    if (work->frame->compute == COMPUTE_F64)
        for (size_t i = 0; i < n; i++)
            ((double *)dst)[i] = value;
    else
        for (size_t i = 0; i < n; i++)
            ((float *)dst)[i] = (float)value;
}

/* Operand I as N elements: a uniform one is spread over a spare register. */
static const void *operand(const Work *work, const TileInstr *instr, unsigned i) {
    if (!is_uniform(instr, i))
        return operand_at(work, instr, i, instr->row);
    void *spread = spare_register(work, i);
    fill(work, spread, extent_of(work, instr), work->frame->uniforms[instr->src[i]]);
    return spread;
}

static const void *second_operand(const Work *work, const TileInstr *instr, ReduceKind kind) {
    return kind == REDUCE_DOT ? operand(work, instr, 1) : NULL;
}

/* --- Loads and stores ----------------------------------------------------------------------- */

static void load_product(Work *work, const Access *access, void *dst) {
    const Frame *frame = work->frame;
    ProductSource source = {work->table, frame->buffers, work->size};
    product_load(&work->products[access->index], &source, &frame->pass->products[access->index],
                 access->offset + work->begin, work->n, access->offset + work->end, dst);
}

static void run_load(Work *work, const TileInstr *instr) {
    const Frame *frame = work->frame;
    const Access *access = &frame->pass->accesses[instr->index];
    if (access->kind == PLACE_PRODUCT) {
        load_product(work, access, destination(work, instr));
        return;
    }
    bool leaf = access->kind == PLACE_LEAF;
    const void *data =
        leaf ? frame->task->leaves[access->index]->data : frame->buffers[access->index];
    size_t n = extent_of(work, instr);
    bool finite = view_load(work->table, work->size, access, data,
                            instr->row ? work->row : work->begin, n, destination(work, instr));
    if (!leaf)
        return;
    if (!finite && frame->check_finite)
        atomic_store_explicit(&frame->non_finite[access->index], true, memory_order_relaxed);
    work->machine->bytes_read += n * element_size(access->dtype);
}

static void block_flush(const Work *work, uint32_t index) {
    Block *block = &work->blocks[index];
    const Frame *frame = work->frame;
    if (block->used == 0)
        return;
    const TaskOutput *output = &frame->task->outputs[frame->pass->accesses[index].index];
    const Output *file = &frame->plan->outputs[output->output];
    if (!output_write(file->files, &file->tensors[output->tensor], block->begin, block->bytes, block->used))
        work->machine->write_failed = true;
    work->machine->bytes_written += block->used;
    block->used = 0;
}

/* Room for SIZE bytes of the output, which are at BEGIN in the file. */
static unsigned char *block_take(const Work *work, uint32_t index, uint64_t begin, size_t size) {
    Block *block = &work->blocks[index];
    if (begin != block->begin + block->used || size > work->block_size - block->used) {
        block_flush(work, index);
        block->begin = begin;
    }
    unsigned char *room = block->bytes + block->used;
    block->used += size;
    return room;
}

static void store_run(const Work *work, uint32_t index, uint64_t first, const void *src, size_t n) {
    const Frame *frame = work->frame;
    const Access *access = &frame->pass->accesses[index];
    const TaskOutput *output = &frame->task->outputs[access->index];
    const OutputTensor *tensor = &frame->plan->outputs[output->output].tensors[output->tensor];
    size_t size = element_size(access->dtype), most = work->block_size / size;
    while (n > 0) {
        size_t part = n < most ? n : most;
        void *room = block_take(work, index, tensor->offset + first * size, part * size);
        work->table->store[access->dtype](room, src, part);
        src = (const unsigned char *)src + part * work->size;
        first += part;
        n -= part;
    }
}

/* Elements that do not lie side by side in the file are blocks of their own. */
static void store_output(const Work *work, uint32_t index, uint64_t begin, const void *src,
                         size_t n) {
    Walk walk = walk_start(&work->frame->pass->accesses[index], begin);
    const unsigned char *from = src;
    while (n > 0) {
        Run run = walk_next(&walk, n);
        size_t part = run.stride == 1 ? run.n : 1;
        for (size_t i = 0; i < run.n; i += part)
            store_run(work, index, run.first + i * (uint64_t)run.stride, from + i * work->size,
                      part);
        from += run.n * work->size;
        n -= run.n;
    }
}

static void run_store(const Work *work, const TileInstr *instr) {
    const Access *access = &work->frame->pass->accesses[instr->index];
    const void *src = operand(work, instr, 0);
    uint64_t begin = instr->row ? work->row : work->begin;
    size_t n = extent_of(work, instr);
    if (access->kind == PLACE_OUTPUT)
        store_output(work, instr->index, begin, src, n);
    else
        view_store(access, work->frame->buffers[access->index], begin, n, src);
}

/* --- Coordinates and draws ------------------------------------------------------------------ */

/* Element i of the domain is at i / inner % extent along the axis: runs of one number, or, along
 * the last axis, runs that count. */
static void run_coordinate(const Work *work, const TileInstr *instr) {
    const Shape *domain = &work->frame->domain;
    uint64_t inner = 1, extent = domain->dims[instr->detail];
    for (uint32_t i = instr->detail + 1u; i < domain->rank; i++)
        inner *= domain->dims[i];
    unsigned char *dst = element_register(work, instr->dst);
    for (size_t i = 0; i < work->n;) {
        uint64_t element = work->begin + i, at = element / inner % extent;
        uint64_t run = inner == 1 ? extent - at : inner - element % inner;
        run = run < work->n - i ? run : work->n - i;
        if (inner == 1)
            work->table->iota(dst + i * work->size, (double)at, run);
        else
            fill(work, dst + i * work->size, run, (double)at);
        i += run;
    }
}

/* The finaliser of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators,
 * 2014). */
static uint64_t mix(uint64_t x) {
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* The streams of a key are keys of their own. */
static void run_random(const Work *work, const TileInstr *instr) {
    const RandomStream *random = &work->frame->pass->randoms[instr->index];
    uint64_t key = work->frame->task->key ^ mix(random->stream);
    work->table->uniform(element_register(work, instr->dst), random->seed, key, work->begin,
                         work->n);
}

/* --- Machine code --------------------------------------------------------------------------- */

/* Where the tile's elements are in what instruction INSTR loads or stores. */
static void *find_place(const Work *work, const TileInstr *instr) {
    const Frame *frame = work->frame;
    const Access *access = &frame->pass->accesses[instr->index];
    uint64_t first = access->offset + work->begin;
    size_t size = element_size(access->dtype);
    if (access->kind == PLACE_LEAF) {
        work->machine->bytes_read += work->n * size;
        return (unsigned char *)(uintptr_t)frame->task->leaves[access->index]->data + first * size;
    }
    if (access->kind == PLACE_BUFFER)
        return (unsigned char *)frame->buffers[access->index] + first * size;
    const TaskOutput *output = &frame->task->outputs[access->index];
    const OutputTensor *tensor = &frame->plan->outputs[output->output].tensors[output->tensor];
    return block_take(work, instr->index, tensor->offset + first * size, work->n * size);
}

/* The last elements, fewer than the loop takes at once, go through memory where all of it may be
 * read and written. */
static bool run_rest(const Work *work, const TileInstr *code, const NativeStretch *stretch,
                     size_t done) {
    const Access *accesses = work->frame->pass->accesses;
    for (uint32_t i = stretch->begin; i < stretch->end; i++) {
        if (code[i].op != TILE_LOAD && code[i].op != TILE_STORE)
            continue;
        uint32_t index = code[i].index;
        size_t size = element_size(accesses[index].dtype);
        work->rest_places[index] = work->rests + index * REST_BYTES;
        memset(work->rest_places[index], 0, REST_BYTES);
        if (code[i].op == TILE_LOAD)
            memcpy(work->rest_places[index], (unsigned char *)work->places[index] + done * size,
                   (work->n - done) * size);
    }
    bool finite = stretch->loop(work->rest_places, work->registers + done * sizeof(float),
                                work->frame->uniform_tiles, NATIVE_WIDTH) == 0;
    for (uint32_t i = stretch->begin; i < stretch->end; i++) {
        if (code[i].op != TILE_STORE)
            continue;
        size_t size = element_size(accesses[code[i].index].dtype);
        memcpy((unsigned char *)work->places[code[i].index] + done * size,
               work->rest_places[code[i].index], (work->n - done) * size);
    }
    return finite;
}

/* Which of the leaves it was. */
static void find_non_finite(const Work *work, const TileInstr *code, const NativeStretch *stretch) {
    const Frame *frame = work->frame;
    for (uint32_t i = stretch->begin; i < stretch->end; i++) {
        const Access *access = &frame->pass->accesses[code[i].index];
        if (code[i].op == TILE_LOAD && access->kind == PLACE_LEAF &&
            !frame->kernels->finite[access->dtype](work->places[code[i].index], work->n))
            atomic_store_explicit(&frame->non_finite[access->index], true, memory_order_relaxed);
    }
}

static void run_stretch(const Work *work, const TileInstr *code, const NativeStretch *stretch) {
    for (uint32_t i = stretch->begin; i < stretch->end; i++)
        if (code[i].op == TILE_LOAD || code[i].op == TILE_STORE)
            work->places[code[i].index] = find_place(work, &code[i]);
    size_t whole = work->n - work->n % NATIVE_WIDTH;
    bool finite = true;
    if (whole > 0)
        finite =
            stretch->loop(work->places, work->registers, work->frame->uniform_tiles, whole) == 0;
    if (whole < work->n)
        finite &= run_rest(work, code, stretch, whole);
    if (!finite && work->frame->check_finite)
        find_non_finite(work, code, stretch);
}

/* --- Maps and reductions -------------------------------------------------------------------- */

static MapCall map_call(const Work *work, const TileInstr *instr) {
    MapCall call = {work->table->map[instr->detail][instr->uniform],
                    destination(work, instr),
                    {NULL, NULL, NULL}};
    for (unsigned i = 0; i < op_info[instr->detail].arity; i++)
        call.src[i] = operand_at(work, instr, i, instr->row);
    return call;
}

static void run_map(const Work *work, const TileInstr *instr, const MapCall *call) {
    call->loop(call->dst, call->src[0], call->src[1], call->src[2], extent_of(work, instr));
}

static void run_quantise(const Work *work, const TileInstr *instr) {
    work->table->quantise[instr->detail](destination(work, instr), operand(work, instr, 0),
                                         extent_of(work, instr));
}

static void run_reduce(const Work *work, const TileInstr *instr) {
    ReduceKind kind = work->frame->pass->reductions[instr->index].kind;
    work->table->reduce[kind](&work->reductions[instr->index], operand(work, instr, 0),
                              second_operand(work, instr, kind), extent_of(work, instr));
}

/* The source is at element level, whatever `row` says of the destination. */
static void run_row_reduce(const Work *work, TileInstr instr) {
    instr.row = false;
    const void *a = operand(work, &instr, 0), *b = second_operand(work, &instr, instr.detail);
    work->table->reduce_rows[instr.detail](work->rows + instr.dst * work->row_bytes, a, b,
                                           work->n_rows, work->frame->pass->row_length);
}

static void run_expand(const Work *work, const TileInstr *instr) {
    const void *src = work->rows + instr->src[0] * work->row_bytes;
    work->table->expand(element_register(work, instr->dst), src, work->n_rows,
                        work->frame->pass->row_length);
}

static double *column_accumulators(const Work *work, uint32_t reduction) {
    return work->columns + reduction * work->frame->cut.tile_elements;
}

static void run_column_reduce(const Work *work, const TileInstr *instr) {
    ReduceKind kind = work->frame->pass->reductions[instr->index].kind;
    const unsigned char *a = operand(work, instr, 0), *b = second_operand(work, instr, kind);
    double *accumulators = column_accumulators(work, instr->index);
    for (size_t i = 0; i < work->groups * work->lines; i++) {
        size_t at = i * work->width * work->size;
        work->table->reduce_columns[kind](accumulators + i / work->lines * work->width, a + at,
                                          b == NULL ? NULL : b + at, work->width);
    }
}

static void run_select(const Work *work, const TileInstr *instr) {
    Selector *selector = &work->frame->selectors[instr->index];
    const void *elements = operand(work, instr, 0);
    if (selector->state == SELECT_SAMPLE)
        selector_sample(selector, elements, extent_of(work, instr));
    else if (selector->state != SELECT_DECIDED)
        selector_take(selector, &work->counts[instr->index], elements, extent_of(work, instr),
                      spare_register(work, 1));
}

static void run_instr(Work *work, const TileInstr *instr, const MapCall *call) {
    switch ((TileOp)instr->op) {
    case TILE_LOAD:
        run_load(work, instr);
        break;
    case TILE_MAP:
        run_map(work, instr, call);
        break;
    case TILE_QUANTISE:
        run_quantise(work, instr);
        break;
    case TILE_COORDINATE:
        run_coordinate(work, instr);
        break;
    case TILE_RANDOM:
        run_random(work, instr);
        break;
    case TILE_STORE:
        run_store(work, instr);
        break;
    case TILE_REDUCE:
        run_reduce(work, instr);
        break;
    case TILE_ROW_REDUCE:
        run_row_reduce(work, *instr);
        break;
    case TILE_EXPAND:
        run_expand(work, instr);
        break;
    case TILE_COLUMN_REDUCE:
        run_column_reduce(work, instr);
        break;
    case TILE_SELECT:
        run_select(work, instr);
        break;
    }
}

/* Stretches that are machine code, and what is between them. */
static void run_code(Work *work, TileCode code) {
    uint32_t i = 0, n_stretches = code.native == NULL ? 0 : code.native->n_stretches;
    for (uint32_t next = 0; i < code.n; next++) {
        const NativeStretch *stretch = next < n_stretches ? &code.native->stretches[next] : NULL;
        for (uint32_t end = stretch == NULL ? code.n : stretch->begin; i < end; i++)
            run_instr(work, &code.instrs[i], &work->calls[i]);
        if (stretch == NULL)
            return;
        run_stretch(work, code.instrs, stretch);
        i = stretch->end;
    }
}

/* --- Chunks --------------------------------------------------------------------------------- */

/* Units begin .. end, of so many elements each and nothing between them. */
static void run_units(Work *work, TileCode code, uint64_t begin, uint64_t end, uint64_t elements) {
    work->row = begin;
    work->begin = begin * elements;
    work->n_rows = end - begin;
    work->n = (end - begin) * elements;
    run_code(work, code);
}

static void columns_begin(const Work *work, TileCode code, size_t n) {
    for (uint32_t i = 0; i < code.n; i++) {
        if (code.instrs[i].op != TILE_COLUMN_REDUCE)
            continue;
        uint32_t index = code.instrs[i].index;
        Accumulator empty = accumulator_empty(work->frame->pass->reductions[index].kind);
        double *accumulators = column_accumulators(work, index);
        for (size_t j = 0; j < n; j++)
            accumulators[j] = empty.lanes[0];
    }
}

/* Rounds N sums to elements FIRST … of their buffers. */
static void columns_end(const Work *work, TileCode code, uint64_t first, size_t n) {
    for (uint32_t i = 0; i < code.n; i++) {
        if (code.instrs[i].op != TILE_COLUMN_REDUCE)
            continue;
        uint32_t index = code.instrs[i].index;
        const double *accumulators = column_accumulators(work, index);
        void *buffer = work->frame->buffers[work->frame->pass->reductions[index].buffer];
        if (work->frame->compute == COMPUTE_F64)
            memcpy((double *)buffer + first, accumulators, n * sizeof(double));
        else
            for (size_t j = 0; j < n; j++)
                ((float *)buffer)[first + j] = (float)accumulators[j];
    }
}

/* Whole outer indices, several of them in a tile. */
static void run_outers(Work *work, TileCode code, uint64_t begin, uint64_t end) {
    const Pass *pass = work->frame->pass;
    work->groups = end - begin;
    work->lines = pass->extent;
    work->width = pass->inner;
    columns_begin(work, code, work->groups * work->width);
    run_units(work, code, begin, end, pass->extent * pass->inner);
    columns_end(work, code, begin * work->width, work->groups * work->width);
}

/* One strip of one outer index, in several tiles: of many lines where a strip is the whole width,
 * else of one. */
static void run_strip(Work *work, TileCode code, uint64_t unit) {
    const Pass *pass = work->frame->pass;
    uint64_t strip = work->frame->cut.strip, strips = (pass->inner + strip - 1) / strip;
    uint64_t outer = unit / strips, column = unit % strips * strip;
    work->groups = 1;
    work->width = pass->inner - column < strip ? pass->inner - column : strip;
    uint64_t most = strips == 1 ? TILE_ELEMENTS / strip : 1;
    columns_begin(work, code, work->width);
    for (uint64_t line = 0; line < pass->extent; line += work->lines) {
        work->lines = pass->extent - line < most ? pass->extent - line : most;
        work->begin = (outer * pass->extent + line) * pass->inner + column;
        work->n = work->lines * work->width;
        run_code(work, code);
    }
    columns_end(work, code, outer * pass->inner + column, work->width);
}

static void run_tile(Work *work, TileCode code, uint64_t begin, uint64_t end) {
    const Pass *pass = work->frame->pass;
    if (pass->order == ORDER_COLUMNS && work->frame->cut.strip > 0)
        run_strip(work, code, begin);
    else if (pass->order == ORDER_COLUMNS)
        run_outers(work, code, begin, end);
    else
        run_units(work, code, begin, end, pass->order == ORDER_ROWS ? pass->row_length : 1);
}

static void calls_begin(const Work *work, TileCode code) {
    for (uint32_t i = 0; i < code.n; i++)
        if (code.instrs[i].op == TILE_MAP)
            work->calls[i] = map_call(work, &code.instrs[i]);
}

static void reductions_begin(Work *work, uint64_t chunk) {
    const Pass *pass = work->frame->pass;
    if (pass->n_reductions == 0)
        return;
    work->reductions = work->frame->partials + chunk * pass->n_reductions;
    for (uint32_t i = 0; i < pass->n_reductions; i++)
        work->reductions[i] = accumulator_empty(pass->reductions[i].kind);
}

static void selections_begin(const Work *work) {
    for (uint32_t i = 0; i < work->frame->pass->n_selections; i++) {
        bool histogram = work->frame->selectors[i].state == SELECT_HISTOGRAM;
        memset(&work->counts[i], 0,
               histogram ? sizeof(SelectCounts) : sizeof work->counts[i].bracket);
    }
}

static void selections_end(const Work *work) {
    for (uint32_t i = 0; i < work->frame->pass->n_selections; i++)
        selector_add(&work->frame->selectors[i], &work->counts[i]);
}

static void run_range(Work *work, TileCode code, uint64_t begin, uint64_t end) {
    const Pass *pass = work->frame->pass;
    uint64_t step = work->frame->cut.tile_units;
    if (pass->order != ORDER_COLUMNS)
        work->end = end * unit_elements(pass, &work->frame->cut);
    for (uint64_t unit = begin; unit < end; unit += step)
        run_tile(work, code, unit, end - unit < step ? end : unit + step);
}

static void flush_all(const Work *work) {
    for (uint32_t i = 0; i < work->frame->pass->n_accesses; i++)
        block_flush(work, i);
}

bool tile_run(Machine *machine, const Frame *frame, TileCode code, uint64_t chunk) {
    Work work = work_begin(machine, frame);
    uint64_t begin = chunk * frame->cut.chunk_units, end = begin + frame->cut.chunk_units;
    calls_begin(&work, code);
    reductions_begin(&work, chunk);
    selections_begin(&work);
    run_range(&work, code, begin, end < frame->cut.units ? end : frame->cut.units);
    selections_end(&work);
    flush_all(&work);
    return !machine->write_failed;
}

/* Piece I of N lies anywhere in the I-th of N equal parts, so that no period of the data meets one
 * of the sample's. */
static void run_piece(Work *work, TileCode code, uint64_t i, uint64_t n, uint64_t units) {
    const Pass *pass = work->frame->pass;
    uint64_t elements = pass->order == ORDER_ROWS ? at_least(pass->row_length, 1) : 1;
    uint64_t piece = at_least(SELECT_PIECE / elements, 1), part = units / n;
    uint64_t begin = i * part + mix(i) % at_least(part - (piece < part ? piece : part), 1);
    run_units(work, code, begin, begin + piece < units ? begin + piece : units, elements);
}

void tile_sample(Machine *machine, const Frame *frame, TileCode code, uint64_t n) {
    Work work = work_begin(machine, frame);
    const Pass *pass = frame->pass;
    bool rows = pass->order == ORDER_ROWS;
    uint64_t units = rows ? frame->cut.units : frame->count;
    uint64_t piece = rows ? at_least(pass->row_length, SELECT_PIECE) : SELECT_PIECE;
    uint64_t n_pieces = at_least(n / piece, 1), bytes_read = machine->bytes_read;
    n_pieces = n_pieces < units ? n_pieces : units;
    calls_begin(&work, code);
    for (uint64_t i = 0; i < n_pieces; i++)
        run_piece(&work, code, i, n_pieces, units);
    machine->bytes_read = bytes_read;
}
