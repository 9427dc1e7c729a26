/* Tests of store/data/entry.c: entries own copies of what they were made of, in as few bytes as
 * stated. */
#include "store/data/entry.h"

#include "base/blob.h"
#include "store/list/list.h"
#include "store/memory/pages.h"
#include "store/memory/slab.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/list_peek.h"
#include "store/seeded.h"

#define LARGEST ((size_t)100000)

struct fixture {
    struct pages pages;
    struct slab slab;
    uint8_t bytes[LARGEST];
};

static int setup(void **state)
{
    static struct fixture fixture;
    pages_init(&fixture.pages, false);
    slab_init(&fixture.slab, &fixture.pages);
    for (size_t i = 0; i < LARGEST; i++)
        fixture.bytes[i] = (uint8_t)(i * 31 >> 3);
    *state = &fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    assert_int_equal(slab_used(&fixture->slab), 0);
    slab_deinit(&fixture->slab);
    pages_deinit(&fixture->pages);
    return 0;
}

static void assert_stamp(const struct entry *entry, struct entry_stamp stamp)
{
    assert_true(entry_version(entry) == stamp.version);
    assert_true(entry_expire_at_ms(entry) == stamp.expire_at_ms);
}

static void assert_string(const struct entry *entry, struct slice key, struct slice value,
                          struct entry_stamp stamp)
{
    assert_int_equal(entry_type(entry), ENTRY_STRING);
    assert_true(slice_equal(entry_key(entry), key));
    assert_true(slice_equal(entry_string(entry), value));
    assert_int_equal(entry_blob(entry) != NULL, value.len >= BLOB_LEAST);
    assert_stamp(entry, stamp);
}

static void test_a_string_is_a_copy_of_key_and_value(void **state)
{
    struct fixture *fixture = *state;
    char key[] = "k\0y", value[] = "va\0ue";
    struct entry_stamp stamp = {.version = 1};
    struct entry *entry =
        entry_new_string(&fixture->slab, slice_make(key, 3), slice_make(value, 5), stamp);
    memset(key, 'x', sizeof key);
    memset(value, 'x', sizeof value);
    assert_string(entry, SLICE_LITERAL("k\0y"), SLICE_LITERAL("va\0ue"), stamp);
    entry_free(&fixture->slab, entry);
}

static void test_a_string_is_a_blob_that_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct entry_stamp stamp = {.version = 1, .expire_at_ms = 2}, next = {.version = 3};
    struct slice key = SLICE_LITERAL("key"), value = slice_make(fixture->bytes, BLOB_LEAST);
    struct blob *blob = blob_copy(value), *other = blob_copy(value);
    struct entry *entry = entry_new_blob(&fixture->slab, key, blob_retain(blob), stamp);
    assert_string(entry, key, value, stamp);
    assert_ptr_equal(entry_blob(entry), blob);
    size_t used = slab_used(&fixture->slab);
    entry_set_mark(entry, ENTRY_VISITED);
    entry = entry_replace_blob(&fixture->slab, entry, blob_retain(other), next);
    assert_string(entry, key, value, next);
    assert_ptr_equal(entry_blob(entry), other);
    assert_int_equal(entry_mark(entry), ENTRY_VISITED);
    assert_true(blob_is_sole(blob));
    assert_true(slab_used(&fixture->slab) <= used);
    assert_int_equal(entry_memory(entry), slab_used(&fixture->slab));
    entry_free(&fixture->slab, entry);
    assert_true(blob_is_sole(other));
    blob_release(blob);
    blob_release(other);
}

static void test_the_empty_string_is_a_value(void **state)
{
    struct fixture *fixture = *state;
    struct entry_stamp stamp = {0};
    struct entry *entry =
        entry_new_string(&fixture->slab, SLICE_LITERAL("k"), slice_make(NULL, 0), stamp);
    assert_string(entry, SLICE_LITERAL("k"), SLICE_LITERAL(""), stamp);
    entry_free(&fixture->slab, entry);
}

