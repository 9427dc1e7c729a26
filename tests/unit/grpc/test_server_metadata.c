/* Tests of grpc/server.c: the metadata that few calls have reach the service. */
#include "grpc/server.h"

#include "grpc/echo_service.h"
#include "grpc/metadata.h"

static void assert_has_id(const struct echo_pending *pending, const char *id)
{
    const struct grpc_metadata *metadata = grpc_call_metadata(pending->call);
    if (id == NULL) {
        assert_null(metadata);
        return;
    }
    assert_non_null(metadata);
    ng_assert_slice(slice_make(metadata->request_id, metadata->request_id_size), id);
}

/* A header block that repeats is recognized, and means what it says each time. */
static void test_each_call_has_its_own(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *streams[16];
    for (size_t i = 0; i < 16; i++) {
        streams[i] = i % 2 == 0 ? echo_call_with(echo, ECHO_LATER, "keystore-request-id", "the id")
                                : echo_call(echo, ECHO_LATER);
        echo_send_message(echo, streams[i], SLICE_LITERAL("hello"));
        assert_true(echo_exchange(echo));
    }
    assert_int_equal(echo->pending_count, 16);
    for (size_t i = 0; i < 16; i++)
        assert_has_id(&echo->pending[i], i % 2 == 0 ? "the id" : NULL);
    for (size_t i = 0; i < 14; i++)
        echo_answer(&echo->pending[i]);
    assert_true(echo_exchange(echo));
    for (size_t i = 0; i < 14; i++)
        echo_assert_reply(streams[i], SLICE_LITERAL("hello"));
    echo_free(echo); /* the last two are cancelled */
}

static void test_a_malformed_request_id_fails_the_call(void **state)
{
    (void)state;
    struct echo *echo = echo_connected();
    struct ng_stream *stream = echo_call_with(echo, ECHO_NOW, "keystore-request-id-bin", "?");
    echo_send_message(echo, stream, SLICE_LITERAL("hello"));
    assert_true(echo_exchange(echo));
    echo_assert_failed(stream, 3, "BAD_ARGUMENT");
    assert_int_equal(echo->requests, 0);
    echo_assert_works(echo);
    echo_free(echo);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_call_has_its_own),
        cmocka_unit_test(test_a_malformed_request_id_fails_the_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
