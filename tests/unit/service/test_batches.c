/*
 * Tests of service/service.c's batches: requests that arrive together are worked off together, in
 * order, and one that is cancelled meanwhile is not done.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "service/raw_calls.h"
#include "store/store.h"

static Keystore__V1__KeyValue key_value(const char *key, const char *value)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text(key);
    message.value = message_text(value);
    return message;
}

static void assert_holds(struct engine *engine, const char *text, const char *value)
{
    struct raw_link *link = raw_link_new(engine, "/keystore.v1.KeyStore/Get");
    Keystore__V1__Key key = KEYSTORE__V1__KEY__INIT;
    struct buf reply;
    buf_init(&reply, SIZE_MAX);
    key.key = message_text(text);
    uint32_t id = raw_put_call(link, &key, 1000);
    raw_feed(link);
    assert_true(raw_reply(link, id, &reply));
    Keystore__V1__Value *found = keystore__v1__value__unpack(NULL, reply.len, reply.data);
    assert_non_null(found);
    assert_int_equal(found->found, value != NULL);
    if (value != NULL)
        assert_bytes_are(found->value, value);
    keystore__v1__value__free_unpacked(found, NULL);
    buf_deinit(&reply);
    raw_link_free(link);
}

/* More than one batch, all to one key: the last one given holds. */
static void test_requests_are_done_in_order(void **state)
{
    (void)state;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 1);
    struct raw_link *link = raw_link_new(engine, "/keystore.v1.KeyStore/Set");
    struct buf reply;
    buf_init(&reply, SIZE_MAX);
    for (int i = 0; i < 50; i++) {
        char value[24];
        snprintf(value, sizeof value, "value %d", i);
        Keystore__V1__KeyValue message = key_value("key", value);
        raw_put_call(link, &message, 1000);
    }
    raw_feed(link);
    for (uint32_t id = 1; id < 100; id += 2)
        assert_true(raw_reply(link, id, &reply));
    assert_holds(engine, "key", "value 49");
    buf_deinit(&reply);
    raw_link_free(link);
    embedded_free(engine);
}

/* An engine that checks what it is to prepare and passes it to the inner one. */
struct looking_engine {
    struct engine engine; /* first */
    struct engine *inner;
    size_t prepared; /* tasks */
};

static void look(struct engine *engine, struct engine_task **tasks, size_t count)
{
    struct looking_engine *looking = (struct looking_engine *)engine;
    for (size_t i = 0; i < count; i++)
        assert_true(slice_equal(tasks[i]->op.key, SLICE_LITERAL("kept")));
    looking->prepared += count;
    looking->inner->prepare(looking->inner, tasks, count);
}

static enum engine_answer pass_on(struct engine *engine, struct engine_task *task)
{
    return engine_submit(((struct looking_engine *)engine)->inner, task);
}

/* Its message, gathered from several frames and larger than what stays mapped, is freed with the
 * stream: nobody may read it any more. */
static void test_a_request_that_was_taken_back_is_not_done(void **state)
{
    (void)state;
    struct looking_engine looking = {.inner =
                                         embedded_new(&(struct store_options){.databases = 16}, 1)};
    looking.engine = (struct engine){.prepare = look, .submit = pass_on, .databases = 16};
    struct raw_link *link = raw_link_new(&looking.engine, "/keystore.v1.KeyStore/Set");
    char *large = calloc(1, 1000001);
    memset(large, 'v', 1000000);
    Keystore__V1__KeyValue taken_back = key_value("taken back", large);
    Keystore__V1__KeyValue kept = key_value("kept", "value");
    uint32_t id = raw_put_call(link, &taken_back, 10000);
    raw_put_call(link, &kept, 4);
    raw_put_call(link, &kept, 4);
    frames_put_number(&link->in, FRAME_RST_STREAM, id, 8);
    raw_feed(link);
    assert_int_equal(looking.prepared, 2);
    assert_holds(looking.inner, "taken back", NULL);
    assert_holds(looking.inner, "kept", "value");
    free(large);
    raw_link_free(link);
    embedded_free(looking.inner);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests_are_done_in_order),
        cmocka_unit_test(test_a_request_that_was_taken_back_is_not_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
