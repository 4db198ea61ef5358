#include "diag/diag.h"

#include "base/file.h"
#include "base/vector.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SHOWN = 100, NEAREST_LIMIT = 96 };

typedef struct PartStart {
    uint32_t begin; /* the offset of its first line */
    Text name;
    uint32_t line; /* the number of that line */
} PartStart;

struct Diags {
    Arena arena;
    VECTOR(Source) sources;
    VECTOR(Diag) diags;
    size_t errors;
    bool dropped; /* the last error was over the limit: its hints and notes go too */
};

Span span_join(Span a, Span b) {
    if (a.source == 0)
        return b;
    if (a.source != b.source)
        return a;
    return (Span){a.source, a.begin < b.begin ? a.begin : b.begin, a.end > b.end ? a.end : b.end};
}

Diags *diags_new(void) {
    Diags *diags = memory_grow(NULL, sizeof *diags);
    *diags = (Diags){0};
    return diags;
}

void diags_free(Diags *diags) {
    if (diags == NULL)
        return;
    arena_free(&diags->arena);
    vector_free(&diags->sources);
    vector_free(&diags->diags);
    free(diags);
}

uint32_t diags_source(Diags *diags, Text name, Text text) {
    Source source = {.name = text_copy(&diags->arena, name),
                     .text = text_copy(&diags->arena, text)};
    VECTOR(uint32_t) lines = {0};
    vector_push(&lines, 0);
    const char *end = text.data + text.size;
    for (const char *at = text.data; (at = memchr(at, '\n', (size_t)(end - at))) != NULL;)
        vector_push(&lines, (uint32_t)(++at - text.data));
    source.n_lines = (uint32_t)lines.count;
    source.lines = arena_copy(&diags->arena, lines.items, lines.count * sizeof *lines.items);
    vector_free(&lines);
    vector_push(&diags->sources, source);
    return (uint32_t)diags->sources.count;
}

uint32_t diags_source_of(Diags *diags, const SourcePart *parts, size_t n_parts) {
    Builder text = {0};
    PartStart *starts = arena_array(&diags->arena, PartStart, n_parts + 1);
    for (size_t i = 0; i < n_parts; i++) {
        starts[i] = (PartStart){(uint32_t)text.size, text_copy(&diags->arena, parts[i].name),
                                parts[i].line};
        builder_add(&text, parts[i].text);
        if (text.size > 0 && text.data[text.size - 1] != '\n')
            builder_char(&text, '\n');
    }
    Text name = n_parts > 0 ? parts[0].name : TEXT("");
    uint32_t source = diags_source(diags, name, builder_view(&text));
    diags->sources.items[source - 1].parts = starts;
    diags->sources.items[source - 1].n_parts = (uint32_t)n_parts;
    builder_free(&text);
    return source;
}

const Source *diags_find(const Diags *diags, uint32_t source) {
    return source == 0 ? NULL : &diags->sources.items[source - 1];
}

static void record(Diags *diags, Severity severity, Span span, const char *format,
                   va_list arguments) {
    if (severity != SEVERITY_NOTE)
        diags->dropped = severity == SEVERITY_ERROR && diags->errors >= DIAG_ERROR_LIMIT;
    diags->errors += severity == SEVERITY_ERROR;
    if (diags->dropped)
        return;
    Builder builder = {0};
    builder_vformat(&builder, format, arguments);
    Diag diag = {severity, span, text_copy(&diags->arena, builder_view(&builder)), TEXT("")};
    builder_free(&builder);
    vector_push(&diags->diags, diag);
}

void diag_error(Diags *diags, Span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(diags, SEVERITY_ERROR, span, format, arguments);
    va_end(arguments);
}

void diag_warning(Diags *diags, Span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(diags, SEVERITY_WARNING, span, format, arguments);
    va_end(arguments);
}

void diag_note(Diags *diags, Span span, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    record(diags, SEVERITY_NOTE, span, format, arguments);
    va_end(arguments);
}

void diag_drop(Diags *diags) {
    diags->dropped = true;
}

void diag_hint(Diags *diags, const char *format, ...) {
    if (diags->dropped || diags->diags.count == 0)
        return;
    Builder builder = {0};
    va_list arguments;
    va_start(arguments, format);
    builder_vformat(&builder, format, arguments);
    va_end(arguments);
    /* Notes may have come between. */
    size_t i = diags->diags.count - 1;
    while (i > 0 && diags->diags.items[i].severity == SEVERITY_NOTE)
        i--;
    diags->diags.items[i].hint = text_copy(&diags->arena, builder_view(&builder));
    builder_free(&builder);
}

bool diag_failed(const Diags *diags) {
    return diags->errors > 0;
}

size_t diag_errors(const Diags *diags) {
    return diags->errors;
}

size_t diags_count(const Diags *diags) {
    return diags->diags.count;
}

