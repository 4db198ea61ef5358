#include "syntax/rows.h"

#include "grammar/instructions.h"
#include "syntax/literal.h"

#include <inttypes.h>

enum { FEW_ARGUMENTS = 16 }; /* up to here, names are compared one by one */

static Span token_span(const Rows *rows, Token token) {
    return (Span){rows->source, token.begin, token.end};
}

static Text token_text(const Rows *rows, Token token) {
    return (Text){rows->text.data + token.begin, token.end - token.begin};
}

/* One message a line. */
static bool may_report(Rows *rows) {
    bool first = !rows->silent;
    rows->silent = rows->failed = true;
    return first;
}

#define REPORT(rows, ...)                                                                          \
    do {                                                                                           \
        if (may_report(rows))                                                                      \
            diag_error((rows)->diags, __VA_ARGS__);                                                \
    } while (0)

/* As REPORT, and words under the line. */
#define REPORT_HINT(rows, hint, ...)                                                               \
    do {                                                                                           \
        if (may_report(rows)) {                                                                    \
            diag_error((rows)->diags, __VA_ARGS__);                                                \
            diag_hint((rows)->diags, "%s", (hint));                                                \
        }                                                                                          \
    } while (0)

static Text shown(Rows *rows, Token token) {
    return text_printable(rows->arena, token_text(rows, token));
}

static void require_version(Rows *rows, Token command) {
    if (!rows->versioned)
        REPORT(rows, token_span(rows, command), "the first line must be 'version 0.1.0'");
    rows->versioned = true;
}

void rows_unexpected(Rows *rows, Token found) {
    switch (found.kind) {
    case I_NEWLINE:
        REPORT_HINT(rows, "no space stands around '='", token_span(rows, found),
                    "a value is missing after '='");
        return;
    case I_KEY:
        REPORT_HINT(rows, "no space stands around '='", token_span(rows, found),
                    "expected a value");
        return;
    default:
        REPORT_HINT(rows, "commands are model, dict, literal and merge", token_span(rows, found),
                    "expected a command, found '%.*s'", TEXT_ARG(shown(rows, found)));
    }
}

/* Ends a line: its arguments become those of an instruction. */
static void push(Rows *rows, int command, Span span) {
    Instruction row = {.command = command, .command_span = span, .span = span};
    row.n_arguments = (uint32_t)rows->arguments.count;
    if (row.n_arguments > 0) {
        row.span = span_join(span, rows->arguments.items[row.n_arguments - 1].span);
        row.arguments = arena_copy(rows->arena, rows->arguments.items,
                                   memory_size(row.n_arguments, sizeof *row.arguments));
    }
    vector_push(&rows->instructions, row);
    rows->arguments.count = 0;
}

void rows_lost(Rows *rows) {
    rows->arguments.count = 0;
    rows->versioned = true;
    push(rows, INSTRUCTION_DICT, SPAN_NONE);
}

void rows_unknown(Rows *rows, Token command) {
    static const Text commands[] = {TEXT("model"), TEXT("dict"), TEXT("literal"), TEXT("merge")};
    require_version(rows, command);
    Text nearest = nearest_name(token_text(rows, command), commands, 4);
    const char *hint = "commands are model, dict, literal and merge";
    if (nearest.size > 0)
        hint = text_format(rows->arena, "did you mean '%.*s'?", TEXT_ARG(nearest)).data;
    REPORT_HINT(rows, hint, token_span(rows, command), "unknown command '%.*s'",
                TEXT_ARG(shown(rows, command)));
    rows_lost(rows);
}

void rows_version(Rows *rows, Token command) {
    const InstructionArgument *version = rows->arguments.items;
    Text written = TEXT("");
    if (rows->arguments.count > 0)
        written =
            (Text){rows->text.data + version->span.begin, version->span.end - version->span.begin};
    if (rows->versioned)
        REPORT(rows, token_span(rows, command), "the version stands on the first line only");
    else if (rows->arguments.count != 1)
        REPORT(rows, token_span(rows, command), "the first line must be 'version 0.1.0'");
    else if (!text_equal(written, TEXT("0.1.0")))
        REPORT(rows, version->span, "version %.*s of the format is unknown; this is version 0.1.0",
               TEXT_ARG(text_printable(rows->arena, written)));
    rows->versioned = true;
    rows->arguments.count = 0;
}

static void set_number(InstructionArgument *argument, int64_t integer, double number) {
    argument->integer = integer;
    argument->number = number;
}

static void set_reference(Rows *rows, InstructionArgument *argument, Text written) {
    int64_t target = 0;
    literal_integer((Text){written.data + 1, written.size - 1}, &target);
    if (target < 0 || (uint64_t)target >= rows->instructions.count)
        REPORT(rows, argument->span,
               "&%" PRId64 " is no earlier instruction: there %s %zu before this one", target,
               rows->instructions.count == 1 ? "is" : "are", rows->instructions.count);
    else
        argument->reference = (uint32_t)target;
}

