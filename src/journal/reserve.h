/*
 * Revisions that are given before anything that shows it is on disk. A server that does not sync
 * each write loses some in a crash, and clients may know their versions; so that none of these ever
 * comes again, a small file says up to which revision commits may have come, and the next start goes
 * on behind that. It is written ahead, in steps of a million revisions or more, by the journal's
 * thread; a writer waits for it only if a whole half of a step is used up while the disk stands
 * still. With everything synced before it is shown (JOURNAL_ALWAYS) the file is only read.
 *
 * The file, LAYOUT_VERSIONS, is one line: `versions <decimal> xxh3 <16 hexadecimal digits>`, where
 * the digits are XXH3-64 of what stands before " xxh3". It is replaced as a whole. After an end in
 * order it holds the last revision that was given, so that none is passed over.
 */
#ifndef KEYSTORE_JOURNAL_RESERVE_H
#define KEYSTORE_JOURNAL_RESERVE_H

#include "journal/durable.h"
#include "journal/fs/fs.h"
#include "store/restore.h"

#include <pthread.h>

/* Revisions of the first step; each further one is twice as long, up to the longest. A crash passes
 * over as many at most as the last step has: so a server that writes little uses few up. */
#define RESERVE_FIRST_STEP   ((uint64_t)1 << 20)
#define RESERVE_LONGEST_STEP ((uint64_t)1 << 24)

struct reserve {
    struct restore_reserve hook; /* first: the store's call finds the reserve by it */
    struct fs *fs;
    struct store *store;
    struct durable *durable;
    bool started;
    pthread_mutex_t lock; /* of what follows, and of the file */
    uint64_t limit;       /* durable: no commit has a revision above it */
    uint64_t step;
    bool failing; /* the last attempt failed, which has been logged */
};

/* What the file says; 0 if there is none, or after an error. -EINVAL if it does not hold what was
 * written. */
int reserve_read(struct fs *fs, uint64_t *revision) __attribute__((warn_unused_result));

/*
 * All zero before. From now on commits of the store, whose newest revision is above all that were
 * given before, have revisions that are reserved. All is borrowed. `step` 0 = RESERVE_FIRST_STEP.
 * If the file cannot be written and little is left, writes are refused (durable.h) until it can.
 */
void reserve_start(struct reserve *reserve, struct fs *fs, struct store *store,
                   struct durable *durable, uint64_t step);

/* Reserves more if half of the step is used up. To be called often, on one thread. */
void reserve_keep(struct reserve *reserve);

/* Nobody writes any more: the next start goes on right behind the last commit. Does nothing before
 * the start. */
void reserve_stop(struct reserve *reserve);

#endif
