#include "exec/view.h"
#include "exec/work.h"

#include <string.h>

/* --- Loads and stores ----------------------------------------------------------------------- */

static const void *find_product(const Work *work, const Access *access) {
    const Frame *frame = work->frame;
    ProductSource source = {work->table, frame->buffers, frame->packed[access->index], work->size};
    return product_find(&work->products[access->index], &source,
                        &frame->pass->products[access->index], access->offset + work->begin,
                        work->n, access->offset + work->end);
}

static void run_load(Work *work, const TileInstr *instr) {
    const Frame *frame = work->frame;
    const Access *access = &frame->pass->accesses[instr->index];
    if (access->kind == PLACE_PRODUCT) {
        memcpy(work_destination(work, instr), find_product(work, access), work->n * work->size);
        return;
    }
    bool leaf = access->kind == PLACE_LEAF;
    const void *data =
        leaf ? frame->task->leaves[access->index]->data : frame->buffers[access->index];
    size_t n = work_extent(work, instr);
    bool finite = view_load(work->table, work->size, access, data,
                            instr->row ? work->row : work->begin, n, work_destination(work, instr));
    if (!leaf)
        return;
    if (!finite && frame->check_finite)
        atomic_store_explicit(&frame->non_finite[access->index], true, memory_order_relaxed);
    work->machine->bytes_read += n * element_size(access->dtype);
}

static void store_run(const Work *work, uint32_t index, uint64_t first, const void *src, size_t n) {
    const Frame *frame = work->frame;
    const Access *access = &frame->pass->accesses[index];
    const OutputTensor *tensor = work_output(work, index);
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
    const void *src = work_operand(work, instr, 0);
    uint64_t begin = instr->row ? work->row : work->begin;
    size_t n = work_extent(work, instr);
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
    unsigned char *dst = work_register(work, instr->dst);
    for (size_t i = 0; i < work->n;) {
        uint64_t element = work->begin + i, at = element / inner % extent;
        uint64_t run = inner == 1 ? extent - at : inner - element % inner;
        run = run < work->n - i ? run : work->n - i;
        if (inner == 1)
            work->table->iota(dst + i * work->size, (double)at, run);
        else
            work_fill(work, dst + i * work->size, run, (double)at);
        i += run;
    }
}
/* The streams of a key are keys of their own. */
static void run_random(const Work *work, const TileInstr *instr) {
    const RandomStream *random = &work->frame->pass->randoms[instr->index];
    uint64_t key = work->frame->task->key ^ mix(random->stream);
    work->table->uniform(work_register(work, instr->dst), random->seed, key, work->begin, work->n);
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
    if (access->kind == PLACE_PRODUCT)
        return (void *)(uintptr_t)find_product(work, access);
    uint64_t begin = work_output(work, instr->index)->offset + first * size;
    return block_take(work, instr->index, begin, work->n * size);
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
                    work_destination(work, instr),
                    {NULL, NULL, NULL}};
    for (unsigned i = 0; i < op_info[instr->detail].arity; i++)
        call.src[i] = work_operand_at(work, instr, i, instr->row);
    return call;
}

static void run_map(const Work *work, const TileInstr *instr, const MapCall *call) {
    call->loop(call->dst, call->src[0], call->src[1], call->src[2], work_extent(work, instr));
}

static void run_quantise(const Work *work, const TileInstr *instr) {
    work->table->quantise[instr->detail](work_destination(work, instr),
                                         work_operand(work, instr, 0), work_extent(work, instr));
}

static void run_reduce(const Work *work, const TileInstr *instr) {
    ReduceKind kind = work->frame->pass->reductions[instr->index].kind;
    work->table->reduce[kind](&work->reductions[instr->index], work_operand(work, instr, 0),
                              work_second_operand(work, instr, kind), work_extent(work, instr));
}

/* The source is at element level, whatever `row` says of the destination. */
static void run_row_reduce(const Work *work, TileInstr instr) {
    instr.row = false;
    const void *a = work_operand(work, &instr, 0),
               *b = work_second_operand(work, &instr, instr.detail);
    work->table->reduce_rows[instr.detail](work->rows + instr.dst * work->row_bytes, a, b,
                                           work->n_rows, work->frame->pass->row_length);
}

static void run_expand(const Work *work, const TileInstr *instr) {
    const void *src = work->rows + instr->src[0] * work->row_bytes;
    work->table->expand(work_register(work, instr->dst), src, work->n_rows,
                        work->frame->pass->row_length);
}

static void run_column_reduce(const Work *work, const TileInstr *instr) {
    ReduceKind kind = work->frame->pass->reductions[instr->index].kind;
    const unsigned char *a = work_operand(work, instr, 0),
                        *b = work_second_operand(work, instr, kind);
    double *accumulators = work_columns(work, instr->index);
    for (size_t i = 0; i < work->groups * work->lines; i++) {
        size_t at = i * work->width * work->size;
        work->table->reduce_columns[kind](accumulators + i / work->lines * work->width, a + at,
                                          b == NULL ? NULL : b + at, work->width);
    }
}

static void run_select(const Work *work, const TileInstr *instr) {
    Selector *selector = &work->frame->selectors[instr->index];
    const void *elements = work_operand(work, instr, 0);
    if (selector->state == SELECT_SAMPLE)
        selector_sample(selector, elements, work_extent(work, instr));
    else if (selector->state != SELECT_DECIDED)
        selector_take(selector, &work->counts[instr->index], elements, work_extent(work, instr),
                      work_spare(work, 1));
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

void code_begin(const Work *work, TileCode code) {
    for (uint32_t i = 0; i < code.n; i++)
        if (code.instrs[i].op == TILE_MAP)
            work->calls[i] = map_call(work, &code.instrs[i]);
}

void code_run(Work *work, TileCode code) {
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
