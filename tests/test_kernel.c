/* Every loop of every build against the plain build, one element at a time. */
#include "test_kernel.h"
#include "tests.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <xxhash.h>

Guarded guarded_open(size_t size) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t inside = (size + page - 1) / page * page;
    unsigned char *pages =
        mmap(NULL, inside + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(pages, MAP_FAILED);
    ck_assert_int_eq(mprotect(pages + page, inside, PROT_READ | PROT_WRITE), 0);
    return (Guarded){pages + page, inside};
}

void guarded_close(Guarded *guarded) {
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    munmap(guarded->pages - page, guarded->size + 2 * page);
}

void *guarded_at(const Guarded *guarded, size_t size, bool at_end) {
    return guarded->pages + (at_end ? guarded->size - size : 0);
}

uint64_t test_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    uint64_t x = *state ^ *state >> 33;
    return (x * 0xff51afd7ed558ccd) ^ x >> 29;
}

double test_number(uint64_t *state) {
    static const double special[] = {0,         -0.0,     1,        -1,         0.5,     -0.5,
                                     1.5,       2.5,      0x1p-149, -0x1p-1074, 0x1p-24, 0x1p-126,
                                     0x1p53,    -0x1p31,  65504,    0x1p63,     0x1p64,  1e308,
                                     -INFINITY, INFINITY, NAN};
    uint64_t random = test_random(state);
    double number = (double)(int64_t)random * 0x1p-62;
    if (random % 8 == 0)
        return special[(random >> 8) % (sizeof special / sizeof *special)];
    if (random % 8 == 1)
        memcpy(&number, &random, sizeof number);
    return random % 8 == 2 ? number * 1000 : number;
}

size_t real_size(Compute compute) {
    return compute == COMPUTE_F32 ? sizeof(float) : sizeof(double);
}

void real_set(Compute compute, void *tile, size_t i, double value) {
    float single = (float)value;
    if (compute == COMPUTE_F32)
        memcpy((char *)tile + i * sizeof single, &single, sizeof single);
    else
        memcpy((char *)tile + i * sizeof value, &value, sizeof value);
}

double real_get(Compute compute, const void *tile, size_t i) {
    float single;
    double number;
    memcpy(&single, (const char *)tile + i * sizeof single, sizeof single);
    if (compute == COMPUTE_F32)
        return single;
    memcpy(&number, (const char *)tile + i * sizeof number, sizeof number);
    return number;
}

void real_fill(Compute compute, void *tile, size_t n, uint64_t *state) {
    for (size_t i = 0; i < n; i++)
        real_set(compute, tile, i, test_number(state));
}

bool same_number(double a, double b) {
    return (isnan(a) && isnan(b)) || (a == b && signbit(a) == signbit(b));
}

bool reals_equal(Compute compute, const void *a, const void *b, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!same_number(real_get(compute, a, i), real_get(compute, b, i)))
            return false;
    return true;
}

/* Tiles between guard pages: three operands and a result, and what the result should be. */
typedef struct Tiles {
    Compute compute;
    Guarded operands[3], result, expected;
} Tiles;

static Tiles tiles_open(Compute compute) {
    Tiles tiles = {.compute = compute};
    uint64_t state = 1;
    size_t size = TEST_LENGTH * sizeof(double);
    for (size_t i = 0; i < 3; i++) {
        tiles.operands[i] = guarded_open(size);
        real_fill(compute, tiles.operands[i].pages, tiles.operands[i].size / real_size(compute),
                  &state);
    }
    tiles.result = guarded_open(size);
    tiles.expected = guarded_open(size);
    return tiles;
}

static void tiles_close(Tiles *tiles) {
    for (size_t i = 0; i < 3; i++)
        guarded_close(&tiles->operands[i]);
    guarded_close(&tiles->result);
    guarded_close(&tiles->expected);
}

static const Kernels *plain_build(void) {
    const Kernels *const *builds;
    kernels_available(&builds);
    return builds[0];
}

/* The operands of a map as the uniform mask says, and the result by the plain loop without uniform
 * operands, one element at a time. */
