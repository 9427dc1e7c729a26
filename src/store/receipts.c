/*
 * A hash table of ids in shards, each with a lock that is held for a moment, and a ring of what is
 * kept, in the order in which it was. Knows neither methods nor messages.
 *
 * A receipt as bytes: 1 (the version), the length of the id (1 byte), the id, the print (16), the
 * time of the write in Unix milliseconds (8), 1 or 0 (whether the reply follows), the reply;
 * numbers are little-endian.
 */
#include "store/receipts.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/mutex.h"
#include "base/random.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#define SHARDS 16
/* With fewer per shard there is only one, so that the limit is exact. */
#define LEAST_PER_SHARD 256
#define FIRST_BUCKETS   16
#define FIRST_SLOTS     16
/* Receipts that are saved, or forgotten, under one hold of the lock. */
#define STEP 64

#define FORMAT    1
#define HEAD_SIZE ((size_t)2)  /* up to the id, */
#define TAIL_SIZE ((size_t)25) /* and from there to the reply */

struct receipt {
    struct receipt *next; /* in its bucket */
    uint64_t hash;
    struct receipts_print print;
    int64_t at_ms;
    bool is_kept;
    struct receipts_waiter *waiters; /* unless it is kept */
    /* If it is. */
    uint64_t number; /* in the ring */
    uint64_t revision;
    bool is_logged; /* the revision is that of its own commit */
    bool has_reply;
    uint32_t reply_size;
    uint8_t *reply;
    uint8_t id_size;
    uint8_t id[];
};

struct receipts_shard {
    struct mutex lock;
    struct receipt **buckets;
    size_t bucket_count, count; /* count: claimed and kept */
    struct receipt **ring; /* a kept one is at its number mod `slots`; NULL: it was forgotten */
    size_t slots;
    uint64_t first, end; /* numbers in the ring */
    size_t kept, bytes;
    uint64_t repeated, dropped;
};

struct receipts {
    uint64_t seed;
    size_t shard_count;
    size_t most_count, most_bytes; /* of a shard */
    int64_t age_ms;
    struct receipts_shard shards[SHARDS];
};

struct receipts *receipts_new(const struct receipts_options *options)
{
    CHECK(options->most_count > 0);
    struct receipts *receipts = mem_alloc_zero(sizeof *receipts);
    receipts->shard_count = options->most_count >= (size_t)SHARDS * LEAST_PER_SHARD ? SHARDS : 1;
    receipts->most_count = options->most_count / receipts->shard_count;
    receipts->most_bytes = options->most_bytes / receipts->shard_count;
    receipts->age_ms = options->age_ms;
    random_fill(&receipts->seed, sizeof receipts->seed);
    for (size_t i = 0; i < receipts->shard_count; i++) {
        struct receipts_shard *shard = &receipts->shards[i];
        shard->bucket_count = FIRST_BUCKETS;
        shard->buckets = mem_alloc_zero(FIRST_BUCKETS * sizeof *shard->buckets);
        shard->slots = FIRST_SLOTS;
        shard->ring = mem_alloc_zero(FIRST_SLOTS * sizeof(struct receipt *));
    }
    return receipts;
}

/* ---- a shard, which is locked ---- */

static struct receipts_shard *receipts_shard_of(struct receipts *receipts, uint64_t hash)
{
    return &receipts->shards[(hash >> 32) % receipts->shard_count];
}

static struct receipt **receipts_bucket(struct receipts_shard *shard, uint64_t hash)
{
    return &shard->buckets[hash & (shard->bucket_count - 1)];
}

static struct receipt *receipts_find(struct receipts_shard *shard, uint64_t hash, struct slice id)
{
    struct receipt *receipt = *receipts_bucket(shard, hash);
    while (receipt != NULL &&
           (receipt->hash != hash || !slice_equal(slice_make(receipt->id, receipt->id_size), id)))
        receipt = receipt->next;
    return receipt;
}

static void receipts_grow_buckets(struct receipts_shard *shard)
{
    size_t former_count = shard->bucket_count;
    struct receipt **former = shard->buckets;
    shard->bucket_count *= 2;
    shard->buckets = mem_alloc_zero(shard->bucket_count * sizeof *shard->buckets);
    for (size_t i = 0; i < former_count; i++) {
        for (struct receipt *each = former[i], *next; each != NULL; each = next) {
            struct receipt **bucket = receipts_bucket(shard, each->hash);
            next = each->next;
            each->next = *bucket;
            *bucket = each;
        }
    }
    free(former);
}

