#include "exec/x86.h"

#include <string.h>

enum { VECTOR_WORDS = 8 };

typedef struct Encoding {
    uint8_t prefix, map, opcode;
} Encoding;

static const Encoding encodings[] = {
#define X86_OP(id, prefix, map, opcode) {prefix, map, opcode},
    X86_OPS(X86_OP)
#undef X86_OP
};

void assembler_free(Assembler *assembler) {
    vector_free(&assembler->bytes);
    vector_free(&assembler->fixups);
}

X86Operand x86_vector(uint8_t vector) {
    return (X86Operand){.place = X86_VECTOR, .vector = vector};
}

X86Operand x86_constant(uint32_t bits) {
    return (X86Operand){.place = X86_CONSTANT, .bits = bits};
}

static void put(Assembler *assembler, uint8_t byte) {
    vector_push(&assembler->bytes, byte);
}

static void put_word(Assembler *assembler, uint32_t word) {
    for (unsigned shift = 0; shift < 32; shift += 8)
        put(assembler, (uint8_t)(word >> shift));
}

static void put_bytes(Assembler *assembler, const char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        put(assembler, (uint8_t)bytes[i]);
}
#define PUT(assembler, bytes) put_bytes(assembler, bytes, sizeof(bytes) - 1)

/* The VEX prefix: registers from 8 on have a bit here, inverted. */
static void put_vex(Assembler *assembler, Encoding encoding, uint8_t dst, uint8_t a, X86Operand b) {
    bool index = b.place == X86_INDEXED; /* it is r8 */
    bool high = b.place == X86_VECTOR ? b.vector >= 8 : b.place != X86_CONSTANT && b.base >= 8;
    put(assembler, 0xc4);
    put(assembler,
        (uint8_t)((dst < 8) << 7 | (uint8_t)!index << 6 | (uint8_t)!high << 5 | encoding.map));
    put(assembler, (uint8_t)((~a & 15) << 3 | 1 << 2 | encoding.prefix));
    put(assembler, encoding.opcode);
}

static void put_modrm(Assembler *assembler, unsigned mode, unsigned reg, unsigned rm) {
    put(assembler, (uint8_t)(mode << 6 | (reg & 7) << 3 | (rm & 7)));
}

/* N_AFTER bytes of the instruction follow the operand: addresses of constants count from its end.
 */
static void put_operand(Assembler *assembler, uint8_t reg, X86Operand b, size_t n_after) {
    enum { DIRECT = 3, WITH_OFFSET = 2, RELATIVE = 0, SIB = 4, NO_BASE = 5 };
    static const uint8_t log_scale[] = {[1] = 0, [2] = 1, [4] = 2, [8] = 3};
    if (b.place == X86_VECTOR) {
        put_modrm(assembler, DIRECT, reg, b.vector);
    } else if (b.place == X86_CONSTANT) {
        put_modrm(assembler, RELATIVE, reg, NO_BASE);
        size_t at = assembler->bytes.count;
        vector_push(&assembler->fixups, (X86Fixup){at, at + 4 + n_after, b.bits});
        put_word(assembler, 0);
    } else if (b.place == X86_AT) {
        put_modrm(assembler, WITH_OFFSET, reg, b.base);
        put_word(assembler, (uint32_t)b.offset);
    } else {
        put_modrm(assembler, WITH_OFFSET, reg, SIB);
        put_modrm(assembler, log_scale[b.scale], X86_R8, b.base);
        put_word(assembler, (uint32_t)b.offset);
    }
}

void x86_emit(Assembler *assembler, X86Op op, uint8_t dst, uint8_t a, X86Operand b) {
    put_vex(assembler, encodings[op], dst, a, b);
    put_operand(assembler, dst, b, 0);
}

void x86_emit_byte(Assembler *assembler, X86Op op, uint8_t dst, uint8_t a, X86Operand b,
                   uint8_t immediate) {
    put_vex(assembler, encodings[op], dst, a, b);
    put_operand(assembler, dst, b, 1);
    put(assembler, immediate);
}

void x86_load_pointer(Assembler *assembler, uint8_t dst, uint8_t base, int32_t offset) {
    put(assembler, dst < 8 ? 0x48 : 0x4c); /* mov dst, [base + offset] */
    put(assembler, 0x8b);
    put_operand(assembler, dst, (X86Operand){.place = X86_AT, .base = base, .offset = offset}, 0);
}

void x86_loop_begin(Assembler *assembler) {
    PUT(assembler, "\x45\x31\xc0"); /* xor r8d, r8d */
}

void x86_loop_end(Assembler *assembler, size_t start, uint8_t step) {
    PUT(assembler, "\x49\x83\xc0"); /* add r8, step */
    put(assembler, step);
    PUT(assembler, "\x49\x39\xc8\x0f\x82"); /* cmp r8, rcx; jb start */
    put_word(assembler, (uint32_t)(start - (assembler->bytes.count + 4)));
}

/* The place of a constant behind the code; equal ones are one. */
static size_t constant_place(Assembler *assembler, size_t constants, uint32_t bits) {
    size_t at = constants;
    for (; at < assembler->bytes.count; at += VECTOR_WORDS * sizeof bits)
        if (memcmp(&assembler->bytes.items[at], &bits, sizeof bits) == 0)
            return at;
    for (size_t i = 0; i < VECTOR_WORDS; i++)
        put_word(assembler, bits);
    return at;
}

void x86_return(Assembler *assembler) {
    PUT(assembler, "\xc5\xf8\x77\xc3"); /* vzeroupper; ret */
    while (assembler->bytes.count % 32 != 0)
        put(assembler, 0xcc);
    size_t constants = assembler->bytes.count;
    for (size_t i = 0; i < assembler->fixups.count; i++) {
        X86Fixup fixup = assembler->fixups.items[i];
        uint32_t distance =
            (uint32_t)(constant_place(assembler, constants, fixup.bits) - fixup.end);
        memcpy(&assembler->bytes.items[fixup.at], &distance, sizeof distance);
    }
    assembler->fixups.count = 0;
}
