/* Tests of check/place.c: directories, files, and directories in use. */
#include "check/place.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#include "check/data_folder.h"

static void assert_refused(const char *path, bool change, const char *part)
{
    struct place place;
    char problem[PLACE_PROBLEM_SIZE];
    assert_false(place_open(path, change, &place, problem));
    if (strstr(problem, part) == NULL)
        fail_msg("'%s' does not say '%s'", problem, part);
}

static void opens_directories_and_files(void **state)
{
    (void)state;
    struct data_folder data;
    struct place place;
    char problem[PLACE_PROBLEM_SIZE];
    char path[PATH_MAX];
    data_open(&data);
    assert_true(place_open(data.folder.path, false, &place, problem));
    assert_false(place.is_file);
    place_close(&place);
    assert_int_equal(data_size(&data, LAYOUT_LOCK), -1); /* it left no trace */
    data_write(&data, LAYOUT_FOLDER "/some", SLICE_LITERAL("x"));
    data_path(&data, LAYOUT_FOLDER "/some", path);
    assert_true(place_open(path, true, &place, problem));
    assert_true(place.is_file);
    assert_string_equal(place.file, "some");
    place_close(&place);
    data_write_manifest(&data, false, 1);
    assert_refused(path, true, "belongs to a data directory");
    assert_true(place_open(path, false, &place, problem));
    place_close(&place);
    data_path(&data, LAYOUT_FOLDER, path);
    assert_refused(path, false, "the folder above it");
    data_path(&data, "none", path);
    assert_refused(path, false, "No such file");
    assert_int_equal(data_size(&data, "none"), -1);
    assert_refused("/dev/null", false, "neither a directory nor a file");
    data_close(&data);
}

static void keeps_servers_away(void **state)
{
    (void)state;
    struct data_folder data;
    struct place place;
    char problem[PLACE_PROBLEM_SIZE];
    long holder = 0;
    data_open(&data);
    data_write(&data, LAYOUT_LOCK, SLICE_LITERAL("1\n"));
    for (int change = 0; change < 2; change++) {
        assert_true(place_open(data.folder.path, change == 1, &place, problem));
        assert_int_equal(fs_lock(data.fs, LAYOUT_LOCK, &holder), -EWOULDBLOCK);
        place_close(&place);
    }
    assert_int_equal(fs_lock(data.fs, LAYOUT_LOCK, &holder), 0);
    char number[64];
    snprintf(number, sizeof number, "a server, process %ld, uses", (long)getpid());
    assert_refused(data.folder.path, false, number);
    assert_refused(data.folder.path, true, number);
    data_close(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_directories_and_files),
        cmocka_unit_test(keeps_servers_away),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
