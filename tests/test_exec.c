/* The evaluator, run on pass lists made by hand; what comes out is compared with plain loops. */
#include "tests.h"

#include "exec/evaluate.h"
#include "exec/tile.h"
#include "run.h"
#include "whole/matrix.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

enum { MOST = 8, CHUNK = CHUNK_TILES * TILE_ELEMENTS };

/* A pass list under construction, with the tensors of one task. */
typedef struct Case {
    Arena arena;
    Pass passes[MOST];
    Shape shapes[MOST];
    RootInfo roots[MOST];
    BufferInfo buffers[MOST];
    double constants[MOST];
    PassList list;
    Tensor leaves[MOST];
    const Tensor *bound[MOST];
} Case;

#define SHAPE(...)                                                                                 \
    ((Shape){.rank = sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t), .dims = {__VA_ARGS__}})
#define LOAD(r, access)                                                                            \
    { .op = TILE_LOAD, .dst = (r), .index = (access) }
#define STORE(r, access)                                                                           \
    { .op = TILE_STORE, .src = {(r)}, .index = (access) }
#define STORE_UNIFORM(u, access)                                                                   \
    { .op = TILE_STORE, .src = {(u)}, .uniform = 1, .index = (access) }
#define MAP(operation, r, ...)                                                                     \
    {                                                                                              \
        .op = TILE_MAP, .detail = OP_##operation, .dst = (r), .src = { __VA_ARGS__ }               \
    }
/* The second operand is a uniform slot. */
#define MAP_UNIFORM(operation, r, a, u)                                                            \
    {                                                                                              \
        .op = TILE_MAP, .detail = OP_##operation, .uniform = 2, .dst = (r), .src = {(a), (u) }     \
    }
#define REDUCE(reduction, ...)                                                                     \
    {                                                                                              \
        .op = TILE_REDUCE, .index = (reduction), .src = { __VA_ARGS__ }                            \
    }
#define SELECT(selection, r)                                                                       \
    {                                                                                              \
        .op = TILE_SELECT, .index = (selection), .src = {(r) }                                     \
    }
#define CODE(...)                                                                                  \
    .code = (const TileInstr[]){__VA_ARGS__},                                                      \
    .n_code = sizeof((const TileInstr[]){__VA_ARGS__}) / sizeof(TileInstr)
#define AGAIN(...)                                                                                 \
    .again = (const TileInstr[]){__VA_ARGS__},                                                     \
    .n_again = sizeof((const TileInstr[]){__VA_ARGS__}) / sizeof(TileInstr)
#define ACCESSES(...)                                                                              \
    .accesses = (const Access[]){__VA_ARGS__},                                                     \
    .n_accesses = sizeof((const Access[]){__VA_ARGS__}) / sizeof(Access)
#define REDUCTIONS(...)                                                                            \
    .reductions = (const Reduction[]){__VA_ARGS__},                                                \
    .n_reductions = sizeof((const Reduction[]){__VA_ARGS__}) / sizeof(Reduction)
#define SELECTIONS(...)                                                                            \
    .selections = (const Selection[]){__VA_ARGS__},                                                \
    .n_selections = sizeof((const Selection[]){__VA_ARGS__}) / sizeof(Selection)
#define UNIFORMS(...)                                                                              \
    .uniforms = (const UniformInstr[]){__VA_ARGS__},                                               \
    .n_uniforms = sizeof((const UniformInstr[]){__VA_ARGS__}) / sizeof(UniformInstr)
#define LEAF(slot, type)                                                                           \
    { .kind = PLACE_LEAF, .index = (slot), .dtype = (type), .contiguous = true }
#define BUFFER(slot, type)                                                                         \
    { .kind = PLACE_BUFFER, .index = (slot), .dtype = (type), .contiguous = true }
#define OUTPUT(root, type)                                                                         \
    { .kind = PLACE_OUTPUT, .index = (root), .dtype = (type), .contiguous = true }

static void case_begin(Case *c, Compute compute, Shape key) {
    memset(c, 0, sizeof *c);
    c->shapes[SHAPE_ID_KEY] = key;
    c->list = (PassList){.passes = c->passes,
                         .shapes = c->shapes,
                         .n_shapes = MOST,
                         .roots = c->roots,
                         .buffers = c->buffers,
                         .constants = c->constants,
                         .compute = compute};
    for (size_t i = 0; i < MOST; i++)
        c->bound[i] = &c->leaves[i];
}

#define KEEP(array, n) pass.array = arena_copy(&c->arena, pass.array, (n) * sizeof *pass.array)

/* The arrays may be compound literals: they are copied. */
static void add_pass(Case *c, Pass pass) {
    KEEP(uniforms, pass.n_uniforms);
    KEEP(code, pass.n_code);
    KEEP(again, pass.n_again);
    KEEP(accesses, pass.n_accesses);
    KEEP(reductions, pass.n_reductions);
    KEEP(selections, pass.n_selections);
    KEEP(randoms, pass.n_randoms);
    c->passes[c->list.n_passes++] = pass;
}

static void add_root(Case *c, ShapeId shape, DType dtype) {
    c->roots[c->list.n_roots++] = (RootInfo){.shape = shape, .dtype = dtype};
}

static void add_buffer(Case *c, ShapeId shape, uint32_t first, uint32_t last) {
    c->buffers[c->list.n_buffers++] =
        (BufferInfo){.shape = shape, .first_pass = first, .last_pass = last};
}

static double next_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 40) * 0x1p-24;
}

static size_t size_of(DType dtype) {
    return dtype_info[dtype].bits / 8;
}

/* A leaf of the case with the given numbers, which the dtype must hold; in shared memory, which
 * keeps its contents when pages are given back, as files do. */
