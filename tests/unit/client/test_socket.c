/* Connecting, waiting and sending on real sockets of this machine. */
#include "client/socket.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

/* A listener on a port that the system chose. */
static int listen_tcp(struct target *target)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    struct keystore_error error;
    socklen_t len = sizeof address;
    char text[40];
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    snprintf(text, sizeof text, "127.0.0.1:%d", ntohs(address.sin_port));
    assert_true(target_parse(text, target, &error));
    return fd;
}

static int64_t soon(int64_t ms)
{
    return clock_monotonic_ms() + ms;
}

static void connects_sends_and_receives(void **state)
{
    (void)state;
    struct target target;
    struct keystore_error error;
    char in[8];
    int listener = listen_tcp(&target);
    int client = socket_connect(&target, soon(5000), &error);
    assert_true(client >= 0);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    assert_int_equal(socket_receive(client, in, sizeof in), -1);
    assert_true(socket_would_block());
    assert_int_equal(socket_send(client, SLICE_LITERAL("ping")), 4);
    assert_int_equal(recv(server, in, 4, MSG_WAITALL), 4);
    assert_int_equal(send(server, "pong", 4, 0), 4);
    assert_true((socket_wait(client, POLLIN, soon(5000)) & POLLIN) != 0);
    assert_int_equal(socket_receive(client, in, sizeof in), 4);
    assert_memory_equal(in, "pong", 4);
    close(server);
    assert_true(socket_wait(client, POLLIN, soon(5000)) != 0);
    assert_int_equal(socket_receive(client, in, sizeof in), 0);
    close(client);
    close(listener);
}

static void waiting_ends_at_the_deadline(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    int64_t start = clock_monotonic_ms();
    assert_int_equal(socket_wait(pair[0], POLLIN, start + 30), 0);
    assert_true(clock_monotonic_ms() - start >= 30);
    assert_int_equal(socket_wait(pair[0], POLLIN, start - 1), 0);
    close(pair[0]);
    close(pair[1]);
}

static void sending_to_a_closed_peer_raises_no_signal(void **state)
{
    (void)state;
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    close(pair[1]);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(socket_send(pair[0], SLICE_LITERAL("x")), -1);
    assert_int_equal(errno, EPIPE);
    assert_false(socket_would_block());
    close(pair[0]);
}

static void refused_connection(void **state)
{
    (void)state;
    struct target target;
    struct keystore_error error = {.code = KEYSTORE_OK};
    close(listen_tcp(&target));
    assert_int_equal(socket_connect(&target, soon(5000), &error), -1);
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(error.message, target.name));
    assert_non_null(strstr(error.message, "refused"));
}

static void unknown_host(void **state)
{
    (void)state;
    struct target target;
    struct keystore_error error = {.code = KEYSTORE_OK};
    /* A label may have 63 letters: no resolver has to ask anyone about this one. */
    assert_true(target_parse("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:1",
                             &target, &error));
    assert_int_equal(socket_connect(&target, soon(5000), &error), -1);
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(error.message, "cannot find the host"));
}

static void unix_sockets(void **state)
{
    (void)state;
    char directory[] = "/tmp/keystore-socket-XXXXXX";
    struct target target;
    struct keystore_error error = {.code = KEYSTORE_OK};
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char text[80];
    assert_non_null(mkdtemp(directory));
    snprintf(text, sizeof text, "unix:%s/s", directory);
    snprintf(address.sun_path, sizeof address.sun_path, "%s/s", directory);
    assert_true(target_parse(text, &target, &error));
    assert_int_equal(socket_connect(&target, soon(5000), &error), -1);
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(error.message, "No such file"));
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
    assert_int_equal(listen(listener, 1), 0);
    int client = socket_connect(&target, soon(5000), &error);
    assert_true(client >= 0);
    close(client);
    close(listener);
    unlink(address.sun_path);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connects_sends_and_receives),
        cmocka_unit_test(waiting_ends_at_the_deadline),
        cmocka_unit_test(sending_to_a_closed_peer_raises_no_signal),
        cmocka_unit_test(refused_connection),
        cmocka_unit_test(unknown_host),
        cmocka_unit_test(unix_sockets),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
