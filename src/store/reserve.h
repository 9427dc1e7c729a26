/*
 * Giving up what strings that grew hold for further growth (entry_reserve()), when there is no
 * other memory. Private to the store.
 */
#ifndef KEYSTORE_STORE_RESERVE_H
#define KEYSTORE_STORE_RESERVE_H

#include <stdbool.h>
#include <stddef.h>

struct store;

/* Gives reserves up until no more than `limit` bytes are in use; false if more are, though none is
 * left but those of strings that answers still share. Takes the shards' locks one after the other;
 * if `quick`, it passes over those that are held for long, and sets *held then. */
bool reserve_reclaim(struct store *store, size_t limit, bool quick, bool *held);

#endif