static void add_leaf(Case *c, DType dtype, Shape shape, const double *values) {
    Tensor *leaf = &c->leaves[c->list.n_leaves++];
    *leaf = (Tensor){.name = TEXT("leaf"), .dtype = dtype, .shape = shape};
    leaf->count = shape_count(&shape);
    leaf->bytes = leaf->count * size_of(dtype);
    unsigned char *data =
        mmap(NULL, leaf->bytes + 1, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(data, MAP_FAILED);
    kernels_best()->table[COMPUTE_F64]->store[dtype](data, values, leaf->count);
    leaf->data = data;
}

static void case_end(Case *c) {
    for (uint32_t i = 0; i < c->list.n_leaves; i++)
        munmap((void *)c->leaves[i].data, c->leaves[i].bytes + 1);
    arena_free(&c->arena);
}

/* N numbers from -100 to 100 in steps of 1: sums of them, and of their products, are exact. */
static double *integers(size_t n, uint64_t seed) {
    double *values = malloc((n + 1) * sizeof *values);
    for (size_t i = 0; i < n; i++)
        values[i] = floor(next_random(&seed) * 201) - 100;
    return values;
}

/* --- Running -------------------------------------------------------------------------------- */

/* A plan that does the same task several times, each into tensors of its own. */
typedef struct Ran {
    EvaluateResult result;
    unsigned char *bytes; /* of all outputs, one behind the other */
    size_t size;
} Ran;

static EvaluateOptions options_of(unsigned threads) {
    return (EvaluateOptions){
        .kernels = kernels_best(), .threads = threads, .memory = UINT64_MAX, .check_finite = true};
}

static OutputTensor *make_outputs(const Case *c, uint32_t n_tasks) {
    OutputTensor *tensors = calloc(n_tasks * c->list.n_roots + 1, sizeof *tensors);
    char *names = calloc(n_tasks * c->list.n_roots + 1, 16);
    for (uint32_t i = 0; i < n_tasks * c->list.n_roots; i++) {
        const RootInfo *root = &c->roots[i % c->list.n_roots];
        snprintf(names + 16 * i, 16, "t%u", i);
        tensors[i] = (OutputTensor){.name = text_from(names + 16 * i),
                                    .dtype = root->dtype,
                                    .shape = c->shapes[root->shape]};
    }
    return tensors;
}

static rlim_t file_limit = RLIM_INFINITY; /* once the output is open */

static void limit_files(void) {
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = file_limit < limit.rlim_max ? file_limit : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static Ran run_tasks(const Case *c, const EvaluateOptions *options, uint32_t n_tasks) {
    char *folder = scratch_open(), *path = path_in(folder, "out.safetensors");
    uint32_t n = n_tasks * c->list.n_roots;
    OutputTensor *tensors = make_outputs(c, n_tasks);
    TaskOutput *outputs = calloc(n + 1, sizeof *outputs);
    Task *tasks = calloc(n_tasks, sizeof *tasks);
    for (uint32_t i = 0; i < n; i++)
        outputs[i] = (TaskOutput){0, i};
    for (uint32_t i = 0; i < n_tasks; i++)
        tasks[i] = (Task){.passes = &c->list,
                          .shape = &c->shapes[SHAPE_ID_KEY],
                          .leaves = c->bound,
                          .outputs = outputs + i * c->list.n_roots,
                          .key = 1000 + i};
    Diags *diags = diags_new();
    OutputFilesOptions writing = {.file = {.no_sync = true}};
    Output output = {.tensors = tensors, .n_tensors = n};
    output.files = output_open(text_from(path), tensors, n, &writing, diags, SPAN_NONE);
    ck_assert_ptr_nonnull(output.files);
    limit_files();
    Plan plan = {tasks, n_tasks, &output, 1};
    Ran ran = {.result = evaluate(&plan, options)};
    if (ran.result.status == EVALUATE_DONE) {
        ck_assert(output_finish(output.files, diags, SPAN_NONE));
        size_t size;
        char *file = read_file(path, &size);
        size_t begin = n > 0 ? tensors[0].offset : size;
        ran.size = size - begin;
        ran.bytes = malloc(ran.size + 1);
        memcpy(ran.bytes, file + begin, ran.size);
        free(file);
    } else
        output_abandon(output.files);
    diags_free(diags);
    free((void *)tensors[0].name.data);
    free(tensors);
    free(outputs);
    free(tasks);
    free(path);
    scratch_close(folder);
    return ran;
}

static void ran_free(Ran *ran) {
    free(ran->bytes);
    free(ran->result.hits);
}

/* The bytes of the case's outputs, after making sure that no number of threads changes them. */
static Ran run_case(const Case *c) {
    EvaluateOptions options = options_of(1);
    Ran first = run_tasks(c, &options, 1);
    ck_assert_int_eq(first.result.status, EVALUATE_DONE);
    for (unsigned threads = 2; threads <= 7; threads += 5) {
        options.threads = threads;
        Ran other = run_tasks(c, &options, 1);
        ck_assert_int_eq(other.result.status, EVALUATE_DONE);
        ck_assert_uint_eq(other.size, first.size);
        ck_assert_mem_eq(other.bytes, first.bytes, first.size);
        ck_assert_uint_eq(other.result.n_hits, first.result.n_hits);
        ran_free(&other);
    }
    return first;
}

/* Element I of an output that is all f32 or f64. */
static double result_at(const Ran *ran, DType dtype, size_t i) {
    double value;
    kernels_best()->table[COMPUTE_F64]->load[dtype](&value, ran->bytes + i * size_of(dtype), 1);
    return value;
}

/* Check's own assertions tell their place each time they pass, which takes too long for elements.
 */
static void expect_at(const Ran *ran, DType dtype, size_t i, double expected) {
    double value = result_at(ran, dtype, i);
    if (value != expected && !(isnan(value) && isnan(expected)))
        ck_abort_msg("element %zu is %.17g, not %.17g", i, value, expected);
}

static void expect(const Ran *ran, DType dtype, const double *expected, size_t n) {
    ck_assert_uint_eq(ran->size, n * size_of(dtype));
    for (size_t i = 0; i < n; i++)
        expect_at(ran, dtype, i, expected[i]);
}

/* --- Flat passes ---------------------------------------------------------------------------- */

static const size_t odd_sizes[] = {0,
                                   1,
                                   15,
                                   17,
                                   TILE_ELEMENTS - 1,
                                   TILE_ELEMENTS,
                                   TILE_ELEMENTS + 1,
                                   CHUNK - 1,
                                   CHUNK,
                                   CHUNK + 1,
                                   3 * CHUNK + TILE_ELEMENTS + 5};
enum { N_SIZES = sizeof odd_sizes / sizeof *odd_sizes };

START_TEST(maps_stream_any_number_of_elements) {
    Compute compute = _i / N_SIZES == 0 ? COMPUTE_F32 : COMPUTE_F64;
    size_t n = odd_sizes[_i % N_SIZES];
    Case c;
    case_begin(&c, compute, SHAPE(n));
    double *a = integers(n, 1), *b = integers(n, 2);
    add_leaf(&c, DTYPE_F16, SHAPE(n), a);
    add_leaf(&c, DTYPE_F32, SHAPE(n), b);
    c.constants[0] = 3;
    c.list.n_constants = c.list.n_uniforms = 1;
    c.list.any_shape = true;
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 2,
                        ACCESSES(LEAF(0, DTYPE_F16), LEAF(1, DTYPE_F32), OUTPUT(0, DTYPE_F32)),
                        CODE(LOAD(0, 0), LOAD(1, 1), MAP_UNIFORM(MUL, 1, 1, 0), MAP(ADD, 0, 0, 1),
                             STORE(0, 2))});
    Ran ran = run_case(&c);
    for (size_t i = 0; i < n; i++)
        a[i] += 3 * b[i];
    expect(&ran, DTYPE_F32, a, n);
    ck_assert_uint_eq(ran.result.bytes_read, 6 * n);
    ck_assert_uint_eq(ran.result.bytes_written, 4 * n);
    ran_free(&ran);
    case_end(&c);
    free(a), free(b);
}
END_TEST

START_TEST(outputs_are_rounded_once) {
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(3));
    double values[3] = {1.25, 2.5, -7};
    add_leaf(&c, DTYPE_F32, SHAPE(3), values);
    add_root(&c, SHAPE_ID_KEY, DTYPE_I8);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 1,
                        ACCESSES(LEAF(0, DTYPE_F32), OUTPUT(0, DTYPE_I8)),
                        CODE(LOAD(0, 0), STORE(0, 1))});
    Ran ran = run_case(&c);
    double expected[3] = {1, 2, -7};
    expect(&ran, DTYPE_I8, expected, 3);
    ran_free(&ran);
    case_end(&c);
}
END_TEST

START_TEST(quantise_rounds_to_a_dtype_and_back) {
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(3));
    double values[3] = {1 + 0x1p-12, 1 + 0x1p-9, -0x1p-30};
    add_leaf(&c, DTYPE_F32, SHAPE(3), values);
    c.list.n_constants = 1, c.list.n_uniforms = 2;
    c.constants[0] = 1 + 0x1p-12;
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 2,
                        UNIFORMS({UNIFORM_QUANTISE, 1, {0, DTYPE_F16}}),
                        ACCESSES(LEAF(0, DTYPE_F32), OUTPUT(0, DTYPE_F32), OUTPUT(1, DTYPE_F32)),
                        CODE(LOAD(0, 0),
                             {.op = TILE_QUANTISE, .detail = DTYPE_F16, .dst = 1, .src = {0}},
                             STORE(1, 1), STORE_UNIFORM(1, 2))});
    Ran ran = run_case(&c);
    expect_at(&ran, DTYPE_F32, 0, 1);
    expect_at(&ran, DTYPE_F32, 1, 1 + 0x1p-9);
    expect_at(&ran, DTYPE_F32, 2, 0);
    ran_free(&ran);
    case_end(&c);
}
END_TEST

START_TEST(uniform_stores_fill) {
    size_t n = TILE_ELEMENTS + 3;
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    double leaf = 5;
    add_leaf(&c, DTYPE_BF16, SHAPE(1), &leaf);
    c.constants[0] = 2;
    c.list.n_constants = 1, c.list.n_uniforms = 3;
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        UNIFORMS({UNIFORM_LEAF, 1, {0}}, {OP_SUB, 2, {0, 1}}),
                        ACCESSES(OUTPUT(0, DTYPE_F32)),
                        CODE(STORE_UNIFORM(2, 0))});
    Ran ran = run_case(&c);
    for (size_t i = 0; i < n; i++)
        expect_at(&ran, DTYPE_F32, i, -3);
    ran_free(&ran);
    case_end(&c);
}
END_TEST

