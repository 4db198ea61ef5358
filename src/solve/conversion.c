#include "solve/conversion.h"

#include "solve/pattern.h"

#include <stdlib.h>
#include <string.h>

enum { RULES_LIMIT = 1 << 16, CHAIN_LIMIT = 1000 };

/* A key of the target, found from the keys of the source, and what its pattern matched. */
typedef struct Made {
    Text key;
    Match match;
} Made;

/* Whether a rule can ever have what it reads. Of the many kinds of modules that a network may have,
 * it has one or two: what is impossible by the form of its keys is not looked for under each. */
typedef enum Likelihood { NOT_ASKED, POSSIBLE, IMPOSSIBLE } Likelihood;

/* A rule as the loops around it leave it. */
typedef struct Rule {
    const Ast *syntax;
    Text pattern; /* of one of its outputs */
    int output;
    Text source; /* of a renaming; else data is NULL */
    Variables variables;
    bool asks_shape;
    /* Where the pattern writes what it matches in another way, keys cannot be taken apart; they are
     * made from all keys of the source instead. */
    bool is_made;
    VECTOR(Made) made;
    HashIndex made_index;
    Likelihood likelihood;
    const bool *used; /* its variables, then its wildcards: the expression names them; or NULL */
} Rule;

/* What a key begins with that a rule is for: most rules are out of the question by the last eight
 * bytes of it, for the first ones are often the same. */
typedef struct RuleHead {
    uint64_t end; /* its last eight bytes; any where it is shorter */
    uint32_t size;
} RuleHead;

typedef VECTOR(ConversionSource) SourceVector;

struct Conversion {
    Arena *arena;
    Diags *diags;
    Configs *configs;
    const Method *method;
    const ConversionOperands *operands;
    VECTOR(Rule) rules;
    VECTOR(RuleHead) heads; /* of the rules */
    SourceVector met;       /* of the rule that is applied: Presence.met */
};

bool conversion_converts(const Method *method, uint32_t p) {
    return method->parameters[p].type == PARAMETER_TENSOR;
}

bool conversion_takes_base(const Method *method, uint32_t p) {
    const Parameter *parameter = &method->parameters[p];
    return p > 0 && conversion_converts(method, p) && parameter->optional &&
           parameter->fallback != NULL && text_equal(parameter->config, method->config);
}

bool conversion_is_step(const Method *method) {
    for (uint32_t p = 1; p < method->n_parameters; p++)
        if (!conversion_takes_base(method, p))
            return false;
    return method->n_parameters > 0 && !method->keys_any && method->config.size > 0 &&
           method->parameters[0].config.size > 0 &&
           !text_equal(method->config, method->parameters[0].config);
}

/* The place of parameter P among the models. */
static uint32_t model_place(const Method *method, uint32_t p) {
    uint32_t place = 0;
    for (uint32_t i = 0; i < p; i++)
        place += conversion_converts(method, i);
    return place;
}

/* ---- what a rule's expression reads ---- */

/* x["…"] of a parameter x; else -1. */
static int source_parameter(const Method *method, const Ast *ast) {
    bool is_source = ast->kind == AST_INDEX && ast->a->kind == AST_NAME && ast->n_items == 1 &&
                     ast->items[0]->kind == AST_STRING;
    return is_source ? method_parameter(method, ast->a->text) : -1;
}

/* Of an `if` that depends on a variable around the rule, the branch that counts; else the
 * expression itself. */
static const Ast *chosen_branch(const Rule *rule, const Ast *ast) {
    while (ast != NULL && ast->kind == AST_IF && ast->a->kind == AST_NAME) {
        uint32_t i = rule->variables.count;
        while (i > 0 && !text_equal(rule->variables.items[i - 1].name, ast->a->text))
            i--;
        if (i == 0 || rule->variables.items[i - 1].value.kind != DATUM_NUMBER)
            break;
        ast = rule->variables.items[i - 1].value.number != 0 ? ast->b : ast->c;
    }
    return ast;
}

/* What asks whether the keys are there that a rule reads: those for a match, or any where there is
 * none. */
typedef struct Presence {
    const Conversion *conversion;
    const Rule *rule;
    const Match *match;
    SourceVector *met; /* the keys for the match that were asked for; they are asked for again */
} Presence;

static Text source_key(const Presence *presence, const Ast *reference, Text pattern) {
    for (size_t i = 0; i < presence->met->count; i++)
        if (presence->met->items[i].reference == reference)
            return presence->met->items[i].key;
    Text key = pattern_fill(presence->conversion->arena, &presence->rule->variables, pattern,
                            presence->match);
    vector_push(presence->met, (ConversionSource){.reference = reference, .key = key});
    return key;
}

