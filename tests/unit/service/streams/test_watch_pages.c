/* Tests of service/streams/watch_pages.c: batches of whole commits, and of parts of large ones. */
#include "service/streams/watch_pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/blob.h"

#include <mini_redis.pb-c.h>

static struct arena arena;
static char long_key[10000];

static void add(struct watch_writer *writer, uint64_t version)
{
    struct watch_event event = {
        .type = WATCH_WRITE, .version = version, .key = slice_make(long_key, sizeof long_key)};
    watch_pages_add(writer, &event, false, &arena);
}

static Keystore__V1__WatchBatch *unpack(const struct watch_page *page)
{
    Keystore__V1__WatchBatch *batch = keystore__v1__watch_batch__unpack(
        NULL, page->size, page->blob != NULL ? page->blob->data : page->bytes);
    assert_non_null(batch);
    return batch;
}

static void test_a_page_has_whole_commits(void **state)
{
    (void)state;
    struct watch_writer writer = {0};
    struct watch_page *page;
    uint64_t version = 5;
    size_t events = 0;
    watch_pages_commit(&writer, version);
    for (uint64_t commit = 6; commit < 40; commit++) {
        add(&writer, commit);
        add(&writer, commit);
        watch_pages_commit(&writer, commit);
    }
    watch_pages_seal(&writer, (struct watch_tail){.version = 39}, false);
    while ((page = watch_pages_take(&writer)) != NULL) {
        Keystore__V1__WatchBatch *batch = unpack(page);
        assert_int_equal(page->after, version);
        assert_false(page->is_continued);
        assert_int_equal(page->events, batch->n_events);
        assert_true(!batch->partial && batch->n_events % 2 == 0 && batch->n_events <= 8);
        version = batch->version;
        assert_int_equal(batch->events[batch->n_events - 1]->version, version);
        events += batch->n_events;
        keystore__v1__watch_batch__free_unpacked(batch, NULL);
        watch_pages_free(page);
    }
    assert_int_equal(version, 39);
    assert_int_equal(events, 68);
    assert_int_equal(writer.bytes, 0);
    watch_pages_deinit(&writer);
}

static void test_a_large_commit_has_several(void **state)
{
    (void)state;
    struct watch_writer writer = {0};
    struct watch_page *page;
    size_t events = 0, pages = 0;
    watch_pages_commit(&writer, 5);
    for (int i = 0; i < 300; i++)
        add(&writer, 6);
    watch_pages_commit(&writer, 6);
    while ((page = watch_pages_take(&writer)) != NULL) {
        Keystore__V1__WatchBatch *batch = unpack(page);
        bool is_last = writer.first == NULL;
        assert_int_equal(page->is_continued, pages > 0);
        assert_int_equal(page->after, 5);
        assert_int_equal(page->events, batch->n_events);
        assert_int_equal(batch->partial, !is_last);
        assert_int_equal(batch->version, is_last ? 6 : 5); /* to resume from */
        assert_true(page->size < WATCH_MOST_PAGE + 20000);
        events += batch->n_events;
        pages++;
        keystore__v1__watch_batch__free_unpacked(batch, NULL);
        watch_pages_free(page);
    }
    assert_int_equal(events, 300);
    assert_int_equal(pages, 3);
    watch_pages_deinit(&writer);
}

static void test_nothing_is_a_page_only_if_wanted(void **state)
{
    (void)state;
    struct watch_writer writer = {0};
    watch_pages_seal(&writer, (struct watch_tail){.version = 1}, false);
    assert_null(writer.first);
    watch_pages_seal(&writer, (struct watch_tail){.version = 1}, true);
    assert_non_null(writer.first);
    watch_pages_deinit(&writer); /* frees it */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_page_has_whole_commits),
        cmocka_unit_test(test_a_large_commit_has_several),
        cmocka_unit_test(test_nothing_is_a_page_only_if_wanted),
    };
    arena_init(&arena);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    arena_deinit(&arena);
    return failed;
}
