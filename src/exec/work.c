#include "exec/work.h"

enum {
    ALIGNMENT = 64,
    PADDING = 128,                   /* keeps registers from falling on the same cache lines */
    BLOCK_LEAST = 8 * TILE_ELEMENTS, /* bytes */
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
        uint64_t capacity = product_block_elements(cut->tile_elements);
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
    lay_out_products(&work, pass, cut, memory);
    return work;
}

size_t machine_bytes(const Pass *pass, const Shape *domain, Compute compute) {
    Cut cut = tile_cut(pass, domain);
    return work_lay_out(pass, &cut, compute, NULL).bytes;
}

size_t machine_outbox(const Pass *pass) {
    uint32_t n = count_outputs(pass);
    return n == 0 ? 0 : at_least(OUTBOX_BYTES, n * BLOCK_LEAST);
}

/* The room that there is, in equal parts: a quarter of all is as much as most chunks make. */
static void lay_out_blocks(Work *work, Outbox *outbox) {
    const Frame *frame = work->frame;
    uint32_t n = count_outputs(frame->pass);
    if (n == 0)
        return;
    size_t size;
    unsigned char *room = outbox_room(outbox, at_least(OUTBOX_BYTES / 4, n * BLOCK_LEAST), &size);
    work->block_size = size / n / ALIGNMENT * ALIGNMENT;
    for (uint32_t i = 0; i < frame->pass->n_accesses; i++) {
        const Access *access = &frame->pass->accesses[i];
        if (access->kind != PLACE_OUTPUT)
            continue;
        const TaskOutput *output = &frame->task->outputs[access->index];
        const Output *file = &frame->plan->outputs[output->output];
        work->blocks[i] = (Block){file, &file->tensors[output->tensor], 0, 0, room};
        room += work->block_size;
    }
}

Work work_begin(Machine *machine, const Frame *frame) {
    const Pass *pass = frame->pass;
    Work work = work_lay_out(pass, &frame->cut, frame->compute, machine->memory);
    work.machine = machine;
    work.frame = frame;
    work.table = frame->kernels->table[frame->compute];
    for (uint32_t i = 0; i < pass->n_accesses; i++)
        work.blocks[i] = (Block){0};
    lay_out_blocks(&work, &machine->outbox);
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

const OutputTensor *work_output(const Work *work, uint32_t index) {
    return work->blocks[index].tensor;
}

unsigned char *block_take(const Work *work, uint32_t index, uint64_t begin, size_t size) {
    Block *block = &work->blocks[index];
    if (begin != block->begin + block->size || size > work->block_size - block->size) {
        if (block->size > 0)
            outbox_write(&work->machine->outbox, block);
        block->begin = begin;
        block->size = 0;
    }
    unsigned char *room = block->bytes + block->size;
    block->size += size;
    return room;
}

void block_send_all(const Work *work) {
    for (uint32_t i = 0; i < work->frame->pass->n_accesses; i++)
        if (work->blocks[i].size > 0)
            outbox_send(&work->machine->outbox, &work->blocks[i]);
}