static void find_sources(const Presence *presence, const Ast *ast, SourceVector *sources) {
    ast = chosen_branch(presence->rule, ast);
    if (ast == NULL)
        return;
    const Method *method = presence->conversion->method;
    int parameter = source_parameter(method, ast);
    if (parameter >= 0) {
        Text key = source_key(presence, ast, ast->items[0]->text);
        vector_push(sources, (ConversionSource){ast, (uint32_t)parameter,
                                                model_place(method, (uint32_t)parameter), key});
        return;
    }
    find_sources(presence, ast->a, sources);
    find_sources(presence, ast->b, sources);
    find_sources(presence, ast->c, sources);
    for (uint32_t i = 0; i < ast->n_items; i++)
        find_sources(presence, ast->items[i], sources);
}

/* REFERENCE is the x["…"] of the rule; NULL where the rule is a renaming. */
static bool has_source(const Presence *presence, const Ast *reference, int parameter,
                       Text pattern) {
    const ConversionOperands *operands = presence->conversion->operands;
    Arena *arena = presence->conversion->arena;
    if (presence->match == NULL) {
        KeyForm form = pattern_form(arena, &presence->rule->variables, pattern);
        return operands->has_any(operands->context, (uint32_t)parameter, &form);
    }
    return operands->has(operands->context, (uint32_t)parameter,
                         source_key(presence, reference, pattern));
}

/* Whether a part of an expression has a value: all that it reads is there, or what stands behind
 * `|`. */
static bool is_present(const Presence *presence, const Ast *ast) {
    ast = chosen_branch(presence->rule, ast);
    if (ast == NULL)
        return true;
    int parameter = source_parameter(presence->conversion->method, ast);
    if (parameter >= 0)
        return has_source(presence, ast, parameter, ast->items[0]->text);
    if (ast->kind == AST_BINARY && ast->op == AST_FALLBACK)
        return is_present(presence, ast->b) || is_present(presence, ast->a);
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (!is_present(presence, ast->items[i]))
            return false;
    return is_present(presence, ast->a) && is_present(presence, ast->b) &&
           is_present(presence, ast->c);
}

static bool is_possible(const Conversion *conversion, Rule *rule) {
    Presence any = {.conversion = conversion, .rule = rule};
    if (rule->likelihood == NOT_ASKED)
        rule->likelihood =
            rule->source.data != NULL || is_present(&any, rule->syntax->b) ? POSSIBLE : IMPOSSIBLE;
    return rule->likelihood == POSSIBLE;
}

/* The first x["…"] of an expression that keys can be taken apart by, or NULL. */
static const Ast *first_source(const Method *method, const Ast *ast) {
    if (ast == NULL || source_parameter(method, ast) >= 0)
        return ast == NULL || pattern_writes_otherwise(ast->items[0]->text) ? NULL : ast;
    const Ast *found = first_source(method, ast->a);
    found = found != NULL ? found : first_source(method, ast->b);
    found = found != NULL ? found : first_source(method, ast->c);
    for (uint32_t i = 0; i < ast->n_items && found == NULL; i++)
        found = first_source(method, ast->items[i]);
    return found;
}

/* Whether an expression names something: a variable, or a function that it calls. */
static bool names(const Ast *ast, Text name) {
    if (ast == NULL)
        return false;
    bool found = ast->kind == AST_NAME && text_equal(ast->text, name);
    found = found || names(ast->a, name) || names(ast->b, name) || names(ast->c, name);
    for (uint32_t i = 0; i < ast->n_items && !found; i++)
        found = names(ast->items[i], name);
    return found;
}

/* ---- finding ---- */

static bool same_made(const void *context, const void *wanted, uint32_t item) {
    const Rule *rule = context;
    return text_equal(rule->made.items[item].key, *(const Text *)wanted);
}

/* Every key that the rule makes from the keys of the source. */
static void make_keys(Conversion *conversion, Rule *rule) {
    const Method *method = conversion->method;
    const Ast *first = rule->source.data == NULL ? first_source(method, rule->syntax->b) : NULL;
    Text source = first != NULL ? first->items[0]->text : rule->source;
    int parameter = first != NULL ? source_parameter(method, first) : 0;
    const Config *config = configs_find(conversion->configs, method->parameters[parameter].config);
    rule->is_made = true;
    for (KeyId key = 0; config != NULL && key < config->n_keys; key++) {
        Made made = {.match.count = 0};
        if (!pattern_match(source, config->keys[key].name, &made.match))
            continue;
        made.key = pattern_fill(conversion->arena, &rule->variables, rule->pattern, &made.match);
        index_add(&rule->made_index, text_hash(made.key), (uint32_t)rule->made.count);
        vector_push(&rule->made, made);
    }
}

