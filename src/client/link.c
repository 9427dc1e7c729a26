/* Dispatches between a plain socket and TLS on it. */
#include "client/link.h"

#include "client/socket.h"
#include "client/status.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

bool link_open(struct link *link, const struct target *target, int cancel_fd, int64_t deadline_ms,
               struct keystore_error *error)
{
    link->fd = socket_connect(target, deadline_ms, error);
    if (link->fd < 0)
        return false;
    if (link->tls == NULL || tls_connect(link->tls, link->fd, cancel_fd, deadline_ms, error))
        return true;
    link_close(link);
    return false;
}

void link_close(struct link *link)
{
    if (link->tls != NULL)
        tls_disconnect(link->tls);
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
}

ssize_t link_send(struct link *link, struct slice bytes)
{
    return link->tls == NULL ? socket_send(link->fd, bytes) : tls_send(link->tls, bytes);
}

ssize_t link_receive(struct link *link, void *out, size_t size)
{
    return link->tls == NULL ? socket_receive(link->fd, out, size)
                             : tls_receive(link->tls, out, size);
}

ssize_t link_receive_waiting(struct link *link, void *out, size_t size)
{
    return link->tls == NULL ? socket_receive_waiting(link->fd, out, size)
                             : tls_receive_waiting(link->tls, out, size);
}

/* poll() knows nothing of what TLS has read already. */
short link_wait(const struct link *link, short events, int cancel_fd, int64_t deadline_ms)
{
    if (link->tls != NULL && tls_has_more(link->tls))
        return events & POLLIN;
    return socket_wait_or_cancel(link->fd, events, cancel_fd, deadline_ms);
}

const char *link_cause(const struct link *link)
{
    const char *failure = link->tls != NULL ? tls_failure(link->tls) : NULL;
    return failure != NULL ? failure : strerror(errno);
}

/* True for an alert, which is how a server with TLS answers a client without. */
static bool link_is_alert(struct slice bytes)
{
    return bytes.len >= 3 && bytes.data[0] == 21 && bytes.data[1] == 3;
}

void link_explain_no_http2(const struct link *link, const struct target *target, const char *cause,
                           struct slice last, struct keystore_error *error)
{
    if (link->tls != NULL)
        status_set(error, KEYSTORE_UNAVAILABLE,
                   "%s ended the connection after the TLS handshake (%s): check that it is a "
                   "KeyStore server, and whether it wants a client's certificate",
                   target->name, cause);
    else if (link_is_alert(last))
        status_set(error, KEYSTORE_UNAVAILABLE, "%s speaks TLS: connect with TLS", target->name);
    else
        status_set(error, KEYSTORE_UNAVAILABLE,
                   "no HTTP/2 server answers at %s (%s): check that a KeyStore server without TLS "
                   "listens there, or connect with TLS",
                   target->name, cause);
}
