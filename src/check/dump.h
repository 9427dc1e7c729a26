/* Prints all data of a store as commands, which keystore-cli --pipe and redis-cli execute. */
#ifndef KEYSTORE_CHECK_DUMP_H
#define KEYSTORE_CHECK_DUMP_H

#include <stdint.h>
#include <stdio.h>

struct store;

/*
 * Prints, for each database that has keys, SELECT, and for each key in bytewise order SET (with
 * PXAT if it has a deadline), or DEL, RPUSH and PEXPIREAT; a long list takes several RPUSH. So the
 * keys become what they are here, whatever they were before. Keys whose deadline has passed at
 * `now_ms` (Unix time) are left out. Returns how many were printed. Nobody else may use the store
 * meanwhile.
 */
uint64_t dump_store(FILE *out, struct store *store, int64_t now_ms);

#endif
