/* Reads what the system knows of this process: /proc/self, which stays open. */
#include "metrics/process.h"

#include "base/mem.h"
#include "metrics/text.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

struct metrics_process {
    int stat;         /* of /proc/self/stat, or -1 */
    DIR *descriptors; /* /proc/self/fd, or NULL */
    double boot;      /* Unix time in seconds; 0 = unknown */
};

/* When the system was started. */
static double process_read_boot(void)
{
    char line[256];
    double boot = 0;
    FILE *file = fopen("/proc/stat", "re");
    while (file != NULL && boot == 0 && fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "btime ", 6) == 0)
            boot = strtod(line + 6, NULL);
    if (file != NULL)
        fclose(file);
    return boot;
}

struct metrics_process *metrics_process_new(void)
{
    struct metrics_process *process = mem_alloc(sizeof *process);
    *process = (struct metrics_process){.stat = open("/proc/self/stat", O_RDONLY | O_CLOEXEC),
                                        .descriptors = opendir("/proc/self/fd"),
                                        .boot = process_read_boot()};
    return process;
}

void metrics_process_free(struct metrics_process *process)
{
    if (process == NULL)
        return;
    if (process->stat >= 0)
        close(process->stat);
    if (process->descriptors != NULL)
        closedir(process->descriptors);
    free(process);
}

static void process_put(struct metrics_text *text, const char *name, const char *help, double value)
{
    metrics_text_family(text, name, METRICS_GAUGE, help);
    metrics_text_real(text, METRICS_NO_LABELS, value);
}

static void process_write_cpu(struct metrics_text *text)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return;
    metrics_text_family(text, "process_cpu_seconds", METRICS_COUNTER,
                        "CPU time of the process, user and system.");
    metrics_text_real(text, METRICS_NO_LABELS,
                      (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                          (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6);
}

/* The fields after the name, which is in parentheses and may contain anything (proc(5)). */
static void process_write_stat(const struct metrics_process *process, struct metrics_text *text)
{
    char line[1024];
    unsigned long long threads, started, virtual_bytes;
    long long resident_pages;
    ssize_t len = process->stat >= 0 ? pread(process->stat, line, sizeof line - 1, 0) : (ssize_t)-1;
    line[len > 0 ? len : 0] = 0;
    const char *fields = strrchr(line, ')');
    if (fields == NULL ||
        sscanf(fields + 1,
               " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %llu %*d %llu "
               "%llu %lld",
               &threads, &started, &virtual_bytes, &resident_pages) != 4)
        return;
    process_put(text, "process_resident_memory_bytes", "Resident memory of the process.",
                (double)resident_pages * (double)sysconf(_SC_PAGESIZE));
    process_put(text, "process_virtual_memory_bytes", "Address space of the process.",
                (double)virtual_bytes);
    process_put(text, "process_threads", "Threads of the process.", (double)threads);
    if (process->boot > 0)
        process_put(text, "process_start_time_seconds", "Unix time at which the process started.",
                    process->boot + (double)started / (double)sysconf(_SC_CLK_TCK));
}

static void process_write_descriptors(const struct metrics_process *process,
                                      struct metrics_text *text)
{
    struct rlimit limit;
    uint64_t count = 0;
    if (process->descriptors != NULL) {
        rewinddir(process->descriptors);
        for (const struct dirent *entry = readdir(process->descriptors); entry != NULL;
             entry = readdir(process->descriptors))
            count += entry->d_name[0] != '.';
        process_put(text, "process_open_fds", "Open descriptors of the process.", (double)count);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
        process_put(text, "process_max_fds", "Limit of open descriptors.",
                    limit.rlim_cur == RLIM_INFINITY ? (double)UINT64_MAX : (double)limit.rlim_cur);
}

void metrics_process_write(struct metrics_process *process, struct metrics_text *text)
{
    process_write_cpu(text);
    process_write_stat(process, text);
    process_write_descriptors(process, text);
}
