#include "exec/job.h"

#include "exec/input_content.h"
#include "exec/product.h"
#include "exec/view.h"
#include "exec/whole_call.h"

#include <assert.h>
#include <math.h>
#include <string.h>

enum {
    DROP_LEAST = 1 << 16,     /* bytes of a leaf that are worth giving back */
    COPY_CHUNK = 1 << 20,     /* bytes; a multiple of every element */
    SELECT_MEMORY = 4 << 20,  /* bytes that the selections of a pass keep, */
    SELECT_SMALL = SELECT_ALL /* but room for so many elements each */
};

/* --- Memory --------------------------------------------------------------------------------- */

static uint64_t buffer_bytes(const Task *task, uint32_t buffer) {
    const BufferInfo *info = &task->passes->buffers[buffer];
    uint64_t count = shape_count(task_domain(task, info->shape));
    return info->mask ? mask_words(count) * sizeof(uint32_t)
                      : count * compute_size(task->passes->compute);
}

/* Elements that each selection of a pass over COUNT elements can keep. */
static uint64_t selection_capacity(const Pass *pass, uint64_t count, Compute compute) {
    uint64_t capacity = SELECT_MEMORY / pass->n_selections / compute_size(compute);
    capacity = capacity < SELECT_SMALL ? SELECT_SMALL : capacity;
    return capacity < count ? capacity : count;
}

static uint64_t packed_bytes(const Pass *pass) {
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < pass->n_products; i++)
        bytes += product_packed_most(pass->products[i].columns, pass->products[i].inner);
    return bytes;
}

static uint64_t pass_memory(const Task *task, const Pass *pass) {
    uint64_t bytes = pass->kind == PASS_WHOLE ? pass->whole.scratch : packed_bytes(pass);
    if (pass->n_selections == 0)
        return bytes;
    uint64_t count = shape_count(task_domain(task, pass->domain));
    uint64_t capacity = selection_capacity(pass, count, task->passes->compute);
    return bytes + pass->n_selections * (capacity * compute_size(task->passes->compute) +
                                         SELECT_BINS * sizeof(uint64_t));
}

uint64_t task_memory(const Task *task) {
    const PassList *passes = task->passes;
    uint64_t most = 0;
    for (uint32_t i = 0; i < passes->n_passes; i++) {
        uint64_t bytes = pass_memory(task, &passes->passes[i]);
        for (uint32_t j = 0; j < passes->n_buffers; j++)
            if (passes->buffers[j].first_pass <= i && i <= passes->buffers[j].last_pass)
                bytes += buffer_bytes(task, j);
        most = bytes > most ? bytes : most;
    }
    return most;
}

void job_init(Job *job, const Plan *plan, const EvaluateOptions *options, NativeCache *natives) {
    memset(job, 0, sizeof *job);
    job->frame.kernels = options->kernels;
    job->frame.plan = plan;
    job->frame.check_finite = options->check_finite;
    job->content = options->content;
    job->natives = natives;
    job->native_least = options->native_least;
}

static void free_packed(Job *job) {
    for (size_t i = 0; i < job->packed.count; i++)
        free(job->packed.items[i]);
    job->packed.count = 0;
}

static void free_buffers(Job *job) {
    for (size_t i = 0; i < job->buffers.count; i++)
        free(job->buffers.items[i]);
    job->buffers.count = 0;
    free_packed(job);
}

void job_free(Job *job) {
    free_buffers(job);
    vector_free(&job->uniforms);
    vector_free(&job->uniform_tiles);
    vector_free(&job->buffers);
    vector_free(&job->packed);
    vector_free(&job->buffer_shapes);
    vector_free(&job->partials);
    vector_free(&job->selectors);
    vector_free(&job->kept);
    vector_free(&job->bins);
    vector_free(&job->non_finite);
}

/* N items, whatever they held. */
#define vector_resize(vector, n)                                                                   \
    do {                                                                                           \
        (vector)->count = 0;                                                                       \
        vector_reserve((vector), (n));                                                             \
        (vector)->count = (n);                                                                     \
    } while (0)

