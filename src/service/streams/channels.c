/*
 * One lock protects the table of channels and patterns and the workers' queues; it is held for the
 * time of a lookup and of the patterns' comparisons, never across a callback. Each channel and
 * pattern has a list of subscriptions for each worker, which changes under the lock, on that
 * worker's thread: so the worker can walk it without the lock, and publishers with it.
 *
 * A message refers to the channel and patterns that select it. To subscriptions that came later it
 * is an old one, by its number in the worker's queue; those that were removed are not in the lists.
 */
#include "service/streams/channels.h"

#include "base/check.h"
#include "base/glob.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/random.h"
#include "service/streams/published.h"
#include "service/streams/selector.h"

#include <stdlib.h>
#include <xxhash.h>

/* What ends a turn of a worker, about a millisecond: the messages passed on, counted once for each
 * subscription, or their bytes, counted once for all; and the subscriptions flushed, or the
 * connections written. Meanwhile more messages may come for the others, which are then written
 * together. */
#define TURN_PASSES  ((size_t)20000)
#define TURN_BYTES   ((size_t)256 * 1024)
#define TURN_FLUSHES ((size_t)4000)
#define TURN_WRITES  ((size_t)128)
#define MESSAGE_COST ((size_t)64)

/* Selectors that are added or removed while the lock is held. */
#define LOCKED_STEPS 100

/* Buckets of the first segment; each further segment doubles the table. */
#define FIRST_BUCKETS 16
#define MAX_SEGMENTS  40

struct channels_worker {
    /* Under the lock. */
    struct published_delivery *first, **last;
    size_t queued;
    uint64_t newest; /* the number of the last delivery */
    atomic_bool woken;
    struct waker waker;
    /* The worker's own: */
    struct published_delivery *taken; /* what it is to pass on; the first one goes */
    size_t at;                        /* to this one of its selectors, */
    struct selector_link *cursor;     /* and there to this one next */
    bool is_passing;                  /* the two are set */
    struct channels_subscription *ready, **last_ready; /* to be flushed, in this order */
};

struct channels {
    struct mutex mutex;
    unsigned worker_count;
    XXH64_hash_t secret;
    struct selector **segments[MAX_SEGMENTS];
    size_t buckets; /* in use; a table grows by one at a time (linear hashing) */
    size_t selectors, patterns;
    struct selector *first_pattern;
    struct selector **matched; /* of the message being published */
    size_t matched_capacity;
    uint64_t published;  /* messages that had a subscription */
    uint64_t operations; /* that have counted subscriptions */
    atomic_size_t subscriptions;
    struct channels_worker workers[];
};

/* ---- the table ---- */

static struct selector **channels_bucket(struct channels *channels, size_t index)
{
    size_t segment = 0, start = 0, size = FIRST_BUCKETS;
    if (index >= FIRST_BUCKETS) {
        segment = (size_t)(63 - __builtin_clzll(index / FIRST_BUCKETS)) + 1;
        start = size = (size_t)FIRST_BUCKETS << (segment - 1);
    }
    if (channels->segments[segment] == NULL)
        channels->segments[segment] = mem_alloc_zero(size * sizeof(struct selector *));
    return &channels->segments[segment][index - start];
}

/* The bucket of a hash, of a table of `buckets` buckets. */
static size_t channels_index(uint64_t hash, size_t buckets)
{
    size_t half = (size_t)1 << (63 - __builtin_clzll(buckets));
    size_t index = hash & (2 * half - 1);
    return index < buckets ? index : index - half;
}

static uint64_t channels_hash(const struct channels *channels, struct slice name, bool is_pattern)
{
    return XXH3_64bits_withSeed(name.data, name.len, channels->secret + is_pattern);
}

static struct selector *channels_find(struct channels *channels, uint64_t hash, struct slice name,
                                      bool is_pattern)
{
    struct selector *at = *channels_bucket(channels, channels_index(hash, channels->buckets));
    while (at != NULL &&
           (at->hash != hash || at->is_pattern != is_pattern || !slice_equal(at->name, name)))
        at = at->next;
    return at;
}

