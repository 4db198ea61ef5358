#include "solve/structure.h"

#include <stdlib.h>
#include <string.h>

enum {
    TEMPLATE_LIMIT = 50,   /* templates in templates */
    LOOP_LIMIT = 1 << 16,  /* turns of one loop */
    STEPS_LIMIT = 2000000, /* names, and items of blocks, with those of loops and templates */
    WILDCARD_LIMIT = 32,   /* in one name */
};

static const Datum no_datum = {.kind = DATUM_NONE};

void structure_free(Structure *structure) {
    vector_free(&structure->variables);
    vector_free(&structure->blocks);
    vector_free(&structure->spine);
    for (uint32_t i = 0; i < structure->n_spare; i++)
        vector_free(&structure->spare[i]);
}

Datum structure_fail(Structure *structure, Span span, const char *format, ...) {
    Builder message = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&message, format, arguments);
    va_end(arguments);
    diag_error(structure->diags, span, "%s", message.data);
    builder_free(&message);
    structure->failed = true;
    return no_datum;
}

/* Counts a step. False when a config asks for too many, and a message the first time. */
static bool spend(Structure *structure, Span span) {
    if (++structure->steps == STEPS_LIMIT)
        structure_fail(structure, span, "this expands to more than %d names", STEPS_LIMIT);
    return structure->steps < STEPS_LIMIT;
}

static void note_depth(Structure *structure, uint32_t depth) {
    structure->deepest = depth > structure->deepest ? depth : structure->deepest;
}

bool structure_repeats(Structure *structure, uint32_t steps, uint32_t levels) {
    if (steps >= STEPS_LIMIT - structure->steps || structure->depth + levels > TEMPLATE_LIMIT)
        return false;
    structure->steps += steps;
    note_depth(structure, structure->depth + levels);
    return true;
}

uint64_t datum_hash(const Datum *datum, uint64_t seed) {
    uint64_t hash = seed ^ datum->kind ^ (uint64_t)datum->number ^ text_hash(datum->text);
    for (uint32_t i = 0; i < datum->n_items; i++)
        hash = datum_hash(&datum->items[i], hash);
    return hash * UINT64_C(0x9E3779B97F4A7C15);
}

bool datum_equal(const Datum *a, const Datum *b) {
    bool equal = a->kind == b->kind && a->number == b->number && text_equal(a->text, b->text) &&
                 a->n_items == b->n_items;
    for (uint32_t i = 0; i < a->n_items && equal; i++)
        equal = datum_equal(&a->items[i], &b->items[i]);
    return equal;
}

static Datum number_datum(int64_t number) {
    return (Datum){.kind = DATUM_NUMBER, .number = number};
}

const Datum *structure_variable(const Structure *structure, Text name) {
    for (size_t i = structure->variables.count; i > structure->frame; i--)
        if (text_equal(structure->variables.items[i - 1].name, name))
            return &structure->variables.items[i - 1].value;
    if (structure->given != NULL && text_equal(structure->given->name, name))
        return &structure->given->value;
    return NULL;
}

static Datum unknown_variable(Structure *structure, Text name, Span span) {
    Texts names = {0};
    for (size_t i = structure->frame; i < structure->variables.count; i++)
        vector_push(&names, structure->variables.items[i].name);
    structure_fail(structure, span, "unknown name '%.*s'",
                   TEXT_ARG(text_printable(structure->arena, name)));
    Text nearest = nearest_name(name, names.items, names.count);
    if (nearest.size > 0)
        diag_hint(structure->diags, "did you mean '%.*s'?", TEXT_ARG(nearest));
    vector_free(&names);
    return no_datum;
}

/* ---- names with wildcards ---- */

Text structure_join_all(Arena *arena, const Text *pieces, uint32_t n) {
    size_t size = 0;
    for (uint32_t i = 0; i < n; i++)
        size += pieces[i].size;
    char *data = arena_alloc(arena, size + 1), *end = data;
    for (uint32_t i = 0; i < n; i++)
        if (pieces[i].size > 0)
            end = mempcpy(end, pieces[i].data, pieces[i].size);
    return (Text){data, size};
}

