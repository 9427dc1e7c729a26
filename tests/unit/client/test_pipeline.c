/* Pipelines, against scripted replies. */
#include "keystore/streams.h"

#include "failing_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "stream_fixture.h"

/* Puts a batch of `count` replies into the body of an answer, with ids from `first` on; every
 * third is an error. */
static void add_replies(size_t answer, uint64_t first, size_t count)
{
    Keystore__V1__Status status = {WIRE(status), .ok = true, .count = 5};
    Keystore__V1__OpError error = {WIRE(op_error), .code = KEYSTORE_FAILED_PRECONDITION,
                                   .reason = KEYSTORE__V1__ERROR_REASON__ERROR_REASON_WRONG_TYPE,
                                   .message = "a list"};
    Keystore__V1__Reply replies[100];
    Keystore__V1__Reply *pointers[100];
    for (size_t i = 0; i < count; i++) {
        replies[i] = (Keystore__V1__Reply)KEYSTORE__V1__REPLY__INIT;
        replies[i].id = first + i;
        replies[i].result_case = KEYSTORE__V1__REPLY__RESULT_STATUS;
        replies[i].status = &status;
        if ((first + i) % 3 == 0) {
            replies[i].result_case = KEYSTORE__V1__REPLY__RESULT_ERROR;
            replies[i].error = &error;
        }
        pointers[i] = &replies[i];
    }
    Keystore__V1__ReplyBatch batch = {WIRE(reply_batch), .n_replies = count, .replies = pointers};
    body_add(answer, &batch.base);
}

static struct keystore_op set_op(uint64_t id)
{
    return (struct keystore_op){
        .kind = KEYSTORE_OP_SET,
        .id = id,
        .request.key_value = {.key = keystore_text("key"), .value = keystore_text("value")},
    };
}

static void assert_reply(const struct keystore_reply *reply, uint64_t id)
{
    assert_int_equal(reply->id, id);
    if (id % 3 != 0) {
        assert_int_equal(reply->kind, KEYSTORE_REPLY_STATUS);
        assert_int_equal(reply->answer.status.count, 5);
        return;
    }
    assert_int_equal(reply->kind, KEYSTORE_REPLY_ERROR);
    assert_int_equal(reply->answer.error.code, KEYSTORE_FAILED_PRECONDITION);
    assert_string_equal(reply->answer.error.reason, "ERROR_REASON_WRONG_TYPE");
    assert_string_equal(reply->answer.error.message, "a list");
}

static void count_reply(void *user, const struct keystore_reply *reply)
{
    uint64_t *count = user;
    assert_reply(reply, ++*count);
}

static void add_ops(struct keystore_pipeline *pipeline, uint64_t first, uint64_t last)
{
    for (uint64_t id = first; id <= last; id++) {
        struct keystore_op op = set_op(id);
        if (keystore_pipeline_add(pipeline, &op) != KEYSTORE_OK)
            fail_msg("%s", keystore_pipeline_error(pipeline)->message);
    }
}

static void replies_by_callback(void **state)
{
    (void)state;
    uint64_t count = 0;
    add_replies(0, 1, 4);
    add_replies(0, 5, 0); /* empty batches have no meaning */
    add_replies(0, 5, 2);
    answers[0].frame_size = 7;
    fixture_start(NULL);
    struct keystore_pipeline *pipeline = keystore_pipeline_open(
        client, &(struct keystore_pipeline_options){
                    .batch_ops = 6, .on_reply = count_reply, .user = &count});
    assert_non_null(pipeline);
    add_ops(pipeline, 1, 6);
    assert_int_equal(keystore_pipeline_unanswered(pipeline), 6 - count);
    assert_int_equal(keystore_pipeline_wait(pipeline), KEYSTORE_OK);
    assert_int_equal(count, 6);
    assert_int_equal(keystore_pipeline_unanswered(pipeline), 0);
    keystore_pipeline_close(pipeline);
    fixture_finish();
    assert_string_equal(server.seen.path, "/keystore.v1.KeyStore/Pipeline");
    fake_server_deinit(&server);
}

