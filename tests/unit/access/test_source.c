/* Tests of access/source.c: a bad file leaves the former users in effect. */
#include "access/source.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/folder.h"

static char path[PATH_MAX];

static void write_file(const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    assert_int_equal(chmod(path, 0600), 0);
}

static void test_reload(void **state)
{
    (void)state;
    struct folder folder;
    char why[USERS_FILE_WHY];
    unsigned generation, later;
    folder_make(&folder);
    snprintf(path, sizeof path, "%s/users", folder.path);
    assert_null(access_source_new(path, why));
    write_file("[user one]\n");
    struct access_source *source = access_source_new(path, why);
    assert_non_null(source);
    struct access *access = access_source_take(source, &generation);
    assert_non_null(access_find_user(access, SLICE_LITERAL("one")));

    write_file("[user two]\nallow = nonsense\n");
    assert_false(access_source_reload(source, why));
    assert_memory_equal(why, "line 2: ", 8);
    assert_int_equal(access_source_generation(source), generation);

    write_file("[user two]\n");
    assert_true(access_source_reload(source, why));
    assert_int_not_equal(access_source_generation(source), generation);
    struct access *newer = access_source_take(source, &later);
    assert_int_equal(later, access_source_generation(source));
    assert_null(access_find_user(newer, SLICE_LITERAL("one")));
    assert_non_null(access_find_user(access, SLICE_LITERAL("one"))); /* who still has it */
    access_source_free(source);
    access_release(access);
    access_release(newer);
    folder_remove(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reload),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
