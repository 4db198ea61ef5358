/* Sizes as people write them: `500M`, `1.5GiB`, `2GB`. */
#ifndef BASE_SIZE_H
#define BASE_SIZE_H

#include "base/text.h"

/* K, M, G, T and KiB, … are powers of 1024; KB, … of 1000. False where it is no size. */
bool size_parse(Text text, uint64_t *size);

#endif