/* Adds a bucket, which gets its part of the one that it splits. */
static void channels_grow(struct channels *channels)
{
    size_t added = channels->buckets++;
    struct selector *at, *next;
    size_t half = (size_t)1 << (63 - __builtin_clzll(added));
    struct selector **from = channels_bucket(channels, added - half);
    at = *from;
    *from = NULL;
    for (; at != NULL; at = next) {
        struct selector **bucket =
            channels_bucket(channels, channels_index(at->hash, channels->buckets));
        next = at->next;
        at->next = *bucket;
        *bucket = at;
    }
}

static void channels_list_pattern(struct channels *channels, struct selector *pattern)
{
    pattern->next_pattern = channels->first_pattern;
    pattern->pattern_link = &channels->first_pattern;
    if (pattern->next_pattern != NULL)
        pattern->next_pattern->pattern_link = &pattern->next_pattern;
    channels->first_pattern = pattern;
    channels->patterns++;
}

static struct selector *channels_add(struct channels *channels, uint64_t hash, struct slice name,
                                     bool is_pattern)
{
    size_t lists = channels->worker_count * sizeof(struct selector_list);
    struct selector *selector = mem_alloc_zero(sizeof *selector + lists + name.len);
    uint8_t *copy = (uint8_t *)selector + sizeof *selector + lists;
    if (channels->selectors >= channels->buckets)
        channels_grow(channels);
    slice_write(copy, name);
    atomic_init(&selector->holders, 1);
    selector->hash = hash;
    selector->name = slice_make(copy, name.len);
    selector->is_pattern = is_pattern;
    selector->sequence = channels->published;
    for (unsigned i = 0; i < channels->worker_count; i++)
        selector->lists[i].last = &selector->lists[i].first;
    struct selector **bucket = channels_bucket(channels, channels_index(hash, channels->buckets));
    selector->next = *bucket;
    *bucket = selector;
    channels->selectors++;
    if (is_pattern)
        channels_list_pattern(channels, selector);
    return selector;
}

static void channels_remove(struct channels *channels, struct selector *selector)
{
    struct selector **at =
        channels_bucket(channels, channels_index(selector->hash, channels->buckets));
    while (*at != selector)
        at = &(*at)->next;
    *at = selector->next;
    channels->selectors--;
    if (selector->is_pattern) {
        *selector->pattern_link = selector->next_pattern;
        if (selector->next_pattern != NULL)
            selector->next_pattern->pattern_link = selector->pattern_link;
        channels->patterns--;
    }
    selector_release(selector);
}

/* ---- subscriptions to flush ---- */

static void channels_note_ready(struct channels_worker *worker,
                                struct channels_subscription *subscription)
{
    if (subscription->link != NULL)
        return;
    subscription->next = NULL;
    subscription->link = worker->last_ready;
    *worker->last_ready = subscription;
    worker->last_ready = &subscription->next;
}

static void channels_forget_ready(struct channels_worker *worker,
                                  struct channels_subscription *subscription)
{
    if (subscription->link == NULL)
        return;
    *subscription->link = subscription->next;
    if (subscription->next != NULL)
        subscription->next->link = subscription->link;
    else
        worker->last_ready = subscription->link;
    subscription->link = NULL;
}

/* ---- subscriptions ---- */

/* A duplicate is the last one in the list, for nobody else adds to it meanwhile. */
static bool channels_is_linked(const struct selector_list *list,
                               const struct channels_subscription *subscription)
{
    if (list->first == NULL)
        return false;
    const struct selector_link *last =
        (const struct selector_link *)(const void *)((const char *)list->last -
                                                     offsetof(struct selector_link, next));
    return last->subscription == subscription;
}

static void channels_link(struct channels *channels, struct channels_subscription *subscription,
                          struct slice name, bool is_pattern)
{
    uint64_t hash = channels_hash(channels, name, is_pattern);
    struct selector *selector = channels_find(channels, hash, name, is_pattern);
    if (selector == NULL)
        selector = channels_add(channels, hash, name, is_pattern);
    struct selector_list *list = &selector->lists[subscription->worker];
    if (channels_is_linked(list, subscription))
        return;
    struct selector_link *link = &subscription->links[subscription->link_count++];
    *link = (struct selector_link){.link = list->last,
                                   .selector = selector,
                                   .subscription = subscription,
                                   .since = channels->workers[subscription->worker].newest};
    *list->last = link;
    list->last = &link->next;
    list->count++;
    selector->count++;
}

