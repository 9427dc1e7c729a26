/* Tests of bench/receive.c: answers of nghttp2's server, in any pieces, and frames that are wrong.
 */
#include "bench/receive.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "bench/linked.h"
#include "store/seeded.h"

static void test_answers_in_any_pieces_are_the_same(void **state)
{
    (void)state;
    const size_t chunks[] = {1, 2, 3, 8, 9, 10, 11, 100, SIZE_MAX};
    for (size_t i = 0; i < sizeof chunks / sizeof chunks[0]; i++) {
        struct linked linked;
        linked_init(&linked, 32);
        linked_begin(&linked, NULL, 0);
        for (int call = 0; call < 50; call++) {
            while (session_can_start(&linked.session))
                linked_call(&linked, OP_GET, 0);
            linked_run_in_chunks(&linked, chunks[i]);
        }
        assert_int_equal(linked.tally.ends[TALLY_OK], 50 * LINKED_STREAMS);
        assert_int_equal(tally_errors(&linked.tally), 0);
        assert_int_equal(linked.tally.misses, 0);
        linked_deinit(&linked);
    }
}

/* One call that is answered so; returns how it ended. */
static enum tally_end call_once(struct linked *linked, const struct ng_answer *answer)
{
    linked->peer.answer = *answer;
    for (int i = 0; i < TALLY_ENDS; i++)
        linked->tally.ends[i] = 0;
    linked_call(linked, OP_GET, 7);
    linked_run(linked);
    for (int i = 0; i < TALLY_ENDS; i++)
        if (linked->tally.ends[i] > 0)
            return (enum tally_end)i;
    return TALLY_ENDS;
}

static void test_calls_end_by_what_the_server_says(void **state)
{
    (void)state;
    struct linked linked;
    const struct slice body = SLICE_LITERAL("\0\0\0\0\2\x10\1");
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    for (int round = 0; round < 5; round++) {
        for (int status = 0; status <= 16; status++) {
            char text[12];
            snprintf(text, sizeof text, "%d", status);
            struct ng_answer answer = {.grpc_status = text, .body = body};
            assert_int_equal(call_once(&linked, &answer), status);
        }
        assert_int_equal(call_once(&linked, &(struct ng_answer){.body = body}), TALLY_NO_STATUS);
        assert_int_equal(
            call_once(&linked, &(struct ng_answer){.http_status = "503", .body = body}),
            TALLY_HTTP_STATUS);
        assert_int_equal(
            call_once(&linked,
                      &(struct ng_answer){.http_status = "503", .grpc_status = "0", .body = body}),
            TALLY_HTTP_STATUS);
        assert_int_equal(
            call_once(&linked, &(struct ng_answer){.behaviour = NG_RESET, .reset_code = 7}),
            TALLY_RESET);
        assert_int_equal(call_once(&linked, &(struct ng_answer){.behaviour = NG_SILENT}),
                         TALLY_ENDS);
        ng_server_answer_all(&linked.peer);
        linked_run(&linked);
    }
    linked_deinit(&linked);
}

static void test_an_empty_message_is_a_miss(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    const struct ng_answer miss = {.grpc_status = "0", .body = SLICE_LITERAL("\0\0\0\0\0")};
    assert_int_equal(call_once(&linked, &miss), TALLY_OK);
    assert_int_equal(linked.tally.misses, 1);
    linked_call(&linked, OP_SET, 7); /* for a Set it means nothing */
    linked_run(&linked);
    assert_int_equal(linked.tally.misses, 1);
    linked_deinit(&linked);
}

static void test_verifying_compares_values_that_come_in_many_frames(void **state)
{
    (void)state;
    enum { SIZE = 50000 };
    struct linked linked;
    static uint8_t body[SIZE + 20];
    linked_init(&linked, SIZE);
    linked.setup.verify = true;
    linked_begin(&linked, NULL, 0);
    template_put_part(&linked.templates, OP_SET, 7, 0, 5, body);
    const struct template *set = &linked.templates.of[OP_SET];
    /* The value's field of a Set is field 2, of an answer field 1; found is field 2. */
    size_t field_len = set->message.len - 5 - 18;
    template_put_part(&linked.templates, OP_SET, 7, 5 + 18, field_len, body + 5);
    body[5] = 1 << 3 | 2;
    body[5 + field_len] = 2 << 3;
    body[5 + field_len + 1] = 1;
    wire_put_u32(body + 1, (uint32_t)field_len + 2);
    struct ng_answer answer = {.grpc_status = "0", .body = {body, 5 + field_len + 2}};
    assert_int_equal(call_once(&linked, &answer), TALLY_OK);
    body[SIZE / 2] ^= 1;
    assert_int_equal(call_once(&linked, &answer), TALLY_WRONG_VALUE);
    linked_deinit(&linked);
}

