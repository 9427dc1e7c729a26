/* Queues of waiters, found by key. A key has few waiters or many, a shard few keys or many, so the
 * queues are lists and the table grows. */
#include "store/data/waiters.h"

#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS ((size_t)16)

/* A waiter's place in a queue. */
struct waiter_place {
    struct waiter *waiter;
    struct waiter_queue *queue;
    struct waiter_place *previous, *next;
};

struct waiter_queue {
    struct waiters *waiters; /* the table that it is in */
    struct waiter_queue *next;
    struct waiter_place *first, *last;
    uint64_t hash;
    uint32_t db;
    uint32_t key_size;
    bool is_ready; /* see the header */
    uint8_t key[];
};

/* ---- the table ---- */

void waiters_deinit(struct waiters *waiters)
{
    CHECK(atomic_load(&waiters->count) == 0);
    free(waiters->buckets);
}

/* The caller holds the lock of the shard, so nobody joins meanwhile (invariant 1). */
static bool waiters_are_none(struct waiters *waiters)
{
    return atomic_load_explicit(&waiters->count, memory_order_relaxed) == 0;
}

static struct waiter_queue **waiters_bucket(const struct waiters *waiters, uint64_t hash)
{
    return &waiters->buckets[hash & (waiters->bucket_count - 1)];
}

static struct waiter_queue *waiters_find(const struct waiters *waiters, uint32_t db,
                                         struct slice key, uint64_t hash)
{
    if (waiters->bucket_count == 0)
        return NULL;
    struct waiter_queue *queue = *waiters_bucket(waiters, hash);
    while (queue != NULL && (queue->hash != hash || queue->db != db ||
                             !slice_equal(slice_make(queue->key, queue->key_size), key)))
        queue = queue->next;
    return queue;
}

static void waiters_grow(struct waiters *waiters)
{
    struct waiters grown = {.bucket_count = waiters->bucket_count == 0 ? FIRST_BUCKETS
                                                                       : 2 * waiters->bucket_count};
    grown.buckets = mem_alloc_zero(grown.bucket_count * sizeof *grown.buckets);
    for (size_t i = 0; i < waiters->bucket_count; i++) {
        for (struct waiter_queue *queue = waiters->buckets[i], *next; queue != NULL; queue = next) {
            next = queue->next;
            struct waiter_queue **bucket = waiters_bucket(&grown, queue->hash);
            queue->next = *bucket;
            *bucket = queue;
        }
    }
    free(waiters->buckets);
    waiters->buckets = grown.buckets;
    waiters->bucket_count = grown.bucket_count;
}

static struct waiter_queue *waiters_add_queue(struct waiters *waiters, uint32_t db,
                                              const struct op_key *key)
{
    if (atomic_load_explicit(&waiters->count, memory_order_relaxed) >= waiters->bucket_count)
        waiters_grow(waiters);
    struct waiter_queue *queue = mem_alloc_zero(sizeof *queue + key->bytes.len);
    struct waiter_queue **bucket = waiters_bucket(waiters, key->hash);
    queue->waiters = waiters;
    queue->hash = key->hash;
    queue->db = db;
    queue->key_size = (uint32_t)key->bytes.len;
    slice_write(queue->key, key->bytes);
    queue->next = *bucket;
    *bucket = queue;
    atomic_fetch_add(&waiters->count, 1);
    return queue;
}

static void waiters_remove_queue(struct waiter_queue *queue)
{
    struct waiter_queue **link = waiters_bucket(queue->waiters, queue->hash);
    DCHECK(queue->first == NULL && queue->last == NULL);
    while (*link != queue)
        link = &(*link)->next;
    *link = queue->next;
    atomic_fetch_sub(&queue->waiters->count, 1);
    free(queue);
}

/* ---- queues ---- */

