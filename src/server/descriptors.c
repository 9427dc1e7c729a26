/* Counts open descriptors and reads the limit. Knows no connection and no file. */
#include "server/descriptors.h"

#include "base/log.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/resource.h>

/* Twice as many as the journal opens at the same time while it rotates its log and writes a
 * snapshot; see journal/journal.h. */
#define FOR_FILES 16
/* A connection that is accepted only to be refused, and a file of /proc for Info. */
#define PER_THREAD 2
/* How many are assumed to be open if /proc is not readable. */
#define UNKNOWN_OPEN 64

void descriptors_raise_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return;
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0)
        log_warning("the limit of open files stays as it is: %s", strerror(errno));
}

uint64_t descriptors_limit(void)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_NOFILE, &limit) == 0 ? limit.rlim_cur : UINT64_MAX;
}

static uint64_t descriptors_count_open(void)
{
    uint64_t count = 0;
    DIR *stream = opendir("/proc/self/fd");
    if (stream == NULL)
        return UNKNOWN_OPEN;
    for (const struct dirent *entry = readdir(stream); entry != NULL; entry = readdir(stream))
        count += entry->d_name[0] != '.';
    closedir(stream);
    return count - 1; /* without the stream's own */
}

uint64_t descriptors_for_connections(uint32_t threads)
{
    uint64_t limit = descriptors_limit();
    uint64_t kept = descriptors_count_open() + FOR_FILES + (uint64_t)PER_THREAD * threads;
    return limit > kept ? limit - kept : 0;
}