static struct receipt *receipts_add(struct receipts_shard *shard, uint64_t hash, struct slice id)
{
    if (shard->count >= shard->bucket_count)
        receipts_grow_buckets(shard);
    struct receipt *receipt = mem_alloc_zero(sizeof *receipt + id.len);
    struct receipt **bucket = receipts_bucket(shard, hash);
    receipt->hash = hash;
    receipt->id_size = (uint8_t)id.len;
    memcpy(receipt->id, id.data, id.len);
    receipt->next = *bucket;
    *bucket = receipt;
    shard->count++;
    return receipt;
}

/* What a kept one takes, with its places in the table and the ring, and what malloc() adds. */
static size_t receipts_memory(const struct receipt *receipt)
{
    size_t reply = receipt->reply_size > 0 ? receipt->reply_size + 2 * sizeof(size_t) : 0;
    return sizeof *receipt + receipt->id_size + reply + 6 * sizeof(void *);
}

static void receipts_remove(struct receipts_shard *shard, struct receipt *receipt)
{
    struct receipt **link = receipts_bucket(shard, receipt->hash);
    while (*link != receipt)
        link = &(*link)->next;
    *link = receipt->next;
    shard->count--;
    if (receipt->is_kept) {
        size_t memory = receipts_memory(receipt);
        DCHECK(shard->kept > 0 && shard->bytes >= memory);
        shard->ring[receipt->number & (shard->slots - 1)] = NULL;
        shard->kept--;
        shard->bytes -= memory;
    }
    DCHECK(receipt->waiters == NULL);
    free(receipt->reply);
    free(receipt);
}

/* The oldest one that is kept; NULL: there is none. */
static struct receipt *receipts_oldest(struct receipts_shard *shard)
{
    while (shard->first < shard->end && shard->ring[shard->first & (shard->slots - 1)] == NULL)
        shard->first++;
    return shard->first < shard->end ? shard->ring[shard->first & (shard->slots - 1)] : NULL;
}

static void receipts_grow_ring(struct receipts_shard *shard)
{
    size_t former_slots = shard->slots;
    struct receipt **former = shard->ring;
    shard->slots *= 2;
    shard->ring = mem_alloc_zero(shard->slots * sizeof(struct receipt *));
    for (uint64_t each = shard->first; each < shard->end; each++)
        shard->ring[each & (shard->slots - 1)] = former[each & (former_slots - 1)];
    free(former);
}

static bool receipts_is_old(const struct receipts *receipts, const struct receipt *receipt,
                            int64_t now_ms)
{
    return receipt->at_ms + receipts->age_ms <= now_ms;
}

/* Forgets the oldest ones while there are too many. */
static void receipts_trim(struct receipts *receipts, struct receipts_shard *shard)
{
    struct receipt *oldest;
    while ((shard->kept > receipts->most_count || shard->bytes > receipts->most_bytes) &&
           (oldest = receipts_oldest(shard)) != NULL) {
        receipts_remove(shard, oldest);
        shard->dropped++;
    }
}

/* Forgets some that are too old. */
static void receipts_trim_old(struct receipts *receipts, struct receipts_shard *shard,
                              int64_t now_ms, size_t most)
{
    struct receipt *oldest;
    while (most-- > 0 && (oldest = receipts_oldest(shard)) != NULL &&
           receipts_is_old(receipts, oldest, now_ms))
        receipts_remove(shard, oldest);
}

/* Takes ownership of the reply. */
static void receipts_put(struct receipts *receipts, struct receipts_shard *shard,
                         struct receipt *receipt, uint8_t *reply, size_t size)
{
    receipt->reply = reply;
    receipt->reply_size = (uint32_t)size;
    receipt->is_kept = true;
    receipts_oldest(shard); /* passes what was forgotten */
    if (shard->end - shard->first == shard->slots)
        receipts_grow_ring(shard);
    receipt->number = shard->end++;
    shard->ring[receipt->number & (shard->slots - 1)] = receipt;
    size_t memory = receipts_memory(receipt);
    shard->kept++;
    shard->bytes += memory;
    receipts_trim(receipts, shard);
}

