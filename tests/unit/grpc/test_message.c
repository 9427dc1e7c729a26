/* Tests of grpc/message.c: messages in one piece and in many, and invalid input. */
#include "grpc/message.h"

#include "base/account.h"
#include "base/mem.h"
#include "base/runs.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/addresses.h"
#include "grpc/gzipped.h"

#define MAX ((size_t)1000)

static const uint8_t framed[] = "\0\0\0\0\x0b"
                                "the message";
#define FRAMED_LEN (sizeof framed - 1)

/* Passes a copy of the bytes and frees it, so that bytes not kept cannot be read. */
static void take_copy(struct grpc_message *message, const uint8_t *bytes, size_t len)
{
    const char *why = NULL;
    uint8_t *copy = mem_alloc(len);
    memcpy(copy, bytes, len);
    assert_int_equal(grpc_message_take(message, slice_make(copy, len), MAX, &why), ERR_NONE);
    grpc_message_keep(message);
    free(copy);
}

static void assert_complete(const struct grpc_message *message)
{
    const char *why = NULL;
    assert_int_equal(grpc_message_check_complete(message, &why), ERR_NONE);
    assert_true(slice_equal(grpc_message_bytes(message), SLICE_LITERAL("the message")));
}

static void test_whole_message_is_not_copied(void **state)
{
    (void)state;
    const char *why = NULL;
    struct grpc_message message = {0};
    assert_int_equal(grpc_message_take(&message, slice_make(framed, FRAMED_LEN), MAX, &why),
                     ERR_NONE);
    assert_complete(&message);
    assert_ptr_equal(grpc_message_bytes(&message).data, framed + GRPC_PREFIX_SIZE);
    assert_int_equal(message.gathered.len, 0);
    grpc_message_deinit(&message);
}

static void test_a_whole_message_is_borrowed(void **state)
{
    (void)state;
    struct grpc_message message = {0};
    assert_true(grpc_message_borrow(&message, slice_make(framed, FRAMED_LEN), 11));
    assert_complete(&message);
    assert_ptr_equal(grpc_message_bytes(&message).data, framed + GRPC_PREFIX_SIZE);
    grpc_message_keep(&message);
    assert_complete(&message);
    assert_int_equal(grpc_message_gathered(&message), 11);
    grpc_message_deinit(&message);
}

/* Then nothing is done, and grpc_message_take() reports what is wrong, if anything. */
static void assert_not_borrowed(const void *bytes, size_t len, size_t max)
{
    struct grpc_message message = {0};
    static const struct grpc_message none = {0};
    assert_false(grpc_message_borrow(&message, slice_make(bytes, len), max));
    assert_memory_equal(&message, &none, sizeof none);
}

static void test_nothing_else_is_borrowed(void **state)
{
    (void)state;
    const char *why = NULL;
    struct grpc_message begun = {0};
    assert_not_borrowed(framed, FRAMED_LEN, 10);
    assert_not_borrowed(framed, FRAMED_LEN - 1, MAX);
    assert_not_borrowed(framed, FRAMED_LEN + 1, MAX);
    assert_not_borrowed(framed, GRPC_PREFIX_SIZE, MAX);
    assert_not_borrowed(framed, 1, MAX);
    assert_not_borrowed("\0\0\0\0\0", GRPC_PREFIX_SIZE, MAX);
    assert_not_borrowed("\1\0\0\0\1x", GRPC_PREFIX_SIZE + 1, MAX);
    assert_not_borrowed("\2\0\0\0\1x", GRPC_PREFIX_SIZE + 1, MAX);
    assert_int_equal(grpc_message_take(&begun, slice_make(framed, 1), MAX, &why), ERR_NONE);
    assert_false(grpc_message_borrow(&begun, slice_make(framed, FRAMED_LEN), MAX));
    grpc_message_deinit(&begun);
}

static void test_message_after_its_prefix_is_not_copied_either(void **state)
{
    (void)state;
    const char *why = NULL;
    struct grpc_message message = {0};
    assert_int_equal(grpc_message_take(&message, slice_make(framed, 5), MAX, &why), ERR_NONE);
    assert_int_equal(grpc_message_take(&message, slice_make(framed + 5, FRAMED_LEN - 5), MAX, &why),
                     ERR_NONE);
    assert_complete(&message);
    assert_ptr_equal(grpc_message_bytes(&message).data, framed + GRPC_PREFIX_SIZE);
    grpc_message_deinit(&message);
}

