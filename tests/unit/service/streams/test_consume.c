/*
 * Tests of service/streams/consume.c: streams in memory over real data, with an engine in between
 * that answers operations later, holds them up or finds them long, as the test says or at random.
 */
#include "service/streams/consume.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"
#include "store/seeded.h"

#define PATH        "/keystore.v1.KeyStore/Consume"
#define MOST_LATER  64
#define STREAMS     6
#define ELEMENTS    5000
#define MOST_TAKEN  4096
#define RANDOM_RUNS 30

/* Passes operations on to `inner`. */
struct between {
    struct engine engine; /* first */
    struct engine *inner;
    uint64_t random;
    unsigned odds; /* that an operation is not answered immediately: one in this many; 0 = none */
    enum engine_answer next; /* what the next one gets, if that is not ENGINE_DONE */
    struct engine_task *later[MOST_LATER];
    size_t later_count, cancels, held;
};

static struct between *between_of(struct engine *engine)
{
    return (struct between *)engine;
}

static enum engine_answer between_answer(struct between *between)
{
    static const enum engine_answer answers[] = {ENGINE_HELD, ENGINE_COSTLY, ENGINE_PENDING};
    enum engine_answer answer = between->next;
    between->next = ENGINE_DONE;
    if (answer == ENGINE_DONE && between->odds > 0 &&
        seeded_below(&between->random, between->odds) == 0)
        answer = answers[seeded_below(&between->random, 3)];
    return answer;
}

static enum engine_answer between_submit(struct engine *engine, struct engine_task *task)
{
    struct between *between = between_of(engine);
    enum engine_answer answer = between_answer(between);
    between->held += answer == ENGINE_HELD;
    if (answer == ENGINE_HELD || answer == ENGINE_COSTLY)
        return answer;
    enum engine_answer real = engine_submit(between->inner, task);
    if (real != ENGINE_DONE || answer == ENGINE_DONE || between->later_count == MOST_LATER)
        return real;
    between->later[between->later_count++] = task;
    return ENGINE_PENDING;
}

static void between_run(struct engine *engine, struct engine_task *task)
{
    engine_run(between_of(engine)->inner, task);
}

static enum engine_answer between_settle(struct engine *engine, struct engine_task *task)
{
    return engine_settle(between_of(engine)->inner, task);
}

static void between_cancel(struct engine *engine, struct engine_task *task)
{
    struct between *between = between_of(engine);
    size_t i = 0;
    while (i < between->later_count && between->later[i] != task)
        i++;
    assert_true(i < between->later_count);
    between->later[i] = between->later[--between->later_count];
    between->cancels++;
}

static void between_init_waiter(struct engine *engine, struct engine_waiter *waiter)
{
    engine_init_waiter(between_of(engine)->inner, waiter);
}

static void between_leave(struct engine *engine, struct engine_waiter *waiter)
{
    engine_leave(between_of(engine)->inner, waiter);
}

/* Answers one of those that wait. */
static void between_finish_one(struct between *between, size_t i)
{
    struct engine_task *task = between->later[i];
    between->later[i] = between->later[--between->later_count];
    task->on_done(task);
}

static int setup(void **state)
{
    struct between *between = calloc(1, sizeof *between);
    between->engine = (struct engine){.submit = between_submit,
                                      .run = between_run,
                                      .settle = between_settle,
                                      .cancel = between_cancel,
                                      .init_waiter = between_init_waiter,
                                      .leave = between_leave,
                                      .databases = 16};
    between->inner = embedded_new(&(struct store_options){.databases = 16}, 1);
    link_waker = (struct waker){.wake = link_ignore_wake};
    engine_set_waker(between->inner, 0, link_waker);
    *state = link_new(&between->engine, &link_info);
    return 0;
}

static int teardown(void **state)
{
    struct link *link = *state;
    struct between *between = between_of(link->engine);
    link_free(link);
    assert_int_equal(between->later_count, 0);
    embedded_free(between->inner);
    free(between);
    return 0;
}

/* ---- the data ---- */