static void receipts_wake_waiters(struct receipt *receipt)
{
    while (receipt->waiters != NULL) {
        struct receipts_waiter *waiter = receipt->waiters;
        struct waker waker = waiter->waker;
        receipt->waiters = waiter->next;
        waiter->receipt = NULL;
        waiter->previous = waiter->next = NULL;
        waker_wake(waker);
    }
}

static void receipts_stop_waiting(struct receipts_waiter *waiter)
{
    struct receipt *receipt = waiter->receipt;
    if (receipt == NULL)
        return;
    *(waiter->previous != NULL ? &waiter->previous->next : &receipt->waiters) = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    waiter->receipt = NULL;
    waiter->previous = waiter->next = NULL;
}

static void receipts_wait(struct receipts_shard *shard, struct receipt *receipt,
                          struct receipts_waiter *waiter)
{
    receipts_stop_waiting(waiter);
    waiter->shard = shard;
    waiter->receipt = receipt;
    waiter->previous = NULL;
    waiter->next = receipt->waiters;
    if (waiter->next != NULL)
        waiter->next->previous = waiter;
    receipt->waiters = waiter;
}

/* ---- calls ---- */

static uint64_t receipts_hash(const struct receipts *receipts, struct slice id)
{
    CHECK(id.len > 0 && id.len <= RECEIPTS_MOST_ID);
    return XXH3_64bits_withSeed(id.data, id.len, receipts->seed);
}

static enum receipts_answer receipts_answer_found(struct receipts_shard *shard,
                                                  struct receipt *receipt,
                                                  struct receipts_claim *claim)
{
    if (receipt->print.high != claim->print.high || receipt->print.low != claim->print.low)
        return RECEIPTS_OTHER;
    if (!receipt->is_kept) {
        receipts_wait(shard, receipt, claim->waiter);
        return RECEIPTS_BUSY;
    }
    bool fits = buf_append(&claim->reply, slice_make(receipt->reply, receipt->reply_size));
    CHECK(fits); /* it has at most RECEIPTS_MOST_REPLY */
    claim->has_reply = receipt->has_reply;
    claim->revision = receipt->revision;
    shard->repeated++;
    return RECEIPTS_REPEATED;
}

enum receipts_answer receipts_claim(struct receipts *receipts, struct receipts_claim *claim)
{
    uint64_t hash = receipts_hash(receipts, claim->id);
    struct receipts_shard *shard = receipts_shard_of(receipts, hash);
    enum receipts_answer answer = RECEIPTS_NEW;
    mutex_lock(&shard->lock);
    receipts_trim_old(receipts, shard, claim->now_ms, 2);
    struct receipt *receipt = receipts_find(shard, hash, claim->id);
    if (receipt != NULL && receipt->is_kept && receipts_is_old(receipts, receipt, claim->now_ms)) {
        receipts_remove(shard, receipt);
        receipt = NULL;
    }
    if (receipt != NULL) {
        answer = receipts_answer_found(shard, receipt, claim);
    } else {
        claim->receipt = receipts_add(shard, hash, claim->id);
        claim->receipt->print = claim->print;
    }
    mutex_unlock(&shard->lock);
    return answer;
}

void receipts_leave(struct receipts_waiter *waiter)
{
    struct receipts_shard *shard = waiter->shard;
    if (shard == NULL)
        return;
    mutex_lock(&shard->lock);
    receipts_stop_waiting(waiter);
    mutex_unlock(&shard->lock);
    waiter->shard = NULL;
}

/* ---- as bytes ---- */

static void receipts_append_number(struct buf *out, uint64_t number)
{
    for (int i = 0; i < 8; i++)
        out->data[out->len++] = (uint8_t)(number >> 8 * i);
}

static uint64_t receipts_read_number(const uint8_t *bytes)
{
    uint64_t number = 0;
    for (int i = 7; i >= 0; i--)
        number = number << 8 | bytes[i];
    return number;
}

static void receipts_append_bytes(struct buf *out, const void *bytes, size_t size)
{
    if (size > 0)
        memcpy(out->data + out->len, bytes, size);
    out->len += size;
}

