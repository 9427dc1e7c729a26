/*
 * The elements that a Consume has taken: those that are in flight, found by their numbers, and
 * those whose end has been asked for. Each is in one list.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_DELIVERIES_H
#define KEYSTORE_SERVICE_STREAMS_DELIVERIES_H

#include "engine/engine.h"

/* An element. */
struct delivery {
    uint64_t id;          /* within the stream, from 1, in the order in which they were taken */
    int64_t lease_end_ms; /* monotonic, once it is written */
    uint32_t key;         /* the number of the key that it comes from */
    bool is_written;      /* to the stream */
    bool gives_back;      /* its end: returns, instead of being done */
    bool is_doubled;      /* its end: an element in flight before it has the same bytes */
    size_t place;         /* its end: in the operation that brings it about */
    struct blob *blob;    /* owns the value; NULL: it lies here */
    struct slice value;
    struct delivery *previous, *next;
    struct delivery *next_in_bucket;
    uint8_t bytes[];
};

struct delivery_list {
    struct delivery *first, *last;
    size_t count;
};

/* All zero is empty. */
struct deliveries {
    struct delivery_list in_flight; /* in the order of their numbers */
    struct delivery_list ending;    /* in the order in which that was asked for */
    struct delivery *unwritten;     /* the first one in flight that is not written */
    size_t unwritten_bytes;
    size_t bytes;        /* of all values */
    uint64_t last_id;    /* taken */
    uint64_t written_id; /* the last one written */
    struct delivery **buckets;
    size_t bucket_count;
};

void deliveries_deinit(struct deliveries *deliveries);

/* The values of the answer come into flight, from the key with that number. */
void deliveries_add(struct deliveries *deliveries, const struct op_result *result, uint32_t key);

/* The one in flight with that number; NULL if there is none any more. */
struct delivery *deliveries_find(const struct deliveries *deliveries, uint64_t id);

/* The first unwritten one has been written. */
void deliveries_written(struct deliveries *deliveries);

/* Moves one in flight to those that end. */
void deliveries_end(struct deliveries *deliveries, struct delivery *delivery, bool gives_back);

/* The same for all in flight: they return. */
void deliveries_end_all(struct deliveries *deliveries);

/* Removes the list's first one and frees it. */
void deliveries_drop_first(struct deliveries *deliveries, struct delivery_list *list);

#endif
