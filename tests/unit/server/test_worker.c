/* Tests of server/worker.c: sockets, loop, gRPC and service wired together, and how a worker ends.
 */
#include "server/worker.h"

#include "base/activity.h"
#include "engine/embedded.h"
#include "journal/durable.h"
#include "net/admission.h"
#include "net/listener.h"
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <unistd.h>

#include <cmocka.h>

#include "service/health.h"
#include "service/info.h"
#include "service/messages.h"
#include "support/ng_call.h"

/* Seconds that a test waits for bytes before it fails. */
#define PATIENCE_S 30

static struct config make_config(void)
{
    struct config config = {.threads = 2,
                            .max_value = 1 << 20,
                            .max_connections = 100,
                            .log_level = LOG_ERROR,
                            .http2 = http2_default_limits,
                            .net = net_default_limits};
    config.net.drain_timeout_ms = 60000;
    return config;
}

/* Shared by the workers of a test. */
static struct net_admission *admission;
static const struct info_source no_info;

static struct activity activity;

static int make_admission(void **state)
{
    (void)state;
    activity_init(&activity, INT64_MAX);
    admission = net_admission_new(make_config().max_connections, 0);
    return 0;
}

static int free_admission(void **state)
{
    (void)state;
    net_admission_free(admission);
    return 0;
}

static struct net_address parse_address(const char *text)
{
    struct net_address address;
    const char *why;
    assert_true(net_address_parse(text, &address, &why));
    return address;
}

static struct worker_options share(const struct config *config, struct engine *engine)
{
    return (struct worker_options){.config = config,
                                   .engine = engine,
                                   .activity = &activity,
                                   .admission = admission,
                                   .info = &no_info};
}

/* `count` workers that share the address; *address learns the port. */
static void start_workers(struct worker **workers, size_t count, const struct config *config,
                          struct engine *engine, struct net_address *address)
{
    struct worker_options options = share(config, engine);
    int descriptors[8];
    assert_true(count <= 8);
    assert_true(listener_bind(address, descriptors, count));
    for (size_t i = 0; i < count; i++) {
        workers[i] = worker_new(&options, (unsigned)i);
        assert_int_equal(worker_listen(workers[i], descriptors[i], address, NET_CALLS), 0);
    }
    for (size_t i = 0; i < count; i++)
        assert_int_equal(worker_start(workers[i]), 0);
}

/* A client on a socket. */
struct peer {
    struct ng_client *client;
    int descriptor;
    bool ended; /* the server closed the connection */
};

static void connect_peer(struct peer *peer, const struct net_address *address)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    *peer = (struct peer){.descriptor = socket(address->socket.ss_family, SOCK_STREAM, 0)};
    assert_true(peer->descriptor >= 0);
    assert_int_equal(
        connect(peer->descriptor, (const struct sockaddr *)&address->socket, address->size), 0);
    assert_int_equal(
        setsockopt(peer->descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience), 0);
    peer->client = ng_client_new(&(struct ng_options){0});
}

static void disconnect_peer(struct peer *peer)
{
    close(peer->descriptor);
    ng_client_free(peer->client);
}

/* Sends the output of the client. receive() notices a server that has closed. */
static void send_all(struct peer *peer)
{
    struct buf wire;
    buf_init(&wire, SIZE_MAX);
    ng_client_output(peer->client, &wire);
    while (wire.len > 0) {
        ssize_t sent = send(peer->descriptor, wire.data, wire.len, MSG_NOSIGNAL);
        if (sent < 0)
            break;
        buf_consume(&wire, (size_t)sent);
    }
    buf_deinit(&wire);
}

/* Waits for bytes and takes them. */
static void receive(struct peer *peer)
{
    uint8_t bytes[16384];
    ssize_t len = recv(peer->descriptor, bytes, sizeof bytes, 0);
    if (len < 0)
        fail_msg("nothing came from the server: %s", strerror(errno));
    peer->ended = len == 0;
    ng_client_input(peer->client, slice_make(bytes, (size_t)len));
}