static size_t size_with(struct fixture *fixture, size_t key, size_t value, struct entry_stamp stamp)
{
    size_t before = slab_used(&fixture->slab);
    struct entry *entry = entry_new_string(&fixture->slab, slice_make(fixture->bytes, key),
                                           slice_make(fixture->bytes, value), stamp);
    size_t size = slab_used(&fixture->slab) - before;
    entry_free(&fixture->slab, entry);
    return size;
}

static void test_common_entries_are_small(void **state)
{
    struct fixture *fixture = *state;
    struct entry_stamp plain = {.version = ((uint64_t)1 << 40) - 1};
    struct entry_stamp expiring = {.version = 1, .expire_at_ms = 1900000000000};
    struct entry_stamp late = {.version = (uint64_t)1 << 40, .expire_at_ms = 1900000000000};
    assert_int_equal(size_with(fixture, 16, 32, plain), 56);
    assert_int_equal(size_with(fixture, 16, 32, expiring), 64);
    assert_int_equal(size_with(fixture, 16, 8, plain), 32);
    assert_int_equal(size_with(fixture, 16, 8, expiring), 40);
    assert_int_equal(size_with(fixture, 16, 39, late), 72);
    assert_int_equal(size_with(fixture, 1, 0, plain), 16);
}

static const uint64_t versions[] = {
    0, 1, ((uint64_t)1 << 40) - 1, (uint64_t)1 << 40, 0x123456789abcdef0, UINT64_MAX};
static const int64_t deadlines[] = {
    0, 1, 1900000000000, ((int64_t)1 << 48) - 1, (int64_t)1 << 48, INT64_MAX - 1, INT64_MAX};
static const size_t lengths[] = {1, 2, 7, 254, 255, 256, 257, 1000, 65535, 65536};
static const size_t value_lengths[] = {0, 1, 255, 256, BLOB_LEAST - 1, BLOB_LEAST, 65536, LARGEST};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

static void test_every_part_in_every_combination(void **state)
{
    struct fixture *fixture = *state;
    size_t combinations =
        COUNT(versions) * COUNT(deadlines) * COUNT(lengths) * COUNT(value_lengths);
    for (size_t i = 0; i < combinations; i++) {
        size_t rest = i;
        struct entry_stamp stamp = {.version = versions[rest % COUNT(versions)]};
        rest /= COUNT(versions);
        stamp.expire_at_ms = deadlines[rest % COUNT(deadlines)];
        rest /= COUNT(deadlines);
        struct slice key = slice_make(fixture->bytes, lengths[rest % COUNT(lengths)]);
        struct slice value = slice_make(fixture->bytes, value_lengths[rest / COUNT(lengths)]);
        struct entry *entry = entry_new_string(&fixture->slab, key, value, stamp);
        assert_string(entry, key, value, stamp);
        entry_free(&fixture->slab, entry);
    }
}

static void test_a_far_deadline_comes_and_goes(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    static const size_t keys[] = {1, 255, 256, 65536};
    for (size_t i = 0; i < COUNT(keys); i++) {
        struct slice key = slice_make(fixture->bytes, keys[i]), value = SLICE_LITERAL("value");
        struct entry_stamp near = {.version = 7, .expire_at_ms = 1900000000000};
        struct entry_stamp far = {.version = 8, .expire_at_ms = INT64_MAX - 12345};
        struct entry *entry = entry_new_string(slab, key, value, near);
        entry = entry_restamp(slab, entry, far);
        assert_string(entry, key, value, far);
        entry = entry_replace_string(slab, entry, SLICE_LITERAL("other"), far);
        assert_string(entry, key, SLICE_LITERAL("other"), far);
        entry = entry_restamp(slab, entry, near);
        assert_string(entry, key, SLICE_LITERAL("other"), near);
        entry_free(slab, entry);
    }
}

