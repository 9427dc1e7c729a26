/*
 * How far a snapshot has saved a shard's part of a database (store/snapshot.h). It belongs to the
 * entries, not to the number of their database, and moves with them: to another number when
 * databases are swapped, to garbage when the database is flushed. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_SAVING_H
#define KEYSTORE_STORE_DATA_SAVING_H

#include "base/slice.h"

struct dict;
struct dict_hasher;
struct slab;

/* All fields but `done` have a meaning only while there is a snapshot. */
struct saving {
    bool done;           /* everything is saved, or too new for the snapshot */
    uint32_t db;         /* the number that the database had when the snapshot began, */
    uint64_t swapped_at; /* and its database.swapped_at then */
    uint64_t cursor;     /* of dict_scan(): entries below it are saved */
    struct dict *noted;  /* saved keys that are not below it; NULL = none */
};

/* Notes a key. Memory comes from the slab, until saving_drop_notes(). */
void saving_note(struct saving *saving, struct slab *slab, const struct dict_hasher *hasher,
                 struct slice key, uint64_t hash);

bool saving_has_noted(const struct saving *saving, struct slice key, uint64_t hash);

void saving_drop_notes(struct saving *saving, struct slab *slab);

#endif
