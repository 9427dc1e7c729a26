/*
 * Calls as sequences of messages: streams of every method, and unary calls beside them, are begun,
 * continued, half-closed, reset and read in any order, over a real connection to a service with a
 * store (service/link.h). The client is nghttp2's, which refuses what is not HTTP/2. In the end the
 * connection is lost, and nothing may be left.
 *
 * The input is a sequence of steps, each a byte and what it takes; see streams_step().
 */
#include "common/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "service/link.h"
#include "service/streams/channels.h"

#define MOST_STEPS 200
#define MOST_WAKES 1000

static const char *const paths[] = {
    "/keystore.v1.KeyStore/Pipeline",     "/keystore.v1.KeyStore/Watch",
    "/keystore.v1.KeyStore/Consume",      "/keystore.v1.KeyStore/Subscribe",
    "/keystore.v1.KeyStore/Scan",         "/keystore.v1.KeyStore/StreamList",
    "/keystore.v1.KeyStore/Publish",      "/keystore.v1.KeyStore/Set",
    "/keystore.v1.KeyStore/RPush",        "/keystore.v1.KeyStore/ListPop",
    "/keystore.v1.KeyStore/LMove",        "/keystore.v1.KeyStore/Txn",
    "/keystore.v1.KeyStore/Delete",       "/keystore.v1.KeyStoreAdmin/SwapDb",
    "/keystore.v1.KeyStoreAdmin/FlushDb", "/keystore.v1.KeyStoreAdmin/Backup",
};
#define PATHS (sizeof paths / sizeof *paths)

static unsigned wakes;

static void on_wake(void *user)
{
    (void)user;
    wakes++;
}

/* What the worker does until nothing wakes it any more. */
static void run(struct link *link)
{
    link_exchange(link);
    for (int i = 0; wakes > 0 && i < MOST_WAKES; i++) {
        wakes = 0;
        engine_complete(link->engine, 0);
        link_resume(link);
    }
}

/* A call that can still send; NULL: there is none. */
static struct ng_stream *open_call(const struct link *link, uint8_t choice)
{
    const struct ng_client *client = link->client;
    if (client->count == 0)
        return NULL;
    struct ng_stream *call = client->streams[client->count - 1 - choice % client->count];
    return call->closed || call->reset || call->ended ? NULL : call;
}

static void step_call(struct link *link, struct ng_stream *call, unsigned step, struct slice *input)
{
    switch (step) {
    case 2:
        if (!call->out_ends)
            ng_call_send(link->client, call, target_piece(input), false);
        break;
    case 3:
        if (!call->out_ends)
            ng_client_send(link->client, call, target_take(input, 3), false);
        break;
    case 4:
        if (!call->out_ends)
            ng_client_send(link->client, call, (struct slice){0}, true);
        break;
    case 5:
        ng_client_reset(link->client, call);
        break;
    default:
        ng_client_open_window(link->client, call->id, 1 + target_byte(input) * 16);
        break;
    }
}

/* The low three bits say what is done, the others to which of the newest calls. */
static void streams_step(struct link *link, struct slice *input, int64_t *now_ms)
{
    uint8_t step = target_byte(input), choice;
    struct ng_stream *call;
    switch (step & 7) {
    case 0: /* a call whose first message follows */
        choice = target_byte(input);
        call = ng_call_begin(link->client, paths[choice % PATHS]);
        ng_call_send(link->client, call, target_piece(input), (choice & 128) != 0);
        break;
    case 1:
        *now_ms += target_byte(input) * 100;
        service_set_time(link->service, *now_ms);
        (void)service_run_timers(link->service, *now_ms);
        grpc_connection_check(link->server, *now_ms);
        break;
    case 7:
        return; /* the next step comes before the server does anything */
    default:
        call = open_call(link, step >> 3);
        if (call != NULL)
            step_call(link, call, step & 7, input);
        break;
    }
    run(link);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    void *state;
    int64_t now_ms = NOW_MS;
    wakes = 0;
    link_waker = (struct waker){.wake = on_wake};
    link_channels = channels_new(1);
    channels_set_waker(link_channels, 0, link_waker);
    link_client = (struct ng_options){.manual_windows = target_byte(&input) & 1};
    embedded_setup(&state);
    struct link *link = state;
    engine_set_waker(link->engine, 0, link_waker);
    run(link);
    for (int i = 0; i < MOST_STEPS && input.len > 0; i++)
        streams_step(link, &input, &now_ms);
    embedded_teardown(&state);
    channels_free(link_channels);
    return 0;
}
