/* Tests of service/streams/consume_reply.c: protobuf-c decodes what it has written. */
#include "service/streams/consume_reply.h"

#include "base/blob.h"
#include "base/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "service/messages.h"

static Keystore__V1__ConsumeReply *write_and_read(struct consume_reply *reply, size_t room)
{
    struct chain chain = {0};
    struct chain_cursor cursor = {0};
    struct iovec piece;
    size_t size = consume_reply_measure(reply, room), copied = 0;
    uint8_t *bytes = malloc(size + 1);
    consume_reply_write(reply, &chain);
    assert_int_equal(chain_length(&chain), size);
    while (chain_pieces(&chain, cursor, &piece, 1) == 1) {
        memcpy(bytes + copied, piece.iov_base, piece.iov_len);
        copied += piece.iov_len;
        chain_skip(&chain, &cursor, piece.iov_len);
    }
    chain_deinit(&chain);
    Keystore__V1__ConsumeReply *read = keystore__v1__consume_reply__unpack(NULL, size, bytes);
    assert_non_null(read);
    free(bytes);
    return read;
}

static void test_what_is_written_can_be_read(void **state)
{
    (void)state;
    struct consume_start *start = calloc(1, sizeof *start + 2 * sizeof *start->keys);
    struct consume_ids done = {0}, returned = {0};
    struct blob *blob = blob_copy(SLICE_LITERAL("shared"));
    struct slice values[] = {SLICE_LITERAL("short"), SLICE_LITERAL(""), blob_slice(blob)};
    struct blob *blobs[] = {NULL, NULL, blob};
    struct deliveries deliveries = {0};
    start->keys[0] = SLICE_LITERAL("a");
    start->keys[1] = SLICE_LITERAL("bc");
    deliveries_add(&deliveries,
                   &(struct op_result){.values = values, .blobs = blobs, .value_count = 3}, 1);
    for (uint64_t id = 1; id <= 1000; id++)
        consume_reply_add_id(&done, id);
    consume_reply_add_id(&returned, 5);
    struct consume_reply reply = {
        .start = start, .first = deliveries.unwritten, .done = &done, .returned = &returned};
    Keystore__V1__ConsumeReply *read = write_and_read(&reply, 100000);
    assert_int_equal(read->n_deliveries, 3);
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(read->deliveries[i]->id, i + 1);
        assert_bytes_are(read->deliveries[i]->key, "bc");
    }
    assert_bytes_are(read->deliveries[0]->value, "short");
    assert_bytes_are(read->deliveries[1]->value, "");
    assert_bytes_are(read->deliveries[2]->value, "shared");
    assert_int_equal(read->n_done, 1000);
    assert_int_equal(read->done[999], 1000);
    assert_int_equal(read->n_returned, 1);
    assert_int_equal(read->returned[0], 5);
    keystore__v1__consume_reply__free_unpacked(read, NULL);
    assert_int_equal(done.count + returned.count, 0);
    read = write_and_read(&reply, 1); /* one at least */
    assert_int_equal(reply.count, 1);
    assert_int_equal(read->n_deliveries, 1);
    assert_int_equal(read->n_done, 0);
    keystore__v1__consume_reply__free_unpacked(read, NULL);
    deliveries_deinit(&deliveries);
    blob_release(blob);
    free(done.ids);
    free(returned.ids);
    free(start);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_written_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
