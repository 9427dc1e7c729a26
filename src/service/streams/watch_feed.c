/*
 * A run reads what is new, a bounded part at a time, and hands out the pages at its end. Members
 * and groups may vanish while it does: lists are walked by taking members off, and groups without
 * members are freed when it is over.
 */
#include "service/streams/watch_feed.h"

#include "base/arena.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/mem.h"
#include "service/streams/host.h"

#include <stdlib.h>

/* Changes of a run, some hundred microseconds. */
#define RUN_CHANGES 500
/* A watcher hears something that often. */
#define IDLE_MS 10000
/* How often the lag of watchers is measured, and of how many at a time. */
#define MEASURE_MS      100
#define MEASURE_MEMBERS 1000
/* Lists in the table of keys; a power of two. */
#define KEY_LISTS ((size_t)1024)

/* A selector of a group, in the list of the hash of its literal text: the key, or what the selected
 * keys start with. */
struct watch_target {
    struct watch_target *next, **link;
    struct watch_group *group;
    const struct watch_selector *selector;
};

/* How many selectors of prefixes and patterns have literal text of a length. */
struct watch_length {
    size_t length, count;
};

struct watch_group {
    struct watch_group *next, **link;
    struct watch_select *select;
    struct watch_target *targets; /* one for each selector */
    struct watch_writer writer;   /* its pages are those that members wait for */
    size_t members;               /* all of it */
    struct watch_member *live;
    struct watch_group *next_touched;
    bool is_touched; /* in this run, before which the newest page was: */
    struct watch_page *before;
    uint64_t matched; /* the number of the last event that it wanted */
};

struct watch_feed {
    struct stream_waiter waiter; /* first: it is found by it */
    struct stream_host *host;
    struct watch_group *groups, *touched;
    struct watch_target *keys[KEY_LISTS], *prefixes[KEY_LISTS];
    struct watch_length *lengths; /* ascending */
    size_t length_count, length_capacity;
    size_t key_count;                       /* selectors of single keys */
    struct watch_member *waiting;           /* for news */
    struct watch_member *idle, **idle_last; /* the one that has sent nothing for longest first */
    size_t members;
    uint64_t position;
    uint64_t event; /* number of the current event */
    size_t changes; /* of this run */
    bool is_running;
    struct arena arena;
    struct watch_member *measured; /* the next one whose lag is measured in this round... */
    size_t left;                   /* ...of at most as many... */
    uint64_t lag;                  /* ...the most so far */
    int64_t measure_at_ms;
};

static const struct engine_watching *watch_feed_engine(const struct watch_feed *feed)
{
    return feed->host->engine->watching;
}

/* ---- lists ---- */

static void watch_feed_put(struct watch_member **list, struct watch_member *member)
{
    member->next = *list;
    member->link = list;
    if (*list != NULL)
        (*list)->link = &member->next;
    *list = member;
}

static void watch_feed_take_off(struct watch_member *member)
{
    if (member->link == NULL)
        return;
    *member->link = member->next;
    if (member->next != NULL)
        member->next->link = member->link;
    member->link = NULL;
}

/* Moves all members to another list, which is empty. */
static void watch_feed_move_all(struct watch_member **from, struct watch_member **to)
{
    *to = *from;
    if (*to != NULL)
        (*to)->link = to;
    *from = NULL;
}

static void watch_feed_leave_idle(struct watch_member *member)
{
    if (member->idle_link == NULL)
        return;
    *member->idle_link = member->idle_next;
    if (member->idle_next != NULL)
        member->idle_next->idle_link = member->idle_link;
    else
        member->feed->idle_last = member->idle_link;
    if (member->feed->measured == member)
        member->feed->measured = member->idle_next;
    member->idle_link = NULL;
}

void watch_feed_note_sent(struct watch_member *member)
{
    struct watch_feed *feed = member->feed;
    watch_feed_leave_idle(member);
    member->sent_ms = clock_monotonic_ms();
    member->idle_next = NULL;
    member->idle_link = feed->idle_last;
    *feed->idle_last = member;
    feed->idle_last = &member->idle_next;
    stream_resume_after(feed->host, IDLE_MS);
}

/* ---- groups ---- */

/* FNV-1a, which is continued for a longer prefix. */
static uint64_t watch_feed_hash_start(uint32_t db)
{
    return 14695981039346656037u ^ db;
}

static uint64_t watch_feed_hash_more(uint64_t hash, struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ text.data[i]) * 1099511628211u;
    return hash;
}

