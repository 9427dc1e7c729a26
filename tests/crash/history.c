/* Lists by revision and by step. Knows no disk; a state is a number (crash/contents.h). */
#include "crash/history.h"

#include "base/mem.h"
#include "crash/contents.h"
#include "store/restore.h"
#include "store/shard.h"

#include <stdlib.h>

static void note_state(struct history *history, uint64_t revision, uint64_t state)
{
    pthread_mutex_lock(&history->mutex);
    if (revision >= history->capacity) {
        history->capacity = 2 * revision + 64;
        history->states = mem_realloc(history->states, history->capacity * sizeof(uint64_t));
    }
    history->states[revision] = state;
    history->newest = revision;
    pthread_mutex_unlock(&history->mutex);
}

/* ---- the sink ---- */

static uint64_t begin(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    return history->log != NULL ? history->log->begin(history->log)
                                : restore_newest(history->store) + 1;
}

static void change(struct change_sink *sink, const struct op *op)
{
    struct history *history = (struct history *)sink;
    if (history->log != NULL)
        history->log->change(history->log, op);
}

/* The store has the unit's revision already. */
static void end(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    note_state(history, restore_newest(history->store), contents_hash(history->store));
    if (history->log != NULL)
        history->log->end(history->log);
}

static void abort_unit(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    if (history->log != NULL)
        history->log->abort(history->log);
}

void history_watch(struct history *history, struct store *store)
{
    history->log = store->sink;
    history->store = store;
    store_set_sink(store, &history->sink);
}

/* ---- from outside ---- */

void history_init(struct history *history)
{
    *history = (struct history){
        .sink = {.begin = begin, .change = change, .end = end, .abort = abort_unit}};
    pthread_mutex_init(&history->mutex, NULL);
    note_state(history, 0, 0);
}

void history_branch(struct history *history, const struct history *from, uint64_t acknowledged)
{
    history_init(history);
    for (uint64_t i = 0; i <= from->newest; i++)
        note_state(history, i, from->states[i]);
    history_acknowledge(history, 0, acknowledged);
}

void history_rewind(struct history *history, uint64_t revision)
{
    history->newest = revision;
}

void history_deinit(struct history *history)
{
    free(history->states);
    free(history->promises);
    pthread_mutex_destroy(&history->mutex);
}

void history_acknowledge(struct history *history, size_t step, uint64_t revision)
{
    pthread_mutex_lock(&history->mutex);
    if (history->promise_count == history->promise_capacity) {
        history->promise_capacity = 2 * history->promise_capacity + 64;
        history->promises =
            mem_realloc(history->promises, history->promise_capacity * sizeof *history->promises);
    }
    history->promises[history->promise_count++] =
        (struct history_promise){.step = step, .revision = revision};
    pthread_mutex_unlock(&history->mutex);
}

uint64_t history_promised(const struct history *history, size_t step)
{
    uint64_t revision = 0;
    for (size_t i = 0; i < history->promise_count; i++) {
        const struct history_promise *promise = &history->promises[i];
        if (promise->step <= step && promise->revision > revision)
            revision = promise->revision;
    }
    return revision;
}

bool history_is_at(const struct history *history, const struct store *store, uint64_t revision)
{
    return revision <= history->newest && contents_hash(store) == history->states[revision];
}