static void wait_for_end(struct peer *peer)
{
    while (!peer->ended) {
        send_all(peer);
        receive(peer);
    }
}

static void wait_for_answer(struct peer *peer, const struct ng_stream *call)
{
    send_all(peer);
    while (!call->closed) {
        assert_false(peer->ended);
        receive(peer);
        send_all(peer);
    }
}

/* Waits until the server has read all that the client has sent: it answers a PING after that. */
static void wait_until_taken(struct peer *peer)
{
    do {
        int pongs = peer->client->pongs;
        assert_int_equal(nghttp2_submit_ping(peer->client->session, NGHTTP2_FLAG_NONE, NULL), 0);
        send_all(peer);
        while (peer->client->pongs == pongs) {
            assert_false(peer->ended);
            receive(peer);
        }
    } while (nghttp2_session_want_write(peer->client->session));
}

static struct ng_stream *begin_get(struct peer *peer, const char *key)
{
    Keystore__V1__Key message = KEYSTORE__V1__KEY__INIT;
    message.key = message_text(key);
    struct slice packed = message_pack(&message);
    struct ng_stream *call = ng_call(peer->client, "/keystore.v1.KeyStore/Get", packed);
    message_free_packed(packed);
    send_all(peer);
    return call;
}

static void set(struct peer *peer, const char *key, struct slice value)
{
    Keystore__V1__KeyValue message = KEYSTORE__V1__KEY_VALUE__INIT;
    message.key = message_text(key);
    message.value = message_bytes(value);
    struct slice packed = message_pack(&message);
    struct ng_stream *call = ng_call(peer->client, "/keystore.v1.KeyStore/Set", packed);
    message_free_packed(packed);
    wait_for_answer(peer, call);
    ng_call_reply(call);
}

static void assert_got(const struct ng_stream *call, struct slice expected)
{
    struct slice reply = ng_call_reply(call);
    Keystore__V1__Value *value = keystore__v1__value__unpack(NULL, reply.len, reply.data);
    assert_non_null(value);
    assert_true(value->found);
    assert_true(slice_equal(message_slice(value->value), expected));
    keystore__v1__value__free_unpacked(value, NULL);
}

static void test_serves_calls_over_tcp(void **state)
{
    (void)state;
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 2);
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer peer;
    start_workers(&worker, 1, &config, engine, &address);
    connect_peer(&peer, &address);
    set(&peer, "key", SLICE_LITERAL("value"));
    struct ng_stream *get = begin_get(&peer, "key");
    wait_for_answer(&peer, get);
    assert_got(get, SLICE_LITERAL("value"));
    assert_int_equal(worker_commands(worker), 2);
    int64_t busy_us = worker_busy_us(worker);
    assert_true(busy_us > 0);
    disconnect_peer(&peer);
    worker_stop(worker);
    worker_join(worker);
    assert_true(worker_busy_us(worker) == -1);
    assert_int_equal(worker_commands(worker), 2);
    worker_free(worker);
    embedded_free(engine);
}

static void test_serves_calls_over_a_unix_socket(void **state)
{
    (void)state;
    char folder[] = "/tmp/keystore-test-XXXXXX", text[64];
    assert_non_null(mkdtemp(folder));
    snprintf(text, sizeof text, "unix:%s/socket", folder);
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 2);
    struct net_address address = parse_address(text);
    struct worker *workers[2];
    struct peer peer;
    start_workers(workers, 2, &config, engine, &address);
    connect_peer(&peer, &address);
    set(&peer, "key", SLICE_LITERAL("value"));
    disconnect_peer(&peer);
    for (size_t i = 0; i < 2; i++)
        worker_stop(workers[i]);
    for (size_t i = 0; i < 2; i++)
        worker_free(workers[i]);
    listener_unlink(&address);
    assert_int_equal(rmdir(folder), 0);
    embedded_free(engine);
}

