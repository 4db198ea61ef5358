/* Signals that end the program remove what is unfinished first. */
#ifndef CLI_SIGNALS_H
#define CLI_SIGNALS_H

#include <stdbool.h>

void signals_prepare(void);

/* From now on an interrupt (Ctrl-C) ends nothing, but is noted in what this returns. */
const volatile int *signals_catch(void);
/* It was attended to. */
void signals_caught(void);

/* Whether a progress line stands on the terminal, to be erased before the last words. */
void signals_progress_shown(bool shown);

/* Dies of SIGPIPE, as a program does whose reader went away. */
_Noreturn void signals_die_of_pipe(void);

#endif
