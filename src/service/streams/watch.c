/*
 * A watcher is live while it gets its pages from the feed of its worker, with others. Until then,
 * and when it has fallen behind, it reads the history for itself, from its own position. With
 * `initial` it first walks through the keys (watch_initial.c).
 */
#include "service/streams/watch.h"

#include "base/check.h"
#include "base/container.h"
#include "base/mem.h"
#include "grpc/server.h"
#include "service/decode.h"
#include "service/field.h"
#include "service/identity.h"
#include "service/status.h"
#include "service/streams/watch_state.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* Commits that a watcher reads at a time, some hundred microseconds. */
#define TURN_COMMITS 500

static const char no_history[] = "this server does not report changes";
static const char contradiction[] = "start_version: it is given with initial, which starts from "
                                    "the present state; give one of them";
static const char no_writes[] =
    "types: they do not have WRITE, which initial needs; add it, or leave types empty";
static const char stopping[] = "the server, or this connection, is shutting down; pass the version "
                               "of the last batch as start_version to go on";

/* ---- life ---- */

void watch_free(struct watch *watch)
{
    stream_leave(watch->host, &watch->waiter);
    watch_feed_leave(&watch->member);
    watch_initial_free(watch->initial);
    watch_past_close(watch);
    watch_pages_deinit(&watch->writer);
    watch_select_free(watch->wanted);
    free(watch);
}

/* Another thread that is at work for it ends first. */
static void watch_abandon(struct watch *watch)
{
    watch->call = NULL;
    if (!watch->is_offloaded)
        watch_free(watch);
}

void watch_fail(struct watch *watch, enum err err, const char *why)
{
    struct grpc_call *call = watch->call;
    watch_abandon(watch);
    stream_end(call, err, why);
}

void watch_fail_lost(struct watch *watch, enum watch_loss loss, const char *why)
{
    char text[300], oldest[24];
    struct engine *engine = watch->host->engine;
    struct grpc_call *call = watch->call;
    uint64_t version = engine->watching->oldest(engine);
    if (version == 0) /* which would mean now; the first commit has no changes */
        version = 1;
    snprintf(oldest, sizeof oldest, "%" PRIu64, version);
    snprintf(text, sizeof text,
             "%s; the oldest start_version that is available is %" PRIu64
             ", but a new watch with initial is what misses nothing",
             why, version);
    struct grpc_status status = status_of(ERR_HISTORY_LOST, text);
    status.trailer_name = slice_from_string("keystore-oldest-version");
    status.trailer_value = slice_from_string(oldest);
    stream_count(&watch->host->counters.watch_losses[loss], 1);
    watch_abandon(watch);
    grpc_stream_end(call, &status);
}

/* ---- reading for itself ---- */

static void watch_on_event(void *user, const struct watch_event *event)
{
    struct watch_reading *reading = user;
    struct watch *watch = reading->watch;
    if (watch_select_wants(reading->select, event))
        watch_pages_add(&watch->writer, event, reading->select->with_changes, &reading->arena);
}

static void watch_on_change(void *user, uint64_t revision, const struct op *change)
{
    watch_events_each(change, revision, watch_on_event, user);
}

static bool watch_on_commit(void *user, uint64_t revision)
{
    struct watch_reading *reading = user;
    struct watch *watch = reading->watch;
    watch->position = revision;
    watch_pages_commit(&watch->writer, revision);
    arena_reset(&reading->arena);
    return watch->writer.first == NULL && ++reading->commits < reading->most;
}

void watch_reading_init(struct watch_reading *reading, struct watch *watch)
{
    *reading = (struct watch_reading){
        .reader = {.on_change = watch_on_change, .on_commit = watch_on_commit, .user = reading},
        .watch = watch,
        .most = TURN_COMMITS,
        .select = watch_feed_selection(&watch->member)};
    arena_init(&reading->arena);
}

void watch_reading_end(struct watch_reading *reading)
{
    struct watch *watch = reading->watch;
    watch_pages_seal(&watch->writer, (struct watch_tail){.version = watch->position}, false);
    arena_deinit(&reading->arena);
}

/* Reads a part of what the watch is behind the feed. False if the watch has ended. */
static bool watch_catch_up(struct watch *watch)
{
    struct engine *engine = watch->host->engine;
    struct watch_reading reading;
    watch_reading_init(&reading, watch);
    enum engine_history answer = engine->watching->read(
        engine, watch->position, watch_feed_position(&watch->member), &reading.reader);
    watch_reading_end(&reading);
    if (answer == ENGINE_HISTORY_READ || watch_past_open(watch))
        return true;
    watch_fail_lost(watch, WATCH_LOSS_BEHIND,
                    "the changes that come next have left the history, because there were many or "
                    "the client reads too slowly (--watch-history)");
    return false;
}

/* ---- replies ---- */

