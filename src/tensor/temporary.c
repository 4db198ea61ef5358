#include "tensor/temporary.h"

#include "base/file.h"
#include "tensor/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <unistd.h>

enum { NAME_KEPT = 200, SUFFIX_SIZE = 6, ATTEMPTS = 100 };

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static Temporary *_Atomic list;

/* Whoever ends the program, out of memory for one, leaves no temporary file behind. */
static void remove_all(void) {
    temporaries_remove();
}

static void remove_at_exit(void) {
    (void)atexit(remove_all); /* fails only where a program has registered more than 32 */
    (void)at_quick_exit(remove_all);
}

static Temporary *take_record(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, remove_at_exit);
    pthread_mutex_lock(&list_lock);
    Temporary *record = atomic_load(&list);
    while (record != NULL && record->taken)
        record = record->next;
    if (record == NULL) {
        record = memory_grow(NULL, sizeof *record);
        *record = (Temporary){.next = atomic_load(&list)};
        atomic_store(&list, record);
    }
    record->taken = true;
    record->partial = record->is_folder = false;
    record->file = -1;
    atomic_store(&record->kept, false);
    pthread_mutex_unlock(&list_lock);
    return record;
}

static void give_back(Temporary *record) {
    pthread_mutex_lock(&list_lock);
    atomic_store(&record->used, false);
    record->taken = false;
    pthread_mutex_unlock(&list_lock);
}

static void remove_files(Temporary *record) {
    if (record->is_folder)
        rmdir(record->path);
    else
        unlink(record->path);
    if (record->partial)
        unlink(record->journal);
}

static bool remove_used(bool folders) {
    bool kept = false;
    for (Temporary *record = atomic_load(&list); record != NULL; record = record->next) {
        if (!atomic_load(&record->used) || record->is_folder != folders)
            continue;
        kept |= atomic_load(&record->kept);
        if (!atomic_load(&record->kept))
            remove_files(record);
    }
    return kept;
}

/* Files go before the folders that they are in, and those before the folder that those are in. */
bool temporaries_remove(void) {
    bool kept = remove_used(false);
    remove_used(true);
    remove_used(true);
    return kept;
}

/* What the names of all temporary files for TARGET begin with. */
static Text name_prefix(Arena *arena, Text target) {
    Text name = path_name(target);
    if (name.size > NAME_KEPT)
        name.size = NAME_KEPT;
    return text_format(arena, ".%.*s.mecha-", TEXT_ARG(name));
}

static void put_random_suffix(char *suffix) {
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz234567";
    unsigned char bytes[SUFFIX_SIZE];
    if (getrandom(bytes, sizeof bytes, 0) != sizeof bytes)
        memset(bytes, getpid() & 0xFF, sizeof bytes);
    for (int i = 0; i < SUFFIX_SIZE; i++)
        suffix[i] = letters[bytes[i] % 32];
    suffix[SUFFIX_SIZE] = '\0';
}

static bool set_path(Temporary *record, Text folder, Text prefix) {
    char suffix[SUFFIX_SIZE + 1];
    put_random_suffix(suffix);
    int size = snprintf(record->path, sizeof record->path, "%.*s/%.*s%s.tmp", TEXT_ARG(folder),
                        TEXT_ARG(prefix), suffix);
    errno = ENAMETOOLONG;
    return size > 0 && (size_t)size < sizeof record->path;
}

/* Locks a new file. False where another run, looking for files that nobody holds, was faster and
 * has removed it. File systems without locks have none to fear. */
static bool lock_new(int file) {
    while (flock(file, LOCK_EX) != 0 && errno == EINTR)
        ;
    struct stat status;
    return fstat(file, &status) != 0 || status.st_nlink > 0;
}

/* The name is registered before the file is there, so that no signal comes between. */
static int create(Temporary *record, Text folder, Text prefix, mode_t mode) {
    for (int i = 0; i < ATTEMPTS; i++) {
        if (!set_path(record, folder, prefix))
            return -1;
        atomic_store(&record->used, true);
        int file = file_open(record->path, O_RDWR | O_CREAT | O_EXCL, mode);
        if (file >= 0 && lock_new(file))
            return file;
        atomic_store(&record->used, false);
        if (file >= 0)
            close(file);
        else if (errno != EEXIST)
            return -1;
    }
    return -1;
}

/* Removes a temporary file unless a run holds it. */
static void remove_stale(const char *path) {
    struct stat status;
    int file = file_open_regular(path, &status);
    if (file < 0)
        return;
    if (flock(file, LOCK_EX | LOCK_NB) == 0)
        unlink(path);
    close(file);
}

static bool is_temporary(Text name, Text prefix) {
    static const char middle[] = ".mecha-";
    size_t end = sizeof middle - 1 + SUFFIX_SIZE + 4;
    return name.size > end && name.data[0] == '.' && text_ends(name, TEXT(".tmp")) &&
           memcmp(name.data + name.size - end, middle, sizeof middle - 1) == 0 &&
           (prefix.size == 0 ||
            (name.size == prefix.size + SUFFIX_SIZE + 4 && text_starts(name, prefix)));
}

