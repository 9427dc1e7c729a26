/*
 * The keys as they are, while they change: a walk (store/walk.h), and between its steps the changes
 * of the keys that it has passed. A step is shown when all that it reflects is durable.
 */
#include "base/arena.h"
#include "base/check.h"
#include "base/mem.h"
#include "grpc/stream.h"
#include "service/streams/watch_state.h"

#include <stdlib.h>

/* Steps without anything to show, and commits, before others have their turn. */
#define TURN_STEPS   24
#define TURN_COMMITS 200

struct watch_initial {
    struct store_walk walk;      /* what has been shown */
    struct store_walk_key *keys; /* NULL: it goes through databases */
    struct store_walk_step step;
    struct arena arena;   /* of the step */
    struct arena changes; /* of a commit */
    bool has_step;        /* there is one that is not shown completely */
    bool has_begun;       /* and there was */
    bool yields;          /* it is resumed after others */
    bool is_stale;        /* a database of it was swapped since */
    size_t shown;         /* keys of the step that have been shown, */
    size_t elements;      /* and elements of the list that comes next */
    size_t commits;       /* read in this turn */
    const struct watch_select *select;
    struct watch *watch;
};

static bool watch_initial_has_key(const struct watch_initial *initial, size_t count,
                                  const struct watch_selector *selector)
{
    for (size_t i = 0; i < count; i++)
        if (initial->keys[i].db == selector->db &&
            slice_equal(initial->keys[i].key, selector->text))
            return true;
    return false;
}

/* A few keys are looked up. */
static void watch_initial_find_keys(struct watch_initial *initial,
                                    const struct watch_select *select)
{
    size_t count = 0;
    if (select->count > STORE_WALK_KEYS)
        return;
    for (size_t i = 0; i < select->count; i++)
        if (select->selectors[i].kind != WATCH_KEY)
            return;
    initial->keys = mem_alloc(select->count * sizeof *initial->keys);
    for (size_t i = 0; i < select->count; i++) {
        const struct watch_selector *selector = &select->selectors[i];
        if (!watch_initial_has_key(initial, count, selector))
            initial->keys[count++] =
                (struct store_walk_key){.db = selector->db, .key = selector->text};
    }
    store_walk_init_keys(&initial->walk, initial->keys, count);
}

struct watch_initial *watch_initial_new(const struct watch_select *select)
{
    struct watch_initial *initial = mem_alloc_zero(sizeof *initial);
    store_walk_init(&initial->walk, select->databases);
    watch_initial_find_keys(initial, select);
    arena_init(&initial->arena);
    arena_init(&initial->changes);
    return initial;
}

static void watch_initial_drop_step(struct watch_initial *initial)
{
    if (initial->has_step)
        store_walk_release(&initial->step);
    initial->has_step = false;
    initial->shown = initial->elements = 0;
    arena_reset(&initial->arena);
}

void watch_initial_free(struct watch_initial *initial)
{
    if (initial == NULL)
        return;
    watch_initial_drop_step(initial);
    arena_deinit(&initial->arena);
    arena_deinit(&initial->changes);
    free(initial->keys);
    free(initial);
}

/* ---- changes meanwhile ---- */

static void watch_initial_on_event(void *user, const struct watch_event *event)
{
    struct watch_initial *initial = user;
    struct engine *engine = initial->watch->host->engine;
    if (!watch_select_wants(initial->select, event))
        return;
    if (event->type == WATCH_FLUSH ||
        engine->watching->has_passed(engine, &initial->walk, event->db, event->key))
        watch_pages_add(&initial->watch->writer, event, initial->select->with_changes,
                        &initial->changes);
}

static void watch_initial_on_change(void *user, uint64_t revision, const struct op *change)
{
    struct watch_initial *initial = user;
    watch_events_each(change, revision, watch_initial_on_event, initial);
    if (change->kind != OP_SWAP_DB)
        return;
    store_walk_restart(&initial->walk, change->db, change->target_db);
    initial->is_stale = true;
}

static bool watch_initial_on_commit(void *user, uint64_t revision)
{
    struct watch_initial *initial = user;
    struct watch *watch = initial->watch;
    watch->position = revision;
    watch_pages_commit(&watch->writer, revision);
    arena_reset(&initial->changes);
    return watch->writer.first == NULL && ++initial->commits < TURN_COMMITS;
}

/* Reads the changes up to the step. False if they are not all there yet, or the watch has ended. */
static bool watch_initial_follow(struct watch_initial *initial, bool *ended)
{
    struct watch *watch = initial->watch;
    struct engine *engine = watch->host->engine;
    struct engine_reader reader = {.on_change = watch_initial_on_change,
                                   .on_commit = watch_initial_on_commit,
                                   .user = initial};
    uint64_t upto = initial->step.revision, newest = engine->watching->newest(engine);
    if (engine->watching->read(engine, watch->position, upto, &reader) == ENGINE_HISTORY_LOST) {
        *ended = true;
        watch_fail_lost(watch, WATCH_LOSS_BEHIND,
                        "the changes during the initial part have left the history, because there "
                        "were many or the client reads too slowly (--watch-history)");
        return false;
    }
    if (watch->writer.first != NULL || watch->position >= upto)
        return true;
    if (newest < upto)
        watch_feed_await(&watch->member);
    else
        stream_yield(watch->host, &watch->waiter);
    return false;
}

/* ---- the keys of a step ---- */

