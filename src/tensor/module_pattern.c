#include "tensor/module_pattern.h"

#include "base/vector.h"

#include <string.h>

typedef enum StepKind {
    STEP_GO,    /* to FIRST */
    STEP_SPLIT, /* to FIRST and to SECOND */
    STEP_BEGIN, /* of the name */
    STEP_END,
    STEP_ANY,
    STEP_CHARACTER, /* FIRST */
    STEP_SET,       /* ranges from FIRST up to SECOND */
    STEP_OTHER,     /* none of those */
    STEP_DONE,
} StepKind;

typedef struct Step {
    StepKind kind;
    uint32_t first, second;
} Step;

typedef struct Range {
    uint32_t low, high;
} Range;

typedef VECTOR(Range) Ranges;

enum { LAST_CHARACTER = 0x10ffff, UNBOUNDED = MODULE_PATTERN_STEPS };

/* The states at one place, each once: those marked with the place's number. */
typedef struct States {
    uint32_t *steps;
    uint64_t *marks;
    uint32_t count;
} States;

struct ModulePattern {
    VECTOR(Step) steps;
    Ranges ranges;
    States now, next;
    uint64_t place; /* counted over all names */
    uint64_t work;
};

/* The character at *AT, which moves behind it. */
static uint32_t take_character(Text text, size_t *at) {
    unsigned char byte = (unsigned char)text.data[(*at)++];
    uint32_t value = byte < 0xc0   ? byte
                     : byte < 0xe0 ? byte & 0x1f
                     : byte < 0xf0 ? byte & 15
                                   : byte & 7;
    while (*at < text.size && ((unsigned char)text.data[*at] & 0xc0) == 0x80)
        value = (value << 6 | ((unsigned char)text.data[(*at)++] & 0x3f)) & 0x1fffff;
    return value;
}

/* ---- a pattern as steps ---- */

typedef struct Parser {
    Text text;
    size_t at;
    int depth;
    ModulePattern *pattern;
    bool failed;
} Parser;

static bool more(const Parser *parser) {
    return !parser->failed && parser->at < parser->text.size;
}

static bool sees(const Parser *parser, char c) {
    return more(parser) && parser->text.data[parser->at] == c;
}

static bool skip(Parser *parser, char c) {
    bool seen = sees(parser, c);
    parser->at += seen;
    return seen;
}

/* What was made counts also where it is dropped: time is limited, too. */
static void count_made(Parser *parser) {
    parser->failed |= ++parser->pattern->work > MODULE_PATTERN_STEPS;
}

static uint32_t next_step(const Parser *parser) {
    return (uint32_t)parser->pattern->steps.count;
}

static uint32_t add_step(Parser *parser, StepKind kind, uint32_t first, uint32_t second) {
    count_made(parser);
    vector_push(&parser->pattern->steps, (Step){kind, first, second});
    return next_step(parser) - 1;
}

static void add_range(Parser *parser, uint32_t low, uint32_t high) {
    count_made(parser);
    vector_push(&parser->pattern->ranges, (Range){low, high});
}

static uint32_t next_range(const Parser *parser) {
    return (uint32_t)parser->pattern->ranges.count;
}

/* `\d`, `\w` and `\s`, and in capitals what is none of them. False where LETTER is something else.
 */
