/* Tests of service/health.c: what each service needs, and that there is one for each service that
 * is served. */
#include "service/health.h"

#include "engine/engine.h"
#include "service/protoset.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

/* An engine that is in the state that the test says. */
static enum engine_state state_now;

static enum engine_state get_state(struct engine *engine)
{
    (void)engine;
    return state_now;
}

static struct engine engine = {.state = get_state};
static struct health health;

static int setup(void **state)
{
    (void)state;
    state_now = ENGINE_TAKES_ALL;
    health_init(&health, &engine, true);
    return 0;
}

static void assert_health(const char *name, enum health_status status)
{
    const struct health_service *service = health_find(&health, slice_from_string(name));
    assert_non_null(service);
    assert_int_equal(health_status(&health, service), status);
    assert_int_equal(health_reason(&health, service) == NULL, status == HEALTH_SERVING);
}

/* Of the server and of writes. */
static void assert_reasons(const char *all, const char *write)
{
    const char *why = health_reason(&health, health_find(&health, SLICE_LITERAL("")));
    assert_int_equal(why == NULL, all == NULL);
    if (all != NULL)
        assert_string_equal(why, all);
    assert_string_equal(
        health_reason(&health, health_find(&health, SLICE_LITERAL("keystore.write"))), write);
}

/* Of the server with all services but the two that are named. */
static void assert_all(enum health_status all, enum health_status write)
{
    assert_health("", all);
    assert_health("keystore.v1.KeyStore", all);
    assert_health("keystore.v1.KeyStoreAdmin", all);
    assert_health("keystore.v1.KeyStoreAuth", all);
    assert_health("grpc.health.v1.Health", all);
    assert_health("grpc.reflection.v1.ServerReflection", all);
    assert_health("grpc.reflection.v1alpha.ServerReflection", all);
    assert_health("keystore.write", write);
    assert_health("keystore.live", HEALTH_SERVING);
}

static void test_states_of_the_engine(void **state)
{
    (void)state;
    assert_all(HEALTH_SERVING, HEALTH_SERVING);
    state_now = ENGINE_LOADS;
    assert_all(HEALTH_NOT_SERVING, HEALTH_NOT_SERVING);
    state_now = ENGINE_READ_ONLY;
    assert_all(HEALTH_SERVING, HEALTH_NOT_SERVING);
    state_now = ENGINE_TAKES_ALL;
    assert_all(HEALTH_SERVING, HEALTH_SERVING);
    engine.state = NULL; /* an engine that has no other */
    state_now = ENGINE_LOADS;
    assert_all(HEALTH_SERVING, HEALTH_SERVING);
    engine.state = get_state;
}

static void test_a_stop_is_for_good(void **state)
{
    (void)state;
    health_stop(&health);
    assert_all(HEALTH_NOT_SERVING, HEALTH_NOT_SERVING);
    state_now = ENGINE_READ_ONLY;
    assert_all(HEALTH_NOT_SERVING, HEALTH_NOT_SERVING);
}

static void test_reasons(void **state)
{
    (void)state;
    state_now = ENGINE_LOADS;
    assert_reasons("the server is loading its data", "the server is loading its data");
    state_now = ENGINE_READ_ONLY;
    assert_reasons(NULL, "the disk accepts no writes");
    health_stop(&health);
    assert_reasons("the server is stopping", "the server is stopping");
}

static void test_what_is_unknown(void **state)
{
    (void)state;
    static const char *const names[] = {"keystore", "keystore.v1.KeyStor", "keystore.v1.KeyStores",
                                        "Keystore.live", " "};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_null(health_find(&health, slice_from_string(names[i])));
    assert_int_equal(health_status(&health, NULL), HEALTH_SERVICE_UNKNOWN);
}

static void check_declared(void *user, struct slice package, struct slice name)
{
    char text[100];
    (void)user;
    snprintf(text, sizeof text, "%.*s.%.*s", (int)package.len, package.data, (int)name.len,
             name.data);
    assert_health(text, HEALTH_SERVING);
}

static void test_every_service_of_the_server_has_one(void **state)
{
    (void)state;
    struct protoset *protoset = protoset_new(false);
    protoset_each_service(protoset, check_declared, NULL);
    protoset_free(protoset);
}

struct visits {
    size_t all, serving;
};

static void count_visit(void *user, struct slice name, enum health_status status)
{
    struct visits *visits = user;
    assert_int_equal(status, health_status(&health, health_find(&health, name)));
    visits->all++;
    visits->serving += status == HEALTH_SERVING;
}

static struct visits visit_all(void)
{
    struct visits visits = {0};
    health_each(&health, count_visit, &visits);
    return visits;
}

static void test_each(void **state)
{
    (void)state;
    assert_int_equal(visit_all().all, 9);
    assert_int_equal(visit_all().serving, 9);
    state_now = ENGINE_READ_ONLY;
    assert_int_equal(visit_all().serving, 8);
    state_now = ENGINE_LOADS;
    assert_int_equal(visit_all().serving, 1);
}

static void test_without_reflection(void **state)
{
    (void)state;
    health_init(&health, &engine, false);
    assert_null(health_find(&health, SLICE_LITERAL("grpc.reflection.v1.ServerReflection")));
    assert_int_equal(visit_all().all, 7);
}

#define TEST(function) cmocka_unit_test_setup(function, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_states_of_the_engine),
        TEST(test_a_stop_is_for_good),
        TEST(test_reasons),
        TEST(test_what_is_unknown),
        TEST(test_every_service_of_the_server_has_one),
        TEST(test_each),
        TEST(test_without_reflection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
