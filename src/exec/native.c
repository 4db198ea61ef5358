#define _DEFAULT_SOURCE /* MAP_ANONYMOUS */
#include "exec/native.h"

#include "exec/x86.h"

#include <string.h>
#include <sys/mman.h>

enum {
    STRETCH_LEAST = 2, /* instructions: one alone is no faster than its kernel */
    STREAMS_MOST = 8,  /* leaves read side by side: processors read ahead of a few places only, and
                          each page takes one of few places, too */
    CODE_LIMIT = 1 << 12 /* instructions: finding next uses takes time with their square */
};

/* --- What can be part of a stretch ---------------------------------------------------------- */

static bool is_simple_op(OpCode op) {
    switch (op) {
    case OP_ADD:
    case OP_SUB:
    case OP_MUL:
    case OP_DIV:
    case OP_NEG:
    case OP_ABS:
    case OP_SIGN:
    case OP_MIN:
    case OP_MAX:
    case OP_SQRT:
    case OP_EQ:
    case OP_NE:
    case OP_LT:
    case OP_LE:
    case OP_AND:
    case OP_OR:
    case OP_NOT:
    case OP_ISNAN:
    case OP_ISFINITE:
    case OP_WHERE:
    case OP_LERP:
    case OP_ADDMUL:
    case OP_DISTANCE:
    case OP_THRESHOLD:
    case OP_FINITE_OR:
        return true;
    default:
        return false;
    }
}

static bool is_simple_access(const Access *access) {
    return access->contiguous && access->kind != PLACE_MASK &&
           (access->dtype == DTYPE_F16 || access->dtype == DTYPE_BF16 ||
            access->dtype == DTYPE_F32);
}

static bool is_native(const Pass *pass, const TileInstr *instr) {
    if (instr->row)
        return false;
    if (instr->op == TILE_MAP)
        return is_simple_op((OpCode)instr->detail);
    if (instr->op == TILE_LOAD)
        return is_simple_access(&pass->accesses[instr->index]);
    return instr->op == TILE_STORE && instr->uniform == 0 &&
           is_simple_access(&pass->accesses[instr->index]);
}

/* --- Uses ----------------------------------------------------------------------------------- */

enum { NEVER = UINT32_MAX };

static uint32_t count_sources(const Pass *pass, const TileInstr *instr) {
    switch ((TileOp)instr->op) {
    case TILE_MAP:
        return op_info[instr->detail].arity;
    case TILE_REDUCE:
    case TILE_COLUMN_REDUCE:
        return pass->reductions[instr->index].kind == REDUCE_DOT ? 2 : 1;
    case TILE_ROW_REDUCE:
        return instr->detail == REDUCE_DOT ? 2 : 1;
    case TILE_QUANTISE:
    case TILE_STORE:
    case TILE_SELECT:
        return 1;
    case TILE_LOAD:
    case TILE_COORDINATE:
    case TILE_RANDOM:
    case TILE_EXPAND: /* its source is a row register */
        return 0;
    }
    return 0;
}

static bool uses(const Pass *pass, const TileInstr *instr, uint32_t tile_register) {
    if (instr->row)
        return false;
    for (uint32_t i = 0; i < count_sources(pass, instr); i++)
        if ((instr->uniform >> i & 1) == 0 && instr->src[i] == tile_register)
            return true;
    return false;
}

static bool defines(const TileInstr *instr, uint32_t tile_register) {
    return !instr->row && instr->op != TILE_STORE && instr->op != TILE_REDUCE &&
           instr->op != TILE_COLUMN_REDUCE && instr->op != TILE_ROW_REDUCE &&
           instr->op != TILE_SELECT && instr->dst == tile_register;
}

/* --- A stretch in the making ---------------------------------------------------------------- */

enum {
    N_VALUES = 13, /* vector registers 0 to 12 hold values, */
    SCRATCH = 13,  /* two are for the time of an operation, */
    SCRATCH_TOO = 14,
    NOT_FINITE = 15, /* and one has NaN in it once a leaf was not finite */
    N_POINTERS = X86_R11 - X86_R9 + 1,
    UNIFORM = 1u << 31 /* marks a uniform slot where registers are numbered */
};

