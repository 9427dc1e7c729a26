/* Puts the keys of an RDB file (journal/rdb/read.h) into a store. */
#ifndef KEYSTORE_JOURNAL_LOAD_RDB_H
#define KEYSTORE_JOURNAL_LOAD_RDB_H

#include "journal/loading.h"

/*
 * Loads the file at the beginning of `bytes` into the store, which has none of its keys, and sets
 * the store's revision to the file's, or to 1 if it has none. *size becomes the file's. False if
 * the loading has ended: loading->verdict. Keys of other types are noted and left out, as are keys
 * of a length that there is not.
 */
bool load_rdb(struct loading *loading, struct slice bytes, size_t *size);

#endif
