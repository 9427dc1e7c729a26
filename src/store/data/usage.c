/* Counts uses by class of entry and remembers ghosts of evicted keys. Knows neither entries nor
 * shards. */
#include "store/data/usage.h"

#include "base/check.h"
#include "base/mem.h"

#include <math.h>

#define GHOSTS_LEAST ((size_t)64)
/* The prior of a rate counts as much as this many observations: first the assumed value of an entry
 * of the kind, then what the class has in common with the others. */
#define PRIOR_WEIGHT 30.0f
/* What being written half as long ago adds to a rate: less than any real difference. */
#define YOUTH 1e-6f
/* The share of the counts that is left when all shards have ended a round. */
#define KEPT_SHARE 0.2f
/* Entries that a search meets on average. With 11 the hit ratio is a fifth of a point lower, and
 * with 16 no higher. */
#define TARGET_SEEN 13.0f
/* How much the threshold changes after a search that met twice as many. */
#define THRESHOLD_STEP 0.05f
#define THRESHOLD_MIN  1e-6f

static const float first_rates[USAGE_KINDS] = {[USAGE_PROVEN] = 0.3f, [USAGE_RECALLED] = 0.3f};

/* Of ages that are used alike, or not at all, the older is evicted. */
static float usage_youth_of(size_t age)
{
    return YOUTH * (float)(USAGE_AGES - age);
}

size_t usage_round(size_t ghosts)
{
    return ghosts > GHOSTS_LEAST ? (size_t)1 << (63 - __builtin_clzll(ghosts)) : GHOSTS_LEAST;
}

static struct usage *usage_init(struct usage *usage, size_t ghosts)
{
    CHECK(ghosts > 0 && (ghosts & (ghosts - 1)) == 0);
    usage->ghosts = ghosts;
    usage->threshold = THRESHOLD_MIN;
    for (size_t class = 0; class < USAGE_CLASSES; class ++)
        usage->rates[class] = first_rates[class / USAGE_AGES] + usage_youth_of(class % USAGE_AGES);
    return usage;
}

struct usage *usage_new(size_t ghosts)
{
    struct usage *usage = mem_try_alloc_zero(1, sizeof *usage + ghosts);
    return usage != NULL ? usage_init(usage, ghosts) : NULL;
}

struct usage *usage_new_least(void)
{
    return usage_init(mem_alloc_zero(sizeof(struct usage) + GHOSTS_LEAST), GHOSTS_LEAST);
}

void usage_continue(struct usage *usage, const struct usage *former)
{
    size_t ghosts = usage->ghosts;
    *usage = *former;
    usage->ghosts = ghosts;
}

size_t usage_memory(const struct usage *usage)
{
    return sizeof *usage + usage->ghosts;
}

static void usage_add(struct usage *usage, struct usage_sums *sums, float kept)
{
    for (size_t class = 0; class < USAGE_CLASSES; class ++) {
        sums->seen[class] = sums->seen[class] * kept + (float)usage->seen[class];
        sums->used[class] = sums->used[class] * kept + (float)usage->used[class];
        usage->seen[class] = usage->used[class] = 0;
    }
}

/* Where few entries of an age were seen, the rate is that of all ages together. */
static void usage_find_rates(struct usage *usage, const struct usage_sums *sums, size_t first,
                             float expected)
{
    float seen = PRIOR_WEIGHT, used = PRIOR_WEIGHT * expected;
    for (size_t class = first; class < first + USAGE_AGES; class ++) {
        seen += sums->seen[class];
        used += sums->used[class];
    }
    float prior = PRIOR_WEIGHT * used / seen;
    for (size_t class = first; class < first + USAGE_AGES; class ++)
        usage->rates[class] = (sums->used[class] + prior) / (sums->seen[class] + PRIOR_WEIGHT) +
                              usage_youth_of(class - first);
    DCHECK(usage->rates[first] >= 0 && usage->rates[first] < INFINITY);
}

void usage_end_round(struct usage *usage, struct usage_sums *sums, size_t shards, uint64_t revision)
{
    CHECK(shards > 0);
    /* Another thread may have ended the previous round at a later revision. */
    if (revision < usage->round_began)
        revision = usage->round_began;
    usage->round_length = revision - usage->round_began;
    usage->round_began = revision;
    float kept = 1.0f - (1.0f - KEPT_SHARE) / (float)shards;
    mutex_lock(&sums->lock);
    usage_add(usage, sums, kept);
    for (size_t kind = 0; kind < USAGE_KINDS; kind++)
        usage_find_rates(usage, sums, kind * USAGE_AGES, first_rates[kind]);
    mutex_unlock(&sums->lock);
}

void usage_adjust_threshold(struct usage *usage, size_t seen)
{
    DCHECK(usage->threshold >= THRESHOLD_MIN);
    usage->threshold *= 1 + THRESHOLD_STEP * ((float)seen - TARGET_SEEN) / TARGET_SEEN;
    if (usage->threshold < THRESHOLD_MIN)
        usage->threshold = THRESHOLD_MIN;
}

/* The dictionary uses the low bits of the hash, and the shard the top ones. */
static uint8_t *usage_ghost_of(struct usage *usage, uint64_t hash)
{
    DCHECK((usage->ghosts & (usage->ghosts - 1)) == 0);
    return &usage->ghost_tags[hash & (usage->ghosts - 1)];
}

static uint8_t usage_tag_of(uint64_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 48);
    return tag != 0 ? tag : 1;
}

void usage_remember(struct usage *usage, uint64_t hash)
{
    *usage_ghost_of(usage, hash) = usage_tag_of(hash);
}

bool usage_recall(struct usage *usage, uint64_t hash)
{
    uint8_t *ghost = usage_ghost_of(usage, hash);
    if (*ghost != usage_tag_of(hash))
        return false;
    *ghost = 0;
    return true;
}