static void an_unanswered_pipeline_is_cancelled(void **state)
{
    (void)state;
    uint64_t count = 0;
    answers[0].behaviour = NG_ANSWER; /* when the pipeline is half-closed: nothing to read */
    add_replies(0, 1, 5);
    fixture_start(NULL);
    struct keystore_pipeline *pipeline = keystore_pipeline_open(
        client, &(struct keystore_pipeline_options){
                    .batch_ops = 3, .on_reply = count_reply, .user = &count});
    add_ops(pipeline, 1, 5);
    assert_int_equal(keystore_pipeline_flush(pipeline), KEYSTORE_OK);
    assert_int_equal(count, 0);
    assert_int_equal(keystore_pipeline_unanswered(pipeline), 5);
    keystore_pipeline_close(pipeline);
    await_server();
    fixture_finish();
    assert_int_equal(server.seen.resets, 1);
    fake_server_deinit(&server);
}

/* Closing a pipeline of which all is answered half-closes it, so that the server sees it whole. */
static void a_batch_as_the_server_sees_it(void **state)
{
    (void)state;
    struct keystore_reply reply;
    add_replies(0, 1, 6);
    answers[0].stay_open = true;
    fixture_start(&(struct keystore_options){.timeout_ms = 300});
    struct keystore_pipeline *pipeline =
        keystore_pipeline_open(client, &(struct keystore_pipeline_options){.batch_ops = 6});
    add_ops(pipeline, 1, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply), KEYSTORE_ITEM);
    keystore_pipeline_close(pipeline);
    fixture_finish();
    Keystore__V1__OpBatch *seen = request_seen(&keystore__v1__op_batch__descriptor, 0);
    assert_int_equal(seen->n_ops, 6);
    assert_int_equal(seen->ops[5]->id, 6);
    assert_int_equal(seen->ops[5]->op_case, KEYSTORE__V1__OP__OP_SET);
    assert_int_equal(seen->ops[5]->set->value.len, 5);
    protobuf_c_message_free_unpacked(&seen->base, NULL);
    fake_server_deinit(&server);
}

static void replies_in_order(void **state)
{
    (void)state;
    struct keystore_reply reply;
    struct keystore_status status;
    add_replies(0, 1, 3);
    add_replies(0, 4, 2);
    assert_true(buf_append(&bodies[1], SLICE_LITERAL("\0\0\0\0\2\x10\1")));
    fixture_start(NULL);
    struct keystore_pipeline *pipeline = keystore_pipeline_open(client, NULL);
    assert_int_equal(keystore_pipeline_next(pipeline, 0, &reply), KEYSTORE_END);
    add_ops(pipeline, 1, 5);
    for (uint64_t id = 1; id <= 5; id++) {
        assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply), KEYSTORE_ITEM);
        /* A call in between does not touch it. */
        if (id == 2)
            assert_int_equal(keystore_save(client, &(struct keystore_save_request){0}, &status),
                             KEYSTORE_OK);
        assert_reply(&reply, id);
    }
    assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply), KEYSTORE_END);
    assert_int_equal(keystore_pipeline_wait(pipeline), KEYSTORE_FAILED_PRECONDITION);
    keystore_pipeline_close(pipeline);
    fixture_finish();
    fake_server_deinit(&server);
}

static void too_many_in_flight(void **state)
{
    (void)state;
    struct keystore_reply reply;
    add_replies(0, 1, 3);
    answers[0].stay_open = true;
    fixture_start(NULL);
    struct keystore_pipeline *pipeline =
        keystore_pipeline_open(client, &(struct keystore_pipeline_options){.max_in_flight = 2});
    add_ops(pipeline, 1, 2);
    struct keystore_op op = set_op(3);
    assert_int_equal(keystore_pipeline_add(pipeline, &op), KEYSTORE_RESOURCE_EXHAUSTED);
    assert_non_null(strstr(keystore_pipeline_error(pipeline)->message, "take replies"));
    assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply), KEYSTORE_ITEM);
    assert_int_equal(keystore_pipeline_add(pipeline, &op), KEYSTORE_OK);
    for (uint64_t id = 2; id <= 3; id++) {
        assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply), KEYSTORE_ITEM);
        assert_reply(&reply, id);
    }
    keystore_pipeline_close(pipeline);
    fixture_finish();
    fake_server_deinit(&server);
}

