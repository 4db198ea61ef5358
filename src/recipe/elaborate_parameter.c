/* A recipe's parameters: their types, ranges and defaults, and the values given from outside. */
#include "recipe/elaborate.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void misuse(const Elaborator *elaborator) {
    *elaborator->options->misused = true;
}

static const Setting *find_setting(const Elaborator *elaborator, Text name) {
    const Setting *found = NULL;
    for (size_t i = 0; i < elaborator->options->n_settings; i++)
        if (text_equal(elaborator->options->settings[i].name, name)) {
            found = &elaborator->options->settings[i];
            elaborator->setting_used[i] = true;
        }
    return found;
}

static bool read_truth(Text value, double *number) {
    static const struct {
        const char *word;
        double value;
    } words[] = {{"true", 1},  {"yes", 1}, {"1", 1}, {"on", 1},
                 {"false", 0}, {"no", 0},  {"0", 0}, {"off", 0}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (text_equal(value, text_from(words[i].word))) {
            *number = words[i].value;
            return true;
        }
    return false;
}

static bool read_number(Elaborator *elaborator, Text value, double *number) {
    const char *copy = text_copy(elaborator->arena, value).data;
    char *end;
    *number = strtod(copy, &end);
    return value.size > 0 && *end == '\0';
}

/* The node that a setting's text stands for, by the parameter's type; NODE_NONE where it is none.
 */
static NodeId read_setting(Elaborator *elaborator, Text type, Text value, Span span) {
    double number;
    Build *build = elaborator->build;
    if (text_equal(type, TEXT("bool")))
        return read_truth(value, &number) ? build_number(build, number, NUMBER_BOOL, span)
                                          : NODE_NONE;
    if (text_equal(type, TEXT("float")))
        return read_number(elaborator, value, &number)
                   ? build_number(build, number, NUMBER_FLOAT, span)
                   : NODE_NONE;
    if (text_equal(type, TEXT("int")))
        return read_number(elaborator, value, &number) && number == trunc(number)
                   ? build_number(build, number, NUMBER_INT, span)
                   : NODE_NONE;
    Text copy = text_copy(elaborator->arena, value);
    if (text_equal(type, TEXT("model")))
        return build_model(build, copy, TEXT(""), SPACE_SET(SPACE_WEIGHT), span);
    return build_string(build, copy, span);
}

static bool is_parameter_type(Text name) {
    static const char *const names[] = {"float", "int", "bool", "str", "path", "model"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (text_equal(name, text_from(names[i])))
            return true;
    return false;
}

static Text source_text(const Elaborator *elaborator, Span span) {
    const Source *source = diags_find(elaborator->diags, span.source);
    return (Text){source->text.data + span.begin, span.end - span.begin};
}

/* Whether a value lies in `in a..b` or `in [x, y]`. */
static bool in_range(const Frame *frame, const Ast *range, NodeId value) {
    if (range->kind == AST_RANGE) {
        NodeId low = elaborate_node(frame, range->a), high = elaborate_node(frame, range->b);
        if (low == NODE_NONE || high == NODE_NONE)
            return true; /* said already */
        double number = node_of(frame, value)->number;
        return node_of(frame, low)->number <= number && number <= node_of(frame, high)->number;
    }
    Item choices = elaborate_expression(frame, range);
    for (uint32_t i = 0; i < choices.n_items; i++)
        if (choices.items[i].node == value)
            return true;
    return choices.kind != ITEM_LIST;
}

static void declare_parameter(const Frame *frame, const Ast *ast, Text type) {
    Elaborator *elaborator = frame->elaborator;
    RecipeParameter parameter = {.name = ast->text,
                                 .span = ast->name_span,
                                 .type = type,
                                 .required = ast->a == NULL,
                                 .doc = ast->doc};
    if (ast->a != NULL)
        parameter.fallback = source_text(elaborator, ast->a->span);
    if (ast->c != NULL)
        parameter.range = source_text(elaborator, ast->c->span);
    vector_push(&elaborator->parameters, parameter);
}

static bool is_of_type(const Node *node, Text type) {
    if (text_equal(type, TEXT("model")))
        return node->kind == NODE_MODEL || node->kind == NODE_STRING;
    if (text_equal(type, TEXT("str")) || text_equal(type, TEXT("path")))
        return node->kind == NODE_STRING;
    if (node->kind != NODE_NUMBER || text_equal(type, TEXT("float")))
        return node->kind == NODE_NUMBER && node->number_kind != NUMBER_BOOL;
    return node->number_kind == (text_equal(type, TEXT("int")) ? NUMBER_INT : NUMBER_BOOL);
}

/* null stands for a value that was not given. */
static NodeId default_value(const Frame *frame, const Ast *ast, Text type) {
    NodeId value = elaborate_node(frame, ast->a);
    if (value == NODE_NONE || node_of(frame, value)->kind == NODE_NULL)
        return value;
    if (!is_of_type(node_of(frame, value), type)) {
        diag_error(frame->elaborator->diags, ast->a->span, "the default of '%.*s' is no %.*s",
                   TEXT_ARG(ast->text), TEXT_ARG(type));
        return NODE_NONE;
    }
    if (text_equal(type, TEXT("model")) && node_of(frame, value)->kind == NODE_STRING)
        return build_model(frame->elaborator->build, node_of(frame, value)->text, TEXT(""),
                           SPACE_SET(SPACE_WEIGHT), ast->a->span);
    return value;
}

void elaborate_parameter(const Frame *frame, const Ast *ast) {
    Elaborator *elaborator = frame->elaborator;
    Text type = ast->b != NULL ? ast->b->text : TEXT("float");
    if (!is_parameter_type(type)) {
        diag_error(elaborator->diags, ast->b->span, "unknown type '%.*s'", TEXT_ARG(type));
        diag_hint(elaborator->diags, "float, int, bool, str, path or model");
        frame_bind(frame, ast->text, ast->name_span, poison);
        return;
    }
    declare_parameter(frame, ast, type);
    const Setting *setting = frame->file->imported ? NULL : find_setting(elaborator, ast->text);
    NodeId value = NODE_NONE;
    if (setting != NULL) {
        value = read_setting(elaborator, type, setting->value, ast->name_span);
        if (value == NODE_NONE) {
            misuse(elaborator);
            diag_error(elaborator->diags, ast->name_span,
                       "--%.*s takes a value of type %.*s, not '%.*s'", TEXT_ARG(ast->text),
                       TEXT_ARG(type), TEXT_ARG(text_printable(elaborator->arena, setting->value)));
        }
    } else if (ast->a != NULL) {
        value = default_value(frame, ast, type);
    } else {
        misuse(elaborator);
        diag_error(elaborator->diags, ast->name_span, "the recipe needs a value for '%.*s'",
                   TEXT_ARG(ast->text));
        diag_hint(elaborator->diags, "give it: --%.*s %s", TEXT_ARG(ast->text),
                  text_equal(type, TEXT("float")) ? "NUMBER" : "VALUE");
    }
    if (value != NODE_NONE && ast->c != NULL && !in_range(frame, ast->c, value)) {
        Text range = source_text(elaborator, ast->c->span);
        misuse(elaborator);
        diag_error(elaborator->diags, ast->name_span, "the value of '%.*s' is not in %.*s",
                   TEXT_ARG(ast->text), TEXT_ARG(range));
        value = NODE_NONE;
    }
    frame_bind(frame, ast->text, ast->name_span, item_of(value));
}

void elaborate_check_settings(const Elaborator *elaborator) {
    VECTOR(Text) names = {0};
    for (size_t i = 0; i < elaborator->parameters.count; i++)
        vector_push(&names, elaborator->parameters.items[i].name);
    for (size_t i = 0; i < elaborator->options->n_settings; i++) {
        if (elaborator->setting_used[i])
            continue;
        Text name = elaborator->options->settings[i].name;
        misuse(elaborator);
        diag_error(elaborator->diags, SPAN_NONE,
                   "unknown option '--%.*s': the recipe has no such parameter", TEXT_ARG(name));
        Text nearest = nearest_name(name, names.items, names.count);
        if (nearest.size > 0)
            diag_hint(elaborator->diags, "did you mean '--%.*s'?", TEXT_ARG(nearest));
    }
    vector_free(&names);
}
