/* Tests of access/access.c: who is found, and by what. */
#include "access/users_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define USERS 200

/* Of user i. */
static void print_hash(unsigned i, char digits[65])
{
    snprintf(digits, 65, "%08x%056d", i * 2654435769u, 0);
}

static void test_each_token_is_found(void **state)
{
    (void)state;
    static char text[USERS * 200];
    char why[USERS_FILE_WHY], digits[65];
    int len = 0;
    for (unsigned i = 0; i < USERS; i++) {
        print_hash(i, digits);
        len += snprintf(text + len, sizeof text - (size_t)len,
                        "[user u%u]\ntoken = t%u %s created=2026-01-01T00:00:00Z\n", i, i, digits);
    }
    struct access *access = users_file_parse(slice_make(text, (size_t)len), why);
    assert_non_null(access);
    for (unsigned i = 0; i < USERS; i++) {
        uint8_t hash[TOKEN_HASH_BYTES];
        char name[16];
        snprintf(name, sizeof name, "u%u", i);
        print_hash(i, digits);
        assert_true(token_read_hash(slice_make(digits, 64), hash));
        const struct access_token *token = access_find_token(access, hash);
        assert_non_null(token);
        assert_ptr_equal(&access->users[token->user],
                         access_find_user(access, slice_from_string(name)));
        hash[31] ^= 1;
        assert_null(access_find_token(access, hash));
    }
    access_release(access);
}

/* The first name that is known decides; kinds are not mixed up. */
static void test_certificates(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    struct access *access =
        users_file_parse(SLICE_LITERAL("[user a]\ncertificate = dns:x\n"
                                       "[user b]\ncertificate = uri:y\ncertificate = subject:x\n"),
                         why);
    assert_non_null(access);
    const struct access_certificate_name names[] = {{ACCESS_URI, SLICE_LITERAL("x")},
                                                    {ACCESS_DNS, SLICE_LITERAL("X")},
                                                    {ACCESS_SUBJECT, SLICE_LITERAL("x")},
                                                    {ACCESS_DNS, SLICE_LITERAL("x")}};
    assert_null(access_user_by_certificate(access, names, 2));
    assert_ptr_equal(access_user_by_certificate(access, names, 4), &access->users[1]);
    assert_ptr_equal(access_user_by_certificate(access, names + 3, 1), &access->users[0]);
    assert_null(access_user_by_uid(access, 0)); /* a certificate is no user of the system */
    access_release(access);
}

static void test_release_of_nothing(void **state)
{
    (void)state;
    access_release(NULL);
}

/* A later version of the file goes on with the usage of those who are still there. */
static void test_usage_is_inherited(void **state)
{
    (void)state;
    char why[USERS_FILE_WHY];
    struct access *former = users_file_parse(
        SLICE_LITERAL("[user b]\n[user a]\nlimit = calls=7 rate=5/s burst=9\n[user gone]\n"), why);
    struct access *access = users_file_parse(
        SLICE_LITERAL("[user new]\n[user a]\nlimit = calls=none\n[user b]\n"), why);
    assert_non_null(former);
    assert_non_null(access);
    assert_true(former->has_limits);
    assert_false(access->has_limits);
    const struct access_user *a = access_find_user(former, SLICE_LITERAL("a"));
    assert_true(a->limits.calls == 7 && a->limits.rate == 5 && a->limits.burst == 9);
    access_inherit(access, former);
    assert_ptr_equal(access->users[1].usage, a->usage);
    assert_ptr_equal(access->users[2].usage, former->users[0].usage);
    assert_ptr_not_equal(access->users[0].usage, former->users[2].usage);
    assert_true(access->users[1].limits.has_calls && access->users[1].limits.calls == 0);
    access_release(former);
    assert_true(access_count_call(&access->users[1].usage->calls, 1));
    atomic_store(&access->users[1].usage->calls, 0);
    access_release(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_token_is_found),
        cmocka_unit_test(test_certificates),
        cmocka_unit_test(test_release_of_nothing),
        cmocka_unit_test(test_usage_is_inherited),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