static size_t watch_feed_list_number(uint64_t hash)
{
    return (hash ^ hash >> 32) & (KEY_LISTS - 1);
}

static struct watch_target **watch_feed_list_of(struct watch_feed *feed,
                                                const struct watch_selector *selector)
{
    struct slice text = watch_select_literal(selector);
    size_t number =
        watch_feed_list_number(watch_feed_hash_more(watch_feed_hash_start(selector->db), text));
    return selector->kind == WATCH_KEY ? &feed->keys[number] : &feed->prefixes[number];
}

static void watch_feed_note_length(struct watch_feed *feed, const struct watch_selector *selector)
{
    size_t length = watch_select_literal(selector).len, at = 0;
    if (selector->kind == WATCH_KEY) {
        feed->key_count++;
        return;
    }
    while (at < feed->length_count && feed->lengths[at].length < length)
        at++;
    if (at < feed->length_count && feed->lengths[at].length == length) {
        feed->lengths[at].count++;
        return;
    }
    if (feed->length_count == feed->length_capacity) {
        feed->length_capacity = 2 * feed->length_capacity + 8;
        feed->lengths = mem_realloc(feed->lengths, feed->length_capacity * sizeof *feed->lengths);
    }
    memmove(feed->lengths + at + 1, feed->lengths + at,
            (feed->length_count++ - at) * sizeof *feed->lengths);
    feed->lengths[at] = (struct watch_length){.length = length, .count = 1};
}

static void watch_feed_forget_length(struct watch_feed *feed, const struct watch_selector *selector)
{
    size_t length = watch_select_literal(selector).len, at = 0;
    if (selector->kind == WATCH_KEY) {
        feed->key_count--;
        return;
    }
    while (feed->lengths[at].length != length)
        at++;
    if (--feed->lengths[at].count > 0)
        return;
    memmove(feed->lengths + at, feed->lengths + at + 1,
            (--feed->length_count - at) * sizeof *feed->lengths);
}

static struct watch_group *watch_feed_new_group(struct watch_feed *feed,
                                                const struct watch_select *select)
{
    struct watch_group *group = mem_alloc_zero(sizeof *group);
    group->select = watch_select_copy(select);
    group->targets = mem_alloc(select->count * sizeof *group->targets);
    for (size_t i = 0; i < select->count; i++) {
        const struct watch_selector *selector = &group->select->selectors[i];
        struct watch_target **list = watch_feed_list_of(feed, selector);
        struct watch_target *target = &group->targets[i];
        *target = (struct watch_target){
            .next = *list, .link = list, .group = group, .selector = selector};
        if (*list != NULL)
            (*list)->link = &target->next;
        *list = target;
        watch_feed_note_length(feed, selector);
    }
    watch_pages_commit(&group->writer, feed->position);
    group->next = feed->groups;
    group->link = &feed->groups;
    if (feed->groups != NULL)
        feed->groups->link = &group->next;
    feed->groups = group;
    return group;
}

static void watch_feed_free_group(struct watch_feed *feed, struct watch_group *group)
{
    DCHECK(group->members == 0 && group->live == NULL);
    for (size_t i = 0; i < group->select->count; i++) {
        struct watch_target *target = &group->targets[i];
        *target->link = target->next;
        if (target->next != NULL)
            target->next->link = target->link;
        watch_feed_forget_length(feed, target->selector);
    }
    *group->link = group->next;
    if (group->next != NULL)
        group->next->link = group->link;
    watch_pages_deinit(&group->writer);
    free(group->targets);
    watch_select_free(group->select);
    free(group);
}

/* Members come in great numbers with few selections, or with many that are cheap to compare. */
static struct watch_group *watch_feed_find_group(struct watch_feed *feed,
                                                 const struct watch_select *select)
{
    struct watch_target *target = *watch_feed_list_of(feed, &select->selectors[0]);
    for (; target != NULL; target = target->next)
        if (watch_select_equal(target->group->select, select))
            return target->group;
    return watch_feed_new_group(feed, select);
}

/* Frees the pages that nobody waits for. */
static void watch_feed_trim(struct watch_group *group)
{
    while (group->writer.first != NULL && group->writer.first->readers == 0)
        watch_pages_free(watch_pages_take(&group->writer));
}

/* ---- reading ---- */

