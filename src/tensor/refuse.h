/* Saying why a file is refused: one diag_error that names the file, with everything that comes out
 * of the file made fit for a terminal. */
#ifndef TENSOR_REFUSE_H
#define TENSOR_REFUSE_H

#include "diag/diag.h"

#include <sys/types.h>

/* Which file, and where to say so. */
typedef struct Refusal {
    Diags *diags;
    Span span;
    Text path;
} Refusal;

/* Records "PATH: message". Always false, so that it can be returned. */
bool refuse(const Refusal *refusal, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* refuse with the words for an errno: "PATH: can't be opened: no such file". */
bool refuse_errno(const Refusal *refusal, const char *what, int error);

/* Refuses what is no regular file: "PATH: is a FIFO, no regular file". */
bool refuse_kind(const Refusal *refusal, mode_t mode);

/* A stranger's text, printable and cut to a bounded length: refuse(r, "tensor '%s'",
 * show(name).text) */
typedef struct Shown {
    char text[256];
} Shown;

Shown show(Text text);

/* The same of a path, of which the end counts most. */
Shown show_path(Text path);

#endif
