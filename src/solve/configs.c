#include "solve/config_parts.h"
#include "solve/structure.h"

#include <stdlib.h>
#include <string.h>

/* A config of the library, and what is known of it. */
typedef struct Entry {
    const Definition *definition;
    Config *config; /* NULL: not asked for yet */
    bool failed, reading;
    Text *heads; /* what all names of its keys begin with; NULL: not looked for yet */
    uint32_t n_heads;
} Entry;

/* The matches of some names in their order: models of one architecture often have the same. */
typedef struct KnownMatches {
    const Text *names; /* a copy */
    uint32_t n_names;
    bool has_matches, has_perfect;
    ConfigMatches matches;
    const Config *perfect;
} KnownMatches;

/* Which keys of a config the tensors of a model are. */
typedef struct KnownTensors {
    const Config *config;
    const Model *model;
    const KeyId *keys;
} KnownTensors;

struct Configs {
    Arena *arena;
    Diags *diags;
    Library *library;
    VECTOR(Entry *) entries;
    VECTOR(KnownMatches) known;
    VECTOR(KnownTensors) tensors;
};

Configs *configs_new(Arena *arena, Diags *diags, Library *library) {
    Configs *configs = arena_new(arena, Configs);
    configs->arena = arena;
    configs->diags = diags;
    configs->library = library;
    return configs;
}

static void free_parts(struct ConfigParts *parts) {
    vector_free(&parts->keys);
    vector_free(&parts->names);
    index_free(&parts->name_index);
    network_free(parts->network);
}

void configs_free(Configs *configs) {
    for (size_t i = 0; i < configs->entries.count; i++)
        if (configs->entries.items[i]->config != NULL)
            free_parts(configs->entries.items[i]->config->parts);
    vector_free(&configs->entries);
    vector_free(&configs->known);
    vector_free(&configs->tensors);
}

Arena *configs_arena(const Configs *configs) {
    return configs->arena;
}

/* ---- evaluation ---- */

static bool same_name(const void *context, const void *wanted, uint32_t item) {
    const struct ConfigParts *parts = context;
    return text_equal(parts->names.items[item].text, *(const Text *)wanted);
}

/* A name that is there already keeps its key. */
bool config_add_name(struct ConfigParts *parts, Text name, KeyId key) {
    uint64_t hash = text_hash(name);
    if (index_find(&parts->name_index, hash, same_name, parts, &name) != INDEX_NONE)
        return false;
    index_add(&parts->name_index, hash, (uint32_t)parts->names.count);
    vector_push(&parts->names, (ConfigName){name, key});
    return true;
}

static bool index_keys(Configs *configs, const Config *config) {
    struct ConfigParts *parts = config->parts;
    index_reserve(&parts->name_index, config->n_keys);
    vector_reserve(&parts->names, config->n_keys);
    for (KeyId key = 0; key < config->n_keys; key++)
        if (!config_add_name(parts, config->keys[key].name, key)) {
            diag_error(configs->diags, config->span, "the config '%.*s' has the key '%.*s' twice",
                       TEXT_ARG(config->name), TEXT_ARG(config->keys[key].name));
            return false;
        }
    for (KeyId key = 0; key < config->n_keys; key++)
        for (uint32_t i = 0; i < config->keys[key].n_aliases; i++)
            config_add_name(parts, config->keys[key].aliases[i], key);
    return true;
}

static bool read_entry(Configs *configs, Entry *entry) {
    Config *config = arena_new(configs->arena, Config);
    config->name = entry->definition->name;
    config->span = entry->definition->span;
    config->parts = arena_new(configs->arena, struct ConfigParts);
    entry->config = config;
    entry->reading = true;
    bool ok = config_read(configs->arena, configs->diags, configs, entry->definition, config) &&
              index_keys(configs, config);
    if (ok && config->parts->network != NULL)
        ok = network_finish(configs, configs->diags, config,
                            !library_is_standard(configs->library, entry->definition->scope));
    entry->reading = false;
    return ok;
}