START_TEST(coordinates_follow_their_axis) {
    Shape shape = SHAPE(7, 5, 1, 300);
    size_t n = shape_count(&shape);
    Case c;
    case_begin(&c, COMPUTE_F32, shape);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_pass(&c,
             (Pass){.domain = SHAPE_ID_KEY,
                    .n_registers = 1,
                    ACCESSES(OUTPUT(0, DTYPE_F32)),
                    CODE({.op = TILE_COORDINATE, .detail = (uint8_t)_i, .dst = 0}, STORE(0, 0))});
    Ran ran = run_case(&c);
    size_t inner = 1;
    for (uint32_t i = (uint32_t)_i + 1; i < shape.rank; i++)
        inner *= shape.dims[i];
    for (size_t i = 0; i < n; i++)
        expect_at(&ran, DTYPE_F32, i, (double)(i / inner % shape.dims[_i]));
    ran_free(&ran);
    case_end(&c);
}
END_TEST

static double *draws(Compute compute, uint64_t seed, uint32_t stream, size_t n, uint32_t n_tasks) {
    Case c;
    case_begin(&c, compute, SHAPE(n));
    add_root(&c, SHAPE_ID_KEY, DTYPE_F64);
    RandomStream random = {seed, stream};
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 1,
                        .randoms = &random,
                        .n_randoms = 1,
                        ACCESSES(OUTPUT(0, DTYPE_F64)),
                        CODE({.op = TILE_RANDOM, .dst = 0}, STORE(0, 0))});
    EvaluateOptions options = options_of(2);
    Ran ran = run_tasks(&c, &options, n_tasks);
    free(ran.result.hits);
    case_end(&c);
    return (double *)(void *)ran.bytes;
}

static size_t count_equal(const double *a, const double *b, size_t n) {
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += a[i] == b[i];
    return count;
}

START_TEST(draws_depend_on_seed_stream_key_and_element) {
    size_t n = 5000;
    double *base = draws(COMPUTE_F64, 1, 0, n, 2), *seed = draws(COMPUTE_F64, 2, 0, n, 1);
    double *stream = draws(COMPUTE_F64, 1, 1, n, 1), *again = draws(COMPUTE_F64, 1, 0, n, 1);
    double *single = draws(COMPUTE_F32, 1, 0, n, 1), sum = 0;
    bool within = true, similar = true;
    for (size_t i = 0; i < n; i++) {
        within &= base[i] >= 0 && base[i] < 1;
        similar &= fabs(base[i] - single[i]) < 0x1p-23;
        sum += base[i];
    }
    ck_assert(within && similar);
    ck_assert_double_eq_tol(sum / (double)n, 0.5, 0.02);
    ck_assert_uint_eq(count_equal(base, again, n), n);
    ck_assert_uint_eq(count_equal(base, base + n, n), 0);
    ck_assert_uint_eq(count_equal(base, base + 1, n - 1), 0);
    ck_assert_uint_eq(count_equal(base, seed, n), 0);
    ck_assert_uint_eq(count_equal(base, stream, n), 0);
    free(base), free(seed), free(stream), free(again), free(single);
}
END_TEST

/* --- Reductions ----------------------------------------------------------------------------- */

static double reduce_plain(ReduceKind kind, const double *a, const double *b, size_t n,
                           size_t step) {
    double sum = kind == REDUCE_MIN ? INFINITY : kind == REDUCE_MAX ? -INFINITY : 0;
    for (size_t i = 0; i < n; i++) {
        double x = a[i * step];
        switch (kind) {
        case REDUCE_MIN:
            sum = fmin(sum, x);
            break;
        case REDUCE_MAX:
            sum = fmax(sum, x);
            break;
        case REDUCE_ANY:
            sum = sum != 0 || x != 0;
            break;
        default:
            sum += kind == REDUCE_DOT ? x * b[i * step] : x;
        }
    }
    return sum;
}

START_TEST(reductions_become_uniforms_of_later_passes) {
    size_t n = odd_sizes[_i];
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    double *a = integers(n, 3), *b = integers(n, 4), expected[MOST];
    add_leaf(&c, DTYPE_BF16, SHAPE(n), a);
    add_leaf(&c, DTYPE_F32, SHAPE(n), b);
    c.list.n_uniforms = REDUCE_KIND_COUNT + 1;
    c.constants[0] = 2, c.list.n_constants = 1;
    for (int i = 0; i <= REDUCE_KIND_COUNT; i++)
        add_root(&c, SHAPE_ID_SCALAR, DTYPE_F64);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 2,
                        ACCESSES(LEAF(0, DTYPE_BF16), LEAF(1, DTYPE_F32)),
                        REDUCTIONS({REDUCE_SUM, 1, 0}, {REDUCE_MIN, 2, 0}, {REDUCE_MAX, 3, 0},
                                   {REDUCE_ANY, 4, 0}, {REDUCE_DOT, 5, 0}),
                        CODE(LOAD(0, 0), LOAD(1, 1), REDUCE(0, 0), REDUCE(1, 0), REDUCE(2, 0),
                             REDUCE(3, 0), REDUCE(4, 0, 1))});
    add_pass(&c, (Pass){.domain = SHAPE_ID_SCALAR,
                        UNIFORMS({OP_MUL, 0, {0, 5}}),
                        ACCESSES(OUTPUT(0, DTYPE_F64), OUTPUT(1, DTYPE_F64), OUTPUT(2, DTYPE_F64),
                                 OUTPUT(3, DTYPE_F64), OUTPUT(4, DTYPE_F64), OUTPUT(5, DTYPE_F64)),
                        CODE(STORE_UNIFORM(0, 0), STORE_UNIFORM(1, 1), STORE_UNIFORM(2, 2),
                             STORE_UNIFORM(3, 3), STORE_UNIFORM(4, 4), STORE_UNIFORM(5, 5))});
    Ran ran = run_case(&c);
    for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++)
        expected[kind + 1] = (float)reduce_plain((ReduceKind)kind, a, b, n, 1);
    expected[0] = (float)(2 * reduce_plain(REDUCE_DOT, a, b, n, 1));
    expect(&ran, DTYPE_F64, expected, REDUCE_KIND_COUNT + 1);
    ran_free(&ran);
    case_end(&c);
    free(a), free(b);
}
END_TEST

START_TEST(sums_do_not_depend_on_threads) {
    size_t n = 5 * CHUNK + 77;
    Case c;
    case_begin(&c, COMPUTE_F64, SHAPE(n));
    double *a = malloc(n * sizeof *a);
    uint64_t seed = 9;
    for (size_t i = 0; i < n; i++)
        a[i] = exp(40 * next_random(&seed) - 20);
    add_leaf(&c, DTYPE_F64, SHAPE(n), a);
    c.list.n_uniforms = 1;
    add_root(&c, SHAPE_ID_SCALAR, DTYPE_F64);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 1,
                        ACCESSES(LEAF(0, DTYPE_F64)),
                        REDUCTIONS({REDUCE_SUM, 0, 0}),
                        CODE(LOAD(0, 0), REDUCE(0, 0))});
    add_pass(&c, (Pass){.domain = SHAPE_ID_SCALAR,
                        ACCESSES(OUTPUT(0, DTYPE_F64)),
                        CODE(STORE_UNIFORM(0, 0))});
    Ran ran = run_case(&c);
    double plain = reduce_plain(REDUCE_SUM, a, NULL, n, 1);
    ck_assert_double_eq_tol(result_at(&ran, DTYPE_F64, 0) / plain, 1, 1e-12);
    ran_free(&ran);
    case_end(&c);
    free(a);
}
END_TEST

/* --- Rows ----------------------------------------------------------------------------------- */

typedef struct Size2 {
    size_t rows, length;
} Size2;
static const Size2 row_sizes[] = {
    {0, 7},     {5, 0},    {1, 1}, {3000, 1}, {700, 5}, {3, TILE_ELEMENTS}, {3, TILE_ELEMENTS + 1},
    {40, 5000}, {9000, 33}};
enum { N_ROW_SIZES = sizeof row_sizes / sizeof *row_sizes };

