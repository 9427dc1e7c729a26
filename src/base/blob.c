/* Reference-counted bytes. */
#include "base/blob.h"

#include "base/mem.h"

#include <malloc.h>
#include <stdlib.h>

/* What malloc() puts before a block. */
#define MALLOC_OWN ((size_t)8)

struct blob *blob_new_roomy(size_t len, size_t capacity)
{
    struct blob *blob = mem_alloc(sizeof *blob + capacity);
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
        free(blob);
}

bool blob_extend(struct blob *blob, size_t len, size_t count)
{
    if (count > blob->capacity - len)
        return false;
    return count == 0 || atomic_compare_exchange_strong(&blob->len, &len, len + count);
}

size_t blob_memory(const struct blob *blob)
{
    return malloc_usable_size((void *)blob) + MALLOC_OWN;
}
