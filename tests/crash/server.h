/*
 * What a server is without its network: an engine over a store, and a journal that keeps it on a
 * model of a disk (crash/fs_model.h). It writes at random, and a history (crash/history.h) notes
 * what it should come back with. One thread drives it.
 */
#ifndef KEYSTORE_TESTS_CRASH_SERVER_H
#define KEYSTORE_TESTS_CRASH_SERVER_H

#include "crash/fs_model.h"
#include "crash/history.h"
#include "journal/journal.h"

#define SERVER_DATABASES 4

struct server;

/*
 * Starts on the model's directory, in which the history has been kept so far, perhaps up to an
 * earlier commit than its newest, but with all that was acknowledged; both are borrowed. NULL if that
 * fails: *wrong is why, a sentence in static memory, or NULL if it is because the disk failed.
 */
struct server *server_new(struct fs_model *model, struct history *history,
                          const struct journal_options *options, uint64_t random,
                          const char **wrong);

/* Ends it in order; false if writes were lost. */
bool server_free(struct server *server);

struct store *server_store(struct server *server);

struct journal_stats server_stats(struct server *server);

/* 0 to bound - 1. */
uint32_t server_pick(struct server *server, uint32_t bound);

/* Random operations of all kinds, some of them expiry; waits for the disk now and then. Does
 * nothing, as the engine would, as long as writes are refused. */
void server_write(struct server *server, unsigned operations);

/* Waits until all that is written is durable, or writes are refused. NULL, or what is wrong:
 * nothing happens for too long. In a log that is not synced at once: until something is written. */
const char *server_wait(struct server *server);

/* Waits until there is room for writes, or they are refused for good; as above. */
const char *server_wait_for_room(struct server *server);

/* Why writes are refused; NULL: they are not. */
const char *server_refusal(struct server *server);

/* Writes are refused. NULL if the engine says so to those who write, answers those who read, and
 * if nobody who writes all the same has to wait; else what is wrong. */
const char *server_try_refusal(struct server *server);

/* Begins to write a new base; the former one must be finished. */
void server_save(struct server *server);

/* Waits until that is done; true if it is written. */
bool server_finish_save(struct server *server);

#endif