/* Those whose names begin with PREFIX; if it is empty, all. */
static void sweep(Arena *arena, Text folder, Text prefix) {
    DIR *stream = opendir(text_copy(arena, folder).data);
    if (stream == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        if (is_temporary(text_from(entry->d_name), prefix))
            remove_stale(path_join(arena, folder, text_from(entry->d_name)).data);
    closedir(stream);
}

void temporaries_sweep(Text folder) {
    Arena arena = {0};
    sweep(&arena, folder, TEXT(""));
    arena_free(&arena);
}

Temporary *temporary_make_folder(Text path) {
    Temporary *record = take_record();
    record->is_folder = true;
    int size = snprintf(record->path, sizeof record->path, "%.*s", TEXT_ARG(path));
    errno = ENAMETOOLONG;
    if ((size_t)size < sizeof record->path && mkdir(record->path, 0777) == 0) {
        atomic_store(&record->used, true);
        return record;
    }
    int error = errno;
    give_back(record);
    errno = error;
    return NULL;
}

void temporary_keep_folder(Temporary *folder) {
    atomic_store(&folder->used, false);
}

Temporary *temporary_open(Text target, mode_t mode) {
    Arena arena = {0};
    Text folder = path_folder(target), prefix = name_prefix(&arena, target);
    sweep(&arena, folder, prefix);
    Temporary *record = take_record();
    int file = create(record, folder, prefix, mode);
    int error = errno;
    arena_free(&arena);
    if (file < 0) {
        give_back(record);
        errno = error;
        return NULL;
    }
    record->file = file;
    return record;
}

/* ---- partial outputs ---- */

static bool set_partial_path(Temporary *record, Text target) {
    int size = snprintf(record->path, sizeof record->path, "%.*s.partial", TEXT_ARG(target));
    errno = ENAMETOOLONG;
    return size > 0 && (size_t)size < sizeof record->path &&
           (size_t)snprintf(record->journal, sizeof record->journal, "%s.journal", record->path) <
               sizeof record->journal;
}

/* Whether PATH still names the open file: another run may have finished and renamed it. */
static bool is_at(int file, const char *path) {
    struct stat open, there;
    return fstat(file, &open) == 0 && lstat(path, &there) == 0 && open.st_dev == there.st_dev &&
           open.st_ino == there.st_ino;
}

static int lock_partial(Temporary *record, mode_t mode) {
    for (int i = 0; i < ATTEMPTS; i++) {
        int file = file_open(record->path, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK, mode);
        if (file < 0)
            return -1;
        bool held = flock(file, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK;
        if (!held && is_at(file, record->path))
            return file;
        close(file);
        errno = EWOULDBLOCK;
        if (held)
            return -1;
    }
    return -1;
}

Temporary *temporary_open_partial(Text target, mode_t mode) {
    Temporary *record = take_record();
    record->file = -1;
    if (set_partial_path(record, target))
        record->file = lock_partial(record, mode);
    if (record->file < 0) {
        int error = errno;
        give_back(record);
        errno = error;
        return NULL;
    }
    record->partial = true;
    atomic_store(&record->kept, true); /* until it is known what it is */
    atomic_store(&record->used, true);
    return record;
}

/* Comes when the new file stands already: nothing here may end the program for lack of memory. */
void temporary_discard_partial(Text target) {
    Temporary left = {.partial = true};
    if (!set_partial_path(&left, target) || !journal_is_one(left.journal))
        return;
    int file = file_open(left.path, O_RDWR | O_NOFOLLOW | O_NONBLOCK, 0);
    if (file < 0 ? errno == ENOENT : flock(file, LOCK_EX | LOCK_NB) == 0)
        remove_files(&left);
    if (file >= 0)
        close(file);
}

void temporaries_discard_partials(Text folder, Text stem) {
    static const Text end = {".safetensors.partial", 20};
    Arena arena = {0};
    DIR *stream = opendir(text_copy(&arena, folder).data);
    for (struct dirent *entry; stream != NULL && (entry = readdir(stream)) != NULL;) {
        Text name = text_from(entry->d_name);
        if (!text_starts(name, stem) || !text_ends(name, end))
            continue;
        name.size -= sizeof ".partial" - 1;
        temporary_discard_partial(path_join(&arena, folder, name));
    }
    if (stream != NULL)
        closedir(stream);
    arena_free(&arena);
}

/* ---- the end of a file ---- */

static atomic_bool some_renamed;

bool temporaries_renamed(void) {
    return atomic_load(&some_renamed);
}

bool temporary_rename(Temporary *temporary, const char *target) {
    if (rename(temporary->path, target) != 0)
        return false;
    atomic_store(&some_renamed, true);
    atomic_store(&temporary->used, false);
    if (temporary->partial)
        unlink(temporary->journal);
    return true;
}

void temporary_close(Temporary *temporary) {
    if (atomic_load(&temporary->used) && !atomic_load(&temporary->kept))
        remove_files(temporary);
    if (!temporary->is_folder)
        close(temporary->file);
    give_back(temporary);
}
