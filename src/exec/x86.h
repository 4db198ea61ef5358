/* Machine code of x86-64, as far as tile programs need it: 256-bit vectors of float (AVX2, F16C),
 * and the loop around them.
 *
 * Instructions are appended to an Assembler. Their names are those of the manufacturers' manuals
 * without the `v`; encodings are VEX with three bytes. General registers and vector registers are
 * numbers as in the encoding. */
#ifndef EXEC_X86_H
#define EXEC_X86_H

#include "base/vector.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    X86_RAX = 0,
    X86_RCX = 1,
    X86_RDX = 2,
    X86_RSI = 6,
    X86_RDI = 7,
    X86_R8 = 8,
    X86_R9 = 9, /* up to R11 a function may use them as it likes */
    X86_R11 = 11
};

/* Where the last operand of an instruction is. */
typedef enum X86Place {
    X86_VECTOR,  /* a vector register */
    X86_INDEXED, /* memory at base + r8 * scale + offset */
    X86_AT,      /* memory at base + offset */
    X86_CONSTANT /* eight times the 32-bit word `bits` */
} X86Place;

typedef struct X86Operand {
    X86Place place;
    uint8_t vector, base;
    uint8_t scale; /* 1, 2, 4 or 8 */
    int32_t offset;
    uint32_t bits;
} X86Operand;

/* X86_OP(enum, prefix: 0 none, 1 66, 2 F3, 3 F2; opcode map: 1 0F, 2 0F38, 3 0F3A; opcode) */
#define X86_OPS(X86_OP)                                                                            \
    X86_OP(ADDPS, 0, 1, 0x58)                                                                      \
    X86_OP(MULPS, 0, 1, 0x59)                                                                      \
    X86_OP(SUBPS, 0, 1, 0x5c)                                                                      \
    X86_OP(MINPS, 0, 1, 0x5d)                                                                      \
    X86_OP(DIVPS, 0, 1, 0x5e)                                                                      \
    X86_OP(MAXPS, 0, 1, 0x5f)                                                                      \
    X86_OP(SQRTPS, 0, 1, 0x51)                                                                     \
    X86_OP(ANDPS, 0, 1, 0x54)                                                                      \
    X86_OP(ORPS, 0, 1, 0x56)                                                                       \
    X86_OP(XORPS, 0, 1, 0x57)                                                                      \
    X86_OP(CMPPS, 0, 1, 0xc2)                                                                      \
    X86_OP(MOVUPS, 0, 1, 0x10)                                                                     \
    X86_OP(MOVUPS_STORE, 0, 1, 0x11)                                                               \
    X86_OP(MOVMSKPS, 0, 1, 0x50)                                                                   \
    X86_OP(PADDD, 1, 1, 0xfe)                                                                      \
    X86_OP(SHIFTD, 1, 1, 0x72)                                                                     \
    X86_OP(BROADCASTSS, 1, 2, 0x18)                                                                \
    X86_OP(CVTPH2PS, 1, 2, 0x13)                                                                   \
    X86_OP(PMOVZXWD, 1, 2, 0x33)                                                                   \
    X86_OP(PACKUSDW, 1, 2, 0x2b)                                                                   \
    X86_OP(CVTPS2PH, 1, 3, 0x1d)                                                                   \
    X86_OP(BLENDVPS, 1, 3, 0x4a)                                                                   \
    X86_OP(EXTRACTI128, 1, 3, 0x39)

typedef enum X86Op {
#define X86_OP(id, prefix, map, opcode) X86_##id,
    X86_OPS(X86_OP)
#undef X86_OP
} X86Op;

/* Comparisons of CMPPS; all of them quiet, and false for NaN where not said otherwise. */
enum {
    X86_EQ = 0x00,
    X86_UNORDERED = 0x03,
    X86_NE_OR_NAN = 0x04,
    X86_LT = 0x11,
    X86_LE = 0x12,
    X86_GE = 0x1d,
    X86_GT = 0x1e
};
/* SHIFTD has the direction where others have their result, which is in A. */
enum { X86_SHIFT_RIGHT = 2, X86_SHIFT_LEFT = 6 };

typedef struct X86Fixup {
    size_t at; /* of a displacement to a constant */
    size_t end;
    uint32_t bits;
} X86Fixup;

typedef struct Assembler {
    VECTOR(unsigned char) bytes;
    VECTOR(X86Fixup) fixups;
} Assembler;

void assembler_free(Assembler *assembler);

/* dst = op(a, b); A is 0 for what has one operand. A store has what it stores as DST and its
 * memory as B. */
void x86_emit(Assembler *assembler, X86Op op, uint8_t dst, uint8_t a, X86Operand b);
/* The same with an immediate byte: a comparison, a rounding, a mask's register times 16. */
void x86_emit_byte(Assembler *assembler, X86Op op, uint8_t dst, uint8_t a, X86Operand b,
                   uint8_t immediate);

X86Operand x86_vector(uint8_t vector);
X86Operand x86_constant(uint32_t bits);

/* dst = the pointer at base + offset */
void x86_load_pointer(Assembler *assembler, uint8_t dst, uint8_t base, int32_t offset);
/* r8 = 0 */
void x86_loop_begin(Assembler *assembler);
/* r8 += step; on from START while r8 < rcx */
void x86_loop_end(Assembler *assembler, size_t start, uint8_t step);
/* Ends the function, whose result is in eax, and puts the constants behind it. */
void x86_return(Assembler *assembler);

#endif
