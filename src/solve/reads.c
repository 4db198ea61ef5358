#include "solve/reads.h"

void reads_free(Reads *reads) {
    vector_free(&reads->items);
    index_free(&reads->index);
}

int reads_parameter(const Method *method, const Ast *ast) {
    bool is_reference = ast->kind == AST_INDEX && ast->a->kind == AST_NAME && ast->n_items == 1 &&
                        ast->items[0]->kind == AST_STRING;
    return is_reference ? method_parameter(method, ast->a->text) : -1;
}

/* Of an `if` that depends on one of the variables, the branch that counts; else the expression
 * itself. */
static const Ast *chosen_branch(const Variables *variables, const Ast *ast) {
    while (ast != NULL && ast->kind == AST_IF && ast->a->kind == AST_NAME) {
        uint32_t i = variables->count;
        while (i > 0 && !text_equal(variables->items[i - 1].name, ast->a->text))
            i--;
        if (i == 0 || variables->items[i - 1].value.kind != DATUM_NUMBER)
            break;
        ast = variables->items[i - 1].value.number != 0 ? ast->b : ast->c;
    }
    return ast;
}

/* ---- expressions ---- */

/* An expression while it is read. */
typedef struct Reading {
    Reads *reads;
    const Variables *variables;
    bool made;
    VECTOR(Reference) references;
} Reading;

static bool same_read(const void *context, const void *wanted, uint32_t item) {
    const Read *a = &((const Reads *)context)->items.items[item], *b = wanted;
    return a->parameter == b->parameter && a->variables == b->variables &&
           text_equal(a->pattern, b->pattern);
}

static uint32_t find_read(const Reading *reading, uint32_t parameter, Text pattern) {
    Reads *reads = reading->reads;
    Read read = {.parameter = parameter, .pattern = pattern, .variables = reading->variables};
    if (!reading->made && pattern_settle(reads->arena, reading->variables, pattern, &read.pattern))
        read.variables = NULL;
    read.is_fixed = read.variables == NULL && pattern_begin(read.pattern).size == read.pattern.size;
    uint64_t hash = text_hash(read.pattern);
    uint32_t found = index_find(&reads->index, hash, same_read, reads, &read);
    if (found != INDEX_NONE)
        return found;
    index_add(&reads->index, hash, (uint32_t)reads->items.count);
    vector_push(&reads->items, read);
    return (uint32_t)reads->items.count - 1;
}

/* The place of parameter P among the models. */
static uint32_t model_place(const Method *method, uint32_t p) {
    uint32_t place = 0;
    for (uint32_t i = 0; i < p; i++)
        place += conversion_converts(method, i);
    return place;
}

static const Need *read_reference(Reading *reading, const Ast *ast, uint32_t parameter,
                                  Text pattern) {
    Reference reference = {.ast = ast,
                           .parameter = parameter,
                           .model = model_place(reading->reads->method, parameter),
                           .read = find_read(reading, parameter, pattern)};
    vector_push(&reading->references, reference);
    Need *need = arena_new(reading->reads->arena, Need);
    *need = (Need){.kind = NEED_READ, .read = reference.read};
    return need;
}

static const Need *join_needs(Arena *arena, int kind, const Need *a, const Need *b) {
    if (a == NULL || b == NULL)
        return kind == NEED_EITHER || a == b ? NULL : a == NULL ? b : a;
    Need *need = arena_new(arena, Need);
    *need = (Need){.kind = kind, .a = a, .b = b};
    return need;
}

