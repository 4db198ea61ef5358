/* The keys of networks: a few for each module, whose name is made from the key of its weight in the
 * base. What a file calls a key is taken apart by what stands around that name. */
#include "solve/config_parts.h"
#include "solve/structure.h"

#include <string.h>

Network *network_new(Arena *arena, Text base) {
    Network *network = arena_new(arena, Network);
    network->base_name = base;
    return network;
}

void network_free(Network *network) {
    if (network == NULL)
        return;
    for (size_t i = 0; i < network->namings.count; i++) {
        vector_free(&network->namings.items[i].names);
        index_free(&network->namings.items[i].index);
    }
    vector_free(&network->namings);
    for (size_t i = 0; i < network->sieve.ends.count; i++)
        vector_free(&network->sieve.ends.items[i].forms);
    vector_free(&network->sieve.ends);
    vector_free(&network->sieve.others);
    index_free(&network->sieve.index);
    vector_free(&network->collected);
}

/* ---- what is read ---- */

static uint32_t find_naming(Network *network, Text dots) {
    for (uint32_t i = 0; i < network->namings.count; i++)
        if (text_equal(network->namings.items[i].dots, dots))
            return i;
    vector_push(&network->namings, (ModuleNaming){.dots = dots});
    return (uint32_t)network->namings.count - 1;
}

/* A name with a module marked in it. */
static bool read_form(Network *network, Text name, NetworkForm *form) {
    const char *mark = memchr(name.data, MODULE_MARK, name.size);
    size_t before = mark != NULL ? (size_t)(mark - name.data) : name.size;
    const char *end = mark != NULL ? memchr(mark + 1, MODULE_MARK, name.size - before - 1) : NULL;
    if (end == NULL)
        return false;
    Text dots = {mark + 1, (size_t)(end - mark) - 1};
    *form = (NetworkForm){.before = {name.data, before},
                          .after = {end + 1, name.size - before - dots.size - 2},
                          .naming = find_naming(network, dots)};
    return true;
}

bool network_add_key(Arena *arena, Network *network, ModuleKind modules, const ConfigKey *key) {
    NetworkKey added = {.modules = modules, .key = *key, .n_forms = key->n_aliases + 1};
    added.forms = arena_array(arena, NetworkForm, added.n_forms);
    for (uint32_t i = 0; i < added.n_forms; i++)
        if (!read_form(network, i == 0 ? key->name : key->aliases[i - 1], &added.forms[i]))
            return false;
    vector_push(&network->collected, added);
    return true;
}

/* ---- modules ---- */

/* Networks change weights: floating-point tensors, biases left out. */
static bool is_module(const ConfigKey *key, ModuleKind *kind) {
    if (text_ends(key->name, TEXT("bias")) || (key->shape != NULL && key->shape->rank == 0) ||
        (key->dtype != DTYPE_NONE && dtype_info[key->dtype].kind != KIND_FLOAT))
        return false;
    *kind = key->shape != NULL && key->shape->rank == 1 ? MODULE_VECTOR : MODULE_MATRIX;
    return (*kind == MODULE_MATRIX && key->shape != NULL) || text_ends(key->name, TEXT(".weight"));
}

static Text without_weight(Text key) {
    if (text_ends(key, TEXT(".weight")))
        key.size -= TEXT(".weight").size;
    return key;
}

static bool same_module(const void *context, const void *wanted, uint32_t item) {
    const ModuleNaming *naming = context;
    return text_equal(naming->names.items[item].text, *(const Text *)wanted);
}

static uint32_t find_hashed(const ModuleNaming *naming, Text name, uint64_t hash) {
    uint32_t at = index_find(&naming->index, hash, same_module, naming, &name);
    return at == INDEX_NONE ? INDEX_NONE : naming->names.items[at].module;
}

static uint32_t find_module(const ModuleNaming *naming, Text name) {
    return find_hashed(naming, name, text_hash(name));
}

static const ConfigKey *module_base(const Network *network, uint32_t module) {
    return &network->base->keys[network->modules[module].base];
}

/* Two weights may not have one name: what is for either would be a guess. */
static bool add_module_name(const Network *network, ModuleNaming *naming, uint32_t module,
                            Text key) {
    Text name = structure_undot(configs_arena(network->configs), without_weight(key), naming->dots);
    uint64_t hash = text_hash(name);
    uint32_t other = find_hashed(naming, name, hash);
    if (other != INDEX_NONE && other != module) {
        diag_error(network->diags, network->config->span,
                   "'%.*s' is the name of two modules: of '%.*s' and '%.*s'", TEXT_ARG(name),
                   TEXT_ARG(module_base(network, other)->name),
                   TEXT_ARG(module_base(network, module)->name));
        return false;
    }
    index_add(&naming->index, hash, (uint32_t)naming->names.count);
    vector_push(&naming->names, (ModuleName){name, module});
    return true;
}