static void expect_map(const Tiles *tiles, OpCode op, unsigned mask, const void *const *operands,
                       size_t n) {
    size_t size = real_size(tiles->compute);
    for (size_t i = 0; i < n; i++) {
        const char *at[3];
        for (unsigned place = 0; place < 3; place++)
            at[place] = (const char *)operands[place] + (mask >> place & 1 ? 0 : i * size);
        plain_build()->table[tiles->compute]->map[op][0](tiles->expected.pages + i * size, at[0],
                                                         at[1], at[2], 1);
    }
}

static void check_map(const Tiles *tiles, const Kernels *kernels, OpCode op, unsigned mask,
                      size_t n, bool at_end) {
    size_t size = real_size(tiles->compute);
    const void *operands[3];
    for (unsigned place = 0; place < 3; place++)
        operands[place] =
            guarded_at(&tiles->operands[place], (mask >> place & 1 ? 1 : n) * size, at_end);
    expect_map(tiles, op, mask, operands, n);
    void *result = guarded_at(&tiles->result, n * size, at_end);
    unsigned arity = op_info[op].arity;
    kernels->table[tiles->compute]->map[op][mask](
        result, operands[0], arity > 1 ? operands[1] : NULL, arity > 2 ? operands[2] : NULL, n);
    CHECK(reals_equal(tiles->compute, result, tiles->expected.pages, n),
          "%s of %s, mask %u, %zu elements, f%zu", op_info[op].name.data, kernels->name.data, mask,
          n, 8 * size);
}

static void check_map_lengths(const Tiles *tiles, const Kernels *kernels, OpCode op,
                              unsigned mask) {
    FOR_LENGTHS(n) {
        check_map(tiles, kernels, op, mask, n, false);
        check_map(tiles, kernels, op, mask, n, true);
    }
}

START_TEST(maps_agree) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    Tiles tiles = tiles_open((Compute)_i);
    for (size_t build = 0; build < count; build++)
        for (int op = 0; op < OP_COUNT; op++)
            for (unsigned mask = 0; mask < 8; mask++)
                if (builds[build]->table[_i]->map[op][mask])
                    check_map_lengths(&tiles, builds[build], (OpCode)op, mask);
    tiles_close(&tiles);
}
END_TEST

START_TEST(maps_exist_for_every_mask) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    for (size_t build = 0; build < count; build++)
        for (int op = 0; op < OP_COUNT; op++)
            for (unsigned mask = 0; mask < 8; mask++) {
                unsigned all = (1u << op_info[op].arity) - 1;
                bool fits = (mask & ~all) == 0 && mask != all;
                HOLDS((builds[build]->table[_i]->map[op][mask] != NULL) == fits);
            }
}
END_TEST

/* A result may be written over any of the operands. */
START_TEST(maps_work_in_place) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    const size_t n = 1003;
    for (size_t build = 0; build < count; build++)
        for (int op = 0; op < OP_COUNT; op++)
            for (unsigned place = 0; place < op_info[op].arity; place++) {
                const void *operands[3] = {tiles.operands[0].pages, tiles.operands[1].pages,
                                           tiles.operands[2].pages};
                expect_map(&tiles, (OpCode)op, 0, operands, n);
                memcpy(tiles.result.pages, operands[place], n * size);
                operands[place] = tiles.result.pages;
                builds[build]->table[_i]->map[op][0](tiles.result.pages, operands[0], operands[1],
                                                     operands[2], n);
                HOLDS(reals_equal((Compute)_i, tiles.result.pages, tiles.expected.pages, n));
            }
    tiles_close(&tiles);
}
END_TEST

