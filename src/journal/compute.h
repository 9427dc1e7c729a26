/*
 * Commands of a Redis log that no single operation of the store does, among them BITOP,
 * SORT with STORE and RESTORE: they are carried out by several, which read what is there and
 * write what comes of it.
 */
#ifndef KEYSTORE_JOURNAL_COMPUTE_H
#define KEYSTORE_JOURNAL_COMPUTE_H

#include "journal/compute_parts.h"

/* Carries out a command for which command_read() said COMMAND_COMPUTED. */
enum compute_verdict compute(struct compute *compute);

#endif