typedef struct Held {
    bool used;
    bool pinned;   /* by the instruction at hand */
    bool lasting;  /* in every turn of the loop */
    bool unsaved;  /* not in the tile's register */
    uint32_t name; /* the tile register, or UNIFORM and the slot */
} Held;

typedef struct Generator {
    Assembler assembler;
    const Pass *pass;
    const TileInstr *code;
    uint32_t n_code;
    uint32_t at, end; /* the instruction at hand, and the end of the stretch */
    size_t register_bytes;
    Held held[N_VALUES];
    uint32_t pointed[N_POINTERS]; /* accesses whose places are in registers from R9 on */
    uint32_t n_pointed;
} Generator;

/* The next instruction of the stretch that uses what is called NAME now. */
static uint32_t next_use(const Generator *generator, uint32_t name) {
    for (uint32_t i = generator->at + 1; i < generator->end; i++) {
        const TileInstr *instr = &generator->code[i];
        if (name >= UNIFORM) {
            for (uint32_t j = 0; j < count_sources(generator->pass, instr); j++)
                if ((instr->uniform >> j & 1) != 0 && instr->src[j] == name - UNIFORM)
                    return i;
            continue;
        }
        if (uses(generator->pass, instr, name))
            return i;
        if (defines(instr, name))
            return NEVER;
    }
    return NEVER;
}

/* Whether what NAME holds now is used after the stretch. */
static bool lives_on(const Generator *generator, uint32_t name) {
    for (uint32_t i = generator->at + 1; i < generator->n_code; i++) {
        if (i >= generator->end && uses(generator->pass, &generator->code[i], name))
            return true;
        if (defines(&generator->code[i], name))
            return false;
    }
    return false;
}

static X86Operand tile_register(const Generator *generator, uint32_t name) {
    return (X86Operand){.place = X86_INDEXED,
                        .base = X86_RSI,
                        .scale = sizeof(float),
                        .offset = (int32_t)(name * generator->register_bytes)};
}

static void save(Generator *generator, uint8_t vector) {
    x86_emit(&generator->assembler, X86_MOVUPS_STORE, vector, 0,
             tile_register(generator, generator->held[vector].name));
    generator->held[vector].unsaved = false;
}

/* A free vector register: where there is none, that of the value that is used last. */
static uint8_t take(Generator *generator) {
    uint8_t best = 0;
    uint32_t latest = 0;
    for (uint32_t i = 0; i < N_VALUES; i++) {
        if (!generator->held[i].used)
            return i;
        uint32_t use = next_use(generator, generator->held[i].name);
        if (!generator->held[i].pinned && use >= latest) {
            latest = use;
            best = i;
        }
    }
    if (generator->held[best].unsaved && latest != NEVER)
        save(generator, best);
    return best;
}

static uint8_t find(Generator *generator, uint32_t name) {
    for (uint32_t i = 0; i < N_VALUES; i++)
        if (generator->held[i].used && generator->held[i].name == name)
            return i;
    uint8_t vector = take(generator);
    X86Operand slot = {.place = X86_AT,
                       .base = X86_RDX,
                       .offset = (int32_t)((name & ~(uint32_t)UNIFORM) * sizeof(float))};
    if (name >= UNIFORM)
        x86_emit(&generator->assembler, X86_BROADCASTSS, vector, 0, slot);
    else
        x86_emit(&generator->assembler, X86_MOVUPS, vector, 0, tile_register(generator, name));
    generator->held[vector] = (Held){.used = true, .name = name};
    return vector;
}

static uint32_t source_name(const TileInstr *instr, uint32_t i) {
    return (instr->uniform >> i & 1) != 0 ? UNIFORM | instr->src[i] : instr->src[i];
}

/* Sources that are held stay so while the others are fetched. */
static void pin_sources(Generator *generator, const TileInstr *instr) {
    for (uint32_t i = 0; i < count_sources(generator->pass, instr); i++)
        for (uint32_t j = 0; j < N_VALUES; j++)
            if (generator->held[j].used && generator->held[j].name == source_name(instr, i))
                generator->held[j].pinned = true;
}

static uint8_t source(Generator *generator, const TileInstr *instr, uint32_t i) {
    uint8_t vector = find(generator, source_name(instr, i));
    generator->held[vector].pinned = true;
    return vector;
}

