/* Tests of service/authenticator.c: attempts of one worker, without calls. */
#include "service/authenticator.h"

#include "access/passwords.h"
#include "access/throttle.h"
#include "base/clock.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "service/auth_link.h"

static int finished;

static void on_finish(struct offload_job *job)
{
    (void)job;
    finished++;
}

static int setup_with(const char *hash)
{
    finished = 0;
    auth_start(hash);
    return 0;
}

static int setup(void **state)
{
    (void)state;
    char *hash = password_hash(SLICE_LITERAL(AUTH_PASSWORD));
    int result = setup_with(hash);
    free(hash);
    return result;
}

/* An attempt takes seconds. */
static int setup_slow(void **state)
{
    (void)state;
    return setup_with("$argon2id$v=19$m=262144,t=16,p=1$AAAAAAAAAAAAAAAAAAAAAA$"
                      "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
}

static void take_all(void)
{
    struct offload_job *job;
    while ((job = offload_take(link_offload, 0)) != NULL)
        job->finish(job);
}

static int teardown(void **state)
{
    (void)state;
    authenticator_stop(link_authenticator);
    offload_stop(link_offload);
    take_all();
    offload_free(link_offload);
    link_offload = NULL;
    auth_stop();
    return 0;
}

static struct attempt attempt_of(const char *user, const char *password, uint8_t address)
{
    struct attempt attempt = {.job = {.finish = on_finish},
                              .password = strdup(password),
                              .password_size = strlen(password),
                              .address = {0x20, [7] = address},
                              .deadline_ms = INT64_MAX};
    snprintf(attempt.user, sizeof attempt.user, "%s", user);
    return attempt;
}

static void wait_for(int count)
{
    while (finished < count) {
        offload_link_wait();
        take_all();
    }
}

/* Adds the attempt and waits for its end. */
static enum attempt_result judge(struct attempt *attempt)
{
    int64_t retry_ms;
    int before = finished;
    assert_int_equal(authenticator_add(link_authenticator, attempt, &retry_ms), ATTEMPT_ADDED);
    wait_for(before + 1);
    assert_null(attempt->password);
    return attempt->result;
}

static void test_results(void **state)
{
    (void)state;
    static const struct {
        const char *user, *password;
        enum attempt_result result;
    } rows[] = {
        {"u", AUTH_PASSWORD, ATTEMPT_ACCEPTED},   {"u", "correct", ATTEMPT_DENIED},
        {"t", AUTH_PASSWORD, ATTEMPT_DENIED},     {"v", AUTH_PASSWORD, ATTEMPT_DENIED},
        {"u", AUTH_PASSWORD "x", ATTEMPT_DENIED},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attempt attempt = attempt_of(rows[i].user, rows[i].password, 0);
        assert_int_equal(judge(&attempt), rows[i].result);
        assert_int_equal(attempt.token[0] != '\0', rows[i].result == ATTEMPT_ACCEPTED);
    }
    struct authenticator_counts counts = authenticator_counts(link_authenticator);
    assert_int_equal(counts.accepted, 1);
    assert_int_equal(counts.denied, 4);
    assert_int_equal(authenticator_sessions(link_authenticator), 1);
}

static void test_lifetimes(void **state)
{
    (void)state;
    static const int64_t rows[][2] = {
        {0, AUTH_LIFETIME}, {1000, 1000}, {AUTH_LIFETIME + 1, AUTH_LIFETIME}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct attempt attempt = attempt_of("u", AUTH_PASSWORD, 0);
        struct session_info info;
        uint8_t hash[TOKEN_HASH_BYTES];
        unsigned generation;
        attempt.lifetime_ms = rows[i][0];
        int64_t before_ms = clock_unix_ms();
        assert_int_equal(judge(&attempt), ATTEMPT_ACCEPTED);
        assert_in_range(attempt.expires_ms - rows[i][1], before_ms, clock_unix_ms());
        token_hash(slice_from_string(attempt.token), hash);
        struct access *access = access_source_take(link_access, &generation);
        const struct access_user *user =
            sessions_find(link_sessions, access, hash, before_ms, &info);
        assert_non_null(user);
        assert_string_equal(user->rules.user, "u");
        assert_int_equal(info.expires_ms, attempt.expires_ms);
        access_release(access);
    }
}

/* Wrong ones count against their address only, right ones against none. */
static void test_throttling(void **state)
{
    (void)state;
    int64_t retry_ms;
    struct attempt attempt = attempt_of("u", AUTH_PASSWORD, 1);
    for (int i = 0; i < THROTTLE_BURST; i++) {
        assert_int_equal(judge(&attempt), ATTEMPT_ACCEPTED);
        attempt = attempt_of("u", "wrong", 1);
        assert_int_equal(judge(&attempt), ATTEMPT_DENIED);
        attempt = attempt_of("u", AUTH_PASSWORD, 1);
    }
    /* More than that may fail in the time that a slow machine takes for it. */
    for (int before = finished;
         authenticator_add(link_authenticator, &attempt, &retry_ms) != ATTEMPT_THROTTLED;
         before = finished) {
        wait_for(before + 1);
        attempt = attempt_of("u", "wrong", 1);
    }
    assert_in_range(retry_ms, 1, THROTTLE_INTERVAL_MS);
    attempt_forget_password(&attempt);
    attempt = attempt_of("u", AUTH_PASSWORD, 2);
    assert_int_equal(judge(&attempt), ATTEMPT_ACCEPTED);
    assert_int_equal(authenticator_counts(link_authenticator).throttled, 1);
}

/* While the first one is computed, which takes seconds. */
static void test_a_full_queue(void **state)
{
    (void)state;
    struct attempt attempts[AUTHENTICATOR_MOST + 1];
    int64_t retry_ms;
    attempts[0] = attempt_of("u", "wrong", 0);
    assert_int_equal(authenticator_add(link_authenticator, &attempts[0], &retry_ms), ATTEMPT_ADDED);
    for (int i = 1; i <= AUTHENTICATOR_MOST; i++) {
        attempts[i] = attempt_of("u", "wrong", (uint8_t)i);
        /* The last one has room when the first one has begun. */
        while (authenticator_add(link_authenticator, &attempts[i], &retry_ms) != ATTEMPT_ADDED)
            sched_yield();
    }
    uint64_t crowded = authenticator_counts(link_authenticator).crowded;
    struct attempt more = attempt_of("u", "wrong", 100);
    assert_int_equal(authenticator_add(link_authenticator, &more, &retry_ms), ATTEMPT_CROWDED);
    assert_true(retry_ms > 0);
    /* One of the middle, the last, and the first of those that wait make room. */
    assert_true(authenticator_take_back(link_authenticator, &attempts[5]));
    assert_true(authenticator_take_back(link_authenticator, &attempts[AUTHENTICATOR_MOST]));
    assert_int_equal(authenticator_add(link_authenticator, &more, &retry_ms), ATTEMPT_ADDED);
    assert_false(authenticator_take_back(link_authenticator, &attempts[0]));
    /* It stops after the one that it computes, and what has waited is brought back. */
    authenticator_stop(link_authenticator);
    wait_for(AUTHENTICATOR_MOST);
    assert_int_equal(attempts[0].result, ATTEMPT_DENIED);
    assert_int_equal(attempts[2].result, ATTEMPT_STOPPED);
    assert_int_equal(more.result, ATTEMPT_STOPPED);
    attempt_forget_password(&attempts[5]);
    attempt_forget_password(&attempts[AUTHENTICATOR_MOST]);
    struct authenticator_counts counts = authenticator_counts(link_authenticator);
    assert_int_equal(counts.denied, 1);
    assert_int_equal(counts.crowded, crowded + 1);
    assert_int_equal(counts.dropped, 2 + AUTHENTICATOR_MOST - 1);
}

static void test_a_late_attempt_is_not_computed(void **state)
{
    (void)state;
    struct attempt attempt = attempt_of("u", AUTH_PASSWORD, 0);
    attempt.deadline_ms = clock_monotonic_ms();
    assert_int_equal(judge(&attempt), ATTEMPT_LATE);
    assert_int_equal(authenticator_sessions(link_authenticator), 0);
}

static void test_without_one(void **state)
{
    (void)state;
    assert_int_equal(authenticator_counts(NULL).accepted, 0);
    assert_int_equal(authenticator_sessions(NULL), 0);
    authenticator_stop(NULL);
    authenticator_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_results, setup, teardown),
        cmocka_unit_test_setup_teardown(test_lifetimes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_throttling, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_queue, setup_slow, teardown),
        cmocka_unit_test_setup_teardown(test_a_late_attempt_is_not_computed, setup, teardown),
        cmocka_unit_test(test_without_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
