/*
 * Tests of service/streams/pipeline.c: real calls in memory, to an engine that answers as the test
 * says: at once, later, after others, or on another thread.
 */
#include "service/streams/pipeline.h"

#include "base/account.h"
#include "base/runs.h"
#include "service/wire.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/offload_link.h"

#define PATH "/keystore.v1.KeyStore/Pipeline"
#define MOST 8

/* What submit() answers to the operations numbered so, counted from 0; ENGINE_DONE to others. */
struct scripted_engine {
    struct engine engine; /* first */
    enum engine_answer answers[MOST];
    size_t submits, prepared, runs, wakes;
    struct engine_task *pending[MOST];
    size_t pending_count, cancels;
};

/* The value of a key is the key. */
static void do_task(struct engine_task *task)
{
    task->result = (struct op_result){
        .value = {.bytes = arena_copy(task->arena, task->op.key), .found = true}};
}

static void prepare(struct engine *engine, struct engine_task **tasks, size_t count)
{
    (void)tasks;
    ((struct scripted_engine *)engine)->prepared += count;
}

static enum engine_answer submit(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    size_t number = scripted->submits++;
    enum engine_answer answer = number < MOST ? scripted->answers[number] : ENGINE_DONE;
    if (answer == ENGINE_DONE || answer == ENGINE_PENDING)
        do_task(task);
    if (answer == ENGINE_PENDING)
        scripted->pending[scripted->pending_count++] = task;
    return answer;
}

static void run(struct engine *engine, struct engine_task *task)
{
    ((struct scripted_engine *)engine)->runs++;
    do_task(task);
}

static enum engine_answer settle(struct engine *engine, struct engine_task *task)
{
    (void)engine;
    (void)task;
    return ENGINE_DONE;
}

static void cancel(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    bool found = false;
    for (size_t i = 0; i < scripted->pending_count; i++)
        found |= scripted->pending[i] == task;
    assert_true(found);
    scripted->cancels++;
}

static void on_wake(void *user)
{
    struct scripted_engine *scripted = user;
    scripted->wakes++;
}

static int setup(void **state)
{
    struct scripted_engine *scripted = calloc(1, sizeof *scripted);
    scripted->engine = (struct engine){.prepare = prepare,
                                       .submit = submit,
                                       .run = run,
                                       .settle = settle,
                                       .cancel = cancel,
                                       .databases = 16};
    link_waker = (struct waker){on_wake, scripted};
    *state = link_new(&scripted->engine, &link_info);
    return 0;
}

static int setup_offload(void **state)
{
    offload_link_start();
    return setup(state);
}

static int teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    offload_link_free(link);
    free(engine);
    return 0;
}

static struct scripted_engine *engine_of(struct link *link)
{
    return (struct scripted_engine *)link->engine;
}

/* Gets of the keys "0", "1" and so on, with these numbers as ids, in one batch; to be freed. */
static struct slice pack_gets(size_t count)
{
    Keystore__V1__Op *ops = calloc(count + 1, sizeof *ops),
                     **list = calloc(count + 1, sizeof *list);
    Keystore__V1__Key *keys = calloc(count + 1, sizeof *keys);
    char(*names)[24] = calloc(count + 1, sizeof *names);
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "%zu", i);
        keystore__v1__key__init(&keys[i]);
        keystore__v1__op__init(&ops[i]);
        keys[i].key = message_text(names[i]);
        ops[i].id = i;
        ops[i].op_case = KEYSTORE__V1__OP__OP_GET;
        ops[i].get = &keys[i];
        list[i] = &ops[i];
    }
    Keystore__V1__OpBatch batch = KEYSTORE__V1__OP_BATCH__INIT;
    batch.n_ops = count;
    batch.ops = list;
    struct slice packed = message_pack(&batch);
    free(ops);
    free(list);
    free(keys);
    free(names);
    return packed;
}

/* The same on a call that sends no more. */
static struct ng_stream *send_gets(struct link *link, size_t count)
{
    struct slice packed = pack_gets(count);
    struct ng_stream *call = ng_call(link->client, PATH, packed);
    message_free_packed(packed);
    link_exchange(link);
    return call;
}