/* VECTOR is what the instruction at hand made. */
static void define(Generator *generator, uint8_t vector, uint32_t name) {
    for (uint32_t i = 0; i < N_VALUES; i++)
        if (generator->held[i].used && generator->held[i].name == name)
            generator->held[i].used = false;
    generator->held[vector] = (Held){.used = true, .unsaved = true, .name = name};
    if (lives_on(generator, name))
        save(generator, vector);
}

static void release(Generator *generator) {
    for (uint32_t i = 0; i < N_VALUES; i++) {
        Held *held = &generator->held[i];
        held->pinned = false;
        held->used = held->lasting || (held->used && next_use(generator, held->name) != NEVER);
    }
}

/* --- Instructions --------------------------------------------------------------------------- */

#define SIGN_BITS  x86_constant(0x80000000u)
#define OTHER_BITS x86_constant(0x7fffffffu)
#define ZERO       x86_constant(0)
#define ONE        x86_constant(0x3f800000u)
#define MINUS_ONE  x86_constant(0xbf800000u)
#define HALF       x86_constant(0x3f000000u)
#define LARGEST    x86_constant(0x7f7fffffu)
#define QUIET_NAN  x86_constant(0x7fc00000u)

static void emit(Generator *generator, X86Op op, uint8_t dst, uint8_t a, X86Operand b) {
    x86_emit(&generator->assembler, op, dst, a, b);
}

static void compare(Generator *generator, uint8_t dst, uint8_t a, X86Operand b, uint8_t how) {
    x86_emit_byte(&generator->assembler, X86_CMPPS, dst, a, b, how);
}

/* dst = b where the mask is set, else a */
static void blend(Generator *generator, uint8_t dst, uint8_t a, X86Operand b, uint8_t mask) {
    x86_emit_byte(&generator->assembler, X86_BLENDVPS, dst, a, b, (uint8_t)(mask << 4));
}

/* dst = 1 where the comparison holds, else 0 */
static void truth(Generator *generator, uint8_t dst, uint8_t a, X86Operand b, uint8_t how) {
    compare(generator, dst, a, b, how);
    emit(generator, X86_ANDPS, dst, dst, ONE);
}

/* dst = all bits where |a| compares so with the operand */
static void compare_size(Generator *generator, uint8_t dst, uint8_t a, X86Operand b, uint8_t how) {
    emit(generator, X86_ANDPS, dst, a, OTHER_BITS);
    compare(generator, dst, dst, b, how);
}

static void emit_sign(Generator *generator, uint8_t dst, uint8_t a) {
    emit(generator, X86_ADDPS, dst, a, ZERO);
    compare(generator, SCRATCH, a, ZERO, X86_GT);
    blend(generator, dst, dst, ONE, SCRATCH);
    compare(generator, SCRATCH, a, ZERO, X86_LT);
    blend(generator, dst, dst, MINUS_ONE, SCRATCH);
}

/* OP gives B where one of them is NaN: it should be A where that is one. */
static void emit_extreme(Generator *generator, X86Op op, uint8_t dst, uint8_t a, uint8_t b) {
    emit(generator, op, dst, a, x86_vector(b));
    compare(generator, SCRATCH, a, x86_vector(a), X86_UNORDERED);
    blend(generator, dst, dst, x86_vector(a), SCRATCH);
}

static void emit_both(Generator *generator, X86Op op, uint8_t dst, uint8_t a, uint8_t b) {
    compare(generator, dst, a, ZERO, X86_NE_OR_NAN);
    compare(generator, SCRATCH, b, ZERO, X86_NE_OR_NAN);
    emit(generator, op, dst, dst, x86_vector(SCRATCH));
    emit(generator, X86_ANDPS, dst, dst, ONE);
}

