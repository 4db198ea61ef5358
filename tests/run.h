/* Black-box tests: run a command and look at what it left behind.
 *
 *     Run run = run_mecha(NULL, "run", "a.mecha", "-o", "out.safetensors");
 *     ck_assert_int_eq(run.status, 0);
 *     ck_assert_ptr_nonnull(strstr(run.error, "2 keys"));
 *     run_free(&run);
 *
 * Files live in a scratch folder, made by scratch_open and removed by scratch_close. */
#ifndef TESTS_RUN_H
#define TESTS_RUN_H

#include <stdbool.h>
#include <stddef.h>

typedef struct RunOptions {
    const char *folder;             /* to run in; NULL: this process's own */
    const char *input;              /* what standard input holds; NULL: nothing */
    double seconds;                 /* until it is killed; 0: 60 */
    bool closed_streams;            /* descriptors 0 to 2 are closed at the start */
    const char *const *environment; /* pairs of name and value, ended by NULL; value "" unsets */
} RunOptions;

typedef struct Run {
    int status;     /* exit status; 128 + N where signal N ended it */
    bool timed_out; /* and was killed */
    double seconds;
    char *output, *error; /* all of standard output and standard error, NUL-terminated */
    size_t output_size, error_size;
} Run;

/* Runs ARGUMENTS[0] (found through PATH unless it has a slash); the list ends with NULL. */
Run run_command(const RunOptions *options, const char *const *arguments);
void run_free(Run *run);

/* The program under test: the environment's MECHA, else build/mecha; an absolute path. */
const char *mecha_binary(void);

#define run_mecha(options, ...)                                                                    \
    run_command((options), (const char *const[]){mecha_binary(), __VA_ARGS__, NULL})
#define run_shell(options, script)                                                                 \
    run_command((options), (const char *const[]){"/bin/sh", "-c", (script), NULL})

/* A new empty folder under TMPDIR; scratch_close removes it with all that is in it. */
char *scratch_open(void);
void scratch_close(char *folder);

/* FOLDER/NAME as a malloc'ed text. */
char *path_in(const char *folder, const char *name);
bool path_exists(const char *folder, const char *name);
/* How many entries FOLDER has. */
size_t count_entries(const char *folder);

void write_file(const char *folder, const char *name, const void *data, size_t size);
void write_text(const char *folder, const char *name, const char *text);
/* All of a file, NUL-terminated, malloc'ed; NULL where it cannot be read. SIZE may be NULL. */
char *read_file(const char *path, size_t *size);

/* A `.safetensors` file of f32 vectors; each row is a name, a count and the value of the first
 * element, the others following in steps of 1. */
typedef struct TestTensor {
    const char *name;
    size_t count;
    float first;
} TestTensor;
void write_model(const char *folder, const char *name, const TestTensor *tensors, size_t n);

#endif
