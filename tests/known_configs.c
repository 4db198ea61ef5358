#include "known_configs.h"

#include "solve/conversion.h"

void known_configs_open(KnownConfigs *known) {
    known->arena = (Arena){0};
    known->diags = diags_new();
    known->library = library_new(&known->arena, known->diags);
    known->configs = configs_new(&known->arena, known->diags, known->library);
}

void known_configs_close(KnownConfigs *known) {
    configs_free(known->configs);
    library_free(known->library);
    diags_free(known->diags);
    arena_free(&known->arena);
}

bool known_conversion_is(const Definition *definition, Text from, Text to) {
    const Method *method = definition->method;
    return conversion_is_step(method) && text_equal(method->parameters[0].config, from) &&
           text_equal(method->config, to);
}
