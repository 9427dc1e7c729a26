/*
 * Every request message with its operation: each message of the input is decoded, checked, carried
 * out on a small store and answered, as the service does it. The answer must be the message that it
 * claims to be; and the changes that the operations emitted, replayed in another store, must make
 * the same data (keyspace_fixture.h).
 *
 * The input is a sequence of messages: a byte for the operation, the message behind its size. Bit 7
 * of the operation lets a moment pass before.
 */
#include "common/target.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/chain.h"
#include "service/check.h"
#include "service/decode.h"
#include "service/encode.h"
#include "store/keyspace_fixture.h"

#include <mini_redis.pb-c.h>

#define MOST_VALUE    ((size_t)64 * 1024)
#define MOST_ANSWER   ((size_t)64 * 1024)
#define MOST_REQUESTS 100

struct method {
    struct decoder decoder;
    const struct encoder *encoder;
    const ProtobufCMessageDescriptor *reply;
};

static const struct method methods[OP_COUNT] = {
#define OPERATION(kind_, method, request, reply_, access, category, keys, apply, ...)              \
    {.decoder = {&keystore__v1__##request##__descriptor, decode_##request},                        \
     .encoder = &encode_##reply_,                                                                  \
     .reply = &keystore__v1__##reply_##__descriptor},
#include "store/operations.def"
#undef OPERATION
};

/* The size was announced, and protobuf-c reads what was written. */
static void check_answer(const struct method *method, const struct op_result *result)
{
    struct chain reply = {0};
    struct iovec piece;
    size_t size = method->encoder->size(result), copied = 0;
    method->encoder->write(result, &reply);
    CHECK(chain_length(&reply) == size);
    uint8_t *bytes = malloc(size > 0 ? size : 1);
    CHECK(bytes != NULL);
    for (struct chain_cursor cursor = {0}; chain_pieces(&reply, cursor, &piece, 1) == 1;) {
        memcpy(bytes + copied, piece.iov_base, piece.iov_len);
        copied += piece.iov_len;
        chain_skip(&reply, &cursor, piece.iov_len);
    }
    ProtobufCMessage *message = protobuf_c_message_unpack(method->reply, NULL, size, bytes);
    CHECK(message != NULL);
    protobuf_c_message_free_unpacked(message, NULL);
    free(bytes);
    chain_deinit(&reply);
}

/* A message and its operation; a refusal has its reason. */
static void carry_out(struct keyspace_fixture *fixture, enum op_kind kind, struct slice bytes)
{
    static const struct check_limits limits = {.databases = KEYSPACE_DATABASES,
                                               .max_value = MOST_VALUE};
    const char *why = NULL;
    struct op_result result = {0};
    struct op op = {.kind = kind,
                    .now_ms = fixture->now_ms,
                    .max_answer = MOST_ANSWER,
                    .max_reply = MOST_ANSWER,
                    .max_value = MOST_VALUE};
    arena_reset(&fixture->arena);
    enum err err = decode(&methods[kind].decoder, bytes, &fixture->arena, &op, &why);
    if (err == ERR_NONE)
        err = check_op(&limits, &op, &fixture->arena, &why);
    CHECK(err == ERR_NONE || (why != NULL && why[0] != '\0'));
    if (err != ERR_NONE || op_waits(&op)) /* nobody would end the wait */
        return;
    uint64_t revision = fixture->revision;
    enum store_answer answer = store_try_apply(fixture->store, &op, &fixture->arena, &result);
    if (answer == STORE_COSTLY)
        store_apply(fixture->store, &op, &fixture->arena, &result);
    else
        CHECK(answer == STORE_DONE);
    if (result.err == ERR_NONE) {
        CHECK(op_info(kind)->access != OP_READ || fixture->revision == revision);
        CHECK(result.version <= fixture->revision);
        check_answer(&methods[kind], &result);
    } else {
        CHECK(result.why != NULL && result.why[0] != '\0');
    }
    op_result_release(&result);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice input = slice_make(data, size);
    void *state;
    keyspace_setup(&state);
    struct keyspace_fixture *fixture = state;
    for (int i = 0; i < MOST_REQUESTS && input.len > 0; i++) {
        uint8_t kind = target_byte(&input);
        if (kind & 128)
            fixture->now_ms += 1000;
        struct slice piece = target_piece(&input);
        uint8_t *message = target_copy(piece);
        carry_out(fixture, (kind & 127) % OP_COUNT, slice_make(message, piece.len));
        free(message);
    }
    keyspace_teardown(&state);
    return 0;
}
