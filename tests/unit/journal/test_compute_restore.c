/* Tests of journal/compute_restore.c through the replay of a log; against Redis: test_compute.c. */
#include "journal/replay.h"
#include "journal/resp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "journal/store_text.h"
#include "journal/words.h"

static void add(struct buf *log, const char *command)
{
    words_append(log, command);
}

static void test_what_it_writes(void **state)
{
    (void)state;
    struct store *store = store_new(&(struct store_options){.databases = 4});
    struct loading loading = {.store = store};
    struct replay_end end;
    struct buf log;
    char text_of[300];
    buf_init(&log, SIZE_MAX);
    struct slice hash[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("h"), SLICE_LITERAL("0"),
                           SLICE_LITERAL("\x04\x01\x01\x66\x01v\x0c\x00\0\0\0\0\0\0\0\0"),
                           SLICE_LITERAL("REPLACE")};
    struct slice text[] = {SLICE_LITERAL("RESTORE"), SLICE_LITERAL("t"), SLICE_LITERAL("5"),
                           SLICE_LITERAL("\x00\x01v\x0c\x00\0\0\0\0\0\0\0\0"),
                           SLICE_LITERAL("ABSTTL")};
    add(&log, "SET h 1");
    assert_true(resp_append(&log, hash, 5));
    assert_true(resp_append(&log, text, 5));
    assert_true(replay_log(&loading, buf_slice(&log), 0, &end));
    store_text_expect(store, "0 \"t\" @5 v3 = \"v\"\n");
    unsupported_print(&loading.unsupported, text_of, sizeof text_of);
    assert_non_null(strstr(text_of, "hash (1: "));
    buf_deinit(&log);
    loading_deinit(&loading);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_it_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
