/*
 * How far a snapshot has saved a shard's part of a database (store/snapshot.h). It belongs to the
 * entries, not to the number that their database has, and goes where they go: to another number
 * when databases are swapped, to garbage when the database is flushed. Private to the store.
 */
#ifndef KEYSTORE_STORE_DATA_SAVING_H
#define KEYSTORE_STORE_DATA_SAVING_H

#include "base/slice.h"

struct dict;
struct dict_hasher;
struct slab;

/* All but `done` means something only while there is a snapshot. */
struct saving {
    bool done;           /* all is saved, or what is there is too new */
    uint32_t db;         /* the number that the database had when the snapshot began, */
    uint64_t swapped_at; /* and its database.swapped_at then */
    uint64_t cursor;     /* of dict_scan(): what is below it is saved */
    struct dict *noted;  /* keys that are saved though they are not below; NULL = none */
};

/* Notes a key. Memory comes from the slab, until saving_forget_notes(). */
void saving_note(struct saving *saving, struct slab *slab, const struct dict_hasher *hasher,
                 struct slice key, uint64_t hash);

bool saving_has_noted(const struct saving *saving, struct slice key, uint64_t hash);

void saving_forget_notes(struct saving *saving, struct slab *slab);

#endif