/* Reductions, rows, columns: the plain build is held to the definition below, the others to it. */
static void check_reduce(const Tiles *tiles, const Kernels *kernels, ReduceKind kind, size_t n,
                         bool at_end) {
    size_t size = real_size(tiles->compute);
    const void *a = guarded_at(&tiles->operands[0], n * size, at_end);
    const void *b = guarded_at(&tiles->operands[1], n * size, at_end);
    Accumulator expected = accumulator_empty(kind), result = expected, columns[2];
    for (size_t i = 0; i < n; i++) {
        Accumulator one = accumulator_empty(kind);
        plain_build()->table[tiles->compute]->reduce[kind](&one, (const char *)a + i * size,
                                                           (const char *)b + i * size, 1);
        double *lane = &expected.lanes[i % REDUCE_LANES];
        *lane = reduce_combine(kind, *lane, one.lanes[0]);
    }
    kernels->table[tiles->compute]->reduce[kind](&result, a, kind == REDUCE_DOT ? b : NULL, n);
    columns[0] = columns[1] = accumulator_empty(kind);
    HOLDS(reals_equal(COMPUTE_F64, result.lanes, expected.lanes, REDUCE_LANES));
    void *row = tiles->result.pages;
    kernels->table[tiles->compute]->reduce_rows[kind](row, a, b, 1, n);
    real_set(tiles->compute, tiles->expected.pages, 0, accumulator_result(kind, &expected));
    HOLDS(reals_equal(tiles->compute, row, tiles->expected.pages, 1));
    size_t few = n < REDUCE_LANES ? n : REDUCE_LANES;
    kernels->table[tiles->compute]->reduce_columns[kind](columns[0].lanes, a, b, few);
    kernels->table[tiles->compute]->reduce[kind](&columns[1], a, b, few);
    HOLDS(reals_equal(COMPUTE_F64, columns[0].lanes, columns[1].lanes, REDUCE_LANES));
}

START_TEST(reductions_agree) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    Tiles tiles = tiles_open((Compute)_i);
    for (size_t build = 0; build < count; build++)
        for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++)
            FOR_LENGTHS(n) {
                check_reduce(&tiles, builds[build], (ReduceKind)kind, n, false);
                check_reduce(&tiles, builds[build], (ReduceKind)kind, n, true);
            }
    tiles_close(&tiles);
}
END_TEST

/* Finite numbers of either sign, so that sums mean something. */
static void fill_finite(Compute compute, void *tile, size_t n) {
    uint64_t state = 7;
    for (size_t i = 0; i < n; i++)
        real_set(compute, tile, i, (double)(int64_t)test_random(&state) * 0x1p-60);
}

START_TEST(sums_are_right_and_do_not_depend_on_tiles) {
    const KernelTable *table = kernels_best()->table[_i];
    size_t size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    const char *a = (char *)tiles.operands[0].pages, *b = (char *)tiles.operands[1].pages;
    fill_finite((Compute)_i, tiles.operands[0].pages, TEST_LENGTH);
    fill_finite((Compute)_i, tiles.operands[1].pages, TEST_LENGTH);
    for (int kind = REDUCE_SUM; kind <= REDUCE_DOT; kind += REDUCE_DOT - REDUCE_SUM) {
        long double exact = 0, magnitude = 0;
        for (size_t i = 0; i < TEST_LENGTH; i++) {
            long double x = real_get((Compute)_i, a, i);
            exact += kind == REDUCE_DOT ? x * real_get((Compute)_i, b, i) : x;
            magnitude += fabsl(kind == REDUCE_DOT ? x * real_get((Compute)_i, b, i) : x);
        }
        Accumulator whole = accumulator_empty((ReduceKind)kind), parts = whole;
        table->reduce[kind](&whole, a, b, TEST_LENGTH);
        for (size_t begin = 0, n; begin < TEST_LENGTH; begin += n) {
            n = begin % 48 * REDUCE_LANES + REDUCE_LANES;
            n = n > TEST_LENGTH - begin ? TEST_LENGTH - begin : n;
            table->reduce[kind](&parts, a + begin * size, b + begin * size, n);
        }
        double result = accumulator_result((ReduceKind)kind, &whole);
        HOLDS(same_number(result, accumulator_result((ReduceKind)kind, &parts)));
        HOLDS(fabsl(result - exact) <= magnitude * 0x1p-44L);
    }
    tiles_close(&tiles);
}
END_TEST

static double reduced(ReduceKind kind, double first, double second) {
    double values[] = {first, second, first};
    Accumulator accumulator = accumulator_empty(kind);
    kernels_best()->table[COMPUTE_F64]->reduce[kind](&accumulator, values, values, 3);
    return accumulator_result(kind, &accumulator);
}

