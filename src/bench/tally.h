/* Results of calls: counts and latencies. Each thread has one; they are merged at the end. */
#ifndef KEYSTORE_BENCH_TALLY_H
#define KEYSTORE_BENCH_TALLY_H

#include "bench/histogram.h"

/* How a call ended: the gRPC status codes, 0 to 16, and then the ends without a status. */
enum tally_end {
    TALLY_OK = 0,
    TALLY_HTTP_STATUS = 17, /* an HTTP status that is not 200, and no grpc-status */
    TALLY_NO_STATUS,        /* the answer ended without grpc-status */
    TALLY_WRONG_VALUE,      /* --verify found another value than was stored */
    TALLY_FAILED_OPS,       /* operations of the batch failed, or have no reply */
    TALLY_RESET,            /* RST_STREAM */
    TALLY_REFUSED,          /* not processed, according to a GOAWAY */
    TALLY_LOST,             /* the connection was lost */
    TALLY_NO_ANSWER,        /* not answered within --timeout */
    TALLY_CALL_ENDS,        /* the ends of calls are those before; the following are of streams */
    TALLY_STREAM_ENDED = TALLY_CALL_ENDS, /* by the server, or with its connection */
    TALLY_MISSING,                        /* events or elements that did not arrive */
    TALLY_UNEXPECTED,     /* events or elements that arrived but were not written, or twice */
    TALLY_UNACKNOWLEDGED, /* elements whose acknowledgement was not confirmed */
    TALLY_ENDS,
};

struct tally {
    uint64_t from_ns;            /* calls that started earlier count only in `finished` */
    uint64_t finished;           /* all calls that ended, in any way and whenever they started */
    uint64_t ends[TALLY_ENDS];   /* calls by enum tally_end */
    uint64_t misses;             /* OK reads that found nothing */
    uint64_t last_ns;            /* when the last counted call ended */
    uint32_t stream_limit;       /* the smallest MAX_CONCURRENT_STREAMS seen; UINT32_MAX: none */
    struct histogram latency_ns; /* of calls that ended OK */
    struct histogram late_ns;    /* at a fixed rate: how late each call started */

    /* Of streams: events of Watch, or elements of Consume. */
    uint64_t all_receipts;    /* whenever their write started */
    uint64_t unacknowledged;  /* elements that were delivered, up to now */
    uint64_t last_receipt_ns; /* when the last one arrived, or its acknowledgement was confirmed */
    struct histogram receipt_ns; /* from the start of the write */
};

void tally_init(struct tally *tally);

/* Counts a call with the scheduled start `start_ns` that ended now. */
static inline void tally_count(struct tally *tally, enum tally_end end, uint64_t start_ns,
                               uint64_t now_ns)
{
    tally->finished++;
    if (start_ns < tally->from_ns)
        return;
    tally->ends[end]++;
    tally->last_ns = now_ns;
    if (end == TALLY_OK)
        histogram_record(&tally->latency_ns, now_ns - start_ns);
}

/* Counts an event or element that has arrived now; its write has the scheduled start `start_ns`. */
static inline void tally_receive(struct tally *tally, uint64_t start_ns, uint64_t now_ns)
{
    tally->all_receipts++;
    if (start_ns < tally->from_ns)
        return;
    tally->last_receipt_ns = now_ns;
    histogram_record(&tally->receipt_ns, now_ns - start_ns);
}

/* Adds the counts of `from`. */
void tally_merge(struct tally *into, const struct tally *from);

/* The number of calls that ended and are counted. */
uint64_t tally_calls(const struct tally *tally);

/* The number of calls that did not end OK, and of errors of streams. */
uint64_t tally_errors(const struct tally *tally);

/* For people: "UNAVAILABLE", "reset by the server". */
const char *tally_end_name(enum tally_end end);

#endif
