/* Tests of service/streams/who_am_i.c: real calls in memory. Of certificates and unix sockets see
 * tests/e2e/test_users_tls.py. */
#include "service/streams/who_am_i.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/auth_link.h"

#define PATH    "/keystore.v1.KeyStoreAuth/WhoAmI"
#define UNIX_MS INT64_C(1800000000000)
#define HASH                                                                                       \
    "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAAAAAAAAAAAAA$"                                           \
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static int setup(void **state)
{
    auth_start(HASH);
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

static struct ng_stream *ask(struct link *link, const char *token)
{
    char value[100];
    snprintf(value, sizeof value, "Bearer %s", token != NULL ? token : "");
    const struct http2_field fields[] = {
        {SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
        {SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
        {SLICE_LITERAL(":path"), SLICE_LITERAL(PATH)},
        {SLICE_LITERAL(":authority"), SLICE_LITERAL("test")},
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
        {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")},
        {SLICE_LITERAL("authorization"), slice_from_string(value)},
    };
    size_t count = sizeof fields / sizeof fields[0];
    struct ng_stream *call =
        ng_client_request(link->client, fields, token == NULL ? count - 1 : count, false);
    ng_call_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    return call;
}

static Keystore__V1__Identity *identity_of(const struct ng_stream *call)
{
    struct slice bytes = ng_call_reply(call);
    Keystore__V1__Identity *identity = keystore__v1__identity__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(identity);
    return identity;
}

static void test_a_token_of_the_file(void **state)
{
    Keystore__V1__Identity *identity = identity_of(ask(*state, "abc"));
    assert_string_equal(identity->user, "t");
    assert_int_equal(identity->means, KEYSTORE__V1__IDENTITY__MEANS__MEANS_TOKEN);
    assert_string_equal(identity->id, "t");
    assert_int_equal(identity->expires_at_ms, 0);
    assert_int_equal(identity->n_rules, 0);
    keystore__v1__identity__free_unpacked(identity, NULL);
}

static void test_a_session(void **state)
{
    char token[TOKEN_CHARS + 1];
    unsigned generation;
    struct access *access = access_source_take(link_access, &generation);
    sessions_begin(link_sessions, &access->users[0], UNIX_MS, UNIX_MS + 1000, token);
    access_release(access);
    service_set_time(((struct link *)*state)->service, UNIX_MS);
    Keystore__V1__Identity *identity = identity_of(ask(*state, token));
    assert_string_equal(identity->user, "u");
    assert_int_equal(identity->means, KEYSTORE__V1__IDENTITY__MEANS__MEANS_SESSION);
    assert_int_equal(strlen(identity->id), SESSION_ID_CHARS);
    assert_int_equal(identity->expires_at_ms, UNIX_MS + 1000);
    assert_int_equal(identity->n_rules, 1);
    assert_string_equal(identity->rules[0], "read keys=app:*");
    keystore__v1__identity__free_unpacked(identity, NULL);
    service_set_time(((struct link *)*state)->service, UNIX_MS + 1000);
    assert_int_equal(ng_call_status(ask(*state, token)), GRPC_UNAUTHENTICATED);
}

static void test_without_credentials(void **state)
{
    ng_call_assert_failed(ask(*state, "abd"), GRPC_UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED",
                          "unknown");
}

static void test_a_server_without_users(void **state)
{
    (void)state;
    void *link;
    embedded_setup(&link);
    Keystore__V1__Identity *identity = identity_of(ask(link, "abc"));
    assert_string_equal(identity->user, "");
    assert_int_equal(identity->means, KEYSTORE__V1__IDENTITY__MEANS__MEANS_NONE);
    assert_int_equal(identity->n_rules, 1);
    assert_string_equal(identity->rules[0], "all");
    keystore__v1__identity__free_unpacked(identity, NULL);
    embedded_teardown(&link);
}

static void test_wrong_requests(void **state)
{
    (void)state;
    void *user;
    embedded_setup(&user);
    struct link *link = user;
    struct ng_stream *call = ng_call(link->client, PATH, SLICE_LITERAL("\x0a\x05"));
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_INTERNAL);
    call = ng_call_begin(link->client, PATH);
    ng_client_send(link->client, call, SLICE_LITERAL(""), true);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), GRPC_UNIMPLEMENTED);
    embedded_teardown(&user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_token_of_the_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_session, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_credentials, setup, teardown),
        cmocka_unit_test(test_a_server_without_users),
        cmocka_unit_test(test_wrong_requests),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