static const Config *entry_config(Configs *configs, Entry *entry) {
    if (entry->config == NULL && !entry->failed)
        entry->failed = !read_entry(configs, entry);
    return entry->failed || entry->reading ? NULL : entry->config;
}

/* Files may have been read since the last time. */
static void list_entries(Configs *configs) {
    size_t count;
    const Definition *const *all = library_list(configs->library, AST_CONFIG, &count);
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < configs->entries.count && !known; k++)
            known = configs->entries.items[k]->definition == all[i];
        if (known)
            continue;
        Entry *entry = arena_new(configs->arena, Entry);
        entry->definition = all[i];
        vector_push(&configs->entries, entry);
    }
}

static Entry *find_entry(const Configs *configs, Text name) {
    for (size_t i = configs->entries.count; i > 0; i--)
        if (text_equal(configs->entries.items[i - 1]->definition->name, name))
            return configs->entries.items[i - 1];
    return NULL;
}

const Config *configs_find(Configs *configs, Text name) {
    Entry *entry = find_entry(configs, name);
    if (entry == NULL) {
        list_entries(configs);
        entry = find_entry(configs, name);
    }
    return entry != NULL ? entry_config(configs, entry) : NULL;
}

bool configs_has(Configs *configs, Text name) {
    if (find_entry(configs, name) == NULL)
        list_entries(configs);
    return find_entry(configs, name) != NULL;
}

