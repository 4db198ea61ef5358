/* The temporary file beside an output: `.NAME.mecha-XXXXXX.tmp`, or `NAME.partial` of a run that
 * can be resumed, with its journal.
 *
 * It is locked as long as its run lives, so that a later run to the same output can tell what a
 * killed one left behind, and removes it. All that are open stand in a list that a signal handler
 * may walk. */
#ifndef TENSOR_TEMPORARY_H
#define TENSOR_TEMPORARY_H

#include "base/text.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

typedef struct Temporary {
    struct Temporary *next;
    bool taken;       /* what is not is used again, never freed: a handler may be looking at it */
    atomic_bool used; /* the path names a file that has to go, */
    atomic_bool kept; /* unless there is something in it to go on from */
    bool partial;     /* there is a journal beside it */
    bool is_folder;   /* it goes only if nothing is in it */
    int file;
    char path[PATH_MAX];
    char journal[PATH_MAX];
} Temporary;

/* Makes a new one for TARGET, after removing those that nobody holds. NULL and errno on failure. */
Temporary *temporary_open(Text target, mode_t mode);

/* Opens `TARGET.partial`, whatever is in it. NULL and errno on failure; EWOULDBLOCK where another
 * run is at it. */
Temporary *temporary_open_partial(Text target, mode_t mode);

/* Removes `TARGET.partial` and its journal where a run left them and nobody holds them. What has no
 * journal is not ours. */
void temporary_discard_partial(Text target);

/* The same for all outputs in FOLDER whose names begin with STEM. */
void temporaries_discard_partials(Text folder, Text stem);

/* Removes the temporary files of any output in FOLDER that nobody holds. */
void temporaries_sweep(Text folder);

/* Makes a folder that goes again, by temporary_close, if nothing is in it then. NULL and errno on
 * failure. */
Temporary *temporary_make_folder(Text path);
/* From now on it stays. */
void temporary_keep_folder(Temporary *folder);

/* Gives the file the name TARGET. False and errno on failure; it is still open then. */
bool temporary_rename(Temporary *temporary, const char *target);

/* Closes the file, if it is one; removes it unless it was renamed or is kept. */
void temporary_close(Temporary *temporary);

/* Whether any file of this process was given its name. Async-signal-safe. */
bool temporaries_renamed(void);

/* Removes all that are open and not kept; whether any is kept. Async-signal-safe. */
bool temporaries_remove(void);

#endif
