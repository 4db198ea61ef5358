/* Evaluating the tree of a config: its items become keys. */
#include "solve/config_parts.h"
#include "solve/structure.h"

#include <stdlib.h>
#include <string.h>

enum { CONFIG_KEYS_LIMIT = 1 << 20 };

/* In how many templates a component and a block are said; 0: outside of any. */
typedef struct Said {
    uint32_t component, block;
} Said;

/* What the items around one say of it. */
typedef struct Place {
    Text component, block;
    Said said;
    DType dtype;
    bool optional;
    const Text *dots;  /* what stands for the dots of names, or NULL */
    const Text *names; /* what the key's names begin with: its own, then its aliases */
    uint32_t n_names;
} Place;

/* The keys that a template has with some values. Most templates are called again and again, each
 * time behind another prefix. */
typedef struct TemplateKeys {
    const Ast *template;
    const Datum *values;
    Place place;         /* where it was called first */
    uint32_t depth;      /* of its items, in templates */
    size_t first, count; /* in the keys of the config */
    uint32_t steps;      /* that it took to read them */
    uint32_t levels;     /* of templates in it */
} TemplateKeys;

typedef struct Reader {
    Structure structure; /* the first: a reader is one */
    Configs *configs;
    struct ConfigParts *parts;
    VECTOR(Said) said; /* by key */
    Texts components, block_names;
    bool in_network;    /* within a loop over modules */
    ModuleKind modules; /* that it goes over */
    VECTOR(TemplateKeys) templates;
    HashIndex template_index;
} Reader;

/* ---- places ---- */

static void note_text(Texts *texts, Text text) {
    for (size_t i = 0; i < texts->count; i++)
        if (text_equal(texts->items[i], text))
            return;
    vector_push(texts, text);
}

/* The names of what follows TEXT (and its ALIASES) here: each name of the place goes on with each
 * of them. */
static void extend_names(Reader *reader, Place *place, Text text, const Texts *aliases) {
    uint32_t n = place->n_names * (uint32_t)(aliases->count + 1), at = 0;
    Text *names = arena_array(reader->structure.arena, Text, n);
    for (uint32_t k = 0; k <= aliases->count; k++) {
        Text part = k == 0 ? text : aliases->items[k - 1];
        if (place->dots != NULL)
            part = structure_undot(reader->structure.arena, part, *place->dots);
        for (uint32_t i = 0; i < place->n_names; i++)
            names[at++] = structure_join(reader->structure.arena, place->names[i], part);
    }
    place->names = names;
    place->n_names = n;
}

