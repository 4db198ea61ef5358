/* What `mecha info` finds out about a model before it tells it. */
#ifndef INFO_H
#define INFO_H

#include "base/vector.h"
#include "engine.h"
#include "tensor/reader.h"

/* A module of a network: what it does to one key of its base. */
typedef struct InfoModule {
    Text target;   /* the key, or where the base is not known the name of the module */
    Text type;     /* `LoRA`, `LoHa (Tucker)`, …, or `incomplete` */
    uint64_t rank; /* 0: no factor is factored, or not known */
    bool has_alpha;
    double alpha;
} InfoModule;

typedef VECTOR(InfoModule) InfoModules;

/* The modules of a network, in order of appearance; to be freed. */
InfoModules info_modules(Engine *engine, const Config *config, const Model *model);
/* `LoRA, rank 16, alpha 8` */
void info_module_words(const InfoModule *module, Builder *out);
/* Whether both are of one type, rank and alpha. */
bool info_module_alike(const InfoModule *a, const InfoModule *b);

/* How a model and its config fit. */
typedef struct InfoFit {
    const Config *config;  /* NULL: no config knows a tenth of the keys */
    KeyId *keys;           /* by tensor of the model: its key, or INDEX_NONE */
    bool *there;           /* by key of the config */
    const Config **others; /* of a network: those that know all of its keys as well */
    uint32_t n_others;
} InfoFit;

InfoFit info_fit(Engine *engine, const Model *model);
/* Whether a model has any key of a component. */
bool info_has_component(const InfoFit *fit, Text component);

#endif
