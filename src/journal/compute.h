/*
 * Commands of a Redis log that no single operation of the store does, among them BITOP,
 * SORT with STORE and RESTORE: they are carried out by several, which read what is there and
 * write what comes of it.
 */
#ifndef KEYSTORE_JOURNAL_COMPUTE_H
#define KEYSTORE_JOURNAL_COMPUTE_H

#include "journal/left_out.h"
#include "journal/scan.h"
#include "store/op.h"

struct arena;

enum compute_verdict {
    COMPUTE_DONE,
    COMPUTE_LEFT_OUT,    /* it needs a value that was left out, so what it wrote is not known */
    COMPUTE_UNSUPPORTED, /* what it writes is not known: `type` or `why` says what it is */
    COMPUTE_BAD,         /* it cannot have been logged like this: `why` */
};

struct compute {
    const struct scan_command *command;
    struct op *op; /* from command_read(): what SET or DELETE do if their condition holds */
    struct arena *arena;
    struct left_out *left_out; /* a key that gets a whole new value is taken out of it */
    /* Carries out an operation; the result is released by who asked. */
    void (*apply)(void *user, struct op *op, struct op_result *result);
    void *user;
    const char *why; /* an error message in static memory or in the arena; else NULL */
    char type[32];   /* of a RESTOREd value that is no string or list; else empty */

    /* Private. */
    bool unknown; /* something was read that was left out */
};

/* Carries out a command for which command_read() said COMMAND_COMPUTED. */
enum compute_verdict compute(struct compute *compute);

#endif
