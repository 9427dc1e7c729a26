/* The count of the kernel for a connection within this process. */
#include "net/received.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void bytes_are_counted_though_nobody_reads(void **state)
{
    (void)state;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    char bytes[1000] = {0};
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&address, size), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
    assert_int_equal(connect(client, (struct sockaddr *)&address, size), 0);
    int server = accept(listener, NULL, NULL);
    assert_true(server >= 0);
    assert_int_equal(received_bytes(server), 0);
    assert_int_equal(write(client, bytes, sizeof bytes), sizeof bytes);
    assert_int_equal(recv(server, bytes, sizeof bytes, MSG_PEEK | MSG_WAITALL), sizeof bytes);
    assert_int_equal(received_bytes(server), sizeof bytes);
    assert_int_equal(received_bytes(client), 0);
    close(server);
    close(client);
    close(listener);
    assert_int_equal(received_bytes(-1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_are_counted_though_nobody_reads)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
