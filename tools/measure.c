/* Runs a command and prints the seconds it took and, with --memory, the most anonymous memory it
 * held, in kB.
 *
 *     measure [--memory] COMMAND…
 *
 * Memory is read from /proc every other millisecond, which costs a little time: a run is measured
 * for the one or for the other. */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* RssAnon of /proc/PID/status, in kB; 0 once the process is gone. */
static long anonymous_memory(pid_t process) {
    char path[64], line[256];
    long size = 0;
    snprintf(path, sizeof path, "/proc/%ld/status", (long)process);
    FILE *file = fopen(path, "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, "RssAnon: %ld", &size) == 1)
            break;
    if (file)
        fclose(file);
    return size;
}

static int watch(pid_t process, long *peak) {
    int status;
    while (waitpid(process, &status, WNOHANG) == 0) {
        long size = anonymous_memory(process);
        *peak = size > *peak ? size : *peak;
        nanosleep(&(struct timespec){.tv_nsec = 2000000}, NULL);
    }
    return status;
}

int main(int argc, char **argv) {
    bool memory = argc > 1 && strcmp(argv[1], "--memory") == 0;
    char **command = argv + 1 + memory;
    if (!*command) {
        fputs("usage: measure [--memory] COMMAND...\n", stderr);
        return 2;
    }
    long peak = 0;
    int status = 0;
    double begin = now();
    pid_t process = fork();
    if (process == 0) {
        execvp(command[0], command);
        fprintf(stderr, "measure: %s: %s\n", command[0], strerror(errno));
        _exit(127);
    }
    if (process < 0 || (!memory && waitpid(process, &status, 0) < 0)) {
        fprintf(stderr, "measure: %s\n", strerror(errno));
        return EXIT_FAILURE;
    }
    if (memory)
        status = watch(process, &peak);
    printf("%.4f %ld\n", now() - begin, peak);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
