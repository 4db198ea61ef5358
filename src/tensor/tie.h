/* What config.json says of tied weights: whether a language model's head is its embeddings. */
#ifndef TENSOR_TIE_H
#define TENSOR_TIE_H

#include "base/text.h"

typedef enum Tie { TIE_UNSAID, TIE_TIED, TIE_UNTIED } Tie;

/* By the config in a folder; an empty one has none. */
Tie tie_read(Text folder);
/* The text of a config with TIE in it; the rest stays as it is, letter for letter. */
void tie_write(Text config, Tie tie, Builder *out);

#endif