static void test_a_string_of_the_same_size_stays_where_it_is(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 1};
    struct slice key = slice_make(fixture->bytes, 16);
    struct entry *entry = entry_new_string(slab, key, slice_make(fixture->bytes, 32), stamp);
    for (size_t length = 25; length <= 32; length++) {
        stamp.version++;
        struct slice value = slice_make(fixture->bytes + length, length);
        assert_ptr_equal(entry_replace_string(slab, entry, value, stamp), entry);
        assert_string(entry, key, value, stamp);
    }
    struct slice longer = slice_make(fixture->bytes, 33);
    struct entry *other = entry_new_string(slab, key, longer, stamp);
    entry = entry_replace_string(slab, entry, longer, stamp);
    assert_string(entry, key, longer, stamp);
    entry_free(slab, other);
    entry_free(slab, entry);
}

static size_t random_length(uint64_t *random)
{
    switch (seeded_below(random, 3)) {
    case 0:
        return seeded_below(random, 50);
    case 1:
        return seeded_below(random, 2000);
    default:
        return BLOB_LEAST - 1000 + seeded_below(random, 2000);
    }
}

static struct entry_stamp random_stamp(uint64_t *random)
{
    return (struct entry_stamp){.version = versions[seeded_below(random, COUNT(versions))],
                                .expire_at_ms = deadlines[seeded_below(random, COUNT(deadlines))]};
}

static void test_random_changes_of_a_string(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    uint64_t random = seeded_start();
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct slice key = slice_make(fixture->bytes, lengths[i]), value = SLICE_LITERAL("first");
        struct entry_stamp stamp = {.version = 1};
        struct entry *entry = entry_new_string(slab, key, value, stamp);
        for (int step = 0; step < 2000; step++) {
            stamp = random_stamp(&random);
            if (seeded_below(&random, 2) == 0) {
                entry = entry_restamp(slab, entry, stamp);
            } else {
                value = slice_make(fixture->bytes + seeded_below(&random, 1000),
                                   random_length(&random));
                entry = entry_replace_string(slab, entry, value, stamp);
            }
            assert_string(entry, key, value, stamp);
        }
        entry_free(slab, entry);
        assert_int_equal(slab_used(slab), 0);
    }
}

static void test_a_long_string_is_a_shared_blob_and_charged(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 1};
    struct entry *entry =
        entry_new_string(slab, SLICE_LITERAL("key"), slice_make(fixture->bytes, LARGEST), stamp);
    assert_true(slab_used(slab) >= LARGEST);
    assert_true(slab_used(slab) <= LARGEST + PAGES_PAGE_SIZE + 100);
    assert_int_equal(atomic_load(&entry_blob(entry)->holders), 1);
    struct blob *blob = blob_retain(entry_blob(entry));
    entry = entry_replace_string(slab, entry, SLICE_LITERAL("short"), stamp);
    assert_true(slab_used(slab) <= 100);
    assert_int_equal(atomic_load(&blob->holders), 1);
    assert_memory_equal(blob->data, fixture->bytes, LARGEST);
    blob_release(blob);
    entry_free(slab, entry);
}

/* ---- splicing ---- */

/* What the spliced string is, byte by byte. */
static struct slice spliced(struct slice string, size_t offset, struct slice bytes)
{
    static uint8_t out[3 * LARGEST];
    size_t len = offset + bytes.len > string.len ? offset + bytes.len : string.len;
    assert_true(len <= sizeof out);
    for (size_t i = 0; i < len; i++) {
        out[i] = i < string.len ? string.data[i] : 0;
        if (i >= offset && i - offset < bytes.len)
            out[i] = bytes.data[i - offset];
    }
    return slice_make(out, len);
}

static const size_t splice_lengths[] = {
    0, 1, 200, 300, BLOB_LEAST - 1, BLOB_LEAST, BLOB_LEAST + 1, 50000};

static struct entry *splice(struct slab *slab, const struct entry *former, size_t offset,
                            struct slice bytes, struct entry_stamp stamp, bool keep)
{
    struct entry_splice splice = {.offset = offset, .bytes = bytes, .keep = keep};
    return entry_new_spliced(slab, former, &splice, stamp);
}

