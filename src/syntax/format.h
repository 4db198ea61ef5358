/* `mecha fmt`: a file in its canonical layout.
 *
 * The words stay as they are and in their order; only blanks, line ends and commas before a closing
 * bracket change. So what the file means cannot. Comments stay where they are, and of several blank
 * lines one. */
#ifndef SYNTAX_FORMAT_H
#define SYNTAX_FORMAT_H

#include "diag/diag.h"

enum { FORMAT_COLUMNS = 100, FORMAT_INDENT = 4 };

/* Either dialect. False, with nothing added to OUT, where the source has errors (reported). An
 * instruction list becomes what sd-mecha reads: single spaces, no blank lines, comments on lines of
 * their own, no newline at the end. */
bool format_recipe(Diags *diags, uint32_t source, Builder *out);

#endif