/* Whichever worker has the connection, the data is the engine's. */
static void test_workers_share_the_engine(void **state)
{
    (void)state;
    struct config config = make_config();
    config.threads = 3;
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 3);
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *workers[3];
    struct peer peers[20];
    start_workers(workers, 3, &config, engine, &address);
    for (size_t i = 0; i < 20; i++)
        connect_peer(&peers[i], &address);
    for (size_t i = 0; i < 20; i++) {
        char key[12];
        snprintf(key, sizeof key, "%zu", i);
        set(&peers[i], key, slice_from_string(key));
        struct ng_stream *get = begin_get(&peers[19 - i], key);
        wait_for_answer(&peers[19 - i], get);
        assert_got(get, slice_from_string(key));
    }
    for (size_t i = 0; i < 20; i++)
        disconnect_peer(&peers[i]);
    for (size_t i = 0; i < 3; i++)
        worker_stop(workers[i]);
    for (size_t i = 0; i < 3; i++)
        worker_free(workers[i]);
    embedded_free(engine);
}

static void test_the_largest_value_there_and_back(void **state)
{
    (void)state;
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 2);
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer peer;
    uint8_t *bytes = malloc(config.max_value);
    for (size_t i = 0; i < config.max_value; i++)
        bytes[i] = (uint8_t)(i * 31 >> 3);
    start_workers(&worker, 1, &config, engine, &address);
    connect_peer(&peer, &address);
    set(&peer, "key", slice_make(bytes, config.max_value));
    struct ng_stream *get = begin_get(&peer, "key");
    wait_for_answer(&peer, get);
    assert_got(get, slice_make(bytes, config.max_value));
    disconnect_peer(&peer);
    worker_stop(worker);
    worker_free(worker);
    embedded_free(engine);
    free(bytes);
}

/* An engine that answers no Get until the next one comes, and then the former one. */
struct late_engine {
    struct engine engine; /* first */
    struct engine_task *pending;
    size_t cancelled, left;
    atomic_uint waiting; /* submits of operations that wait */
};

static enum engine_answer late_submit(struct engine *engine, struct engine_task *task)
{
    struct late_engine *late = (struct late_engine *)engine;
    struct engine_task *former = late->pending;
    if (op_waits(&task->op)) {
        atomic_fetch_add(&late->waiting, 1);
        return ENGINE_WAITING;
    }
    late->pending = task;
    if (former != NULL) {
        former->result =
            (struct op_result){.value = {.bytes = SLICE_LITERAL("late"), .found = true}};
        former->on_done(former);
    }
    return ENGINE_PENDING;
}

static void late_leave(struct engine *engine, struct engine_waiter *waiter)
{
    (void)waiter;
    ((struct late_engine *)engine)->left++;
}

static int64_t late_maintain(struct engine *engine, unsigned worker, unsigned workers,
                             int64_t now_ms)
{
    (void)engine;
    (void)now_ms;
    assert_true(worker < workers);
    return 1000;
}

static void late_cancel(struct engine *engine, struct engine_task *task)
{
    struct late_engine *late = (struct late_engine *)engine;
    if (task == late->pending)
        late->pending = NULL;
    late->cancelled++;
}

static struct late_engine make_late(void)
{
    return (struct late_engine){.engine = {.submit = late_submit,
                                           .cancel = late_cancel,
                                           .leave = late_leave,
                                           .maintain = late_maintain,
                                           .databases = 1}};
}

/* The worker writes it although that connection has sent nothing meanwhile. */
static void test_a_late_answer_is_written_at_once(void **state)
{
    (void)state;
    struct config config = make_config();
    struct late_engine late = make_late();
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer first, second;
    config.net.drain_timeout_ms = 50; /* the second one's call is not answered */
    start_workers(&worker, 1, &config, &late.engine, &address);
    connect_peer(&first, &address);
    connect_peer(&second, &address);
    struct ng_stream *get = begin_get(&first, "key");
    wait_until_taken(&first);
    begin_get(&second, "key");
    wait_for_answer(&first, get);
    assert_got(get, SLICE_LITERAL("late"));
    disconnect_peer(&first);
    disconnect_peer(&second);
    worker_stop(worker);
    worker_free(worker);
    assert_int_equal(late.cancelled, 1);
}

