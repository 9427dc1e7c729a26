/* Decides how long a batch waits, and adapts. Knows no clock and no thread. */
#include "journal/log/commit_delay.h"

#include "base/check.h"

/* After the first failure in a row, one batch is not delayed; after each further one twice as many,
 * up to 2 to the power of this. */
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

/* A few returning clients prove nothing. */
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
