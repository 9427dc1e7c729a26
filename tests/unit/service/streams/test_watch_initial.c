/* Tests of service/streams/watch_initial.c: the keys as they are, then the changes. */
#include "service/streams/watch.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/streams/watch_link.h"
#include "store/data/shard.h"

static void push(struct link *link, const char *key, size_t count)
{
    Keystore__V1__ListInsert message = KEYSTORE__V1__LIST_INSERT__INIT;
    ProtobufCBinaryData values[64];
    static uint8_t element[MAX_VALUE];
    for (size_t i = 0; i < count; i++)
        values[i] = message_bytes(slice_make(element, i % 16));
    message.key = message_text(key);
    message.values = values;
    message.n_values = count;
    link_call(link, "/KeyStore/RPush", &message);
}

static void test_the_keys_come_first(void **state)
{
    struct link *link = *state;
    watch_set(link, "a");
    watch_set(link, "b");
    struct ng_stream *call = watch_start(link, "a*", WATCH_INITIAL);
    assert_string_equal(watch_taken(call), "1a !");
    watch_set(link, "b");
    watch_set(link, "a");
    watch_run(link);
    assert_string_equal(watch_taken(call), "1a .");
}

static void test_of_nothing(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = watch_start(link, "a*", WATCH_INITIAL);
    assert_string_equal(watch_taken(call), "!");
    link_call_key(link, "/KeyStore/Delete", "a");
    watch_set(link, "a");
    watch_run(link);
    assert_string_equal(watch_taken(call), "1a .");
}

/* The pieces of a list are from one version, whatever is pushed meanwhile. */
static void test_a_long_list_comes_in_pieces(void **state)
{
    struct link *link = *state;
    Keystore__V1__WatchRequest request = WATCH_INITIAL;
    for (int i = 0; i < 500; i++)
        push(link, "list", 64);
    request.with_changes = true;
    struct ng_stream *call = watch_start(link, "list", request);
    const char *text = watch_taken(call);
    size_t pieces = 0;
    for (const char *at = text; (at = strstr(at, "1list ")) != NULL; at++)
        pieces++;
    assert_true(pieces >= 8);
    assert_non_null(strchr(text, '!'));
    assert_non_null(strchr(text, '~'));
}

/* A long operation holds a lock: the watch waits for it, and the worker does not. */
static void test_it_waits_for_a_lock(void **state)
{
    struct link *link = *state;
    struct store *store = embedded_store(link->engine);
    watch_set(link, "a");
    struct ng_stream *first = watch_start(link, "none", WATCH_ANY); /* the history is kept now */
    assert_string_equal(watch_taken(first), ".");
    mutex_lock_long(&store->shards[5].lock);
    struct ng_stream *call = watch_start(link, "a*", WATCH_INITIAL);
    assert_null(strchr(watch_taken(call), '!'));
    mutex_unlock(&store->shards[5].lock);
    store_notify_freed(store);
    assert_true(watch_wakes > 0);
    watch_run(link);
    assert_non_null(strchr(watch_taken(call), '!'));
}

static void test_it_is_cancelled_at_any_point(void **state)
{
    struct link *link = *state;
    Keystore__V1__WatchRequest request = WATCH_INITIAL;
    request.with_changes = true;
    struct store *store = embedded_store(link->engine);
    push(link, "list", 64);
    for (size_t i = 0; i < store->shard_count; i += 7) {
        mutex_lock_long(&store->shards[i].lock);
        struct ng_stream *call = watch_start(link, "*", request);
        nghttp2_submit_rst_stream(link->client->session, NGHTTP2_FLAG_NONE, call->id,
                                  NGHTTP2_CANCEL);
        watch_run(link);
        mutex_unlock(&store->shards[i].lock);
        store_notify_freed(store);
        watch_run(link);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WATCH_TEST(test_the_keys_come_first),          WATCH_TEST(test_of_nothing),
        WATCH_TEST(test_a_long_list_comes_in_pieces),  WATCH_TEST(test_it_waits_for_a_lock),
        WATCH_TEST(test_it_is_cancelled_at_any_point),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
