/* Files and paths, as any C program needs them: calls that survive signals and short transfers.
 *
 * Descriptors are close-on-exec and never 0, 1 or 2, so that a program whose standard streams are
 * closed does not print its warnings into a model. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/text.h"

#include <dirent.h>
#include <sys/stat.h>
#include <sys/types.h>

enum { FILE_TEXT_LIMIT = 64 << 20 }; /* bytes of a file that people write: recipes, index files */

/* open(2). -1 and errno on failure. */
int file_open(const char *path, int flags, mode_t mode);

/* Opens a regular file for reading and fills STATUS. -1 on failure, with errno, or with errno 0 and
 * the kind in STATUS where PATH is something else: a FIFO or device is never waited for. */
int file_open_regular(const char *path, struct stat *status);

/* `a folder`, `a FIFO`, `a device`, `a socket`; NULL for a regular file. */
const char *file_kind(mode_t mode);

/* Reads up to SIZE bytes at OFFSET, fewer only at the end of the file. -1 and errno on failure. */
ssize_t file_read_at(int file, void *data, size_t size, uint64_t offset);

/* Writes all SIZE bytes at OFFSET. False and errno on failure. */
bool file_write_at(int file, const void *data, size_t size, uint64_t offset);

/* Copies all of one file to another, sharing the blocks where the file system can. False and errno
 * on failure. */
bool file_copy(int from, int to);

/* The text of a whole file (or pipe), NUL-terminated, in ARENA. False and *ERROR (of errno.h)
 * otherwise; EFBIG where it holds more than LIMIT bytes. */
bool file_read(Arena *arena, Text path, size_t limit, Text *out, int *error);
/* The same of a regular file alone; otherwise *ERROR is 0 and STATUS tells the kind. */
bool file_read_regular(Arena *arena, Text path, size_t limit, Text *out, struct stat *status,
                       int *error);

/* `a/b` of `a/b/c`; `.` of `c`; `/` of `/c`. */
Text path_folder(Text path);
/* The name of a folder's next entry. NULL at the end with *ERROR 0, and where reading fails with
 * its errno: half a listing is not to be taken for all of it. */
const char *folder_next(DIR *stream, int *error);

/* `c` of `a/b/c`; empty where the path ends in a slash. */
Text path_name(Text path);
/* FOLDER/NAME, or NAME where that is absolute or FOLDER is `.`. */
Text path_join(Arena *arena, Text folder, Text name);

#endif