/* y = x - 2 * (reduction over x's row); and the doubled reductions by themselves. */
START_TEST(rows_reduce_and_expand) {
    size_t rows = row_sizes[_i].rows, length = row_sizes[_i].length, n = rows * length;
    double *a = integers(n, 5), *b = integers(n, 6), *expected = malloc((n + rows + 1) * 8);
    for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++) {
        Case c;
        case_begin(&c, COMPUTE_F32, SHAPE(rows, length));
        c.shapes[2] = SHAPE(rows, 1);
        add_leaf(&c, DTYPE_F32, SHAPE(rows, length), a);
        add_leaf(&c, DTYPE_F32, SHAPE(rows, length), b);
        c.constants[0] = 2;
        c.list.n_constants = c.list.n_uniforms = 1;
        add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
        add_root(&c, 2, DTYPE_F32);
        TileInstr twice = MAP_UNIFORM(MUL, 0, 0, 0), store = STORE(0, 3);
        twice.row = store.row = true;
        add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                            .order = ORDER_ROWS,
                            .row_length = length,
                            .n_registers = 3,
                            .n_row_registers = 1,
                            ACCESSES(LEAF(0, DTYPE_F32), LEAF(1, DTYPE_F32), OUTPUT(0, DTYPE_F32),
                                     OUTPUT(1, DTYPE_F32)),
                            CODE(LOAD(0, 0), LOAD(1, 1),
                                 {.op = TILE_ROW_REDUCE, .detail = (uint8_t)kind, .src = {0, 1}},
                                 twice, store, {.op = TILE_EXPAND, .dst = 2, .src = {0}},
                                 MAP(SUB, 0, 0, 2), STORE(0, 2))});
        Ran ran = run_case(&c);
        for (size_t r = 0; r < rows; r++) {
            size_t at = r * length;
            double sum = 2 * reduce_plain((ReduceKind)kind, a + at, b + at, length, 1);
            expected[n + r] = sum;
            for (size_t i = 0; i < length; i++)
                expected[at + i] = a[at + i] - sum;
        }
        /* the second output begins at a multiple of 8 bytes */
        for (size_t i = 0; i < n; i++)
            expect_at(&ran, DTYPE_F32, i, expected[i]);
        size_t second = ran.size / 4 - rows;
        for (size_t r = 0; r < rows; r++)
            expect_at(&ran, DTYPE_F32, second + r, expected[n + r]);
        ran_free(&ran);
        case_end(&c);
    }
    free(a), free(b), free(expected);
}
END_TEST

/* --- Columns -------------------------------------------------------------------------------- */

typedef struct Size3 {
    size_t outer, extent, inner;
} Size3;
static const Size3 column_sizes[] = {{0, 3, 4},     {3, 0, 4},     {2, 0, 5000},  {3, 4, 0},
                                     {1, 1, 1},     {5, 7, 3},     {3000, 6, 10}, {2, 3000, 7},
                                     {1, 9000, 33}, {2, 20, 5001}, {1, 3, 60000}};
enum { N_COLUMN_SIZES = sizeof column_sizes / sizeof *column_sizes };

START_TEST(columns_reduce_into_buffers) {
    Size3 size = column_sizes[_i];
    size_t n = size.outer * size.extent * size.inner, n_sums = size.outer * size.inner;
    double *a = integers(n, 7), *b = integers(n, 8), *expected = malloc((n_sums + 1) * 8);
    for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++) {
        Case c;
        case_begin(&c, COMPUTE_F32, SHAPE(size.outer, size.extent, size.inner));
        c.shapes[2] = SHAPE(size.outer, 1, size.inner);
        add_leaf(&c, DTYPE_BF16, c.shapes[1], a);
        add_leaf(&c, DTYPE_BF16, c.shapes[1], b);
        add_root(&c, 2, DTYPE_F64);
        add_buffer(&c, 2, 0, 1);
        Reduction reduction = {(ReduceKind)kind, 0, 0};
        add_pass(&c,
                 (Pass){.domain = SHAPE_ID_KEY,
                        .order = ORDER_COLUMNS,
                        .outer = size.outer,
                        .extent = size.extent,
                        .inner = size.inner,
                        .n_registers = 2,
                        .reductions = &reduction,
                        .n_reductions = 1,
                        ACCESSES(LEAF(0, DTYPE_BF16), LEAF(1, DTYPE_BF16)),
                        CODE(LOAD(0, 0), LOAD(1, 1), {.op = TILE_COLUMN_REDUCE, .src = {0, 1}})});
        add_pass(&c, (Pass){.domain = 2,
                            .n_registers = 1,
                            ACCESSES(BUFFER(0, DTYPE_F32), OUTPUT(0, DTYPE_F64)),
                            CODE(LOAD(0, 0), STORE(0, 1))});
        Ran ran = run_case(&c);
        for (size_t i = 0; i < n_sums; i++) {
            size_t at = i / size.inner * size.extent * size.inner + i % size.inner;
            expected[i] =
                (float)reduce_plain((ReduceKind)kind, a + at, b + at, size.extent, size.inner);
        }
        expect(&ran, DTYPE_F64, expected, n_sums);
        ran_free(&ran);
        case_end(&c);
    }
    free(a), free(b), free(expected);
}
END_TEST

/* --- Accesses ------------------------------------------------------------------------------- */

static size_t place_of(const Access *access, size_t i) {
    if (access->contiguous)
        return access->offset + i;
    int64_t place = (int64_t)access->offset;
    for (uint32_t d = access->rank; d-- > 0; i /= access->dims[d])
        place += (int64_t)(i % access->dims[d]) * access->strides[d];
    return (size_t)place;
}

static const Access loads[] = {
    /* a slice that begins at an offset */
    {.contiguous = true, .offset = 11},
    /* transposed */
    {.rank = 2, .dims = {300, 40}, .strides = {1, 300}},
    /* stretched along the last, and along the first axis */
    {.rank = 2, .dims = {300, 40}, .strides = {1, 0}},
    {.rank = 2, .dims = {300, 40}, .strides = {0, 1}},
    {.rank = 2, .dims = {3, 4000}, .strides = {0, 1}},
    /* every second of rows that are longer than they are read */
    {.offset = 3, .rank = 2, .dims = {300, 40}, .strides = {100, 2}},
    /* long runs with gaps between them */
    {.rank = 2, .dims = {12, 1000}, .strides = {1001, 1}},
    /* backwards */
    {.offset = 11999, .rank = 1, .dims = {12000}, .strides = {-1}},
    /* a permutation of four axes with short runs */
    {.rank = 4, .dims = {10, 40, 10, 3}, .strides = {120, 3, 1200, 1}},
    {.rank = 1, .dims = {12000}, .strides = {0}},
};
enum { N_LOADS = sizeof loads / sizeof *loads };
static const DType load_types[] = {DTYPE_U8, DTYPE_F16, DTYPE_F32, DTYPE_F64};

START_TEST(loads_follow_their_strides) {
    size_t n = 12000, stored = 40000;
    DType dtype = load_types[_i % 4];
    Access access = loads[_i / 4];
    access.kind = PLACE_LEAF;
    access.dtype = dtype;
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    double *a = integers(stored, 10), *expected = malloc(n * 8);
    for (size_t i = 0; i < stored; i++)
        a[i] = fabs(a[i]);
    c.shapes[2] = SHAPE(stored);
    add_leaf(&c, dtype, c.shapes[2], a);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 1,
                        ACCESSES(access, OUTPUT(0, DTYPE_F32)),
                        CODE(LOAD(0, 0), STORE(0, 1))});
    Ran ran = run_case(&c);
    for (size_t i = 0; i < n; i++)
        expected[i] = a[place_of(&access, i)];
    expect(&ran, DTYPE_F32, expected, n);
    ran_free(&ran);
    case_end(&c);
    free(a), free(expected);
}
END_TEST

/* Each covers 0 … 11999 exactly once. */
static const Access stores[] = {
    {.contiguous = true},
    {.rank = 2, .dims = {300, 40}, .strides = {1, 300}},
    {.rank = 3, .dims = {2, 300, 20}, .strides = {20, 40, 1}},
    {.rank = 2, .dims = {4, 3000}, .strides = {3000, 1}},
    {.offset = 11999, .rank = 1, .dims = {12000}, .strides = {-1}},
    {.rank = 4, .dims = {10, 40, 10, 3}, .strides = {120, 3, 1200, 1}},
};
enum { N_STORES = sizeof stores / sizeof *stores };

