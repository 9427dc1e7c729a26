/* Tests of access/sessions.c; the time is played. */
#include "access/sessions.h"

#include "access/passwords.h"
#include "access/users_file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#define NOW  1000000
#define SALT "AAAAAAAAAAAAAAAAAAAAAA"
#define HASH "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"

static struct sessions *sessions;

static int setup(void **state)
{
    (void)state;
    sessions = sessions_new();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    sessions_free(sessions);
    return 0;
}

static struct access *read_users(const char *text)
{
    char why[USERS_FILE_WHY];
    struct access *access = users_file_parse(slice_from_string(text), why);
    assert_non_null(access);
    return access;
}

static struct access *two_users(void)
{
    return read_users("[user a]\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" HASH
                      "\n[user b]\npassword = $argon2id$v=19$m=8,t=2,p=1$" SALT "$" HASH "\n");
}

struct begun {
    char token[TOKEN_CHARS + 1];
    uint8_t hash[TOKEN_HASH_BYTES];
};

static struct begun begin(const struct access *access, size_t user, int64_t now_ms,
                          int64_t lifetime)
{
    struct begun begun;
    sessions_begin(sessions, &access->users[user], now_ms, now_ms + lifetime, begun.token);
    token_hash(slice_from_string(begun.token), begun.hash);
    return begun;
}

static const char *find(const struct access *access, const struct begun *begun, int64_t now_ms)
{
    struct session_info info;
    const struct access_user *user = sessions_find(sessions, access, begun->hash, now_ms, &info);
    return user != NULL ? user->rules.user : "";
}

static void test_a_session_is_found_until_it_expires(void **state)
{
    (void)state;
    struct access *access = two_users();
    struct begun a = begin(access, 0, NOW, 100), b = begin(access, 1, NOW, 200), none = {0};
    struct session_info info;
    assert_ptr_equal(sessions_find(sessions, access, a.hash, NOW + 99, &info), &access->users[0]);
    assert_int_equal(info.expires_ms, NOW + 100);
    assert_int_equal(strlen(info.id), SESSION_ID_CHARS);
    assert_null(strstr(a.token, info.id));
    assert_string_equal(find(access, &b, NOW), "b");
    assert_string_equal(find(access, &none, NOW), "");
    assert_int_equal(sessions_count(sessions), 2);
    assert_string_equal(find(access, &a, NOW + 100), "");
    assert_int_equal(sessions_count(sessions), 1);
    assert_string_equal(find(access, &b, NOW + 100), "b");
    assert_int_equal(sessions_generation(sessions), 0); /* nobody has to be asked again */
    access_release(access);
}

static void test_sessions_end_with_the_password(void **state)
{
    (void)state;
    static const struct {
        const char *text, *found;
    } rows[] = {
        /* The order and the rules do not matter. */
        {"[user b]\n[user a]\nallow = all\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" HASH
         "\n",
         "a"},
        {"[user a]\npassword = $argon2id$v=19$m=8,t=3,p=1$" SALT "$" HASH "\n", ""},
        {"[user a]\n", ""},
        {"[user b]\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" HASH "\n", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct access *access = two_users(), *changed = read_users(rows[i].text);
        struct begun a = begin(access, 0, NOW, 100);
        unsigned before = sessions_generation(sessions);
        bool ends = rows[i].found[0] == '\0';
        assert_string_equal(find(changed, &a, NOW), rows[i].found);
        assert_int_equal(sessions_generation(sessions) != before, ends);
        /* It does not come back with the former file. */
        assert_string_equal(find(access, &a, NOW), rows[i].found);
        access_release(access);
        access_release(changed);
    }
}

static void test_the_oldest_of_a_user_ends(void **state)
{
    (void)state;
    struct access *access = two_users();
    struct begun other = begin(access, 1, NOW, 100), kept[SESSIONS_PER_USER + 1];
    for (int i = 0; i <= SESSIONS_PER_USER; i++) {
        assert_int_equal(sessions_generation(sessions), 0);
        kept[i] = begin(access, 0, NOW + i, 1000);
    }
    assert_int_equal(sessions_generation(sessions), 1);
    assert_string_equal(find(access, &kept[0], NOW + 50), "");
    for (int i = 1; i <= SESSIONS_PER_USER; i++)
        assert_string_equal(find(access, &kept[i], NOW + 50), "a");
    assert_string_equal(find(access, &other, NOW + 50), "b");
    /* Expired ones do not count. */
    for (int i = 0; i < SESSIONS_PER_USER; i++)
        kept[i] = begin(access, 0, NOW + 5000, 1000);
    assert_int_equal(sessions_generation(sessions), 1);
    assert_int_equal(sessions_count(sessions), SESSIONS_PER_USER);
    access_release(access);
}

/* Of so many users that each has few. */
static void test_all_together_have_a_limit(void **state)
{
    (void)state;
    size_t users = SESSIONS_IN_ALL / SESSIONS_PER_USER + 1;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    for (size_t i = 0; i < users; i++)
        fprintf(out, "[user u%zu]\npassword = $argon2id$v=19$m=8,t=1,p=1$" SALT "$" HASH "\n", i);
    fclose(out);
    struct access *access = read_users(text);
    free(text);
    struct begun first = begin(access, 0, NOW, 1000), last = first;
    for (size_t i = 1; i <= SESSIONS_IN_ALL; i++) {
        assert_string_equal(find(access, &first, NOW), "u0");
        last = begin(access, i / SESSIONS_PER_USER, NOW, 1000);
    }
    assert_int_equal(sessions_count(sessions), SESSIONS_IN_ALL);
    assert_string_equal(find(access, &first, NOW), "");
    assert_string_not_equal(find(access, &last, NOW), "");
    access_release(access);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_session_is_found_until_it_expires, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sessions_end_with_the_password, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_oldest_of_a_user_ends, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_together_have_a_limit, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
