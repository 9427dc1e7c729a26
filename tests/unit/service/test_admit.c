/* Tests of service/admit.c: calls with credentials, in memory, while the users change. */
#include "service/admit.h"

#include "access/source.h"
#include "engine/embedded.h"
#include "grpc/server.h"
#include "store/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "service/link.h"
#include "support/folder.h"

/* The SHA-256 of "abc", and of nothing. */
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TOKEN "token = t " ABC " created=2026-01-01T00:00:00Z\n"

static struct folder folder;
static char path[PATH_MAX];

static void write_users(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void reload(const char *text)
{
    char why[USERS_FILE_WHY];
    write_users(text);
    assert_true(access_source_reload(link_access, why));
}

static int setup(void **state)
{
    char why[USERS_FILE_WHY];
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/users", folder.path);
    write_users("[user a]\nallow = read\n" TOKEN);
    link_access = access_source_new(path, why);
    assert_non_null(link_access);
    return embedded_setup(state);
}

static int teardown(void **state)
{
    int result = embedded_teardown(state);
    access_source_free(link_access);
    link_access = NULL;
    folder_remove(&folder);
    return result;
}

/* A call of the path with a Key and that authorization; NULL: none. */
static struct ng_stream *call_as(struct link *link, const char *method, const char *authorization)
{
    struct http2_field fields[] = {
        {SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
        {SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
        {SLICE_LITERAL(":path"), slice_from_string(method)},
        {SLICE_LITERAL(":authority"), SLICE_LITERAL("test")},
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
        {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")},
        {SLICE_LITERAL("authorization"), {0}},
    };
    size_t count = sizeof fields / sizeof fields[0];
    static const uint8_t message[] = {0x0a, 1, 'k'};
    if (authorization == NULL)
        count--;
    else
        fields[6].value = slice_from_string(authorization);
    struct ng_stream *call = ng_client_request(link->client, fields, count, false);
    ng_call_send(link->client, call, slice_make(message, sizeof message), true);
    link_exchange(link);
    return call;
}

#define GET    "/keystore.v1.KeyStore/Get"
#define DELETE "/keystore.v1.KeyStore/Delete"

static void assert_unknown(const struct ng_stream *call, const char *words)
{
    ng_call_assert_failed(call, GRPC_UNAUTHENTICATED, "ERROR_REASON_UNAUTHENTICATED", words);
}

static void assert_forbidden(const struct ng_stream *call, const char *words)
{
    ng_call_assert_failed(call, GRPC_PERMISSION_DENIED, "ERROR_REASON_FORBIDDEN", words);
}

/* Again and again, so that the header block is known. */
static void test_credentials(void **state)
{
    struct link *link = *state;
    for (int i = 0; i < 4; i++) {
        assert_int_equal(ng_call_status(call_as(link, GET, "Bearer abc")), GRPC_OK);
        assert_forbidden(call_as(link, DELETE, "Bearer abc"), "Delete needs `write` or `key`");
        assert_forbidden(call_as(link, "/keystore.v1.KeyStoreAdmin/Info", "Bearer abc"), "admin");
        assert_unknown(call_as(link, GET, NULL), "no credentials");
        assert_unknown(call_as(link, GET, "Bearer abd"), "unknown");
        assert_unknown(call_as(link, GET, "Bearer"), "malformed");
        assert_unknown(call_as(link, GET, "Bearer "), "malformed");
        assert_unknown(call_as(link, GET, "Basic abc"), "malformed");
    }
}

/* Rules that change are in effect for the next call, whether its header block is known or not. */
static void test_reload(void **state)
{
    struct link *link = *state;
    for (int i = 0; i < 3; i++) {
        for (int again = 0; again < 3; again++) {
            assert_int_equal(ng_call_status(call_as(link, GET, "Bearer abc")), GRPC_OK);
            assert_forbidden(call_as(link, DELETE, "Bearer abc"), "Delete");
        }
        reload("[user a]\nallow = write\n" TOKEN);
        assert_int_equal(ng_call_status(call_as(link, DELETE, "Bearer abc")), GRPC_OK);
        assert_forbidden(call_as(link, GET, "Bearer abc"), "Get");
        reload("[user a]\nallow = write\n");
        assert_unknown(call_as(link, GET, "Bearer abc"), "unknown");
        reload("[user b]\nallow = read\n" TOKEN);
    }
}

/* A token that expires, by the service's clock. */
static void test_expiry(void **state)
{
    struct link *link = *state;
    reload("[user a]\nallow = read\ntoken = t " ABC
           " created=2026-01-01T00:00:00Z expires=2026-01-01T00:00:10Z\n");
    int64_t expires_ms = INT64_C(1767225610000);
    service_set_time(link->service, expires_ms - 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ng_call_status(call_as(link, GET, "Bearer abc")), GRPC_OK);
    service_set_time(link->service, expires_ms);
    for (int i = 0; i < 3; i++)
        assert_unknown(call_as(link, GET, "Bearer abc"), "expired");
}

/* What runs is looked at once a second. */
static void test_review(void **state)
{
    struct link *link = *state;
    struct http2_field fields[] = {
        {SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
        {SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
        {SLICE_LITERAL(":path"), SLICE_LITERAL("/keystore.v1.KeyStore/Pipeline")},
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
        {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")},
        {SLICE_LITERAL("authorization"), SLICE_LITERAL("Bearer abc")},
    };
    struct ng_stream *call = ng_client_request(link->client, fields, 6, false);
    link_exchange(link);
    reload("[user a]\nallow = write\n" TOKEN);
    grpc_connection_check(link->server, NOW_MS);
    link_exchange(link);
    assert_int_equal(ng_call_status(call), -1); /* each of its operations is checked */
    reload("[user a]\nallow = write\n");
    grpc_connection_check(link->server, NOW_MS);
    link_exchange(link);
    assert_unknown(call, "revoked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_credentials, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reload, setup, teardown),
        cmocka_unit_test_setup_teardown(test_expiry, setup, teardown),
        cmocka_unit_test_setup_teardown(test_review, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
