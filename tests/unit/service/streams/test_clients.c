/*
 * Tests of service/streams/clients.c: calls in memory at worker 0; the other workers and all
 * connections are played here, so that the test says when each worker has its turn.
 */
#include "service/streams/clients.h"

#include "base/mem.h"
#include "service/offload.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/link.h"

#define LIST    "/keystore.v1.KeyStoreAdmin/Clients"
#define KILL    "/keystore.v1.KeyStoreAdmin/KillClients"
#define WORKERS 3
#define MANY    100 /* more than a page */

/* The connections of a worker; their ids are 1000 times the worker's number, and on. */
struct played {
    uint64_t first_id;
    size_t count;
    const void *own_connection; /* of the first one; or NULL */
    size_t killed;
    uint64_t last_killed;
    int begun, ended;
};

struct played_visit {
    struct played *worker;
    size_t at;
};

static struct played workers[WORKERS];
static struct clients *clients;

static void *played_begin(void *user)
{
    struct played_visit *visit = mem_alloc_zero(sizeof *visit);
    visit->worker = user;
    visit->worker->begun++;
    return visit;
}

static bool played_next(void *user, struct client_entry *entry)
{
    struct played_visit *visit = user;
    if (visit->at == visit->worker->count)
        return false;
    entry->id = visit->worker->first_id + visit->at;
    entry->connection = visit->at == 0 ? visit->worker->own_connection : NULL;
    snprintf(entry->address, sizeof entry->address, "10.0.0.%zu:80", visit->at % 4);
    visit->at++;
    return true;
}

static void played_describe(void *user, struct client_entry *entry)
{
    (void)user;
    snprintf(entry->listener, sizeof entry->listener, "127.0.0.1:1");
    snprintf(entry->user_agent, sizeof entry->user_agent, "agent");
    entry->age_ms = 1;
    entry->idle_ms = 2;
    entry->calls = 3;
    entry->streams = 4;
    entry->calls_so_far = 5;
    entry->bytes_in = 6;
    entry->bytes_out = 7;
    entry->queued = 8;
}

static void played_kill(void *user)
{
    const struct played_visit *visit = user;
    visit->worker->killed++;
    visit->worker->last_killed = visit->worker->first_id + visit->at - 1;
}

static void played_end(void *user)
{
    struct played_visit *visit = user;
    visit->worker->ended++;
    free(visit);
}

static void ignore_wake(void *user)
{
    (void)user;
}

static int setup(void **state)
{
    link_offload = offload_new(1, WORKERS);
    clients = link_clients = clients_new(link_offload, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        workers[i] = (struct played){.first_id = 1000 * (i + 1), .count = MANY};
        const struct clients_source source = {.user = &workers[i],
                                              .begin = played_begin,
                                              .next = played_next,
                                              .describe = played_describe,
                                              .kill = played_kill,
                                              .end = played_end};
        clients_set_source(clients, i, &source);
        offload_set_waker(link_offload, i, (struct waker){.wake = ignore_wake});
    }
    embedded_setup(state);
    workers[0].own_connection = ((struct link *)*state)->server;
    return 0;
}

/* Frees all as a server does: the workers have ended, and each frees what has come to it. */
static int teardown(void **state)
{
    struct offload_job *job;
    clients_stop(clients);
    offload_stop(link_offload);
    for (unsigned i = 1; i < WORKERS; i++)
        while ((job = offload_take(link_offload, i)) != NULL)
            job->finish(job);
    embedded_teardown(state);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(workers[i].begun, workers[i].ended);
    offload_free(link_offload);
    clients_free(clients);
    link_offload = NULL;
    link_clients = NULL;
    return 0;
}

/* Each worker has a turn; false if none had anything to do. */
static bool turn(struct link *link)
{
    bool any = false;
    struct offload_job *job;
    for (unsigned i = 0; i < WORKERS; i++) {
        job = offload_take(link_offload, i);
        any |= job != NULL;
        if (job != NULL)
            job->finish(job);
    }
    link_exchange(link);
    return any;
}

static void settle(struct link *link)
{
    while (turn(link))
        continue;
}

static struct ng_stream *list(struct link *link, bool own, uint64_t id)
{
    Keystore__V1__ClientsRequest request = KEYSTORE__V1__CLIENTS_REQUEST__INIT;
    request.own = own;
    request.id = id;
    return link_call(link, LIST, &request);
}

static struct ng_stream *kill_clients(struct link *link, uint64_t id, const char *address,
                                      bool include_own)
{
    Keystore__V1__KillClientsRequest request = KEYSTORE__V1__KILL_CLIENTS_REQUEST__INIT;
    request.id = id;
    request.address = (char *)(uintptr_t)address;
    request.include_own = include_own;
    return link_call(link, KILL, &request);
}

