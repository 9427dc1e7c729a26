/* Tests of service/streams/authenticate.c: real calls in memory; one thread verifies. */
#include "service/streams/authenticate.h"

#include "access/passwords.h"
#include "access/throttle.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/auth_link.h"

#define PATH "/keystore.v1.KeyStoreAuth/Authenticate"

static int setup(void **state)
{
    char *hash = password_hash(SLICE_LITERAL(AUTH_PASSWORD));
    auth_start(hash);
    free(hash);
    return embedded_setup(state);
}

static int teardown(void **state)
{
    struct link *link = *state;
    struct engine *engine = link->engine;
    authenticator_stop(link_authenticator);
    offload_link_free(link);
    embedded_free(engine);
    auth_stop();
    return 0;
}

static struct ng_stream *begin(struct link *link, const char *user, const char *password)
{
    Keystore__V1__AuthenticateRequest request = KEYSTORE__V1__AUTHENTICATE_REQUEST__INIT;
    request.user = (char *)(uintptr_t)user;
    request.password = (char *)(uintptr_t)password;
    return link_call(link, PATH, &request);
}

/* Of a call whose attempt is under way. */
static struct ng_stream *end(struct link *link, struct ng_stream *call)
{
    offload_link_wait();
    service_resume(link->service);
    link_exchange(link);
    return call;
}

static void test_a_password_gives_a_token(void **state)
{
    struct slice bytes = ng_call_reply(end(*state, begin(*state, "u", AUTH_PASSWORD)));
    Keystore__V1__AuthenticateReply *reply =
        keystore__v1__authenticate_reply__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(reply);
    assert_int_equal(strlen(reply->token), TOKEN_CHARS);
    assert_string_equal(reply->user, "u");
    assert_true(reply->expires_at_ms > 0);
    keystore__v1__authenticate_reply__free_unpacked(reply, NULL);
}

static void test_what_is_denied(void **state)
{
    static const char *const rows[][2] = {{"u", "x"}, {"t", AUTH_PASSWORD}, {"v", AUTH_PASSWORD}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        ng_call_assert_failed(end(*state, begin(*state, rows[i][0], rows[i][1])),
                              GRPC_UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED",
                              "the user or the password is wrong, or the user has no password");
}

static void test_too_many_failures(void **state)
{
    for (int i = 0; i < THROTTLE_BURST; i++)
        assert_int_equal(ng_call_status(end(*state, begin(*state, "u", "x"))),
                         GRPC_UNAUTHENTICATED);
    /* More than that may fail in the time that a slow machine takes for it. */
    struct ng_stream *call = begin(*state, "u", "x");
    while (ng_call_status(call) < 0) {
        assert_int_equal(ng_call_status(end(*state, call)), GRPC_UNAUTHENTICATED);
        call = begin(*state, "u", "x");
    }
    ng_call_assert_failed(call, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_THROTTLED",
                          "have failed; the next one may be made in");
    assert_true(ng_call_field(call, "grpc-retry-pushback-ms").len > 0);
}

static void test_wrong_requests(void **state)
{
    struct link *link = *state;
    char much[PASSWORD_MOST + 2];
    memset(much, 'x', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    ng_call_assert_failed(begin(link, "", "x"), GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT",
                          "user: it is empty");
    ng_call_assert_failed(begin(link, much, "x"), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "user: it is empty or longer");
    ng_call_assert_failed(begin(link, "u", ""), GRPC_INVALID_ARGUMENT, "ERROR_REASON_BAD_ARGUMENT",
                          "password: it is empty");
    ng_call_assert_failed(begin(link, "u", much), GRPC_INVALID_ARGUMENT,
                          "ERROR_REASON_BAD_ARGUMENT", "password: it is empty or longer");
    struct ng_stream *call = ng_call(link->client, PATH, SLICE_LITERAL("\x0a\x05"));
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_INTERNAL);
    call = ng_call_begin(link->client, PATH);
    ng_client_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
}

/* The attempt outlives the call, its connection and the service's interest. */
static void test_a_caller_who_leaves(void **state)
{
    struct link *link = *state;
    begin(link, "u", AUTH_PASSWORD);
    link_disconnect(link);
    link_connect(link, &link_client);
    test_a_password_gives_a_token(state);
}

static void test_a_server_that_stops(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = begin(link, "u", AUTH_PASSWORD);
    grpc_connection_drain(link->server);
    link_exchange(link);
    ng_call_assert_failed(call, GRPC_UNAVAILABLE, "ERROR_REASON_STOPPING", "shutting down");
}

static void test_a_server_without_users(void **state)
{
    (void)state;
    void *link;
    embedded_setup(&link);
    ng_call_assert_failed(begin(link, "u", "x"), GRPC_FAILED_PRECONDITION, "ERROR_REASON_NO_USERS",
                          "no users");
    embedded_teardown(&link);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_password_gives_a_token, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_denied, setup, teardown),
        cmocka_unit_test_setup_teardown(test_too_many_failures, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_caller_who_leaves, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_that_stops, setup, teardown),
        cmocka_unit_test(test_a_server_without_users),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
