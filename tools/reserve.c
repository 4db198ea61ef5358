/* Keeps memory with a virtual machine: makes FILE, of SIZE bytes in memory, and gives all of its
 * pages back but one of each 64.
 *
 *     reserve FILE SIZE
 *
 * Some hosts take free memory back, in whole blocks of 2 MB, as soon as it is free, and whoever
 * needs it next waits for the host. Pages freed among those that stay make no such block. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PAGE = 4096, GROUP = 64 * PAGE };

_Noreturn static void fail(const char *what) {
    fprintf(stderr, "reserve: %s: %s\n", what, strerror(errno));
    exit(EXIT_FAILURE);
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fputs("usage: reserve FILE SIZE\n", stderr);
        return 2;
    }
    static char group[GROUP];
    memset(group, 1, sizeof group);
    off_t size = (off_t)strtoull(argv[2], NULL, 10) / GROUP * GROUP;
    int file = open(argv[1], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (file < 0)
        fail(argv[1]);
    for (off_t at = 0; at < size; at += GROUP)
        if (pwrite(file, group, GROUP, at) != GROUP)
            fail("write");
    for (off_t at = 0; at < size; at += GROUP)
        if (fallocate(file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, at, GROUP - PAGE) != 0)
            fail("punch");
    return EXIT_SUCCESS;
}
