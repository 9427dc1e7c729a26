/* Lists and a hash table over the same objects. */
#include "service/streams/deliveries.h"

#include "base/blob.h"
#include "base/check.h"
#include "base/mem.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS ((size_t)8)
/* How many of those before it are compared with an element whose end is asked for. */
#define MOST_COMPARED 32

static void deliveries_append(struct delivery_list *list, struct delivery *delivery)
{
    delivery->next = NULL;
    delivery->previous = list->last;
    *(list->last != NULL ? &list->last->next : &list->first) = delivery;
    list->last = delivery;
    list->count++;
}

static void deliveries_unlink(struct delivery_list *list, struct delivery *delivery)
{
    DCHECK(list->count > 0);
    *(delivery->previous != NULL ? &delivery->previous->next : &list->first) = delivery->next;
    *(delivery->next != NULL ? &delivery->next->previous : &list->last) = delivery->previous;
    list->count--;
}

/* ---- the table ---- */

static struct delivery **deliveries_bucket(const struct deliveries *deliveries, uint64_t id)
{
    return &deliveries->buckets[id & (deliveries->bucket_count - 1)];
}

static void deliveries_index(struct deliveries *deliveries, struct delivery *delivery)
{
    struct delivery **bucket = deliveries_bucket(deliveries, delivery->id);
    delivery->next_in_bucket = *bucket;
    *bucket = delivery;
}

static void deliveries_unindex(struct deliveries *deliveries, struct delivery *delivery)
{
    struct delivery **link = deliveries_bucket(deliveries, delivery->id);
    while (*link != delivery)
        link = &(*link)->next_in_bucket;
    *link = delivery->next_in_bucket;
}

static void deliveries_grow(struct deliveries *deliveries)
{
    free(deliveries->buckets);
    deliveries->bucket_count =
        deliveries->bucket_count == 0 ? FIRST_BUCKETS : 2 * deliveries->bucket_count;
    deliveries->buckets = mem_alloc_zero(deliveries->bucket_count * sizeof *deliveries->buckets);
    for (struct delivery *at = deliveries->in_flight.first; at != NULL; at = at->next)
        deliveries_index(deliveries, at);
}

struct delivery *deliveries_find(const struct deliveries *deliveries, uint64_t id)
{
    if (deliveries->bucket_count == 0)
        return NULL;
    struct delivery *at = *deliveries_bucket(deliveries, id);
    while (at != NULL && at->id != id)
        at = at->next_in_bucket;
    return at;
}

/* ---- life ---- */

static struct delivery *deliveries_new(struct slice value, struct blob *blob)
{
    size_t copied = blob != NULL ? 0 : value.len;
    struct delivery *delivery = mem_alloc(sizeof *delivery + copied);
    *delivery = (struct delivery){.value = value};
    if (blob != NULL) {
        delivery->blob = blob_retain(blob);
    } else {
        slice_write(delivery->bytes, value);
        delivery->value.data = delivery->bytes;
    }
    return delivery;
}

void deliveries_add(struct deliveries *deliveries, const struct op_result *result, uint32_t key)
{
    for (size_t i = 0; i < result->value_count; i++) {
        struct delivery *delivery =
            deliveries_new(result->values[i], result->blobs != NULL ? result->blobs[i] : NULL);
        delivery->id = ++deliveries->last_id;
        delivery->key = key;
        if (deliveries->in_flight.count >= deliveries->bucket_count)
            deliveries_grow(deliveries);
        deliveries_append(&deliveries->in_flight, delivery);
        deliveries_index(deliveries, delivery);
        if (deliveries->unwritten == NULL)
            deliveries->unwritten = delivery;
        deliveries->unwritten_bytes += delivery->value.len;
        deliveries->bytes += delivery->value.len;
    }
}

void deliveries_written(struct deliveries *deliveries)
{
    struct delivery *delivery = deliveries->unwritten;
    delivery->is_written = true;
    deliveries->written_id = delivery->id;
    deliveries->unwritten_bytes -= delivery->value.len;
    deliveries->unwritten = delivery->next;
}

/* True if one of those shortly before it has the same bytes. */
static bool deliveries_is_doubled(const struct delivery *delivery)
{
    const struct delivery *at = delivery->previous;
    for (int i = 0; at != NULL && i < MOST_COMPARED; i++, at = at->previous)
        if (slice_equal(at->value, delivery->value))
            return true;
    return false;
}

void deliveries_end(struct deliveries *deliveries, struct delivery *delivery, bool gives_back)
{
    if (!delivery->is_written) {
        deliveries->unwritten_bytes -= delivery->value.len;
        if (deliveries->unwritten == delivery)
            deliveries->unwritten = delivery->next;
    }
    delivery->gives_back = gives_back;
    delivery->is_doubled = !gives_back && deliveries_is_doubled(delivery);
    deliveries_unindex(deliveries, delivery);
    deliveries_unlink(&deliveries->in_flight, delivery);
    deliveries_append(&deliveries->ending, delivery);
}

void deliveries_end_all(struct deliveries *deliveries)
{
    while (deliveries->in_flight.first != NULL)
        deliveries_end(deliveries, deliveries->in_flight.first, true);
}

void deliveries_drop_first(struct deliveries *deliveries, struct delivery_list *list)
{
    struct delivery *delivery = list->first;
    if (list == &deliveries->in_flight) {
        DCHECK(delivery->is_written);
        deliveries_unindex(deliveries, delivery);
    }
    list->first = delivery->next;
    *(list->first != NULL ? &list->first->previous : &list->last) = NULL;
    list->count--;
    deliveries->bytes -= delivery->value.len;
    blob_release(delivery->blob);
    free(delivery);
}

void deliveries_deinit(struct deliveries *deliveries)
{
    deliveries_end_all(deliveries);
    while (deliveries->ending.first != NULL)
        deliveries_drop_first(deliveries, &deliveries->ending);
    free(deliveries->buckets);
}