static void watch_feed_offer(struct watch_feed *feed, struct watch_group *group,
                             const struct watch_event *event)
{
    if (group->matched == feed->event || !watch_select_wants_type(group->select, event))
        return;
    group->matched = feed->event;
    if (event->type != WATCH_FLUSH && !watch_select_shows(group->select, event->db, event->key))
        return;
    if (!group->is_touched) {
        group->is_touched = true;
        group->next_touched = feed->touched;
        feed->touched = group;
        group->before = group->writer.first != NULL ? group->writer.newest : NULL;
        watch_pages_commit(&group->writer, feed->position);
    }
    watch_pages_add(&group->writer, event, group->select->with_changes, &feed->arena);
}

static void watch_feed_on_flush(struct watch_feed *feed, const struct watch_event *event)
{
    for (struct watch_group *group = feed->groups; group != NULL; group = group->next)
        watch_feed_offer(feed, group, event);
}

/* A search for the selectors that select a key. All zero but for the key is its start. */
struct watch_match {
    uint32_t db;
    struct slice key;
    bool has_begun, is_at_key;
    uint64_t hash;               /* of the key's first bytes, */
    size_t hashed;               /* so far */
    size_t at;                   /* the next one of the lengths */
    struct watch_target *target; /* the next one of the list */
};

/* Begins the next list: that of a prefix of the key or, at last, that of the key. False if there is
 * none. */
static bool watch_feed_next_list(struct watch_feed *feed, struct watch_match *match)
{
    if (!match->has_begun)
        match->hash = watch_feed_hash_start(match->db);
    match->has_begun = true;
    if (match->is_at_key)
        return false;
    size_t length = match->key.len;
    match->is_at_key = match->at == feed->length_count || feed->lengths[match->at].length > length;
    if (match->is_at_key && feed->key_count == 0)
        return false;
    if (!match->is_at_key)
        length = feed->lengths[match->at++].length;
    match->hash = watch_feed_hash_more(
        match->hash, slice_make(match->key.data + match->hashed, length - match->hashed));
    match->hashed = length;
    struct watch_target **lists = match->is_at_key ? feed->keys : feed->prefixes;
    match->target = lists[watch_feed_list_number(match->hash)];
    return true;
}

/* The next selector that selects the key, of each group at least one; NULL: there are no more. */
static struct watch_target *watch_feed_match(struct watch_feed *feed, struct watch_match *match)
{
    do {
        while (match->target != NULL) {
            struct watch_target *target = match->target;
            match->target = target->next;
            if (watch_select_matches(target->selector, match->db, match->key))
                return target;
        }
    } while (watch_feed_next_list(feed, match));
    return NULL;
}

static bool watch_feed_wants(void *user, uint32_t db, struct slice key)
{
    struct watch_match match = {.db = db, .key = key};
    return watch_feed_match(user, &match) != NULL;
}

static void watch_feed_on_event(void *user, const struct watch_event *event)
{
    struct watch_feed *feed = user;
    feed->event++;
    if (event->type == WATCH_FLUSH) {
        watch_feed_on_flush(feed, event);
        return;
    }
    struct watch_match match = {.db = event->db, .key = event->key};
    for (struct watch_target *target; (target = watch_feed_match(feed, &match)) != NULL;)
        watch_feed_offer(feed, target->group, event);
}

static void watch_feed_on_change(void *user, uint64_t revision, const struct op *change)
{
    struct watch_feed *feed = user;
    feed->changes++;
    watch_events_each(change, revision, watch_feed_on_event, feed);
}

static bool watch_feed_on_commit(void *user, uint64_t revision)
{
    struct watch_feed *feed = user;
    feed->position = revision;
    bool is_full = ++feed->changes >= RUN_CHANGES;
    for (struct watch_group *group = feed->touched; group != NULL; group = group->next_touched) {
        watch_pages_commit(&group->writer, revision);
        is_full = is_full || group->writer.bytes > WATCH_FEED_MOST / 2;
    }
    arena_reset(&feed->arena);
    return !is_full;
}

/* ---- handing out ---- */

/* Members that wait for the group's oldest page. */
static void watch_feed_leave_behind(struct watch_group *group)
{
    struct watch_page *page = group->writer.first;
    struct watch_member *member, *all = NULL;
    uint64_t after = page->after;
    bool is_within = page->is_continued;
    watch_feed_move_all(&group->live, &all);
    while ((member = all) != NULL) {
        watch_feed_take_off(member);
        if (member->page != page) {
            watch_feed_put(&group->live, member);
            continue;
        }
        page->readers--;
        member->page = NULL;
        member->is_live = false;
        member->on_behind(member, after, is_within);
    }
}

