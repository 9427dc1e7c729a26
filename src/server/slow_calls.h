/* The slow log for the live page. Anyone who reaches its port may read it, so it says nothing about
 * the data or their users: no keys, no peers, no request ids. */
#ifndef KEYSTORE_SERVER_SLOW_CALLS_H
#define KEYSTORE_SERVER_SLOW_CALLS_H

#include <stddef.h>
#include <stdint.h>

struct slowlog;

/* Calls that are printed, the newest ones. */
#define SLOW_CALLS_PRINTED 20

/* As JSON; `now_ms` is the Unix time, to which readers compare the calls'. The text has *len bytes
 * and is to be freed with free(); NULL: there is no memory. `log` may be NULL. */
char *slow_calls_print(struct slowlog *log, int64_t now_ms, size_t *len);

#endif
