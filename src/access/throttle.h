/*
 * Counts failed attempts per address and slows down those who guess: after THROTTLE_BURST of them
 * an address may make one more per THROTTLE_INTERVAL_MS. Of IPv6, an address is the /64 that a
 * provider gives one customer. The table has a bounded size: when it is full, the address is
 * forgotten that would be first in any case. Any thread may use it.
 */
#ifndef KEYSTORE_ACCESS_THROTTLE_H
#define KEYSTORE_ACCESS_THROTTLE_H

#include <stdint.h>

#define THROTTLE_BURST       10
#define THROTTLE_INTERVAL_MS 6000
/* Addresses that are remembered. */
#define THROTTLE_ADDRESSES 4096

struct throttle;

struct throttle *throttle_new(void);
/* NULL is allowed. */
void throttle_free(struct throttle *throttle);

/*
 * Counts an attempt of the peer as failed, from now on, so that attempts at the same time are
 * counted, too. `address` is IPv6 or IPv4-mapped, `now_ms` monotonic. 0: it may be made. Else it
 * may not, and is not counted: after that many milliseconds one may.
 */
int64_t throttle_enter(struct throttle *throttle, const uint8_t address[16], int64_t now_ms);

/* The attempt has not failed. */
void throttle_forgive(struct throttle *throttle, const uint8_t address[16], int64_t now_ms);

#endif
