#include "solve/conversion.h"

#include "solve/structure.h"

#include <stdlib.h>
#include <string.h>

enum { WILDCARD_LIMIT = 8, RULES_LIMIT = 1 << 16, CHAIN_LIMIT = 1000 };

typedef struct Wildcard {
    Text name, match;
} Wildcard;

typedef struct Match {
    Wildcard items[WILDCARD_LIMIT];
    uint32_t count;
} Match;

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
    const Variable *variables;
    uint32_t n_variables;
    bool asks_shape;
    /* Where the pattern writes what it matches in another way, keys cannot be taken apart; they are
     * made from all keys of the source instead. */
    bool is_made;
    VECTOR(Made) made;
    HashIndex made_index;
} Rule;

/* What a key begins with that a rule is for: most rules are out of the question by the last eight
 * bytes of it, for the first ones are often the same. */
typedef struct RuleHead {
    uint64_t end; /* its last eight bytes; any where it is shorter */
    uint32_t size;
} RuleHead;

struct Conversion {
    Arena *arena;
    Diags *diags;
    Configs *configs;
    const Method *method;
    VECTOR(Rule) rules;
    VECTOR(RuleHead) heads; /* of the rules */
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

/* ---- patterns ---- */

static const Wildcard *find_wildcard(const Match *match, Text name) {
    for (uint32_t i = 0; i < match->count; i++)
        if (text_equal(match->items[i].name, name))
            return &match->items[i];
    return NULL;
}

static bool digits_only(Text text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* Whether what a wildcard would match is allowed: names of one letter match numbers. */
static bool may_match(const Match *match, Text name, Text run) {
    const Wildcard *before = find_wildcard(match, name);
    if (before != NULL)
        return text_equal(before->match, run);
    return name.size != 1 || digits_only(run);
}

static Text drop(Text text, size_t n) {
    return (Text){text.data + n, text.size - n};
}

/* The part of a pattern in front of its first wildcard. */
static Text literal_part(Text pattern) {
    const char *open = pattern.size > 0 ? memchr(pattern.data, '{', pattern.size) : NULL;
    return open == NULL ? pattern : (Text){pattern.data, (size_t)(open - pattern.data)};
}

/* What stands between the braces that PATTERN begins with; false where they are not closed. */
static bool read_wildcard(Text pattern, Text *inside) {
    const char *close = memchr(pattern.data, '}', pattern.size);
    if (close == NULL)
        return false;
    *inside = (Text){pattern.data + 1, (size_t)(close - pattern.data) - 1};
    return true;
}

/* Matches a pattern from its left end, trying shorter runs first. The depth is that of the
 * wildcards. */
static bool match_pattern(Text pattern, Text key, Match *match) {
    Text literal = literal_part(pattern), inside, name, format;
    if (!text_starts(key, literal))
        return false;
    pattern = drop(pattern, literal.size);
    key = drop(key, literal.size);
    if (pattern.size == 0)
        return key.size == 0;
    if (!read_wildcard(pattern, &inside) || match->count == WILDCARD_LIMIT)
        return false;
    structure_split(inside, &name, &format);
    Text rest = drop(pattern, inside.size + 2);
    /* In front of a fixed end only one length is possible. */
    bool fixed = literal_part(rest).size == rest.size;
    if (fixed && (key.size <= rest.size || !text_ends(key, rest)))
        return false;
    for (size_t length = fixed ? key.size - rest.size : 1; length <= key.size; length++) {
        Text run = {key.data, length};
        if (!may_match(match, name, run)) {
            if (fixed)
                return false;
            continue;
        }
        uint32_t count = match->count;
        match->items[match->count++] = (Wildcard){name, run};
        if (fixed || match_pattern(rest, drop(key, length), match))
            return true;
        match->count = count;
    }
    return false;
}

static Text variable_text(Arena *arena, const Variable *variable) {
    return variable->value.kind == DATUM_NUMBER
               ? text_format(arena, "%lld", (long long)variable->value.number)
               : variable->value.text;
}

static Text fill_pattern(Arena *arena, const Rule *rule, Text pattern, const Match *match);

/* What a variable of the rule holds; in it wildcards stand for what they matched. */
static Text rule_variable(Arena *arena, const Rule *rule, const Match *match, Text name) {
    for (uint32_t i = rule->n_variables; i > 0; i--)
        if (text_equal(rule->variables[i - 1].name, name)) {
            Rule alone = {.n_variables = 0};
            return fill_pattern(arena, &alone, variable_text(arena, &rule->variables[i - 1]),
                                match);
        }
    return TEXT("");
}

static Text wildcard_text(Arena *arena, const Rule *rule, const Match *match, Text inside) {
    Text name, format;
    structure_split(inside, &name, &format);
    const Wildcard *wildcard = find_wildcard(match, name);
    Text value = wildcard != NULL ? wildcard->match : rule_variable(arena, rule, match, name);
    structure_format(arena, value, format, &value);
    return value;
}

/* A pattern with its wildcards replaced. */
static Text fill_pattern(Arena *arena, const Rule *rule, Text pattern, const Match *match) {
    Text key = TEXT(""), inside;
    while (pattern.size > 0) {
        Text literal = literal_part(pattern);
        key = structure_join(arena, key, literal);
        pattern = drop(pattern, literal.size);
        if (pattern.size == 0 || !read_wildcard(pattern, &inside))
            break;
        key = structure_join(arena, key, wildcard_text(arena, rule, match, inside));
        pattern = drop(pattern, inside.size + 2);
    }
    return key;
}

/* ---- what a rule's expression reads ---- */

typedef VECTOR(ConversionSource) SourceVector;

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
        uint32_t i = rule->n_variables;
        while (i > 0 && !text_equal(rule->variables[i - 1].name, ast->a->text))
            i--;
        if (i == 0 || rule->variables[i - 1].value.kind != DATUM_NUMBER)
            break;
        ast = rule->variables[i - 1].value.number != 0 ? ast->b : ast->c;
    }
    return ast;
}

