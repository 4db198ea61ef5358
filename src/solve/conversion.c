#include "solve/conversion.h"

#include "solve/pattern.h"
#include "solve/reads.h"

#include <stdlib.h>
#include <string.h>

enum { RULES_LIMIT = 1 << 16, CHAIN_LIMIT = 1000, NO_RULE = INDEX_NONE };

/* A key of the target, found from the keys of the source, and what its pattern matched. */
typedef struct Made {
    Text key;
    Match match;
} Made;

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
    uint32_t next;          /* of the same pattern, or NO_RULE */
    const RuleReads *reads; /* NULL: not asked yet */
    bool possible;          /* it can have what it reads, under some key */
    RuleVariable *known;    /* its variables, then its wildcards; NULL: not listed yet */
    uint32_t n_known;
    bool names_wildcards;
} Rule;

/* What a key begins with that a rule is for: most rules are out of the question by the last eight
 * bytes of it, for the first ones are often the same. */
typedef struct RuleHead {
    uint64_t end; /* its last eight bytes */
    uint32_t size;
    uint32_t rule;
} RuleHead;

struct Conversion {
    Arena *arena;
    Diags *diags;
    Configs *configs;
    const Method *method;
    VECTOR(Rule) rules;
    VECTOR(RuleHead) heads; /* of the rules that are no alternatives of others, in order */
    Names patterns;         /* of the rules */
    VECTOR(uint32_t) last;  /* by pattern: the last rule of it */
    Reads reads;
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

/* ---- expressions ---- */

/* The first x["…"] of an expression that keys can be taken apart by, or NULL. */
static const Ast *first_source(const Method *method, const Ast *ast) {
    if (ast == NULL || reads_parameter(method, ast) >= 0)
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

/* NULL: the rule is a renaming. */
static const Ast *rule_expression(const Rule *rule) {
    return rule->source.data != NULL ? NULL : rule->syntax->b;
}

/* Of the many kinds of modules that a network may have, it has one or two: what is impossible by
 * the form of its keys is not looked for under each. */
static bool is_possible(Conversion *conversion, Rule *rule) {
    if (rule->reads == NULL) {
        rule->reads = reads_of_rule(&conversion->reads, &rule->variables, rule->is_made,
                                    rule_expression(rule), rule->source);
        rule->possible =
            rule->source.data != NULL || reads_possible(&conversion->reads, rule->reads);
    }
    return rule->possible;
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
    int parameter = first != NULL ? reads_parameter(method, first) : 0;
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

static RuleHead rule_head(const Rule *rule, uint32_t place) {
    const char *open = memchr(rule->pattern.data, '{', rule->pattern.size);
    size_t size = open != NULL ? (size_t)(open - rule->pattern.data) : rule->pattern.size;
    if (rule->is_made)
        size = 0;
    return (RuleHead){text_last((Text){rule->pattern.data, size}), (uint32_t)size, place};
}

static bool has_head(const RuleHead *head, Text key) {
    return key.size >= head->size && text_last((Text){key.data, head->size}) == head->end;
}

static bool match_rule(const Rule *rule, Text key, Match *match) {
    match->count = 0;
    if (!rule->is_made)
        return pattern_match(rule->pattern, key, match);
    uint32_t found = index_find(&rule->made_index, text_hash(key), same_made, rule, &key);
    if (found == INDEX_NONE)
        return false;
    *match = rule->made.items[found].match;
    return true;
}

/* The first rule whose pattern matches a key. */
static uint32_t find_rule(const Conversion *conversion, Text key, Match *match) {
    for (size_t i = 0; i < conversion->heads.count; i++) {
        const RuleHead *head = &conversion->heads.items[i];
        if (has_head(head, key) && match_rule(&conversion->rules.items[head->rule], key, match))
            return head->rule;
    }
    return NO_RULE;
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
                          .used = true,
                          .number = is_number ? digits_value(wildcard->match) : 0,
                          .text = wildcard->match};
}

/* The variables of a rule and what its pattern matches, by their names; those of the latter that
 * the expression names have a value under each key. */
static void list_variables(Arena *arena, Rule *rule, const Match *match) {
    const Ast *expression = rule_expression(rule);
    rule->known = arena_array(arena, RuleVariable, rule->variables.count + match->count + 1);
    rule->n_known = 0;
    rule->names_wildcards = false;
    for (uint32_t i = 0; i < rule->variables.count; i++) {
        const Variable *variable = &rule->variables.items[i];
        if (variable->value.kind == DATUM_NUMBER || variable->value.kind == DATUM_TEXT)
            rule->known[rule->n_known++] =
                (RuleVariable){.name = variable->name,
                               .is_number = variable->value.kind == DATUM_NUMBER,
                               .used = names(expression, variable->name),
                               .number = (double)variable->value.number,
                               .text = pattern_variable(arena, variable)};
    }
    for (uint32_t i = 0; i < match->count; i++) {
        RuleVariable *wildcard = &rule->known[rule->n_known++];
        wildcard->name = match->items[i].name;
        wildcard->used = names(expression, wildcard->name);
        rule->names_wildcards |= wildcard->used;
    }
}

/* Most rules name no wildcard, and all their keys have the same variables. (Where keys are made,
 * the wildcards may be those of another rule.) */
static void keep_variables(Arena *arena, Rule *rule, const Match *match, ConversionRule *out) {
    if (out->expression == NULL)
        return;
    if (rule->known == NULL || rule->is_made)
        list_variables(arena, rule, match);
    RuleVariable *variables = rule->known;
    if (rule->names_wildcards)
        variables = arena_copy(arena, variables, rule->n_known * sizeof *variables);
    for (uint32_t i = 0; i < match->count; i++) {
        RuleVariable *wildcard = &variables[rule->n_known - match->count + i];
        if (wildcard->used)
            *wildcard = wildcard_variable(&match->items[i]);
    }
    out->variables = variables;
    out->n_variables = rule->n_known;
}

static const ConversionRule *apply_rule(Conversion *conversion, Rule *rule, const Match *match) {
    Arena *arena = conversion->arena;
    if (!is_possible(conversion, rule) || !reads_suffice(&conversion->reads, rule->reads))
        return NULL;
    ConversionRule *found = arena_new(arena, ConversionRule);
    *found = (ConversionRule){.rule = rule->syntax,
                              .expression = rule_expression(rule),
                              .output = rule->output,
                              .asks_shape = rule->asks_shape,
                              .n_sources = rule->reads->n_references};
    found->sources = reads_sources(&conversion->reads, rule->reads);
    keep_variables(arena, rule, match, found);
    return found;
}

/* The first pattern that matches decides; rules of the same pattern are its alternatives. */
const ConversionRule *conversion_find(Conversion *conversion, Text key) {
    Match match;
    match.count = 0;
    uint32_t at = find_rule(conversion, key, &match);
    reads_begin(&conversion->reads, &match);
    const ConversionRule *found = NULL;
    for (; at != NO_RULE && found == NULL; at = conversion->rules.items[at].next)
        found = apply_rule(conversion, &conversion->rules.items[at], &match);
    return found;
}

bool conversion_may_read_base(Conversion *conversion) {
    bool may = false;
    for (size_t i = 0; i < conversion->rules.count && !may; i++) {
        Rule *rule = &conversion->rules.items[i];
        for (uint32_t k = 0; is_possible(conversion, rule) && k < rule->reads->n_references; k++)
            may |= rule->reads->references[k].parameter > 0;
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

/* Whether a rule matches a key its pattern tells; of keys that are made, each rule has its own. */
static void place_rule(Conversion *conversion, Rule *rule) {
    uint32_t place = (uint32_t)conversion->rules.count;
    uint32_t pattern = names_add(&conversion->patterns, rule->pattern);
    bool first = pattern == conversion->last.count;
    if (first)
        vector_push(&conversion->last, place);
    else
        conversion->rules.items[conversion->last.items[pattern]].next = place;
    conversion->last.items[pattern] = place;
    rule->next = NO_RULE;
    vector_push(&conversion->rules, *rule);
    if (first || rule->is_made)
        vector_push(&conversion->heads, rule_head(rule, place));
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
    place_rule(conversion, &rule);
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
    conversion->patterns.arena = arena;
    conversion->reads = (Reads){.arena = arena, .method = method, .operands = operands};
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
    names_free(&conversion->patterns);
    vector_free(&conversion->last);
    reads_free(&conversion->reads);
}
