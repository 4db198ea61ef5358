/* A program at a terminal: keys are typed, and the screen is read.
 *
 *     Terminal *terminal = terminal_open(folder, (const char *const[]){"mecha", NULL});
 *     terminal_type(terminal, "x = 3\r");
 *     terminal_expect(terminal, "mecha> x = 3\nmecha>");
 *     ck_assert_int_eq(terminal_close(terminal), 0);
 */
#ifndef TESTS_TERMINAL_H
#define TESTS_TERMINAL_H

enum { SCREEN_ROWS = 40, SCREEN_COLUMNS = 100 };

typedef struct Terminal Terminal;

/* Runs a program in FOLDER; ENVIRONMENT is pairs of name and value, ended by NULL. */
Terminal *terminal_open(const char *folder, const char *const *environment,
                        const char *const *arguments);

void terminal_type(Terminal *terminal, const char *keys);

/* Waits until TEXT stands on the screen; fails the test, and shows the screen, where it does not
 * come. Lines of the screen end where nothing follows on them. */
void terminal_expect(Terminal *terminal, const char *text);

/* Until the program ends: its exit status. Frees the terminal. */
int terminal_close(Terminal *terminal);

#endif
