/* Restarts on what a crash left, and checks whether the data are what they should be. */
#ifndef KEYSTORE_TESTS_CRASH_RESTART_H
#define KEYSTORE_TESTS_CRASH_RESTART_H

#include "crash/fs_model.h"
#include "crash/history.h"

/*
 * Loads the directory into a new store, twice, as two starts would. NULL if both found the same: a
 * state that the history had, at the acknowledged revision or later, and no revision that was shown
 * can be given again. Else what is wrong, an error message in static memory, after more about it
 * has been printed.
 */
const char *restart(struct fs_model *model, const struct history *history,
                    const struct history_promise *promise);

#endif
