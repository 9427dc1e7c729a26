/* Tests of journal/fs/fs.c over a file that takes and gives bytes a few at a time. */
#include "journal/fs/fs.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/buf.h"
#include "store/seeded.h"

#define LIMIT ((size_t)1024 * 1024)

/* All that it does is decided by `random`; after `until` bytes it is full. */
struct slow_file {
    struct fs_file file;
    struct buf bytes;
    uint64_t random;
    size_t until;
    int most_pieces;
    bool stuck; /* takes nothing, and gives no reason */
};

static ssize_t slow_write(struct fs_file *file, const struct iovec *pieces, int count)
{
    struct slow_file *slow = (struct slow_file *)file;
    if (count > slow->most_pieces)
        slow->most_pieces = count;
    if (slow->stuck)
        return 0;
    if (slow->bytes.len == slow->until)
        return -ENOSPC;
    size_t room = 1 + seeded_below(&slow->random, 40);
    if (room > slow->until - slow->bytes.len)
        room = slow->until - slow->bytes.len;
    size_t taken = 0;
    for (int i = 0; i < count && taken < room; i++) {
        size_t len = pieces[i].iov_len < room - taken ? pieces[i].iov_len : room - taken;
        assert_true(buf_append(&slow->bytes, slice_make(pieces[i].iov_base, len)));
        taken += len;
    }
    return (ssize_t)taken;
}

static ssize_t slow_read(struct fs_file *file, uint64_t offset, void *out, size_t size)
{
    struct slow_file *slow = (struct slow_file *)file;
    size_t behind = offset < slow->bytes.len ? slow->bytes.len - offset : 0;
    size_t len = 1 + seeded_below(&slow->random, 20);
    len = len < size ? len : size;
    len = len < behind ? len : behind;
    if (slow->stuck && offset > 0)
        return -EIO;
    if (len > 0)
        memcpy(out, slow->bytes.data + offset, len);
    return (ssize_t)len;
}

static const struct fs_calls calls = {.write = slow_write, .read = slow_read};

static struct slow_file slow_file(uint64_t random)
{
    struct slow_file slow = {.file = {&calls}, .random = random, .until = LIMIT};
    buf_init(&slow.bytes, LIMIT);
    return slow;
}

static void writes_all_of_it(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    for (int round = 0; round < 50; round++) {
        struct slow_file slow = slow_file(random + (uint64_t)round);
        struct iovec pieces[600];
        uint8_t bytes[6000];
        size_t count = seeded_below(&random, 600);
        size_t used = 0;
        seeded_fill(&random, bytes, sizeof bytes);
        for (size_t i = 0; i < count; i++) {
            size_t len = seeded_below(&random, 11);
            pieces[i] = (struct iovec){.iov_base = bytes + used, .iov_len = len};
            used += len;
        }
        assert_int_equal(fs_write(&slow.file, pieces, count), 0);
        assert_true(slice_equal(buf_slice(&slow.bytes), slice_make(bytes, used)));
        assert_true(slow.most_pieces <= 1024);
        buf_deinit(&slow.bytes);
    }
}

static void reports_what_stops_a_write(void **state)
{
    (void)state;
    struct slow_file slow = slow_file(1);
    slow.until = 5;
    assert_int_equal(fs_write_slice(&slow.file, SLICE_LITERAL("0123456789")), -ENOSPC);
    assert_true(slice_equal(buf_slice(&slow.bytes), SLICE_LITERAL("01234")));
    slow.stuck = true;
    assert_int_equal(fs_write_slice(&slow.file, SLICE_LITERAL("0123456789")), -EIO);
    assert_int_equal(fs_write_slice(&slow.file, slice_make(NULL, 0)), 0);
    buf_deinit(&slow.bytes);
}

static void reads_up_to_the_end(void **state)
{
    (void)state;
    uint64_t random = seeded_start();
    struct slow_file slow = slow_file(random);
    uint8_t bytes[500];
    uint8_t out[600];
    seeded_fill(&random, bytes, sizeof bytes);
    assert_true(buf_append(&slow.bytes, slice_make(bytes, sizeof bytes)));
    for (size_t offset = 0; offset <= sizeof bytes; offset += 50) {
        assert_int_equal(fs_read(&slow.file, offset, out, sizeof out), sizeof bytes - offset);
        assert_memory_equal(out, bytes + offset, sizeof bytes - offset);
    }
    assert_int_equal(fs_read(&slow.file, 3, out, 10), 10);
    slow.stuck = true;
    assert_int_equal(fs_read(&slow.file, 0, out, sizeof out), -EIO);
    buf_deinit(&slow.bytes);
}

static void keeps_names(void **state)
{
    (void)state;
    struct fs_names names = {0};
    char name[8];
    for (int i = 0; i < 100; i++) {
        name[0] = (char)('a' + i % 26);
        name[1] = (char)('0' + i / 26);
        name[2] = 0;
        fs_names_add(&names, name);
    }
    assert_int_equal(names.count, 100);
    assert_string_equal(names.items[0], "a0");
    assert_string_equal(names.items[99], "v3");
    fs_names_deinit(&names);
    assert_int_equal(names.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_all_of_it),
        cmocka_unit_test(reports_what_stops_a_write),
        cmocka_unit_test(reads_up_to_the_end),
        cmocka_unit_test(keeps_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
