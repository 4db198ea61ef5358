#include "terminal.h"

#include "tests.h"

#include <poll.h>
#include <pty.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PATIENCE = 20 }; /* seconds */

struct Terminal {
    int descriptor;
    pid_t child;
    char cells[SCREEN_ROWS][SCREEN_COLUMNS + 1];
    int row, column;
    char sequence[32]; /* an escape sequence that is not complete yet */
    size_t n_sequence;
    char screen[SCREEN_ROWS * (SCREEN_COLUMNS + 1) + 1];
};

static void clear(Terminal *terminal, int row, int from) {
    memset(terminal->cells[row] + from, ' ', (size_t)(SCREEN_COLUMNS - from));
}

Terminal *terminal_open(const char *folder, const char *const *environment,
                        const char *const *arguments) {
    Terminal *terminal = calloc(1, sizeof *terminal);
    struct winsize size = {.ws_row = SCREEN_ROWS, .ws_col = SCREEN_COLUMNS};
    for (int row = 0; row < SCREEN_ROWS; row++)
        clear(terminal, row, 0);
    terminal->child = forkpty(&terminal->descriptor, NULL, NULL, &size);
    ck_assert_int_ge(terminal->child, 0);
    if (terminal->child > 0)
        return terminal;
    setenv("TERM", "xterm", 1);
    for (; *environment != NULL; environment += 2)
        setenv(environment[0], environment[1], 1);
    if (chdir(folder) == 0)
        execvp(arguments[0], (char *const *)arguments);
    _exit(127);
}

/* ---- the screen ---- */

static void line_feed(Terminal *terminal) {
    if (terminal->row + 1 < SCREEN_ROWS) {
        terminal->row++;
        return;
    }
    memmove(terminal->cells[0], terminal->cells[1],
            sizeof terminal->cells - sizeof *terminal->cells);
    clear(terminal, SCREEN_ROWS - 1, 0);
}

static void move_column(Terminal *terminal, int by) {
    int column = terminal->column + by;
    terminal->column = column < 0 ? 0 : column < SCREEN_COLUMNS ? column : SCREEN_COLUMNS - 1;
}

static void move_row(Terminal *terminal, int by) {
    int row = terminal->row + by;
    terminal->row = row < 0 ? 0 : row < SCREEN_ROWS ? row : SCREEN_ROWS - 1;
}

/* Room for N characters at the cursor, or N of them taken out. */
static void shift(Terminal *terminal, int n) {
    char *row = terminal->cells[terminal->row];
    int at = terminal->column, left = SCREEN_COLUMNS - at, by = abs(n) < left ? abs(n) : left;
    if (n > 0) {
        memmove(row + at + by, row + at, (size_t)(left - by));
        memset(row + at, ' ', (size_t)by);
    } else {
        memmove(row + at, row + at + by, (size_t)(left - by));
        memset(row + SCREEN_COLUMNS - by, ' ', (size_t)by);
    }
}

/* `ESC [ 2 K` and the like; those that only colour change nothing. */
static void obey(Terminal *terminal, char order, int number) {
    int n = number > 0 ? number : 1;
    switch (order) {
    case 'A':
        return move_row(terminal, -n);
    case 'B':
        return move_row(terminal, n);
    case 'C':
        return move_column(terminal, n);
    case 'D':
        return move_column(terminal, -n);
    case 'G':
        terminal->column = n - 1;
        return;
    case '@':
        return shift(terminal, n);
    case 'P':
        return shift(terminal, -n);
    case 'K':
        return clear(terminal, terminal->row, terminal->column);
    case 'J':
        clear(terminal, terminal->row, terminal->column);
        for (int row = terminal->row + 1; row < SCREEN_ROWS; row++)
            clear(terminal, row, 0);
        return;
    case 'H':
        terminal->row = terminal->column = 0;
        return;
    }
}

static void read_sequence(Terminal *terminal, char c) {
    terminal->sequence[terminal->n_sequence++] = c;
    bool control = terminal->sequence[1] == '[' && terminal->n_sequence > 1;
    bool ends = terminal->n_sequence > 1 &&
                (control ? terminal->n_sequence > 2 && c >= '@' : c != '[' && c != '(');
    if (!ends && terminal->n_sequence + 1 < sizeof terminal->sequence)
        return;
    terminal->sequence[terminal->n_sequence] = '\0';
    if (control)
        obey(terminal, c, atoi(terminal->sequence + 2));
    terminal->n_sequence = 0;
}

static void show(Terminal *terminal, char c) {
    if (terminal->n_sequence > 0 || c == '\033') {
        read_sequence(terminal, c);
    } else if (c == '\r') {
        terminal->column = 0;
    } else if (c == '\n') {
        line_feed(terminal);
    } else if (c == '\b') {
        move_column(terminal, -1);
    } else if ((unsigned char)c >= ' ') {
        if (terminal->column == SCREEN_COLUMNS) {
            terminal->column = 0;
            line_feed(terminal);
        }
        terminal->cells[terminal->row][terminal->column++] = c;
    }
}

/* Its rows without what is empty behind and below. */
static const char *screen(Terminal *terminal) {
    char *out = terminal->screen, *end = out;
    for (int row = 0; row < SCREEN_ROWS; row++) {
        int size = SCREEN_COLUMNS;
        while (size > 0 && terminal->cells[row][size - 1] == ' ')
            size--;
        memcpy(out, terminal->cells[row], (size_t)size);
        out += size;
        end = size > 0 ? out : end;
        *out++ = '\n';
    }
    *end = '\0';
    return terminal->screen;
}

/* ---- talking ---- */

static double now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

/* Seconds; longer where everything is slower, as for Check's own limits. */
static double patience(void) {
    const char *times = getenv("CK_TIMEOUT_MULTIPLIER");
    return PATIENCE * (times != NULL && atof(times) > 1 ? atof(times) : 1);
}

/* What came within a moment; false where nothing will any more. */
static bool take(Terminal *terminal) {
    struct pollfd poll_for = {.fd = terminal->descriptor, .events = POLLIN};
    char bytes[4096];
    if (poll(&poll_for, 1, 50) == 0)
        return true;
    ssize_t size = read(terminal->descriptor, bytes, sizeof bytes);
    for (ssize_t i = 0; i < size; i++)
        show(terminal, bytes[i]);
    return size > 0;
}

void terminal_type(Terminal *terminal, const char *keys) {
    size_t size = strlen(keys);
    ck_assert_int_eq(write(terminal->descriptor, keys, size), (ssize_t)size);
}

void terminal_expect(Terminal *terminal, const char *text) {
    double until = now() + patience();
    while (strstr(screen(terminal), text) == NULL)
        if (!take(terminal) || now() > until)
            ck_abort_msg("no\n%s\non the screen:\n%s", text, screen(terminal));
}

int terminal_close(Terminal *terminal) {
    int status;
    while (take(terminal))
        continue;
    close(terminal->descriptor);
    waitpid(terminal->child, &status, 0);
    free(terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
