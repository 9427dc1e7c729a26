/*
 * A server without its network: an engine over a store, and a journal that keeps it on a model of a
 * disk (crash/fs_model.h). It writes at random, and a history (crash/history.h) notes what it
 * should come back with. One thread drives it.
 */
#ifndef KEYSTORE_TESTS_CRASH_SERVER_H
#define KEYSTORE_TESTS_CRASH_SERVER_H

#include "crash/fs_model.h"
#include "crash/history.h"
#include "journal/journal.h"

#define SERVER_DATABASES 4

struct server;

/*
 * Starts on the model's directory, with the history kept so far, perhaps up to an earlier commit
 * than its newest, but with all that was acknowledged; both are borrowed. NULL if that fails:
 * *wrong is why, an error message in static memory, or NULL if the disk failed.
 */
struct server *server_new(struct fs_model *model, struct history *history,
                          const struct journal_options *options, uint64_t random,
                          const char **wrong);

/* Stops it cleanly; false if writes were lost. */
bool server_free(struct server *server);

struct store *server_store(struct server *server);

struct journal_stats server_stats(struct server *server);

/* 0 to bound - 1. */
uint32_t server_pick(struct server *server, uint32_t bound);

/* Applies random operations of all kinds, some of them expiry; sometimes waits for the disk. A
 * no-op, as in the engine, while writes are refused. */
void server_write(struct server *server, unsigned operations);

/* Waits until everything written is durable (in a log that is not synced immediately: written), or
 * writes are refused. NULL, or an error: a timeout. */
const char *server_wait(struct server *server);

/* Waits until there is space for writes, or they are refused for good; as above. */
const char *server_wait_for_space(struct server *server);

/* The read-only reason; NULL if there is none. */
const char *server_refusal(struct server *server);

/* While writes are refused: NULL if the engine refuses writers, answers readers, and blocks nobody
 * who writes nevertheless; else what is wrong. */
const char *server_try_refusal(struct server *server);

/* Starts to write a new base; the former one must be finished. */
void server_save(struct server *server);

/* Waits until that is done; true if it was written. */
bool server_finish_save(struct server *server);

#endif