void job_begin(Job *job, uint32_t number) {
    free_buffers(job);
    const Task *task = &job->frame.plan->tasks[number];
    const PassList *passes = task->passes;
    job->number = number;
    job->frame.task = task;
    job->frame.number = number;
    job->frame.compute = passes->compute;
    job->open = false;
    job->pass = 0;
    job->content_due = job->content != NULL;
    vector_resize(&job->uniforms, passes->n_uniforms);
    vector_resize(&job->uniform_tiles, passes->n_uniforms * sizeof(double));
    vector_resize(&job->buffers, passes->n_buffers);
    vector_resize(&job->buffer_shapes, passes->n_buffers);
    vector_resize(&job->non_finite, passes->n_leaves);
    for (uint32_t i = 0; i < passes->n_uniforms; i++)
        job->uniforms.items[i] = i < passes->n_constants ? passes->constants[i] : NAN;
    for (uint32_t i = 0; i < passes->n_buffers; i++) {
        job->buffers.items[i] = NULL;
        job->buffer_shapes.items[i] = task_domain(task, passes->buffers[i].shape);
    }
    for (uint32_t i = 0; i < passes->n_leaves; i++)
        atomic_init(&job->non_finite.items[i], false);
    job->frame.uniforms = job->uniforms.items;
    job->frame.uniform_tiles = job->uniform_tiles.items;
    job->frame.buffers = job->buffers.items;
    job->frame.non_finite = job->non_finite.items;
}

/* --- Uniform code --------------------------------------------------------------------------- */

static double uniform_leaf(Job *job, uint32_t slot) {
    const Tensor *leaf = job->frame.task->leaves[slot];
    double value;
    LoadLoop *load = job->frame.kernels->table[COMPUTE_F64]->load[leaf->dtype];
    if (!load(&value, leaf->data, 1) && job->frame.check_finite)
        atomic_store_explicit(&job->non_finite.items[slot], true, memory_order_relaxed);
    return value;
}

static double run_uniform(Job *job, const UniformInstr *instr) {
    const double *uniforms = job->uniforms.items;
    if (instr->op == UNIFORM_LEAF)
        return uniform_leaf(job, instr->src[0]);
    double operands[3] = {0}, value;
    if (instr->op == UNIFORM_QUANTISE) {
        job->frame.kernels->table[COMPUTE_F64]->quantise[instr->src[1]](
            &value, &uniforms[instr->src[0]], 1);
        return value;
    }
    for (unsigned i = 0; i < op_info[instr->op].arity; i++)
        operands[i] = uniforms[instr->src[i]];
    return uniform_op((OpCode)instr->op, operands[0], operands[1], operands[2]);
}

static void run_code(Job *job, const UniformInstr *code, uint32_t n) {
    for (uint32_t i = 0; i < n; i++)
        job->uniforms.items[code[i].dst] = run_uniform(job, &code[i]);
}

static void run_uniforms(Job *job, const Pass *pass) {
    const double *uniforms = job->uniforms.items;
    run_code(job, pass->uniforms, pass->n_uniforms);
    size_t n = job->uniforms.count, size = compute_size(job->frame.compute);
    for (size_t i = 0; i < n; i++) {
        float rounded = (float)uniforms[i];
        memcpy(job->uniform_tiles.items + i * size,
               size == sizeof(float) ? (void *)&rounded : (void *)&uniforms[i], size);
    }
}

/* --- Opening a pass ------------------------------------------------------------------------- */

static uint64_t copy_size(const Task *task, const Pass *pass) {
    return pass->copy_bytes == UINT64_MAX ? task->leaves[pass->copy_leaf]->bytes - pass->copy_from
                                          : pass->copy_bytes;
}

uint64_t pass_chunks(const Task *task, const Pass *pass) {
    if (pass->kind == PASS_WHOLE)
        return 1;
    if (pass->kind == PASS_COPY)
        return (copy_size(task, pass) + COPY_CHUNK - 1) / COPY_CHUNK;
    return tile_cut(pass, task_domain(task, pass->domain)).n_chunks;
}