static void name_modules(const Network *network, ModuleNaming *naming) {
    bool ok = true;
    for (uint32_t m = 0; m < network->n_modules && ok; m++)
        ok = add_module_name(network, naming, m, module_base(network, m)->name);
    for (uint32_t m = 0; m < network->n_modules && ok; m++)
        for (uint32_t i = 0; i < module_base(network, m)->n_aliases && ok; i++)
            ok = add_module_name(network, naming, m, module_base(network, m)->aliases[i]);
}

/* There are many namings, of which a recipe meets few. */
static const ModuleNaming *find_names(const Network *network, uint32_t naming) {
    ModuleNaming *found = &network->namings.items[naming];
    if (!found->made)
        name_modules(network, found);
    found->made = true;
    return found;
}

/* ---- the sieve ---- */

static bool same_end(const void *context, const void *wanted, uint32_t item) {
    const NetworkSieve *sieve = context;
    return text_equal(sieve->ends.items[item].text, *(const Text *)wanted);
}

static uint32_t find_end(const NetworkSieve *sieve, Text end) {
    return index_find(&sieve->index, text_hash(end), same_end, sieve, &end);
}

static NetworkEnd *add_end(NetworkSieve *sieve, Text end) {
    uint32_t dots = 0, known = find_end(sieve, end);
    for (size_t i = 0; i < end.size; i++)
        dots += end.data[i] == '.';
    sieve->most_dots = dots > sieve->most_dots ? dots : sieve->most_dots;
    if (known != INDEX_NONE)
        return &sieve->ends.items[known];
    index_add(&sieve->index, text_hash(end), (uint32_t)sieve->ends.count);
    vector_push(&sieve->ends, (NetworkEnd){.text = end});
    return &sieve->ends.items[sieve->ends.count - 1];
}

static void sieve_add(NetworkSieve *sieve, const NetworkForm *form, FormPlace place) {
    bool dotted = form->after.size > 0 && form->after.data[0] == '.';
    if (dotted) {
        NetworkEnd *end = add_end(sieve, form->after);
        vector_push(&end->forms, place);
    } else {
        vector_push(&sieve->others, place);
    }
    if (form->before.size > 0)
        sieve->letters[dotted].is[(unsigned char)form->before.data[0]] = true;
    else
        sieve->letters[dotted].any = true;
}

static bool may_begin(const NetworkSieve *sieve, bool dotted, Text name) {
    return sieve->letters[dotted].any || sieve->letters[dotted].is[(unsigned char)name.data[0]];
}

static void read_modules(Network *network) {
    const Config *base = network->base;
    network->modules =
        arena_array(configs_arena(network->configs), NetworkModule, base->n_keys + 1);
    for (KeyId key = 0; key < base->n_keys; key++) {
        ModuleKind kind;
        if (is_module(&base->keys[key], &kind))
            network->modules[network->n_modules++] = (NetworkModule){kind, key};
    }
    ((Config *)network->config)->components = base->components;
    ((Config *)network->config)->n_components = base->n_components;
}

/* Most networks are out of the question before their base has to be read. */
static void open_base(const Network *closed) {
    Network *network = closed->config->parts->network;
    if (network->opened || network->base_name.size == 0)
        return;
    network->opened = true;
    const Config *base = configs_find(network->configs, network->base_name);
    if (base == NULL)
        configs_unknown(network->configs, network->base_name, network->config->span);
    else if (config_is_network(base))
        diag_error(network->diags, network->config->span, "'%.*s' has no modules of its own",
                   TEXT_ARG(network->base_name));
    else
        network->base = base;
    if (network->base != NULL)
        read_modules(network);
}

bool network_finish(Configs *configs, Diags *diags, const Config *config, bool at_once) {
    Network *network = config->parts->network;
    size_t errors = diag_errors(diags);
    network->configs = configs;
    network->diags = diags;
    network->config = config;
    network->n_keys = (uint32_t)network->collected.count;
    network->keys = network->collected.items;
    for (uint32_t i = 0; i < network->n_keys; i++)
        for (uint32_t f = 0; f < network->keys[i].n_forms; f++)
            sieve_add(&network->sieve, &network->keys[i].forms[f], (FormPlace){i, f});
    if (at_once)
        open_base(network);
    for (uint32_t i = 0; i < network->namings.count && at_once; i++)
        find_names(network, i);
    return diag_errors(diags) == errors;
}

/* ---- keys ---- */

