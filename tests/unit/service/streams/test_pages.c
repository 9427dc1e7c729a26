/*
 * Tests of service/streams/pages.c: real calls in memory, to an engine whose steps end as the test
 * says. Scan is the method.
 */
#include "service/streams/pages.h"

#include "store/scan.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"

#define PATH  "/keystore.v1.KeyStore/Scan"
#define PAGES 3

enum answer { FULL, UNFINISHED, HELD, PENDING, FAILED };

/* Answers the steps as listed, and then with PAGES full pages of one key; the last one has no
 * cursor. */
struct scripted_engine {
    struct engine engine; /* first */
    enum answer answers[8];
    size_t steps, pages, wakes, cancels;
    bool settles_later;
    struct engine_task *pending;
};

static enum engine_answer scan(struct engine *engine, struct engine_task *task, struct scan *scan)
{
    static struct scan_entry entry = {.key = {(const uint8_t *)"key", 3}, .type = OP_TYPE_STRING};
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    enum answer answer = scripted->steps < 8 ? scripted->answers[scripted->steps] : FULL;
    scripted->steps++;
    switch (answer) {
    case UNFINISHED:
        return ENGINE_DONE;
    case HELD:
        return ENGINE_HELD;
    case FAILED:
        task->result = (struct op_result){.err = ERR_LOADING, .why = "not yet"};
        return ENGINE_DONE;
    case FULL:
    case PENDING:
        break;
    }
    scripted->settles_later = answer == PENDING;
    scan->entries = &entry;
    scan->count = 1;
    scan->is_full = true;
    scan->cursor_len = ++scripted->pages < PAGES ? 1 : 0;
    scan->cursor[0] = 'c';
    return ENGINE_DONE;
}

static enum engine_answer settle(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    if (!scripted->settles_later)
        return ENGINE_DONE;
    scripted->pending = task;
    return ENGINE_PENDING;
}

static void cancel(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    assert_ptr_equal(scripted->pending, task);
    scripted->cancels++;
}

static void on_wake(void *user)
{
    ((struct scripted_engine *)user)->wakes++;
}

static int setup(void **state)
{
    struct scripted_engine *scripted = calloc(1, sizeof *scripted);
    scripted->engine =
        (struct engine){.scan = scan, .settle = settle, .cancel = cancel, .databases = 16};
    link_waker = (struct waker){on_wake, scripted};
    *state = link_new(&scripted->engine, &link_info);
    return 0;
}

static int teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    link_free(link);
    free(engine);
    return 0;
}

static struct scripted_engine *engine_of(struct link *link)
{
    return (struct scripted_engine *)link->engine;
}

static struct ng_stream *start(struct link *link)
{
    Keystore__V1__ScanRequest request = KEYSTORE__V1__SCAN_REQUEST__INIT;
    return link_call(link, PATH, &request);
}

/* The call has ended well, with all pages. */
static void assert_all_pages(const struct ng_stream *call)
{
    static const uint8_t page[] = "\0\0\0\0\x0c\x0a\x07\x0a\x03key\x10\x01\x12\x01"
                                  "c\0\0\0\0\x0c\x0a\x07\x0a\x03key\x10\x01\x12\x01"
                                  "c\0\0\0\0\x09\x0a\x07\x0a\x03key\x10\x01";
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_OK);
    assert_int_equal(call->body.len, sizeof page - 1);
    assert_memory_equal(call->body.data, page, sizeof page - 1);
}

static void test_pages_follow_each_other(void **state)
{
    struct link *link = *state;
    assert_all_pages(start(link));
    assert_int_equal(engine_of(link)->steps, PAGES);
    assert_int_equal(engine_of(link)->wakes, 0);
}

static void test_others_have_their_turn_between_steps(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[0] = engine->answers[1] = engine->answers[3] = UNFINISHED;
    const struct ng_stream *call = start(link);
    for (size_t i = 1; i <= 3; i++) {
        assert_false(call->closed);
        assert_int_equal(engine->wakes, i);
        link_resume(link);
    }
    assert_all_pages(call);
}

static void test_what_is_held_up_is_tried_again(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[0] = engine->answers[1] = HELD;
    const struct ng_stream *call = start(link);
    assert_int_equal(engine->steps, 1);
    link_resume(link);
    assert_int_equal(engine->steps, 2);
    assert_int_equal(engine->wakes, 0);
    link_resume(link);
    assert_all_pages(call);
}

