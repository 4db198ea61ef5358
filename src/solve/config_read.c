/* Evaluating the tree of a config: loops, conditions and templates become keys. */
#include "solve/config_parts.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEMPLATE_LIMIT = 50,      /* templates in templates */
    CONFIG_KEYS_LIMIT = 1 << 20,
    LOOP_LIMIT = 1 << 16,     /* turns of one loop */
};

/* ---- values ---- */

typedef enum DatumKind { DATUM_NONE, DATUM_NUMBER, DATUM_TEXT, DATUM_LIST } DatumKind;

typedef struct Datum {
    DatumKind kind; /* NONE: a mistake, reported already */
    int64_t number;
    Text text;
    const struct Datum *items;
    uint32_t n_items;
} Datum;

static const Datum no_datum = {.kind = DATUM_NONE};

typedef struct Variable {
    Text name;
    Datum value;
} Variable;

/* What the items around one say of it. */
typedef struct Place {
    Text component, block;
    DType dtype;
    bool optional;
    const Text *dots;  /* what stands for the dots of names, or NULL */
    const Text *names; /* what the key's names begin with: its own, then its aliases */
    uint32_t n_names;
} Place;

typedef VECTOR(Text) Texts;

typedef struct Reader {
    Arena *arena;
    Diags *diags;
    Configs *configs;
    const Scope *scope; /* of the config or template being read */
    struct ConfigParts *parts;
    VECTOR(Variable) variables;
    size_t frame;                /* where those of the template being read begin */
    VECTOR(const Ast *) blocks;  /* around the item being read: their templates can be called */
    Texts components, block_names;
    VECTOR(NetworkKey) network_keys;
    bool in_network;
    uint32_t depth; /* of templates */
    bool failed;
} Reader;

static Datum fail(Reader *reader, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static Datum fail(Reader *reader, Span span, const char *format, ...) {
    Builder message = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&message, format, arguments);
    va_end(arguments);
    diag_error(reader->diags, span, "%s", message.data);
    builder_free(&message);
    reader->failed = true;
    return no_datum;
}

static Datum number_datum(int64_t number) {
    return (Datum){.kind = DATUM_NUMBER, .number = number};
}

static const Datum *find_variable(const Reader *reader, Text name) {
    for (size_t i = reader->variables.count; i > reader->frame; i--)
        if (text_equal(reader->variables.items[i - 1].name, name))
            return &reader->variables.items[i - 1].value;
    return NULL;
}