static void receipts_write(const struct receipt *receipt, bool has_reply, struct slice reply,
                           struct buf *out)
{
    const uint8_t head[HEAD_SIZE] = {FORMAT, receipt->id_size};
    const uint8_t flag = has_reply;
    const uint8_t *space = buf_reserve(out, HEAD_SIZE + receipt->id_size + TAIL_SIZE + reply.len);
    CHECK(space != NULL); /* the limit is the caller's, who knows the longest reply */
    receipts_append_bytes(out, head, sizeof head);
    receipts_append_bytes(out, receipt->id, receipt->id_size);
    receipts_append_number(out, receipt->print.high);
    receipts_append_number(out, receipt->print.low);
    receipts_append_number(out, (uint64_t)receipt->at_ms);
    receipts_append_bytes(out, &flag, 1);
    receipts_append_bytes(out, reply.data, reply.len);
}

/* A receipt as it was written. */
struct receipts_record {
    struct slice id;
    struct receipts_print print;
    int64_t at_ms;
    bool has_reply;
    struct slice reply;
};

static bool receipts_read(struct slice bytes, struct receipts_record *record)
{
    if (bytes.len < HEAD_SIZE + TAIL_SIZE || bytes.data[0] != FORMAT)
        return false;
    size_t id_size = bytes.data[1];
    if (id_size == 0 || id_size > RECEIPTS_MOST_ID || bytes.len < HEAD_SIZE + id_size + TAIL_SIZE)
        return false;
    const uint8_t *tail = bytes.data + HEAD_SIZE + id_size;
    *record = (struct receipts_record){
        .id = slice_make(bytes.data + HEAD_SIZE, id_size),
        .print = {receipts_read_number(tail), receipts_read_number(tail + 8)},
        .at_ms = (int64_t)receipts_read_number(tail + 16),
        .has_reply = tail[24] == 1,
        .reply = slice_skip(bytes, HEAD_SIZE + id_size + TAIL_SIZE)};
    bool is_flag = tail[24] == 1 || (tail[24] == 0 && record->reply.len == 0);
    return is_flag && record->at_ms >= 0 && record->at_ms <= INT64_MAX / 2 &&
           record->reply.len <= RECEIPTS_MOST_REPLY;
}

bool receipts_is_valid(struct slice record)
{
    struct receipts_record read;
    return receipts_read(record, &read);
}

/* ---- the end of a claim ---- */

static uint8_t *receipts_copy(struct slice bytes)
{
    if (bytes.len == 0)
        return NULL;
    uint8_t *copy = mem_alloc(bytes.len);
    memcpy(copy, bytes.data, bytes.len);
    return copy;
}

void receipts_keep(struct receipts *receipts, struct receipt *receipt, int64_t now_ms,
                   uint64_t revision, const struct slice *reply, struct buf *record)
{
    struct receipts_shard *shard = receipts_shard_of(receipts, receipt->hash);
    struct slice kept = reply != NULL ? *reply : slice_make(NULL, 0);
    uint8_t *copy = receipts_copy(kept);
    CHECK(kept.len <= RECEIPTS_MOST_REPLY);
    receipt->at_ms = now_ms; /* only its claim looks at it before it is kept */
    if (record != NULL)
        receipts_write(receipt, reply != NULL, kept, record);
    mutex_lock(&shard->lock);
    CHECK(!receipt->is_kept);
    receipt->revision = revision;
    receipt->is_logged = record != NULL;
    receipt->has_reply = reply != NULL;
    receipts_wake_waiters(receipt);
    receipts_put(receipts, shard, receipt, copy, kept.len);
    mutex_unlock(&shard->lock);
}

void receipts_release(struct receipts *receipts, struct receipt *receipt)
{
    struct receipts_shard *shard = receipts_shard_of(receipts, receipt->hash);
    mutex_lock(&shard->lock);
    CHECK(!receipt->is_kept);
    receipts_wake_waiters(receipt);
    receipts_remove(shard, receipt);
    mutex_unlock(&shard->lock);
}

/* ---- across restarts ---- */