/* A reply may cause another operation, which is sent and waited for like the others. */
struct chain_of_ops {
    struct keystore_pipeline *pipeline;
    uint64_t replies;
};

static void add_another(void *user, const struct keystore_reply *reply)
{
    struct chain_of_ops *chain = user;
    chain->replies++;
    assert_reply(reply, chain->replies);
    struct keystore_op op = set_op(chain->replies + 1);
    assert_int_equal(keystore_pipeline_add(chain->pipeline, &op), KEYSTORE_OK);
    assert_int_equal(keystore_pipeline_wait(chain->pipeline), KEYSTORE_FAILED_PRECONDITION);
}

static void operations_from_a_callback(void **state)
{
    (void)state;
    struct chain_of_ops chain = {0};
    add_replies(0, 1, 1);
    answers[0].stay_open = true;
    fixture_start(&(struct keystore_options){.timeout_ms = 100});
    chain.pipeline = keystore_pipeline_open(
        client, &(struct keystore_pipeline_options){.on_reply = add_another, .user = &chain});
    add_ops(chain.pipeline, 1, 1);
    assert_int_equal(keystore_pipeline_wait(chain.pipeline), KEYSTORE_DEADLINE_EXCEEDED);
    assert_int_equal(chain.replies, 1);
    assert_int_equal(keystore_pipeline_unanswered(chain.pipeline), 1);
    keystore_pipeline_close(chain.pipeline);
    fixture_finish();
    fake_server_deinit(&server);
}

static void an_end_before_all_is_answered(void **state)
{
    (void)state;
    uint64_t count = 0;
    add_replies(0, 1, 2);
    answers[0].grpc_status = "14";
    answers[0].reason = "ERROR_REASON_STOPPING";
    add_replies(1, 1, 2);
    fixture_start(NULL);
    for (int i = 0; i < 2; i++) {
        count = 0;
        struct keystore_pipeline *pipeline = keystore_pipeline_open(
            client, &(struct keystore_pipeline_options){.on_reply = count_reply, .user = &count});
        add_ops(pipeline, 1, 3);
        enum keystore_code expected = i == 0 ? KEYSTORE_UNAVAILABLE : KEYSTORE_INTERNAL;
        assert_int_equal(keystore_pipeline_wait(pipeline), expected);
        assert_int_equal(count, 2);
        assert_int_equal(keystore_pipeline_unanswered(pipeline), 1);
        struct keystore_op op = set_op(4);
        assert_int_equal(keystore_pipeline_add(pipeline, &op), expected);
        assert_string_equal(keystore_pipeline_error(pipeline)->reason,
                            i == 0 ? "ERROR_REASON_STOPPING" : "");
        keystore_pipeline_close(pipeline);
    }
    fixture_finish();
    fake_server_deinit(&server);
}

static void no_answer_in_time(void **state)
{
    (void)state;
    uint64_t count = 0;
    answers[0].stay_open = true;
    fixture_start(&(struct keystore_options){.timeout_ms = 20});
    struct keystore_pipeline *pipeline = keystore_pipeline_open(
        client, &(struct keystore_pipeline_options){.on_reply = count_reply, .user = &count});
    add_ops(pipeline, 1, 1);
    assert_int_equal(keystore_pipeline_wait(pipeline), KEYSTORE_DEADLINE_EXCEEDED);
    keystore_pipeline_close(pipeline);
    await_server();
    fixture_finish();
    assert_int_equal(server.seen.last_reset_code, NGHTTP2_CANCEL);
    fake_server_deinit(&server);
}