/* Those who had all now wait for the first of the new pages. */
static void watch_feed_end_group(struct watch_group *group, uint64_t position)
{
    watch_pages_commit(&group->writer, position);
    watch_pages_seal(&group->writer, (struct watch_tail){.version = position}, false);
    struct watch_page *page = group->before != NULL ? group->before->next : group->writer.first;
    if (page == NULL)
        return;
    for (struct watch_member *member = group->live; member != NULL; member = member->next) {
        if (member->page == NULL) {
            member->page = page;
            page->readers++;
        }
    }
}

static void watch_feed_notify(struct watch_member **list)
{
    struct watch_member *member, *all = NULL;
    watch_feed_move_all(list, &all);
    while ((member = all) != NULL) {
        watch_feed_take_off(member);
        if (member->is_live)
            watch_feed_put(list, member);
        if (!member->is_live || member->page != NULL)
            member->on_news(member);
    }
}

static void watch_feed_hand_out(struct watch_feed *feed)
{
    for (struct watch_group *group = feed->touched; group != NULL; group = group->next_touched)
        watch_feed_end_group(group, feed->position);
    while (feed->touched != NULL) {
        struct watch_group *group = feed->touched;
        feed->touched = group->next_touched;
        group->is_touched = false;
        watch_feed_notify(&group->live);
        watch_feed_trim(group);
        while (group->writer.bytes > WATCH_FEED_MOST &&
               group->writer.first != group->writer.newest) {
            watch_feed_leave_behind(group);
            watch_feed_trim(group);
        }
    }
    watch_feed_notify(&feed->waiting);
}

/* The feed has not been able to follow: its members have to read for themselves, from the version
 * before the page that is next for them. */
static void watch_feed_lose(struct watch_feed *feed)
{
    uint64_t after = feed->position;
    feed->position = watch_feed_engine(feed)->newest(feed->host->engine);
    for (struct watch_group *group = feed->groups; group != NULL; group = group->next) {
        struct watch_member *member, *all = NULL;
        watch_feed_move_all(&group->live, &all);
        while ((member = all) != NULL) {
            struct watch_page *page = member->page;
            watch_feed_take_off(member);
            member->is_live = false;
            member->page = NULL;
            if (page != NULL)
                page->readers--;
            member->on_behind(member, page != NULL ? page->after : after,
                              page != NULL && page->is_continued);
        }
        watch_feed_trim(group);
    }
    watch_feed_notify(&feed->waiting);
}

static void watch_feed_notify_idle(struct watch_feed *feed)
{
    int64_t now_ms = clock_monotonic_ms();
    while (feed->idle != NULL && now_ms - feed->idle->sent_ms >= IDLE_MS) {
        struct watch_member *member = feed->idle;
        watch_feed_note_sent(member);
        member->on_idle(member);
    }
    if (feed->idle != NULL)
        stream_resume_after(feed->host, IDLE_MS - (now_ms - feed->idle->sent_ms));
}

/* Groups without members, and the feed itself if there are none. */
static void watch_feed_sweep(struct watch_feed *feed)
{
    for (struct watch_group *group = feed->groups, *next; group != NULL; group = next) {
        next = group->next;
        if (group->members == 0)
            watch_feed_free_group(feed, group);
    }
    if (feed->members > 0)
        return;
    stream_leave(feed->host, &feed->waiter);
    watch_feed_engine(feed)->close(feed->host->engine);
    feed->host->watch_feed = NULL;
    atomic_store_explicit(&feed->host->counters.watch_lag, 0, memory_order_relaxed);
    arena_deinit(&feed->arena);
    free(feed->lengths);
    free(feed);
}

static void watch_feed_read(struct watch_feed *feed)
{
    struct engine *engine = feed->host->engine;
    struct engine_reader reader = {.wants = watch_feed_wants,
                                   .on_change = watch_feed_on_change,
                                   .on_commit = watch_feed_on_commit,
                                   .user = feed};
    uint64_t before = feed->position;
    feed->changes = 0;
    if (watch_feed_engine(feed)->read(engine, before, UINT64_MAX, &reader) == ENGINE_HISTORY_LOST)
        watch_feed_lose(feed);
    else if (feed->position > before)
        watch_feed_hand_out(feed);
    if (!watch_feed_engine(feed)->listen(engine, feed->host->worker, feed->position))
        waker_wake(feed->host->waker);
}