/* A log that makes durable what was written when a worker becomes idle, and not before. */
struct idle_log {
    struct durable durable;
    atomic_uint idles;
};

static void on_idle(void *user)
{
    struct idle_log *log = user;
    assert_false(activity_is_anybody_busy(&activity));
    atomic_fetch_add(&log->idles, 1);
    atomic_fetch_add(&log->durable.revision, 1);
    log->durable.on_progress(log->durable.user);
}

/* The worker is woken for each answer, which was waiting for the log. */
static void test_a_worker_without_requests_is_idle(void **state)
{
    (void)state;
    struct config config = make_config();
    struct idle_log log = {0};
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 1);
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer peer;
    activity_listen(&activity, on_idle, &log);
    embedded_set_durable(engine, &log.durable);
    start_workers(&worker, 1, &config, engine, &address);
    connect_peer(&peer, &address);
    for (unsigned i = 1; i <= 20; i++) {
        set(&peer, "key", SLICE_LITERAL("value"));
        assert_int_equal(atomic_load(&log.idles), i);
    }
    disconnect_peer(&peer);
    worker_stop(worker);
    worker_free(worker);
    embedded_free(engine);
}

static void test_stopping_says_goodbye_to_idle_connections(void **state)
{
    (void)state;
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 16}, 2);
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer peer;
    start_workers(&worker, 1, &config, engine, &address);
    connect_peer(&peer, &address);
    set(&peer, "key", SLICE_LITERAL("value"));
    worker_stop(worker);
    wait_for_end(&peer);
    assert_true(peer.client->goaways > 0);
    disconnect_peer(&peer);
    worker_free(worker);
    embedded_free(engine);
}

/* The drain timeout bounds the wait; the call is cancelled in the engine. */
static void test_stopping_ends_calls_that_take_too_long(void **state)
{
    (void)state;
    struct config config = make_config();
    struct late_engine late = make_late();
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer peer;
    config.net.drain_timeout_ms = 50;
    start_workers(&worker, 1, &config, &late.engine, &address);
    connect_peer(&peer, &address);
    struct ng_stream *first = begin_get(&peer, "key");
    struct ng_stream *second = begin_get(&peer, "key");
    wait_for_answer(&peer, first);
    worker_stop(worker);
    worker_free(worker);
    assert_int_equal(late.cancelled, 1);
    assert_null(late.pending);
    assert_false(second->closed);
    disconnect_peer(&peer);
}

/* A call that waits is not kept for a client that may be gone, unlike one that is answered soon. */
static void test_a_client_that_leaves_cancels_its_wait(void **state)
{
    (void)state;
    Keystore__V1__PopRequest message = KEYSTORE__V1__POP_REQUEST__INIT;
    ProtobufCBinaryData key = message_text("key");
    struct config config = make_config();
    struct late_engine late = make_late();
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker *worker;
    struct peer peer;
    start_workers(&worker, 1, &config, &late.engine, &address);
    connect_peer(&peer, &address);
    message.keys = &key;
    message.n_keys = 1;
    message.wait_ms = -1;
    struct slice packed = message_pack(&message);
    ng_call(peer.client, "/keystore.v1.KeyStore/ListPop", packed);
    message_free_packed(packed);
    send_all(&peer);
    while (atomic_load(&late.waiting) < 2) /* the second time with a waiter */
        ;
    disconnect_peer(&peer);
    /* With a minute of drain timeout this returns only because the connection is gone. */
    worker_stop(worker);
    worker_free(worker);
    assert_int_equal(late.left, 1);
}

