/* Fills a store from the files of a checked directory, as a start does, but changes no file. */
#ifndef KEYSTORE_CHECK_LOAD_H
#define KEYSTORE_CHECK_LOAD_H

#include "check/directory.h"

struct store;

#define LOAD_PROBLEM_SIZE ((size_t)600)

/*
 * Loads those of `count` items that hold data, in their order, into an empty store: up to the first
 * that is not good, and of that what stands before the bad place. What KeyStore does not have is
 * left out. False with a sentence, without full stop, if something sound cannot be loaded.
 */
bool load_items(struct fs *fs, const struct item *items, size_t count, struct store *store,
                char problem[static LOAD_PROBLEM_SIZE]) __attribute__((warn_unused_result));

#endif