static void test_keep_copies_what_is_borrowed(void **state)
{
    (void)state;
    struct grpc_message message = {0};
    take_copy(&message, framed, FRAMED_LEN);
    assert_complete(&message);
    grpc_message_keep(&message); /* nothing more to copy */
    assert_complete(&message);
    grpc_message_deinit(&message);
}

/* Memory is at most 32 times the bytes received, and grows in few steps. */
static void test_memory_runs_ahead_of_what_has_arrived(void **state)
{
    (void)state;
    static const uint8_t piece[1024];
    static const uint8_t prefix[GRPC_PREFIX_SIZE] = {0, 0, 1, 0, 0}; /* 64 KiB follow */
    const size_t expected = sizeof piece * 64;
    const char *why = NULL;
    struct grpc_message message = {0};
    assert_int_equal(grpc_message_take(&message, slice_make(prefix, sizeof prefix), expected, &why),
                     ERR_NONE);
    assert_int_equal(message.gathered.cap, 0);
    size_t steps = 0, before = 0;
    for (size_t arrived = sizeof piece; arrived <= expected; arrived += sizeof piece) {
        assert_int_equal(
            grpc_message_take(&message, slice_make(piece, sizeof piece), expected, &why), ERR_NONE);
        assert_int_equal(grpc_message_gathered(&message), arrived);
        assert_true(grpc_message_memory(&message) <= 32 * arrived);
        assert_true(grpc_message_memory(&message) <= expected);
        steps += grpc_message_memory(&message) != before;
        before = grpc_message_memory(&message);
    }
    assert_int_equal(steps, 2); /* a part in 32, and all */
    assert_int_equal(grpc_message_check_complete(&message, &why), ERR_NONE);
    grpc_message_deinit(&message);
}

static void test_three_pieces_cut_anywhere(void **state)
{
    (void)state;
    for (size_t one = 0; one <= FRAMED_LEN; one++) {
        for (size_t two = one; two <= FRAMED_LEN; two++) {
            struct grpc_message message = {0};
            take_copy(&message, framed, one);
            take_copy(&message, framed + one, two - one);
            take_copy(&message, framed + two, FRAMED_LEN - two);
            assert_complete(&message);
            grpc_message_deinit(&message);
        }
    }
}

#define LARGEST ((size_t)70000)

/* A prefix, and bytes that identify their positions. */
static const uint8_t *large_framed(size_t len)
{
    static uint8_t bytes[GRPC_PREFIX_SIZE + LARGEST];
    grpc_message_write_prefix(bytes, len);
    for (size_t i = 0; i < len; i++)
        bytes[GRPC_PREFIX_SIZE + i] = (uint8_t)(i * 31 >> 3);
    return bytes;
}

/* The two halves come in pieces of `piece` bytes, and what the message holds is counted. */
static void take_large(size_t len, size_t cut, size_t piece)
{
    const char *why = NULL;
    const uint8_t *bytes = large_framed(len);
    const size_t end = GRPC_PREFIX_SIZE + len, used = account_used(), runs = runs_used();
    struct grpc_message message = {0};
    for (size_t at = 0, size; at < end; at += size) {
        size = at < cut && at + piece > cut ? cut - at : piece;
        if (size > end - at)
            size = end - at;
        assert_int_equal(grpc_message_take(&message, slice_make(bytes + at, size), LARGEST, &why),
                         ERR_NONE);
        grpc_message_keep(&message);
        assert_int_equal(account_used() - used, runs_used() - runs);
    }
    assert_int_equal(grpc_message_check_complete(&message, &why), ERR_NONE);
    assert_int_equal(message.blob != NULL, len >= ACCOUNT_LEAST);
    struct slice whole = grpc_message_bytes(&message);
    assert_true(slice_equal(whole, slice_make(bytes + GRPC_PREFIX_SIZE, len)));
    if (message.blob != NULL)
        assert_int_equal(blob_memory(message.blob), runs_used() - runs);
    grpc_message_deinit(&message);
    assert_int_equal(account_used(), used);
    assert_int_equal(runs_used(), runs);
}

