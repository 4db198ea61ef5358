/* What programs need to know of the primitives that hold whole tensors (the table is whole.def).
 *
 *     operands                parts               parameters
 *     MATMUL a b              product             1 where a, b is to be transposed, or none
 *     QR a                    q r
 *     SVD a                   u s vt
 *     EIGEN a                 values vectors      (a vector is a row)
 *     POLAR a                 q
 *     ORIENTATION a           sign                (of shape [])
 *     INVERSE a               inverse
 *     SOLVE a b               x                   (a x = b)
 *     ASSIGNMENT scores       columns
 *     MATRIX_POWER a          power               the exponent, whole
 *     MATRIX_EXP a            power
 *     ROTATION_POWER q        power               the exponent
 *     ROTATION_LOG q          logarithm
 *     FRAME_LOG from to       tangent             tolerance, steps
 *     FRAME_EXP from tangent  frame
 *     RFFTN x                 real imaginary
 *     IRFFTN real imaginary   values              their last dimension
 *     SORT x                  values
 *     ARGSORT x               indices
 *     RANK x                  places
 *     GATHER values indices   values
 *     TORCH_BERNOULLI p …     a mask each         seed, draws of f64, the elements of each mask
 *     TORCH_NORMAL            numbers             seed, draws of f64, elements
 *     TORCH_PERMUTATION       indices             seed, elements
 *     NUMPY_BINOMIAL          masks               seed, keep, the number of masks, their elements
 *     NUMPY_CHOICE            indices             seed, how many indices, the probability of each
 *
 * Draws have the shapes of what they make as further parameters: rank and dimensions of each.
 */
#ifndef PROGRAM_WHOLE_H
#define PROGRAM_WHOLE_H

#include "program/program.h"

/* Bytes that a call holds while it runs, besides its operands and results, which are contiguous
 * buffers of the compute type. */
uint64_t whole_scratch(WholeOp op, Compute compute, const Shape *const *inputs, uint32_t n_inputs,
                       const double *parameters, uint32_t n_parameters);

#endif
