/* Tests of server/monitor.c: off by default, ready or not, and errors of its address. */
#include "server/monitor.h"

#include "server/exposition_fixture.h"
#include "service/health.h"

#include <sys/socket.h>

static struct net_address parse(const char *text)
{
    struct net_address address;
    const char *why;
    assert_true(net_address_parse(text, &address, &why));
    return address;
}

/* While the data are loaded. */
static struct health health_of(struct exposed *exposed)
{
    struct health health;
    embedded_set_loading(exposed->engine, true);
    health_init(&health, exposed->engine, false);
    return health;
}

/* The answer to a GET, in static memory. */
static const char *get(const struct net_address *address, const char *path)
{
    static char answer[1 << 20];
    char request[100];
    size_t len = 0;
    int client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(connect(client, (const struct sockaddr *)&address->socket, address->size), 0);
    snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n",
             path);
    assert_int_equal(send(client, request, strlen(request), 0), strlen(request));
    for (ssize_t received = 1; received > 0; len += (size_t)received)
        received = recv(client, answer + len, sizeof answer - 1 - len, 0);
    answer[len] = 0;
    close(client);
    return answer;
}

static void test_it_is_off(void **state)
{
    struct exposed *exposed = *state;
    struct monitor monitor = {0};
    struct net_address none = {0};
    struct health health = health_of(exposed);
    assert_true(monitor_start(&monitor, &none, &exposed->report, &health));
    assert_null(monitor.http);
    assert_int_equal(monitor_descriptors(&monitor), 0);
    monitor_forget_report(&monitor);
    monitor_stop(&monitor);
}

static void test_ready_or_not(void **state)
{
    struct exposed *exposed = *state;
    struct monitor monitor = {0};
    struct net_address address = parse("127.0.0.1:0");
    struct health health = health_of(exposed);
    assert_true(monitor_start(&monitor, &address, &exposed->report, &health));
    assert_true(net_address_port(&address) > 0);
    assert_true(monitor_descriptors(&monitor) > 0);
    assert_non_null(strstr(get(&address, "/readyz"), "503"));
    assert_non_null(strstr(get(&address, "/readyz"), "loading"));
    assert_non_null(strstr(get(&address, "/metrics"), "keystore_loading 1\n"));
    exposed_load(exposed);
    assert_non_null(strstr(get(&address, "/readyz"), "200 OK"));
    assert_non_null(strstr(get(&address, "/metrics"), "keystore_loading 0\n"));
    health_stop(&health);
    assert_non_null(strstr(get(&address, "/readyz"), "the server is stopping"));
    assert_non_null(strstr(get(&address, "/metrics"), "keystore_loading 0\n"));
    monitor_forget_report(&monitor);
    assert_non_null(strstr(get(&address, "/metrics"), "503"));
    assert_non_null(strstr(get(&address, "/healthz"), "200 OK"));
    monitor_stop(&monitor);
}

static void test_an_address_in_use(void **state)
{
    struct exposed *exposed = *state;
    struct monitor monitor = {0}, other = {0};
    struct net_address address = parse("127.0.0.1:0");
    struct health health = health_of(exposed);
    assert_true(monitor_start(&monitor, &address, &exposed->report, &health));
    assert_false(monitor_start(&other, &address, &exposed->report, &health));
    monitor_stop(&other);
    assert_non_null(strstr(get(&address, "/healthz"), "200 OK"));
    monitor_stop(&monitor);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, exposed_setup, exposed_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_it_is_off),
        TEST(test_ready_or_not),
        TEST(test_an_address_in_use),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