static void set_integer(InstructionArgument *argument, Text written) {
    int64_t integer;
    bool fits = literal_integer(written, &integer);
    set_number(argument, integer, fits ? (double)integer : literal_number(written));
}

static InstructionArgument make_value(Rows *rows, int kind, Span span, Text written) {
    InstructionArgument argument = {.kind = kind, .span = span, .text = written};
    if (kind == ARG_BOOL) {
        bool value = written.data[0] == 't' || written.data[0] == 'T';
        set_number(&argument, value, value);
    } else if (kind == ARG_INT)
        set_integer(&argument, written);
    else if (kind == ARG_FLOAT)
        set_number(&argument, 0, literal_number(written));
    else if (kind == ARG_REFERENCE)
        set_reference(rows, &argument, written);
    else if (kind == ARG_STRING)
        argument.text = literal_unescape(rows->arena, literal_inside(written));
    return argument;
}

void rows_value(Rows *rows, int kind, Token token) {
    InstructionArgument argument =
        make_value(rows, kind, token_span(rows, token), token_text(rows, token));
    vector_push(&rows->arguments, argument);
}

static int value_kind(uint16_t token) {
    switch (token) {
    case I_NULL:
        return ARG_NULL;
    case I_TRUE:
    case I_FALSE:
        return ARG_BOOL;
    case I_INT:
        return ARG_INT;
    case I_FLOAT:
        return ARG_FLOAT;
    case I_REFERENCE:
        return ARG_REFERENCE;
    default:
        return -1;
    }
}

static void complain_word(Rows *rows, Token token) {
    Text text = token_text(rows, token);
    const char *hint = "a string stands within \"…\"";
    uint32_t next = token.end;
    while (next < rows->text.size && rows->text.data[next] == ' ')
        next++;
    if (next < rows->text.size && rows->text.data[next] == '=')
        hint = "no space stands around '='";
    else if (text_ends(text, TEXT(",")))
        hint = "arguments are separated by spaces";
    else if (text_starts(text, TEXT("&")))
        hint = "a reference is & and a number";
    REPORT_HINT(rows, hint, token_span(rows, token), "'%.*s' is no value",
                TEXT_ARG(shown(rows, token)));
}

void rows_word(Rows *rows, Token token) {
    Text plain = literal_unescape(rows->arena, token_text(rows, token));
    Lexer lexer = lexer_open(plain, 0, DIALECT_INSTRUCTIONS);
    Token inner = lexer_next(&lexer);
    int kind = inner.end == plain.size ? value_kind(inner.kind) : -1;
    /* `0.1.0` is no value, but what the version line holds. */
    if (kind < 0 && rows->command == I_VERSION)
        kind = ARG_NULL;
    if (kind < 0)
        complain_word(rows, token);
    vector_push(&rows->arguments,
                make_value(rows, kind < 0 ? ARG_NULL : kind, token_span(rows, token), plain));
}

/* A repeated name takes the place of the earlier one. */
static void drop_earlier(Rows *rows, Text name) {
    size_t last = rows->arguments.count - 1;
    for (size_t i = 0; i < last && last < FEW_ARGUMENTS; i++) {
        if (!text_equal(rows->arguments.items[i].name, name))
            continue;
        rows->arguments.items[i] = rows->arguments.items[last];
        rows->arguments.count--;
        return;
    }
}

void rows_name(Rows *rows, Token key) {
    InstructionArgument *argument = &rows->arguments.items[rows->arguments.count - 1];
    Text written = token_text(rows, key);
    written.size--; /* = */
    bool quoted = written.size > 1 && written.data[0] == '"';
    if (quoted)
        written = (Text){written.data + 1, written.size - 2};
    argument->name = literal_unescape(rows->arena, written);
    argument->name_span = (Span){rows->source, key.begin, key.end - 1};
    if (argument->name.size == 0)
        REPORT_HINT(rows, "no space stands around '='", token_span(rows, key),
                    "a name is missing before '='");
    else if (argument->span.begin != key.end)
        REPORT_HINT(rows, "no space stands around '='", argument->span,
                    "this value does not follow its '='");
    argument->span = span_join(argument->name_span, argument->span);
    drop_earlier(rows, argument->name);
}

/* What drop_earlier leaves to do in lines with many names, as long dicts are. */
static void drop_repeated(Rows *rows) {
    if (rows->arguments.count <= FEW_ARGUMENTS)
        return;
    Arena arena = {0};
    Names names = {.arena = &arena};
    VECTOR(uint32_t) places = {0};
    size_t kept = 0;
    for (size_t i = 0; i < rows->arguments.count; i++) {
        InstructionArgument argument = rows->arguments.items[i];
        uint32_t name = argument.name.size > 0 ? names_add(&names, argument.name) : INDEX_NONE;
        if (name != INDEX_NONE && name < places.count)
            rows->arguments.items[places.items[name]] = argument;
        else {
            if (name != INDEX_NONE)
                vector_push(&places, (uint32_t)kept);
            rows->arguments.items[kept++] = argument;
        }
    }
    rows->arguments.count = kept;
    vector_free(&places);
    names_free(&names);
    arena_free(&arena);
}

