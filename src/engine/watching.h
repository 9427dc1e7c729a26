/* The history of changes as an engine with a store offers it to watchers; private to the engine. It
 * is recorded only while there are watchers, and for a minute after the last one. */
#ifndef KEYSTORE_ENGINE_WATCHING_H
#define KEYSTORE_ENGINE_WATCHING_H

#include "engine/engine.h"

struct durable;
struct store;
struct watching;

/* For workers numbered from 0; a window of at most `limit` bytes. `wake` may be called on any
 * thread. The store is borrowed. */
struct watching *watching_new(struct store *store, size_t limit, unsigned workers,
                              void (*wake)(void *user, unsigned worker), void *user);

/* Nobody writes any more. NULL is allowed. */
void watching_free(struct watching *watching);

/* From now on what is not durable is not shown; before the first watcher. */
void watching_set_durable(struct watching *watching, const struct durable *durable);

/* False: a long operation is under way; to be tried again. */
bool watching_open(struct watching *watching) __attribute__((warn_unused_result));
void watching_close(struct watching *watching);

/* As in struct engine_watching. */
uint64_t watching_newest(struct watching *watching);
uint64_t watching_oldest(struct watching *watching);
bool watching_listen(struct watching *watching, unsigned worker, uint64_t seen);
enum engine_history watching_read(struct watching *watching, uint64_t after, uint64_t upto,
                                  const struct engine_reader *reader);

/* More may have become durable; any thread. */
void watching_on_progress(struct watching *watching);

/* To be called now and then: stops to record a minute after the last watcher has left. */
void watching_maintain(struct watching *watching, int64_t now_ms);

/* Bytes that the window takes. */
size_t watching_bytes(struct watching *watching);

#endif
