/* Everything said to the user: sources, places in them, and the messages that point there.
 *
 * Errors are values: diag_error records and returns, and work goes on. Whoever drives the pipeline
 * asks diag_failed between the stages and prints once, at the end.
 *
 *     anime.mecha:4:28: error: 'weighted_sum' has no parameter 'alpah'
 *         4 | merge "weighted_sum" &0 &1 alpah=0.3
 *           |                            ^^^^^ did you mean 'alpha'?
 */
#ifndef DIAG_DIAG_H
#define DIAG_DIAG_H

#include "base/arena.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

/* A range of bytes of a source; sources are numbered from 1, and 0 means "no place". */
typedef struct Span {
    uint32_t source;
    uint32_t begin, end;
} Span;

#define SPAN_NONE ((Span){0, 0, 0})

/* The smallest span that holds both (of one source; the first if they differ). */
Span span_join(Span a, Span b);

/* Some lines of a source that is made of several, and what they are called. */
typedef struct SourcePart {
    Text name;
    uint32_t line; /* the number of its first line */
    Text text;
} SourcePart;

/* A text that spans point into. */
typedef struct Source {
    Text name; /* as shown: a path, `<stdin>`, `<stdlib>/methods/ties.mecha` */
    Text text;
    uint32_t *lines; /* where each line begins */
    uint32_t n_lines;
    struct PartStart *parts; /* where each part begins; NULL: there is but one, from line 1 */
    uint32_t n_parts;
} Source;

typedef enum Severity { SEVERITY_NOTE, SEVERITY_WARNING, SEVERITY_ERROR } Severity;

typedef struct Diag {
    Severity severity;
    Span span;
    Text message;
    Text hint; /* stands under the line, behind the carets; may be empty */
} Diag;

enum { DIAG_ERROR_LIMIT = 50 }; /* of one run; more are counted, not shown */

typedef struct Diags Diags;

Diags *diags_new(void);
void diags_free(Diags *diags);

/* Takes copies of both texts. Sources live as long as the Diags. A source is at most 4 GiB long. */
uint32_t diags_source(Diags *diags, Text name, Text text);
/* One source of several parts, each on lines of its own. Messages tell places within the parts. */
uint32_t diags_source_of(Diags *diags, const SourcePart *parts, size_t n_parts);
const Source *diags_find(const Diags *diags, uint32_t source);

/* Each records a message. What comes next through diag_hint or diag_note belongs to it. */
void diag_error(Diags *diags, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void diag_warning(Diags *diags, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Words under the line that the last message shows: "did you mean 'alpha'?" */
void diag_hint(Diags *diags, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* A further place that explains the last message: "defined here". */
void diag_note(Diags *diags, Span span, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* For a message that was said before: drops what comes next through diag_hint or diag_note. */
void diag_drop(Diags *diags);

bool diag_failed(const Diags *diags);
size_t diag_errors(const Diags *diags);

/* For a REPL: what was recorded after a mark can be forgotten. */
size_t diags_count(const Diags *diags);
const Diag *diags_at(const Diags *diags, size_t i);
void diags_clear(Diags *diags);

typedef struct DiagStyle {
    bool colour;
    bool json;  /* one array of objects, for editors */
    bool quiet; /* errors only */
} DiagStyle;

void diags_print(const Diags *diags, FILE *stream, DiagStyle style);

/* What the lines around a byte offset are called. */
Text source_part(const Source *source, uint32_t offset);
/* 1-based line and column (in characters, not bytes) of a byte offset. */
void source_position(const Source *source, uint32_t offset, uint32_t *line, uint32_t *column);

/* The candidate nearest to WANTED (Damerau-Levenshtein), if near enough to be what was meant, else
 * an empty text. */
Text nearest_name(Text wanted, const Text *candidates, size_t n_candidates);
/* The name in its folder that is nearest to that of a file that is not there, or an empty text. */
Text nearest_file(Arena *arena, Text path);

#endif
