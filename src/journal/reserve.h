/*
 * Revisions that are reserved on disk before any commit gets them. A server that does not sync each
 * write loses some in a crash, and clients may know their versions; so that none of these is given
 * twice, a small file says up to which revision there may have been commits, and the next start
 * continues after it. The journal's thread writes it ahead, in steps of a million revisions or
 * more; a writer only waits for it if half a step is used up while the disk stalls. If everything
 * is synced before it is shown (JOURNAL_ALWAYS), the file is only read.
 *
 * The file, LAYOUT_VERSIONS, is one line: `versions <decimal> xxh3 <16 hexadecimal digits>`, where
 * the digits are XXH3-64 of what precedes " xxh3". It is replaced as a whole. After a clean
 * shutdown it holds the last revision that was given, so that none is skipped.
 */
#ifndef KEYSTORE_JOURNAL_RESERVE_H
#define KEYSTORE_JOURNAL_RESERVE_H

#include "journal/durable.h"
#include "journal/fs/fs.h"
#include "store/restore.h"

#include <pthread.h>

/* Revisions of the first step; each further step is twice as long, up to the longest. A crash skips
 * as many at most as the last step has, so a server that writes little uses up few. */
#define RESERVE_FIRST_STEP   ((uint64_t)1 << 20)
#define RESERVE_LONGEST_STEP ((uint64_t)1 << 24)

struct reserve {
    struct restore_reserve hook; /* first member: the store's call finds the reserve by it */
    struct fs *fs;
    struct store *store;
    struct durable *durable;
    bool started;
    pthread_mutex_t lock; /* of what follows, and of the file */
    uint64_t limit;       /* durable: no commit has a revision above it */
    uint64_t step;
    bool failing; /* the last attempt failed, which has been logged */
};

/* Reads the file; *revision is 0 if there is none, or after an error. 0 or a negative errno value,
 * -EINVAL if the file is not intact. */
int reserve_read(struct fs *fs, uint64_t *revision) __attribute__((warn_unused_result));

/*
 * Starts to reserve revisions for the commits of the store, whose newest revision is above all that
 * were given before. *reserve is all zero; everything else is borrowed. `step` 0 =
 * RESERVE_FIRST_STEP. If the file cannot be written and few revisions are left, writes are refused
 * (durable.h) until it can.
 */
void reserve_start(struct reserve *reserve, struct fs *fs, struct store *store,
                   struct durable *durable, uint64_t step);

/* Reserves more if half of the step is used up. To be called often, on one thread. */
void reserve_keep(struct reserve *reserve);

/* Nobody writes any more: the next start continues right after the last commit. A no-op before the
 * start. */
void reserve_stop(struct reserve *reserve);

#endif
