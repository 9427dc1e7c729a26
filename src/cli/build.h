/* What the commands of several subjects read alike. */
#ifndef KEYSTORE_CLI_BUILD_H
#define KEYSTORE_CLI_BUILD_H

#include "cli/args.h"
#include "cli/command.h"

/* "key", for operations on a struct keystore_key. */
bool build_key(struct args *args, struct request *request);

/* "key [key ...]", for operations on struct keystore_keys. */
bool build_keys(struct args *args, struct request *request);

/* A condition that asks for this existence; it lives in the arena. */
const struct keystore_condition *build_existence(struct args *args,
                                                 enum keystore_existence existence);

/* The condition, or NULL if it asks for nothing. */
const struct keystore_condition *build_given(const struct keystore_condition *condition);

/* IFEQ and IFVERSION: whether one of them is next; and takes it, with what is behind it. */
bool build_is_condition(const struct args *args);
bool build_condition(struct args *args, struct keystore_condition *condition);

/* A point in time as the API has it: one of both is 0, or both. */
struct build_time {
    int64_t ttl_ms;
    int64_t expire_at_ms;
};

/* EX, PX, EXAT and PXAT: whether one of them is next; and takes it, with what is behind it. */
bool build_is_time(const struct args *args);
bool build_time(struct args *args, struct build_time *when);

/* The next argument as a number of units, each `unit_ms` long, that is 1 or more. */
bool build_duration(struct args *args, const char *what, int64_t unit_ms, int64_t *ms);

#endif
