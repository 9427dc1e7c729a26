/* Decides how long a batch waits, and learns from it. Knows no clock and no thread. */
#include "journal/log/commit_delay.h"

#include "base/check.h"

/* After the first failure in a row one batch does not wait, after the next ones twice as many each,
 * but no more than 2 to the power of that. */
#define MOST_FAILURES 6

void commit_delay_begin(struct commit_delay *patience, int64_t now_us, int64_t sync_us,
                        uint64_t released, uint64_t gathered)
{
    patience->wanted = 0;
    if (patience->skip > 0) {
        patience->skip--;
        return;
    }
    int64_t longest_us = sync_us / 2 < COMMIT_DELAY_MOST_US ? sync_us / 2 : COMMIT_DELAY_MOST_US;
    patience->wanted = released + gathered;
    patience->most = 2 * released >= patience->wanted;
    patience->enough = patience->wanted - released / 8;
    patience->until_us = now_us + longest_us;
    DCHECK(patience->enough <= patience->wanted && longest_us >= 0);
}

/* That a few of them come back in time says nothing. */
static void commit_delay_learn(struct commit_delay *patience, uint64_t gathered)
{
    DCHECK(patience->failures <= MOST_FAILURES);
    if (!patience->most || gathered == 0)
        return;
    if (gathered >= patience->enough) {
        patience->failures = 0;
    } else {
        patience->skip = 1u << patience->failures;
        patience->failures += patience->failures < MOST_FAILURES;
    }
}

bool commit_delay_waits(struct commit_delay *patience, int64_t now_us, uint64_t gathered)
{
    if (patience->wanted == 0)
        return false;
    if (gathered < patience->wanted && now_us < patience->until_us)
        return true;
    commit_delay_learn(patience, gathered);
    patience->wanted = 0;
    return false;
}