/* More than 2^30 bytes come in: without updates the peer would have to stop at 2^31 - 1. */
static void test_windows_are_given_back(void **state)
{
    (void)state;
    enum { CALLS = 300 };
    struct linked linked;
    static uint8_t body[4 << 20];
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    linked.peer.answer.body = slice_make(body, sizeof body);
    size_t before = linked.seen.updates;
    for (int call = 0; call < CALLS; call++) {
        linked_call(&linked, OP_L_RANGE, 7);
        linked_run(&linked);
    }
    assert_int_equal(linked.seen.updates - before, sizeof body * CALLS >> 30);
    assert_int_equal(linked.tally.ends[TALLY_OK], CALLS);
    linked_deinit(&linked);
}

static void test_pings_are_answered(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    static const uint8_t ping[17] = {0, 0, 8, WIRE_PING, 0, 0, 0, 0, 0, '1', '2', '3'};
    assert_true(receive_bytes(&linked.session, slice_make(ping, sizeof ping), 0));
    assert_int_equal(linked.session.out.len, sizeof ping);
    assert_int_equal(linked.session.out.data[4], WIRE_FLAG_ACK);
    assert_memory_equal(linked.session.out.data + 9, ping + 9, 8);
    linked_run(&linked);
    linked_deinit(&linked);
}

static void test_goaway_ends_what_was_not_processed_and_lets_the_rest_finish(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    linked.peer.answer.behaviour = NG_SILENT;
    linked_call(&linked, OP_GET, 0);
    linked_call(&linked, OP_GET, 0);
    linked_run(&linked);
    linked_call(&linked, OP_GET, 0); /* stream 5 is on its way when the server says GOAWAY */
    struct buf lost = linked.session.out;
    buf_init(&linked.session.out, SIZE_MAX);
    assert_int_equal(nghttp2_submit_goaway(linked.peer.session, 0, 3, 0, NULL, 0), 0);
    linked_run(&linked);
    assert_int_equal(linked.tally.ends[TALLY_REFUSED], 1);
    assert_false(session_can_start(&linked.session));
    assert_false(session_is_spent(&linked.session));
    ng_server_answer_all(&linked.peer);
    linked_run(&linked);
    assert_int_equal(linked.tally.ends[TALLY_OK], 2);
    assert_true(session_is_spent(&linked.session));
    buf_deinit(&lost);
    linked_deinit(&linked);
}

/* Frames that the peer would not send by itself, after a good beginning. */
struct broken_case {
    struct slice bytes;
    const char *says;
};

