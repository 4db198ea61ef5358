/* The 22 dtypes of safetensors: names, sizes, kinds. */
#ifndef TENSOR_DTYPE_H
#define TENSOR_DTYPE_H

#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

typedef enum DType {
#define DTYPE(id, file, name, torch, bits, kind, computes) DTYPE_##id,
#include "tensor/dtype.def"
#undef DTYPE
    DTYPE_COUNT,
    DTYPE_NONE = DTYPE_COUNT /* unknown, or "auto" */
} DType;

typedef enum DTypeKind {
    KIND_FLOAT,
    KIND_SIGNED,
    KIND_UNSIGNED,
    KIND_BOOLEAN,
    KIND_COMPLEX,
    KIND_OTHER
} DTypeKind;

typedef struct DTypeInfo {
    Text file_name;  /* `BF16` */
    Text name;       /* `bf16` */
    Text torch_name; /* `bfloat16` */
    unsigned bits;
    DTypeKind kind;
    bool computes;
} DTypeInfo;

extern const DTypeInfo dtype_info[DTYPE_COUNT];

/* The dtype of that name in a file, exactly; DTYPE_NONE if there is none. */
DType dtype_from_file(Text name);
/* The dtype of that short or torch name; DTYPE_NONE if there is none. */
DType dtype_from_name(Text name);
/* Every short and torch name, for suggestions. */
const Text *dtype_names(size_t *count);

/* Bytes of COUNT elements. False where that overflows or is no whole number of bytes. */
bool dtype_bytes(DType dtype, uint64_t count, uint64_t *bytes);

#endif