static void test_a_large_message_comes_to_be_a_blob(void **state)
{
    (void)state;
    static const size_t sizes[] = {ACCOUNT_LEAST - 1, ACCOUNT_LEAST, ACCOUNT_LEAST + 1, LARGEST};
    static const size_t pieces[] = {1, 100, 4096, 16384, 20000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        for (size_t j = 0; j < sizeof pieces / sizeof pieces[0]; j++)
            take_large(sizes[i], 0, pieces[j]);
    for (size_t cut = 1; cut < ACCOUNT_LEAST + 1; cut++)
        take_large(ACCOUNT_LEAST, cut, 16384);
}

/* Before it is complete. */
static void test_a_blob_that_the_account_has_not_is_refused(void **state)
{
    (void)state;
    const char *why = NULL;
    const size_t runs = runs_used();
    const uint8_t *bytes = large_framed(LARGEST);
    const struct slice half = slice_make(bytes, LARGEST / 2);
    struct grpc_message message = {0};
    account_set_limit(LARGEST);
    account_count(ACCOUNT_CLIENTS, LARGEST);
    assert_int_equal(grpc_message_take(&message, half, LARGEST, &why), ERR_NO_CLIENT_MEMORY);
    assert_non_null(strstr(why, "--max-client-memory; try again"));
    assert_int_equal(runs_used(), runs);
    grpc_message_deinit(&message);
    message = (struct grpc_message){0};
    assert_int_equal(
        grpc_message_take(&message, slice_make(bytes, GRPC_PREFIX_SIZE + LARGEST), LARGEST, &why),
        ERR_NONE);
    grpc_message_keep(&message);
    assert_non_null(message.blob);
    grpc_message_deinit(&message);
    assert_int_equal(account_used(), LARGEST);
    account_count(ACCOUNT_CLIENTS, -(ptrdiff_t)LARGEST);
    account_set_limit(SIZE_MAX);
}

/* A holder may cut the blob: the message stays readable. */
static void test_its_blob_is_cut_to_a_value(void **state)
{
    (void)state;
    const char *why = NULL;
    const size_t used = account_used(), runs = runs_used();
    const uint8_t *bytes = large_framed(LARGEST);
    struct grpc_message message = {0};
    for (size_t at = 0; at < GRPC_PREFIX_SIZE + LARGEST; at += LARGEST / 2 + GRPC_PREFIX_SIZE) {
        size_t left = GRPC_PREFIX_SIZE + LARGEST - at, half = LARGEST / 2 + GRPC_PREFIX_SIZE;
        assert_int_equal(grpc_message_take(&message,
                                           slice_make(bytes + at, left < half ? left : half),
                                           LARGEST, &why),
                         ERR_NONE);
    }
    struct slice whole = grpc_message_bytes(&message);
    struct slice value = slice_make(whole.data + 30, LARGEST - 40);
    struct blob *kept = blob_cut(message.blob, value);
    assert_ptr_equal(kept, message.blob);
    assert_int_equal(grpc_message_check_complete(&message, &why), ERR_NONE);
    assert_int_equal(grpc_message_gathered(&message), LARGEST);
    assert_true(slice_equal(grpc_message_bytes(&message), whole));
    assert_int_equal(whole.data[0], bytes[GRPC_PREFIX_SIZE]);
    grpc_message_deinit(&message);
    assert_int_equal(account_used(), used); /* its holder accounts for it */
    assert_int_equal(runs_used(), runs + blob_memory(kept));
    assert_true(slice_equal(blob_slice(kept), value));
    blob_release(kept);
    assert_int_equal(runs_used(), runs);
}

static void test_byte_by_byte_is_complete_only_at_the_end(void **state)
{
    (void)state;
    struct grpc_message message = {0};
    for (size_t i = 0; i < FRAMED_LEN; i++) {
        const char *why = NULL;
        enum err expected = i == 0 ? ERR_NOT_SERVED : ERR_BAD_MESSAGE;
        assert_int_equal(grpc_message_check_complete(&message, &why), expected);
        assert_non_null(why);
        take_copy(&message, framed + i, 1);
    }
    assert_complete(&message);
    grpc_message_deinit(&message);
}

static void test_empty_message(void **state)
{
    (void)state;
    const char *why = NULL;
    struct grpc_message message = {0};
    assert_int_equal(grpc_message_take(&message, slice_make("\0\0\0\0\0", 5), MAX, &why), ERR_NONE);
    assert_int_equal(grpc_message_check_complete(&message, &why), ERR_NONE);
    assert_int_equal(grpc_message_bytes(&message).len, 0);
    assert_int_equal(grpc_message_take(&message, SLICE_LITERAL("x"), MAX, &why), ERR_NOT_SERVED);
    grpc_message_deinit(&message);
}

/* Small ones go to a buffer, large ones to a blob of exactly their size; what is corrupt stays. */
static void test_inflated_messages(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, ACCOUNT_LEAST - 1, ACCOUNT_LEAST, 300000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const char *why = NULL;
        struct slice text = gzipped_text(sizes[i]);
        struct buf wire = gzipped_message(text);
        struct grpc_message message = {0};
        assert_int_equal(grpc_message_take(&message, buf_slice(&wire), SIZE_MAX, &why), ERR_NONE);
        grpc_message_keep(&message);
        assert_true(grpc_message_is_compressed(&message));
        size_t arrived = grpc_message_gathered(&message);
        uint8_t *checksum = (uint8_t *)grpc_message_bytes(&message).data + arrived - 5;
        *checksum ^= 1;
        assert_int_equal(grpc_message_inflate(&message, text.len, &why), ERR_BAD_MESSAGE);
        assert_int_equal(grpc_message_gathered(&message), arrived);
        *checksum ^= 1;
        assert_int_equal(grpc_message_inflate(&message, text.len, &why), ERR_NONE);
        assert_false(grpc_message_is_compressed(&message));
        assert_true(slice_equal(grpc_message_bytes(&message), text));
        assert_int_equal(grpc_message_check_complete(&message, &why), ERR_NONE);
        assert_int_equal(message.blob != NULL, text.len >= ACCOUNT_LEAST);
        if (message.blob != NULL)
            assert_int_equal(message.blob->capacity, text.len);
        grpc_message_deinit(&message);
        buf_deinit(&wire);
    }
}