size_t channels_memory(const struct channels *channels, const struct slice *names, size_t count)
{
    size_t each = sizeof(struct selector) + sizeof(struct selector_link) +
                  channels->worker_count * sizeof(struct selector_list);
    size_t memory = count * each;
    for (size_t i = 0; i < count; i++)
        memory += names[i].len;
    return memory;
}

bool channels_subscribe(struct channels *channels, struct channels_subscription *subscription,
                        const struct slice *names, size_t name_count, const struct slice *patterns,
                        size_t pattern_count)
{
    DCHECK(subscription->links == NULL && name_count + pattern_count > 0);
    mutex_lock(&channels->mutex);
    bool fits = pattern_count == 0 || channels->patterns + pattern_count <= CHANNELS_PATTERNS;
    mutex_unlock(&channels->mutex);
    if (!fits)
        return false;
    subscription->links = mem_alloc((name_count + pattern_count) * sizeof *subscription->links);
    subscription->link_count = 0;
    mutex_lock(&channels->mutex);
    for (size_t i = 0; i < name_count + pattern_count; i++) {
        bool is_pattern = i >= name_count;
        channels_link(channels, subscription, is_pattern ? patterns[i - name_count] : names[i],
                      is_pattern);
        if (i % LOCKED_STEPS == LOCKED_STEPS - 1) {
            mutex_unlock(&channels->mutex);
            mutex_lock(&channels->mutex);
        }
    }
    mutex_unlock(&channels->mutex);
    atomic_fetch_add(&channels->subscriptions, 1);
    return true;
}

static void channels_unlink(struct channels *channels, struct selector_link *link)
{
    struct selector *selector = link->selector;
    struct channels_worker *worker = &channels->workers[link->subscription->worker];
    struct selector_list *list = &selector->lists[link->subscription->worker];
    if (worker->cursor == link)
        worker->cursor = link->next;
    *link->link = link->next;
    if (link->next != NULL)
        link->next->link = link->link;
    else
        list->last = link->link;
    list->count--;
    if (--selector->count == 0)
        channels_remove(channels, selector);
}

void channels_unsubscribe(struct channels *channels, struct channels_subscription *subscription)
{
    if (subscription->links == NULL)
        return;
    channels_forget_ready(&channels->workers[subscription->worker], subscription);
    atomic_fetch_sub(&channels->subscriptions, 1);
    mutex_lock(&channels->mutex);
    for (size_t i = 0; i < subscription->link_count; i++) {
        channels_unlink(channels, &subscription->links[i]);
        if (i % LOCKED_STEPS == LOCKED_STEPS - 1) {
            mutex_unlock(&channels->mutex);
            mutex_lock(&channels->mutex);
        }
    }
    mutex_unlock(&channels->mutex);
    free(subscription->links);
    subscription->links = NULL;
}

/* ---- publishing ---- */

static void channels_note_match(struct channels *channels, struct selector *selector, size_t *count)
{
    if (*count == channels->matched_capacity) {
        channels->matched_capacity = *count > 0 ? *count * 2 : 8;
        channels->matched =
            mem_realloc(channels->matched, channels->matched_capacity * sizeof(struct selector *));
    }
    channels->matched[(*count)++] = selector;
}

/* Finds what selects the channel, the channel itself first. */
static size_t channels_match(struct channels *channels, struct slice name)
{
    size_t count = 0;
    struct selector *channel =
        channels_find(channels, channels_hash(channels, name, false), name, false);
    if (channel != NULL)
        channels_note_match(channels, channel, &count);
    for (struct selector *at = channels->first_pattern; at != NULL; at = at->next_pattern)
        if (glob_match(at->name, name))
            channels_note_match(channels, at, &count);
    return count;
}

/* Counts the subscriptions of the worker in the lists; if they lose that message, each is noted. */
static size_t channels_visit(struct channels *channels, struct selector *const *selectors,
                             size_t count, unsigned worker, const struct published_delivery *lost)
{
    size_t visited = 0;
    uint64_t number = ++channels->operations;
    for (size_t i = 0; i < count; i++) {
        struct selector_link *at = selectors[i]->lists[worker].first;
        for (; at != NULL; at = at->next) {
            if (at->subscription->counted == number || (lost != NULL && at->since >= lost->number))
                continue;
            at->subscription->counted = number;
            visited++;
            if (lost != NULL)
                atomic_fetch_add_explicit(&at->subscription->lost, 1, memory_order_relaxed);
        }
    }
    return visited;
}

