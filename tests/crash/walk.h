/*
 * Goes through a recording of the model file system change by change, and lets the machine crash at
 * each place as often as wanted:
 *
 *   struct walk *walk = walk_new(recording);
 *   do {
 *       struct fs_model *state = walk_crash(walk, &chooser);
 *       ... recover from fs_model_fs(state); what was acknowledged up to walk_step() is there ...
 *       fs_model_free(state);
 *   } while (walk_next(walk));
 *
 * A state costs a copy of each file that had unsynced changes. To crash a recovery as well, record
 * the state and walk through that.
 */
#ifndef KEYSTORE_TESTS_CRASH_WALK_H
#define KEYSTORE_TESTS_CRASH_WALK_H

#include "crash/fs_model.h"

struct walk;

/* Starts before the first change. The recording must be over, and live longer. */
struct walk *walk_new(struct fs_model *recording);
void walk_free(struct walk *walk);

/* Changes passed. */
size_t walk_step(const struct walk *walk);

/* Passes one more change; false, and stays, at the end. */
bool walk_next(struct walk *walk);

/* The file system after a crash here, as the chooser decides; the caller frees it. */
struct fs_model *walk_crash(const struct walk *walk, struct chooser *chooser);

#endif
