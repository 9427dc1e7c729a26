/*
 * Request traces for caches: which keys are asked for, one after the other. The same name, seed and
 * number of requests give the same trace on every machine.
 */
#ifndef KEYSTORE_TRACES_TRACE_H
#define KEYSTORE_TRACES_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a key's name. */
#define TRACE_KEY_SIZE  16u
#define TRACE_DATABASES 16u
/* Elements that a queue has, whenever it is there. */
#define TRACE_QUEUE_LENGTH 4u

/* What a request does; it is a hit if the key was there. */
enum trace_access {
    TRACE_CACHE,   /* Get, and Set on a miss */
    TRACE_COUNTER, /* Incr, which starts over on a miss */
    TRACE_QUEUE,   /* LPop, and RPush of what was popped, or on a miss of all elements */
};

struct trace_key {
    uint32_t size;     /* bytes of the value, or of all elements */
    uint8_t db;        /* below TRACE_DATABASES */
    uint8_t access;    /* enum trace_access */
    bool is_requested; /* by the trace */
};

/* A way to make traces. Keys and memory grow with the requests, of which some traces have more. */
struct trace_kind {
    const char *name;
    const char *note;  /* what it asks for */
    uint32_t memory;   /* bytes of memory limit per request that make a good test of it */
    uint32_t length;   /* so many times the requests, without more keys or memory */
    bool counts_bytes; /* keys differ in size: caches are as large as so many bytes, not keys */
};

struct trace {
    const struct trace_kind *kind;
    uint32_t key_count;
    struct trace_key *keys; /* by number, below key_count */
    size_t count;           /* of requests */
    size_t warm_up;         /* the first so many fill the cache and are not judged */
    uint32_t *requests;     /* numbers of keys */
};

#define TRACE_LEAST ((size_t)1000) /* requests */
#define TRACE_MOST  ((size_t)1 << 28)

/* By number; NULL from the number of kinds on. */
const struct trace_kind *trace_kind_at(size_t number);

/* Fills the trace with TRACE_LEAST to TRACE_MOST requests, times the kind's length; false if there
 * is none of that name. Free with trace_deinit(). */
bool trace_init(struct trace *trace, const char *name, uint64_t seed, size_t requests);
void trace_deinit(struct trace *trace);

/* How much of a cache's capacity the key takes: 1, or its bytes. */
static inline uint64_t trace_weight(const struct trace *trace, uint32_t key)
{
    return trace->kind->counts_bytes ? TRACE_KEY_SIZE + trace->keys[key].size : 1;
}

#endif
