/* Resolves names and connects sockets. Does not know what is sent over them. */
#include "bench/target.h"

#include "bench/now.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

/* On Linux, the send timeout also limits connect(). */
static void target_limit_connect_time(int fd, uint64_t timeout_ns)
{
    struct timeval time = {.tv_sec = (time_t)(timeout_ns / NS_PER_S),
                           .tv_usec = (suseconds_t)(timeout_ns % NS_PER_S / 1000)};
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time);
}

static bool target_prepare(int fd, int family)
{
    int on = 1;
    if (family != AF_UNIX)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    return fcntl(fd, F_SETFL, O_NONBLOCK) == 0;
}

static int target_open_address(const struct sockaddr *address, socklen_t len, uint64_t timeout_ns)
{
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    target_limit_connect_time(fd, timeout_ns);
    if (connect(fd, address, len) == 0 && target_prepare(fd, address->sa_family))
        return fd;
    int cause = errno == EINPROGRESS || errno == EAGAIN ? ETIMEDOUT : errno;
    close(fd);
    errno = cause;
    return -1;
}

int target_connect(const struct target *target, uint64_t timeout_ns,
                   char problem[static TARGET_PROBLEM_SIZE])
{
    int fd = target_open_address((const struct sockaddr *)&target->address, target->address_len,
                                 timeout_ns);
    if (fd < 0)
        snprintf(problem, TARGET_PROBLEM_SIZE, "cannot connect to %s: %s", target->name,
                 strerror(errno));
    return fd;
}

static bool target_try_connect(const struct target *target, uint64_t timeout_ns,
                               char problem[static TARGET_PROBLEM_SIZE])
{
    int fd = target_connect(target, timeout_ns, problem);
    if (fd < 0)
        return false;
    close(fd);
    return true;
}

static bool target_find_unix(struct target *target, const char *path, uint64_t timeout_ns,
                             char problem[static TARGET_PROBLEM_SIZE])
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
    memcpy(&target->address, &address, sizeof address);
    target->address_len = sizeof address;
    snprintf(target->name, sizeof target->name, "unix:%s", path);
    snprintf(target->authority, sizeof target->authority, "localhost");
    return target_try_connect(target, timeout_ns, problem);
}

static bool target_find_tcp(struct target *target, const char *host, const char *port,
                            uint64_t timeout_ns, char problem[static TARGET_PROBLEM_SIZE])
{
    struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    struct addrinfo *list = NULL;
    const char *form = strchr(host, ':') != NULL ? "[%s]:%s" : "%s:%s";
    snprintf(target->name, sizeof target->name, form, host, port);
    snprintf(target->authority, sizeof target->authority, form, host, port);
    int failure = getaddrinfo(host, port, &hints, &list);
    if (failure != 0) {
        snprintf(problem, TARGET_PROBLEM_SIZE, "cannot resolve the host '%s': %s", host,
                 gai_strerror(failure));
        return false;
    }
    bool found = false;
    for (const struct addrinfo *at = list; at != NULL && !found; at = at->ai_next) {
        memcpy(&target->address, at->ai_addr, at->ai_addrlen);
        target->address_len = at->ai_addrlen;
        found = target_try_connect(target, timeout_ns, problem);
    }
    freeaddrinfo(list);
    return found;
}

bool target_find(struct target *target, const char *host, const char *port, const char *unix_path,
                 uint64_t timeout_ns, char problem[static TARGET_PROBLEM_SIZE])
{
    *target = (struct target){.address_len = 0};
    if (unix_path != NULL)
        return target_find_unix(target, unix_path, timeout_ns, problem);
    return target_find_tcp(target, host, port, timeout_ns, problem);
}
