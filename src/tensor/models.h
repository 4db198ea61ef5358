/* Models that stay open from one recipe to the next: in a session a hundred headers are read once.
 * What changed on the disk is opened again. */
#ifndef TENSOR_MODELS_H
#define TENSOR_MODELS_H

#include "tensor/reader.h"

typedef struct Models Models;

Models *models_new(void);
void models_free(Models *models); /* closes them */

/* Closes those that changed; nothing may use them any more. */
void models_refresh(Models *models);

/* As model_open, but the model may be open already, and stays so. */
const Model *models_open(Models *models, Text path, Diags *diags, Span span);

/* Those that are open, in the order of opening. */
const Model *const *models_list(const Models *models, size_t *count);

#endif
