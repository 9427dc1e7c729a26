/*
 * Commands of a Redis log that correspond to no single operation of the store, among them BITOP,
 * SORT with STORE and RESTORE: several operations read what is there and write the result.
 */
#ifndef KEYSTORE_JOURNAL_COMPUTE_H
#define KEYSTORE_JOURNAL_COMPUTE_H

#include "journal/compute_parts.h"

/* Applies a command for which command_read() returned COMMAND_COMPUTED. */
enum compute_verdict compute(struct compute *compute);

#endif