static Datum unknown_variable(Reader *reader, Text name, Span span) {
    Texts names = {0};
    for (size_t i = reader->frame; i < reader->variables.count; i++)
        vector_push(&names, reader->variables.items[i].name);
    fail(reader, span, "unknown name '%.*s'", TEXT_ARG(text_printable(reader->arena, name)));
    Text nearest = nearest_name(name, names.items, names.count);
    if (nearest.size > 0)
        diag_hint(reader->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    vector_free(&names);
    return no_datum;
}

/* ---- names with placeholders ---- */

static Text join(Reader *reader, Text a, Text b) {
    if (a.size == 0)
        return b;
    char *data = arena_alloc(reader->arena, a.size + b.size + 1);
    memcpy(data, a.data, a.size);
    memcpy(data + a.size, b.data, b.size);
    return (Text){data, a.size + b.size};
}

/* `name` or `name:02`: the value of a variable. */
static Text placeholder_value(Reader *reader, Text inside, Span span) {
    const char *colon = memchr(inside.data, ':', inside.size);
    Text name = {inside.data, colon != NULL ? (size_t)(colon - inside.data) : inside.size};
    Text width = {inside.data + name.size + 1, colon != NULL ? inside.size - name.size - 1 : 0};
    bool padded = width.size == 2 && width.data[0] == '0' && width.data[1] >= '1' &&
                  width.data[1] <= '9';
    const Datum *value = find_variable(reader, name);
    if (value == NULL) {
        unknown_variable(reader, name, span);
    } else if (colon != NULL && !padded) {
        fail(reader, span, "'%.*s' is no width: {i:02} writes two digits", TEXT_ARG(width));
    } else if (value->kind == DATUM_NUMBER) {
        return text_format(reader->arena, "%0*lld", padded ? width.data[1] - '0' : 1,
                           (long long)value->number);
    } else if (value->kind == DATUM_TEXT) {
        return value->text;
    } else if (value->kind == DATUM_LIST) {
        fail(reader, span, "'%.*s' is a list", TEXT_ARG(name));
    }
    return TEXT("");
}

static void expand(Reader *reader, Text done, Text rest, Span span, Texts *out);

/* `{q,k,v}` stands for each of them. */
static void expand_choices(Reader *reader, Text done, Text inside, Text rest, Span span,
                           Texts *out) {
    while (true) {
        const char *comma = memchr(inside.data, ',', inside.size);
        Text choice = {inside.data, comma != NULL ? (size_t)(comma - inside.data) : inside.size};
        expand(reader, join(reader, done, choice), rest, span, out);
        if (comma == NULL)
            return;
        inside = (Text){comma + 1, inside.size - choice.size - 1};
    }
}

/* Adds to OUT every text that DONE and what REST says make. */
static void expand(Reader *reader, Text done, Text rest, Span span, Texts *out) {
    const char *open = rest.size > 0 ? memchr(rest.data, '{', rest.size) : NULL;
    if (open == NULL) {
        vector_push(out, join(reader, done, rest));
        return;
    }
    Text before = {rest.data, (size_t)(open - rest.data)};
    const char *close = memchr(open, '}', rest.size - before.size);
    if (close == NULL) {
        fail(reader, span, "this '{' is not closed");
        return;
    }
    Text inside = {open + 1, (size_t)(close - open) - 1};
    Text after = {close + 1, rest.size - before.size - inside.size - 2};
    done = join(reader, done, before);
    if (memchr(inside.data, ',', inside.size) != NULL)
        expand_choices(reader, done, inside, after, span, out);
    else
        expand(reader, join(reader, done, placeholder_value(reader, inside, span)), after, span,
               out);
}

/* A string that stands for one text. */
static Text expand_one(Reader *reader, const Ast *string) {
    Texts texts = {0};
    expand(reader, TEXT(""), string->text, string->span, &texts);
    Text text = texts.count > 0 ? texts.items[0] : TEXT("");
    if (texts.count > 1)
        fail(reader, string->span, "this stands for several names where there can be one");
    vector_free(&texts);
    return text;
}

/* ---- expressions ---- */

static Datum evaluate(Reader *reader, const Ast *ast);

static bool evaluate_number(Reader *reader, const Ast *ast, int64_t *number) {
    Datum value = evaluate(reader, ast);
    *number = value.number;
    if (value.kind != DATUM_NUMBER && value.kind != DATUM_NONE)
        fail(reader, ast->span, "a whole number is wanted here");
    return value.kind == DATUM_NUMBER;
}

static Datum arithmetic(Reader *reader, AstOp op, int64_t a, int64_t b, Span span) {
    int64_t result = 0;
    bool overflow = false;
    switch (op) {
    case AST_ADD:
        overflow = __builtin_add_overflow(a, b, &result);
        break;
    case AST_SUB:
        overflow = __builtin_sub_overflow(a, b, &result);
        break;
    case AST_MUL:
        overflow = __builtin_mul_overflow(a, b, &result);
        break;
    case AST_DIV:
        if (b == 0 || a % (b == -1 ? 1 : b) != 0)
            return fail(reader, span, "this division leaves a remainder");
        overflow = b == -1 && a == INT64_MIN;
        result = overflow ? 0 : a / b;
        break;
    case AST_EQ:
        return number_datum(a == b);
    case AST_NE:
        return number_datum(a != b);
    case AST_LT:
        return number_datum(a < b);
    case AST_LE:
        return number_datum(a <= b);
    case AST_GT:
        return number_datum(a > b);
    case AST_GE:
        return number_datum(a >= b);
    case AST_AND:
        return number_datum(a != 0 && b != 0);
    case AST_OR:
        return number_datum(a != 0 || b != 0);
    default:
        return fail(reader, span, "a config has no such operator");
    }
    return overflow ? fail(reader, span, "this number is too large") : number_datum(result);
}

static Datum combine(Reader *reader, const Ast *ast, Datum a, Datum b) {
    if (a.kind == DATUM_NONE || b.kind == DATUM_NONE)
        return no_datum;
    if (a.kind == DATUM_NUMBER && b.kind == DATUM_NUMBER)
        return arithmetic(reader, ast->op, a.number, b.number, ast->span);
    if (a.kind == DATUM_TEXT && b.kind == DATUM_TEXT && (ast->op == AST_EQ || ast->op == AST_NE))
        return number_datum(text_equal(a.text, b.text) == (ast->op == AST_EQ));
    return fail(reader, ast->span, "these do not go together");
}

/* Chains lean to the left and may be long. */
static Datum evaluate_binary(Reader *reader, const Ast *ast) {
    VECTOR(const Ast *) spine = {0};
    for (; ast->kind == AST_BINARY; ast = ast->a)
        vector_push(&spine, ast);
    Datum left = evaluate(reader, ast);
    while (spine.count > 0) {
        const Ast *step = spine.items[--spine.count];
        left = combine(reader, step, left, evaluate(reader, step->b));
    }
    vector_free(&spine);
    return left;
}

static Datum evaluate_list(Reader *reader, const Ast *ast) {
    Datum *items = arena_array(reader->arena, Datum, ast->n_items + 1);
    for (uint32_t i = 0; i < ast->n_items; i++)
        items[i] = evaluate(reader, ast->items[i]);
    return (Datum){.kind = DATUM_LIST, .items = items, .n_items = ast->n_items};
}

/* a .. b: the numbers from a up to b, which is left out. */
static Datum evaluate_range(Reader *reader, const Ast *ast) {
    int64_t from, to;
    if (ast->a == NULL || ast->b == NULL)
        return fail(reader, ast->span, "a range has a first number and an end here");
    if (!evaluate_number(reader, ast->a, &from) || !evaluate_number(reader, ast->b, &to))
        return no_datum;
    if (to > from && (uint64_t)to - (uint64_t)from > LOOP_LIMIT)
        return fail(reader, ast->span, "a range has %d numbers at most", LOOP_LIMIT);
    uint32_t n = to > from ? (uint32_t)(to - from) : 0;
    Datum *items = arena_array(reader->arena, Datum, n + 1);
    for (uint32_t i = 0; i < n; i++)
        items[i] = number_datum(from + i);
    return (Datum){.kind = DATUM_LIST, .items = items, .n_items = n};
}

static Datum evaluate_index(Reader *reader, const Ast *ast) {
    Datum list = evaluate(reader, ast->a);
    int64_t at;
    if (list.kind == DATUM_NONE || ast->n_items != 1 ||
        !evaluate_number(reader, ast->items[0], &at))
        return no_datum;
    if (list.kind != DATUM_LIST)
        return fail(reader, ast->a->span, "only lists have indexes");
    at += at < 0 ? list.n_items : 0;
    if (at < 0 || at >= list.n_items)
        return fail(reader, ast->items[0]->span, "a list of %u is indexed from 0 to %d",
                    list.n_items, (int)list.n_items - 1);
    return list.items[at];
}

static Datum evaluate_if(Reader *reader, const Ast *ast) {
    int64_t truth;
    if (!evaluate_number(reader, ast->a, &truth))
        return no_datum;
    return evaluate(reader, truth ? ast->b : ast->c);
}

static Datum evaluate_unary(Reader *reader, const Ast *ast) {
    int64_t number;
    if (!evaluate_number(reader, ast->a, &number))
        return no_datum;
    return ast->op == AST_NOT ? number_datum(!number)
                              : arithmetic(reader, AST_SUB, 0, number, ast->span);
}

static Datum evaluate_call(Reader *reader, const Ast *ast) {
    if (ast->a->kind != AST_NAME || !text_equal(ast->a->text, TEXT("len")) || ast->n_items != 1)
        return fail(reader, ast->span, "a config has no such function");
    Datum list = evaluate(reader, ast->items[0]->a);
    if (list.kind != DATUM_LIST && list.kind != DATUM_NONE)
        return fail(reader, ast->span, "'len' takes a list");
    return list.kind == DATUM_LIST ? number_datum(list.n_items) : no_datum;
}

static Datum evaluate(Reader *reader, const Ast *ast) {
    switch (ast->kind) {
    case AST_BOOL:
    case AST_INT:
        return number_datum(ast->integer);
    case AST_STRING:
        return (Datum){.kind = DATUM_TEXT, .text = expand_one(reader, ast)};
    case AST_NAME: {
        const Datum *value = find_variable(reader, ast->text);
        return value != NULL ? *value : unknown_variable(reader, ast->text, ast->span);
    }
    case AST_LIST:
        return evaluate_list(reader, ast);
    case AST_RANGE:
        return evaluate_range(reader, ast);
    case AST_INDEX:
        return evaluate_index(reader, ast);
    case AST_UNARY:
        return evaluate_unary(reader, ast);
    case AST_BINARY:
        return evaluate_binary(reader, ast);
    case AST_IF:
        return evaluate_if(reader, ast);
    case AST_CALL:
        return evaluate_call(reader, ast);
    case AST_ERROR:
        reader->failed = true;
        return no_datum;
    default:
        return fail(reader, ast->span, "this has no meaning in a config");
    }
}

/* ---- places ---- */

static void note_text(Texts *texts, Text text) {
    for (size_t i = 0; i < texts->count; i++)
        if (text_equal(texts->items[i], text))
            return;
    vector_push(texts, text);
}

static Text replace_dots(Reader *reader, Text name, Text dots) {
    Builder out = {0};
    for (size_t i = 0; i < name.size; i++)
        if (name.data[i] == '.')
            builder_add(&out, dots);
        else
            builder_char(&out, name.data[i]);
    Text replaced = text_copy(reader->arena, builder_view(&out));
    builder_free(&out);
    return replaced;
}

/* The names of what follows TEXT (and its ALIASES) here: each name of the place goes on with each of
 * them. */
static void extend_names(Reader *reader, Place *place, Text text, const Texts *aliases) {
    uint32_t n = place->n_names * (uint32_t)(aliases->count + 1), at = 0;
    Text *names = arena_array(reader->arena, Text, n);
    for (uint32_t k = 0; k <= aliases->count; k++) {
        Text part = k == 0 ? text : aliases->items[k - 1];
        if (place->dots != NULL)
            part = replace_dots(reader, part, *place->dots);
        for (uint32_t i = 0; i < place->n_names; i++)
            names[at++] = join(reader, place->names[i], part);
    }
    place->names = names;
    place->n_names = n;
}

static DType read_dtype(Reader *reader, const Ast *name) {
    Text text = expand_one(reader, name);
    DType dtype = dtype_from_name(text);
    if (dtype != DTYPE_NONE || reader->failed)
        return dtype;
    size_t count;
    const Text *names = dtype_names(&count);
    fail(reader, name->span, "unknown dtype '%.*s'", TEXT_ARG(text_printable(reader->arena, text)));
    Text nearest = nearest_name(text, names, count);
    if (nearest.size > 0)
        diag_hint(reader->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
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
            place->block = expand_one(reader, attribute->a);
            note_text(&reader->block_names, place->block);
        } else if (text_equal(attribute->text, TEXT("alias"))) {
            vector_push(aliases, expand_one(reader, attribute->a));
        } else {
            Text *text = arena_new(reader->arena, Text);
            *text = expand_one(reader, attribute->a);
            *dots = text;
        }
    }
}