static bool open_buffers(Job *job) {
    const PassList *passes = job->frame.task->passes;
    for (uint32_t i = 0; i < passes->n_buffers; i++) {
        if (passes->buffers[i].first_pass != job->pass)
            continue;
        uint64_t bytes = buffer_bytes(job->frame.task, i);
        job->buffers.items[i] = memory_try(bytes);
        if (job->buffers.items[i] == NULL)
            return false;
    }
    return true;
}

static void close_buffers(Job *job) {
    free_packed(job);
    const PassList *passes = job->frame.task->passes;
    for (uint32_t i = 0; i < passes->n_buffers; i++)
        if (passes->buffers[i].last_pass == job->pass) {
            free(job->buffers.items[i]);
            job->buffers.items[i] = NULL;
        }
}

/* With machine code where that is worth while, and the registers are as long as always. */
static TileCode tile_code(const Job *job, const TileInstr *instrs, uint32_t n) {
    const Frame *frame = &job->frame;
    TileCode code = {instrs, n, NULL};
    if (frame->kernels->native && frame->compute == COMPUTE_F32 &&
        frame->cut.tile_elements == TILE_ELEMENTS && frame->count >= job->native_least)
        code.native = native_cache_find(job->natives, frame->pass, instrs, n,
                                        tile_register_bytes(&frame->cut, frame->compute));
    return code;
}

/* How many elements selection I is shown. */
static uint64_t selection_count(const Frame *frame, uint32_t i) {
    const Pass *pass = frame->pass;
    for (uint32_t j = 0; j < pass->n_code; j++)
        if (pass->code[j].op == TILE_SELECT && pass->code[j].index == i && pass->code[j].row)
            return frame->cut.units;
    return frame->count;
}

static void sample_selections(Job *job, Machine *machine) {
    const Pass *pass = job->frame.pass;
    uint64_t wanted = 0;
    for (uint32_t i = 0; i < pass->n_selections; i++) {
        uint64_t n = selector_wants(&job->selectors.items[i]);
        wanted = n > wanted ? n : wanted;
    }
    if (wanted == 0)
        return;
    tile_sample(machine, &job->frame, tile_code(job, pass->again, pass->n_again), wanted);
    for (uint32_t i = 0; i < pass->n_selections; i++)
        if (job->selectors.items[i].state == SELECT_SAMPLE)
            selector_bracket(&job->selectors.items[i]);
}

static void open_selections(Job *job, Machine *machine) {
    const Pass *pass = job->frame.pass;
    if (pass->n_selections == 0)
        return;
    uint64_t capacity = selection_capacity(pass, job->frame.count, job->frame.compute);
    uint64_t bytes = (capacity * compute_size(job->frame.compute) + 63) / 64 * 64;
    vector_resize(&job->selectors, pass->n_selections);
    vector_resize(&job->kept, pass->n_selections * bytes / sizeof(double));
    vector_resize(&job->bins, pass->n_selections * SELECT_BINS);
    job->frame.selectors = job->selectors.items;
    for (uint32_t i = 0; i < pass->n_selections; i++)
        selector_begin(&job->selectors.items[i], job->frame.kernels, job->frame.compute,
                       pass->selections[i].k, selection_count(&job->frame, i),
                       job->kept.items + i * (bytes / sizeof(double)), capacity,
                       job->bins.items + (size_t)i * SELECT_BINS);
    sample_selections(job, machine);
}

