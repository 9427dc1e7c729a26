/*
 * For each address, the time at which all its failures will be forgotten: each one moves it by
 * THROTTLE_INTERVAL_MS. The table has sets of a few entries, which a secret hash chooses, so that a
 * look at an address costs the same however many there are.
 */
#include "access/throttle.h"

#include "base/mem.h"
#include "base/random.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define SET_SIZE 8
#define SETS     (THROTTLE_ADDRESSES / SET_SIZE)

struct throttled {
    uint8_t address[16];
    int64_t forgotten_ms; /* monotonic; in the past: it is free */
};

struct throttle {
    pthread_mutex_t lock;
    uint64_t secret; /* so that nobody chooses addresses of one set */
    struct throttled sets[SETS][SET_SIZE];
};

struct throttle *throttle_new(void)
{
    struct throttle *throttle = mem_alloc_zero(sizeof *throttle);
    pthread_mutex_init(&throttle->lock, NULL);
    random_fill(&throttle->secret, sizeof throttle->secret);
    return throttle;
}

void throttle_free(struct throttle *throttle)
{
    if (throttle == NULL)
        return;
    pthread_mutex_destroy(&throttle->lock);
    free(throttle);
}

/* What of the address is counted. */
static void throttle_key(const uint8_t address[16], uint8_t key[16])
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    memcpy(key, address, 16);
    if (memcmp(address, mapped, sizeof mapped) != 0)
        memset(key + 8, 0, 8);
}

/* The entry of the key, or the one that it may take. */
static struct throttled *throttle_find(struct throttle *throttle, const uint8_t key[16])
{
    uint64_t halves[2];
    memcpy(halves, key, sizeof halves);
    uint64_t hash = (halves[0] ^ throttle->secret) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ hash >> 29 ^ halves[1]) * 0xbf58476d1ce4e5b9u;
    struct throttled *set = throttle->sets[(hash >> 32) % SETS], *best = &set[0];
    for (size_t i = 0; i < SET_SIZE; i++) {
        if (memcmp(set[i].address, key, 16) == 0)
            return &set[i];
        if (set[i].forgotten_ms < best->forgotten_ms)
            best = &set[i];
    }
    memcpy(best->address, key, 16);
    best->forgotten_ms = 0;
    return best;
}

int64_t throttle_enter(struct throttle *throttle, const uint8_t address[16], int64_t now_ms)
{
    uint8_t key[16];
    throttle_key(address, key);
    pthread_mutex_lock(&throttle->lock);
    struct throttled *entry = throttle_find(throttle, key);
    int64_t from_ms = entry->forgotten_ms > now_ms ? entry->forgotten_ms : now_ms;
    int64_t wait_ms = from_ms - now_ms - (int64_t)(THROTTLE_BURST - 1) * THROTTLE_INTERVAL_MS;
    if (wait_ms <= 0)
        entry->forgotten_ms = from_ms + THROTTLE_INTERVAL_MS;
    pthread_mutex_unlock(&throttle->lock);
    return wait_ms > 0 ? wait_ms : 0;
}

void throttle_forgive(struct throttle *throttle, const uint8_t address[16], int64_t now_ms)
{
    uint8_t key[16];
    throttle_key(address, key);
    pthread_mutex_lock(&throttle->lock);
    struct throttled *entry = throttle_find(throttle, key);
    if (entry->forgotten_ms > now_ms)
        entry->forgotten_ms -= THROTTLE_INTERVAL_MS;
    pthread_mutex_unlock(&throttle->lock);
}
