/* Tests of service/streams/watch_events.c: the events of each change, and their messages. */
#include "service/streams/watch_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/arena.h"

#include <mini_redis.pb-c.h>

#define KEY   .key = SLICE_LITERAL("key"), .db = 1, .target_db = 1
#define OTHER .target.bytes = SLICE_LITERAL("other")

static void print(void *user, const struct watch_event *event)
{
    char *text = user;
    size_t len = strlen(text);
    assert_int_equal(event->version, 9);
    snprintf(text + len, 200 - len, "%d%.*s@%u%s ", (int)event->type, (int)event->key.len,
             (const char *)event->key.data, event->db, event->change != NULL ? "+" : "");
}

static void assert_events(struct op change, const char *expected)
{
    char text[200] = "";
    watch_events_each(&change, 9, print, text);
    assert_string_equal(text, expected);
}

static void test_events_of_changes(void **state)
{
    (void)state;
    struct op_key keys[] = {{.bytes = SLICE_LITERAL("a")}, {.bytes = SLICE_LITERAL("b")}};
    struct op sets[] = {{.kind = OP_SET, KEY}, {.kind = OP_SET, .key = keys[0].bytes}};
    assert_events((struct op){.kind = OP_SET, KEY}, "1key@1+ ");
    assert_events((struct op){.kind = OP_EXPIRE, KEY}, "1key@1+ ");
    assert_events((struct op){.kind = OP_DELETE, KEY}, "2key@1 ");
    assert_events((struct op){.kind = OP_DELETE, KEY, .removal.cause = OP_CAUSE_EXPIRY}, "3key@1 ");
    assert_events((struct op){.kind = OP_DELETE, KEY, .removal.cause = OP_CAUSE_EVICTION},
                  "4key@1 ");
    assert_events((struct op){.kind = OP_DELETE_MANY, .keys = keys, .key_count = 2}, "2a@0 2b@0 ");
    assert_events((struct op){.kind = OP_RENAME, KEY, OTHER}, "2key@1 1other@1 ");
    assert_events((struct op){.kind = OP_COPY, KEY, OTHER}, "1other@1 ");
    assert_events((struct op){.kind = OP_L_MOVE, KEY, OTHER}, "1key@1+ 1other@1 ");
    assert_events((struct op){.kind = OP_L_MOVE, KEY, OTHER, .move.empties = true},
                  "2key@1 1other@1 ");
    assert_events((struct op){.kind = OP_L_MOVE, KEY, .target.bytes = SLICE_LITERAL("key")},
                  "1key@1+ ");
    assert_events((struct op){.kind = OP_LIST_POP, .db = 2, .keys = keys, .key_count = 1},
                  "1a@2+ ");
    assert_events((struct op){.kind = OP_M_SET, .ops = sets, .op_count = 2}, "1key@1+ 1a@0+ ");
    assert_events((struct op){.kind = OP_FLUSH_DB, .db = 3}, "5@3 ");
    assert_events((struct op){.kind = OP_SWAP_DB, .db = 3, .target_db = 4}, "5@3 5@4 ");
}

static void test_a_message(void **state)
{
    (void)state;
    struct op set = {.kind = OP_SET, KEY, .value = SLICE_LITERAL("value")};
    struct watch_event event = {
        .type = WATCH_WRITE, .db = 1, .key = set.key, .version = 300, .change = &set};
    struct arena arena;
    struct buf out;
    arena_init(&arena);
    buf_init(&out, 1000);
    watch_events_append(&out, &event, true, &arena);
    watch_events_append(&out, &event, false, &arena);
    struct watch_tail tail = {.version = 301, .initial_done = true, .partial = true};
    uint8_t *at = buf_reserve(&out, WATCH_TAIL);
    out.len += watch_events_write_tail(at, &tail);
    Keystore__V1__WatchBatch *batch = keystore__v1__watch_batch__unpack(NULL, out.len, out.data);
    assert_non_null(batch);
    assert_int_equal(batch->n_events, 2);
    assert_true(batch->initial_done && batch->partial);
    assert_int_equal(batch->version, 301);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(batch->events[i]->type, KEYSTORE__V1__EVENT_TYPE__EVENT_TYPE_WRITE);
        assert_int_equal(batch->events[i]->version, 300);
        assert_int_equal(batch->events[i]->db, 1);
        assert_memory_equal(batch->events[i]->key.data, "key", 3);
    }
    assert_memory_equal(batch->events[0]->change->set->value.data, "value", 5);
    assert_null(batch->events[1]->change);
    keystore__v1__watch_batch__free_unpacked(batch, NULL);
    buf_deinit(&out);
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events_of_changes),
        cmocka_unit_test(test_a_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