/* A batch more on a call. */
static void send_batch(struct link *link, struct ng_stream *call, size_t count, bool last)
{
    struct slice packed = pack_gets(count);
    ng_call_send(link->client, call, packed, last);
    message_free_packed(packed);
    link_exchange(link);
}

static void assert_answered(const struct ng_stream *call, size_t count)
{
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_OK);
    struct slice reply = ng_call_reply(call);
    Keystore__V1__ReplyBatch *batch =
        keystore__v1__reply_batch__unpack(NULL, reply.len, reply.data);
    assert_non_null(batch);
    assert_int_equal(batch->n_replies, count);
    for (size_t i = 0; i < count; i++) {
        char name[24];
        snprintf(name, sizeof name, "%zu", i);
        assert_int_equal(batch->replies[i]->id, i);
        assert_bytes_are(batch->replies[i]->value->value, name);
    }
    keystore__v1__reply_batch__free_unpacked(batch, NULL);
}

static void test_a_batch_is_answered_at_once(void **state)
{
    struct link *link = *state;
    static const size_t counts[] = {0, 1, 2, 16, 17, 100, 1000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        assert_answered(send_gets(link, counts[i]), counts[i]);
    assert_int_equal(engine_of(link)->submits, 1136);
    assert_true(engine_of(link)->prepared > 1100);
    assert_int_equal(link->outputs, 0);
}

/* The reply waits for all of the batch, in whatever order they are answered. */
static void test_operations_are_answered_later(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[0] = engine->answers[2] = ENGINE_PENDING;
    const struct ng_stream *call = send_gets(link, 5);
    assert_int_equal(engine->submits, 5);
    assert_false(call->closed);
    engine->pending[1]->on_done(engine->pending[1]);
    link_exchange(link);
    assert_false(call->closed);
    engine->pending[0]->on_done(engine->pending[0]);
    assert_true(link->outputs > 0);
    link_exchange(link);
    assert_answered(call, 5);
}

/* What follows an operation that is held up waits for it. */
static void test_what_is_held_up_is_submitted_again(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[1] = engine->answers[2] = ENGINE_HELD;
    const struct ng_stream *call = send_gets(link, 4);
    assert_int_equal(engine->submits, 2);
    link_resume(link);
    assert_int_equal(engine->submits, 3);
    link_resume(link);
    assert_int_equal(engine->submits, 6);
    assert_answered(call, 4);
}

static void test_a_long_batch_lets_others_go_on(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    const struct ng_stream *call = send_gets(link, 2500);
    assert_int_equal(engine->submits, 1000);
    assert_int_equal(engine->wakes, 1);
    assert_value(link_call_key(link, "/KeyStore/Get", "other"), "other");
    link_resume(link);
    assert_int_equal(engine->submits, 2001);
    link_resume(link);
    assert_int_equal(engine->wakes, 2);
    assert_answered(call, 2500);
}

static void test_what_takes_long_is_done_at_once_without_others(void **state)
{
    struct link *link = *state;
    engine_of(link)->answers[1] = ENGINE_COSTLY;
    assert_answered(send_gets(link, 3), 3);
    assert_int_equal(engine_of(link)->runs, 1);
}

static void test_what_takes_long_is_done_elsewhere(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    engine->answers[1] = ENGINE_COSTLY;
    const struct ng_stream *call = send_gets(link, 3);
    offload_link_wait();
    assert_int_equal(engine->submits, 2); /* the third one waits */
    link_resume(link);
    assert_int_equal(engine->runs, 1);
    assert_answered(call, 3);
}

/* By another thread; its replies are encoded as the client takes them. */
static void test_a_bulky_batch_is_decoded_elsewhere(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    const struct ng_stream *call = send_gets(link, 12000);
    assert_int_equal(offload_count(link_offload), 1);
    assert_int_equal(engine->submits, 0);
    assert_value(link_call_key(link, "/KeyStore/Get", "other"), "other");
    offload_link_wait();
    for (int turns = 0; turns < 20 && !call->closed; turns++)
        link_resume(link);
    assert_int_equal(engine->submits, 12001);
    assert_answered(call, 12000);
}

/* Small batches before and after it keep their order, and it is answered when it is decoded. */
static void test_a_bulky_batch_among_others(void **state)
{
    struct link *link = *state;
    static const size_t counts[] = {100, 12000, 2, 0, 1};
    struct scripted_engine *engine = engine_of(link);
    link_disconnect(link);
    link_connect(link, &(struct ng_options){.stream_window = 100, .manual_windows = true});
    struct ng_stream *call = ng_call_begin(link->client, PATH);
    for (size_t i = 0; i < 5; i++)
        send_batch(link, call, counts[i], i == 4);
    assert_int_equal(engine->submits, 100);
    ng_client_open_window(link->client, 0, 10000000);
    ng_client_open_window(link->client, call->id, 10000000); /* the stream has room for more */
    link_exchange(link);
    size_t at = 0;
    struct slice reply;
    assert_true(ng_call_next(call, &at, &reply));
    assert_int_equal(at, call->body.len); /* it is all that has arrived */
    offload_link_wait();
    for (int turns = 0; turns < 20 && !call->closed; turns++)
        link_resume(link);
    assert_int_equal(engine->submits, 12103);
    at = 0;
    for (size_t i = 0; i < 5; i++) {
        assert_true(ng_call_next(call, &at, &reply));
        Keystore__V1__ReplyBatch *batch =
            keystore__v1__reply_batch__unpack(NULL, reply.len, reply.data);
        assert_int_equal(batch->n_replies, counts[i]);
        keystore__v1__reply_batch__free_unpacked(batch, NULL);
    }
    assert_int_equal(at, call->body.len);
}

static void test_a_bulky_batch_that_is_no_batch(void **state)
{
    struct link *link = *state;
    static const uint8_t bytes[100000] = {0x0a, 0xff, 0xff};
    struct ng_stream *call = ng_call(link->client, PATH, slice_make(bytes, sizeof bytes));
    link_exchange(link);
    assert_false(call->closed);
    offload_link_wait();
    link_resume(link);
    ng_call_assert_failed(call, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE",
                          "does not decode as OpBatch");
}

/* While another thread decodes it, and between its turns; nothing is left. */
static void test_a_bulky_batch_that_is_cancelled(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    size_t before = account_used();
    for (int resumed = 0; resumed < 2; resumed++) {
        size_t held = runs_used();
        const struct ng_stream *call = send_gets(link, 12000);
        if (resumed) { /* it is amid its turns */
            offload_link_wait();
            link_resume(link);
            assert_int_equal(engine->submits, 2000);
        }
        ng_client_reset(link->client, call);
        link_exchange(link);
        if (!resumed)
            offload_link_wait();
        link_resume(link);
        assert_int_equal(engine->submits, resumed ? 2000 : 0);
        link_disconnect(link); /* what it has buffered counts, too */
        assert_int_equal(account_used(), before);
        assert_int_equal(runs_used(), held);
        link_connect(link, &link_client);
    }
}

/* Each may be cancelled whatever it waits for; nothing is called for it afterwards. */
static void test_cancelled_pipelines(void **state)
{
    struct link *link = *state;
    struct scripted_engine *engine = engine_of(link);
    static const enum engine_answer answers[] = {ENGINE_PENDING, ENGINE_HELD, ENGINE_COSTLY};
    for (size_t i = 0; i < 3; i++) {
        engine->submits = 0;
        engine->answers[1] = answers[i];
        const struct ng_stream *call = send_gets(link, 3);
        assert_false(call->closed && i != 2);
        ng_client_reset(link->client, call);
        link_exchange(link);
        if (answers[i] == ENGINE_COSTLY)
            offload_link_wait();
        link_resume(link);
    }
    assert_int_equal(engine->cancels, 1);
    engine->answers[1] = ENGINE_DONE;
    assert_answered(send_gets(link, 3), 3);
}

static void test_what_is_refused_has_its_error(void **state)
{
    struct link *link = *state;
    Keystore__V1__Op nothing = KEYSTORE__V1__OP__INIT, get = KEYSTORE__V1__OP__INIT;
    Keystore__V1__Key key = KEYSTORE__V1__KEY__INIT;
    Keystore__V1__Op *ops[] = {&nothing, &get};
    Keystore__V1__OpBatch batch = KEYSTORE__V1__OP_BATCH__INIT;
    nothing.id = 5;
    get.op_case = KEYSTORE__V1__OP__OP_GET;
    get.get = &key; /* of an empty key */
    batch.n_ops = 2;
    batch.ops = ops;
    struct slice reply = ng_call_reply(link_call(link, PATH, &batch));
    Keystore__V1__ReplyBatch *answer =
        keystore__v1__reply_batch__unpack(NULL, reply.len, reply.data);
    assert_int_equal(engine_of(link)->submits, 0);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(answer->replies[i]->id, i == 0 ? 5 : 0);
        assert_int_equal(answer->replies[i]->result_case, KEYSTORE__V1__REPLY__RESULT_ERROR);
        assert_int_equal(answer->replies[i]->error->code, GRPC_INVALID_ARGUMENT);
    }
    keystore__v1__reply_batch__free_unpacked(answer, NULL);
}