/* How many connections the call has returned; each is complete. */
static size_t count_listed(const struct ng_stream *call, size_t *own)
{
    struct slice message;
    size_t at = 0, count = 0;
    *own = 0;
    assert_true(call->closed);
    assert_int_equal(ng_call_status(call), GRPC_OK);
    while (ng_call_next(call, &at, &message)) {
        Keystore__V1__ClientsPage *page =
            keystore__v1__clients_page__unpack(NULL, message.len, message.data);
        assert_non_null(page);
        assert_true(page->n_clients > 0 && page->n_clients < MANY);
        for (size_t i = 0; i < page->n_clients; i++) {
            const Keystore__V1__ClientsPage__Client *client = page->clients[i];
            assert_int_equal(client->id % 1000, count % MANY);
            assert_int_equal(client->age_ms + 10 * client->idle_ms + 100 * client->calls, 321);
            assert_int_equal(client->streams + 10 * client->calls_so_far, 54);
            assert_int_equal(client->bytes_in + 10 * client->bytes_out, 76);
            assert_int_equal(client->queued_bytes, 8);
            assert_string_equal(client->listener, "127.0.0.1:1");
            assert_string_equal(client->user_agent, "agent");
            *own += client->own ? 1 : 0;
            count++;
        }
        keystore__v1__clients_page__free_unpacked(page, NULL);
    }
    return count;
}

static void test_all_workers_are_asked(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = list(link, false, 0);
    size_t own;
    settle(link);
    assert_int_equal(count_listed(call, &own), WORKERS * MANY);
    assert_int_equal(own, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        assert_int_equal(workers[i].begun, 1);
}

static void test_one_connection(void **state)
{
    struct link *link = *state;
    size_t own;
    const struct ng_stream *call = list(link, true, 0);
    settle(link);
    assert_int_equal(count_listed(call, &own), 1);
    assert_int_equal(own, 1);
    assert_int_equal(workers[1].begun, 0); /* it can only be at the call's worker */
    call = list(link, false, 2000);
    settle(link);
    assert_int_equal(count_listed(call, &own), 1);
    assert_int_equal(workers[2].begun, 0); /* it was found before */
    call = list(link, false, 5);
    settle(link);
    assert_int_equal(count_listed(call, &own), 0);
}

static void test_kills(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = kill_clients(link, 2007, "", false);
    settle(link);
    assert_status(call, true, 1);
    assert_int_equal(workers[1].last_killed, 2007);
    call = kill_clients(link, 2007, "10.0.0.2", false); /* it has another address */
    settle(link);
    assert_status(call, false, 0);
    call = kill_clients(link, 0, "10.0.0.1", false);
    settle(link);
    assert_status(call, true, WORKERS * MANY / 4);
    call = kill_clients(link, 0, "10.0.0.1:80", false);
    settle(link);
    assert_status(call, true, WORKERS * MANY / 4);
    call = kill_clients(link, 0, "10.0.0.", false);
    settle(link);
    assert_status(call, false, 0);
}

static void test_the_own_connection_ends_after_the_reply(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = kill_clients(link, 1000, "", false);
    settle(link);
    assert_status(call, false, 0);
    call = kill_clients(link, 1000, "", true);
    while (!call->closed) {
        assert_int_equal(workers[0].killed, 0);
        assert_true(turn(link));
    }
    assert_status(call, true, 1);
    settle(link);
    assert_int_equal(workers[0].last_killed, 1000);
    assert_int_equal(workers[0].killed, 1);
}

/* Wherever the question is, it is freed, and its visits end. */
static void test_a_call_that_ends_early(void **state)
{
    struct link *link = *state;
    for (int turns = 0; turns < 12; turns++) {
        const struct ng_stream *call = list(link, false, 0);
        for (int i = 0; i < turns; i++)
            (void)turn(link);
        ng_client_reset(link->client, call);
        link_exchange(link);
        settle(link);
        for (unsigned i = 0; i < WORKERS; i++)
            assert_int_equal(workers[i].begun, workers[i].ended);
    }
}

static void test_a_shutdown(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = list(link, false, 0);
    (void)turn(link);
    grpc_connection_drain(link->server);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING",
                          "not all clients were reached");
    /* It is on its way when all ends. */
}

static void test_a_kill_on_its_way_when_all_ends(void **state)
{
    struct link *link = *state;
    const struct ng_stream *call = kill_clients(link, 1000, "", true);
    while (!call->closed)
        (void)turn(link);
    assert_int_equal(workers[0].killed, 0);
}

static void test_wrong_requests(void **state)
{
    struct link *link = *state;
    ng_call_assert_failed(kill_clients(link, 0, "", true), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "set id, address or listener");
    struct ng_stream *call = ng_call_begin(link->client, LIST);
    ng_client_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    call = ng_call_begin(link->client, LIST);
    ng_call_send(link->client, call, SLICE_LITERAL(""), false);
    ng_call_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    settle(link);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_workers_are_asked),
        TEST(test_one_connection),
        TEST(test_kills),
        TEST(test_the_own_connection_ends_after_the_reply),
        TEST(test_a_call_that_ends_early),
        TEST(test_a_shutdown),
        TEST(test_a_kill_on_its_way_when_all_ends),
        TEST(test_wrong_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
