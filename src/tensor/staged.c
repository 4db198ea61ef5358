#include "tensor/staged.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static bool synchronise(int file) {
    int result;
    do
        result = fsync(file);
    while (result != 0 && errno == EINTR);
    return result == 0;
}

/* A new temporary file for PATH, under which REFUSAL complains from now on. */
static Temporary *stage(StagedFiles *files, Text path, Refusal *refusal) {
    refusal->path = path;
    Temporary *temporary = temporary_open(path, 0666);
    if (temporary == NULL)
        refuse_errno(refusal, "can't be written", errno);
    else
        vector_push(files, ((StagedFile){temporary, path}));
    return temporary;
}

static bool finish(const Temporary *temporary, bool written, bool no_sync, const Refusal *refusal) {
    return (written && (no_sync || synchronise(temporary->file))) ||
           refuse_errno(refusal, "can't be written", errno);
}

bool staged_add(StagedFiles *files, Text path, Text content, bool no_sync, const Refusal *refusal) {
    Refusal inner = *refusal;
    Temporary *temporary = stage(files, path, &inner);
    return temporary != NULL &&
           finish(temporary, file_write_at(temporary->file, content.data, content.size, 0), no_sync,
                  &inner);
}

bool staged_copy(StagedFiles *files, Text path, Text from, bool no_sync, const Refusal *refusal) {
    Refusal inner = *refusal, source = *refusal;
    source.path = from;
    struct stat status;
    int file = file_open_regular(from.data, &status);
    if (file < 0)
        return errno == 0 ? refuse_kind(&source, status.st_mode)
                          : refuse_errno(&source, "can't be opened", errno);
    Temporary *temporary = stage(files, path, &inner);
    bool done =
        temporary != NULL && finish(temporary, file_copy(file, temporary->file), no_sync, &inner);
    close(file);
    return done;
}

bool staged_rename(StagedFiles *files, const Refusal *refusal) {
    for (size_t i = 0; i < files->count; i++) {
        Refusal inner = *refusal;
        inner.path = files->items[i].path;
        if (!temporary_rename(files->items[i].temporary, inner.path.data))
            return refuse_errno(&inner, "can't be written", errno);
    }
    return true;
}

void staged_free(StagedFiles *files) {
    for (size_t i = 0; i < files->count; i++)
        temporary_close(files->items[i].temporary);
    vector_free(files);
}

/* Where folders can't be opened or synchronised, nothing more can be done. */
bool staged_synchronise(Text folder, const Refusal *refusal) {
    Arena arena = {0};
    int file = file_open(text_copy(&arena, folder).data, O_RDONLY | O_DIRECTORY, 0);
    bool done = file < 0 ? errno == EACCES : synchronise(file) || errno == EINVAL;
    int error = errno;
    if (file >= 0)
        close(file);
    arena_free(&arena);
    return done || refuse_errno(refusal, "was written, but may not outlast a power cut", error);
}