bool waiters_may_take(struct waiters *waiters, uint32_t db, const struct op_key *key,
                      const struct waiter *waiter)
{
    if (waiters_are_none(waiters))
        return true;
    mutex_lock(&waiters->lock);
    const struct waiter_queue *queue = waiters_find(waiters, db, key->bytes, key->hash);
    bool may_take = queue == NULL || queue->first->waiter == waiter;
    mutex_unlock(&waiters->lock);
    return may_take;
}

static void waiters_append(struct waiter_queue *queue, struct waiter_place *place)
{
    place->queue = queue;
    place->previous = queue->last;
    *(queue->last != NULL ? &queue->last->next : &queue->first) = place;
    queue->last = place;
}

void waiters_prepare(struct waiter *waiter, size_t key_count)
{
    CHECK(waiter->places == NULL || waiter->place_count == key_count);
    if (waiter->places != NULL)
        return;
    waiter->places = mem_alloc_zero(key_count * sizeof *waiter->places);
    waiter->place_count = key_count;
}

void waiters_join(struct waiters *waiters, uint32_t db, const struct op_key *key,
                  struct waiter *waiter, size_t i)
{
    DCHECK(key->hash != 0 && i < waiter->place_count);
    struct waiter_place *place = &waiter->places[i];
    mutex_lock(&waiters->lock);
    if (place->queue == NULL) {
        struct waiter_queue *queue = waiters_find(waiters, db, key->bytes, key->hash);
        place->waiter = waiter;
        waiters_append(queue != NULL ? queue : waiters_add_queue(waiters, db, key), place);
    }
    if (place->queue->first->waiter == waiter)
        place->queue->is_ready = false;
    mutex_unlock(&waiters->lock);
}

static void waiters_notify_first(struct waiter_queue *queue)
{
    struct waiter *waiter = queue->first->waiter;
    queue->is_ready = true;
    waiter->notify(waiter);
}

bool waiters_on_list(struct waiters *waiters, uint32_t db, struct slice key, uint64_t hash)
{
    if (waiters_are_none(waiters))
        return false;
    mutex_lock(&waiters->lock);
    struct waiter_queue *queue = waiters_find(waiters, db, key, hash);
    if (queue != NULL)
        waiters_notify_first(queue);
    mutex_unlock(&waiters->lock);
    return queue != NULL;
}

bool waiters_on_swap(struct waiters *waiters, uint32_t one, uint32_t other)
{
    bool notified = false;
    if (waiters_are_none(waiters))
        return false;
    mutex_lock(&waiters->lock);
    for (size_t i = 0; i < waiters->bucket_count; i++) {
        for (struct waiter_queue *queue = waiters->buckets[i]; queue != NULL; queue = queue->next) {
            if (queue->db != one && queue->db != other)
                continue;
            waiters_notify_first(queue);
            notified = true;
        }
    }
    mutex_unlock(&waiters->lock);
    return notified;
}

/* True if the next one in line was notified. */
static bool waiters_leave_queue(struct waiter_place *place)
{
    struct waiter_queue *queue = place->queue;
    bool was_first = queue->first == place;
    *(place->previous != NULL ? &place->previous->next : &queue->first) = place->next;
    *(place->next != NULL ? &place->next->previous : &queue->last) = place->previous;
    if (queue->first == NULL) {
        waiters_remove_queue(queue);
        return false;
    }
    bool is_next = was_first && queue->is_ready && queue->first->waiter != place->waiter;
    if (is_next)
        waiters_notify_first(queue);
    return is_next;
}

bool waiter_leave(struct waiter *waiter)
{
    bool notified = false;
    for (size_t i = 0; waiter->places != NULL && i < waiter->place_count; i++) {
        struct waiters *waiters = waiter->places[i].queue->waiters;
        mutex_lock(&waiters->lock);
        notified |= waiters_leave_queue(&waiter->places[i]);
        mutex_unlock(&waiters->lock);
    }
    free(waiter->places);
    waiter->places = NULL;
    return notified;
}
