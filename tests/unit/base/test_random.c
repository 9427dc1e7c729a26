/* Tests of base/random.c: the whole buffer is filled, nothing else, and never twice with the same
 * bytes. */
#include "base/random.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include <cmocka.h>

static void test_two_secrets_differ(void **state)
{
    (void)state;
    uint8_t one[32], other[32];
    random_fill(one, sizeof one);
    random_fill(other, sizeof other);
    assert_memory_not_equal(one, other, sizeof one);
}

static void test_writes_nothing_beside_the_buffer(void **state)
{
    (void)state;
    uint8_t bytes[34];
    memset(bytes, 0x5a, sizeof bytes);
    random_fill(bytes + 1, 0);
    for (size_t i = 0; i < sizeof bytes; i++)
        assert_int_equal(bytes[i], 0x5a);
    random_fill(bytes + 1, 32);
    assert_int_equal(bytes[0], 0x5a);
    assert_int_equal(bytes[33], 0x5a);
}

static void on_tick(int signal)
{
    (void)signal;
}

static void tick_every_us(int interval_us)
{
    struct timeval interval = {.tv_usec = interval_us};
    setitimer(ITIMER_REAL, &(struct itimerval){interval, interval}, NULL);
}

/* A signal interrupts the kernel half way; 64 zero bytes in a row would be the part not filled. */
static void test_signals_leave_no_gap(void **state)
{
    (void)state;
    static const uint8_t gap[64];
    size_t size = 16 << 20;
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = on_tick}, NULL);
    tick_every_us(500);
    random_fill(bytes, size);
    tick_every_us(0);
    for (size_t at = 0; at < size; at += sizeof gap)
        assert_memory_not_equal(bytes + at, gap, sizeof gap);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_two_secrets_differ),
        cmocka_unit_test(test_writes_nothing_beside_the_buffer),
        cmocka_unit_test(test_signals_leave_no_gap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
