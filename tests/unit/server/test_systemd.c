/* Tests of server/systemd.c: what a service manager hears, and sockets that it passes. */
#include "server/systemd.h"

#include "base/clock.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* Passed sockets start here. */
#define FIRST 3

static char path[60];

/* A manager that listens. */
static int setup(void **state)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(path, sizeof path, "/tmp/keystore-notify-%d", (int)getpid());
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(descriptor, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", path, 1);
    *state = (void *)(intptr_t)descriptor;
    return 0;
}

static int teardown(void **state)
{
    close((int)(intptr_t)*state);
    unlink(path);
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return 0;
}

static void assert_heard(void **state, const char *expected)
{
    char text[500];
    ssize_t size = recv((int)(intptr_t)*state, text, sizeof text - 1, 0);
    assert_true((size < 0) == (expected == NULL));
    if (expected == NULL)
        return;
    text[size] = '\0';
    assert_string_equal(text, expected);
}

/* With the time, by which the manager tells the READY=1 after this from one before. */
static void assert_reloads(void **state)
{
    char text[500];
    long long at_us;
    ssize_t size = recv((int)(intptr_t)*state, text, sizeof text - 1, 0);
    assert_true(size > 0);
    text[size] = '\0';
    assert_int_equal(sscanf(text, "RELOADING=1\nMONOTONIC_USEC=%lld", &at_us), 1);
    assert_in_range(at_us / 1000, 1, clock_monotonic_ms());
}

static void test_what_the_manager_hears(void **state)
{
    systemd_loading(5000);
    assert_heard(state, "STATUS=Loading the data\nEXTEND_TIMEOUT_USEC=30000000");
    systemd_loading(5999);
    assert_heard(state, NULL);
    systemd_loading(6000);
    assert_heard(state, "STATUS=Loading the data\nEXTEND_TIMEOUT_USEC=30000000");
    systemd_ready();
    assert_heard(state, "READY=1\nSTATUS=Serving");
    systemd_reloading();
    assert_reloads(state);
    systemd_alive();
    assert_heard(state, "WATCHDOG=1");
    systemd_stopping(10000);
    assert_heard(state, "STOPPING=1\nSTATUS=Finishing the calls in flight\n"
                        "EXTEND_TIMEOUT_USEC=70000000");
}

static void test_nobody_listens(void **state)
{
    unlink(path);
    systemd_ready();
    assert_true(systemd_is_manager());
    unsetenv("NOTIFY_SOCKET");
    assert_false(systemd_is_manager());
    systemd_ready();
    assert_heard(state, NULL);
}

static void test_the_watchdog(void **state)
{
    (void)state;
    char pid[20];
    assert_int_equal(systemd_watchdog_ms(), 0);
    setenv("WATCHDOG_USEC", "2500000", 1);
    assert_int_equal(systemd_watchdog_ms(), 2500);
    snprintf(pid, sizeof pid, "%d", (int)getpid() + 1); /* meant for another process */
    setenv("WATCHDOG_PID", pid, 1);
    assert_int_equal(systemd_watchdog_ms(), 0);
}

static void pass(const char *count)
{
    char pid[20];
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    setenv("LISTEN_PID", pid, 1);
    setenv("LISTEN_FDS", count, 1);
}

/* Makes the descriptor the one with that number. */
static void place(int descriptor, int number)
{
    assert_true(descriptor >= 0);
    assert_int_equal(dup2(descriptor, number), number);
    if (descriptor != number)
        close(descriptor);
}

static void test_sockets_are_taken(void **state)
{
    (void)state;
    int descriptors[4], spare[2] = {dup(FIRST), dup(FIRST + 1)};
    struct net_address addresses[4], expected;
    const char *why;
    char text[200];
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    snprintf(un.sun_path, sizeof un.sun_path, "%s-listen", path);
    int tcp = socket(AF_INET, SOCK_STREAM, 0), unix_socket = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(tcp, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(bind(unix_socket, (struct sockaddr *)&un, sizeof un), 0);
    assert_int_equal(listen(tcp, 1) + listen(unix_socket, 1), 0);
    place(fcntl(tcp, F_DUPFD, 10), 20);
    place(fcntl(unix_socket, F_DUPFD, 10), 21);
    close(tcp);
    close(unix_socket);
    place(20, FIRST);
    place(21, FIRST + 1);
    pass("2");
    assert_int_equal(systemd_take_sockets(descriptors, addresses, 4), 2);
    assert_int_equal(descriptors[0], FIRST);
    assert_int_equal(descriptors[1], FIRST + 1);
    assert_true(net_address_port(&addresses[0]) > 0);
    snprintf(text, sizeof text, "127.0.0.1:%d", net_address_port(&addresses[0]));
    assert_string_equal(addresses[0].text, text);
    snprintf(text, sizeof text, "unix:%s", un.sun_path);
    assert_string_equal(addresses[1].text, text);
    assert_true(net_address_parse(addresses[1].text, &expected, &why));
    assert_string_equal(net_address_path(&addresses[1]), net_address_path(&expected));
    assert_null(getenv("LISTEN_FDS"));
    assert_int_equal(systemd_take_sockets(descriptors, addresses, 4), 0); /* they are taken */
    pass("2");
    assert_int_equal(systemd_take_sockets(descriptors, addresses, 1), -1); /* too many */
    unlink(un.sun_path);
    for (int i = 0; i < 2; i++) {
        if (spare[i] >= 0)
            place(spare[i], FIRST + i);
        else
            close(FIRST + i);
    }
}

static void test_other_descriptors_are_refused(void **state)
{
    (void)state;
    int descriptors[4], spare = dup(FIRST), wrong = socket(AF_INET, SOCK_DGRAM, 0);
    struct net_address addresses[4];
    place(wrong, FIRST);
    pass("1");
    assert_int_equal(systemd_take_sockets(descriptors, addresses, 4), -1);
    pass("many");
    assert_int_equal(systemd_take_sockets(descriptors, addresses, 4), -1);
    if (spare >= 0)
        place(spare, FIRST);
    else
        close(FIRST);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_the_manager_hears),
        TEST(test_nobody_listens),
        TEST(test_the_watchdog),
        TEST(test_sockets_are_taken),
        TEST(test_other_descriptors_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
