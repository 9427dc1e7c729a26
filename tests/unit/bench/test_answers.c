/* Tests of bench/answers.c: meanings, and that what is remembered is forgotten in time. */
#include "bench/answers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <string.h>

/* A server's encoder and the answers that read it. */
struct fixture {
    nghttp2_hd_deflater *deflater;
    struct answers answers;
};

static void setup(struct fixture *fixture)
{
    assert_int_equal(nghttp2_hd_deflate_new(&fixture->deflater, 4096), 0);
    answers_init(&fixture->answers);
}

static void teardown(struct fixture *fixture)
{
    nghttp2_hd_deflate_del(fixture->deflater);
    answers_deinit(&fixture->answers);
}

/* Encodes up to two fields (NULL: none) as the server would, and decodes them. */
static struct answer send(struct fixture *fixture, const char *name, const char *value,
                          const char *name2, const char *value2)
{
    nghttp2_nv fields[2] = {
        {(uint8_t *)(uintptr_t)name, (uint8_t *)(uintptr_t)value, strlen(name), strlen(value), 0}};
    if (name2 != NULL)
        fields[1] = (nghttp2_nv){(uint8_t *)(uintptr_t)name2, (uint8_t *)(uintptr_t)value2,
                                 strlen(name2), strlen(value2), 0};
    uint8_t block[1000];
    ssize_t len = nghttp2_hd_deflate_hd(fixture->deflater, block, sizeof block, fields,
                                        name2 != NULL ? 2 : 1);
    assert_true(len > 0);
    struct answer answer;
    assert_true(answers_decode(&fixture->answers, slice_make(block, (size_t)len), &answer));
    return answer;
}

static void test_statuses_are_read(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    struct answer answer = send(&fixture, ":status", "200", "content-type", "application/grpc");
    assert_int_equal(answer.http_status, 200);
    assert_int_equal(answer.grpc_status, -1);
    answer = send(&fixture, "grpc-status", "9", "grpc-message", "wrong type");
    assert_int_equal(answer.http_status, 0);
    assert_int_equal(answer.grpc_status, 9);
    answer = send(&fixture, ":status", "503", "grpc-status", "14");
    assert_int_equal(answer.http_status, 503);
    assert_int_equal(answer.grpc_status, 14);
    teardown(&fixture);
}

static void test_statuses_that_are_none_are_unknown(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    const char *const values[] = {"", "17", "1000", "-1", "ok", "0x0"};
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++)
        assert_int_equal(send(&fixture, "grpc-status", values[i], NULL, NULL).grpc_status, 2);
    teardown(&fixture);
}

static void test_repeated_blocks_are_remembered(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    for (int i = 0; i < 10; i++) {
        assert_int_equal(
            send(&fixture, ":status", "200", "content-type", "application/grpc").http_status, 200);
        assert_int_equal(send(&fixture, "grpc-status", "0", NULL, NULL).grpc_status, 0);
    }
    /* Of each kind the first filled the table; the second was all indexed and inflated once more.
     */
    assert_true(fixture.answers.remembered >= 2 * (10 - 3));
    teardown(&fixture);
}

/*
 * The same byte names another field once something was put into the table before it: a memo that
 * outlives the table would take a 5 for a 0.
 */
static void test_memos_do_not_outlive_the_table(void **state)
{
    (void)state;
    struct answers answers;
    answers_init(&answers);
    /* Literals with indexing: "grpc-status: 0", then "grpc-status: 5" before it. */
    const struct slice zero = SLICE_LITERAL("\x40\x0bgrpc-status\x01"
                                            "0");
    const struct slice five = SLICE_LITERAL("\x40\x0bgrpc-status\x01"
                                            "5");
    const struct slice first_entry = SLICE_LITERAL("\xbe");
    struct answer answer;
    assert_true(answers_decode(&answers, zero, &answer));
    for (int i = 0; i < 3; i++) {
        assert_true(answers_decode(&answers, first_entry, &answer));
        assert_int_equal(answer.grpc_status, 0);
    }
    assert_int_equal(answers.remembered, 2);
    assert_true(answers_decode(&answers, five, &answer));
    assert_true(answers_decode(&answers, first_entry, &answer));
    assert_int_equal(answer.grpc_status, 5);
    /* A table size update alone empties it: then the index is wrong. */
    const struct slice emptied = SLICE_LITERAL("\x20\x88");
    assert_true(answers_decode(&answers, emptied, &answer));
    assert_int_equal(answer.http_status, 200);
    assert_false(answers_decode(&answers, first_entry, &answer));
    answers_deinit(&answers);
}

static void test_more_kinds_of_answers_than_memos_are_still_right(void **state)
{
    (void)state;
    struct fixture fixture;
    setup(&fixture);
    for (int round = 0; round < 5; round++) {
        for (int status = 0; status <= 16; status++) {
            char text[12];
            snprintf(text, sizeof text, "%d", status);
            assert_int_equal(send(&fixture, "grpc-status", text, NULL, NULL).grpc_status, status);
        }
    }
    teardown(&fixture);
}

static void test_garbage_does_not_decode(void **state)
{
    (void)state;
    struct answers answers;
    struct answer answer;
    answers_init(&answers);
    assert_false(answers_decode(&answers, SLICE_LITERAL("\xbe"), &answer)); /* empty table */
    answers_deinit(&answers);
    answers_init(&answers);
    assert_false(answers_decode(&answers, SLICE_LITERAL("\x40\x0bgrpc"), &answer)); /* cut off */
    answers_deinit(&answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statuses_are_read),
        cmocka_unit_test(test_statuses_that_are_none_are_unknown),
        cmocka_unit_test(test_repeated_blocks_are_remembered),
        cmocka_unit_test(test_memos_do_not_outlive_the_table),
        cmocka_unit_test(test_more_kinds_of_answers_than_memos_are_still_right),
        cmocka_unit_test(test_garbage_does_not_decode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