/* Each ends the stream with what was wrong, and the server is well. */
static void test_a_batch_that_cannot_be_decoded_ends_the_stream(void **state)
{
    struct link *link = *state;
    size_t len = (WIRE_MAX_MESSAGES + 1) * 2; /* operations without fields, two bytes each */
    uint8_t *bytes = malloc(len);
    for (size_t i = 0; i < len; i += 2)
        memcpy(bytes + i, "\x0a", 2);
    const struct {
        struct slice message;
        size_t max_client_memory;
        enum grpc_code code;
        const char *reason, *words;
    } batches[] = {
        {SLICE_LITERAL("\x0a\x05"), SIZE_MAX, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE",
         "does not decode as OpBatch"},
        {slice_make(bytes, len), SIZE_MAX, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE",
         "more than 262144 messages"},
        {slice_make(bytes, len), (size_t)8 * 1024 * 1024, GRPC_RESOURCE_EXHAUSTED,
         "ERROR_REASON_TOO_LARGE", "more than half of --max-client-memory"},
    };
    for (size_t i = 0; i < sizeof batches / sizeof *batches; i++) {
        account_set_limit(batches[i].max_client_memory);
        struct ng_stream *call = ng_call(link->client, PATH, batches[i].message);
        link_exchange(link);
        ng_call_assert_failed(call, batches[i].code, batches[i].reason, batches[i].words);
        account_set_limit(SIZE_MAX);
        assert_answered(send_gets(link, 3), 3);
    }
    free(bytes);
}

#define TEST(function)         cmocka_unit_test_setup_teardown(function, setup, teardown)
#define TEST_OFFLOAD(function) cmocka_unit_test_setup_teardown(function, setup_offload, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_batch_is_answered_at_once),
        TEST(test_operations_are_answered_later),
        TEST(test_what_is_held_up_is_submitted_again),
        TEST(test_a_long_batch_lets_others_go_on),
        TEST(test_what_takes_long_is_done_at_once_without_others),
        TEST_OFFLOAD(test_what_takes_long_is_done_elsewhere),
        TEST_OFFLOAD(test_a_bulky_batch_is_decoded_elsewhere),
        TEST_OFFLOAD(test_a_bulky_batch_among_others),
        TEST_OFFLOAD(test_a_bulky_batch_that_is_no_batch),
        TEST_OFFLOAD(test_a_bulky_batch_that_is_cancelled),
        TEST_OFFLOAD(test_cancelled_pipelines),
        TEST(test_what_is_refused_has_its_error),
        TEST(test_a_batch_that_cannot_be_decoded_ends_the_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
