#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READ_STEP = 64 * 1024, TRANSFER_LIMIT = 1 << 30 };

static int close_keeping_errno(int file) {
    int error = errno;
    close(file);
    errno = error;
    return -1;
}

int file_open(const char *path, int flags, mode_t mode) {
    int file;
    do
        file = open(path, flags | O_CLOEXEC | O_NOCTTY, mode);
    while (file < 0 && errno == EINTR);
    if (file < 0 || file > STDERR_FILENO)
        return file;
    int higher = fcntl(file, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    close_keeping_errno(file);
    return higher;
}

int file_open_regular(const char *path, struct stat *status) {
    *status = (struct stat){0};
    if (stat(path, status) != 0)
        return -1;
    errno = 0;
    if (!S_ISREG(status->st_mode))
        return -1;
    int file = file_open(path, O_RDONLY | O_NONBLOCK, 0);
    if (file < 0)
        return -1;
    if (fstat(file, status) != 0)
        return close_keeping_errno(file);
    errno = 0; /* replaced by something else meanwhile? */
    return S_ISREG(status->st_mode) ? file : close_keeping_errno(file);
}

const char *file_kind(mode_t mode) {
    switch (mode & S_IFMT) {
    case S_IFREG:
        return NULL;
    case S_IFDIR:
        return "a folder";
    case S_IFIFO:
        return "a FIFO";
    case S_IFSOCK:
        return "a socket";
    default:
        return "a device";
    }
}

ssize_t file_read_at(int file, void *data, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        size_t step = size - done < TRANSFER_LIMIT ? size - done : TRANSFER_LIMIT;
        ssize_t n = pread(file, (char *)data + done, step, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        if (n == 0)
            break;
        done += (size_t)n;
    }
    return (ssize_t)done;
}

bool file_write_at(int file, const void *data, size_t size, uint64_t offset) {
    size_t done = 0;
    while (done < size) {
        size_t step = size - done < TRANSFER_LIMIT ? size - done : TRANSFER_LIMIT;
        ssize_t n = pwrite(file, (const char *)data + done, step, (off_t)(offset + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n == 0)
            errno = EIO; /* a device that takes nothing and says nothing would hold us for ever */
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* Copies within the kernel as far as it can; how far that was. */
static uint64_t copy_inside(int from, int to) {
    off_t read = 0, written = 0;
    ssize_t n;
    do
        n = copy_file_range(from, &read, to, &written, TRANSFER_LIMIT, 0);
    while (n > 0 || (n < 0 && errno == EINTR));
    return (uint64_t)written;
}

bool file_copy(int from, int to) {
    uint64_t at = copy_inside(from, to);
    char *step = memory_grow(NULL, READ_STEP);
    ssize_t n;
    while ((n = file_read_at(from, step, READ_STEP, at)) > 0 &&
           file_write_at(to, step, (size_t)n, at))
        at += (uint64_t)n;
    int error = errno;
    free(step);
    errno = error;
    return n == 0;
}

/* False and errno on failure; EFBIG beyond LIMIT. */
static bool read_all(int file, size_t limit, Builder *builder) {
    char *step = memory_grow(NULL, READ_STEP);
    ssize_t n;
    while ((n = read(file, step, READ_STEP)) != 0 && builder->size <= limit) {
        if (n > 0)
            builder_add(builder, (Text){step, (size_t)n});
        else if (errno != EINTR)
            break;
    }
    int error = n < 0 ? errno : EFBIG;
    free(step);
    errno = error;
    return n == 0 && builder->size <= limit;
}

/* FILE was opened, or errno says why not. */
static bool take_text(Arena *arena, int file, size_t limit, Text *out, int *error) {
    *error = errno;
    if (file < 0)
        return false;
    Builder builder = {0};
    bool done = read_all(file, limit, &builder);
    *error = done ? 0 : errno;
    if (done)
        *out = text_copy(arena, builder_view(&builder));
    builder_free(&builder);
    close(file);
    return done;
}

bool file_read(Arena *arena, Text path, size_t limit, Text *out, int *error) {
    *error = EINVAL;
    return memchr(path.data, '\0', path.size) == NULL &&
           take_text(arena, file_open(text_copy(arena, path).data, O_RDONLY, 0), limit, out, error);
}

bool file_read_regular(Arena *arena, Text path, size_t limit, Text *out, struct stat *status,
                       int *error) {
    *error = EINVAL;
    return memchr(path.data, '\0', path.size) == NULL &&
           take_text(arena, file_open_regular(text_copy(arena, path).data, status), limit, out,
                     error);
}

/* How many bytes of PATH stand before its last component. */
static size_t name_start(Text path) {
    size_t at = path.size;
    while (at > 0 && path.data[at - 1] != '/')
        at--;
    return at;
}

const char *folder_next(DIR *stream, int *error) {
    errno = 0;
    const struct dirent *entry = readdir(stream);
    *error = entry == NULL ? errno : 0;
    return entry != NULL ? entry->d_name : NULL;
}

Text path_folder(Text path) {
    size_t size = name_start(path);
    if (size == 0)
        return TEXT(".");
    while (size > 1 && path.data[size - 1] == '/')
        size--;
    return (Text){path.data, size};
}

Text path_name(Text path) {
    size_t start = name_start(path);
    return (Text){path.data + start, path.size - start};
}

Text path_join(Arena *arena, Text folder, Text name) {
    if (text_starts(name, TEXT("/")) || text_equal(folder, TEXT(".")) || folder.size == 0)
        return text_copy(arena, name);
    const char *slash = text_ends(folder, TEXT("/")) ? "" : "/";
    return text_format(arena, "%.*s%s%.*s", TEXT_ARG(folder), slash, TEXT_ARG(name));
}
