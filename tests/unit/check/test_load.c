/* Tests of check/load.c: what of good, torn and damaged files comes into the store. */
#include "check/load.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "check/data_folder.h"
#include "store/restore.h"
#include "store/store.h"

static struct progress quiet;

static struct store *load(const struct data_folder *data, bool *loaded,
                          char problem[static LOAD_PROBLEM_SIZE])
{
    struct directory directory = {0};
    struct store *store = store_new(&(struct store_options){.databases = 16});
    directory_check(data->fs, &quiet, &directory);
    *loaded = load_items(data->fs, directory.items, directory.count, store, problem);
    directory_deinit(&directory);
    return store;
}

static void assert_loads(const struct data_folder *data, size_t keys, uint64_t revision)
{
    char problem[LOAD_PROBLEM_SIZE];
    bool loaded;
    struct store *store = load(data, &loaded, problem);
    assert_true(loaded);
    assert_int_equal(store_count(store, 0), keys);
    assert_int_equal(restore_newest(store), revision);
    store_free(store);
}

static void loads_what_is_good(void **state)
{
    (void)state;
    struct data_folder data;
    struct buf base, first, second;
    data_open(&data);
    data_write_manifest(&data, true, 2);
    data_snapshot(&base, "10", true);
    data_log(&first, 11, 12);
    data_log(&second, 13, 15);
    data_write(&data, DATA_BASE, buf_slice(&base));
    data_write(&data, DATA_LOG(1), buf_slice(&first));
    data_write(&data, DATA_LOG(2), buf_slice(&second));
    assert_loads(&data, 3, 15);
    data_write(&data, DATA_LOG(2), slice_make(second.data, second.len - 1));
    assert_loads(&data, 3, 14);
    data_write(&data, DATA_LOG(1), slice_make(first.data, first.len - 1));
    assert_loads(&data, 3, 11);
    data_write(&data, DATA_BASE, slice_make(base.data, base.len - 1));
    assert_loads(&data, 0, 0);
    buf_deinit(&base);
    buf_deinit(&first);
    buf_deinit(&second);
    data_close(&data);
}

static void loads_a_log_alone(void **state)
{
    (void)state;
    struct data_folder data;
    struct buf log;
    struct item item;
    char problem[LOAD_PROBLEM_SIZE];
    data_open(&data);
    data_log(&log, 50, 53);
    data_write(&data, "alone", buf_slice(&log));
    directory_check_file(data.fs, "alone", &quiet, &item);
    struct store *store = store_new(&(struct store_options){.databases = 1});
    assert_true(load_items(data.fs, &item, 1, store, problem));
    assert_int_equal(restore_newest(store), 53);
    store_free(store);
    directory_deinit_item(&item);
    buf_deinit(&log);
    data_close(&data);
}

/* Each command is sound, but they cannot have been done one after the other. */
static void says_what_cannot_be_done(void **state)
{
    (void)state;
    struct data_folder data;
    struct buf log;
    char problem[LOAD_PROBLEM_SIZE];
    bool loaded;
    data_open(&data);
    data_write_manifest(&data, false, 1);
    data_log(&log, 1, 1);
    data_batch(&log, 2, "RPUSH k a");
    data_write(&data, DATA_LOG(1), buf_slice(&log));
    store_free(load(&data, &loaded, problem));
    assert_false(loaded);
    assert_non_null(strstr(problem, DATA_LOG(1) " at byte "));
    assert_non_null(strstr(problem, "RPUSH"));
    buf_deinit(&log);
    data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loads_what_is_good),
        cmocka_unit_test(loads_a_log_alone),
        cmocka_unit_test(says_what_cannot_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
