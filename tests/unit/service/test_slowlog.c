/* Tests of service/slowlog.c: the ring of slow calls, also with threads that add at the same time,
 * and its reply. */
#include "service/slowlog.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/fake_call.h"
#include "service/route.h"

static void add(struct slowlog *log, int64_t duration_us)
{
    struct slow_call call = {.duration_us = duration_us};
    slowlog_add(log, &call);
    assert_true(call.id > 0);
}

/* The durations of the newest calls are these. */
static void assert_newest(struct slowlog *log, size_t limit, bool reset, const int64_t *durations,
                          size_t count, uint64_t total, size_t kept)
{
    struct arena arena;
    struct slow_call *calls;
    uint64_t seen_total;
    size_t seen_kept;
    arena_init(&arena);
    assert_int_equal(slowlog_read(log, limit, reset, &arena, &calls, &seen_total, &seen_kept),
                     count);
    assert_int_equal(seen_total, total);
    assert_int_equal(seen_kept, kept);
    for (size_t i = 0; i < count; i++) {
        assert_int_equal(calls[i].duration_us, durations[i]);
        assert_int_equal(calls[i].id, total - i);
    }
    arena_deinit(&arena);
}

static void test_the_newest_are_kept(void **state)
{
    (void)state;
    struct slowlog *log = slowlog_new(3);
    assert_newest(log, SIZE_MAX, false, NULL, 0, 0, 0);
    add(log, 1);
    add(log, 2);
    assert_newest(log, SIZE_MAX, false, (const int64_t[]){2, 1}, 2, 2, 2);
    for (int i = 3; i <= 10; i++)
        add(log, i);
    assert_newest(log, SIZE_MAX, false, (const int64_t[]){10, 9, 8}, 3, 10, 3);
    assert_newest(log, 2, true, (const int64_t[]){10, 9}, 2, 10, 3);
    assert_newest(log, SIZE_MAX, false, NULL, 0, 10, 0);
    add(log, 11);
    assert_newest(log, SIZE_MAX, false, (const int64_t[]){11}, 1, 11, 1);
    slowlog_free(log);
}

static void test_none_are_kept(void **state)
{
    (void)state;
    struct slowlog *log = slowlog_new(0);
    add(log, 1);
    assert_newest(log, SIZE_MAX, false, NULL, 0, 1, 0);
    slowlog_free(log);
    slowlog_free(NULL);
}

#define THREADS 4
#define EACH    2000

static void *add_many(void *argument)
{
    for (int i = 1; i <= EACH; i++)
        add(argument, i);
    return NULL;
}

static void test_threads_add_at_the_same_time(void **state)
{
    (void)state;
    struct slowlog *log = slowlog_new(THREADS * EACH);
    pthread_t threads[THREADS];
    struct arena arena;
    struct slow_call *calls;
    uint64_t total, sum = 0;
    size_t kept;
    for (size_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, add_many, log), 0);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    arena_init(&arena);
    assert_int_equal(slowlog_read(log, SIZE_MAX, false, &arena, &calls, &total, &kept),
                     THREADS * EACH);
    for (size_t i = 0; i < kept; i++) {
        assert_int_equal(calls[i].id, total - i);
        sum += (uint64_t)calls[i].duration_us;
    }
    assert_int_equal(sum, (uint64_t)THREADS * EACH * (EACH + 1) / 2);
    arena_deinit(&arena);
    slowlog_free(log);
}

static void test_an_entry_says_it_all(void **state)
{
    (void)state;
    struct slowlog *log = slowlog_new(5);
    struct slow_call call = {
        .unix_ms = 1700000000000,
        .duration_us = 12345,
        .method = route_method_number(NULL),
        .code = GRPC_UNAVAILABLE,
        .waited_for_lock = true,
        .note = {.state = NOTE_ALL,
                 .db = 3,
                 .key_size = 1000,
                 .keys = 2,
                 .elements = 4,
                 .request_bytes = 5,
                 .reply_bytes = 6,
                 .offloaded = true},
        .metadata = {.has_trace = true,
                     .trace_id = {0xab, 1},
                     .request_id = "id",
                     .request_id_size = 2,
                     .previous_attempts = 7},
        .peer = "a unix socket",
    };
    memset(call.note.key, 'k', sizeof call.note.key);
    slowlog_add(log, &call);
    struct service_options options = {.slowlog = log};
    struct chain reply = {0};
    struct arena arena;
    const char *why;
    arena_init(&arena);
    assert_int_equal(slowlog_report(&options, SLICE_LITERAL(""), &arena, &reply, &why), ERR_NONE);
    struct slice bytes = slice_skip(buf_slice(&reply.bytes), GRPC_PREFIX_SIZE);
    Keystore__V1__SlowLogReply *read =
        keystore__v1__slow_log_reply__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(read);
    assert_int_equal(read->n_entries, 1);
    assert_int_equal(read->total, 1);
    assert_int_equal(read->kept, 1);
    const Keystore__V1__SlowLogReply__Entry *entry = read->entries[0];
    assert_int_equal(entry->unix_ms, 1700000000000);
    assert_int_equal(entry->duration_us, 12345);
    assert_string_equal(entry->method, "/unknown");
    assert_int_equal(entry->key.len, NOTE_MAX_KEY);
    assert_int_equal(entry->key_size, 1000);
    assert_int_equal(entry->db, 3);
    assert_int_equal(entry->keys, 2);
    assert_int_equal(entry->elements, 4);
    assert_int_equal(entry->request_bytes, 5);
    assert_int_equal(entry->reply_bytes, 6);
    assert_string_equal(entry->peer, "a unix socket");
    assert_int_equal(entry->status, 14);
    assert_string_equal(entry->trace_id, "ab010000000000000000000000000000");
    assert_int_equal(entry->request_id.len, 2);
    assert_int_equal(entry->previous_attempts, 7);
    assert_true(entry->offloaded && entry->waited_for_lock && !entry->waited_for_disk);
    keystore__v1__slow_log_reply__free_unpacked(read, NULL);
    chain_deinit(&reply);
    reply = (struct chain){0};
    assert_int_equal(slowlog_report(&options, SLICE_LITERAL("\x80"), &arena, &reply, &why),
                     ERR_BAD_MESSAGE);
    assert_int_equal(chain_length(&reply), 0);
    arena_deinit(&arena);
    slowlog_free(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_newest_are_kept),
        cmocka_unit_test(test_none_are_kept),
        cmocka_unit_test(test_threads_add_at_the_same_time),
        cmocka_unit_test(test_an_entry_says_it_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