/* The same two ways as the kernel's. */
static void emit_lerp(Generator *generator, uint8_t dst, uint8_t a, uint8_t b, uint8_t c) {
    emit(generator, X86_SUBPS, SCRATCH, b, x86_vector(a));
    emit(generator, X86_MULPS, dst, c, x86_vector(SCRATCH));
    emit(generator, X86_ADDPS, dst, a, x86_vector(dst));
    emit(generator, X86_MOVUPS, SCRATCH_TOO, 0, ONE);
    emit(generator, X86_SUBPS, SCRATCH_TOO, SCRATCH_TOO, x86_vector(c));
    emit(generator, X86_MULPS, SCRATCH_TOO, SCRATCH, x86_vector(SCRATCH_TOO));
    emit(generator, X86_SUBPS, SCRATCH_TOO, b, x86_vector(SCRATCH_TOO));
    compare_size(generator, SCRATCH, c, HALF, X86_LT);
    blend(generator, dst, SCRATCH_TOO, x86_vector(dst), SCRATCH);
}

/* The formulas are those of kernel/body.h. DST is none of the operands. */
static void emit_op(Generator *generator, OpCode op, uint8_t dst, uint8_t a, uint8_t b, uint8_t c) {
    switch (op) {
    case OP_ADD:
        emit(generator, X86_ADDPS, dst, a, x86_vector(b));
        break;
    case OP_SUB:
        emit(generator, X86_SUBPS, dst, a, x86_vector(b));
        break;
    case OP_MUL:
        emit(generator, X86_MULPS, dst, a, x86_vector(b));
        break;
    case OP_DIV:
        emit(generator, X86_DIVPS, dst, a, x86_vector(b));
        break;
    case OP_NEG:
        emit(generator, X86_XORPS, dst, a, SIGN_BITS);
        break;
    case OP_ABS:
        emit(generator, X86_ANDPS, dst, a, OTHER_BITS);
        break;
    case OP_SIGN:
        emit_sign(generator, dst, a);
        break;
    case OP_MIN:
        emit_extreme(generator, X86_MINPS, dst, a, b);
        break;
    case OP_MAX:
        emit_extreme(generator, X86_MAXPS, dst, a, b);
        break;
    case OP_SQRT:
        emit(generator, X86_SQRTPS, dst, 0, x86_vector(a));
        break;
    case OP_EQ:
        truth(generator, dst, a, x86_vector(b), X86_EQ);
        break;
    case OP_NE:
        truth(generator, dst, a, x86_vector(b), X86_NE_OR_NAN);
        break;
    case OP_LT:
        truth(generator, dst, a, x86_vector(b), X86_LT);
        break;
    case OP_LE:
        truth(generator, dst, a, x86_vector(b), X86_LE);
        break;
    case OP_AND:
        emit_both(generator, X86_ANDPS, dst, a, b);
        break;
    case OP_OR:
        emit_both(generator, X86_ORPS, dst, a, b);
        break;
    case OP_NOT:
        truth(generator, dst, a, ZERO, X86_EQ);
        break;
    case OP_ISNAN:
        truth(generator, dst, a, x86_vector(a), X86_UNORDERED);
        break;
    case OP_ISFINITE:
        compare_size(generator, dst, a, LARGEST, X86_LE);
        emit(generator, X86_ANDPS, dst, dst, ONE);
        break;
    case OP_WHERE:
        compare(generator, SCRATCH, a, ZERO, X86_NE_OR_NAN);
        blend(generator, dst, c, x86_vector(b), SCRATCH);
        break;
    case OP_LERP:
        emit_lerp(generator, dst, a, b, c);
        break;
    case OP_ADDMUL:
        emit(generator, X86_MULPS, dst, b, x86_vector(c));
        emit(generator, X86_ADDPS, dst, a, x86_vector(dst));
        break;
    case OP_DISTANCE:
        emit(generator, X86_SUBPS, dst, a, x86_vector(b));
        emit(generator, X86_ANDPS, dst, dst, OTHER_BITS);
        break;
    case OP_THRESHOLD:
        compare_size(generator, dst, a, x86_vector(b), X86_GE);
        emit(generator, X86_ANDPS, dst, dst, x86_vector(a));
        break;
    case OP_FINITE_OR:
        compare_size(generator, SCRATCH, a, LARGEST, X86_LE);
        blend(generator, dst, b, x86_vector(a), SCRATCH);
        break;
    default: /* not simple */
        break;
    }
}

