/* Merges tallies and names the ends of calls. Does not know who counts. */
#include "bench/tally.h"

#include <keystore/client.h>

void tally_init(struct tally *tally)
{
    *tally = (struct tally){.stream_limit = UINT32_MAX};
}

void tally_merge(struct tally *into, const struct tally *from)
{
    into->finished += from->finished;
    into->misses += from->misses;
    for (int i = 0; i < TALLY_ENDS; i++)
        into->ends[i] += from->ends[i];
    if (from->last_ns > into->last_ns)
        into->last_ns = from->last_ns;
    if (from->stream_limit < into->stream_limit)
        into->stream_limit = from->stream_limit;
    histogram_merge(&into->latency_ns, &from->latency_ns);
    histogram_merge(&into->late_ns, &from->late_ns);
    into->all_receipts += from->all_receipts;
    into->unacknowledged += from->unacknowledged;
    if (from->last_receipt_ns > into->last_receipt_ns)
        into->last_receipt_ns = from->last_receipt_ns;
    histogram_merge(&into->receipt_ns, &from->receipt_ns);
}

uint64_t tally_calls(const struct tally *tally)
{
    uint64_t calls = 0;
    for (int i = 0; i < TALLY_CALL_ENDS; i++)
        calls += tally->ends[i];
    return calls;
}

uint64_t tally_errors(const struct tally *tally)
{
    uint64_t errors = 0;
    for (int i = TALLY_OK + 1; i < TALLY_ENDS; i++)
        errors += tally->ends[i];
    return errors;
}

const char *tally_end_name(enum tally_end end)
{
    switch (end) {
    case TALLY_HTTP_STATUS:
        return "HTTP status other than 200";
    case TALLY_NO_STATUS:
        return "answer without grpc-status";
    case TALLY_WRONG_VALUE:
        return "wrong value";
    case TALLY_FAILED_OPS:
        return "batch with failed operations";
    case TALLY_RESET:
        return "reset by the server";
    case TALLY_REFUSED:
        return "refused by GOAWAY";
    case TALLY_LOST:
        return "connection lost";
    case TALLY_NO_ANSWER:
        return "no answer in time";
    case TALLY_STREAM_ENDED:
        return "stream ended";
    case TALLY_MISSING:
        return "missing on streams";
    case TALLY_UNEXPECTED:
        return "unexpected on streams";
    case TALLY_UNACKNOWLEDGED:
        return "acknowledgement not confirmed";
    default:
        return keystore_code_name((enum keystore_code)end);
    }
}
