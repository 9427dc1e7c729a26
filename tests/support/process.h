/* Starting, awaiting and ending the programs that a test needs, such as servers. */
#ifndef KEYSTORE_TESTS_SUPPORT_PROCESS_H
#define KEYSTORE_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

/*
 * Starts arguments[0], found by $PATH, in `directory` (NULL: the same as ours). Its output is
 * appended to the file `log` there; with `log` NULL its standard output is discarded, and its
 * standard error is ours. It is killed when the calling thread ends, however that ends. The caller
 * waits for it, by process_end() or waitpid(). A program that cannot be run ends with code 127 and
 * an error message.
 */
pid_t process_start(char *const *arguments, const char *directory, const char *log);

/* Runs it to its end. Its exit code, or -1 if a signal ended it. */
int process_run(char *const *arguments, const char *directory, const char *log);

/* True if it has ended; process_end() or waitpid() still reports how. */
bool process_has_ended(pid_t pid);

/* Sends the signal and waits for the end; after a minute it sends SIGKILL. The status is that of
 * waitpid(). */
int process_end(pid_t pid, int signal);

/* Sleeps some milliseconds, between two checks of a condition of another process. */
void process_pause(void);

/* A connection to the unix socket, which the caller closes; -1 if nobody listens there yet. */
int process_connect(const char *path);

/* Copies a log of process_start() to standard error. */
void process_show_log(const char *directory, const char *log);

#endif
