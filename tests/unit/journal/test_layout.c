/* Tests of journal/layout.c. */
#include "journal/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_names(void **state)
{
    (void)state;
    char name[LAYOUT_NAME], temporary[LAYOUT_NAME], path[LAYOUT_PATH];
    layout_base_name(name, 7);
    assert_string_equal(name, "appendonly.aof.7.base.rdb");
    layout_temporary_name(temporary, name);
    assert_string_equal(temporary, "temp-appendonly.aof.7.base.rdb");
    layout_log_name(name, INT64_MAX);
    assert_string_equal(name, "appendonly.aof.9223372036854775807.incr.aof");
    layout_path(path, name);
    assert_string_equal(path, "appendonlydir/appendonly.aof.9223372036854775807.incr.aof");
}

/* The longest name that a file may have fits. */
static void test_long_names(void **state)
{
    (void)state;
    char name[LAYOUT_NAME], path[LAYOUT_PATH];
    memset(name, 'x', NAME_MAX);
    name[NAME_MAX] = 0;
    layout_path(path, name);
    assert_int_equal(strlen(path), strlen(LAYOUT_FOLDER) + 1 + NAME_MAX);
}

static void test_newest(void **state)
{
    (void)state;
    struct manifest manifest = {0};
    assert_int_equal(layout_newest(&manifest, 'b'), 0);
    manifest_add(&manifest, "base", 3, 'b');
    manifest_add(&manifest, "one", 4, 'i');
    manifest_add(&manifest, "two", 9, 'i');
    manifest_add(&manifest, "old", 11, 'h');
    assert_int_equal(layout_newest(&manifest, 'b'), 3);
    assert_int_equal(layout_newest(&manifest, 'i'), 9);
    manifest_deinit(&manifest);
}

static void test_numbers_of_logs(void **state)
{
    (void)state;
    assert_int_equal(layout_log_seq("appendonly.aof.17.incr.aof"), 17);
    assert_int_equal(layout_log_seq("appendonly.aof.0.incr.aof"), 0);
    assert_int_equal(layout_log_seq("appendonly.aof.017.incr.aof"), 0);
    assert_int_equal(layout_log_seq("appendonly.aof.17.base.rdb"), 0);
    assert_int_equal(layout_log_seq("appendonly.aof.17.incr.aof.bak"), 0);
    assert_int_equal(layout_log_seq("other.aof.17.incr.aof"), 0);
}

static void test_files_of_ours(void **state)
{
    (void)state;
    static const char *const ours[] = {
        "appendonly.aof.1.base.rdb",      "appendonly.aof.12.incr.aof",
        "appendonly.aof.1.base.aof",      "temp-appendonly.aof.manifest",
        "temp-appendonly.aof.3.base.rdb", "appendonly.aof.99999999999.incr.aof",
    };
    static const char *const others[] = {
        "appendonly.aof.manifest",
        "appendonly.aof",
        "appendonly.aof.base.rdb",
        "appendonly.aof..base.rdb",
        "appendonly.aof.1.base",
        "appendonly.aof.1.incr.aof.bak",
        "my.aof.1.base.rdb",
        "dump.rdb",
        "",
        "temp",
        "temp-",
        "temp-notes.txt",
        "temp-rewriteaof-bg-123.aof",
        "temp-appendonly.aof.x.base.rdb",
        "temp-appendonly.aof.1.incr.aof",
    };
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++)
        assert_true(layout_is_data_file(ours[i]));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_false(layout_is_data_file(others[i]));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),         cmocka_unit_test(test_long_names),
        cmocka_unit_test(test_newest),        cmocka_unit_test(test_numbers_of_logs),
        cmocka_unit_test(test_files_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
