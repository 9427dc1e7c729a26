/* Lists in the order of revisions and of steps. Knows no disk; a state is a number
 * (crash/contents.h). */
#include "crash/history.h"

#include "base/mem.h"
#include "crash/contents.h"
#include "store/data/shard.h"
#include "store/restore.h"
#include "store/store.h"

#include <stdlib.h>

static void note_state(struct history *history, uint64_t revision, uint64_t hash)
{
    if (history->state_count == history->state_capacity) {
        history->state_capacity = 2 * history->state_capacity + 64;
        history->states =
            mem_realloc(history->states, history->state_capacity * sizeof *history->states);
    }
    history->states[history->state_count++] =
        (struct history_state){.revision = revision, .hash = hash};
}

static void note_commit(struct history *history, uint64_t revision, uint64_t hash)
{
    pthread_mutex_lock(&history->mutex);
    note_state(history, revision, hash);
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

/* The store already has the commit's revision. */
static void end(struct change_sink *sink)
{
    struct history *history = (struct history *)sink;
    note_commit(history, restore_newest(history->store), contents_hash(history->store));
    if (history->log != NULL)
        history->log->end(history->log);
}

static void abort_commit(struct change_sink *sink)
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

/* ---- promises and states ---- */

void history_init(struct history *history)
{
    *history = (struct history){
        .sink = {.begin = begin, .change = change, .end = end, .abort = abort_commit}};
    pthread_mutex_init(&history->mutex, NULL);
    note_state(history, 0, 0);
}

static void note_event(struct history *history, size_t step, const struct history_promise *promise)
{
    pthread_mutex_lock(&history->mutex);
    if (history->event_count == history->event_capacity) {
        history->event_capacity = 2 * history->event_capacity + 64;
        history->events =
            mem_realloc(history->events, history->event_capacity * sizeof *history->events);
    }
    history->events[history->event_count++] =
        (struct history_event){.step = step, .promise = *promise};
    pthread_mutex_unlock(&history->mutex);
}

void history_branch(struct history *history, const struct history *from,
                    const struct history_promise *promise)
{
    history_init(history);
    history->state_count = 0;
    for (size_t i = 0; i < from->state_count; i++)
        note_state(history, from->states[i].revision, from->states[i].hash);
    history->newest = from->newest;
    note_event(history, 0, promise);
}

void history_rewind(struct history *history, uint64_t revision)
{
    while (history->states[history->state_count - 1].revision > revision)
        history->state_count--;
    history->newest = revision;
}

void history_pass_over(struct history *history, uint64_t revision)
{
    const struct history_state *last = &history->states[history->state_count - 1];
    if (revision > last->revision)
        note_state(history, revision, last->hash);
}

void history_deinit(struct history *history)
{
    free(history->states);
    free(history->events);
    pthread_mutex_destroy(&history->mutex);
}

void history_acknowledge(struct history *history, size_t step, uint64_t revision)
{
    note_event(history, step, &(struct history_promise){revision, revision});
}

void history_show(struct history *history, size_t step, uint64_t revision)
{
    note_event(history, step, &(struct history_promise){.shown = revision});
}

struct history_promise history_promised(const struct history *history, size_t step)
{
    struct history_promise most = {0};
    for (size_t i = 0; i < history->event_count; i++) {
        const struct history_promise *promise = &history->events[i].promise;
        if (history->events[i].step > step)
            continue;
        if (promise->acknowledged > most.acknowledged)
            most.acknowledged = promise->acknowledged;
        if (promise->shown > most.shown)
            most.shown = promise->shown;
    }
    return most;
}

/* The state at that revision; NULL if there is none. */
static const struct history_state *find_state(const struct history *history, uint64_t revision)
{
    for (size_t i = history->state_count; i > 0; i--) {
        if (history->states[i - 1].revision == revision)
            return &history->states[i - 1];
    }
    return NULL;
}

bool history_is_at(const struct history *history, const struct store *store, uint64_t revision)
{
    const struct history_state *state = find_state(history, revision);
    return state != NULL && contents_hash(store) == state->hash;
}