/* The subscriptions of the worker that the message is for. */
static size_t channels_select(struct channels *channels, size_t count, unsigned worker)
{
    if (count == 1)
        return channels->matched[0]->lists[worker].count;
    return channels_visit(channels, channels->matched, count, worker, NULL);
}

/* Drops the oldest message that waits for the worker, and returns it for the caller to release. */
static struct published *channels_drop_oldest(struct channels *channels, unsigned number)
{
    struct channels_worker *worker = &channels->workers[number];
    struct published_delivery *oldest = worker->first;
    channels_visit(channels, oldest->message->selectors, oldest->message->selector_count, number,
                   oldest);
    worker->first = oldest->next;
    worker->queued--;
    return oldest->message;
}

/* Returns a message that had to go for it, or NULL. */
static struct published *channels_queue(struct channels *channels, unsigned number,
                                        struct published *message)
{
    struct channels_worker *worker = &channels->workers[number];
    struct published_delivery *delivery = &message->deliveries[number];
    struct published *dropped =
        worker->queued == CHANNELS_QUEUE ? channels_drop_oldest(channels, number) : NULL;
    published_retain(message);
    delivery->number = ++worker->newest;
    delivery->wakes = !atomic_load_explicit(&worker->woken, memory_order_relaxed);
    atomic_store_explicit(&worker->woken, true, memory_order_relaxed);
    *worker->last = delivery;
    worker->last = &delivery->next;
    worker->queued++;
    return dropped;
}

/* Numbers the message and lets it know what selects it. */
static void channels_stamp(struct channels *channels, struct published *message, size_t count)
{
    struct selector *channel = channels->matched[0];
    channels->published++;
    message->sequence = channel->is_pattern ? channels->published : ++channel->sequence;
    message->selectors = mem_alloc(count * sizeof(struct selector *));
    message->selector_count = count;
    for (size_t i = 0; i < count; i++) {
        message->selectors[i] = channels->matched[i];
        selector_retain(channels->matched[i]);
    }
}

uint64_t channels_publish(struct channels *channels, struct published *message)
{
    uint64_t subscriptions = 0;
    struct published *dropped[channels->worker_count];
    size_t dropped_count = 0;
    mutex_lock(&channels->mutex);
    size_t count = channels_match(channels, message->channel);
    if (count > 0)
        channels_stamp(channels, message, count);
    for (unsigned i = 0; count > 0 && i < channels->worker_count; i++) {
        size_t selected = channels_select(channels, count, i);
        subscriptions += selected;
        if (selected > 0)
            dropped[dropped_count++] = channels_queue(channels, i, message);
    }
    mutex_unlock(&channels->mutex);
    for (unsigned i = 0; i < channels->worker_count; i++)
        if (message->deliveries[i].wakes)
            waker_wake(channels->workers[i].waker);
    for (size_t i = 0; i < dropped_count; i++)
        if (dropped[i] != NULL)
            published_release(dropped[i]);
    return subscriptions;
}

/* ---- delivery ---- */

static void channels_take_queue(struct channels *channels, struct channels_worker *worker)
{
    mutex_lock(&channels->mutex);
    worker->taken = worker->first;
    worker->first = NULL;
    worker->last = &worker->first;
    worker->queued = 0;
    if (worker->taken == NULL)
        atomic_store_explicit(&worker->woken, false, memory_order_relaxed);
    mutex_unlock(&channels->mutex);
}

/* Passes the message on as far as `left` allows, which it lowers; true if all have it. */
static bool channels_pass_on(struct channels_worker *worker, unsigned number, size_t *left)
{
    struct published_delivery *delivery = worker->taken;
    const struct published *message = delivery->message;
    if (!worker->is_passing) {
        worker->is_passing = true;
        worker->at = 0;
        worker->cursor = message->selectors[0]->lists[number].first;
        delivery->holders = 1; /* while it is passed on */
    }
    for (;;) {
        while (worker->cursor != NULL) {
            if (*left == 0)
                return false;
            const struct selector_link *link = worker->cursor;
            struct channels_subscription *subscription = link->subscription;
            worker->cursor = link->next;
            --*left;
            if (link->since >= delivery->number || subscription->seen >= delivery->number)
                continue;
            subscription->seen = delivery->number;
            if (subscription->receive(subscription, delivery))
                channels_note_ready(worker, subscription);
        }
        if (++worker->at == message->selector_count)
            break;
        worker->cursor = message->selectors[worker->at]->lists[number].first;
    }
    worker->is_passing = false;
    return true;
}

