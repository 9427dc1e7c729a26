/* Signals that interrupt a command. */
#include "cli/interrupt.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static bool is_readable(void)
{
    struct pollfd entry = {.fd = interrupt_descriptor(), .events = POLLIN};
    return poll(&entry, 1, 0) == 1;
}

static void a_signal_is_a_readable_descriptor(void **state)
{
    (void)state;
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    for (size_t i = 0; i < 3; i++) {
        interrupt_begin();
        assert_false(is_readable() || interrupt_is_pending());
        assert_int_equal(raise(numbers[i]), 0);
        assert_true(is_readable() && interrupt_is_pending());
        assert_int_equal(interrupt_end(), numbers[i]);
        assert_false(is_readable());
    }
    interrupt_begin();
    assert_int_equal(interrupt_end(), 0);
}

static volatile sig_atomic_t caught;

static void on_signal(int number)
{
    caught = number;
}

static void handlers_come_back(void **state)
{
    (void)state;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    interrupt_begin();
    (void)interrupt_end();
    raise(SIGINT);
    assert_int_equal(caught, SIGINT);
    assert_false(is_readable());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_signal_is_a_readable_descriptor),
        cmocka_unit_test(handlers_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