static void watch_initial_add(struct watch_initial *initial, const struct store_walked *walked,
                              const struct op *change)
{
    watch_pages_add(&initial->watch->writer,
                    &(struct watch_event){.type = WATCH_WRITE,
                                          .db = walked->db,
                                          .key = walked->key,
                                          .version = walked->version,
                                          .change = change},
                    initial->select->with_changes, &initial->changes);
}

static void watch_initial_add_deadline(struct watch_initial *initial,
                                       const struct store_walked *walked)
{
    struct op expire = {.kind = OP_EXPIRE,
                        .db = walked->db,
                        .key = walked->key,
                        .expire_at_ms = walked->expire_at_ms};
    if (walked->expire_at_ms != 0)
        watch_initial_add(initial, walked, &expire);
}

/* Adds a part of the list; true if it was the last one. */
static bool watch_initial_add_elements(struct watch_initial *initial, struct store_walked *walked)
{
    struct op push = {.kind = OP_R_PUSH, .db = walked->db, .key = walked->key};
    bool is_last = store_walk_elements(walked, initial->elements, WATCH_PAGE, &initial->changes,
                                       &push.values, &push.value_count);
    watch_initial_add(initial, walked, &push);
    initial->elements = is_last ? 0 : initial->elements + push.value_count;
    if (is_last)
        watch_initial_add_deadline(initial, walked);
    return is_last;
}

static void watch_initial_add_key(struct watch_initial *initial)
{
    struct store_walked *walked = &initial->step.keys[initial->shown];
    if (!initial->select->with_changes) {
        watch_initial_add(initial, walked, NULL);
    } else if (walked->is_list) {
        if (!watch_initial_add_elements(initial, walked))
            return;
    } else {
        struct op set = {.kind = OP_SET,
                         .db = walked->db,
                         .key = walked->key,
                         .value = walked->value,
                         .expire_at_ms = walked->expire_at_ms};
        watch_initial_add(initial, walked, &set);
    }
    initial->shown++;
}

/* Adds a page of the step. */
static void watch_initial_show(struct watch_initial *initial)
{
    struct watch_writer *writer = &initial->watch->writer;
    while (initial->shown < initial->step.count && writer->out.len < WATCH_PAGE) {
        watch_initial_add_key(initial);
        arena_reset(&initial->changes);
    }
    if (writer->out.len >= WATCH_PAGE)
        watch_pages_seal(writer, (struct watch_tail){.partial = initial->elements > 0}, false);
    if (initial->shown < initial->step.count)
        return;
    initial->walk = initial->step.after;
    watch_initial_drop_step(initial);
}

static bool watch_initial_wants(void *user, uint32_t db, struct slice key)
{
    return watch_select_wants_key(user, db, key);
}

/* Takes the next step; false if the watch is to be resumed. */
static bool watch_initial_step(struct watch_initial *initial)
{
    struct watch *watch = initial->watch;
    struct stream_host *host = watch->host;
    struct store_walk_filter filter = {.wants = watch_initial_wants,
                                       .user = (void *)initial->select,
                                       .with_values = initial->select->with_changes,
                                       .now_ms = host->now_ms};
    if (host->engine->watching->walk(host->engine, host->worker, &initial->walk, &filter,
                                     &initial->arena, &initial->step) == ENGINE_HELD) {
        stream_wait(host, &watch->waiter);
        return false;
    }
    initial->has_step = true;
    initial->is_stale = false;
    if (!initial->has_begun)
        watch->position = initial->step.revision;
    initial->has_begun = true;
    return true;
}

static void watch_initial_end(struct watch_initial *initial)
{
    struct watch *watch = initial->watch;
    watch_pages_commit(&watch->writer, watch->position);
    watch->writer.is_silent = false;
    watch_pages_seal(&watch->writer,
                     (struct watch_tail){.version = watch->position, .initial_done = true}, true);
    watch->initial = NULL;
    watch_initial_free(initial);
}

/* One action. Returns whether to look again. */
static bool watch_initial_advance(struct watch_initial *initial, bool *ended)
{
    struct watch *watch = initial->watch;
    struct engine *engine = watch->host->engine;
    if (initial->has_step && initial->is_stale) {
        watch_initial_drop_step(initial);
        return true;
    }
    if (!initial->has_step)
        return watch_initial_step(initial);
    if (watch->position < initial->step.revision)
        return watch_initial_follow(initial, ended);
    if (engine->watching->newest(engine) < initial->step.revision) {
        watch_feed_await(&watch->member);
        return false;
    }
    watch_initial_show(initial);
    return true;
}

/* Looks for something to show, for a while. */
static bool watch_initial_look(struct watch *watch, bool *ended)
{
    struct watch_initial *initial = watch->initial;
    initial->watch = watch;
    initial->select = watch_feed_selection(&watch->member);
    initial->commits = 0;
    initial->yields = false;
    watch->writer.is_silent = true;
    for (size_t i = 0; i < TURN_STEPS; i++) {
        if (!initial->has_step && initial->has_begun && store_walk_is_done(&initial->walk)) {
            watch_initial_end(initial);
            return true;
        }
        if (!watch_initial_advance(initial, ended))
            return false;
        if (watch->writer.first != NULL)
            return true;
    }
    initial->yields = true;
    stream_yield(watch->host, &watch->waiter);
    return false;
}

/* A page has what several steps have shown; what there is is sent before it waits. */
bool watch_initial_produce(struct watch *watch, bool *ended)
{
    bool goes_on = watch_initial_look(watch, ended);
    if (goes_on || *ended || watch->initial->yields)
        return goes_on;
    watch_pages_seal(&watch->writer, (struct watch_tail){0}, false);
    return watch->writer.first != NULL;
}