static void find_sources(const Conversion *conversion, const Rule *rule, const Match *match,
                         const Ast *ast, SourceVector *sources) {
    ast = chosen_branch(rule, ast);
    if (ast == NULL)
        return;
    int parameter = source_parameter(conversion->method, ast);
    if (parameter >= 0) {
        Text key = fill_pattern(conversion->arena, rule, ast->items[0]->text, match);
        vector_push(sources,
                    (ConversionSource){ast, (uint32_t)parameter,
                                       model_place(conversion->method, (uint32_t)parameter), key});
        return;
    }
    find_sources(conversion, rule, match, ast->a, sources);
    find_sources(conversion, rule, match, ast->b, sources);
    find_sources(conversion, rule, match, ast->c, sources);
    for (uint32_t i = 0; i < ast->n_items; i++)
        find_sources(conversion, rule, match, ast->items[i], sources);
}

/* What asks whether keys are there. */
typedef struct Presence {
    const Conversion *conversion;
    const Rule *rule;
    const Match *match;
    ConversionHas *has;
    void *context;
} Presence;

static bool has_source(const Presence *presence, int parameter, Text pattern) {
    Text key = fill_pattern(presence->conversion->arena, presence->rule, pattern, presence->match);
    return presence->has(presence->context, (uint32_t)parameter, key);
}

/* Whether a part of an expression has a value: all that it reads is there, or what stands behind
 * `|`. */
static bool is_present(const Presence *presence, const Ast *ast) {
    ast = chosen_branch(presence->rule, ast);
    if (ast == NULL)
        return true;
    int parameter = source_parameter(presence->conversion->method, ast);
    if (parameter >= 0)
        return has_source(presence, parameter, ast->items[0]->text);
    if (ast->kind == AST_BINARY && ast->op == AST_FALLBACK)
        return is_present(presence, ast->b) || is_present(presence, ast->a);
    for (uint32_t i = 0; i < ast->n_items; i++)
        if (!is_present(presence, ast->items[i]))
            return false;
    return is_present(presence, ast->a) && is_present(presence, ast->b) &&
           is_present(presence, ast->c);
}

/* Whether a pattern writes a wildcard otherwise than as it matches. */
static bool writes_otherwise(Text pattern) {
    Text inside, name, format;
    while (pattern = drop(pattern, literal_part(pattern).size), pattern.size > 0) {
        if (!read_wildcard(pattern, &inside))
            return false;
        structure_split(inside, &name, &format);
        if (format.size > 0)
            return true;
        pattern = drop(pattern, inside.size + 2);
    }
    return false;
}

