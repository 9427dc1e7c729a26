/* Tests of service/quota.c: which calls are refused, and that each gives its counts back exactly
 * once, however it ends. */
#include "service/quota.h"

#include "access/source.h"
#include "engine/embedded.h"
#include "service/request.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "service/link.h"
#include "store/seeded.h"
#include "support/folder.h"

/* The SHA-256 of "abc". */
#define ABC   "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define TOKEN "token = t " ABC " created=2026-01-01T00:00:00Z\n"
#define USER  "[user a]\nallow = all\n" TOKEN

static struct folder folder;
static char path[PATH_MAX];

static void write_users(const char *limit)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "%s%s\n", USER, limit);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void reload(const char *limit)
{
    char why[USERS_FILE_WHY];
    write_users(limit);
    assert_true(access_source_reload(link_access, why));
}

static int setup(void **state)
{
    char why[USERS_FILE_WHY];
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/users", folder.path);
    write_users("");
    link_access = access_source_new(path, why);
    assert_non_null(link_access);
    link_quota.quota = quota_new();
    return slow_setup(state);
}

/* The frees check that nothing is counted any longer. */
static int teardown(void **state)
{
    int result = slow_teardown(state);
    access_source_free(link_access);
    link_access = NULL;
    quota_free(link_quota.quota);
    link_quota = (struct quota_share){0};
    folder_remove(&folder);
    return result;
}

static void set_limits(struct link *link, uint32_t calls, uint32_t user_calls, uint32_t rate)
{
    service_set_quota(link->service, &(struct quota_settings){{calls, user_calls, rate}});
}

/* Begins a call of the user `a`. */
static struct ng_stream *begin(struct link *link, const char *method)
{
    struct http2_field fields[] = {
        {SLICE_LITERAL(":method"), SLICE_LITERAL("POST")},
        {SLICE_LITERAL(":scheme"), SLICE_LITERAL("http")},
        {SLICE_LITERAL(":path"), slice_from_string(method)},
        {SLICE_LITERAL(":authority"), SLICE_LITERAL("test")},
        {SLICE_LITERAL("content-type"), SLICE_LITERAL("application/grpc")},
        {SLICE_LITERAL("te"), SLICE_LITERAL("trailers")},
        {SLICE_LITERAL("authorization"), SLICE_LITERAL("Bearer abc")},
    };
    struct ng_stream *call =
        ng_client_request(link->client, fields, sizeof fields / sizeof fields[0], false);
    link_exchange(link);
    return call;
}

#define GET      "/keystore.v1.KeyStore/Get"
#define PIPELINE "/keystore.v1.KeyStore/Pipeline"
#define INFO     "/keystore.v1.KeyStoreAdmin/Info"
#define CHECK_   "/grpc.health.v1.Health/Check"

static void send_key(struct link *link, struct ng_stream *call)
{
    static const uint8_t message[] = {0x0a, 1, 'k'};
    ng_call_send(link->client, call, slice_make(message, sizeof message), true);
    link_exchange(link);
}

/* A Get that the engine answers when the test says so. */
static struct ng_stream *get(struct link *link)
{
    struct ng_stream *call = begin(link, GET);
    if (ng_call_status(call) < 0)
        send_key(link, call);
    return call;
}

static void finish(struct link *link)
{
    struct slow_engine *slow = slow_of(link);
    slow_finish(slow, slow->pending[0], "v");
    link_exchange(link);
}

static bool is_refused(const struct ng_stream *call, const char *words)
{
    if (ng_call_status(call) < 0)
        return false;
    ng_call_assert_failed(call, GRPC_RESOURCE_EXHAUSTED, "ERROR_REASON_TOO_MANY_CALLS", words);
    return true;
}

static void test_without_limits(void **state)
{
    struct link *link = *state;
    for (int i = 0; i < 20; i++)
        assert_false(is_refused(get(link), ""));
    while (slow_of(link)->count > 0)
        finish(link);
    assert_false(service_grpc(link->service)->counts_calls);
}

/* Again and again, so that the header block is known. */
static void test_calls_of_a_user(void **state)
{
    struct link *link = *state;
    reload("limit = calls=2");
    for (int i = 0; i < 5; i++) {
        assert_false(is_refused(get(link), ""));
        assert_false(is_refused(get(link), ""));
        assert_true(is_refused(get(link), "the user a has 2 calls in flight"));
        assert_true(is_refused(begin(link, PIPELINE), "`limit` in the users file"));
        finish(link);
        assert_false(is_refused(get(link), ""));
        finish(link);
        finish(link);
    }
    assert_int_equal(quota_hits(link_quota.quota, QUOTA_USER_CALLS), 10);
}