Text structure_join(Arena *arena, Text a, Text b) {
    return a.size == 0 ? b : structure_join_all(arena, (Text[]){a, b}, 2);
}

Text structure_undot(Arena *arena, Text name, Text dots) {
    size_t most = dots.size > 1 ? memory_size(name.size, dots.size) : name.size;
    char *replaced = arena_alloc(arena, most + 1), *end = replaced;
    for (size_t i = 0; i < name.size; i++) {
        if (name.data[i] != '.')
            *end++ = name.data[i];
        else
            for (size_t k = 0; k < dots.size; k++)
                *end++ = dots.data[k];
    }
    return (Text){replaced, (size_t)(end - replaced)};
}

/* `02`: the number of digits; 0 where FORMAT is no width. */
static int format_width(Text format) {
    bool is_width =
        format.size == 2 && format.data[0] == '0' && format.data[1] >= '1' && format.data[1] <= '9';
    return is_width ? format.data[1] - '0' : 0;
}

bool structure_format(Arena *arena, Text value, Text format, Text *out) {
    *out = value;
    int width = format_width(format);
    if (width > 0 && value.size < (size_t)width)
        *out =
            text_format(arena, "%.*s%.*s", width - (int)value.size, "000000000", TEXT_ARG(value));
    else if (text_equal(format, TEXT("underscored")))
        *out = structure_undot(arena, value, TEXT("_"));
    else if (text_equal(format, TEXT("undotted")))
        *out = structure_undot(arena, value, TEXT(""));
    else
        return width > 0 || format.size == 0;
    return true;
}

void structure_split(Text inside, Text *name, Text *format) {
    const char *colon = inside.size > 0 ? memchr(inside.data, ':', inside.size) : NULL;
    *name = (Text){inside.data, colon != NULL ? (size_t)(colon - inside.data) : inside.size};
    *format = colon != NULL ? (Text){colon + 1, inside.size - name->size - 1} : TEXT("");
}

Text structure_digits(Arena *arena, int64_t number) {
    static const char digits[] = "0123456789";
    if (number >= 0 && number < 10)
        return (Text){digits + number, 1};
    if (number < 0 || number >= 100)
        return text_format(arena, "%lld", (long long)number);
    char *text = arena_alloc(arena, 2);
    text[0] = digits[number / 10];
    text[1] = digits[number % 10];
    return (Text){text, 2};
}

/* `name`, `name:02`, `name:underscored` or `name:undotted`: the value of a variable. False where it
 * is to stay as it is. */
static bool wildcard_value(Structure *structure, Text inside, Span span, Text *out) {
    Text name, format;
    structure_split(inside, &name, &format);
    const Datum *value = structure_variable(structure, name);
    *out = TEXT("");
    if (value == NULL) {
        if (!structure->open_names)
            unknown_variable(structure, name, span);
        return !structure->open_names;
    }
    if (value->kind == DATUM_LIST)
        structure_fail(structure, span, "'%.*s' is a list", TEXT_ARG(name));
    Text text = value->kind == DATUM_NUMBER ? structure_digits(structure->arena, value->number)
                : value->kind == DATUM_TEXT ? value->text
                                            : TEXT("");
    if (!structure_format(structure->arena, text, format, out)) {
        structure_fail(structure, span, "'%.*s' is no format of a name", TEXT_ARG(format));
        diag_hint(structure->diags, "{i:02} writes two digits, {x:underscored} and {x:undotted} "
                                    "replace dots");
    }
    return true;
}

static void expand(Structure *structure, Text done, Text rest, Span span, Texts *out);

/* `{q,k,v}` stands for each of them. */
static void expand_choices(Structure *structure, Text done, Text inside, Text rest, Span span,
                           Texts *out) {
    while (true) {
        const char *comma = memchr(inside.data, ',', inside.size);
        Text choice = {inside.data, comma != NULL ? (size_t)(comma - inside.data) : inside.size};
        expand(structure, structure_join(structure->arena, done, choice), rest, span, out);
        if (comma == NULL || structure->failed)
            return;
        inside = (Text){comma + 1, inside.size - choice.size - 1};
    }
}

