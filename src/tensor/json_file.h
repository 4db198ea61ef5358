/* Reading what is written as JSON beside weights. */
#ifndef TENSOR_JSON_FILE_H
#define TENSOR_JSON_FILE_H

#include "base/arena.h"
#include "tensor/refuse.h"

#include <jansson.h>

/* The value in the regular file that the refusal names, which is a WHAT: `index of shards`. At most
 * LIMIT bytes: parsed, a hostile file takes thirty times that. NULL after a message. */
json_t *json_file_load(Arena *arena, size_t limit, const char *what, const Refusal *refusal);

#endif
