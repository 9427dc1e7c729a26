/* Tests of access/passwords.c. */
#include "access/passwords.h"

#include <argon2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_a_hash_is_of_its_password(void **state)
{
    (void)state;
    struct slice password = SLICE_LITERAL("correct horse");
    char *hash = password_hash(password), *other = password_hash(password);
    assert_non_null(hash);
    assert_memory_equal(hash, "$argon2id$v=19$m=19456,t=2,p=1$",
                        strlen("$argon2id$v=19$m=19456,t=2,p=1$"));
    assert_string_not_equal(hash, other); /* the salts differ */
    assert_null(password_hash_fault(hash));
    assert_int_equal(password_verify(hash, password), PASSWORD_RIGHT);
    assert_int_equal(password_verify(other, password), PASSWORD_RIGHT);
    assert_int_equal(password_verify(hash, SLICE_LITERAL("correct horsf")), PASSWORD_WRONG);
    assert_int_equal(password_verify(hash, SLICE_LITERAL("correct hors")), PASSWORD_WRONG);
    assert_int_equal(password_verify(hash, SLICE_LITERAL("")), PASSWORD_WRONG);
    free(hash);
    free(other);
}

/* What libargon2 makes with other parameters is understood, within the bounds. */
static void test_hashes_of_others(void **state)
{
    (void)state;
    static const struct {
        uint32_t passes, kib, lanes;
        size_t salt, hash;
        bool is_good;
    } rows[] = {
        {1, 8, 1, 8, 16, true},    {3, 64, 8, 64, 64, true}, {17, 8, 1, 16, 32, false},
        {1, 72, 9, 16, 32, false}, {1, 8, 1, 16, 15, false}, {1, 8, 1, 65, 32, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint8_t salt[65] = {1, 2, 3};
        char text[400];
        assert_int_equal(argon2id_hash_encoded(rows[i].passes, rows[i].kib, rows[i].lanes, "abc", 3,
                                               salt, rows[i].salt, rows[i].hash, text, sizeof text),
                         ARGON2_OK);
        assert_int_equal(password_hash_fault(text) == NULL, rows[i].is_good);
        if (rows[i].is_good)
            assert_int_equal(password_verify(text, SLICE_LITERAL("abc")), PASSWORD_RIGHT);
    }
}

#define SALT "AAAAAAAAAAAAAAAAAAAAAA"
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static void test_faults(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"", "does not begin"},
        {"hunter22", "does not begin"},
        {"$argon2i$v=19$m=19456,t=2,p=1$" SALT "$" HASH, "does not begin"},
        {"$argon2id$v=16$m=19456,t=2,p=1$" SALT "$" HASH, "does not begin"},
        {"$argon2id$v=19$m=19456,t=2$" SALT "$" HASH, "no parameters"},
        {"$argon2id$v=19$m=,t=2,p=1$" SALT "$" HASH, "no parameters"},
        {"$argon2id$v=19$m=019456,t=2,p=1$" SALT "$" HASH, "no parameters"},
        {"$argon2id$v=19$m=19456,t=0,p=1$" SALT "$" HASH, "no parameters"},
        {"$argon2id$v=19$m=999999999999,t=2,p=1$" SALT "$" HASH, "no parameters"},
        {"$argon2id$v=19$m=262145,t=2,p=1$" SALT "$" HASH, "too much"},
        {"$argon2id$v=19$m=19456,t=17,p=1$" SALT "$" HASH, "too much"},
        {"$argon2id$v=19$m=19456,t=2,p=9$" SALT "$" HASH, "too much"},
        {"$argon2id$v=19$m=15,t=2,p=2$" SALT "$" HASH, "too little memory"},
        {"$argon2id$v=19$m=19456,t=2,p=1$AAAA$" HASH, "no salt"},
        {"$argon2id$v=19$m=19456,t=2,p=1$" SALT "A=$" HASH, "no salt"},
        {"$argon2id$v=19$m=19456,t=2,p=1$" SALT, "no salt"},
        {"$argon2id$v=19$m=19456,t=2,p=1$" SALT "$", "no hash"},
        {"$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" HASH "$", "no hash"},
        {"$argon2id$v=19$m=19456,t=2,p=1$" SALT "$" HASH "!", "no hash"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const char *fault = password_hash_fault(rows[i][0]);
        assert_non_null(fault);
        assert_non_null(strstr(fault, rows[i][1]));
    }
    char much[PASSWORD_MOST_TEXT + 2];
    memset(much, 'A', sizeof much - 1);
    much[sizeof much - 1] = '\0';
    assert_string_equal(password_hash_fault(much), "is too long");
}

/* What fits the bounds is within what libargon2 accepts. */
static void test_the_decoy(void **state)
{
    (void)state;
    assert_null(password_hash_fault(password_decoy()));
    assert_int_equal(password_verify(password_decoy(), SLICE_LITERAL("")), PASSWORD_WRONG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_hash_is_of_its_password),
        cmocka_unit_test(test_hashes_of_others),
        cmocka_unit_test(test_faults),
        cmocka_unit_test(test_the_decoy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