static void test_a_page_that_is_not_durable_waits(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[1] = PENDING;
    const struct ng_stream *call = start(link);
    link_resume(link);
    assert_int_equal(call->body.len, 17);
    assert_int_equal(engine->steps, 2);
    engine->pending->on_done(engine->pending);
    link_exchange(link);
    assert_all_pages(call);
}

/* As when the disk has failed meanwhile. */
static void test_a_page_that_does_not_become_durable(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[1] = PENDING;
    const struct ng_stream *call = start(link);
    engine->pending->result.err = ERR_NOT_DURABLE;
    engine->pending->result.why = "lost";
    engine->pending->on_done(engine->pending);
    link_exchange(link);
    assert_true(call->closed);
    assert_int_equal(call->body.len, 17);
    ng_assert_slice(ng_call_field(call, "keystore-reason"), "ERROR_REASON_NOT_DURABLE");
}

static void test_a_step_that_fails(void **state)
{
    struct link *link = *state;
    engine_of(link)->answers[0] = FAILED;
    ng_call_assert_failed(start(link), GRPC_UNAVAILABLE, "ERROR_REASON_LOADING", "not yet");
}

/* Whatever it waits for; nothing is called for it afterwards, and all is freed. */
static void test_cancelled_calls(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    static const enum answer answers[] = {UNFINISHED, HELD, PENDING};
    for (size_t i = 0; i < 3; i++) {
        engine->steps = engine->pages = 0;
        engine->answers[1] = answers[i];
        const struct ng_stream *call = start(link);
        assert_false(call->closed);
        ng_client_reset(link->client, call);
        link_exchange(link);
        link_resume(link);
        assert_int_equal(engine->steps, 2);
    }
    assert_int_equal(engine->cancels, 1);
    engine->steps = engine->pages = 0;
    engine->answers[1] = FULL;
    assert_all_pages(start(link));
}

static void test_a_shutdown(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[1] = PENDING;
    const struct ng_stream *call = start(link);
    grpc_connection_drain(link->server);
    link_exchange(link);
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_UNAVAILABLE);
    ng_assert_slice(ng_call_field(call, "keystore-reason"), "ERROR_REASON_STOPPING");
    assert_int_equal(engine->cancels, 1);
}

/* A page is made when the caller has room for it. */
static void test_who_does_not_read(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    link_disconnect(link);
    link_connect(link, &(struct ng_options){.stream_window = 20, .manual_windows = true});
    const struct ng_stream *call = start(link);
    assert_int_equal(engine->steps, 2); /* the first has 17 bytes */
    link_resume(link);
    assert_int_equal(engine->steps, 2);
    ng_client_open_window(link->client, call->id, 1000);
    link_exchange(link);
    assert_all_pages(call);
}

/* A call with that body. */
static struct ng_stream *call_with(struct link *link, struct slice body)
{
    struct ng_stream *call = ng_call_begin(link->client, PATH);
    ng_client_send(link->client, call, body, true);
    link_exchange(link);
    return call;
}

static void test_not_exactly_one_message(void **state)
{
    struct link *link = *state;
    ng_call_assert_failed(call_with(link, SLICE_LITERAL("\0\0\0\0\2\x0a\xff")), GRPC_INTERNAL,
                          "ERROR_REASON_BAD_MESSAGE", "");
    ng_call_assert_failed(call_with(link, SLICE_LITERAL("")), GRPC_UNIMPLEMENTED,
                          "ERROR_REASON_NOT_SERVED", "no message");
    engine_of(link)->answers[0] = HELD;
    ng_call_assert_failed(call_with(link, SLICE_LITERAL("\0\0\0\0\0\0\0\0\0\0")),
                          GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED", "more than one message");
    link_resume(link);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_pages_follow_each_other),
        TEST(test_others_have_their_turn_between_steps),
        TEST(test_what_is_held_up_is_tried_again),
        TEST(test_a_page_that_is_not_durable_waits),
        TEST(test_a_page_that_does_not_become_durable),
        TEST(test_a_step_that_fails),
        TEST(test_cancelled_calls),
        TEST(test_a_shutdown),
        TEST(test_who_does_not_read),
        TEST(test_not_exactly_one_message),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
