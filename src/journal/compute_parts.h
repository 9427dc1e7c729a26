/* What the commands of compute.h share. */
#ifndef KEYSTORE_JOURNAL_COMPUTE_PARTS_H
#define KEYSTORE_JOURNAL_COMPUTE_PARTS_H

#include "journal/left_out.h"
#include "journal/log/scan.h"
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

/* Says why; returns COMPUTE_BAD. */
enum compute_verdict compute_bad(struct compute *compute, const char *why);

/* True if there is such an argument and it is the word, or a number. */
bool compute_is_word(const struct compute *compute, size_t index, const char *word);
bool compute_is_number(const struct compute *compute, size_t index, int64_t *number);

/* Carries the operation out in the command's database; false with `why` if it failed. */
bool compute_do(struct compute *compute, struct op *op);

/* The value that the operation answers, copied to the arena, for a key of the command's database.
 * Of one that was left out nothing is found and `unknown` is set. False as above. */
bool compute_read(struct compute *compute, struct op *op, struct slice *value, bool *found);

/* The same of a whole string. */
bool compute_string(struct compute *compute, struct slice key, struct slice *value, bool *found);

/* The key gets what the operation makes of none, or with OP_COUNT is none; false as above. */
bool compute_replace(struct compute *compute, struct slice key, struct op *op);

enum compute_verdict compute_sort(struct compute *compute);
enum compute_verdict compute_restore(struct compute *compute);

#endif