static const char *kind_name(int kind) {
    switch (kind) {
    case ARG_NULL:
        return "null";
    case ARG_BOOL:
        return "a truth value";
    case ARG_INT:
    case ARG_FLOAT:
        return "a number";
    case ARG_STRING:
        return "a string";
    default:
        return "a reference";
    }
}

/* The first argument without a name, or NULL. */
static const InstructionArgument *first_positional(const Rows *rows) {
    for (size_t i = 0; i < rows->arguments.count; i++)
        if (rows->arguments.items[i].name.size == 0)
            return &rows->arguments.items[i];
    return NULL;
}

/* A model's path or a method's name: the first argument, a string, without a name. */
static void check_string_first(Rows *rows, Span command, const char *what) {
    const InstructionArgument *first = first_positional(rows);
    if (first == NULL)
        REPORT(rows, command, "%s is missing: a string after the command", what);
    else if (first->kind != ARG_STRING)
        REPORT(rows, first->span, "%s must be a string, not %s", what, kind_name(first->kind));
}

/* `model` and `literal` take a config and a space behind their first argument, by place or by name.
 */
static void check_hints(Rows *rows, Text first_name) {
    Text names[] = {TEXT("model_config"), TEXT("merge_space"), first_name};
    uint32_t place = 0;
    for (size_t i = 0; i < rows->arguments.count; i++) {
        const InstructionArgument *argument = &rows->arguments.items[i];
        bool named = argument->name.size > 0;
        bool known = text_equal(argument->name, names[0]) || text_equal(argument->name, names[1]);
        bool first = named ? text_equal(argument->name, first_name) : place++ == 0;
        if (first)
            continue;
        if (named ? !known : place > 3) {
            Text nearest = nearest_name(argument->name, names, 3);
            REPORT_HINT(
                rows,
                nearest.size
                    ? text_format(rows->arena, "did you mean '%.*s'?", TEXT_ARG(nearest)).data
                    : "what follows are model_config and merge_space",
                argument->span, named ? "unknown argument '%.*s'" : "too many arguments%.*s",
                TEXT_ARG(text_printable(rows->arena, argument->name)));
        } else if (argument->kind != ARG_STRING && argument->kind != ARG_NULL)
            REPORT(rows, argument->span, "a config or space must be a string or null, not %s",
                   kind_name(argument->kind));
    }
}

/* Numbers and truth values go together; all else only with its like. */
static int value_class(const InstructionArgument *argument) {
    return argument->kind == ARG_INT || argument->kind == ARG_FLOAT ? ARG_BOOL
                                                                    : (int)argument->kind;
}

static void check_dict(Rows *rows, Span command) {
    if (rows->arguments.count == 0)
        REPORT(rows, command, "an empty dict: name=value is expected, once or more");
    for (size_t i = 0; i < rows->arguments.count; i++) {
        const InstructionArgument *argument = &rows->arguments.items[i];
        if (argument->name.size == 0)
            REPORT(rows, argument->span, "a dict holds name=value only");
        else if (value_class(argument) != value_class(&rows->arguments.items[0]))
            REPORT(rows, argument->span, "a dict of different kinds: %s after %s",
                   kind_name(argument->kind), kind_name(rows->arguments.items[0].kind));
    }
}

/* The dict of a literal: its first argument, or the one that has its name. */
static void check_literal(Rows *rows, Span command) {
    const InstructionArgument *dict = first_positional(rows);
    for (size_t i = 0; i < rows->arguments.count; i++)
        if (text_equal(rows->arguments.items[i].name, TEXT("value_dict")))
            dict = &rows->arguments.items[i];
    if (dict == NULL)
        REPORT(rows, command, "a literal needs a dict: & and its number");
    else if (dict->kind != ARG_REFERENCE)
        REPORT(rows, dict->span, "a literal refers to a dict, not to %s", kind_name(dict->kind));
    else if (!rows->silent && rows->instructions.items[dict->reference].command != INSTRUCTION_DICT)
        REPORT(rows, dict->span, "a literal refers to a dict, and &%u is none", dict->reference);
    check_hints(rows, TEXT("value_dict"));
}

void rows_add(Rows *rows, int command, Token name) {
    Span span = token_span(rows, name);
    require_version(rows, name);
    drop_repeated(rows);
    if (command == INSTRUCTION_DICT)
        check_dict(rows, span);
    else if (command == INSTRUCTION_LITERAL)
        check_literal(rows, span);
    else
        check_string_first(rows, span,
                           command == INSTRUCTION_MODEL ? "the path of a model"
                                                        : "the name of a method");
    if (command == INSTRUCTION_MODEL)
        check_hints(rows, TEXT(""));
    push(rows, command, span);
}