static void test_calls_of_all(void **state)
{
    struct link *link = *state;
    set_limits(link, 2, 0, 0);
    get(link);
    begin(link, PIPELINE);
    assert_true(is_refused(get(link), "--max-calls"));
    assert_int_equal(ng_call_status(begin(link, INFO)), -1); /* administrators may look */
    assert_int_equal(ng_call_status(begin(link, CHECK_)), -1);
    finish(link);
    assert_false(is_refused(get(link), ""));
    finish(link);
    assert_int_equal(quota_hits(link_quota.quota, QUOTA_CALLS), 1);
}

static void test_rate(void **state)
{
    struct link *link = *state;
    struct ng_stream *call;
    reload("limit = rate=1/s burst=3");
    for (int i = 0; i < 3; i++) {
        assert_false(is_refused(get(link), ""));
        finish(link);
    }
    /* The clock goes on meanwhile, so this may be admitted if the test was stopped for a second. */
    for (call = get(link); ng_call_status(call) < 0; call = get(link))
        finish(link);
    assert_true(is_refused(call, "more than 1 calls per second"));
    char text[24];
    struct slice field = ng_call_field(call, "grpc-retry-pushback-ms");
    snprintf(text, sizeof text, "%.*s", (int)field.len, (const char *)field.data);
    assert_in_range(strtol(text, NULL, 10), 1, 1000);
}

/* A limit that appears finds what is under way, once. */
static void test_what_lasts_is_counted_later(void **state)
{
    struct link *link = *state;
    struct ng_stream *call = begin(link, PIPELINE);
    reload("limit = calls=1");
    for (int i = 0; i < 3; i++) {
        grpc_connection_check(link->server, NOW_MS);
        link_exchange(link);
    }
    set_limits(link, 1, 0, 0);
    grpc_connection_check(link->server, NOW_MS);
    assert_true(is_refused(get(link), "--max-calls"));
    set_limits(link, 0, 0, 0);
    assert_true(is_refused(get(link), "the user a has 1 calls"));
    ng_client_reset(link->client, call);
    link_exchange(link);
    assert_false(is_refused(get(link), ""));
    finish(link);
}

/* The count moves along if the token is another user's. */
static void test_another_user(void **state)
{
    struct link *link = *state;
    char why[USERS_FILE_WHY];
    reload("limit = calls=1");
    begin(link, PIPELINE);
    assert_true(is_refused(get(link), "the user a has"));
    FILE *file = fopen(path, "w");
    fputs("[user b]\nallow = all\nlimit = calls=1\n" TOKEN "[user a]\nallow = all\n", file);
    fclose(file);
    assert_true(access_source_reload(link_access, why));
    grpc_connection_check(link->server, NOW_MS);
    link_exchange(link);
    assert_true(is_refused(get(link), "the user b has 1 calls"));
}

#define STEPS 3000
#define MOST  5

static void step(struct link *link, uint64_t *random)
{
    static const char *const limits[] = {"", "limit = calls=5", "limit = calls=2 rate=1000000/s",
                                         "limit = rate=10/s burst=1", "limit = calls=none"};
    struct slow_engine *slow = slow_of(link);
    struct ng_stream *call;
    slow->cancelled_count = 0;
    switch (seeded_below(random, 12)) {
    case 0:
    case 1:
    case 2:
        if (slow->count < MAX_PENDING - 1)
            get(link);
        break;
    case 3: /* its message does not come */
        begin(link, GET);
        break;
    case 4:
        begin(link, PIPELINE);
        break;
    case 5:
    case 6:
        if (slow->count > 0)
            finish(link);
        break;
    case 7:
    case 8: /* any of them, also one that is over */
        call = ng_client_stream(link->client, (int32_t)(2 * seeded_below(random, 40) + 1));
        if (call != NULL && !call->closed)
            ng_client_reset(link->client, call);
        link_exchange(link);
        break;
    case 9:
        link_disconnect(link);
        chain_clear(&link->out, 0);
        link_connect(link, &link_client);
        break;
    case 10:
        reload(limits[seeded_below(random, sizeof limits / sizeof limits[0])]);
        break;
    default:
        set_limits(link, seeded_below(random, 2) * MOST, seeded_below(random, 3), 0);
        grpc_connection_check(link->server, NOW_MS);
        link_exchange(link);
        break;
    }
}

static void test_random_ends(void **state)
{
    struct link *link = *state;
    uint64_t random = seeded_start();
    for (int i = 0; i < STEPS; i++)
        step(link, &random);
    link_disconnect(link);
    chain_clear(&link->out, 0);
    link_connect(link, &link_client);
    reload("limit = calls=5");
    set_limits(link, MOST + 1, 0, 0);
    for (int i = 0; i < MOST; i++)
        assert_false(is_refused(get(link), ""));
    assert_true(is_refused(get(link), "the user a has 5 calls"));
    reload("");
    assert_false(is_refused(get(link), ""));
    assert_true(is_refused(get(link), "--max-calls"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_without_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_of_a_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_calls_of_all, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_lasts_is_counted_later, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_user, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
