/* CPU time used so far. */
#ifndef KEYSTORE_BENCH_CPU_H
#define KEYSTORE_BENCH_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_time {
    uint64_t user_ns;
    uint64_t system_ns;
};

/* Of the calling thread. */
struct cpu_time cpu_of_thread(void);

/* Of all threads of a process, in steps of the kernel's clock tick (10 ms). False if the process
 * does not exist. */
bool cpu_of_process(int64_t pid, struct cpu_time *time) __attribute__((warn_unused_result));

/* later - earlier */
struct cpu_time cpu_between(struct cpu_time earlier, struct cpu_time later);

static inline uint64_t cpu_sum_ns(struct cpu_time time)
{
    return time.user_ns + time.system_ns;
}

#endif
