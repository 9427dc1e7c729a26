/* Tests of bench/streams.c: numbers, places, and slow calls among fast ones. */
#include "bench/streams.h"

#include "bench/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/seeded.h"

static void test_numbers_are_odd_and_grow(void **state)
{
    (void)state;
    struct streams streams;
    streams_init(&streams, 3, 1, false);
    for (uint32_t id = 1; id < 100; id += 2) {
        struct stream *stream = streams_open(&streams);
        assert_int_equal(stream->id, id);
        assert_ptr_equal(streams_find(&streams, id), stream);
        assert_null(streams_find(&streams, id + 2));
        streams_close(&streams, stream);
        assert_null(streams_find(&streams, id));
    }
    assert_null(streams_find(&streams, 0));
    streams_deinit(&streams);
}

/* Random opening and closing, against a list of what is open. */
static void test_open_streams_are_found_and_no_others(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 50; round++) {
        uint32_t limit = 1 + seeded_below(&random, 40);
        uint32_t open[40];
        uint32_t count = 0;
        uint32_t last = 0;
        struct streams streams;
        streams_init(&streams, limit, 1, false);
        for (int step = 0; step < 500; step++) {
            if (count < limit && seeded_below(&random, 2) == 0) {
                struct stream *stream = streams_open(&streams);
                assert_true(stream->id > last && stream->id % 2 == 1);
                last = stream->id;
                open[count++] = last;
            } else if (count > 0) {
                uint32_t chosen = seeded_below(&random, count);
                streams_close(&streams, streams_find(&streams, open[chosen]));
                open[chosen] = open[--count];
            }
            assert_int_equal(streams.open, count);
            for (uint32_t i = 0; i < count; i++)
                assert_int_equal(streams_find(&streams, open[i])->id, open[i]);
        }
        streams_deinit(&streams);
    }
}

static void test_a_slow_call_keeps_its_place(void **state)
{
    (void)state;
    struct streams streams;
    streams_init(&streams, 2, 1, false);
    struct stream *slow = streams_open(&streams);
    slow->key = 4711;
    for (int i = 0; i < 1000; i++)
        streams_close(&streams, streams_open(&streams));
    assert_ptr_equal(streams_find(&streams, 1), slow);
    assert_int_equal(slow->key, 4711);
    assert_int_equal(streams.open, 1);
    streams_deinit(&streams);
}

static void test_numbers_run_out(void **state)
{
    (void)state;
    struct streams streams;
    streams_init(&streams, 4, WIRE_MAX_STREAM_ID - 100, false);
    uint32_t opened = 0;
    uint32_t last = 0;
    while (streams_left(&streams)) {
        struct stream *stream = streams_open(&streams);
        last = stream->id;
        streams_close(&streams, stream);
        opened++;
    }
    assert_in_range(opened, 30, 51);
    assert_true(last <= WIRE_MAX_STREAM_ID);
    streams_deinit(&streams);
}

static void test_walking_meets_each_open_stream_once(void **state)
{
    (void)state;
    struct streams streams;
    streams_init(&streams, 10, 1, false);
    uint64_t sum = 0;
    for (int i = 0; i < 10; i++)
        sum += streams_open(&streams)->id;
    uint32_t cursor = 0;
    struct stream *stream;
    while ((stream = streams_next(&streams, &cursor)) != NULL) {
        sum -= stream->id;
        streams_close(&streams, stream);
    }
    assert_int_equal(sum, 0);
    assert_int_equal(streams.open, 0);
    streams_deinit(&streams);
}

static void test_bodies_are_empty_for_the_next_stream(void **state)
{
    (void)state;
    struct streams streams;
    streams_init(&streams, 1, 1, true);
    for (int i = 0; i < 10; i++) {
        struct stream *stream = streams_open(&streams);
        assert_non_null(stream->body);
        assert_int_equal(stream->body->len, 0);
        assert_true(buf_append(stream->body, SLICE_LITERAL("some bytes")));
        streams_close(&streams, stream);
    }
    streams_deinit(&streams);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_are_odd_and_grow),
        cmocka_unit_test(test_open_streams_are_found_and_no_others),
        cmocka_unit_test(test_a_slow_call_keeps_its_place),
        cmocka_unit_test(test_numbers_run_out),
        cmocka_unit_test(test_walking_meets_each_open_stream_once),
        cmocka_unit_test(test_bodies_are_empty_for_the_next_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