START_TEST(stores_follow_their_strides) {
    size_t n = 12000;
    bool buffered = _i % 2;
    Access access = stores[_i / 2];
    access.kind = buffered ? PLACE_BUFFER : PLACE_OUTPUT;
    access.dtype = DTYPE_F32;
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    double *a = integers(n, 12), *expected = malloc(n * 8);
    add_leaf(&c, DTYPE_F16, SHAPE(n), a);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    if (buffered)
        add_buffer(&c, SHAPE_ID_KEY, 0, 1);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 1,
                        ACCESSES(LEAF(0, DTYPE_F16), access),
                        CODE(LOAD(0, 0), STORE(0, 1))});
    if (buffered)
        add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                            .n_registers = 1,
                            ACCESSES(BUFFER(0, DTYPE_F32), OUTPUT(0, DTYPE_F32)),
                            CODE(LOAD(0, 0), STORE(0, 1))});
    Ran ran = run_case(&c);
    for (size_t i = 0; i < n; i++)
        expected[place_of(&access, i)] = a[i];
    expect(&ran, DTYPE_F32, expected, n);
    ran_free(&ran);
    case_end(&c);
    free(a), free(expected);
}
END_TEST

START_TEST(copies_are_bytes) {
    size_t n = 1500000;
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    double *a = integers(n, 13);
    add_leaf(&c, DTYPE_F32, SHAPE(n), a);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    uint64_t half = n / 2 * 4;
    add_pass(&c, (Pass){.kind = PASS_COPY, .copy_from = half, .copy_bytes = UINT64_MAX});
    add_pass(&c, (Pass){.kind = PASS_COPY, .copy_to = half, .copy_bytes = half});
    Ran ran = run_case(&c);
    ck_assert_uint_eq(ran.size, n * 4);
    ck_assert_mem_eq(ran.bytes, c.leaves[0].data + half, half);
    ck_assert_mem_eq(ran.bytes + half, c.leaves[0].data, half);
    ck_assert_uint_eq(ran.result.n_hits, 0);
    ran_free(&ran);
    case_end(&c);
    free(a);
}
END_TEST

/* --- Selections ----------------------------------------------------------------------------- */

typedef enum Spread {
    SPREAD_NORMAL,
    SPREAD_TIES,
    SPREAD_EQUAL,
    SPREAD_HALF_ZERO,
    SPREAD_SIGNED_ZEROS,
    SPREAD_ASCENDING,
    SPREAD_ROWS,     /* whole runs of large and of small values */
    SPREAD_OUTLIERS, /* a crowd of different values in a narrow place */
    SPREAD_INFINITE,
    SPREAD_COUNT
} Spread;

static double spread_value(Spread spread, size_t i, size_t n, uint64_t *state) {
    double u = next_random(state), v = next_random(state);
    switch (spread) {
    case SPREAD_NORMAL:
        return sqrt(-2 * log(u + 1e-9)) * cos(6.283185307179586 * v);
    case SPREAD_TIES:
        return floor(u * 20) - 10;
    case SPREAD_EQUAL:
        return 0.25;
    case SPREAD_HALF_ZERO:
        return u < 0.5 ? 0 : v - 0.5;
    case SPREAD_SIGNED_ZEROS:
        return u < 0.4 ? -0.0 : u < 0.8 ? 0.0 : v - 0.5;
    case SPREAD_ASCENDING:
        return (double)i / (double)n - 0.3;
    case SPREAD_ROWS:
        return (i / 5000 % 7 == 3 ? 1000 : 1) * (u - 0.5);
    case SPREAD_OUTLIERS:
        return u < 0.98 ? 1 + v * 1e-4 : (v - 0.5) * 1e30;
    default:
        return u < 0.1 ? -INFINITY : u < 0.2 ? INFINITY : v;
    }
}

static int compare_doubles(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Three selections in one pass, over values, their absolute values, and constants. */
static void check_selections(Compute compute, Spread spread, size_t n, const uint64_t k[3]) {
    Case c;
    case_begin(&c, compute, SHAPE(n));
    double *a = malloc(n * 8), expected[3];
    DType dtype = compute == COMPUTE_F32 ? DTYPE_F32 : DTYPE_F64;
    uint64_t state = 77 + spread;
    for (size_t i = 0; i < n; i++) {
        a[i] = spread_value(spread, i, n, &state);
        a[i] = compute == COMPUTE_F32 ? (float)a[i] : a[i];
    }
    add_leaf(&c, dtype, SHAPE(n), a);
    c.list.n_uniforms = 3;
    for (int i = 0; i < 3; i++)
        add_root(&c, SHAPE_ID_SCALAR, DTYPE_F64);
    add_pass(&c,
             (Pass){.domain = SHAPE_ID_KEY,
                    .n_registers = 2,
                    ACCESSES({.kind = PLACE_LEAF, .dtype = dtype, .contiguous = true}),
                    SELECTIONS({k[0], 0}, {k[1], 1}, {k[2], 2}),
                    CODE(LOAD(0, 0), SELECT(0, 0), SELECT(1, 0), MAP(ABS, 1, 0), SELECT(2, 1)),
                    AGAIN(LOAD(0, 0), SELECT(0, 0), SELECT(1, 0), MAP(ABS, 1, 0), SELECT(2, 1))});
    add_pass(&c, (Pass){.domain = SHAPE_ID_SCALAR,
                        ACCESSES(OUTPUT(0, DTYPE_F64), OUTPUT(1, DTYPE_F64), OUTPUT(2, DTYPE_F64)),
                        CODE(STORE_UNIFORM(0, 0), STORE_UNIFORM(1, 1), STORE_UNIFORM(2, 2))});
    Ran ran = run_case(&c);
    qsort(a, n, sizeof *a, compare_doubles);
    expected[0] = a[k[0] - 1], expected[1] = a[k[1] - 1];
    for (size_t i = 0; i < n; i++)
        a[i] = fabs(a[i]);
    qsort(a, n, sizeof *a, compare_doubles);
    expected[2] = a[k[2] - 1];
    expect(&ran, DTYPE_F64, expected, 3);
    for (size_t i = 0; i < 3; i++)
        ck_assert(expected[i] != 0 || !signbit(result_at(&ran, DTYPE_F64, i)));
    ran_free(&ran);
    case_end(&c);
    free(a);
}

START_TEST(selections_agree_with_sorting) {
    Compute compute = _i / SPREAD_COUNT == 0 ? COMPUTE_F32 : COMPUTE_F64;
    Spread spread = (Spread)(_i % SPREAD_COUNT);
    static const size_t sizes[] = {1, 2, 1000, SELECT_ALL, SELECT_ALL + 1, CHUNK + 17};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        size_t n = sizes[i];
        check_selections(compute, spread, n, (uint64_t[]){1, n, (n + 1) / 2});
        check_selections(compute, spread, n, (uint64_t[]){n - n / 5, n / 3 + 1, n - n / 5});
    }
}
END_TEST

static void check_bracket(const KernelTable *table, Compute compute, size_t n) {
    double counts[4] = {0}, low = -1, high = 2;
    float singles[100], kept_singles[101];
    double doubles[100], kept_doubles[101], expected[100];
    size_t n_expected = 0;
    for (size_t i = 0; i < n; i++) {
        double x = i % 23 == 7 ? NAN : (double)(i * 37 % 17) / 2 - 3;
        singles[i] = (float)(doubles[i] = x);
        counts[0] += x < low, counts[1] += x <= low, counts[2] += x < high, counts[3] += x <= high;
        if (x > low && x < high)
            expected[n_expected++] = x;
    }
    uint64_t found[4] = {5, 5, 5, 5};
    bool single = compute == COMPUTE_F32;
    size_t n_kept = table->bracket(found, single ? (void *)kept_singles : (void *)kept_doubles,
                                   single ? (void *)singles : (void *)doubles, n, low, high);
    ck_assert_uint_eq(n_kept, n_expected);
    for (size_t i = 0; i < n_kept; i++)
        ck_assert_double_eq(single ? kept_singles[i] : kept_doubles[i], expected[i]);
    for (size_t i = 0; i < 4; i++)
        ck_assert_uint_eq(found[i], (uint64_t)counts[i] + 5);
}

START_TEST(every_build_brackets_alike) {
    const Kernels *const *builds;
    size_t n_builds = kernels_available(&builds);
    for (size_t i = 0; i < n_builds; i++)
        for (size_t n = 0; n <= 100; n++)
            for (int compute = 0; compute < 2; compute++)
                check_bracket(builds[i]->table[compute], (Compute)compute, n);
}
END_TEST