static DType read_dtype(Reader *reader, const Ast *name) {
    Text text = structure_name(&reader->structure, name);
    DType dtype = dtype_from_name(text);
    if (dtype != DTYPE_NONE || reader->structure.failed)
        return dtype;
    size_t count;
    const Text *names = dtype_names(&count);
    structure_fail(&reader->structure, name->span, "unknown dtype '%.*s'",
                   TEXT_ARG(text_printable(reader->structure.arena, text)));
    Text nearest = nearest_name(text, names, count);
    if (nearest.size > 0)
        diag_hint(reader->structure.diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    return DTYPE_NONE;
}

/* Reads the attributes of ITEM into PLACE; what begins the names below (DOTS) comes into force with
 * those. */
static void read_attributes(Reader *reader, const Ast *item, Place *place, Texts *aliases,
                            const Text **dots) {
    *dots = place->dots;
    for (uint32_t i = 0; i < item->n_items; i++) {
        const Ast *attribute = item->items[i];
        if (text_equal(attribute->text, TEXT("optional"))) {
            place->optional = true;
        } else if (text_equal(attribute->text, TEXT("dtype"))) {
            place->dtype = read_dtype(reader, attribute->a);
        } else if (text_equal(attribute->text, TEXT("block"))) {
            place->block = structure_name(&reader->structure, attribute->a);
            place->said.block = reader->structure.depth;
            note_text(&reader->block_names, place->block);
        } else if (text_equal(attribute->text, TEXT("alias"))) {
            vector_push(aliases, structure_name(&reader->structure, attribute->a));
        } else {
            Text *text = arena_new(reader->structure.arena, Text);
            *text = structure_name(&reader->structure, attribute->a);
            *dots = text;
        }
    }
}

/* ---- keys ---- */

static bool read_shape(Reader *reader, const Ast *list, Shape *shape) {
    if (list->n_items > SHAPE_LIMIT) {
        structure_fail(&reader->structure, list->span, "a tensor has %d dimensions at most",
                       SHAPE_LIMIT);
        return false;
    }
    for (uint32_t i = 0; i < list->n_items; i++) {
        int64_t extent;
        if (!structure_number(&reader->structure, list->items[i], &extent))
            return false;
        if (extent < 0) {
            structure_fail(&reader->structure, list->items[i]->span, "a dimension is not negative");
            return false;
        }
        shape->dims[shape->rank++] = (uint64_t)extent;
    }
    return true;
}

static void keep_key(Reader *reader, ConfigKey key, Said said) {
    vector_push(&reader->parts->keys, key);
    vector_push(&reader->said, said);
}

static void add_key(Reader *reader, const Place *place, ConfigKey key, Span span) {
    key.name = place->names[0];
    key.component = place->component;
    key.block = place->block;
    key.dtype = place->dtype;
    key.optional = place->optional;
    key.aliases = place->names + 1;
    key.n_aliases = place->n_names - 1;
    Network *network = reader->in_network ? reader->parts->network : NULL;
    if (network != NULL && network_add_key(reader->structure.arena, network, reader->modules, &key))
        return;
    if (network != NULL)
        structure_fail(&reader->structure, span, "the key of a module has its name in it");
    else if (reader->parts->keys.count == CONFIG_KEYS_LIMIT)
        structure_fail(&reader->structure, span, "a config has %d keys at most", CONFIG_KEYS_LIMIT);
    else
        keep_key(reader, key, place->said);
}

static void read_key(Reader *reader, const Ast *item, Place place) {
    Shape *shape = item->b != NULL ? arena_new(reader->structure.arena, Shape) : NULL;
    ConfigKey key = {.shape = shape};
    Texts aliases = {0};
    const Text *dots;
    read_attributes(reader, item, &place, &aliases, &dots);
    Texts names = structure_names(&reader->structure, item->a);
    if (item->b == NULL || read_shape(reader, item->b, shape))
        for (size_t i = 0; i < names.count && !reader->structure.failed; i++) {
            Place here = place;
            extend_names(reader, &here, names.items[i], &aliases);
            add_key(reader, &here, key, item->span);
        }
    structure_forget(&reader->structure, &names);
    vector_free(&aliases);
}

/* ---- items ---- */

static void read_prefix(Reader *reader, const Ast *item, Place place) {
    Texts aliases = {0};
    const Text *dots;
    read_attributes(reader, item, &place, &aliases, &dots);
    Texts prefixes = structure_names(&reader->structure, item->a);
    for (size_t i = 0; i < prefixes.count && !reader->structure.failed; i++) {
        Place inner = place;
        extend_names(reader, &inner, prefixes.items[i], &aliases);
        inner.dots = dots;
        structure_read(&reader->structure, item->b, &inner);
    }
    structure_forget(&reader->structure, &prefixes);
    vector_free(&aliases);
}

static void read_component(Reader *reader, const Ast *item, Place place) {
    Texts aliases = {0};
    const Text *dots;
    place.component = item->text;
    place.said.component = reader->structure.depth;
    note_text(&reader->components, item->text);
    read_attributes(reader, item, &place, &aliases, &dots);
    place.dots = dots;
    if (aliases.count > 0)
        structure_fail(&reader->structure, item->span, "a component has no aliases: its keys have");
    vector_free(&aliases);
    if (!reader->structure.failed)
        structure_read(&reader->structure, item->b, &place);
}

/* What `modules("sdxl-kohya")` names; false where CALL is no such call. */
static bool read_base(Reader *reader, const Ast *call, Text *base) {
    static const char *const functions[] = {[MODULE_MATRIX] = "modules", [MODULE_VECTOR] = "norms"};
    bool known = false;
    for (int kind = 0; kind < 2 && !known && call->a->kind == AST_NAME; kind++) {
        known = text_equal(call->a->text, text_from(functions[kind]));
        reader->modules = (ModuleKind)kind;
    }
    *base = TEXT("");
    if (!known || call->n_items == 0)
        return known;
    Datum name = structure_evaluate(&reader->structure, call->items[0]->a);
    if (call->n_items > 1 || name.kind != DATUM_TEXT)
        return false;
    *base = name.text;
    if (!configs_has(reader->configs, name.text)) {
        reader->structure.failed = true;
        configs_unknown(reader->configs, name.text, call->items[0]->span);
    }
    return true;
}

/* for module in modules("sdxl-kohya"): the body is read once, for a module that stands for all of
 * the other config's; without a config, for those of any model. */
static void read_network(Reader *reader, const Ast *item, Place place) {
    Text base;
    const Network *other = reader->parts->network;
    bool read = read_base(reader, item->a, &base);
    if (reader->structure.failed)
        return;
    if (!read || reader->in_network || reader->structure.depth > 0 ||
        (other != NULL && !text_equal(other->base_name, base))) {
        structure_fail(&reader->structure, item->a->span,
                       "'modules' and 'norms' take the name of a config, one for all of a config's "
                       "loops");
        return;
    }
    static const char mark[] = {MODULE_MARK, '.', MODULE_MARK};
    Datum module = {.kind = DATUM_TEXT, .text = {mark, sizeof mark}};
    if (other == NULL)
        reader->parts->network = network_new(reader->structure.arena, base);
    vector_push(&reader->structure.variables, (Variable){item->text, module});
    reader->in_network = true;
    structure_read(&reader->structure, item->b, &place);
    reader->in_network = false;
    reader->structure.variables.count--;
}

/* ---- templates ---- */

static bool same_dots(const Text *a, const Text *b) {
    return a == NULL || b == NULL ? a == b : text_equal(*a, *b);
}

static bool same_template(const void *context, const void *wanted, uint32_t item) {
    const TemplateKeys *a = &((const Reader *)context)->templates.items[item], *b = wanted;
    bool same = a->template == b->template && a->place.dtype == b->place.dtype &&
                a->place.optional == b->place.optional && same_dots(a->place.dots, b->place.dots);
    for (uint32_t i = 0; same && i < a->template->n_items; i++)
        same = datum_equal(&a->values[i], &b->values[i]);
    return same;
}

static void read_first(Reader *reader, TemplateKeys keys, uint64_t hash) {
    uint32_t steps = reader->structure.steps, deepest = reader->structure.deepest;
    reader->structure.deepest = reader->structure.depth;
    keys.depth = reader->structure.depth;
    keys.first = reader->parts->keys.count;
    structure_read(&reader->structure, keys.template->b, &keys.place);
    keys.count = reader->parts->keys.count - keys.first;
    keys.steps = reader->structure.steps - steps;
    keys.levels = reader->structure.deepest - keys.depth;
    if (deepest > reader->structure.deepest)
        reader->structure.deepest = deepest;
    index_add(&reader->template_index, hash, (uint32_t)reader->templates.count);
    vector_push(&reader->templates, keys);
}

/* A name from behind one prefix behind another. */
static Text move_name(const Reader *reader, Text name, const Place *from, const Place *to) {
    size_t before = from->names[0].size;
    return structure_join(reader->structure.arena, to->names[0],
                          (Text){name.data + before, name.size - before});
}

static ConfigKey move_names(const Reader *reader, ConfigKey key, const Place *from,
                            const Place *to) {
    key.name = move_name(reader, key.name, from, to);
    Text *aliases = key.n_aliases > 0 ? arena_copy(reader->structure.arena, key.aliases,
                                                   key.n_aliases * sizeof *aliases)
                                      : NULL;
    for (uint32_t i = 0; i < key.n_aliases; i++)
        aliases[i] = move_name(reader, aliases[i], from, to);
    key.aliases = aliases;
    return key;
}

/* What is not said in the template, but around it, is what is said around the other place. */
static void repeat_key(Reader *reader, const TemplateKeys *keys, size_t i, const Place *place) {
    ConfigKey key = move_names(reader, reader->parts->keys.items[i], &keys->place, place);
    Said said = reader->said.items[i];
    bool component = said.component >= keys->depth, block = said.block >= keys->depth;
    uint32_t deeper = reader->structure.depth - keys->depth;
    key.component = component ? key.component : place->component;
    key.block = block ? key.block : place->block;
    said.component = component ? said.component + deeper : place->said.component;
    said.block = block ? said.block + deeper : place->said.block;
    keep_key(reader, key, said);
}

/* Limits are met, and told, at a key: the body is read for that. */
static bool read_again(Reader *reader, const TemplateKeys *keys, const Place *place) {
    if (reader->parts->keys.count + keys->count > CONFIG_KEYS_LIMIT ||
        !structure_repeats(&reader->structure, keys->steps, keys->levels))
        return false;
    for (size_t i = keys->first; i < keys->first + keys->count; i++)
        repeat_key(reader, keys, i, place);
    return true;
}

/* Keys of modules are none of the config's own, and with aliases around them names have no one
 * prefix. */
static void read_body(Structure *structure, const Ast *template, const Datum *values,
                      const void *context) {
    Reader *reader = (Reader *)structure;
    const Place *place = context;
    if (reader->in_network || place->n_names > 1) {
        structure_read(structure, template->b, place);
        return;
    }
    TemplateKeys wanted = {.template = template, .values = values, .place = *place};
    uint64_t hash = (uint64_t)(uintptr_t) template;
    for (uint32_t i = 0; i < template->n_items; i++)
        hash = datum_hash(&values[i], hash);
    uint32_t known = index_find(&reader->template_index, hash, same_template, reader, &wanted);
    if (known == INDEX_NONE)
        read_first(reader, wanted, hash);
    else if (!read_again(reader, &reader->templates.items[known], place))
        structure_read(structure, template->b, place);
}

/* ---- all items ---- */

static void unknown_template(Reader *reader, const Ast *call) {
    Structure *structure = &reader->structure;
    structure_fail(structure, call->span, "unknown template '%.*s'",
                   TEXT_ARG(call->kind == AST_CALL ? call->a->text : TEXT("")));
    Text nearest = call->kind == AST_CALL
                       ? scope_nearest(structure->scope, DEFINITION_TEMPLATE, call->a->text)
                       : TEXT("");
    if (nearest.size > 0)
        diag_hint(structure->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
}

static void read_item(Structure *structure, const Ast *item, const void *place) {
    Reader *reader = (Reader *)structure;
    switch (item->kind) {
    case AST_KEY:
        read_key(reader, item, *(const Place *)place);
        break;
    case AST_PREFIX:
        read_prefix(reader, item, *(const Place *)place);
        break;
    case AST_COMPONENT:
        read_component(reader, item, *(const Place *)place);
        break;
    case AST_EACH:
        read_network(reader, item, *(const Place *)place);
        break;
    case AST_RULE:
        structure_fail(structure, item->span, "rules stand in conversions only");
        break;
    default:
        unknown_template(reader, item);
    }
}

/* ---- what was read ---- */

static const Text *keep_texts(Reader *reader, const Texts *texts, uint32_t *count) {
    *count = (uint32_t)texts->count;
    return arena_copy(reader->structure.arena, texts->items, texts->count * sizeof *texts->items);
}

static void free_reader(Reader *reader) {
    structure_free(&reader->structure);
    vector_free(&reader->components);
    vector_free(&reader->block_names);
    vector_free(&reader->said);
    vector_free(&reader->templates);
    index_free(&reader->template_index);
}

bool config_read(Arena *arena, Diags *diags, Configs *configs, const Definition *definition,
                 Config *config) {
    const Ast *syntax = definition->syntax;
    Reader reader = {.structure = {.arena = arena,
                                   .diags = diags,
                                   .scope = definition->scope,
                                   .read_item = read_item,
                                   .read_body = read_body},
                     .configs = configs,
                     .parts = config->parts};
    static const Text nothing = {"", 0};
    Place place = {.dtype = DTYPE_NONE, .names = &nothing, .n_names = 1};
    Texts aliases = {0};
    read_attributes(&reader, syntax, &place, &aliases, &place.dots);
    vector_free(&aliases);
    structure_read(&reader.structure, syntax->b, &place);
    for (size_t i = 0; config->parts->network != NULL && i < config->parts->keys.count; i++)
        config->parts->keys.items[i].is_setting = true;
    config->keys = config->parts->keys.items;
    config->n_keys = (uint32_t)config->parts->keys.count;
    config->components = keep_texts(&reader, &reader.components, &config->n_components);
    config->blocks = keep_texts(&reader, &reader.block_names, &config->n_blocks);
    free_reader(&reader);
    return !reader.structure.failed;
}
