/*
 * The change history: a window of recent commits in memory, from which any number of readers read,
 * each at its own position. It is a change sink (store/change.h) between the store and the log,
 * which passes on what it receives and records it. Without a log it gives the revisions itself.
 *
 * It costs nothing while it is not the store's sink. Each change is copied once, whatever the
 * number of readers, as a Redis command, so that a reader of the history and one of the log
 * (log/scan.h) understand the same text.
 *
 * Invariants:
 * 1. The window holds the commits from `first` on without gaps; those that readers may have end
 *    before the first one that is still open.
 * 2. It takes at most `limit` bytes, but that the newest commit is always kept until the next one.
 */
#ifndef KEYSTORE_JOURNAL_HISTORY_H
#define KEYSTORE_JOURNAL_HISTORY_H

#include "store/change.h"

struct arena;
struct history;
struct history_commit;

/* A window of at most `limit` bytes. `on_commit` (NULL: nobody) is called on the writer's thread,
 * under the locks of a commit, when readers may have more. */
struct history *history_new(size_t limit, void (*on_commit)(void *user), void *user);

/* It must not be the store's sink any longer, and all commits be released. NULL is allowed. */
void history_free(struct history *history);

/* Empties the window; the next commit has a revision above `revision`. `next` (borrowed; NULL:
 * none) is the sink that gives the revisions. Returns the sink for the store. No commit may be
 * open. */
struct change_sink *history_start(struct history *history, uint64_t revision,
                                  struct change_sink *next);

/* The sink that history_start() was given. */
struct change_sink *history_next(const struct history *history);

/* The newest commit that readers may have and those before which have ended. */
uint64_t history_newest(const struct history *history);

/* The oldest revision after which all commits are in the window. */
uint64_t history_oldest(struct history *history);

/* Bytes that the window takes. */
size_t history_bytes(struct history *history);

/* Takes at most `count` commits, those after the revision `after` and up to `upto`, in their order;
 * each is to be released. Returns how many, in *taken; false if the window does not reach back so
 * far. */
bool history_take(struct history *history, uint64_t after, uint64_t upto,
                  struct history_commit **commits, size_t count, size_t *taken)
    __attribute__((warn_unused_result));
void history_release(struct history_commit *commit);

uint64_t history_revision(const struct history_commit *commit);

struct history_reader {
    /* False: a change of that key alone is not reported. NULL: all are. */
    bool (*wants)(void *user, uint32_t db, struct slice key);
    void (*on_change)(void *user, const struct op *change);
    void *user;
};

/* Reports the changes of the commit, as operations of the kinds that store/change.h names, or as
 * journal/log/command.h reads them; valid during the call. The arena is for their arrays. */
void history_each_change(const struct history_commit *commit, struct arena *arena,
                         const struct history_reader *reader);

#endif
