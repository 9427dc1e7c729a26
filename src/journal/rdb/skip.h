/* Skips what is not read in an RDB file: values of other types, data of modules. */
#ifndef KEYSTORE_JOURNAL_RDB_SKIP_H
#define KEYSTORE_JOURNAL_RDB_SKIP_H

#include "journal/rdb/input.h"

/* Size of the longest name with its terminating zero: "data of module NAME" with nine letters. */
#define RDB_SKIP_NAME ((size_t)32)

/* Skips a value of any type except strings and lists and writes its type: set, zset, hash, stream
 * or "module NAME". False after rdb_input_fail(), or rdb_input_unknown() for an unknown type. */
bool rdb_skip_value(struct rdb_input *input, uint8_t type, char *name);

/* Skips the fields of RDB_MODULE_AUX and writes "data of module NAME". */
bool rdb_skip_module_aux(struct rdb_input *input, char *name);

/* Skips the fields of RDB_FUNCTION_PRE_GA. */
bool rdb_skip_old_function(struct rdb_input *input);

#endif
