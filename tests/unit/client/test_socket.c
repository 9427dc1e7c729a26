/* Connecting, waiting and sending on real sockets of this machine. */
#include "client/socket.h"

#include "base/clock.h"
#include "support/folder.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
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

/* Both ends of a connection through socket_connect(). */
struct link {
    int listener;
    int client;
    int server;
};

static struct link link_open(void)
{
    struct target target;
    struct keystore_error error;
    struct link link = {.listener = listen_tcp(&target)};
    link.client = socket_connect(&target, soon(5000), &error);
    link.server = accept(link.listener, NULL, NULL);
    assert_true(link.client >= 0 && link.server >= 0);
    return link;
}

static void link_close(const struct link *link)
{
    close(link->client);
    close(link->listener);
}

/* A unix socket in a folder of its own. */
struct unix_place {
    struct folder folder;
    struct sockaddr_un address;
    struct target target;
    int listener; /* after unix_listen() */
};

static void unix_init(struct unix_place *place)
{
    struct keystore_error error;
    char text[sizeof place->folder.path + 8];
    *place = (struct unix_place){.address = {.sun_family = AF_UNIX}};
    folder_make(&place->folder);
    snprintf(text, sizeof text, "unix:%s/s", place->folder.path);
    assert_true(strlen(text) - 5 < sizeof place->address.sun_path);
    strcpy(place->address.sun_path, text + 5);
    assert_true(target_parse(text, &place->target, &error));
}

static void unix_listen(struct unix_place *place)
{
    place->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(
        bind(place->listener, (struct sockaddr *)&place->address, sizeof place->address), 0);
    assert_int_equal(listen(place->listener, 1), 0);
}

static void unix_deinit(struct unix_place *place)
{
    close(place->listener);
    folder_remove(&place->folder);
}

static void connects_sends_and_receives(void **state)
{
    (void)state;
    char in[8];
    struct link link = link_open();
    assert_int_equal(socket_receive(link.client, in, sizeof in), -1);
    assert_true(socket_would_block());
    assert_int_equal(socket_send(link.client, SLICE_LITERAL("ping")), 4);
    assert_int_equal(recv(link.server, in, 4, MSG_WAITALL), 4);
    assert_int_equal(send(link.server, "pong", 4, 0), 4);
    assert_true((socket_wait(link.client, POLLIN, soon(5000)) & POLLIN) != 0);
    assert_int_equal(socket_receive(link.client, in, sizeof in), 4);
    assert_memory_equal(in, "pong", 4);
    close(link.server);
    assert_true(socket_wait(link.client, POLLIN, soon(5000)) != 0);
    assert_int_equal(socket_receive(link.client, in, sizeof in), 0);
    link_close(&link);
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
    assert_non_null(strstr(error.message, "cannot resolve the host"));
}

static void unix_sockets(void **state)
{
    (void)state;
    struct unix_place place;
    struct keystore_error error = {.code = KEYSTORE_OK};
    unix_init(&place);
    assert_int_equal(socket_connect(&place.target, soon(5000), &error), -1);
    assert_int_equal(error.code, KEYSTORE_UNAVAILABLE);
    assert_non_null(strstr(error.message, "No such file"));
    unix_listen(&place);
    int client = socket_connect(&place.target, soon(5000), &error);
    assert_true(client >= 0);
    close(client);
    unix_deinit(&place);
}

struct full_backlog {
    struct unix_place place;
    int waiting[8]; /* connections that nobody has accepted */
    int count;
};

/* Connects until the listener takes no more. */
static void fill_backlog(struct full_backlog *full)
{
    unix_init(&full->place);
    unix_listen(&full->place);
    full->count = 0;
    for (;;) {
        const struct sockaddr_un *address = &full->place.address;
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
        if (connect(fd, (const struct sockaddr *)address, sizeof *address) != 0) {
            assert_int_equal(errno, EAGAIN);
            close(fd);
            return;
        }
        assert_true(full->count < 8);
        full->waiting[full->count++] = fd;
    }
}

static void drop_backlog(struct full_backlog *full)
{
    for (int i = 0; i < full->count; i++)
        close(full->waiting[i]);
    unix_deinit(&full->place);
}

static void a_full_backlog_is_waited_for_until_the_deadline(void **state)
{
    (void)state;
    struct full_backlog full;
    struct keystore_error error = {.code = KEYSTORE_OK};
    fill_backlog(&full);
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(socket_connect(&full.place.target, began_ms + 50, &error), -1);
    assert_int_equal(error.code, KEYSTORE_DEADLINE_EXCEEDED);
    assert_true(clock_monotonic_ms() - began_ms >= 50);
    drop_backlog(&full);
}

static void *accept_all(void *argument)
{
    const struct full_backlog *full = argument;
    for (int i = 0; i <= full->count; i++)
        close(accept(full->place.listener, NULL, NULL));
    return NULL;
}

static void room_in_the_backlog_ends_the_wait(void **state)
{
    (void)state;
    struct full_backlog full;
    struct keystore_error error = {.code = KEYSTORE_OK};
    pthread_t thread;
    fill_backlog(&full);
    assert_int_equal(pthread_create(&thread, NULL, accept_all, &full), 0);
    int fd = socket_connect(&full.place.target, INT64_MAX, &error);
    assert_true(fd >= 0);
    pthread_join(thread, NULL);
    close(fd);
    drop_backlog(&full);
}

static void a_receive_may_wait(void **state)
{
    (void)state;
    char in[8];
    struct link link = link_open();
    assert_true(socket_set_receive_timeout(link.client, 30));
    int64_t began_ms = clock_monotonic_ms();
    assert_int_equal(socket_receive_waiting(link.client, in, sizeof in), -1);
    assert_true(socket_would_block());
    assert_true(clock_monotonic_ms() - began_ms >= 29); /* of the kernel's ticks */
    assert_true(socket_set_receive_timeout(link.client, INT64_MAX));
    assert_int_equal(send(link.server, "x", 1, 0), 1);
    assert_int_equal(socket_receive_waiting(link.client, in, sizeof in), 1);
    assert_true(socket_set_receive_timeout(link.client, INT64_MAX - 1));
    assert_int_equal(send(link.server, "y", 1, 0), 1);
    assert_int_equal(socket_receive_waiting(link.client, in, sizeof in), 1);
    close(link.server);
    link_close(&link);
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
        cmocka_unit_test(a_full_backlog_is_waited_for_until_the_deadline),
        cmocka_unit_test(room_in_the_backlog_ends_the_wait),
        cmocka_unit_test(a_receive_may_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
