/* What the commands of compute.h share. */
#ifndef KEYSTORE_JOURNAL_COMPUTE_PARTS_H
#define KEYSTORE_JOURNAL_COMPUTE_PARTS_H

#include "journal/left_out.h"
#include "journal/log/scan.h"
#include "store/op.h"

struct arena;

enum compute_verdict {
    COMPUTE_DONE,
    COMPUTE_LEFT_OUT,    /* it needs a left-out value, so its result is not known */
    COMPUTE_UNSUPPORTED, /* its result is not known: `type` or `why` says what it is */
    COMPUTE_BAD,         /* no server logs it like this: `why` */
};

struct compute {
    const struct scan_command *command;
    struct op *op; /* from command_read(): what SET or DELETE do if their condition holds */
    struct arena *arena;
    struct left_out *left_out; /* a key that is overwritten as a whole is removed from it */
    /* Applies an operation; the caller releases the result. */
    void (*apply)(void *user, struct op *op, struct op_result *result);
    void *user;
    const char *why; /* an error message in static memory or in the arena; else NULL */
    char type[32];   /* of a RESTOREd value that is no string or list; else empty */

    /* Private. */
    bool unknown; /* a left-out value was read */
};

/* Sets the error message; returns COMPUTE_BAD. */
enum compute_verdict compute_bad(struct compute *compute, const char *why);

/* True if the argument exists and is the word, or a number. */
bool compute_is_word(const struct compute *compute, size_t index, const char *word);
bool compute_is_number(const struct compute *compute, size_t index, int64_t *number);

/* Applies the operation in the command's database; false with `why` if it failed. */
bool compute_do(struct compute *compute, struct op *op);

/* Reads a key of the command's database by the operation; the value is copied to the arena. A
 * left-out key is not found and sets `unknown`. False as above. */
bool compute_read(struct compute *compute, struct op *op, struct slice *value, bool *found);

/* The same for a whole string. */
bool compute_string(struct compute *compute, struct slice key, struct slice *value, bool *found);

/* Removes the key and applies the operation to it, unless that is OP_COUNT; false as above. */
bool compute_replace(struct compute *compute, struct slice key, struct op *op);

enum compute_verdict compute_sort(struct compute *compute);
enum compute_verdict compute_restore(struct compute *compute);

#endif