static void carry_out(struct link *link, struct op op)
{
    struct arena arena;
    struct op_result result;
    arena_init(&arena);
    store_apply(embedded_store(between_of(link->engine)->inner), &op, &arena, &result);
    assert_int_equal(result.err, ERR_NONE);
    op_result_release(&result);
    arena_deinit(&arena);
}

/* Pushes by an operation of the engine, which notifies those who wait. */
static void push(struct link *link, const char *text)
{
    struct slice value = slice_from_string(text);
    struct arena arena;
    arena_init(&arena);
    struct engine_task task = {
        .op = {.kind = OP_R_PUSH, .key = SLICE_LITERAL("jobs"), .values = &value, .value_count = 1},
        .arena = &arena};
    assert_int_equal(engine_submit(between_of(link->engine)->inner, &task), ENGINE_DONE);
    arena_deinit(&arena);
}

static void assert_list(struct link *link, const char *key, const char *expected)
{
    struct op op = {.kind = OP_L_RANGE, .key = slice_from_string(key), .stop = -1};
    struct arena arena;
    struct op_result result;
    char found[500] = "";
    size_t len = 0;
    arena_init(&arena);
    store_apply(embedded_store(between_of(link->engine)->inner), &op, &arena, &result);
    for (size_t i = 0; i < result.value_count; i++)
        len += (size_t)snprintf(found + len, sizeof found - len, "%s%.*s", i > 0 ? " " : "",
                                (int)result.values[i].len, (const char *)result.values[i].data);
    assert_string_equal(found, expected);
    op_result_release(&result);
    arena_deinit(&arena);
}

/* ---- streams ---- */

struct taken {
    uint64_t id;
    unsigned value;
};

struct consumer {
    struct ng_stream *call; /* NULL: none */
    size_t read;            /* bytes of its body */
    struct taken taken[MOST_TAKEN];
    size_t taken_count;
    unsigned done, returned;
    bool *acknowledged; /* by value: reported as done */
};

static void send_message(struct link *link, struct consumer *consumer, const void *message)
{
    struct slice packed = message_pack(message);
    ng_call_send(link->client, consumer->call, packed, false);
    message_free_packed(packed);
}

static void consume(struct link *link, struct consumer *consumer, uint32_t most, bool auto_ack)
{
    ProtobufCBinaryData key = message_text("jobs");
    Keystore__V1__ConsumeRequest__Start start = KEYSTORE__V1__CONSUME_REQUEST__START__INIT;
    Keystore__V1__ConsumeRequest request = KEYSTORE__V1__CONSUME_REQUEST__INIT;
    start.keys = &key;
    start.n_keys = 1;
    start.max_in_flight = most;
    start.auto_ack = auto_ack;
    request.start = &start;
    consumer->call = ng_call_begin(link->client, PATH);
    consumer->read = 0;
    consumer->taken_count = 0;
    send_message(link, consumer, &request);
    link_exchange(link);
}

static void acknowledge(struct link *link, struct consumer *consumer, uint64_t *done,
                        size_t done_count, uint64_t *give_back, size_t give_back_count)
{
    Keystore__V1__ConsumeRequest request = KEYSTORE__V1__CONSUME_REQUEST__INIT;
    request.done = done;
    request.n_done = done_count;
    request.give_back = give_back;
    request.n_give_back = give_back_count;
    send_message(link, consumer, &request);
    link_exchange(link);
}

/* The one with that number; it is not known any longer. */
static unsigned forget(struct consumer *consumer, uint64_t id)
{
    size_t i = 0;
    while (i < consumer->taken_count && consumer->taken[i].id != id)
        i++;
    assert_true(i < consumer->taken_count); /* reported once */
    unsigned value = consumer->taken[i].value;
    consumer->taken[i] = consumer->taken[--consumer->taken_count];
    return value;
}

