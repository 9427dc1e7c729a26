/* SLOWLOG: what is asked for, and how it is shown; the client library is played here. */
#include "cli/slowlog.h"

#include "fake_client.h"
#include "parsed.h"
#include "printed.h"

static struct reply send(const char *line)
{
    struct request request = parsed(line);
    struct reply reply = {.type = REPLY_NIL};
    assert_int_equal(slowlog_send(NULL, &request, &parsed_arena, &reply), fake_code);
    return reply;
}

static const struct keystore_slow_call calls[] = {
    {
        .id = 12,
        .unix_ms = 1795999869036,
        .duration_us = 47956,
        .method = "keystore.v1.KeyStore/Set",
        .key = {"cart:\xff", 6},
        .key_size = 6,
        .keys = 1,
        .elements = 2,
        .request_bytes = 40213,
        .reply_bytes = 6,
        .peer = "10.0.0.7:43306",
        .trace_id = "0af7651916cd43dd8448eb211c80319c",
        .request_id = {"id", 2},
        .previous_attempts = 3,
        .waited_for_disk = true,
        .offloaded = true,
    },
    {
        .id = 9,
        .unix_ms = 1795999860000,
        .duration_us = 10001,
        .method = "keystore.v1.KeyStoreAdmin/Info",
        .db = 4,
        .peer = "a unix socket",
        .status = KEYSTORE_UNAVAILABLE,
        .trace_id = "",
        .waited_for_lock = true,
    },
};

static void calls_are_shown(void **state)
{
    (void)state;
    fake_reset();
    fake_slow_log = (struct keystore_slow_log_reply){.calls = calls, .count = 2, .kept = 7};
    struct reply reply = send("SLOWLOG GET");
    assert_int_equal(fake_sent_slow_log.limit, 10);
    assert_false(fake_sent_slow_log.reset);
    FILE *out = printed_open();
    format_reply(out, &reply);
    fclose(out);
    assert_string_equal(
        printed_text,
        "id  ended                        us  method  status       request  reply  waited for   "
        "client           db  key\n"
        "12  2026-11-30T00:51:09.036Z  47956  Set     CODE           40213      6  disk,thread  "
        "10.0.0.7:43306    0  \"cart:\\xff\"\n"
        " 9  2026-11-30T00:51:00.000Z  10001  Info    UNAVAILABLE        0      0  lock         "
        "\"a unix socket\"   4\n");
    out = printed_open();
    format_reply_raw(out, &reply);
    fclose(out);
    assert_string_equal(
        printed_text,
        "id=12 unix-ms=1795999869036 us=47956 method=keystore.v1.KeyStore/Set status=CODE "
        "request-bytes=40213 reply-bytes=6 waited-for=disk,thread addr=10.0.0.7:43306 keys=1 "
        "elements=2 key-size=6 trace-id=0af7651916cd43dd8448eb211c80319c request-id=id "
        "previous-attempts=3 db=0 key=\"cart:\\xff\"\n"
        "id=9 unix-ms=1795999860000 us=10001 method=keystore.v1.KeyStoreAdmin/Info "
        "status=UNAVAILABLE request-bytes=0 reply-bytes=0 waited-for=lock addr=\"a unix socket\" "
        "keys=0 elements=0 key-size=0 trace-id= request-id= previous-attempts=0 db=4 key=\n");
}

static void counts_and_resets(void **state)
{
    (void)state;
    fake_reset();
    fake_slow_log = (struct keystore_slow_log_reply){.calls = calls, .count = 1, .kept = 7};
    assert_int_equal(send("SLOWLOG LEN").integer, 7);
    assert_int_equal(fake_sent_slow_log.limit, 1);
    assert_false(fake_sent_slow_log.reset);
    assert_slice(send("SLOWLOG RESET").bytes, "OK");
    assert_true(fake_sent_slow_log.reset);
    fake_slow_log = (struct keystore_slow_log_reply){0};
    struct reply reply = send("SLOWLOG GET -1");
    assert_int_equal(fake_sent_slow_log.limit, 0);
    assert_int_equal(reply.type, REPLY_LIST);
    assert_int_equal(reply.count, 0);
    fake_code = KEYSTORE_UNAVAILABLE;
    (void)send("SLOWLOG GET");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_shown),
        cmocka_unit_test(counts_and_resets),
    };
    return cmocka_run_group_tests(tests, NULL, parsed_tear_down);
}
