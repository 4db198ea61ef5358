/* Preloaded into the program under test: makes calls fail that nothing outside of it can.
 *
 *     FAULT_CALL=malloc|mmap|pthread_create   which calls are counted (malloc: all that allocate)
 *     FAULT_AT=N                              the first to fail, from 1
 *     FAULT_EVER=1                            and all that follow
 *     FAULT_FROM=NAME                         nothing is counted before a library of that name is opened
 *     FAULT_MARK=FILE                         is made when a call has failed
 *     FAULT_SHORT=1                           every write is cut to at most 7 bytes
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SHORT_WRITE = 7 };

static const char *call, *awaited;
static long first;
static bool ever;
static bool cut;
static atomic_long count;

__attribute__((constructor)) static void begin(void) {
    const char *at = getenv("FAULT_AT");
    first = at != NULL ? atol(at) : 0;
    ever = getenv("FAULT_EVER") != NULL;
    cut = getenv("FAULT_SHORT") != NULL;
    awaited = getenv("FAULT_FROM");
    call = getenv("FAULT_CALL"); /* the last: from here on calls are counted */
}

static void mark(void) {
    const char *path = getenv("FAULT_MARK");
    int file = path != NULL ? open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (file >= 0)
        close(file);
}

static bool fails(const char *name, int error) {
    if (call == NULL || awaited != NULL || strcmp(call, name) != 0)
        return false;
    long number = atomic_fetch_add(&count, 1) + 1;
    if (number != first && !(ever && number > first))
        return false;
    if (number == first)
        mark();
    errno = error;
    return true;
}

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *data, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

void *malloc(size_t size) {
    return fails("malloc", ENOMEM) ? NULL : __libc_malloc(size);
}

void *calloc(size_t n, size_t size) {
    return fails("malloc", ENOMEM) ? NULL : __libc_calloc(n, size);
}

void *realloc(void *data, size_t size) {
    return fails("malloc", ENOMEM) ? NULL : __libc_realloc(data, size);
}

void *aligned_alloc(size_t alignment, size_t size) {
    return fails("malloc", ENOMEM) ? NULL : __libc_memalign(alignment, size);
}

void *mmap(void *address, size_t size, int protection, int flags, int file, off_t offset) {
    static void *(*real)(void *, size_t, int, int, int, off_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "mmap");
    return fails("mmap", ENOMEM) ? MAP_FAILED
                                 : real(address, size, protection, flags, file, offset);
}

void *dlopen(const char *name, int mode) {
    static void *(*real)(const char *, int);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "dlopen");
    if (awaited != NULL && name != NULL && strstr(name, awaited) != NULL)
        awaited = NULL;
    return real(name, mode);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
                   void *context) {
    static int (*real)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pthread_create");
    return fails("pthread_create", EAGAIN) ? EAGAIN : real(thread, attributes, run, context);
}

ssize_t pwrite(int file, const void *data, size_t size, off_t offset) {
    static ssize_t (*real)(int, const void *, size_t, off_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "pwrite");
    return real(file, data, cut && size > SHORT_WRITE ? SHORT_WRITE : size, offset);
}

ssize_t write(int file, const void *data, size_t size) {
    static ssize_t (*real)(int, const void *, size_t);
    if (real == NULL)
        *(void **)&real = dlsym(RTLD_NEXT, "write");
    return real(file, data, cut && size > SHORT_WRITE ? SHORT_WRITE : size);
}
