/* What journal/log/command.c writes of random changes: a real Redis that is fed with it holds what
 * the store does. */
#include "journal/log/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "journal/log/resp.h"
#include "redis/compare.h"
#include "store/keyspace_fixture.h"
#include "store/seeded.h"
#include "support/folder.h"

#include "journal/random_writes.h"

#define WRITES 20000
#define LIMIT  ((size_t)64 * 1024 * 1024)

/* Keeps what it is told as commands, a transaction around each unit. */
struct recorder {
    struct change_sink sink;
    uint64_t revision;
    size_t changes;
    size_t start; /* of the open unit */
    struct buf out;
};

static void put(struct recorder *recorder, const char *text)
{
    assert_true(buf_append(&recorder->out, slice_from_string(text)));
}

static uint64_t begin(struct change_sink *sink)
{
    struct recorder *recorder = (struct recorder *)sink;
    recorder->start = recorder->out.len;
    put(recorder, COMMAND_MULTI);
    return ++recorder->revision;
}

static void change(struct change_sink *sink, const struct op *op)
{
    struct recorder *recorder = (struct recorder *)sink;
    assert_true(command_append_select(&recorder->out, op->db));
    assert_true(command_append(&recorder->out, op));
}

static void end(struct change_sink *sink)
{
    struct recorder *recorder = (struct recorder *)sink;
    put(recorder, COMMAND_EXEC);
}

static void abort_unit(struct change_sink *sink)
{
    struct recorder *recorder = (struct recorder *)sink;
    recorder->out.len = recorder->start;
    recorder->revision--;
}

/* Every command in it must be one that Redis accepts. */
static void feed(struct redis *redis, struct recorder *recorder)
{
    struct slice rest = buf_slice(&recorder->out);
    struct resp_args args = {0};
    size_t used;
    while (rest.len > 0) {
        args.count = 0;
        assert_int_equal(resp_parse(rest, &args, &used), RESP_COMMAND);
        redis_send(redis, slice_make(rest.data, used));
        assert_true(redis_skip_reply(redis));
        rest = slice_skip(rest, used);
    }
    resp_args_deinit(&args);
    buf_clear(&recorder->out, LIMIT);
}

static void redis_does_the_same(void **state)
{
    (void)state;
    struct folder folder;
    struct redis redis;
    struct writes writes;
    struct recorder recorder = {
        .sink = {.begin = begin, .change = change, .end = end, .abort = abort_unit}};
    struct store *store = store_new(&(struct store_options){.databases = KEYSPACE_DATABASES});
    folder_make(&folder);
    redis_start(&redis, folder.path, NULL, NULL);
    buf_init(&recorder.out, LIMIT);
    store_set_sink(store, &recorder.sink);
    writes_init(&writes, store, seeded_start());
    for (size_t i = 1; i <= WRITES; i++) {
        writes_one(&writes);
        feed(&redis, &recorder);
        if (i % 2000 == 0)
            compare_stores(&redis, store);
    }
    assert_true(recorder.revision > WRITES / 4);
    writes_deinit(&writes);
    buf_deinit(&recorder.out);
    redis_stop(&redis);
    store_free(store);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_does_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