/* The error for the bytes in one piece; the error message must contain `word`. */
static void assert_error(struct slice bytes, enum err expected, const char *word)
{
    const char *why = NULL;
    struct grpc_message message = {0};
    assert_int_equal(grpc_message_take(&message, bytes, MAX, &why), expected);
    assert_non_null(why);
    assert_non_null(strstr(why, word));
    grpc_message_deinit(&message);
}

static void test_faults(void **state)
{
    (void)state;
    assert_error(slice_make("\2\0\0\0\1x", 6), ERR_BAD_MESSAGE, "neither 0 nor 1");
    assert_error(slice_make("\xff\0\0\0\0", 5), ERR_BAD_MESSAGE, "neither 0 nor 1");
    assert_error(slice_make("\0\0\0\0\1xy", 7), ERR_NOT_SERVED, "more than one");
    assert_error(slice_make("\0\0\0\0\0\0", 6), ERR_NOT_SERVED, "more than one");
    assert_error(slice_make("\0\0\0\0\1x\0\0\0\0\1x", 12), ERR_NOT_SERVED, "more than one");
}

static void test_second_message_in_another_piece(void **state)
{
    (void)state;
    for (size_t kept = 0; kept < 2; kept++) {
        const char *why = NULL;
        struct grpc_message message = {0};
        assert_int_equal(grpc_message_take(&message, slice_make(framed, FRAMED_LEN), MAX, &why),
                         ERR_NONE);
        if (kept == 1)
            grpc_message_keep(&message);
        assert_int_equal(grpc_message_take(&message, SLICE_LITERAL("x"), MAX, &why),
                         ERR_NOT_SERVED);
        grpc_message_deinit(&message);
    }
}