/* ---- keys ---- */

static bool read_shape(Reader *reader, const Ast *list, Shape *shape) {
    if (list->n_items > SHAPE_LIMIT) {
        fail(reader, list->span, "a tensor has %d dimensions at most", SHAPE_LIMIT);
        return false;
    }
    for (uint32_t i = 0; i < list->n_items; i++) {
        int64_t extent;
        if (!evaluate_number(reader, list->items[i], &extent))
            return false;
        if (extent < 0) {
            fail(reader, list->items[i]->span, "a dimension is not negative");
            return false;
        }
        shape->dims[shape->rank++] = (uint64_t)extent;
    }
    return true;
}

static void add_network_key(Reader *reader, const ConfigKey *key, Span span) {
    const char *mark = memchr(key->name.data, MODULE_MARK, key->name.size);
    if (mark == NULL) {
        fail(reader, span, "the key of a module has its name in it");
        return;
    }
    size_t before = (size_t)(mark - key->name.data);
    vector_push(&reader->network_keys,
                (NetworkKey){.before = {key->name.data, before},
                             .after = {mark + 1, key->name.size - before - 1},
                             .key = *key});
}

static void add_key(Reader *reader, const Place *place, ConfigKey key, Span span) {
    key.name = place->names[0];
    key.component = place->component;
    key.block = place->block;
    key.dtype = place->dtype;
    key.optional = place->optional;
    key.aliases = place->names + 1;
    key.n_aliases = place->n_names - 1;
    if (reader->in_network)
        add_network_key(reader, &key, span);
    else if (reader->parts->keys.count == CONFIG_KEYS_LIMIT)
        fail(reader, span, "a config has %d keys at most", CONFIG_KEYS_LIMIT);
    else
        vector_push(&reader->parts->keys, key);
}

