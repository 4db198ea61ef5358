#include "cli/signals.h"

#include "mecha.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t progress_shown;

static void say(const char *words) {
    (void)!write(STDERR_FILENO, words, strlen(words));
}

/* The worker threads go on until the end of this, but can only write to a file without a name. */
static void end(int signal_number) {
    bool kept = mecha_remove_temporaries();
    if (progress_shown)
        say("\r\033[K");
    say(mecha_changed_files()
            ? "mecha: interrupted; some outputs are finished, the others as they were"
            : "mecha: interrupted; nothing was changed");
    say(kept ? "; the same command goes on from here\n" : "\n");
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

/* A signal that is ignored from the start stays so: `nohup`, jobs in the background. */
static void end_at(int signal_number) {
    struct sigaction action;
    sigaction(signal_number, NULL, &action);
    if (action.sa_handler == SIG_IGN)
        return;
    action = (struct sigaction){.sa_handler = end, .sa_flags = SA_RESTART};
    sigfillset(&action.sa_mask);
    sigaction(signal_number, &action, NULL);
}

void signals_prepare(void) {
    end_at(SIGINT);
    end_at(SIGTERM);
    end_at(SIGHUP);
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
}

static volatile int interrupted;

static void note(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

/* Reading from a terminal is interrupted, too. */
const volatile int *signals_catch(void) {
    struct sigaction action = {.sa_handler = note};
    sigaction(SIGINT, &action, NULL);
    return &interrupted;
}

void signals_caught(void) {
    interrupted = 0;
}

void signals_progress_shown(bool shown) {
    progress_shown = shown;
}

_Noreturn void signals_die_of_pipe(void) {
    signal(SIGPIPE, SIG_DFL);
    raise(SIGPIPE);
    _Exit(EXIT_FAILURE);
}
