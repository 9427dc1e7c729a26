/* Puts engine, journal and history together as the real server does. */
#include "crash/server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/mem.h"
#include "engine/embedded.h"
#include "store/keyspace_fixture.h"
#include "store/restore.h"
#include "store/seeded.h"

#include "journal/random_writes.h"

_Static_assert(SERVER_DATABASES == KEYSPACE_DATABASES, "random writes are to some of these");

/* Bytes of the longest value: some sectors. */
#define MOST_BYTES 1500
/* Longer than anything takes here, on a busy machine. */
#define PATIENCE_MS 60000

struct server {
    struct fs_model *model;
    struct history *history;
    struct engine *engine;
    struct journal *journal;
    enum journal_durability durability;
    struct writes writes;
    struct store_sweep sweep;
    void (*tell_engine)(void *engine);
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* the durable revision, the read-only reason or `saving` */
    struct journal_save save;
    bool saving;
    bool saved;
    uint64_t began;      /* revision at the start: commits up to it are of earlier servers */
    uint64_t waited_for; /* revision; of a log that is not synced immediately */
    size_t steps;        /* of the disk by then */
};

/* ---- from the journal's threads ---- */

static void wake(struct server *server)
{
    pthread_mutex_lock(&server->mutex);
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* From here on a client may know it. */
static void on_progress(void *user)
{
    struct server *server = user;
    uint64_t revision = atomic_load(&journal_durable(server->journal)->revision);
    if (server->durability == JOURNAL_ALWAYS && revision > server->began)
        history_acknowledge(server->history, fs_model_steps(server->model), revision);
    server->tell_engine(server->engine);
    wake(server);
}

static void on_saved(struct journal_save *save, const char *why)
{
    struct server *server =
        (struct server *)((char *)save - offsetof(struct server, save)); /* which holds it */
    pthread_mutex_lock(&server->mutex);
    server->saving = false;
    server->saved = why == NULL;
    pthread_cond_broadcast(&server->changed);
    pthread_mutex_unlock(&server->mutex);
}

/* ---- start and end ---- */

static void ignore(void *user)
{
    (void)user;
}

static void init(struct server *server, uint64_t random)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&server->mutex, NULL);
    pthread_cond_init(&server->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    server->engine = embedded_new(&(struct store_options){.databases = SERVER_DATABASES}, 1);
    engine_set_waker(server->engine, 0, (struct waker){.wake = ignore});
    server->sweep.parts = 1;
    writes_init(&server->writes, embedded_store(server->engine), random);
    server->writes.most_bytes = MOST_BYTES;
}

static void deinit(struct server *server)
{
    journal_free(server->journal);
    embedded_free(server->engine);
    writes_deinit(&server->writes);
    pthread_cond_destroy(&server->changed);
    pthread_mutex_destroy(&server->mutex);
    free(server);
}

/* Checks what was loaded; NULL if it is a state that there was, with all that was acknowledged. */
static const char *judge(struct server *server, const struct recovery *recovery)
{
    const struct history *history = server->history;
    if (recovery->verdict == LOADING_FAILED && fs_model_failed(server->model))
        return NULL;
    if (recovery->verdict != LOADING_DONE) {
        print_message("%s\n", recovery->why);
        return "the data cannot be loaded";
    }
    struct history_promise promise = history_promised(history, fs_model_steps(server->model));
    if (recovery->revision < promise.acknowledged)
        return "what was acknowledged is lost";
    return history_is_at(history, server_store(server), recovery->revision)
               ? NULL
               : "the data are of no state that there was";
}

static bool load(struct server *server, const char **wrong)
{
    const struct recovery *recovery =
        journal_load(server->journal, server_store(server), NULL, NULL);
    *wrong = judge(server, recovery);
    if (*wrong != NULL || recovery->verdict != LOADING_DONE)
        return false;
    history_rewind(server->history, recovery->revision);
    server->began =
        recovery->reserved > recovery->revision ? recovery->reserved : recovery->revision;
    history_pass_over(server->history, server->began);
    return true;
}

static void tell_of_progress(struct server *server)
{
    struct durable *durable = journal_durable(server->journal);
    embedded_set_durable(server->engine, durable);
    server->tell_engine = durable->on_progress;
    durable->on_progress = on_progress;
    durable->user = server;
}

static bool start(struct server *server, const struct journal_options *options, const char **wrong)
{
    char why[500];
    server->journal = journal_open(fs_model_fs(server->model), options, why, sizeof why);
    if (server->journal == NULL)
        return false;
    if (!load(server, wrong))
        return false;
    tell_of_progress(server);
    if (!journal_start(server->journal, why, sizeof why)) {
        *wrong = fs_model_failed(server->model) ? NULL : "it cannot start";
        return false;
    }
    return true;
}

struct server *server_new(struct fs_model *model, struct history *history,
                          const struct journal_options *options, uint64_t random,
                          const char **wrong)
{
    struct server *server = mem_alloc_zero(sizeof *server);
    server->model = model;
    server->history = history;
    server->durability = options->durability;
    *wrong = NULL;
    init(server, random);
    if (!start(server, options, wrong)) {
        deinit(server);
        return NULL;
    }
    struct store *store = server_store(server);
    struct history_promise promise = history_promised(history, fs_model_steps(model));
    if (restore_newest(store) < promise.shown) {
        *wrong = "versions that were shown are given twice";
        server_free(server);
        return NULL;
    }
    if (options->durability == JOURNAL_ALWAYS) /* it may be shown */
        history_acknowledge(history, fs_model_steps(model), history->newest);
    history_watch(history, store);
    server->waited_for = restore_newest(store);
    server->steps = fs_model_steps(model);
    return server;
}

