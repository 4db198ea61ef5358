#include "run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { COMMAND_NOT_FOUND = 127 };

/* A test that cannot even be set up has nothing to say about the program. */
_Noreturn static void give_up(const char *what) {
    perror(what);
    abort();
}

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static int memory_file(const char *text) {
    int descriptor = memfd_create("stream", MFD_CLOEXEC);
    if (descriptor < 0)
        give_up("memfd_create");
    if (text && write(descriptor, text, strlen(text)) != (ssize_t)strlen(text))
        give_up("write");
    lseek(descriptor, 0, SEEK_SET);
    return descriptor;
}

static char *read_descriptor(int descriptor, size_t *size) {
    struct stat status;
    if (fstat(descriptor, &status) != 0)
        return NULL;
    char *text = malloc((size_t)status.st_size + 1);
    if (!text)
        give_up("malloc");
    ssize_t got = pread(descriptor, text, (size_t)status.st_size, 0);
    if (got != (ssize_t)status.st_size)
        give_up("pread");
    text[got] = '\0';
    if (size)
        *size = (size_t)got;
    return text;
}

static void set_environment(const char *const *pairs) {
    for (; pairs && pairs[0]; pairs += 2) {
        if (*pairs[1])
            setenv(pairs[0], pairs[1], 1);
        else
            unsetenv(pairs[0]);
    }
}

_Noreturn static void become(const RunOptions *options, const char *const *arguments,
                             const int streams[3]) {
    setpgid(0, 0);
    for (int i = 0; i < 3; i++)
        dup2(streams[i], i);
    if (options->closed_streams)
        for (int i = 0; i < 3; i++)
            close(i);
    if (options->folder && chdir(options->folder) != 0)
        _exit(COMMAND_NOT_FOUND);
    set_environment(options->environment);
    execvp(arguments[0], (char *const *)arguments);
    _exit(COMMAND_NOT_FOUND);
}

/* Waits by looking every now and then: no signal handler or timer that the tests would inherit. */
static int await(pid_t child, double deadline, bool *timed_out) {
    int status = 0;
    struct timespec pause = {.tv_nsec = 200000};
    while (waitpid(child, &status, WNOHANG) == 0) {
        if (now() > deadline) {
            *timed_out = true;
            kill(-child, SIGKILL);
            waitpid(child, &status, 0);
            break;
        }
        nanosleep(&pause, NULL);
    }
    return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

Run run_command(const RunOptions *options, const char *const *arguments) {
    static const RunOptions defaults = {0};
    options = options ? options : &defaults;
    int streams[3] = {memory_file(options->input), memory_file(NULL), memory_file(NULL)};
    Run run = {0};
    double begin = now();
    pid_t child = fork();
    if (child < 0)
        give_up("fork");
    if (child == 0)
        become(options, arguments, streams);
    run.status =
        await(child, begin + (options->seconds > 0 ? options->seconds : 60), &run.timed_out);
    run.seconds = now() - begin;
    run.output = read_descriptor(streams[1], &run.output_size);
    run.error = read_descriptor(streams[2], &run.error_size);
    for (int i = 0; i < 3; i++)
        close(streams[i]);
    return run;
}

void run_free(Run *run) {
    free(run->output);
    free(run->error);
    *run = (Run){0};
}

const char *mecha_binary(void) {
    static char path[4096];
    const char *named = getenv("MECHA");
    if (!*path && !realpath(named ? named : "build/mecha", path))
        give_up(named ? named : "build/mecha");
    return path;
}

char *scratch_open(void) {
    const char *parent = getenv("TMPDIR");
    char *folder = path_in(parent ? parent : "/tmp", "mecha-test.XXXXXX");
    if (!mkdtemp(folder))
        give_up(folder);
    return folder;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place) {
    (void)status, (void)kind, (void)place;
    return remove(path);
}

void scratch_close(char *folder) {
    nftw(folder, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
    free(folder);
}

char *path_in(const char *folder, const char *name) {
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (!path)
        give_up("malloc");
    snprintf(path, size, "%s/%s", folder, name);
    return path;
}

bool path_exists(const char *folder, const char *name) {
    char *path = path_in(folder, name);
    struct stat status;
    bool exists = lstat(path, &status) == 0;
    free(path);
    return exists;
}

size_t count_entries(const char *folder) {
    DIR *directory = opendir(folder);
    if (!directory)
        give_up(folder);
    size_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(directory);
    return count;
}

void write_file(const char *folder, const char *name, const void *data, size_t size) {
    char *path = path_in(folder, name);
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file) != 0)
        give_up(path);
    free(path);
}

void write_text(const char *folder, const char *name, const char *text) {
    write_file(folder, name, text, strlen(text));
}

char *read_file(const char *path, size_t *size) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return NULL;
    char *text = read_descriptor(descriptor, size);
    close(descriptor);
    return text;
}

void write_model(const char *folder, const char *name, const TestTensor *tensors, size_t n) {
    char *bytes;
    size_t size, offset = 0;
    FILE *stream = open_memstream(&bytes, &size);
    fwrite("########{", 1, 9, stream);
    for (size_t i = 0; i < n; i++) {
        size_t end = offset + 4 * tensors[i].count;
        fprintf(stream, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":[%zu],\"data_offsets\":[%zu,%zu]}",
                i ? "," : "", tensors[i].name, tensors[i].count, offset, end);
        offset = end;
    }
    fputc('}', stream);
    fflush(stream);
    unsigned long long header = size - 8;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < tensors[i].count; k++)
            fwrite(&(float){tensors[i].first + (float)k}, sizeof(float), 1, stream);
    fclose(stream);
    memcpy(bytes, &header, 8);
    write_file(folder, name, bytes, size);
    free(bytes);
}
