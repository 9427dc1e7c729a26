/* Tests of service/service.c: requests that take long, that are held up by others, and that are
 * cancelled meanwhile. The engine answers as the test says. */
#include "service/service.h"

#include "grpc/server.h"

#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/offload_link.h"

#define MOST 16

/* The next submits are answered so, and all after that with ENGINE_DONE. */
struct scripted_engine {
    struct engine engine; /* first */
    enum engine_answer answers[MOST];
    size_t answer_count, submits, runs, cancels;
    char key[64]; /* of the newest task */
    enum engine_answer settled;
    struct engine_task *pending;
    enum err err; /* of what is run */
    sem_t gate;   /* what is run waits for it */
    sem_t begun;
};

/* The value of a key is the key. */
static void do_task(struct scripted_engine *scripted, struct engine_task *task)
{
    struct slice key = task->op.kind == OP_M_GET ? task->op.keys[0].bytes : task->op.key;
    snprintf(scripted->key, sizeof scripted->key, "%.*s", (int)key.len, (const char *)key.data);
    task->result = (struct op_result){
        .value = {.bytes = arena_copy(task->arena, key), .found = true}, .seen = 7};
    if (scripted->err != ERR_NONE)
        task->result =
            (struct op_result){.err = scripted->err,
                               .why = (const char *)arena_copy(
                                          task->arena, slice_make("a reason", 9) /* with its end */)
                                          .data};
}

static enum engine_answer submit(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    size_t number = scripted->submits++;
    if (number < scripted->answer_count)
        return scripted->answers[number];
    do_task(scripted, task);
    return ENGINE_DONE;
}

static void run(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    scripted->runs++;
    sem_post(&scripted->begun);
    sem_wait(&scripted->gate);
    do_task(scripted, task);
}

static enum engine_answer settle(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    assert_int_equal(task->result.seen, scripted->err == ERR_NONE ? 7 : 0);
    scripted->pending = task;
    return scripted->settled;
}

static void cancel(struct engine *engine, struct engine_task *task)
{
    struct scripted_engine *scripted = (struct scripted_engine *)engine;
    assert_ptr_equal(task, scripted->pending);
    scripted->cancels++;
}