static void emit_map(Generator *generator, const TileInstr *instr) {
    uint8_t src[3] = {0};
    for (uint32_t i = 0; i < op_info[instr->detail].arity; i++)
        src[i] = source(generator, instr, i);
    uint8_t dst = take(generator);
    emit_op(generator, (OpCode)instr->detail, dst, src[0], src[1], src[2]);
    define(generator, dst, instr->dst);
}

static void load_place(Generator *generator, uint8_t to, uint32_t access) {
    x86_load_pointer(&generator->assembler, to, X86_RDI, (int32_t)(access * sizeof(void *)));
}

static uint32_t find_pointed(const Generator *generator, uint32_t access) {
    uint32_t i = 0;
    while (i < generator->n_pointed && generator->pointed[i] != access)
        i++;
    return i;
}

/* The places of the first few accesses of the stretch stay in registers. */
static void load_places(Generator *generator, uint32_t begin) {
    generator->n_pointed = 0;
    for (uint32_t i = begin; i < generator->end && generator->n_pointed < N_POINTERS; i++) {
        const TileInstr *instr = &generator->code[i];
        bool accesses = instr->op == TILE_LOAD || instr->op == TILE_STORE;
        if (!accesses || find_pointed(generator, instr->index) < generator->n_pointed)
            continue;
        load_place(generator, (uint8_t)(X86_R9 + generator->n_pointed), instr->index);
        generator->pointed[generator->n_pointed++] = instr->index;
    }
}

/* Notes the name among those that are there; false where there is no room for it. */
static bool note_name(uint32_t names[N_VALUES], uint32_t *n, uint32_t name) {
    for (uint32_t i = 0; i < *n; i++)
        if (names[i] == name)
            return true;
    if (*n == N_VALUES)
        return false;
    names[(*n)++] = name;
    return true;
}

/* What the stretch names, if there is a register for each. */
static bool find_names(const Generator *generator, uint32_t begin, uint32_t names[N_VALUES],
                       uint32_t *n) {
    *n = 0;
    for (uint32_t i = begin; i < generator->end; i++) {
        const TileInstr *instr = &generator->code[i];
        for (uint32_t j = 0; j < count_sources(generator->pass, instr); j++)
            if (!note_name(names, n, source_name(instr, j)))
                return false;
        if (instr->op != TILE_STORE && !note_name(names, n, instr->dst))
            return false;
    }
    /* An operation has its result beside what it replaces. */
    return *n < N_VALUES;
}

/* Where nothing ever makes room for something else, uniform values stay in registers. */
static void load_uniforms(Generator *generator, uint32_t begin) {
    uint32_t names[N_VALUES], n;
    bool fits = find_names(generator, begin, names, &n);
    for (uint32_t i = 0; fits && i < n; i++)
        if (names[i] >= UNIFORM)
            generator->held[find(generator, names[i])].lasting = true;
}

/* Where the elements of the access are. */
static X86Operand place(Generator *generator, uint32_t access, uint8_t size) {
    uint32_t i = find_pointed(generator, access);
    uint8_t base = i < generator->n_pointed ? (uint8_t)(X86_R9 + i) : X86_RAX;
    if (base == X86_RAX)
        load_place(generator, X86_RAX, access);
    return (X86Operand){.place = X86_INDEXED, .base = base, .scale = size};
}

static uint8_t stored_size(DType dtype) {
    return (uint8_t)(dtype_info[dtype].bits / 8);
}

static void emit_load(Generator *generator, const TileInstr *instr) {
    const Access *access = &generator->pass->accesses[instr->index];
    X86Operand from = place(generator, instr->index, stored_size(access->dtype));
    uint8_t dst = take(generator);
    if (access->dtype == DTYPE_F16) {
        emit(generator, X86_CVTPH2PS, dst, 0, from);
    } else if (access->dtype == DTYPE_F32) {
        emit(generator, X86_MOVUPS, dst, 0, from);
    } else {
        emit(generator, X86_PMOVZXWD, dst, 0, from);
        x86_emit_byte(&generator->assembler, X86_SHIFTD, X86_SHIFT_LEFT, dst, x86_vector(dst), 16);
    }
    if (access->kind == PLACE_LEAF) { /* x - x is 0, but NaN where x is not finite */
        emit(generator, X86_SUBPS, SCRATCH, dst, x86_vector(dst));
        emit(generator, X86_ORPS, NOT_FINITE, NOT_FINITE, x86_vector(SCRATCH));
    }
    define(generator, dst, instr->dst);
}

