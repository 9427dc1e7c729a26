/* Limits the address space of this process (ulimit -v), for tests of running out of memory. */
#ifndef KEYSTORE_TESTS_UNIT_BASE_ADDRESSES_H
#define KEYSTORE_TESTS_UNIT_BASE_ADDRESSES_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>

/* A sanitizer needs address space without limit. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define ADDRESSES_ARE_LIMITABLE false
#else
#define ADDRESSES_ARE_LIMITABLE true
#endif

/* Sets the limit to that many bytes more than are in use; SIZE_MAX: no limit. */
static void leave_addresses(size_t more)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%lu", &pages), 1);
    fclose(file);
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_AS, &limit), 0);
    limit.rlim_cur = more == SIZE_MAX ? limit.rlim_max : pages * 4096 + more;
    assert_int_equal(setrlimit(RLIMIT_AS, &limit), 0);
}

#endif
