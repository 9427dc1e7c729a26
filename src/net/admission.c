/* Counts connections: in total, and per address in a small hash table. */
#include "net/admission.h"

#include "base/check.h"
#include "base/log_limit.h"
#include "base/mem.h"
#include "base/random.h"
#include "net/closings.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 1024

struct counted {
    struct counted *next;
    uint8_t address[16];
    uint32_t connections;
};

struct net_admission {
    pthread_mutex_t lock;
    uint32_t max_per_address;
    uint32_t wanted, cap; /* limits on connections, of which the lower one holds */
    struct net_admission_counts counts;
    struct net_closings *closings;
    struct net_admission_counts reported; /* as of the latest log line */
    struct net_peer last_refused;
    atomic_uint_fast64_t last_id;
    struct log_limit refused_lines, pause_lines;
    uint64_t secret; /* so that clients cannot choose addresses of one bucket */
    struct counted *buckets[BUCKETS];
};

struct net_admission *net_admission_new(uint32_t max_connections, uint32_t max_per_address)
{
    struct net_admission *admission = mem_alloc_zero(sizeof *admission);
    pthread_mutex_init(&admission->lock, NULL);
    admission->counts.max_open = admission->wanted = max_connections;
    admission->cap = UINT32_MAX;
    admission->max_per_address = max_per_address;
    random_fill(&admission->secret, sizeof admission->secret);
    admission->closings = net_closings_new();
    return admission;
}

void net_admission_free(struct net_admission *admission)
{
    if (admission == NULL)
        return;
    for (size_t i = 0; i < BUCKETS; i++) {
        while (admission->buckets[i] != NULL) {
            struct counted *counted = admission->buckets[i];
            admission->buckets[i] = counted->next;
            free(counted);
        }
    }
    net_closings_free(admission->closings);
    pthread_mutex_destroy(&admission->lock);
    free(admission);
}

struct net_closings *net_admission_closings(struct net_admission *admission)
{
    return admission->closings;
}

uint64_t net_admission_next_id(struct net_admission *admission)
{
    return atomic_fetch_add_explicit(&admission->last_id, 1, memory_order_relaxed) + 1;
}

static struct counted **admission_find(struct net_admission *admission, const uint8_t address[16])
{
    uint64_t halves[2];
    memcpy(halves, address, sizeof halves);
    uint64_t hash = (halves[0] ^ admission->secret) * 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 32) ^ halves[1] ^ admission->secret) * 0x9e3779b97f4a7c15u;
    struct counted **link = &admission->buckets[(hash >> 40) % BUCKETS];
    while (*link != NULL && memcmp((*link)->address, address, 16) != 0)
        link = &(*link)->next;
    return link;
}

/* Counts the connection for its address; false, counted as refused, if the address has reached its
 * limit. */
static bool admission_enter_address(struct net_admission *admission, const struct net_peer *peer)
{
    if (admission->max_per_address == 0 || !peer->is_counted)
        return true;
    struct counted **link = admission_find(admission, peer->address);
    if (*link == NULL) {
        *link = mem_alloc_zero(sizeof **link);
        memcpy((*link)->address, peer->address, 16);
    }
    if ((*link)->connections >= admission->max_per_address) {
        admission->counts.refused_per_address++;
        return false;
    }
    (*link)->connections++;
    return true;
}

/* Counts the connection as admitted or refused; the lock is held. */
static bool admission_note(struct net_admission *admission, const struct net_peer *peer,
                           bool admitted)
{
    if (admitted) {
        admission->counts.admitted++;
    } else {
        admission->counts.refused++;
        admission->last_refused = *peer;
    }
    return admitted;
}

bool net_admission_enter(struct net_admission *admission, const struct net_peer *peer)
{
    struct net_admission_counts *counts = &admission->counts;
    pthread_mutex_lock(&admission->lock);
    bool admitted =
        admission_note(admission, peer,
                       counts->open < counts->max_open && admission_enter_address(admission, peer));
    counts->open += admitted;
    pthread_mutex_unlock(&admission->lock);
    return admitted;
}

bool net_admission_enter_probe(struct net_admission *admission, const struct net_peer *peer)
{
    struct net_admission_counts *counts = &admission->counts;
    pthread_mutex_lock(&admission->lock);
    bool admitted = admission_note(admission, peer, counts->probes < NET_PROBE_CONNECTIONS);
    counts->probes += admitted;
    counts->refused_probes += !admitted;
    pthread_mutex_unlock(&admission->lock);
    return admitted;
}

static void admission_leave_address(struct net_admission *admission, const struct net_peer *peer)
{
    if (admission->max_per_address == 0 || !peer->is_counted)
        return;
    struct counted **link = admission_find(admission, peer->address);
    struct counted *counted = *link;
    CHECK(counted != NULL && counted->connections > 0); /* it was counted by
                                                           net_admission_enter() */
    if (--counted->connections > 0)
        return;
    *link = counted->next;
    free(counted);
}

void net_admission_leave(struct net_admission *admission, const struct net_peer *peer)
{
    pthread_mutex_lock(&admission->lock);
    CHECK(admission->counts.open > 0);
    admission->counts.open--;
    admission_leave_address(admission, peer);
    pthread_mutex_unlock(&admission->lock);
}

void net_admission_leave_probe(struct net_admission *admission)
{
    pthread_mutex_lock(&admission->lock);
    CHECK(admission->counts.probes > 0);
    admission->counts.probes--;
    pthread_mutex_unlock(&admission->lock);
}

/* The lock is held. */
static void admission_limit(struct net_admission *admission)
{
    admission->counts.capped = admission->cap < admission->wanted;
    admission->counts.max_open = admission->counts.capped ? admission->cap : admission->wanted;
}

void net_admission_set_max(struct net_admission *admission, uint32_t max_open)
{
    pthread_mutex_lock(&admission->lock);
    admission->wanted = max_open;
    admission_limit(admission);
    pthread_mutex_unlock(&admission->lock);
}

void net_admission_cap(struct net_admission *admission, uint32_t max_open)
{
    pthread_mutex_lock(&admission->lock);
    if (max_open < admission->cap)
        admission->cap = max_open;
    admission_limit(admission);
    pthread_mutex_unlock(&admission->lock);
}

bool net_admission_note_pause(struct net_admission *admission, int64_t now_ms)
{
    uint64_t events;
    pthread_mutex_lock(&admission->lock);
    admission->counts.pauses++;
    pthread_mutex_unlock(&admission->lock);
    return log_limit_note(&admission->pause_lines, 1, now_ms, 1, &events);
}

bool net_admission_take_refused(struct net_admission *admission, int64_t now_ms,
                                struct net_admission_refused *refused)
{
    uint64_t events;
    pthread_mutex_lock(&admission->lock);
    struct net_admission_counts *counts = &admission->counts;
    bool due = counts->refused > admission->reported.refused &&
               log_limit_note(&admission->refused_lines, 1, now_ms, 1, &events);
    if (due) {
        *refused = (struct net_admission_refused){
            .all = counts->refused - admission->reported.refused,
            .per_address = counts->refused_per_address - admission->reported.refused_per_address,
            .probes = counts->refused_probes - admission->reported.refused_probes,
            .last = admission->last_refused};
        admission->reported = *counts;
    }
    pthread_mutex_unlock(&admission->lock);
    return due;
}

struct net_admission_counts net_admission_counts(struct net_admission *admission)
{
    pthread_mutex_lock(&admission->lock);
    struct net_admission_counts counts = admission->counts;
    pthread_mutex_unlock(&admission->lock);
    return counts;
}