START_TEST(reductions_treat_nan_as_they_say) {
    HOLDS(isnan(reduced(REDUCE_MIN, NAN, 1)));
    HOLDS(isnan(reduced(REDUCE_MAX, 1, NAN)));
    ck_assert_double_eq(reduced(REDUCE_MIN, 2, -1), -1);
    ck_assert_double_eq(reduced(REDUCE_MAX, -2, -1), -1);
    ck_assert_double_eq(reduced(REDUCE_ANY, 0, NAN), 1);
    ck_assert_double_eq(reduced(REDUCE_ANY, 0, -0.0), 0);
    ck_assert_double_eq(reduced(REDUCE_DOT, 2, 3), 17);
    static const double nothing[] = {
        [REDUCE_MIN] = INFINITY, [REDUCE_MAX] = -INFINITY, [REDUCE_DOT] = 0};
    for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++) {
        Accumulator empty = accumulator_empty((ReduceKind)kind);
        ck_assert_double_eq(accumulator_result((ReduceKind)kind, &empty), nothing[kind]);
    }
}
END_TEST

START_TEST(accumulators_add_up) {
    double values[] = {3, -1, 4, -1, 5, -9, 2, 6};
    for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++) {
        Accumulator all = accumulator_empty((ReduceKind)kind), left = all, right = all;
        ReduceLoop *reduce = kernels_best()->table[COMPUTE_F64]->reduce[kind];
        reduce(&all, values, values, 8);
        reduce(&left, values, values, 5);
        reduce(&right, values + 5, values + 5, 3);
        accumulator_add((ReduceKind)kind, &left, &right);
        ck_assert_double_eq(accumulator_result((ReduceKind)kind, &left),
                            accumulator_result((ReduceKind)kind, &all));
    }
}
END_TEST

START_TEST(rows_are_reduced_and_expanded) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    for (size_t build = 0; build < count; build++)
        for (size_t length = 1; length <= 64; length++) {
            size_t rows = 4000 / length / 4;
            const char *a = guarded_at(&tiles.operands[0], rows * length * size, true);
            const char *b = guarded_at(&tiles.operands[1], rows * length * size, true);
            char *result = guarded_at(&tiles.result, rows * size, true);
            const KernelTable *table = builds[build]->table[_i];
            for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++) {
                table->reduce_rows[kind](result, a, b, rows, length);
                for (size_t row = 0; row < rows; row++) {
                    Accumulator accumulator = accumulator_empty((ReduceKind)kind);
                    size_t begin = row * length * size;
                    plain_build()->table[_i]->reduce[kind](&accumulator, a + begin, b + begin,
                                                           length);
                    real_set((Compute)_i, tiles.expected.pages, row,
                             accumulator_result((ReduceKind)kind, &accumulator));
                }
                HOLDS(reals_equal((Compute)_i, result, tiles.expected.pages, rows));
            }
            result = guarded_at(&tiles.result, rows * length * size, true);
            table->expand(result, a, rows, length);
            for (size_t i = 0; i < rows * length; i++)
                HOLDS(same_number(real_get((Compute)_i, result, i),
                                  real_get((Compute)_i, a, i / length)));
        }
    tiles_close(&tiles);
}
END_TEST

START_TEST(column_totals_are_folded_elementwise) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    for (size_t build = 0; build < count; build++)
        for (int kind = 0; kind < REDUCE_KIND_COUNT; kind++)
            for (size_t n = 0; n <= 70; n++) {
                const char *a = guarded_at(&tiles.operands[0], n * size, true);
                const char *b = guarded_at(&tiles.operands[1], n * size, true);
                double *totals = guarded_at(&tiles.result, n * sizeof *totals, true);
                double *expected = (double *)tiles.expected.pages;
                for (size_t i = 0; i < n; i++)
                    totals[i] = expected[i] = (double)i - 2;
                builds[build]->table[_i]->reduce_columns[kind](totals, a, b, n);
                for (size_t i = 0; i < n; i++)
                    plain_build()->table[_i]->reduce_columns[kind](expected + i, a + i * size,
                                                                   b + i * size, 1);
                HOLDS(reals_equal(COMPUTE_F64, totals, expected, n));
            }
    tiles_close(&tiles);
}
END_TEST

