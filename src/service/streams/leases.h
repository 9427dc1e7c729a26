/*
 * Which elements of pending lists belong to a Consume that is under way: how many, per list. What
 * is in a list of which none does was left by a crash. Shared by all workers of the process.
 */
#ifndef KEYSTORE_SERVICE_STREAMS_LEASES_H
#define KEYSTORE_SERVICE_STREAMS_LEASES_H

#include "base/slice.h"

#include <stdatomic.h>

struct engine;

/* A pending list that is in use. */
struct leases {
    atomic_size_t count; /* elements that are in the list, or on the way there, for a stream */
    struct leases *next; /* the rest is private */
    const struct engine *engine;
    size_t users;
    uint32_t db;
    uint32_t name_size;
    uint8_t name[];
};

/* The leases of a list, for one more user. */
struct leases *leases_enter(const struct engine *engine, uint32_t db, struct slice name);

/* The user holds none any more. */
void leases_leave(struct leases *leases);

#endif