bool receipts_restore(struct receipts *receipts, struct slice record, uint64_t revision)
{
    struct receipts_record read;
    if (!receipts_read(record, &read))
        return false;
    uint64_t hash = receipts_hash(receipts, read.id);
    struct receipts_shard *shard = receipts_shard_of(receipts, hash);
    mutex_lock(&shard->lock);
    struct receipt *former = receipts_find(shard, hash, read.id);
    CHECK(former == NULL || former->is_kept); /* there are no calls yet */
    if (former != NULL)
        receipts_remove(shard, former);
    struct receipt *receipt = receipts_add(shard, hash, read.id);
    receipt->print = read.print;
    receipt->at_ms = read.at_ms;
    receipt->revision = revision;
    receipt->is_logged = true;
    receipt->has_reply = read.has_reply;
    receipts_put(receipts, shard, receipt, receipts_copy(read.reply), read.reply.len);
    mutex_unlock(&shard->lock);
    return true;
}

/* Appends the receipts with the next numbers, as many as one hold of the lock allows, each after
 * its length. False: there are no more. */
static bool receipts_save_some(struct receipts_shard *shard, uint64_t revision, uint64_t *number,
                               struct buf *out)
{
    mutex_lock(&shard->lock);
    if (*number < shard->first)
        *number = shard->first;
    uint64_t end = shard->end - *number < STEP ? shard->end : *number + STEP;
    for (; *number < end && out->len < RECEIPTS_MOST_REPLY; ++*number) {
        const struct receipt *receipt = shard->ring[*number & (shard->slots - 1)];
        if (receipt == NULL || !receipt->is_logged || receipt->revision > revision)
            continue;
        size_t at = out->len;
        bool fits = buf_reserve(out, sizeof(size_t)) != NULL;
        CHECK(fits); /* the buffer has no limit */
        out->len += sizeof(size_t);
        receipts_write(receipt, receipt->has_reply, slice_make(receipt->reply, receipt->reply_size),
                       out);
        size_t size = out->len - at - sizeof(size_t);
        memcpy(out->data + at, &size, sizeof size);
    }
    bool more = *number < shard->end;
    mutex_unlock(&shard->lock);
    return more;
}

void receipts_save(struct receipts *receipts, uint64_t revision,
                   bool (*save)(void *user, struct slice record), void *user)
{
    struct buf some;
    bool good = true;
    buf_init_for(&some, SIZE_MAX / 4, ACCOUNT_JOURNAL);
    for (size_t i = 0; i < receipts->shard_count && good; i++) {
        uint64_t number = 0;
        bool more = true;
        while (more && good) {
            some.len = 0;
            more = receipts_save_some(&receipts->shards[i], revision, &number, &some);
            for (struct slice left = buf_slice(&some); left.len > 0 && good;) {
                size_t size;
                memcpy(&size, left.data, sizeof size);
                left = slice_skip(left, sizeof size);
                good = save(user, slice_make(left.data, size));
                left = slice_skip(left, size);
            }
        }
    }
    buf_deinit(&some);
}

/* ---- all together ---- */

void receipts_expire(struct receipts *receipts, int64_t now_ms)
{
    for (size_t i = 0; i < receipts->shard_count; i++) {
        struct receipts_shard *shard = &receipts->shards[i];
        mutex_lock(&shard->lock);
        receipts_trim_old(receipts, shard, now_ms, STEP);
        mutex_unlock(&shard->lock);
    }
}

struct receipts_stats receipts_stats(struct receipts *receipts)
{
    struct receipts_stats stats = {0};
    for (size_t i = 0; i < receipts->shard_count; i++) {
        struct receipts_shard *shard = &receipts->shards[i];
        mutex_lock(&shard->lock);
        stats.kept += shard->kept;
        stats.bytes += shard->bytes;
        stats.repeated += shard->repeated;
        stats.dropped += shard->dropped;
        mutex_unlock(&shard->lock);
    }
    return stats;
}

static void receipts_free_shard(struct receipts_shard *shard)
{
    struct receipt *oldest;
    while ((oldest = receipts_oldest(shard)) != NULL)
        receipts_remove(shard, oldest);
    CHECK(shard->count == 0); /* there are no claims */
    free(shard->buckets);
    free(shard->ring);
}

void receipts_free(struct receipts *receipts)
{
    if (receipts == NULL)
        return;
    for (size_t i = 0; i < receipts->shard_count; i++)
        receipts_free_shard(&receipts->shards[i]);
    free(receipts);
}
