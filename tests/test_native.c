/* Machine code against the kernels, to the bit. */
#include "exec/native.h"

#include "test_kernel.h"
#include "tests.h"

#include <string.h>

enum {
    N = 8 * NATIVE_WIDTH, /* elements of a tile */
    REGISTER_BYTES = N * sizeof(float) + 128,
    REGISTERS = 24,
    UNIFORMS = 4,
    ACCESSES = 6,
    CODE = 80
};

/* A tile's memory, and a pass over it. */
typedef struct Bench {
    Pass pass;
    Access accesses[ACCESSES];
    TileInstr code[CODE];
    Reduction reductions[1];
    _Alignas(64) unsigned char registers[REGISTERS * REGISTER_BYTES];
    float uniforms[UNIFORMS];
    unsigned char places[ACCESSES][N * sizeof(float)];
    bool not_finite;
} Bench;

static const DType stored_types[] = {DTYPE_F16, DTYPE_BF16, DTYPE_F32};

static float *register_of(Bench *bench, uint32_t i) {
    return (float *)(void *)(bench->registers + i * REGISTER_BYTES);
}

/* Accesses 0 to 2 are leaves, 3 and 4 outputs, 5 a buffer. */
static void bench_init(Bench *bench, uint64_t *state) {
    const KernelTable *table = kernels_best()->table[COMPUTE_F32];
    memset(bench, 0, sizeof *bench);
    for (uint32_t i = 0; i < ACCESSES; i++) {
        float numbers[N];
        DType dtype = i == 5 ? DTYPE_F32 : stored_types[test_random(state) % 3];
        bench->accesses[i] = (Access){.kind = i < 3   ? PLACE_LEAF
                                              : i < 5 ? PLACE_OUTPUT
                                                      : PLACE_BUFFER,
                                      .dtype = dtype,
                                      .contiguous = true};
        real_fill(COMPUTE_F32, numbers, N, state);
        table->store[dtype](bench->places[i], numbers, N);
    }
    for (uint32_t i = 0; i < REGISTERS; i++)
        real_fill(COMPUTE_F32, register_of(bench, i), N, state);
    real_fill(COMPUTE_F32, bench->uniforms, UNIFORMS, state);
    bench->pass = (Pass){.accesses = bench->accesses,
                         .n_accesses = ACCESSES,
                         .code = bench->code,
                         .n_registers = REGISTERS,
                         .reductions = bench->reductions};
}

/* What the kernels make of an instruction. */
static void interpret(Bench *bench, const TileInstr *instr, size_t n) {
    const Kernels *kernels = kernels_best();
    const KernelTable *table = kernels->table[COMPUTE_F32];
    const void *src[3] = {NULL, NULL, NULL};
    for (unsigned i = 0; i < 3; i++)
        src[i] = instr->uniform >> i & 1 ? (void *)&bench->uniforms[instr->src[i]]
                                         : (void *)register_of(bench, instr->src[i]);
    const Access *access = &bench->accesses[instr->index];
    void *place = bench->places[instr->index];
    if (instr->op == TILE_MAP)
        table->map[instr->detail][instr->uniform](register_of(bench, instr->dst), src[0], src[1],
                                                  src[2], n);
    else if (instr->op == TILE_LOAD)
        bench->not_finite |=
            !table->load[access->dtype](register_of(bench, instr->dst), place, n) &&
            access->kind == PLACE_LEAF;
    else if (access->kind == PLACE_BUFFER)
        memcpy(place, src[0], n * sizeof(float));
    else
        table->store[access->dtype](place, src[0], n);
}

static void run_native(Bench *bench, const Native *native, uint32_t n_code) {
    void *places[ACCESSES];
    for (uint32_t i = 0; i < ACCESSES; i++)
        places[i] = bench->places[i];
    uint32_t at = 0;
    for (uint32_t i = 0; i <= native->n_stretches; i++) {
        const NativeStretch *stretch = i < native->n_stretches ? &native->stretches[i] : NULL;
        for (; at < (stretch == NULL ? n_code : stretch->begin); at++)
            interpret(bench, &bench->code[at], N);
        if (stretch == NULL)
            return;
        bench->not_finite |= stretch->loop(places, bench->registers, bench->uniforms, N) != 0;
        at = stretch->end;
    }
}

static void check_code(Bench *bench, uint32_t n_code, uint64_t seed) {
    static Bench other;
    Native *native = native_make(&bench->pass, bench->code, n_code, REGISTER_BYTES);
    CHECK(native != NULL, "no machine code for seed %llu", (unsigned long long)seed);
    other = *bench;
    for (uint32_t i = 0; i < n_code; i++)
        interpret(&other, &bench->code[i], N);
    run_native(bench, native, n_code);
    for (uint32_t i = 3; i < 5; i++)
        CHECK(memcmp(bench->places[i], other.places[i], sizeof bench->places[i]) == 0,
              "output %u, seed %llu", i, (unsigned long long)seed);
    CHECK(reals_equal(COMPUTE_F32, bench->places[5], other.places[5], N), "buffer, seed %llu",
          (unsigned long long)seed);
    CHECK(bench->not_finite == other.not_finite, "finite, seed %llu", (unsigned long long)seed);
    native_free(native);
}

static bool has_native(void) {
    return kernels_best()->native;
}

