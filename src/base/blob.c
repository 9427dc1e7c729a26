/* Reference-counted bytes in runs of pages. */
#include "base/blob.h"

#include "base/account.h"
#include "base/check.h"
#include "base/runs.h"

static struct blob *blob_init(struct blob *blob, size_t len, size_t capacity)
{
    CHECK(len <= capacity);
    atomic_init(&blob->holders, 1);
    atomic_init(&blob->len, len);
    blob->capacity = capacity;
    blob->data = (uint8_t *)blob + sizeof *blob;
    return blob;
}

struct blob *blob_new_with_capacity(size_t len, size_t capacity)
{
    return blob_init(runs_take(sizeof(struct blob) + capacity), len, capacity);
}

struct blob *blob_new(size_t len)
{
    return blob_new_with_capacity(len, len);
}

struct blob *blob_try_new(size_t len)
{
    void *memory = runs_try(sizeof(struct blob) + len);
    return memory != NULL ? blob_init(memory, len, len) : NULL;
}

struct blob *blob_copy(struct slice bytes)
{
    struct blob *blob = blob_new(bytes.len);
    if (bytes.len > 0)
        memcpy(blob->data, bytes.data, bytes.len);
    return blob;
}

static bool blob_contains(const struct blob *blob, struct slice part)
{
    uintptr_t start = (uintptr_t)blob->data, at = (uintptr_t)part.data;
    return at >= start && at - start <= blob->capacity && part.len <= blob->capacity - (at - start);
}

struct blob *blob_cut(struct blob *blob, struct slice part)
{
    if (!blob_contains(blob, part) || blob_memory_for(part.len) != blob_memory(blob))
        return NULL;
    if (part.data == blob->data && part.len == blob->capacity)
        return blob_retain(blob);
    if (!blob_is_sole(blob))
        return NULL;
    blob->data += part.data - blob->data;
    blob->capacity = part.len;
    atomic_store_explicit(&blob->len, part.len, memory_order_relaxed);
    return blob_retain(blob);
}

void blob_discard(struct blob *blob, struct slice part)
{
    if (blob_contains(blob, part) && blob_is_sole(blob))
        runs_discard(blob_memory(blob), blob->data + (part.data - blob->data), part.len);
}

struct blob *blob_retain(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->holders, 1, memory_order_relaxed);
    return blob;
}

/* True if there are holders and all are chains. */
static bool blob_is_queued_only(size_t holders)
{
    size_t all = holders & (BLOB_QUEUED - 1), queued = (holders & ~BLOB_ORPHAN) / BLOB_QUEUED;
    return all > 0 && all == queued;
}

/* Adds to the count of holders, and frees the blob if none is left. BLOB_ORPHAN is set in the same
 * atomic step, because after it the blob may be freed by another thread, and the memory is counted
 * before it, so that the thread that frees the blob subtracts what has been added. */
static void blob_change(struct blob *blob, size_t difference)
{
    size_t memory = blob_memory(blob);
    size_t before = atomic_load_explicit(&blob->holders, memory_order_relaxed), after;
    bool orphaned, done;
    do {
        DCHECK((before & (BLOB_QUEUED - 1)) > 0); /* the caller holds it */
        after = before + difference;
        orphaned = (after & BLOB_ORPHAN) == 0 && blob_is_queued_only(after);
        if (orphaned) {
            after |= BLOB_ORPHAN;
            account_count_queued((ptrdiff_t)memory);
        }
        done = atomic_compare_exchange_weak_explicit(&blob->holders, &before, after,
                                                     memory_order_acq_rel, memory_order_relaxed);
        if (orphaned && !done)
            account_count_queued(-(ptrdiff_t)memory);
    } while (!done);
    if ((after & ~BLOB_ORPHAN) != 0)
        return;
    if ((after & BLOB_ORPHAN) != 0)
        account_count_queued(-(ptrdiff_t)memory);
    runs_give(blob, memory);
}

void blob_release(struct blob *blob)
{
    if (blob != NULL)
        blob_change(blob, -(size_t)1);
}

void blob_join_chain(struct blob *blob)
{
    blob_change(blob, BLOB_QUEUED);
}

void blob_leave_chain(struct blob *blob)
{
    blob_change(blob, -(BLOB_QUEUED + 1));
}

bool blob_extend(struct blob *blob, size_t len, size_t count)
{
    DCHECK(len <= blob->capacity);
    if (count > blob->capacity - len)
        return false;
    return count == 0 || atomic_compare_exchange_strong(&blob->len, &len, len + count);
}

size_t blob_memory(const struct blob *blob)
{
    return runs_round((size_t)(blob->data - (const uint8_t *)blob) + blob->capacity);
}

size_t blob_memory_for(size_t capacity)
{
    return runs_round(sizeof(struct blob) + capacity);
}
