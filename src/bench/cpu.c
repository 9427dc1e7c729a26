/* Asks the kernel for CPU times. Does not know what was done with them. */
#include "bench/cpu.h"

#include "bench/now.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static uint64_t cpu_from_timeval(struct timeval time)
{
    return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * 1000;
}

struct cpu_time cpu_of_thread(void)
{
    struct rusage usage;
    getrusage(RUSAGE_THREAD, &usage);
    return (struct cpu_time){.user_ns = cpu_from_timeval(usage.ru_utime),
                             .system_ns = cpu_from_timeval(usage.ru_stime)};
}

static bool cpu_read_stat(int64_t pid, char *text, size_t size)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%" PRId64 "/stat", pid);
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t len = fread(text, 1, size - 1, file);
    fclose(file);
    text[len] = '\0';
    return len > 0;
}

bool cpu_of_process(int64_t pid, struct cpu_time *time)
{
    char text[1024];
    if (!cpu_read_stat(pid, text, sizeof text))
        return false;
    /* The second field is the program's name in parentheses and may hold anything. */
    const char *rest = strrchr(text, ')');
    uint64_t user;
    uint64_t system;
    if (rest == NULL ||
        sscanf(rest + 1, " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %" SCNu64 " %" SCNu64, &user,
               &system) != 2)
        return false;
    uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
    *time = (struct cpu_time){.user_ns = user * tick_ns, .system_ns = system * tick_ns};
    return true;
}

struct cpu_time cpu_between(struct cpu_time earlier, struct cpu_time later)
{
    return (struct cpu_time){.user_ns = later.user_ns - earlier.user_ns,
                             .system_ns = later.system_ns - earlier.system_ns};
}
