/* Tests of grpc/gunzip.c: whole members, and every way in which one can be wrong. */
#include "grpc/gunzip.h"

#include "base/mem.h"
#include "grpc/gzipped.h"
#include "store/seeded.h"

#include <stdlib.h>

#define MAX ((size_t)2 * 1024 * 1024)

/* Inflates in memory of exactly the right size, so that a sanitizer sees a byte too many. */
static enum err inflate_all(struct slice member, struct slice expected, const char **why)
{
    size_t size;
    enum err err = gunzip_size(member, MAX, &size, why);
    if (err != ERR_NONE)
        return err;
    uint8_t *out = mem_alloc(size + 1);
    uint8_t *in = mem_alloc(member.len);
    memcpy(in, member.data, member.len);
    err = gunzip(slice_make(in, member.len), out, size, why);
    if (err == ERR_NONE) {
        assert_int_equal(size, expected.len);
        assert_memory_equal(out, expected.data, size);
    }
    free(in);
    free(out);
    return err;
}

static void test_whole_members(void **state)
{
    (void)state;
    static const size_t sizes[] = {0, 1, 100, 1000, 65536, 1000000, MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct slice text = gzipped_text(sizes[i]);
        struct buf member = gzipped(text);
        const char *why;
        assert_int_equal(inflate_all(buf_slice(&member), text, &why), ERR_NONE);
        buf_deinit(&member);
    }
}

static void assert_bad(struct slice member, const char *word)
{
    const char *why = NULL;
    assert_int_equal(inflate_all(member, (struct slice){0}, &why), ERR_BAD_MESSAGE);
    assert_non_null(strstr(why, word));
    assert_non_null(strstr(why, "exactly one gzip member"));
}

static void test_every_truncation(void **state)
{
    (void)state;
    struct buf member = gzipped(gzipped_text(500));
    for (size_t len = 0; len < member.len; len++)
        assert_bad(slice_make(member.data, len), "not valid gzip");
    buf_deinit(&member);
}

static void test_every_bit_wrong(void **state)
{
    (void)state;
    struct slice text = gzipped_text(500);
    struct buf member = gzipped(text);
    size_t found = 0;
    for (size_t i = 0; i < member.len * 8; i++) {
        const char *why = NULL;
        member.data[i / 8] ^= (uint8_t)(1 << i % 8);
        enum err err = inflate_all(buf_slice(&member), text, &why);
        /* Some bits, such as those of the time, say nothing of the text; a match may be elsewhere.
         */
        assert_true(err == ERR_BAD_MESSAGE || err == ERR_NONE);
        found += err == ERR_BAD_MESSAGE;
        member.data[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    assert_true(found > member.len * 7);
    buf_deinit(&member);
}

static void test_random_damage(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct slice text = gzipped_text(3000);
    struct buf member = gzipped(text);
    for (size_t i = 0; i < 20000; i++) {
        const char *why = NULL;
        uint8_t damaged[4000];
        size_t len = member.len;
        assert_true(len <= sizeof damaged);
        memcpy(damaged, member.data, len);
        for (size_t k = 0; k < 1 + i % 4; k++)
            damaged[10 + seeded_below(&random, (uint32_t)len - 10)] ^=
                (uint8_t)(1 + seeded_below(&random, 255));
        enum err err = inflate_all(slice_make(damaged, len), text, &why);
        /* Some bits have no meaning; and the size may have become that of a bomb. */
        assert_true(err == ERR_NONE || err == ERR_BAD_MESSAGE || err == ERR_TOO_LARGE);
    }
    buf_deinit(&member);
}

static void test_what_follows_the_member(void **state)
{
    (void)state;
    struct slice text = gzipped_text(500);
    struct buf member = gzipped(text), second = gzipped(text);
    assert_true(buf_append(&second, buf_slice(&member)));
    assert_bad(buf_slice(&second), "bytes follow its end");
    /* Garbage that says the right size. */
    struct slice size = slice_make(member.data + member.len - 4, 4);
    uint8_t copy[4];
    memcpy(copy, size.data, 4);
    assert_true(buf_append(&member, SLICE_LITERAL("garbage")));
    assert_true(buf_append(&member, slice_make(copy, 4)));
    assert_bad(buf_slice(&member), "bytes follow its end");
    buf_deinit(&member);
    buf_deinit(&second);
}

static void write_size(struct buf *member, size_t size)
{
    for (size_t i = 0; i < 4; i++)
        member->data[member->len - 4 + i] = (uint8_t)(size >> 8 * i);
}

/* Nothing is written beyond what was said. */
static void test_sizes_that_lie(void **state)
{
    (void)state;
    struct buf member = gzipped(gzipped_text(500));
    write_size(&member, 0);
    assert_bad(buf_slice(&member), "more than it says");
    write_size(&member, 499);
    assert_bad(buf_slice(&member), "more than it says");
    write_size(&member, 501);
    assert_bad(buf_slice(&member), "incorrect length check");
    write_size(&member, 0xffffffff);
    assert_bad(buf_slice(&member), "its last four bytes are not its size");
    buf_deinit(&member);
}

static void assert_too_large(size_t size, size_t max, const char *one, const char *other)
{
    uint8_t *zeros = mem_alloc_zero(size);
    struct buf member = gzipped(slice_make(zeros, size));
    const char *why = NULL;
    size_t said;
    assert_int_equal(gunzip_size(buf_slice(&member), max, &said, &why), ERR_TOO_LARGE);
    assert_non_null(strstr(why, one));
    assert_non_null(strstr(why, other));
    free(zeros);
    buf_deinit(&member);
}

static void test_limits(void **state)
{
    (void)state;
    assert_too_large(1001, 1000, "inflates to 1001 bytes", "accepts 1000");
    /* Zeros shrink to a thousandth. */
    assert_too_large(GUNZIP_FREE_BYTES + 1, SIZE_MAX, "1048577 bytes", "at most 100 times");
    uint8_t *zeros = mem_alloc_zero(GUNZIP_FREE_BYTES);
    struct buf member = gzipped(slice_make(zeros, GUNZIP_FREE_BYTES));
    const char *why = NULL;
    assert_true(member.len < GUNZIP_FREE_BYTES / 900);
    assert_int_equal(inflate_all(buf_slice(&member), slice_make(zeros, GUNZIP_FREE_BYTES), &why),
                     ERR_NONE);
    free(zeros);
    buf_deinit(&member);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whole_members),
        cmocka_unit_test(test_every_truncation),
        cmocka_unit_test(test_every_bit_wrong),
        cmocka_unit_test(test_random_damage),
        cmocka_unit_test(test_what_follows_the_member),
        cmocka_unit_test(test_sizes_that_lie),
        cmocka_unit_test(test_limits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