/* Up to nine digits. */
static bool read_number(Text text, int64_t *number) {
    *number = 0;
    for (size_t i = 0; i < text.size && i < 9; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
        *number = 10 * *number + (text.data[i] - '0');
    }
    return text.size > 0 && text.size < 10;
}

/* Whether INSIDE is `0..3`, numbers of which the last is included. */
static bool read_bounds(Text inside, int64_t *first, int64_t *last) {
    const char *dots = memmem(inside.data, inside.size, "..", 2);
    size_t size = dots != NULL ? (size_t)(dots - inside.data) : 0;
    return dots != NULL && read_number((Text){inside.data, size}, first) &&
           read_number((Text){dots + 2, inside.size - size - 2}, last);
}

/* `{0..3}` stands for each of the numbers. */
static void expand_numbers(Structure *structure, Text done, int64_t first, int64_t last, Text rest,
                           Span span, Texts *out) {
    if (last < first || last - first > LOOP_LIMIT) {
        structure_fail(structure, span, "a range goes upwards, over %d numbers at most",
                       LOOP_LIMIT);
        return;
    }
    for (int64_t i = first; i <= last && !structure->failed; i++)
        expand(structure,
               structure_join(structure->arena, done, structure_digits(structure->arena, i)), rest,
               span, out);
}

/* Adds to OUT every text that DONE and what REST says make. */
static void expand(Structure *structure, Text done, Text rest, Span span, Texts *out) {
    const char *open = rest.size > 0 ? memchr(rest.data, '{', rest.size) : NULL;
    if (!spend(structure, span))
        return;
    if (open == NULL) {
        vector_push(out, structure_join(structure->arena, done, rest));
        return;
    }
    Text before = {rest.data, (size_t)(open - rest.data)};
    const char *close = memchr(open, '}', rest.size - before.size);
    if (close == NULL) {
        structure_fail(structure, span, "this '{' is not closed");
        return;
    }
    Text inside = {open + 1, (size_t)(close - open) - 1};
    Text after = {close + 1, rest.size - before.size - inside.size - 2};
    done = structure_join(structure->arena, done, before);
    Text value;
    int64_t first, last;
    if (memchr(inside.data, ',', inside.size) != NULL) {
        expand_choices(structure, done, inside, after, span, out);
        return;
    }
    if (read_bounds(inside, &first, &last)) {
        expand_numbers(structure, done, first, last, after, span, out);
        return;
    }
    if (!wildcard_value(structure, inside, span, &value))
        value = (Text){open, inside.size + 2};
    expand(structure, structure_join(structure->arena, done, value), after, span, out);
}

Texts structure_names(Structure *structure, const Ast *string) {
    Texts names = {0};
    if (structure->n_spare > 0)
        names = structure->spare[--structure->n_spare];
    names.count = 0;
    size_t wildcards = 0;
    for (size_t i = 0; i < string->text.size; i++)
        wildcards += string->text.data[i] == '{';
    if (wildcards > WILDCARD_LIMIT)
        structure_fail(structure, string->span, "a name has %d wildcards at most", WILDCARD_LIMIT);
    else
        expand(structure, TEXT(""), string->text, string->span, &names);
    return names;
}

void structure_forget(Structure *structure, Texts *names) {
    if (structure->n_spare < SPARE_TEXTS)
        structure->spare[structure->n_spare++] = *names;
    else
        vector_free(names);
}

/* A string that stands for one text. */
Text structure_name(Structure *structure, const Ast *string) {
    Texts texts = structure_names(structure, string);
    Text text = texts.count > 0 ? texts.items[0] : TEXT("");
    if (texts.count > 1)
        structure_fail(structure, string->span,
                       "this stands for several names where there can be one");
    structure_forget(structure, &texts);
    return text;
}

/* ---- expressions ---- */