static bool add_kind(Parser *parser, char letter) {
    static const Range digits[] = {{'0', '9'}};
    static const Range words[] = {
        {'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}, {0x80, LAST_CHARACTER}};
    static const Range spaces[] = {{'\t', '\r'}, {' ', ' '}};
    char small = (char)(letter | 0x20);
    const Range *ranges = small == 'd'   ? digits
                          : small == 'w' ? words
                          : small == 's' ? spaces
                                         : NULL;
    size_t n = small == 'd' ? 1 : small == 'w' ? 5 : 2;
    uint32_t low = 0;
    for (size_t i = 0; ranges != NULL && i < n; i++) {
        if (letter == small)
            add_range(parser, ranges[i].low, ranges[i].high);
        else if (ranges[i].low > low)
            add_range(parser, low, ranges[i].low - 1);
        low = ranges[i].high + 1;
    }
    if (ranges != NULL && letter != small && low <= LAST_CHARACTER)
        add_range(parser, low, LAST_CHARACTER);
    return ranges != NULL;
}

static bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* Behind a backslash: a kind of characters, or what would otherwise mean something. True for a
 * kind. */
static bool take_escaped(Parser *parser, uint32_t *character) {
    if (!more(parser)) {
        parser->failed = true;
        return false;
    }
    char c = parser->text.data[parser->at];
    if (is_word(c)) {
        parser->at++;
        parser->failed |= !add_kind(parser, c);
        return true;
    }
    *character = take_character(parser->text, &parser->at);
    return false;
}

/* An item of a set. True for one character. */
static bool take_item(Parser *parser, uint32_t *character) {
    if (skip(parser, '\\'))
        return !take_escaped(parser, character);
    if (more(parser))
        *character = take_character(parser->text, &parser->at);
    else
        parser->failed = true;
    return true;
}

static void parse_item(Parser *parser) {
    uint32_t low = 0, high = 0;
    if (!take_item(parser, &low))
        return;
    high = low;
    bool range = sees(parser, '-') && parser->at + 1 < parser->text.size &&
                 parser->text.data[parser->at + 1] != ']';
    if (range) {
        parser->at++;
        parser->failed |= !take_item(parser, &high);
    }
    parser->failed |= high < low;
    add_range(parser, low, high);
}

static void parse_set(Parser *parser) {
    StepKind kind = skip(parser, '^') ? STEP_OTHER : STEP_SET;
    uint32_t first = next_range(parser);
    do
        parse_item(parser);
    while (more(parser) && !sees(parser, ']'));
    parser->failed |= !skip(parser, ']');
    add_step(parser, kind, first, next_range(parser));
}

static void parse_alternatives(Parser *parser);

static void parse_group(Parser *parser) {
    if (skip(parser, '?'))
        parser->failed |= !skip(parser, ':');
    parser->failed |= ++parser->depth > MODULE_PATTERN_NESTING;
    if (!parser->failed)
        parse_alternatives(parser);
    parser->failed |= !skip(parser, ')');
    parser->depth--;
}

static void parse_escape(Parser *parser) {
    uint32_t first = next_range(parser), character = 0;
    if (take_escaped(parser, &character))
        add_step(parser, STEP_SET, first, next_range(parser));
    else
        add_step(parser, STEP_CHARACTER, character, 0);
}

/* How often what stands before may come: both at most UNBOUNDED. */
typedef struct Repeat {
    uint32_t least, most;
} Repeat;

static bool take_number(Parser *parser, uint32_t *number) {
    size_t start = parser->at;
    uint32_t value = 0;
    for (; more(parser) && parser->text.data[parser->at] >= '0' &&
           parser->text.data[parser->at] <= '9';
         parser->at++) {
        value = value * 10 + (uint32_t)(parser->text.data[parser->at] - '0');
        parser->failed |= value >= UNBOUNDED;
    }
    if (parser->at > start)
        *number = value;
    return parser->at > start;
}

/* `{2}`, `{2,}`, `{,3}`, `{2,3}`, `{,}`. A brace that begins none of them stands for itself. */
static bool take_counts(Parser *parser, Repeat *repeat) {
    size_t start = parser->at;
    Repeat counts = {0, UNBOUNDED};
    skip(parser, '{');
    bool counted = take_number(parser, &counts.least), open = skip(parser, ',');
    if (open)
        take_number(parser, &counts.most);
    else
        counts.most = counts.least;
    if (!(counted || open) || !skip(parser, '}')) {
        parser->at = start;
        return false;
    }
    parser->failed |= counts.most < counts.least;
    *repeat = counts;
    return true;
}

static bool take_repeat(Parser *parser, Repeat *repeat) {
    if (skip(parser, '*'))
        *repeat = (Repeat){0, UNBOUNDED};
    else if (skip(parser, '+'))
        *repeat = (Repeat){1, UNBOUNDED};
    else if (skip(parser, '?'))
        *repeat = (Repeat){0, 1};
    else
        return sees(parser, '{') && take_counts(parser, repeat);
    return true;
}

static void parse_atom(Parser *parser) {
    Repeat of_nothing;
    if (take_repeat(parser, &of_nothing))
        parser->failed = true;
    else if (skip(parser, '('))
        parse_group(parser);
    else if (skip(parser, '['))
        parse_set(parser);
    else if (skip(parser, '\\'))
        parse_escape(parser);
    else if (skip(parser, '.'))
        add_step(parser, STEP_ANY, 0, 0);
    else if (skip(parser, '^'))
        add_step(parser, STEP_BEGIN, 0, 0);
    else if (skip(parser, '$'))
        add_step(parser, STEP_END, 0, 0);
    else if (more(parser))
        add_step(parser, STEP_CHARACTER, take_character(parser->text, &parser->at), 0);
}

/* Behind a repeat, a question mark says to take little: all the same where only the end counts. */
static Repeat parse_repeat(Parser *parser) {
    Repeat repeat = {1, 1}, another;
    if (take_repeat(parser, &repeat)) {
        skip(parser, '?');
        parser->failed |= take_repeat(parser, &another);
    }
    return repeat;
}

/* Each time it comes is made from the text anew: a step that may lead past it, itself, and after
 * the last one that may come again a step that leads back. */
static void parse_repeated(Parser *parser) {
    Step *steps;
    size_t start = parser->at;
    uint32_t before = add_step(parser, STEP_GO, next_step(parser) + 1, 0);
    parse_atom(parser);
    Repeat repeat = parse_repeat(parser);
    size_t end = parser->at;
    uint32_t times = repeat.most < UNBOUNDED ? repeat.most : repeat.least > 0 ? repeat.least : 1;
    if (times == 0)
        parser->pattern->steps.count = before + 1;
    for (uint32_t i = 0; i < times && !parser->failed; i++) {
        if (i > 0) {
            parser->at = start;
            before = add_step(parser, STEP_GO, next_step(parser) + 1, 0);
            parse_atom(parser);
        }
        if (repeat.most == UNBOUNDED && i + 1 == times)
            add_step(parser, STEP_SPLIT, before, next_step(parser) + 1);
        steps = parser->pattern->steps.items;
        if (i >= repeat.least)
            steps[before] = (Step){STEP_SPLIT, before + 1, next_step(parser)};
    }
    parser->at = end;
}

/* A step before each alternative leads to it and to the next; one behind it to the end, by way of
 * those of the others. */
static void parse_alternatives(Parser *parser) {
    uint32_t last = UINT32_MAX;
    for (;;) {
        uint32_t before = add_step(parser, STEP_GO, next_step(parser) + 1, 0);
        while (more(parser) && !sees(parser, '|') && !sees(parser, ')'))
            parse_repeated(parser);
        if (!skip(parser, '|'))
            break;
        last = add_step(parser, STEP_GO, last, 0);
        parser->pattern->steps.items[before] = (Step){STEP_SPLIT, before + 1, next_step(parser)};
    }
    while (last != UINT32_MAX) {
        Step *jump = &parser->pattern->steps.items[last];
        last = jump->first;
        jump->first = next_step(parser);
    }
}

static void make_states(States *states, size_t n) {
    states->steps = memory_grow(NULL, memory_size(n, sizeof *states->steps));
    states->marks = memory_grow(NULL, memory_size(n, sizeof *states->marks));
    memset(states->marks, 0, memory_size(n, sizeof *states->marks));
}

ModulePattern *module_pattern_make(Text written) {
    ModulePattern *pattern = memory_grow(NULL, sizeof *pattern);
    *pattern = (ModulePattern){.place = 0};
    Parser parser = {.text = written, .pattern = pattern};
    parse_alternatives(&parser);
    if (parser.failed || parser.at < written.size) {
        module_pattern_free(pattern);
        return NULL;
    }
    add_step(&parser, STEP_DONE, 0, 0);
    make_states(&pattern->now, pattern->steps.count);
    make_states(&pattern->next, pattern->steps.count);
    return pattern;
}

static void free_states(States *states) {
    free(states->steps);
    free(states->marks);
}

void module_pattern_free(ModulePattern *pattern) {
    vector_free(&pattern->steps);
    vector_free(&pattern->ranges);
    free_states(&pattern->now);
    free_states(&pattern->next);
    free(pattern);
}

uint64_t module_pattern_work(const ModulePattern *pattern) {
    return pattern->work;
}

/* ---- names ---- */

static void add_state(States *states, uint64_t place, uint32_t step) {
    if (states->marks[step] == place)
        return;
    states->marks[step] = place;
    states->steps[states->count++] = step;
}

static bool is_in(const ModulePattern *pattern, const Step *step, uint32_t character) {
    for (uint32_t i = step->first; i < step->second; i++)
        if (pattern->ranges.items[i].low <= character && character <= pattern->ranges.items[i].high)
            return true;
    return false;
}

static bool takes(ModulePattern *pattern, const Step *step, uint32_t character) {
    switch (step->kind) {
    case STEP_ANY:
        return character != '\n';
    case STEP_CHARACTER:
        return step->first == character;
    case STEP_SET:
    case STEP_OTHER:
        pattern->work += step->second - step->first;
        return is_in(pattern, step, character) == (step->kind == STEP_SET);
    default:
        return false;
    }
}

/* What the states at a place lead to without taking a character. True where the pattern is done. */
static bool follow(ModulePattern *pattern, bool begins, bool ends) {
    States *now = &pattern->now;
    bool done = false;
    for (uint32_t i = 0; i < now->count; i++) {
        Step step = pattern->steps.items[now->steps[i]];
        if (step.kind == STEP_GO || step.kind == STEP_SPLIT)
            add_state(now, pattern->place, step.first);
        if (step.kind == STEP_SPLIT)
            add_state(now, pattern->place, step.second);
        if ((step.kind == STEP_BEGIN && begins) || (step.kind == STEP_END && ends))
            add_state(now, pattern->place, now->steps[i] + 1);
        done |= step.kind == STEP_DONE;
    }
    pattern->work += now->count + 1;
    return done;
}

static void advance(ModulePattern *pattern, uint32_t character) {
    States now = pattern->now;
    pattern->next.count = 0;
    for (uint32_t i = 0; i < now.count; i++)
        if (takes(pattern, &pattern->steps.items[now.steps[i]], character))
            add_state(&pattern->next, pattern->place + 1, now.steps[i] + 1);
    pattern->now = pattern->next;
    pattern->next = now;
    pattern->place++;
}

/* Without a state nothing happens before the next dot. */
static size_t behind_dot(Text module, size_t at) {
    const char *dot = memchr(module.data + at, '.', module.size - at);
    return dot == NULL ? module.size : (size_t)(dot - module.data) + 1;
}

bool module_pattern_matches(ModulePattern *pattern, Text module) {
    size_t at = 0;
    pattern->now.count = 0;
    pattern->place++;
    for (;;) {
        if (at == 0 || module.data[at - 1] == '.')
            add_state(&pattern->now, pattern->place, 0);
        bool done = follow(pattern, at == 0, at == module.size);
        if (at == module.size)
            return done;
        if (pattern->now.count == 0)
            at = behind_dot(module, at);
        else
            advance(pattern, take_character(module, &at));
    }
}