static void test_size_is_checked_at_the_prefix(void **state)
{
    (void)state;
    const char *why = NULL;
    struct grpc_message fits = {0}, big = {0}, biggest = {0};
    uint8_t prefix[GRPC_PREFIX_SIZE];
    grpc_message_write_prefix(prefix, MAX);
    assert_int_equal(grpc_message_take(&fits, slice_make(prefix, sizeof prefix), MAX, &why),
                     ERR_NONE);
    grpc_message_write_prefix(prefix, MAX + 1);
    assert_int_equal(grpc_message_take(&big, slice_make(prefix, 4), MAX, &why), ERR_NONE);
    assert_int_equal(grpc_message_take(&big, slice_make(prefix + 4, 1), MAX, &why), ERR_TOO_LARGE);
    assert_int_equal(big.gathered.cap, 0); /* no memory was allocated */
    assert_int_equal(grpc_message_take(&biggest, slice_make("\0\xff\xff\xff\xff", 5), MAX, &why),
                     ERR_TOO_LARGE);
    grpc_message_deinit(&fits);
    grpc_message_deinit(&big);
    grpc_message_deinit(&biggest);
}

static void test_memory_grows_with_what_arrives(void **state)
{
    (void)state;
    const size_t size = 64 * 1024 * 1024;
    const char *why = NULL;
    struct grpc_message message = {0};
    uint8_t prefix[GRPC_PREFIX_SIZE];
    grpc_message_write_prefix(prefix, size);
    assert_int_equal(grpc_message_take(&message, slice_make(prefix, sizeof prefix), size, &why),
                     ERR_NONE);
    assert_int_equal(grpc_message_take(&message, SLICE_LITERAL("only this"), size, &why), ERR_NONE);
    assert_true(message.gathered.cap < 4096);
    assert_int_equal(grpc_message_check_complete(&message, &why), ERR_BAD_MESSAGE);
    grpc_message_deinit(&message);
}

static void test_there_may_be_no_memory(void **state)
{
    (void)state;
    const char *why = NULL;
    static const uint8_t prefix[GRPC_PREFIX_SIZE] = {0, 4, 0, 0, 0}; /* 64 MiB */
    static const uint8_t bytes[4 * 1024 * 1024];
    struct grpc_message message = {0};
    if (!ADDRESSES_ARE_LIMITABLE)
        skip();
    leave_addresses(32 * 1024 * 1024);
    assert_int_equal(grpc_message_take(&message, slice_make(prefix, sizeof prefix), SIZE_MAX, &why),
                     ERR_NONE);
    assert_int_equal(grpc_message_take(&message, slice_make(bytes, sizeof bytes), SIZE_MAX, &why),
                     ERR_NO_CLIENT_MEMORY);
    assert_ptr_equal(why, account_starved);
    grpc_message_deinit(&message);
    leave_addresses(SIZE_MAX);
}

static void test_prefix_that_is_written(void **state)
{
    (void)state;
    uint8_t prefix[GRPC_PREFIX_SIZE];
    memset(prefix, 0x5a, sizeof prefix);
    grpc_message_write_prefix(prefix, 0);
    assert_memory_equal(prefix, "\0\0\0\0\0", sizeof prefix);
    grpc_message_write_prefix(prefix, 0x01020304);
    assert_memory_equal(prefix, "\0\1\2\3\4", sizeof prefix);
    grpc_message_write_prefix(prefix, 0xfffefdfc);
    assert_memory_equal(prefix, "\0\xff\xfe\xfd\xfc", sizeof prefix);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_message_is_not_copied),
        cmocka_unit_test(test_a_whole_message_is_borrowed),
        cmocka_unit_test(test_nothing_else_is_borrowed),
        cmocka_unit_test(test_message_after_its_prefix_is_not_copied_either),
        cmocka_unit_test(test_keep_copies_what_is_borrowed),
        cmocka_unit_test(test_memory_runs_ahead_of_what_has_arrived),
        cmocka_unit_test(test_three_pieces_cut_anywhere),
        cmocka_unit_test(test_a_large_message_comes_to_be_a_blob),
        cmocka_unit_test(test_its_blob_is_cut_to_a_value),
        cmocka_unit_test(test_byte_by_byte_is_complete_only_at_the_end),
        cmocka_unit_test(test_empty_message),
        cmocka_unit_test(test_inflated_messages),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_a_blob_that_the_account_has_not_is_refused),
        cmocka_unit_test(test_second_message_in_another_piece),
        cmocka_unit_test(test_size_is_checked_at_the_prefix),
        cmocka_unit_test(test_memory_grows_with_what_arrives),
        cmocka_unit_test(test_there_may_be_no_memory),
        cmocka_unit_test(test_prefix_that_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
