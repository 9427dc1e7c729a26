/* Visitors keep their places while connections close: each loop knows its visitors. */
#include "net/visit.h"

#include "net/connection.h"
#include "net/connection_state.h"
#include "net/received.h"

#include <stddef.h>
#include <sys/socket.h>

void visit_begin(struct net_shared *shared, struct net_visit *visit)
{
    *visit = (struct net_visit){.at = shared->first, .next = shared->visits};
    visit->link = &shared->visits;
    if (visit->next != NULL)
        visit->next->link = &visit->next;
    shared->visits = visit;
}

struct net_connection *net_visit_next(struct net_visit *visit)
{
    struct net_connection *connection = visit->at;
    while (connection != NULL && connection->ending)
        connection = connection_next(connection);
    visit->at = connection != NULL ? connection_next(connection) : NULL;
    return connection;
}

void net_visit_end(struct net_visit *visit)
{
    if (visit->link == NULL)
        return;
    *visit->link = visit->next;
    if (visit->next != NULL)
        visit->next->link = visit->link;
    *visit = (struct net_visit){0};
}

void net_visit_end_all(struct net_shared *shared)
{
    while (shared->visits != NULL)
        net_visit_end(shared->visits);
}

void visit_on_close(const struct net_connection *connection)
{
    for (struct net_visit *at = connection->shared->visits; at != NULL; at = at->next)
        if (at->at == connection)
            at->at = connection_next(connection);
}

void *net_connection_session(const struct net_connection *connection)
{
    return connection->session;
}

uint64_t net_connection_id(const struct net_connection *connection)
{
    return connection->id;
}

const struct net_peer *net_connection_peer(const struct net_connection *connection)
{
    return &connection->peer;
}

void net_connection_listener(const struct net_connection *connection, struct net_address *listener)
{
    int descriptor;
    *listener = (struct net_address){.size = sizeof listener->socket};
    if (uv_fileno(&connection->uv.handle, &descriptor) != 0 ||
        getsockname(descriptor, (struct sockaddr *)&listener->socket, &listener->size) != 0 ||
        !net_address_name(listener))
        listener->text[0] = '\0';
}

bool net_connection_peer_uid(const struct net_connection *connection, unsigned *uid)
{
    int descriptor;
    struct ucred peer;
    socklen_t size = sizeof peer;
    if (connection->peer.is_counted || uv_fileno(&connection->uv.handle, &descriptor) != 0 ||
        getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0)
        return false;
    *uid = peer.uid;
    return true;
}

/* Bytes that the kernel has received on the connection. */
static uint64_t visit_received(const struct net_connection *connection)
{
    int descriptor;
    if (!connection->peer.is_counted || uv_fileno(&connection->uv.handle, &descriptor) != 0)
        return 0;
    return received_bytes(descriptor);
}

struct net_traffic net_connection_traffic(const struct net_connection *connection)
{
    int64_t now_ms = connection_now_of(connection);
    return (struct net_traffic){
        .now_ms = now_ms,
        .age_ms = now_ms - connection->opened_ms,
        .bytes_in = visit_received(connection),
        .bytes_out = connection->written,
        .unsent = connection->queued + (size_t)(connection->output_total - connection->written),
    };
}

void net_connection_kill(struct net_connection *connection, struct closing why)
{
    if (connection->writing) /* no more output can be written */
        connection_close_for(connection, why);
    else
        connection_end_for(connection, why);
}
