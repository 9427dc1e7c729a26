/* What the use of entries tells eviction: their marks, and the counts of their classes. */
#include "store/data/visits.h"

#include "base/check.h"

#include <stdlib.h>

/* The ghosts of all shards take at most one part in this many of the memory limit. */
#define GHOST_SHARE 128

static uint64_t visits_age_of(const struct entry *entry, uint64_t revision)
{
    uint64_t version = entry_version(entry);
    return version < revision ? revision - version : 0; /* another thread may be ahead */
}

/* The revision at which the hand passed the key with that hash: the hand moves in order of reversed
 * hashes, and about as fast as in the previous round. */
static uint64_t visits_passed_at(const struct shard *shard, uint64_t hash, uint64_t revision)
{
    uint64_t distance = shard->stride - dict_scan_position(hash); /* of 2^64 */
    unsigned __int128 product = (unsigned __int128)distance * shard->usage->round_length;
    uint64_t ago = (uint64_t)(product >> 64);
    return ago < revision ? revision - ago : 0;
}

static enum usage_kind visits_kind_of(unsigned mark)
{
    return mark == ENTRY_PROVEN     ? USAGE_PROVEN
           : mark == ENTRY_RECALLED ? USAGE_RECALLED
                                    : USAGE_NEW;
}

/* Counts the use for the class that the entry had when the hand saw it; not if the entry is
 * newer. */
void visits_note_first(struct store *store, struct shard *shard, struct entry *entry, uint64_t hash)
{
    DCHECK(mutex_is_held(&shard->lock) && entry_mark(entry) != ENTRY_VISITED);
    if (shard->usage->is_counting) {
        uint64_t revision = atomic_load_explicit(&store->revision, memory_order_relaxed);
        uint64_t passed = visits_passed_at(shard, hash, revision);
        if (entry_version(entry) < passed)
            shard->usage->used[usage_class(visits_kind_of(entry_mark(entry)),
                                           visits_age_of(entry, passed))]++;
    }
    entry_set_mark(entry, ENTRY_VISITED);
}

double visits_pass(struct shard *shard, struct entry *entry, uint64_t revision)
{
    DCHECK(shard->usage->is_counting);
    struct usage *usage = shard->usage;
    if (entry_mark(entry) == ENTRY_VISITED)
        entry_set_mark(entry, ENTRY_PROVEN);
    size_t class = usage_class(visits_kind_of(entry_mark(entry)), visits_age_of(entry, revision));
    usage->seen[class]++;
    return usage->rates[class];
}

/* The shard is locked. Returns what it had. */
static struct usage *visits_replace(struct shard *shard, struct usage *usage)
{
    struct usage *former = shard->usage;
    if (former != NULL) {
        usage_continue(usage, former);
        slab_refund(&shard->slab, usage_memory(former));
    }
    shard->usage = usage;
    slab_charge(&shard->slab, usage_memory(usage));
    DCHECK(usage_memory(usage) <= slab_heap(&shard->slab));
    return former;
}

/* Memory is allocated and freed while the shard is not locked. Only this thread replaces it. */
static bool visits_prepare_shard(struct shard *shard, size_t ghosts)
{
    size_t present = shard->usage != NULL ? shard->usage->ghosts : 0;
    if (present == ghosts)
        return true;
    struct usage *usage = usage_new(ghosts);
    if (usage == NULL && present > 0)
        return true;
    if (usage == NULL)
        usage = usage_new_least();
    if (!mutex_lock_brief(&shard->lock)) {
        free(usage);
        return present > 0;
    }
    struct usage *former = visits_replace(shard, usage);
    mutex_unlock(&shard->lock);
    free(former);
    return true;
}

bool visits_prepare(struct store *store, size_t max_memory)
{
    size_t ghosts = usage_round(max_memory / GHOST_SHARE / store->shard_count);
    bool all = true;
    for (size_t i = 0; i < store->shard_count; i++)
        all = visits_prepare_shard(&store->shards[i], ghosts) && all;
    return all;
}

size_t visits_memory(const struct shard *shard)
{
    return shard->usage != NULL ? usage_memory(shard->usage) : 0;
}

void visits_deinit(struct shard *shard)
{
    if (shard->usage == NULL)
        return;
    slab_refund(&shard->slab, visits_memory(shard));
    free(shard->usage);
}