static void read_key(Reader *reader, const Ast *item, Place place) {
    ConfigKey key = {.shaped = item->b != NULL};
    Texts names = {0}, aliases = {0};
    const Text *dots;
    read_attributes(reader, item, &place, &aliases, &dots);
    expand(reader, TEXT(""), item->a->text, item->a->span, &names);
    if (item->b == NULL || read_shape(reader, item->b, &key.shape))
        for (size_t i = 0; i < names.count && !reader->failed; i++) {
            Place here = place;
            extend_names(reader, &here, names.items[i], &aliases);
            add_key(reader, &here, key, item->span);
        }
    vector_free(&names);
    vector_free(&aliases);
}

/* ---- items ---- */

static void read_items(Reader *reader, const Ast *block, Place place);

static void read_prefix(Reader *reader, const Ast *item, Place place) {
    Texts prefixes = {0}, aliases = {0};
    const Text *dots;
    read_attributes(reader, item, &place, &aliases, &dots);
    expand(reader, TEXT(""), item->a->text, item->a->span, &prefixes);
    for (size_t i = 0; i < prefixes.count && !reader->failed; i++) {
        Place inner = place;
        extend_names(reader, &inner, prefixes.items[i], &aliases);
        inner.dots = dots;
        read_items(reader, item->b, inner);
    }
    vector_free(&prefixes);
    vector_free(&aliases);
}

