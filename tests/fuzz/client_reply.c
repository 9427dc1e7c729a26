/*
 * What a server sends to the C library: the input's first byte chooses a call or a stream, the rest
 * is all that comes on each connection, which then ends. Whatever it is, the call ends with an
 * answer, all of which is readable, or with an error that says why.
 *
 * The linker puts the function below in the place of the library's socket_connect().
 */
#include "common/target.h"

#include "client/socket.h"
#include "client/status.h"
#include "keystore/admin.h"
#include "keystore/client.h"
#include "keystore/streams.h"

#include <sys/socket.h>
#include <unistd.h>

#define MOST_MESSAGES 1000

static struct slice sent; /* on each connection */
static int connections;

int __wrap_socket_connect(const struct target *target, int64_t deadline_ms,
                          struct keystore_error *error);

/* The library's own end; the other one has sent everything, and takes what comes. */
int __wrap_socket_connect(const struct target *target, int64_t deadline_ms,
                          struct keystore_error *error)
{
    static int peer = -1;
    int ends[2];
    (void)target;
    (void)deadline_ms;
    if (++connections > 4) {
        status_set(error, KEYSTORE_UNAVAILABLE, "nobody listens");
        return -1;
    }
    if (peer >= 0)
        close(peer);
    int made = socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends);
    CHECK(made == 0);
    ssize_t written = sent.len > 0 ? write(ends[1], sent.data, sent.len) : 0;
    CHECK(written == (ssize_t)sent.len);
    shutdown(ends[1], SHUT_WR);
    peer = ends[1];
    return ends[0];
}

static uint8_t touched;

static void touch(struct keystore_slice bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        touched ^= ((const uint8_t *)bytes.data)[i];
}

static void check_error(struct keystore_client *client, enum keystore_code code)
{
    if (code != KEYSTORE_OK)
        CHECK(keystore_last_error(client)->message[0] != '\0');
}

static void call_get(struct keystore_client *client)
{
    struct keystore_value value;
    struct keystore_key key = {.key = keystore_text("k")};
    enum keystore_code code = keystore_get(client, &key, &value);
    check_error(client, code);
    if (code == KEYSTORE_OK)
        touch(value.value);
}

static void call_txn(struct keystore_client *client)
{
    struct keystore_op op = {.kind = KEYSTORE_OP_SET,
                             .request.key_value = {.key = keystore_text("k")}};
    struct keystore_txn_request request = {.success = &op, .success_count = 1};
    struct keystore_txn_reply reply;
    check_error(client, keystore_txn(client, &request, &reply));
}

static void call_lrange(struct keystore_client *client)
{
    struct keystore_list_range range = {.key = keystore_text("k"), .stop = -1};
    struct keystore_list list;
    enum keystore_code code = keystore_lrange(client, &range, &list);
    check_error(client, code);
    for (size_t i = 0; code == KEYSTORE_OK && i < list.count; i++)
        touch(list.values[i]);
}

static void call_info(struct keystore_client *client)
{
    struct keystore_info_reply reply;
    check_error(client, keystore_info(client, &(struct keystore_info_request){0}, &reply));
}

/* Reads a stream to its end. */
#define READ_ALL(type, next)                                                                       \
    static void next##_all(struct keystore_stream *stream)                                         \
    {                                                                                              \
        type answer;                                                                               \
        enum keystore_next found = KEYSTORE_ITEM;                                                  \
        for (int i = 0; i < MOST_MESSAGES && found == KEYSTORE_ITEM; i++)                          \
            found = next(stream, 1000, &answer);                                                   \
        CHECK(found != KEYSTORE_FAILED || keystore_stream_error(stream)->message[0] != '\0');      \
    }

READ_ALL(struct keystore_scan_page, keystore_scan_next)
READ_ALL(struct keystore_list, keystore_stream_list_next)
READ_ALL(struct keystore_deliveries, keystore_consume_next)
READ_ALL(struct keystore_message, keystore_subscribe_next)
READ_ALL(struct keystore_backup_page, keystore_backup_next)

static void stream_of(struct keystore_client *client, unsigned choice)
{
    const struct keystore_slice name = keystore_text("k");
    const struct keystore_consume_request consume = {.keys = &name, .key_count = 1};
    const struct keystore_subscribe_request subscribe = {.channels = &name, .channel_count = 1};
    const struct keystore_list_range range = {.key = name, .stop = -1};
    struct keystore_stream *stream = NULL;
    static void (*const readers[])(struct keystore_stream * stream) = {
        keystore_scan_next_all, keystore_stream_list_next_all, keystore_consume_next_all,
        keystore_subscribe_next_all, keystore_backup_next_all};
    enum keystore_code code;
    switch (choice) {
    case 0:
        code = keystore_scan(client, &(struct keystore_scan_request){0}, &stream);
        break;
    case 1:
        code = keystore_stream_list(client, &range, &stream);
        break;
    case 2:
        code = keystore_consume(client, &consume, &stream);
        break;
    case 3:
        code = keystore_subscribe(client, &subscribe, &stream);
        break;
    default:
        code = keystore_backup(client, &stream);
        break;
    }
    check_error(client, code);
    if (code == KEYSTORE_OK)
        readers[choice](stream);
    keystore_stream_close(stream);
}

static void call_pipeline(struct keystore_client *client)
{
    struct keystore_op op = {.kind = KEYSTORE_OP_GET, .request.key = {.key = keystore_text("k")}};
    struct keystore_pipeline *pipeline = keystore_pipeline_open(client, NULL);
    struct keystore_reply reply;
    if (pipeline == NULL)
        return;
    for (int i = 0; i < 3; i++)
        (void)keystore_pipeline_add(pipeline, &op);
    (void)keystore_pipeline_flush(pipeline);
    for (int i = 0; i < 4; i++)
        (void)keystore_pipeline_next(pipeline, 1000, &reply);
    keystore_pipeline_close(pipeline);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const calls[])(struct keystore_client * client) = {
        call_get, call_txn, call_lrange, call_info, call_pipeline};
    struct slice input = slice_make(data, size);
    struct keystore_error error;
    const struct keystore_options options = {.timeout_ms = 10000, .max_message = 100000};
    unsigned choice = target_byte(&input) % 10;
    sent = input;
    connections = 0;
    struct keystore_client *client = keystore_connect("127.0.0.1:1", &options, &error);
    if (client == NULL) {
        CHECK(error.message[0] != '\0');
        return 0;
    }
    if (choice < 5)
        calls[choice](client);
    else
        stream_of(client, choice - 5);
    keystore_close(client);
    return 0;
}
