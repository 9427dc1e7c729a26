/*
 * Estimates how much a shard's entries are worth keeping. Private to eviction.
 *
 * Entries are put into classes by what is known of them and by their age: the number of writes of
 * the store since they were written, in powers of two. For each class the shard counts how many
 * entries the hand met and how many of them were used before it came again. The rate is the use to
 * expect of an entry of that class, whatever the load: with few hot keys the proven ones have a
 * high rate, after a change of phase the old ones a low one, in a scan the new ones a low one, and
 * in a loop those that have waited long have a higher rate than the new ones. (Beckmann, Chen,
 * Cidon: LHD, NSDI 2018, evicts by such rates; the classes here need two bits per entry and its
 * version.)
 *
 * Recently evicted keys are remembered by a byte of their hash, as in S3-FIFO's ghost queue (Yang
 * et al., SOSP 2023). The worth of one that returns is counted like everything else.
 *
 * A search for a victim ends at the first entry whose rate is at most a threshold, which is
 * adjusted so that a search meets about thirteen entries on average: for the same work, that finds
 * lower rates than the best of a fixed number.
 *
 * A single shard sees too little: once per round of its hand it adds its counts to those of the
 * store and derives its rates from the sums.
 */
#ifndef KEYSTORE_STORE_DATA_USAGE_H
#define KEYSTORE_STORE_DATA_USAGE_H

#include "base/mutex.h"

#include <stdbool.h>
#include <stddef.h>

/* By the length of the age in bits. */
#define USAGE_AGES    ((size_t)40)
#define USAGE_CLASSES (USAGE_KINDS * USAGE_AGES)

/* What is known of an entry. */
enum usage_kind {
    USAGE_NEW,      /* nothing */
    USAGE_PROVEN,   /* it was used */
    USAGE_RECALLED, /* not used yet, but evicted before */
    USAGE_KINDS,
};

/* Counts of all shards; older rounds count less. */
struct usage_sums {
    struct mutex lock;
    float seen[USAGE_CLASSES], used[USAGE_CLASSES];
};

/* Counts of a shard, under its lock. */
struct usage {
    uint32_t seen[USAGE_CLASSES], used[USAGE_CLASSES]; /* in this round */
    float rates[USAGE_CLASSES];                        /* uses per round and entry */
    float threshold;                                   /* a rate that ends a search */
    uint64_t round_began, round_length;                /* in revisions; 0 = not known yet */
    bool is_counting;                                  /* uses, since the hand is in motion */
    size_t ghosts;                                     /* a power of two */
    uint8_t ghost_tags[];                              /* 0 = none */
};

/* The class of an entry that was written `age` writes ago. */
static inline size_t usage_class(enum usage_kind kind, uint64_t age)
{
    size_t length = age == 0 ? 0 : 64 - (size_t)__builtin_clzll(age);
    return kind * USAGE_AGES + (length < USAGE_AGES ? length : USAGE_AGES - 1);
}

/* A number of ghosts that there may be, near that one: a power of two. */
size_t usage_round(size_t ghosts);

/* A new one that knows nothing yet and remembers that many keys; NULL if there is no memory. Free
 * with free(). */
struct usage *usage_new(size_t ghosts);

/* The smallest; never NULL. */
struct usage *usage_new_least(void) __attribute__((returns_nonnull));

/* Takes over what the other one knows, but for its ghosts. */
void usage_continue(struct usage *usage, const struct usage *former);

/* Bytes that it takes. */
size_t usage_memory(const struct usage *usage);

/* The hand advances at that revision; the first time, the first round starts. */
static inline void usage_begin(struct usage *usage, uint64_t revision)
{
    if (usage->is_counting)
        return;
    usage->is_counting = true;
    usage->round_began = revision;
}

/* The round is over at that revision: adds its counts to the sums and computes new rates. `shards`
 * shards add to the sums. */
void usage_end_round(struct usage *usage, struct usage_sums *sums, size_t shards,
                     uint64_t revision);

/* Adjusts the threshold after a search that met that many entries. */
void usage_adjust_threshold(struct usage *usage, size_t seen);

/* Remembers that the key with this hash was evicted. */
void usage_remember(struct usage *usage, uint64_t hash);

/* True if the key with this hash was evicted not long ago, and forgets it; seldom true for another
 * key. */
bool usage_recall(struct usage *usage, uint64_t hash);

#endif
