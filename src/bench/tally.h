/* What became of the calls: counts and latencies. Each thread has one; they are merged at the end.
 */
#ifndef KEYSTORE_BENCH_TALLY_H
#define KEYSTORE_BENCH_TALLY_H

#include "bench/histogram.h"

/* How a call ended. The gRPC status codes, 0 to 16, and then what ends a call without a status. */
enum tally_end {
    TALLY_OK = 0,
    TALLY_HTTP_STATUS = 17, /* an HTTP status that is not 200, and no grpc-status */
    TALLY_NO_STATUS,        /* the answer ended without grpc-status */
    TALLY_WRONG_VALUE,      /* --verify found another value than was stored */
    TALLY_RESET,            /* RST_STREAM */
    TALLY_REFUSED,          /* a GOAWAY that says that the call was not processed */
    TALLY_LOST,             /* the connection ended */
    TALLY_NO_ANSWER,        /* nothing came within --timeout */
    TALLY_ENDS,
};

struct tally {
    uint64_t from_ns;            /* calls that began before are not counted below */
    uint64_t finished;           /* calls, whatever became of them and whenever they began */
    uint64_t ends[TALLY_ENDS];   /* calls by enum tally_end */
    uint64_t misses;             /* OK reads that found nothing */
    uint64_t last_ns;            /* when the last call that counts ended */
    uint32_t stream_limit;       /* the smallest MAX_CONCURRENT_STREAMS met; UINT32_MAX: none */
    struct histogram latency_ns; /* of the OK ones */
    struct histogram late_ns;    /* at a fixed rate: how long after its time each call began */
};

void tally_init(struct tally *tally);

/* A call that was meant to begin at `begin_ns` ended now. */
static inline void tally_count(struct tally *tally, enum tally_end end, uint64_t begin_ns,
                               uint64_t now_ns)
{
    tally->finished++;
    if (begin_ns < tally->from_ns)
        return;
    tally->ends[end]++;
    tally->last_ns = now_ns;
    if (end == TALLY_OK)
        histogram_record(&tally->latency_ns, now_ns - begin_ns);
}

/* Adds all that `from` has counted. */
void tally_merge(struct tally *into, const struct tally *from);

/* Calls that did not end well. */
uint64_t tally_errors(const struct tally *tally);

/* For people: "UNAVAILABLE", "reset by the server". */
const char *tally_end_name(enum tally_end end);

#endif