static bool pack_factors(Job *job) {
    const Pass *pass = job->frame.pass;
    ProductSource source = {.table = job->frame.kernels->table[job->frame.compute],
                            .buffers = job->buffers.items};
    for (uint32_t i = 0; i < pass->n_products; i++) {
        const Product *product = &pass->products[i];
        uint64_t bytes = source.table->packed_bytes(product->columns, product->inner);
        bytes = (bytes + PRODUCT_ALIGN - 1) / PRODUCT_ALIGN * PRODUCT_ALIGN;
        void *packed = aligned_alloc(PRODUCT_ALIGN, bytes);
        if (packed == NULL)
            return false;
        product_pack(packed, &source, product);
        vector_push(&job->packed, packed);
    }
    job->frame.packed = job->packed.items;
    return true;
}

static bool open_tiles(Job *job, Machine *machine) {
    const Pass *pass = job->frame.pass;
    if (!pack_factors(job))
        return false;
    job->frame.domain = *task_domain(job->frame.task, pass->domain);
    job->frame.count = shape_count(&job->frame.domain);
    job->frame.cut = tile_cut(pass, &job->frame.domain);
    job->code = tile_code(job, pass->code, pass->n_code);
    vector_resize(&job->partials, job->frame.cut.n_chunks * pass->n_reductions);
    job->frame.partials = job->partials.items;
    open_selections(job, machine);
    return true;
}

static bool is_left_out(const Job *job, const Pass *pass) {
    for (uint32_t i = 0; i < pass->n_guards; i++)
        if ((job->uniforms.items[pass->guards[i].uniform] != 0) == pass->guards[i].when)
            return false;
    return pass->n_guards > 0;
}

static bool open_pass(Job *job, Machine *machine) {
    const Pass *pass = &job->frame.task->passes->passes[job->pass];
    job->frame.pass = pass;
    if (!open_buffers(job))
        return false;
    run_uniforms(job, pass);
    job->left_out = is_left_out(job, pass);
    if (pass->kind == PASS_TILES && !job->left_out && !open_tiles(job, machine))
        return false;
    job->n_chunks = job->left_out ? 0 : pass_chunks(job->frame.task, pass);
    job->next_chunk = 0;
    job->chunks_left = job->n_chunks;
    job->frame.content = job->content_due && job->n_chunks > 0 ? job->content : NULL;
    job->content_due &= job->frame.content == NULL;
    job->open = true;
    return true;
}

/* --- Concluding a sweep --------------------------------------------------------------------- */

/* Partial results are added in the order of the chunks, whoever made them. */
static void conclude_reductions(Job *job) {
    const Pass *pass = job->frame.pass;
    for (uint32_t i = 0; i < pass->n_code; i++) {
        if (pass->code[i].op != TILE_REDUCE)
            continue;
        uint32_t index = pass->code[i].index;
        ReduceKind kind = pass->reductions[index].kind;
        Accumulator sum = accumulator_empty(kind);
        for (uint64_t chunk = 0; chunk < job->n_chunks; chunk++)
            accumulator_add(kind, &sum, &job->partials.items[chunk * pass->n_reductions + index]);
        job->uniforms.items[pass->reductions[index].uniform] = accumulator_result(kind, &sum);
    }
}

/* Whether all selections are decided. */
static bool conclude_selections(Job *job) {
    const Pass *pass = job->frame.pass;
    bool decided = true;
    for (uint32_t i = 0; i < pass->n_selections; i++) {
        Selector *selector = &job->selectors.items[i];
        selector_conclude(selector);
        decided &= selector->state == SELECT_DECIDED;
        job->uniforms.items[pass->selections[i].uniform] = selector->result;
    }
    return decided;
}

/* Opens the same pass again, for what its selections still need. */
static void open_again(Job *job) {
    job->code = tile_code(job, job->frame.pass->again, job->frame.pass->n_again);
    job->next_chunk = 0;
    job->chunks_left = job->n_chunks;
    job->frame.content = NULL;
}

/* Whether the pass at hand is complete. */
static bool conclude(Job *job) {
    const Pass *pass = job->frame.pass;
    if (pass->kind == PASS_TILES && !job->left_out) {
        if (job->code.instrs == pass->code)
            conclude_reductions(job);
        if (!conclude_selections(job)) {
            open_again(job);
            return false;
        }
    }
    close_buffers(job);
    job->open = false;
    job->pass++;
    return true;
}