static void watch_feed_run(struct stream_waiter *waiter)
{
    struct watch_feed *feed = (struct watch_feed *)waiter;
    stream_wait(feed->host, waiter); /* it runs whenever the worker is woken */
    feed->is_running = true;
    watch_feed_read(feed);
    watch_feed_notify_idle(feed);
    feed->is_running = false;
    watch_feed_sweep(feed);
}

/* ---- members ---- */

/* NULL: refused, or to be tried again. */
static struct watch_feed *watch_feed_open(struct stream_host *host, enum err *err, const char **why)
{
    const struct engine_watching *watching = host->engine->watching;
    if (host->watch_feed != NULL)
        return host->watch_feed;
    if (watching->open(host->engine, host->worker, err, why) != ENGINE_DONE || *err != ERR_NONE)
        return NULL;
    struct watch_feed *feed = mem_alloc_zero(sizeof *feed);
    feed->waiter.resume = watch_feed_run;
    feed->host = host;
    feed->idle_last = &feed->idle;
    feed->position = watching->newest(host->engine);
    arena_init(&feed->arena);
    host->watch_feed = feed;
    stream_wait(host, &feed->waiter);
    if (!watching->listen(host->engine, host->worker, feed->position))
        waker_wake(host->waker);
    return feed;
}

bool watch_feed_join(struct stream_host *host, const struct watch_select *select,
                     struct watch_member *member, enum err *err, const char **why)
{
    *err = ERR_NONE;
    struct watch_feed *feed = watch_feed_open(host, err, why);
    if (feed == NULL)
        return false;
    member->feed = feed;
    member->group = watch_feed_find_group(feed, select);
    member->group->members++;
    feed->members++;
    watch_feed_note_sent(member);
    return true;
}

void watch_feed_leave(struct watch_member *member)
{
    struct watch_feed *feed = member->feed;
    if (feed == NULL)
        return;
    watch_feed_take_off(member);
    watch_feed_leave_idle(member);
    if (member->page != NULL)
        member->page->readers--;
    feed->members--;
    member->group->members--;
    member->feed = NULL;
    if (feed->is_running)
        return;
    watch_feed_trim(member->group);
    if (member->group->members == 0)
        watch_feed_free_group(feed, member->group);
    if (feed->members == 0)
        watch_feed_sweep(feed);
}

const struct watch_select *watch_feed_selection(const struct watch_member *member)
{
    return member->group->select;
}

uint64_t watch_feed_position(const struct watch_member *member)
{
    return member->feed->position;
}

void watch_feed_go_live(struct watch_member *member)
{
    DCHECK(!member->is_live && member->page == NULL);
    watch_feed_take_off(member);
    watch_feed_put(&member->group->live, member);
    member->is_live = true;
}

void watch_feed_await(struct watch_member *member)
{
    DCHECK(!member->is_live);
    if (member->link == NULL)
        watch_feed_put(&member->feed->waiting, member);
}

uint64_t watch_feed_reached(const struct watch_member *member)
{
    if (!member->is_live)
        return member->reached;
    return member->page != NULL ? member->page->after : member->feed->position;
}

/* In the order of `idle`: those that are stuck are among its first. */
static void watch_feed_measure_some(struct watch_feed *feed, uint64_t newest)
{
    for (size_t i = 0; i < MEASURE_MEMBERS && feed->left > 0 && feed->measured != NULL; i++) {
        uint64_t reached = watch_feed_reached(feed->measured);
        if (reached < newest && newest - reached > feed->lag)
            feed->lag = newest - reached;
        feed->measured = feed->measured->idle_next;
        feed->left--;
    }
}

void watch_feed_measure(struct stream_host *host, int64_t now_ms)
{
    struct watch_feed *feed = host->watch_feed;
    if (feed == NULL || now_ms < feed->measure_at_ms)
        return;
    feed->measure_at_ms = now_ms + MEASURE_MS;
    if (feed->left == 0 || feed->measured == NULL) {
        feed->measured = feed->idle;
        feed->left = feed->members;
        feed->lag = 0;
    }
    watch_feed_measure_some(feed, watch_feed_engine(feed)->newest(host->engine));
    if (feed->left == 0 || feed->measured == NULL)
        atomic_store_explicit(&host->counters.watch_lag, feed->lag, memory_order_relaxed);
}

void watch_feed_advance(struct watch_member *member)
{
    struct watch_page *page = member->page;
    CHECK(page != NULL && page->readers > 0);
    page->readers--;
    member->page = page->next;
    if (member->page != NULL)
        member->page->readers++;
    if (!member->feed->is_running)
        watch_feed_trim(member->group);
}