/* The first x["…"] of an expression that keys can be taken apart by, or NULL. */
static const Ast *first_source(const Method *method, const Ast *ast) {
    if (ast == NULL || source_parameter(method, ast) >= 0)
        return ast == NULL || writes_otherwise(ast->items[0]->text) ? NULL : ast;
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
        if (!match_pattern(source, config->keys[key].name, &made.match))
            continue;
        made.key = fill_pattern(conversion->arena, rule, rule->pattern, &made.match);
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
        return match_pattern(rule->pattern, key, match);
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

static void keep_variables(Arena *arena, const Rule *rule, const Match *match,
                           ConversionRule *out) {
    RuleVariable *variables =
        arena_array(arena, RuleVariable, rule->n_variables + match->count + 1);
    uint32_t n = 0;
    for (uint32_t i = 0; i < rule->n_variables; i++) {
        const Datum *value = &rule->variables[i].value;
        if (value->kind == DATUM_NUMBER || value->kind == DATUM_TEXT)
            variables[n++] = (RuleVariable){.name = rule->variables[i].name,
                                            .is_number = value->kind == DATUM_NUMBER,
                                            .number = (double)value->number,
                                            .text = variable_text(arena, &rule->variables[i])};
    }
    for (uint32_t i = 0; i < match->count; i++)
        variables[n++] = wildcard_variable(&match->items[i]);
    for (uint32_t i = 0; i < n; i++)
        variables[i].used = names(out->expression, variables[i].name);
    out->variables = variables;
    out->n_variables = n;
}

/* Whether one of the sources is there: a rule does not make something of nothing. */
static bool has_any(const SourceVector *sources, ConversionHas *has, void *context) {
    bool any = sources->count == 0;
    for (size_t i = 0; i < sources->count && !any; i++)
        any = has(context, sources->items[i].parameter, sources->items[i].key);
    return any;
}

static const ConversionRule *apply_rule(const Conversion *conversion, const Rule *rule,
                                        const Match *match, ConversionHas *has, void *context) {
    Arena *arena = conversion->arena;
    bool renames = rule->source.data != NULL;
    const Ast *expression = renames ? NULL : rule->syntax->b;
    Presence presence = {conversion, rule, match, has, context};
    if (renames ? !has_source(&presence, 0, rule->source) : !is_present(&presence, expression))
        return NULL;
    SourceVector sources = {0};
    if (renames)
        vector_push(&sources,
                    (ConversionSource){.key = fill_pattern(arena, rule, rule->source, match)});
    else
        find_sources(conversion, rule, match, expression, &sources);
    if (!has_any(&sources, has, context)) {
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
const ConversionRule *conversion_find(Conversion *conversion, Text key, ConversionHas *has,
                                      void *context) {
    Match match;
    const Rule *decided = NULL;
    for (size_t i = 0; i < conversion->rules.count; i++) {
        if (!has_head(&conversion->heads.items[i], key))
            continue;
        const Rule *rule = &conversion->rules.items[i];
        if (decided == NULL ? !match_rule(rule, key, &match)
                            : !text_equal(decided->pattern, rule->pattern))
            continue;
        decided = rule;
        const ConversionRule *found = apply_rule(conversion, rule, &match, has, context);
        if (found != NULL)
            return found;
    }
    return NULL;
}

/* ---- reading ---- */

typedef struct RuleReader {
    Structure structure; /* the first: a reader is one */
    Conversion *conversion;
    bool reversed; /* renamings are read from right to left */
} RuleReader;

static void add_rule(RuleReader *reader, Rule rule) {
    Structure *structure = &reader->structure;
    Conversion *conversion = reader->conversion;
    if (conversion->rules.count == RULES_LIMIT) {
        structure_fail(structure, rule.syntax->span, "a conversion has %d rules at most",
                       RULES_LIMIT);
        return;
    }
    rule.n_variables = (uint32_t)(structure->variables.count - structure->frame);
    rule.variables = arena_copy(structure->arena, structure->variables.items + structure->frame,
                                rule.n_variables * sizeof *rule.variables);
    rule.asks_shape = rule.source.data == NULL && names(rule.syntax->b, TEXT("target_shape"));
    if (writes_otherwise(rule.pattern))
        make_keys(conversion, &rule);
    vector_push(&conversion->rules, rule);
    vector_push(&conversion->heads, rule_head(&rule));
}

/* "new" = "old": the same tensor by another name. Lists of names go side by side. */
static void read_renaming(RuleReader *reader, const Ast *item) {
    Texts left = {0}, right = {0};
    structure_names(&reader->structure, item->a, &left);
    structure_names(&reader->structure, item->b, &right);
    if (left.count != right.count)
        structure_fail(&reader->structure, item->span,
                       "there are %zu names on the left and %zu on the right", left.count,
                       right.count);
    for (size_t i = 0; i < left.count && i < right.count; i++)
        add_rule(reader, (Rule){.syntax = item,
                                .output = -1,
                                .pattern = reader->reversed ? right.items[i] : left.items[i],
                                .source = reader->reversed ? left.items[i] : right.items[i]});
    vector_free(&left);
    vector_free(&right);
}

static void read_output(RuleReader *reader, const Ast *item, const Ast *pattern, int output) {
    Texts patterns = {0};
    structure_names(&reader->structure, pattern, &patterns);
    for (size_t i = 0; i < patterns.count; i++)
        add_rule(reader, (Rule){.syntax = item, .output = output, .pattern = patterns.items[i]});
    vector_free(&patterns);
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
                            Text space) {
    Conversion *conversion = arena_new(arena, Conversion);
    conversion->arena = arena;
    conversion->diags = diags;
    conversion->configs = configs;
    conversion->method = method;
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
}
