/* A folder that a test may fill, and files in it. Use scratch_make and scratch_remove as a checked
 * fixture. */
#ifndef SCRATCH_H
#define SCRATCH_H

#include "base/text.h"

void scratch_make(void);
void scratch_remove(void);

/* The path of NAME in the folder, in memory that lives as long as the test. */
const char *scratch_path(const char *name);

/* Writes a file; its path. */
const char *scratch_put(const char *name, Text data);

/* Writes a safetensors file with HEADER and DATA_SIZE bytes of data, 0, 1, 2, … modulo 251. */
const char *scratch_model(const char *name, Text header, size_t data_size);

/* What stands in the folder, sorted, each name followed by a space. */
const char *scratch_listing(void);

#endif