static uint64_t last_bytes(const char *data, size_t size) {
    uint64_t bytes = 0;
    if (size >= sizeof bytes)
        memcpy(&bytes, data + size - sizeof bytes, sizeof bytes);
    return bytes;
}

static RuleHead rule_head(const Rule *rule) {
    const char *open = memchr(rule->pattern.data, '{', rule->pattern.size);
    size_t size = open != NULL ? (size_t)(open - rule->pattern.data) : rule->pattern.size;
    if (rule->is_made)
        size = 0;
    return (RuleHead){last_bytes(rule->pattern.data, size), (uint32_t)size};
}

static bool has_head(const RuleHead *head, Text key) {
    return key.size >= head->size && last_bytes(key.data, head->size) == head->end;
}

static bool match_rule(const Rule *rule, Text key, Match *match) {
    *match = (Match){0};
    if (!rule->is_made)
        return pattern_match(rule->pattern, key, match);
    uint32_t found = index_find(&rule->made_index, text_hash(key), same_made, rule, &key);
    if (found == INDEX_NONE)
        return false;
    *match = rule->made.items[found].match;
    return true;
}

static double digits_value(Text digits) {
    double value = 0;
    for (size_t i = 0; i < digits.size; i++)
        value = value * 10 + (digits.data[i] - '0');
    return value;
}

static RuleVariable wildcard_variable(const Wildcard *wildcard) {
    bool is_number = wildcard->name.size == 1;
    return (RuleVariable){.name = wildcard->name,
                          .is_number = is_number,
                          .number = is_number ? digits_value(wildcard->match) : 0,
                          .text = wildcard->match};
}

/* What of the rule's variables and of what its pattern matches the expression names. */
static const bool *find_used(Arena *arena, const Rule *rule, const Match *match,
                             const Ast *expression) {
    bool *used = arena_array(arena, bool, rule->variables.count + match->count + 1);
    for (uint32_t i = 0; i < rule->variables.count; i++)
        used[i] = names(expression, rule->variables.items[i].name);
    for (uint32_t i = 0; i < match->count; i++)
        used[rule->variables.count + i] = names(expression, match->items[i].name);
    return used;
}

static void keep_variables(Arena *arena, Rule *rule, const Match *match, ConversionRule *out) {
    RuleVariable *variables =
        arena_array(arena, RuleVariable, rule->variables.count + match->count + 1);
    uint32_t n = 0;
    if (rule->used == NULL)
        rule->used = find_used(arena, rule, match, out->expression);
    for (uint32_t i = 0; i < rule->variables.count; i++) {
        const Datum *value = &rule->variables.items[i].value;
        if (value->kind == DATUM_NUMBER || value->kind == DATUM_TEXT)
            variables[n++] =
                (RuleVariable){.name = rule->variables.items[i].name,
                               .is_number = value->kind == DATUM_NUMBER,
                               .used = rule->used[i],
                               .number = (double)value->number,
                               .text = pattern_variable(arena, &rule->variables.items[i])};
    }
    for (uint32_t i = 0; i < match->count; i++) {
        variables[n] = wildcard_variable(&match->items[i]);
        variables[n++].used = rule->used[rule->variables.count + i];
    }
    out->variables = variables;
    out->n_variables = n;
}

/* Whether one of the sources is there: a rule does not make something of nothing. */
static bool has_any(const SourceVector *sources, const ConversionOperands *operands) {
    bool any = sources->count == 0;
    for (size_t i = 0; i < sources->count && !any; i++)
        any = operands->has(operands->context, sources->items[i].parameter, sources->items[i].key);
    return any;
}

/* What the rule reads, where it is there. */
static bool read_sources(const Presence *presence, const Ast *expression, SourceVector *sources) {
    Text renamed = presence->rule->source;
    if (expression == NULL) {
        if (!has_source(presence, NULL, 0, renamed))
            return false;
        vector_push(sources, (ConversionSource){.key = source_key(presence, NULL, renamed)});
    } else {
        if (!is_present(presence, expression))
            return false;
        find_sources(presence, expression, sources);
    }
    return has_any(sources, presence->conversion->operands);
}

