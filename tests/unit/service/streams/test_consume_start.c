/* Tests of service/streams/consume_start.c: what is read from the first message, and what is
 * refused. */
#include "service/streams/consume_start.h"

#include "base/arena.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/messages.h"

static const struct check_limits limits = {.databases = 16, .max_value = 1000};

static const char *refusal_of(const Keystore__V1__ConsumeRequest__Start *message, enum err expected)
{
    static char text[200];
    struct arena arena;
    struct consume_start *start = NULL;
    const char *why = NULL;
    arena_init(&arena);
    assert_int_equal(consume_start_read(message, &limits, &arena, &start, &why), expected);
    assert_null(start);
    snprintf(text, sizeof text, "%s", why);
    arena_deinit(&arena);
    return text;
}

static struct consume_start *read_start(const Keystore__V1__ConsumeRequest__Start *message)
{
    struct arena arena;
    struct consume_start *start = NULL;
    const char *why;
    arena_init(&arena);
    assert_int_equal(consume_start_read(message, &limits, &arena, &start, &why), ERR_NONE);
    arena_deinit(&arena);
    return start;
}

static void test_defaults(void **state)
{
    (void)state;
    ProtobufCBinaryData keys[] = {message_text("a"), message_text("bc")};
    Keystore__V1__ConsumeRequest__Start message = KEYSTORE__V1__CONSUME_REQUEST__START__INIT;
    message.keys = keys;
    message.n_keys = 2;
    struct consume_start *start = read_start(&message);
    assert_int_equal(start->key_count, 2);
    assert_true(slice_equal(start->keys[0], SLICE_LITERAL("a")));
    assert_true(slice_equal(start->keys[1], SLICE_LITERAL("bc")));
    assert_true(slice_equal(start->pending, SLICE_LITERAL("a:pending")));
    assert_int_equal(start->max_in_flight, 1);
    assert_int_equal(start->end, OP_HEAD);
    assert_false(start->auto_ack);
    free(start);
    message.pending = message_text("p");
    message.end = KEYSTORE__V1__LIST_END__LIST_END_TAIL;
    message.max_in_flight = 10000;
    message.lease_ms = INT64_MAX;
    message.db = 15;
    start = read_start(&message);
    assert_true(slice_equal(start->pending, SLICE_LITERAL("p")));
    assert_int_equal(start->end, OP_TAIL);
    assert_int_equal(start->max_in_flight, 10000);
    assert_true(start->lease_ms == INT64_MAX);
    assert_int_equal(start->db, 15);
    free(start);
}

static void test_refusals(void **state)
{
    (void)state;
    ProtobufCBinaryData *keys = calloc(1001, sizeof *keys);
    char *large = calloc(1, OP_MAX_KEY);
    for (size_t i = 0; i < 1001; i++)
        keys[i] = message_text("k");
    Keystore__V1__ConsumeRequest__Start good = KEYSTORE__V1__CONSUME_REQUEST__START__INIT, message;
    assert_non_null(strstr(refusal_of(&good, ERR_BAD_ARGUMENT), "keys: it is empty"));
    good.keys = keys;
    good.n_keys = 1;
    message = good;
    message.n_keys = 1001;
    assert_non_null(strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "too many"));
    message = good;
    message.max_in_flight = 10001;
    assert_non_null(strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "max_in_flight"));
    message = good;
    message.pending = message_text("k");
    assert_non_null(
        strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "start.pending: it is one of keys"));
    message = good;
    message.lease_ms = -1;
    assert_non_null(strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "lease_ms"));
    message.lease_ms = 5;
    message.auto_ack = true;
    assert_non_null(strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "auto_ack"));
    message = good;
    message.end = (Keystore__V1__ListEnd)3;
    assert_non_null(strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "end: there is no such value"));
    message = good;
    message.db = 16;
    assert_non_null(strstr(refusal_of(&message, ERR_BAD_ARGUMENT), "no database 16"));
    keys[0] = (ProtobufCBinaryData){.data = (uint8_t *)large, .len = OP_MAX_KEY};
    assert_non_null(strstr(refusal_of(&good, ERR_TOO_LARGE), "64 KiB")); /* with ":pending" */
    good.auto_ack = true;
    free(read_start(&good));
    free(keys);
    free(large);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
