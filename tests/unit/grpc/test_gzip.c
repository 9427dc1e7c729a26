/* Tests of grpc/gzip.c: what is compressed is what was there, and what is not worth it is left. */
#include "grpc/gzip.h"

#include "base/mem.h"
#include "grpc/gzipped.h"
#include "grpc/message.h"
#include "store/seeded.h"

#include <stdlib.h>

/* A chain of the text in pieces, every other one in a blob. */
static struct chain chain_of(struct slice text, size_t piece)
{
    struct chain chain = {0};
    for (size_t at = 0, i = 0; at < text.len; at += piece, i++) {
        struct slice part = slice_skip(text, at);
        if (part.len > piece)
            part.len = piece;
        struct blob *blob = i % 2 == 1 ? blob_copy(part) : NULL;
        if (blob != NULL)
            chain_append_blob(&chain, blob, blob_slice(blob));
        else
            memcpy(chain_append(&chain, part.len), part.data, part.len);
    }
    return chain;
}

/* Compresses what follows the first `skipped` bytes. */
static void assert_compressed(struct gzip *gzip, struct slice text, size_t piece, size_t skipped)
{
    struct chain from = chain_of(text, piece), to = {0};
    struct chain_cursor cursor = {0};
    struct slice message = slice_skip(text, skipped);
    chain_skip(&from, &cursor, skipped);
    memcpy(chain_append(&to, 3), "abc", 3);
    size_t compressed = gzip_append(gzip, &from, cursor, message.len, &to);
    assert_true(compressed > 0 && compressed <= message.len - message.len / 8);
    assert_int_equal(chain_length(&to), 3 + GRPC_PREFIX_SIZE + compressed);
    assert_int_equal(to.referenced, 0);
    assert_memory_equal(to.bytes.data, "abc", 3);
    const uint8_t *prefix = to.bytes.data + 3;
    assert_int_equal(prefix[0], GRPC_COMPRESSED);
    assert_int_equal(grpc_message_read_size(prefix), compressed);
    uint8_t *back = mem_alloc(message.len);
    gzipped_restore(slice_make(prefix + GRPC_PREFIX_SIZE, compressed), back, message.len);
    assert_memory_equal(back, message.data, message.len);
    free(back);
    chain_deinit(&from);
    chain_deinit(&to);
}

static void test_messages_in_pieces(void **state)
{
    (void)state;
    static const size_t sizes[] = {GZIP_LEAST + 7, 5000, 16384, 65536, 1000000};
    struct gzip *gzip = gzip_new();
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slice text = gzipped_text(sizes[i]);
        assert_compressed(gzip, text, sizes[i], 0);
        assert_compressed(gzip, text, sizes[i] / 40 + 1, 0); /* more than are taken at a time */
        assert_compressed(gzip, text, 1000, 7);
    }
    gzip_free(gzip);
}

static void assert_left(struct gzip *gzip, struct slice text)
{
    struct chain from = chain_of(text, text.len), to = {0};
    assert_int_equal(gzip_append(gzip, &from, (struct chain_cursor){0}, text.len, &to), 0);
    assert_int_equal(chain_length(&to), 0);
    chain_deinit(&from);
    chain_deinit(&to);
}

static void test_what_is_not_worth_it(void **state)
{
    (void)state;
    struct gzip *gzip = gzip_new();
    assert_left(gzip, gzipped_text(GZIP_LEAST - 1));
    assert_left(NULL, gzipped_text(10000));
    static uint8_t noise[100000];
    uint64_t random = seeded_start();
    seeded_fill(&random, noise, sizeof noise);
    assert_left(gzip, slice_make(noise, sizeof noise));
    /* It is still of use after that. */
    assert_compressed(gzip, gzipped_text(10000), 10000, 0);
    gzip_free(gzip);
    gzip_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages_in_pieces),
        cmocka_unit_test(test_what_is_not_worth_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