const Diag *diags_at(const Diags *diags, size_t i) {
    return &diags->diags.items[i];
}

void diags_clear(Diags *diags) {
    diags->diags.count = 0;
    diags->errors = 0;
    diags->dropped = false;
}

/* The number of the line (from 0) that holds OFFSET. */
static uint32_t line_of(const Source *source, uint32_t offset) {
    uint32_t low = 0, high = source->n_lines;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (source->lines[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* The last part that begins at or before OFFSET; an empty one has no lines. */
static const PartStart *part_of(const Source *source, uint32_t offset) {
    uint32_t part = 0;
    while (part + 1 < source->n_parts && source->parts[part + 1].begin <= offset)
        part++;
    return source->n_parts > 0 ? &source->parts[part] : NULL;
}

Text source_part(const Source *source, uint32_t offset) {
    const PartStart *part = part_of(source, offset);
    return part != NULL ? part->name : source->name;
}

/* The number that a line (from 0) has in messages. */
static uint32_t line_number(const Source *source, uint32_t line) {
    const PartStart *part = part_of(source, source->lines[line]);
    return part != NULL ? line - line_of(source, part->begin) + part->line : line + 1;
}

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

void source_position(const Source *source, uint32_t offset, uint32_t *line, uint32_t *column) {
    uint32_t at = line_of(source, offset);
    *line = line_number(source, at);
    *column = 1;
    for (uint32_t i = source->lines[at]; i < offset && i < source->text.size; i++)
        *column += !is_continuation(source->text.data[i]);
}

static Text line_text(const Source *source, uint32_t line) {
    uint32_t begin = source->lines[line];
    size_t end = line + 1 < source->n_lines ? source->lines[line + 1] - 1 : source->text.size;
    while (end > begin &&
           (source->text.data[end - 1] == '\r' || source->text.data[end - 1] == '\n'))
        end--;
    return (Text){source->text.data + begin, end - begin};
}

/* The colours, or nothing. */
typedef struct Palette {
    const char *error, *warning, *note, *bold, *caret, *plain;
} Palette;

static Palette palette(bool colour) {
    if (!colour)
        return (Palette){"", "", "", "", "", ""};
    return (Palette){"\x1b[1;31m", "\x1b[1;35m", "\x1b[1;36m", "\x1b[1m", "\x1b[1;32m", "\x1b[0m"};
}

static void put_line(FILE *stream, Text line) {
    for (size_t i = 0; i < line.size; i++) {
        unsigned char c = (unsigned char)line.data[i];
        fputc(c == '\t' ? ' ' : c < 0x20 || c == 0x7F ? '?' : c, stream);
    }
}

/* A window of LINE_SHOWN bytes around the span, so that one enormous line stays readable. */
static Text window(Text line, size_t begin, size_t *skipped) {
    *skipped = 0;
    if (line.size <= LINE_SHOWN)
        return line;
    size_t from = begin > LINE_SHOWN / 2 ? begin - LINE_SHOWN / 2 : 0;
    while (from > 0 && is_continuation(line.data[from]))
        from--;
    size_t to = from + LINE_SHOWN < line.size ? from + LINE_SHOWN : line.size;
    while (to < line.size && is_continuation(line.data[to]))
        to++;
    *skipped = from;
    return (Text){line.data + from, to - from};
}

static void print_snippet(const Source *source, const Diag *diag, FILE *stream, Palette colours) {
    uint32_t line = line_of(source, diag->span.begin);
    Text whole = line_text(source, line);
    size_t begin = diag->span.begin - source->lines[line];
    size_t end = diag->span.end - source->lines[line];
    if (begin > whole.size)
        begin = whole.size;
    if (end > whole.size)
        end = whole.size;
    size_t skipped;
    Text shown = window(whole, begin, &skipped);
    fprintf(stream, "%5u | %s", line_number(source, line), skipped > 0 ? "…" : "");
    put_line(stream, shown);
    fprintf(stream, "%s\n      | %s", skipped + shown.size < whole.size ? "…" : "",
            skipped > 0 ? " " : "");
    for (size_t i = skipped; i < begin; i++)
        if (!is_continuation(whole.data[i]))
            fputc(' ', stream);
    fputs(colours.caret, stream);
    fputc('^', stream);
    for (size_t i = begin + 1; i < end && i < skipped + shown.size; i++)
        if (!is_continuation(whole.data[i]))
            fputc('^', stream);
    if (diag->hint.size > 0)
        fprintf(stream, " %.*s", TEXT_ARG(diag->hint));
    fprintf(stream, "%s\n", colours.plain);
}

static const char *const severity_names[] = {"note", "warning", "error"};

static void print_text(const Diags *diags, const Diag *diag, FILE *stream, Palette colours) {
    const Source *source = diags_find(diags, diag->span.source);
    const char *colour[] = {colours.note, colours.warning, colours.error};
    fputs(colours.bold, stream);
    if (source != NULL) {
        uint32_t line, column;
        source_position(source, diag->span.begin, &line, &column);
        fprintf(stream, "%.*s:%u:%u: ", TEXT_ARG(source_part(source, diag->span.begin)), line,
                column);
    } else {
        fputs("mecha: ", stream);
    }
    fprintf(stream, "%s%s:%s %s%.*s%s\n", colour[diag->severity], severity_names[diag->severity],
            colours.plain, colours.bold, TEXT_ARG(diag->message), colours.plain);
    if (source != NULL)
        print_snippet(source, diag, stream, colours);
    else if (diag->hint.size > 0)
        fprintf(stream, "      = %.*s\n", TEXT_ARG(diag->hint));
}

static void print_json(const Diags *diags, const Diag *diag, Builder *out) {
    const Source *source = diags_find(diags, diag->span.source);
    builder_format(out, "{\"severity\": \"%s\", \"message\": ", severity_names[diag->severity]);
    builder_json(out, diag->message);
    if (diag->hint.size > 0) {
        builder_add(out, TEXT(", \"hint\": "));
        builder_json(out, diag->hint);
    }
    if (source != NULL) {
        uint32_t line, column, end_line, end_column;
        source_position(source, diag->span.begin, &line, &column);
        source_position(source, diag->span.end, &end_line, &end_column);
        builder_add(out, TEXT(", \"file\": "));
        builder_json(out, source_part(source, diag->span.begin));
        builder_format(out, ", \"line\": %u, \"column\": %u, \"end_line\": %u, \"end_column\": %u",
                       line, column, end_line, end_column);
    }
    builder_char(out, '}');
}

static void print_all_json(const Diags *diags, FILE *stream) {
    Builder out = {0};
    builder_add(&out, TEXT("["));
    for (size_t i = 0; i < diags->diags.count; i++) {
        builder_add(&out, i == 0 ? TEXT("\n  ") : TEXT(",\n  "));
        print_json(diags, &diags->diags.items[i], &out);
    }
    builder_add(&out, diags->diags.count > 0 ? TEXT("\n]\n") : TEXT("]\n"));
    fwrite(out.data, 1, out.size, stream);
    builder_free(&out);
}

void diags_print(const Diags *diags, FILE *stream, DiagStyle style) {
    if (style.json) {
        print_all_json(diags, stream);
        return;
    }
    bool shown = true;
    for (size_t i = 0; i < diags->diags.count; i++) {
        const Diag *diag = &diags->diags.items[i];
        if (diag->severity != SEVERITY_NOTE)
            shown = diag->severity == SEVERITY_ERROR || !style.quiet;
        if (shown)
            print_text(diags, diag, stream, palette(style.colour));
    }
    if (diags->errors > DIAG_ERROR_LIMIT)
        fprintf(stream, "mecha: %zu more errors are not shown\n", diags->errors - DIAG_ERROR_LIMIT);
}

/* Restricted Damerau-Levenshtein distance: insertions, deletions, substitutions and swaps of
 * neighbours. */
static size_t edit_distance(Text a, Text b) {
    size_t rows[3][NEAREST_LIMIT + 1];
    for (size_t j = 0; j <= b.size; j++)
        rows[0][j] = j;
    for (size_t i = 1; i <= a.size; i++) {
        size_t *row = rows[i % 3], *above = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
        row[0] = i;
        for (size_t j = 1; j <= b.size; j++) {
            size_t best = above[j - 1] + (a.data[i - 1] != b.data[j - 1]);
            if (above[j] + 1 < best)
                best = above[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            if (i > 1 && j > 1 && a.data[i - 1] == b.data[j - 2] &&
                a.data[i - 2] == b.data[j - 1] && before[j - 2] + 1 < best)
                best = before[j - 2] + 1;
            row[j] = best;
        }
    }
    return rows[a.size % 3][b.size];
}

Text nearest_name(Text wanted, const Text *candidates, size_t n_candidates) {
    Text nearest = TEXT("");
    size_t best = wanted.size / 3 + 2; /* what is further away was not meant */
    for (size_t i = 0; i < n_candidates; i++) {
        if (wanted.size > NEAREST_LIMIT || candidates[i].size > NEAREST_LIMIT)
            continue;
        size_t distance = edit_distance(wanted, candidates[i]);
        if (distance < best && distance < candidates[i].size) {
            best = distance;
            nearest = candidates[i];
        }
    }
    return nearest;
}

Text nearest_file(Arena *arena, Text path) {
    DIR *stream = opendir(text_copy(arena, path_folder(path)).data);
    VECTOR(Text) names = {0};
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;)
        if (entry->d_name[0] != '.')
            vector_push(&names, text_copy(arena, text_from(entry->d_name)));
    if (stream != NULL)
        closedir(stream);
    Text nearest = nearest_name(path_name(path), names.items, names.count);
    vector_free(&names);
    return nearest;
}
