/* What a recipe is made from, read once: configs, and the headers of models. They outlive the
 * recipe, so that a conversion can be chosen while the recipe is elaborated. Recipes of one session
 * share their models (tensor/models.h). */
#ifndef SOLVE_SOURCES_H
#define SOLVE_SOURCES_H

#include "solve/configs.h"
#include "tensor/models.h"

typedef struct Sources Sources;

/* MODELS_DIRS are looked through in order, behind the folder of the recipe. */
Sources *sources_new(Arena *arena, Diags *diags, Library *library, const char *const *models_dirs,
                     size_t n_models_dirs);
void sources_free(Sources *sources); /* closes the models, but for shared ones */

/* From now on models are opened there. */
void sources_share(Sources *sources, Models *models);

Configs *sources_configs(Sources *sources);

/* Whether there is a file (or folder) where such a model is looked for. */
bool sources_has(Sources *sources, Text folder, Text name);
/* The model that a recipe in FOLDER calls by that name; NULL after an error at SPAN. */
const Model *sources_model(Sources *sources, Text folder, Text name, Span span);

#endif
