/*
 * Puts the history (journal/history.h) between the store and its sink when the first watcher comes,
 * and takes it away again. Wakes workers that listen: each once, until it listens again.
 */
#include "engine/watching.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "journal/durable.h"
#include "journal/history.h"
#include "store/change.h"
#include "store/store.h"

#include <pthread.h>
#include <stdlib.h>

/* How long a watcher that was disconnected can resume from memory. */
#define LINGER_MS 60000
/* Commits that are taken at a time. */
#define TAKEN 64

struct watching {
    struct store *store;
    const struct durable *durable; /* NULL: there is no disk to wait for */
    struct history *history;
    void (*wake)(void *user, unsigned worker);
    void *user;
    unsigned workers;
    atomic_uint listening;    /* workers that listen */
    atomic_bool *does_listen; /* of each worker */

    pthread_mutex_t lock; /* for the rest */
    size_t watchers;
    bool is_recording;
    int64_t idle_since_ms; /* without a watcher; 0 = not known yet */
};

static void watching_wake_listeners(struct watching *watching)
{
    if (atomic_load(&watching->listening) == 0)
        return;
    for (unsigned i = 0; i < watching->workers; i++) {
        if (!atomic_exchange(&watching->does_listen[i], false))
            continue;
        atomic_fetch_sub(&watching->listening, 1);
        watching->wake(watching->user, i);
    }
}

static bool watching_waits_for_disk(const struct watching *watching)
{
    return watching->durable != NULL &&
           atomic_load(&watching->durable->revision) != DURABLE_AT_ONCE;
}

/* What waits for the disk is not news yet. */
static void watching_on_commit(void *user)
{
    struct watching *watching = user;
    if (!watching_waits_for_disk(watching))
        watching_wake_listeners(watching);
}

void watching_on_progress(struct watching *watching)
{
    watching_wake_listeners(watching);
}

struct watching *watching_new(struct store *store, size_t limit, unsigned workers,
                              void (*wake)(void *user, unsigned worker), void *user)
{
    struct watching *watching = mem_alloc_zero(sizeof *watching);
    watching->store = store;
    watching->wake = wake;
    watching->user = user;
    watching->workers = workers;
    watching->does_listen = mem_alloc_zero(workers * sizeof *watching->does_listen);
    watching->history = history_new(limit, watching_on_commit, watching);
    pthread_mutex_init(&watching->lock, NULL);
    return watching;
}

void watching_free(struct watching *watching)
{
    if (watching == NULL)
        return;
    CHECK(watching->watchers == 0); /* the connections have ended */
    if (watching->is_recording)
        store_set_sink(watching->store, NULL);
    history_free(watching->history);
    pthread_mutex_destroy(&watching->lock);
    free(watching->does_listen);
    free(watching);
}

void watching_set_durable(struct watching *watching, const struct durable *durable)
{
    watching->durable = durable;
}

static struct change_sink *watching_insert(void *user, struct change_sink *present,
                                           uint64_t revision)
{
    struct watching *watching = user;
    return history_start(watching->history, revision, present);
}

static struct change_sink *watching_remove(void *user, struct change_sink *present,
                                           uint64_t revision)
{
    struct watching *watching = user;
    struct change_sink *next = history_next(watching->history);
    (void)present;
    history_start(watching->history, revision, NULL); /* frees the window */
    return next;
}

bool watching_open(struct watching *watching)
{
    pthread_mutex_lock(&watching->lock);
    if (!watching->is_recording)
        watching->is_recording = store_change_sink(watching->store, watching_insert, watching);
    bool is_open = watching->is_recording;
    if (is_open) {
        watching->watchers++;
        watching->idle_since_ms = 0;
    }
    pthread_mutex_unlock(&watching->lock);
    return is_open;
}

void watching_close(struct watching *watching)
{
    pthread_mutex_lock(&watching->lock);
    CHECK(watching->watchers > 0);
    watching->watchers--;
    pthread_mutex_unlock(&watching->lock);
}

void watching_maintain(struct watching *watching, int64_t now_ms)
{
    pthread_mutex_lock(&watching->lock);
    if (watching->watchers == 0 && watching->is_recording) {
        if (watching->idle_since_ms == 0)
            watching->idle_since_ms = now_ms;
        else if (now_ms - watching->idle_since_ms >= LINGER_MS)
            watching->is_recording = !store_change_sink(watching->store, watching_remove, watching);
    }
    pthread_mutex_unlock(&watching->lock);
}

uint64_t watching_newest(struct watching *watching)
{
    uint64_t newest = history_newest(watching->history);
    uint64_t durable =
        watching->durable != NULL ? atomic_load(&watching->durable->revision) : DURABLE_AT_ONCE;
    return newest < durable ? newest : durable;
}

uint64_t watching_oldest(struct watching *watching)
{
    return history_oldest(watching->history);
}

size_t watching_bytes(struct watching *watching)
{
    return history_bytes(watching->history);
}

/* Listens first and looks then, because writers work in the opposite order. */
bool watching_listen(struct watching *watching, unsigned worker, uint64_t seen)
{
    DCHECK(worker < watching->workers);
    if (!atomic_exchange(&watching->does_listen[worker], true))
        atomic_fetch_add(&watching->listening, 1);
    return watching_newest(watching) <= seen;
}

struct watching_visit {
    const struct engine_reader *reader;
    uint64_t revision;
};

static bool watching_wants(void *user, uint32_t db, struct slice key)
{
    const struct watching_visit *visit = user;
    return visit->reader->wants(visit->reader->user, db, key);
}

static void watching_on_change(void *user, const struct op *change)
{
    const struct watching_visit *visit = user;
    visit->reader->on_change(visit->reader->user, visit->revision, change);
}

/* Returns whether the reader wants more. */
static bool watching_show(struct history_commit **commits, size_t count, struct arena *arena,
                          const struct engine_reader *reader)
{
    bool goes_on = true;
    for (size_t i = 0; i < count && goes_on; i++) {
        struct watching_visit visit = {.reader = reader, .revision = history_revision(commits[i])};
        struct history_reader own = {.wants = reader->wants != NULL ? watching_wants : NULL,
                                     .on_change = watching_on_change,
                                     .user = &visit};
        history_each_change(commits[i], arena, &own);
        arena_reset(arena);
        goes_on = reader->on_commit(reader->user, visit.revision);
    }
    for (size_t i = 0; i < count; i++)
        history_release(commits[i]);
    return goes_on;
}

enum engine_history watching_read(struct watching *watching, uint64_t after, uint64_t upto,
                                  const struct engine_reader *reader)
{
    struct history_commit *commits[TAKEN];
    size_t count = TAKEN;
    uint64_t newest = watching_newest(watching);
    bool reaches_back = true, goes_on = true;
    struct arena arena;
    arena_init_for(&arena, ACCOUNT_JOURNAL);
    if (upto > newest)
        upto = newest;
    while (goes_on && reaches_back && count == TAKEN) {
        reaches_back = history_take(watching->history, after, upto, commits, TAKEN, &count);
        after += count;
        goes_on = watching_show(commits, count, &arena, reader);
    }
    arena_deinit(&arena);
    return reaches_back ? ENGINE_HISTORY_READ : ENGINE_HISTORY_LOST;
}
