#include "exec/input_content.h"
#include "exec/work.h"

#include <string.h>

size_t compute_size(Compute compute) {
    return compute == COMPUTE_F64 ? sizeof(double) : sizeof(float);
}

const Shape *task_domain(const Task *task, ShapeId shape) {
    const PassList *passes = task->passes;
    return shape == SHAPE_ID_KEY && passes->any_shape ? task->shape : &passes->shapes[shape];
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

/* --- Chunks --------------------------------------------------------------------------------- */

/* Units begin .. end, of so many elements each and nothing between them. */
static void run_units(Work *work, TileCode code, uint64_t begin, uint64_t end, uint64_t elements) {
    work->row = begin;
    work->begin = begin * elements;
    work->n_rows = end - begin;
    work->n = (end - begin) * elements;
    code_run(work, code);
}

static void columns_begin(const Work *work, TileCode code, size_t n) {
    for (uint32_t i = 0; i < code.n; i++) {
        if (code.instrs[i].op != TILE_COLUMN_REDUCE)
            continue;
        uint32_t index = code.instrs[i].index;
        Accumulator empty = accumulator_empty(work->frame->pass->reductions[index].kind);
        double *accumulators = work_columns(work, index);
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
        const double *accumulators = work_columns(work, index);
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
        code_run(work, code);
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

/* The content of what is read is taken right behind each tile, from the cache. */
static void run_range(Work *work, TileCode code, uint64_t begin, uint64_t end) {
    const Frame *frame = work->frame;
    uint64_t step = frame->cut.tile_units;
    for (uint64_t unit = begin; unit < end; unit += step) {
        uint64_t next = end - unit < step ? end : unit + step;
        run_tile(work, code, unit, next);
        if (frame->content != NULL)
            input_content_take(frame->content, work->machine->contents, frame->number, unit, next,
                               frame->cut.units);
    }
}

bool tile_run(Machine *machine, const Frame *frame, TileCode code, uint64_t chunk) {
    Work work = work_begin(machine, frame);
    uint64_t begin = chunk * frame->cut.chunk_units, end = begin + frame->cut.chunk_units;
    code_begin(&work, code);
    reductions_begin(&work, chunk);
    selections_begin(&work);
    end = end < frame->cut.units ? end : frame->cut.units;
    if (frame->pass->order != ORDER_COLUMNS)
        work.end = end * unit_elements(frame->pass, &frame->cut);
    run_range(&work, code, begin, end);
    selections_end(&work);
    block_send_all(&work);
    return !machine->outbox.failed;
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
    code_begin(&work, code);
    for (uint64_t i = 0; i < n_pieces; i++)
        run_piece(&work, code, i, n_pieces, units);
    machine->bytes_read = bytes_read;
}