/* Gives back the leaves' pages: left to the end, one thread would do that for all of the files. */
static void drop_leaves(const Job *job) {
    const Task *task = job->frame.task;
    for (uint32_t i = 0; i < task->passes->n_leaves; i++)
        if (task->leaves[i] != NULL && task->leaves[i]->bytes >= DROP_LEAST)
            model_done_with(task->leaves[i], 0, task->leaves[i]->bytes);
}

JobStep job_next(Job *job, Machine *machine) {
    if (job->open && !conclude(job))
        return JOB_SWEEP;
    const PassList *passes = job->frame.task->passes;
    if (job->pass == passes->n_passes) {
        run_code(job, passes->ending, passes->n_ending);
        if (job->content_due)
            input_content_take(job->content, machine->contents, job->number, 0, 1, 1);
        drop_leaves(job);
        return JOB_COMPLETE;
    }
    if (open_pass(job, machine))
        return JOB_SWEEP;
    job->failure = TEXT("not enough memory for its buffers");
    return JOB_FAILED;
}

/* --- Chunks --------------------------------------------------------------------------------- */

/* Where a copy goes, without a place in it. */
static Block copy_block(const Job *job) {
    const TaskOutput *output = &job->frame.task->outputs[job->frame.pass->copy_output];
    const Output *file = &job->frame.plan->outputs[output->output];
    return (Block){.output = file, .tensor = &file->tensors[output->tensor]};
}

bool job_is_held_up(const Job *job) {
    if (job->frame.pass->kind != PASS_COPY)
        return false;
    Block block = copy_block(job);
    return output_is_busy(block.output->files, block.tensor);
}

static EvaluateStatus run_copy(Job *job, Machine *machine, uint64_t chunk) {
    const Task *task = job->frame.task;
    const Pass *pass = job->frame.pass;
    const Tensor *leaf = task->leaves[pass->copy_leaf];
    uint64_t begin = chunk * COPY_CHUNK, left = copy_size(task, pass) - begin;
    size_t size = left < COPY_CHUNK ? left : COPY_CHUNK;
    const unsigned char *data = leaf->data + pass->copy_from + begin;
    bool (*finite)(const void *, size_t) = job->frame.kernels->finite[leaf->dtype];
    if (job->frame.check_finite && finite != NULL &&
        !finite(data, size / element_size(leaf->dtype)))
        atomic_store_explicit(&job->non_finite.items[pass->copy_leaf], true, memory_order_relaxed);
    Block block = copy_block(job);
    block.begin = block.tensor->offset + pass->copy_to + begin;
    block.size = size;
    block.bytes = (unsigned char *)(uintptr_t)data;
    outbox_write(&machine->outbox, &block);
    machine->bytes_read += size;
    return machine->outbox.failed ? EVALUATE_WRITE_FAILED : EVALUATE_DONE;
}

static EvaluateStatus run_whole(Job *job) {
    WholeBuffers buffers = {.infos = job->frame.task->passes->buffers,
                            .data = job->buffers.items,
                            .shapes = job->buffer_shapes.items,
                            .kernels = job->frame.kernels,
                            .compute = job->frame.compute};
    job->failure = whole_call(&job->frame.pass->whole, &buffers);
    return job->failure.size > 0 ? EVALUATE_FAILED : EVALUATE_DONE;
}

EvaluateStatus job_run(Job *job, Machine *machine, uint64_t chunk) {
    if (job->frame.content != NULL && job->frame.pass->kind != PASS_TILES)
        input_content_take(job->content, machine->contents, job->number, chunk, chunk + 1,
                           job->n_chunks);
    if (job->frame.pass->kind == PASS_COPY)
        return run_copy(job, machine, chunk);
    if (job->frame.pass->kind == PASS_WHOLE)
        return run_whole(job);
    return tile_run(machine, &job->frame, job->code, chunk) ? EVALUATE_DONE : EVALUATE_WRITE_FAILED;
}