static void read_reply(struct consumer *consumer, const Keystore__V1__ConsumeReply *reply)
{
    for (size_t i = 0; i < reply->n_deliveries; i++) {
        const Keystore__V1__ConsumeReply__Delivery *delivery = reply->deliveries[i];
        char text[16] = "";
        assert_bytes_are(delivery->key, "jobs");
        assert_true(consumer->taken_count < MOST_TAKEN && delivery->value.len < sizeof text);
        memcpy(text, delivery->value.data, delivery->value.len);
        consumer->taken[consumer->taken_count++] =
            (struct taken){delivery->id, (unsigned)strtoul(text, NULL, 10)};
    }
    for (size_t i = 0; i < reply->n_done; i++) {
        unsigned value = forget(consumer, reply->done[i]);
        consumer->done++;
        if (consumer->acknowledged != NULL) {
            assert_false(consumer->acknowledged[value]);
            consumer->acknowledged[value] = true;
        }
    }
    for (size_t i = 0; i < reply->n_returned; i++)
        forget(consumer, reply->returned[i]);
    consumer->returned += (unsigned)reply->n_returned;
}

/* Reads what has come since. */
static void read_replies(struct consumer *consumer)
{
    struct slice message;
    while (ng_call_next(consumer->call, &consumer->read, &message)) {
        Keystore__V1__ConsumeReply *reply =
            keystore__v1__consume_reply__unpack(NULL, message.len, message.data);
        assert_non_null(reply);
        read_reply(consumer, reply);
        keystore__v1__consume_reply__free_unpacked(reply, NULL);
    }
}

/* What the worker does when it is woken. */
static void go_on(struct link *link)
{
    engine_complete(between_of(link->engine)->inner, 0);
    link_resume(link);
}

static struct consumer *new_consumer(void)
{
    return calloc(1, sizeof(struct consumer));
}

/* ---- one thing at a time ---- */

static void test_taken_acknowledged_returned(void **state)
{
    struct link *link = *state;
    struct consumer *consumer = new_consumer();
    push(link, "1");
    push(link, "2");
    push(link, "3");
    consume(link, consumer, 2, false);
    read_replies(consumer);
    assert_int_equal(consumer->taken_count, 2);
    assert_list(link, "jobs:pending", "1 2");
    acknowledge(link, consumer, (uint64_t[]){1}, 1, NULL, 0);
    read_replies(consumer);
    assert_int_equal(consumer->done, 1);
    assert_list(link, "jobs:pending", "2 3");
    ng_client_send(link->client, consumer->call, slice_make(NULL, 0), true);
    link_exchange(link);
    read_replies(consumer);
    assert_int_equal(consumer->returned, 2);
    assert_true(consumer->call->closed);
    assert_int_equal(ng_call_status(consumer->call), GRPC_OK);
    assert_list(link, "jobs", "2 3");
    assert_list(link, "jobs:pending", "");
    free(consumer);
}

/* Whatever happens to an operation: nothing is delivered before it is durable, and it all returns
 * when the stream is cancelled meanwhile. */
static void test_cancelled_at_any_point(void **state)
{
    struct link *link = *state;
    struct between *between = between_of(link->engine);
    static const enum engine_answer answers[] = {ENGINE_PENDING, ENGINE_HELD, ENGINE_COSTLY};
    push(link, "1");
    push(link, "2");
    for (size_t i = 0; i < 3; i++) {
        for (int step = 0; step < 3; step++) { /* of recovery, the take, the acknowledgement */
            struct consumer *consumer = new_consumer();
            if (step == 0)
                between->next = answers[i];
            else if (step == 1)
                between->odds = 0;
            consume(link, consumer, 1, false);
            if (step > 0) {
                read_replies(consumer);
                assert_int_equal(consumer->taken_count, 1);
                between->next = answers[i];
                acknowledge(link, consumer, NULL, 0, (uint64_t[]){1}, 1);
            }
            ng_client_reset(link->client, consumer->call);
            if (step == 2)
                between->next = answers[(i + 1) % 3];
            link_exchange(link);
            go_on(link);
            assert_list(link, "jobs", "1 2");
            assert_list(link, "jobs:pending", "");
            free(consumer);
        }
    }
    assert_true(between->cancels > 0 && between->held > 0);
}