static void splice_once(struct fixture *fixture, struct slice string, size_t offset,
                        struct slice bytes, bool keep)
{
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7, .expire_at_ms = 8};
    struct slice key = slice_make(fixture->bytes, 300);
    struct entry *former = entry_new_string(slab, key, string, (struct entry_stamp){.version = 1});
    struct entry *entry = splice(slab, former, offset, bytes, stamp, keep);
    assert_string(entry, key, spliced(string, offset, bytes), stamp);
    if (keep)
        assert_string(former, key, string, (struct entry_stamp){.version = 1});
    entry_free(slab, former);
    assert_string(entry, key, spliced(string, offset, bytes), stamp);
    entry_free(slab, entry);
    assert_int_equal(slab_used(slab), 0);
}

static void test_splicing_at_every_edge(void **state)
{
    struct fixture *fixture = *state;
    size_t n = COUNT(splice_lengths);
    for (size_t i = 0; i < n * n * n * 2; i++) {
        size_t rest = i / 2;
        struct slice string = slice_make(fixture->bytes, splice_lengths[rest % n]);
        rest /= n;
        struct slice bytes = slice_make(fixture->bytes + 77, splice_lengths[rest % n]);
        if (bytes.len > 0)
            splice_once(fixture, string, splice_lengths[rest / n], bytes, i % 2);
    }
}

static struct entry *append(struct slab *slab, struct entry *entry, struct slice bytes)
{
    struct entry *longer = splice(slab, entry, entry_string(entry).len, bytes,
                                  (struct entry_stamp){.version = 2}, false);
    entry_free(slab, entry);
    return longer;
}

static void test_a_growing_string_is_seldom_copied(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct slice key = SLICE_LITERAL("key"), piece = slice_make(fixture->bytes, 10);
    struct entry *entry = entry_new_string(slab, key, slice_make(fixture->bytes, BLOB_LEAST),
                                           (struct entry_stamp){.version = 1});
    size_t moves = 0, pieces = 100000;
    for (size_t i = 0; i < pieces; i++) {
        const struct blob *blob = entry_blob(entry);
        entry = append(slab, entry, piece);
        moves += entry_blob(entry) != blob;
        size_t length = entry_string(entry).len;
        assert_int_equal(length, BLOB_LEAST + (i + 1) * piece.len);
        assert_true(slab_used(slab) >= length);
        /* Long ones lie in whole pages. */
        assert_true(slab_used(slab) <= length + length / 4 + PAGES_PAGE_SIZE + 200);
    }
    assert_true(moves >= 10 && moves <= 25);
    for (size_t i = 0; i < pieces; i++)
        assert_memory_equal(entry_string(entry).data + BLOB_LEAST + i * piece.len, piece.data,
                            piece.len);
    entry_free(slab, entry);
}

/* A reader of the string keeps what it read, and the string continues in the same blob. */
static void test_appending_leaves_other_holders_their_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct slice start = slice_make(fixture->bytes, 20000);
    struct entry *entry =
        entry_new_string(slab, SLICE_LITERAL("key"), start, (struct entry_stamp){.version = 1});
    entry = append(slab, entry, SLICE_LITERAL("one"));
    struct blob *blob = blob_retain(entry_blob(entry));
    struct slice before = entry_string(entry);
    entry = append(slab, entry, SLICE_LITERAL("two"));
    assert_ptr_equal(entry_blob(entry), blob);
    assert_int_equal(before.len, 20003);
    assert_memory_equal(before.data + 20000, "one", 3);
    assert_int_equal(entry_string(entry).len, 20006);
    blob_release(blob);
    entry_free(slab, entry);
}

