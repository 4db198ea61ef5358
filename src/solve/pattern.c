#include "solve/pattern.h"

#include <string.h>

bool key_has_all_of_form(Text key, const KeyForm *form) {
    size_t fixed = form->begin.size + form->end.size;
    return key.size >= form->begin.size && key.size >= form->end.size &&
           text_ends(key, form->end) && text_starts(key, form->begin) &&
           (!form->dotless || key.size <= fixed ||
            memchr(key.data + form->begin.size, '.', key.size - fixed) == NULL);
}

static uint32_t find_wildcard(const Match *match, Text name) {
    uint32_t i = 0;
    while (i < match->count && !text_equal(match->items[i].name, name))
        i++;
    return i;
}

static bool digits_only(Text text) {
    for (size_t i = 0; i < text.size; i++)
        if (text.data[i] < '0' || text.data[i] > '9')
            return false;
    return true;
}

/* Whether what a wildcard would match is allowed: names of one letter match numbers. */
static bool may_match(const Match *match, Text name, Text run) {
    uint32_t before = find_wildcard(match, name);
    if (before < match->count)
        return text_equal(match->items[before].match, run);
    return name.size != 1 || digits_only(run);
}

static Text drop(Text text, size_t n) {
    return (Text){text.data + n, text.size - n};
}

Text pattern_begin(Text pattern) {
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

/* The depth is that of the wildcards. */
bool pattern_match(Text pattern, Text key, Match *match) {
    Text literal = pattern_begin(pattern), inside, name, format;
    if (!text_starts(key, literal))
        return false;
    pattern = drop(pattern, literal.size);
    key = drop(key, literal.size);
    if (pattern.size == 0)
        return key.size == 0;
    if (!read_wildcard(pattern, &inside) || match->count == WILDCARDS_OF_PATTERN)
        return false;
    structure_split(inside, &name, &format);
    Text rest = drop(pattern, inside.size + 2);
    /* In front of a fixed end only one length is possible. */
    bool fixed = pattern_begin(rest).size == rest.size;
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
        match->items[match->count++] = (Wildcard){.name = name, .match = run};
        if (fixed || pattern_match(rest, drop(key, length), match))
            return true;
        match->count = count;
    }
    return false;
}

Text pattern_variable(Arena *arena, const Variable *variable) {
    return variable->value.kind == DATUM_NUMBER ? structure_digits(arena, variable->value.number)
                                                : variable->value.text;
}

/* What a wildcard matched as it is written in names, which several of a rule's often do alike. */
static Text wildcard_written(Arena *arena, Wildcard *wildcard, Text format) {
    if (format.size == 0)
        return wildcard->match;
    if (wildcard->written.data == NULL || !text_equal(wildcard->format, format)) {
        wildcard->format = format;
        structure_format(arena, wildcard->match, format, &wildcard->written);
    }
    return wildcard->written;
}

/* What a variable holds; in it wildcards stand for what they matched. */
static bool variable_value(Arena *arena, const Variables *variables, Match *match, Text name,
                           Text *value) {
    static const Variables none = {0};
    uint32_t i = variables->count;
    while (i > 0 && !text_equal(variables->items[i - 1].name, name))
        i--;
    if (i > 0)
        *value =
            pattern_fill(arena, &none, pattern_variable(arena, &variables->items[i - 1]), match);
    return i > 0;
}

/* What stands for a wildcard. False where only a match would tell. */
static bool wildcard_text(Arena *arena, const Variables *variables, Match *match, Text inside,
                          Text *value) {
    Text name, format;
    structure_split(inside, &name, &format);
    uint32_t i = match != NULL ? find_wildcard(match, name) : 0;
    if (match != NULL && i < match->count) {
        *value = wildcard_written(arena, &match->items[i], format);
        return true;
    }
    *value = TEXT("");
    if (!variable_value(arena, variables, match, name, value) && match == NULL)
        return false;
    structure_format(arena, *value, format, value);
    return true;
}

Text pattern_fill(Arena *arena, const Variables *variables, Text pattern, Match *match) {
    enum { PIECES = 16 };
    Text pieces[PIECES], inside;
    uint32_t n = 0;
    while (pattern.size > 0) {
        if (n + 2 > PIECES) {
            pieces[0] = structure_join_all(arena, pieces, n);
            n = 1;
        }
        pieces[n] = pattern_begin(pattern);
        pattern = drop(pattern, pieces[n++].size);
        if (pattern.size == 0 || !read_wildcard(pattern, &inside))
            break;
        if (!wildcard_text(arena, variables, match, inside, &pieces[n]))
            pieces[n] = (Text){pattern.data, inside.size + 2};
        pattern = drop(pattern, inside.size + 2);
        n++;
    }
    return n == 1 ? pieces[0] : structure_join_all(arena, pieces, n);
}

bool pattern_settle(Arena *arena, const Variables *variables, Text pattern, Text *settled) {
    Text inside, name, format, value;
    for (Text rest = drop(pattern, pattern_begin(pattern).size); rest.size > 0;) {
        if (!read_wildcard(rest, &inside))
            break;
        structure_split(inside, &name, &format);
        if (format.size > 0 && variable_value(arena, variables, NULL, name, &value) &&
            memchr(value.data, '{', value.size) != NULL)
            return false;
        rest = drop(rest, inside.size + 2);
        rest = drop(rest, pattern_begin(rest).size);
    }
    *settled = pattern_fill(arena, variables, pattern, NULL);
    return true;
}

bool pattern_writes_otherwise(Text pattern) {
    Text inside, name, format;
    while (pattern = drop(pattern, pattern_begin(pattern).size), pattern.size > 0) {
        if (!read_wildcard(pattern, &inside))
            return false;
        structure_split(inside, &name, &format);
        if (format.size > 0)
            return true;
        pattern = drop(pattern, inside.size + 2);
    }
    return false;
}

/* What stands behind the last wildcard of a pattern. */
static Text literal_end(Text pattern) {
    const char *close = pattern.size > 0 ? memrchr(pattern.data, '}', pattern.size) : NULL;
    return close == NULL ? pattern : drop(pattern, (size_t)(close - pattern.data) + 1);
}

/* Whether what stands for a wildcard may have a dot in it, as it is written. */
static bool may_have_dot(Arena *arena, Text inside) {
    Text name, format, dot = TEXT(".");
    structure_split(inside, &name, &format);
    return name.size != 1 && structure_format(arena, dot, format, &dot) &&
           memchr(dot.data, '.', dot.size) != NULL;
}

KeyForm pattern_form(Arena *arena, const Variables *variables, Text pattern) {
    Text inside, known = pattern_fill(arena, variables, pattern, NULL);
    static const char ones[] = "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF";
    KeyForm form = {.begin = pattern_begin(known), .end = literal_end(known), .dotless = true};
    form.last = text_last(form.end);
    form.mask = text_last((Text){ones, form.end.size < 8 ? form.end.size : 8});
    for (Text rest = drop(known, form.begin.size); rest.size > 0;) {
        if (!read_wildcard(rest, &inside))
            break;
        rest = drop(rest, inside.size + 2);
        Text between = pattern_begin(rest);
        rest = drop(rest, between.size);
        form.dotless &= !may_have_dot(arena, inside) &&
                        (rest.size == 0 || memchr(between.data, '.', between.size) == NULL);
    }
    return form;
}