START_TEST(ordered_keys_order) {
    static const double ascending[] = {-INFINITY, -1e30, -1,   -0x1p-126, -0x1p-149, 0,
                                       0x1p-149,  1e-20, 0.25, 3,         1e30,      INFINITY};
    size_t n = sizeof ascending / sizeof *ascending;
    for (size_t i = 0; i < n; i++) {
        uint64_t key = order_key((Compute)_i, ascending[i]);
        HOLDS(same_number(order_value((Compute)_i, key), (float)ascending[i]) || _i == COMPUTE_F64);
        if (i > 0)
            ck_assert_uint_gt(key, order_key((Compute)_i, ascending[i - 1]));
        ck_assert_uint_lt(key, order_key((Compute)_i, NAN));
    }
    ck_assert_uint_eq(order_key((Compute)_i, -NAN), order_key((Compute)_i, NAN));
    ck_assert_uint_eq(order_key((Compute)_i, -0.0), order_key((Compute)_i, 0));
    HOLDS(isnan(order_value((Compute)_i, order_key((Compute)_i, NAN))));
    HOLDS(same_number(order_value(COMPUTE_F64, order_key(COMPUTE_F64, -1e300)), -1e300));
}
END_TEST

static void check_histogram(const Tiles *tiles, const Kernels *kernels, size_t n, unsigned shift,
                            unsigned bits) {
    enum { BUCKETS = 1 << 12 };
    static uint32_t counts[BUCKETS], expected[BUCKETS];
    unsigned width = 8 * (unsigned)real_size(tiles->compute);
    const void *a = guarded_at(&tiles->operands[0], n * real_size(tiles->compute), true);
    uint64_t prefix = 0;
    memset(expected, 0, sizeof expected);
    for (size_t i = n; i-- > 0;) {
        uint64_t key = order_key(tiles->compute, real_get(tiles->compute, a, i));
        uint64_t above = shift + bits < width ? key >> (shift + bits) : 0;
        if (i == n - 1)
            prefix = above;
        expected[key >> shift & ((1u << bits) - 1)] += above == prefix;
    }
    memset(counts, 0, sizeof counts);
    kernels->table[tiles->compute]->histogram(counts, a, n, prefix, shift, bits);
    HOLDS(memcmp(counts, expected, sizeof counts) == 0);
}

START_TEST(histograms_count_keys) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    Tiles tiles = tiles_open((Compute)_i);
    unsigned width = 8 * (unsigned)real_size((Compute)_i);
    for (size_t build = 0; build < count; build++)
        FOR_LENGTHS(n) {
            check_histogram(&tiles, builds[build], n, width - 12, 12);
            check_histogram(&tiles, builds[build], n, width - 22, 10);
            check_histogram(&tiles, builds[build], n, width - 13, 11);
            check_histogram(&tiles, builds[build], n, 0, 9);
        }
    tiles_close(&tiles);
}
END_TEST

static void check_bracket(const Tiles *tiles, const Kernels *kernels, size_t n, double low,
                          double high) {
    size_t size = real_size(tiles->compute), n_kept = 0;
    const void *a = guarded_at(&tiles->operands[0], n * size, true);
    void *kept = guarded_at(&tiles->result, n * size, true);
    uint64_t counts[4] = {5, 6, 7, 8}, expected[4] = {5, 6, 7, 8};
    for (size_t i = 0; i < n; i++) {
        double x = real_get(tiles->compute, a, i);
        expected[0] += x < low;
        expected[1] += x <= low;
        expected[2] += x < high;
        expected[3] += x <= high;
        if (x > low && x < high)
            real_set(tiles->compute, tiles->expected.pages, n_kept++, x);
    }
    HOLDS(kernels->table[tiles->compute]->bracket(counts, kept, a, n, low, high) == n_kept);
    HOLDS(memcmp(counts, expected, sizeof counts) == 0);
    HOLDS(reals_equal(tiles->compute, kept, tiles->expected.pages, n_kept));
}

START_TEST(brackets_count_and_keep) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    Tiles tiles = tiles_open((Compute)_i);
    for (size_t build = 0; build < count; build++)
        FOR_LENGTHS(n) {
            check_bracket(&tiles, builds[build], n, -0.25, 0.5);
            check_bracket(&tiles, builds[build], n, 0, 0x1p-10);
            check_bracket(&tiles, builds[build], n, -INFINITY, INFINITY);
        }
    tiles_close(&tiles);
}
END_TEST

