#include "solve/conversion.h"

#include "base/vector.h"

#include <string.h>

enum { PLACEHOLDER_LIMIT = 8 };

typedef struct Placeholder {
    Text name, match;
} Placeholder;

typedef struct Match {
    Placeholder items[PLACEHOLDER_LIMIT];
    uint32_t count;
} Match;

static const Placeholder *find_placeholder(const Match *match, Text name) {
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

/* Whether what a placeholder would match is allowed: names of one letter match numbers. */
static bool may_match(const Match *match, Text name, Text run) {
    const Placeholder *before = find_placeholder(match, name);
    if (before != NULL)
        return text_equal(before->match, run);
    return name.size != 1 || digits_only(run);
}

static Text drop(Text text, size_t n) {
    return (Text){text.data + n, text.size - n};
}

/* Matches a pattern from its left end, trying shorter runs first. The depth is that of the
 * placeholders. */
static bool match_pattern(Text pattern, Text key, Match *match) {
    while (pattern.size > 0 && pattern.data[0] != '{') {
        if (key.size == 0 || key.data[0] != pattern.data[0])
            return false;
        pattern = drop(pattern, 1);
        key = drop(key, 1);
    }
    if (pattern.size == 0)
        return key.size == 0;
    const char *close = memchr(pattern.data, '}', pattern.size);
    if (close == NULL || match->count == PLACEHOLDER_LIMIT)
        return false;
    Text name = {pattern.data + 1, (size_t)(close - pattern.data) - 1};
    Text rest = drop(pattern, name.size + 2);
    for (size_t length = 1; length <= key.size; length++) {
        Text run = {key.data, length};
        if (!may_match(match, name, run))
            continue;
        uint32_t count = match->count;
        match->items[match->count++] = (Placeholder){name, run};
        if (match_pattern(rest, drop(key, length), match))
            return true;
        match->count = count;
    }
    return false;
}

/* A pattern with its placeholders replaced. */
static Text fill_pattern(Arena *arena, Text pattern, const Match *match) {
    Builder out = {0};
    while (pattern.size > 0) {
        const char *close = pattern.data[0] == '{' ? memchr(pattern.data, '}', pattern.size) : NULL;
        if (close == NULL) {
            builder_char(&out, pattern.data[0]);
            pattern = drop(pattern, 1);
            continue;
        }
        Text name = {pattern.data + 1, (size_t)(close - pattern.data) - 1};
        const Placeholder *placeholder = find_placeholder(match, name);
        builder_add(&out, placeholder != NULL ? placeholder->match : TEXT(""));
        pattern = drop(pattern, name.size + 2);
    }
    Text key = text_copy(arena, builder_view(&out));
    builder_free(&out);
    return key;
}

/* What a rule's expression reads. */
typedef struct SourceFinder {
    Arena *arena;
    const Method *method;
    const Match *match;
    VECTOR(ConversionSource) sources;
} SourceFinder;

static void find_sources(SourceFinder *finder, const Ast *ast) {
    if (ast == NULL)
        return;
    int parameter = ast->kind == AST_INDEX && ast->a->kind == AST_NAME
                        ? method_parameter(finder->method, ast->a->text)
                        : -1;
    if (parameter >= 0 && ast->n_items == 1 && ast->items[0]->kind == AST_STRING) {
        Text key = fill_pattern(finder->arena, ast->items[0]->text, finder->match);
        vector_push(&finder->sources, (ConversionSource){ast, (uint32_t)parameter, key});
        return;
    }
    find_sources(finder, ast->a);
    find_sources(finder, ast->b);
    find_sources(finder, ast->c);
    for (uint32_t i = 0; i < ast->n_items; i++)
        find_sources(finder, ast->items[i]);
}

bool conversion_find(Arena *arena, const Method *method, Text key, ConversionRule *rule) {
    const Ast *rules = method->rules;
    for (uint32_t i = 0; i < rules->n_items; i++) {
        Match match = {0};
        if (rules->items[i]->kind != AST_RULE ||
            !match_pattern(rules->items[i]->a->text, key, &match))
            continue;
        SourceFinder finder = {.arena = arena, .method = method, .match = &match};
        find_sources(&finder, rules->items[i]->b);
        *rule =
            (ConversionRule){.rule = rules->items[i], .n_sources = (uint32_t)finder.sources.count};
        rule->sources =
            arena_copy(arena, finder.sources.items, rule->n_sources * sizeof *rule->sources);
        vector_free(&finder.sources);
        return true;
    }
    return false;
}