/* What the name of a key was found to be. */
typedef struct NetworkMatch {
    const NetworkKey *key;
    const NetworkForm *form;
    Text name;       /* of the module, as written */
    uint32_t module; /* INDEX_NONE in networks for any model */
} NetworkMatch;

static bool match_form(const Network *network, Text name, FormPlace place, NetworkMatch *match) {
    const NetworkKey *key = &network->keys[place.key];
    const NetworkForm *form = &key->forms[place.form];
    if (name.size <= form->before.size + form->after.size || !text_ends(name, form->after) ||
        !text_starts(name, form->before))
        return false;
    Text module = {name.data + form->before.size, name.size - form->before.size - form->after.size};
    uint32_t number = INDEX_NONE;
    if (network->base_name.size > 0) {
        open_base(network);
        number = find_module(find_names(network, form->naming), module);
        if (number == INDEX_NONE || network->modules[number].kind != key->modules)
            return false;
    }
    *match = (NetworkMatch){key, form, module, number};
    return true;
}

/* Of the forms that match a name the first of the network is meant. */
static void match_forms(const Network *network, Text name, const FormPlace *places, size_t n,
                        FormPlace *first, NetworkMatch *match) {
    for (size_t i = 0; i < n; i++) {
        bool before = places[i].key < first->key ||
                      (places[i].key == first->key && places[i].form < first->form);
        if (!before)
            return;
        if (match_form(network, name, places[i], match)) {
            *first = places[i];
            return;
        }
    }
}

/* The longest end of a name that begins with a dot and may be one of a form; empty: there is none.
 */
static Text longest_end(const NetworkSieve *sieve, Text name) {
    size_t at = name.size;
    for (uint32_t dots = 0; dots < sieve->most_dots; dots++) {
        const char *dot = memrchr(name.data, '.', at);
        if (dot == NULL)
            break;
        at = (size_t)(dot - name.data);
    }
    return (Text){name.data + at, name.size - at};
}

/* Long ends tell more than short ones, whose forms then mostly come later. */
static bool match_name(const Network *network, Text name, NetworkMatch *match) {
    const NetworkSieve *sieve = &network->sieve;
    FormPlace first = {INDEX_NONE, 0};
    if (name.size == 0)
        return false;
    Text end = may_begin(sieve, true, name) ? longest_end(sieve, name) : TEXT("");
    while (end.size > 0) {
        uint32_t known = find_end(sieve, end);
        if (known != INDEX_NONE)
            match_forms(network, name, sieve->ends.items[known].forms.items,
                        sieve->ends.items[known].forms.count, &first, match);
        const char *dot = memchr(end.data + 1, '.', end.size - 1);
        end = dot == NULL ? TEXT("") : (Text){dot, (size_t)(end.data + end.size - dot)};
    }
    if (may_begin(sieve, false, name))
        match_forms(network, name, sieve->others.items, sieve->others.count, &first, match);
    return first.key != INDEX_NONE;
}

bool network_knows(const Network *network, Text name) {
    NetworkMatch match;
    return match_name(network, name, &match);
}

static Text form_name(Arena *arena, const NetworkForm *form, Text module) {
    return structure_join_all(arena, (Text[]){form->before, module, form->after}, 3);
}

typedef struct NameList {
    VECTOR(Text) items;
} NameList;

/* Every name that the key of a match has; the first is its own. */
static void list_names(Arena *arena, const Network *network, const NetworkMatch *match,
                       NameList *out) {
    for (uint32_t f = 0; f < match->key->n_forms; f++) {
        const NetworkForm *form = &match->key->forms[f];
        if (match->module == INDEX_NONE) {
            vector_push(&out->items, form_name(arena, form, match->name));
            continue;
        }
        const ModuleNaming *naming = find_names(network, form->naming);
        vector_push(&out->items, form_name(arena, form, naming->names.items[match->module].text));
        for (size_t i = network->n_modules; i < naming->names.count; i++)
            if (naming->names.items[i].module == match->module)
                vector_push(&out->items, form_name(arena, form, naming->names.items[i].text));
    }
}

/* A module's key but for its names. */
static ConfigKey nameless_key(const Network *network, const NetworkKey *of, uint32_t module) {
    ConfigKey key = of->key;
    const ConfigKey *base = module_base(network, module);
    key.component = base->component;
    key.dtype = key.dtype == DTYPE_NONE ? base->dtype : key.dtype;
    return key;
}

/* The first name of the key that NAME is one of. */
static Text own_name(const Network *network, const NetworkMatch *match, Text name) {
    const NetworkForm *form = &match->key->forms[0];
    Text module = match->module != INDEX_NONE
                      ? find_names(network, form->naming)->names.items[match->module].text
                      : match->name;
    return match->form == form && text_equal(module, match->name)
               ? name
               : form_name(configs_arena(network->configs), form, module);
}

