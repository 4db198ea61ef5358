/* Fourier transforms of real tensors in any number of dimensions and of any size, in f32, by
 * kissfft.
 *
 * A spectrum is that of torch.fft.rfftn: complex numbers, row-major, over the shape of the tensor
 * with its last dimension n cut to n / 2 + 1. Sizes with large prime factors go through Bluestein's
 * algorithm, so that the time is of order n log n for every n. */
#ifndef WHOLE_FOURIER_H
#define WHOLE_FOURIER_H

#include "tensor/shape.h"
#include "whole/workspace.h"

#include <stdbool.h>

typedef struct Complex {
    float re, im;
} Complex;

enum { FOURIER_LIMIT = 1 << 28 }; /* elements of a dimension */

/* Whether a tensor of that shape can be transformed: it has dimensions, none of them empty or
 * beyond FOURIER_LIMIT. */
bool fourier_fits(const Shape *shape);

/* How many complex numbers a spectrum holds. */
size_t fourier_count(const Shape *shape);

/* What either transform takes from the workspace. */
size_t fourier_bytes(const Shape *shape);

/* Not scaled. */
void fourier_forward(Complex *spectrum, const float *values, const Shape *shape,
                     Workspace *workspace);

/* The inverse of fourier_forward, scaled by one over the number of elements. Of what must be real
 * in the spectrum of real values, along the last dimension, the imaginary part is ignored. SPECTRUM
 * is overwritten. */
void fourier_inverse(float *values, Complex *spectrum, const Shape *shape, Workspace *workspace);

#endif