static const Need *read_expression(Reading *reading, const Ast *ast) {
    Arena *arena = reading->reads->arena;
    ast = chosen_branch(reading->variables, ast);
    if (ast == NULL)
        return NULL;
    int parameter = reads_parameter(reading->reads->method, ast);
    if (parameter >= 0)
        return read_reference(reading, ast, (uint32_t)parameter, ast->items[0]->text);
    bool fallback = ast->kind == AST_BINARY && ast->op == AST_FALLBACK;
    const Need *need = read_expression(reading, ast->a);
    need = join_needs(arena, fallback ? NEED_EITHER : NEED_BOTH, need,
                      read_expression(reading, ast->b));
    need = join_needs(arena, NEED_BOTH, need, read_expression(reading, ast->c));
    for (uint32_t i = 0; i < ast->n_items; i++)
        need = join_needs(arena, NEED_BOTH, need, read_expression(reading, ast->items[i]));
    return need;
}

const RuleReads *reads_of_rule(Reads *reads, const Variables *variables, bool made,
                               const Ast *expression, Text source) {
    Reading reading = {.reads = reads, .variables = variables, .made = made};
    RuleReads *rule = arena_new(reads->arena, RuleReads);
    rule->need = expression != NULL ? read_expression(&reading, expression)
                                    : read_reference(&reading, NULL, 0, source);
    rule->n_references = (uint32_t)reading.references.count;
    rule->references =
        arena_copy(reads->arena, reading.references.items, rule->n_references * sizeof(Reference));
    vector_free(&reading.references);
    return rule;
}

/* ---- what is there ---- */

static const Variables *variables_of(const Read *read) {
    static const Variables none = {0};
    return read->variables != NULL ? read->variables : &none;
}

static bool may_be_there(Reads *reads, Read *read) {
    if (read->likelihood == READ_NOT_ASKED) {
        KeyForm form = pattern_form(reads->arena, variables_of(read), read->pattern);
        bool may = reads->operands->has_any(reads->operands->context, read->parameter, &form);
        read->likelihood = may ? READ_POSSIBLE : READ_IMPOSSIBLE;
    }
    return read->likelihood == READ_POSSIBLE;
}

/* Looks for a read, once for each match. */
static const Read *look_for(Reads *reads, Read *read) {
    if (read->match == reads->n_matches || (read->is_fixed && read->match > 0))
        return read;
    read->match = reads->n_matches;
    read->key = pattern_fill(reads->arena, variables_of(read), read->pattern, reads->match);
    read->id =
        reads->operands->find(reads->operands->context, read->parameter, read->key, &read->there);
    return read;
}

static bool is_there(Reads *reads, Read *read) {
    return read->likelihood != READ_IMPOSSIBLE && look_for(reads, read)->there;
}

/* Chains lean to the left and may be long. */
static bool is_met(Reads *reads, const Need *need, bool (*there)(Reads *reads, Read *read)) {
    for (; need != NULL && need->kind != NEED_READ; need = need->a)
        if (is_met(reads, need->b, there) != (need->kind == NEED_BOTH))
            return need->kind == NEED_EITHER;
    return need == NULL || there(reads, &reads->items.items[need->read]);
}

bool reads_possible(Reads *reads, const RuleReads *rule) {
    return is_met(reads, rule->need, may_be_there);
}

void reads_begin(Reads *reads, Match *match) {
    reads->match = match;
    reads->n_matches++;
}

bool reads_suffice(Reads *reads, const RuleReads *rule) {
    bool any = rule->need != NULL || rule->n_references == 0;
    for (uint32_t i = 0; i < rule->n_references && !any; i++)
        any = is_there(reads, &reads->items.items[rule->references[i].read]);
    return any && is_met(reads, rule->need, is_there);
}

ConversionSource *reads_sources(Reads *reads, const RuleReads *rule) {
    ConversionSource *sources = arena_array(reads->arena, ConversionSource, rule->n_references + 1);
    for (uint32_t i = 0; i < rule->n_references; i++) {
        const Reference *reference = &rule->references[i];
        const Read *read = look_for(reads, &reads->items.items[reference->read]);
        sources[i] = (ConversionSource){reference->ast, reference->parameter, reference->model,
                                        read->key, read->id};
    }
    return sources;
}