/* The upper halves, rounded to nearest even, side by side. */
static void emit_bf16(Generator *generator, X86Operand to) {
    Assembler *assembler = &generator->assembler;
    x86_emit_byte(assembler, X86_SHIFTD, X86_SHIFT_RIGHT, SCRATCH_TOO, x86_vector(SCRATCH), 16);
    emit(generator, X86_ANDPS, SCRATCH_TOO, SCRATCH_TOO, x86_constant(1));
    emit(generator, X86_PADDD, SCRATCH_TOO, SCRATCH_TOO, x86_constant(0x7fff));
    emit(generator, X86_PADDD, SCRATCH, SCRATCH, x86_vector(SCRATCH_TOO));
    x86_emit_byte(assembler, X86_SHIFTD, X86_SHIFT_RIGHT, SCRATCH, x86_vector(SCRATCH), 16);
    x86_emit_byte(assembler, X86_EXTRACTI128, SCRATCH, 0, x86_vector(SCRATCH_TOO), 1);
    emit(generator, X86_PACKUSDW, SCRATCH, SCRATCH, x86_vector(SCRATCH_TOO));
    x86_emit_byte(assembler, X86_EXTRACTI128, SCRATCH, 0, to, 0);
}

/* In files there is one NaN. */
static void emit_store(Generator *generator, const TileInstr *instr) {
    const Access *access = &generator->pass->accesses[instr->index];
    uint8_t src = source(generator, instr, 0);
    X86Operand to = place(generator, instr->index, stored_size(access->dtype));
    if (access->kind == PLACE_BUFFER) {
        emit(generator, X86_MOVUPS_STORE, src, 0, to);
        return;
    }
    compare(generator, SCRATCH, src, x86_vector(src), X86_UNORDERED);
    blend(generator, SCRATCH, src, QUIET_NAN, SCRATCH);
    if (access->dtype == DTYPE_F16)
        x86_emit_byte(&generator->assembler, X86_CVTPS2PH, SCRATCH, 0, to, 0);
    else if (access->dtype == DTYPE_F32)
        emit(generator, X86_MOVUPS_STORE, SCRATCH, 0, to);
    else
        emit_bf16(generator, to);
}

static void emit_instr(Generator *generator, const TileInstr *instr) {
    pin_sources(generator, instr);
    if (instr->op == TILE_MAP)
        emit_map(generator, instr);
    else if (instr->op == TILE_LOAD)
        emit_load(generator, instr);
    else
        emit_store(generator, instr);
    release(generator);
}

/* --- Stretches ------------------------------------------------------------------------------ */

static void emit_stretch(Generator *generator, uint32_t begin, uint32_t end) {
    Assembler *assembler = &generator->assembler;
    memset(generator->held, 0, sizeof generator->held);
    generator->end = end;
    load_places(generator, begin);
    load_uniforms(generator, begin);
    emit(generator, X86_XORPS, NOT_FINITE, NOT_FINITE, x86_vector(NOT_FINITE));
    x86_loop_begin(assembler);
    size_t start = assembler->bytes.count;
    for (generator->at = begin; generator->at < end; generator->at++)
        emit_instr(generator, &generator->code[generator->at]);
    x86_loop_end(assembler, start, NATIVE_WIDTH);
    compare(generator, NOT_FINITE, NOT_FINITE, x86_vector(NOT_FINITE), X86_UNORDERED);
    emit(generator, X86_MOVMSKPS, X86_RAX, 0, x86_vector(NOT_FINITE));
    x86_return(assembler);
}