static void watch_write(struct watch *watch, const struct watch_page *page, size_t *written)
{
    *written += watch_pages_send(page, watch->call);
    stream_count(&watch->host->counters.watch_events, page->events);
    watch_feed_note_sent(&watch->member);
}

/* Writes a batch without events. */
static void watch_write_version(struct watch *watch, size_t *written)
{
    struct watch_writer writer = {0};
    watch->owes_version = false;
    watch_pages_seal(&writer, (struct watch_tail){.version = watch->position}, true);
    watch_write(watch, writer.first, written);
    watch_pages_deinit(&writer);
}

static bool watch_write_live(struct watch *watch, size_t *written)
{
    struct watch_member *member = &watch->member;
    if (member->page == NULL) {
        watch->position = watch_feed_position(member);
        return false;
    }
    watch_write(watch, member->page, written);
    watch_feed_advance(member);
    watch->owes_version = false;
    return true;
}

/* Gets more to write, or arranges to be called when there is. Returns whether to look again. The
 * watch may have ended: then watch->call says so in *ended. */
static bool watch_produce(struct watch *watch, size_t *written, bool *ended)
{
    watch->member.reached = watch->position;
    if (watch->initial != NULL)
        return watch_initial_produce(watch, ended);
    if (watch->past != NULL)
        return watch_past_produce(watch, ended);
    if (watch->member.is_live)
        return watch_write_live(watch, written);
    uint64_t feed = watch_feed_position(&watch->member);
    if (watch->position > feed) {
        watch_feed_await(&watch->member);
        return false;
    }
    if (watch->position == feed) {
        watch_feed_go_live(&watch->member);
        return true;
    }
    if (!watch_catch_up(watch)) {
        *ended = true;
        return false;
    }
    if (watch->writer.first != NULL || watch->position == feed || watch->past != NULL)
        return true;
    stream_yield(watch->host, &watch->waiter); /* nothing was selected so far */
    return false;
}

static void watch_on_room(void *user, struct grpc_call *call, size_t room)
{
    struct watch *watch = grpc_call_user(call);
    size_t written = 0;
    bool ended = false;
    (void)user;
    if (watch->member.feed == NULL || watch->is_offloaded)
        return;
    while (written < room) {
        struct watch_page *page = watch_pages_take(&watch->writer);
        if (page != NULL) {
            watch_write(watch, page, &written);
            watch_pages_free(page);
            watch->owes_version = false;
        } else if (!watch_produce(watch, &written, &ended)) {
            break;
        }
    }
    if (!ended && !watch->is_offloaded && watch->owes_version && written == 0 &&
        watch->initial == NULL)
        watch_write_version(watch, &written);
}

/* ---- notifications ---- */

static struct watch *watch_of(struct watch_member *member)
{
    return CONTAINER_OF(member, struct watch, member);
}

static void watch_on_news(struct watch_member *member)
{
    struct watch *watch = watch_of(member);
    if (watch->call != NULL)
        grpc_stream_ready(watch->call);
}

/* A caller that has a part of a transaction cannot get the rest of it. */
static void watch_on_behind(struct watch_member *member, uint64_t after, bool is_within)
{
    struct watch *watch = watch_of(member);
    if (is_within) {
        watch_fail_lost(watch, WATCH_LOSS_TRANSACTION,
                        "the client reads a large transaction too slowly");
        return;
    }
    watch->position = watch->member.reached = after;
    watch_pages_commit(&watch->writer, after);
    grpc_stream_ready(watch->call);
}

static void watch_on_idle(struct watch_member *member)
{
    struct watch *watch = watch_of(member);
    watch->owes_version = true;
    watch_on_news(member);
}

/* ---- the start ---- */

static void watch_begin(struct watch *watch);

static void watch_resume(struct stream_waiter *waiter)
{
    struct watch *watch = (struct watch *)waiter;
    if (watch->member.feed == NULL)
        watch_begin(watch);
    else
        grpc_stream_ready(watch->call);
}

/* The history is kept from now on, so what comes after the newest version is in it. */
static void watch_begin(struct watch *watch)
{
    struct stream_host *host = watch->host;
    enum err err;
    const char *why;
    if (!watch_feed_join(host, watch->wanted, &watch->member, &err, &why)) {
        if (err != ERR_NONE)
            watch_fail(watch, err, why);
        else
            stream_wait(host, &watch->waiter);
        return;
    }
    watch_select_free(watch->wanted);
    watch->wanted = NULL;
    if (watch->wants_initial)
        watch->initial = watch_initial_new(watch_feed_selection(&watch->member));
    uint64_t newest = host->engine->watching->newest(host->engine);
    if (watch->position > newest) {
        watch_fail_lost(watch, WATCH_LOSS_TOO_NEW,
                        "start_version is newer than this server's newest version: it has lost "
                        "data since, or is another server");
        return;
    }
    if (watch->position == 0)
        watch->position = newest;
    watch->member.reached = watch->position;
    watch_pages_commit(&watch->writer, watch->position);
    watch->owes_version = true;
    grpc_stream_ready(watch->call);
}