/* Whether the operation has machine code. */
static bool check_op(OpCode op, unsigned uniform, uint64_t seed) {
    static Bench bench;
    uint64_t state = seed;
    bench_init(&bench, &state);
    unsigned arity = op_info[op].arity;
    for (unsigned i = 0; i < arity; i++)
        bench.code[i] = (TileInstr){.op = TILE_LOAD, .dst = i, .index = i};
    bench.code[arity] = (TileInstr){.op = TILE_MAP,
                                    .detail = (uint8_t)op,
                                    .uniform = (uint8_t)uniform,
                                    .dst = 5,
                                    .src = {0, 1, 2}};
    bench.code[arity + 1] = (TileInstr){.op = TILE_STORE, .src = {5}, .index = 3 + seed % 3};
    Native *native = native_make(&bench.pass, bench.code, arity + 2, REGISTER_BYTES);
    bool whole = native != NULL && native->stretches[0].end == arity + 2;
    native_free(native);
    if (whole)
        check_code(&bench, arity + 2, seed);
    return whole;
}

START_TEST(operations_have_the_bits_of_the_kernels) {
    if (!has_native())
        return;
    unsigned n_native = 0;
    for (OpCode op = 0; op < OP_COUNT; op++) {
        bool native = true;
        for (unsigned uniform = 0; uniform < 8; uniform++)
            for (uint64_t seed = 1; seed < 40; seed++)
                if (kernels_best()->table[COMPUTE_F32]->map[op][uniform] != NULL)
                    native &= check_op(op, uniform, seed);
        n_native += native;
    }
    ck_assert_uint_ge(n_native, 25);
}
END_TEST

/* Any of the first 16 operations but those that take long, or a choice. */
/* Of so many registers. */
static TileInstr random_instr(uint64_t *state, uint32_t registers) {
    static const OpCode ops[] = {OP_ADD,      OP_SUB,  OP_MUL,  OP_DIV,   OP_MIN,
                                 OP_SIGN,     OP_ABS,  OP_LERP, OP_WHERE, OP_ADDMUL,
                                 OP_DISTANCE, OP_SQRT, OP_EXP,  OP_EQ};
    uint64_t random = test_random(state);
    unsigned kind = random % 12;
    TileInstr instr = {.dst = (uint32_t)(random >> 8) % registers};
    for (unsigned i = 0; i < 3; i++)
        instr.src[i] = (uint32_t)(random >> (16 + 8 * i)) % registers;
    if (kind == 0)
        instr.op = TILE_LOAD, instr.index = (uint32_t)(random >> 40) % 3;
    else if (kind == 1)
        instr.op = TILE_STORE, instr.index = 3 + (uint32_t)(random >> 40) % 3;
    else {
        instr.op = TILE_MAP;
        instr.detail = (uint8_t)ops[(random >> 40) % (sizeof ops / sizeof *ops)];
        if (kind < 5 && op_info[instr.detail].arity > 1)
            instr.uniform = 2, instr.src[1] %= UNIFORMS;
    }
    return instr;
}

/* Fewer registers than the CPU has, just as many, and more; and stretches with something between
 * them. */
START_TEST(long_code_has_the_bits_of_the_kernels) {
    static Bench bench;
    if (!has_native())
        return;
    for (uint64_t seed = 1; seed <= 2000; seed++) {
        uint64_t state = seed;
        bench_init(&bench, &state);
        uint32_t registers = 4 + (uint32_t)(seed % (REGISTERS - 3));
        uint32_t n = 5 + (uint32_t)(test_random(&state) % (CODE - 10));
        for (uint32_t i = 0; i < n; i++)
            bench.code[i] = random_instr(&state, registers);
        for (uint32_t i = 0; i < 3; i++)
            bench.code[n++] =
                (TileInstr){.op = TILE_STORE, .src = {i * 7 % registers}, .index = 3 + i};
        check_code(&bench, n, seed);
    }
}
END_TEST

START_TEST(what_is_not_simple_is_left_to_the_kernels) {
    static Bench bench;
    uint64_t state = 1;
    bench_init(&bench, &state);
    bench.code[0] = (TileInstr){.op = TILE_LOAD, .dst = 0, .index = 0};
    bench.code[1] = (TileInstr){.op = TILE_MAP, .detail = OP_EXP, .dst = 1};
    bench.code[2] = (TileInstr){.op = TILE_STORE, .src = {1}, .index = 3};
    ck_assert_ptr_null(native_make(&bench.pass, bench.code, 3, REGISTER_BYTES));
    bench.accesses[0].contiguous = false;
    bench.code[1].detail = OP_ABS;
    if (!has_native())
        return;
    Native *native = native_make(&bench.pass, bench.code, 3, REGISTER_BYTES);
    ck_assert_uint_eq(native->n_stretches, 1);
    ck_assert_uint_eq(native->stretches[0].begin, 1);
    ck_assert_uint_eq(native->stretches[0].end, 3);
    native_free(native);
}
END_TEST

Suite *native_suite(void) {
    Suite *suite = suite_create("native");
    TCase *tests = tcase_create("native");
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, operations_have_the_bits_of_the_kernels);
    tcase_add_test(tests, long_code_has_the_bits_of_the_kernels);
    tcase_add_test(tests, what_is_not_simple_is_left_to_the_kernels);
    suite_add_tcase(suite, tests);
    return suite;
}
