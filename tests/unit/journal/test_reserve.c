/* Tests of journal/reserve.c on a real folder: the file, steps, and what happens if it cannot be
 * written. */
#include "journal/reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "journal/fs/posix.h"
#include "journal/layout.h"
#include "store/store.h"
#include "support/folder.h"

struct fixture {
    struct folder folder;
    char path[PATH_MAX];
    char temporary[PATH_MAX];
    struct fs *fs;
    struct store *store;
    struct durable durable;
    struct reserve reserve;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    folder_make(&fixture->folder);
    snprintf(fixture->path, PATH_MAX, "%s/" LAYOUT_VERSIONS, fixture->folder.path);
    snprintf(fixture->temporary, PATH_MAX, "%s/temp-" LAYOUT_VERSIONS, fixture->folder.path);
    assert_int_equal(fs_posix_open(fixture->folder.path, &fixture->fs), 0);
    fixture->store = store_new(&(struct store_options){.databases = 1});
    *state = fixture;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    reserve_stop(&fixture->reserve);
    store_free(fixture->store);
    fs_close_directory(fixture->fs);
    folder_remove(&fixture->folder);
    free(fixture);
    return 0;
}

static void start(struct fixture *fixture, uint64_t step)
{
    reserve_start(&fixture->reserve, fixture->fs, fixture->store, &fixture->durable, step);
}

static uint64_t told(struct fixture *fixture)
{
    uint64_t revision;
    assert_int_equal(reserve_read(fixture->fs, &revision), 0);
    return revision;
}

static void no_file_means_no_revision(void **state)
{
    assert_int_equal(told(*state), 0);
}

static void an_end_in_order_passes_over_none(void **state)
{
    struct fixture *fixture = *state;
    restore_revision(fixture->store, 1000);
    start(fixture, 0);
    assert_int_equal(told(fixture), 1000 + RESERVE_FIRST_STEP);
    restore_revision(fixture->store, 1007);
    reserve_stop(&fixture->reserve);
    assert_int_equal(told(fixture), 1007);
}

static void steps_grow_up_to_the_longest(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0);
    uint64_t before = told(fixture), most = 0;
    for (size_t i = 0; i < 10; i++) {
        reserve_keep(&fixture->reserve); /* there is enough left */
        assert_int_equal(told(fixture), before);
        restore_revision(fixture->store, before - 1);
        reserve_keep(&fixture->reserve);
        most = told(fixture) - (before - 1);
        assert_true(most >= RESERVE_FIRST_STEP && most <= RESERVE_LONGEST_STEP);
        before = told(fixture);
    }
    assert_int_equal(most, RESERVE_LONGEST_STEP);
}

static void a_writer_may_have_to_extend_it(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 8);
    fixture->reserve.hook.wait(&fixture->reserve.hook, 8);
    assert_int_equal(told(fixture), 8);
    fixture->reserve.hook.wait(&fixture->reserve.hook, 9);
    assert_true(told(fixture) >= 9);
}

static void other_content_is_refused(void **state)
{
    struct fixture *fixture = *state;
    static const char *const texts[] = {"", "17\n", "versions 17\n",
                                        "versions 17 xxh3 0123456789abcdef\n"};
    uint64_t revision;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        FILE *file = fopen(fixture->path, "w");
        fputs(texts[i], file);
        fclose(file);
        assert_int_equal(reserve_read(fixture->fs, &revision), -EINVAL);
    }
    start(fixture, 0); /* which replaces it; then each byte is changed */
    for (off_t at = 0; at < 20; at++) {
        char byte;
        int fd = open(fixture->path, O_RDWR);
        assert_int_equal(pread(fd, &byte, 1, at), 1);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        assert_int_equal(reserve_read(fixture->fs, &revision), -EINVAL);
        byte ^= 1;
        assert_int_equal(pwrite(fd, &byte, 1, at), 1);
        close(fd);
    }
    assert_int_equal(told(fixture), RESERVE_FIRST_STEP);
}

/* A folder is in the place of the temporary file. */
static void writes_are_refused_when_little_is_left(void **state)
{
    struct fixture *fixture = *state;
    start(fixture, 0);
    uint64_t limit = told(fixture);
    assert_int_equal(mkdir(fixture->temporary, 0700), 0);
    restore_revision(fixture->store, limit - RESERVE_FIRST_STEP * 4 / 10);
    reserve_keep(&fixture->reserve);
    assert_null(atomic_load(&fixture->durable.read_only_reason));
    restore_revision(fixture->store, limit - 100);
    reserve_keep(&fixture->reserve);
    assert_non_null(atomic_load(&fixture->durable.read_only_reason));
    assert_int_equal(rmdir(fixture->temporary), 0);
    reserve_keep(&fixture->reserve);
    assert_null(atomic_load(&fixture->durable.read_only_reason));
    assert_true(told(fixture) > limit);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(no_file_means_no_revision),    TEST(an_end_in_order_passes_over_none),
        TEST(steps_grow_up_to_the_longest), TEST(a_writer_may_have_to_extend_it),
        TEST(other_content_is_refused),     TEST(writes_are_refused_when_little_is_left),
    };
    log_set_level(LOG_ERROR);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
