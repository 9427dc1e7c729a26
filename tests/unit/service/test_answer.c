/* Tests of service/answer.c: replies for callers who want them compressed, by the worker or on
 * another thread, and large compressed requests. The value of a key is as long as the key says. */
#include "service/service.h"

#include "base/account.h"
#include "base/blob.h"
#include "grpc/gzip.h"
#include "grpc/gzipped.h"
#include "grpc/message.h"
#include "grpc/server.h"
#include "service/offload_link.h"

#define GET "/keystore.v1.KeyStore/Get"
#define SET "/keystore.v1.KeyStore/Set"

struct sized_engine {
    struct engine engine; /* first */
    enum engine_answer answer;
    struct engine_task *pending;
};

static void do_task(struct engine_task *task)
{
    char digits[16] = "";
    memcpy(digits, task->op.key.data, task->op.key.len);
    struct slice text = gzipped_text((size_t)atol(digits));
    struct blob *blob = text.len >= BLOB_LEAST ? blob_copy(text) : NULL;
    task->result = (struct op_result){
        .value = {.bytes = blob != NULL ? blob_slice(blob) : arena_copy(task->arena, text),
                  .blob = blob,
                  .found = true}};
}

static enum engine_answer submit(struct engine *engine, struct engine_task *task)
{
    struct sized_engine *sized = (struct sized_engine *)engine;
    sized->pending = task;
    if (sized->answer != ENGINE_COSTLY)
        do_task(task);
    return sized->answer;
}

static void run(struct engine *engine, struct engine_task *task)
{
    (void)engine;
    do_task(task);
}

static enum engine_answer settle(struct engine *engine, struct engine_task *task)
{
    (void)engine;
    (void)task;
    return ENGINE_DONE;
}

static int setup(void **state)
{
    struct sized_engine *sized = calloc(1, sizeof *sized);
    sized->engine =
        (struct engine){.submit = submit, .run = run, .settle = settle, .databases = 16};
    sized->answer = ENGINE_DONE;
    offload_link_start();
    *state = link_new(&sized->engine, &link_info);
    return 0;
}

static int teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    offload_link_free(link);
    free(engine);
    assert_int_equal(account_used(), 0);
    return 0;
}

/* Starts a call whose messages may be compressed both ways. */
static struct ng_stream *begin(struct link *link, const char *path)
{
    const struct http2_field fields[] = {
        {.name = SLICE_LITERAL(":method"), .value = SLICE_LITERAL("POST")},
        {.name = SLICE_LITERAL(":scheme"), .value = SLICE_LITERAL("http")},
        {.name = SLICE_LITERAL(":path"), .value = slice_from_string(path)},
        {.name = SLICE_LITERAL("content-type"), .value = SLICE_LITERAL("application/grpc")},
        {.name = SLICE_LITERAL("grpc-encoding"), .value = SLICE_LITERAL("gzip")},
        {.name = SLICE_LITERAL("grpc-accept-encoding"), .value = SLICE_LITERAL("gzip")},
    };
    return ng_client_request(link->client, fields, sizeof fields / sizeof fields[0], false);
}

static struct ng_stream *get(struct link *link, const char *key)
{
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text(key);
    struct slice packed = message_pack(&message);
    struct ng_stream *call = begin(link, GET);
    ng_call_send(link->client, call, packed, true);
    message_free_packed(packed);
    link_exchange(link);
    return call;
}

/* The value has that size, and was sent compressed if it was worth it. */
static void assert_sized(const struct ng_stream *call, size_t size)
{
    static uint8_t message[300000];
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), 0);
    struct slice body = slice_skip(buf_slice(&call->body), GRPC_PREFIX_SIZE);
    bool is_compressed = call->body.data[0] == GRPC_COMPRESSED;
    assert_int_equal(is_compressed, size >= GZIP_LEAST);
    ng_assert_slice(ng_call_field(call, "grpc-encoding"), is_compressed ? "gzip" : "");
    if (is_compressed) {
        size_t plain = 0;
        for (size_t i = 0; i < 4; i++)
            plain |= (size_t)body.data[body.len - 4 + i] << 8 * i;
        assert_true(plain <= sizeof message && body.len < plain - plain / 8);
        gzipped_restore(body, message, plain);
        body = slice_make(message, plain);
    }
    Keystore__V1__Value *value = keystore__v1__value__unpack(NULL, body.len, body.data);
    assert_non_null(value);
    assert_true(slice_equal(message_slice(value->value), gzipped_text(size)));
    keystore__v1__value__free_unpacked(value, NULL);
}