static int setup(void **state)
{
    struct scripted_engine *scripted = calloc(1, sizeof *scripted);
    scripted->engine = (struct engine){
        .submit = submit, .run = run, .settle = settle, .cancel = cancel, .databases = 16};
    sem_init(&scripted->gate, 0, 0);
    sem_init(&scripted->begun, 0, 0);
    offload_link_start();
    *state = link_new(&scripted->engine, &link_info);
    return 0;
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

static void script(struct link *link, size_t count, enum engine_answer answer)
{
    for (size_t i = 0; i < count; i++)
        engine_of(link)->answers[i] = answer;
    engine_of(link)->answer_count = count;
}

static struct ng_stream *get(struct link *link, const char *key)
{
    return link_call_key(link, "/keystore.v1.KeyStore/Get", key);
}

/* What is run may end, and has ended. */
static void let_run(struct link *link)
{
    sem_post(&engine_of(link)->gate);
    offload_link_wait();
}

/* ---- held up ---- */

/* The bytes of the message are long gone when the request begins again. */
static void what_is_held_up_begins_again(void **state)
{
    struct link *link = *state;
    script(link, 5, ENGINE_HELD);
    struct ng_stream *one = get(link, "one"), *two = get(link, "two");
    assert_false(one->closed);
    link_resume(link);
    assert_int_equal(engine_of(link)->submits, 4);
    struct ng_stream *three = get(link, "three");
    assert_int_equal(engine_of(link)->submits, 5);
    link_resume(link);
    assert_int_equal(engine_of(link)->submits, 8);
    assert_value(one, "one");
    assert_value(two, "two");
    assert_value(three, "three");
    link_resume(link);
    assert_int_equal(engine_of(link)->submits, 8);
}

/* Long requests may follow one another without end: then it waits among them. */
static void what_is_held_up_again_and_again_is_run_elsewhere(void **state)
{
    struct link *link = *state;
    script(link, MOST, ENGINE_HELD);
    struct ng_stream *one = get(link, "one");
    for (int i = 0; i < 4; i++) {
        assert_int_equal(offload_count(link_offload), 0);
        link_resume(link);
    }
    assert_int_equal(offload_count(link_offload), 1);
    let_run(link);
    link_resume(link);
    assert_value(one, "one");
}

static void what_is_held_up_can_be_cancelled(void **state)
{
    struct link *link = *state;
    script(link, 3, ENGINE_HELD);
    struct ng_stream *one = get(link, "one"), *two = get(link, "two"), *three = get(link, "three");
    ng_client_reset(link->client, two);
    link_exchange(link);
    link_resume(link);
    assert_int_equal(engine_of(link)->submits, 5);
    assert_value(one, "one");
    assert_value(three, "three");
    assert_int_equal(engine_of(link)->cancels, 0);
}

static void the_connection_may_end_while_it_is_held_up(void **state)
{
    struct link *link = *state;
    script(link, 2, ENGINE_HELD);
    get(link, "one");
    get(link, "two");
    grpc_connection_free(link->server);
    link->server = NULL;
    service_resume(link->service);
    assert_int_equal(engine_of(link)->submits, 2);
}

/* ---- elsewhere ---- */

static void what_is_costly_is_run_elsewhere(void **state)
{
    struct link *link = *state;
    script(link, 1, ENGINE_COSTLY);
    struct ng_stream *one = get(link, "one");
    sem_wait(&engine_of(link)->begun);
    assert_value(get(link, "two"), "two"); /* meanwhile */
    assert_false(one->closed);
    let_run(link);
    link_resume(link);
    assert_value(one, "one");
    assert_int_equal(engine_of(link)->runs, 1);
    assert_int_equal(offload_count(link_offload), 1);
}

static void an_error_from_elsewhere_is_told(void **state)
{
    struct link *link = *state;
    script(link, 1, ENGINE_COSTLY);
    engine_of(link)->err = ERR_WRONG_TYPE;
    struct ng_stream *one = get(link, "one");
    let_run(link);
    link_resume(link);
    ng_call_assert_failed(one, GRPC_FAILED_PRECONDITION, "ERROR_REASON_WRONG_TYPE", "a reason");
}

static void what_was_cancelled_is_not_answered(void **state)
{
    struct link *link = *state;
    script(link, 2, ENGINE_COSTLY);
    struct ng_stream *one = get(link, "one"), *two = get(link, "two");
    sem_wait(&engine_of(link)->begun);
    ng_client_reset(link->client, one); /* it is being run */
    ng_client_reset(link->client, two); /* it is not begun, and will not be */
    link_exchange(link);
    let_run(link);
    offload_link_wait();
    link_resume(link);
    assert_int_equal(engine_of(link)->runs, 1);
    assert_null(engine_of(link)->pending);
    assert_value(get(link, "three"), "three");
}

static void it_may_wait_for_the_disk_after_that(void **state)
{
    struct link *link = *state;
    script(link, 2, ENGINE_COSTLY);
    engine_of(link)->settled = ENGINE_PENDING;
    struct ng_stream *one = get(link, "one");
    let_run(link);
    link_resume(link);
    assert_false(one->closed);
    engine_of(link)->pending->on_done(engine_of(link)->pending);
    link_exchange(link);
    assert_value(one, "one");
    struct ng_stream *two = get(link, "two");
    let_run(link);
    link_resume(link);
    struct engine_task *task = engine_of(link)->pending;
    task->result = (struct op_result){.err = ERR_NOT_DURABLE, .why = "no room"};
    task->on_done(task);
    link_exchange(link);
    ng_call_assert_failed(two, GRPC_UNAVAILABLE, "ERROR_REASON_NOT_DURABLE", "no room");
}

static void a_wait_for_the_disk_can_be_cancelled(void **state)
{
    struct link *link = *state;
    script(link, 1, ENGINE_COSTLY);
    engine_of(link)->settled = ENGINE_PENDING;
    struct ng_stream *one = get(link, "one");
    let_run(link);
    link_resume(link);
    ng_client_reset(link->client, one);
    link_exchange(link);
    assert_int_equal(engine_of(link)->cancels, 1);
}

static void the_connection_may_end_meanwhile(void **state)
{
    struct link *link = *state;
    script(link, 1, ENGINE_COSTLY);
    get(link, "one");
    sem_wait(&engine_of(link)->begun);
    grpc_connection_free(link->server);
    link->server = NULL;
    let_run(link); /* and then the server ends */
}

/* Many keys: it is not even decoded here. */
static void a_large_message_goes_elsewhere_at_once(void **state)
{
    struct link *link = *state;
    enum { COUNT = 20000 };
    static ProtobufCBinaryData keys[COUNT];
    Keystore__V1__Keys message = KEYSTORE__V1__KEYS__INIT;
    for (size_t i = 0; i < COUNT; i++)
        keys[i] = message_text("key");
    message.keys = keys;
    message.n_keys = COUNT;
    struct ng_stream *call = link_call(link, "/keystore.v1.KeyStore/MGet", &message);
    let_run(link);
    link_resume(link);
    assert_int_equal(engine_of(link)->submits, 0);
    assert_int_equal(engine_of(link)->runs, 1);
    assert_string_equal(engine_of(link)->key, "key");
    assert_true(call->closed);
}

static void info_does_not_wait_for_the_data_here(void **state)
{
    struct link *link = *state;
    Keystore__V1__InfoRequest message = KEYSTORE__V1__INFO_REQUEST__INIT;
    struct ng_stream *call = link_call(link, "/keystore.v1.KeyStoreAdmin/Info", &message);
    offload_link_wait();
    link_resume(link);
    struct slice reply = ng_call_reply(call);
    Keystore__V1__InfoReply *info = keystore__v1__info_reply__unpack(NULL, reply.len, reply.data);
    assert_non_null(info);
    assert_int_equal(info->n_fields, 3);
    keystore__v1__info_reply__free_unpacked(info, NULL);
}

#define LONG(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        LONG(what_is_held_up_begins_again),
        LONG(what_is_held_up_again_and_again_is_run_elsewhere),
        LONG(what_is_held_up_can_be_cancelled),
        LONG(the_connection_may_end_while_it_is_held_up),
        LONG(what_is_costly_is_run_elsewhere),
        LONG(an_error_from_elsewhere_is_told),
        LONG(what_was_cancelled_is_not_answered),
        LONG(it_may_wait_for_the_disk_after_that),
        LONG(a_wait_for_the_disk_can_be_cancelled),
        LONG(the_connection_may_end_meanwhile),
        LONG(a_large_message_goes_elsewhere_at_once),
        LONG(info_does_not_wait_for_the_data_here),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
