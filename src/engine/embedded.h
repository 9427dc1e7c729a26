/* The engine that answers from a store in this process. A task is answered at once, or when it is
 * durable. */
#ifndef KEYSTORE_ENGINE_EMBEDDED_H
#define KEYSTORE_ENGINE_EMBEDDED_H

#include "engine/engine.h"

struct durable;
struct journal;
struct store;
struct store_options;

/* For workers numbered from 0, each of them one thread. Free with embedded_free(). */
struct engine *embedded_new(const struct store_options *options, unsigned workers);

/* From now on answers wait until what they show is durable; borrowed. Set before the first task, as
 * are the workers' wakers then. */
void embedded_set_durable(struct engine *engine, struct durable *durable);

/* From now on the journal, borrowed, writes the snapshots that are asked for. Set before the first
 * task; without it there are none. */
void embedded_set_journal(struct engine *engine, struct journal *journal);

/* While it is loading, every task is refused with ERR_LOADING; it begins without. */
void embedded_set_loading(struct engine *engine, bool is_loading);

/* The data, borrowed. */
struct store *embedded_store(struct engine *engine);

/* No task may be in flight, and the journal is stopped. NULL is allowed. */
void embedded_free(struct engine *engine);

#endif