START_TEST(a_build_can_be_chosen_by_name) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    for (size_t build = 0; build < count; build++) {
        setenv("MECHA_KERNELS", builds[build]->name.data, 1);
        ck_assert_ptr_eq(kernels_best(), builds[build]);
    }
    setenv("MECHA_KERNELS", "none such", 1);
    ck_assert_ptr_eq(kernels_best(), builds[count - 1]);
    unsetenv("MECHA_KERNELS");
    ck_assert_ptr_eq(kernels_best(), builds[count - 1]);
}
END_TEST

START_TEST(positions_count_up) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    for (size_t build = 0; build < count; build++)
        FOR_LENGTHS(n) {
            void *result = guarded_at(&tiles.result, n * size, true);
            builds[build]->table[_i]->iota(result, 16777210, n);
            for (size_t i = 0; i < n; i++)
                real_set((Compute)_i, tiles.expected.pages, i, 16777210 + (double)i);
            HOLDS(reals_equal((Compute)_i, result, tiles.expected.pages, n));
        }
    tiles_close(&tiles);
}
END_TEST

START_TEST(masks_are_read_from_any_element) {
    enum { ELEMENTS = 2 * MASK_BLOCK };
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    uint32_t words[2 * MASK_WORDS];
    for (size_t i = 0; i < 2 * MASK_WORDS; i++)
        words[i] = 0x9e3779b9u * (uint32_t)(i + 1);
    for (size_t build = 0; build < count; build++)
        for (size_t first = 0; first <= ELEMENTS; first += first < 20 ? 1 : 97) {
            size_t n = ELEMENTS - first;
            void *result = guarded_at(&tiles.result, n * size, true);
            builds[build]->table[_i]->mask(result, words, first, n);
            for (size_t i = first; i < ELEMENTS; i++) {
                size_t word = i / MASK_BLOCK * MASK_WORDS + i % MASK_WORDS;
                real_set((Compute)_i, tiles.expected.pages, i - first,
                         words[word] >> i % MASK_BLOCK / MASK_WORDS & 1);
            }
            HOLDS(reals_equal((Compute)_i, result, tiles.expected.pages, n));
        }
    tiles_close(&tiles);
}
END_TEST

START_TEST(builds_draw_alike) {
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    for (size_t build = 1; build < count; build++) {
        uint32_t words[2][TWISTER_WORDS], draws[2][TWISTER_WORDS], mask[2][MASK_WORDS];
        for (size_t i = 0; i < TWISTER_WORDS; i++)
            words[0][i] = words[1][i] = 0x9e3779b9u * (uint32_t)(i + 1);
        for (int round = 0; round < 3; round++) {
            for (size_t i = 0; i < 2; i++) {
                const Kernels *kernels = builds[i * build];
                kernels->twist(words[i], draws[i]);
                kernels->mask_below(mask[i], draws[i], (uint32_t)round << 23);
            }
            ck_assert_mem_eq(words[0], words[1], sizeof words[0]);
            ck_assert_mem_eq(draws[0], draws[1], sizeof draws[0]);
            ck_assert_mem_eq(mask[0], mask[1], sizeof mask[0]);
        }
    }
}
END_TEST

/* Values of many sizes, some of them the same in both, and a NaN. */
static void fill_pairs(Compute compute, void *a, void *b, size_t n) {
    uint64_t state = 7;
    for (size_t i = 0; i < n; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        double x = ldexp((double)(int64_t)state, -70 + (int)(state >> 20) % 9);
        real_set(compute, a, i, i % 101 == 100 ? NAN : x);
        real_set(compute, b, i, i % 3 == 0 ? x : -x / 3);
    }
}

static void expect_close(const double *lanes, long double expected, double tolerance) {
    long double sum = 0;
    for (int i = 0; i < COMPARE_LANES; i++)
        sum += lanes[i];
    if (expected == expected)
        ck_assert_ldouble_le(fabsl(sum - expected), tolerance * expected);
    else
        ck_assert(sum != sum);
}

