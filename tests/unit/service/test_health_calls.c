/* Tests of service/health_calls.c: real calls in memory. */
#include "service/health_calls.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/health_link.h"

static int check(struct link *link, const char *service)
{
    struct ng_stream *call = health_call(link, CHECK_PATH, service);
    assert_true(call->closed);
    return health_read(ng_call_reply(call));
}

static void test_check(void **state)
{
    struct link *link = *state;
    assert_int_equal(check(link, ""), HEALTH_SERVING);
    assert_int_equal(check(link, "keystore.write"), HEALTH_SERVING);
    embedded_set_loading(link->engine, true);
    assert_int_equal(check(link, ""), HEALTH_NOT_SERVING);
    assert_int_equal(check(link, "keystore.write"), HEALTH_NOT_SERVING);
    assert_int_equal(check(link, "keystore.live"), HEALTH_SERVING);
    ng_call_assert_failed(link_call_key(link, "/KeyStore/Get", "key"), GRPC_UNAVAILABLE,
                          "ERROR_REASON_LOADING", "loading");
    embedded_set_loading(link->engine, false);
    health_stop(&health);
    assert_int_equal(check(link, ""), HEALTH_NOT_SERVING);
    assert_value(link_call_key(link, "/KeyStore/Get", "key"), NULL);
}

static void test_unknown_services(void **state)
{
    struct link *link = *state;
    char name[301] = "";
    ng_call_assert_failed(health_call(link, CHECK_PATH, "keystore.v1.Key"), GRPC_NOT_FOUND,
                          "ERROR_REASON_NOT_FOUND", "no service \"keystore.v1.Key\"; List");
    memset(name, 'x', 300);
    ng_call_assert_failed(health_call(link, CHECK_PATH, name), GRPC_NOT_FOUND,
                          "ERROR_REASON_NOT_FOUND", "is the whole server");
}

static void test_list(void **state)
{
    struct link *link = *state;
    Grpc__Health__V1__HealthListRequest request = GRPC__HEALTH__V1__HEALTH_LIST_REQUEST__INIT;
    embedded_set_loading(link->engine, true);
    struct slice reply = ng_call_reply(link_call(link, LIST_PATH, &request));
    Grpc__Health__V1__HealthListResponse *list =
        grpc__health__v1__health_list_response__unpack(NULL, reply.len, reply.data);
    assert_non_null(list);
    assert_int_equal(list->n_statuses, 9);
    for (size_t i = 0; i < list->n_statuses; i++) {
        const char *name = list->statuses[i]->key;
        assert_non_null(health_find(&health, slice_from_string(name)));
        assert_int_equal(list->statuses[i]->value->status,
                         strcmp(name, "keystore.live") == 0 ? HEALTH_SERVING : HEALTH_NOT_SERVING);
    }
    grpc__health__v1__health_list_response__free_unpacked(list, NULL);
}

static void test_what_does_not_decode(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {CHECK_PATH, LIST_PATH};
    for (size_t i = 0; i < 2; i++) {
        struct ng_stream *call = ng_call(link->client, paths[i], SLICE_LITERAL("\x0a\x05"));
        link_exchange(link);
        ng_call_assert_failed(call, GRPC_INTERNAL, "ERROR_REASON_BAD_MESSAGE", "");
    }
}

/* They overtake what is being batched, and are answered in the same write. */
static void test_among_others(void **state)
{
    struct link *link = *state;
    Keystore__V1__Key key = KEYSTORE__V1__KEY__INIT;
    key.key = message_text("key");
    struct slice packed = message_pack(&key);
    struct ng_stream *gets[40], *checks[40];
    for (size_t i = 0; i < 40; i++) {
        gets[i] = ng_call(link->client, "/KeyStore/Get", packed);
        checks[i] = ng_call(link->client, CHECK_PATH, slice_make(NULL, 0));
    }
    message_free_packed(packed);
    link_exchange(link);
    for (size_t i = 0; i < 40; i++) {
        assert_value(gets[i], NULL);
        assert_int_equal(health_read(ng_call_reply(checks[i])), HEALTH_SERVING);
    }
}

static void test_it_can_be_missing(void **state)
{
    struct link *link = *state;
    static const char *const paths[] = {CHECK_PATH, LIST_PATH, WATCH_PATH};
    for (size_t i = 0; i < 3; i++)
        ng_call_assert_failed(health_call(link, paths[i], ""), GRPC_UNIMPLEMENTED,
                              "ERROR_REASON_NOT_SERVED", "does not serve health checks");
}

/* What a listener for health checks serves. */
static void test_nothing_else(void **state)
{
    struct link *link = *state;
    struct grpc_limits limits = grpc_limits_for(MAX_VALUE, &http2_default_limits);
    struct grpc_server *probes = grpc_server_new(&limits, service_grpc_health(link->service));
    struct grpc_server *all = link->grpc;
    link_disconnect(link);
    link->grpc = probes;
    link_connect(link, &link_client);
    assert_int_equal(check(link, ""), HEALTH_SERVING);
    ng_call_assert_failed(link_call_key(link, "/keystore.v1.KeyStore/Get", "key"),
                          GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED", "--health-listen");
    ng_call_assert_failed(link_call_key(link, "/grpc.health.v1.Health/Get", "key"),
                          GRPC_UNIMPLEMENTED, "ERROR_REASON_NOT_SERVED", "only health checks");
    link_disconnect(link);
    grpc_server_free(probes);
    link->grpc = all;
    link_connect(link, &link_client);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, health_setup, health_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_check),
        TEST(test_unknown_services),
        TEST(test_list),
        TEST(test_what_does_not_decode),
        TEST(test_among_others),
        TEST(test_nothing_else),
        EMBEDDED(test_it_can_be_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