/* As in a transaction: each string made from the kept one is independent. */
static void test_only_one_goes_on_in_the_blob(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 2};
    struct slice key = SLICE_LITERAL("key"), start = slice_make(fixture->bytes, 20000);
    struct entry *entry = append(slab, entry_new_string(slab, key, start, stamp), start);
    struct entry *first = splice(slab, entry, 40000, SLICE_LITERAL("first"), stamp, true);
    struct entry *second = splice(slab, entry, 40000, SLICE_LITERAL("other"), stamp, true);
    assert_ptr_equal(entry_blob(first), entry_blob(entry));
    assert_ptr_not_equal(entry_blob(second), entry_blob(entry));
    assert_int_equal(entry_string(entry).len, 40000);
    assert_memory_equal(entry_string(first).data + 40000, "first", 5);
    assert_memory_equal(entry_string(second).data + 40000, "other", 5);
    entry_free(slab, first);
    entry_free(slab, second);
    entry_free(slab, entry);
}

static void test_overwriting_is_in_place_for_the_only_holder(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 2};
    struct slice start = slice_make(fixture->bytes, 20000);
    struct entry *entry = entry_new_string(slab, SLICE_LITERAL("key"), start, stamp);
    struct blob *blob = entry_blob(entry);
    struct entry *former = entry;
    entry = splice(slab, former, 5, SLICE_LITERAL("xyz"), stamp, false);
    entry_free(slab, former);
    assert_ptr_equal(entry_blob(entry), blob);
    assert_memory_equal(entry_string(entry).data + 5, "xyz", 3);
    blob_retain(blob); /* an answer in flight */
    former = entry;
    entry = splice(slab, former, 5, SLICE_LITERAL("uvw"), stamp, false);
    entry_free(slab, former);
    assert_ptr_not_equal(entry_blob(entry), blob);
    assert_memory_equal(blob->data + 5, "xyz", 3);
    assert_memory_equal(entry_string(entry).data + 5, "uvw", 3);
    assert_true(slab_used(slab) <= 20000 + PAGES_PAGE_SIZE);
    blob_release(blob);
    entry_free(slab, entry);
}

static struct entry *new_list(struct slab *slab, struct slice key, struct entry_stamp stamp)
{
    struct list *list = list_new();
    list_push(list, LIST_HEAD, SLICE_LITERAL("element"));
    return entry_new_list(slab, key, list, stamp);
}

static void assert_list(const struct entry *entry, struct slice key, struct entry_stamp stamp)
{
    assert_int_equal(entry_type(entry), ENTRY_LIST);
    assert_null(entry_blob(entry));
    assert_true(slice_equal(entry_key(entry), key));
    assert_int_equal(list_length(entry_list(entry)), 1);
    assert_true(slice_equal(list_peek(entry_list(entry), 0), SLICE_LITERAL("element")));
    assert_stamp(entry, stamp);
}

static void test_a_list_keeps_its_elements_and_is_freed_with_them(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    uint64_t random = seeded_start();
    for (size_t i = 0; i < COUNT(lengths); i++) {
        struct slice key = slice_make(fixture->bytes, lengths[i]);
        struct entry_stamp stamp = {0};
        struct entry *entry = new_list(slab, key, stamp);
        for (int step = 0; step < 100; step++) {
            stamp = random_stamp(&random);
            entry = entry_restamp(slab, entry, stamp);
            assert_list(entry, key, stamp);
        }
        entry_free(slab, entry);
    }
}

