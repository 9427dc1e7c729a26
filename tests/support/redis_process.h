/* A redis-server of its own for a test: in a directory, at a unix socket in it, without a port. */
#ifndef KEYSTORE_TESTS_SUPPORT_REDIS_PROCESS_H
#define KEYSTORE_TESTS_SUPPORT_REDIS_PROCESS_H

#include <stdbool.h>
#include <sys/types.h>

#define REDIS_PROCESS_SOCKET "redis.sock" /* in the directory */

/*
 * Starts one without automatic snapshots, with `options` (pairs of an option and its value, then
 * NULL) in addition, and waits until it has loaded the directory's data. Its log is redis.log
 * there. Sets the process, which process_end() ends, and a connection to it, which the caller
 * closes. False, with its log and an error message on standard error, if it does not start; then
 * there is nothing to end or close.
 */
bool redis_process_start(const char *directory, const char *const *options, pid_t *pid,
                         int *connection);

/* The exit code of redis-check-rdb or redis-check-aof for the file in the directory. If that is not
 * 0 and `show` is true, its output is shown on standard error. */
int redis_process_check(const char *directory, const char *program, const char *file, bool show);

#endif