static void test_delivered_when_durable(void **state)
{
    struct link *link = *state;
    struct between *between = between_of(link->engine);
    struct consumer *consumer = new_consumer();
    consume(link, consumer, 5, false);
    assert_int_equal(service_blocked(link->service), 1);
    between->next = ENGINE_PENDING;
    push(link, "1");
    go_on(link);
    read_replies(consumer);
    assert_int_equal(consumer->taken_count, 0);
    assert_list(link, "jobs:pending", "1");
    between_finish_one(between, 0);
    link_exchange(link);
    read_replies(consumer);
    assert_int_equal(consumer->taken_count, 1);
    between->next = ENGINE_PENDING;
    acknowledge(link, consumer, (uint64_t[]){1}, 1, NULL, 0);
    assert_list(link, "jobs:pending", "");
    read_replies(consumer);
    assert_int_equal(consumer->done, 0);
    between_finish_one(between, 0);
    link_exchange(link);
    read_replies(consumer);
    assert_int_equal(consumer->done, 1);
    ng_client_reset(link->client, consumer->call);
    link_exchange(link);
    assert_int_equal(service_blocked(link->service), 0);
    free(consumer);
}

/* In order, also with those that are on their way when the stream ends. */
static void test_all_return_together(void **state)
{
    struct link *link = *state;
    struct between *between = between_of(link->engine);
    struct consumer *consumer = new_consumer();
    push(link, "1");
    consume(link, consumer, 3, false);
    between->next = ENGINE_PENDING;
    push(link, "2");
    push(link, "3");
    go_on(link);
    assert_list(link, "jobs:pending", "1 2 3");
    ng_client_send(link->client, consumer->call, slice_make(NULL, 0), true);
    link_exchange(link);
    assert_list(link, "jobs:pending", "1 2 3");
    between_finish_one(between, 0);
    link_exchange(link);
    assert_list(link, "jobs", "1 2 3");
    read_replies(consumer);
    assert_int_equal(consumer->returned, 1); /* the others were not delivered */
    assert_int_equal(ng_call_status(consumer->call), GRPC_OK);
    free(consumer);
}

static void test_a_drain_returns_all(void **state)
{
    struct link *link = *state;
    struct consumer *consumer = new_consumer(), *idle = new_consumer();
    push(link, "1");
    push(link, "2");
    consume(link, consumer, 2, false);
    consume(link, idle, 2, false);
    grpc_connection_drain(link->server);
    link_exchange(link);
    read_replies(consumer);
    assert_int_equal(consumer->returned, 2);
    assert_int_equal(ng_call_status(consumer->call), GRPC_UNAVAILABLE);
    assert_int_equal(ng_call_status(idle->call), GRPC_UNAVAILABLE);
    assert_list(link, "jobs", "1 2");
    free(consumer);
    free(idle);
}

static void test_a_start_is_required(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = ng_call(link->client, PATH, slice_make(NULL, 0));
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT",
                          "start: it is missing");
}

/* ---- at random ---- */

struct model {
    struct link *link;
    uint64_t random;
    struct consumer *consumers[STREAMS];
    bool acknowledged[ELEMENTS + 1];
    unsigned pushed;
};

static void model_acknowledge(struct model *model, struct consumer *consumer)
{
    uint64_t done[20], give_back[20];
    size_t done_count = 0, give_back_count = 0;
    for (size_t i = 0; i < consumer->taken_count && done_count < 20 && give_back_count < 20; i++) {
        uint32_t choice = seeded_below(&model->random, 4);
        if (choice < 2)
            done[done_count++] = consumer->taken[i].id;
        else if (choice == 2)
            give_back[give_back_count++] = consumer->taken[i].id;
    }
    acknowledge(model->link, consumer, done, done_count, give_back, give_back_count);
}

