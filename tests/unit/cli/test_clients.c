/* How connections are listed; the client library is played here. */
#include "cli/clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

static size_t pages_left;
static enum keystore_next last;

enum keystore_next keystore_clients_next(struct keystore_stream *stream, int64_t timeout_ms,
                                         struct keystore_clients_page *answer)
{
    static struct keystore_client_info client = {.address = "10.0.0.1:5",
                                                 .listener = "127.0.0.1:50051",
                                                 .age_ms = 90999,
                                                 .idle_ms = 1000,
                                                 .calls = 2,
                                                 .streams = 1,
                                                 .calls_so_far = 3,
                                                 .bytes_in = 4,
                                                 .bytes_out = 5,
                                                 .queued_bytes = 6,
                                                 .user_agent = "grpc-go/1"};
    (void)stream;
    assert_int_equal(timeout_ms, KEYSTORE_FOREVER);
    client.id++;
    *answer = (struct keystore_clients_page){.clients = &client, .count = 1};
    return pages_left-- > 0 ? KEYSTORE_ITEM : last;
}

#define LINE(id)                                                                                   \
    "id=" id " addr=10.0.0.1:5 laddr=127.0.0.1:50051 age=90 idle=1 calls=2 streams=1 tot-cmds=3 "  \
    "tot-net-in=4 tot-net-out=5 omem=6 user-agent=grpc-go/1"

static void lines_and_ids(void **state)
{
    struct arena arena;
    struct reply reply;
    (void)state;
    arena_init(&arena);
    pages_left = 2;
    last = KEYSTORE_END;
    assert_true(clients_read(NULL, false, &arena, &reply));
    assert_int_equal(reply.type, REPLY_TEXT);
    assert_int_equal(reply.bytes.len, strlen(LINE("1") "\n" LINE("2")));
    assert_memory_equal(reply.bytes.data, LINE("1") "\n" LINE("2"), reply.bytes.len);
    pages_left = 1;
    assert_true(clients_read(NULL, true, &arena, &reply));
    assert_int_equal(reply.type, REPLY_INTEGER);
    assert_int_equal(reply.integer, 4);
    pages_left = 0;
    assert_true(clients_read(NULL, false, &arena, &reply));
    assert_int_equal(reply.bytes.len, 0);
    pages_left = 0;
    last = KEYSTORE_FAILED;
    assert_false(clients_read(NULL, false, &arena, &reply));
    arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(lines_and_ids)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
