/* Binds sockets to addresses and listens. Does not accept. */
#include "net/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static bool listener_set_option(int descriptor, int option)
{
    int on = 1;
    return setsockopt(descriptor, SOL_SOCKET, option, &on, sizeof on) == 0;
}

static int listener_open_socket(const struct net_address *address)
{
    return socket(address->socket.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static void listener_close_keeping_errno(int descriptor)
{
    int saved = errno;
    close(descriptor);
    errno = saved;
}

/*
 * The first socket is bound and listens before it gets SO_REUSEPORT: binding fails if another
 * server uses the port, and later servers fail, too. (Because of SO_REUSEADDR, two sockets that do
 * not listen could have the same address.) Further sockets have SO_REUSEPORT from the start.
 */
static int listener_bind_tcp(struct net_address *address, bool first)
{
    int descriptor = listener_open_socket(address);
    if (descriptor < 0)
        return -1;
    bool bound = listener_set_option(descriptor, SO_REUSEADDR) &&
                 (first || listener_set_option(descriptor, SO_REUSEPORT)) &&
                 bind(descriptor, (struct sockaddr *)&address->socket, address->size) == 0 &&
                 listen(descriptor, SOMAXCONN) == 0 &&
                 listener_set_option(descriptor, SO_REUSEPORT);
    socklen_t size = sizeof address->socket;
    if (bound && getsockname(descriptor, (struct sockaddr *)&address->socket, &size) == 0) {
        net_address_name_port(address);
        return descriptor;
    }
    listener_close_keeping_errno(descriptor);
    return -1;
}

/* True if a server accepts connections on the unix socket. */
static bool listener_is_served(const struct net_address *address)
{
    int descriptor = listener_open_socket(address);
    if (descriptor < 0)
        return true;
    bool refused =
        connect(descriptor, (const struct sockaddr *)&address->socket, address->size) < 0 &&
        errno == ECONNREFUSED;
    close(descriptor);
    return !refused;
}

static bool listener_is_socket(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int listener_bind_unix(const struct net_address *address)
{
    const char *path = net_address_path(address);
    if (listener_is_socket(path) && !listener_is_served(address))
        unlink(path);
    int descriptor = listener_open_socket(address);
    if (descriptor < 0)
        return -1;
    if (bind(descriptor, (const struct sockaddr *)&address->socket, address->size) == 0 &&
        listen(descriptor, SOMAXCONN) == 0)
        return descriptor;
    listener_close_keeping_errno(descriptor);
    return -1;
}

static int listener_bind_one(struct net_address *address, const int *descriptors, size_t index)
{
    if (!net_address_is_unix(address))
        return listener_bind_tcp(address, index == 0);
    return index == 0 ? listener_bind_unix(address) : fcntl(descriptors[0], F_DUPFD_CLOEXEC, 0);
}

bool listener_bind(struct net_address *address, int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        descriptors[i] = listener_bind_one(address, descriptors, i);
        if (descriptors[i] >= 0)
            continue;
        if (i > 0 && net_address_is_unix(address))
            listener_unlink(address);
        while (i > 0)
            listener_close_keeping_errno(descriptors[--i]);
        return false;
    }
    return true;
}

bool listener_share(int descriptor, int *descriptors, size_t count)
{
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0)
        return false;
    descriptors[0] = descriptor;
    for (size_t i = 1; i < count; i++) {
        descriptors[i] = fcntl(descriptor, F_DUPFD_CLOEXEC, 0);
        if (descriptors[i] >= 0)
            continue;
        while (--i > 0)
            listener_close_keeping_errno(descriptors[i]);
        return false;
    }
    return true;
}

void listener_unlink(const struct net_address *address)
{
    if (net_address_is_unix(address))
        unlink(net_address_path(address));
}