/* Makes what was assembled executable, and never again writable. */
static bool make_executable(Native *native, const Assembler *assembler) {
    native->bytes = assembler->bytes.count;
    native->memory =
        mmap(NULL, native->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (native->memory == MAP_FAILED) {
        native->memory = NULL;
        return false;
    }
    memcpy(native->memory, assembler->bytes.items, native->bytes);
    return mprotect(native->memory, native->bytes, PROT_READ | PROT_EXEC) == 0;
}

typedef VECTOR(NativeStretch) Stretches;
typedef VECTOR(size_t) Entries;

static bool reads_leaf(const Pass *pass, const TileInstr *instr) {
    return instr->op == TILE_LOAD && pass->accesses[instr->index].kind == PLACE_LEAF;
}

/* Where the stretch ends that begins with an instruction. */
static uint32_t stretch_end(const Generator *generator, uint32_t begin) {
    uint32_t end = begin, streams = 0;
    for (; end < generator->n_code && is_native(generator->pass, &generator->code[end]); end++) {
        streams += reads_leaf(generator->pass, &generator->code[end]);
        if (streams > STREAMS_MOST)
            break;
    }
    return end;
}

static void find_stretches(Generator *generator, Stretches *stretches, Entries *entries) {
    for (uint32_t begin = 0; begin < generator->n_code;) {
        uint32_t end = stretch_end(generator, begin);
        if (end - begin >= STRETCH_LEAST) {
            vector_push(stretches, (NativeStretch){begin, end, NULL});
            vector_push(entries, generator->assembler.bytes.count);
            emit_stretch(generator, begin, end);
        }
        begin = end > begin ? end : begin + 1;
    }
}

static Native *native_finish(const Assembler *assembler, const Stretches *stretches,
                             const Entries *entries) {
    Native *native = memory_zeroed(sizeof *native);
    native->stretches = stretches->items;
    native->n_stretches = (uint32_t)stretches->count;
    if (!make_executable(native, assembler)) {
        native_free(native);
        return NULL;
    }
    for (uint32_t i = 0; i < native->n_stretches; i++) {
        unsigned char *entry = (unsigned char *)native->memory + entries->items[i];
        memcpy(&native->stretches[i].loop, &entry, sizeof entry);
    }
    return native;
}

Native *native_make(const Pass *pass, const TileInstr *code, uint32_t n_code,
                    size_t register_bytes) {
#ifndef __x86_64__
    n_code = 0;
#endif
    if (n_code == 0 || n_code > CODE_LIMIT || pass->n_registers * register_bytes > INT32_MAX)
        return NULL;
    Generator generator = {
        .pass = pass, .code = code, .n_code = n_code, .register_bytes = register_bytes};
    Stretches stretches = {0};
    Entries entries = {0};
    find_stretches(&generator, &stretches, &entries);
    Native *native = NULL;
    if (stretches.count > 0)
        native = native_finish(&generator.assembler, &stretches, &entries);
    assembler_free(&generator.assembler);
    vector_free(&entries);
    return native;
}

void native_free(Native *native) {
    if (native == NULL)
        return;
    if (native->memory != NULL)
        munmap(native->memory, native->bytes);
    free(native->stretches);
    free(native);
}

/* --- The cache ------------------------------------------------------------------------------ */

void native_cache_init(NativeCache *cache) {
    *cache = (NativeCache){0};
    pthread_mutex_init(&cache->lock, NULL);
}

void native_cache_free(NativeCache *cache) {
    for (size_t i = 0; i < cache->natives.count; i++)
        native_free(cache->natives.items[i]);
    vector_free(&cache->natives);
    vector_free(&cache->codes);
    index_free(&cache->index);
    pthread_mutex_destroy(&cache->lock);
}

static bool is_code(const void *context, const void *wanted, uint32_t item) {
    const NativeCache *cache = context;
    return cache->codes.items[item] == wanted;
}

const Native *native_cache_find(NativeCache *cache, const Pass *pass, const TileInstr *code,
                                uint32_t n_code, size_t register_bytes) {
    uint64_t hash = text_hash((Text){(const char *)&code, sizeof code});
    pthread_mutex_lock(&cache->lock);
    uint32_t item = index_find(&cache->index, hash, is_code, cache, code);
    if (item == INDEX_NONE) {
        item = (uint32_t)cache->codes.count;
        vector_push(&cache->codes, code);
        vector_push(&cache->natives, native_make(pass, code, n_code, register_bytes));
        index_add(&cache->index, hash, item);
    }
    const Native *native = cache->natives.items[item];
    pthread_mutex_unlock(&cache->lock);
    return native;
}
