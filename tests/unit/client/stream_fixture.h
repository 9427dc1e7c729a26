/*
 * A fake server whose answers are bodies of messages, and a client of it. Included after
 * <cmocka.h> and failing_memory.h.
 */
#ifndef KEYSTORE_TESTS_CLIENT_STREAM_FIXTURE_H
#define KEYSTORE_TESTS_CLIENT_STREAM_FIXTURE_H

#include "client/call.h"

#include "support/fake_server.h"

#include "wire_message.h"

#define MAX_ANSWERS 8

static struct fake_server server;
static struct ng_answer answers[MAX_ANSWERS];
static struct buf bodies[MAX_ANSWERS];
static struct keystore_client *client;

/* Puts a message into the body of an answer. */
static inline void body_add(size_t answer, const ProtobufCMessage *message)
{
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *end = buf_reserve(&bodies[answer], CALL_PREFIX_SIZE + len);
    assert_non_null(end);
    call_write_prefix(end, (uint32_t)len);
    protobuf_c_message_pack(message, end + CALL_PREFIX_SIZE);
    bodies[answer].len += CALL_PREFIX_SIZE + len;
}

static inline int fixture_set_up(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_ANSWERS; i++) {
        answers[i] = (struct ng_answer){.behaviour = NG_EARLY, .grpc_status = "0"};
        buf_init(&bodies[i], (size_t)64 << 20);
    }
    server = (struct fake_server){.script = {.answers = answers, .count = MAX_ANSWERS}};
    client = NULL;
    return 0;
}

static inline int fixture_tear_down(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_ANSWERS; i++)
        buf_deinit(&bodies[i]);
    return 0;
}

static inline void fixture_start(const struct keystore_options *options)
{
    struct keystore_error error;
    for (size_t i = 0; i < MAX_ANSWERS; i++)
        if (!answers[i].echo)
            answers[i].body = buf_slice(&bodies[i]);
    fake_server_start(&server);
    client = keystore_connect(server.address, options, &error);
    assert_non_null(client);
}

/* Returns when the server has read all that was sent before: the answer of a call shows it. */
static inline void await_server(void)
{
    struct keystore_status status;
    (void)keystore_save(client, &(struct keystore_save_request){0}, &status);
}

/* What the server saw may be read until fake_server_deinit(). */
static inline void fixture_finish(void)
{
    keystore_close(client);
    fake_server_stop(&server);
}

/* Lets each allocation of a client fail once, alone and with all that follow it. `use` uses
 * `client`, which is NULL if it could not be made, calls memory_recover(), and returns whether an
 * allocation has failed. There must be more than `fewest`. */
static inline void fixture_fail_each_allocation(bool (*use)(void), long fewest)
{
    fixture_start(NULL);
    keystore_close(client);
    for (int lasting = 0; lasting < 2; lasting++) {
        long count = 0;
        for (bool has_failed = true; has_failed; count++) {
            server.script.started = 0;
            memory_fail_after(count, lasting != 0);
            client = keystore_connect(server.address, NULL, NULL);
            has_failed = use();
            keystore_close(client);
        }
        assert_true(count - 1 > fewest);
    }
    client = NULL;
    fixture_finish();
    fake_server_deinit(&server);
}

/* A message of the last request that the server saw whole, behind `skip` bytes of others; to be
 * freed by protobuf_c_message_free_unpacked(). */
static inline void *request_seen(const ProtobufCMessageDescriptor *type, size_t skip)
{
    struct slice body = slice_skip(buf_slice(&server.seen.body), skip);
    assert_true(body.len >= CALL_PREFIX_SIZE);
    size_t len = (size_t)body.data[3] << 8 | body.data[4];
    assert_true(len <= body.len - CALL_PREFIX_SIZE);
    void *message = protobuf_c_message_unpack(type, NULL, len, body.data + CALL_PREFIX_SIZE);
    assert_non_null(message);
    return message;
}

#endif
