/* Tests of cli/login.c; the client library is played here. */
#include "cli/login.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "fake_client.h"

static struct login login;
static const char *why;

static int set_up(void **state)
{
    (void)state;
    fake_reset();
    memset(fake_sent_password, 0, sizeof fake_sent_password);
    memset(fake_token, 0, sizeof fake_token);
    unsetenv("KEYSTORE_PASSWORD");
    return 0;
}

static void play_token(int64_t lifetime_ms)
{
    fake_authenticated = (struct keystore_authenticate_reply){
        .token = "kst_1", .expires_at_ms = clock_unix_ms() + lifetime_ms, .user = "u"};
}

static void test_a_token(void **state)
{
    (void)state;
    login_init(&login, &(struct options){.token = "abc"});
    assert_string_equal(login_token(&login), "abc");
    assert_false(login_is_due(&login) || login_can_renew(&login));
    login_init(&login, &(struct options){0});
    assert_null(login_token(&login));
    assert_false(login_is_due(&login));
}

static void test_a_user_of_the_environment(void **state)
{
    (void)state;
    setenv("KEYSTORE_PASSWORD", "secret", 1);
    login_init(&login, &(struct options){.user = "u", .token = "abc"});
    assert_null(login_token(&login));
    assert_true(login_is_due(&login) && login_can_renew(&login));
    play_token(100000);
    assert_int_equal(login_renew(&login, NULL, &why), LOGIN_DONE);
    assert_string_equal(fake_sent_password, "secret");
    assert_string_equal(fake_token, "kst_1");
    assert_string_equal(login_token(&login), "kst_1");
    assert_false(login_is_due(&login));
    assert_in_range(login.renew_ms, clock_monotonic_ms() + 1, clock_monotonic_ms() + 75000);
    /* With a token that has expired by this clock, the next command authenticates again. */
    play_token(-1000);
    assert_int_equal(login_renew(&login, NULL, &why), LOGIN_DONE);
    assert_true(login_is_due(&login));
    fake_code = KEYSTORE_UNAUTHENTICATED;
    assert_int_equal(login_renew(&login, NULL, &why), LOGIN_REFUSED);
    login_deinit(&login);
    assert_null(login_token(&login));
}

static void test_no_password(void **state)
{
    (void)state;
    setenv("KEYSTORE_PASSWORD", "", 1);
    login_init(&login, &(struct options){.user = "u"});
    assert_int_equal(login_renew(&login, NULL, &why), LOGIN_NO_PASSWORD);
    assert_non_null(strstr(why, "KEYSTORE_PASSWORD is empty"));
    login_init(&login, &(struct options){.user = "u", .password_file = "/nonexistent"});
    assert_int_equal(login_renew(&login, NULL, &why), LOGIN_NO_PASSWORD);
    assert_non_null(strstr(why, "No such file"));
    assert_int_equal(fake_calls, 0);
}

static void test_another_user(void **state)
{
    (void)state;
    struct keystore_slice password = keystore_text("secret");
    char much[LOGIN_TOKEN + 1];
    memset(much, 'x', sizeof much);
    login_init(&login, &(struct options){.token = "abc"});
    assert_false(login_set_user(&login, (struct keystore_slice){much, LOGIN_USER}, NULL, &why));
    assert_false(login_set_user(&login, (struct keystore_slice){"", 0}, &password, &why));
    password.len = 0;
    assert_false(login_set_user(&login, keystore_text("u"), &password, &why));
    assert_false(login_set_token(&login, (struct keystore_slice){much, LOGIN_TOKEN}, &why));
    assert_false(login_set_token(&login, (struct keystore_slice){"a\0b", 3}, &why));
    assert_string_equal(login_token(&login), "abc"); /* nothing has changed */
    password.len = 6;
    play_token(1000);
    assert_true(login_set_user(&login, keystore_text("u"), &password, &why));
    assert_true(login_is_due(&login));
    assert_int_equal(login_renew(&login, NULL, &why), LOGIN_DONE);
    assert_string_equal(fake_sent_password, "secret");
    assert_true(login_set_token(&login, keystore_text("other"), &why));
    assert_string_equal(login_token(&login), "other");
    assert_false(login_can_renew(&login));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_a_token, set_up),
        cmocka_unit_test_setup(test_a_user_of_the_environment, set_up),
        cmocka_unit_test_setup(test_no_password, set_up),
        cmocka_unit_test_setup(test_another_user, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
