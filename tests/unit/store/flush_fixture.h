/* Databases to flush, for the tests of FlushDb and of what it leaves. Included after <cmocka.h>. */
#ifndef KEYSTORE_TESTS_FLUSH_FIXTURE_H
#define KEYSTORE_TESTS_FLUSH_FIXTURE_H

#include "store/key_ops.h"
#include "store/keyspace_fixture.h"

#include <stdio.h>

#define FLUSH_KEYS 2000

/* Sets the keys "0", "1" and so on to their names; each third one has a deadline. */
static inline void flush_fill(struct keyspace_fixture *fixture, uint32_t db)
{
    char name[12];
    for (int i = 0; i < FLUSH_KEYS; i++) {
        snprintf(name, sizeof name, "%d", i);
        struct op op = set_op(name, name);
        op.db = db;
        op.expire_at_ms = i % 3 == 0 ? fixture->now_ms + 1000 : 0;
        keyspace_apply(fixture, op);
    }
}

static inline const struct op_result *flush_db(struct keyspace_fixture *fixture, uint32_t db)
{
    return keyspace_apply(fixture, (struct op){.kind = OP_FLUSH_DB, .db = db});
}

#endif