static void test_wrong_frames_end_the_connection_with_a_sentence(void **state)
{
    (void)state;
    const struct broken_case cases[] = {
        {SLICE_LITERAL("\0\0\1\0\x08\0\0\0\1\5"), "more padding than payload"},
        {SLICE_LITERAL("\0\0\0\0\x08\0\0\0\1"), "more padding than payload"},
        {SLICE_LITERAL("\0\0\2\1\x24\0\0\0\1\0\0"), "more padding than payload"},
        {SLICE_LITERAL("\0\0\1\1\4\0\0\0\1\xff"), "does not decode"},
        {SLICE_LITERAL("\0\0\0\1\0\0\0\0\1\0\0\0\0\0\0\0\0\1"), "interrupted a header block"},
        {SLICE_LITERAL("\0\0\0\x09\0\0\0\0\1"), "without HEADERS before it"},
        {SLICE_LITERAL("\0\0\5\4\0\0\0\0\0\0\0\0\0\0"), "SETTINGS frame of a wrong length"},
        {SLICE_LITERAL("\0\0\6\4\0\0\0\0\0\0\4\x80\0\0\0"), "a window above"},
        {SLICE_LITERAL("\0\0\6\4\0\0\0\0\0\0\5\0\0\0\1"), "frame size out of range"},
        {SLICE_LITERAL("\0\0\0\5\4\0\0\0\1"), "PUSH_PROMISE"},
        {SLICE_LITERAL("\0\0\7\6\0\0\0\0\0\0\0\0\0\0\0\0"), "PING frame of a wrong length"},
        {SLICE_LITERAL("\0\0\7\7\0\0\0\0\0\0\0\0\0\0\0\0"), "GOAWAY frame of a wrong length"},
        {SLICE_LITERAL("\0\0\3\x08\0\0\0\0\0\0\0\1"), "WINDOW_UPDATE frame of a wrong length"},
        {SLICE_LITERAL("\0\0\4\x08\0\0\0\0\0\x7f\xff\xff\xff"), "beyond 2^31 - 1"},
        {SLICE_LITERAL("\0\x40\1\0\0\0\0\0\1"), "too long"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct linked linked;
        linked_init(&linked, 32);
        linked_begin(&linked, NULL, 0);
        assert_false(receive_bytes(&linked.session, cases[i].bytes, 0));
        assert_non_null(linked.session.problem);
        if (strstr(linked.session.problem, cases[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", linked.session.problem, cases[i].says);
        linked_deinit(&linked);
    }
}

/* What other servers say first. */
static void test_servers_that_do_not_speak_http2_are_recognised(void **state)
{
    (void)state;
    const struct slice greetings[] = {
        SLICE_LITERAL("HTTP/1.1 400 Bad Request\r\n\r\n"),
        SLICE_LITERAL("-ERR unknown command 'PRI'\r\n"),
        SLICE_LITERAL("\0\0\0\1\4\0\0\0\1"),
    };
    for (size_t i = 0; i < sizeof greetings / sizeof greetings[0]; i++) {
        for (int whole = 0; whole < 2; whole++) {
            struct linked linked;
            bool good = true;
            linked_init(&linked, 32);
            ng_seen_init(&linked.seen);
            ng_server_init(&linked.peer, NULL, &linked.seen, NULL, 0);
            session_init(&linked.session, &linked.setup);
            size_t chunk = whole == 1 ? greetings[i].len : 1;
            /* Byte by byte a wrong length is only noticed when so much has come. */
            for (size_t at = 0; good && at < 20000; at += chunk)
                good =
                    receive_bytes(&linked.session,
                                  slice_make(greetings[i].data + at % greetings[i].len, chunk), 0);
            assert_false(good);
            assert_non_null(strstr(linked.session.problem, "gRPC server without TLS"));
            linked_deinit(&linked);
        }
    }
}

/* Padding, priorities, CONTINUATION, informational answers, unknown frames: all are allowed. */
static void test_unusual_but_right_frames_are_taken(void **state)
{
    (void)state;
    struct linked linked;
    linked_init(&linked, 32);
    linked_begin(&linked, NULL, 0);
    linked_call(&linked, OP_GET, 0);
    const struct slice frames =
        SLICE_LITERAL("\0\0\3\x63\xff\0\0\0\0abc"                    /* of an unknown type */
                      "\0\0\5\2\0\0\0\0\1\0\0\0\0\1"                 /* PRIORITY */
                      "\0\0\5\1\4\0\0\0\1\x08\3"                     /* :status 100 */
                      "100"                                          /* */
                      "\0\0\x0a\1\x28\0\0\0\1\3\0\0\0\0\1\x88\0\0\0" /* padded, with priority */
                      "\0\0\0\x09\4\0\0\0\1"                         /* CONTINUATION of nothing */
                      "\0\0\x09\0\x08\0\0\0\1\3\0\0\0\0\0\0\0\0"     /* padded: an empty message */
                      "\0\0\x0f\1\5\0\0\0\1\x40\x0bgrpc-status\1"    /* the trailers */
                      "0");
    assert_true(receive_bytes(&linked.session, frames, 0));
    assert_int_equal(linked.tally.ends[TALLY_OK], 1);
    assert_int_equal(linked.tally.misses, 1);
    linked_deinit(&linked);
}

/* Random bytes behind a good beginning: nothing but a verdict may come of them. */
static void test_garbage_does_no_harm(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 3000; round++) {
        struct linked linked;
        linked_init(&linked, 32);
        linked_begin(&linked, NULL, 0);
        while (session_can_start(&linked.session))
            linked_call(&linked, OP_GET, 0);
        for (int frame = 0; frame < 20; frame++) {
            uint8_t bytes[9 + 40];
            size_t len = seeded_below(&random, 40);
            for (size_t i = 0; i < sizeof bytes; i++)
                bytes[i] = (uint8_t)seeded_next(&random);
            wire_put_frame(bytes, len, (enum wire_frame)seeded_below(&random, 11),
                           (uint8_t)seeded_below(&random, 64), seeded_below(&random, 20));
            if (!receive_bytes(&linked.session, slice_make(bytes, 9 + len), 0)) {
                assert_non_null(linked.session.problem);
                break;
            }
        }
        session_end_calls(&linked.session, 0, TALLY_LOST, 0);
        assert_int_equal(linked.tally.finished, LINKED_STREAMS);
        linked_deinit(&linked);
    }
}

static void test_a_stream_that_the_server_ends_ends_the_connection_with_a_sentence(void **state)
{
    (void)state;
    const struct slice empty = SLICE_LITERAL("\0\0\0\0\0");
    const struct {
        struct ng_answer answer;
        const char *problem;
    } cases[] = {
        {{.grpc_status = "11"}, "the server ended a stream of Watch: OUT_OF_RANGE"},
        {{.grpc_status = "14", .body = empty}, "the server ended a stream of Watch: UNAVAILABLE"},
        {{.body = empty}, "the server ended a stream of Watch: answer without grpc-status"},
        {{.http_status = "404"}, "the server ended a stream of Watch: HTTP status other than 200"},
        {{.behaviour = NG_RESET}, "the server ended a stream of Watch: reset by the server"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct linked linked;
        struct ng_script script = {.answers = &cases[i].answer, .count = 1};
        linked_init_feeds(&linked, 32, FEED_WATCH, 1);
        linked.script = &script;
        linked_begin(&linked, NULL, 0);
        assert_true(linked.broken);
        assert_string_equal(linked.session.problem, cases[i].problem);
        assert_int_equal(linked.tally.ends[TALLY_STREAM_ENDED], 1);
        linked_deinit(&linked);
    }
}

static void test_windows_of_streams_are_given_back(void **state)
{
    (void)state;
    struct linked linked;
    const struct ng_answer answer = {.body = SLICE_LITERAL("\0\0\0\0\0"), .stay_open = true};
    struct ng_script script = {.answers = &answer, .count = 1};
    linked_init_feeds(&linked, 32, FEED_WATCH, 1);
    linked.script = &script;
    linked_begin(&linked, NULL, 0);
    /* As if almost a step had arrived already: the next bytes complete it. */
    linked.session.feeds[0].used = (UINT64_C(1) << 30) - 1;
    uint8_t frame[WIRE_FRAME_HEADER + 5] = {0};
    wire_put_frame(frame, 5, WIRE_DATA, 0, 1);
    assert_true(receive_bytes(&linked.session, slice_make(frame, sizeof frame), 0));
    assert_int_equal(linked.session.out.len, WIRE_FRAME_HEADER + 4);
    assert_int_equal(linked.session.out.data[3], WIRE_WINDOW_UPDATE);
    assert_int_equal(wire_get_u32(linked.session.out.data + 5), 1);
    linked_deinit(&linked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_in_any_pieces_are_the_same),
        cmocka_unit_test(test_calls_end_by_what_the_server_says),
        cmocka_unit_test(test_an_empty_message_is_a_miss),
        cmocka_unit_test(test_verifying_compares_values_that_come_in_many_frames),
        cmocka_unit_test(test_windows_are_given_back),
        cmocka_unit_test(test_pings_are_answered),
        cmocka_unit_test(test_goaway_ends_what_was_not_processed_and_lets_the_rest_finish),
        cmocka_unit_test(test_wrong_frames_end_the_connection_with_a_sentence),
        cmocka_unit_test(test_servers_that_do_not_speak_http2_are_recognised),
        cmocka_unit_test(test_unusual_but_right_frames_are_taken),
        cmocka_unit_test(test_garbage_does_no_harm),
        cmocka_unit_test(test_a_stream_that_the_server_ends_ends_the_connection_with_a_sentence),
        cmocka_unit_test(test_windows_of_streams_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
