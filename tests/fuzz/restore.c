/*
 * RESTORE of a log: the input is a value as DUMP gives it, without its checksum, and
 * goes the way of a start, from the command in a log to the store. What was loaded must be what a
 * log could hold; else there must be a reason.
 *
 * tests/fuzz/restore/ has a value of each type and encoding, and one for each way in which these
 * can be wrong: with them a missing check of a listpack's lengths is found in seconds, without them
 * it is not found in minutes.
 */
#include "common/target.h"
#include "journal/rdb/crc64.h"
#include "journal/replay.h"
#include "store/op.h"
#include "store/store.h"
#include "support/resp_append.h"

#define MOST 65536

/* The value with the checksum that it should have; the input's last two bytes are its version. */
static void append_restore(struct buf *log, const uint8_t *data, size_t size)
{
    uint8_t dump[MOST + sizeof(uint64_t)];
    uint64_t check = crc64_update(0, slice_make(data, size));
    memcpy(dump, data, size);
    memcpy(dump + size, &check, sizeof check);
    struct slice args[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("k"), SLICE_LITERAL("0"),
                           slice_make(dump, size + sizeof check)};
    bool appended = resp_append(log, args, sizeof args / sizeof *args);
    CHECK(appended);
}

/* A key that is there has a value, at the revision of the unit. */
static void check_store(struct store *store)
{
    struct arena arena;
    struct op_result result;
    struct op op = {.kind = OP_DESCRIBE, .key = SLICE_LITERAL("k")};
    arena_init(&arena);
    store_apply(store, &op, &arena, &result);
    CHECK(result.err == ERR_NONE && result.version <= 1);
    op_result_release(&result);
    arena_deinit(&arena);
}

static void load(struct slice log)
{
    struct store *store = store_new(&(struct store_options){.databases = 1});
    struct loading loading = {.store = store};
    struct replay_end end;
    bool loaded = replay_log(&loading, log, 0, &end);
    CHECK(loaded ? end.good == log.len : loading.why[0] != 0 && loading.offset <= log.len);
    check_store(store);
    loading_deinit(&loading);
    store_free(store);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf log;
    if (size > MOST)
        return 0;
    buf_init(&log, SIZE_MAX);
    append_restore(&log, data, size);
    load(buf_slice(&log));
    buf_deinit(&log);
    return 0;
}