static void a_worker_compresses_what_is_small(void **state)
{
    struct link *link = *state;
    assert_sized(get(link, "0"), 0);
    assert_sized(get(link, "1000"), 1000);
    assert_sized(get(link, "1024"), 1024);
    assert_sized(get(link, "20000"), 20000);
    assert_sized(get(link, "65000"), 65000);
    assert_int_equal(offload_count(link_offload), 0);
    assert_int_equal(grpc_server_counts(link->grpc).compressed.messages, 3);
}

static void another_thread_compresses_what_is_large(void **state)
{
    struct link *link = *state;
    struct ng_stream *large = get(link, "200000");
    assert_int_equal(offload_count(link_offload), 1);
    assert_true(grpc_connection_has_unanswered(link->server));
    offload_link_wait();
    assert_false(large->closed);
    link_resume(link);
    assert_sized(large, 200000);
}

static void what_runs_elsewhere_is_compressed_there(void **state)
{
    struct link *link = *state;
    ((struct sized_engine *)link->engine)->answer = ENGINE_COSTLY;
    struct ng_stream *small = get(link, "500"), *large = get(link, "100000");
    offload_link_wait();
    offload_link_wait();
    link_resume(link);
    assert_sized(small, 500);
    assert_sized(large, 100000);
}

static void what_is_answered_later_is_compressed(void **state)
{
    struct link *link = *state;
    struct sized_engine *sized = (struct sized_engine *)link->engine;
    sized->answer = ENGINE_PENDING;
    struct ng_stream *call = get(link, "5000");
    sized->pending->on_done(sized->pending);
    link_exchange(link);
    assert_sized(call, 5000);
}

static void a_cancelled_reply_is_dropped(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = get(link, "200000");
    ng_client_reset(link->client, call);
    link_exchange(link);
    offload_link_wait();
    link_resume(link);
    assert_int_equal(call->body.len, 0);
    struct ng_stream *next = get(link, "2000"); /* with the same request */
    assert_sized(next, 2000);
}

/* The teardown stops the offload, perhaps before it has begun. */
static void a_reply_may_be_under_way_at_the_end(void **state)
{
    struct link *link = *state;
    get(link, "200000");
    get(link, "300000");
}

static struct ng_stream *set(struct link *link, size_t size, bool damages)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text("5000");
    message.value = message_bytes(gzipped_text(size));
    struct slice packed = message_pack(&message);
    struct buf framed = gzipped_message(packed);
    struct ng_stream *call = begin(link, SET);
    if (damages)
        framed.data[framed.len / 2] ^= 1;
    ng_client_send(link->client, call, buf_slice(&framed), true);
    buf_deinit(&framed);
    message_free_packed(packed);
    link_exchange(link);
    return call;
}

static void a_request_is_inflated(void **state)
{
    struct link *link = *state;
    assert_int_equal(ng_call_status(set(link, MAX_VALUE, false)), 0);
    assert_int_equal(offload_count(link_offload), 0);
    struct ng_stream *large = set(link, 300000, false), *damaged = set(link, 300000, true);
    assert_int_equal(offload_count(link_offload), 2);
    offload_link_wait();
    offload_link_wait();
    link_resume(link);
    ng_call_assert_failed(large, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_LARGE", "value");
    ng_call_assert_failed(damaged, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "not valid gzip");
}

static void a_request_may_be_inflated_at_the_end(void **state)
{
    struct link *link = *state;
    set(link, 300000, false);
    struct ng_stream *call = set(link, 300000, false);
    ng_client_reset(link->client, call);
    link_exchange(link);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_worker_compresses_what_is_small),
        TEST(another_thread_compresses_what_is_large),
        TEST(what_runs_elsewhere_is_compressed_there),
        TEST(what_is_answered_later_is_compressed),
        TEST(a_cancelled_reply_is_dropped),
        TEST(a_reply_may_be_under_way_at_the_end),
        TEST(a_request_is_inflated),
        TEST(a_request_may_be_inflated_at_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