/* Of each size and kind many entries are created, most are freed, and the rest are moved. */
static void test_moved_entries_are_the_same(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    enum { ENTRIES = 2000 };
    static struct entry *entries[ENTRIES];
    static const size_t sizes[] = {0, 40, 600, 2000, BLOB_LEAST};
    struct entry_stamp stamp = {.version = 7, .expire_at_ms = 8};
    for (size_t s = 0; s <= COUNT(sizes); s++) { /* the last are lists */
        struct slice key = SLICE_LITERAL("key");
        struct slice value = slice_make(fixture->bytes, s < COUNT(sizes) ? sizes[s] : 0);
        for (size_t i = 0; i < ENTRIES; i++)
            entries[i] = s == COUNT(sizes) ? new_list(slab, key, stamp)
                                           : entry_new_string(slab, key, value, stamp);
        for (size_t i = 0; i < ENTRIES; i++)
            if (i % 8 != 0)
                entry_free(slab, entries[i]);
        size_t used = slab_used(slab), moved = 0, others = 0;
        for (size_t i = 0; i < ENTRIES; i += 8) {
            struct entry *entry = entry_move(slab, entries[i], &moved);
            others += entry != entries[i];
            entries[i] = entry;
            if (s == COUNT(sizes))
                assert_list(entry, key, stamp);
            else
                assert_string(entry, key, value, stamp);
        }
        assert_true(others > 0 && moved >= others);
        assert_int_equal(slab_used(slab), used);
        for (size_t i = 0; i < ENTRIES; i += 8)
            entry_free(slab, entries[i]);
    }
}

static void test_a_list_becomes_a_string(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7, .expire_at_ms = 8};
    static const struct slice values[] = {SLICE_LITERAL(""), SLICE_LITERAL("8 bytes."),
                                          SLICE_LITERAL("something longer than a pointer")};
    for (size_t i = 0; i < COUNT(values); i++) {
        struct entry *entry = new_list(slab, SLICE_LITERAL("key"), stamp);
        entry = entry_replace_string(slab, entry, values[i], stamp);
        assert_string(entry, SLICE_LITERAL("key"), values[i], stamp);
        entry_free(slab, entry);
    }
}

static void test_a_list_is_taken_out(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7};
    struct entry *entry = new_list(slab, SLICE_LITERAL("former"), stamp);
    struct list *list = entry_take_list(slab, entry);
    entry_free(slab, entry);
    entry = entry_new_list(slab, SLICE_LITERAL("latter"), list, stamp);
    assert_list(entry, SLICE_LITERAL("latter"), stamp);
    entry_free(slab, entry);
}

/* The slab counts a list while it belongs to an entry. */
static void test_a_list_is_charged(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7};
    size_t before = slab_used(slab);
    struct entry *entry = new_list(slab, SLICE_LITERAL("key"), stamp);
    size_t memory = list_memory(entry_list(entry)), with = slab_used(slab);
    assert_true(with > before + memory);
    struct list *list = entry_take_list(slab, entry);
    assert_int_equal(slab_used(slab), with - memory);
    entry_free(slab, entry);
    assert_int_equal(slab_used(slab), before);
    entry = entry_new_list(slab, SLICE_LITERAL("key"), list, stamp);
    assert_int_equal(slab_used(slab), with);
    entry = entry_replace_string(slab, entry, SLICE_LITERAL("12345678"), stamp);
    assert_true(slab_used(slab) <= with - memory);
    entry_free(slab, entry);
    assert_int_equal(slab_used(slab), before);
}

static void test_a_list_is_given_back(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7, .expire_at_ms = 8};
    struct entry *entry = new_list(slab, SLICE_LITERAL("key"), stamp);
    struct list *list = entry_take_list(slab, entry);
    assert_null(entry_list(entry));
    entry_give_list(slab, entry, list);
    assert_ptr_equal(entry_list(entry), list);
    assert_list(entry, SLICE_LITERAL("key"), stamp);
    entry_free(slab, entry);
}

static void test_a_copy_of_a_string_has_another_key_and_stamp(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab, other;
    struct entry_stamp stamp = {.version = 7, .expire_at_ms = 8}, later = {.version = 1ull << 41};
    slab_init(&other, &fixture->pages);
    for (size_t i = 0; i < COUNT(value_lengths); i++) {
        struct slice value = slice_make(fixture->bytes, value_lengths[i]);
        struct entry *entry = entry_new_string(slab, SLICE_LITERAL("key"), value, stamp);
        size_t used = slab_used(slab);
        struct entry *copy = entry_new_copy(&other, SLICE_LITERAL("another"), entry, later);
        assert_string(entry, SLICE_LITERAL("key"), value, stamp);
        assert_string(copy, SLICE_LITERAL("another"), value, later);
        assert_int_equal(slab_used(slab), used);
        assert_true(slab_used(&other) >= value_lengths[i]); /* each counts it in full */
        if (entry_blob(entry) != NULL) {
            assert_ptr_equal(entry_blob(copy), entry_blob(entry));
            assert_int_equal(atomic_load(&entry_blob(copy)->holders), 2);
        }
        entry_free(slab, entry);
        assert_string(copy, SLICE_LITERAL("another"), value, later);
        entry_free(&other, copy);
        assert_int_equal(slab_used(&other), 0);
    }
    slab_deinit(&other);
}