void configs_unknown(Configs *configs, Text name, Span span) {
    list_entries(configs);
    const Entry *entry = find_entry(configs, name);
    if (entry != NULL && entry->reading)
        diag_error(configs->diags, span, "the config '%.*s' is made from itself", TEXT_ARG(name));
    if (entry != NULL)
        return; /* what is wrong with it was said */
    VECTOR(Text) names = {0};
    for (size_t i = 0; i < configs->entries.count; i++)
        vector_push(&names, configs->entries.items[i]->definition->name);
    diag_error(configs->diags, span, "unknown model config '%.*s'",
               TEXT_ARG(text_printable(configs->arena, name)));
    Text nearest = nearest_name(name, names.items, names.count);
    if (nearest.size > 0)
        diag_hint(configs->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    else
        diag_hint(configs->diags, "mecha configs lists them");
    vector_free(&names);
}

/* ---- keys ---- */

bool config_is_network(const Config *config) {
    return config->parts->network != NULL;
}

KeyId config_named(const struct ConfigParts *parts, Text name) {
    uint32_t found = index_find(&parts->name_index, text_hash(name), same_name, parts, &name);
    return found != INDEX_NONE ? parts->names.items[found].key : INDEX_NONE;
}

KeyId config_met(const Config *config, Text name) {
    KeyId named = config_named(config->parts, name);
    return named != INDEX_NONE || config->parts->network == NULL ? named
                                                                 : network_met(config, name);
}

KeyId config_find(const Config *config, Text name) {
    KeyId met = config_named(config->parts, name);
    return met != INDEX_NONE || config->parts->network == NULL ? met : network_key(config, name);
}

static bool same_tensors(const Model *a, const Model *b) {
    bool same = a->n_tensors == b->n_tensors;
    for (uint32_t i = 0; same && a != b && i < a->n_tensors; i++)
        same = text_equal(a->tensors[i].name, b->tensors[i].name);
    return same;
}

/* Models of one recipe mostly have the same names. */
const KeyId *config_tensors(Configs *configs, const Config *config, const Model *model) {
    for (size_t i = 0; i < configs->tensors.count; i++) {
        const KnownTensors *known = &configs->tensors.items[i];
        if (known->config == config && same_tensors(known->model, model))
            return known->keys;
    }
    KeyId *keys = arena_array(configs->arena, KeyId, model->n_tensors + 1);
    for (uint32_t i = 0; i < model->n_tensors; i++)
        keys[i] = config_find(config, model->tensors[i].name);
    vector_push(&configs->tensors, (KnownTensors){config, model, keys});
    return keys;
}

uint32_t config_block(const Config *config, Text name) {
    for (uint32_t i = 0; i < config->n_blocks; i++)
        if (text_equal(config->blocks[i], name))
            return i;
    return INDEX_NONE;
}

/* ---- which config a file has ---- */

/* What the keys of a config begin with is read off its tree, without evaluating it: as far as it is
 * the same for all keys below an item. Most configs are out of the question by that. */
typedef struct HeadFinder {
    Arena *arena;
    const Scope *scope;
    VECTOR(Text) heads;
    uint32_t depth;
} HeadFinder;

enum { HEAD_SIZE = 4, HEAD_DEPTH = 8 };

static void add_head(HeadFinder *finder, Text head) {
    for (size_t i = 0; i < finder->heads.count; i++)
        if (text_starts(head, finder->heads.items[i]))
            return;
    vector_push(&finder->heads, head);
}

static void find_heads(HeadFinder *finder, const Ast *block, Text before);

/* The heads of what NAME begins, behind BEFORE: its part in front of the first wildcard, or for
 * each choice of the first `{a,b}`. */
static void follow_head(HeadFinder *finder, const Ast *item, Text before, Text name) {
    const char *open = name.size > 0 ? memchr(name.data, '{', name.size) : NULL;
    Text part = {name.data, open != NULL ? (size_t)(open - name.data) : name.size};
    Text head = structure_join(finder->arena, before, part);
    if (open == NULL && item->kind == AST_PREFIX && head.size < HEAD_SIZE) {
        find_heads(finder, item->b, head);
        return;
    }
    const char *close = open != NULL ? memchr(open, '}', name.size - part.size) : NULL;
    Text inside = close != NULL ? (Text){open + 1, (size_t)(close - open) - 1} : TEXT("");
    if (head.size >= HEAD_SIZE || memchr(inside.data, ',', inside.size) == NULL) {
        add_head(finder, head);
        return;
    }
    while (inside.size > 0) {
        const char *comma = memchr(inside.data, ',', inside.size);
        size_t size = comma != NULL ? (size_t)(comma - inside.data) : inside.size;
        add_head(finder, structure_join(finder->arena, head, (Text){inside.data, size}));
        inside = comma != NULL ? (Text){comma + 1, inside.size - size - 1} : TEXT("");
    }
}

static void find_item_heads(HeadFinder *finder, const Ast *item, Text before) {
    follow_head(finder, item, before, item->a->text);
    for (uint32_t i = 0; i < item->n_items; i++)
        if (text_equal(item->items[i]->text, TEXT("alias")))
            follow_head(finder, item, before, item->items[i]->a->text);
}

static void find_template_heads(HeadFinder *finder, const Ast *call, Text before) {
    const Definition *template = call->a->kind == AST_NAME && finder->depth < HEAD_DEPTH
                                     ? scope_find(finder->scope, DEFINITION_TEMPLATE, call->a->text)
                                     : NULL;
    if (template == NULL) {
        add_head(finder, before);
        return;
    }
    const Scope *outer = finder->scope;
    finder->scope = template->scope;
    finder->depth++;
    find_heads(finder, template->syntax->b, before);
    finder->depth--;
    finder->scope = outer;
}

static void find_heads(HeadFinder *finder, const Ast *block, Text before) {
    for (uint32_t i = 0; i < block->n_items; i++) {
        const Ast *item = block->items[i];
        switch (item->kind) {
        case AST_KEY:
        case AST_PREFIX:
            find_item_heads(finder, item, before);
            break;
        case AST_COMPONENT:
        case AST_EACH:
            find_heads(finder, item->b, before);
            break;
        case AST_WHEN:
            find_heads(finder, item->b, before);
            if (item->c != NULL)
                find_heads(finder,
                           item->c->kind == AST_WHEN
                               ? &(Ast){.items = (Ast *[]){item->c}, .n_items = 1}
                               : item->c,
                           before);
            break;
        case AST_CALL:
            find_template_heads(finder, item, before);
            break;
        default:
            break;
        }
    }
}

static void read_heads(Configs *configs, Entry *entry) {
    HeadFinder finder = {.arena = configs->arena, .scope = entry->definition->scope};
    find_heads(&finder, entry->definition->syntax->b, TEXT(""));
    entry->n_heads = (uint32_t)finder.heads.count;
    entry->heads = arena_copy(configs->arena, finder.heads.items, entry->n_heads * sizeof(Text));
    vector_free(&finder.heads);
}

static bool has_head(const Entry *entry, Text name) {
    for (uint32_t i = 0; i < entry->n_heads; i++)
        if (name.size >= entry->heads[i].size &&
            memcmp(name.data, entry->heads[i].data, entry->heads[i].size) == 0)
            return true;
    return false;
}

/* At least a tenth. */
static bool enough(uint32_t known, uint32_t all) {
    return known > 0 && (double)known >= all * 0.1;
}

static uint32_t least_enough(uint32_t all) {
    return all > 10 ? (all + 9) / 10 : 1;
}

/* Names that are looked up in several configs. */
typedef struct HashedNames {
    const Text *names;
    uint64_t *hashes;
    uint32_t count;
} HashedNames;

/* How many of the names a config can know at most, counted until it is clear whether those are at
 * least LEAST. */
static bool may_know(Configs *configs, Entry *entry, const HashedNames *hashed, uint32_t least) {
    if (entry->heads == NULL)
        read_heads(configs, entry);
    uint32_t known = 0, unknown = 0;
    for (uint32_t i = 0; known < least && unknown <= hashed->count - least; i++) {
        bool has = has_head(entry, hashed->names[i]);
        known += has;
        unknown += !has;
    }
    return known >= least;
}

static HashedNames hash_names(const Text *names, uint32_t n) {
    HashedNames hashed = {.names = names, .count = n};
    hashed.hashes = memory_grow(NULL, memory_size(n + 1, sizeof *hashed.hashes));
    for (uint32_t i = 0; i < n; i++)
        hashed.hashes[i] = text_hash(names[i]);
    return hashed;
}

static bool knows(const Config *config, const HashedNames *hashed, uint32_t i) {
    const struct ConfigParts *parts = config->parts;
    return index_find(&parts->name_index, hashed->hashes[i], same_name, parts, &hashed->names[i]) !=
               INDEX_NONE ||
           (parts->network != NULL && network_knows(parts->network, hashed->names[i]));
}

/* The number of names that a config knows, or fewer than LEAST if it is clear that there are no
 * more; of a network's, without bringing its keys into being. */
static uint32_t count_known(const Config *config, const HashedNames *hashed, uint32_t least) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < hashed->count && i - known <= hashed->count - least; i++)
        known += knows(config, hashed, i);
    return known;
}

