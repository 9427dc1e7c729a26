/*
 * Commands on conditions: a script that Redis runs. Its reply is {1, 0, the first command's reply}
 * or {0, number of the key whose condition does not hold, from 1 on, its string or nil, its type}.
 *
 *     guard_begin(script, db, 1); script_bytes(script, key);
 *     guard_condition(script, condition, GUARD_ANY);
 *     guard_command(script, 3); script_text(script, "SET"); ...; script_end(script);
 */
#ifndef KEYSTORE_TESTS_MODEL_GUARD_H
#define KEYSTORE_TESTS_MODEL_GUARD_H

#include "script.h"
#include "step.h"

/* What the key's type must be for it not to be WRONGTYPE, if there is the key. */
enum guard_type { GUARD_ANY, GUARD_STRING, GUARD_LIST };

/* The keys follow, then one condition for each, then the commands. */
void guard_begin(struct script *script, uint32_t db, size_t keys);

/* NULL = none. With a value it is WRONGTYPE for a list. */
void guard_condition(struct script *script, const struct keystore_condition *condition,
                     enum guard_type type);

/* The same of a compare: a list has no value. */
void guard_compare(struct script *script, const struct keystore_condition *condition);

/* The command's `words` words follow. */
void guard_command(struct script *script, size_t words);

/* Only if the first key was not there. */
void guard_command_if_new(struct script *script, size_t words);

bool guard_held(const redisReply *reply);

/* It did not hold, and the key is a list. */
bool guard_met_list(const redisReply *reply);

/* The third part of the reply. */
const redisReply *guard_result(const redisReply *reply);

#endif
