/* Reference-counted bytes in runs of pages. */
#include "base/blob.h"

#include "base/runs.h"

struct blob *blob_new_roomy(size_t len, size_t capacity)
{
    struct blob *blob = runs_take(sizeof *blob + capacity);
    atomic_init(&blob->holders, 1);
    atomic_init(&blob->len, len);
    blob->capacity = capacity;
    return blob;
}

struct blob *blob_new(size_t len)
{
    return blob_new_roomy(len, len);
}

struct blob *blob_copy(struct slice bytes)
{
    struct blob *blob = blob_new(bytes.len);
    if (bytes.len > 0)
        memcpy(blob->data, bytes.data, bytes.len);
    return blob;
}

struct blob *blob_retain(struct blob *blob)
{
    atomic_fetch_add_explicit(&blob->holders, 1, memory_order_relaxed);
    return blob;
}

void blob_release(struct blob *blob)
{
    if (blob != NULL && atomic_fetch_sub_explicit(&blob->holders, 1, memory_order_acq_rel) == 1)
        runs_give(blob, sizeof *blob + blob->capacity);
}

bool blob_extend(struct blob *blob, size_t len, size_t count)
{
    if (count > blob->capacity - len)
        return false;
    return count == 0 || atomic_compare_exchange_strong(&blob->len, &len, len + count);
}

size_t blob_memory(const struct blob *blob)
{
    return runs_round(sizeof *blob + blob->capacity);
}
