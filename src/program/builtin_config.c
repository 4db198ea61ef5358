/* The functions of the tensor language that ask what the architecture says of the key at hand. What
 * they answer decides the class of a key (program/lower.c), so they stand where that is looked for:
 * directly in the body of a merge method, or in a rule. */
#include "program/builtin.h"

static bool stands_directly(Call *call, const char *where) {
    if (call->lower->depth == 1)
        return true;
    lower_error(call->lower, call->ast->span, "'%.*s' stands %s itself, not in what it calls",
                TEXT_ARG(call->name), where);
    return false;
}

static const Config *config_here(const Lower *lower) {
    return lower->call == NODE_NONE
               ? NULL
               : lower->solved->domains[lower->solved->domain_of[lower->call]].config;
}

static Term unknown_component(Call *call, const Config *config, Text name) {
    lower_error(call->lower, call->ast->span, "'%.*s' has no component '%.*s'",
                TEXT_ARG(config->name), TEXT_ARG(text_printable(call->lower->arena, name)));
    Text nearest = nearest_name(name, config->components, config->n_components);
    if (nearest.size > 0)
        diag_note(call->lower->diags, call->ast->span, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return term_poison;
}

Term builtin_in_component(Call *call) {
    Lower *lower = call->lower;
    if (call->arguments[0].kind != TERM_STRING)
        return argument_wants(call, 0, "a string");
    if (!stands_directly(call, "in the body of a merge method"))
        return term_poison;
    const Config *config = config_here(lower);
    Text name = call->arguments[0].text;
    if (config == NULL && text_equal(name, TEXT("keys")))
        return term_bool(true);
    if (config == NULL)
        return lower_error(lower, call->ast->span,
                           "the components of this model are not known: all is of 'keys'");
    bool known = false;
    for (uint32_t i = 0; i < config->n_components; i++)
        known |= text_equal(config->components[i], name);
    if (!known)
        return unknown_component(call, config, name);
    const ConfigKey *key = solved_config_key(lower->solved, lower->call, lower->key);
    return term_bool(key != NULL && text_equal(key->component, name));
}

Term builtin_target_shape(Call *call) {
    Lower *lower = call->lower;
    if (!stands_directly(call, "in a rule of a conversion"))
        return term_poison;
    const ConfigKey *key = config_here(lower) != NULL
                               ? solved_config_key(lower->solved, lower->call, lower->key)
                               : NULL;
    if (lower->rule == NULL)
        return lower_error(lower, call->ast->span, "'target_shape' stands in rules of conversions");
    if (key == NULL || key->shape == NULL)
        return term_null;
    Term items[SHAPE_LIMIT];
    for (uint32_t i = 0; i < key->shape->rank; i++)
        items[i] = term_number((double)key->shape->dims[i], NUMBER_INT);
    return term_list(lower, items, key->shape->rank);
}