bool structure_number(Structure *structure, const Ast *ast, int64_t *number) {
    Datum value = structure_evaluate(structure, ast);
    *number = value.number;
    if (value.kind != DATUM_NUMBER && value.kind != DATUM_NONE)
        structure_fail(structure, ast->span, "a whole number is wanted here");
    return value.kind == DATUM_NUMBER;
}

static Datum arithmetic(Structure *structure, AstOp op, int64_t a, int64_t b, Span span) {
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
            return structure_fail(structure, span, "this division leaves a remainder");
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
        return structure_fail(structure, span, "a config has no such operator");
    }
    return overflow ? structure_fail(structure, span, "this number is too large")
                    : number_datum(result);
}

static Datum combine(Structure *structure, const Ast *ast, Datum a, Datum b) {
    if (a.kind == DATUM_NONE || b.kind == DATUM_NONE)
        return no_datum;
    if (a.kind == DATUM_NUMBER && b.kind == DATUM_NUMBER)
        return arithmetic(structure, ast->op, a.number, b.number, ast->span);
    if (a.kind == DATUM_TEXT && b.kind == DATUM_TEXT && (ast->op == AST_EQ || ast->op == AST_NE))
        return number_datum(text_equal(a.text, b.text) == (ast->op == AST_EQ));
    return structure_fail(structure, ast->span, "these do not go together");
}

/* Chains lean to the left and may be long. */
static Datum evaluate_binary(Structure *structure, const Ast *ast) {
    size_t mark = structure->spine.count;
    for (; ast->kind == AST_BINARY; ast = ast->a)
        vector_push(&structure->spine, ast);
    Datum left = structure_evaluate(structure, ast);
    while (structure->spine.count > mark) {
        const Ast *step = structure->spine.items[--structure->spine.count];
        left = combine(structure, step, left, structure_evaluate(structure, step->b));
    }
    return left;
}

static Datum evaluate_list(Structure *structure, const Ast *ast) {
    Datum *items = arena_array(structure->arena, Datum, ast->n_items + 1);
    for (uint32_t i = 0; i < ast->n_items; i++)
        items[i] = structure_evaluate(structure, ast->items[i]);
    return (Datum){.kind = DATUM_LIST, .items = items, .n_items = ast->n_items};
}

/* a .. b: the numbers from a up to b, which is left out. */
static Datum evaluate_range(Structure *structure, const Ast *ast) {
    int64_t from, to;
    if (ast->a == NULL || ast->b == NULL)
        return structure_fail(structure, ast->span, "a range has a first number and an end here");
    if (!structure_number(structure, ast->a, &from) || !structure_number(structure, ast->b, &to))
        return no_datum;
    if (to > from && (uint64_t)to - (uint64_t)from > LOOP_LIMIT)
        return structure_fail(structure, ast->span, "a range has %d numbers at most", LOOP_LIMIT);
    uint32_t n = to > from ? (uint32_t)(to - from) : 0;
    Datum *items = arena_array(structure->arena, Datum, n + 1);
    for (uint32_t i = 0; i < n; i++)
        items[i] = number_datum(from + i);
    return (Datum){.kind = DATUM_LIST, .items = items, .n_items = n};
}

static Datum evaluate_index(Structure *structure, const Ast *ast) {
    Datum list = structure_evaluate(structure, ast->a);
    int64_t at;
    if (list.kind == DATUM_NONE || ast->n_items != 1 ||
        !structure_number(structure, ast->items[0], &at))
        return no_datum;
    if (list.kind != DATUM_LIST)
        return structure_fail(structure, ast->a->span, "only lists have indexes");
    at += at < 0 ? list.n_items : 0;
    if (at < 0 || at >= list.n_items)
        return structure_fail(structure, ast->items[0]->span,
                              "a list of %u is indexed from 0 to %d", list.n_items,
                              (int)list.n_items - 1);
    return list.items[at];
}

static Datum evaluate_if(Structure *structure, const Ast *ast) {
    int64_t truth;
    if (!structure_number(structure, ast->a, &truth))
        return no_datum;
    return structure_evaluate(structure, truth ? ast->b : ast->c);
}