bool server_free(struct server *server)
{
    struct history *history = server->history;
    bool kept = journal_stop(server->journal);
    if (kept && server->durability != JOURNAL_NONE)
        history_acknowledge(history, fs_model_steps(server->model), history->newest);
    deinit(server);
    return kept;
}

/* ---- at work ---- */

struct store *server_store(struct server *server)
{
    return embedded_store(server->engine);
}

struct journal_stats server_stats(struct server *server)
{
    return journal_stats(server->journal);
}

uint32_t server_pick(struct server *server, uint32_t bound)
{
    return writes_below(&server->writes, bound);
}

const char *server_refusal(struct server *server)
{
    return atomic_load(&journal_durable(server->journal)->read_only_reason);
}

/* The last operation is answered; with JOURNAL_ALWAYS only when it is acknowledged. */
static void show(struct server *server)
{
    if (server->durability != JOURNAL_ALWAYS)
        history_show(server->history, fs_model_steps(server->model),
                     restore_newest(server_store(server)));
}

static void sweep(struct server *server)
{
    while (!store_sweep(server_store(server), &server->sweep, server->writes.now_ms).lap)
        continue;
}

void server_write(struct server *server, unsigned operations)
{
    for (; operations > 0 && server_refusal(server) == NULL; operations--) {
        writes_one(&server->writes);
        if (server_pick(server, 25) == 0)
            sweep(server);
        show(server);
        if (server_pick(server, 4) == 0 && server_wait(server) != NULL)
            return;
    }
}

/* On a full disk writes are only refused temporarily. */
static bool is_refused_for_good(struct server *server)
{
    const char *refusal = server_refusal(server);
    return refusal != NULL && strstr(refusal, "full") == NULL;
}

static bool is_settled(struct server *server)
{
    uint64_t durable = atomic_load(&journal_durable(server->journal)->revision);
    return server_refusal(server) != NULL || durable >= restore_newest(server_store(server));
}

static bool has_space(struct server *server)
{
    return server_refusal(server) == NULL || is_refused_for_good(server);
}

static bool is_not_saving(struct server *server)
{
    return !server->saving;
}

/* False on a timeout. */
static bool wait_until(struct server *server, bool (*condition)(struct server *server))
{
    int64_t end_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct timespec until = {.tv_sec = end_ms / 1000, .tv_nsec = end_ms % 1000 * 1000000};
    bool in_time = true;
    pthread_mutex_lock(&server->mutex);
    while (!condition(server) && in_time)
        in_time = pthread_cond_timedwait(&server->changed, &server->mutex, &until) == 0;
    pthread_mutex_unlock(&server->mutex);
    return in_time;
}

/* Nothing reports writes that are not synced immediately, but the disk changes. False on a timeout.
 */
static bool wait_for_write(struct server *server)
{
    uint64_t revision = restore_newest(server_store(server));
    bool in_time = revision == server->waited_for ||
                   fs_model_wait(server->model, server->steps, clock_monotonic_ms() + PATIENCE_MS);
    server->waited_for = revision;
    server->steps = fs_model_steps(server->model);
    return in_time;
}

const char *server_wait(struct server *server)
{
    bool written = server->durability != JOURNAL_EVERY_SECOND || wait_for_write(server);
    return written && wait_until(server, is_settled) ? NULL : "the log does not go on";
}

const char *server_wait_for_space(struct server *server)
{
    return wait_until(server, has_space) ? NULL : "the log does not notice that there is space";
}

void server_save(struct server *server)
{
    server->saving = true;
    server->save = (struct journal_save){.on_done = on_saved};
    journal_save(server->journal, &server->save);
}

bool server_finish_save(struct server *server)
{
    return wait_until(server, is_not_saving) && server->saved;
}

/* ---- while writes are refused ---- */

struct answer {
    bool pending;
    enum err err;
    const char *why;
};

static struct answer submit(struct server *server, enum op_kind kind)
{
    struct engine_task task = {.op = {.kind = kind,
                                      .key = SLICE_LITERAL("a"),
                                      .value = SLICE_LITERAL("new"),
                                      .now_ms = server->writes.now_ms},
                               .arena = &server->writes.arena};
    bool pending = engine_submit(server->engine, &task) == ENGINE_PENDING;
    if (pending)
        engine_cancel(server->engine, &task);
    struct answer answer = {.pending = pending, .err = task.result.err, .why = task.result.why};
    op_result_release(&task.result);
    return answer;
}

const char *server_try_refusal(struct server *server)
{
    const char *refusal = server_refusal(server);
    struct answer write = submit(server, OP_SET);
    struct answer read = submit(server, OP_GET);
    writes_one(&server->writes);
    sweep(server);
    if (server_refusal(server) != refusal)
        return NULL; /* there is space again */
    if (write.pending || write.err != ERR_READ_ONLY || write.why != refusal)
        return "a write is not refused";
    if (read.pending ||
        (read.err != ERR_NONE && read.err != ERR_WRONG_TYPE && read.err != ERR_NOT_DURABLE))
        return "a read is not answered";
    return NULL;
}
