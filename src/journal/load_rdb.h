/* Loads the keys of an RDB file (journal/rdb/read.h) into a store. */
#ifndef KEYSTORE_JOURNAL_LOAD_RDB_H
#define KEYSTORE_JOURNAL_LOAD_RDB_H

#include "journal/loading.h"

/*
 * Loads the file at the start of `bytes` into the store, which has none of its keys, and sets the
 * store's revision to that of the file, or to 1 if it has none. *size becomes the size of the file.
 * False if loading has ended: loading->verdict. Keys of other types or of an invalid length are
 * noted and left out.
 */
bool load_rdb(struct loading *loading, struct slice bytes, size_t *size);

#endif