static void read_component(Reader *reader, const Ast *item, Place place) {
    Texts aliases = {0};
    const Text *dots;
    place.component = item->text;
    note_text(&reader->components, item->text);
    read_attributes(reader, item, &place, &aliases, &dots);
    place.dots = dots;
    if (aliases.count > 0)
        fail(reader, item->span, "a component has no aliases: its keys have");
    vector_free(&aliases);
    if (!reader->failed)
        read_items(reader, item->b, place);
}

/* Whether a loop goes over the modules of another config: for module in modules("sdxl-kohya"). */
static bool is_network(const Ast *item) {
    return item->a->kind == AST_CALL && item->a->a->kind == AST_NAME &&
           text_equal(item->a->a->text, TEXT("modules"));
}

/* Its body is read once, for a module that stands for all. */
static void read_network(Reader *reader, const Ast *item, Place place) {
    const Ast *call = item->a;
    Datum name = call->n_items == 1 ? evaluate(reader, call->items[0]->a) : no_datum;
    if (name.kind != DATUM_TEXT || reader->parts->network != NULL || reader->depth > 0 ||
        reader->parts->keys.count > 0) {
        if (!reader->failed)
            fail(reader, call->span,
                 "'modules' takes the name of a config, and stands in the one loop of a config");
        return;
    }
    const Config *base = configs_find(reader->configs, name.text);
    if (base == NULL) {
        reader->failed = true;
        configs_unknown(reader->configs, name.text, call->items[0]->span);
        return;
    }
    if (config_is_network(base)) {
        fail(reader, call->span, "'%.*s' has no modules of its own", TEXT_ARG(name.text));
        return;
    }
    static const char mark[] = {MODULE_MARK, '\0'};
    Datum module = {.kind = DATUM_TEXT, .text = {mark, 1}};
    reader->parts->network = arena_new(reader->arena, Network);
    reader->parts->network->base = base;
    reader->in_network = true;
    vector_push(&reader->variables, (Variable){item->text, module});
    read_items(reader, item->b, place);
    reader->variables.count--;
}