static KeyId add_key(const Config *config, const NetworkMatch *match, Text name) {
    struct ConfigParts *parts = config->parts;
    ConfigKey key = match->module != INDEX_NONE
                        ? nameless_key(parts->network, match->key, match->module)
                        : match->key->key;
    key.name = text_copy(configs_arena(parts->network->configs), name);
    key.aliases = NULL;
    key.n_aliases = 0;
    KeyId id = (KeyId)parts->keys.count;
    vector_push(&parts->keys, key);
    ((Config *)config)->keys = parts->keys.items;
    ((Config *)config)->n_keys = id + 1;
    config_add_name(parts, key.name, id);
    return id;
}

/* Finds a key by one of its names that was not asked for yet; adds it if it is MADE. */
static KeyId find_key(const Config *config, Text name, bool made) {
    struct ConfigParts *parts = config->parts;
    NetworkMatch match;
    if (!match_name(parts->network, name, &match))
        return INDEX_NONE;
    Text own = own_name(parts->network, &match, name);
    bool other = own.data != name.data;
    KeyId key = other ? config_named(parts, own) : INDEX_NONE;
    if (key == INDEX_NONE && made)
        key = add_key(config, &match, own);
    if (key != INDEX_NONE && other)
        config_add_name(parts, text_copy(configs_arena(parts->network->configs), name), key);
    return key;
}

KeyId network_key(const Config *config, Text name) {
    return find_key(config, name, true);
}

/* Most networks have no keys yet, and need not read their base for this. */
KeyId network_met(const Config *config, Text name) {
    bool any = config->n_keys > 0 && !config->keys[config->n_keys - 1].is_setting;
    return any ? find_key(config, name, false) : INDEX_NONE;
}

static void list_aliases(const Config *config, const NetworkMatch *match, ConfigKey *key) {
    NameList names = {0};
    Arena *arena = configs_arena(config->parts->network->configs);
    list_names(arena, config->parts->network, match, &names);
    key->n_aliases = (uint32_t)names.items.count - 1;
    key->aliases = arena_copy(arena, names.items.items + 1, key->n_aliases * sizeof(Text));
    vector_free(&names.items);
}

const Text *config_aliases(const Config *config, KeyId id, uint32_t *count) {
    ConfigKey *key = &config->parts->keys.items[id];
    NetworkMatch match;
    if (config->parts->network != NULL && key->aliases == NULL &&
        match_name(config->parts->network, key->name, &match))
        list_aliases(config, &match, key);
    *count = key->n_aliases;
    return key->aliases;
}

void config_complete(Configs *configs, const Config *config) {
    const Network *network = config->parts->network;
    if (network != NULL)
        open_base(network);
    for (uint32_t m = 0; network != NULL && m < network->n_modules; m++)
        for (uint32_t i = 0; i < network->n_keys; i++) {
            const NetworkForm *form = &network->keys[i].forms[0];
            Text module = find_names(network, form->naming)->names.items[m].text;
            NetworkMatch match = {&network->keys[i], form, module, m};
            if (network->modules[m].kind != network->keys[i].modules)
                continue;
            Text name = form_name(configs_arena(configs), form, module);
            KeyId key = config_named(config->parts, name);
            if (key == INDEX_NONE)
                key = add_key(config, &match, name);
            list_aliases(config, &match, &config->parts->keys.items[key]);
        }
}

void config_visit(const Config *config, void (*each)(void *context, const ConfigKey *key),
                  void *context) {
    const Network *network = config->parts->network;
    if (network != NULL)
        open_base(network);
    bool modules = network != NULL && network->n_modules > 0;
    for (KeyId key = 0; key < config->n_keys; key++)
        if (!modules || config->keys[key].is_setting)
            each(context, &config->keys[key]);
    for (uint32_t m = 0; modules && m < network->n_modules; m++)
        for (uint32_t i = 0; i < network->n_keys; i++) {
            ConfigKey key = nameless_key(network, &network->keys[i], m);
            if (network->modules[m].kind == network->keys[i].modules)
                each(context, &key);
        }
}

/* ---- what a name says ---- */

bool config_network_name(const Config *config, Text name, NetworkName *out) {
    const Network *network = config->parts->network;
    NetworkMatch match;
    if (network == NULL || !match_name(network, name, &match))
        return false;
    Text part = match.key->forms[0].after;
    bool dotted = part.size > 0 && part.data[0] == '.';
    *out = (NetworkName){.module = match.name,
                         .part = {part.data + dotted, part.size - dotted},
                         .target = match.module != INDEX_NONE ? module_base(network, match.module)
                                                              : NULL};
    return true;
}