static void model_step(struct model *model)
{
    struct link *link = model->link;
    struct between *between = between_of(link->engine);
    struct consumer *consumer = model->consumers[seeded_below(&model->random, STREAMS)];
    char text[16];
    switch (seeded_below(&model->random, 8)) {
    case 0:
    case 1:
        for (uint32_t i = seeded_below(&model->random, 8); i > 0 && model->pushed < ELEMENTS; i--) {
            snprintf(text, sizeof text, "%u", ++model->pushed);
            push(link, text);
        }
        break;
    case 2:
        if (between->later_count > 0)
            between_finish_one(between,
                               seeded_below(&model->random, (uint32_t)between->later_count));
        break;
    case 3:
        go_on(link);
        break;
    case 4:
        if (consumer->call == NULL)
            consume(link, consumer, 1 + seeded_below(&model->random, 30), false);
        else if (seeded_below(&model->random, 4) == 0)
            ng_client_reset(link->client, consumer->call);
        else if (seeded_below(&model->random, 4) == 0)
            ng_client_send(link->client, consumer->call, slice_make(NULL, 0), true);
        else
            break;
        break;
    default:
        if (consumer->call != NULL && !consumer->call->closed && !consumer->call->out_ends)
            model_acknowledge(model, consumer);
    }
    link_exchange(link);
    for (size_t i = 0; i < STREAMS; i++) {
        if (model->consumers[i]->call == NULL)
            continue;
        read_replies(model->consumers[i]);
        if (model->consumers[i]->call->closed)
            model->consumers[i]->call = NULL;
    }
}

/* What was not acknowledged is in the list, once, and nothing else. What was asked for may have
 * been done without a report, if the stream was cancelled. */
static void model_check(struct model *model)
{
    struct link *link = model->link;
    struct op op = {.kind = OP_L_RANGE, .key = SLICE_LITERAL("jobs"), .stop = -1};
    struct arena arena;
    struct op_result result;
    bool there[ELEMENTS + 1] = {0};
    arena_init(&arena);
    store_apply(embedded_store(between_of(link->engine)->inner), &op, &arena, &result);
    for (size_t i = 0; i < result.value_count; i++) {
        char text[16] = "";
        memcpy(text, result.values[i].data, result.values[i].len);
        unsigned value = (unsigned)strtoul(text, NULL, 10);
        assert_true(value >= 1 && value <= model->pushed && !there[value]);
        assert_false(model->acknowledged[value]);
        there[value] = true;
    }
    op_result_release(&result);
    arena_deinit(&arena);
    assert_list(link, "jobs:pending", "");
}

static void run_model(struct link *link, uint64_t random, unsigned odds)
{
    struct model *model = calloc(1, sizeof *model);
    struct between *between = between_of(link->engine);
    model->link = link;
    model->random = random;
    between->random = random + 1;
    between->odds = odds;
    for (size_t i = 0; i < STREAMS; i++) {
        model->consumers[i] = new_consumer();
        model->consumers[i]->acknowledged = model->acknowledged;
    }
    for (int step = 0; step < 300; step++)
        model_step(model);
    between->odds = 0;
    for (size_t i = 0; i < STREAMS; i++)
        if (model->consumers[i]->call != NULL)
            ng_client_reset(link->client, model->consumers[i]->call);
    link_exchange(link);
    while (between->later_count > 0)
        between_finish_one(between, 0);
    go_on(link);
    go_on(link);
    model_check(model);
    for (size_t i = 0; i < STREAMS; i++)
        free(model->consumers[i]);
    free(model);
    carry_out(link, (struct op){.kind = OP_FLUSH_DB});
}

static void test_random_streams(void **state)
{
    struct link *link = *state;
    uint64_t random = seeded_start();
    for (unsigned run = 0; run < RANDOM_RUNS; run++)
        run_model(link, random + run, run % 3 == 0 ? 0 : 2 + run % 5);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_taken_acknowledged_returned),
        TEST(test_cancelled_at_any_point),
        TEST(test_delivered_when_durable),
        TEST(test_a_drain_returns_all),
        TEST(test_all_return_together),
        TEST(test_a_start_is_required),
        TEST(test_random_streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
