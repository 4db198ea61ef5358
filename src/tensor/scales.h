/* Weights in 8 bits that stand for others: each is to be multiplied by what stands beside it.
 *
 * ComfyUI writes `M.scale_weight` (and `M.scale_input`, for the activations that meet the weight,
 * and one `scaled_fp8` for all), or as compressed-tensors and others do `M.weight_scale` (and
 * `M.input_scale`). What belongs to a weight is no key by itself: nothing may be done with either
 * alone. */
#ifndef TENSOR_SCALES_H
#define TENSOR_SCALES_H

#include "base/map.h"
#include "tensor/reader.h"

/* Gives weights their scales (Tensor.scale), and marks what is no key (Tensor.is_scale). Whether
 * there are any. */
bool scales_link(const HashIndex *names, Tensor *tensors, size_t n);

/* Whether a weight with a scale is one that can be computed with: 8-bit floats, with a number for
 * all of it or one for each of its outputs. */
bool scale_is_known(const Tensor *weight);

/* Whether elements are numbers that can be computed with, times their scale where they have one. */
bool tensor_computes(const Tensor *tensor);

#endif