/* Shows a selector all of A, sweep after sweep, and returns how many it took. */
static unsigned sweep_until_decided(Selector *selector, const float *a, size_t n) {
    static float room[TILE_ELEMENTS];
    static SelectCounts counts;
    unsigned sweeps = 0;
    for (; selector->state != SELECT_DECIDED; sweeps++) {
        memset(&counts, 0, sizeof counts);
        for (size_t i = 0; i < n; i += TILE_ELEMENTS)
            selector_take(selector, &counts, a + i, n - i < TILE_ELEMENTS ? n - i : TILE_ELEMENTS,
                          room);
        selector_add(selector, &counts);
        selector_conclude(selector);
        ck_assert_uint_le(sweeps, 6);
    }
    return sweeps;
}

/* A sample from one half only: the answer is in the other. */
START_TEST(misleading_samples_cost_sweeps_not_exactness) {
    enum { N = 300000 };
    float *a = malloc(N * sizeof *a), *kept = malloc(SELECT_ALL * sizeof *kept);
    _Atomic uint64_t bins[SELECT_BINS];
    for (size_t i = 0; i < N; i++)
        a[i] = (float)((i * 7919) % N) - 1000;
    for (uint64_t k = 1; k <= N; k += N / 9) {
        for (int side = 0; side < 2; side++) {
            Selector selector;
            selector_begin(&selector, kernels_best(), COMPUTE_F32, k, N, kept, SELECT_ALL, bins);
            ck_assert_uint_gt(selector_wants(&selector), 0);
            for (size_t i = 0; i < N && selector.n_kept < 8192; i++)
                if ((a[i] > N / 2) == (side == 1))
                    selector_sample(&selector, &a[i], 1);
            selector_bracket(&selector);
            sweep_until_decided(&selector, a, N);
            ck_assert_double_eq(selector.result, (double)k - 1001);
        }
    }
    free(a), free(kept);
}
END_TEST

START_TEST(good_samples_take_one_sweep) {
    enum { N = 1000000 };
    float *a = malloc(N * sizeof *a), *kept = malloc(N / 8 * sizeof *kept);
    _Atomic uint64_t bins[SELECT_BINS];
    for (size_t i = 0; i < N; i++)
        a[i] = (float)((i * 7919) % N);
    for (uint64_t k = 1; k <= N; k += N / 7) {
        Selector selector;
        selector_begin(&selector, kernels_best(), COMPUTE_F32, k, N, kept, N / 8, bins);
        uint64_t wanted = selector_wants(&selector);
        for (uint64_t i = 0; i < wanted; i++)
            selector_sample(&selector, &a[i * (N / wanted)], 1);
        selector_bracket(&selector);
        ck_assert_uint_eq(sweep_until_decided(&selector, a, N), 1);
        ck_assert_double_eq(selector.result, (double)k - 1);
    }
    free(a), free(kept);
}
END_TEST

START_TEST(nans_come_last) {
    enum { N = 200000 };
    float *a = malloc(N * sizeof *a), *kept = malloc(N * sizeof *kept);
    _Atomic uint64_t bins[SELECT_BINS];
    for (size_t i = 0; i < N; i++)
        a[i] = i % 4 == 0 ? (i % 8 == 0 ? NAN : -NAN) : (float)i;
    for (uint64_t k = 1; k <= N; k += 1999) {
        Selector selector;
        selector_begin(&selector, kernels_best(), COMPUTE_F32, k, N, kept, SELECT_ALL, bins);
        for (size_t i = 0; i < N; i += 40 + i % 3)
            selector_sample(&selector, &a[i], 1);
        selector_bracket(&selector);
        sweep_until_decided(&selector, a, N);
        if (k <= N - N / 4)
            ck_assert_double_eq(selector.result, (double)((k - 1) / 3 * 4 + (k - 1) % 3 + 1));
        else
            ck_assert(isnan(selector.result));
    }
    free(a), free(kept);
}
END_TEST

START_TEST(whole_primitives_work_on_buffers) {
    Case c;
    case_begin(&c, _i == 0 ? COMPUTE_F32 : COMPUTE_F64, SHAPE(2, 3));
    c.shapes[2] = SHAPE(3, 2);
    c.shapes[3] = SHAPE(2, 2);
    double a[6] = {1, 2, 3, 4, 5, 6}, b[6] = {1, 0, 2, 1, -1, 3}, product[4] = {2, 11, 8, 23};
    add_leaf(&c, DTYPE_F16, c.shapes[1], a);
    add_leaf(&c, DTYPE_F16, c.shapes[2], b);
    add_root(&c, 3, DTYPE_F64);
    add_buffer(&c, 1, 0, 2);
    add_buffer(&c, 2, 1, 2);
    add_buffer(&c, 3, 2, 3);
    DType held = _i == 0 ? DTYPE_F32 : DTYPE_F64;
    for (uint32_t i = 0; i < 2; i++)
        add_pass(&c, (Pass){.domain = i + 1,
                            .n_registers = 1,
                            .accesses = (const Access[]){LEAF(i, DTYPE_F16), BUFFER(i, held)},
                            .n_accesses = 2,
                            .code = (const TileInstr[]){LOAD(0, 0), STORE(0, 1)},
                            .n_code = 2});
    uint32_t inputs[2] = {0, 1}, outputs[1] = {2};
    add_pass(&c, (Pass){.kind = PASS_WHOLE,
                        .whole = {.op = WHOLE_MATMUL,
                                  .n_inputs = 2,
                                  .n_outputs = 1,
                                  .inputs = inputs,
                                  .outputs = outputs,
                                  .scratch = 2 * matrix_bytes(2, 3) + matrix_bytes(2, 2)}});
    add_pass(&c, (Pass){.domain = 3,
                        .n_registers = 1,
                        ACCESSES(BUFFER(2, held), OUTPUT(0, DTYPE_F64)),
                        CODE(LOAD(0, 0), STORE(0, 1))});
    Ran ran = run_case(&c);
    expect(&ran, DTYPE_F64, product, 4);
    ran_free(&ran);
    case_end(&c);
}
END_TEST

/* --- Plans of many tasks -------------------------------------------------------------------- */

/* Centres a leaf through a buffer: sums, subtracts, holds, halves. */
static void make_centring(Case *c, size_t n, const double *values) {
    static const double constants[] = {0.5};
    case_begin(c, COMPUTE_F32, SHAPE(n));
    add_leaf(c, DTYPE_F32, SHAPE(n), values);
    c->constants[0] = constants[0];
    c->list.n_constants = 1, c->list.n_uniforms = 2;
    add_root(c, SHAPE_ID_KEY, DTYPE_F32);
    add_buffer(c, SHAPE_ID_KEY, 1, 2);
    add_pass(c, (Pass){.domain = SHAPE_ID_KEY,
                       .n_registers = 1,
                       ACCESSES(LEAF(0, DTYPE_F32)),
                       REDUCTIONS({REDUCE_MAX, 1, 0}),
                       CODE(LOAD(0, 0), REDUCE(0, 0))});
    add_pass(c, (Pass){.domain = SHAPE_ID_KEY,
                       .n_registers = 1,
                       ACCESSES(LEAF(0, DTYPE_F32), BUFFER(0, DTYPE_F32)),
                       CODE(LOAD(0, 0), MAP_UNIFORM(SUB, 0, 0, 1), STORE(0, 1))});
    add_pass(c, (Pass){.domain = SHAPE_ID_KEY,
                       .n_registers = 1,
                       ACCESSES(BUFFER(0, DTYPE_F32), OUTPUT(0, DTYPE_F32)),
                       CODE(LOAD(0, 0), MAP_UNIFORM(MUL, 0, 0, 0), STORE(0, 1))});
}

typedef struct Progress {
    uint64_t calls, tasks, bytes;
} Progress;

static void note_progress(void *context, uint64_t tasks, uint64_t bytes) {
    Progress *progress = context;
    ck_assert_uint_ge(tasks, progress->tasks);
    ck_assert_uint_ge(bytes, progress->bytes);
    *progress = (Progress){progress->calls + 1, tasks, bytes};
}

