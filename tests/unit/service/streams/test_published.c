/* Tests of service/streams/published.c: what a message looks like on the wire, and its memory. */
#include "service/streams/published.h"

#include "base/account.h"
#include "base/chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>
#include <mini_redis.pb-c.h>

static const struct slice name = {(const uint8_t *)"news", 4};

static struct published *make(struct slice payload, struct blob *holder, size_t workers)
{
    account_count(ACCOUNT_CLIENTS, (ptrdiff_t)published_memory(name, payload, holder, workers));
    return published_new(name, payload, holder, workers);
}

/* The bytes of the chain, for the caller to free. */
static struct slice flatten(const struct chain *chain)
{
    uint8_t *bytes = malloc(chain_length(chain) + 1);
    struct chain_cursor cursor = {0};
    struct iovec piece;
    size_t len = 0;
    while (chain_pieces(chain, cursor, &piece, 1) == 1) {
        memcpy(bytes + len, piece.iov_base, piece.iov_len);
        len += piece.iov_len;
        chain_skip(chain, &cursor, piece.iov_len);
    }
    return slice_make(bytes, len);
}

static void assert_written(const struct published *message, struct slice payload, uint64_t missed)
{
    struct chain chain = {0};
    published_write(message, missed, &chain);
    assert_int_equal(chain_length(&chain), published_size(message, missed));
    struct slice bytes = flatten(&chain);
    Keystore__V1__Message *decoded = keystore__v1__message__unpack(NULL, bytes.len, bytes.data);
    assert_non_null(decoded);
    assert_int_equal(decoded->channel.len, name.len);
    assert_memory_equal(decoded->channel.data, name.data, name.len);
    assert_int_equal(decoded->payload.len, payload.len);
    if (payload.len > 0)
        assert_memory_equal(decoded->payload.data, payload.data, payload.len);
    assert_int_equal(decoded->sequence, message->sequence);
    assert_int_equal(decoded->missed, missed);
    keystore__v1__message__free_unpacked(decoded, NULL);
    free((void *)bytes.data);
    chain_deinit(&chain);
}

static void test_messages_of_all_sizes(void **state)
{
    (void)state;
    static const size_t sizes[] = {0,     1,     17,    127,      128,        16383,
                                   16384, 16385, 99999, 1u << 20, BLOB_LEAST, 3u << 20};
    uint8_t *bytes = malloc((size_t)4 << 20);
    for (size_t i = 0; i < (size_t)4 << 20; i++)
        bytes[i] = (uint8_t)(i * 7 >> 3);
    size_t before = account_used();
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct slice payload = slice_make(bytes, sizes[i]);
        struct published *message = make(payload, NULL, 3);
        message->sequence = 1 + i * 1000000;
        assert_true(account_used() >= before + sizes[i]);
        assert_written(message, payload, 0);
        assert_written(message, payload, 12345);
        published_release(message);
        assert_int_equal(account_used(), before);
    }
    free(bytes);
}

/* A large payload is not copied if its blob is there. */
static void test_a_blob_is_shared(void **state)
{
    (void)state;
    size_t before = account_used();
    struct blob *blob = blob_new(100000);
    memset(blob->data, 'x', 100000);
    struct slice payload = slice_make(blob->data + 10, 99990);
    struct published *message = make(payload, blob, 1);
    message->sequence = 1;
    assert_ptr_equal(message->payload.data, payload.data);
    blob_release(blob);
    assert_written(message, payload, 1);
    published_release(message);
    assert_int_equal(account_used(), before);
}

/* The last of publisher and workers frees it, a worker when its last subscription leaves. */
static void test_holds(void **state)
{
    (void)state;
    size_t before = account_used();
    struct published *message = make(name, NULL, 2);
    published_retain(message);
    message->deliveries[1].holders = 2;
    published_release(message);
    published_leave(&message->deliveries[1]);
    assert_true(account_used() > before);
    published_leave(&message->deliveries[1]);
    assert_int_equal(account_used(), before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_of_all_sizes),
        cmocka_unit_test(test_a_blob_is_shared),
        cmocka_unit_test(test_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
