#include "tensor/scales.h"

#include "tensor/layout.h"

/* Beside `M.weight`: what it is multiplied by, and what else is about it. */
static const char *const scale_names[] = {"scale_weight", "weight_scale", "weight_scale_inv"};
static const char *const other_names[] = {"scale_input",    "input_scale",       "comfy_quant",
                                          "weight_scale_2", "weight_zero_point", "pre_quant_scale"};
enum {
    N_SCALES = sizeof scale_names / sizeof *scale_names,
    N_OTHERS = sizeof other_names / sizeof *other_names
};
static const Text weight_ending = {".weight", 7};
static const Text marker = {"scaled_fp8", 10};

typedef struct Linker {
    const HashIndex *names;
    Tensor *tensors;
    Builder name;
} Linker;

/* The tensor that is called NAME where the weight is called `weight`; NULL where there is none. */
static Tensor *find_beside(Linker *linker, const Tensor *weight, const char *name) {
    linker->name.size = 0;
    builder_add(&linker->name,
                (Text){weight->name.data, weight->name.size - weight_ending.size + 1});
    builder_add(&linker->name, text_from(name));
    uint32_t at = tensors_find(linker->names, linker->tensors, builder_view(&linker->name));
    return at != INDEX_NONE ? &linker->tensors[at] : NULL;
}

static bool link_weight(Linker *linker, Tensor *weight) {
    for (size_t i = 0; i < N_SCALES && weight->scale == NULL; i++)
        weight->scale = find_beside(linker, weight, scale_names[i]);
    if (weight->scale == NULL)
        return false;
    ((Tensor *)weight->scale)->is_scale = true;
    for (size_t i = 0; i < N_OTHERS; i++) {
        Tensor *other = find_beside(linker, weight, other_names[i]);
        if (other != NULL)
            other->is_scale = true;
    }
    return true;
}

static bool is_marker(Text name) {
    Text before = {name.data, name.size - marker.size};
    return text_ends(name, marker) && (before.size == 0 || text_ends(before, TEXT(".")));
}

/* Of all names only those of tensors of one byte an element are looked at. */
bool scales_link(const HashIndex *names, Tensor *tensors, size_t n) {
    Linker linker = {.names = names, .tensors = tensors};
    bool some = false;
    for (size_t i = 0; i < n; i++) {
        if (dtype_info[tensors[i].dtype].bits != 8 || tensors[i].dtype == DTYPE_BOOL)
            continue;
        tensors[i].is_scale |= is_marker(tensors[i].name);
        if (text_ends(tensors[i].name, weight_ending))
            some |= link_weight(&linker, &tensors[i]);
    }
    builder_free(&linker.name);
    return some;
}

/* Of numbers for each output, what follows the first dimension has one element. */
bool scale_is_known(const Tensor *weight) {
    const Tensor *scale = weight->scale;
    bool float8 = weight->dtype == DTYPE_F8_E4M3 || weight->dtype == DTYPE_F8_E5M2;
    bool outputs = scale->shape.rank > 0 && weight->shape.rank > 0 &&
                   scale->shape.dims[0] == weight->shape.dims[0] &&
                   scale->count == scale->shape.dims[0];
    return float8 && dtype_info[scale->dtype].kind == KIND_FLOAT && (scale->count == 1 || outputs);
}

bool tensor_computes(const Tensor *tensor) {
    return dtype_info[tensor->dtype].computes && (tensor->scale == NULL || scale_is_known(tensor));
}
