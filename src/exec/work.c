#include "exec/work.h"

enum {
    ALIGNMENT = 64,
    PADDING = 128,          /* keeps registers from falling on the same cache lines */
    BLOCK_BUDGET = 1 << 20, /* bytes of all output blocks of a thread */
    BLOCK_LEAST = 8 * TILE_ELEMENTS,
    SPARE_REGISTERS = 2
};

/* --- Memory --------------------------------------------------------------------------------- */

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

static void lay_out_products(Work *work, const Pass *pass, const Cut *cut, unsigned char *memory) {
    work->products =
        (ProductBlock *)(void *)place(work, memory, pass->n_products * sizeof(ProductBlock));
    for (uint32_t i = 0; i < pass->n_products; i++) {
        uint64_t capacity = product_block_elements(&pass->products[i], cut->tile_elements);
        unsigned char *elements = place(work, memory, capacity * work->size);
        if (memory != NULL)
            work->products[i] = (ProductBlock){.elements = elements, .capacity = capacity};
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
    lay_out_products(&work, pass, cut, memory);
    return work;
}

size_t machine_bytes(const Pass *pass, const Shape *domain, Compute compute) {
    Cut cut = tile_cut(pass, domain);
    return work_lay_out(pass, &cut, compute, NULL).bytes;
}

Work work_begin(Machine *machine, const Frame *frame) {
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

void *work_register(const Work *work, uint32_t index) {
    return work->registers + index * work->register_bytes;
}

void *work_spare(const Work *work, uint32_t index) {
    return work_register(work, work->frame->pass->n_registers + index);
}

void *work_destination(const Work *work, const TileInstr *instr) {
    return instr->row ? work->rows + instr->dst * work->row_bytes : work_register(work, instr->dst);
}

size_t work_extent(const Work *work, const TileInstr *instr) {
    return instr->row ? work->n_rows : work->n;
}

static bool is_uniform(const TileInstr *instr, unsigned i) {
    return (instr->uniform >> i & 1) != 0;
}

const void *work_operand_at(const Work *work, const TileInstr *instr, unsigned i, bool row) {
    uint32_t index = instr->src[i];
    if (is_uniform(instr, i))
        return (const unsigned char *)work->frame->uniform_tiles + index * work->size;
    return row ? work->rows + index * work->row_bytes : work_register(work, index);
}

void work_fill(const Work *work, void *dst, size_t n, double value) {
    if (work->frame->compute == COMPUTE_F64)
        for (size_t i = 0; i < n; i++)
            ((double *)dst)[i] = value;
    else
        for (size_t i = 0; i < n; i++)
            ((float *)dst)[i] = (float)value;
}

const void *work_operand(const Work *work, const TileInstr *instr, unsigned i) {
    if (!is_uniform(instr, i))
        return work_operand_at(work, instr, i, instr->row);
    void *spread = work_spare(work, i);
    work_fill(work, spread, work_extent(work, instr), work->frame->uniforms[instr->src[i]]);
    return spread;
}

const void *work_second_operand(const Work *work, const TileInstr *instr, ReduceKind kind) {
    return kind == REDUCE_DOT ? work_operand(work, instr, 1) : NULL;
}

double *work_columns(const Work *work, uint32_t reduction) {
    return work->columns + reduction * work->frame->cut.tile_elements;
}

/* --- Blocks --------------------------------------------------------------------------------- */

static void block_flush(const Work *work, uint32_t index) {
    Block *block = &work->blocks[index];
    const Frame *frame = work->frame;
    if (block->used == 0)
        return;
    const TaskOutput *output = &frame->task->outputs[frame->pass->accesses[index].index];
    const Output *file = &frame->plan->outputs[output->output];
    if (!output_write(file->files, &file->tensors[output->tensor], block->begin, block->bytes,
                      block->used))
        work->machine->write_failed = true;
    work->machine->bytes_written += block->used;
    block->used = 0;
}

unsigned char *block_take(const Work *work, uint32_t index, uint64_t begin, size_t size) {
    Block *block = &work->blocks[index];
    if (begin != block->begin + block->used || size > work->block_size - block->used) {
        block_flush(work, index);
        block->begin = begin;
    }
    unsigned char *room = block->bytes + block->used;
    block->used += size;
    return room;
}

void block_flush_all(const Work *work) {
    for (uint32_t i = 0; i < work->frame->pass->n_accesses; i++)
        block_flush(work, i);
}