static void test_a_descriptor_that_is_no_socket_is_refused(void **state)
{
    (void)state;
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 2);
    struct net_address address = parse_address("127.0.0.1:0");
    struct worker_options options = share(&config, engine);
    struct worker *worker = worker_new(&options, 0);
    int descriptor = open("/dev/null", O_RDWR);
    assert_true(worker_listen(worker, descriptor, &address, NET_CALLS) < 0);
    worker_free(worker);
    assert_int_equal(fcntl(descriptor, F_GETFD), -1);
    embedded_free(engine);
}

/* Whether the connection serves the method of that path; all are called with an empty message. */
static bool serves(struct peer *peer, const char *path)
{
    struct ng_stream *call = ng_call(peer->client, path, slice_make(NULL, 0));
    wait_for_answer(peer, call);
    return ng_call_status(call) != GRPC_UNIMPLEMENTED;
}

/* Connections to one of the sockets serve all methods, those to the other only health checks. */
static void test_probes_have_a_socket_of_their_own(void **state)
{
    (void)state;
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 2);
    struct net_address addresses[2] = {parse_address("127.0.0.1:0"), parse_address("127.0.0.1:0")};
    struct worker_options options = share(&config, engine);
    struct health health;
    health_init(&health, engine, false);
    options.health = &health;
    struct worker *worker = worker_new(&options, 0);
    struct peer peers[2];
    for (size_t i = 0; i < 2; i++) {
        int descriptor;
        assert_true(listener_bind(&addresses[i], &descriptor, 1));
        assert_int_equal(
            worker_listen(worker, descriptor, &addresses[i], i == 0 ? NET_CALLS : NET_PROBES), 0);
    }
    assert_int_equal(worker_start(worker), 0);
    for (size_t i = 0; i < 2; i++) {
        connect_peer(&peers[i], &addresses[i]);
        assert_true(serves(&peers[i], "/grpc.health.v1.Health/Check"));
        assert_int_equal(serves(&peers[i], "/keystore.v1.KeyStore/Get"), i == 0);
        assert_int_equal(worker_commands(worker), i == 0 ? 2 : 3);
    }
    assert_int_equal(worker_counts(worker).streams_open, 0);
    for (size_t i = 0; i < 2; i++)
        disconnect_peer(&peers[i]);
    worker_stop(worker);
    worker_free(worker);
    embedded_free(engine);
}

static void test_free_takes_what_never_ran_and_null(void **state)
{
    (void)state;
    struct config config = make_config();
    struct engine *engine = embedded_new(&(struct store_options){.databases = 1}, 2);
    struct net_address address = parse_address("127.0.0.1:0");
    int descriptor;
    struct worker_options options = share(&config, engine);
    struct worker *worker = worker_new(&options, 0);
    assert_true(listener_bind(&address, &descriptor, 1));
    assert_int_equal(worker_listen(worker, descriptor, &address, NET_CALLS), 0);
    worker_free(worker);
    worker_free(NULL);
    embedded_free(engine);
}

#define WORKER(function) cmocka_unit_test_setup_teardown(function, make_admission, free_admission)

int main(void)
{
    log_set_level(LOG_ERROR); /* the warning about calls that were ended is expected */
    signal(SIGPIPE, SIG_IGN); /* as the server does */
    const struct CMUnitTest tests[] = {
        WORKER(test_serves_calls_over_tcp),
        WORKER(test_serves_calls_over_a_unix_socket),
        WORKER(test_workers_share_the_engine),
        WORKER(test_the_largest_value_there_and_back),
        WORKER(test_a_late_answer_is_written_at_once),
        WORKER(test_a_worker_without_requests_is_idle),
        WORKER(test_stopping_says_goodbye_to_idle_connections),
        WORKER(test_stopping_ends_calls_that_take_too_long),
        WORKER(test_a_client_that_leaves_cancels_its_wait),
        WORKER(test_a_descriptor_that_is_no_socket_is_refused),
        WORKER(test_probes_have_a_socket_of_their_own),
        WORKER(test_free_takes_what_never_ran_and_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