/* Passes on what is queued, within a turn. False if some is left. */
static bool channels_pass_turn(struct channels *channels, unsigned number)
{
    struct channels_worker *worker = &channels->workers[number];
    size_t left = TURN_PASSES, bytes = 0;
    for (;;) {
        if (worker->taken == NULL)
            channels_take_queue(channels, worker);
        struct published_delivery *delivery = worker->taken;
        if (delivery == NULL)
            return true;
        if (bytes >= TURN_BYTES || !channels_pass_on(worker, number, &left))
            return false;
        bytes += published_size(delivery->message, 0) + MESSAGE_COST;
        worker->taken = delivery->next;
        published_leave(delivery);
    }
}

/* Flushes subscriptions that have messages, within a turn. False if some are left. */
static bool channels_flush_turn(struct channels_worker *worker)
{
    const void *connection = NULL;
    size_t writes = 0;
    for (size_t flushes = 0; worker->ready != NULL; flushes++) {
        struct channels_subscription *subscription = worker->ready;
        writes += subscription->connection != connection;
        if (flushes == TURN_FLUSHES || writes > TURN_WRITES)
            return false;
        connection = subscription->connection;
        channels_forget_ready(worker, subscription);
        subscription->flush(subscription);
    }
    return true;
}

void channels_deliver(struct channels *channels, unsigned number)
{
    struct channels_worker *worker = &channels->workers[number];
    bool done = true;
    if (atomic_load_explicit(&worker->woken, memory_order_relaxed))
        done = channels_pass_turn(channels, number);
    if (!channels_flush_turn(worker) || !done)
        waker_wake(worker->waker);
}

/* ---- life ---- */

static void channels_worker_init(struct channels_worker *worker)
{
    worker->last = &worker->first;
    worker->last_ready = &worker->ready;
}

struct channels *channels_new(unsigned workers)
{
    struct channels *channels =
        mem_alloc_zero(sizeof *channels + workers * sizeof channels->workers[0]);
    channels->worker_count = workers;
    channels->buckets = FIRST_BUCKETS;
    random_fill(&channels->secret, sizeof channels->secret);
    for (unsigned i = 0; i < workers; i++)
        channels_worker_init(&channels->workers[i]);
    return channels;
}

static void channels_drop_all(struct published_delivery *delivery)
{
    while (delivery != NULL) {
        struct published_delivery *next = delivery->next;
        published_release(delivery->message);
        delivery = next;
    }
}

void channels_free(struct channels *channels)
{
    if (channels == NULL)
        return;
    CHECK(channels->selectors == 0 && channels->first_pattern == NULL);
    for (unsigned i = 0; i < channels->worker_count; i++) {
        channels_drop_all(channels->workers[i].taken);
        channels_drop_all(channels->workers[i].first);
    }
    for (size_t i = 0; i < MAX_SEGMENTS; i++)
        free(channels->segments[i]);
    free(channels->matched);
    free(channels);
}

void channels_set_waker(struct channels *channels, unsigned worker, struct waker waker)
{
    CHECK(worker < channels->worker_count);
    channels->workers[worker].waker = waker;
}

size_t channels_workers(const struct channels *channels)
{
    return channels->worker_count;
}

bool channels_has_subscriptions(const struct channels *channels)
{
    return atomic_load_explicit(&channels->subscriptions, memory_order_acquire) > 0;
}

struct channels_counts channels_count(struct channels *channels)
{
    mutex_lock(&channels->mutex);
    struct channels_counts counts = {.channels = channels->selectors - channels->patterns,
                                     .patterns = channels->patterns,
                                     .subscriptions = atomic_load(&channels->subscriptions)};
    mutex_unlock(&channels->mutex);
    return counts;
}
