/* Tests of journal/compute_sort.c through the replay of a log; against Redis: test_compute.c. */
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
    add(&log, "RPUSH l 3 1 2");
    add(&log, "SORT l DESC LIMIT 0 2 STORE r");
    add(&log, "SADD s 1");
    add(&log, "SET over 1");
    add(&log, "SORT s STORE over");
    assert_true(replay_log(&loading, buf_slice(&log), 0, &end));
    store_text_expect(store,
                      "0 \"l\" @0 v1 = [ \"3\" \"1\" \"2\" ]\n0 \"r\" @0 v2 = [ \"3\" \"2\" ]\n");
    unsupported_print(&loading.unsupported, text_of, sizeof text_of);
    assert_non_null(strstr(text_of, "SORT (1: "));
    buf_deinit(&log);
    loading_deinit(&loading);
    store_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_what_it_writes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