static void read_each(Reader *reader, const Ast *item, Place place) {
    if (is_network(item)) {
        read_network(reader, item, place);
        return;
    }
    Datum list = evaluate(reader, item->a);
    if (list.kind != DATUM_LIST) {
        if (list.kind != DATUM_NONE)
            fail(reader, item->a->span, "'for … in' goes over a list");
        return;
    }
    for (uint32_t i = 0; i < list.n_items && !reader->failed; i++) {
        vector_push(&reader->variables, (Variable){item->text, list.items[i]});
        read_items(reader, item->b, place);
        reader->variables.count--;
    }
}

static void read_when(Reader *reader, const Ast *item, Place place) {
    int64_t truth;
    while (item != NULL && item->kind == AST_WHEN) {
        if (!evaluate_number(reader, item->a, &truth))
            return;
        if (truth != 0) {
            read_items(reader, item->b, place);
            return;
        }
        item = item->c;
    }
    if (item != NULL)
        read_items(reader, item, place);
}

/* ---- templates ---- */

static const Ast *find_template(const Reader *reader, Text name, const Scope **scope) {
    for (size_t i = reader->blocks.count; i > 0; i--) {
        const Ast *block = reader->blocks.items[i - 1];
        for (uint32_t k = 0; k < block->n_items; k++)
            if (block->items[k]->kind == AST_TEMPLATE && text_equal(block->items[k]->text, name)) {
                *scope = reader->scope;
                return block->items[k];
            }
    }
    const Definition *found = scope_find(reader->scope, DEFINITION_TEMPLATE, name);
    *scope = found != NULL ? found->scope : NULL;
    return found != NULL ? found->syntax : NULL;
}

static int find_formal(const Ast *template, const Ast *argument, uint32_t position) {
    for (uint32_t i = 0; i < template->n_items; i++)
        if (argument->text.size > 0 ? text_equal(template->items[i]->text, argument->text)
                                    : i == position)
            return (int)i;
    return -1;
}

/* The values of a template's parameters, in VALUES. */
static bool bind_arguments(Reader *reader, const Ast *call, const Ast *template, Datum *values) {
    uint32_t position = 0;
    for (uint32_t i = 0; i < call->n_items; i++) {
        const Ast *argument = call->items[i];
        int at = find_formal(template, argument, argument->text.size == 0 ? position++ : 0);
        if (at < 0 || values[at].kind != DATUM_NONE) {
            fail(reader, argument->span, "'%.*s' does not take this", TEXT_ARG(template->text));
            diag_note(reader->diags, template->name_span, "defined here");
            return false;
        }
        values[at] = evaluate(reader, argument->a);
        if (values[at].kind == DATUM_NONE)
            return false;
    }
    for (uint32_t i = 0; i < template->n_items; i++) {
        const Ast *formal = template->items[i];
        if (values[i].kind == DATUM_NONE && formal->a != NULL)
            values[i] = evaluate(reader, formal->a);
        if (values[i].kind == DATUM_NONE && !reader->failed)
            fail(reader, call->span, "'%.*s' needs a value for '%.*s'", TEXT_ARG(template->text),
                 TEXT_ARG(formal->text));
    }
    return !reader->failed;
}

