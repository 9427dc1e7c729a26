/* Which keys a command of Redis or Valkey writes, also of commands whose effect is not known. */
#ifndef KEYSTORE_JOURNAL_LOG_COMMAND_KEYS_H
#define KEYSTORE_JOURNAL_LOG_COMMAND_KEYS_H

#include "journal/log/scan.h"

struct arena;

/*
 * Returns all keys that the command may write in *keys and *count, in the arena; they may have any
 * length. False if they are unknown: then it may have written any.
 */
bool command_keys(const struct scan_command *command, struct arena *arena, struct slice **keys,
                  size_t *count) __attribute__((warn_unused_result));

#endif
