/* Tests of bench/cpu.c against work that this process does. */
#include "bench/cpu.h"

#include "bench/now.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <unistd.h>

/* Computes until this thread has used that much. */
static void work(uint64_t ns)
{
    struct cpu_time begin = cpu_of_thread();
    volatile uint64_t sum = 0;
    while (cpu_sum_ns(cpu_between(begin, cpu_of_thread())) < ns)
        for (uint64_t i = 0; i < 10000; i++)
            sum = sum + i;
}

static void test_work_is_counted_for_thread_and_process(void **state)
{
    (void)state;
    struct cpu_time before;
    struct cpu_time after;
    assert_true(cpu_of_process(getpid(), &before));
    work(NS_PER_S / 5);
    assert_true(cpu_of_process(getpid(), &after));
    uint64_t used_ns = cpu_sum_ns(cpu_between(before, after));
    assert_in_range(used_ns, NS_PER_S / 5 - NS_PER_S / 50, NS_PER_S / 5 + NS_PER_S / 10);
}

static void test_there_is_no_process_of_that_number(void **state)
{
    (void)state;
    struct cpu_time time;
    assert_false(cpu_of_process(INT32_MAX, &time));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_is_counted_for_thread_and_process),
        cmocka_unit_test(test_there_is_no_process_of_that_number),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
