/* The engine that answers from a store in this process. A task is answered immediately, or when
 * what it shows is durable. */
#ifndef KEYSTORE_ENGINE_EMBEDDED_H
#define KEYSTORE_ENGINE_EMBEDDED_H

#include "engine/engine.h"

struct durable;
struct journal;
struct receipts;
struct store;
struct store_options;

/* For workers numbered from 0, each of them one thread. Free with embedded_free(). */
struct engine *embedded_new(const struct store_options *options, unsigned workers);

/* From now on answers wait until what they show is durable; borrowed. To be set before the first
 * task, and after the workers' wakers. */
void embedded_set_durable(struct engine *engine, struct durable *durable);

/* From now on the journal, borrowed, writes the requested snapshots. To be set before the first
 * task; without a journal, requests are refused. */
void embedded_set_journal(struct engine *engine, struct journal *journal);

/* From now on writes with a request id are served, and remembered there; borrowed. To be set before
 * the first task. */
void embedded_set_receipts(struct engine *engine, struct receipts *receipts);

/* While it is loading, every task is refused with ERR_LOADING. A new engine is not loading. */
void embedded_set_loading(struct engine *engine, bool is_loading);

/* The most bytes that the history for watchers may take; initially HISTORY_BYTES. To be set before
 * the first watcher. */
#define HISTORY_BYTES ((size_t)64 * 1024 * 1024)
void embedded_set_history(struct engine *engine, size_t limit);

/* Bytes that it takes; any thread may ask. */
size_t embedded_history_bytes(struct engine *engine);

/* The data, borrowed. */
struct store *embedded_store(struct engine *engine);

/* No task may be in flight, and the journal must have stopped. NULL is allowed. */
void embedded_free(struct engine *engine);

#endif