/* The figures of pairs from their definitions; differences are rounded to the compute type. */
static void expect_comparison(Compute compute, const Comparison *found, const void *a,
                              const void *b, size_t n) {
    long double squares[3] = {0};
    double most = 0, tolerance = compute == COMPUTE_F32 ? 1e-6 : 1e-14;
    uint64_t changed = 0;
    for (size_t i = 0; i < n; i++) {
        double x = real_get(compute, a, i), y = real_get(compute, b, i);
        double d = compute == COMPUTE_F32 ? (double)((float)y - (float)x) : y - x;
        squares[0] += (long double)x * x;
        squares[1] += (long double)y * y;
        squares[2] += (long double)d * d;
        most = fabs(d) > most ? fabs(d) : most;
        changed += d != 0;
    }
    expect_close(found->a, squares[0], tolerance);
    expect_close(found->b, squares[1], tolerance);
    expect_close(found->difference, squares[2], tolerance);
    ck_assert_double_eq(found->most, most);
    ck_assert_uint_eq(found->changed, changed);
}

START_TEST(pairs_are_compared) {
    enum { ELEMENTS = 500 };
    const Kernels *const *builds;
    size_t count = kernels_available(&builds), size = real_size((Compute)_i);
    Tiles tiles = tiles_open((Compute)_i);
    fill_pairs((Compute)_i, tiles.expected.pages, tiles.result.pages, ELEMENTS);
    for (size_t n = 0; n <= ELEMENTS; n += n < 100 ? 1 : 97) {
        Comparison first;
        const char *a = (const char *)tiles.expected.pages + (ELEMENTS - n) * size;
        const char *b = (const char *)tiles.result.pages + (ELEMENTS - n) * size;
        for (size_t build = 0; build < count; build++) {
            Comparison found = {.most = 0};
            builds[build]->table[_i]->compare(&found, a, b, n);
            expect_comparison((Compute)_i, &found, a, b, n);
            if (build == 0)
                first = found;
            else if (n < 101) /* NaN have many bits */
                ck_assert_mem_eq(&found, &first, sizeof found);
        }
    }
    tiles_close(&tiles);
}
END_TEST

/* Up to the last byte of a page, behind which none can be read, so at every alignment. */
START_TEST(hashes_are_those_of_the_library) {
    enum { BYTES = 20000 };
    const Kernels *const *builds;
    size_t count = kernels_available(&builds);
    Guarded guarded = guarded_open(BYTES);
    uint64_t state = 5;
    for (size_t i = 0; i < guarded.size; i++)
        guarded.pages[i] = (unsigned char)test_random(&state);
    for (size_t n = 0; n <= BYTES; n += n < 1200 ? 1 : 1021) {
        const void *data = guarded_at(&guarded, n, true);
        XXH128_hash_t expected = XXH3_128bits(data, n);
        for (size_t build = 0; build < count; build++) {
            uint64_t hash[2];
            builds[build]->hash(hash, data, n);
            ck_assert_uint_eq(hash[0], expected.low64);
            ck_assert_uint_eq(hash[1], expected.high64);
        }
    }
    guarded_close(&guarded);
}
END_TEST

Suite *kernel_suite(void) {
    Suite *suite = suite_create("kernel");
    TCase *tests = tcase_create("kernel");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, maps_agree, 0, 2);
    tcase_add_loop_test(tests, maps_exist_for_every_mask, 0, 2);
    tcase_add_loop_test(tests, maps_work_in_place, 0, 2);
    tcase_add_loop_test(tests, reductions_agree, 0, 2);
    tcase_add_loop_test(tests, sums_are_right_and_do_not_depend_on_tiles, 0, 2);
    tcase_add_test(tests, reductions_treat_nan_as_they_say);
    tcase_add_test(tests, accumulators_add_up);
    tcase_add_loop_test(tests, rows_are_reduced_and_expanded, 0, 2);
    tcase_add_loop_test(tests, column_totals_are_folded_elementwise, 0, 2);
    tcase_add_loop_test(tests, ordered_keys_order, 0, 2);
    tcase_add_loop_test(tests, histograms_count_keys, 0, 2);
    tcase_add_loop_test(tests, brackets_count_and_keep, 0, 2);
    tcase_add_test(tests, a_build_can_be_chosen_by_name);
    tcase_add_loop_test(tests, positions_count_up, 0, 2);
    tcase_add_loop_test(tests, masks_are_read_from_any_element, 0, 2);
    tcase_add_test(tests, builds_draw_alike);
    tcase_add_loop_test(tests, pairs_are_compared, 0, 2);
    tcase_add_test(tests, hashes_are_those_of_the_library);
    suite_add_tcase(suite, tests);
    return suite;
}