static int by_falling_name(const void *a, const void *b) {
    return text_compare(((const ConfigMatch *)b)->config->name,
                        ((const ConfigMatch *)a)->config->name);
}

static ConfigMatches find_matches(Configs *configs, const HashedNames *hashed) {
    VECTOR(ConfigMatch) found = {0};
    uint32_t n = hashed->count, least = least_enough(n);
    for (size_t i = 0; i < configs->entries.count && n > 0; i++) {
        Entry *entry = configs->entries.items[i];
        if (!may_know(configs, entry, hashed, least))
            continue;
        const Config *config = entry_config(configs, entry);
        uint32_t known = config != NULL ? count_known(config, hashed, least) : 0;
        if (enough(known, n))
            vector_push(&found, (ConfigMatch){config, (n - known) / (double)n});
    }
    ConfigMatches matches = {.count = (uint32_t)found.count};
    vector_sort(&found, by_falling_name);
    matches.items = arena_copy(configs->arena, found.items, found.count * sizeof *found.items);
    vector_free(&found);
    return matches;
}

static bool is_standard(const Configs *configs, const Entry *entry) {
    return library_is_standard(configs->library, entry->definition->scope);
}

static int by_falling_entry(const void *a, const void *b) {
    const Entry *x = *(Entry *const *)a, *y = *(Entry *const *)b;
    return text_compare(y->definition->name, x->definition->name);
}

