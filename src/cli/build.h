/* Arguments that commands of several tables share. */
#ifndef KEYSTORE_CLI_BUILD_H
#define KEYSTORE_CLI_BUILD_H

#include "cli/args.h"
#include "cli/command.h"

/* "key", for operations on a struct keystore_key. */
bool build_key(struct args *args, struct request *request);

/* "key [key ...]", for operations on struct keystore_keys. */
bool build_keys(struct args *args, struct request *request);

/* A condition with this existence precondition, allocated in the arena. */
const struct keystore_condition *build_existence(struct args *args,
                                                 enum keystore_existence existence);

/* The condition, or NULL if it is empty. */
const struct keystore_condition *build_given(const struct keystore_condition *condition);

/* IFEQ and IFVERSION: whether one of them is next; takes it, with its value. */
bool build_is_condition(const struct args *args);
bool build_condition(struct args *args, struct keystore_condition *condition);

/* A point in time in the form of the API: at least one of the two is 0. */
struct build_time {
    int64_t ttl_ms;
    int64_t expire_at_ms;
};

/* EX, PX, EXAT and PXAT: whether one of them is next; takes it, with its value. */
bool build_is_time(const struct args *args);
bool build_time(struct args *args, struct build_time *when);

/* Takes the next argument as the seconds that a command waits, 0 or more, with or without a
 * fraction; 0 = forever. */
bool build_wait(struct args *args, int64_t *wait_ms);

/* Takes the next argument as a number, 1 or more, of units of `unit_ms`. */
bool build_duration(struct args *args, const char *what, int64_t unit_ms, int64_t *ms);

#endif
