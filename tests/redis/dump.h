/* A real Redis with a dump.rdb in a folder of its own: the file, and what it holds as text. */
#ifndef KEYSTORE_TESTS_REDIS_DUMP_H
#define KEYSTORE_TESTS_REDIS_DUMP_H

#include "support/folder.h"
#include "support/redis.h"

struct dump {
    struct folder folder;
    struct redis redis;
};

/* Makes the folder; Redis does not run yet. */
void dump_init(struct dump *dump);

/* Starts Redis, which loads the folder's dump.rdb if there is one. */
void dump_start(struct dump *dump);

/* Stops Redis and removes the folder. */
void dump_deinit(struct dump *dump);

/* Makes the bytes the dump.rdb of the folder. */
void dump_write(const struct dump *dump, struct slice bytes);

/* True if redis-check-rdb accepts the folder's dump.rdb. */
bool dump_is_accepted(const struct dump *dump);

/* Lets Redis save and appends the file that it wrote. */
void dump_read(struct dump *dump, struct buf *bytes);

/* Appends what 16 databases of Redis hold, in the lines of a recorder (journal/rdb_recorder.h)
 * without versions. */
void dump_contents(struct dump *dump, struct buf *text);

#endif
