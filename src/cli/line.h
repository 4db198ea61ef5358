/* Lines typed at a terminal: editing, history, completion (libedit). */
#ifndef CLI_LINE_H
#define CLI_LINE_H

#include "base/text.h"

typedef struct LineReader LineReader;

/* What could stand at the end of a line. */
typedef struct Completions {
    size_t begin;      /* of the word that is completed, in the line up to the cursor */
    const Text *items; /* whole words */
    size_t count;
} Completions;

typedef Completions CompleteLine(void *context, Text line);

/* HISTORY: the file that keeps what was typed; may be NULL. INTERRUPTED: what the handler of SIGINT
 * sets; a line that is being typed is given up then. */
LineReader *line_open(const char *history, CompleteLine *complete, void *context,
                      const volatile int *interrupted);
void line_close(LineReader *reader);

typedef enum LineStatus { LINE_READ, LINE_END, LINE_INTERRUPTED } LineStatus;

/* Without its newline; good until the next call. Interrupted at once where INTERRUPTED was set
 * before. */
LineStatus line_read(LineReader *reader, const char *prompt, Text *line);

#endif