static Datum evaluate_unary(Structure *structure, const Ast *ast) {
    int64_t number;
    if (!structure_number(structure, ast->a, &number))
        return no_datum;
    return ast->op == AST_NOT ? number_datum(!number)
                              : arithmetic(structure, AST_SUB, 0, number, ast->span);
}

static Datum evaluate_call(Structure *structure, const Ast *ast) {
    if (ast->a->kind != AST_NAME || !text_equal(ast->a->text, TEXT("len")) || ast->n_items != 1)
        return structure_fail(structure, ast->span, "a config has no such function");
    Datum list = structure_evaluate(structure, ast->items[0]->a);
    if (list.kind != DATUM_LIST && list.kind != DATUM_NONE)
        return structure_fail(structure, ast->span, "'len' takes a list");
    return list.kind == DATUM_LIST ? number_datum(list.n_items) : no_datum;
}

Datum structure_evaluate(Structure *structure, const Ast *ast) {
    switch (ast->kind) {
    case AST_BOOL:
    case AST_INT:
        return number_datum(ast->integer);
    case AST_STRING:
        return (Datum){.kind = DATUM_TEXT, .text = structure_name(structure, ast)};
    case AST_NAME: {
        const Datum *value = structure_variable(structure, ast->text);
        return value != NULL ? *value : unknown_variable(structure, ast->text, ast->span);
    }
    case AST_LIST:
        return evaluate_list(structure, ast);
    case AST_RANGE:
        return evaluate_range(structure, ast);
    case AST_INDEX:
        return evaluate_index(structure, ast);
    case AST_UNARY:
        return evaluate_unary(structure, ast);
    case AST_BINARY:
        return evaluate_binary(structure, ast);
    case AST_IF:
        return evaluate_if(structure, ast);
    case AST_CALL:
        return evaluate_call(structure, ast);
    case AST_ERROR:
        structure->failed = true;
        return no_datum;
    default:
        return structure_fail(structure, ast->span, "this has no meaning in a config");
    }
}

/* ---- templates ---- */

