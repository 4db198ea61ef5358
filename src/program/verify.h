/* Whether programs and passes keep their rules: for asserts between the rewrites, and for tests. */
#ifndef PROGRAM_VERIFY_H
#define PROGRAM_VERIFY_H

#include "program/pass.h"

/* False after saying in FAULT what is wrong with the first value that breaks a rule of program.h.
 */
bool verify_program(const Program *program, Builder *fault);

/* The same of passes: registers and uniforms are written before they are read, accesses stay within
 * their places, buffers are filled before they are loaded. LEAVES has the number of elements of
 * each leaf, KEY the shape of the key at hand where the passes serve any shape. */
bool verify_passes(const PassList *passes, const Shape *key, const uint64_t *leaves,
                   Builder *fault);

#endif