static void test_a_copy_of_a_list_is_another_list(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7}, later = {.version = 8, .expire_at_ms = 9};
    struct entry *entry = new_list(slab, SLICE_LITERAL("key"), stamp);
    struct entry *copy = entry_new_copy(slab, SLICE_LITERAL("another"), entry, later);
    struct list *list = entry_take_list(slab, entry);
    list_push(list, LIST_HEAD, SLICE_LITERAL("only here"));
    entry_give_list(slab, entry, list);
    assert_list(copy, SLICE_LITERAL("another"), later);
    entry_free(slab, entry);
    assert_list(copy, SLICE_LITERAL("another"), later);
    entry_free(slab, copy);
}

static void test_memory_is_what_the_slab_counts(void **state)
{
    struct fixture *fixture = *state;
    struct slab *slab = &fixture->slab;
    struct entry_stamp stamp = {.version = 7};
    for (size_t i = 0; i < COUNT(value_lengths); i++) {
        struct entry *entry = entry_new_string(slab, SLICE_LITERAL("key"),
                                               slice_make(fixture->bytes, value_lengths[i]), stamp);
        assert_in_range(entry_memory(entry), value_lengths[i] + 8,
                        value_lengths[i] + (value_lengths[i] + 64 < BLOB_LEAST
                                                ? value_lengths[i] / 8 + 128
                                                : PAGES_PAGE_SIZE + 64));
        assert_in_range(slab_used(slab), entry_memory(entry), entry_memory(entry) + 8);
        entry_free(slab, entry);
    }
    struct entry *list = new_list(slab, SLICE_LITERAL("key"), stamp);
    assert_int_equal(entry_memory(list), slab_round(8 + 3 + 3 + 8) + list_memory(entry_list(list)));
    entry_free(slab, list);
}

static void test_free_takes_null(void **state)
{
    struct fixture *fixture = *state;
    entry_free(&fixture->slab, NULL);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_a_string_is_a_copy_of_key_and_value),
        TEST(test_a_string_is_a_blob_that_is_there),
        TEST(test_the_empty_string_is_a_value),
        TEST(test_common_entries_are_small),
        TEST(test_every_part_in_every_combination),
        TEST(test_a_far_deadline_comes_and_goes),
        TEST(test_a_string_of_the_same_size_stays_where_it_is),
        TEST(test_random_changes_of_a_string),
        TEST(test_a_long_string_is_a_shared_blob_and_charged),
        TEST(test_splicing_at_every_edge),
        TEST(test_a_growing_string_is_seldom_copied),
        TEST(test_appending_leaves_other_holders_their_bytes),
        TEST(test_only_one_goes_on_in_the_blob),
        TEST(test_overwriting_is_in_place_for_the_only_holder),
        TEST(test_a_list_keeps_its_elements_and_is_freed_with_them),
        TEST(test_moved_entries_are_the_same),
        TEST(test_a_list_becomes_a_string),
        TEST(test_a_list_is_taken_out),
        TEST(test_a_list_is_charged),
        TEST(test_a_list_is_given_back),
        TEST(test_a_copy_of_a_string_has_another_key_and_stamp),
        TEST(test_a_copy_of_a_list_is_another_list),
        TEST(test_memory_is_what_the_slab_counts),
        TEST(test_free_takes_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
