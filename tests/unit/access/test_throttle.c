/* Tests of access/throttle.c; the time is played. */
#include "access/throttle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define NOW 1000000

static const uint8_t here[16] = {[10] = 0xff, [11] = 0xff, [12] = 10, [15] = 1};

static int setup(void **state)
{
    *state = throttle_new();
    return 0;
}

static int teardown(void **state)
{
    throttle_free(*state);
    return 0;
}

static void exhaust(struct throttle *throttle, const uint8_t address[16], int64_t now_ms)
{
    for (int i = 0; i < THROTTLE_BURST; i++)
        assert_int_equal(throttle_enter(throttle, address, now_ms), 0);
    assert_int_equal(throttle_enter(throttle, address, now_ms), THROTTLE_INTERVAL_MS);
}

static void test_a_burst_and_then_one_each_interval(void **state)
{
    exhaust(*state, here, NOW);
    assert_int_equal(throttle_enter(*state, here, NOW + 1000), THROTTLE_INTERVAL_MS - 1000);
    assert_int_equal(throttle_enter(*state, here, NOW + THROTTLE_INTERVAL_MS - 1), 1);
    for (int i = 1; i < 5; i++) {
        int64_t now_ms = NOW + (int64_t)i * THROTTLE_INTERVAL_MS;
        assert_int_equal(throttle_enter(*state, here, now_ms), 0);
        assert_int_equal(throttle_enter(*state, here, now_ms), THROTTLE_INTERVAL_MS);
    }
}

static void test_all_is_forgotten(void **state)
{
    exhaust(*state, here, NOW);
    exhaust(*state, here, NOW + (int64_t)THROTTLE_BURST * THROTTLE_INTERVAL_MS);
}

static void test_what_has_not_failed_does_not_count(void **state)
{
    for (int i = 0; i < 10 * THROTTLE_BURST; i++) {
        assert_int_equal(throttle_enter(*state, here, NOW), 0);
        throttle_forgive(*state, here, NOW);
    }
    exhaust(*state, here, NOW);
    throttle_forgive(*state, here, NOW);
    assert_int_equal(throttle_enter(*state, here, NOW), 0);
    assert_int_not_equal(throttle_enter(*state, here, NOW), 0);
    /* Of one that is forgotten. */
    throttle_forgive(*state, here, NOW + (int64_t)THROTTLE_BURST * THROTTLE_INTERVAL_MS);
    exhaust(*state, here, NOW + (int64_t)THROTTLE_BURST * THROTTLE_INTERVAL_MS);
}

static void test_addresses_are_apart(void **state)
{
    uint8_t other[16], network[16] = {0x20, 0x01, 0x0d, 0xb8, [7] = 1, [15] = 1};
    exhaust(*state, here, NOW);
    memcpy(other, here, 16);
    other[15]++;
    exhaust(*state, other, NOW);
    exhaust(*state, network, NOW);
    network[8] = network[15] = 9; /* the same /64 */
    assert_int_not_equal(throttle_enter(*state, network, NOW), 0);
    network[7]++;
    exhaust(*state, network, NOW);
}

/* However many addresses there are, those that have failed often are not forgotten for them. */
static void test_a_full_table(void **state)
{
    uint8_t address[16] = {0x20};
    exhaust(*state, here, NOW);
    for (uint32_t i = 0; i < 20 * THROTTLE_ADDRESSES; i++) {
        memcpy(address + 4, &i, sizeof i);
        assert_int_equal(throttle_enter(*state, address, NOW), 0);
    }
    assert_int_equal(throttle_enter(*state, here, NOW), THROTTLE_INTERVAL_MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_burst_and_then_one_each_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_all_is_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_has_not_failed_does_not_count, setup, teardown),
        cmocka_unit_test_setup_teardown(test_addresses_are_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_full_table, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
