/* Public request structs that are packed, and the messages that the server would have. Included by
 * tests of the files that convert them. */
#ifndef KEYSTORE_TESTS_CLIENT_REQUEST_FIXTURE_H
#define KEYSTORE_TESTS_CLIENT_REQUEST_FIXTURE_H

#include "client/requests.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "every_field.h"
#include "sample_requests.h"

static struct buffer out;
static struct pool pool;
static struct request_builder builder;
static struct keystore_error error;

static int set_up(void **state)
{
    (void)state;
    buffer_init(&out, 2000);
    pool_init(&pool);
    builder = (struct request_builder){.pool = &pool};
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    buffer_deinit(&out);
    pool_deinit(&pool);
    return 0;
}

/* The message as the server would have it, from its bytes alone; free with forget(). */
static void *sent(const ProtobufCMessage *message)
{
    out.len = 0;
    assert_true(requests_pack(&out, &builder, message, &error));
    void *seen = protobuf_c_message_unpack(message->descriptor, NULL, out.len, out.data);
    assert_non_null(seen);
    return seen;
}

static void forget(void *seen)
{
    protobuf_c_message_free_unpacked(seen, NULL);
}

/* The following take the name of a kind of request, and a field of its message that has no place in
 * a unary call, or NULL. */

#define PACKS(name, except)                                                                        \
    static void packs_##name(void **state)                                                         \
    {                                                                                              \
        (void)state;                                                                               \
        void *seen = sent(&requests_##name(&builder, &sample_##name)->base);                       \
        assert_every_field(seen, except);                                                          \
        seen_##name(seen);                                                                         \
        forget(seen);                                                                              \
    }

#define TAKES_NO_BYTES(name, except)                                                               \
    assert_true(requests_pack(&out, &builder,                                                      \
                              requests_##name(&builder, &(struct keystore_##name){0}), &error));

#define TEST(name)         cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define LISTED(name, none) TEST(packs_##name),

#endif
