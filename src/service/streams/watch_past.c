/*
 * What has left the history is read from the log, on another thread: a watch that was disconnected
 * for long, or whose server has restarted, or that reads slowly, misses nothing as long as the log
 * has it. When it has read what memory does not have, it continues there.
 */
#include "base/check.h"
#include "base/container.h"
#include "service/streams/watch_state.h"

/* Commits that are read at a time, some tens of milliseconds. */
#define TURN_COMMITS 10000
/* How often it is looked whether the log has been written far enough. */
#define LOOK_MS 100

bool watch_past_open(struct watch *watch)
{
    struct engine *engine = watch->host->engine;
    if (engine->watching->past_open != NULL)
        watch->past = engine->watching->past_open(engine, watch->position);
    return watch->past != NULL;
}

void watch_past_close(struct watch *watch)
{
    if (watch->past != NULL)
        watch->host->engine->watching->past_close(watch->past);
    watch->past = NULL;
}

static struct watch *watch_past_of(struct offload_job *job)
{
    return CONTAINER_OF(job, struct watch, job);
}

static void watch_past_run(struct offload_job *job)
{
    struct watch *watch = watch_past_of(job);
    struct engine *engine = watch->host->engine;
    struct watch_reading reading;
    watch_reading_init(&reading, watch);
    reading.most = TURN_COMMITS;
    watch->read = engine->watching->past_read(engine, watch->past, watch->upto, &reading.reader);
    if (watch->read == ENGINE_HISTORY_READ) {
        watch->position = watch->upto; /* after the last commit there may have been only numbers */
        watch_pages_commit(&watch->writer, watch->upto);
    }
    watch_reading_end(&reading);
}

/* False if the watch has ended. */
static bool watch_past_settle(struct watch *watch)
{
    switch (watch->read) {
    case ENGINE_HISTORY_LOST:
        watch_fail_lost(watch, WATCH_LOSS_TOO_OLD,
                        "start_version is too old: the log does not reach back so far, or the "
                        "server has lost later changes in a crash");
        return false;
    case ENGINE_HISTORY_READ:
        watch_past_close(watch);
        break;
    case ENGINE_HISTORY_WAIT:
        stream_wait(watch->host, &watch->waiter);
        stream_resume_after(watch->host, LOOK_MS);
        break;
    case ENGINE_HISTORY_MORE:
        break;
    }
    return true;
}

/* The next part is read when there is room for it. */
static void watch_past_finish(struct offload_job *job)
{
    struct watch *watch = watch_past_of(job);
    watch->is_offloaded = false;
    if (watch->call == NULL)
        watch_free(watch);
    else if (watch_past_settle(watch) && watch->waiter.link == NULL)
        grpc_stream_ready(watch->call);
}

/* Starts to read a part, or does so if there is no other thread. */
static bool watch_past_start(struct watch *watch, bool *ended)
{
    struct stream_host *host = watch->host;
    if (host->offload != NULL) {
        watch->is_offloaded = true;
        stream_offload(host, &watch->job, watch_past_run, watch_past_finish);
        return false;
    }
    watch_past_run(&watch->job);
    *ended = !watch_past_settle(watch);
    return !*ended && watch->waiter.link == NULL;
}

bool watch_past_produce(struct watch *watch, bool *ended)
{
    struct engine *engine = watch->host->engine;
    watch->upto = engine->watching->oldest(engine);
    if (watch->position >= watch->upto) {
        watch_past_close(watch);
        return true;
    }
    if (engine->watching->newest(engine) < watch->upto) { /* not durable yet */
        watch_feed_await(&watch->member);
        return false;
    }
    return watch_past_start(watch, ended);
}