static enum err watch_check(const Keystore__V1__WatchRequest *request,
                            const struct watch_select *select, const char **why)
{
    if (request->initial && request->start_version != 0)
        return field_refuse(contradiction, why);
    if (request->initial && (select->types >> WATCH_WRITE & 1) == 0)
        return field_refuse(no_writes, why);
    return ERR_NONE;
}

static enum err watch_decode(struct watch *watch, struct slice message, struct arena *arena,
                             const char **why)
{
    void *decoded;
    struct watch_select select;
    enum err err =
        decode_message(&keystore__v1__watch_request__descriptor, message, arena, &decoded, why);
    if (err != ERR_NONE)
        return err;
    const Keystore__V1__WatchRequest *request = decoded;
    err = watch_select_decode(request, &watch->host->limits, arena, &select, why);
    if (err == ERR_NONE)
        err = watch_check(request, &select, why);
    if (err == ERR_NONE)
        err = watch_select_permit(&select, grpc_call_principal(watch->call), arena, why);
    if (err != ERR_NONE)
        return err;
    watch->wanted = watch_select_copy(&select);
    watch->position = request->start_version;
    watch->wants_initial = request->initial;
    return ERR_NONE;
}

static void watch_on_message(void *user, struct grpc_call *call, struct slice message)
{
    struct watch *watch = grpc_call_user(call);
    const char *why;
    (void)user;
    if (watch->has_request) {
        watch_fail(watch, ERR_NOT_SERVED, STREAM_SECOND_MESSAGE);
        return;
    }
    struct arena arena;
    arena_init(&arena);
    enum err err = watch_decode(watch, message, &arena, &why);
    watch->has_request = true;
    if (err != ERR_NONE)
        watch_fail(watch, err, why);
    arena_deinit(&arena);
    if (err == ERR_NONE)
        watch_begin(watch);
}

static void watch_on_half_close(void *user, struct grpc_call *call)
{
    struct watch *watch = grpc_call_user(call);
    (void)user;
    if (!watch->has_request)
        watch_fail(watch, ERR_NOT_SERVED, STREAM_NO_MESSAGE);
}

static void watch_on_open(void *user, struct grpc_call *call)
{
    struct stream_host *host = stream_host_of(user);
    if (host->engine->watching == NULL) {
        stream_end(call, ERR_NOT_SERVED, no_history);
        return;
    }
    struct watch *watch = mem_alloc_zero(sizeof *watch);
    watch->waiter.resume = watch_resume;
    watch->host = host;
    watch->call = call;
    watch->member.on_news = watch_on_news;
    watch->member.on_behind = watch_on_behind;
    watch->member.on_idle = watch_on_idle;
    grpc_call_set_user(call, watch);
}

static void watch_on_drain(void *user, struct grpc_call *call)
{
    (void)user;
    watch_fail(grpc_call_user(call), ERR_STOPPING, stopping);
}

static void watch_on_cancel(void *user, struct grpc_call *call)
{
    (void)user;
    watch_abandon(grpc_call_user(call));
}

/* It goes on only if it shows the same as before; its pages are shared with others. */
static bool watch_may_go_on(void *user, struct grpc_call *call)
{
    const struct watch *watch = grpc_call_user(call);
    const struct watch_select *select = watch->wanted;
    (void)user;
    if (watch->member.feed != NULL)
        select = watch_feed_selection(&watch->member);
    return select == NULL ||
           watch_select_shows_as(select, identity_rules(grpc_call_principal(call)));
}

/* A caller whose token expires, say, learns from which version on it misses nothing, even if no
 * batch had it. A walk through the keys has to begin anew. */
static void watch_on_failure(void *user, struct grpc_call *call, struct grpc_status *status)
{
    static _Thread_local char version[24];
    const struct watch *watch = grpc_call_user(call);
    (void)user;
    if (watch->member.feed == NULL || watch->is_offloaded || watch->initial != NULL)
        return;
    const struct watch_page *page = watch->writer.first;
    snprintf(version, sizeof version, "%" PRIu64,
             page != NULL ? page->after : watch_feed_reached(&watch->member));
    status->trailer_name = slice_from_string("keystore-resume-version");
    status->trailer_value = slice_from_string(version);
}

const struct grpc_stream_method watch_method = {
    .on_failure = watch_on_failure,
    .on_open = watch_on_open,
    .may_go_on = watch_may_go_on,
    .on_message = watch_on_message,
    .on_half_close = watch_on_half_close,
    .on_room = watch_on_room,
    .on_drain = watch_on_drain,
    .on_cancel = watch_on_cancel,
};
