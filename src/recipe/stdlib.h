/* The standard library as embedded at build time: texts, and what each defines. Parsed on first
 * use. */
#ifndef RECIPE_STDLIB_H
#define RECIPE_STDLIB_H

#include <stddef.h>

typedef struct StdlibFile {
    const char *name; /* `<stdlib>/methods/ties.mecha` */
    const char *text;
    size_t size;
} StdlibFile;

typedef struct StdlibEntry {
    const char *kind; /* `method`, `def`, `config`, `conversion` */
    const char *name;
    unsigned file;
} StdlibEntry;

extern const StdlibFile stdlib_files[];
extern const unsigned n_stdlib_files;
extern const StdlibEntry stdlib_entries[];
extern const unsigned n_stdlib_entries;

#endif