static const ConversionRule *apply_rule(Conversion *conversion, Rule *rule, const Match *match) {
    Arena *arena = conversion->arena;
    const Ast *expression = rule->source.data != NULL ? NULL : rule->syntax->b;
    Presence presence = {conversion, rule, match, &conversion->met};
    SourceVector sources = {0};
    conversion->met.count = 0;
    if (!is_possible(conversion, rule) || !read_sources(&presence, expression, &sources)) {
        vector_free(&sources);
        return NULL;
    }
    ConversionRule *found = arena_new(arena, ConversionRule);
    *found = (ConversionRule){.rule = rule->syntax,
                              .expression = expression,
                              .output = rule->output,
                              .asks_shape = rule->asks_shape,
                              .n_sources = (uint32_t)sources.count};
    found->sources = arena_copy(arena, sources.items, sources.count * sizeof *sources.items);
    keep_variables(arena, rule, match, found);
    vector_free(&sources);
    return found;
}

/* The first pattern that matches decides; rules of the same pattern are its alternatives. */
const ConversionRule *conversion_find(Conversion *conversion, Text key) {
    Match match;
    const Rule *decided = NULL;
    for (size_t i = 0; i < conversion->rules.count; i++) {
        if (!has_head(&conversion->heads.items[i], key))
            continue;
        Rule *rule = &conversion->rules.items[i];
        if (decided == NULL ? !match_rule(rule, key, &match)
                            : !text_equal(decided->pattern, rule->pattern))
            continue;
        decided = rule;
        const ConversionRule *found = apply_rule(conversion, rule, &match);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* Whether a part of an expression reads the model that what is converted is for. */
static bool reads_base(const Conversion *conversion, const Rule *rule, const Ast *ast) {
    ast = chosen_branch(rule, ast);
    if (ast == NULL || source_parameter(conversion->method, ast) >= 0)
        return ast != NULL && source_parameter(conversion->method, ast) > 0;
    bool found = reads_base(conversion, rule, ast->a) || reads_base(conversion, rule, ast->b) ||
                 reads_base(conversion, rule, ast->c);
    for (uint32_t i = 0; i < ast->n_items && !found; i++)
        found = reads_base(conversion, rule, ast->items[i]);
    return found;
}

bool conversion_may_read_base(Conversion *conversion) {
    bool may = false;
    for (size_t i = 0; i < conversion->rules.count && !may; i++) {
        Rule *rule = &conversion->rules.items[i];
        may = rule->source.data == NULL && is_possible(conversion, rule) &&
              reads_base(conversion, rule, rule->syntax->b);
    }
    return may;
}

/* ---- reading ---- */

typedef struct RuleReader {
    Structure structure; /* the first: a reader is one */
    Conversion *conversion;
    bool reversed;   /* renamings are read from right to left */
    const Ast *last; /* the expression read last; loops and templates read one many times */
    bool last_asks_shape;
} RuleReader;

static bool asks_shape(RuleReader *reader, const Ast *expression) {
    if (reader->last != expression)
        reader->last_asks_shape = names(expression, TEXT("target_shape"));
    reader->last = expression;
    return reader->last_asks_shape;
}

static void add_rule(RuleReader *reader, Rule rule) {
    Structure *structure = &reader->structure;
    Conversion *conversion = reader->conversion;
    if (conversion->rules.count == RULES_LIMIT) {
        structure_fail(structure, rule.syntax->span, "a conversion has %d rules at most",
                       RULES_LIMIT);
        return;
    }
    rule.variables.count = (uint32_t)(structure->variables.count - structure->frame);
    rule.variables.items =
        arena_copy(structure->arena, structure->variables.items + structure->frame,
                   rule.variables.count * sizeof *rule.variables.items);
    rule.asks_shape = rule.source.data == NULL && asks_shape(reader, rule.syntax->b);
    if (pattern_writes_otherwise(rule.pattern))
        make_keys(conversion, &rule);
    vector_push(&conversion->rules, rule);
    vector_push(&conversion->heads, rule_head(&rule));
}

/* "new" = "old": the same tensor by another name. Lists of names go side by side. */
static void read_renaming(RuleReader *reader, const Ast *item) {
    Texts left = structure_names(&reader->structure, item->a);
    Texts right = structure_names(&reader->structure, item->b);
    if (left.count != right.count)
        structure_fail(&reader->structure, item->span,
                       "there are %zu names on the left and %zu on the right", left.count,
                       right.count);
    for (size_t i = 0; i < left.count && i < right.count; i++)
        add_rule(reader, (Rule){.syntax = item,
                                .output = -1,
                                .pattern = reader->reversed ? right.items[i] : left.items[i],
                                .source = reader->reversed ? left.items[i] : right.items[i]});
    structure_forget(&reader->structure, &left);
    structure_forget(&reader->structure, &right);
}

static void read_output(RuleReader *reader, const Ast *item, const Ast *pattern, int output) {
    Texts patterns = structure_names(&reader->structure, pattern);
    for (size_t i = 0; i < patterns.count; i++)
        add_rule(reader, (Rule){.syntax = item, .output = output, .pattern = patterns.items[i]});
    structure_forget(&reader->structure, &patterns);
}

/* The operators of the longest chain in an expression; rules are walked down their chains. */
static uint32_t longest_chain(const Ast *ast) {
    uint32_t longest = 0, length = 0;
    for (; ast != NULL; ast = ast->a, length++) {
        uint32_t inner[2] = {longest_chain(ast->b), longest_chain(ast->c)};
        for (uint32_t i = 0; i < 2; i++)
            longest = inner[i] > longest ? inner[i] : longest;
        for (uint32_t i = 0; i < ast->n_items; i++) {
            uint32_t item = longest_chain(ast->items[i]);
            longest = item > longest ? item : longest;
        }
    }
    return length > longest ? length : longest;
}

static void read_rule(RuleReader *reader, const Ast *item) {
    if (longest_chain(item->b) > CHAIN_LIMIT) {
        structure_fail(&reader->structure, item->b->span, "a rule chains %d operators at most",
                       CHAIN_LIMIT);
        return;
    }
    if (item->b->kind == AST_STRING && item->a->kind == AST_STRING) {
        read_renaming(reader, item);
    } else if (reader->reversed) {
        structure_fail(&reader->structure, item->span, "only renamings can be reversed");
    } else if (item->a->kind == AST_STRING) {
        read_output(reader, item, item->a, -1);
    } else {
        for (uint32_t i = 0; i < item->a->n_items; i++)
            read_output(reader, item, item->a->items[i], (int)i);
    }
}

static bool is_reversal(const Ast *item) {
    return item->kind == AST_CALL && item->a->kind == AST_NAME &&
           text_equal(item->a->text, TEXT("reversed")) && item->n_items == 1 &&
           item->items[0]->a->kind == AST_CALL;
}

static void read_item(Structure *structure, const Ast *item, const void *place) {
    RuleReader *reader = (RuleReader *)structure;
    if (item->kind == AST_RULE) {
        read_rule(reader, item);
    } else if (is_reversal(item)) {
        Ast *call = item->items[0]->a;
        reader->reversed = !reader->reversed;
        structure_read(structure, &(Ast){.kind = AST_BLOCK, .items = &call, .n_items = 1}, place);
        reader->reversed = !reader->reversed;
    } else if (item->kind == AST_CALL && item->a->kind == AST_NAME) {
        structure_fail(structure, item->span, "unknown template '%.*s'", TEXT_ARG(item->a->text));
    } else {
        structure_fail(structure, item->span, "a conversion holds rules: \"key\" = expression");
    }
}

Conversion *conversion_read(Arena *arena, Diags *diags, Configs *configs, const Method *method,
                            Text space, const ConversionOperands *operands) {
    Conversion *conversion = arena_new(arena, Conversion);
    conversion->arena = arena;
    conversion->diags = diags;
    conversion->configs = configs;
    conversion->method = method;
    conversion->operands = operands;
    Variable given = {TEXT("space"), {.kind = DATUM_TEXT, .text = space}};
    RuleReader reader = {.structure = {.arena = arena,
                                       .given = &given,
                                       .diags = diags,
                                       .scope = method->scope,
                                       .open_names = true,
                                       .read_item = read_item},
                         .conversion = conversion};
    structure_read(&reader.structure, method->rules, NULL);
    structure_free(&reader.structure);
    if (!reader.structure.failed)
        return conversion;
    conversion_free(conversion);
    return NULL;
}

void conversion_free(Conversion *conversion) {
    for (size_t i = 0; i < conversion->rules.count; i++) {
        vector_free(&conversion->rules.items[i].made);
        index_free(&conversion->rules.items[i].made_index);
    }
    vector_free(&conversion->rules);
    vector_free(&conversion->heads);
    vector_free(&conversion->met);
}
