/*
 * What the entries of a shard are worth keeping for. Private to eviction.
 *
 * Entries are put into classes: by what is known of them, and by the time since they were written,
 * counted in writes of the store, by powers of two. For each class it is counted how many entries
 * the hand came upon, and how many of them were used before it came again. The rate is what one may
 * expect of an entry of that class, whatever the load: with few hot keys the proven ones have it
 * high, after a change of phase the old ones low, in a scan the new ones, and in a loop those that
 * have waited long have it higher than the new ones. (Beckmann, Chen, Cidon: LHD, NSDI 2018, evicts
 * by such rates; the classes here need two bits per entry and its version.)
 *
 * Keys that were evicted lately are remembered by a byte of their hash, as in S3-FIFO's ghost queue
 * (Yang et al., SOSP 2023). What one that comes back is worth is counted like everything else.
 *
 * A search for a victim ends at the first entry whose rate is low enough, which is adjusted so that
 * a search meets thirteen entries or so in the mean: for the same work, that finds lower rates than
 * the best of a fixed number.
 *
 * A shard alone sees too little: once per round of its hand it adds to the counts of the store, and
 * takes the rates from these.
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
    USAGE_RECALLED, /* it was not, but was evicted before */
    USAGE_KINDS,
};

/* Of all shards; older rounds count less. */
struct usage_sums {
    struct mutex lock;
    float seen[USAGE_CLASSES], used[USAGE_CLASSES];
};

/* Of a shard, under its lock. */
struct usage {
    uint32_t seen[USAGE_CLASSES], used[USAGE_CLASSES]; /* in this round */
    float rates[USAGE_CLASSES];                        /* uses per round and entry */
    float enough;                                      /* a rate that ends a search */
    uint64_t round_began, round_length;                /* in revisions; 0 = not known yet */
    bool is_counting;                                  /* uses, since the hand goes round */
    size_t ghosts;                                     /* a power of two */
    uint8_t ghost_tags[];                              /* 0 = none */
};

/* The class of an entry that was written so many writes ago. */
static inline size_t usage_class(enum usage_kind kind, uint64_t age)
{
    size_t length = age == 0 ? 0 : 64 - (size_t)__builtin_clzll(age);
    return kind * USAGE_AGES + (length < USAGE_AGES ? length : USAGE_AGES - 1);
}

/* Nothing is known yet, and nothing remembered: `ghosts` keys at most, 1 or more, will be. Free
 * with free(). */
struct usage *usage_new(size_t ghosts) __attribute__((returns_nonnull));

/* Bytes that it takes. */
size_t usage_memory(const struct usage *usage);

/* The hand moves on, at that revision: if it is the first time, the first round begins. */
static inline void usage_begin(struct usage *usage, uint64_t revision)
{
    if (usage->is_counting)
        return;
    usage->is_counting = true;
    usage->round_began = revision;
}

/* The round is over, at that revision: its counts go to the sums, and the rates are new. `shards`
 * add to the sums. */
void usage_end_round(struct usage *usage, struct usage_sums *sums, size_t shards,
                     uint64_t revision);

/* A search has ended that met so many entries. */
void usage_adjust_enough(struct usage *usage, size_t seen);

/* Remembers that the key with this hash was evicted. */
void usage_remember(struct usage *usage, uint64_t hash);

/* True if the key with this hash was evicted not long ago, which is then forgotten; seldom for
 * another key. */
bool usage_recall(struct usage *usage, uint64_t hash);

#endif
