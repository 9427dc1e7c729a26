/*
 * Reclaims the spare capacity of strings that grew (entry_reserve()) when no other memory is left.
 * Private to the store.
 */
#ifndef KEYSTORE_STORE_RESERVE_H
#define KEYSTORE_STORE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

struct store;

/* Reclaims reserves until no more than `limit` bytes are in use; false if more are, although no
 * reserves are left but those of strings that answers still share. Takes the shards' locks one
 * after the other; if `quick`, it skips those that are held for long and sets *held then. */
bool reserve_reclaim(struct store *store, size_t limit, bool quick, bool *held);

#endif