static const Ast *find_template(const Structure *structure, Text name, const Scope **scope) {
    for (size_t i = structure->blocks.count; i > 0; i--) {
        const Ast *block = structure->blocks.items[i - 1];
        for (uint32_t k = 0; k < block->n_items; k++)
            if (block->items[k]->kind == AST_TEMPLATE && text_equal(block->items[k]->text, name)) {
                *scope = structure->scope;
                return block->items[k];
            }
    }
    const Definition *found = scope_find(structure->scope, DEFINITION_TEMPLATE, name);
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
static bool bind_arguments(Structure *structure, const Ast *call, const Ast *template,
                           Datum *values) {
    uint32_t position = 0;
    for (uint32_t i = 0; i < call->n_items; i++) {
        const Ast *argument = call->items[i];
        int at = find_formal(template, argument, argument->text.size == 0 ? position++ : 0);
        if (at < 0 || values[at].kind != DATUM_NONE) {
            structure_fail(structure, argument->span, "'%.*s' does not take this",
                           TEXT_ARG(template->text));
            diag_note(structure->diags, template->name_span, "defined here");
            return false;
        }
        values[at] = structure_evaluate(structure, argument->a);
        if (values[at].kind == DATUM_NONE)
            return false;
    }
    for (uint32_t i = 0; i < template->n_items; i++) {
        const Ast *formal = template->items[i];
        if (values[i].kind == DATUM_NONE && formal->a != NULL)
            values[i] = structure_evaluate(structure, formal->a);
        if (values[i].kind == DATUM_NONE && !structure->failed)
            structure_fail(structure, call->span, "'%.*s' needs a value for '%.*s'",
                           TEXT_ARG(template->text), TEXT_ARG(formal->text));
    }
    return !structure->failed;
}

static void read_template(Structure *structure, const Ast *call, const Ast *template,
                          const Scope *scope, const void *place) {
    Datum *values = arena_array(structure->arena, Datum, template->n_items + 1);
    if (!bind_arguments(structure, call, template, values))
        return;
    if (structure->depth == TEMPLATE_LIMIT) {
        structure_fail(structure, call->span, "templates call templates more than %d deep",
                       TEMPLATE_LIMIT);
        return;
    }
    size_t frame = structure->frame, count = structure->variables.count;
    const Scope *outer = structure->scope;
    for (uint32_t i = 0; i < template->n_items; i++)
        vector_push(&structure->variables, (Variable){template->items[i]->text, values[i]});
    structure->frame = count;
    structure->scope = scope;
    note_depth(structure, ++structure->depth);
    if (structure->read_body != NULL)
        structure->read_body(structure, template, values, place);
    else
        structure_read(structure, template->b, place);
    structure->depth--;
    structure->scope = outer;
    structure->frame = frame;
    structure->variables.count = count;
    if (structure->failed)
        diag_note(structure->diags, call->span, "in '%.*s', called here", TEXT_ARG(template->text));
}

/* Calls stand in loops: each is looked up once. */
static const KnownTemplate *known_template(Structure *structure, const Ast *call) {
    KnownTemplate *known = &structure->known[(uintptr_t)call / sizeof(Ast) % KNOWN_TEMPLATES];
    if (known->call != call) {
        known->call = call;
        known->template = call->a->kind == AST_NAME
                              ? find_template(structure, call->a->text, &known->scope)
                              : NULL;
    }
    return known;
}

/* False where CALL is of no template. */
static bool read_call(Structure *structure, const Ast *call, const void *place) {
    const KnownTemplate *known = known_template(structure, call);
    const Ast *template = known->template;
    if (template != NULL)
        read_template(structure, call, template, known->scope, place);
    return template != NULL;
}

/* ---- loops, conditions, items ---- */

static void read_each(Structure *structure, const Ast *item, const void *place) {
    Datum list = structure_evaluate(structure, item->a);
    if (list.kind != DATUM_LIST) {
        if (list.kind != DATUM_NONE)
            structure_fail(structure, item->a->span, "'for … in' goes over a list");
        return;
    }
    for (uint32_t i = 0; i < list.n_items && !structure->failed; i++) {
        if (!spend(structure, item->span))
            return;
        vector_push(&structure->variables, (Variable){item->text, list.items[i]});
        structure_read(structure, item->b, place);
        structure->variables.count--;
    }
}

static void read_when(Structure *structure, const Ast *item, const void *place) {
    int64_t truth;
    while (item != NULL && item->kind == AST_WHEN) {
        if (!structure_number(structure, item->a, &truth))
            return;
        if (truth != 0) {
            structure_read(structure, item->b, place);
            return;
        }
        item = item->c;
    }
    if (item != NULL)
        structure_read(structure, item, place);
}

/* The value comes before its name is seen: it may have one of the same name. */
static void read_binding(Structure *structure, const Ast *item) {
    Datum value = structure_evaluate(structure, item->a);
    vector_push(&structure->variables, (Variable){item->text, value});
}

/* A loop over a call is one of the item reader's own. */
static void read_any(Structure *structure, const Ast *item, const void *place) {
    if (!spend(structure, item->span))
        return;
    switch (item->kind) {
    case AST_BIND:
        read_binding(structure, item);
        break;
    case AST_WHEN:
        read_when(structure, item, place);
        break;
    case AST_TEMPLATE:
        break;
    case AST_ERROR:
        structure->failed = true; /* said by the parser */
        break;
    case AST_EACH:
        if (item->a->kind != AST_CALL) {
            read_each(structure, item, place);
            break;
        }
        structure->read_item(structure, item, place);
        break;
    default:
        if (item->kind == AST_CALL && read_call(structure, item, place))
            break;
        structure->read_item(structure, item, place);
    }
}

void structure_read(Structure *structure, const Ast *block, const void *place) {
    size_t variables = structure->variables.count;
    vector_push(&structure->blocks, block);
    for (uint32_t i = 0; i < block->n_items && !structure->failed; i++)
        read_any(structure, block->items[i], place);
    structure->blocks.count--;
    structure->variables.count = variables;
}