/* PERFECT, or a config behind it that knows all names; evaluated only if its heads are theirs. */
static const Config *better(Configs *configs, Entry *entry, const HashedNames *hashed,
                            const Config *perfect) {
    if ((perfect != NULL && text_compare(entry->definition->name, perfect->name) < 0) ||
        !may_know(configs, entry, hashed, hashed->count))
        return perfect;
    const Config *config = entry_config(configs, entry);
    bool knows_all = config != NULL && count_known(config, hashed, hashed->count) == hashed->count;
    return knows_all ? config : perfect;
}

/* Those of the recipe come first, as they may have mistakes to be told; of the library's the last
 * by name, so that the first which knows all is the one. */
static const Config *find_perfect(Configs *configs, const HashedNames *hashed) {
    const Config *perfect = NULL;
    VECTOR(Entry *) standard = {0};
    for (size_t i = 0; i < configs->entries.count && hashed->count > 0; i++)
        if (is_standard(configs, configs->entries.items[i]))
            vector_push(&standard, configs->entries.items[i]);
        else
            perfect = better(configs, configs->entries.items[i], hashed, perfect);
    vector_sort(&standard, by_falling_entry);
    for (size_t i = 0; i < standard.count; i++)
        perfect = better(configs, standard.items[i], hashed, perfect);
    vector_free(&standard);
    return perfect;
}

static bool same_names(const KnownMatches *known, const Text *names, uint32_t n) {
    bool same = known->n_names == n;
    for (uint32_t i = 0; same && i < n; i++)
        same = text_equal(known->names[i], names[i]);
    return same;
}

static const Text *copy_names(Arena *arena, const Text *names, uint32_t n) {
    Text *copies = arena_array(arena, Text, n + 1);
    for (uint32_t i = 0; i < n; i++)
        copies[i] = text_copy(arena, names[i]);
    return copies;
}

/* What is known of these names, or has to be found. */
static KnownMatches *find_known(Configs *configs, const Text *names, uint32_t n) {
    for (size_t i = 0; i < configs->known.count; i++)
        if (same_names(&configs->known.items[i], names, n))
            return &configs->known.items[i];
    list_entries(configs);
    vector_push(&configs->known,
                (KnownMatches){.names = copy_names(configs->arena, names, n), .n_names = n});
    return &configs->known.items[configs->known.count - 1];
}

ConfigMatches configs_match(Configs *configs, const Text *names, uint32_t n) {
    KnownMatches *known = find_known(configs, names, n);
    if (known->has_matches)
        return known->matches;
    HashedNames hashed = hash_names(names, n);
    known->matches = find_matches(configs, &hashed);
    known->has_matches = true;
    free(hashed.hashes);
    return known->matches;
}

const Config *configs_perfect(Configs *configs, const Text *names, uint32_t n) {
    KnownMatches *known = find_known(configs, names, n);
    if (known->has_perfect)
        return known->perfect;
    HashedNames hashed = hash_names(names, n);
    known->perfect = find_perfect(configs, &hashed);
    known->has_perfect = true;
    free(hashed.hashes);
    return known->perfect;
}

const Config *configs_best(Configs *configs, const Text *names, uint32_t n) {
    const Config *perfect = configs_perfect(configs, names, n);
    ConfigMatches matches = perfect == NULL ? configs_match(configs, names, n) : (ConfigMatches){0};
    const ConfigMatch *best = NULL;
    for (uint32_t i = 0; i < matches.count; i++)
        if (best == NULL || matches.items[i].unknown < best->unknown)
            best = &matches.items[i];
    return best != NULL ? best->config : perfect;
}

bool config_fits(const Config *config, const Text *names, uint32_t n) {
    uint32_t known = 0;
    for (uint32_t i = 0; i < n && known < least_enough(n); i++) {
        uint64_t hash = text_hash(names[i]);
        known += knows(config, &(HashedNames){&names[i], &hash, 1}, 0);
    }
    return enough(known, n);
}
