#include "cli/line.h"

#include <errno.h>
#include <histedit.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>
#include <wchar.h>

enum { HISTORY_SIZE = 1000, LISTED = 200 };

struct LineReader {
    EditLine *editor;
    History *history;
    const char *file;
    const char *prompt;
    CompleteLine *complete;
    void *context;
    const volatile int *interrupted;
    sigset_t outside;      /* the signals that are held back, but for the time that it waits */
    struct termios before; /* what the terminal was like */
};

static LineReader *reader_of(EditLine *editor) {
    LineReader *reader;
    el_get(editor, EL_CLIENTDATA, &reader);
    return reader;
}

static char *prompt_of(EditLine *editor) {
    return (char *)reader_of(editor)->prompt;
}

/* How far all candidates agree. */
static size_t common_size(const Completions *found) {
    size_t size = found->items[0].size;
    for (size_t i = 1; i < found->count; i++) {
        size_t same = 0;
        while (same < size && same < found->items[i].size &&
               found->items[i].data[same] == found->items[0].data[same])
            same++;
        size = same;
    }
    return size;
}

static size_t terminal_columns(void) {
    struct winsize size;
    return ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

static void list_candidates(const Completions *found) {
    size_t width = 0, shown = found->count < LISTED ? found->count : LISTED;
    for (size_t i = 0; i < shown; i++)
        width = found->items[i].size > width ? found->items[i].size : width;
    size_t columns = terminal_columns() / (width + 2), rows;
    columns = columns > 0 ? columns : 1;
    rows = (shown + columns - 1) / columns;
    putchar('\n');
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = row; i < shown; i += rows)
            printf("%-*.*s", i + rows < shown ? (int)width + 2 : 0, TEXT_ARG(found->items[i]));
        putchar('\n');
    }
    if (shown < found->count)
        printf("… and %zu more\n", found->count - shown);
    fflush(stdout);
}

static void insert(EditLine *editor, Text text) {
    char *words = strndup(text.data, text.size);
    if (text.size > 0)
        el_insertstr(editor, words);
    free(words);
}

/* Tab: as much as is certain, or else the choice. */
static unsigned char complete(EditLine *editor, int key) {
    (void)key;
    LineReader *reader = reader_of(editor);
    const LineInfo *info = el_line(editor);
    Text line = {info->buffer, (size_t)(info->cursor - info->buffer)};
    Completions found = reader->complete(reader->context, line);
    if (found.count == 0)
        return CC_REFRESH_BEEP;
    size_t typed = line.size - found.begin, certain = common_size(&found);
    if (certain > typed) {
        insert(editor, (Text){found.items[0].data + typed, certain - typed});
        return CC_REFRESH;
    }
    if (found.count == 1)
        return CC_REFRESH;
    list_candidates(&found);
    return CC_REDISPLAY;
}

/* SIGINT comes while this waits, and at no other time of line_read: one that came between a look
 * at the flag and the read would not be seen before the next key. */
static bool wait_for_key(const LineReader *reader) {
    struct pollfd keys = {.fd = STDIN_FILENO, .events = POLLIN};
    int ready = -1;
    while (!*reader->interrupted && ready < 0) {
        ready = ppoll(&keys, 1, NULL, &reader->outside);
        if (ready < 0 && errno != EINTR)
            break;
    }
    return ready > 0;
}

/* As libedit's own: the number of characters read, which are of several bytes. */
static int read_key(EditLine *editor, wchar_t *key) {
    mbstate_t state = {0};
    char byte;
    while (wait_for_key(reader_of(editor))) {
        ssize_t size = read(STDIN_FILENO, &byte, 1);
        if (size <= 0)
            return (int)size;
        size_t used = mbrtowc(key, &byte, 1, &state);
        if (used <= 1)
            return 1;
        if (used == (size_t)-1) /* no character: left out */
            state = (mbstate_t){0};
    }
    return -1;
}

static void load_history(LineReader *reader) {
    HistEvent event;
    reader->history = history_init();
    history(reader->history, &event, H_SETSIZE, HISTORY_SIZE);
    history(reader->history, &event, H_SETUNIQUE, 1);
    if (reader->file != NULL)
        history(reader->history, &event, H_LOAD, reader->file);
    el_set(reader->editor, EL_HIST, history, reader->history);
}

LineReader *line_open(const char *file, CompleteLine *complete_line, void *context,
                      const volatile int *interrupted) {
    LineReader *reader = memory_grow(NULL, sizeof *reader);
    *reader = (LineReader){
        .file = file, .complete = complete_line, .context = context, .interrupted = interrupted};
    setlocale(LC_CTYPE, "C.UTF-8");
    tcgetattr(STDIN_FILENO, &reader->before);
    reader->editor = el_init("mecha", stdin, stdout, stderr);
    /* What is typed, or pasted, while something runs is kept as it is, and shown when it is read.
     */
    el_set(reader->editor, EL_SETTY, "-x", "-echo", "-icanon", NULL);
    el_set(reader->editor, EL_CLIENTDATA, reader);
    el_set(reader->editor, EL_GETCFN, read_key);
    el_set(reader->editor, EL_PROMPT, prompt_of);
    el_set(reader->editor, EL_EDITOR, "emacs");
    load_history(reader);
    el_set(reader->editor, EL_ADDFN, "mecha-complete", "completes what is typed", complete);
    el_set(reader->editor, EL_BIND, "\t", "mecha-complete", NULL);
    el_set(reader->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    el_source(reader->editor, NULL);
    return reader;
}

void line_close(LineReader *reader) {
    history_end(reader->history);
    el_end(reader->editor);
    tcsetattr(STDIN_FILENO, TCSADRAIN, &reader->before);
    free(reader);
}

static void remember(LineReader *reader, const char *line) {
    HistEvent event;
    if (strspn(line, " \t\n") == strlen(line))
        return;
    history(reader->history, &event, H_ENTER, line);
    if (reader->file != NULL)
        history(reader->history, &event, H_SAVE, reader->file);
}

static const char *get_line(LineReader *reader, int *size) {
    sigset_t interrupt;
    sigemptyset(&interrupt);
    sigaddset(&interrupt, SIGINT);
    sigprocmask(SIG_BLOCK, &interrupt, &reader->outside);
    const char *line = el_gets(reader->editor, size);
    sigprocmask(SIG_SETMASK, &reader->outside, NULL);
    return line;
}

LineStatus line_read(LineReader *reader, const char *prompt, Text *line) {
    int count = 0;
    reader->prompt = prompt;
    const char *read = get_line(reader, &count);
    if (read == NULL || count <= 0)
        return *reader->interrupted ? LINE_INTERRUPTED : LINE_END;
    remember(reader, read);
    size_t size = (size_t)count;
    *line = (Text){read, size - (read[size - 1] == '\n')};
    return LINE_READ;
}
