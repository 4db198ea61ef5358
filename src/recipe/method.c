#include "recipe/method.h"

#include "syntax/ast.h"

int method_parameter(const Method *method, Text name) {
    for (uint32_t i = 0; i < method->n_parameters; i++)
        if (text_equal(method->parameters[i].name, name))
            return (int)i;
    return -1;
}

uint32_t method_operand(const Method *method, uint32_t n_operands, uint32_t i) {
    for (uint32_t p = 0; p < method->n_parameters && p <= i; p++) {
        if (!method->parameters[p].variadic)
            continue;
        uint32_t n_variadic = n_operands - (method->n_parameters - 1);
        return i < p + n_variadic ? p : i - n_variadic + 1;
    }
    return i;
}

static void print_type(const Ast *type, Builder *out) {
    builder_add(out, type->text);
    for (uint32_t i = 0; i < type->n_items; i++) {
        builder_add(out, i > 0 || type->text.size > 0 ? TEXT(" | ") : TEXT(""));
        print_type(type->items[i], out);
    }
    if (type->optional)
        builder_char(out, '?');
    if (type->a != NULL)
        builder_format(out, " as \"%.*s\"", TEXT_ARG(type->a->text));
}

static void print_default(const Ast *value, Builder *out) {
    switch (value->kind) {
    case AST_NULL:
        builder_add(out, TEXT("null"));
        break;
    case AST_BOOL:
        builder_add(out, value->number != 0 ? TEXT("true") : TEXT("false"));
        break;
    case AST_STRING:
        builder_json(out, value->text);
        break;
    case AST_UNARY:
        builder_char(out, '-');
        print_default(value->a, out);
        break;
    default:
        builder_add(out, value->text);
    }
}

void syntax_signature(const Ast *syntax, Builder *out) {
    builder_format(out, "%.*s(", TEXT_ARG(syntax->text));
    for (uint32_t i = 0; i < syntax->n_items; i++) {
        const Ast *formal = syntax->items[i];
        builder_format(out, "%s%s%.*s", i > 0 ? ", " : "", formal->variadic ? "*" : "",
                       TEXT_ARG(formal->text));
        if (formal->b != NULL) {
            builder_add(out, TEXT(": "));
            print_type(formal->b, out);
        }
        if (formal->a != NULL) {
            builder_add(out, TEXT(" = "));
            print_default(formal->a, out);
        }
    }
    builder_char(out, ')');
    if (syntax->kind == AST_METHOD && syntax->b != NULL) {
        builder_add(out, TEXT(" -> "));
        print_type(syntax->b, out);
    }
}

void method_signature(const Method *method, Builder *out) {
    syntax_signature(method->syntax, out);
}