START_TEST(plans_of_many_tasks_need_no_order) {
    static const size_t sizes[] = {100, 3 * CHUNK + 1};
    static const uint32_t n_tasks[] = {1000, 9};
    for (int i = 0; i < 2; i++) {
        size_t n = sizes[i];
        double *a = integers(n, 21);
        Case c;
        make_centring(&c, n, a);
        double most = reduce_plain(REDUCE_MAX, a, NULL, n, 1);
        for (unsigned threads = 1; threads <= 7; threads += 3) {
            EvaluateOptions options = options_of(threads);
            Progress progress = {0};
            options.memory = n * 4 * (threads - 1);
            options.progress = note_progress;
            options.progress_context = &progress;
            Ran ran = run_tasks(&c, &options, n_tasks[i]);
            ck_assert_int_eq(ran.result.status, EVALUATE_DONE);
            ck_assert_uint_eq(progress.tasks, n_tasks[i]);
            ck_assert_uint_eq(progress.bytes, n_tasks[i] * n * 4);
            size_t stride = ran.size / 4 / n_tasks[i];
            for (size_t t = 0; t < n_tasks[i]; t++)
                for (size_t j = 0; j < n; j++)
                    expect_at(&ran, DTYPE_F32, t * stride + j, (a[j] - most) / 2);
            ran_free(&ran);
        }
        case_end(&c);
        free(a);
    }
}
END_TEST

/* More copies than may be held up, of which each is in several chunks. */
START_TEST(copies_are_passed_over_not_lost) {
    size_t n = 600000;
    enum { TASKS = 32 };
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    double *a = integers(n, 17);
    add_leaf(&c, DTYPE_F32, SHAPE(n), a);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F32);
    add_pass(&c, (Pass){.kind = PASS_COPY, .copy_bytes = UINT64_MAX});
    for (unsigned threads = 1; threads <= 7; threads += 3) {
        EvaluateOptions options = options_of(threads);
        Ran ran = run_tasks(&c, &options, TASKS);
        ck_assert_int_eq(ran.result.status, EVALUATE_DONE);
        ck_assert_uint_eq(ran.size, TASKS * n * 4);
        ck_assert_uint_eq(ran.result.bytes_written, TASKS * n * 4);
        for (size_t t = 0; t < TASKS; t++)
            ck_assert_mem_eq(ran.bytes + t * n * 4, c.leaves[0].data, n * 4);
        ran_free(&ran);
    }
    case_end(&c);
    free(a);
}
END_TEST

/* How many tasks are complete, but still hold their memory. Each waits there for one more than the
 * budget allows, for as long as that would take to come. */
typedef struct Crowd {
    pthread_mutex_t lock;
    pthread_cond_t came;
    unsigned allowed, inside, most;
} Crowd;

enum { CROWD_WAITS = 40 * 1000 * 1000 }; /* nanoseconds */

static void join_crowd(void *context, const Task *task) {
    (void)task;
    Crowd *crowd = context;
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += CROWD_WAITS;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_mutex_lock(&crowd->lock);
    crowd->inside++;
    crowd->most = crowd->inside > crowd->most ? crowd->inside : crowd->most;
    pthread_cond_broadcast(&crowd->came);
    int error = 0;
    while (error == 0 && crowd->most <= crowd->allowed)
        error = pthread_cond_timedwait(&crowd->came, &crowd->lock, &until);
    crowd->inside--;
    pthread_mutex_unlock(&crowd->lock);
}

START_TEST(tasks_are_admitted_within_the_budget) {
    enum { N = CHUNK + 1, TASKS = 6 };
    double *a = integers(N, 5);
    Case c;
    make_centring(&c, N, a);
    Task task = {.passes = &c.list, .shape = &c.shapes[1], .leaves = c.bound};
    for (unsigned allowed = 1; allowed <= 3; allowed++) {
        Crowd crowd = {.lock = PTHREAD_MUTEX_INITIALIZER,
                       .came = PTHREAD_COND_INITIALIZER,
                       .allowed = allowed};
        EvaluateOptions options = options_of(4);
        options.memory = allowed * task_memory(&task) + task_memory(&task) / 2;
        options.finished = join_crowd;
        options.finished_context = &crowd;
        Ran ran = run_tasks(&c, &options, TASKS);
        ck_assert_int_eq(ran.result.status, EVALUATE_DONE);
        ck_assert_uint_ge(crowd.most, 1);
        ck_assert_uint_le(crowd.most, allowed);
        ran_free(&ran);
    }
    case_end(&c);
    free(a);
}
END_TEST

START_TEST(memory_is_known_beforehand) {
    double *a = integers(1000, 1);
    Case c;
    make_centring(&c, 1000, a);
    Task task = {.passes = &c.list, .shape = &c.shapes[1], .leaves = c.bound};
    ck_assert_uint_eq(task_memory(&task), 4000);
    Plan plan = {.tasks = &task, .n_tasks = 1};
    uint64_t bytes = worker_memory(&plan);
    ck_assert_uint_ge(bytes, TILE_ELEMENTS * 4);
    ck_assert_uint_le(bytes, 3 << 20);
    case_end(&c);
    free(a);
}
END_TEST

/* --- What can go wrong ---------------------------------------------------------------------- */

START_TEST(leaves_that_are_not_finite_are_reported) {
    size_t n = 2 * CHUNK + 100;
    double *a = integers(n, 1), *b = integers(n, 2), *d = integers(n, 3);
    a[n - 1] = NAN, d[0] = INFINITY;
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(n));
    add_leaf(&c, DTYPE_F16, SHAPE(n), a);
    add_leaf(&c, DTYPE_F16, SHAPE(n), b);
    add_leaf(&c, DTYPE_F16, SHAPE(n), d);
    double nan = NAN;
    add_leaf(&c, DTYPE_F32, SHAPE(1), &nan);
    c.list.n_uniforms = 1;
    add_root(&c, SHAPE_ID_KEY, DTYPE_F16);
    add_root(&c, SHAPE_ID_KEY, DTYPE_F16);
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .n_registers = 2,
                        UNIFORMS({UNIFORM_LEAF, 0, {3}}),
                        ACCESSES(LEAF(0, DTYPE_F16), LEAF(1, DTYPE_F16), OUTPUT(0, DTYPE_F16)),
                        CODE(LOAD(0, 0), LOAD(1, 1), MAP(ADD, 0, 0, 1), STORE(0, 2))});
    add_pass(&c,
             (Pass){.kind = PASS_COPY, .copy_leaf = 2, .copy_output = 1, .copy_bytes = UINT64_MAX});
    Ran ran = run_case(&c);
    ck_assert_uint_eq(ran.result.n_hits, 3);
    static const uint32_t slots[] = {0, 2, 3};
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_eq(ran.result.hits[i].task, 0);
        ck_assert_uint_eq(ran.result.hits[i].slot, slots[i]);
    }
    ran_free(&ran);
    EvaluateOptions options = options_of(2);
    ran = run_tasks(&c, &options, 4);
    ck_assert_uint_eq(ran.result.n_hits, 12);
    for (uint32_t i = 0; i < 12; i++) {
        ck_assert_uint_eq(ran.result.hits[i].task, i / 3);
        ck_assert_uint_eq(ran.result.hits[i].slot, slots[i % 3]);
    }
    ran_free(&ran);
    options.check_finite = false;
    ran = run_tasks(&c, &options, 1);
    ck_assert_uint_eq(ran.result.n_hits, 0);
    ran_free(&ran);
    case_end(&c);
    free(a), free(b), free(d);
}
END_TEST

START_TEST(failing_writes_end_the_evaluation) {
    size_t n = 3 * CHUNK;
    double *a = integers(n, 1);
    Case c;
    make_centring(&c, n, a);
    signal(SIGXFSZ, SIG_IGN);
    for (unsigned threads = 1; threads <= 3; threads++) {
        EvaluateOptions options = options_of(threads);
        file_limit = n;
        Ran ran = run_tasks(&c, &options, 3);
        file_limit = RLIM_INFINITY;
        limit_files();
        ck_assert_int_eq(ran.result.status, EVALUATE_WRITE_FAILED);
        ran_free(&ran);
    }
    case_end(&c);
    free(a);
}
END_TEST

static volatile int stop_now;

static void interrupt_at_progress(void *context, uint64_t tasks, uint64_t bytes) {
    (void)context, (void)tasks, (void)bytes;
    __atomic_store_n(&stop_now, 1, __ATOMIC_RELAXED);
}