static void replies_that_nobody_asked_for(void **state)
{
    (void)state;
    struct keystore_reply reply;
    add_replies(0, 1, 2);
    assert_true(buf_append(&bodies[1], SLICE_LITERAL("\0\0\0\0\3\x0a\x05x")));
    fixture_start(NULL);
    for (int i = 0; i < 2; i++) {
        struct keystore_pipeline *pipeline = keystore_pipeline_open(client, NULL);
        add_ops(pipeline, 1, 1);
        if (i == 0)
            assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply),
                             KEYSTORE_ITEM);
        add_ops(pipeline, 2, 2);
        if (i == 0)
            assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply),
                             KEYSTORE_ITEM);
        add_ops(pipeline, 3, 3);
        assert_int_equal(keystore_pipeline_next(pipeline, KEYSTORE_FOREVER, &reply),
                         KEYSTORE_FAILED);
        assert_int_equal(keystore_pipeline_error(pipeline)->code, KEYSTORE_INTERNAL);
        keystore_pipeline_close(pipeline);
    }
    fixture_finish();
    fake_server_deinit(&server);
}

static void wrong_operations_are_not_added(void **state)
{
    (void)state;
    struct keystore_op unknown = {.kind = (enum keystore_op_kind)9999};
    struct keystore_op hole = set_op(1);
    hole.request.key_value.key = (struct keystore_slice){NULL, 3};
    fixture_start(NULL);
    struct keystore_pipeline *pipeline = keystore_pipeline_open(client, NULL);
    assert_int_equal(keystore_pipeline_add(pipeline, &unknown), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_pipeline_add(pipeline, &hole), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_pipeline_add(pipeline, NULL), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_pipeline_add(NULL, &hole), KEYSTORE_INVALID_ARGUMENT);
    assert_int_equal(keystore_pipeline_unanswered(pipeline), 0);
    keystore_pipeline_close(pipeline);
    keystore_pipeline_close(NULL);
    assert_null(keystore_pipeline_open(NULL, NULL));
    fixture_finish();
    fake_server_deinit(&server);
}

/* For fixture_fail_each_allocation(). */
static bool pipeline_without_memory(void)
{
    uint64_t replies = 0;
    enum keystore_code code = KEYSTORE_RESOURCE_EXHAUSTED;
    struct keystore_pipeline *pipeline = NULL;
    if (client != NULL)
        pipeline = keystore_pipeline_open(
            client, &(struct keystore_pipeline_options){.on_reply = count_reply, .user = &replies});
    for (uint64_t id = 1; id <= 6 && pipeline != NULL; id++) {
        struct keystore_op op = set_op(id);
        code = keystore_pipeline_add(pipeline, &op);
        if (code != KEYSTORE_OK)
            break;
    }
    if (code == KEYSTORE_OK)
        code = keystore_pipeline_wait(pipeline);
    long failures = memory_recover();
    /* What fails after the last reply matters only to the connection. */
    assert_int_equal(code, replies < 6 ? KEYSTORE_RESOURCE_EXHAUSTED : KEYSTORE_OK);
    assert_true(failures > 0 || replies == 6);
    keystore_pipeline_close(pipeline);
    return failures > 0;
}

static void each_allocation_of_a_pipeline(void **state)
{
    (void)state;
    add_replies(0, 1, 6);
    fixture_fail_each_allocation(pipeline_without_memory, 10);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, fixture_set_up, fixture_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(replies_by_callback),
        TEST(an_unanswered_pipeline_is_cancelled),
        TEST(a_batch_as_the_server_sees_it),
        TEST(replies_in_order),
        TEST(too_many_in_flight),
        TEST(operations_from_a_callback),
        TEST(an_end_before_all_is_answered),
        TEST(no_answer_in_time),
        TEST(replies_that_nobody_asked_for),
        TEST(wrong_operations_are_not_added),
        TEST(each_allocation_of_a_pipeline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
