/*
 * The past as the logs on disk have it: the commits since the base, from a revision on, for readers
 * whom the history in memory cannot serve any longer. The files may be written, and replaced by a
 * new base, meanwhile. Belongs to one thread at a time.
 */
#ifndef KEYSTORE_JOURNAL_PAST_H
#define KEYSTORE_JOURNAL_PAST_H

#include "store/op.h"

struct fs;
struct past;

enum past_answer {
    PAST_MORE, /* the reader has stopped it, or there is more to read */
    PAST_END,  /* everything up to `upto` was read */
    PAST_LOST, /* what comes next is not there, or no longer */
};

struct past_reader {
    /* As history_each_change(); a change whose effect is not known is a Copy to its key. */
    void (*on_change)(void *user, uint64_t revision, const struct op *change);
    /* The commit is complete; false: no more for now. */
    bool (*on_commit)(void *user, uint64_t revision);
    void *user;
};

/* Reads what comes after the revision. `fs` is borrowed. */
struct past *past_open(struct fs *fs, uint64_t after, uint32_t databases);

/* Reads on, up to the revision `upto`, a bounded number of commits. All commits up to there must
 * have been written to the logs. */
enum past_answer past_read(struct past *past, uint64_t upto, const struct past_reader *reader);

/* NULL is allowed. */
void past_close(struct past *past);

#endif