START_TEST(interruptions_are_heard) {
    size_t n = 1000;
    double *a = integers(n, 1);
    Case c;
    make_centring(&c, n, a);
    for (unsigned threads = 1; threads <= 3; threads++)
        for (int early = 0; early < 2; early++) {
            EvaluateOptions options = options_of(threads);
            stop_now = early;
            options.interrupted = &stop_now;
            options.progress = interrupt_at_progress;
            Ran ran = run_tasks(&c, &options, 2000);
            ck_assert_int_eq(ran.result.status, EVALUATE_INTERRUPTED);
            ran_free(&ran);
        }
    case_end(&c);
    free(a);
}
END_TEST

/* --- The text form -------------------------------------------------------------------------- */

static void expect_dump(const Case *c, const char *expected) {
    Builder text = {0};
    passes_dump(&c->list, &text);
    builder_char(&text, 0);
    ck_assert_str_eq(text.data, expected);
    builder_free(&text);
}

START_TEST(passes_print) {
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(2, 3));
    c.constants[0] = 0.5;
    c.list.n_constants = 1;
    add_buffer(&c, SHAPE_ID_KEY, 0, 2);
    Access slice = {.kind = PLACE_LEAF,
                    .index = 1,
                    .dtype = DTYPE_F32,
                    .offset = 4,
                    .rank = 2,
                    .dims = {2, 3},
                    .strides = {-3, 0}};
    RandomStream random = {7, 2};
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .order = ORDER_ROWS,
                        .row_length = 3,
                        .randoms = &random,
                        .n_randoms = 1,
                        ACCESSES(LEAF(0, DTYPE_F16), slice, BUFFER(0, DTYPE_F32)),
                        REDUCTIONS({REDUCE_DOT, 1, 0}),
                        CODE(LOAD(0, 0), LOAD(1, 1), MAP_UNIFORM(MUL, 1, 1, 0), REDUCE(0, 0, 1),
                             {.op = TILE_ROW_REDUCE, .detail = REDUCE_MAX, .dst = 0, .src = {1}},
                             {.op = TILE_MAP, .detail = OP_NEG, .row = true},
                             {.op = TILE_EXPAND, .dst = 1},
                             {.op = TILE_QUANTISE, .detail = DTYPE_BF16, .dst = 1, .src = {1}},
                             {.op = TILE_COORDINATE, .detail = 1, .dst = 2},
                             {.op = TILE_RANDOM, .dst = 2}, STORE(1, 2))});
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        UNIFORMS({OP_SQRT, 2, {1}}, {UNIFORM_LEAF, 3, {4}},
                                 {UNIFORM_QUANTISE, 4, {3, DTYPE_F16}}),
                        ACCESSES(LEAF(0, DTYPE_F16)),
                        SELECTIONS({5, 6}),
                        CODE(LOAD(0, 0), SELECT(0, 0)),
                        AGAIN(LOAD(0, 0), SELECT(0, 0))});
    expect_dump(&c, "u0 = 0.5\n"
                    "buffer 0 [2, 3] of passes 0 to 2\n"
                    "pass 0 over [2, 3], rows of 3\n"
                    "    r0 = load leaf 0 f16\n"
                    "    r1 = load leaf 1 f32 [2, 3] by [-3, 0] from 4\n"
                    "    r1 = mul r1 u0\n"
                    "    dot r0 r1 -> u1\n"
                    "    w0 = rows max r1\n"
                    "    w0 = neg w0\n"
                    "    r1 = expand w0\n"
                    "    r1 = quantise bf16 r1\n"
                    "    r2 = coordinate along 1\n"
                    "    r2 = random seed 7 stream 2\n"
                    "    store r1 -> buffer 0 f32\n"
                    "pass 1 over [2, 3], flat\n"
                    "    u2 = sqrt u1\n"
                    "    u3 = leaf 4\n"
                    "    u4 = quantise f16 u3\n"
                    "    r0 = load leaf 0 f16\n"
                    "    select 5 of r0 -> u6\n"
                    "  until all are selected\n"
                    "    r0 = load leaf 0 f16\n"
                    "    select 5 of r0 -> u6\n");
    case_end(&c);
}
END_TEST

START_TEST(passes_print_what_is_no_tile) {
    Case c;
    case_begin(&c, COMPUTE_F32, SHAPE(8));
    c.list.any_shape = true;
    uint32_t buffers[] = {0, 1, UINT32_MAX};
    double parameter = 2;
    add_pass(&c, (Pass){.kind = PASS_COPY, .copy_output = 1, .copy_bytes = UINT64_MAX});
    add_pass(&c, (Pass){.kind = PASS_COPY, .copy_from = 8, .copy_to = 16, .copy_bytes = 24});
    add_pass(&c, (Pass){.kind = PASS_WHOLE,
                        .whole = {.op = WHOLE_MATMUL,
                                  .n_inputs = 2,
                                  .n_outputs = 2,
                                  .inputs = buffers,
                                  .outputs = buffers + 1,
                                  .parameters = &parameter,
                                  .n_parameters = 1}});
    add_pass(&c, (Pass){.domain = SHAPE_ID_KEY,
                        .order = ORDER_COLUMNS,
                        .outer = 1,
                        .extent = 2,
                        .inner = 4,
                        REDUCTIONS({REDUCE_SUM, 0, 3}),
                        CODE({.op = TILE_COLUMN_REDUCE, .src = {5}, .uniform = 1})});
    expect_dump(&c, "pass 0 copies leaf 0 -> output 1\n"
                    "pass 1 copies leaf 0 -> output 0, 24 bytes from 8 to 16\n"
                    "pass 2 calls matmul 2.0 buffer 0 buffer 1 -> buffer 1 nowhere\n"
                    "pass 3 over key, columns of 1 x 2 x 4\n"
                    "    columns sum u5 -> buffer 3\n");
    case_end(&c);
}
END_TEST

Suite *exec_suite(void) {
    Suite *suite = suite_create("exec");
    TCase *tests = tcase_create("exec");
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, maps_stream_any_number_of_elements, 0, 2 * N_SIZES);
    tcase_add_test(tests, outputs_are_rounded_once);
    tcase_add_test(tests, quantise_rounds_to_a_dtype_and_back);
    tcase_add_test(tests, uniform_stores_fill);
    tcase_add_loop_test(tests, coordinates_follow_their_axis, 0, 4);
    tcase_add_test(tests, draws_depend_on_seed_stream_key_and_element);
    tcase_add_loop_test(tests, reductions_become_uniforms_of_later_passes, 0, N_SIZES);
    tcase_add_test(tests, sums_do_not_depend_on_threads);
    tcase_add_test(tests, copies_are_passed_over_not_lost);
    tcase_add_loop_test(tests, rows_reduce_and_expand, 0, N_ROW_SIZES);
    tcase_add_loop_test(tests, columns_reduce_into_buffers, 0, N_COLUMN_SIZES);
    tcase_add_loop_test(tests, loads_follow_their_strides, 0, 4 * N_LOADS);
    tcase_add_loop_test(tests, stores_follow_their_strides, 0, 2 * N_STORES);
    tcase_add_test(tests, copies_are_bytes);
    tcase_add_test(tests, every_build_brackets_alike);
    tcase_add_loop_test(tests, whole_primitives_work_on_buffers, 0, 2);
    tcase_add_test(tests, plans_of_many_tasks_need_no_order);
    tcase_add_test(tests, tasks_are_admitted_within_the_budget);
    tcase_add_test(tests, memory_is_known_beforehand);
    tcase_add_test(tests, leaves_that_are_not_finite_are_reported);
    tcase_add_test(tests, failing_writes_end_the_evaluation);
    tcase_add_test(tests, interruptions_are_heard);
    tcase_add_test(tests, passes_print);
    tcase_add_test(tests, passes_print_what_is_no_tile);
    suite_add_tcase(suite, tests);
    TCase *selections = tcase_create("selections");
    tcase_set_timeout(selections, 60);
    tcase_add_loop_test(selections, selections_agree_with_sorting, 0, 2 * SPREAD_COUNT);
    tcase_add_test(selections, misleading_samples_cost_sweeps_not_exactness);
    tcase_add_test(selections, good_samples_take_one_sweep);
    tcase_add_test(selections, nans_come_last);
    suite_add_tcase(suite, selections);
    return suite;
}