static void read_template(Reader *reader, const Ast *call, const Ast *template, const Scope *scope,
                          Place place) {
    Datum *values = arena_array(reader->arena, Datum, template->n_items + 1);
    if (!bind_arguments(reader, call, template, values))
        return;
    if (reader->depth == TEMPLATE_LIMIT) {
        fail(reader, call->span, "templates call templates more than %d deep", TEMPLATE_LIMIT);
        return;
    }
    size_t frame = reader->frame, count = reader->variables.count;
    const Scope *outer = reader->scope;
    for (uint32_t i = 0; i < template->n_items; i++)
        vector_push(&reader->variables, (Variable){template->items[i]->text, values[i]});
    reader->frame = count;
    reader->scope = scope;
    reader->depth++;
    read_items(reader, template->b, place);
    reader->depth--;
    reader->scope = outer;
    reader->frame = frame;
    reader->variables.count = count;
    if (reader->failed)
        diag_note(reader->diags, call->span, "in '%.*s', called here", TEXT_ARG(template->text));
}

static void read_call(Reader *reader, const Ast *call, Place place) {
    const Scope *scope;
    const Ast *template =
        call->a->kind == AST_NAME ? find_template(reader, call->a->text, &scope) : NULL;
    if (template != NULL) {
        read_template(reader, call, template, scope, place);
        return;
    }
    fail(reader, call->a->span, "unknown template '%.*s'", TEXT_ARG(call->a->text));
    Text nearest = scope_nearest(reader->scope, DEFINITION_TEMPLATE, call->a->text);
    if (nearest.size > 0)
        diag_hint(reader->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
}

static void read_item(Reader *reader, const Ast *item, Place place) {
    switch (item->kind) {
    case AST_BIND:
        vector_push(&reader->variables, (Variable){item->text, evaluate(reader, item->a)});
        break;
    case AST_KEY:
        read_key(reader, item, place);
        break;
    case AST_PREFIX:
        read_prefix(reader, item, place);
        break;
    case AST_COMPONENT:
        read_component(reader, item, place);
        break;
    case AST_EACH:
        read_each(reader, item, place);
        break;
    case AST_WHEN:
        read_when(reader, item, place);
        break;
    case AST_CALL:
        read_call(reader, item, place);
        break;
    case AST_TEMPLATE:
        break;
    default:
        reader->failed = true; /* said by the parser */
    }
}

static void read_items(Reader *reader, const Ast *block, Place place) {
    size_t variables = reader->variables.count;
    vector_push(&reader->blocks, block);
    for (uint32_t i = 0; i < block->n_items && !reader->failed; i++)
        read_item(reader, block->items[i], place);
    reader->blocks.count--;
    reader->variables.count = variables;
}

/* ---- what was read ---- */

static const Text *keep_texts(Reader *reader, const Texts *texts, uint32_t *count) {
    *count = (uint32_t)texts->count;
    return arena_copy(reader->arena, texts->items, texts->count * sizeof *texts->items);
}

static void free_reader(Reader *reader) {
    vector_free(&reader->variables);
    vector_free(&reader->blocks);
    vector_free(&reader->components);
    vector_free(&reader->block_names);
    vector_free(&reader->network_keys);
}

bool config_read(Arena *arena, Diags *diags, Configs *configs, const Definition *definition,
                 Config *config) {
    const Ast *syntax = definition->syntax;
    Reader reader = {.arena = arena,
                     .diags = diags,
                     .configs = configs,
                     .scope = definition->scope,
                     .parts = config->parts};
    static const Text nothing = {"", 0};
    Place place = {.dtype = DTYPE_NONE, .names = &nothing, .n_names = 1};
    Texts aliases = {0};
    read_attributes(&reader, syntax, &place, &aliases, &place.dots);
    vector_free(&aliases);
    read_items(&reader, syntax->b, place);
    Network *network = config->parts->network;
    if (network != NULL) {
        network->n_keys = (uint32_t)reader.network_keys.count;
        network->keys = arena_copy(arena, reader.network_keys.items,
                                   network->n_keys * sizeof *network->keys);
    }
    config->keys = config->parts->keys.items;
    config->n_keys = (uint32_t)config->parts->keys.count;
    config->components = keep_texts(&reader, &reader.components, &config->n_components);
    config->blocks = keep_texts(&reader, &reader.block_names, &config->n_blocks);
    free_reader(&reader);
    return !reader.failed;
}
