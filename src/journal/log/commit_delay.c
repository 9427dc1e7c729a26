/* Decides how long a batch waits, and learns from it. Knows no clock and no thread. */
#include "journal/log/commit_delay.h"

#include "base/check.h"

/* After the first failure in a row one batch does not wait, after the next ones twice as many each,
 * but no more than 2 to the power of that. */
#define MOST_FAILURES 6

void commit_delay_start(struct commit_delay *delay, int64_t now_us, int64_t sync_us,
                        uint64_t released, uint64_t gathered)
{
    delay->wanted = 0;
    if (delay->skip > 0) {
        delay->skip--;
        return;
    }
    int64_t longest_us = sync_us / 2 < COMMIT_DELAY_MOST_US ? sync_us / 2 : COMMIT_DELAY_MOST_US;
    delay->wanted = released + gathered;
    delay->most = 2 * released >= delay->wanted;
    delay->enough = delay->wanted - released / 8;
    delay->until_us = now_us + longest_us;
    DCHECK(delay->enough <= delay->wanted && longest_us >= 0);
}

/* That a few of them come back in time says nothing. */
static void commit_delay_adapt(struct commit_delay *delay, uint64_t gathered)
{
    DCHECK(delay->failures <= MOST_FAILURES);
    if (!delay->most || gathered == 0)
        return;
    if (gathered >= delay->enough) {
        delay->failures = 0;
    } else {
        delay->skip = 1u << delay->failures;
        delay->failures += delay->failures < MOST_FAILURES;
    }
}

bool commit_delay_waits(struct commit_delay *delay, int64_t now_us, uint64_t gathered)
{
    if (delay->wanted == 0)
        return false;
    if (gathered < delay->wanted && now_us < delay->until_us)
        return true;
    commit_delay_adapt(delay, gathered);
    delay->wanted = 0;
    return false;
}
